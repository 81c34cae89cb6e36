// Message text: alphabets, the user data header, concatenation, and what fits into one SMS.
//
// Thread: any; no allocation: every conversion writes into the caller's span.
// Specification: 3GPP TS 23.038 (alphabets), TS 23.040 section 9.2.3.24 (user data header),
// SMPP 3.4 section 5.2.19 (data_coding), 5.3.2.22-25 (sar_*).
// 1. "gsm7" octets are unpacked, one septet an octet, as SMPP carries data_coding 0 nearly
//    everywhere; pack_gsm7 and unpack_gsm7 convert from and to the radio form.
// 2. Reading is lenient (what cannot be read becomes '?' or U+FFFD), writing is not: a character
//    that the alphabet lacks gives no text at all, never a damaged one.
// 3. A user data header that runs past its message is malformed; nothing is read past the end.
// 4. A message is never cut between ESC and its character or inside a surrogate pair.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proto/limits.h"
#include "proto/octets.h"

namespace tollgate::proto {

enum class Alphabet : std::uint8_t { gsm7, ascii, latin1, ucs2, binary, other };

// data_coding 0 is gsm7 here; a carrier whose default alphabet differs says so in its dialect.
Alphabet alphabet_of(std::uint8_t data_coding);
std::string_view alphabet_name(Alphabet alphabet);

// Conversions return octets written, no value when `out` is too small or (when writing) the text
// has a character that the target lacks or is not valid UTF-8.
std::optional<std::size_t> gsm7_to_utf8(Octets septets, std::span<char> out);
std::optional<std::size_t> utf8_to_gsm7(std::string_view utf8, Out out);
std::optional<std::size_t> ucs2_to_utf8(Octets big_endian, std::span<char> out);
std::optional<std::size_t> utf8_to_ucs2(std::string_view utf8, Out out);
std::optional<std::size_t> latin1_to_utf8(Octets octets, std::span<char> out);
// By alphabet; no value also for binary and other.
std::optional<std::size_t> text_to_utf8(Alphabet alphabet, Octets octets, std::span<char> out);

// 8 septets in 7 octets. `fill_bits` 0-6 leave room behind a user data header; seven spare bits
// at the end are filled with CR, as TS 23.038 section 6.1.2.3.1 says.
std::optional<std::size_t> pack_gsm7(Octets septets, unsigned fill_bits, Out out);
// `count` septets; no value when `packed` or `out` is too short.
std::optional<std::size_t> unpack_gsm7(Octets packed, unsigned fill_bits, std::size_t count,
                                       Out out);

inline constexpr std::uint8_t kEsmUdhi = 0x40;
inline constexpr std::uint8_t kEsmReplyPath = 0x80;
inline constexpr std::uint8_t kEsmTypeMask = 0x3C;
inline constexpr std::uint8_t kEsmReceipt = 0x04;
inline constexpr std::uint8_t kEsmIntermediate = 0x20;

// A message cut into its user data header (without the UDHL octet) and its text.
struct UserData {
  Octets header;
  Octets text;
  bool malformed = false;  // UDHI is set but the header runs past the message; text is all of it
};
UserData split_user_data(std::uint8_t esm_class, Octets message);
// short_message, or the TLV message_payload when short_message is empty.
Octets message_octets(Octets short_message, Octets tlvs);

// One information element of a user data header.
struct InformationElement {
  std::uint8_t identifier = 0;
  Octets value;
};
// Takes the next one from the front of `rest`; false at the end or at one that is cut.
bool take(Octets& rest, InformationElement& out);

// One segment's place in a longer message.
struct Concatenation {
  std::uint16_t reference = 0;
  std::uint8_t total = 0;
  std::uint8_t sequence = 0;  // 1 to total
  bool wide = false;          // 16-bit reference
  bool operator==(const Concatenation&) const = default;
};
// From a header's IEI 00 or 08, or from the three sar_* TLVs; no value when absent or senseless
// (total 0, sequence 0 or above total).
std::optional<Concatenation> udh_concatenation(Octets header);
std::optional<Concatenation> sar_concatenation(Octets tlvs);
// Of a whole message: its header first, then its TLVs.
std::optional<Concatenation> concatenation_of(std::uint8_t esm_class, Octets message, Octets tlvs);

// The complete header with UDHL (6 or 7 octets); 0 when it does not fit.
std::size_t write_udh(const Concatenation& concatenation, Out out);
// The three sar_* TLVs behind `at`; the new length, 0 when they do not fit.
std::size_t append_sar(Out out, std::size_t at, const Concatenation& concatenation);

struct Ports {
  std::uint16_t destination = 0;
  std::uint16_t source = 0;
  bool operator==(const Ports&) const = default;
};
// IEI 05 (16 bit) or 04 (8 bit).
std::optional<Ports> udh_ports(Octets header);

enum class Segmentation : std::uint8_t { single, segment, wide_segment };
// How many octets of that alphabet's SMPP form go into one SMS: gsm7 160/153/152, ucs2
// 140/134/132, everything else 140/134/133.
std::size_t segment_octets(Alphabet alphabet, Segmentation segmentation);
// Where the segment that starts at `from` ends, at most `octets_max` further, by invariant 4.
std::size_t segment_end(Alphabet alphabet, Octets text, std::size_t from, std::size_t octets_max);
// 1 for what fits one SMS; kSegmentsMax + 1 when it needs more than can be numbered.
unsigned segments_needed(Alphabet alphabet, Octets text, Segmentation when_split);

}  // namespace tollgate::proto
