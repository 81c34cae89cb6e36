"""The benches, small, so that they cannot rot; and the soak's verdict on doctored reports, so that
it can fail.

TOLLGATE_BIN names the directory of the programs."""
import copy
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH / "peers"))
import gateway  # noqa: E402

BIN = pathlib.Path(os.environ.get("TOLLGATE_BIN", "build/dev/bin"))


def run(program, *args):
    """(exit status, output, the --json report)"""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        done = subprocess.run([sys.executable, BENCH / program, "--bin", BIN, "--json", report.name,
                               *map(str, args)], capture_output=True, text=True, timeout=100)
        text = pathlib.Path(report.name).read_text()
    return done.returncode, done.stdout + done.stderr, json.loads(text) if text else None


def program(name):
    loader = importlib.machinery.SourceFileLoader(name, str(BENCH / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.dont_write_bytecode = True  # the program has no .py for a cache to stand beside
    loader.exec_module(module)
    return module


class Run(unittest.TestCase):
    def test_relay_and_gateway_in_turn(self):
        status, out, report = run("run", "--receipts", "--seconds", 0.3, "--repeat", 1, "--no-bar",
                                  "--connections", 2)
        self.assertEqual(status, 0, out)
        self.assertEqual(report["failures"], [])
        for name in ("relay", "gateway"):
            self.assertGreater(report["medians"][name]["messages"], 100, name)
            self.assertIn(name, out)
        ratio = (report["medians"]["gateway"]["per_second"] /
                 report["medians"]["relay"]["per_second"])
        self.assertAlmostEqual(report["ratios"]["per_second"], ratio)

    @unittest.skipUnless(gateway.has_journal(BIN / "tollgate"), "this gateway knows no [journal]")
    def test_a_durable_gateway_beside_the_relay(self):
        status, out, report = run("run", "--durable", "--seconds", 0.3, "--repeat", 1, "--no-bar",
                                  "--connections", 2)
        self.assertEqual(status, 0, out)
        self.assertGreater(report["medians"]["gateway"]["messages"], 100)
        self.assertIn("CPU seconds per million messages in the gateway", out)

    def test_an_open_loop_keeps_its_rate(self):
        status, out, report = run("run", "--open", 2000, "--one-write", "--seconds", 0.5,
                                  "--repeat", 1, "--only", "gateway")
        self.assertEqual(status, 0, out)
        self.assertEqual(report["medians"]["gateway"]["messages"], 1000)


class Reloads(unittest.TestCase):
    def test_new_tables_under_load(self):
        done = subprocess.run(
            [sys.executable, BENCH / "reloads", "--bin", BIN, "--reloads", "2", "--seconds", "1",
             "--rate", "500", "--prefixes", "2000", "--books", "3", "--plans", "2", "--no-bar"],
            capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("reloads under load", done.stdout)


class Desk(unittest.TestCase):
    def test_a_sheet_is_drafted_and_diffed(self):
        done = subprocess.run(
            [sys.executable, BENCH / "desk", "--bin", BIN, "--rows", "500", "--prefixes", "2000",
             "--repeat", "1", "--no-bar"], capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, "(?m)^500 rows: 50 new, .* 0 closed, 0 in error$")


class Soak(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.status, cls.out, cls.report = run("soak", "--messages", 20000, "--die-at", 0.1)

    def test_twenty_thousand_messages_are_lossless(self):
        self.assertEqual(self.status, 0, self.out)
        self.assertEqual(self.report["load"]["receipts"]["matched"], 20000)
        self.assertIn("lossless", self.out)

    def test_the_verdict_sees_each_fault(self):
        soak = program("soak")
        options = types.SimpleNamespace(messages=20000, abrupt=False, carrier_binds=2,
                                        carrier_window=500)
        faults = {
            "without an answer": lambda load, taken: load.update(unanswered=1),
            "refused": lambda load, taken: load.update(refused=1),
            "ids given twice": lambda load, taken: load["ids"].update(duplicated=1),
            "receipts lost": lambda load, taken: load["receipts"].update(lost=1),
            "receipts duplicated": lambda load, taken: load["receipts"].update(duplicated=1),
            "receipts unmatched": lambda load, taken: load["receipts"].update(unmatched=1),
            "of another message": lambda load, taken: load["receipts"].update(wrong_message=1),
            "UNKNOWN": lambda load, taken: load["receipts"]["by_state"].update(UNKNOWN=1),
            "sessions lost": lambda load, taken: load.update(sessions_lost=1),
            "no carrier saw": lambda load, taken: taken["messages"].update(submitted=19999),
            "accepted twice":
                lambda load, taken: taken["messages"].update(accepted_more_than_once=1),
            "given up before":
                lambda load, taken: taken["messages"]["never_accepted_by_submits"].update({"3": 1}),
            "not taken": lambda load, taken: taken["carriers"][2]["receipts"].update(waiting=1),
            "never went down": lambda load, taken: taken["carriers"][0].update(deaths=0),
            "refused nothing": lambda load, taken: taken["carriers"][1].update(refused={}),
        }
        self.assertEqual(soak.judge(options, self.report["load"], self.report["carriers"]), [])
        for words, commit in faults.items():
            with self.subTest(words):
                load = copy.deepcopy(self.report["load"])
                taken = copy.deepcopy(self.report["carriers"])
                commit(load, taken)
                found = soak.judge(options, load, taken)
                self.assertEqual(len(found), 1, found)
                self.assertIn(words, found[0])


if __name__ == "__main__":
    unittest.main()
