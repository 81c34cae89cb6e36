#!/usr/bin/env python3
"""The real binary's commands: what they print, where, and with which exit status.

cli_test.py TOLLGATE SOURCE_DIRECTORY
"""
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

TOLLGATE, SOURCE = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
ENQUIRE = "00000010 00000015 00000000 00000001"


def tollgate(*arguments, stdin=b"", env=None, cwd=None):
    """(exit status, stdout, stderr)"""
    done = subprocess.run([TOLLGATE, *arguments], input=stdin, capture_output=True, timeout=60,
                          env=env, cwd=cwd, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def on_terminal(*arguments, **environment):
    """What the command writes when stdout is a terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm", **environment})
        os.execv(TOLLGATE, [TOLLGATE, *arguments])
    text = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.waitpid(pid, 0)
    os.close(fd)
    return text.decode()


class Place(unittest.TestCase):
    """A copy of the manual and its tables, with ports that nobody else has."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate_cli_"))
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copytree(SOURCE / "deploy/tables", self.folder / "tables")
        manual = (SOURCE / "deploy/tollgate.toml").read_text()
        manual = manual.replace('"127.0.0.1:2775"', '"127.0.0.1:0"')
        manual = manual.replace('"127.0.0.1:9108"', '"127.0.0.1:0"')
        self.config = self.folder / "tollgate.toml"
        self.config.write_text(manual)

    def spoil(self, old, new):
        """The configuration with `old` replaced, and the line in which that is."""
        text = self.config.read_text()
        self.assertIn(old, text)
        self.config.write_text(text.replace(old, new, 1))
        return text[:text.index(old)].count("\n") + 1


class Usage(unittest.TestCase):
    def test_version(self):
        status, out, _ = tollgate("--version")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"^tollgate \d+\.\d+\.\d+\n$")

    def test_every_help_has_an_example(self):
        for command in ([], ["run"], ["check"], ["explain"], ["pdu"], ["journal"],
                        ["tables"], ["tables", "push"], ["tables", "publish"],
                        ["rates", "check"], ["rates", "import"], ["rates", "diff"],
                        ["rates", "publish"], ["prices", "import"], ["prices", "history"]):
            status, out, err = tollgate(*command, "--help")
            self.assertEqual((status, err), (0, ""))
            example = re.search(r"Examples?:\n  (.*)", out)
            self.assertTrue(example, command)
            if command:
                self.assertIn(f"tollgate {command[0]} ", example[1])

    def test_bad_usage_is_2_and_on_stderr(self):
        for arguments in ([], ["bogus"], ["--bogus"], ["check", "extra"], ["check", "--confg", "x"],
                          ["explain"], ["explain", "447700900123"], ["pdu"],
                          ["run", "--shards", "0"], ["run", "--shards", "65"],
                          ["run", "--shards", "two"]):
            status, out, err = tollgate(*arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertNotEqual(err, "")


class Check(Place):
    def test_fine(self):
        status, out, err = tollgate("check", "--config", str(self.config))
        self.assertEqual((status, err), (0, ""))
        self.assertTrue(out.startswith(f"{self.config}: fine\n"))
        self.assertIn("clients   2: shop, agg\n", out)
        self.assertIn("carriers  5 with 5 binds: alpha, bravo, cobalt, delta, ember\n", out)
        self.assertRegex(out, r"tables    \S+: [1-9]\d* destinations, [1-9]\d* prefixes, ")

    def test_fine_json(self):
        status, out, _ = tollgate("check", "--json", "--config", str(self.config))
        report = json.loads(out)
        self.assertEqual(status, 0)
        self.assertIs(report["fine"], True)
        self.assertEqual(report["clients"], ["shop", "agg"])
        self.assertGreater(report["tables"]["rates"], 0)

    def test_every_fault_with_its_line(self):
        first = self.spoil("#shards = 1", "shards = 0")
        second = self.spoil("window = 1000", "windw = 1000")
        third = self.spoil("port = 3553", 'port = "x"')
        status, out, err = tollgate("check", "--config", str(self.config))
        self.assertEqual((status, err), (1, ""))
        lines = out.splitlines()
        self.assertEqual(lines[0], f"{self.config}:{first}:10: gateway.shards = 0: out of range "
                                   "(right: an integer of 1-64)")
        self.assertEqual(lines[1], f"{self.config}:{second}:1: client[1].windw: unknown key "
                                   '(right: did you mean "window"?)')
        self.assertEqual(lines[2], f'{self.config}:{third}:8: carrier[3].bind[1].port = "x": '
                                   "is a string (right: an integer of 1-65535)")
        self.assertEqual(lines[3:], ["3 faults; the tables were not looked at"])

        status, out, _ = tollgate("check", "--json", "--config", str(self.config))
        report = json.loads(out)
        self.assertEqual(status, 1)
        self.assertIs(report["fine"], False)
        self.assertEqual([(fault["line"], fault["key"]) for fault in report["faults"]],
                         [(first, "gateway.shards"), (second, "client[1].windw"),
                          (third, "carrier[3].bind[1].port")])

    def test_table_faults_with_their_rows(self):
        rates = self.folder / "tables/rates/alpha.csv"
        rows = rates.read_text().splitlines()
        cells = rows[2].split(",")
        cells[rows[0].split(",").index("price")] = "-1"
        rows[2] = ",".join(cells)
        rates.write_text("\n".join(rows) + "\n")
        status, out, _ = tollgate("check", "--config", str(self.config))
        self.assertEqual(status, 1)
        self.assertIn(f"{self.folder}/tables/rates/alpha.csv, row 3, column price", out)
        status, out, _ = tollgate("check", "--json", "--config", str(self.config))
        fault = json.loads(out)["table_faults"][0]
        self.assertEqual((status, fault["file"], fault["row"]), (1, "rates/alpha.csv", 3))
        # explain and run refuse the same tables.
        status, out, err = tollgate("explain", "447700900123", "--client", "shop", "--config",
                                    str(self.config))
        self.assertEqual((status, out), (1, ""))
        self.assertIn("rates/alpha.csv, row 3", err)

    def test_no_file(self):
        status, out, _ = tollgate("check", "--config", "/nowhere/tollgate.toml")
        self.assertEqual(status, 1)
        self.assertTrue(out.startswith("/nowhere/tollgate.toml: does not exist"))

    def test_the_configuration_here_is_the_default(self):
        status, out, _ = tollgate("check", cwd=self.folder)
        self.assertEqual(status, 0, out)
        self.assertTrue(out.startswith("tollgate.toml: fine\n"))

    def test_colour_on_a_terminal_only(self):
        arguments = ("check", "--config", str(self.config))
        self.assertNotIn("\x1b", tollgate(*arguments)[1])
        self.assertIn("\x1b[32mfine\x1b[0m", on_terminal(*arguments))
        self.assertNotIn("\x1b", on_terminal(*arguments, NO_COLOR="1"))
        self.assertNotIn("\x1b", on_terminal(*arguments, TERM="dumb"))


class Explain(Place):
    def explain(self, *arguments):
        return tollgate("explain", *arguments, "--config", str(self.config))

    def test_a_route(self):
        status, out, err = self.explain("+447700900123", "--client", "shop", "--from", "ACME")
        self.assertEqual((status, err), (0, ""))
        for carrier in ("alpha", "bravo", "cobalt", "delta", "ember"):
            self.assertRegex(out, rf"(?m)^\s+[-\d]+\s+{carrier}\s")
        self.assertRegex(out, r"(?m)^\s+1\s+\w+\s.*chosen$")

    def test_json(self):
        status, out, _ = self.explain("447700900123", "--client", "shop", "--json")
        self.assertEqual(status, 0)
        self.assertEqual(json.loads(out)["number"], "447700900123")

    def test_no_route_is_1(self):
        status, out, _ = self.explain("12", "--client", "shop")
        self.assertEqual(status, 1)
        self.assertIn("bad_number", out)

    def test_an_unknown_client_is_2(self):
        status, out, err = self.explain("447700900123", "--client", "shp")
        self.assertEqual((status, out), (2, ""))
        self.assertIn('did you mean "shop"?', err)

    def test_octets_from_outside_are_escaped(self):
        status, _, err = self.explain("447700900123", "--client", "\x1b[31mx")
        self.assertEqual(status, 2)
        self.assertNotIn("\x1b", err)


class Output(unittest.TestCase):
    """What did not arrive is no success."""

    def failed(self, shell, *arguments):
        done = subprocess.run(["sh", "-c", f'"$@" {shell}', "sh", TOLLGATE, *arguments],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1, (arguments, done))
        self.assertIn("tollgate: not all of the output could be written", done.stderr)
        return done.stderr

    def test_a_full_disk(self):
        for arguments in (["--help"], ["--version"]):
            self.failed(">/dev/full", *arguments)
        self.assertIn("No space left on device", self.failed(">/dev/full", "pdu", ENQUIRE))
        many = [ENQUIRE] * 2_000  # more than is kept until the end
        self.assertIn("No space left on device", self.failed(">/dev/full", "pdu", *many))

    def test_no_standard_output(self):
        self.failed(">&-", "pdu", ENQUIRE)

    def test_a_pipe_that_nobody_reads(self):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as broken:
            done = subprocess.run([TOLLGATE, "pdu", ENQUIRE], stdout=broken, timeout=60,
                                  stderr=subprocess.PIPE, check=False)
        self.assertNotEqual(done.returncode, 0)


class Pdu(unittest.TestCase):
    def test_a_pdu_in_any_spelling(self):
        for spelling in ([ENQUIRE], ENQUIRE.split(), [ENQUIRE.replace(" ", "")],
                         ["0x00000010:00:00:00:15", "0000000000000001"]):
            status, out, err = tollgate("pdu", *spelling)
            self.assertEqual((status, err), (0, ""), spelling)
            self.assertEqual(json.loads(out)["command_name"], "enquire_link")

    def test_stdin(self):
        status, out, _ = tollgate("pdu", "-", stdin=(ENQUIRE + "\n" + ENQUIRE).encode())
        self.assertEqual(status, 0)
        self.assertEqual([pdu["sequence_number"] for pdu in json.loads(out)], [1, 1])

    def test_garbage_says_what_and_where(self):
        for arguments, words in (
                (["zz"], "character 1: 'z' is no hexadecimal digit"),
                (["0000001"], "character 7: half an octet"),
                (["00000010000000150000000000"], "PDU 1, octet 0, command_length"),
                ([ENQUIRE, "0000000f000000150000000000000001"], "PDU 2, octet 0, command_length"),
                (["00000011 00000004 00000000 00000001 00"], "PDU 1, octet 17")):
            status, out, err = tollgate("pdu", *arguments)
            self.assertEqual((status, out), (1, ""), arguments)
            self.assertIn(words, err)

    def test_binary_on_stdin(self):
        status, out, err = tollgate("pdu", "-", stdin=bytes(range(256)))
        self.assertEqual((status, out), (1, ""))
        self.assertTrue(all(32 <= ord(c) < 127 or c == "\n" for c in err), err)


class Gateway(Place):
    """Gateways that run."""

    def start(self, *arguments, **options):
        process = subprocess.Popen([TOLLGATE, "run", "--config", str(self.config), *arguments],
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                                   **options)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        found, until = {}, time.monotonic() + 30
        for line in process.stderr:
            self.assertLess(time.monotonic(), until)
            if match := re.search(r"listening smpp=127\.0\.0\.1:(\d+)", line):
                found["smpp"] = int(match[1])
            if match := re.search(r"listening metrics_port=(\d+)", line):
                found["metrics"] = int(match[1])
            if " ready " in line:
                break
        self.assertEqual(set(found), {"smpp", "metrics"})
        return process, found

    def series(self, ports, name):
        url = f"http://127.0.0.1:{ports['metrics']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(re.search(rf"(?m)^{name} (\d+)$", answer.read().decode())[1])

    def wait_for(self, ports, name, value):
        until = time.monotonic() + 20
        while self.series(ports, name) != value:
            self.assertLess(time.monotonic(), until, name)
            time.sleep(0.05)


class Run(Gateway):
    def test_serves_until_sigterm(self):
        process, ports = self.start("--shards", "2")
        with socket.create_connection(("127.0.0.1", ports["smpp"]), timeout=10) as client:
            client.sendall(bytes.fromhex(ENQUIRE))
            self.assertEqual(client.recv(16), bytes.fromhex("00000010800000150000000000000001"))
        url = f"http://127.0.0.1:{ports['metrics']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            page = answer.read().decode()
        self.assertIn('tollgate_ledger_messages{shard="1"} 0\n', page)
        self.assertNotIn('shard="2"', page)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        self.assertEqual(process.wait(30), 0)

    def test_sighup_takes_good_tables_and_refuses_bad_ones(self):
        process, ports = self.start()
        self.assertEqual(self.series(ports, "tollgate_tables_reloads_total"), 1)
        process.send_signal(signal.SIGHUP)
        self.wait_for(ports, "tollgate_tables_version", 2)
        self.assertEqual(self.series(ports, "tollgate_tables_reloads_total"), 2)
        (self.folder / "tables/rates/alpha.csv").write_text("nonsense\n1\n")
        process.send_signal(signal.SIGHUP)
        self.wait_for(ports, "tollgate_tables_reload_failures_total", 1)
        self.assertEqual(self.series(ports, "tollgate_tables_version"), 2)
        for again in (2, 3):  # who asks again is answered again
            process.send_signal(signal.SIGHUP)
            self.wait_for(ports, "tollgate_tables_reload_failures_total", again)
        process.send_signal(signal.SIGTERM)
        log = process.stderr.read()
        self.assertEqual(log.count(" tables_refused "), 3)
        for load in (1, 2, 3):  # and hears what is wrong
            self.assertRegex(log, rf" error table_fault fault=.*alpha\.csv.* load={load}\n")

    def test_signals_that_mean_nothing_end_nothing(self):
        process, ports = self.start()
        for name in ("USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO", "PWR", "RTMIN", "RTMAX"):
            process.send_signal(getattr(signal, "SIG" + name))
        self.assertEqual(self.series(ports, "tollgate_tables_version"), 1)
        process.send_signal(signal.SIGQUIT)
        self.assertIn(" stopped ", process.stderr.read())
        self.assertEqual(process.wait(30), 0)

    def test_an_address_that_is_taken(self):
        _, ports = self.start()
        self.spoil('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{ports["smpp"]}"')
        self.spoil('directory = "journal"', 'directory = "another"')
        self.spoil('directory = "records"', 'directory = "other records"')
        status, _, err = tollgate("run", "--config", str(self.config))
        self.assertEqual(status, 1)
        self.assertIn(str(ports["smpp"]), err)

    def test_a_journal_that_is_taken(self):
        self.start()
        status, _, err = tollgate("run", "--config", str(self.config))
        self.assertEqual(status, 1)
        self.assertIn("journal_refused", err)
        self.assertIn(str(self.folder / "journal"), err)

    def test_faults_stop_it_before_it_starts(self):
        line = self.spoil("#shards = 1", "shards = 0")
        status, out, err = tollgate("run", "--config", str(self.config))
        self.assertEqual((status, out), (1, ""))
        self.assertIn(f"{self.config}:{line}:10: gateway.shards = 0", err)
        self.assertIn("1 fault; not started", err)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
