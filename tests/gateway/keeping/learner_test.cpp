// When a learner tells what it has learned.
#include "gateway/keeping/learner.h"

#include <catch2/catch.hpp>

namespace tollgate::gateway {
namespace {

using routing::Facts;

constexpr std::int64_t kSecond = 1'000'000, kHour = 3'600 * kSecond;
constexpr std::int64_t kStart = 1'795'000'000 * kSecond;  // 2026-11-18

// `delivered` of `of` messages, evenly.
void finish(Learner& learner, unsigned delivered, unsigned of, std::int64_t wall_us) {
  for (unsigned i = 0; i < of; ++i)
    learner.finished("alpha", "23415", (i + 1) * delivered / of != i * delivered / of, wall_us);
}

}  // namespace

TEST_CASE("a rate is told once enough is known, and again when it leaves its band", "[facts]") {
  Learner learner({}, {});
  Facts facts;
  finish(learner, 90, 99, kStart);
  CHECK_FALSE(learner.changed(kStart, facts));
  finish(learner, 0, 1, kStart);
  REQUIRE(learner.changed(kStart, facts));
  CHECK(facts == Facts{1, kStart, 202611, {{"alpha", "23415", 900'000, 100}}, {}});
  // Within two points: nothing. The counts go on from there.
  finish(learner, 108, 119, kStart + kSecond);  // 198 of 219
  CHECK_FALSE(learner.changed(kStart + kHour, facts));
  finish(learner, 12, 41, kStart + kHour);
  REQUIRE(learner.changed(kStart + kHour, facts));
  CHECK(facts.number == 2);
  CHECK(facts.rates.at(0).delivered_ppm == 807'692);  // 210 of 260
  CHECK_FALSE(learner.changed(kStart + 2 * kHour, facts));
}

TEST_CASE("facts are told at most once a minute", "[facts]") {
  Learner learner({}, {});
  Facts facts;
  finish(learner, 100, 100, kStart);
  REQUIRE(learner.changed(kStart, facts));
  finish(learner, 0, 100, kStart + kSecond);
  CHECK_FALSE(learner.changed(kStart + 60 * kSecond - 1, facts));
  CHECK(learner.changed(kStart + 60 * kSecond, facts));
  CHECK(facts.rates.at(0).delivered_ppm == 500'000);
}

TEST_CASE("old messages fade", "[facts]") {
  LearnerOptions options;
  Learner learner(options, {1, kStart, 202611, {{"alpha", "23415", 1'000'000, 1'000}}, {}});
  Facts facts;
  // After ten days hardly anything of the 1,000 is left against 10 that failed.
  finish(learner, 0, 10, kStart + 240 * kHour);
  REQUIRE(learner.changed(kStart + 240 * kHour, facts));
  CHECK(facts.rates.at(0).delivered_ppm < 100'000);
  // And a long memory is cut: what 20,000 delivered does not outweigh 20,000 that are not.
  options.memory = 1'000;
  Learner forgetful(options, {});
  finish(forgetful, 20'000, 20'000, kStart);
  finish(forgetful, 0, 20'000, kStart);
  REQUIRE(forgetful.changed(kStart, facts));
  CHECK(facts.rates.at(0).delivered_ppm < 1'000);
  CHECK(facts.rates.at(0).of <= 1'000);
}

TEST_CASE("a volume is told when it crosses a threshold", "[facts]") {
  Learner learner({}, {});
  learner.thresholds("shop", {5'000, 1'000});
  Facts facts;
  learner.billed("shop", 999, kStart);
  learner.billed("agg", 999'999, kStart);
  CHECK_FALSE(learner.changed(kStart, facts));
  learner.billed("shop", 1, kStart);
  REQUIRE(learner.changed(kStart, facts));
  CHECK(facts == Facts{1, kStart, 202611, {}, {{"agg", 999'999}, {"shop", 1'000}}});
  learner.billed("shop", 3'999, kStart);
  CHECK_FALSE(learner.changed(kStart + kHour, facts));
  // A threshold that is new counts at once.
  learner.thresholds("shop", {1'000, 4'000});
  REQUIRE(learner.changed(kStart + kHour, facts));
  CHECK(facts.volumes.at(1) == routing::Volume{"shop", 4'999});
}

TEST_CASE("a month begins at 0, is told, and never goes back", "[facts]") {
  Learner learner({}, {3, kStart, 202611, {{"alpha", "23415", 900'000, 100}}, {{"shop", 5'000}}});
  learner.thresholds("shop", {1'000});
  const std::int64_t december = routing::month_end_us(kStart);
  Facts facts;
  CHECK_FALSE(learner.changed(december - 1, facts));
  REQUIRE(learner.changed(december, facts));
  CHECK(facts == Facts{4, december, 202612, {{"alpha", "23415", 900'000, 100}}, {}});
  // A clock that was put back: the segments are of the month that has begun.
  learner.billed("shop", 1'000, december - 1);
  REQUIRE(learner.changed(december - 1, facts));
  CHECK(facts.month == 202612);
  CHECK(facts.volumes.at(0) == routing::Volume{"shop", 1'000});
}

}  // namespace tollgate::gateway
