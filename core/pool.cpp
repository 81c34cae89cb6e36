#include "core/pool.h"

#include <algorithm>

namespace tollgate::core {
namespace {

// A class holds buffers of exactly this power of two.
std::size_t class_of(std::size_t capacity) noexcept {
  return static_cast<std::size_t>(std::countr_zero(capacity) -
                                  std::countr_zero(BufferPool::kLeast));
}

}  // namespace

Buffer BufferPool::take(std::size_t least) {
  const std::size_t capacity = std::bit_ceil(std::max(least, kLeast));
  in_use_ += capacity;
  if (capacity <= kMost) {
    Free*& head = free_[class_of(capacity)];
    if (head != nullptr) {
      Free* taken = head;
      head = taken->next;
      kept_ -= capacity;
      return Buffer(this, reinterpret_cast<std::uint8_t*>(taken), capacity);
    }
  }
  return Buffer(this, static_cast<std::uint8_t*>(::operator new(capacity)), capacity);
}

void BufferPool::give_back(std::uint8_t* data, std::size_t capacity) noexcept {
  in_use_ -= capacity;
  if (capacity > kMost || kept_ + capacity > kept_max_) {
    ::operator delete(data);
    return;
  }
  Free*& head = free_[class_of(capacity)];
  head = ::new (static_cast<void*>(data)) Free{head};
  kept_ += capacity;
}

BufferPool::~BufferPool() {
  TOLLGATE_CHECK(in_use_ == 0, "buffers return to their pool before it ends");
  for (Free* free : free_) {
    while (free != nullptr) ::operator delete(std::exchange(free, free->next));
  }
}

}  // namespace tollgate::core
