// A PDU printed as JSON with the specification's field names: what `tollgate pdu HEX...` shows.
//
// Thread: any. Allocates; not for the hot path.
// 1. The output is ASCII and valid JSON whatever the octets: an octet above 0x7F in a C-octet
//    string is printed as the Latin-1 character, short_message and unknown TLVs as hexadecimal,
//    with the decoded text beside it where the alphabet is known.
// 2. One PDU prints as an object, several glued ones as an array. If one of a sequence is refused,
//    nothing is printed, and the error says which, where and why.
// 3. What the lenient decoder let pass is listed under "notes".
// 4. A password is never printed, only how long it is.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/octets.h"
#include "proto/pdu.h"

namespace tollgate::proto {

struct PduJson {
  std::string json;   // empty when refused; no newline at its end
  std::string error;  // empty when well: "PDU 1, octet 42, schedule_delivery_time: ..."
  Fault fault;        // of the refused PDU; its offset counts from that PDU's start
  explicit operator bool() const { return error.empty(); }
};
PduJson pdu_to_json(Octets pdus);

struct HexOctets {
  std::vector<std::uint8_t> octets;
  std::string error;  // empty when well
  explicit operator bool() const { return error.empty(); }
};
// Hexadecimal digits; blanks, colons, commas, dashes and "0x" may stand between octets.
HexOctets parse_hex(std::string_view text);

// parse_hex and pdu_to_json of the command's arguments, which may be one PDU in pieces.
PduJson hex_to_json(const std::vector<std::string>& arguments);

}  // namespace tollgate::proto
