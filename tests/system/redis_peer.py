"""Versions of the tables written into Redis as another program would: from docs/pricing.md alone,
so that the schema there is seen to be true."""
import hashlib
import time

from redis_server import Redis, RedisServer  # noqa: F401

PREFIX = "tollgate:tables:"
CHUNK = 1 << 20


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
