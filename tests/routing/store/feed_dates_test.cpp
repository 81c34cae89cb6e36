// Rows with dates switch at their instant, whatever was refused meanwhile.
#include <atomic>
#include <ctime>
#include <filesystem>

#include "tests/routing/store/feed_world.h"

using namespace tollgate::routing;

namespace {

// Alpha's price falls due 10 days from now: 0.007, then 0.008.
std::string alpha_with_dates() {
  const std::time_t at = tollgate::core::read_clock().wall_us / 1'000'000 + 10 * 86'400;
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&at));
  return std::string("mccmnc,mcc,prefix,price,currency,charge,effective_from,effective_to\n") +
         "23415,,,0.007,EUR,,," + text + "\n23415,,,0.008,EUR,," + text + ",\n";
}
std::string alpha_at(int thousandths) {
  return "mccmnc,mcc,prefix,price,currency\n23415,,,0.00" + std::to_string(thousandths) + ",EUR\n";
}
constexpr std::int64_t kMonthUs = std::int64_t{31 * 86'400} * 1'000'000;

// Finds a fault while it is told to.
struct Sick final : Companions {
  std::atomic<bool> sick{false};
  std::shared_ptr<const Companion> read(const std::string&, CompileOptions&,
                                        std::vector<TableFault>& faults) override {
    if (sick) faults.push_back({"carriers/alpha.toml", 1, "", "", "is sick"});
    return nullptr;
  }
  void taken(const std::shared_ptr<const Companion>&) override {}
};

}  // namespace

TEST_CASE("rows with dates switch at their instant", "[feed]") {
  World world;
  const std::int64_t second = tollgate::core::read_clock().wall_us / 1'000'000 + 2;
  const std::time_t at = second;
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&at));
  const std::string head = "mccmnc,mcc,prefix,price,currency,charge,effective_from,effective_to\n";
  world.publish({{"rates/alpha.csv",
                  head + "23415,,,0.007,EUR,,," + text + "\n23415,,,0.008,EUR,," + text + ",\n"}});
  Followed followed(world.options("cache", 60'000'000));
  REQUIRE(followed.started());
  CHECK(followed.cost() == 7);
  REQUIRE(within(4, [&] { return followed.cost() == 8; }));
  const std::int64_t late_us = tollgate::core::read_clock().wall_us - second * 1'000'000;
  CHECK(late_us >= 0);
  CHECK(late_us < 3'000'000);
  CHECK(followed.version() == 2);
}

TEST_CASE("rows with dates follow the wall clock there and back", "[feed]") {
  constexpr std::int64_t kDayUs = std::int64_t{86'400} * 1'000'000;
  World world;
  const std::time_t at = tollgate::core::read_clock().wall_us / 1'000'000 + 10 * 86'400;
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&at));
  const std::string head = "mccmnc,mcc,prefix,price,currency,charge,effective_from,effective_to\n";
  world.publish({{"rates/alpha.csv",
                  head + "23415,,,0.007,EUR,,," + text + "\n23415,,,0.008,EUR,," + text + ",\n"}});
  std::atomic<std::int64_t> ahead_us{0};
  FeedOptions options = world.options();
  options.clock = [&ahead_us] {
    tollgate::core::Now now = tollgate::core::read_clock();
    now.wall_us += ahead_us;
    return now;
  };
  Followed followed(options);
  REQUIRE(followed.started());
  CHECK(followed.cost() == 7);
  ahead_us = 31 * kDayUs;
  REQUIRE(within(4, [&] { return followed.cost() == 8; }));
  ahead_us = 0;
  CHECK(within(4, [&] { return followed.cost() == 7; }));
  CHECK(followed.published() == 2);
  ahead_us = -500'000;  // adjusted
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(followed.published() == 2);
  CHECK(followed.version() == 2);
}

TEST_CASE("rows with dates switch though a reload of their directory was refused", "[feed]") {
  const SampleTables tables;
  tables.write("rates/alpha.csv", alpha_with_dates());
  const std::filesystem::path plans = std::filesystem::path(tables.path()) / "plans";
  std::filesystem::copy_file(plans / "retail.csv", plans / "retail-eu.csv");
  std::atomic<std::int64_t> ahead_us{0};
  FeedOptions options;
  options.directory = tables.path();
  options.clock = [&ahead_us] {
    tollgate::core::Now now = tollgate::core::read_clock();
    now.wall_us += ahead_us;
    return now;
  };
  Followed followed(options);
  REQUIRE(followed.started());
  CHECK(followed.cost() == 7);
  tables.write("rates/alpha.csv", "nonsense\n");
  followed.reload();
  REQUIRE(within(2, [&] { return followed.refused(Refusal::faults); }));
  CHECK(followed.cost() == 7);
  // Also what was edited well waits for a reload.
  SECTION("that was bad") {}
  SECTION("and another edit is good") {
    tables.write("rates/alpha.csv", alpha_at(1));
  }
  ahead_us = kMonthUs;
  followed.facts(1);  // wakes it
  REQUIRE(within(2, [&] { return followed.cost() == 8; }));
  CHECK(followed.version() == 1);
  CHECK(followed.refused(Refusal::faults));
  tables.write("rates/alpha.csv", alpha_at(2));
  followed.reload();
  CHECK(within(2, [&] { return followed.cost() == 2; }));
  CHECK_FALSE(followed.refused(Refusal::faults));
}

TEST_CASE("a wall clock that is put back brings no edit in force that was not reloaded", "[feed]") {
  const SampleTables tables;
  tables.write("rates/alpha.csv", alpha_at(7));
  std::atomic<std::int64_t> ahead_us{0};
  FeedOptions options;
  options.directory = tables.path();
  options.clock = [&ahead_us] {
    tollgate::core::Now now = tollgate::core::read_clock();
    now.wall_us += ahead_us;
    return now;
  };
  Followed followed(options);
  REQUIRE(followed.started());
  CHECK(followed.cost() == 7);
  tables.write("rates/alpha.csv", alpha_at(1));
  ahead_us = -60'000'000;
  followed.facts(1);  // wakes it
  CHECK_FALSE(within(1, [&] { return followed.cost() != 7; }));
  followed.reload();
  CHECK(within(2, [&] { return followed.cost() == 1; }));
}

TEST_CASE("what is in force and cannot be compiled again is refused until it can", "[feed]") {
  World world;
  const auto sick = std::make_shared<Sick>();
  std::atomic<std::int64_t> ahead_us{0};
  world.publish({{"rates/alpha.csv", alpha_with_dates()}});
  FeedOptions options = world.options();
  options.companions = sick;
  options.clock = [&ahead_us] {
    tollgate::core::Now now = tollgate::core::read_clock();
    now.mono_us += ahead_us;
    now.wall_us += ahead_us;
    return now;
  };
  Followed followed(options);
  REQUIRE(followed.started());
  CHECK(followed.cost() == 7);
  sick->sick = true;
  followed.reload();
  REQUIRE(within(2, [&] { return followed.refused(Refusal::faults); }));
  CHECK(followed.counters().refused_version.get() == 2);
  const std::uint64_t failures = followed.counters().reload_failures.get();
  // Polls that find the same version do not forget it, nor is it told again and again.
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(followed.refused(Refusal::faults));
  CHECK(followed.counters().reload_failures.get() == failures);
  sick->sick = false;
  ahead_us = kMonthUs;
  CHECK(within(2, [&] { return followed.cost() == 8; }));
  CHECK_FALSE(followed.refused(Refusal::faults));
  CHECK(followed.counters().refused_version.get() == 0);
}
