#!/usr/bin/env python3
"""`tollgate tables` as analysts use it, against a real redis-server with the configuration
of deploy/redis, and a gateway that follows what they publish.

tables_cli_test.py TOLLGATE SOURCE_DIRECTORY
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

TOLLGATE, SOURCE = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
sys.dont_write_bytecode = True
sys.path[:0] = [str(SOURCE / "tests" / "system"), str(SOURCE / "bench" / "peers")]
import redis_peer  # noqa: E402


def wait_until(what, is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


class Desk(unittest.TestCase):
    """A Redis as deploy/redis has it, the manual's configuration on it, the sample tables."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate_desk_"))
        self.addCleanup(shutil.rmtree, self.folder)
        acl = (SOURCE / "deploy/redis/tollgate.acl").read_text()
        (self.folder / "users.acl").write_text(acl.replace("user default off", "user default on"
                                                           " nopass ~* &* +@all"))
        conf = (SOURCE / "deploy/redis/redis.conf").read_text()
        conf = conf.replace("/etc/redis/tollgate.acl", str(self.folder / "users.acl"))
        (self.folder / "redis.conf").write_text(
            "\n".join(line for line in conf.splitlines() if not line.startswith(("bind", "port"))))
        self.redis = redis_peer.RedisServer(config=self.folder / "redis.conf")
        self.addCleanup(self.redis.__exit__)
        self.tables_folder = self.folder / "tables"
        shutil.copytree(SOURCE / "deploy/tables", self.tables_folder)
        self.config = self.folder / "tollgate.toml"
        self.write_config("desk", "change-this-1")

    def write_config(self, user, password, more="", name="tollgate.toml"):
        manual = (SOURCE / "deploy/tollgate.toml").read_text()
        manual = manual.replace('"127.0.0.1:2775"', '"127.0.0.1:0"')
        manual = manual.replace('"127.0.0.1:9108"', '"127.0.0.1:0"')
        (self.folder / f"{user}.password").write_text(password + "\n")
        manual = manual.replace(
            'directory = "tables"', f'redis = "{self.redis.path}"\nuser = "{user}"\n'
            f'password_file = "{user}.password"\n{more}')
        (self.folder / name).write_text(manual)
        return self.folder / name

    def run_it(self, *words, who="ann", config=None, env=None):
        return subprocess.run(
            [TOLLGATE, *map(str, words), "--config", str(config or self.config)],
            capture_output=True, text=True, timeout=60, check=False, cwd=self.folder,
            env={**os.environ, "TOLLGATE_WHO": who, **(env or {})})

    def tables(self, *words, status=0, **other):
        """What it printed, on stdout when it was fine, else on stderr."""
        done = self.run_it("tables", *words, **other)
        self.assertEqual(done.returncode, status, done)
        return done.stdout if status == 0 or done.stdout else done.stderr

    def price(self, carrier, price):
        book = self.tables_folder / "rates" / f"{carrier}.csv"
        head = "mccmnc,mcc,prefix,price,currency,charge,effective_from,effective_to"
        book.write_text(f"{head}\n23415,,,{price},EUR,,,\n")


class Commands(Desk):
    def test_from_push_to_rollback(self):
        self.assertIn("nothing was published yet", self.tables("history"))
        self.assertIn("holds no tables", self.tables("show", status=1))
        self.assertEqual(self.tables("push", "tables", "--note", "first", "--publish"),
                         "version 1 published\n")
        self.assertIn("nothing in it differs from version 1",
                      self.tables("push", "tables", status=1))
        self.price("alpha", "0.01")
        self.assertEqual(self.tables("push", "tables", "--note", "alpha", who="bob"),
                         "draft 2 changes 1 file of version 1\n")
        drafts = self.tables("drafts")
        self.assertRegex(drafts, r"(?m)^ +2 +1  draft +bob .* 1 file +alpha$")
        diff = self.tables("diff", "current", "draft:2", "--rows", status=1)
        self.assertRegex(diff, r"rates/alpha.csv +changed +-110 +\+1\n")
        self.assertIn("\n+23415,,,0.01,EUR,,,\n", diff)
        self.assertEqual(self.tables("diff", "draft:2", "tables"), "no differences\n")
        self.assertEqual(self.tables("publish", "2", "--note", "go"), "version 2 published\n")
        shown = self.tables("show", "--version", "2")
        self.assertIn("based on  1\n", shown)
        self.assertIn("note      go\n", shown)
        self.assertEqual(self.tables("show", "rates/alpha.csv"),
                         (self.tables_folder / "rates/alpha.csv").read_text())
        self.assertEqual(self.tables("rollback", "1", "--note", "wrong"), "version 3 published\n")
        self.tables("pull", "one", "--version", "1")
        self.tables("pull", "three")
        self.assertEqual(self.tables("diff", "one", "three"), "no differences\n")
        self.assertIn("holds tables already", self.tables("pull", "one", status=1))
        history = self.tables("history").splitlines()
        self.assertEqual([line.split()[0] for line in history], ["version", "3", "2", "1"])
        self.assertIn("rollback to 1", history[1])
        self.assertEqual(len({line.index("note") if "note" in line else 0 for line in history}), 2)
        audit = self.tables("audit")
        self.assertRegex(audit, r"ann +rollback .*wrong; the files of version 1")
        self.assertRegex(audit, r"bob +draft +2")

    def test_json(self):
        version = json.loads(self.tables("push", "tables", "--publish", "--json"))
        self.assertEqual((version["version"], version["who"]), (1, "ann"))
        self.price("alpha", "0.01")
        draft = json.loads(self.tables("push", "tables", "--json"))
        self.assertEqual([each["file"] for each in draft["changed"]], ["rates/alpha.csv"])
        for command, length in (("history", 1), ("drafts", 1), ("audit", 3), ("gateways", 0)):
            self.assertEqual(len(json.loads(self.tables(command, "--json"))), length, command)
        difference = json.loads(self.tables("diff", "1", "tables", "--json", status=1))
        self.assertEqual(difference[0]["added"], ["23415,,,0.01,EUR,,,"])
        self.assertEqual(len(json.loads(self.tables("show", "--json"))["files"]), 13)

    def test_faults_store_nothing(self):
        self.price("alpha", "-1")
        self.assertIn("rates/alpha.csv, row 2", self.tables("push", "tables", status=1))
        self.price("alpha", "1")
        shutil.copy(self.tables_folder / "rates/alpha.csv", self.tables_folder / "rates/new.csv")
        self.assertIn('"new": is not a carrier', self.tables("push", "tables", status=1))
        redis = self.redis.connect()
        self.assertEqual(redis("DBSIZE"), 0)
        redis.close()

    def test_two_analysts(self):
        self.tables("push", "tables", "--publish")
        self.price("alpha", "0.01")
        self.tables("push", "tables")
        shutil.rmtree(self.tables_folder)
        self.tables("pull", "tables", who="bob")
        self.price("bravo", "0.02")
        self.tables("push", "tables", "--publish", "--note", "bravo down", who="bob")
        told = self.tables("publish", "2", status=1)
        self.assertIn("2 by bob (bravo down)", told)
        self.assertIn("rebase", told)
        self.assertEqual(self.tables("rebase", "2"), "draft 2 is based on version 2\n")
        self.assertEqual(self.tables("publish", "2"), "version 3 published\n")
        for carrier in ("alpha", "bravo"):
            self.assertIn(",0.0", self.tables("show", f"rates/{carrier}.csv"))

    def test_what_is_fine_alone_may_not_be_together(self):
        currencies = self.tables_folder / "currencies.csv"
        without = currencies.read_text()
        currencies.write_text(without + "CHF,1.05,2026-11-01\n")
        self.tables("push", "tables", "--publish")
        before = (self.tables_folder / "rates/alpha.csv").read_text()
        book = self.tables_folder / "rates/alpha.csv"
        book.write_text(before.replace("EUR", "CHF"))
        self.tables("push", "tables")
        book.write_text(before)
        currencies.write_text(without)
        self.tables("push", "tables", "--publish")
        self.tables("rebase", "2")
        self.assertIn('"CHF": is not in currencies.csv', self.tables("publish", "2", status=1))
        self.assertEqual(len(json.loads(self.tables("history", "--json"))), 2)

    def test_approval(self):
        self.write_config("desk", "change-this-1", "require_approval = true\n")
        self.assertIn("needs the approval of somebody else than ann",
                      self.tables("push", "tables", "--publish", status=1))
        self.tables("approve", "1")
        self.assertIn("needs the approval", self.tables("publish", "1", status=1))
        self.tables("approve", "1", who="bob")
        self.assertEqual(self.tables("publish", "1"), "version 1 published\n")

    def test_bad_usage(self):
        for words in ([], ["bogus"], ["diff", "1"], ["publish"], ["publish", "x"], ["push"],
                      ["rollback", "0"], ["history", "--limit", "0"]):
            done = self.run_it("tables", *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
        self.tables("push", "tables", "--publish")
        self.price("alpha", "0.01")
        self.tables("push", "tables")
        self.assertIn("--at 2026-13-01", self.tables("publish", "2", "--at", "2026-13-01",
                                                     status=2))
        self.assertIn("the time is over", self.tables("publish", "2", "--at", "2020-01-01",
                                                      status=1))
        self.assertIn("there is no draft 9", self.tables("approve", "9", status=1))
        self.assertIn("there is no version 9", self.tables("rollback", "9", status=1))
        self.assertIn("no version, draft or directory", self.tables("diff", "1", "gone", status=1))
        self.assertIn("controls", self.tables("push", "tables", "--note", "a\x1b[31m", status=1))

    def test_check_and_explain_read_the_current_version(self):
        self.tables("push", "tables", "--publish")
        done = self.run_it("check")
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(f"tables    Redis at {self.redis.path}: ", done.stdout)
        done = self.run_it("explain", "+447700900123", "--client", "shop")
        self.assertEqual(done.returncode, 0, done)
        self.redis.kill()
        for words in (["check"], ["explain", "+447700900123", "--client", "shop"], ["tables",
                                                                                     "history"]):
            done = self.run_it(*words)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(f"Redis at {self.redis.path}", done.stdout + done.stderr)


class Followed(Desk):
    """A gateway of the ACL's user, and one that may only look."""

    def start(self, config):
        log = (self.folder / (config.name + ".log")).open("w+")
        self.addCleanup(log.close)
        process = subprocess.Popen([TOLLGATE, "run", "--config", str(config)], stderr=log)
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
        path = pathlib.Path(log.name)
        wait_until("ready", lambda: " ready " in path.read_text() or process.poll() is not None)
        return process, path

    def metric(self, log, name):
        port = re.search(r"metrics_port=(\d+)", log.read_text())[1]
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read()
        return float(re.search(rf"(?m)^tollgate_{re.escape(name)} (\S+)$", page.decode())[1])

    def test_gateways_follow(self):
        # Templates travel with the tables: a gateway keeps them and does not read them.
        (self.tables_folder / "templates").mkdir()
        (self.tables_folder / "templates/alpha.toml").write_text('kind = "full"\n')
        self.tables("push", "tables", "--publish")
        first = self.write_config("tollgate", "change-this-2",
                                  'cache = "c1"\n', name="one.toml")
        second = self.write_config("viewer", "change-this-3", 'cache = "c2"\n', name="two.toml")
        for config in (first, second):
            text = config.read_text().replace('directory = "journal"', f'directory = "{config}.j"')
            text = text.replace('directory = "records"', f'directory = "{config}.r"')
            config.write_text(text)
        (one, log), (two, other_log) = self.start(first), self.start(second)
        self.price("alpha", "0.01")
        self.tables("push", "tables", "--publish")
        for each in (log, other_log):
            wait_until("version 2", lambda each=each: self.metric(each, "tables_version") == 2)
        # Scheduled: the one that may write publishes, both follow.
        self.price("alpha", "0.02")
        self.tables("push", "tables")
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
        self.assertIn("will be published at", self.tables("publish", "3", "--at", at))
        for each in (log, other_log):
            wait_until("version 3", lambda each=each: self.metric(each, "tables_version") == 3)
        self.assertEqual(self.metric(log, "tables_scheduled_published_total"), 1)
        redis = self.redis.connect()
        files = {path.relative_to(self.tables_folder).as_posix(): path.read_bytes()
                 for path in self.tables_folder.rglob("*.csv")}
        files["rates/alpha.csv"] = b"mccmnc,price,currency\n23415,x,EUR\n"
        redis_peer.forge(redis, files)
        redis.close()
        for each in (log, other_log):
            wait_until("refused",
                       lambda each=each: self.metric(each, "tables_refused_version") == 4)
            self.assertEqual(self.metric(each, "tables_version"), 3)
            self.assertEqual(self.metric(each, 'tables_refused{reason="faults"}'), 1)
            self.assertIn('rates/alpha.csv, row 2, column price', each.read_text())
        told = self.run_it("tables", "gateways")
        self.assertEqual(told.returncode, 1, told)
        self.assertIn("4: rates/alpha.csv, row 2", told.stdout)
        self.assertEqual(self.tables("rollback", "3"), "version 5 published\n")
        wait_until("version 5", lambda: self.metric(log, "tables_version") == 5)
        self.redis.kill()
        wait_until("no Redis", lambda: self.metric(log, "tables_redis_up") == 0)
        for process in (one, two):
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(30), 0)
        again, log = self.start(first)
        self.assertEqual(self.metric(log, "tables_version"), 5)
        self.assertIn("tables_from_cache version=5", log.read_text())
        again.send_signal(signal.SIGTERM)
        self.assertEqual(again.wait(30), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
