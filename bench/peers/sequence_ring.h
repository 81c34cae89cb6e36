// What is outstanding on one connection, by sequence number: a ring of at least twice the window.
//
// Numbers rise from 1 and wrap at 0x7FFFFFFF; one whose place is still taken by an unanswered
// request is skipped, so a lost response costs a number and never confuses two requests.
// Bounds: at most `window` outstanding; nothing is allocated after construction.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace tollgate::bench {

template <class Value>
class SequenceRing {
 public:
  explicit SequenceRing(std::uint32_t window)
      : window_(window), slots_(std::bit_ceil(std::size_t{window} * 2)) {}

  std::uint32_t outstanding() const { return outstanding_; }
  std::uint32_t room() const { return window_ - outstanding_; }

  // The sequence number to send. Only while room() > 0.
  std::uint32_t take(const Value& value) {
    do {
      next_ = next_ == 0x7FFFFFFF ? 1 : next_ + 1;
    } while (slot(next_).sequence != 0);
    slot(next_) = {next_, value};
    ++outstanding_;
    return next_;
  }

  // False: nothing of this number is outstanding.
  bool give_back(std::uint32_t sequence, Value& out) {
    Slot& held = slot(sequence);
    if (sequence == 0 || held.sequence != sequence) return false;
    out = held.value;
    held.sequence = 0;
    --outstanding_;
    return true;
  }

  // Calls f(value) of every one for which it should go; f returns true to take it out.
  template <class F>
  void remove_if(F&& f) {
    for (Slot& held : slots_) {
      if (held.sequence == 0 || !f(held.value)) continue;
      held.sequence = 0;
      --outstanding_;
    }
  }

 private:
  struct Slot {
    std::uint32_t sequence = 0;
    Value value{};
  };
  Slot& slot(std::uint32_t sequence) { return slots_[sequence & (slots_.size() - 1)]; }

  std::uint32_t window_;
  std::uint32_t next_ = 0;
  std::uint32_t outstanding_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace tollgate::bench
