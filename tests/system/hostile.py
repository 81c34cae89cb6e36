"""The hostile client and the hostile carrier, each a process: one thread, a few connections in
turn, what mutations.py makes. `said` counts the PDUs that left; `end` asks them to stop. What was
said last is written to `trace` when they stop, a line of hexadecimal a piece.

Each batch of each connection has a seed: what is said again with the same seed differs in nothing
but the ids that were learnt and the moments of the answers."""
import collections
import os
import random
import select
import socket
import struct
import time

from mutations import CarrierSide, ClientSide, mutate
from octets import BINDS, ENQUIRE_LINK, RESPONSE, SUBMIT_SM, Frames, pdu

FATAL = 0.002
KEPT = 300
STUCK_S = 1.0   # a gateway that takes nothing for that long: the connection is given up
CHUNK = 1 << 16
PIECES = (1, 1, 2, 3, 7, 15, 16, 17, 100)


class Talk:
    """One connection. What the socket does not take waits; with anything waiting nothing new is
    said. `role` speaks by itself, `answers` when it is asked."""

    def __init__(self, sock, seed, make_role, said, last):
        sock.setblocking(False)
        self.sock, self.seed, self.said, self.last = sock, seed, said, last
        self.role, self.answers = make_role(random.Random(seed)), make_role(random.Random(seed))
        self.frames, self.waiting, self.since = Frames(), b"", time.monotonic()
        self.open, self.over, self.deaf, self.batches, self.bound = True, False, 0, 0, False

    def say(self, parts, cut=False):
        """`cut`: in pieces, at any place."""
        if not self.open:
            return
        self.said.value += len(parts)
        data, at = b"".join(parts), 0
        self.last.append(data)
        while cut and at < len(data) and not self.waiting and self.open:
            size = self.role.chance.choice(PIECES)
            self.push(data[at:at + size])
            at += size
        self.push(data[at:])

    def push(self, data=b""):
        if not self.open:
            return
        self.waiting += data
        try:
            sent = self.sock.send(self.waiting[:CHUNK]) if self.waiting else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        self.waiting = self.waiting[sent:]
        if sent or not self.waiting:
            self.since = time.monotonic()
        elif time.monotonic() - self.since > STUCK_S:
            self.close()

    def read(self):
        """(command, status, sequence, body) of what came."""
        found = []
        self.deaf -= 1
        while self.open and self.deaf < 0:
            try:
                data = self.sock.recv(1 << 18)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.close()
                break
            found += self.frames.feed(data)
            if len(data) < 4096:
                break
        return found

    def step(self):
        """The next batch, when the gateway has taken the one before; then the end."""
        self.push()
        if self.bound and not self.waiting and not self.over and self.batches > 0:
            self.batches -= 1
            self.batch()
        if (self.batches <= 0 or self.over) and not self.waiting:
            self.leave()

    def batch(self):
        """Some PDUs in one piece, in many, or one of them again and again."""
        chance, parts = self.role.chance, []
        chance.seed(f"{self.seed}/{self.batches}")
        for _ in range(chance.choice((1, 1, 2, 5, 20, 40))):
            draft = mutate(self.role.draft(), chance, FATAL)
            parts.append(draft.octets())
            if draft.fatal:
                parts += [self.role.draft().octets() for _ in range(chance.choice((0, 0, 1, 5)))]
                self.over = True
                break
        draw = chance.random()
        if draw < 0.03 and len(parts[0]) < 500:
            parts = parts[:1] * chance.choice((100, 500))
            self.deaf = chance.choice((0, 0, 20))
        self.say(parts, draw > 0.93)

    def leave(self):
        """As rude as chance wants: in peace, a reset, or half closed with something to follow."""
        if not self.open:
            return
        draw = self.role.chance.random()
        try:
            if draw < 0.3:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif draw < 0.6:
                self.sock.shutdown(socket.SHUT_WR)
                select.select([self.sock], [], [], 0.01)
        except OSError:
            pass
        self.close()

    def close(self):
        self.open = False
        self.sock.close()


class Hostile:
    """What both have in common: connections in turn until they are told to end."""

    def __init__(self, seed, said, end, trace):
        self.seed, self.said, self.end, self.trace = seed, said, end, trace
        self.ids, self.last = collections.deque(maxlen=500), collections.deque(maxlen=KEPT)
        self.parent, self.count, self.talks = os.getppid(), 0, []

    def more(self):
        """New connections."""
        raise NotImplementedError

    def on_pdu(self, talk, command, status, sequence, body):
        raise NotImplementedError

    def waits_for(self):
        return [talk.sock for talk in self.talks]

    def run(self):
        while not self.end.is_set() and os.getppid() == self.parent:
            before = self.said.value
            self.more()
            for talk in self.talks:
                try:
                    for each in talk.read():
                        self.on_pdu(talk, *each)
                    if talk.open:
                        talk.step()
                except ValueError:
                    talk.close()
            self.talks = [talk for talk in self.talks if talk.open]
            if self.said.value == before:
                select.select(self.waits_for(), [], [], 0.005)
        with open(self.trace, "w") as file:
            file.writelines(data.hex() + "\n" for data in self.last)
        for talk in self.talks:
            talk.close()


class HostileClient(Hostile):
    """A few connections at a time, from many addresses, with the accounts it knows."""

    def __init__(self, address, accounts, *common, open_max=4):
        super().__init__(*common)
        self.address, self.accounts, self.open_max = address, accounts, open_max

    def more(self):
        while len(self.talks) < self.open_max:
            try:
                self.talks.append(self.call())
            except OSError:
                time.sleep(0.01)
                return

    def call(self):
        self.count += 1
        sock = socket.socket()
        sock.settimeout(5)
        sock.bind((f"127.1.{self.count // 250 % 250}.{self.count % 250 + 1}", 0))
        sock.connect(self.address)
        talk = Talk(sock, f"{self.seed}/client/{self.count}",
                    lambda chance: ClientSide(chance, self.ids, self.accounts),
                    self.said, self.last)
        talk.batches = talk.role.chance.choice((1, 2, 5, 20, 40))
        self.begin(talk)
        return talk

    def begin(self, talk):
        """It binds; or it says other things first; or it never binds; or it does not wait."""
        role, chance = talk.role, talk.role.chance
        draw = chance.random()
        talk.bound = draw < 0.3
        if draw < 0.08:
            return
        links = chance.choice((0, 0, 1, 1, 3, 20))
        if draw < 0.12:
            links, talk.deaf = 2000, 50
        parts = [pdu(ENQUIRE_LINK, role.next())] * links
        bind = role.bind()
        if draw < 0.3:
            mutate(bind, chance, 0.1)
            talk.over = bind.fatal
        parts.append(bind.octets())
        if draw > 0.85:
            parts.append(role.submit().octets())
        talk.say(parts, chance.random() < 0.1)

    def on_pdu(self, talk, command, status, sequence, body):
        if command & RESPONSE:
            talk.bound = talk.bound or command & ~RESPONSE in BINDS
            if command == SUBMIT_SM | RESPONSE and status == 0:
                self.ids.append(body[:-1])
            return
        draft = talk.answers.answer(command, sequence)
        if draft is not None:
            talk.say([draft.octets()])


class HostileCarrier(Hostile):
    """Takes every bind of the gateway, and speaks when it was not asked as well."""

    def __init__(self, server, *common):
        super().__init__(*common)
        self.server = server
        server.setblocking(False)

    def waits_for(self):
        return [self.server, *super().waits_for()]

    def more(self):
        try:
            sock, _ = self.server.accept()
        except BlockingIOError:
            return
        self.count += 1
        talk = Talk(sock, f"{self.seed}/carrier/{self.count}",
                    lambda chance: CarrierSide(chance, self.ids), self.said, self.last)
        chance = talk.role.chance
        talk.role.sequence = chance.choice((0, 0, 0x7FFFFFF0))
        talk.batches = chance.choice((3, 20, 60, 200))
        talk.bound = chance.random() < 0.05    # does not wait to be asked
        self.talks.append(talk)

    def on_pdu(self, talk, command, status, sequence, body):
        if command & RESPONSE:
            return
        parts = [draft.octets() for draft in talk.answers.answer(command, sequence)]
        if command in BINDS:
            talk.bound = True
            if talk.answers.chance.random() < 0.1:
                parts.append(talk.answers.receipt().octets())
        talk.say(parts)
