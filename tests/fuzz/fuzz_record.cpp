// Journal records on arbitrary octets. The first octet chooses the type.
//
// What must hold: nothing is read outside the payload; a payload that is taken is written again
// octet for octet; one octet less of a head is not taken.
#include <cstdlib>

#include "tests/proto/record_support.h"

using namespace tollgate::proto;
using namespace tollgate::proto::record;

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

template <class R>
void walk(Octets payload) {
  R record;
  if (!decode(payload, record)) return;
  const auto again = test::payload_of(record);
  must(same_octets(again, payload));
  const std::size_t head = payload.size() - test::rest_of(record).size();
  must(!decode(payload.first(head - 1), record));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  int type = 0;
  test::with_each([&](auto empty) {
    if (data[0] % 12 == type++) walk<decltype(empty)>({data + 1, size - 1});
  });
  return 0;
}
