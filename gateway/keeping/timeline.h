// One line of time through all that a journal records, whatever the wall clock did meanwhile. For
// the start, on its thread. docs/decisions/0025 has the reasons.
//
//   1 Within one boot of the machine the line runs like the monotonic clock: a wall clock that was
//     set forward or back between two records, or between two runs, moves nothing on it.
//   2 Over a boot (the monotonic clocks cannot be compared) the wall clock says how long the
//     machine was away: never less than nothing, at most kGapMaxUs.
//   3 Records of an older layout, without a monotonic clock, count as a separate boot.
//   4 A stream without a clock record has the clock with which its run begins here: each stream
//     records its clock with its first record in a segment (recorder.h); one without saw no other.
//   5 A record may have been on its way when its segment began, and the clock record before it may
//     be in a file that is gone. So records before a stream's first clock record move no other
//     time: over a boot they count only if the stream has no clock record in its whole run.
//   6 If no clock jumped, line and wall clock are the same.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/boot.h"

namespace tollgate::gateway {

class Timeline {
 public:
  // So much time without us is believed. A clock that is wrong after a boot costs no more.
  static constexpr std::int64_t kGapMaxUs = std::int64_t{86'400} * 1'000'000;

  // In the order of the journal: a segment begins; `new_run`: of another process than the last.
  void segment(const core::ClockPair& begun, bool new_run);
  // A clock record: holds for what the stream says from here on.
  void clock(unsigned stream, const core::ClockPair& clocks);
  // Of the next record of the stream, which is of that time: the line less the wall clock.
  std::int64_t shift_us(unsigned stream, std::int64_t wall_us);

  // Behind the last record: this is now.
  void ends(const core::ClockPair& now);
  // Then: when in this process's monotonic clock.
  std::int64_t mono_us(std::int64_t line_us) const;
  // For wall times that were written together with these clocks, in whatever file: what makes them
  // monotonic.
  std::int64_t mono_less_wall_us(const core::ClockPair& written) const;

 private:
  struct Shift {
    bool known = false;
    std::int64_t us = 0;
  };
  void enter(const core::ClockPair& clocks, bool may_go_on);
  void seen(std::int64_t line_us, std::int64_t wall_us);

  struct Stream {
    Shift shift;
    std::optional<std::int64_t> unseen_wall_us;  // the newest of its records that had no clock yet
  };
  void see_unseen();

  std::vector<Stream> streams_;         // of the run
  Shift begun_with_;                    // the run: for streams that have told no clock
  core::ClockPair last_;                // pair
  std::int64_t line_less_mono_us_ = 0;  // in its boot
  std::vector<std::pair<std::uint64_t, std::int64_t>> boots_;  // likewise, of each that was seen
  bool begun_ = false;
  std::int64_t newest_us_ = 0;       // on the line
  std::int64_t newest_wall_us_ = 0;  // what the wall clock said there
};

// Times are of records: whatever they say, nothing overflows.
std::int64_t saturated_sum(std::int64_t a, std::int64_t b);

}  // namespace tollgate::gateway
