"""The world of deploy/demo: carriers, gateway and clients, and what they did. See deploy/demo.

Everything started here ends with this process: by its pid on the way out, by the kernel's
parent-death signal if this process is killed. Files are in build/demo.
"""
import argparse
import contextlib
import csv
import ctypes
import fcntl
import json
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
from demo_desk import Desk, DeskFailed  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build/demo"
DYING = "bravo"
# Latency and quality; what they charge is in the tables.
CARRIERS = {
    "alpha": "latency=5-15,receipt-delay=200-900,receipt-mix=UNDELIV:0.02/EXPIRED:0.005",
    "bravo": "latency=20-60,receipt-delay=300-2000,receipt-mix=UNDELIV:0.06,receipt-form=text",
    "cobalt": "latency=10-40,receipt-delay=200-1500,receipt-mix=UNDELIV:0.04,status=0x45:0.03",
    "delta": "latency=40-120,receipt-delay=500-2500,receipt-mix=UNDELIV:0.1,status=0x08:0.02",
    "ember": "latency=2-8,receipt-delay=100-400,receipt-mix=UNDELIV:0.01,ids=hex-upper,"
             "receipt-id=decimal,receipt-early=0.05",
}
EMBER_DIALECT = ('[carrier.dialect]\nid_response = "hex"\nid_receipt_text = "decimal"\n'
                 'id_receipt_tlv = "decimal"\n\n')
SHARES = {"shop": 0.6, "agg": 0.4}  # of the messages, by client
# Digits of a mobile number with its calling code.
LENGTHS = {"44": 12, "33": 11, "34": 11, "48": 11, "39": 12, "49": 13, "32": 11, "31": 11,
           "234": 13, "27": 11, "65": 10, "46": 11, "63": 12, "62": 12, "45": 10, "61": 11,
           "47": 10, "91": 12, "55": 13, "254": 12, "30": 12, "358": 12, "43": 13, "90": 12,
           "351": 12, "353": 12, "20": 12, "41": 11}
TERMINAL = sys.stdout.isatty()
BOLD, DIM, RED, GREEN, PLAIN = (("\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[0m")
                                if TERMINAL else ("",) * 5)


class DemoFailed(Exception):
    pass


def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Children:
    """What was started, ended in the opposite order."""

    def __init__(self):
        self.all = []

    def start(self, name, command, **options):
        log = (WORK / f"{name}.log").open("w")
        process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stderr=log,
                                   preexec_fn=end_with_parent, cwd=WORK,
                                   start_new_session=True,
                                   stdout=options.get("stdout", log), text=True)
        self.all.append((name, process))
        return process

    def check(self, name, process):
        if process.poll() is not None:
            tail = (WORK / f"{name}.log").read_text(errors="replace")[-2000:]
            raise DemoFailed(f"{name} ended with {process.returncode}:\n{tail}")

    def end(self):
        for _, process in reversed(self.all):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(40)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def free_port(wanted, what):
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise DemoFailed(f"127.0.0.1:{wanted} ({what}): {error.strerror}; see --help for "
                             "other ports") from None
        return probe.getsockname()[1]


def make_tables(data):
    tables = WORK / "tables"
    if data is None:
        shutil.copytree(ROOT / "deploy/tables", tables)
        return
    done = subprocess.run([ROOT / "deploy/tables_from_data", "--data", data, "--out", tables],
                          check=False, capture_output=True, text=True)
    if done.returncode:
        raise DemoFailed(f"deploy/tables_from_data: {done.stderr.strip()}")
    print(done.stdout.strip())


def make_numbers(count):
    """Numbers in the numbering plan's own ranges; always the same ones."""
    with (WORK / "tables/numbering_plan.csv").open() as file:
        prefixes = [row["prefix"] for row in csv.DictReader(file) if len(row["mccmnc"]) > 3]
    draw, numbers = random.Random(2), []
    by_code = [(p, LENGTHS[c]) for p in prefixes for c in LENGTHS if p.startswith(c)]
    by_code = [(p, n) for p, n in by_code if len(p) < n]
    for _ in range(count):
        prefix, length = draw.choice(by_code)
        digits = "".join(draw.choice("0123456789") for _ in range(length - len(prefix)))
        numbers.append(prefix + digits)
    (WORK / "numbers.txt").write_text("\n".join(numbers) + "\n")
    return len(by_code)


def make_config(ports, options, desk):
    """deploy/tollgate.toml, the commented manual, with this world's ports."""
    text = (ROOT / "deploy/tollgate.toml").read_text()
    text = text.replace('"127.0.0.1:2775"', f'"127.0.0.1:{options.port}"', 1)
    text = text.replace('"127.0.0.1:9108"', f'"127.0.0.1:{options.metrics_port}"', 1)
    for name, port in ports.items():
        pattern = rf'(^name = "{name}"$.*?^port = )\d+'
        text, changed = re.subn(pattern, rf"\g<1>{port}", text, count=1, flags=re.M | re.S)
        if not changed:
            raise DemoFailed(f"deploy/tollgate.toml: no port for carrier {name}")
    text = text.replace('name = "ember"\n', 'name = "ember"\n\n' + EMBER_DIALECT, 1)
    (WORK / "tollgate.toml").write_text(desk.configure(text) if desk else text)


def start_carriers(children, options):
    # The dying one falls silent a third of the way through, and is away for a fifth of it; with a
    # new rate sheet half way all of that is over before.
    total_s = options.messages / options.rate * (0.5 if options.redis else 1)
    command = [options.bin / "carrier", "--seed", "7"]
    for name, spec in CARRIERS.items():
        life = f",die-at={total_s / 3:.2f},down={total_s / 5:.2f}" if name == DYING else ""
        command += ["--carrier", f"name={name},port=0,{spec}{life}"]
    process = children.start("carriers", command, stdout=subprocess.PIPE)
    line = process.stdout.readline()
    if not line:
        process.wait()
        children.check("carriers", process)
    return {each["name"]: each["port"] for each in json.loads(line)["listening"]}


class Metrics:
    """One scrape of /metrics: (name, labels) -> value."""

    LINE = re.compile(r'^(\w+)(?:\{(.*?)\})? (\S+)$')

    def __init__(self, port):
        self.url, self.cells = f"http://127.0.0.1:{port}/metrics", {}

    def scrape(self):
        with urllib.request.urlopen(self.url, timeout=5) as answer:
            text = answer.read().decode()
        self.cells = {}
        for line in text.splitlines():
            match = self.LINE.match(line)
            if match:
                labels = dict(re.findall(r'(\w+)="([^"]*)"', match.group(2) or ""))
                name = match.group(1).removeprefix("tollgate_")
                self.cells.setdefault(name, []).append((labels, float(match.group(3))))
        return self

    def sum(self, metric, **labels):
        return sum(value for have, value in self.cells.get(metric, [])
                   if labels.items() <= have.items())


def wait_until(seconds, condition, what, children, name, process):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        children.check(name, process)
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise DemoFailed(f"{what}: not within {seconds} s")


def start_gateway(children, options, metrics):
    process = children.start("gateway", [options.bin / "tollgate", "run", "--config",
                                         WORK / "tollgate.toml"])
    wait_until(30, lambda: metrics.scrape().sum("carrier_up") == len(CARRIERS),
               "all carriers bound", children, "gateway", process)
    return process


def start_clients(children, options):
    clients, base = {}, 0
    for name, share in SHARES.items():
        count = round(options.messages * share)
        clients[name] = children.start(f"client-{name}", [
            options.bin / "load", "--port", options.port, "--system-id", name, "--password",
            f"{name}-pw", "--connections", 2, "--window", 200, "--count", count, "--rate",
            options.rate * share, "--registered-delivery", 1, "--numbers", "numbers.txt",
            "--tag-base", base, "--allow-refused", "--no-progress", "--receipt-wait", 6,
            "--json", f"client-{name}.json"])
        base += count
    return clients


class Progress:
    def __init__(self, total):
        self.total, self.begin, self.tenth = total, time.monotonic(), -1

    def say(self, text):
        elapsed = time.monotonic() - self.begin
        print(f"{self.clear()}  {elapsed:5.1f} s  {text}", flush=True)

    @staticmethod
    def clear():
        return "\r\033[K" if TERMINAL else ""

    def show(self, done, receipts):
        share = min(1.0, done / self.total)
        if TERMINAL:
            bar = "#" * int(40 * share)
            print(f"{self.clear()}  [{bar:<40}] {done:,} of {self.total:,} messages, "
                  f"{receipts:,} receipts", end="", flush=True)
        elif int(share * 10) > self.tenth:
            self.tenth = int(share * 10)
            print(f"  {share:4.0%}  {done:,} messages, {receipts:,} receipts", flush=True)


def watch(children, clients, gateway, metrics, options, desk):
    """Until both clients are done: the progress bar, and what happens to the carriers."""
    progress, down = Progress(options.messages), set()
    if desk:
        desk.show = progress.say
    while any(process.poll() is None for process in clients.values()):
        children.check("gateway", gateway)
        metrics.scrape()
        for name in CARRIERS:
            if metrics.sum("carrier_up", carrier=name):
                if name in down:
                    down.remove(name)
                    progress.say(f"{GREEN}{name} is back{PLAIN}")
            elif name not in down:
                down.add(name)
                progress.say(f"{RED}{name} is down{PLAIN}: its messages go to the next carrier")
        answered = int(metrics.sum("client_responses_total"))
        progress.show(answered, int(metrics.sum("client_receipts_delivered_total")))
        if desk and desk.before is None and answered >= options.messages / 2:
            desk.publish(metrics)
        time.sleep(0.2)
    metrics.scrape()
    progress.show(int(metrics.sum("client_responses_total")),
                  int(metrics.sum("client_receipts_delivered_total")))
    print()


def base_currency():
    with (WORK / "tables/currencies.csv").open() as file:
        return next(row["currency"] for row in csv.DictReader(file) if float(row["rate"]) == 1)


def table(metrics):
    columns = ["carrier", "messages", "cost", "price", "margin", "%", "receipts", "delivered",
               "failovers", "in doubt"]
    print(f"\n{BOLD}{columns[0]:<10}" + "".join(f"{c:>11}" for c in columns[1:]) + PLAIN)
    totals = [0.0] * 8

    def row(name, values):
        messages, cost, price, margin, receipts, delivered, failovers, doubt = values
        percent = f"{100 * margin / price:.1f}" if price else "-"
        share = f"{100 * delivered / receipts:.1f} %" if receipts else "-"
        print(f"{name:<10}{messages:>11,.0f}{cost:>11.2f}{price:>11.2f}{margin:>11.2f}{percent:>11}"
              f"{receipts:>11,.0f}{share:>11}{failovers:>11,.0f}{doubt:>11,.0f}")

    for name in CARRIERS:
        values = [metrics.sum(key, carrier=name) for key in (
            "carrier_messages_total", "carrier_cost_base_total", "carrier_revenue_base_total",
            "carrier_margin_base", "carrier_receipts_total")]
        values += [metrics.sum("carrier_receipts_total", carrier=name, state="delivered"),
                   metrics.sum("carrier_failovers_total", carrier=name),
                   metrics.sum("carrier_in_doubt_total", carrier=name)]
        totals = [a + b for a, b in zip(totals, values)]
        row(name, values)
    row("all", totals)
    print(f"{DIM}money in {base_currency()}, the tables' base currency; a failover is a message "
          f"that went on to the next carrier{PLAIN}")
    return totals


def judge(metrics, totals, options, more):
    """What must hold, from the clients' own reports and the gateway's counters."""
    reports = {name: json.loads((WORK / f"client-{name}.json").read_text()) for name in SHARES}
    accepted = sum(r["accepted"] for r in reports.values())
    refused = sum(r["refused"] for r in reports.values())
    matched = sum(r["receipts"]["matched"] for r in reports.values())
    lost = sum(r["receipts"]["lost"] for r in reports.values())
    taken, doubt = int(totals[0]), int(totals[7])
    failed = int(metrics.sum("client_failed_total") + metrics.sum("client_expired_total"))
    print(f"\nclients: {accepted:,} accepted, {refused:,} refused, {matched:,} receipts; "
          f"{failed:,} that no carrier took, told by a receipt")
    for name, report in reports.items():
        latency = report["latency_us"]
        print(f"  {name:<6} submit to response p50 {latency['p50']:.0f} us, "
              f"p99 {latency['p99']:.0f} us")
    reasons = {labels["reason"]: value for labels, value in metrics.cells.get(
        "client_routed_total", []) if labels["client"] in SHARES and labels["reason"] != "chosen"}
    told = ", ".join(f"{int(v):,} {k}" for k, v in sorted(reasons.items()) if v)
    if told:
        print(f"  not routed: {told}")
    checks = {
        "every message was answered": accepted + refused == options.messages,
        "accepted = taken + failed + in doubt": accepted == taken + failed + doubt,
        "every id is unique": not any(r["ids"]["duplicated"] for r in reports.values()),
        f"no receipt is missing but those in doubt ({doubt})": lost <= doubt,
        "no receipt came twice or for nobody": not any(
            r["receipts"]["duplicated"] + r["receipts"]["unmatched"] for r in reports.values()),
        "margin = price - cost": abs(totals[2] - totals[1] - totals[3]) < 1e-6,
        **more,
    }
    for name, holds in checks.items():
        print(f"  {GREEN + 'yes' if holds else RED + 'NO '}{PLAIN}  {name}")
    return all(checks.values())


def keep(options, children, gateway, desk):
    change = f"edit {WORK}/tables, then: kill -HUP {gateway.pid}"
    if desk:
        change = (f"{options.bin}/tollgate rates import {{CARRIER}} {{SHEET}} --partial --redis "
                  f"{desk.place}\n            and rates history, rollback, tables --help")
    print(f"\n{BOLD}It is running{PLAIN} until Ctrl-C:\n"
          f"  SMPP      127.0.0.1:{options.port}, system_id shop, password shop-pw\n"
          f"  metrics   http://127.0.0.1:{options.metrics_port}/metrics\n"
          f"  why       {options.bin}/tollgate explain 447700900123 --client shop --config "
          f"{WORK}/tollgate.toml\n"
          f"  tables    {change}", flush=True)
    while True:
        time.sleep(0.5)
        children.check("gateway", gateway)


def claim_folder():
    """Two demos would clear each other's journal."""
    WORK.parent.mkdir(exist_ok=True)
    lock = open(f"{WORK}.lock", "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DemoFailed(f"another demo is running in {WORK}; end it first") from None
    return lock


def run(options, children):
    lock = claim_folder()  # held until this process ends
    options.port = free_port(options.port, "SMPP")
    options.metrics_port = free_port(options.metrics_port, "/metrics")
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    make_tables(options.data)
    ranges = make_numbers(options.messages)
    desk = None
    if options.redis:
        desk = Desk(children.start, WORK, options.bin / "tollgate", print)
    make_config(start_carriers(children, options), options, desk)
    metrics = Metrics(options.metrics_port)
    gateway = start_gateway(children, options, metrics)
    print(f"{BOLD}five carriers, the gateway and two clients{PLAIN}: {options.messages:,} messages "
          f"to {ranges:,} number ranges, {options.rate:,} a second\n"
          f"/metrics is http://127.0.0.1:{options.metrics_port}/metrics, logs are in "
          f"{WORK.relative_to(ROOT)}",
          flush=True)
    clients = start_clients(children, options)
    watch(children, clients, gateway, metrics, options, desk)
    for name, process in clients.items():
        if process.returncode == 2:
            children.check(f"client-{name}", process)
    totals = table(metrics)
    moved = {}
    if desk:
        if desk.before is None:
            raise DemoFailed("the messages were over before the new rate sheet was published")
        moved = desk.table(metrics, BOLD, PLAIN)
    good = judge(metrics, totals, options, moved)
    if options.keep:
        keep(options, children, gateway, desk)
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--redis", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--port", type=int, default=2775)
    parser.add_argument("--metrics-port", type=int, default=9108)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    if not (options.bin / "tollgate").is_file():
        sys.exit(f"deploy/demo: no programs in {options.bin}")
    if options.messages < 10 or options.rate < 1:
        sys.exit("deploy/demo: at least 10 messages, at least 1 a second")
    children = Children()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return run(options, children)
    except (DemoFailed, DeskFailed) as error:
        print(f"deploy/demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
        return 0 if options.keep else 130
    finally:
        children.end()


if __name__ == "__main__":
    sys.exit(main())
