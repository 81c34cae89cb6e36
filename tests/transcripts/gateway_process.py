"""The real gateway binary as a child: a generated configuration, any free ports, a clean end.

Port 0 everywhere: the ports that the process took are read from /proc, SMPP and /metrics being told
apart by their loopback addresses.
"""
import csv
import pathlib
import re
import signal
import subprocess
import time
import urllib.request

SMPP_HOST, METRICS_HOST = "127.0.0.2", "127.0.0.3"
START_S, STOP_S = 20, 20


class GatewayFailed(Exception):
    pass


def toml_value(value):
    """Text that reads as a number, a boolean or a list is one; the rest is a string."""
    literal = r'-?\d+(\.\d+)?|true|false|\[.*\]|\{.*\}|".*"'
    if isinstance(value, str) and re.fullmatch(literal, value):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def toml_table(header, values):
    lines = [header] + [f"{key} = {toml_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n\n"


def write_csv(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def listening_port(pid, host):
    """The port the process listens on at `host`, None while there is none."""
    want = "".join(f"{int(part):02X}" for part in reversed(host.split(".")))
    inodes = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.update(re.findall(r"socket:\[(\d+)\]", str(fd.readlink())))
        except OSError:
            continue
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        address, port = words[1].split(":")
        if address == want and words[3] == "0A" and words[9] in inodes:
            return int(port, 16)
    return None


class GatewayProcess:
    """Started by start(), ended by stop(); `folder` keeps its configuration, tables and log."""

    def __init__(self, binary, folder):
        self.binary, self.folder = str(binary), pathlib.Path(folder)
        self.config, self.log = self.folder / "tollgate.toml", self.folder / "gateway.log"
        self.process = self.port = self.metrics_port = None

    def start(self):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([self.binary, "run", "--config", str(self.config)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder)
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                code = self.process.returncode
                raise GatewayFailed(f"ended at once with {code}:\n" + self.tail())
            self.port = listening_port(self.process.pid, SMPP_HOST)
            self.metrics_port = listening_port(self.process.pid, METRICS_HOST)
            if self.port and self.metrics_port:
                return self
            time.sleep(0.01)
        self.kill()
        raise GatewayFailed(f"does not listen after {START_S} s:\n" + self.tail())

    def tail(self):
        text = self.log.read_bytes().decode("latin-1") if self.log.exists() else ""
        return "\n".join("    " + line for line in text.splitlines()[-40:])

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024

    def metrics(self):
        url = f"http://{METRICS_HOST}:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def ended(self):
        return self.process.poll() is not None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def finish(self):
        """Waits for the end that terminate() asked for; complains unless it was a clean one."""
        try:
            status = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise GatewayFailed(f"still there {STOP_S} s after SIGTERM:\n" + self.tail()) from None
        if status:
            raise GatewayFailed(f"ended with {status}:\n" + self.tail())
        bad = re.search(rb"[^\x20-\x7e\n\t]", self.log.read_bytes())
        if bad:
            raise GatewayFailed(f"octet {bad.group()!r} of the wire is in the log")
