"""The gateway as a program under test: its configuration and tables, its start and its end."""
import pathlib
import shutil
import signal
import socket
import string
import subprocess
import tempfile
import time

from harness import Failed

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "bench" / "gateway.toml.in"
TABLES = ROOT / "deploy" / "tables"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def toml(values, carriers):
    """`carriers`: {name: port}; `values`: the rest of what the template wants."""
    head, carrier, bind = (part.partition("\n")[2] if i else part for i, part in
                           enumerate(TEMPLATE.read_text().split("#%%")))
    text = string.Template(head).substitute(values)
    for name, port in carriers.items():
        dialect = values.get("dialects", {}).get(name, "")
        each = {**values, "carrier": name, "carrier_port": port, "dialect": dialect}
        text += string.Template(carrier).substitute(each)
        text += values["carrier_binds"] * string.Template(bind).substitute(each)
    return text


def write_tables(directory, carriers, order):
    """The sample numbering plan; one price for every country, every carrier a little dearer than
    the one before, so that each message has as many candidates as there are carriers. `order` is
    that of the rules: least_cost, or weighted (all alike)."""
    directory.mkdir()
    for name in ("numbering_plan.csv", "currencies.csv"):
        shutil.copy(TABLES / name, directory / name)
    rows = (TABLES / "numbering_plan.csv").read_text().splitlines()[1:]
    countries = sorted({row.split(",")[1][:3] for row in rows if row})
    weights = " ".join(f"{name}=1" for name in carriers)
    rates, plans = directory / "rates", directory / "plans"
    rates.mkdir()
    plans.mkdir()
    (directory / "carriers.csv").write_text(
        "carrier,quality,senders\n" + "".join(f"{name},95,\n" for name in carriers))
    (directory / "clients.csv").write_text("client,plan,default_country\nshop,bench,\n")
    (directory / "rules.csv").write_text(
        "plan,client,destination,order,weights,max_attempts,on_loss\n"
        f",,,{order},{weights if order == 'weighted' else ''},{min(8, len(carriers))},block\n")
    for place, name in enumerate(carriers):
        (rates / f"{name}.csv").write_text(
            "mccmnc,mcc,prefix,price,currency,charge,effective_from,effective_to\n" +
            "".join(f",{mcc},,0.0{10 + place},EUR,submit,2024-01-01,\n" for mcc in countries))
    (plans / "bench.csv").write_text(
        "mccmnc,mcc,prefix,price,currency,effective_from,effective_to\n" +
        "".join(f",{mcc},,0.05,EUR,2024-01-01,\n" for mcc in countries))


class Gateway:
    """`tollgate run` on its own directory; `port` is where clients bind."""

    def __init__(self, program, carriers, values, start_timeout=20):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-bench-"))
        self.port = free_port()
        write_tables(self.directory / "tables", carriers, values["order"])
        config = self.directory / "tollgate.toml"
        config.write_text(toml({**values, "port": self.port}, carriers))
        self.log = (self.directory / "log").open("w+")
        self.process = subprocess.Popen([str(program), "run", "--config", str(config)],
                                        stdout=self.log, stderr=self.log)
        try:
            self._wait(start_timeout)
        except Failed:
            self.kill()
            raise

    def _wait(self, timeout):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failed(f"tollgate ended with {self.process.returncode}:\n{self.tail()}")
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise Failed(f"tollgate does not listen after {timeout} s:\n{self.tail()}")

    def tail(self, lines=20):
        self.log.flush()
        text = (self.directory / "log").read_text(errors="backslashreplace")
        return "\n".join(text.splitlines()[-lines:])

    @property
    def pid(self):
        return self.process.pid

    def stop(self, timeout=60):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed(f"tollgate still runs {timeout} s after SIGTERM:\n{self.tail()}") from None
        if status != 0:
            raise Failed(f"tollgate ended with status {status}:\n{self.tail()}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
