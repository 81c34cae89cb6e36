#!/usr/bin/env python3
"""`tollgate rates check` and `prices check` as analysts use them.

sheets_cli_test.py TOLLGATE SOURCE_DIRECTORY
"""
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOLLGATE, SOURCE = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
HEADER = "MCC,MNC,Price,Currency,Valid from\n"


class Sheets(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate_sheets_"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.tables = self.folder / "tables"
        shutil.copytree(SOURCE / "deploy/tables", self.tables)

    def sheet(self, text, name="acme.csv"):
        path = self.folder / name
        path.write_text(text)
        return path

    def run_it(self, *words):
        return subprocess.run([TOLLGATE, *map(str, words)], capture_output=True, text=True,
                              timeout=60, check=False)

    def check(self, text, *more, carrier="alpha"):
        return self.run_it("rates", "check", self.sheet(text), "--carrier", carrier, "--tables",
                           self.tables, *more)

    def book(self, text):
        return list(csv.DictReader(text.splitlines()))

    def test_a_fine_sheet_exits_0_and_gives_a_book_that_compiles(self):
        out = self.folder / "new.csv"
        # A little less than now, until the row that the book plans: then that is a warning.
        rates = self.tables / "rates/alpha.csv"
        rows = [row for row in self.book(rates.read_text()) if row["mccmnc"] == "23415"]
        self.assertEqual(len(rows), 2)
        kept = [line for line in rates.read_text().splitlines() if not line.startswith("23415")]
        rates.write_text("\n".join(kept) + "\n23415,,,0.032,EUR,submit,2024-01-01,\n")
        ran = self.check(HEADER + "234,15,0.0319,EUR,2199-02-01\n", "--partial", "--out", out)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran.stdout)
        self.assertIn("0 new, 0 raised, 1 lowered, 0 unchanged, 0 closed, 0 in error", ran.stdout)
        rows = [row for row in self.book(out.read_text()) if row["mccmnc"] == "23415"]
        self.assertEqual([(row["price"], row["effective_from"], row["effective_to"])
                          for row in rows],
                         [("0.032", "2024-01-01", "2199-02-01"), ("0.0319", "2199-02-01", "")])
        before = rates.read_text()
        shutil.copy(out, rates)
        self.assertNotEqual(before, rates.read_text())
        again = self.check(HEADER + "234,15,0.0319,EUR,2199-02-01\n", "--partial")
        self.assertEqual(again.returncode, 0, again.stdout)
        self.assertIn("1 unchanged", again.stdout)

    def test_a_fault_names_its_cell_exits_1_and_writes_nothing(self):
        out = self.folder / "new.csv"
        ran = self.check(HEADER + "262,1,0.05,EUR,2199-02-01\n", "--partial", "--out", out)
        self.assertEqual(ran.returncode, 1)
        self.assertIn('acme.csv, row 2, column MNC (B2), value "1"', ran.stdout)
        self.assertIn("nothing can be published", ran.stdout)
        self.assertFalse(out.exists())

    def test_letters_that_nobody_sees_are_escaped(self):
        plan = self.tables / "numbering_plan.csv"
        text = plan.read_text()
        network = text.splitlines()[-1].split(",")[-1]
        plan.write_text(text.replace(network, f"{network}\u202e"))
        for sheet in (HEADER + "2\u202e34,1\u20665,0.0319,E\u200bUR,2199-02-01\n",
                      HEADER.replace(",", "\u202e,", 1) + "234,15,0.0319,EUR,2199-02-01\n",
                      HEADER + "234,15,0.0319,EUR,2199-02-01\n"):
            for more in ((), ("--json",)):
                ran = self.check(sheet, "--partial", *more)
                for unseen in "\u202e\u2066\u200b":
                    self.assertNotIn(unseen, ran.stdout + ran.stderr)
        self.assertIn("\\xe2\\x80\\xae", self.check(
            HEADER + "2\u202e34,15,0.03,EUR,2199-02-01\n", "--partial").stdout)

    def test_lost_routes_are_findings(self):
        # Nobody else has a rate; then alpha asks more than anybody pays.
        text = (self.tables / "plans/retail.csv").read_text()
        priced = {row["mcc"] for row in self.book(text) if row["mcc"]}
        self.assertIn("234", priced)
        for book in (self.tables / "rates").iterdir():
            if book.stem != "alpha":
                book.write_text("mccmnc,price,currency\n")
        ran = self.check(HEADER + "234,15,9,EUR,2199-02-01\n", "--partial", "--json")
        self.assertEqual(ran.returncode, 1)
        found = json.loads(ran.stdout)
        self.assertTrue(found["publishable"])
        self.assertGreater(found["margins"]["newly_unroutable"], 0)
        row = found["margins"]["rows"][0]
        self.assertEqual((row["mccmnc"], row["carrier_before"], row["carrier_after"],
                          row["reason_after"]), ("23415", "alpha", "", "no_route"))
        self.assertIsNone(row["margin_after"])
        self.assertEqual(found["counts"]["raised"], 1)
        self.assertTrue(any("above what" in f["reason"] for f in found["findings"]))

    def test_the_kept_template_is_used(self):
        (self.tables / "templates").mkdir()
        template = self.tables / "templates/alpha.toml"
        template.write_text('kind = "partial"\ncents = true\n[columns]\n"Netz" = "mccmnc"\n')
        ran = self.check("Netz,Price,Currency,Valid from\n26201,5.4,EUR,2199-02-01\n", "--json")
        found = json.loads(ran.stdout)
        self.assertEqual(found["changes"][0]["after"]["submit"], "0.054")
        template.write_text("cent = true\n")
        ran = self.check(HEADER, "--partial")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("alpha.toml, line 1: cent is not a key", ran.stderr)

    def test_a_new_carrier_and_a_plan(self):
        ran = self.check(HEADER + "262,01,0.04,EUR,2199-02-01\n", "--partial", "--json",
                         carrier="newcomer")
        found = json.loads(ran.stdout)
        self.assertEqual((found["book"], found["counts"]["new"]), ("rates/newcomer.csv", 1))
        self.assertEqual(found["table_faults"], [])
        ran = self.run_it("prices", "check", self.sheet(HEADER + "262,01,0.2,EUR,2199-02-01\n"),
                          "--plan", "retail", "--tables", self.tables, "--partial", "--json")
        found = json.loads(ran.stdout)
        self.assertEqual((found["book"], found["counts"]["raised"]), ("plans/retail.csv", 1))
        self.assertTrue(all(row["client"] == "shop" for row in found["margins"]["rows"]))
        self.assertTrue(found["margins"]["rows"])

    def test_bad_usage_exits_2(self):
        good = HEADER + "262,01,0.05,EUR,2199-02-01\n"
        for more, said in ((("--partial", "--full"), "not both"), ((), "say --partial"),
                           (("--partial", "--effective", "2026-02-31"), "does not exist"),
                           (("--partial", "--template", "/nowhere.toml"), "no template"),
                           (("--partial", "--what"), "--what")):
            ran = self.check(good, *more)
            self.assertEqual(ran.returncode, 2, more)
            self.assertIn(said, ran.stderr)
        for carrier in ("../alpha", ".x", "a/b"):
            ran = self.check(good, "--partial", carrier=carrier)
            self.assertEqual(ran.returncode, 2)
            self.assertIn("is no name", ran.stderr)
        ran = self.run_it("rates", "check", "/nowhere.csv", "--carrier", "a", "--tables",
                          self.tables, "--partial")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("there is no file", ran.stderr)

    def test_tables_with_faults_are_told(self):
        (self.tables / "currencies.csv").write_text("currency,rate\nEUR,2\n")
        ran = self.check(HEADER + "262,01,0.05,EUR,2199-02-01\n", "--partial")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("currencies.csv, row 2", ran.stderr)

    def test_long_lists_are_cut_for_people_alone(self):
        rows = "".join(f"262,{n},0.05,EUR,2199-02-01\n" for n in range(1, 10))
        ran = self.check(HEADER + rows, "--partial", "--limit", 3)
        self.assertEqual(ran.stdout.count("fault  "), 3)
        self.assertIn("and 6 more", ran.stdout)
        ran = self.check(HEADER + rows, "--partial", "--limit", 3, "--json")
        self.assertEqual(len(json.loads(ran.stdout)["findings"]), 9)

    def test_nothing_is_coloured_in_a_pipe(self):
        ran = self.check(HEADER + "262,1,0.05,EUR,2199-02-01\n", "--partial")
        self.assertNotIn("\x1b", ran.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
