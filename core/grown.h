// Grown<T>: what only ever grows, at addresses that never change, read while it grows.
//   1 One thread at a time appends; any thread may read places below size() that it saw.
//   2 A place below size() is complete: size() is published after it (release, acquire).
//   3 At most kMax places; nothing is moved or freed before the end. Chunks of kChunk places.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "core/check.h"

namespace tollgate::core {

template <class T, std::size_t kMax, std::size_t kChunk>
class Grown {
 public:
  Grown() = default;
  Grown(const Grown&) = delete;
  Grown& operator=(const Grown&) = delete;
  ~Grown() {
    for (std::size_t i = size(); i-- > 0;) (*this)[i].~T();
  }

  template <class... Args>
  T& emplace_back(Args&&... args) {
    const std::size_t at = size_.load(std::memory_order_relaxed);
    TOLLGATE_CHECK(at < kMax, "what grows has room");
    auto& chunk = chunks_[at / kChunk];
    if (!chunk) chunk = std::make_unique<Chunk>();
    T* made = ::new (static_cast<void*>(chunk->storage.data() + at % kChunk * sizeof(T)))
        T(std::forward<Args>(args)...);
    size_.store(at + 1, std::memory_order_release);
    return *made;
  }
  // Places of their defaults up to `count`; there may be more already.
  void grow_to(std::size_t count) {
    while (size() < count) emplace_back();
  }

  std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }
  T& operator[](std::size_t i) noexcept { return *chunks_[i / kChunk]->at(i % kChunk); }
  const T& operator[](std::size_t i) const noexcept { return *chunks_[i / kChunk]->at(i % kChunk); }

 private:
  struct Chunk {
    T* at(std::size_t i) noexcept {
      return std::launder(reinterpret_cast<T*>(storage.data() + i * sizeof(T)));
    }
    alignas(T) std::array<std::byte, sizeof(T) * kChunk> storage;
  };
  std::array<std::unique_ptr<Chunk>, (kMax + kChunk - 1) / kChunk> chunks_;
  std::atomic<std::size_t> size_{0};
};

}  // namespace tollgate::core
