// Memory for the steady state, of one shard and one thread.
//
// Slab<T>: objects of one type named by a dense u32 index.
//   1 An index stays valid, and its object in place, from take() to release().
//   2 Memory grows by chunks of 1,024 up to the capacity and is never given back: at a steady size
//     nothing is allocated. A full slab refuses (kNone).
// BufferPool: byte buffers in powers of two from 256 octets to 4 MiB.
//   3 A Buffer returns to its pool when it is destroyed; the pool keeps at most `kept_max` octets
//     of free ones and frees the rest. The pool outlives its buffers.
//   4 A request above 4 MiB is served by the next power of two and never kept.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/octets.h"

namespace tollgate::core {

template <class T>
class Slab {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  static constexpr std::uint32_t kChunk = 1024;

  explicit Slab(std::uint32_t capacity) : capacity_(capacity) {
    TOLLGATE_CHECK(capacity < kLive, "a slab's capacity leaves room for its marks");
    chunks_.reserve((capacity + kChunk - 1) / kChunk);
  }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    for_each([this](std::uint32_t index, T&) { release(index); });
  }

  // Constructs a T; kNone when the slab is full.
  template <class... Args>
  [[nodiscard]] std::uint32_t take(Args&&... args) {
    if (full() || (free_ == kNone && !grow())) return kNone;
    const std::uint32_t index = free_;
    Chunk& chunk = *chunks_[index / kChunk];
    ::new (static_cast<void*>(chunk.at(index % kChunk))) T(std::forward<Args>(args)...);
    free_ = chunk.next[index % kChunk];
    chunk.next[index % kChunk] = kLive;
    ++size_;
    return index;
  }

  void release(std::uint32_t index) {
    TOLLGATE_CHECK(live(index), "a slab's index is released once");
    Chunk& chunk = *chunks_[index / kChunk];
    chunk.at(index % kChunk)->~T();
    chunk.next[index % kChunk] = free_;
    free_ = index;
    --size_;
  }

  // Another capacity. One below size() refuses until enough is released; memory stays.
  void bound(std::uint32_t capacity) {
    TOLLGATE_CHECK(capacity < kLive, "a slab's capacity leaves room for its marks");
    capacity_ = capacity;
    chunks_.reserve((std::size_t{capacity} + kChunk - 1) / kChunk);
  }

  // Allocates ahead for `count` objects, at most the capacity.
  void reserve(std::uint32_t count) {
    while (made_ < count && grow_chunk()) {
    }
  }

  T& operator[](std::uint32_t index) noexcept {
    return *chunks_[index / kChunk]->at(index % kChunk);
  }
  const T& operator[](std::uint32_t index) const noexcept {
    return *chunks_[index / kChunk]->at(index % kChunk);
  }
  bool live(std::uint32_t index) const noexcept {
    return index < made_ && chunks_[index / kChunk]->next[index % kChunk] == kLive;
  }
  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t capacity() const noexcept { return capacity_; }
  bool full() const noexcept { return size_ >= capacity_; }

  // Calls f(index, T&) for each live object, ascending; f may release the one it is given.
  template <class F>
  void for_each(F&& f) {
    for (std::uint32_t index = 0; index < made_; ++index) {
      if (live(index)) f(index, (*this)[index]);
    }
  }

 private:
  static constexpr std::uint32_t kLive = 0xFFFFFFFE;

  struct Chunk {
    T* at(std::size_t i) noexcept {
      return std::launder(reinterpret_cast<T*>(storage.data() + i * sizeof(T)));
    }
    alignas(T) std::array<std::byte, sizeof(T) * kChunk> storage;
    std::array<std::uint32_t, kChunk> next;
  };

  bool grow() { return grow_chunk() && free_ != kNone; }

  bool grow_chunk() {
    if (made_ >= capacity_) return false;
    chunks_.push_back(std::unique_ptr<Chunk>(new Chunk));
    Chunk& chunk = *chunks_.back();
    for (std::uint32_t i = kChunk; i-- > 0;) {
      chunk.next[i] = free_;
      free_ = made_ + i;
    }
    made_ += kChunk;
    return true;
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint32_t capacity_;
  std::uint32_t made_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t free_ = kNone;
};

class BufferPool;

class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      reset();
      pool_ = std::exchange(other.pool_, nullptr);
      data_ = std::exchange(other.data_, nullptr);
      capacity_ = std::exchange(other.capacity_, 0);
    }
    return *this;
  }
  ~Buffer() { reset(); }

  std::uint8_t* data() const noexcept { return data_; }
  std::size_t capacity() const noexcept { return capacity_; }
  explicit operator bool() const noexcept { return data_ != nullptr; }
  void reset() noexcept;

 private:
  friend class BufferPool;
  Buffer(BufferPool* pool, std::uint8_t* data, std::size_t capacity) noexcept
      : pool_(pool), data_(data), capacity_(capacity) {}

  BufferPool* pool_ = nullptr;
  std::uint8_t* data_ = nullptr;
  std::size_t capacity_ = 0;
};

class BufferPool {
 public:
  static constexpr std::size_t kLeast = 256;
  static constexpr std::size_t kMost = std::size_t{4} << 20;

  explicit BufferPool(std::size_t kept_max = std::size_t{64} << 20) noexcept
      : kept_max_(kept_max) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // A buffer of at least `least` octets, uninitialised.
  Buffer take(std::size_t least);

  std::size_t kept() const noexcept { return kept_; }      // octets in free buffers
  std::size_t in_use() const noexcept { return in_use_; }  // octets in buffers handed out

 private:
  friend class Buffer;
  struct Free {
    Free* next;
  };
  static constexpr std::size_t kClasses = 15;  // 256 << 0 .. 256 << 14
  static_assert(kLeast << (kClasses - 1) == kMost);

  void give_back(std::uint8_t* data, std::size_t capacity) noexcept;

  std::array<Free*, kClasses> free_{};
  std::size_t kept_max_;
  std::size_t kept_ = 0;
  std::size_t in_use_ = 0;
};

inline void Buffer::reset() noexcept {
  if (data_ == nullptr) return;
  pool_->give_back(data_, capacity_);
  pool_ = nullptr;
  data_ = nullptr;
  capacity_ = 0;
}

}  // namespace tollgate::core
