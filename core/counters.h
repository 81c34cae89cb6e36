// Counters that cost one plain store.
//   1 A Cell has exactly one writing thread at a time; any thread may read it at any moment. There
//     is no read-modify-write: an addition is a relaxed load and a relaxed store.
//   2 Tables and histograms are aligned to cache lines, so that two shards never share one.
//   3 Histogram bounds are fixed at compile time: 55 finite ones, two per octave, 16 us to 36 min;
//     a value belongs to the first bound that is not below it, above the last one to infinity.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tollgate::core {

inline constexpr std::size_t kCacheLine = 64;

class Cell {
 public:
  void add(std::uint64_t n = 1) noexcept { set(get() + n); }
  void sub(std::uint64_t n = 1) noexcept { set(get() - n); }
  void set(std::uint64_t v) noexcept { value_.store(v, std::memory_order_relaxed); }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// One cell per enumerator 0 .. N-1.
template <class Enum, std::size_t N>
class alignas(kCacheLine) Cells {
 public:
  static constexpr std::size_t size() noexcept { return N; }
  Cell& operator[](Enum e) noexcept { return cells_[static_cast<std::size_t>(e)]; }
  const Cell& operator[](Enum e) const noexcept { return cells_[static_cast<std::size_t>(e)]; }

 private:
  std::array<Cell, N> cells_;
};

class alignas(kCacheLine) Histogram {
 public:
  static constexpr std::size_t kBounds = 55;            // finite upper bounds
  static constexpr std::size_t kBuckets = kBounds + 1;  // and the one to infinity

  // Upper bounds in microseconds, ascending, each inclusive.
  static constexpr std::array<std::uint64_t, kBounds> bounds_us = [] {
    std::array<std::uint64_t, kBounds> bounds{};
    for (std::size_t i = 0; i < kBounds; ++i) {
      const std::uint64_t power = std::uint64_t{16} << (i / 2);
      bounds[i] = i % 2 == 0 ? power : (power * 1'414'214 + 500'000) / 1'000'000;
    }
    return bounds;
  }();

  static constexpr std::size_t bucket_of(std::uint64_t us) noexcept {
    if (us <= bounds_us[0]) return 0;
    if (us > bounds_us[kBounds - 1]) return kBounds;
    // 16 * 2^k < us <= 16 * 2^(k+1): either half of that octave.
    const std::size_t octave = static_cast<std::size_t>(std::bit_width(us - 1)) - 5;
    const std::size_t lower = octave * 2 + 1;
    return us <= bounds_us[lower] ? lower : lower + 1;
  }

  // The same value, `times` over.
  void observe(std::int64_t us, std::uint64_t times = 1) noexcept {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0));
    buckets_[bucket_of(value)].add(times);
    sum_us_.add(value * times);
  }

  std::uint64_t bucket(std::size_t i) const noexcept { return buckets_[i].get(); }
  std::uint64_t sum_us() const noexcept { return sum_us_.get(); }
  std::uint64_t count() const noexcept {
    std::uint64_t total = 0;
    for (const Cell& cell : buckets_) total += cell.get();
    return total;
  }

 private:
  std::array<Cell, kBuckets> buckets_;
  Cell sum_us_;
};

}  // namespace tollgate::core
