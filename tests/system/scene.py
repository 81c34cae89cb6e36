"""The gateway between a client that comes back and three carriers that remember, each of which
keeps a log of its own: what kill9, restart_test and disk_test start from."""
import argparse
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench" / "peers"), str(pathlib.Path(__file__).resolve().parent)]
import detail_records  # noqa: E402
import gateway  # noqa: E402
import harness  # noqa: E402
import verdict  # noqa: E402

COMMON = ("latency=0-50,status=0x45:0.02/0x08:0.01/0xfe:0.01,receipt-delay=0-2000,"
          "receipt-early=0.01,receipt-mix=UNDELIV:0.05/EXPIRED:0.02,keep=0.5")
CARRIERS = {"alpha": "ids=decimal,id-start=1000000000", "bravo": "ids=hex,receipt-id=decimal",
            "cobalt": "ids=uuid"}
DIALECTS = {"bravo": 'id_response = "hex"\nid_receipt_text = "decimal"\nid_receipt_tlv = "decimal"'}
BIN = pathlib.Path(os.environ.get("TOLLGATE_BIN", ROOT / "build" / "release" / "bin"))
SKIPPED = 77  # exit status; ctest counts it as skipped
STALL_S = 60
WINDOW = 20  # of each of the gateway's binds: small, so that messages wait at a kill
# What ends a submit: all but the refusals after which load comes again (throttled, queue full).
ENDED = re.compile(rb" (?:accepted|unknown) | refused \d+ (?!20\n|88\n)")


class Skipped(Exception):
    pass


def need_journal(options):
    if options.durable and not gateway.has_journal(options.bin / "tollgate"):
        raise Skipped("this gateway knows no [journal]")


def add_options(parser, messages, rate):
    parser.add_argument("--messages", type=int, default=messages)
    parser.add_argument("--rate", type=float, default=rate, help="a second; 0 = as windows allow")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--window", type=int, default=50, help="of each connection")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--settle", type=float, default=60, metavar="S",
                        help="wait so long for the last receipts")
    parser.add_argument("--hold", type=float, default=5, metavar="S",
                        help="until a message in doubt is told UNKNOWN")
    parser.add_argument("--relay", action="store_true",
                        help="the client is answered as carriers answer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--durable", action=argparse.BooleanOptionalAction, default=True,
                        help="with a journal; without it the check must fail")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="logs and journal stay")
    parser.add_argument("--bin", type=pathlib.Path, default=BIN)


def gateway_values(options, journal, more):
    values = {"shards": options.shards, "carrier_binds": 2, "carrier_window": WINDOW,
              "client_window": options.window, "client_sessions": 4 * options.connections,
              "queue": 100_000, "queue_octets": 64 << 20, "receipts_window": 100,
              "in_doubt_hold": options.hold,
              "early_receipt": getattr(options, "early_receipt", 60),
              "accept": "relay" if options.relay else "store",
              "dialects": DIALECTS, "order": "weighted"}
    return {**values, "journal": gateway.journal_section(journal, more)} if journal else values


class Scene:
    """Carriers and gateway, running. `journal`: where, when not in the scene's own directory;
    `more`: lines of its section. `wrapper`: a command to run the gateway. `common`: what all
    carriers do. `records`: with detail records."""

    def __init__(self, options, journal=None, more="", wrapper=(), common=COMMON, records=False):
        self.options = options
        self.directory = options.keep or pathlib.Path(tempfile.mkdtemp(prefix="tollgate-system-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        if any(self.directory.iterdir()):
            raise harness.Failed(f"{self.directory} is not empty")
        (self.directory / "gateway").mkdir()
        if options.durable and journal is None:
            journal = self.directory / "journal"
        self.journal = journal
        self.records = self.directory / "records" if records and journal else None
        if self.records:
            more += detail_records.section(self.records)
        self.client_log = self.directory / "load.log"
        self.carrier_log = self.directory / "carrier.log"
        self.load = self.carriers = self.gateway = None
        specs = [part for name, spec in CARRIERS.items()
                 for part in ("--carrier", f"name={name},{spec}")]
        try:
            self.carriers = harness.Server(options.bin / "carrier", "--log", self.carrier_log,
                                           "--seed", options.seed, "--all", common, *specs)
            self.gateway = gateway.Gateway(
                options.bin / "tollgate", self.carriers.ports,
                gateway_values(options, journal, more), directory=self.directory / "gateway",
                wrapper=wrapper)
        except BaseException:
            self.close()
            raise

    def start_load(self, *flags, **other):
        """`other`: options of load with other values than these, as response_timeout=2."""
        options = self.options
        values = {"count": options.messages, "rate": options.rate, "seed": options.seed,
                  "connections": options.connections, "window": options.window,
                  "registered_delivery": 1, "retries": 1000, "retry_ms": 20, "bind_wait": 60,
                  "response_timeout": 0, "receipt_wait": options.settle, **other}
        args = [part for name, value in values.items()
                for part in ("--" + name.replace("_", "-"), value)]
        self.load = harness.Load(options.bin / "load", "--port", self.gateway.port, "--log",
                                 self.client_log, "--reconnect", *flags, *args, timeout=3600)

    def judge(self, margin_us=verdict.MARGIN_US):
        """Ends what still runs, politely; the verdict of both logs."""
        self.load.wait()
        self.gateway.stop()
        taken = self.carriers.stop()
        found = verdict.judge_files(self.client_log, self.carrier_log, WINDOW, margin_us,
                                    self.options.relay)
        return found, taken

    def judge_records(self, span=("--last", "30d")):
        """After judge(): (faults, a line for people) of the detail records."""
        return detail_records.judge(self.options.bin / "tollgate", self.records, self.journal,
                                    self.client_log, span)

    def close(self):
        if self.load is not None and self.load.process.poll() is None:
            self.load.process.kill()
            self.load.process.wait()
        for each in (self.gateway, self.carriers):
            if each is not None:
                each.kill()
        if self.options.keep is None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Progress:
    """Follows load's log: how many messages have their answer or lost it, and how many receipts
    came; a line on a terminal."""

    def __init__(self, scene):
        self.scene = scene
        self.file = None
        self.done = self.receipts = 0
        self.rest = b""

    def read(self):
        if self.file is None and self.scene.client_log.exists():
            self.file = self.scene.client_log.open("rb")
        text = self.rest + (self.file.read() if self.file else b"")
        cut = text.rfind(b"\n") + 1
        self.rest = text[cut:]
        self.done += len(ENDED.findall(text, 0, cut))
        self.receipts += text.count(b" receipt ", 0, cut)
        return self.done

    def wait_for(self, point):
        """Until so many messages are answered."""
        last, since = self.read(), time.monotonic()
        while self.read() < point:
            if self.done != last:
                last, since = self.done, time.monotonic()
            if self.scene.load.process.poll() is not None:
                errors = self.scene.load.wait().errors
                raise harness.Failed(f"load ended at message {self.done}: {errors}")
            if time.monotonic() - since > STALL_S:
                raise harness.Failed(f"nothing was accepted for {STALL_S} s:\n"
                                     f"{self.scene.gateway.tail()}")
            time.sleep(0.002)

    def show(self, what, share, last=False):
        if sys.stderr.isatty():
            bar = "#" * int(30 * share)
            print(f"\r[{bar:.<30}] {what}  {self.done} messages  {self.receipts} receipts ",
                  end="\n" if last else "", file=sys.stderr, flush=True)


def points(count, messages, chance):
    """After how many messages each of `count` events comes: random gaps, nearly all in all."""
    gaps = [chance.uniform(0.2, 1.8) for _ in range(count)]
    scale = 0.95 * messages / sum(gaps)
    at, all_points = 0.0, []
    for gap in gaps:
        at += gap * scale
        all_points.append(int(at))
    return all_points


def run_main(name, main):
    """Exit status of a system test: main's, 2 when it could not run, SKIPPED."""
    try:
        return main()
    except Skipped as why:
        print(f"{name}: skipped: {why}")
        return SKIPPED
    except (harness.Failed, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
