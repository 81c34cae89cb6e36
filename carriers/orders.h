// The orders that a carrier has: waiting in its queue, or sent and unanswered. Each keeps its body
// until its outcome, because a throttled message is sent again from here.
//
// One per carrier, owned by its home shard's thread.
// 1. An order is in at most one OrderList at a time: the queue, one bind's window, or those held
//    for an earlier one to their number.
// 2. Bounded by `count_max` orders and `octets_max` of what bodies take beyond kInline octets.
// 3. take() and release() allocate nothing once the high mark has been reached.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/pool.h"
#include "proto/octets.h"

namespace tollgate::carriers {

inline constexpr std::uint32_t kNoOrder = 0xFFFFFFFF;

struct HeldOrder {
  static constexpr std::size_t kInline = 260;

  HeldOrder() {}  // leaves the body alone: value-initialisation would clear it

  std::uint64_t message = 0;
  std::uint64_t number = 0;       // in the order of taking; what a repeat is sorted by
  std::int64_t deadline_us = 0;   // 0 = none
  std::int64_t sent_us = 0;       // when it left last
  std::uint32_t next = kNoOrder;  // OrderList
  std::uint32_t prev = kNoOrder;
  std::uint32_t length = 0;
  std::uint32_t more = kNoOrder;  // blocks after the inline octets
  std::uint32_t sequence = 0;     // of the request it left in last
  std::uint64_t to = 0;           // a hash of its destination number
  std::uint32_t line = 0;         // of that number (carriers/numbers.h)
  std::uint16_t retries = 0;      // here, after refusals for now
  std::uint16_t throttles = 0;
  std::uint16_t attempt = 0;
  bool asks_receipt = false;
  std::uint8_t source = 0;
  std::uint8_t probes = 0;  // since it was throttled alone (Throttle): how often; 0: never
  std::uint8_t body[kInline];
};

class Orders {
 public:
  Orders(std::uint32_t count_max, std::uint32_t octets_max)
      : held_(count_max), blocks_(static_cast<std::uint32_t>(octets_max / sizeof(Block))) {}

  void bound(std::uint32_t count_max, std::uint32_t octets_max) {
    held_.bound(count_max);
    blocks_.bound(static_cast<std::uint32_t>(octets_max / sizeof(Block)));
  }

  // kNoOrder when it does not fit.
  std::uint32_t take(proto::Octets body) {
    const std::uint32_t index = held_.take();
    if (index == kNoOrder) return kNoOrder;
    HeldOrder& order = held_[index];
    order.length = static_cast<std::uint32_t>(body.size());
    const std::size_t first = std::min(body.size(), HeldOrder::kInline);
    std::memcpy(order.body, body.data(), first);
    if (first < body.size() && !store_rest(order, body.subspan(first))) {
      release(index);
      return kNoOrder;
    }
    return index;
  }

  // Whether one of this length would, as far as octets go.
  bool fits(std::size_t length) const {
    if (length <= HeldOrder::kInline) return true;
    return (length - HeldOrder::kInline) / sizeof(Block::octets) <
           std::size_t{blocks_.capacity()} - std::min(blocks_.size(), blocks_.capacity());
  }

  // What bodies may still take, by the blocks' whole size.
  std::uint64_t octets_left() const {
    return (std::uint64_t{blocks_.capacity()} - std::min(blocks_.size(), blocks_.capacity())) *
           sizeof(Block);
  }

  void release(std::uint32_t index) {
    for (std::uint32_t at = held_[index].more; at != kNoOrder;) {
      const std::uint32_t next = blocks_[at].next;
      blocks_.release(at);
      at = next;
    }
    held_.release(index);
  }

  HeldOrder& operator[](std::uint32_t index) { return held_[index]; }
  const HeldOrder& operator[](std::uint32_t index) const { return held_[index]; }

  // Exactly order.length octets.
  void copy_body(const HeldOrder& order, std::uint8_t* to) const {
    std::size_t left = order.length;
    const std::size_t first = std::min(left, HeldOrder::kInline);
    std::memcpy(to, order.body, first);
    left -= first;
    to += first;
    for (std::uint32_t at = order.more; left != 0; at = blocks_[at].next) {
      const std::size_t part = std::min(left, sizeof(Block::octets));
      std::memcpy(to, blocks_[at].octets, part);
      left -= part;
      to += part;
    }
  }

  std::uint32_t size() const { return held_.size(); }

 private:
  struct Block {
    Block() {}
    std::uint32_t next;
    std::uint8_t octets[508];
  };

  bool store_rest(HeldOrder& order, proto::Octets rest) {
    std::uint32_t* link = &order.more;
    while (!rest.empty()) {
      const std::uint32_t at = blocks_.take();
      if (at == kNoOrder) return false;
      Block& block = blocks_[at];
      const std::size_t part = std::min(rest.size(), sizeof block.octets);
      std::memcpy(block.octets, rest.data(), part);
      rest = rest.subspan(part);
      block.next = kNoOrder;
      *link = at;
      link = &block.next;
    }
    return true;
  }

  core::Slab<HeldOrder> held_;
  core::Slab<Block> blocks_;
};

// A list of orders by their links: O(1) at both ends and for removal.
class OrderList {
 public:
  explicit OrderList(Orders& orders) : orders_(&orders) {}

  bool empty() const { return first_ == kNoOrder; }
  std::uint32_t first() const { return first_; }
  std::uint32_t last() const { return last_; }
  std::uint32_t size() const { return size_; }

  void push_back(std::uint32_t index) { insert_after(last_, index); }

  // kNoOrder as `after`: to the front.
  void insert_after(std::uint32_t after, std::uint32_t index) {
    HeldOrder& order = (*orders_)[index];
    order.prev = after;
    std::uint32_t& forward = after == kNoOrder ? first_ : (*orders_)[after].next;
    order.next = forward;
    (order.next == kNoOrder ? last_ : (*orders_)[order.next].prev) = index;
    forward = index;
    ++size_;
  }

  void remove(std::uint32_t index) {
    const HeldOrder& order = (*orders_)[index];
    (order.prev == kNoOrder ? first_ : (*orders_)[order.prev].next) = order.next;
    (order.next == kNoOrder ? last_ : (*orders_)[order.next].prev) = order.prev;
    --size_;
  }

 private:
  Orders* orders_;
  std::uint32_t first_ = kNoOrder;
  std::uint32_t last_ = kNoOrder;
  std::uint32_t size_ = 0;
};

}  // namespace tollgate::carriers
