// Orders in back-off: refused for now, they rest until their time, and later ones to the same
// number rest behind them, so that none overtakes (P5). Other numbers are not held up.
//
// One a carrier, owned by its home shard's thread. A number is known by a 64-bit hash of it.
//
// 1. At most one order of a number has a time; those behind it leave with it.
// 2. release() gives a number's orders back by HeldOrder::number, the order in which they were
// taken.
// 3. Adding and releasing are O(log n) in the numbers that rest; memory is recycled.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "carriers/orders.h"

namespace tollgate::carriers {

class Rests {
 public:
  explicit Rests(Orders& orders) : orders_(orders) {}

  // Orders to this number wait for one that rests.
  bool holds(std::uint64_t number) const { return !numbers_.empty() && numbers_.contains(number); }

  // Until due_us, or with the one of its number that rests already.
  void add(std::uint32_t order, std::int64_t due_us) {
    const auto [at, fresh] = numbers_.try_emplace(orders_[order].to, orders_);
    insert(at->second, order);
    ++size_;
    if (!fresh) return;
    times_.push_back({due_us, orders_[order].to});
    std::push_heap(times_.begin(), times_.end(), later);
  }

  // INT64_MAX: nothing rests.
  std::int64_t next_us() const {
    return times_.empty() ? std::numeric_limits<std::int64_t>::max() : times_.front().due_us;
  }

  // Gives f(order) all of the number whose time is next.
  template <class F>
  void release(F&& f) {
    std::pop_heap(times_.begin(), times_.end(), later);
    const auto at = numbers_.find(times_.back().number);
    times_.pop_back();
    OrderList orders = at->second;
    numbers_.erase(at);
    size_ -= orders.size();
    while (!orders.empty()) {
      const std::uint32_t order = orders.first();
      orders.remove(order);
      f(order);
    }
  }

  std::uint32_t size() const { return size_; }

 private:
  struct Time {
    std::int64_t due_us;
    std::uint64_t number;
  };
  static bool later(const Time& a, const Time& b) { return a.due_us > b.due_us; }

  // Mostly at the end: what is taken later comes later. One that comes back from a bind does not.
  void insert(OrderList& list, std::uint32_t order) {
    std::uint32_t after = list.last();
    while (after != kNoOrder && orders_[after].number > orders_[order].number) {
      after = orders_[after].prev;
    }
    list.insert_after(after, order);
  }

  Orders& orders_;
  absl::flat_hash_map<std::uint64_t, OrderList> numbers_;
  std::vector<Time> times_;  // a heap, the next one in front
  std::uint32_t size_ = 0;
};

}  // namespace tollgate::carriers
