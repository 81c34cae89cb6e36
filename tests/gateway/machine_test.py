#!/usr/bin/env python3
"""The gateway on a machine that is not kind to it: a log that nobody reads, a metrics port that
strangers play with, small limits.

machine_test.py TOLLGATE SOURCE_DIRECTORY
"""
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.request

import cli_test

WAIT_S = 60  # for what takes a moment on a quiet machine


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


def limited(limit, value):
    """For preexec_fn."""
    return lambda: resource.setrlimit(limit, (value, value))


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
