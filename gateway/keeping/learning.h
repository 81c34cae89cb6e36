// Learns from detail records as they are written: delivery rates and volumes
// (gateway/keeping/learner.h), written as numbered facts-N.csv beside the records, then handed over
// to be compiled with the tables.
//
// Invariants
// 1. Facts are on disk before anyone decides with them: a record's facts number can be looked up.
// 2. A start begins with the newest facts file that can be read, and counts the records after the
//    last one that these facts cover: `facts-places` has its place. For facts without one (written
//    by an older version) it counts the records that ended later by the wall clock.
// 3. What cannot be written is logged and not handed over; the next change tries again.
// 4. Time is steady time, the files' age is kept time (kept_time.h): a wall clock that jumps
//    neither removes facts nor turns the month. The file `facts-days` names the first facts of each
//    day of kept time; facts files that it says nothing of are kept.
// 5. Kept and steady time are saved for the next process here (KeptClock), beside what this thread
//    syncs anyway: a disk that stalls holds no other thread.
//
// Threads: open() and the recount on the starting one; keep() and step() on that of the detail
// records; thresholds() on any.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/journal/journal.h"
#include "core/journal/storage.h"
#include "gateway/keeping/detail_store.h"
#include "gateway/keeping/kept_time.h"
#include "gateway/keeping/learner.h"
#include "routing/compile/facts.h"

namespace tollgate::routing {
struct Tables;
}

namespace tollgate::gateway {

// The newest that can be read; number 0 when there are none.
routing::Facts newest_facts(const std::string& directory);
// A sentence, when the newest file is of a layout that this program does not know; else empty.
std::string newer_facts(const std::string& directory);
std::string facts_file(const std::string& directory, std::uint32_t number);

struct LearningOptions {
  std::string directory;  // of the facts' files
  routing::Facts start;
  std::uint32_t keep_days = 30;                   // of the files
  std::function<void(routing::Facts)> hand_over;  // on the records' thread; may be empty
  core::Clock clock;                              // default: read_clock
  std::int64_t kept_less_mono_us = 0;             // kept_time.h
  std::optional<core::ClockPair> past;            // steady time of an earlier process
  LearnerOptions learner = {};
};

class Learning final : public core::KeptApart {
 public:
  explicit Learning(LearningOptions options);

  // Records that were written after the start's facts. The error is a sentence.
  std::string recount(core::Storage& records);
  // At which volumes the clients' prices change.
  void thresholds(const routing::Tables& tables);

  bool wants(std::uint32_t type) const override;
  void keep(std::uint64_t segment, std::uint64_t offset, core::Octets payload) override;
  int step() override;
  bool settled() const override { return true; }

 private:
  void count(core::Octets record, std::int64_t steady_us);
  bool write(const routing::Facts& facts, std::int64_t kept_us);
  int write_place(const routing::Facts& facts, std::int64_t kept_us);
  void note_day(std::int64_t day, std::uint32_t number);
  void remove_old(std::int64_t day);
  void take_thresholds();

  LearningOptions options_;
  SteadyWall wall_;
  KeptClock kept_;
  Learner learner_;
  std::int64_t since_us_;
  std::map<std::int64_t, std::uint32_t> days_;  // of kept time: the first facts of each
  struct Told {
    std::int64_t wall_us = 0;  // of the facts: others may have had the number
    DetailPlace upto;
  };
  static std::map<std::uint32_t, Told> read_places(const std::string& directory);
  std::map<std::uint32_t, Told> places_;  // by the facts' numbers, the latest of them
  std::optional<DetailPlace> upto_;       // the last record that was counted
  std::mutex mutex_;
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> thresholds_;  // by mutex_
};

}  // namespace tollgate::gateway
