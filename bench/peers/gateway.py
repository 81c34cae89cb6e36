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
# Of shop-pw: 1,000 rounds of SHA-256.
QUICK_HASH = "$5$rounds=1000$tollgate$.UEstDa/9j.g69HwbeMgDkSMoU6Zicl8jSzlz1eson/"


_KEPT = []  # sockets that hold the ports of free_port()


def free_port():
    """A port that the kernel gives to nobody else while this process lives;
    a program that sets SO_REUSEADDR may listen on it."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    _KEPT.append(kept)
    return kept.getsockname()[1]


def toml(values, carriers):
    """`carriers`: {name: port}; `values`: the rest of what the template wants. `journal` is
    a section of its own, none by default, nor are metrics; `accept` the client's, store by
    default; `tables` the line that names their directory."""
    values = {"early_receipt": 60, **values}
    head, carrier, bind = (part.partition("\n")[2] if i else part for i, part in
                           enumerate(TEMPLATE.read_text().split("#%%")))
    text = string.Template(head).substitute(
        {"journal": "", "metrics": "", "more_clients": "", "accept": "store",
         "tables": 'tables = "tables"', **values})
    for name, port in carriers.items():
        dialect = values.get("dialects", {}).get(name, "")
        each = {**values, "carrier": name, "carrier_port": port, "dialect": dialect}
        text += string.Template(carrier).substitute(each)
        text += values["carrier_binds"] * string.Template(bind).substitute(each)
    return text


def more_clients(count, window):
    """shop0, shop1, ... with a password that is quick to check: sections, and their names."""
    names = [f"shop{i}" for i in range(count)]
    section = string.Template('[[client]]\nsystem_id = "$name"\nwindow = $window\n'
                              'password_hash = "$hash"\n')
    return "\n".join(section.substitute(name=name, window=window, hash=QUICK_HASH)
                     for name in names), names


def write_tables(directory, carriers, order, clients=("shop",)):
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
    (directory / "clients.csv").write_text(
        "client,plan,default_country\n" + "".join(f"{name},bench,\n" for name in clients))
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
    """`tollgate run` on its own directory; `port` is where clients bind. It may be killed and
    started again: the port, the configuration and the journal stay. `directory` is kept when it is
    given. `wrapper` is a command that runs the gateway as its own process (strace -D)."""

    def __init__(self, program, carriers, values, directory=None, wrapper=()):
        self.kept = directory is not None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="tollgate-bench-"))
        self.port = free_port()
        self.program = program
        self.wrapper = wrapper
        self.config = self.directory / "tollgate.toml"
        write_tables(self.directory / "tables", carriers, values["order"],
                     values.get("clients", ("shop",)))
        self.config.write_text(toml({**values, "port": self.port}, carriers))
        self.log = (self.directory / "log").open("a+")
        self.process = None
        try:
            self.start()
        except Failed:
            self.kill()
            raise

    def start(self, timeout=20):
        """Seconds until it listened; timeout=0 does not wait for that."""
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [*map(str, self.wrapper), str(self.program), "run", "--config", str(self.config)],
            stdout=self.log, stderr=self.log)
        if timeout:
            self._wait(timeout)
        return time.monotonic() - begin

    def _wait(self, timeout):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failed(f"tollgate ended with {self.process.returncode}:\n{self.tail()}")
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise Failed(f"tollgate does not listen after {timeout} s:\n{self.tail()}")

    def tail(self, lines=20):
        self.log.flush()
        text = (self.directory / "log").read_text(errors="backslashreplace")
        return "\n".join(text.splitlines()[-lines:])

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=60):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise Failed(f"tollgate still runs {timeout} s after SIGTERM:\n{self.tail()}") from None
        if status != 0:
            raise Failed(f"tollgate ended with status {status}:\n{self.tail()}")

    def kill9(self):
        """SIGKILL, and it is gone. False: it had ended by itself."""
        if not self.running():
            return False
        self.process.kill()
        return self.process.wait() == -signal.SIGKILL

    def kill(self):
        self.kill9()
        self.log.close()
        if not self.kept:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def journal_section(directory, more=""):
    """What the configuration needs for a journal in a directory, whose name holds no quote."""
    return f'[journal]\ndirectory = "{directory}"\n{more}'


def has_journal(program, more=""):
    """Whether this gateway knows a journal, and `more` keys of it: the one switch of every test
    that needs one."""
    values = {"shards": 1, "carrier_binds": 1, "carrier_window": 10, "client_window": 10,
              "client_sessions": 1, "queue": 1000, "queue_octets": 1 << 20, "receipts_window": 10,
              "in_doubt_hold": 1, "order": "least_cost", "port": 2775}
    with tempfile.TemporaryDirectory(prefix="tollgate-bench-") as name:
        directory = pathlib.Path(name)
        write_tables(directory / "tables", {"one": 1}, values["order"])
        config = directory / "tollgate.toml"

        def accepted(section):
            config.write_text(toml({**values, "journal": section}, {"one": 1}))
            done = subprocess.run([str(program), "check", "--config", str(config)],
                                  capture_output=True, text=True)
            return done.returncode == 0, done.stdout + done.stderr

        fine, why = accepted("")
        if not fine:
            raise Failed(f"tollgate check refuses the bench's own configuration:\n{why}")
        return accepted(journal_section(directory / "journal", more))[0]
