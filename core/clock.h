// The time of one turn, in microseconds. Read once a turn by the shard and passed as an argument
// everywhere else, so that a simulated clock needs no second path.
//   1 mono_us (CLOCK_MONOTONIC) never goes back: every deadline and duration uses it alone.
//   2 wall_us (CLOCK_REALTIME, Unix epoch) may jump: it only names moments to people and peers.
#pragma once
#include <cstdint>
#include <functional>

namespace tollgate::core {

struct Now {
  std::int64_t mono_us = 0;
  std::int64_t wall_us = 0;
};

using Clock = std::function<Now()>;

Now read_clock() noexcept;

}  // namespace tollgate::core
