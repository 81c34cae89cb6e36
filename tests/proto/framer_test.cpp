// The framer against every split, every glue and every hostile command_length.
#include "proto/framer.h"

#include <catch2/catch.hpp>

#include "tests/proto/support.h"

using namespace tollgate::proto;
using namespace tollgate::proto::test;

namespace {

std::vector<std::uint8_t> stream_of_pdus(std::vector<std::size_t>& lengths) {
  Generator generator(11, Wildness::wild);
  std::vector<std::uint8_t> stream;
  std::vector<std::uint8_t> out(kPduLengthMax);
  for (Command command : kCommands) {
    with_pdu(command, [&](auto empty) {
      const auto pdu = generator.make<decltype(empty)>();
      const std::size_t length = encode(pdu, generator.below(1'000), Status::ESME_ROK, out);
      stream.insert(stream.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(length));
      lengths.push_back(length);
    });
  }
  return stream;
}

// Feeds the stream in pieces and returns the lengths of the frames that came out.
std::vector<std::size_t> cut(const std::vector<std::uint8_t>& stream, std::size_t piece) {
  std::vector<std::size_t> lengths;
  std::vector<std::uint8_t> kept;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    const std::size_t end = std::min(stream.size(), at + piece);
    kept.insert(kept.end(), stream.begin() + static_cast<std::ptrdiff_t>(at),
                stream.begin() + static_cast<std::ptrdiff_t>(end));
    Frame frame;
    std::size_t consumed = 0;
    while (next_frame(Octets(kept).subspan(consumed), kPduLengthMax, frame) == FrameResult::frame) {
      REQUIRE(frame.whole.size() == frame.header.command_length);
      REQUIRE(frame.body.size() + kHeaderLength == frame.whole.size());
      lengths.push_back(frame.whole.size());
      consumed += frame.whole.size();
    }
    kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(consumed));
  }
  CHECK(kept.empty());
  return lengths;
}

}  // namespace

TEST_CASE("a stream gives the same frames however it is split") {
  std::vector<std::size_t> expected;
  const auto stream = stream_of_pdus(expected);
  for (std::size_t piece :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{15},
        std::size_t{16}, std::size_t{17}, std::size_t{1'460}, stream.size()}) {
    CHECK(cut(stream, piece) == expected);
  }
}

TEST_CASE("two PDUs with a cut third: two frames, then need_more") {
  std::vector<std::uint8_t> stream;
  for (int i = 0; i < 3; ++i) {
    const auto pdu = unhex("00000010 00000015 00000000 00000001");
    stream.insert(stream.end(), pdu.begin(), pdu.end());
  }
  stream.resize(40);
  Frame frame;
  Octets rest = stream;
  for (int i = 0; i < 2; ++i) {
    REQUIRE(next_frame(rest, kPduLengthMaxUnbound, frame) == FrameResult::frame);
    rest = rest.subspan(frame.whole.size());
  }
  CHECK(next_frame(rest, kPduLengthMaxUnbound, frame) == FrameResult::need_more);
}

TEST_CASE("command_length: every senseless value is refused as soon as its octets are there") {
  const auto result = [](std::uint32_t length, std::size_t there, std::uint32_t length_max) {
    std::vector<std::uint8_t> octets(there, 0xEE);
    if (there >= 4) store_u32(octets.data(), length);
    Frame frame;
    return next_frame(octets, length_max, frame);
  };
  for (std::uint32_t length : {0U, 1U, 15U, 0x10'401U, 0x7fff'ffffU, 0xffff'ffffU}) {
    for (std::size_t there : {std::size_t{4}, std::size_t{15}, std::size_t{16}, std::size_t{64}}) {
      CHECK(result(length, there, kPduLengthMax) == FrameResult::bad_length);
    }
    CHECK(result(length, 3, kPduLengthMax) == FrameResult::need_more);
  }
  CHECK(result(0x10000, 64, kPduLengthMax) == FrameResult::need_more);  // legal: 65,536 octets
  CHECK(result(0x10000, 64, kPduLengthMaxUnbound) == FrameResult::bad_length);
  CHECK(result(kPduLengthMax, 4, kPduLengthMax) == FrameResult::need_more);
  CHECK(result(kPduLengthMax + 1, 4, kPduLengthMax) == FrameResult::bad_length);
  CHECK(result(16, 16, kPduLengthMax) == FrameResult::frame);
  CHECK(result(17, 16, kPduLengthMax) == FrameResult::need_more);
  CHECK(result(17, 17, kPduLengthMax) == FrameResult::frame);
  CHECK(result(512, 512, kPduLengthMaxUnbound) == FrameResult::frame);
  CHECK(result(513, 600, kPduLengthMaxUnbound) == FrameResult::bad_length);
}

TEST_CASE("after bad_length the header is there for the generic_nack, if its octets were") {
  const auto octets = unhex("0000000f 00000004 00000000 00001234");
  Frame frame;
  REQUIRE(next_frame(octets, kPduLengthMax, frame) == FrameResult::bad_length);
  CHECK(frame.header.sequence_number == 0x1234);
  REQUIRE(next_frame(Octets(octets).first(15), kPduLengthMax, frame) == FrameResult::bad_length);
  CHECK(frame.header.sequence_number == 0);
  CHECK(frame.whole.empty());
}
