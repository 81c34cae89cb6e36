#include "carriers/pace.h"

#include <random>

using namespace tollgate::carriers;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

// How many leave when the clock moves by `step_us` for `span_us` and every chance is taken.
std::uint64_t taken_in(Pace& pace, std::int64_t& now_us, std::int64_t span_us,
                       std::int64_t step_us) {
  std::uint64_t count = 0;
  const std::int64_t end = now_us + span_us;
  for (; now_us < end; now_us += step_us) {
    for (; pace.ready(now_us); ++count) pace.take(now_us);
  }
  return count;
}

}  // namespace

TEST_CASE("a pace is kept over a second, whatever the length of the turns") {
  for (const double per_s : {5.0, 100.0, 3333.0, 50'000.0, 700'000.0}) {
    for (const std::int64_t step_us : {7, 100, 1000, 5000}) {
      Pace pace(per_s, 10);
      std::int64_t now_us = 123'456;
      taken_in(pace, now_us, kSecond, step_us);
      const auto count = static_cast<double>(taken_in(pace, now_us, kSecond, step_us));
      INFO(per_s << "/s in turns of " << step_us << " us: " << count);
      CHECK(count <= per_s + std::max(1.0, per_s * 0.01));
      CHECK(count >= per_s * 0.995 - 1);
    }
  }
}

TEST_CASE("after a silence no more than the burst leaves at once") {
  Pace pace(1000, 10);
  std::int64_t now_us = 5 * kSecond;
  CHECK(taken_in(pace, now_us, 1, 1) == 11);
  now_us += 3600 * kSecond;
  CHECK(taken_in(pace, now_us, 1, 1) == 11);
  Pace slow(2, 10);  // the burst is less than one message: one
  now_us = 0;
  CHECK(taken_in(slow, now_us, kSecond * 48 / 100, 1000) == 1);
}

TEST_CASE("no span of any length sees more than its share") {
  std::mt19937_64 random(7);
  Pace pace(2000, 5);
  std::vector<std::int64_t> left;
  std::int64_t now_us = 0;
  while (now_us < 3 * kSecond) {
    now_us += static_cast<std::int64_t>(random() % 900);
    if (random() % 50 == 0) now_us += 40'000;
    for (std::uint64_t want = random() % 6; want != 0 && pace.ready(now_us); --want) {
      pace.take(now_us);
      left.push_back(now_us);
    }
  }
  REQUIRE(left.size() > 2000);
  for (std::size_t i = 0; i < left.size(); i += 3) {
    for (std::size_t j = i; j < left.size() && j < i + 400; j += 7) {
      const double share = static_cast<double>(left[j] - left[i]) * 2000 / 1e6 + 11;
      REQUIRE(static_cast<double>(j - i + 1) <= share + 1e-6);
    }
  }
}

TEST_CASE("ready_at is the first moment at which it is ready") {
  Pace pace(300, 10);
  std::int64_t now_us = kSecond;
  for (int i = 0; i < 100; ++i) {
    while (pace.ready(now_us)) pace.take(now_us);
    const std::int64_t at = pace.ready_at_us();
    CHECK_FALSE(pace.ready(at - 1));
    CHECK(pace.ready(at));
    now_us = at;
  }
}

TEST_CASE("no pace means no limit") {
  Pace pace(0, 10);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(pace.ready(0));
    pace.take(0);
  }
}

TEST_CASE("reconnects wait twice as long each time up to the cap, with jitter, from the seed") {
  Random random(1);
  Backoff backoff(500, 30'000);
  std::vector<std::int64_t> first;
  std::int64_t full = 500'000;
  for (int i = 0; i < 10; ++i) {
    const std::int64_t wait = backoff.next_us(random);
    CHECK(wait <= full);
    CHECK(wait >= full / 2);
    first.push_back(wait);
    full = std::min<std::int64_t>(full * 2, 30'000'000);
  }
  backoff.reset();
  CHECK(backoff.next_us(random) <= 500'000);

  Random same_seed(1);
  Random other_seed(2);
  Backoff again(500, 30'000);
  Backoff other(500, 30'000);
  std::size_t differ = 0;
  for (const std::int64_t wait : first) {
    CHECK(again.next_us(same_seed) == wait);
    differ += other.next_us(other_seed) != wait ? 1 : 0;
  }
  CHECK(differ >= 9);
}

TEST_CASE("a throttled bind pauses, probes with one submit, and doubles its pause") {
  Throttle throttle(100, 60'000);
  std::int64_t now = kSecond;
  CHECK(throttle.ready(now));
  throttle.refused(now + 10, now);
  CHECK_FALSE(throttle.ready(now + 20));
  CHECK(throttle.length_us() == 100'000);
  // The rest of the same burst is the same pause.
  throttle.refused(now + 30, now + 5);
  CHECK(throttle.length_us() == 100'000);
  CHECK(throttle.until_us() == now + 10 + 100'000);

  now = throttle.until_us();
  CHECK_FALSE(throttle.ready(now - 1));
  REQUIRE(throttle.ready(now));
  throttle.sent();
  CHECK_FALSE(throttle.ready(now + 1));  // one alone
  throttle.refused(now + 2, now);
  CHECK(throttle.length_us() == 200'000);
  for (int i = 0; i < 20; ++i) {
    now = throttle.until_us();
    throttle.sent();
    throttle.refused(now + 1, now);
  }
  CHECK(throttle.length_us() == 60 * kSecond);
}

TEST_CASE("success opens the bind at once, and each one halves the next pause") {
  Throttle throttle(100, 60'000);
  std::int64_t now = kSecond;
  throttle.refused(now, now);
  for (int i = 0; i < 3; ++i) {
    now = throttle.until_us();
    throttle.sent();
    throttle.refused(now, now);
  }
  REQUIRE(throttle.length_us() == 800'000);
  now = throttle.until_us();
  throttle.sent();
  throttle.succeeded(now);
  CHECK(throttle.ready(now + 1000));
  CHECK(throttle.length_us() == 400'000);
  throttle.refused(now + 2000, now);
  CHECK(throttle.length_us() == 800'000);
  now = throttle.until_us();
  throttle.sent();
  for (const std::int64_t length : {400'000, 200'000, 100'000, 0, 0}) {
    throttle.succeeded(now);
    CHECK(throttle.length_us() == length);
  }
}

TEST_CASE("a carrier that throttles above its rate still gets its rate") {
  constexpr int kRate = 200;  // what the carrier takes in a second, by a bucket of 20
  Throttle throttle(100, 60'000);
  double bucket = 20;
  int took = 0;
  for (std::int64_t now = kSecond; now < 31 * kSecond; now += 1000) {
    bucket = std::min(20.0, bucket + kRate / 1000.0);
    for (int window = 0; window < 50 && throttle.ready(now); ++window) {
      throttle.sent();
      if (bucket >= 1) {
        bucket -= 1;
        ++took;
        throttle.succeeded(now);
      } else {
        throttle.refused(now, now);
      }
    }
  }
  CHECK(took > kRate * 30 * 8 / 10);
}

TEST_CASE("one that was throttled alone before tells nothing among others, and all when alone") {
  Throttle throttle(100, 60'000);
  std::int64_t now = kSecond;
  CHECK_FALSE(throttle.refused(now, now, true));
  CHECK_FALSE(throttle.probing());
  CHECK(throttle.ready(now));
  CHECK_FALSE(throttle.refused(now, now, false));
  CHECK(throttle.probing());
  now = throttle.until_us();
  throttle.sent();
  CHECK(throttle.refused(now, now, true));
  CHECK(throttle.length_us() == 200'000);
  now = throttle.until_us();
  throttle.sent();
  throttle.succeeded(now);
  CHECK_FALSE(throttle.probing());
  CHECK_FALSE(throttle.refused(now, now, true));
  CHECK(throttle.ready(now));
}

TEST_CASE("a probe that tells nothing lets another one go") {
  Throttle throttle(100, 60'000);
  throttle.refused(1000, 0);
  const std::int64_t now = throttle.until_us();
  throttle.sent();
  CHECK_FALSE(throttle.ready(now));
  throttle.answered(now);
  CHECK(throttle.ready(now));
  throttle.sent();
  throttle.succeeded(500);  // an old submit's success is no news
  CHECK_FALSE(throttle.ready(now));
}
