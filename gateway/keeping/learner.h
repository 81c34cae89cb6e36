// What is learned from finished messages, and when it is worth publishing. Pure: time is an
// argument, steady time (gateway/keeping/kept_time.h): a jump in it counts as time that passed.
// One thread (that of the detail records).
//
// 1. A rate is first published when it was learned from at least `first_of` messages; then only
//    when it has left its band: `band_ppm` or more away from the last published value (hysteresis),
//    so that prices and orders do not flutter.
// 2. Old messages fade: the counts of a carrier and destination are halved each `half_life_us`, and
//    when they exceed `memory` messages. A published rate stays without new messages.
// 3. A volume is published when it crosses a threshold of its client; all volumes are published
//    along with anything else. A new month begins at 0 and is published; a clock that goes back by
//    up to a day brings no old month back.
// 4. changed() numbers the facts from Facts::number of the start on, and gives at most one set per
//    `least_us`; what comes too early is published later.
// 5. Bounds: kLearnedRatesMax carriers x destinations, kVolumesMax clients; more are not learned.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "routing/compile/facts.h"

namespace tollgate::gateway {

struct LearnerOptions {
  std::uint64_t first_of = 100;
  std::uint32_t band_ppm = 20'000;  // two points
  std::uint64_t memory = 10'000;
  std::int64_t half_life_us = std::int64_t{24} * 3'600 * 1'000'000;
  std::int64_t least_us = 60'000'000;
};

class Learner {
 public:
  Learner(LearnerOptions options, routing::Facts start);

  // A message that the carrier took has ended. An empty destination is not learned.
  void finished(std::string_view carrier, std::string_view destination, bool delivered,
                std::int64_t wall_us);
  void billed(std::string_view client, std::uint64_t segments, std::int64_t wall_us);
  // From Tables::thresholds(): the volumes at which the client's prices change.
  void thresholds(std::string_view client, std::vector<std::uint64_t> at);

  // True = `out` is a new numbered set to compile with.
  bool changed(std::int64_t wall_us, routing::Facts& out);

 private:
  struct Learned {
    std::string carrier, destination;
    std::uint64_t delivered = 0, of = 0;  // kOne each message
    std::int64_t halved_us = 0;
    std::uint32_t told_ppm = 0;
    std::uint64_t told_of = 0;  // 0 = was not told yet
    bool news = false;
  };
  struct Sent {
    std::uint64_t segments = 0, told = 0;
    std::vector<std::uint64_t> thresholds;
    bool news = false;
  };
  static constexpr std::uint64_t kOne = 1'024;

  static std::uint32_t ppm_of(const Learned& learned);
  void fade(Learned& learned, std::int64_t wall_us) const;
  void look(Learned& learned);
  void look(Sent& sent);
  Sent* client(std::string_view name);
  void turn_month(std::int64_t wall_us);
  void note(bool& news, bool now);

  LearnerOptions options_;
  std::uint32_t number_, month_;
  std::int64_t told_us_;
  std::unordered_map<std::string, Learned> learned_;  // by destination and carrier
  std::unordered_map<std::string, Sent> sent_;        // by client
  std::string key_;
  std::size_t news_ = 0;  // how many are to be told
  bool month_news_ = false;
};

}  // namespace tollgate::gateway
