// Cuts PDUs from a byte stream, however the network split or glued it.
//
// Thread: any; pure. The caller keeps what was not consumed and gives it again with more after it.
// 1. A frame's views lie inside `input`; whole.size() octets are consumed.
// 2. command_length is judged as soon as its 4 octets are there: below 16 or above length_max is
//    bad_length, whatever follows, and no buffer ever has to grow to a length a peer claims.
// 3. After bad_length the stream is unreadable: answer generic_nack ESME_RINVCMDLEN and close.
//    out.header then holds the header if all 16 octets are there, else sequence_number 0.
#pragma once
#include <cstdint>

#include "proto/limits.h"
#include "proto/octets.h"
#include "proto/pdu.h"

namespace tollgate::proto {

struct Frame {
  Header header;
  Octets body;   // behind the header
  Octets whole;  // header and body
};

enum class FrameResult : std::uint8_t { frame, need_more, bad_length };

// length_max in octets: kPduLengthMaxUnbound before a bind, kPduLengthMax after it.
inline FrameResult next_frame(Octets input, std::uint32_t length_max, Frame& out) {
  if (input.size() < 4) return FrameResult::need_more;
  const std::uint32_t length = load_u32(input.data());
  if (length < kHeaderLength || length > length_max) [[unlikely]] {
    out = {};
    out.header.command_length = length;
    if (input.size() >= kHeaderLength) out.header = read_header(input.data());
    return FrameResult::bad_length;
  }
  if (input.size() < length) return FrameResult::need_more;
  out.header = read_header(input.data());
  out.whole = input.first(length);
  out.body = out.whole.subspan(kHeaderLength);
  return FrameResult::frame;
}

}  // namespace tollgate::proto
