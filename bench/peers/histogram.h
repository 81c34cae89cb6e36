// A log-linear histogram of nanoseconds: 64 steps an octave, so a quantile is at most 1.6 % above
// the true value. From 0 to 2^40 ns (18 minutes); longer ones count as that. Fixed size.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace tollgate::bench {

class Histogram {
 public:
  void add(std::int64_t ns) {
    const auto v = static_cast<std::uint64_t>(std::clamp<std::int64_t>(ns, 0, value_max));
    ++cells_[index_of(v)];
    ++count_;
    sum_ += v;
    max_ = std::max(max_, v);
  }

  std::uint64_t count() const { return count_; }
  double max_us() const { return static_cast<double>(max_) / 1e3; }
  double mean_us() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_) / 1e3;
  }

  // The smallest bound that at least share * count values do not pass.
  double quantile_us(double share) const {
    if (count_ == 0) return 0;
    const double exact = share * static_cast<double>(count_);
    auto rank = static_cast<std::uint64_t>(exact);
    if (static_cast<double>(rank) < exact || rank == 0) ++rank;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      seen += cells_[i];
      if (seen >= rank) return static_cast<double>(std::min(upper_bound_of(i), max_)) / 1e3;
    }
    return max_us();
  }

 private:
  static constexpr unsigned step_bits = 6;
  static constexpr std::uint64_t steps = 1u << step_bits;
  static constexpr std::int64_t value_max = (std::int64_t{1} << 40) - 1;

  static std::size_t index_of(std::uint64_t v) {
    if (v < 2 * steps) return v;
    const auto shift = static_cast<unsigned>(std::bit_width(v)) - step_bits - 1;
    return shift * steps + (v >> shift);
  }
  static std::uint64_t upper_bound_of(std::size_t i) {
    if (i < 2 * steps) return i;
    const std::size_t shift = i / steps - 1;
    return ((i - shift * steps + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (40 - step_bits + 1) * steps> cells_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace tollgate::bench
