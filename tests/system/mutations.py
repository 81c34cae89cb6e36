"""What hostile peers say: PDUs that know the structure they break, by a seed and nothing else.

A Draft is a PDU as its parts; mutate() breaks one to four of them: a text of any length and any
octets, a missing or an early NUL, lengths that lie (TLVs, short_message, command_length), TLVs
added, repeated, removed, cut, by the thousand, numbers at their edges, a status, a sequence number,
another command, octets flipped, inserted, removed. About a third of all Drafts stay whole, so that
what follows meets the gateway in every state.

Client and CarrierSide make the Drafts of their role; `ids` are what a peer has learnt while it ran,
all else comes from `chance`. `fatal` on a Draft: its command_length lies, the stream is over."""
import struct

from octets import (ALERT_NOTIFICATION, BIND_RECEIVER, BIND_TRANSCEIVER, BIND_TRANSMITTER,
                    CANCEL_SM, DATA_SM, DELIVER_SM, ENQUIRE_LINK, GENERIC_NACK, HEADER,
                    MESSAGE_PAYLOAD, MESSAGE_STATE, NETWORK_ERROR, OUTBIND, QUERY_SM,
                    RECEIPTED_MESSAGE_ID, REPLACE_SM, RESPONSE, SUBMIT_MULTI, SUBMIT_SM, UNBIND)

EDGES = (0, 1, 2, 3, 4, 5, 6, 8, 9, 12, 13, 15, 16, 17, 20, 21, 22, 40, 41, 42, 63, 64, 65, 66, 127,
         128, 140, 141, 200, 253, 254, 255, 256, 257, 300, 511, 512, 1000, 1024, 5000)
FAR = (16_383, 32_767, 60_000, 65_000, 65_535)
NUMBERS = (0, 1, 2, 3, 4, 5, 8, 0x3F, 0x40, 0x7F, 0x80, 0xC3, 0xFE, 0xFF)
SEQUENCES = (0, 1, 2, 0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
STATUSES = (1, 3, 4, 5, 8, 0x0A, 0x0B, 0x0D, 0x0E, 0x14, 0x33, 0x45, 0x58, 0x58, 0x64, 0x65, 0x66,
            0xC0, 0xFE, 0xFF, 0x400, 0x500, 0x7FFFFFFF, 0xFFFFFFFF)
LIES = (0, 1, 4, 15, 17, 0xFFFF, 0x10000, 66_560, 66_561, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
TAGS = (5, 6, 7, 8, 0x0D, 0x0F, 0x10, 0x17, 0x19, 0x1D, RECEIPTED_MESSAGE_ID, 0x30, 0x201, 0x202,
        0x203, 0x204, 0x205, 0x20A, 0x20B, 0x20C, 0x20D, 0x20E, 0x20F, 0x210, 0x302, 0x303, 0x304,
        0x381, 0x420, 0x421, 0x422, NETWORK_ERROR, MESSAGE_PAYLOAD, 0x425, 0x426, MESSAGE_STATE,
        0x428, 0x501, 0x60B, 0x1201, 0x1203, 0x1204, 0x130C, 0x1380, 0x1383, 0x1400, 0x3FFF, 0,
        0xFFFF)
COMMANDS = (BIND_RECEIVER, BIND_TRANSMITTER, QUERY_SM, SUBMIT_SM, DELIVER_SM, REPLACE_SM,
            CANCEL_SM, BIND_TRANSCEIVER, OUTBIND, ENQUIRE_LINK, SUBMIT_MULTI, ALERT_NOTIFICATION,
            DATA_SM, 0x111, 0x112, 0x113, 0, 0x0A, 0xFF, 0x10000, 0x7FFFFFFF)
STATE_WORDS = ("DELIVRD", "DELIVRD", "DELIVRD", "UNDELIV", "EXPIRED", "REJECTD", "DELETED",
               "UNKNOWN", "ACCEPTD", "ENROUTE", "SCHEDULED", "", "delivrd", "X")
FILLS = (b"A", b"1", b"0", b"f", b"\xff", b"\x80", b"%s", b"\x1b[31m", b"\r\n", b"\"\\", b"id:1 ",
         b"{}", b" ", b"\xe2\x80\xae", b"a.", b"\x01")
TIMES = (b"", b"", b"", b"", b"000000000001000R", b"000000001000000R", b"991231235959948-",
         b"200101000000000+", b"000000000000000R", b"261399256199999+", b"0", b"99999999999999999")
TEXT, RAW, SHORT = range(3)  # of a part: with its NUL, as it is, with its length before it


class Draft:
    __slots__ = ("command", "status", "sequence", "parts", "tlvs", "body", "length", "fatal")

    def __init__(self, command, sequence, parts=(), tlvs=(), status=0):
        self.command, self.status, self.sequence = command, status, sequence
        self.parts, self.tlvs = list(parts), list(tlvs)   # (kind, octets); (tag, size, octets)
        self.body = self.length = None
        self.fatal = False

    def whole_body(self):
        out = []
        for kind, octets in self.parts:
            if kind == SHORT:
                out.append(bytes((len(octets) & 0xFF,)))
            out.append(octets)
            if kind == TEXT:
                out.append(b"\0")
        for tag, size, octets in self.tlvs:
            out.append(struct.pack(">HH", tag, size & 0xFFFF))
            out.append(octets)
        return b"".join(out)[:66_540]

    def octets(self):
        body = self.whole_body() if self.body is None else self.body
        length = 16 + len(body) if self.length is None else self.length
        return HEADER.pack(length, self.command, self.status, self.sequence) + body


def size_of(chance):
    return chance.choice(FAR) if chance.random() < 0.02 else chance.choice(EDGES)


def filled(chance, size=None):
    size = size_of(chance) if size is None else size
    fill = chance.choice(FILLS)
    return (fill * (size // len(fill) + 1))[:size] if size < 2000 or chance.random() < 0.9 \
        else chance.randbytes(size)


# Mutations: (draft, chance); each breaks one thing.

def pick(draft, chance, kind):
    places = [i for i, part in enumerate(draft.parts) if part[0] == kind]
    return chance.choice(places) if places else None


def long_text(draft, chance):
    at = pick(draft, chance, TEXT)
    if at is not None:
        draft.parts[at] = (TEXT, filled(chance))


def no_nul(draft, chance):
    at = pick(draft, chance, TEXT)
    if at is not None:
        draft.parts[at] = (RAW, draft.parts[at][1])


def early_nul(draft, chance):
    at = pick(draft, chance, TEXT)
    if at is not None:
        octets = draft.parts[at][1]
        cut = chance.randrange(len(octets) + 1)
        draft.parts[at] = (TEXT, octets[:cut] + b"\0" + octets[cut:])


def edge_number(draft, chance):
    at = pick(draft, chance, RAW)
    if at is not None:
        draft.parts[at] = (RAW, bytes((chance.choice(NUMBERS),)))


def short_message(draft, chance):
    at = pick(draft, chance, SHORT)
    if at is None:
        return
    if chance.random() < 0.5:
        draft.parts[at] = (SHORT, filled(chance, chance.choice(EDGES[:34])))
    else:
        draft.parts[at] = (RAW, bytes((chance.choice(NUMBERS),)) + draft.parts[at][1])


def part_gone(draft, chance):
    if draft.parts:
        at = chance.randrange(len(draft.parts))
        draft.parts[at:at + 1] = chance.choice(([], draft.parts[at:at + 1] * 2))


def tlv_added(draft, chance):
    octets = filled(chance)
    draft.tlvs.insert(chance.randrange(len(draft.tlvs) + 1),
                      (chance.choice(TAGS), len(octets), octets))


def tlv_lie(draft, chance):
    if draft.tlvs:
        at = chance.randrange(len(draft.tlvs))
        tag, size, octets = draft.tlvs[at]
        lie = chance.choice((0, 1, size - 1, size + 1, size + 4, 0xFFFF, 0x8000, size_of(chance)))
        draft.tlvs[at] = (tag, lie, octets)


def tlv_grown(draft, chance):
    if draft.tlvs:
        at = chance.randrange(len(draft.tlvs))
        octets = filled(chance) + b"\0" * chance.randrange(2)
        draft.tlvs[at] = (draft.tlvs[at][0], len(octets), octets)


def tlv_again(draft, chance):
    if draft.tlvs:
        times = chance.choice((1, 1, 1, 2, 10, 1000))
        draft.tlvs += [chance.choice(draft.tlvs)] * times


def tlv_gone(draft, chance):
    if draft.tlvs:
        draft.tlvs.pop(chance.randrange(len(draft.tlvs)))


def other_status(draft, chance):
    draft.status = chance.choice(STATUSES)


def other_sequence(draft, chance):
    draft.sequence = chance.choice(SEQUENCES) if chance.random() < 0.7 else chance.getrandbits(32)


def other_command(draft, chance):
    draft.command = chance.choice(COMMANDS) | chance.choice((0, RESPONSE))


def body_cut(draft, chance):
    draft.body = draft.whole_body()
    draft.body = draft.body[:chance.randrange(len(draft.body) + 1)]


def body_flipped(draft, chance):
    body = bytearray(draft.whole_body())
    for _ in range(chance.choice((1, 1, 2, 8))):
        if body:
            body[chance.randrange(len(body))] = chance.choice(
                (0, 0xFF, 0x80, chance.getrandbits(8)))
    draft.body = bytes(body)


def body_spliced(draft, chance):
    body = draft.whole_body()
    at = chance.randrange(len(body) + 1)
    draft.body = (body[:at] + filled(chance, chance.choice(EDGES[:20])) +
                  body[min(len(body), at + chance.randrange(4)):])


def body_junk(draft, chance):
    draft.body = chance.randbytes(chance.choice(EDGES))


MUTATIONS = (long_text, long_text, long_text, no_nul, early_nul, edge_number, edge_number,
             short_message, part_gone, tlv_added, tlv_added, tlv_lie, tlv_lie, tlv_grown, tlv_grown,
             tlv_again, tlv_gone, other_status, other_sequence, other_sequence, other_command,
             body_cut, body_flipped, body_flipped, body_spliced, body_junk)


def mutate(draft, chance, fatal):
    """`fatal`: the share of PDUs whose command_length lies; nothing is read after it."""
    draw = chance.random()
    if draw < fatal:
        draft.length = chance.choice(LIES + (len(draft.octets()) - 1, len(draft.octets()) + 1))
        draft.fatal = True
    if draw > 0.35:
        for _ in range(chance.choice((1, 1, 1, 2, 2, 4))):
            chance.choice(MUTATIONS)(draft, chance)
    return draft


def number(value):
    return (RAW, bytes((value,)))


def text(value):
    return (TEXT, value if isinstance(value, bytes) else value.encode())


class Role:
    def __init__(self, chance, ids):
        self.chance, self.ids, self.sequence = chance, ids, 0

    def next(self):
        self.sequence += 1
        return self.sequence

    def an_id(self):
        """One that was given, one that nobody gave, or a text of any length."""
        draw, place = self.chance.random(), self.chance.random()
        if draw < 0.6:
            return self.ids[int(place * len(self.ids))] if self.ids else b"7"
        if draw < 0.85:
            return str(self.chance.choice((0, 1, 7, self.chance.randrange(10_000)))).encode()
        return filled(self.chance)

    def message(self, command, source, destination, *, esm=0, registered=0, words=b"", tlvs=()):
        scheduled, valid, coding = map(self.chance.choice, (TIMES[:5], TIMES, (0, 0, 0, 1, 4, 8)))
        return Draft(command, self.next(), (
            text(""), number(1), number(1), text(source), number(1), number(1), text(destination),
            number(esm), number(0), number(0), text(scheduled), text(valid), number(registered),
            number(0), number(coding), number(0), (SHORT, words)), tlvs)

    def data(self, source, destination, *, esm=0, registered=0, tlvs=()):
        return Draft(DATA_SM, self.next(), (
            text(""), number(1), number(1), text(source), number(1), number(1), text(destination),
            number(esm), number(registered), number(0)), tlvs)

    def bare(self):
        """Requests without a body, and answers to nothing."""
        command = self.chance.choice((ENQUIRE_LINK, ENQUIRE_LINK, ENQUIRE_LINK | RESPONSE,
                                      GENERIC_NACK, SUBMIT_SM | RESPONSE, DELIVER_SM | RESPONSE,
                                      DATA_SM | RESPONSE, UNBIND | RESPONSE,
                                      BIND_TRANSCEIVER | RESPONSE, OUTBIND, ALERT_NOTIFICATION))
        parts = () if self.chance.random() < 0.5 else (text(self.an_id()),)
        return Draft(command, self.next(), parts)


class ClientSide(Role):
    def __init__(self, chance, ids, accounts):
        super().__init__(chance, ids)
        self.accounts = accounts

    def bind(self):
        name, password = self.chance.choice(self.accounts)
        command = self.chance.choice((BIND_TRANSCEIVER, BIND_TRANSCEIVER, BIND_TRANSCEIVER,
                                      BIND_TRANSMITTER, BIND_RECEIVER))
        version = self.chance.choice((0x34, 0x34, 0x34, 0x50, 0x33))
        return Draft(command, self.next(), (text(name), text(password), text(""), number(version),
                                            number(0), number(0), text("")))

    def whom(self):
        return f"4479{self.chance.randrange(10**8):08}"

    def submit(self):
        chance, tlvs = self.chance, []
        words = b"a text of theirs"
        if chance.random() < 0.1:
            words = b""
            payload = filled(chance)
            tlvs.append((MESSAGE_PAYLOAD, len(payload), payload))
        esm = chance.choice((0, 0, 0, 0, 0x40, 4, 1, 2, 3))
        if esm == 0x40:
            words = chance.choice((b"\5\0\3\1\2\1", b"\6\x08\4\0\1\2\1", b"\xff", b"")) + words
        return self.message(SUBMIT_SM, chance.choice(("777", "Shop", "12345678901")), self.whom(),
                            esm=esm, registered=chance.choice((0, 1, 1, 2, 17)), words=words,
                            tlvs=tlvs)

    def submit_multi(self):
        count = self.chance.choice((1, 2, 3, 254, 255, 0))
        said = self.chance.choice((count, count, count, 255, 0))
        entries = b"".join(b"\1\1\1" + self.whom().encode() + b"\0" for _ in range(count))
        whole = self.submit()
        whole.command = SUBMIT_MULTI
        whole.parts[4:7] = [(RAW, bytes((said,)) + entries)]
        return whole

    def about(self):
        """query_sm, cancel_sm, replace_sm."""
        command = self.chance.choice((QUERY_SM, CANCEL_SM, REPLACE_SM))
        source = (number(1), number(1), text("777"))
        parts = (text(self.an_id()), *source)
        if command == CANCEL_SM:
            parts = (text(""), *parts, number(1), number(1), text(self.whom()))
        elif command == REPLACE_SM:
            parts = (*parts, text(""), text(""), number(1), number(0), (SHORT, b"new words"))
        return Draft(command, self.next(), parts)

    def draft(self):
        draw = self.chance.random()
        if draw < 0.5:
            return self.submit()
        if draw < 0.58:
            return self.data("777", self.whom(), registered=1,
                             tlvs=[(MESSAGE_PAYLOAD, 5, b"hello")])
        if draw < 0.61:
            return self.submit_multi()
        if draw < 0.75:
            return self.about()
        if draw < 0.80:
            return self.message(DELIVER_SM, "777", self.whom(), esm=4, words=b"id:1 stat:DELIVRD")
        if draw < 0.83:
            return self.bind()
        return self.bare()

    def answer(self, command, sequence):
        """To what the gateway asked; None: silence."""
        draw = self.chance.random()
        if draw < 0.1:
            return None
        draft = Draft(command | RESPONSE, sequence,
                      () if command in (ENQUIRE_LINK, UNBIND) else (text(""),))
        if draw < 0.2:
            draft.status = self.chance.choice(STATUSES)
        return mutate(draft, self.chance, 0) if draw > 0.85 else draft


class CarrierSide(Role):
    def receipt_words(self, message_id):
        chance = self.chance
        words = [b"id:" + message_id, b"sub:001", b"dlvrd:001", b"submit date:2611201000",
                 b"done date:2611201001", b"stat:" + chance.choice(STATE_WORDS).encode(),
                 b"err:" + chance.choice((b"000", b"021", b"", b"xyz")), b"text:what was said"]
        draw = chance.random()
        if draw < 0.15:
            at = chance.randrange(len(words))
            words[at] = words[at].split(b":")[0] + b":" + filled(chance)
        elif draw < 0.2:
            chance.shuffle(words)
        elif draw < 0.25:
            words.pop(chance.randrange(len(words)))
        elif draw < 0.28:
            words = [word.upper() for word in words]
        whole = b" ".join(words)
        return whole.decode("latin-1").encode("utf-16-be") if chance.random() < 0.05 else whole

    def receipt(self):
        chance, tlvs = self.chance, []
        message_id = self.an_id()
        words = self.receipt_words(message_id)
        draw = chance.random()
        if draw < 0.3:
            tlvs.append((RECEIPTED_MESSAGE_ID, len(message_id) + 1, message_id + b"\0"))
        elif draw < 0.6:
            other = filled(chance) + chance.choice((b"\0", b"\0", b""))
            tlvs.append((RECEIPTED_MESSAGE_ID, len(other), other))
        if chance.random() < 0.5:
            tlvs.append((MESSAGE_STATE, 1, bytes((chance.choice((1, 2, 2, 3, 5, 6, 7, 8, 99)),))))
        if chance.random() < 0.1:
            tlvs.append((NETWORK_ERROR, 3, b"\3\0\x15"))
        if len(words) > 255 or chance.random() < 0.1:
            tlvs.append((MESSAGE_PAYLOAD, len(words), words))
            words = b""
        esm = chance.choice((4, 4, 4, 4, 8, 0x20, 0x24, 0, 0x44))
        if chance.random() < 0.1:
            tlvs.append((MESSAGE_PAYLOAD, len(words), words))
            return self.data("447900000001", "777", esm=esm, tlvs=tlvs)
        return self.message(DELIVER_SM, "447900000001", "777", esm=esm, words=words, tlvs=tlvs)

    def draft(self):
        draw = self.chance.random()
        if draw < 0.7:
            return self.receipt()
        if draw < 0.75:
            return self.message(DELIVER_SM, "447900000001", "777", words=b"an answer of theirs")
        if draw < 0.8:
            return self.message(SUBMIT_SM, "777", "447900000001", words=b"wrong direction")
        if draw < 0.83:
            return Draft(BIND_TRANSCEIVER, self.next(), (text("x"), text("y"), text(""),
                                                         number(0x34), number(0), number(0),
                                                         text("")))
        return self.bare()

    def fresh_id(self):
        draw = self.chance.random()
        if draw < 0.7:
            return str(self.chance.randrange(10**10)).encode()
        return self.an_id() if draw < 0.85 else filled(self.chance, self.chance.choice(EDGES[:28]))

    def answer(self, command, sequence):
        """Drafts that answer what the gateway asked; none: silence."""
        chance, draw = self.chance, self.chance.random()
        if command != SUBMIT_SM:
            draft = Draft(command | RESPONSE, sequence)
            if command in (BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER):
                draft.parts = [text("rogue")]
                draft.tlvs = [(0x210, 1, b"\x34")] if chance.random() < 0.5 else []
                return [mutate(draft, chance, 0.05)] if draw < 0.15 else [draft]
            return [] if draw < 0.1 else [mutate(draft, chance, 0)] if draw > 0.8 else [draft]
        if draw < 0.02:
            return []
        if draw < 0.05:
            return [Draft(GENERIC_NACK, sequence, status=chance.choice(STATUSES))]
        given = self.fresh_id()
        self.ids.append(given)
        draft = Draft(SUBMIT_SM | RESPONSE, sequence, (text(given),))
        if draw < 0.15:
            draft.status = chance.choice(STATUSES)
        if draw < 0.3:
            mutate(draft, chance, 0)
        return [draft] * chance.choice((1, 1, 1, 1, 1, 1, 1, 2, 6))
