"""A few octets of SMPP, written apart from the product's codec and from that of the other tests,
for peers that must be fast and must be able to say what no specification allows."""
import struct

GENERIC_NACK = RESPONSE = 0x80000000
BIND_RECEIVER, BIND_TRANSMITTER, QUERY_SM, SUBMIT_SM, DELIVER_SM, UNBIND = 1, 2, 3, 4, 5, 6
REPLACE_SM, CANCEL_SM, BIND_TRANSCEIVER, OUTBIND, ENQUIRE_LINK = 7, 8, 9, 0x0B, 0x15
SUBMIT_MULTI, ALERT_NOTIFICATION, DATA_SM = 0x21, 0x102, 0x103
BINDS = (BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER)
RECEIPTED_MESSAGE_ID, MESSAGE_PAYLOAD, MESSAGE_STATE, NETWORK_ERROR = 0x1E, 0x424, 0x427, 0x423
STATES = {"ENROUTE": 1, "DELIVRD": 2, "EXPIRED": 3, "DELETED": 4, "UNDELIV": 5, "ACCEPTD": 6,
          "UNKNOWN": 7, "REJECTD": 8}
HEADER = struct.Struct(">IIII")
FRAME_MAX = 70_000  # we never say more


def pdu(command, sequence, body=b"", status=0):
    return HEADER.pack(16 + len(body), command, status, sequence) + body


def tlv(tag, value):
    return struct.pack(">HH", tag, len(value)) + value


def bind_body(system_id, password, version=0x34):
    return (system_id.encode() + b"\0" + password.encode() + b"\0" + b"\0" +
            bytes([version, 0, 0]) + b"\0")


def message_body(source, destination, text, esm_class=0, registered=0, tlvs=b""):
    """That of submit_sm and of deliver_sm."""
    return (b"\0\1\1" + source.encode() + b"\0\1\1" + destination.encode() + b"\0" +
            bytes([esm_class, 0, 0]) + b"\0\0" + bytes([registered, 0, 0, 0, len(text)]) + text +
            tlvs)


def read_message(body):
    """(source, destination, esm_class, registered_delivery, text, where its TLVs begin)"""
    at = body.index(b"\0") + 3
    end = body.index(b"\0", at)
    source, at = body[at:end].decode("latin-1"), end + 3
    end = body.index(b"\0", at)
    destination, at = body[at:end].decode("latin-1"), end + 1
    esm_class = body[at]
    at = body.index(b"\0", body.index(b"\0", at + 3) + 1) + 1
    registered, size = body[at], body[at + 4]
    text = body[at + 5:at + 5 + size]
    if len(text) != size:
        raise ValueError("short_message runs past the PDU")
    return source, destination, esm_class, registered, text, at + 5 + size


def read_tlvs(body, at):
    found = {}
    while at < len(body):
        tag, size = struct.unpack_from(">HH", body, at)
        found[tag] = body[at + 4:at + 4 + size]
        at += 4 + size
    if at != len(body):
        raise ValueError("TLV runs past the PDU")
    return found


def receipt_text(message_id, state, error="000", quote=""):
    return (f"id:{message_id} sub:001 dlvrd:{int(state == 'DELIVRD'):03} submit date:2611201000 "
            f"done date:2611201001 stat:{state} err:{error} text:{quote}").encode()


class Frames:
    """Cuts a stream into (command, status, sequence, body). A length that no honest peer says is
    a ValueError."""

    def __init__(self):
        self.buffer = b""

    def feed(self, data):
        buffer, at = self.buffer + data, 0
        while len(buffer) - at >= 16:
            size, command, status, sequence = HEADER.unpack_from(buffer, at)
            if not 16 <= size <= FRAME_MAX:
                raise ValueError(f"command_length {size}")
            if len(buffer) - at < size:
                break
            yield command, status, sequence, buffer[at + 16:at + size]
            at += size
        self.buffer = buffer[at:]
