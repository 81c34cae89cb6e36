#include "gateway/messages/message.h"

namespace tollgate::gateway {
namespace {

// An octet's two digits.
constexpr auto kPairs = [] {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kDigits[i >> 4], kDigits[i & 0xf]};
  return pairs;
}();

}  // namespace

MessageIdText::MessageIdText(MessageId id, bool short_id) : length(short_id ? 8 : 16) {
  for (unsigned i = length; i > 0; id >>= 8) {
    i -= 2;
    std::memcpy(&digits[i], kPairs[id & 0xff].data(), 2);
  }
}

void Particulars::add(const Try& one) {
  using proto::record::TryEnd;
  ++try_count;
  if (tries_kept != 0) {
    const Try& before = tries[tries_kept - 1U];
    const bool open = before.end == TryEnd::later || before.end == TryEnd::down;
    if (open && before.carrier == one.carrier) --tries_kept;
  }
  if (tries_kept == tries.size()) --tries_kept;
  tries[tries_kept++] = one;
}

bool wants_final(std::uint8_t registered_delivery, proto::MessageState state) {
  const bool success = state == proto::MessageState::delivered;
  switch (registered_delivery & 0x03) {
    case 1:
      return true;
    case 2:
      return !success;
    case 3:
      return success;  // 5.0; reserved in 3.4
    default:
      return false;
  }
}

}  // namespace tollgate::gateway
