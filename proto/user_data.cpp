// The half of proto/text.h about the user data header, concatenation and segment limits.
#include <algorithm>

#include "proto/text.h"
#include "proto/tlv.h"

namespace tollgate::proto {
namespace {

constexpr std::uint8_t kConcatenation8 = 0x00;
constexpr std::uint8_t kPorts8 = 0x04;
constexpr std::uint8_t kPorts16 = 0x05;
constexpr std::uint8_t kConcatenation16 = 0x08;

std::optional<Concatenation> sensible(const Concatenation& c) {
  if (c.total == 0 || c.sequence == 0 || c.sequence > c.total) return std::nullopt;
  return c;
}

}  // namespace

UserData split_user_data(std::uint8_t esm_class, Octets message) {
  if ((esm_class & kEsmUdhi) == 0) return {{}, message, false};
  if (message.empty() || message.size() - 1 < message[0]) return {{}, message, true};
  const std::size_t length = message[0];
  return {message.subspan(1, length), message.subspan(1 + length), false};
}

Octets message_octets(Octets short_message, Octets tlvs) {
  if (!short_message.empty()) return short_message;
  return find(tlvs, Tag::message_payload).value_or(Octets{});
}

bool take(Octets& rest, InformationElement& out) {
  if (rest.size() < 2 || rest.size() - 2 < rest[1]) return false;
  out = {rest[0], rest.subspan(2, rest[1])};
  rest = rest.subspan(2 + out.value.size());
  return true;
}

std::optional<Concatenation> udh_concatenation(Octets header) {
  InformationElement element;
  while (take(header, element)) {
    const Octets v = element.value;
    if (element.identifier == kConcatenation8 && v.size() == 3) {
      return sensible({v[0], v[1], v[2], false});
    }
    if (element.identifier == kConcatenation16 && v.size() == 4) {
      return sensible({load_u16(v.data()), v[2], v[3], true});
    }
  }
  return std::nullopt;
}

std::optional<Concatenation> sar_concatenation(Octets tlvs) {
  const auto reference = find_u16(tlvs, Tag::sar_msg_ref_num);
  const auto total = find_u8(tlvs, Tag::sar_total_segments);
  const auto sequence = find_u8(tlvs, Tag::sar_segment_seqnum);
  if (!reference || !total || !sequence) return std::nullopt;
  return sensible({*reference, *total, *sequence, true});
}

std::optional<Concatenation> concatenation_of(std::uint8_t esm_class, Octets message, Octets tlvs) {
  const auto found = udh_concatenation(split_user_data(esm_class, message).header);
  return found ? found : sar_concatenation(tlvs);
}

std::size_t write_udh(const Concatenation& concatenation, Out out) {
  const std::size_t length = concatenation.wide ? 7 : 6;
  if (out.size() < length) return 0;
  out[0] = static_cast<std::uint8_t>(length - 1);
  out[1] = concatenation.wide ? kConcatenation16 : kConcatenation8;
  out[2] = static_cast<std::uint8_t>(length - 3);
  if (concatenation.wide) {
    store_u16(&out[3], concatenation.reference);
  } else {
    out[3] = static_cast<std::uint8_t>(concatenation.reference);
  }
  out[length - 2] = concatenation.total;
  out[length - 1] = concatenation.sequence;
  return length;
}

std::size_t append_sar(Out out, std::size_t at, const Concatenation& concatenation) {
  at = append_tlv_u16(out, at, Tag::sar_msg_ref_num, concatenation.reference);
  if (at != 0) at = append_tlv_u8(out, at, Tag::sar_total_segments, concatenation.total);
  if (at != 0) at = append_tlv_u8(out, at, Tag::sar_segment_seqnum, concatenation.sequence);
  return at;
}

std::optional<Ports> udh_ports(Octets header) {
  InformationElement element;
  while (take(header, element)) {
    const Octets v = element.value;
    if (element.identifier == kPorts16 && v.size() == 4) {
      return Ports{load_u16(v.data()), load_u16(v.data() + 2)};
    }
    if (element.identifier == kPorts8 && v.size() == 2) return Ports{v[0], v[1]};
  }
  return std::nullopt;
}

std::size_t segment_octets(Alphabet alphabet, Segmentation segmentation) {
  const auto pick = [&](std::size_t single, std::size_t segment, std::size_t wide) {
    if (segmentation == Segmentation::single) return single;
    return segmentation == Segmentation::segment ? segment : wide;
  };
  switch (alphabet) {
    case Alphabet::gsm7:
    case Alphabet::ascii:
      return pick(kGsm7Max, kGsm7SegmentMax, kGsm7SegmentMaxWide);
    case Alphabet::ucs2:
      return 2 * pick(kUcs2Max, kUcs2SegmentMax, kUcs2SegmentMaxWide);
    default:
      return pick(kUserDataMax, kOctetsSegmentMax, kOctetsSegmentMaxWide);
  }
}

std::size_t segment_end(Alphabet alphabet, Octets text, std::size_t from, std::size_t octets_max) {
  if (text.size() - from <= octets_max) return text.size();
  std::size_t end = from + octets_max;
  if (alphabet == Alphabet::gsm7) {
    // An odd run of ESC before the cut means that the last one opens a pair.
    std::size_t escapes = 0;
    while (end - escapes > from && text[end - escapes - 1] == 0x1B) ++escapes;
    if (escapes % 2 == 1) --end;
  } else if (alphabet == Alphabet::ucs2) {
    end -= (end - from) % 2;
    if (end - from > 2 && (text[end - 2] & 0xFC) == 0xD8) end -= 2;
  }
  return end > from ? end : from + octets_max;  // a limit below one character: cut all the same
}

unsigned segments_needed(Alphabet alphabet, Octets text, Segmentation when_split) {
  if (text.size() <= segment_octets(alphabet, Segmentation::single)) return 1;
  const std::size_t octets_max = segment_octets(alphabet, when_split);
  unsigned segments = 0;
  for (std::size_t at = 0; at < text.size() && segments <= kSegmentsMax; ++segments) {
    at = segment_end(alphabet, text, at, octets_max);
  }
  return segments;
}

}  // namespace tollgate::proto
