#!/usr/bin/env python3
"""The commands that read detail records, on records that make_records wrote.

records_cli_test.py TOLLGATE MAKE_RECORDS
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

TOLLGATE, MAKE_RECORDS = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
COUNT = 1_000

CONFIG = """
[gateway]
listen = "127.0.0.1:0"
tables = "tables"
[records]
directory = "records"
[[client]]
system_id = "shop"
password = "pw"
[[client]]
system_id = "depot"
password = "pw"
[[carrier]]
name = "alpha"
[[carrier.bind]]
host = "127.0.0.1"
port = 1
system_id = "t"
password = "s"
[[carrier]]
name = "bravo"
[[carrier.bind]]
host = "127.0.0.1"
port = 1
system_id = "t"
password = "s"
"""
TABLES = {
    "currencies.csv": "currency,rate\nEUR,1\n",
    "numbering_plan.csv": "prefix,mccmnc,country,network\n44,234,GB,\n4477,23415,GB,Vodafone\n",
    "plans/retail.csv": "mcc,mccmnc,price,currency\n234,,0.05,EUR\n",
    "clients.csv": "client,plan,default_country\nshop,retail,GB\ndepot,retail,GB\n",
    "rules.csv": "plan,client,destination,max_attempts\n",
    "rates/alpha.csv": "mcc,price,currency\n234,0.01,EUR\n",
    "rates/bravo.csv": "mcc,price,currency\n234,0.02,EUR\n",
}


class Records(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate_records_"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        (cls.folder / "tollgate.toml").write_text(CONFIG)
        cls.tables("tables", {})
        (cls.folder / "records").mkdir()
        subprocess.run([MAKE_RECORDS, str(cls.folder / "records"), str(COUNT)], check=True)

    @classmethod
    def tables(cls, name, changes):
        for file, text in {**TABLES, **changes}.items():
            path = cls.folder / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return name

    def run_it(self, *words, status=0):
        done = subprocess.run([TOLLGATE, *map(str, words)], capture_output=True, text=True,
                              timeout=60, check=False, cwd=self.folder)
        self.assertEqual(done.returncode, status, done)
        return done.stdout if status == 0 or done.stdout else done.stderr

    def records(self, *words):
        return [json.loads(line)
                for line in self.run_it("records", "--last", "2d", "--json", *words).splitlines()]

    def test_every_record_is_printed_once(self):
        found = self.records()
        self.assertEqual(len(found), COUNT)
        self.assertEqual(len({one["message"] for one in found}), COUNT)
        first = found[0]
        self.assertEqual(first["client"], "depot")
        self.assertEqual(first["number"], "447700910000")
        self.assertEqual(first["segments"], 2)
        self.assertEqual(first["revenue_nano"], 100_000_000)
        self.assertEqual(first["cost_nano"], 20_000_000)
        self.assertEqual(first["tries"][0]["carrier"], "alpha")
        text = self.run_it("records", "--last", "2d", "--limit", "3")
        self.assertEqual(len(text.splitlines()), 4)

    def test_filters(self):
        self.assertEqual(len(self.records("--client", "depot")), 334)
        self.assertEqual(len(self.records("--state", "undeliverable")), 70)
        self.assertEqual(len(self.records("--state", "UNDELIV")), 70)
        self.assertEqual(len(self.records("--number", "+447700910007")), 1)
        self.assertEqual(len(self.records("--destination", "234")), COUNT)
        self.assertEqual(len(self.records("--destination", "23410")), 0)
        bravo = self.records("--carrier", "bravo")
        self.assertEqual(len(bravo), 100)
        self.assertTrue(all(one["carrier"] == "bravo" for one in bravo))
        self.assertLess(abs(len(self.records("--carrier", "alpha")) - COUNT), 1)
        half = len([json.loads(one) for one in self.run_it(
            "records", "--last", "12h", "--json").splitlines()])
        self.assertLess(abs(half - COUNT / 2), 5)

    def test_one_message(self):
        found = self.records()[123]
        one = json.loads(self.run_it("records", "--message", found["message"], "--json"))
        self.assertEqual(one, found)
        self.assertIn("no message has that id",
                      self.run_it("records", "--message", "0" * 16, "--json", status=1))

    def test_bad_usage_is_told(self):
        for words, said in ((("--last", "soon"), "24h"), (("--state", "gone"), "delivered"),
                            (("--message", "xyz"), "16 hexadecimal"), (("--sum", "colour"), "day"),
                            (("--last", "1h", "--from", "2026-01-01"), "not both"),
                            (("--from", "31/02"), "--from")):
            with self.subTest(words=words):
                self.assertIn(said, self.run_it("records", *words, status=2))
        self.assertIn("no [records]", self.bare())

    def bare(self):
        (self.folder / "bare.toml").write_text(CONFIG.replace(
            '[records]\ndirectory = "records"\n', ""))
        return self.run_it("records", "--config", "bare.toml", status=2)

    def test_margins_add_up(self):
        rows = json.loads(self.run_it("margins", "--last", "2d", "--by", "client,carrier",
                                      "--json"))
        found = self.records()
        for field in ("revenue_nano", "cost_nano", "margin_nano"):
            self.assertEqual(sum(row[field] for row in rows), sum(one[field] for one in found))
        self.assertEqual(sum(row["messages"] for row in rows), COUNT)
        for row in rows:
            self.assertEqual(row["margin_nano"], row["revenue_nano"] - row["cost_nano"])
        self.assertEqual({row["carrier"] for row in rows}, {"alpha", "bravo", "-"})
        nothing = [row for row in rows if row["carrier"] == "-"]
        self.assertEqual(sum(row["revenue_nano"] for row in nothing), 0)
        text = self.run_it("margins", "--last", "2d")
        self.assertIn("23415", text)
        self.assertIn("EUR", text)
        self.assertTrue(text.splitlines()[-1].startswith("all"))

    def test_explain_derives_the_decision_again(self):
        message = self.records()[5]["message"]
        text = self.run_it("explain", "--message", message)
        self.assertIn("attempt", text)
        self.assertIn("alpha", text)
        self.assertNotIn("differs", text)
        told = json.loads(self.run_it("explain", "--message", message, "--json"))
        self.assertEqual(told["differences"], [])
        self.assertFalse(told["same_version"])
        self.tables("dear", {"rates/alpha.csv": "mcc,price,currency\n234,0.03,EUR\n"})
        told = json.loads(self.run_it("explain", "--message", message, "--tables", "dear",
                                      "--json", status=1))
        self.assertEqual(len(told["differences"]), 2)
        self.assertIn("candidate 1 was alpha", told["differences"][0])

    def replay(self, name, status):
        return json.loads(self.run_it("rates", "replay", name, "--last", "2d", "--json",
                                      status=status))

    def test_replay_under_the_same_tables_changes_nothing(self):
        told = self.replay("tables", 0)
        self.assertEqual(told["messages"], COUNT)
        self.assertEqual(told["moved"], 0)
        self.assertEqual(told["cost_before_nano"], told["cost_after_nano"])
        self.assertEqual(told["changed"], [])

    def test_replay_moves_messages(self):
        self.tables("moved", {"rates/alpha.csv": "mcc,price,currency\n234,0.03,EUR\n"})
        told = self.replay("moved", 0)
        self.assertEqual(told["moved"], COUNT)
        self.assertEqual(told["moves"], [{"from": "alpha", "to": "bravo", "messages": COUNT}])
        self.assertEqual(told["cost_before_nano"], 1_200 * 10_000_000)
        self.assertEqual(told["cost_after_nano"], 1_200 * 20_000_000)
        self.assertEqual({row["client"] for row in told["changed"]}, {"shop", "depot"})
        text = self.run_it("rates", "replay", "moved", "--last", "2d")
        self.assertIn("bravo", text)

    def test_replay_by_the_rows_of_an_instant(self):
        self.tables("later", {"rates/alpha.csv": "mcc,price,currency,effective_from,effective_to\n"
                              "234,0.01,EUR,,2199-02-01\n234,0.03,EUR,2199-02-01,\n"})
        self.assertEqual(self.replay("later", 0)["moved"], 0)
        told = json.loads(self.run_it("rates", "replay", "later", "--last", "2d", "--at",
                                      "2199-02-01", "--json"))
        self.assertEqual((told["moved"], told["as_of"]), (COUNT, "2199-02-01T00:00:00Z"))
        self.assertIn("31/02", self.run_it("rates", "replay", "later", "--at", "31/02", status=1))

    def test_replay_finds_what_loses_its_route_or_its_margin(self):
        self.tables("closed", {"rates/alpha.csv": "mcc,price,currency\n208,0.01,EUR\n",
                               "rates/bravo.csv": "mcc,price,currency\n208,0.01,EUR\n"})
        told = self.replay("closed", 1)
        self.assertEqual(told["newly_unroutable"], COUNT)
        self.tables("loss", {
            "rates/alpha.csv": "mcc,price,currency\n234,0.09,EUR\n",
            "rates/bravo.csv": "mcc,price,currency\n234,0.08,EUR\n",
            "rules.csv": "plan,client,destination,on_loss\n,,,allow\n"})
        told = self.replay("loss", 1)
        self.assertEqual(told["newly_at_loss"], COUNT)
        self.assertEqual(told["newly_unroutable"], 0)

    def test_sums_beyond_64_bits_are_told_and_never_wrap(self):
        most = 2**63 - 1
        (self.folder / "huge").mkdir(exist_ok=True)
        # 0.05 x 4 billion segments, 100 times.
        subprocess.run([MAKE_RECORDS, str(self.folder / "huge"), "100",
                        str(int(time.time() * 1e6)), "4000000000"], check=True)
        config = self.folder / "huge.toml"
        config.write_text(CONFIG.replace('directory = "records"', 'directory = "huge"'))
        for words in (("margins",), ("rates", "replay", "tables")):
            done = subprocess.run([TOLLGATE, *words, "--last", "2d", "--json", "--config", config],
                                  capture_output=True, text=True, timeout=60, check=False,
                                  cwd=self.folder)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("beyond 9223372036.85", done.stderr)
            told = json.loads(done.stdout)
            if words == ("margins",):
                self.assertTrue(all(0 <= row["revenue_nano"] <= most for row in told))
                self.assertIn(most, [row["revenue_nano"] for row in told])
            else:
                self.assertEqual(told["margin_before_nano"], told["margin_after_nano"])

    def test_a_damaged_file_is_told_and_the_rest_is_read(self):
        shutil.copytree(self.folder / "records", self.folder / "damaged")
        file = sorted((self.folder / "damaged").glob("records-*"))[0]
        octets = bytearray(file.read_bytes())
        octets[20_000] ^= 0xFF
        file.write_bytes(octets)
        done = subprocess.run([TOLLGATE, "records", "--records", "damaged", "--last", "2d",
                               "--json"], capture_output=True, text=True, timeout=60, check=False,
                              cwd=self.folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("damage", done.stderr)
        self.assertGreater(len(done.stdout.splitlines()), COUNT - 5)

    def test_a_file_that_was_set_aside_is_named_each_time(self):
        shutil.copytree(self.folder / "records", self.folder / "aside")
        (self.folder / "aside" / "records-damaged-00000000000000000007").write_bytes(b"x")
        for command in (["records"], ["margins"]):
            done = subprocess.run([TOLLGATE, *command, "--records", "aside", "--last", "2d"],
                                  capture_output=True, text=True, timeout=60, check=False,
                                  cwd=self.folder)
            self.assertEqual(done.returncode, 1)
            self.assertIn("aside/records-damaged-00000000000000000007: set aside", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
