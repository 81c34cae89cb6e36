// Two ways to count time that a wall clock which jumps does not spoil (docs/decisions/0025).
//
// Kept time measures the age of what is kept for some days. It is the machine's monotonic clock,
// summed over boots.
//   1 It never advances by more than the time that passed, whatever the wall clock says: nothing is
//     removed early. While the machine is off it stands still: then things are kept longer.
//   2 A file of detail records says in its header when it was begun by kept time. For files without
//     that (older layouts) the headers' wall times count, as far as later files bear them out.
//   3 The time since the newest file was begun is saved each minute in the file `kept-time` beside
//     them. Without that file this time is counted again, no less.
//
// Steady time: the wall clock, where a jump counts only after it has lasted.
//   4 It runs like the monotonic clock, follows adjustments of the wall clock of up to kFollowUs,
//     and takes over a jump after kHoldUs. Jumps that are taken back sooner are not seen.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/boot.h"
#include "core/journal/reader.h"

namespace tollgate::gateway {

struct KeptAt {
  core::ClockPair at;
  std::int64_t kept_us = 0;
};

// The file `kept-time` of a directory; nullopt: none that can be read. False: not written.
std::optional<KeptAt> load_kept(const std::string& directory);
bool save_kept(const std::string& directory, const KeptAt& kept);

struct KeptFiles {
  std::vector<std::int64_t> begun_kept_us;  // of each segment
  std::int64_t kept_less_mono_us = 0;       // of this process
};
// `segments` oldest first.
KeptFiles kept_files(const std::vector<core::JournalSegment>& segments,
                     const std::optional<KeptAt>& saved, const core::ClockPair& now);

// One thread at a time.
class SteadyWall {
 public:
  static constexpr std::int64_t kFollowUs = 2'000'000;
  static constexpr std::int64_t kHoldUs = std::int64_t{3'600} * 1'000'000;
  // So much time between two runs is believed at once, where nothing but the wall clock tells it.
  static constexpr std::int64_t kAwayMaxUs = std::int64_t{7 * 86'400} * 1'000'000;

  // Without a past the wall clock is believed. `past`: steady time that an earlier process saw.
  SteadyWall() = default;
  SteadyWall(const std::optional<core::ClockPair>& past, const core::ClockPair& now);

  std::int64_t at(const core::Now& now);

 private:
  bool begun_ = false;
  std::int64_t less_mono_us_ = 0;  // steady time less the monotonic clock
  bool jumped_ = false;
  std::int64_t jump_less_mono_us_ = 0;  // what the wall clock says since
  std::int64_t jumped_mono_us_ = 0;
};

// Saves both for the next process. One thread, which it makes wait for the disk.
class KeptClock {
 public:
  KeptClock(std::string directory, std::int64_t kept_less_mono_us);
  // Each few seconds, with steady time for the wall clock: saves once a minute. What cannot be
  // saved is told once in the log.
  void look(const core::ClockPair& steady);

 private:
  static constexpr std::int64_t kSaveUs = std::int64_t{60} * 1'000'000;

  std::string directory_;
  std::int64_t kept_less_mono_us_;
  std::optional<std::int64_t> saved_us_;  // monotonic
  bool told_ = false;
};

}  // namespace tollgate::gateway
