// The unanswered submits of one bind, by sequence number and by age.
//
// 1. At most `max` of them. A sequence number names at most one.
// 2. put, take and oldest are O(1): a slot is sequence mod size. A number whose slot is still
//    taken is skipped, so a response that never comes does not stop later numbers.
// 3. Numbers ascend from 1 and wrap after 0x7FFFFFFF; leaving some out is legal [5.0 2.6.2].
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "carriers/orders.h"
#include "core/check.h"
#include "proto/limits.h"

namespace tollgate::carriers {

class Window {
 public:
  Window(std::uint32_t max, Orders& orders)
      : max_(max), orders_(orders), slots_(std::bit_ceil(std::uint64_t{max} * 2)), ages_(orders) {}

  std::uint32_t max() const { return max_; }
  // What is in it stays, also beyond a smaller maximum.
  void set_max(std::uint32_t max) {
    max_ = max;
    std::vector<Slot> slots(std::bit_ceil(std::uint64_t{max} * 2));
    if (slots.size() <= slots_.size()) return;
    for (const Slot& each : slots_) {
      if (each.order != kNoOrder) slots[each.sequence & (slots.size() - 1)] = each;
    }
    slots_.swap(slots);
  }
  std::uint32_t in_use() const { return ages_.size(); }
  bool full() const { return ages_.size() >= max_; }

  // For any request of ours; the next one of a submit goes to put().
  std::uint32_t next_sequence() {
    do {
      last_ = proto::next_sequence(last_);
    } while (slot(last_).order != kNoOrder);
    return last_;
  }

  // `sequence` from next_sequence(); not full().
  void put(std::uint32_t sequence, std::uint32_t order) {
    TOLLGATE_CHECK(!full() && slot(sequence).order == kNoOrder, "a window's slot is free");
    slot(sequence) = {sequence, order};
    orders_[order].sequence = sequence;
    ages_.push_back(order);
  }

  // The order that was sent with `sequence`, now out of the window; kNoOrder when there is none.
  std::uint32_t take(std::uint32_t sequence) {
    Slot& at = slot(sequence);
    if (at.order == kNoOrder || at.sequence != sequence) return kNoOrder;
    const std::uint32_t order = at.order;
    at.order = kNoOrder;
    ages_.remove(order);
    return order;
  }

  // The order that was sent first; kNoOrder when empty.
  std::uint32_t oldest() const { return ages_.first(); }
  // f(order), from the oldest on.
  template <class F>
  void for_each(F&& f) const {
    for (std::uint32_t at = ages_.first(); at != kNoOrder; at = orders_[at].next) f(orders_[at]);
  }
  // Takes the oldest out; the window is not empty.
  std::uint32_t take_oldest() { return take(orders_[ages_.first()].sequence); }

  // A new session has its own numbers. The window is empty.
  void restart() {
    TOLLGATE_CHECK(ages_.empty(), "no order crosses sessions");
    last_ = 0;
  }

 private:
  struct Slot {
    std::uint32_t sequence = 0;
    std::uint32_t order = kNoOrder;
  };
  Slot& slot(std::uint32_t sequence) { return slots_[sequence & (slots_.size() - 1)]; }

  std::uint32_t max_;
  std::uint32_t last_ = 0;
  Orders& orders_;
  std::vector<Slot> slots_;
  OrderList ages_;
};

}  // namespace tollgate::carriers
