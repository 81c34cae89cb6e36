#include "gateway/keeping/timeline.h"

#include <algorithm>
#include <limits>

namespace tollgate::gateway {
namespace {

std::int64_t negated(std::int64_t value) {
  return value == std::numeric_limits<std::int64_t>::min()
             ? std::numeric_limits<std::int64_t>::max()
             : -value;
}

std::int64_t difference(std::int64_t a, std::int64_t b) {
  return saturated_sum(a, negated(b));
}

}  // namespace

std::int64_t saturated_sum(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a < 0 ? std::numeric_limits<std::int64_t>::min()
               : std::numeric_limits<std::int64_t>::max();
}

void Timeline::seen(std::int64_t line_us, std::int64_t wall_us) {
  if (begun_ && line_us < newest_us_) return;
  begun_ = true;
  newest_us_ = line_us;
  newest_wall_us_ = wall_us;
}

// `may_go_on`: of the same boot as the last pair, if it says so.
void Timeline::enter(const core::ClockPair& clocks, bool may_go_on) {
  if (!may_go_on || clocks.boot == 0 || clocks.boot != last_.boot) {
    const std::int64_t away_us =
        std::clamp<std::int64_t>(difference(clocks.wall_us, newest_wall_us_), 0, kGapMaxUs);
    const std::int64_t line_us = begun_ ? saturated_sum(newest_us_, away_us) : clocks.wall_us;
    line_less_mono_us_ = difference(line_us, clocks.mono_us);
    if (clocks.boot != 0) boots_.emplace_back(clocks.boot, line_less_mono_us_);
  }
  last_ = clocks;
  const std::int64_t line_us = saturated_sum(line_less_mono_us_, clocks.mono_us);
  if (!begun_with_.known) begun_with_ = {true, difference(line_us, clocks.wall_us)};
  seen(line_us, clocks.wall_us);
}

void Timeline::see_unseen() {
  for (const Stream& each : streams_) {
    if (!each.unseen_wall_us) continue;
    seen(saturated_sum(*each.unseen_wall_us, begun_with_.us), *each.unseen_wall_us);
  }
}

void Timeline::segment(const core::ClockPair& begun, bool new_run) {
  if (new_run) {
    see_unseen();
    streams_.clear();
    begun_with_ = {};
  }
  if (begun.boot == 0) {
    last_.boot = 0;
    return;  // the run's first record says where it begins
  }
  enter(begun, !new_run || begun.mono_us >= last_.mono_us);
}

void Timeline::clock(unsigned stream, const core::ClockPair& clocks) {
  if (streams_.size() <= stream) streams_.resize(stream + 1U);
  const std::int64_t line_us = saturated_sum(line_less_mono_us_, clocks.mono_us);
  if (last_.boot != 0 && clocks.boot == last_.boot) {
    streams_[stream] = {{true, difference(line_us, clocks.wall_us)}, {}};
    seen(line_us, clocks.wall_us);
  }
}

std::int64_t Timeline::shift_us(unsigned stream, std::int64_t wall_us) {
  if (streams_.size() <= stream) streams_.resize(stream + 1U);
  if (!begun_with_.known) enter({0, 0, wall_us}, false);
  Stream& said = streams_[stream];
  if (!said.shift.known) {
    said.unseen_wall_us = std::max(said.unseen_wall_us.value_or(wall_us), wall_us);
    return begun_with_.us;
  }
  const std::int64_t shift_us = said.shift.us;
  seen(saturated_sum(wall_us, shift_us), wall_us);
  return shift_us;
}

void Timeline::ends(const core::ClockPair& now) {
  see_unseen();
  enter(now, now.mono_us >= last_.mono_us);
}

std::int64_t Timeline::mono_us(std::int64_t line_us) const {
  return difference(line_us, line_less_mono_us_);
}

std::int64_t Timeline::mono_less_wall_us(const core::ClockPair& written) const {
  if (core::same_boot(written, last_)) return difference(written.mono_us, written.wall_us);
  for (const auto& [boot, line_less_mono_us] : boots_) {
    if (boot != written.boot) continue;
    const std::int64_t then_us = mono_us(saturated_sum(line_less_mono_us, written.mono_us));
    return difference(then_us, written.wall_us);
  }
  const std::int64_t ago_us =
      std::clamp<std::int64_t>(difference(last_.wall_us, written.wall_us), 0, kGapMaxUs);
  return difference(difference(last_.mono_us, ago_us), written.wall_us);
}

}  // namespace tollgate::gateway
