#include "gateway/message.h"

namespace tollgate::gateway {

MessageIdText::MessageIdText(MessageId id, bool short_id) : length(short_id ? 8 : 16) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (unsigned i = length; i-- > 0; id >>= 4) digits[i] = kDigits[id & 0xf];
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
