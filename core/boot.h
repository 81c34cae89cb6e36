// Two clocks read together, in a form that can be written down: which boot of the machine it was,
// the monotonic clock, which counts in that boot alone, and the wall clock, which may jump.
//   1 Two pairs of one boot say exactly how much time lay between them, whatever the wall did.
//   2 boot 0: nothing is known of the monotonic clock (older layouts).
#pragma once
#include <cstdint>

#include "core/clock.h"

namespace tollgate::core {

struct ClockPair {
  std::uint64_t boot = 0;
  std::int64_t mono_us = 0;
  std::int64_t wall_us = 0;
  bool operator==(const ClockPair&) const = default;
};

// The same in all processes until the machine starts anew, never 0. A system that does not tell
// gets one for each process: then nothing is taken from another process's monotonic clock.
std::uint64_t boot_id() noexcept;

inline ClockPair pair_of(const Now& now) noexcept {
  return {boot_id(), now.mono_us, now.wall_us};
}

// `later` counts on from `earlier`: their difference is time that passed.
constexpr bool same_boot(const ClockPair& earlier, const ClockPair& later) noexcept {
  return earlier.boot != 0 && earlier.boot == later.boot && later.mono_us >= earlier.mono_us;
}

}  // namespace tollgate::core
