// Alphabets, user data headers, concatenation, segment limits.
#include "proto/text.h"

#include <catch2/catch.hpp>

#include "proto/tlv.h"
#include "tests/proto/support.h"

using namespace tollgate::proto;
using namespace tollgate::proto::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes gsm7(std::string_view utf8) {
  Bytes out(utf8.size() * 2 + 1);
  const auto length = utf8_to_gsm7(utf8, out);
  REQUIRE(length);
  out.resize(*length);
  return out;
}

std::string utf8(Alphabet alphabet, Octets octets) {
  std::string out(octets.size() * 4 + 4, '\0');
  const auto length = text_to_utf8(alphabet, octets, out);
  REQUIRE(length);
  out.resize(*length);
  return out;
}

Bytes packed(Octets septets, unsigned fill_bits = 0) {
  Bytes out(septets.size() + 8);
  const auto length = pack_gsm7(septets, fill_bits, out);
  REQUIRE(length);
  out.resize(*length);
  return out;
}

}  // namespace

TEST_CASE("GSM 7-bit: the whole table goes there and back") {
  for (std::uint8_t septet = 0; septet < 128; ++septet) {
    if (septet == 0x1B) continue;
    CHECK(gsm7(utf8(Alphabet::gsm7, Octets(&septet, 1))) == Bytes{septet});
  }
  CHECK(gsm7("@£$¥èéùìòÇ") == Bytes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(gsm7("Δ_ΦΓΛΩΠΨΣΘΞ") ==
        Bytes{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A});
  CHECK(gsm7("ÆæßÉ ¤¡ÄÖÑÜ§¿äöñüà") == Bytes{0x1C, 0x1D, 0x1E, 0x1F, 0x20, 0x24, 0x40, 0x5B, 0x5C,
                                            0x5D, 0x5E, 0x5F, 0x60, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F});
  CHECK(gsm7("^{}\\[~]|€\f") == Bytes{0x1B, 0x14, 0x1B, 0x28, 0x1B, 0x29, 0x1B, 0x2F, 0x1B, 0x3C,
                                      0x1B, 0x3D, 0x1B, 0x3E, 0x1B, 0x40, 0x1B, 0x65, 0x1B, 0x0A});
  CHECK(utf8(Alphabet::gsm7, gsm7("^{}\\[~]|€")) == "^{}\\[~]|€");
}

TEST_CASE("GSM 7-bit: what it lacks is refused, what cannot be read is shown leniently") {
  Bytes out(32);
  CHECK_FALSE(utf8_to_gsm7("Привет", out));
  CHECK_FALSE(utf8_to_gsm7("a\xFFz", out));
  CHECK_FALSE(utf8_to_gsm7("\xE2\x82", out));
  CHECK_FALSE(utf8_to_gsm7("\xC0\x80", out));
  CHECK_FALSE(utf8_to_gsm7("abc", Out(out).first(2)));
  CHECK_FALSE(utf8_to_gsm7("€", Out(out).first(1)));
  CHECK(utf8(Alphabet::gsm7, Bytes{0x80}) == "?");
  CHECK(utf8(Alphabet::gsm7, Bytes{0x1B}) == " ");
  CHECK(utf8(Alphabet::gsm7, Bytes{0x1B, 0x41}) == "A");
}

TEST_CASE("packing: the vector with a CR filler, every length, every fill") {
  CHECK(packed(as_octets("1234567")) == unhex("31D98C56B3DD1A"));
  CHECK(packed(as_octets("hellohello")) == unhex("E8329BFD4697D9EC37"));
  CHECK(packed({}).empty());
  Generator generator(5, Wildness::wild);
  for (std::size_t count = 0; count <= 160; ++count) {
    for (unsigned fill = 0; fill <= 6; ++fill) {
      Bytes septets(count);
      for (std::uint8_t& septet : septets) septet = static_cast<std::uint8_t>(generator.below(128));
      const Bytes octets = packed(septets, fill);
      CHECK(octets.size() == (fill + count * 7 + 7) / 8);
      Bytes back(count);
      REQUIRE(unpack_gsm7(octets, fill, count, back));
      CHECK(back == septets);
    }
  }
  Bytes back(16);
  CHECK_FALSE(unpack_gsm7(unhex("31D9"), 0, 3, back));
  CHECK(unpack_gsm7(unhex("31D98C"), 0, 3, back));
  CHECK_FALSE(unpack_gsm7(unhex("31D98C"), 7, 1, back));
  CHECK_FALSE(pack_gsm7(as_octets("1234567"), 0, Out(back).first(6)));
}

TEST_CASE("UCS-2 is UTF-16: pairs, lone surrogates, odd octets") {
  const std::string all = "aß€\xF0\x9F\x98\x80";
  Bytes out(32);
  const auto length = utf8_to_ucs2(all, out);
  REQUIRE(length == 10);
  CHECK(Bytes(out.begin(), out.begin() + 10) == unhex("0061 00df 20ac d83d de00"));
  CHECK(utf8(Alphabet::ucs2, Octets(out).first(10)) == all);
  CHECK(utf8(Alphabet::ucs2, unhex("d83d 0041")) ==
        "\xEF\xBF\xBD"
        "A");
  CHECK(utf8(Alphabet::ucs2, unhex("0041 00")) == "A\xEF\xBF\xBD");
  CHECK(utf8(Alphabet::ucs2, unhex("de00")) == "\xEF\xBF\xBD");
  CHECK_FALSE(utf8_to_ucs2("\xED\xA0\x80", out));  // a surrogate in UTF-8
  CHECK_FALSE(utf8_to_ucs2(all, Out(out).first(9)));
  CHECK(utf8(Alphabet::latin1, unhex("41 e9 80")) == "Aé\xC2\x80");
}

TEST_CASE("data_coding tells the alphabet") {
  CHECK(alphabet_of(0x00) == Alphabet::gsm7);
  CHECK(alphabet_of(0x01) == Alphabet::ascii);
  CHECK(alphabet_of(0x03) == Alphabet::latin1);
  CHECK(alphabet_of(0x04) == Alphabet::binary);
  CHECK(alphabet_of(0x08) == Alphabet::ucs2);
  CHECK(alphabet_of(0x06) == Alphabet::other);
  CHECK(alphabet_of(0xF0) == Alphabet::gsm7);
  CHECK(alphabet_of(0xF5) == Alphabet::binary);
  CHECK(alphabet_of(0xC8) == Alphabet::gsm7);
}

TEST_CASE("user data header: concatenation, ports, several elements, malformed ones") {
  Bytes message = unhex("0c 08 04 12 34 03 02 05 04 15 8a 00 00 41 42");
  const UserData data = split_user_data(kEsmUdhi, message);
  CHECK_FALSE(data.malformed);
  CHECK(as_text(data.text) == "AB");
  CHECK(udh_concatenation(data.header) == Concatenation{0x1234, 3, 2, true});
  CHECK(udh_ports(data.header) == Ports{0x158A, 0});

  message = unhex("05 00 03 a7 02 01 43");
  CHECK(concatenation_of(kEsmUdhi, message, {}) == Concatenation{0xA7, 2, 1, false});
  CHECK_FALSE(concatenation_of(0, message, {}));
  CHECK(split_user_data(0, message).text.size() == message.size());

  CHECK(split_user_data(kEsmUdhi, {}).malformed);
  CHECK(split_user_data(kEsmUdhi, unhex("ff 00 03")).malformed);
  CHECK_FALSE(split_user_data(kEsmUdhi, unhex("00")).malformed);
  CHECK_FALSE(udh_concatenation(unhex("00 03 a7 02 00")));  // segment 0
  CHECK_FALSE(udh_concatenation(unhex("00 03 a7 02 03")));  // 3 of 2
  CHECK_FALSE(udh_concatenation(unhex("00 03 a7 00 01")));  // of 0
  CHECK_FALSE(udh_concatenation(unhex("00 03 a7 02")));     // cut
  CHECK_FALSE(udh_concatenation(unhex("05")));
  CHECK(udh_ports(unhex("04 02 10 20")) == Ports{0x10, 0x20});
  CHECK_FALSE(udh_ports(unhex("05 04 15 8a 00")));  // cut
}

TEST_CASE("headers and SAR TLVs are written as they are read") {
  std::uint8_t out[64];
  for (bool wide : {false, true}) {
    const Concatenation c{static_cast<std::uint16_t>(wide ? 0xABCD : 0xCD), 5, 4, wide};
    const std::size_t length = write_udh(c, out);
    REQUIRE(length == (wide ? 7U : 6U));
    CHECK(concatenation_of(kEsmUdhi, Octets(out).first(length), {}) == c);
    CHECK(write_udh(c, Out(out).first(length - 1)) == 0);
  }
  const Concatenation c{0x1234, 3, 3, true};
  const std::size_t length = append_sar(out, 0, c);
  REQUIRE(length == 16);
  CHECK(sar_concatenation(Octets(out).first(length)) == c);
  CHECK_FALSE(sar_concatenation(Octets(out).first(length - 5)));
  CHECK(append_sar(Out(out).first(15), 0, c) == 0);
  CHECK(as_text(message_octets({}, unhex("0424 0002 6869"))) == "hi");
  CHECK(as_text(message_octets(as_octets("a"), unhex("0424 0002 6869"))) == "a");
}

TEST_CASE("segment limits of 3GPP TS 23.040") {
  using S = Segmentation;
  CHECK(segment_octets(Alphabet::gsm7, S::single) == 160);
  CHECK(segment_octets(Alphabet::gsm7, S::segment) == 153);
  CHECK(segment_octets(Alphabet::gsm7, S::wide_segment) == 152);
  CHECK(segment_octets(Alphabet::binary, S::single) == 140);
  CHECK(segment_octets(Alphabet::binary, S::segment) == 134);
  CHECK(segment_octets(Alphabet::binary, S::wide_segment) == 133);
  CHECK(segment_octets(Alphabet::ucs2, S::single) == 140);
  CHECK(segment_octets(Alphabet::ucs2, S::segment) == 134);
  CHECK(segment_octets(Alphabet::ucs2, S::wide_segment) == 132);
  const auto needed = [](Alphabet alphabet, std::size_t octets) {
    return segments_needed(alphabet, Bytes(octets, 'a'), S::segment);
  };
  CHECK(needed(Alphabet::gsm7, 0) == 1);
  CHECK(needed(Alphabet::gsm7, 160) == 1);
  CHECK(needed(Alphabet::gsm7, 161) == 2);
  CHECK(needed(Alphabet::gsm7, 306) == 2);
  CHECK(needed(Alphabet::gsm7, 307) == 3);
  CHECK(needed(Alphabet::ucs2, 140) == 1);
  CHECK(needed(Alphabet::ucs2, 142) == 2);
  CHECK(needed(Alphabet::gsm7, 153 * 255) == 255);
  CHECK(needed(Alphabet::gsm7, 65'535) == 256);
}

TEST_CASE("a cut never divides an ESC pair or a surrogate pair") {
  Bytes text(152, 'a');
  text.insert(text.end(), {0x1B, 0x65, 'b'});
  CHECK(segment_end(Alphabet::gsm7, text, 0, 153) == 152);
  text[151] = 0x1B;  // ESC ESC | euro letter: the pair is complete before the cut
  CHECK(segment_end(Alphabet::gsm7, text, 0, 153) == 153);
  Bytes ucs2(132, 0);
  const Bytes tail = unhex("d83d de00 0041");
  ucs2.insert(ucs2.end(), tail.begin(), tail.end());
  CHECK(segment_end(Alphabet::ucs2, ucs2, 0, 134) == 132);
  CHECK(segment_end(Alphabet::ucs2, ucs2, 0, 135) == 132);
  CHECK(segment_end(Alphabet::ucs2, ucs2, 132, 134) == ucs2.size());
  CHECK(segment_end(Alphabet::gsm7, unhex("1b65"), 0, 1) == 1);  // goes on even so
}
