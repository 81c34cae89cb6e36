#include "core/mailbox.h"

#include <algorithm>
#include <new>

namespace tollgate::core {

Mailbox::Mailbox(std::size_t capacity, Sleeper* consumer)
    : capacity_(std::bit_ceil(std::max<std::size_t>(capacity, 1024))),
      mask_(capacity_ - 1),
      consumer_sleeper_(consumer) {
  ring_.reset(static_cast<std::uint8_t*>(::operator new (capacity_, std::align_val_t{kCacheLine})));
}

void Mailbox::Free::operator()(std::uint8_t* ring) const noexcept {
  ::operator delete (ring, std::align_val_t{kCacheLine});
}

std::size_t Mailbox::room() noexcept {
  producer_.head_seen = head_.load(std::memory_order_acquire);
  const std::size_t free = capacity_ - (producer_.tail - producer_.head_seen);
  const std::size_t to_end = capacity_ - (producer_.tail & mask_);
  return free <= to_end ? free : std::max(to_end, free - to_end);
}

}  // namespace tollgate::core
