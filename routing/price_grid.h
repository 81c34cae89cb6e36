// Prices by price set and destination, small enough to stay in the processor's cache: each cell is
// the number of one of the distinct amounts, of which there are far fewer. Built by the compiler,
// read by every shard.
//
// 1. at(set, destination) is what was added, or kNone.
// 2. A cell is 16 bits with up to 65,536 distinct amounts, else 32.
#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <unordered_map>
#include <vector>

#include "routing/huge_pages.h"
#include "routing/money.h"

namespace tollgate::routing {

inline constexpr Nano kNone = std::numeric_limits<Nano>::min();  // no cost, no price, no minimum

class PriceGrid {
 public:
  Nano at(std::size_t set, std::size_t destination) const {
    const std::size_t cell = set * destinations_ + destination;
    return amounts_[narrow_.empty() ? wide_[cell] : narrow_[cell]];
  }
  std::size_t bytes() const {
    return amounts_.capacity() * sizeof(Nano) + narrow_.capacity() * sizeof(narrow_[0]) +
           wide_.capacity() * sizeof(wide_[0]);
  }

  // Building: the prices of one set after the other, each for all destinations; then finish().
  void add(std::span<const Nano> prices);
  void finish();

 private:
  std::size_t destinations_ = 0;
  std::vector<Nano> amounts_;
  HugeVector<std::uint16_t> narrow_;
  HugeVector<std::uint32_t> wide_;
  std::unordered_map<Nano, std::uint32_t> known_;  // while building
};

}  // namespace tollgate::routing
