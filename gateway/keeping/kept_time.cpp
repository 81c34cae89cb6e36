#include "gateway/keeping/kept_time.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "core/file.h"
#include "core/log.h"
#include "core/replace_file.h"

namespace tollgate::gateway {
namespace {

constexpr std::string_view kBegin = "kept-time 1";
constexpr std::size_t kKeptOctetsMax = 1024;
// Where it begins to be counted: old enough that no file is from before it.
constexpr std::int64_t kFirstUs = std::int64_t{100 * 366} * 86'400 * 1'000'000;

std::string kept_file(const std::string& directory) {
  return directory + "/kept-time";
}

// What has passed since, as far as it is known.
std::int64_t counted_on(const KeptAt& then, const core::ClockPair& now) {
  return core::same_boot(then.at, now) ? then.kept_us + (now.mono_us - then.at.mono_us)
                                       : then.kept_us;
}

}  // namespace

std::optional<KeptAt> load_kept(const std::string& directory) {
  const core::FileText text = core::read_file(kept_file(directory), kKeptOctetsMax);
  if (!text) return std::nullopt;
  std::istringstream in(*text);
  std::string word, version;
  KeptAt kept;
  core::ClockPair& at = kept.at;
  if (!(in >> word >> version >> at.boot >> at.mono_us >> at.wall_us >> kept.kept_us)) {
    return std::nullopt;
  }
  if (word + " " + version != kBegin) return std::nullopt;
  return kept;
}

bool save_kept(const std::string& directory, const KeptAt& kept) {
  std::string text(kBegin);
  text += ' ' + std::to_string(kept.at.boot) + ' ' + std::to_string(kept.at.mono_us) + ' ' +
          std::to_string(kept.at.wall_us) + ' ' + std::to_string(kept.kept_us) + '\n';
  return core::replace_file(kept_file(directory), text) == 0;
}

KeptFiles kept_files(const std::vector<core::JournalSegment>& segments,
                     const std::optional<KeptAt>& saved, const core::ClockPair& now) {
  std::int64_t kept_us = kFirstUs;
  if (saved) kept_us = std::max(kept_us, counted_on(*saved, now));
  const core::JournalSegment* first = nullptr;  // that says when it was begun
  const core::JournalSegment* old = nullptr;    // the last that does not
  for (const core::JournalSegment& each : segments) {
    if (each.kept_us == 0) {
      old = &each;
      continue;
    }
    if (first == nullptr) first = &each;
    kept_us = std::max(kept_us, counted_on({each.begun, each.kept_us}, now));
  }
  KeptFiles files;
  files.kept_less_mono_us = kept_us - now.mono_us;
  const std::int64_t anchor_us = first != nullptr ? first->kept_us : kept_us;
  // No file is older than those in front of it say, nor is the last one from the future.
  std::int64_t newest_wall_us = 0;
  const std::int64_t last_wall_us = old == nullptr ? 0 : std::min(old->begun.wall_us, now.wall_us);
  for (const core::JournalSegment& each : segments) {
    newest_wall_us = std::max(newest_wall_us, each.begun.wall_us);
    const std::int64_t age_us =
        std::clamp<std::int64_t>(last_wall_us - newest_wall_us, 0, kFirstUs);
    files.begun_kept_us.push_back(each.kept_us != 0 ? each.kept_us : anchor_us - age_us);
  }
  return files;
}

SteadyWall::SteadyWall(const std::optional<core::ClockPair>& past, const core::ClockPair& now) {
  if (!past) return;
  const std::int64_t away_us = now.wall_us - past->wall_us;
  std::int64_t steady_us = now.wall_us;
  if (core::same_boot(*past, now)) {
    steady_us = past->wall_us + (now.mono_us - past->mono_us);
  } else if (away_us < 0 || away_us > kAwayMaxUs) {
    steady_us = past->wall_us;
  }
  begun_ = true;
  less_mono_us_ = steady_us - now.mono_us;
}

std::int64_t SteadyWall::at(const core::Now& now) {
  const std::int64_t wall_less_us = now.wall_us - now.mono_us;
  if (!begun_ || std::abs(wall_less_us - less_mono_us_) <= kFollowUs) {
    begun_ = true;
    jumped_ = false;
    less_mono_us_ = wall_less_us;
  } else if (!jumped_ || std::abs(wall_less_us - jump_less_mono_us_) > kFollowUs) {
    jumped_ = true;
    jump_less_mono_us_ = wall_less_us;
    jumped_mono_us_ = now.mono_us;
  } else if (now.mono_us - jumped_mono_us_ >= kHoldUs) {
    jumped_ = false;
    less_mono_us_ = wall_less_us;
  }
  return now.mono_us + less_mono_us_;
}

KeptClock::KeptClock(std::string directory, std::int64_t kept_less_mono_us)
    : directory_(std::move(directory)), kept_less_mono_us_(kept_less_mono_us) {}

void KeptClock::look(const core::ClockPair& steady) {
  if (saved_us_ && steady.mono_us - *saved_us_ < kSaveUs) return;
  saved_us_ = steady.mono_us;
  const bool good = save_kept(directory_, {steady, steady.mono_us + kept_less_mono_us_});
  if (!good && !told_) core::log::warn("kept_time_not_saved", {{"directory", directory_}});
  told_ = !good;
}

}  // namespace tollgate::gateway
