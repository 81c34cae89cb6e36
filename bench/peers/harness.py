"""Starts the bench programs, learns their ports, reads their reports: for bench/run, bench/soak
and the tests. Standard library only; every process started here is ended here, by its own pid."""
import json
import os
import pathlib
import select
import signal
import subprocess
import time

SECOND_TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    pass


class Server:
    """A carrier or relay: its first line says where it listens, its last line is its report."""

    def __init__(self, program, *args, start_timeout=10):
        self.name = pathlib.Path(program).name
        self.process = subprocess.Popen([str(program), *map(str, args)], stdout=subprocess.PIPE)
        line = self._first_line(start_timeout)
        try:
            self.ports = {each["name"]: each["port"] for each in json.loads(line)["listening"]}
        except (ValueError, KeyError) as error:
            self.kill()
            raise Failed(f"{self.name} did not say where it listens: {line!r}") from error
        self.port = next(iter(self.ports.values()))

    def _first_line(self, timeout):
        readable, _, _ = select.select([self.process.stdout], [], [], timeout)
        return self.process.stdout.readline().decode() if readable else ""

    @property
    def pid(self):
        return self.process.pid

    def stop(self, timeout=30):
        """SIGTERM; the report, or None when the program makes none."""
        self.process.send_signal(signal.SIGTERM)
        try:
            out, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.name} did not end {timeout} s after SIGTERM") from None
        if self.process.returncode != 0:
            raise Failed(f"{self.name} ended with status {self.process.returncode}")
        lines = out.decode().strip().splitlines()
        return json.loads(lines[-1]) if lines else None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Load:
    """One run of the load program: its exit status and its report (None when it could not run)."""

    def __init__(self, program, *args, timeout=600, show_progress=False):
        command = [str(program), "--json", "-", *map(str, args)]
        command += [] if show_progress else ["--no-progress"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        stderr=None if show_progress else subprocess.PIPE)
        self.timeout = timeout

    def wait(self):
        try:
            out, errors = self.process.communicate(timeout=self.timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise Failed(f"load was not done after {self.timeout} s") from None
        self.errors = (errors or b"").decode()
        self.status = self.process.returncode
        self.report = json.loads(out) if out else None
        return self


def cpu_seconds(pid):
    """User and system time of every thread that the process has or had."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / SECOND_TICKS


def peak_memory_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise Failed(f"no VmHWM for process {pid}")


def wait_until(what, condition, timeout=10):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise Failed(f"{what} did not happen within {timeout} s")


def warm_up(load, port, *more, timeout=20):
    """Until ten messages and their receipts go through: binds are up, tables are in force. They
    carry no tag, so the carriers' counts of messages leave them out."""
    deadline = time.monotonic() + timeout
    while True:
        run = Load(load, "--port", port, "--count", 10, "--text-size", 5, "--receipt-wait", 2,
                   "--registered-delivery", 1, *more, timeout=30).wait()
        if run.status == 0:
            return
        if time.monotonic() > deadline:
            raise Failed(f"nothing goes through: {run.errors or json.dumps(run.report)}")
        time.sleep(0.1)
