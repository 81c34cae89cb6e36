"""A redis-server of a test's own, and versions of the tables written into it as another program
would: from docs/pricing.md alone, so that the schema there is seen to be true."""
import hashlib
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from harness import Failed

PREFIX = "tollgate:tables:"
CHUNK = 1 << 20


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


def varint(value):
    out = b""
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A protobuf field: an integer, or octets."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value) if value else b""
    value = value if isinstance(value, bytes) else value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value if value else b""


def sealed(record, payload, form=1):
    return (field(1, form) + field(2, record) + field(3, payload) +
            field(4, hashlib.sha256(payload).digest()))


def chunks(text):
    """[(key, octets)] of a file's content."""
    digest = hashlib.sha256(text)
    parts = [text[at:at + CHUNK] for at in range(0, len(text), CHUNK)] or [b""]
    return [(f"{PREFIX}blob:{digest.hexdigest()}:{i}",
             field(1, digest.digest()) + field(2, i) + field(3, len(parts)) + field(4, part))
            for i, part in enumerate(parts)]


def forge(redis, files, spoil=""):
    """Publishes {name: octets} as the next version; its number. `spoil`: "", "missing" (a chunk),
    "checksum" (a content that is another), "format" (of a later Tollgate), "record"."""
    number = int(redis("GET", PREFIX + "current") or 0) + 1
    listed = b""
    for place, (name, text) in enumerate(sorted(files.items())):
        # Spoilt contents have a name that nobody else uses.
        if spoil in ("missing", "checksum") and place == 0:
            text += b"\n" * number
        pieces = chunks(text)
        for key, octets in pieces:
            if spoil == "checksum" and place == 0:
                octets = octets[:-1] + bytes([octets[-1] ^ 1])
            if not (spoil == "missing" and place == 0):
                redis("SET", key, octets)
        rows = max(0, sum(1 for line in text.splitlines() if line) - 1)
        listed += field(9, field(1, name) + field(2, hashlib.sha256(text).digest()) +
                        field(3, len(text)) + field(4, rows))
    payload = (field(1, number) + field(2, number - 1) + field(3, "forger") +
               field(4, time.time_ns() // 1000) + field(5, spoil) + field(6, 1) + listed)
    record = sealed("version", payload, form=9 if spoil == "format" else 1)
    if spoil == "record":
        record = record[:-1] + bytes([record[-1] ^ 1])
    redis("MULTI")
    redis("SET", f"{PREFIX}version:{number}", record)
    redis("SET", PREFIX + "current", number)
    redis("PUBLISH", PREFIX + "published", number)
    redis("EXEC")
    return number
