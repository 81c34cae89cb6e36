// TLV blocks, user data headers and texts on arbitrary octets. The first octet is an esm_class, the
// rest serves as TLV block, as message and as text in turn.
//
// What must hold: the walk stays inside the block and its parts add up; a block rebuilt from its
// TLVs is the same block; headers and texts never read or write outside; a text that was read as
// UTF-8 can be written as UCS-2; segments cover a text exactly.
#include <cstdlib>
#include <vector>

#include "proto/text.h"
#include "proto/tlv.h"
#include "tests/fuzz/input.h"

using namespace tollgate::proto;
using tollgate::fuzz::must;

namespace {

void walk_tlvs(Octets block) {
  std::vector<std::uint8_t> rebuilt(block.size() + 1);
  std::size_t length = 0;
  for (Tlv tlv : Tlvs(block)) {
    const std::size_t next = append_tlv(rebuilt, length, tlv.tag, tlv.value);
    must(next == length + kTlvHeaderLength + tlv.value.size());
    length = next;
    must(find(block, tlv.tag).has_value());
  }
  must(length == good_length(block) && length <= block.size());
  must(same_octets(Octets(rebuilt).first(length), block.first(length)));
  (void)find_text(block, Tag::receipted_message_id);
  (void)find_u16(block, Tag::sar_msg_ref_num);
  (void)sar_concatenation(block);
}

void walk_message(std::uint8_t esm_class, Octets message) {
  const UserData data = split_user_data(esm_class, message);
  if (data.malformed || (esm_class & kEsmUdhi) == 0) {
    must(data.text.size() == message.size() && data.header.empty());
  } else {
    must(data.header.size() + data.text.size() + 1 == message.size());
  }
  if (const auto c = udh_concatenation(data.header)) {
    std::uint8_t out[8];
    const std::size_t length = write_udh(*c, out);
    must(concatenation_of(kEsmUdhi, Octets(out).first(length), {}) == c);
  }
  (void)udh_ports(data.header);
}

void walk_text(Alphabet alphabet, Octets text) {
  std::vector<char> utf8(text.size() * 3 + 4);
  if (const auto length = text_to_utf8(alphabet, text, utf8)) {
    std::vector<std::uint8_t> ucs2(*length * 2 + 2);
    must(utf8_to_ucs2({utf8.data(), *length}, ucs2).has_value());
  }
  for (const Segmentation kind : {Segmentation::segment, Segmentation::wide_segment}) {
    const std::size_t limit = segment_octets(alphabet, kind);
    std::size_t segments = 0;
    for (std::size_t at = 0; at < text.size(); ++segments) {
      const std::size_t end = segment_end(alphabet, text, at, limit);
      must(end > at && end - at <= limit);
      at = end;
    }
    if (text.size() > segment_octets(alphabet, Segmentation::single) && segments <= kSegmentsMax) {
      must(segments_needed(alphabet, text, kind) == segments);
    }
  }
}

void pack_and_unpack(unsigned fill_bits, Octets text) {
  std::vector<std::uint8_t> packed(text.size() + 8);
  const auto length = pack_gsm7(text, fill_bits, packed);
  must(length.has_value() == (fill_bits <= 6));
  if (!length) return;
  std::vector<std::uint8_t> back(text.size());
  must(unpack_gsm7(Octets(packed).first(*length), fill_bits, text.size(), back).has_value());
  for (std::size_t i = 0; i < text.size(); ++i) must(back[i] == (text[i] & 0x7F));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Octets rest(data + 1, size - 1);
  walk_tlvs(rest);
  walk_message(data[0], rest);
  walk_message(data[0] | kEsmUdhi, rest);
  for (const Alphabet alphabet :
       {Alphabet::gsm7, Alphabet::ucs2, Alphabet::latin1, Alphabet::binary}) {
    walk_text(alphabet, rest);
  }
  pack_and_unpack(data[0] & 7, rest);
  return 0;
}
