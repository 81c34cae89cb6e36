#!/usr/bin/env python3
"""Carriers and clients in a table set, as the commands see them, against a real redis-server.

peers_cli_test.py TOLLGATE SOURCE_DIRECTORY
"""
import json
import os
import shutil
import sys
import unittest

import tables_cli_test

CARRIER = """pace = 20
[[bind]]
host = "127.0.0.1"
port = 2775
system_id = "us"
password = "pst-one"
window = 5
"""
SECRETS = ("pst-one", "pst-two", "hush-has")


class Peers(tables_cli_test.Desk):
    def setUp(self):
        super().setUp()
        self.tables("push", "tables", "--publish", "--note", "first")
        rates = self.tables_folder / "rates"
        shutil.copy(rates / "alpha.csv", rates / "foxtrot.csv")
        for name in ("carriers", "clients"):
            (self.tables_folder / name).mkdir(exist_ok=True)
        self.carrier = self.tables_folder / "carriers/foxtrot.toml"
        self.client = self.tables_folder / "clients/fresh.toml"
        self.carrier.write_text(CARRIER)
        self.client.write_text('password = "hush-has"\n')
        with (self.tables_folder / "clients.csv").open("a") as clients:
            clients.write("fresh,retail,GB\n")

    def do(self, *words, status=0, **other):
        done = self.run_it(*words, **other)
        self.assertEqual(done.returncode, status, done)
        said = done.stdout + done.stderr
        for secret in SECRETS:
            self.assertNotIn(secret, said)
        return said

    def push(self, *more, status=0):
        return self.do("tables", "push", self.tables_folder, "--publish", *more, status=status)

    def test_a_diff_tells_values_and_no_password(self):
        self.push()
        self.carrier.write_text(CARRIER.replace("pst-one", "pst-two").replace("= 5", "= 50"))
        self.push()
        told = self.do("tables", "diff", 2, 3, "--rows", status=1)
        self.assertRegex(told, r"carriers/foxtrot\.toml +changed +-2 +\+2")
        self.assertIn("-bind[1].password = (not shown)\n", told)
        self.assertIn("+bind[1].password = (not shown)\n", told)
        self.assertIn("-bind[1].window = 5\n", told)
        self.assertIn("+bind[1].window = 50\n", told)
        found = json.loads(self.do("tables", "diff", 1, 3, "--json", status=1))
        client = next(each for each in found if each["file"] == "clients/fresh.toml")
        self.assertEqual(client["added"], ["password = (not shown)"])

    def test_a_file_is_shown_without_its_passwords(self):
        self.push()
        told = self.do("carriers", "show", "carriers/foxtrot.toml")
        self.assertIn("bind[1].password = (not shown)\n", told)
        self.assertIn("pace = 20\n", told)
        pulled = self.folder / "pulled"
        self.do("tables", "pull", pulled)
        self.assertEqual((pulled / "carriers/foxtrot.toml").read_text(), CARRIER)
        # A key can be any text: a terminal does not obey it.
        self.carrier.write_text(
            CARRIER + '[dialect.error_texts]\n"\\u001b[31m\\u202e" = "x\u202ey"\n')
        self.push()
        told = self.do("carriers", "show", "carriers/foxtrot.toml")
        self.assertIn(r"dialect.error_texts.\x1b[31m\xe2\x80\xae = ", told)
        self.assertNotIn("\u202e", told)

    def test_drafts_have_their_verbs(self):
        self.do("tables", "push", self.tables_folder, "--note", "a sixth carrier")
        told = self.do("carriers", "diff", 2)
        self.assertRegex(told, r"carriers/foxtrot\.toml.*new")
        self.assertRegex(told, r"clients/fresh\.toml.*new")
        self.do("clients", "publish", 2)
        self.assertEqual(self.do("clients", "history"), self.do("tables", "history"))
        self.do("carriers", "rollback", 1)
        self.assertNotIn("foxtrot", self.do("tables", "show"))

    def test_a_fault_publishes_nothing(self):
        self.carrier.write_text(CARRIER.replace("window = 5", "windows = 5"))
        told = self.push(status=1)
        self.assertIn("carriers/foxtrot.toml:7:1: bind[1].windows: unknown key (right: did you "
                      'mean "window"?)', told)
        self.carrier.write_text(CARRIER.replace('password = "pst-one"', 'password_file = "none"'))
        self.assertIn("carriers/foxtrot.toml:6:17: bind[1].password_file = (not shown): cannot be "
                      "used", self.push(status=1))
        secrets = self.folder / "secrets/carriers/foxtrot"
        secrets.mkdir(parents=True)
        os.mkfifo(secrets / "pipe")
        (secrets / "large").write_text("x" * 5000)
        (secrets / "other").write_text("hush-has\nother.example\n")
        for name, said in (("/etc/hostname", "the secrets that are foxtrot's"),
                           ("../../../desk.password", "the secrets that are foxtrot's"),
                           ("desk.password", "no such file"),
                           ("other", "may not be sent to 127.0.0.1:2775"),
                           ("pipe", "is a pipe"), ("large", "is larger than 4096 octets")):
            self.carrier.write_text(CARRIER.replace('password = "pst-one"',
                                                    f'password_file = "{name}"'))
            told = self.push(status=1)
            self.assertIn("carriers/foxtrot.toml:6:17: bind[1].password_file", told)
            self.assertIn(said, told)
        (secrets / "own").write_text("hush-has\n127.0.0.1\n")
        self.carrier.write_text(CARRIER.replace('password = "pst-one"', 'password_file = "own"'))
        self.do("tables", "push", self.tables_folder)
        self.carrier.write_text(CARRIER + "[[bind")
        self.assertIn("carriers/foxtrot.toml:8:7: no valid TOML", self.push(status=1))
        self.carrier.unlink()
        self.client.write_text("")
        self.assertIn("clients/fresh.toml:1:1: password: missing", self.push(status=1))
        self.assertIn("version 1", self.do("tables", "show"))

    def test_check_and_explain_know_them(self):
        config = self.folder / "files.toml"
        config.write_text(self.config.read_text().replace(
            f'redis = "{self.redis.path}"\nuser = "desk"\npassword_file = "desk.password"',
            'directory = "tables"'))
        told = self.do("check", config=config)
        self.assertIn("foxtrot", told)
        self.assertIn("fresh", told)
        told = self.do("explain", "447700900123", "--client", "fresh", config=config)
        self.assertIn("foxtrot", told)
        self.carrier.write_text("pace = 1\n")
        faults = json.loads(self.do("check", "--json", config=config, status=1))["table_faults"]
        self.assertEqual([(each["file"], each["row"], each["place"], each["column"])
                          for each in faults], [("carriers/foxtrot.toml", 1, 1, "bind")])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
