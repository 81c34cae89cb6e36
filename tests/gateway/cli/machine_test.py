#!/usr/bin/env python3
"""The gateway on a machine that is not kind to it: a log that nobody reads, a metrics port that
strangers play with, small limits.

machine_test.py TOLLGATE SOURCE_DIRECTORY
"""
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import cli_test

WAIT_S = 60  # for what takes a moment on a quiet machine
# Octets of a region that only a sanitizer has: it tells of each octet of the program's, and holds
# none of them.
SHADOW = 1 << 36


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def read_to(process, words):
    """The log's lines up to the first with these words."""
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"no {words!r} in {''.join(lines)}")


def limited(limit, soft, hard=None):
    """For preexec_fn."""
    return lambda: resource.setrlimit(limit, (soft, hard or soft))


def processor_s(process):
    """The processor's time that it has had."""
    times = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def limit_of(process, name):
    """(soft, hard) of a running process."""
    for line in pathlib.Path(f"/proc/{process.pid}/limits").read_text().splitlines():
        if line.startswith(name):
            return tuple(line.removeprefix(name).split()[:2])
    raise AssertionError(name)


class Log(cli_test.Gateway):
    def run_with_log(self, fd):
        """Runs with this as its log, until it serves, to a polite end."""
        port = free_port()
        self.spoil('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{port}"')
        self.spoil('#log_level = "info"', 'log_level = "debug"')
        process = subprocess.Popen(
            [cli_test.TOLLGATE, "run", "--config", str(self.config)], stderr=fd,
            stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for _ in range(WAIT_S * 10):
            try:
                client = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
                break
            except ConnectionRefusedError:
                self.assertIsNone(process.poll())
                time.sleep(0.1)
        with client:
            client.sendall(bytes.fromhex(cli_test.ENQUIRE))
            self.assertEqual(len(client.recv(16)), 16)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(WAIT_S), 0)

    def test_a_full_pipe_holds_up_neither_service_nor_stop(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try:
            while os.write(writer, b"x" * 65536):
                pass
        except BlockingIOError:
            pass
        os.set_blocking(writer, True)
        self.run_with_log(writer)
        os.close(reader)
        os.close(writer)

    def test_a_pipe_without_reader(self):
        reader, writer = os.pipe()
        os.close(reader)
        self.run_with_log(writer)
        os.close(writer)

    def test_a_full_disk_under_the_log(self):
        with open("/dev/full", "wb") as full:
            self.run_with_log(full)

    def test_a_disk_without_room_is_in_the_log(self):
        # Files may have 1 MiB each: neither a journal's segment nor a file of records fits.
        process, _ = self.start(preexec_fn=limited(resource.RLIMIT_FSIZE, 1 << 20))
        said = read_to(process, " error records_no_room ")
        self.assertTrue(any(" error journal_no_room " in line for line in said), said)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        self.assertEqual(process.wait(WAIT_S), 0)


class Limits(cli_test.Gateway):
    def scrape(self, ports):
        url = f"http://127.0.0.1:{ports['metrics']}/metrics"
        with urllib.request.urlopen(url, timeout=WAIT_S) as answer:
            return answer.read().decode()

    def test_descriptors_that_run_out_stop_neither_scrape_nor_reload(self):
        process, ports = self.start(preexec_fn=limited(resource.RLIMIT_NOFILE, 128))
        with socket.create_connection(("127.0.0.1", ports["smpp"]), timeout=WAIT_S) as client:
            client.sendall(bytes.fromhex(cli_test.ENQUIRE))
            self.assertEqual(len(client.recv(16)), 16)  # few as they are, there are some for it
        peers = []
        for _ in range(150):  # more than there are descriptors
            peers.append(socket.create_connection(("127.0.0.1", ports["smpp"]), timeout=WAIT_S))
            self.addCleanup(peers[-1].close)
        self.assertIn("\ntollgate_info", self.scrape(ports))
        process.send_signal(signal.SIGHUP)
        self.wait_for(ports, "tollgate_tables_version", 2)
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
        self.assertEqual(process.wait(WAIT_S), 0)
        self.assertRegex(said, "warn (door_full|gave_way) peer=127.0.0.1 reason=")
        self.assertNotIn("accept_failed", said)  # the bound was lowered in time

    # UBSan looks through a pipe whether memory may be read, and calls it bad when it gets none.
    @unittest.skipIf(b"__ubsan_handle" in pathlib.Path(cli_test.TOLLGATE).read_bytes(),
                     "its sanitizer needs descriptors")
    def test_no_descriptor_for_a_connection_is_said_and_waited_for(self):
        process, ports = self.start()
        self.scrape(ports)  # it has its spare ones now
        numbers = [int(fd) for fd in os.listdir(f"/proc/{process.pid}/fd")]
        most = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (max(numbers) + 1, most[1]))
        clients = []
        # One more than there is room for, and one that the scrape may just have left.
        for _ in range(max(numbers) + 3 - len(numbers)):
            clients.append(socket.create_connection(("127.0.0.1", ports["smpp"]), timeout=WAIT_S))
            self.addCleanup(clients[-1].close)
            clients[-1].sendall(bytes.fromhex(cli_test.ENQUIRE))
        read_to(process, " error accept_failed ")
        begin, worked = time.monotonic(), processor_s(process)
        while time.monotonic() < begin + 1:
            time.sleep(0.1)
        took = time.monotonic() - begin
        self.assertLess(processor_s(process) - worked, took / 2)  # it does not ask all the time
        self.assertRegex(self.scrape(ports), r"\ntollgate_shard_accept_errors_total\S* [1-9]")
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, most)
        for client in clients:
            self.assertEqual(len(client.recv(16, socket.MSG_WAITALL)), 16)

    def test_what_the_machine_lacks_is_said(self):
        def said(*arguments):
            return subprocess.run([cli_test.TOLLGATE, *arguments, "--config", str(self.config)],
                                  preexec_fn=limited(resource.RLIMIT_NOFILE, 128), text=True,
                                  capture_output=True, timeout=WAIT_S, check=False)
        done = said("check")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"\n  warning   descriptors: 128 \(ulimit -Hn\), so \d+ conn"
                         r".*needed: \d+ for connections_max = 10000 \(right: ulimit -Hn \d+")
        found = {one["what"]: one for one in json.loads(said("check", "--json").stdout)["warnings"]}
        self.assertIn("128 (ulimit -Hn)", found["descriptors"]["has"])
        self.spoil('listen = "127.0.0.1:0"', 'listen = "192.0.2.1:2775"')
        done = said("run")
        self.assertEqual(done.returncode, 1)
        self.assertIn(" warn machine_too_small what=descriptors ", done.stderr)
        self.assertIn(" warn machine_too_small what=listen ", done.stderr)

    def test_the_soft_limit_of_descriptors_is_raised(self):
        process, _ = self.start(preexec_fn=limited(resource.RLIMIT_NOFILE, 128, 4096))
        self.assertEqual(limit_of(process, "Max open files"), ("4096", "4096"))


class Secrets(cli_test.Gateway):
    PASSWORD = b"Wq7-zX.k"
    HASH = ("$6$tollgate$DlS8ln5vR90fqmozZCSf/Wc4l6ch1kNMmeMKoeeGznvbcW1LPdG54hDaKysEbq."
            "hva1V6VtROn9iFgWoGU9fx.")

    def hits(self, process, word):
        """How often it is in the memory that the process may write to."""
        count, piece = 0, 1 << 20
        maps = pathlib.Path(f"/proc/{process.pid}/maps").read_text()
        with open(f"/proc/{process.pid}/mem", "rb", buffering=0) as memory:
            for begin, end in re.findall(r"^(\w+)-(\w+) rw", maps, re.M):
                begin, end = int(begin, 16), int(end, 16)
                if end - begin >= SHADOW:
                    continue
                before = b""
                for at in range(begin, end, piece):
                    memory.seek(at)
                    try:
                        octets = before + memory.read(min(piece, end - at))
                    except OSError:  # a page that cannot be had
                        octets = b""
                    count += octets.count(word)
                    before = octets[-len(word) + 1:]
        return count

    def bind(self, port, password):
        body = b"shop\0" + password + b"\0\0\x34\0\0\0"
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as client:
            client.sendall(struct.pack(">4I", 16 + len(body), 9, 0, 1) + body)
            return struct.unpack(">4I", client.recv(16, socket.MSG_WAITALL))[2]

    @unittest.skipIf(os.getuid(), "needs root, to read another's memory")
    def test_a_password_is_gone_from_memory_after_its_bind(self):
        self.spoil('password = "shop-pw"', f'password_hash = "{self.HASH}"')
        process, ports = self.start()
        self.assertEqual(self.bind(ports["smpp"], self.PASSWORD), 0)
        self.assertNotEqual(self.bind(ports["smpp"], self.PASSWORD[:-1] + b"?"), 0)
        self.assertGreater(self.hits(process, self.HASH[-40:].encode()), 0)  # it can find things
        self.assertEqual(self.hits(process, self.PASSWORD[:-1]), 0)


    def test_what_it_writes_is_for_its_user_alone(self):
        before = set(self.folder.rglob("*"))
        process, ports = self.start(preexec_fn=lambda: os.umask(0))
        self.assertEqual(self.bind(ports["smpp"], b"shop-pw"), 0)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        self.assertEqual(process.wait(WAIT_S), 0)
        made = {str(path.relative_to(self.folder)): path.stat().st_mode & 0o777
                for path in set(self.folder.rglob("*")) - before}
        self.assertTrue(any("journal" in name for name in made), made)
        self.assertTrue(any("records" in name for name in made), made)
        self.assertEqual({name: mode for name, mode in made.items() if mode & 0o077}, {})


class Start(cli_test.Gateway):
    def test_closed_standard_descriptors_become_dev_null(self):
        port = free_port()
        self.spoil('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{port}"')
        process = subprocess.Popen(
            ["sh", "-c", 'exec "$0" run --config "$1" <&- >&- 2>&-', cli_test.TOLLGATE,
             str(self.config)])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for _ in range(WAIT_S * 10):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S):
                    break
            except ConnectionRefusedError:
                self.assertIsNone(process.poll())
                time.sleep(0.1)
        for fd in range(3):
            self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{fd}"), "/dev/null")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(WAIT_S), 0)

    def test_neither_home_nor_folder(self):
        gone = tempfile.mkdtemp()
        process, _ = self.start(env={}, cwd=gone, preexec_fn=lambda: os.rmdir(gone))
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        self.assertEqual(process.wait(WAIT_S), 0)

    def test_a_reload_that_comes_while_the_configuration_is_read(self):
        clients = self.folder / "tables/clients.csv"
        with self.config.open("a") as config, clients.open("a") as rows:
            for i in range(300):  # hashing their passwords takes a while
                config.write(f'[[client]]\nsystem_id = "c{i}"\npassword = "p{i}"\n')
                rows.write(f"c{i},retail,GB\n")
        process = subprocess.Popen(
            [cli_test.TOLLGATE, "run", "--config", str(self.config)],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        hold, status = 1 << (signal.SIGHUP - 1), ""
        while not re.search(r"SigBlk:\t\w*", status) or not (
                int(re.search(r"SigBlk:\t(\w+)", status)[1], 16) & hold):
            self.assertIsNone(process.poll())
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        self.assertIn("Threads:\t1\n", status)  # long before there is one for signals
        process.send_signal(signal.SIGHUP)
        read_to(process, " info tables_loaded version=2 ")
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        self.assertEqual(process.wait(WAIT_S), 0)

    @unittest.skipIf(os.getuid(), "needs root, to be another user")
    def test_nobody_dumps_or_reads_its_memory(self):
        nobody = 65534
        binary = self.folder / "tollgate"
        shutil.copy(cli_test.TOLLGATE, binary)
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, nobody, nobody)
        for more, owner, core in (([], 0, ("0", "0")), (["--core-dumps"], nobody, None)):
            process = subprocess.Popen(
                [binary, "run", "--config", str(self.config), *more], user=nobody, group=nobody,
                extra_groups=[], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
            self.addCleanup(process.stderr.close)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            read_to(process, " info ready ")
            self.assertEqual(os.stat(f"/proc/{process.pid}/mem").st_uid, owner)
            if core:
                self.assertEqual(limit_of(process, "Max core file size"), core)
            self.assertIn("Uid:\t65534\t65534", pathlib.Path(
                f"/proc/{process.pid}/status").read_text())
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
            self.assertEqual(process.wait(WAIT_S), 0)


class Scrapes(cli_test.Gateway):
    def curl(self, port, *more):
        return subprocess.run(["curl", "-sS", "--max-time", str(WAIT_S), *more,
                               f"http://127.0.0.1:{port}/metrics"],
                              capture_output=True, text=True, check=False)

    def test_silent_connections_stop_no_scrape(self):
        _, ports = self.start()
        silent = [socket.create_connection(("127.0.0.1", ports["metrics"])) for _ in range(300)]
        for i, peer in enumerate(silent):
            self.addCleanup(peer.close)
            if i % 2:
                try:
                    peer.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
                except ConnectionError:  # it made room for newer ones
                    pass
        done = self.curl(ports["metrics"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('tollgate_metrics_ended_total{reason="too_slow"} 0\n', done.stdout)
        self.assertIn("\ntollgate_info", done.stdout)

    def test_curl_and_promtool_are_content(self):
        _, ports = self.start()
        page = self.curl(ports["metrics"])
        self.assertEqual(page.returncode, 0, page.stderr)
        head = self.curl(ports["metrics"], "--head")
        self.assertRegex(head.stdout, r"^HTTP/1\.1 200 OK\r?\n")
        self.assertIn("text/plain; version=0.0.4", head.stdout)
        for more, status in ((["-X", "POST", "-d", "a=b"], 405), (["--http1.0"], 200),
                             (["--path-as-is", f"http://127.0.0.1:{ports['metrics']}/../x"], 404)):
            done = self.curl(ports["metrics"], "-o", "/dev/null", "-w", "%{http_code} ", *more)
            self.assertIn(str(status), done.stdout.split(), more)
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=page.stdout, text=True,
                                  capture_output=True, timeout=WAIT_S, check=False)
            self.assertNotIn("error", (done.stdout + done.stderr).lower())

    @unittest.skipUnless(shutil.which("prometheus"), "there is no prometheus")
    def test_prometheus_scrapes(self):
        _, ports = self.start()
        own = free_port()
        config = self.folder / "prometheus.yml"
        config.write_text(f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: tollgate
    static_configs: [{{targets: ["127.0.0.1:{ports['metrics']}"]}}]
""")
        process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/tsdb",
             f"--web.listen-address=127.0.0.1:{own}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        url = f"http://127.0.0.1:{own}/api/v1/query?query=tollgate_info*on(instance)up"
        for _ in range(WAIT_S * 10):
            time.sleep(0.1)
            try:
                with urllib.request.urlopen(url, timeout=WAIT_S) as answer:
                    if result := json.load(answer)["data"]["result"]:
                        self.assertEqual(result[0]["value"][1], "1")
                        return
            except OSError:
                self.assertIsNone(process.poll())
        self.fail("it was never up")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
