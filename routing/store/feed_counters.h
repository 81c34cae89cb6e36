// What the feed counts: written by its thread alone, read by the metrics from any thread.
#pragma once
#include <array>

#include "core/counters.h"

namespace tollgate::routing {

// Why a version is refused.
enum class Refusal : std::uint8_t {
  faults,     // a table has faults
  damaged,    // a checksum, a missing chunk, an unknown format
  backwards,  // Redis holds an older version than the one in force, or none
  cache,      // it cannot be kept on disk
  count
};
inline constexpr std::size_t kRefusals = static_cast<std::size_t>(Refusal::count);
inline const char* refusal_name(Refusal refusal) {
  constexpr const char* kNames[] = {"faults", "damaged", "backwards", "cache"};
  return kNames[static_cast<std::size_t>(refusal)];
}

struct alignas(core::kCacheLine) TablesCounters {
  core::Cell version;          // gauge; 0 = none yet
  core::Cell loaded_wall_us;   // gauge
  core::Cell compile_us;       // gauge
  core::Cell prefixes;         // gauge
  core::Cell rates;            // gauge
  core::Cell prices;           // gauge
  core::Cell rules;            // gauge
  core::Cell octets;           // gauge
  core::Cell reloads;          // that were taken over
  core::Cell reload_failures;  // refused whole; the old tables stay

  core::Cell redis;                           // gauge: 1 = they come from there
  core::Cell redis_up;                        // gauge: it answers
  core::Cell redis_errors;                    // failed attempts to read it
  core::Cell cache_damaged;                   // times that the cache was not what was written
  core::Cell redis_version;                   // gauge: its current version
  core::Cell published_wall_us;               // gauge: when the version in use was published
  core::Cell fetch_us;                        // gauge: getting the version in use
  core::Cell refused_version;                 // gauge: 0 = none, or Redis holds none
  std::array<core::Cell, kRefusals> refused;  // gauge: 1 = for this reason
  core::Cell scheduled_published;             // drafts, by this gateway
  core::Cell scheduled_failed;
};

}  // namespace tollgate::routing
