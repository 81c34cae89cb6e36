#!/usr/bin/env python3
"""Sheets into drafts, what drafts do, and explain under them, against a real redis-server.

drafts_cli_test.py TOLLGATE SOURCE_DIRECTORY
"""
import json
import sys
import unittest

import tables_cli_test

HEADER = "MCC,MNC,Price,Currency,Valid from\n"
LATER = HEADER + "234,15,0.02,EUR,2199-02-01\n"


class Drafts(tables_cli_test.Desk):
    def setUp(self):
        super().setUp()
        self.tables("push", "tables", "--publish", "--note", "first")

    def do(self, *words, status=0, **other):
        """Its stdout, or its stderr when that is all it says."""
        done = self.run_it(*words, **other)
        self.assertEqual(done.returncode, status, done)
        return done.stdout or done.stderr

    def sheet(self, text, name="sheet.csv"):
        path = self.folder / name
        path.write_text(text)
        return path

    def load(self, carrier, text, *more, status=0, verb="rates", **other):
        return self.do(verb, "import", carrier, self.sheet(text), *more, status=status, **other)

    def octets(self):
        """All that Redis holds."""
        redis = self.redis.connect()
        keys = sorted(redis("KEYS", "*"))
        redis.close()
        return keys

    def book(self, *words):
        return self.tables("show", *words)

    def test_a_sheet_becomes_a_draft_and_a_version(self):
        told = self.load("alpha", LATER, "--partial", "--note", "alpha from February")
        self.assertIn("0 new, 0 raised, 1 lowered, 0 unchanged, 0 closed, 0 in error", told)
        self.assertIn("draft 2, based on version 1", told)
        self.assertNotIn("2199", self.book("rates/alpha.csv"))
        diff = self.do("rates", "diff", 2)
        self.assertRegex(diff, r"(?m)^draft 2  draft  ann  based on version 1$")
        self.assertIn("\nnote  alpha from February\n", diff)
        self.assertIn("rates/alpha.csv: 0 new, 0 raised, 1 lowered, 54 unchanged, 0 closed\n", diff)
        self.assertRegex(diff, r"lowered +23415 Vodafone, GB +0.03278 EUR +0.02 EUR +-38.98"
                               r" +2199-02-01\n")
        self.assertIn("margins as of 2199-02-01: 2 clients", diff)
        self.do("rates", "approve", 2, who="bob")
        self.assertEqual(self.do("rates", "publish", 2), "version 2 published\n")
        self.assertIn("23415,,,0.02,EUR,submit,2199-02-01,\n", self.book("rates/alpha.csv"))
        self.assertEqual(self.do("rates", "history"), self.tables("history"))
        self.assertRegex(self.do("prices", "audit"),
                         r"ann +draft +2 .*rates/alpha.csv: 0 new, 0 raised, 1 lowered")
        # The same again changes nothing, and that is no finding.
        self.assertIn("nothing changes: no draft was made",
                      self.load("alpha", LATER, "--partial"))
        self.assertEqual(json.loads(self.tables("drafts", "--json")), [])

    def test_a_book_that_differs_in_form_alone_makes_no_draft(self):
        path = self.tables_folder / "rates/alpha.csv"
        lines = path.read_text().splitlines()
        path.write_text("\r\n".join([lines[0], *reversed(lines[1:])]) + "\r\n")
        self.tables("push", "tables", "--publish")
        row = next(line for line in lines if line.startswith("23415,"))
        text = f"MCC,MNC,Price,Currency\n234,15,{row.split(',')[3]},EUR\n"
        self.assertIn("nothing changes: no draft", self.load("alpha", text, "--partial"))

    def test_with_a_fault_nothing_is_stored(self):
        before = self.octets()
        for text, said in ((HEADER + "262,1,0.05,EUR,2199-02-01\n", "column MNC (B2)"),
                           (HEADER + "262,01,-1,EUR,2199-02-01\n", "negative"),
                           (HEADER + "262,01,1,CHF,2199-02-01\n", "CHF")):
            told = self.load("alpha", text, "--partial", status=1)
            self.assertIn(said, told)
            self.assertIn("nothing was stored", told)
            self.assertIsNone(json.loads(self.load("alpha", text, "--partial", "--json",
                                                   status=1))["draft"])
        # The sheet is fine; the tables would not be, for this gateway.
        told = self.load("newcomer", LATER, "--partial", status=1)
        self.assertIn('"newcomer": is not a carrier', told)
        self.assertIn("nothing was stored", told)
        self.load("alpha", "MCC,MNC,Price,Currency\n234,15,0.02,EUR\n", "--full", status=1)
        self.assertEqual(self.octets(), before)

    def test_check_compares_with_what_is_in_force_or_named(self):
        sheet = self.sheet(LATER, "later.csv")
        words = ("rates", "check", sheet, "--carrier", "alpha", "--partial")
        raised, lowered = "1 raised, 0 lowered", "0 raised, 1 lowered"
        self.assertIn(lowered, self.do(*words))
        self.load("alpha", LATER.replace("0.02", "0.018"), "--partial")
        self.assertIn(lowered, self.do(*words))
        self.assertIn(raised, self.do(*words, "--tables", "draft:2"))
        self.do("rates", "approve", 2, who="bob")
        self.do("rates", "publish", 2)
        self.assertIn(raised, self.do(*words))
        self.assertIn(raised, self.do(*words, "--redis", self.redis.path))
        self.assertIn(lowered, self.do(*words, "--tables", 1, "--redis", self.redis.path))
        self.assertIn(lowered, self.do(*words, "--tables", self.tables_folder))
        self.assertIn("there is no version 9", self.do(*words, "--tables", 9, status=1))

    def test_replay_is_by_the_drafts_last_row(self):
        self.load("alpha", LATER, "--partial")
        records = self.folder / "records"
        records.mkdir()
        words = ("rates", "replay", 2, "--records", records, "--json")
        self.assertEqual(json.loads(self.do(*words))["as_of"], "2199-02-01T00:00:00Z")
        at = ("--at", "2027-03-01T12:00Z")
        self.assertEqual(json.loads(self.do(*words, *at))["as_of"], "2027-03-01T12:00:00Z")

    def test_one_file_becomes_a_draft(self):
        rules = self.folder / "new.csv"
        rules.write_text("client,blocked\nshop,yes\n")
        self.assertEqual(self.do("rules", "import", rules, "--note", "not paid"),
                         "draft 2 changes rules.csv of version 1\n")
        self.assertRegex(self.do("rules", "diff", 2, status=1), "unroutable")
        before = self.octets()
        for text, said in (("client,blocked\nnobody,yes\n", 'column client, value "nobody"'),
                           ("client,colour\nshop,red\n", "colour")):
            rules.write_text(text)
            told = self.do("rules", "import", rules, status=1)
            self.assertIn(said, told)
            self.assertIn("nothing was stored", told)
        self.assertIn("is a directory", self.do("rules", "import", self.folder, status=2))
        self.assertIn("begins with a dot",
                      self.do("tables", "import", "../evil", rules, status=2))
        self.assertEqual(self.octets(), before)
        self.do("tables", "remove", "carriers.csv", "--draft", 2)
        self.do("rules", "approve", 2, who="bob")
        self.do("rules", "publish", 2)
        self.assertEqual(self.book("rules.csv"), "client,blocked\nshop,yes\n")
        self.assertIn("carriers.csv", self.do("tables", "remove", "carriers.csv", status=1))

    def test_a_carrier_of_the_tables_comes_and_goes(self):
        acme = self.folder / "acme.toml"
        acme.write_text('[[bind]]\nhost = "127.0.0.1"\nport = 2776\nsystem_id = "us"\n'
                        'password = "top"\n')
        self.assertIn("carriers/acme.toml, rates/acme.csv of version 1",
                      self.do("carriers", "import", "acme", acme))
        self.load("acme", "MCC,MNC,Price,Currency\n234,15,0.01,EUR\n", "--partial", "--draft", 2)
        self.do("carriers", "approve", 2, who="bob")
        self.do("carriers", "publish", 2)
        self.assertIn("23415,,,0.01,EUR", self.book("rates/acme.csv"))
        acme.write_text(acme.read_text().replace("2776", "2777"))
        self.assertEqual(self.do("carriers", "import", "acme", acme),
                         "draft 3 changes carriers/acme.toml of version 2\n")
        self.assertEqual(self.do("carriers", "remove", "acme"),
                         "draft 4 changes carriers/acme.toml removed, rates/acme.csv removed of "
                         "version 2\n")
        self.assertIn("acme", self.do("carriers", "remove", "acme/../b", status=2))

    def test_a_client_of_the_tables_comes_and_goes(self):
        depot = self.folder / "depot.toml"
        depot.write_text('password = "top-pw"\n')
        self.assertIn("clients.csv", self.do("clients", "import", "depot", depot, status=1))
        self.assertIn("clients.csv, clients/depot.toml of version 1",
                      self.do("clients", "import", "depot", depot, "--plan", "retail"))
        self.do("clients", "import", "depot", depot, "--plan", "retail\nevil,retail", status=2)
        self.do("clients", "approve", 2, who="bob")
        self.do("clients", "publish", 2)
        self.assertIn("\ndepot,retail,\n", self.book("clients.csv"))
        depot.write_text('password = "other"\n')
        self.assertEqual(self.do("clients", "import", "depot", depot),
                         "draft 3 changes clients/depot.toml of version 2\n")
        self.assertIn("clients.csv, clients/depot.toml removed",
                      self.do("clients", "remove", "depot"))

    def test_two_sheets_of_one_book(self):
        self.load("alpha", LATER, "--partial")
        self.load("alpha", LATER.replace("0.02", "0.021"), "--partial", who="bob")
        self.do("rates", "publish", 3, "--note", "mine", who="bob")
        diff = self.do("rates", "diff", 2)
        self.assertIn("based on version 1, current is 2: rebase it before publishing", diff)
        self.assertIn("2 by bob (mine)", self.do("rates", "publish", 2, status=1))
        self.assertIn("both change rates/alpha.csv", self.do("rates", "rebase", 2, status=1))
        self.assertIn("0.021,EUR,submit,2199-02-01,", self.book("rates/alpha.csv"))

    def test_a_draft_of_several_sheets(self):
        self.load("alpha", LATER, "--partial")
        self.do("rates", "approve", 2, who="bob")
        told = json.loads(self.load("bravo", LATER, "--partial", "--draft", 2, "--json"))
        self.assertEqual((told["draft"], told["based_on"]), (2, 1))
        self.load("retail", LATER.replace("0.02", "0.05"), "--partial", "--draft", 2,
                  verb="prices")
        draft = json.loads(self.tables("drafts", "--json"))[0]
        self.assertEqual(draft["approved_by"], "")
        found = json.loads(self.do("prices", "diff", 2, "--json"))
        self.assertEqual([book["book"] for book in found["books"]],
                         ["plans/retail.csv", "rates/alpha.csv", "rates/bravo.csv"])
        row = next(row for row in found["margins"]["rows"] if row["client"] == "shop")
        self.assertEqual((row["mccmnc"], row["price_after"], row["margin_after"]),
                         ("23415", "0.05", "0.03"))
        self.assertIn("says it already", self.load("alpha", LATER, "--partial", "--draft", 2))
        self.do("rates", "discard", 2)
        self.assertIn("draft 2 was discarded",
                      self.load("alpha", LATER, "--partial", "--draft", 2, status=1))
        self.assertIn("there is no draft 9", self.do("rates", "diff", 9, status=1))
        self.assertIn("is the first", self.do("rates", "diff", 1, status=1))

    def test_lost_routes_are_findings_of_the_import_and_of_the_diff(self):
        text = HEADER + "234,15,0.001,EUR,2199-02-01\n"
        imported = json.loads(self.load("retail", text, "--partial", "--json", verb="prices",
                                        status=1))
        self.assertEqual(imported["draft"], 2)
        found = json.loads(self.do("prices", "diff", 2, "--json", status=1))
        self.assertEqual(found["margins"], imported["margins"])
        self.assertEqual((found["fine"], found["margins"]["newly_unroutable"]), (False, 1))
        self.assertEqual([(row["client"], row["mccmnc"], row["margin_after"])
                          for row in found["margins"]["rows"]], [("shop", "23415", None)])

    def test_other_tables_count_too(self):
        # The sheet names 23415 alone; the rule of the same draft blocks another country.
        rules = self.tables_folder / "rules.csv"
        rules.write_text(rules.read_text() + ",,262" + "," * 11 + "yes,\n")
        self.tables("push", "tables")
        self.load("alpha", LATER, "--partial", "--draft", 2)
        found = json.loads(self.do("rates", "diff", 2, "--json", status=1))
        self.assertEqual([(each["file"], each["is"], each["added"]) for each in found["files"]],
                         [("rules.csv", "changed", 1)])
        self.assertEqual(found["books"][0]["counts"],
                         {"new": 0, "raised": 0, "lowered": 1, "unchanged": 54, "closed": 0})
        lost = {row["country"] for row in found["margins"]["rows"]
                if row["reason_after"] == "blocked"}
        self.assertEqual(lost, {"DE"})
        self.assertRegex(self.do("rates", "diff", 2, status=1),
                         r"rules.csv +changed +0 +1\n")

    def test_templates_are_versions_too(self):
        text = "Netz,Preis,Ab\n26201,5.4,2199-02-01\n"
        template = self.sheet('kind = "partial"\ncents = true\ncurrency = "EUR"\n[columns]\n'
                              '"Netz" = "mccmnc"\n"Preis" = "price"\n"Ab" = "effective"\n',
                              "mine.toml")
        self.assertIn("there is no template templates/mine.toml",
                      self.load("alpha", text, "--template", "mine", status=2))
        self.load("alpha", text, "--template", template, "--keep-template")
        files = [each["file"] for each in json.loads(self.tables("drafts", "--json"))[0]["changed"]]
        self.assertEqual(files, ["rates/alpha.csv", "templates/alpha.toml"])
        self.assertRegex(self.do("rates", "diff", 2), r"templates/alpha.toml +new ")
        self.do("rates", "publish", 2)
        # From now on alpha's sheets are read so; and bravo's, when that is said.
        found = json.loads(self.load("alpha", text.replace("5.4", "5.5"), "--json"))
        self.assertEqual(found["changes"][0]["after"]["submit"], "0.055")
        self.load("bravo", text, "--template", "alpha")
        self.tables("pull", "pulled")
        kept = self.folder / "pulled/templates/alpha.toml"
        self.assertEqual(kept.read_text(), template.read_text())
        kept.write_text("cent = true\n")
        self.assertIn("templates/alpha.toml, line 1: cent is not a key",
                      self.tables("push", "pulled", status=1))
        kept.unlink()
        self.assertIn("1 file", self.tables("push", "pulled"))
        self.assertIn("there is no template;",
                      self.load("ember", LATER, "--partial", "--keep-template", status=2))

    def decision(self, *more, status=0):
        told = json.loads(self.do("explain", "+447342000123", "--client", "shop", "--json", *more,
                                  status=status))
        return {key: value for key, value in told.items()
                if key not in ("tables_version", "asked_of", "as_of")}, told

    def test_explain_decides_as_the_draft_will(self):
        self.load("alpha", LATER, "--partial")
        at = ("--at", "2199-02-01")
        now, told = self.decision()
        self.assertEqual(told["tables_version"], 1)
        under, told = self.decision("--tables", "draft:2", *at)
        self.assertEqual((told["asked_of"], told["as_of"]), ("draft:2", "2199-02-01"))
        self.assertNotEqual(under, now)
        self.assertEqual(under["carriers"][0]["carrier"], "alpha")
        self.assertEqual(self.decision("--tables", "draft:2")[0], now)
        before = self.decision("--tables", "draft:2", "--at", "2199-01-31T23:59:59Z")[0]
        self.assertNotEqual(before["carriers"][0]["carrier"], "alpha")
        self.assertNotEqual(self.decision("--tables", "1", *at)[0], under)
        self.do("rates", "publish", 2)
        self.assertEqual(self.decision(*at)[0], under)
        self.assertEqual(self.decision(*at)[1]["tables_version"], 2)
        self.assertNotEqual(self.decision("--tables", "1", *at)[0], under)
        self.tables("pull", "pulled")
        self.assertEqual(self.decision("--tables", "pulled", *at)[0], under)
        text = self.do("explain", "+447342000123", "--client", "shop", "--tables", "draft:2", *at)
        self.assertRegex(text, r"^asked of     draft:2\nas of        2199-02-01\n")

    def test_explain_looks_at_the_clock_of_its_instant(self):
        (self.tables_folder / "rules.csv").write_text("client,hours\nshop,08:00-20:00\n")
        for at, reason in (("2027-02-01T12:00Z", "chosen"), ("2027-02-01T22:00Z", "outside_hours")):
            told = self.decision("--tables", "tables", "--at", at, status=reason != "chosen")[0]
            self.assertEqual(told["reason"], reason)

    def test_explain_says_what_is_not_there(self):
        shop = ("explain", "+447342000123", "--client", "shop")
        self.assertIn("no draft 9", self.do(*shop, "--tables", "draft:9", status=1))
        self.assertIn("no version 9", self.do(*shop, "--tables", "9", status=1))
        self.assertIn("--at 2026-02-31: ", self.do(*shop, "--at", "2026-02-31", status=2))
        self.do(*shop, "--tables", "nowhere", status=1)
        config = self.folder / "files.toml"
        config.write_text(self.config.read_text().replace(
            f'redis = "{self.redis.path}"\nuser = "desk"\npassword_file = "desk.password"',
            'directory = "tables"'))
        self.assertIn("there are no versions",
                      self.do(*shop, "--tables", "draft:2", config=config, status=1))
        self.do(*shop, config=config)

    def test_bad_usage(self):
        for words in (["rates"], ["rates", "import"], ["rates", "import", "alpha"],
                      ["rates", "diff"], ["rates", "diff", "x"], ["prices", "push", "tables"],
                      ["rates", "import", "alpha", self.sheet(LATER)],
                      ["rates", "import", "../alpha", self.sheet(LATER), "--partial"],
                      ["rates", "import", "alpha", "gone.csv", "--partial"]):
            self.do(*words, status=2)
        self.redis.kill()
        self.assertIn(f"Redis at {self.redis.path}", self.load("alpha", LATER, "--partial",
                                                               status=1))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
