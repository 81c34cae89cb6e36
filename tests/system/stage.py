"""The gateway as mutation_test, kill_check and siege_test run it: a configuration, tables of a few
rows and the process, on any free ports, in a folder that goes when all was well.

  number   carriers, cheapest first
  4915...  honest, second
  4479...  second, rogue, honest
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "transcripts"))
from gateway_process import (METRICS_HOST, SMPP_HOST, GatewayFailed, GatewayProcess,  # noqa: E402
                             listening_port, toml_table, write_csv)

BIN = pathlib.Path(os.environ.get("TOLLGATE_BIN", ROOT / "build" / "release" / "bin"))
MCC = {"49": "262", "44": "234"}
RATES = {"honest": {"49": "0.01", "44": "0.03"}, "second": {"49": "0.02", "44": "0.01"},
         "rogue": {"44": "0.02"}}
TIMERS = {"reconnect_first_seconds": 0.05, "reconnect_max_seconds": 0.1, "unbind_seconds": 1,
          "drain_seconds": 1, "alarm_seconds": 0.1}


class Problem(Exception):
    """What a test found."""


def config(folder, *, clients, carriers, gateway=None, journal=True, records=True):
    """clients: {system_id: values}, password NAMEpw. carriers: {name: (values, timers, [binds])}
    where values are keys of [[carrier]]."""
    text = toml_table("[gateway]", {
        "listen": f"{SMPP_HOST}:0", "metrics": f"{METRICS_HOST}:0", "tables": "tables",
        "drain_seconds": 1, "in_doubt_hold_seconds": 2, **(gateway or {})})
    if journal:
        text += toml_table("[journal]", {"directory": "journal", "segment_octets": 8 << 20})
    if records:
        text += toml_table("[records]", {"directory": "records", "rotate_octets": 16 << 20})
    for name, values in clients.items():
        text += toml_table("[[client]]", {"system_id": name, "password": f"{name}pw", **values})
    for name, (values, timers, binds) in carriers.items():
        text += toml_table("[[carrier]]", {"name": name, **values})
        text += toml_table("[carrier.timers]", {**TIMERS, **timers})
        for bind in binds:
            text += toml_table("[[carrier.bind]]", {"host": "127.0.0.1", "system_id": "tollgate",
                                                    "password": "secret", "window": 20, **bind})
    (folder / "tollgate.toml").write_text(text)


def tables(folder, *, clients, carriers):
    place = folder / "tables"
    write_csv(place / "currencies.csv", ["currency", "rate", "as_of"], [["EUR", "1", "2026-01-01"]])
    write_csv(place / "numbering_plan.csv", ["prefix", "mccmnc"], list(MCC.items()))
    write_csv(place / "carriers.csv", ["carrier"], [[name] for name in carriers])
    write_csv(place / "clients.csv", ["client", "plan"], [[name, "retail"] for name in clients])
    write_csv(place / "rules.csv", ["max_attempts", "min_margin", "on_loss"], [["4", "0", "block"]])
    amount = ["mcc", "price", "currency", "effective_from"]
    for name in carriers:
        write_csv(place / f"rates/{name}.csv", amount,
                  [[MCC[prefix], price, "EUR", "2020-01-01"]
                   for prefix, price in RATES.get(name, {"49": "0.04"}).items()])
    write_csv(place / "plans/retail.csv", amount,
              [[mcc, "0.05", "EUR", "2020-01-01"] for mcc in MCC.values()])


class Gateway(GatewayProcess):
    """May be killed and started again: a log a start, and nothing else changes but its ports."""

    def __init__(self, binary, folder):
        super().__init__(binary, folder)
        self.starts = 0

    def next_log(self):
        self.starts += 1
        self.log = self.folder / f"gateway-{self.starts}.log"

    def start(self):
        self.next_log()
        return super().start()

    def spawn(self):
        """Starts it and does not wait; listens() says when it is there."""
        self.next_log()
        self.port = self.metrics_port = None
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([self.binary, "run", "--config", str(self.config)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder)

    def listens(self):
        if self.ended():
            raise GatewayFailed(f"ended with {self.process.returncode}:\n" + self.tail())
        try:
            self.port = self.port or listening_port(self.process.pid, SMPP_HOST)
        except FileNotFoundError:   # it went in this moment: the next look says so
            return False
        return self.port is not None

    def address(self):
        return (SMPP_HOST, self.port) if self.port else None

    def stop(self):
        """SIGTERM, a clean end, and a log that can be read aloud."""
        self.terminate()
        self.finish()

    def peak_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024

    def samples(self):
        """{name and labels: value} of /metrics."""
        lines = (line.rpartition(" ") for line in self.metrics().splitlines() if line[0] != "#")
        return {name: float(value) for name, _, value in lines}

    def audit(self):
        """After the end: `journal --audit` and `--verify` find nothing."""
        done = subprocess.run([self.binary, "journal", str(self.folder / "journal"), "--audit",
                               "--verify"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Problem(f"journal --audit: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def total(samples, name, **labels):
    """The sum over all series of this name with these labels."""
    want = [f'{key}="{value}"' for key, value in labels.items()]
    return sum(value for series, value in samples.items()
               if series.partition("{")[0] == name and all(each in series for each in want))


def conserved(samples):
    """What does not add up, and should at any moment."""
    kept = (total(samples, "tollgate_ledger_accepted_total") -
            total(samples, "tollgate_ledger_settled_total") -
            total(samples, "tollgate_ledger_spilled"))
    messages = total(samples, "tollgate_ledger_messages")
    return [] if kept == messages else [
        f"accepted - settled - spilled = {kept}, but the ledger has {messages} messages"]
