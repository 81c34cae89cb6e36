"""The pricing desk of deploy/demo --redis: the tables in a Redis of the demo's own, a carrier's new
rate sheet half way, and what it did to traffic and margin.
"""
import csv
import datetime
import decimal
import json
import pathlib
import subprocess
import time

CHEAPER = "cobalt"
SHARE = decimal.Decimal("0.7")  # of the old price
SHEET = "cobalt-prices.csv"
KEYS = {"messages": "carrier_messages_total", "cost": "carrier_cost_base_total",
        "price": "carrier_revenue_base_total", "margin": "carrier_margin_base"}


class DeskFailed(Exception):
    pass


class Desk:
    """Redis, and the analyst's commands. `start` starts a program that ends with the demo."""

    def __init__(self, start, work, program, show):
        self.work, self.program, self.show = work, program, show
        self.place = work / "redis.sock"
        self.process = start("redis", ["redis-server", "--port", 0, "--unixsocket", self.place,
                                       "--save", "", "--dir", work])
        until = time.monotonic() + 10
        while not self.place.exists():
            if time.monotonic() > until or self.process.poll() is not None:
                raise DeskFailed("redis-server does not start: see build/demo/redis.log")
            time.sleep(0.02)
        self.version = self.tollgate("tables", "push", work / "tables", "--publish", "--note",
                                     "the first tables")["version"]
        self.before = None  # sums by carrier, when the sheet came into force

    def tollgate(self, *words, fine=(0,)):
        where = [] if "--config" in words else ["--redis", str(self.place), "--who", "demo"]
        done = subprocess.run([self.program, *map(str, words), *where, "--json"],
                              capture_output=True, text=True, check=False)
        if done.returncode not in fine:
            raise DeskFailed(f"tollgate {words[0]} {words[1]}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def configure(self, text):
        """The gateway's configuration, with Redis in the place of the directory."""
        return text.replace('directory = "tables"', f'redis = "{self.place}"', 1)

    def write_sheet(self):
        """As a carrier sends it: a title, semicolons, decimal commas. Its rows by prefix, or by
        network and country where its book has none."""
        with (self.work / "tables/rates" / f"{CHEAPER}.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row.get("charge") != "delivered"]
        today = datetime.date.today().isoformat()
        rows = [row for row in rows if (row.get("effective_from") or "") <= today and
                not (row.get("effective_to") and row["effective_to"] <= today)]
        by_prefix = [row for row in rows if row.get("prefix")]
        lines = ["Cobalt Telecom, A2P price list;;;;",
                 ("Prefix" if by_prefix else "MCC;MNC") + ";New price;Currency;Valid from"]
        for row in by_prefix or rows:
            code = row.get("mccmnc") or row.get("mcc") or ""
            if row.get("mccmnc") and not code[3:].strip("0"):
                continue  # in sheets MNC 000 is the country's other networks
            where = f"+{row['prefix']}" if by_prefix else f"{code[:3]};{code[3:]}"
            price = (decimal.Decimal(row["price"]) * SHARE).quantize(decimal.Decimal("0.000001"))
            lines.append(f"{where};{str(price).replace('.', ',')};{row['currency']};{today}")
        (self.work / SHEET).write_text("\n".join(lines) + "\n")

    def publish(self, metrics):
        """The sheet becomes a draft, is looked at, is published; until the gateway routes by it."""
        self.write_sheet()
        # Status 1: its dates are of today, so each row is flagged as in the past.
        draft = self.tollgate("rates", "import", CHEAPER, self.work / SHEET, "--partial", "--note",
                              "30 % off", fine=(0, 1))
        counts = draft["counts"]
        number = draft["draft"]
        self.show(f"{CHEAPER} sends a new rate sheet: draft {number}, {counts['lowered']} prices "
                  f"lowered, {counts['raised']} raised")
        replay = self.tollgate("rates", "replay", number, "--last", "1h", "--config",
                               self.work / "tollgate.toml", fine=(0, 1))
        earned = (replay["margin_after_nano"] - replay["margin_before_nano"]) / 1e9
        self.show(f"under it {replay['moved']:,} of the {replay['messages']:,} messages so far "
                  f"would have gone elsewhere: margin {earned:+.2f}")
        begin = time.monotonic()
        version = self.tollgate("rates", "publish", number, "--note", "30 % off")["version"]
        while metrics.scrape().sum("tables_version") != version:
            if time.monotonic() > begin + 10:
                raise DeskFailed(f"version {version} is not in force after 10 s")
            time.sleep(0.005)
        took = time.monotonic() - begin
        self.version = version
        self.before = self.sums(metrics)
        self.show(f"version {version} is published, and in force after {1000 * took:.0f} ms")

    @staticmethod
    def sums(metrics):
        carriers = sorted({labels["carrier"] for labels, _ in metrics.cells[KEYS["messages"]]})
        return {name: {key: metrics.sum(metric, carrier=name) for key, metric in KEYS.items()}
                for name in carriers}

    def table(self, metrics, bold, plain):
        """Each carrier's share and margin before the sheet and after it; what must hold."""
        before, after = self.before, self.sums(metrics)
        after = {name: {key: after[name][key] - before[name][key] for key in KEYS}
                 for name in after}
        print(f"\n{bold}{'new sheet':<10}{'share':>11}{'after':>11}{'margin':>11}{'after':>11}"
              f"{'per 1000':>11}{'after':>11}{plain}")

        def part(values, total):
            share = f"{100 * values['messages'] / total['messages']:.1f} %" if total[
                "messages"] else "-"
            percent = f"{100 * values['margin'] / values['price']:.1f} %" if values[
                "price"] else "-"
            each = f"{1000 * values['margin'] / values['messages']:.2f}" if values[
                "messages"] else "-"
            return share, percent, each

        totals = [{key: sum(one[key] for one in side.values()) for key in KEYS}
                  for side in (before, after)]
        for name in [*before, "all"]:
            sides = totals if name == "all" else (before[name], after[name])
            cells = zip(*(part(side, total) for side, total in zip(sides, totals)))
            print(f"{name:<10}" + "".join(f"{a:>11}{b:>11}" for a, b in cells))
        return self.judge(before, after, totals)

    def judge(self, before, after, totals):
        history = self.tollgate("rates", "history")
        if min(total["messages"] for total in totals) < 1000:  # too few to tell chance apart
            return {}
        shares = [side[CHEAPER]["messages"] / total["messages"]
                  for side, total in zip((before, after), totals)]
        margins = [total["margin"] / total["messages"] for total in totals]
        return {f"more messages go to {CHEAPER} since its sheet": shares[1] > shares[0],
                "each message earns more since then": margins[1] > margins[0],
                "the history has both versions": len(history) == 2}
