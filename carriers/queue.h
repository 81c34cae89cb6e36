// The orders of one carrier that may leave, in the order in which they were taken; those that come
// back (carriers/numbers.h, throttling) return to their place.
//
// One per carrier, owned by its home shard's thread. O(1) for new ones, O(log n) for those that
// come back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "carriers/orders.h"

namespace tollgate::carriers {

class Queue {
 public:
  explicit Queue(Orders& orders) : orders_(orders), taken_(orders) {}

  std::uint32_t size() const { return taken_.size() + static_cast<std::uint32_t>(again_.size()); }
  bool empty() const { return taken_.empty() && again_.empty(); }

  // One that was taken after all others. True: no other such one waits.
  bool push(std::uint32_t order) {
    taken_.push_back(order);
    return taken_.size() == 1;
  }
  // Before all that were taken later.
  void push_again(std::uint32_t order) {
    again_.push_back({orders_[order].number, order});
    std::push_heap(again_.begin(), again_.end());
  }
  // The one that was taken first; kNoOrder: none waits.
  std::uint32_t first() const {
    const std::uint32_t taken = taken_.first();
    if (again_.empty()) return taken;
    const Again& again = again_.front();
    return taken == kNoOrder || again.number < orders_[taken].number ? again.order : taken;
  }
  void pop_first() {
    const std::uint32_t order = first();
    if (order == taken_.first()) return taken_.remove(order);
    std::pop_heap(again_.begin(), again_.end());
    again_.pop_back();
  }

 private:
  struct Again {
    std::uint64_t number;  // HeldOrder::number
    std::uint32_t order;
    bool operator<(const Again& other) const { return number > other.number; }
  };

  Orders& orders_;
  OrderList taken_;
  std::vector<Again> again_;  // a heap, the one that was taken first in front
};

}  // namespace tollgate::carriers
