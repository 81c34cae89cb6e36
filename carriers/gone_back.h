// The orders of one carrier that went back to keep their number's order (P5): refused for now once
// too often, or later than one that was. Until the source confirms each of them, anything it sends
// to that number was sent before it knew, and goes back as well: it would overtake them. Other
// numbers go on (docs/decisions/0013-a-fence-behind-what-comes-back.md).
//
// One per carrier, owned by its home shard's thread. Bounded by the orders that are out: a source
// has one out for a message, and sends that message again only after it has confirmed.
#pragma once

#include <cstdint>

#include <absl/container/flat_hash_map.h>

#include "carriers/orders.h"

namespace tollgate::carriers {

class GoneBack {
 public:
  bool holds(const HeldOrder& order) const {
    return !numbers_.empty() && numbers_.contains(number_of(order));
  }
  void add(const HeldOrder& order) {
    const std::uint64_t number = number_of(order);
    if (orders_.emplace(order.message, number).second) ++numbers_[number];
  }
  void known(std::uint64_t message) {
    const auto order = orders_.find(message);
    if (order == orders_.end()) return;
    const auto number = numbers_.find(order->second);
    if (--number->second == 0) numbers_.erase(number);
    orders_.erase(order);
  }

 private:
  // Of one source: other sources have their own order.
  static std::uint64_t number_of(const HeldOrder& order) {
    return order.to ^ order.source * 0x9E3779B97F4A7C15U;
  }

  absl::flat_hash_map<std::uint64_t, std::uint64_t> orders_;   // message -> number
  absl::flat_hash_map<std::uint64_t, std::uint32_t> numbers_;  // how many to each
};

}  // namespace tollgate::carriers
