// Timers of one shard: a hierarchical wheel of 8 levels of 64 slots, 1 ms a tick.
// One thread. A Timer is embedded in what it belongs to; arming allocates nothing.
//   1 A timer never fires early, and at most once per arming; it fires in the first expire()
//     whose time has reached its deadline rounded up to the millisecond, work permitting.
//   2 arm and cancel are O(1); expire does at most `max` steps (a firing or one move of a timer to
//     a finer level) and continues next time; each timer moves at most 7 times in its life.
//   3 A callback may arm, cancel or destroy any timer, even its own. Destroying a timer cancels it.
//   4 Deadlines reach 2^48 ms (8,900 years) from the monotonic clock's zero; later ones wait
//     there.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/clock.h"
#include "core/list.h"

namespace tollgate::core {

class Timers;

class Timer : private Link {
 public:
  using Fn = void (*)(void* context, const Now& now);

  Timer(Fn fn, void* context) noexcept : fn_(fn), context_(context) {}
  ~Timer();

  // A timer that calls object.Method(now).
  template <auto Method, class T>
  static Timer calling(T& object) noexcept {
    return Timer([](void* context, const Now& now) { (static_cast<T*>(context)->*Method)(now); },
                 &object);
  }

  bool armed() const noexcept { return linked(); }
  std::int64_t deadline_us() const noexcept { return deadline_us_; }

 private:
  friend class Timers;
  Fn fn_;
  void* context_;
  Timers* timers_ = nullptr;
  std::int64_t deadline_us_ = 0;
  std::uint32_t slot_ = 0;
};

class Timers {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  // `now_us`: the monotonic time at which the wheel starts.
  explicit Timers(std::int64_t now_us = 0) noexcept;
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;
  ~Timers();

  // Arms, or arms anew. A deadline that has passed fires in the next expire().
  void arm(Timer& timer, std::int64_t deadline_us) noexcept;
  void cancel(Timer& timer) noexcept;

  // Fires what is due at now.mono_us. Returns the number of steps done; `max` means more may wait.
  std::size_t expire(const Now& now, std::size_t max);

  // The moment at which expire() has work; never later than the first deadline (rounded up to
  // 1 ms), maybe earlier; kNever when nothing is armed.
  std::int64_t next_deadline() const noexcept;
  std::size_t size() const noexcept { return size_; }

 private:
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1U << kBits;
  static constexpr unsigned kLevels = 8;
  static constexpr std::uint32_t kDue = kLevels * kSlots;  // the list being worked off
  static constexpr std::uint32_t kLate = kDue + 1;         // armed when already due
  static constexpr std::uint64_t kTickMax = (std::uint64_t{1} << (kBits * kLevels)) - 1;

  struct Step {
    unsigned level;
    unsigned slot;
    std::uint64_t tick;
  };

  static std::uint64_t tick_of(const Timer& timer) noexcept;
  void insert(Timer& timer) noexcept;
  static void splice(Link& from, Link& to) noexcept;
  bool next_step(Step& step) const noexcept;

  std::array<Link, kLate + 1> lists_;
  std::array<std::uint64_t, kLevels> occupied_{};
  std::uint64_t elapsed_;  // every tick up to this one has been taken from the wheel
  std::uint64_t target_;   // the latest tick that expire() was asked for; not before elapsed_
  std::size_t size_ = 0;
};

}  // namespace tollgate::core
