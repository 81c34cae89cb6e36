#!/usr/bin/env python3
"""The gateway on a machine that is not kind to it: a log that nobody reads, small limits.

machine_test.py TOLLGATE SOURCE_DIRECTORY
"""
import os
import resource
import signal
import socket
import subprocess
import sys
import unittest

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
                signal.sigtimedwait([], 0.1)
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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
