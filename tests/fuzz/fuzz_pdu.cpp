// The framer, every decoder, the encoders and the JSON printing on arbitrary octets.
//
// What must hold, or the fuzzer stops:
//   the framer consumes exactly command_length octets and gives views inside the input;
//   what decodes, encodes; the encoding decodes to the same fields and encodes to the same octets;
//   a fault names a field and an offset inside the PDU;
//   the JSON printing agrees with the decoder about what is refused.
#include <cstdlib>
#include <vector>

#include "proto/framer.h"
#include "proto/json.h"
#include "tests/fuzz/input.h"
#include "tests/proto/support.h"

using namespace tollgate::proto;
using tollgate::fuzz::must;

namespace {

template <class T>
void round_trip(const Frame& frame, T pdu) {
  const Fault fault = decode(frame.body, pdu);
  if (fault) {
    must(fault.offset >= 4 && fault.offset <= frame.whole.size());
    must(fault.field[0] != 0 && fault.what[0] != 0);
    must(!pdu_to_json(frame.whole));
    return;
  }
  must(!frame.body.empty() || T::kLeniency == Leniency::response);
  const std::size_t expected = encoded_length(pdu);
  std::vector<std::uint8_t> out(expected);
  must(encode_with(frame.header, pdu, out) == expected);
  T back;
  must(!decode(Octets(out).subspan(kHeaderLength), back));
  must(test::fields_of(back) == test::fields_of(pdu));
  std::vector<std::uint8_t> again(expected);
  must(encode_with(frame.header, back, again) == expected);
  must(again == out);
  const PduJson json = pdu_to_json(frame.whole);
  must(static_cast<bool>(json) && !json.json.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Octets rest(data, size);
  Frame frame;
  while (next_frame(rest, kPduLengthMax, frame) == FrameResult::frame) {
    must(frame.whole.data() == rest.data());
    must(frame.whole.size() == frame.header.command_length);
    must(frame.whole.size() >= kHeaderLength && frame.whole.size() <= rest.size());
    const bool known = with_pdu(frame.header.command_id, [&](auto pdu) { round_trip(frame, pdu); });
    must(known == !command_name(frame.header.command_id).empty());
    rest = rest.subspan(frame.whole.size());
  }
  return 0;
}
