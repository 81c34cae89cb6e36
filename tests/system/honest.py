"""An honest client and honest carriers on one loop, and the truth: what each of them saw of every
message. Nothing here asks the gateway; the verdicts on the truth are those of who uses it.

A message is known by its number, which is used once. A carrier keeps a receipt until it is
answered, over any number of binds; a client submits nothing again."""
import dataclasses
import heapq
import itertools
import selectors
import socket
import time

from octets import (BIND_TRANSCEIVER, BINDS, DELIVER_SM, ENQUIRE_LINK, GENERIC_NACK, RESPONSE,
                    STATES, SUBMIT_SM, UNBIND, MESSAGE_STATE, RECEIPTED_MESSAGE_ID, Frames,
                    bind_body, message_body, pdu, read_message, read_tlvs, receipt_text, tlv)

REFUSED_FOR_NOW = (0x14, 0x58)


@dataclasses.dataclass
class Try:
    """A submit_sm that a carrier got."""
    carrier: str
    link: object
    at: float
    status: int | None = None   # what was answered
    answered_at: float = 0.0
    state: str = ""             # of the receipt that was sent


@dataclasses.dataclass
class Story:
    number: str
    submitted_at: float
    status: int | None = None   # of the response; None: it never came
    answered_at: float = 0.0
    id: str = ""
    tries: list = dataclasses.field(default_factory=list)
    receipts: list = dataclasses.field(default_factory=list)  # states, in their order

    @property
    def accepted(self):
        return self.status == 0


class Truth:
    def __init__(self):
        self.stories = {}       # by number
        self.by_id = {}
        self.wrong = []         # what needs no verdict: malformed, twice, unknown
        self.accepted = self.told = 0   # told: accepted, and a receipt came

    def submitted(self, number):
        self.stories[number] = Story(number, time.monotonic())

    def answered(self, number, status, message_id):
        story = self.stories[number]
        story.status, story.answered_at = status, time.monotonic()
        if status:
            return
        story.id = message_id
        self.accepted += 1
        self.told += bool(story.receipts)
        if self.by_id.setdefault(message_id, story) is not story:
            self.wrong.append(f"id {message_id} was given twice")

    def receipt(self, message_id, state, number):
        story = self.stories.get(number)
        if story is None or (story.id or message_id) != message_id:
            self.wrong.append(f"receipt of {message_id} {state} from {number}: whose is it?")
            return
        self.told += story.accepted and not story.receipts
        story.receipts.append(state)

    def missing(self):
        return [s for s in self.stories.values() if s.accepted and not s.receipts]


class Loop:
    """select and timers; everything runs in the caller's thread."""

    def __init__(self):
        self.selector, self.timers, self.order = selectors.DefaultSelector(), [], itertools.count()

    def after(self, seconds, call):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), call))

    def turn(self, seconds=0.05):
        if self.timers:
            seconds = max(0.0, min(seconds, self.timers[0][0] - time.monotonic()))
        for key, _ in self.selector.select(seconds):
            key.data()
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            heapq.heappop(self.timers)[2]()

    def close(self):
        """Every socket that is still open; nobody is told."""
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

    def until(self, condition, seconds):
        """Whether it came true in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            self.turn()
        return True


class Link:
    """One connection; `owner` has on_pdu(link, command, status, sequence, body), on_closed(link).
    What the socket does not take at once is an end: an honest peer is never so far behind."""

    def __init__(self, loop, sock, owner):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self.loop, self.sock, self.owner = loop, sock, owner
        self.frames, self.open, self.sequence = Frames(), True, 0
        self.closed_at = 0.0
        loop.selector.register(sock, selectors.EVENT_READ, self.read)

    def request(self, command, body=b""):
        self.sequence += 1
        self.send(pdu(command, self.sequence, body))
        return self.sequence

    def answer(self, command, sequence, body=b"", status=0):
        self.send(pdu(command | RESPONSE, sequence, body, status))

    def send(self, data):
        if not self.open:
            return
        try:
            if self.sock.send(data) != len(data):
                self.close()
        except OSError:
            self.close()

    def read(self):
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        for each in self.frames.feed(data):
            if self.open:
                self.owner.on_pdu(self, *each)

    def close(self):
        if self.open:
            self.open, self.closed_at = False, time.monotonic()
            self.loop.selector.unregister(self.sock)
            self.sock.close()
            self.owner.on_closed(self)


class Client:
    """`sessions` transceivers that come back; `address()` is (host, port), or None while there is
    nobody to call. Submits while `rate` is above 0 and fewer than `window` are unanswered."""

    def __init__(self, loop, truth, address, *, account, sessions=2, window=40,
                 prefixes=("4915",)):
        self.loop, self.truth, self.address, self.account = loop, truth, address, account
        self.window, self.prefixes = window, itertools.cycle(prefixes)
        self.rate, self.credit, self.last = 0.0, 0.0, time.monotonic()
        self.numbers = itertools.count(1)
        self.open = {}                      # link -> {sequence: number}
        self.bound, self.refusals, self.ending = [], {}, False
        self.answered = self.lost = 0
        for _ in range(sessions):
            loop.after(0, self.call)
        loop.after(0, self.submit)

    def call(self):
        address = None if self.ending else self.address()
        if address is not None:
            try:
                link = Link(self.loop, socket.create_connection(address, 1), self)
                self.open[link] = {}
                link.request(BIND_TRANSCEIVER, bind_body(*self.account))
                return
            except OSError:
                pass
        if not self.ending:
            self.loop.after(0.05, self.call)

    def submit(self):
        now = time.monotonic()
        self.credit = min(self.credit + self.rate * (now - self.last), 20)
        self.last = now
        while self.credit >= 1 and self.bound:
            self.credit -= 1
            link = self.bound[next(self.loop.order) % len(self.bound)]
            if len(self.open[link]) < self.window:
                self.say(link, f"{next(self.prefixes)}{next(self.numbers):08}")
        self.loop.after(0.005, self.submit)

    def say(self, link, number):
        self.truth.submitted(number)
        text = f"message for {number}".encode()
        self.open[link][link.sequence + 1] = number
        link.request(SUBMIT_SM, message_body("777", number, text, registered=1))

    def on_pdu(self, link, command, status, sequence, body):
        if command == BIND_TRANSCEIVER | RESPONSE:
            if status:
                link.close()
            else:
                self.bound.append(link)
        elif command == SUBMIT_SM | RESPONSE:
            number = self.open[link].pop(sequence, None)
            if number is None:
                self.truth.wrong.append(f"a submit_sm_resp nobody asked for: {sequence}")
                return
            self.answered += 1
            if status:
                self.refusals[status] = self.refusals.get(status, 0) + 1
            self.truth.answered(number, status, body[:-1].decode("latin-1") if not status else "")
        elif command == DELIVER_SM:
            self.receipt(body)
            link.answer(command, sequence, b"\0")
        elif command in (ENQUIRE_LINK, UNBIND):
            link.answer(command, sequence)
        elif command != ENQUIRE_LINK | RESPONSE:
            self.truth.wrong.append(f"the client got {command:#x} status {status:#x}")

    def receipt(self, body):
        source, _, _, _, text, at = read_message(body)
        words, tlvs = text.decode("latin-1").split(), read_tlvs(body, at)
        said, state = words[0].removeprefix("id:"), ""
        state = next(w for w in words if w.startswith("stat:")).removeprefix("stat:")
        if (tlvs[RECEIPTED_MESSAGE_ID] != said.encode() + b"\0" or
                tlvs[MESSAGE_STATE] != bytes([STATES[state]])):
            self.truth.wrong.append(f"a receipt's text and its TLVs differ: {text!r} {tlvs}")
        self.truth.receipt(said, state, source)

    def on_closed(self, link):
        self.lost += len(self.open.pop(link))
        if link in self.bound:
            self.bound.remove(link)
        if not self.ending:
            self.loop.after(0.02, self.call)

    def unanswered(self):
        return sum(map(len, self.open.values()))

    def end(self):
        self.ending = True
        for link in list(self.open):
            link.close()


class Carrier:
    """Answers after up to `latency` seconds and sends a receipt after up to `delay` more. `chance`
    decides all of that, and `refuse` = {status: share}."""

    def __init__(self, loop, truth, name, chance, *, latency=0.0, delay=0.0, refuse=None):
        self.loop, self.truth, self.name, self.chance = loop, truth, name, chance
        self.latency, self.delay, self.refuse = latency, delay, refuse or {}
        self.ids = itertools.count(chance.randrange(1 << 32, 1 << 40))
        self.links, self.due, self.sent = [], {}, {}   # due: id -> deliver_sm body, unanswered
        self.taken = self.strange = self.drops = 0
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.server.getsockname()[1]
        self.server.setblocking(False)
        loop.selector.register(self.server, selectors.EVENT_READ, self.accept)

    def accept(self):
        try:
            Link(self.loop, self.server.accept()[0], self)
        except BlockingIOError:
            pass

    def on_pdu(self, link, command, status, sequence, body):
        if command in BINDS:
            link.answer(command, sequence, self.name.encode() + b"\0")
            self.links.append(link)
            for message_id in list(self.due):
                self.deliver(message_id)
        elif command == SUBMIT_SM:
            self.submitted(link, sequence, body)
        elif command == DELIVER_SM | RESPONSE:
            message_id = self.sent.pop((link, sequence), None)
            if message_id is None:
                self.truth.wrong.append(f"{self.name}: a deliver_sm_resp nobody asked for")
            elif status == 0:
                self.due.pop(message_id, None)
            else:
                self.loop.after(0.2, lambda: self.deliver(message_id))
        elif command in (ENQUIRE_LINK, UNBIND):
            link.answer(command, sequence)
        elif command == GENERIC_NACK or not command & RESPONSE:
            self.truth.wrong.append(f"{self.name} got {command:#x} status {status:#x}")

    def submitted(self, link, sequence, body):
        source, number, _, registered, text, _ = read_message(body)
        story = self.truth.stories.get(number)
        if story is None:
            self.strange += 1   # another client's
            self.take(link, sequence, None, (number, source, registered))
            return
        if text != f"message for {number}".encode():
            self.truth.wrong.append(f"{self.name}: the text for {number} is {text!r}")
        attempt = Try(self.name, link, time.monotonic())
        story.tries.append(attempt)
        wait = self.chance.uniform(0, self.latency)
        if wait < 0.001:
            self.take(link, sequence, attempt, (number, source, registered))
        else:
            self.loop.after(wait, lambda: self.take(link, sequence, attempt,
                                                    (number, source, registered)))

    def status(self):
        draw = self.chance.random()
        for status, share in self.refuse.items():
            draw -= share
            if draw < 0:
                return status
        return 0

    def take(self, link, sequence, attempt, whom):
        """The answer, if there is still somebody to hear it."""
        if not link.open:
            return
        status, message_id = self.status(), str(next(self.ids))
        link.answer(SUBMIT_SM, sequence, b"" if status else message_id.encode() + b"\0", status)
        if not link.open:
            return
        if attempt is not None:
            attempt.status, attempt.answered_at = status, time.monotonic()
        if status:
            return
        self.taken += 1
        number, source, registered = whom
        if not registered & 3:
            return
        state = "DELIVRD" if self.chance.random() < 0.9 else "UNDELIV"
        if attempt is not None:
            attempt.state = state
        self.due[message_id] = message_body(
            number, source, receipt_text(message_id, state), esm_class=4,
            tlvs=tlv(RECEIPTED_MESSAGE_ID, message_id.encode() + b"\0"))
        self.loop.after(self.chance.uniform(0, self.delay), lambda: self.deliver(message_id))

    def deliver(self, message_id):
        """On any bind; it stays due until it is answered."""
        body = self.due.get(message_id)
        if body is not None and self.links and message_id not in self.sent.values():
            link = self.chance.choice(self.links)
            self.sent[link, link.sequence + 1] = message_id
            link.request(DELIVER_SM, body)

    def on_closed(self, link):
        if link in self.links:
            self.links.remove(link)
            self.drops += 1
        self.sent = {key: value for key, value in self.sent.items() if key[0] is not link}
