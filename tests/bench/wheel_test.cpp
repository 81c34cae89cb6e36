#include "bench/peers/wheel.h"

#include <random>

#include <catch2/catch.hpp>

using tollgate::bench::Wheel;

TEST_CASE("every event fires once, never early and at most two ticks late") {
  constexpr std::int64_t ms = 1'000'000;
  std::mt19937_64 random(3);
  std::int64_t now = 12'345 * ms;
  Wheel<std::int64_t> wheel(now);
  std::size_t added = 0, fired = 0;
  for (; added < 50'000; ++added) {
    const std::int64_t due = now + static_cast<std::int64_t>(random() % (9'000 * ms));
    wheel.add(due, due);
  }
  const auto turn = [&] {
    wheel.run(now, [&](std::int64_t due) {
      ++fired;
      REQUIRE(due <= now);
      REQUIRE(now - due < ms);  // two ticks of a quarter, and this test's steps
      if (fired % 100 == 0) {
        wheel.add(now, now);  // from inside, already due: the next tick, not this one
        ++added;
      }
    });
  };
  while (wheel.size() != 0 && now < 30'000 * ms) {
    now += ms / 4;
    turn();
  }
  CHECK(fired == added);
}

TEST_CASE("the wait ends before the next event and is negative when none waits") {
  Wheel<int> wheel(0);
  CHECK(wheel.wait_ns(0) < 0);
  wheel.add(3'000'000, 1);
  const std::int64_t wait = wheel.wait_ns(0);
  CHECK(wait > 2'500'000);
  CHECK(wait <= 3'250'000);
  int fired = 0;
  wheel.run(wait, [&](int) { ++fired; });
  CHECK(fired == 1);
}
