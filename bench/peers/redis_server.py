"""A redis-server of a bench's or a test's own."""
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from harness import Failed


class Redis:
    """One connection; a command is a list of words, an error an exception."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words) +
                            b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self._reply()

    def _reply(self):
        line = self.file.readline()
        sign, rest = line[:1], line[1:].strip()
        if sign == b"-":
            raise Failed(f"redis: {rest.decode()}")
        if sign == b":":
            return int(rest)
        if sign == b"$":
            length = int(rest)
            return None if length < 0 else self.file.read(length + 2)[:-2]
        if sign == b"*":
            return [self._reply() for _ in range(int(rest))]
        return rest

    def close(self):
        self.file.close()
        self.socket.close()


class RedisServer:
    """redis-server on a Unix socket, of a configuration or of none; ended by its own pid."""

    def __init__(self, *arguments, config=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-redis-"))
        self.path = self.folder / "redis.sock"
        self.arguments = arguments
        self.config = [str(config)] if config else []
        self.process = None
        self.start()

    def start(self):
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                ["redis-server", *self.config, "--port", "0", "--unixsocket", str(self.path),
                 "--save", "", "--dir", str(self.folder), *self.arguments],
                stdout=log, stderr=log)
        for _ in range(500):
            try:
                return self.connect().close()
            except OSError:
                time.sleep(0.01)
        raise Failed("redis-server does not answer: " + (self.folder / "log").read_text())

    def connect(self):
        return Redis(self.path)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.path.unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
