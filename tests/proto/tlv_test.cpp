// TLV blocks: walking, finding, building, the table of names and lengths.
#include "proto/tlv.h"

#include <catch2/catch.hpp>

#include "tests/proto/support.h"

using namespace tollgate::proto;
using namespace tollgate::proto::test;

TEST_CASE("a block is walked in order, repeats and unknown tags included") {
  const auto block = unhex("1454 0000 0204 0002 0102 0204 0002 0304 ffff 0001 09");
  std::vector<std::string> seen;
  for (Tlv tlv : Tlvs(block)) {
    seen.push_back(std::to_string(static_cast<unsigned>(tlv.tag)) + ':' +
                   std::to_string(tlv.value.size()));
  }
  CHECK(seen == std::vector<std::string>{"5204:0", "516:2", "516:2", "65535:1"});
  CHECK(good_length(block) == block.size());
  CHECK(find_u16(block, Tag::user_message_reference) == 0x0102);  // the first one
  CHECK_FALSE(find(block, Tag::message_payload));
}

TEST_CASE("every cut of a block stops at its last whole TLV") {
  const auto block = unhex("0204 0002 0102 001e 0003 616200 0427 0001 02");
  const std::size_t ends[] = {0, 6, 13, 18};
  for (std::size_t cut = 0; cut <= block.size(); ++cut) {
    const std::vector<std::uint8_t> copy(block.begin(),
                                         block.begin() + static_cast<std::ptrdiff_t>(cut));
    std::size_t expected = 0;
    for (std::size_t end : ends) {
      if (end <= cut) expected = end;
    }
    CHECK(good_length(copy) == expected);
  }
  CHECK(good_length(unhex("0204 ffff 00")) == 0);
}

TEST_CASE("values are read only at their length, texts with or without NUL") {
  const auto block = unhex("0427 0002 0102 020b 0001 05 001e 0003 616263");
  CHECK_FALSE(find_u8(block, Tag::message_state));
  CHECK_FALSE(find_u16(block, Tag::destination_port));
  CHECK(find_text(block, Tag::receipted_message_id) == "abc");
  CHECK(find_text(unhex("001e 0004 61620063"), Tag::receipted_message_id) == "ab");
  CHECK(find_text(unhex("001e 0000"), Tag::receipted_message_id) == "");
}

TEST_CASE("appending: exact fit, no room, a value too long") {
  std::uint8_t out[32];
  std::size_t length = append_tlv_u16(out, 0, Tag::source_port, 0x1234);
  length = append_tlv_u8(out, length, Tag::message_state, 2);
  length = append_tlv_text(out, length, Tag::receipted_message_id, "ab");
  REQUIRE(length == 6 + 5 + 7);
  CHECK(same_octets(Octets(out).first(length),
                    unhex("020a 0002 1234 0427 0001 02 001e 0003 616200")));
  CHECK(append_tlv_text(Out(out).first(7), 0, Tag::receipted_message_id, "ab") == 7);
  CHECK(append_tlv_text(Out(out).first(6), 0, Tag::receipted_message_id, "ab") == 0);
  CHECK(append_tlv_u8(out, 33, Tag::message_state, 2) == 0);
  CHECK(append_tlv(Out(out).first(4), 0, Tag::message_payload, {}) == 4);
  std::vector<std::uint8_t> big(70'000);
  const std::vector<std::uint8_t> value(65'536);
  CHECK(append_tlv(big, 0, Tag::message_payload, value) == 0);
  CHECK(append_tlv(big, 0, Tag::message_payload, Octets(value).first(65'535)) == 65'539);
}

TEST_CASE("names and lengths of the table") {
  CHECK(tag_name(Tag{0x0424}) == "message_payload");
  CHECK(tag_name(Tag{0x060D}) == "source_network_id");
  CHECK(tag_name(Tag{0x2B}).empty());
  CHECK(tlv_rule(Tag::network_error_code).length_min == 3);
  CHECK(tlv_rule(Tag::ms_validity).length_max == 4);
  CHECK(tlv_rule(Tag{0x1400}).length_max == 65'535);
}
