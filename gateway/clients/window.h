// The unanswered requests of one connection, by sequence_number. One owner, one thread.
//
// Invariants
// 1. At most `max` entries are open; begin() is only called while !full().
// 2. Responses may come in any order. An old open request never blocks newer ones: its slot is
//    skipped (there are four slots for each entry).
// 3. Everything is O(1) amortised; memory is taken at the first begin().
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace tollgate::gateway {

template <class Entry>
class Window {
 public:
  // `last`: the sequence number before the first one.
  explicit Window(std::uint32_t max, std::uint32_t last = 0) : max_(max), last_(last) {}

  // What is open stays, also beyond a smaller maximum.
  void set_max(std::uint32_t max) {
    max_ = max;
    const std::size_t size = std::bit_ceil(std::size_t{max} * 4);
    if (slots_.empty() || size <= slots_.size()) return;
    std::vector<Slot> slots(size);
    for (const Slot& each : slots_) {
      if (each.sequence != 0) slots[each.sequence & (size - 1)] = each;
    }
    slots_.swap(slots);
    mask_ = static_cast<std::uint32_t>(size - 1);
  }

  bool full() const { return open_ >= max_; }
  std::uint32_t open() const { return open_; }

  // A number of the same series for a request that is not kept here (enquire_link, unbind).
  std::uint32_t pass_sequence() { return advance(); }

  std::uint32_t begin(const Entry& entry) {
    if (slots_.empty()) {
      slots_.resize(std::bit_ceil(std::size_t{max_} * 4));
      mask_ = static_cast<std::uint32_t>(slots_.size() - 1);
    }
    std::uint32_t sequence = advance();
    while (slots_[sequence & mask_].sequence != 0) sequence = advance();
    slots_[sequence & mask_] = {sequence, entry};
    if (open_++ == 0) oldest_ = sequence;
    return sequence;
  }

  // Null when no such request is open.
  Entry* find(std::uint32_t sequence) {
    if (slots_.empty() || sequence == 0) return nullptr;
    Slot& slot = slots_[sequence & mask_];
    return slot.sequence == sequence ? &slot.entry : nullptr;
  }

  void end(std::uint32_t sequence) {
    slots_[sequence & mask_].sequence = 0;
    --open_;
  }

  // The request that has been open longest; null when none is.
  Entry* oldest() {
    if (open_ == 0) return nullptr;
    while (slots_[oldest_ & mask_].sequence != oldest_) {
      oldest_ = oldest_ == kSequenceMax ? 1 : oldest_ + 1;
    }
    return &slots_[oldest_ & mask_].entry;
  }

  // Ends all, oldest first.
  template <class F>
  void drain(F&& f) {
    while (Entry* entry = oldest()) {
      const Entry copy = *entry;
      end(oldest_);
      f(copy);
    }
  }

 private:
  static constexpr std::uint32_t kSequenceMax = 0x7fffffff;
  struct Slot {
    std::uint32_t sequence = 0;
    Entry entry{};
  };
  std::uint32_t advance() {
    last_ = last_ == kSequenceMax ? 1 : last_ + 1;
    return last_;
  }

  std::uint32_t max_;
  std::uint32_t last_;
  std::uint32_t open_ = 0;
  std::uint32_t oldest_ = 0;
  std::uint32_t mask_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace tollgate::gateway
