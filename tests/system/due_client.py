"""A client that submits and stays away from its receipts, then comes for them: raw sockets, whole
windows at a time, so that Python is not what is measured."""
import socket
import struct
import time

BIND_RECEIVER, BIND_TRANSMITTER, SUBMIT_SM, DELIVER_SM = 0x1, 0x2, 0x4, 0x5
ENQUIRE_LINK, RESPONSE = 0x15, 0x80000000
HEADER = struct.Struct(">IIII")
QUEUE_FULL, THROTTLED = 0x14, 0x58


class Lost(Exception):
    """The session ended under our hands."""


class Session:
    def __init__(self, port, bind, system_id, password, patience_s=30):
        deadline = time.monotonic() + patience_s
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
                self.buffer = bytearray()
                body = (system_id.encode() + b"\0" + password.encode() + b"\0" + b"\0" +
                        bytes([0x34, 0, 0, 0]))
                self.socket.sendall(HEADER.pack(16 + len(body), bind, 0, 1) + body)
                while len(self.buffer) < 16:
                    self.read()
                length, _, status, _ = HEADER.unpack_from(self.buffer)
                if status != 0:
                    raise Lost(f"bind refused: {status:#x}")
                while len(self.buffer) < length:
                    self.read()
                del self.buffer[:length]
                return
            except (OSError, Lost):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def read(self):
        try:
            octets = self.socket.recv(1 << 18)
        except OSError as error:
            raise Lost(str(error)) from error
        if not octets:
            raise Lost("closed")
        self.buffer += octets

    def send(self, octets):
        try:
            self.socket.sendall(octets)
        except OSError as error:
            raise Lost(str(error)) from error

    def pdus(self):
        """(command, status, sequence, begin, end) of every whole PDU; the buffer stays until the
        generator is done."""
        at, view = 0, self.buffer
        while len(view) - at >= 16:
            length, command, status, sequence = HEADER.unpack_from(view, at)
            if len(view) - at < length:
                break
            yield command, status, sequence, at + 16, at + length
            at += length
        del self.buffer[:at]

    def close(self):
        self.socket.close()


def body_of(number):
    return (b"\0" + b"\x05\0Away\0" + b"\x01\x01" + number.encode() + b"\0" + b"\0\0\0" +
            b"\0\0" + b"\x01" + b"\0\0\0" + b"\x05hello")


class Away:
    """`accepted[n]`: the ids of number n in their order; `told[n]` likewise."""

    def __init__(self, port, numbers=1000):
        self.port = port
        self.numbers = [f"4477{i:08d}" for i in range(numbers)]
        self.bodies = [body_of(number) for number in self.numbers]
        self.accepted = [[] for _ in self.numbers]
        self.told = {}
        self.place = {}
        self.order = [-1] * numbers
        self.refused = self.unknown = self.again = self.out_of_order = self.strange = 0
        self.count = 0

    def submit(self, count, window=2000, rate=0):
        """Until so many more were accepted, or the session is lost."""
        session = Session(self.port, BIND_TRANSMITTER, "away", "away-pw")
        begin, goal, sequence, out = time.monotonic(), self.count + count, 1, {}
        first = self.count
        try:
            while self.count < goal:
                allowed = goal - self.count - len(out)
                if rate:
                    due = int((time.monotonic() - begin) * rate) - (self.count - first) - len(out)
                    allowed = min(allowed, due)
                parts = []
                for _ in range(max(0, min(window - len(out), allowed))):
                    sequence += 1
                    which = sequence % len(self.bodies)
                    out[sequence] = which
                    body = self.bodies[which]
                    parts.append(HEADER.pack(16 + len(body), SUBMIT_SM, 0, sequence) + body)
                if parts:
                    session.send(b"".join(parts))
                if out:
                    session.read()
                    self.responses(session, out)
                else:
                    time.sleep(0.001)
        finally:
            self.unknown += len(out)
            session.close()

    def responses(self, session, out):
        pause = False
        for command, status, sequence, begin, end in session.pdus():
            if command == ENQUIRE_LINK:
                session.send(HEADER.pack(16, ENQUIRE_LINK | RESPONSE, 0, sequence))
            if command != SUBMIT_SM | RESPONSE:
                continue
            which = out.pop(sequence)
            if status == 0:
                name = int(session.buffer[begin:end - 1], 16)
                self.place[name] = (which, len(self.accepted[which]))
                self.accepted[which].append(name)
                self.count += 1
            else:
                self.refused += 1
                pause |= status in (QUEUE_FULL, THROTTLED)
        if pause:
            time.sleep(0.05)

    def collect(self, goal, idle_s=30):
        """Until so many different ones were told, or none came for idle_s."""
        session = Session(self.port, BIND_RECEIVER, "away", "away-pw")
        session.socket.settimeout(idle_s)
        try:
            while len(self.told) < goal:
                session.read()
                parts = []
                for command, _, sequence, begin, end in session.pdus():
                    if command == DELIVER_SM:
                        self.tell(session.buffer, begin, end)
                        parts.append(HEADER.pack(17, DELIVER_SM | RESPONSE, 0, sequence) + b"\0")
                    elif command == ENQUIRE_LINK:
                        parts.append(HEADER.pack(16, ENQUIRE_LINK | RESPONSE, 0, sequence))
                session.send(b"".join(parts))
        finally:
            session.close()

    def tell(self, buffer, begin, end):
        at = buffer.find(b"id:", begin, end)
        name = int(buffer[at + 3:at + 19], 16)
        times = self.told.get(name, 0)
        self.told[name] = times + 1
        if times:
            self.again += 1
            return
        place = self.place.get(name)
        if place is None:
            self.strange += 1  # accepted, and its answer was lost
            return
        which, index = place
        if index < self.order[which]:
            self.out_of_order += 1
        self.order[which] = max(self.order[which], index)

    def lost(self):
        return sum(1 for name in self.place if name not in self.told)
