// Mailbox: a bounded ring of variable-length records from one producing thread to one consuming
// thread. Sleeper: the consumer's sleep/wake protocol, shared by all of its mailboxes.
//
//   1 One thread calls the producer's functions (room, try_reserve, commit, try_push, publish), one
//     thread the consumer's (empty, drain). The ring of a shard with itself is one like any other.
//   2 A record is {u32 length, u32 type}, then `length` octets of payload, aligned and padded to 8.
//     It is contiguous: where one would wrap, a pad record fills the ring's end.
//   3 Records arrive once each, in order, whole. They become visible by publish(), once a batch.
//   4 The capacity is fixed. A full ring refuses (null span); it never grows, waits or overwrites.
//     A record takes at most half of the capacity: a longer one is our error, checked.
//   5 The consumer frees the room of a batch at its end: payload views are valid inside f only.
//
// No wake-up is lost. Each side writes, fences, then reads what the other side writes:
//     producer (publish)                        consumer (fall_asleep, then a last look)
//     P1  tail := new (release)                 C1  asleep := true
//     P2  seq_cst fence                         C2  seq_cst fence
//     P3  asleep? exchange for false, wake      C3  any tail new? do not sleep
// In the single total order of fences either P2 comes before C2: then C3 sees the tail of P1, and
// the consumer does not sleep. Or C2 comes before P2: then P3 sees the `true` of C1 or a later
// value. `true`: this producer writes the eventfd, whose count stays until the consumer has woken
// and read it. A later `false`: another producer wrote it by its exchange and so writes the
// eventfd; or the consumer wrote it awake, and before its next sleep it passes a C2 that comes
// after P2 (else P3 would see the `true` of that C1), so its C3 sees P1.
// The exchange lets one of many producers pay for the system call: one wake a sleep, one fence a
// batch.
#pragma once
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>

#include "core/check.h"
#include "core/counters.h"
#include "core/octets.h"

namespace tollgate::core {

// What ends a consumer's sleep. Any thread.
class Waker {
 public:
  virtual void wake() noexcept = 0;

 protected:
  ~Waker() = default;
};

class alignas(kCacheLine) Sleeper {
 public:
  explicit Sleeper(Waker* waker = nullptr) noexcept : waker_(waker) {}

  // Consumer: after this it looks at all of its input once more, and sleeps only if there is none.
  void fall_asleep() noexcept {
    asleep_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  // Consumer: awake again (or did not sleep at all).
  void awake() noexcept { asleep_.store(false, std::memory_order_relaxed); }

  // Producer: after its release store. True when it had to wake the consumer.
  bool notify() noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!asleep_.load(std::memory_order_relaxed)) return false;
    if (!asleep_.exchange(false, std::memory_order_relaxed)) return false;
    if (waker_ != nullptr) waker_->wake();
    return true;
  }

 private:
  std::atomic<bool> asleep_{false};
  Waker* waker_;
};

class Mailbox {
 public:
  // `capacity` in octets is rounded up to a power of two, at least 1 KiB. `consumer` outlives it.
  explicit Mailbox(std::size_t capacity, Sleeper* consumer = nullptr);
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  static constexpr std::size_t record_size(std::size_t length) noexcept {
    return kRecordHeader + ((length + 7) & ~std::size_t{7});
  }
  std::size_t capacity() const noexcept { return capacity_; }

  // ---- producer ----

  // Octets that records may surely take now, whatever the padding: records whose record_size()
  // add up to no more than this all fit.
  std::size_t room() noexcept;

  // The payload of the next record, to be filled and committed; data() == nullptr when full.
  [[nodiscard]] Out try_reserve(std::uint32_t type, std::size_t length) noexcept {
    const std::size_t need = record_size(length);
    TOLLGATE_CHECK(need <= capacity_ / 2 && type != kPad, "a mailbox record fits its ring");
    const std::size_t at = producer_.tail & mask_;
    const std::size_t to_end = capacity_ - at;
    const std::size_t pad = need <= to_end ? 0 : to_end;
    if (!has_room(need + pad)) return {};
    if (pad != 0) put_header(at, static_cast<std::uint32_t>(pad - kRecordHeader), kPad);
    const std::size_t begin = pad == 0 ? at : 0;
    put_header(begin, static_cast<std::uint32_t>(length), type);
    producer_.pad = pad;
    producer_.reserved = pad + need;
    return {ring_.get() + begin + kRecordHeader, length};
  }
  // The record that was reserved has only `length` octets after all.
  void commit(std::size_t length) noexcept {
    const std::size_t need = producer_.pad + record_size(length);
    TOLLGATE_CHECK(need <= producer_.reserved, "a mailbox record keeps to what it reserved");
    const auto written = static_cast<std::uint32_t>(length);
    std::memcpy(ring_.get() + ((producer_.tail + producer_.pad) & mask_), &written, sizeof written);
    producer_.reserved = need;
    commit();
  }
  void commit() noexcept {
    producer_.tail += producer_.reserved;
    producer_.reserved = 0;
  }

  [[nodiscard]] bool try_push(std::uint32_t type, Octets payload) noexcept {
    const Out out = try_reserve(type, payload.size());
    if (out.data() == nullptr) return false;
    if (!payload.empty()) std::memcpy(out.data(), payload.data(), payload.size());
    commit();
    return true;
  }
  // A plain struct, and octets after it.
  template <class Pod>
  [[nodiscard]] bool try_push(std::uint32_t type, const Pod& pod, Octets rest) noexcept {
    static_assert(std::is_trivially_copyable_v<Pod> && alignof(Pod) <= 8);
    const Out out = try_reserve(type, sizeof(Pod) + rest.size());
    if (out.data() == nullptr) return false;
    std::memcpy(out.data(), &pod, sizeof(Pod));
    if (!rest.empty()) std::memcpy(out.data() + sizeof(Pod), rest.data(), rest.size());
    commit();
    return true;
  }

  // Makes all that is committed visible and wakes the consumer if it sleeps. True when it woke it.
  bool publish() noexcept {
    if (producer_.published == producer_.tail) return false;
    producer_.published = producer_.tail;
    tail_.store(producer_.tail, std::memory_order_release);
    return consumer_sleeper_ != nullptr && consumer_sleeper_->notify();
  }

  // ---- consumer ----

  bool empty() noexcept {
    if (consumer_.head != consumer_.tail_seen) return false;
    consumer_.tail_seen = tail_.load(std::memory_order_acquire);
    return consumer_.head == consumer_.tail_seen;
  }

  // Calls f(type, payload) for at most `max` records and returns how many were taken. If f returns
  // bool, false means "not now": that record stays, and the drain ends.
  template <class F>
  std::size_t drain(std::size_t max, F&& f) {
    consumer_.tail_seen = tail_.load(std::memory_order_acquire);
    if (consumer_.head == consumer_.tail_seen) return 0;
    std::size_t taken = 0;
    std::uint64_t head = consumer_.head;
    while (taken < max && head != consumer_.tail_seen) {
      const std::size_t at = head & mask_;
      const RecordHeader record = get_header(at);
      if (record.type != kPad) {
        const Octets payload{ring_.get() + at + kRecordHeader, record.length};
        if constexpr (std::is_same_v<decltype(f(record.type, payload)), bool>) {
          if (!f(record.type, payload)) break;
        } else {
          f(record.type, payload);
        }
        ++taken;
      }
      head += record_size(record.length);
    }
    consumer_.head = head;
    head_.store(head, std::memory_order_release);
    return taken;
  }

 private:
  static constexpr std::size_t kRecordHeader = 8;
  static constexpr std::uint32_t kPad = 0xFFFFFFFF;

  struct RecordHeader {
    std::uint32_t length;
    std::uint32_t type;
  };

  void put_header(std::size_t at, std::uint32_t length, std::uint32_t type) noexcept {
    const RecordHeader header{length, type};
    std::memcpy(ring_.get() + at, &header, sizeof header);
  }
  RecordHeader get_header(std::size_t at) const noexcept {
    RecordHeader header;
    std::memcpy(&header, ring_.get() + at, sizeof header);
    return header;
  }
  bool has_room(std::size_t need) noexcept {
    if (capacity_ - (producer_.tail - producer_.head_seen) >= need) return true;
    producer_.head_seen = head_.load(std::memory_order_acquire);
    return capacity_ - (producer_.tail - producer_.head_seen) >= need;
  }

  struct Free {
    void operator()(std::uint8_t* ring) const noexcept;
  };

  // Read by both, written by none.
  std::unique_ptr<std::uint8_t[], Free> ring_;
  std::size_t capacity_;
  std::size_t mask_;
  Sleeper* consumer_sleeper_;

  struct alignas(kCacheLine) Producer {
    std::uint64_t tail = 0;
    std::uint64_t published = 0;
    std::uint64_t head_seen = 0;
    std::size_t reserved = 0;  // with the pad in front of it
    std::size_t pad = 0;
  } producer_;
  alignas(kCacheLine) std::atomic<std::uint64_t> tail_{0};
  alignas(kCacheLine) std::atomic<std::uint64_t> head_{0};
  struct alignas(kCacheLine) Consumer {
    std::uint64_t head = 0;
    std::uint64_t tail_seen = 0;
  } consumer_;
};

}  // namespace tollgate::core
