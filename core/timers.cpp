#include "core/timers.h"

#include <algorithm>
#include <bit>

#include "core/check.h"

namespace tollgate::core {

Timer::~Timer() {
  if (linked()) timers_->cancel(*this);
}

Timers::Timers(std::int64_t now_us) noexcept
    : elapsed_(static_cast<std::uint64_t>(std::max<std::int64_t>(now_us, 0)) / 1000),
      target_(elapsed_) {
  for (Link& head : lists_) head.prev = head.next = &head;
}

Timers::~Timers() {
  for (Link& head : lists_) {
    while (head.next != &head) head.next->unlink();
    head.prev = head.next = nullptr;
  }
}

std::uint64_t Timers::tick_of(const Timer& timer) noexcept {
  if (timer.deadline_us_ <= 0) return 0;
  const auto tick = (static_cast<std::uint64_t>(timer.deadline_us_) + 999) / 1000;
  return std::min(tick, kTickMax);
}

void Timers::arm(Timer& timer, std::int64_t deadline_us) noexcept {
  cancel(timer);
  timer.timers_ = this;
  timer.deadline_us_ = deadline_us;
  ++size_;
  if (tick_of(timer) <= target_) {
    timer.insert_before(lists_[kLate]);
    timer.slot_ = kLate;
  } else {
    insert(timer);
  }
}

void Timers::cancel(Timer& timer) noexcept {
  if (!timer.linked()) return;
  TOLLGATE_CHECK(timer.timers_ == this, "a timer is cancelled where it was armed");
  timer.unlink();
  --size_;
  // A timer that moved to the due list still names its old slot: that one is empty, or it is not.
  const std::uint32_t slot = timer.slot_;
  if (slot < kDue && lists_[slot].next == &lists_[slot]) {
    occupied_[slot / kSlots] &= ~(std::uint64_t{1} << (slot % kSlots));
  }
}

// The tick is later than elapsed_: its level is that of the highest group of six bits in which
// the two differ, so every occupied slot of a level lies ahead of elapsed_'s own.
void Timers::insert(Timer& timer) noexcept {
  const std::uint64_t tick = tick_of(timer);
  const unsigned level = static_cast<unsigned>(std::bit_width((elapsed_ ^ tick) | 1) - 1) / kBits;
  const unsigned slot = static_cast<unsigned>(tick >> (kBits * level)) % kSlots;
  timer.slot_ = level * kSlots + slot;
  timer.insert_before(lists_[timer.slot_]);
  occupied_[level] |= std::uint64_t{1} << slot;
}

bool Timers::next_step(Step& step) const noexcept {
  for (unsigned level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const unsigned above = kBits * (level + 1);
    step.level = level;
    step.slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
    step.tick = (elapsed_ >> above << above) | (std::uint64_t{step.slot} << (kBits * level));
    return true;
  }
  return false;
}

void Timers::splice(Link& from, Link& to) noexcept {
  if (from.next == &from) return;
  from.next->prev = to.prev;
  to.prev->next = from.next;
  from.prev->next = &to;
  to.prev = from.prev;
  from.prev = from.next = &from;
}

std::size_t Timers::expire(const Now& now, std::size_t max) {
  const auto target = static_cast<std::uint64_t>(std::max<std::int64_t>(now.mono_us, 0)) / 1000;
  target_ = std::max(target_, target);
  Link& due = lists_[kDue];
  splice(lists_[kLate], due);
  std::size_t steps = 0;
  for (;;) {
    while (due.next != &due) {
      if (steps == max) return steps;
      ++steps;
      Timer& timer = static_cast<Timer&>(*due.next);
      timer.unlink();
      if (tick_of(timer) > elapsed_) {
        insert(timer);
        continue;
      }
      --size_;
      timer.fn_(timer.context_, now);  // may destroy the timer
    }
    Step step;
    if (!next_step(step) || step.tick > target_) break;
    elapsed_ = step.tick;
    const std::uint32_t slot = step.level * kSlots + step.slot;
    occupied_[step.level] &= ~(std::uint64_t{1} << step.slot);
    splice(lists_[slot], due);
  }
  elapsed_ = target_;
  return steps;
}

std::int64_t Timers::next_deadline() const noexcept {
  if (lists_[kDue].next != &lists_[kDue] || lists_[kLate].next != &lists_[kLate]) {
    return static_cast<std::int64_t>(elapsed_) * 1000;
  }
  Step step;
  return next_step(step) ? static_cast<std::int64_t>(step.tick) * 1000 : kNever;
}

}  // namespace tollgate::core
