// Journal records and detail records on arbitrary octets. The first octet chooses the type.
//
// What must hold: nothing is read outside the payload; a payload that is taken is written again
// octet for octet; one octet less of a head is not taken. A detail record, which protobuf may have
// written in another order, says the same when it was written again, and keeps its message's place.
#include <cstdlib>

#include "proto/records/detail.h"
#include "tests/fuzz/input.h"
#include "tests/proto/records/record_support.h"

using namespace tollgate::proto;
using namespace tollgate::proto::record;
using tollgate::fuzz::must;

namespace {

template <class R, class Decode>
void walk(Octets payload, Decode&& decode) {
  R record;
  if (!decode(payload, record)) return;
  const auto again = test::payload_of(record);
  must(same_octets(again, payload));
  const std::size_t head = payload.size() - test::rest_of(record).size();
  must(!decode(payload.first(head - 1), record));
}

void walk_detail(Octets octets) {
  detail::Detail read;
  (void)detail::message_of(octets);
  if (!detail::decode(octets, read)) return;
  std::array<std::uint8_t, detail::kDetailMax> first;
  const std::size_t length = detail::encode(read, first);
  if (length == 0) return;  // a text that is none of ours
  must(detail::message_of(Octets(first).first(length)) == read.message);
  detail::Detail back;
  must(detail::decode(Octets(first).first(length), back));
  std::array<std::uint8_t, detail::kDetailMax> second;
  must(detail::encode(back, second) == length);
  must(same_octets(Octets(first).first(length), Octets(second).first(length)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Octets payload(data + 1, size - 1);
  unsigned types = 0;
  test::with_each([&](auto) { ++types; });
  const unsigned chosen = data[0] % (types + 3);
  unsigned type = 0;
  test::with_each([&](auto empty) {
    if (type++ != chosen) return;
    walk<decltype(empty)>(payload, [](Octets octets, auto& out) { return decode(octets, out); });
  });
  const auto decided = [](Octets octets, auto& out) { return decode_decided(octets, out); };
  if (chosen == types) walk<Accepted>(payload, decided);
  if (chosen == types + 1) walk<Carried>(payload, decided);
  if (chosen == types + 2) walk_detail(payload);
  return 0;
}
