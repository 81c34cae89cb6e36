"""A small SMPP codec of the tests' own, written from the specification, not from proto/.

It encodes what it is told, also what is wrong (over-long strings, any TLV), and decodes strictly:
a frame of ours that does not follow the specification raises Malformed.
"""
import struct

# name: (command_id, fields). c<N> = C-octet string of at most N octets with its NUL, 1/4 = integer,
# m = sm_length and short_message.
_BIND = ("system_id:c16 password:c9 system_type:c13 interface_version:1 addr_ton:1 addr_npi:1 "
         "address_range:c41")
_SM = ("service_type:c6 source_addr_ton:1 source_addr_npi:1 source_addr:c21 dest_addr_ton:1 "
       "dest_addr_npi:1 destination_addr:c21 esm_class:1 protocol_id:1 priority_flag:1 "
       "schedule_delivery_time:c17 validity_period:c17 registered_delivery:1 "
       "replace_if_present_flag:1 data_coding:1 sm_default_msg_id:1 short_message:m")
_SOURCE = "source_addr_ton:1 source_addr_npi:1 source_addr:c"
_DESTINATION = "dest_addr_ton:1 dest_addr_npi:1 destination_addr:c"
_REQUESTS = {
    "bind_receiver": (0x01, _BIND, "system_id:c16"),
    "bind_transmitter": (0x02, _BIND, "system_id:c16"),
    "query_sm": (0x03, f"message_id:c65 {_SOURCE}21",
                 "message_id:c65 final_date:c17 message_state:1 error_code:1"),
    "submit_sm": (0x04, _SM, "message_id:c65"),
    "deliver_sm": (0x05, _SM, "message_id:c65"),
    "unbind": (0x06, "", ""),
    "replace_sm": (0x07, f"message_id:c65 {_SOURCE}21 schedule_delivery_time:c17 "
                   "validity_period:c17 registered_delivery:1 sm_default_msg_id:1 "
                   "short_message:m", ""),
    "cancel_sm": (0x08, f"service_type:c6 message_id:c65 {_SOURCE}21 {_DESTINATION}21", ""),
    "bind_transceiver": (0x09, _BIND, "system_id:c16"),
    "outbind": (0x0B, "system_id:c16 password:c9", None),
    "enquire_link": (0x15, "", ""),
    "submit_multi": (0x21, _SM.replace("dest_addr_ton:1 dest_addr_npi:1 destination_addr:c21",
                                       "destinations:d"), "message_id:c65 unsuccess:u"),
    "alert_notification": (0x102, f"{_SOURCE}65 esme_addr_ton:1 esme_addr_npi:1 esme_addr:c65",
                           None),
    "data_sm": (0x103, f"service_type:c6 {_SOURCE}65 {_DESTINATION}65 esm_class:1 "
                "registered_delivery:1 data_coding:1", "message_id:c65"),
    "broadcast_sm": (0x111, f"service_type:c6 {_SOURCE}21 message_id:c65 priority_flag:1 "
                     "schedule_delivery_time:c17 validity_period:c17 replace_if_present_flag:1 "
                     "data_coding:1 sm_default_msg_id:1", "message_id:c65"),
    "query_broadcast_sm": (0x112, f"message_id:c65 {_SOURCE}21", "message_id:c65"),
    "cancel_broadcast_sm": (0x113, f"service_type:c6 message_id:c65 {_SOURCE}21", ""),
}
RESPONSE = 0x80000000
PDUS = {"generic_nack": (RESPONSE, [])}
for _name, (_id, _request, _response) in _REQUESTS.items():
    PDUS[_name] = (_id, [f.split(":") for f in _request.split()])
    if _response is not None:
        PDUS[_name + "_resp"] = (_id | RESPONSE, [f.split(":") for f in _response.split()])
NAMES = {command: name for name, (command, _) in PDUS.items()}

# name: (tag, form); form c = C-octet string, o = octets, 1/2/4 = integer
TLVS = {
    "receipted_message_id": (0x001E, "c"), "additional_status_info_text": (0x001D, "c"),
    "source_subaddress": (0x0202, "o"), "user_message_reference": (0x0204, "2"),
    "source_port": (0x020A, "2"), "destination_port": (0x020B, "2"),
    "sar_msg_ref_num": (0x020C, "2"), "sar_total_segments": (0x020E, "1"),
    "sar_segment_seqnum": (0x020F, "1"), "sc_interface_version": (0x0210, "1"),
    "callback_num": (0x0381, "o"), "network_error_code": (0x0423, "o"),
    "message_payload": (0x0424, "o"), "delivery_failure_reason": (0x0425, "1"),
    "more_messages_to_send": (0x0426, "1"), "message_state": (0x0427, "1"),
    "congestion_state": (0x0428, "1"), "privacy_indicator": (0x0201, "1"),
}
TAGS = {tag: (name, form) for name, (tag, form) in TLVS.items()}

STATUS = {
    "ESME_ROK": 0x00, "ESME_RINVMSGLEN": 0x01, "ESME_RINVCMDLEN": 0x02, "ESME_RINVCMDID": 0x03,
    "ESME_RINVBNDSTS": 0x04, "ESME_RALYBND": 0x05, "ESME_RINVPRTFLG": 0x06,
    "ESME_RINVREGDLVFLG": 0x07, "ESME_RSYSERR": 0x08, "ESME_RINVSRCADR": 0x0A,
    "ESME_RINVDSTADR": 0x0B, "ESME_RINVMSGID": 0x0C, "ESME_RBINDFAIL": 0x0D,
    "ESME_RINVPASWD": 0x0E, "ESME_RINVSYSID": 0x0F, "ESME_RCANCELFAIL": 0x11,
    "ESME_RREPLACEFAIL": 0x13, "ESME_RMSGQFUL": 0x14, "ESME_RINVSERTYP": 0x15,
    "ESME_RINVNUMDESTS": 0x33, "ESME_RINVDLNAME": 0x34, "ESME_RINVDESTFLAG": 0x40,
    "ESME_RINVSUBREP": 0x42, "ESME_RINVESMCLASS": 0x43, "ESME_RCNTSUBDL": 0x44,
    "ESME_RSUBMITFAIL": 0x45, "ESME_RINVSRCTON": 0x48, "ESME_RINVDSTTON": 0x50,
    "ESME_RINVSYSTYP": 0x53, "ESME_RINVREPFLAG": 0x54, "ESME_RTHROTTLED": 0x58,
    "ESME_RINVSCHED": 0x61, "ESME_RINVEXPIRY": 0x62, "ESME_RINVDFTMSGID": 0x63,
    "ESME_RX_T_APPN": 0x64, "ESME_RX_P_APPN": 0x65, "ESME_RX_R_APPN": 0x66,
    "ESME_RQUERYFAIL": 0x67, "ESME_RINVTLVSTREAM": 0xC0, "ESME_RTLVNOTALLWD": 0xC1,
    "ESME_RINVTLVLEN": 0xC2, "ESME_RMISSINGTLV": 0xC3, "ESME_RINVTLVVAL": 0xC4,
    "ESME_RDELIVERYFAILURE": 0xFE, "ESME_RUNKNOWNERR": 0xFF, "ESME_RPROHIBITED": 0x101,
    "ESME_RINVDCS": 0x104,
}
STATUS_NAMES = {number: name for name, number in STATUS.items()}


class Malformed(Exception):
    """A frame that does not follow the specification, or breaks off inside a field."""


def octets(value):
    return value if isinstance(value, bytes) else str(value).encode("latin-1")


def destination_list(value):
    """'447900000001,447900000002' as the dest_address structures of submit_multi."""
    numbers = [n for n in octets(value).decode().split(",") if n]
    entries = (b"\x01\x01\x01" + n.encode() + b"\0" for n in numbers)
    return bytes([len(numbers)]) + b"".join(entries)


def encode_field(form, value):
    if form[0] == "c":
        return octets(value) + b"\0"
    if form == "m":
        return bytes([len(octets(value)) & 0xFF]) + octets(value)
    if form == "d":
        return destination_list(value)
    if form == "u":
        return b"\0"
    return int(value or 0).to_bytes(int(form), "big")


def encode_tlv(name, value):
    tag, form = TLVS[name] if name in TLVS else (int(name, 0), "o")
    if isinstance(value, bytes):
        data = value
    elif form == "c":
        data = octets(value) + b"\0"
    elif form == "o":
        data = octets(value)
    else:
        data = int(str(value), 0).to_bytes(int(form), "big")
    return struct.pack(">HH", tag, len(data)) + data


def encode(name, fields, tlvs=(), status=0, sequence=0, length=None, body=None):
    """A whole PDU. Fields that are not given are empty or 0; `length` overrides command_length.

    A response with a status and no field given has no body, as the specification asks.
    """
    command, spec = PDUS[name]
    if body is None:
        body = b""
        if not (command & RESPONSE and status and not fields):
            body = b"".join(encode_field(form, fields.get(field, "")) for field, form in spec)
        body += b"".join(encode_tlv(tlv, value) for tlv, value in tlvs)
    length = 16 + len(body) if length is None else length
    return struct.pack(">IIII", length, command, status, sequence) + body


def take_cstring(body, at, limit, field):
    end = body.find(b"\0", at)
    if end < 0:
        raise Malformed(f"{field} has no NUL")
    if end + 1 - at > limit:
        raise Malformed(f"{field} has {end + 1 - at} octets, at most {limit}")
    return body[at:end].decode("latin-1"), end + 1


def take_unsuccessful(body, at):
    count, at, found = body[at], at + 1, []
    for _ in range(count):
        number, at = take_cstring(body, at + 2, 21, "unsuccess_sme")
        found.append(f"{number}:{int.from_bytes(body[at:at + 4], 'big')}")
        at += 4
    return ",".join(found), at


def take_field(form, field, body, at):
    if form[0] == "c":
        return take_cstring(body, at, int(form[1:]), field)
    if at >= len(body):
        raise Malformed(f"{field} is missing")
    if form == "m":
        end = at + 1 + body[at]
        if end > len(body):
            raise Malformed("short_message runs past the PDU")
        return body[at + 1:end], end
    if form == "u":
        return take_unsuccessful(body, at)
    if form == "d":
        raise Malformed("only clients send submit_multi")
    return int.from_bytes(body[at:at + int(form)], "big"), at + int(form)


def take_tlvs(body, at):
    found = {}
    while at < len(body):
        if at + 4 > len(body):
            raise Malformed("TLV header cut off")
        tag, length = struct.unpack_from(">HH", body, at)
        value = body[at + 4:at + 4 + length]
        if len(value) != length:
            raise Malformed(f"TLV {tag:#06x} runs past the PDU")
        name, form = TAGS.get(tag, (f"{tag:#06x}", "o"))
        if form == "c":
            if not value.endswith(b"\0"):
                raise Malformed(f"TLV {name} has no NUL")
            value = value[:-1].decode("latin-1")
        elif form != "o":
            if length != int(form):
                raise Malformed(f"TLV {name} has {length} octets")
            value = int.from_bytes(value, "big")
        found[name] = value
        at += 4 + length
    return found


class Pdu:
    """One decoded PDU: name, status, sequence, fields and tlvs by the specification's names."""

    def __init__(self, frame):
        length, command, self.status, self.sequence = struct.unpack_from(">IIII", frame)
        if command not in NAMES:
            raise Malformed(f"command_id {command:#010x}")
        self.name, self.fields, self.tlvs = NAMES[command], {}, {}
        self.body, self.is_response = frame[16:length], bool(command & RESPONSE)
        if self.is_response and self.status and not self.body:
            return
        at = 0
        for field, form in PDUS[self.name][1]:
            self.fields[field], at = take_field(form, field, self.body, at)
        self.tlvs = take_tlvs(self.body, at)

    def __str__(self):
        status = STATUS_NAMES.get(self.status, f"{self.status:#x}")
        words = [self.name, f"status={status}", f"seq={self.sequence}"]
        words += [f"{k}={v!r}" for k, v in self.fields.items() if v not in ("", 0, b"")]
        words += [f"tlv.{k}={v!r}" for k, v in self.tlvs.items()]
        return " ".join(words)
