// What traffic has taught: how many messages of a carrier to a destination are delivered, and how
// many segments each client has sent this month. An input of the compiler like the table files;
// plain data, any thread.
//
// 1. Numbered: (version of the tables, number of the facts, query, states) gives a decision again.
// 2. read_facts(facts_text(x)) == x. The text is CSV like any table file (docs/tables.md).
// 3. The compiler ignores names that the tables do not know, and does not refuse them: carriers and
//    clients come and go, what was learned stays.
// 4. Volumes count in their month alone: in another one the compiler takes every volume as 0.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "routing/fault.h"

namespace tollgate::routing {

inline constexpr std::size_t kLearnedRatesMax = 250'000;
inline constexpr std::size_t kVolumesMax = 65'535;
inline constexpr std::uint32_t kRateWhole = 1'000'000;  // parts per million: all are delivered

struct LearnedRate {
  std::string carrier;
  std::string destination;          // MCC and MNC, or an MCC alone
  std::uint32_t delivered_ppm = 0;  // of the messages that have ended
  std::uint64_t of = 0;             // how many that was learned from
  bool operator==(const LearnedRate&) const = default;
};

struct Volume {
  std::string client;
  std::uint64_t segments = 0;  // of the month so far
  bool operator==(const Volume&) const = default;
};

struct Facts {
  std::uint32_t number = 0;  // 0 = nothing is known
  std::int64_t wall_us = 0;  // when they were told
  std::uint32_t month = 0;   // 202611, UTC: the month of the volumes
  std::vector<LearnedRate> rates;
  std::vector<Volume> volumes;
  bool operator==(const Facts&) const = default;
};

// 202611; UTC.
std::uint32_t month_of(std::int64_t wall_us);
// The first instant of the month after that of `wall_us`.
std::int64_t month_end_us(std::int64_t wall_us);

std::string facts_text(const Facts& facts);
// It is like facts, with columns or kinds of rows that are not ours.
bool facts_of_later_layout(std::string_view text);
tl::expected<Facts, std::vector<TableFault>> read_facts(const std::string& file,
                                                        std::string_view text);

}  // namespace tollgate::routing
