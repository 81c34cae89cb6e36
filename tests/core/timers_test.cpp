#include "core/timers.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <set>

namespace tollgate::core {
namespace {

struct Alarm {
  explicit Alarm(std::vector<int>& log, int id)
      : fired(log), name(id), timer(Timer::calling<&Alarm::fire>(*this)) {}
  void fire(const Now& now) {
    fired.push_back(name);
    at_us = now.mono_us;
  }
  std::vector<int>& fired;
  int name;
  std::int64_t at_us = -1;
  Timer timer;
};

TEST_CASE("a timer fires once, not early, within its millisecond", "[timers]") {
  std::vector<int> fired;
  Timers timers(5'000'300);
  Alarm a(fired, 1);
  timers.arm(a.timer, 5'010'400);
  CHECK(timers.next_deadline() <= 5'011'000);
  CHECK(timers.expire({5'010'999, 0}, 100) == 0);
  CHECK(timers.expire({5'011'000, 0}, 100) == 1);
  CHECK_FALSE(a.timer.armed());
  CHECK(timers.expire({6'000'000, 0}, 100) == 0);
  CHECK(fired == std::vector<int>{1});
  CHECK(timers.next_deadline() == Timers::kNever);
}

TEST_CASE("deadlines that have passed fire in the next expire, also when armed inside a callback",
          "[timers]") {
  Timers timers;
  struct Again {
    Timers& timers;
    int count = 0;
    Timer timer = Timer::calling<&Again::fire>(*this);
    void fire(const Now& now) {
      ++count;
      timers.arm(timer, now.mono_us - 1);
    }
  } again{timers};
  timers.arm(again.timer, -5);
  timers.expire({10'000, 0}, 1000);
  CHECK(again.count == 1);
  timers.expire({10'000, 0}, 1000);
  CHECK(again.count == 2);
  timers.cancel(again.timer);
  CHECK(timers.size() == 0);
}

TEST_CASE("eight days and a hundred years ahead fire on time", "[timers]") {
  std::vector<int> fired;
  Timers timers(123'456'789);
  Alarm days(fired, 1), years(fired, 2), never(fired, 3);
  const std::int64_t day = 86'400'000'000;
  timers.arm(days.timer, 8 * day);
  timers.arm(years.timer, 36'500 * day);
  timers.arm(never.timer, Timers::kNever);
  std::int64_t now = 123'456'789;
  for (int i = 0; i < 1000 && fired.size() < 2; ++i) {
    now = timers.next_deadline();
    timers.expire({now, 0}, 100);
  }
  CHECK(fired == std::vector<int>{1, 2});
  CHECK(days.at_us == 8 * day);
  CHECK(years.at_us == 36'500 * day);
  CHECK(never.timer.armed());
}

TEST_CASE("work is bounded and goes on where it stopped", "[timers]") {
  std::vector<int> fired;
  Timers timers;
  std::deque<Alarm> alarms;
  for (int i = 0; i < 1000; ++i) {
    alarms.emplace_back(fired, i);
    timers.arm(alarms.back().timer, 5'000'000);  // all in one far slot: they move before they fire
  }
  std::size_t steps = 0;
  int calls = 0;
  while (fired.size() < 1000 && ++calls < 1000) {
    const std::size_t done = timers.expire({6'000'000, 0}, 10);
    CHECK(done <= 10);
    CHECK(timers.next_deadline() <= (fired.size() < 1000 ? 6'000'000 : Timers::kNever));
    steps += done;
  }
  CHECK(fired.size() == 1000);
  CHECK(std::is_sorted(fired.begin(), fired.end()));
  CHECK(steps <= 3000);
}

TEST_CASE("a callback may destroy its own timer and others", "[timers]") {
  std::vector<int> fired;
  Timers timers;
  auto victim = std::make_unique<Alarm>(fired, 1);
  struct Killer {
    std::unique_ptr<Alarm>& victim;
    std::unique_ptr<Killer>* self = nullptr;
    Timer timer = Timer::calling<&Killer::fire>(*this);
    void fire(const Now&) {
      victim.reset();
      self->reset();
    }
  };
  std::unique_ptr<Killer> killer(new Killer{victim});
  killer->self = &killer;
  timers.arm(killer->timer, 1'000);
  timers.arm(victim->timer, 1'000);
  timers.expire({2'000, 0}, 100);
  CHECK(killer == nullptr);
  CHECK(victim == nullptr);
  CHECK(fired.empty());
  CHECK(timers.size() == 0);
}

// The model: a set of (tick, name); everything due fires, in the order of ticks.
TEST_CASE("random arming, cancelling and expiring agree with a naive model", "[timers]") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<int> fired;
    std::int64_t now = static_cast<std::int64_t>(random() % 10'000'000'000'000);
    Timers timers(now);
    std::deque<Alarm> alarms;
    for (int i = 0; i < 200; ++i) alarms.emplace_back(fired, i);
    std::set<std::pair<std::int64_t, int>> model;
    const auto forget = [&](int name) {
      std::erase_if(model, [&](const auto& entry) { return entry.second == name; });
    };
    for (int step = 0; step < 3000; ++step) {
      const int name = static_cast<int>(random() % alarms.size());
      Timer& timer = alarms[static_cast<std::size_t>(name)].timer;
      const auto what = random() % 10;
      if (what < 6) {
        const auto span = std::int64_t{1} << (random() % 42);
        const std::int64_t deadline = now - 1000 + static_cast<std::int64_t>(random() % span);
        forget(name);
        timers.arm(timer, deadline);
        model.emplace((deadline + 999) / 1000, name);
      } else if (what < 7) {
        timers.cancel(timer);
        forget(name);
      } else {
        now += static_cast<std::int64_t>(random() % (std::uint64_t{1} << (random() % 36)));
        fired.clear();
        while (timers.expire({now, 0}, 7) == 7) {
        }
        std::vector<int> due;
        while (!model.empty() && model.begin()->first <= now / 1000) {
          due.push_back(model.begin()->second);
          model.erase(model.begin());
        }
        std::vector<int> got = fired;
        std::sort(got.begin(), got.end());
        std::sort(due.begin(), due.end());
        REQUIRE(got == due);
      }
      REQUIRE(timers.size() == model.size());
      if (model.empty()) {
        REQUIRE(timers.next_deadline() == Timers::kNever);
      } else {
        REQUIRE(timers.next_deadline() <= std::max(model.begin()->first * 1000, now));
      }
    }
    for (Alarm& alarm : alarms) timers.cancel(alarm.timer);
  }
}

}  // namespace
}  // namespace tollgate::core
