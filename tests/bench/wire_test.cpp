#include "bench/peers/wire.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace tollgate::bench;

namespace {
// A submit_sm written by hand from the specification's table, not by our writer.
const std::string body(
    "\0\1\1"
    "447700\0\1\1"
    "49170\0\4\0\0\0\0\1\0\10\0\5hello\0\x1e\0\3"
    "ab\0",
    40);

Frame frame_of(const std::string& octets, std::vector<std::uint8_t>& whole) {
  whole.assign(header_size, 0);
  whole.insert(whole.end(), octets.begin(), octets.end());
  put_header(whole.data(), {static_cast<std::uint32_t>(whole.size()), submit_sm, 0, 0x01020304});
  return read_frame(whole.data());
}
}  // namespace

TEST_CASE("a message's fields are read from their places") {
  std::vector<std::uint8_t> whole;
  const Frame frame = frame_of(body, whole);
  CHECK(frame.header.command == submit_sm);
  CHECK(frame.header.sequence == 0x01020304);
  CHECK(whole[3] == 16 + 40);
  Message m;
  REQUIRE(read_message(frame, m));
  CHECK(m.source == "447700");
  CHECK(m.destination == "49170");
  CHECK(m.esm_class == 4);
  CHECK(m.registered_delivery == 1);
  CHECK(m.data_coding == 8);
  CHECK(m.text == "hello");
  CHECK(find_tlv(m.tlvs, receipted_message_id) == std::string_view("ab\0", 3));
  CHECK(find_tlv(m.tlvs, message_state).data() == nullptr);
}

TEST_CASE("a cut message is refused or read, never overrun") {
  for (std::size_t n = 0; n < body.size(); ++n) {
    std::vector<std::uint8_t> whole;
    const Frame frame = frame_of(body.substr(0, n), whole);
    Message m;
    const bool readable = read_message(frame, m);
    CHECK(readable == (n >= 33));
    if (readable) CHECK(find_tlv(m.tlvs, receipted_message_id).data() == nullptr);
  }
}

TEST_CASE("a tag is read back, and nothing else is a tag") {
  std::uint8_t out[tag_size];
  for (const std::uint32_t tag : {0u, 1u, 4711u, tag_max - 1}) {
    put_tag(out, tag);
    CHECK(read_tag({reinterpret_cast<const char*>(out), tag_size}) == tag);
  }
  CHECK(read_tag("[0000004711] and more") == 4711);
  CHECK(read_tag("[000000471x]") == no_tag);
  CHECK(read_tag("[9999999999]") == no_tag);
  CHECK(read_tag("[000000471") == no_tag);
  CHECK(read_tag("hello, world") == no_tag);
}
