// Every bound of the protocol, in octets. C-octet string limits include the terminating NUL.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tollgate::proto {

inline constexpr std::size_t kHeaderLength = 16;
// The largest bind PDU of the specification has 98 octets; 512 leaves room for long passwords and
// TLVs and none for mischief.
inline constexpr std::uint32_t kPduLengthMaxUnbound = 512;
// Header + mandatory fields + one message_payload of 65,535 octets + other TLVs.
inline constexpr std::uint32_t kPduLengthMax = 66'560;

inline constexpr std::size_t kSystemIdMax = 16;
// The specification says 9. Longer ones are seen in the field; the decoder carries up to 64
// characters, and whoever checks the password enforces its own limit.
inline constexpr std::size_t kPasswordMax = 65;
inline constexpr std::size_t kPasswordMaxSpecified = 9;
inline constexpr std::size_t kSystemTypeMax = 13;
inline constexpr std::size_t kAddressRangeMax = 41;
inline constexpr std::size_t kServiceTypeMax = 6;
inline constexpr std::size_t kAddressMax = 21;
inline constexpr std::size_t kLongAddressMax = 65;
inline constexpr std::size_t kTimeMax = 17;
inline constexpr std::size_t kMessageIdMax = 65;
// What a session bound with an interface_version below 3.4 understands, without the NUL.
inline constexpr std::size_t kMessageIdLengthMax33 = 8;
inline constexpr std::size_t kDistributionListMax = 21;

inline constexpr std::size_t kShortMessageMax = 255;    // SMPP 5.0
inline constexpr std::size_t kShortMessageMax34 = 254;  // SMPP 3.4
inline constexpr std::size_t kMessagePayloadMax = 65'535;
inline constexpr std::size_t kDestinationsMax = 255;  // SMPP 5.0; 254 in 3.4
inline constexpr std::size_t kTlvHeaderLength = 4;
inline constexpr std::size_t kTlvValueMax = 65'535;

inline constexpr std::uint32_t kSequenceFirst = 0x0000'0001;
inline constexpr std::uint32_t kSequenceLast = 0x7FFF'FFFF;
inline constexpr std::uint32_t next_sequence(std::uint32_t sequence) {
  return sequence >= kSequenceLast ? kSequenceFirst : sequence + 1;
}

// One message or one segment of a longer one, 3GPP TS 23.040.
inline constexpr std::size_t kUserDataMax = 140;         // octets in an SMS TPDU
inline constexpr std::size_t kGsm7Max = 160;             // septets
inline constexpr std::size_t kGsm7SegmentMax = 153;      // 8-bit reference
inline constexpr std::size_t kGsm7SegmentMaxWide = 152;  // 16-bit reference
inline constexpr std::size_t kOctetsSegmentMax = 134;
inline constexpr std::size_t kOctetsSegmentMaxWide = 133;
inline constexpr std::size_t kUcs2Max = 70;  // UTF-16 units
inline constexpr std::size_t kUcs2SegmentMax = 67;
inline constexpr std::size_t kUcs2SegmentMaxWide = 66;
inline constexpr std::size_t kSegmentsMax = 255;

// What is read of any word of a receipt (id, stat, err ...); the rest is cut. A message_id is never
// that long, so an id that was cut is no message's.
inline constexpr std::size_t kReceiptWordMax = 255;
static_assert(kReceiptWordMax >= kMessageIdMax);
// A receipt's text: the longest that is built, and the scratch a UTF-16 one needs to be read.
inline constexpr std::size_t kReceiptTextMax = 255;
inline constexpr std::size_t kReceiptQuoteMax = 20;
inline constexpr std::size_t kReceiptScratch = 1'024;

}  // namespace tollgate::proto
