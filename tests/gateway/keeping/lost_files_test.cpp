// Files that others remove beneath a gateway that runs: told, and nothing is lost.
#include <memory>
#include <utility>

#include "tests/catch_pch.h"
#include "tests/gateway/disks.h"

namespace tollgate::gateway {
namespace {

using core::testing::FaultyStorage;
using proto::MessageState;
using proto::Status;

std::string newest_segment(const FaultyStorage& disk) {
  std::string name;
  for (const auto& [each, inode] : disk.names) {
    const bool begun = each.starts_with("journal-") && !inode->now.empty() && inode->now[0] != 0;
    if (begun) name = each;
  }
  return name;
}

TEST_CASE("a segment that others remove: told, and what is live is written anew", "[clock]") {
  Disks disks;
  WorldOptions options = disks.options();
  {
    World world(options);
    ClientEnd& client = world.bind("shop");
    for (int i = 0; i < 20; ++i) client.submit();
    world.pass(50 * kMs);
    REQUIRE(world.stage(Stage::awaiting) == 20);
    disks.journal->names.erase(newest_segment(*disks.journal));
    world.pass(5 * kSecond, 100 * kMs);
    CHECK(world.journal()->counts()[core::JournalCount::segments_lost].get() == 1);
    const std::uint32_t sent = client.submit();  // it goes on
    world.pass(50 * kMs);
    CHECK(client.status(sent) == Status::ESME_ROK);
    world.pass(5 * kSecond, 100 * kMs);
    world.abandon();
  }
  disks.crash();
  options = disks.options();
  options.later_us = kHour;
  World world(options);
  ClientEnd& client = world.bind("shop");
  CHECK(world.stage(Stage::awaiting) == 21);
  for (int i = 1; i <= 21; ++i) {
    world.carrier(0).receipt("alpha" + std::to_string(i), MessageState::delivered);
  }
  REQUIRE(world.until([&] { return client.told.size() == 21; }));
  world.finish();
}

void remove_segments(FaultyStorage& disk) {
  std::erase_if(disk.names, [](const auto& each) { return each.first.starts_with("journal-"); });
}

// Whose carrier has a window of 4 and room for 5 more.
WorldOptions narrow(Disks& disks, unsigned shards) {
  WorldOptions options = disks.options();
  options.shards = shards;
  options.carriers = 1;
  options.change = [change = std::move(options.change)](Config& config) {
    if (change) change(config);
    config.carriers[0].binds[0].window = 4;
    config.carriers[0].queue_max = 5;
    config.gateway.in_doubt_hold_us = kHour;
  };
  return options;
}

TEST_CASE("segments that others remove: every state of a message is written anew", "[clock]") {
  const unsigned shards = GENERATE(1U, 3U);
  const bool twice = GENERATE(false, true);
  Disks disks;
  WorldOptions options = narrow(disks, shards);
  int number = 447'700'100;
  {
    World world(options);
    ClientEnd& client = world.bind("shop");
    ClientEnd& depot = world.bind("depot");
    CarrierEnd& carrier = world.carrier(0);
    const auto submit = [&](ClientEnd& from, int count) {
      for (int i = 0; i < count; ++i) from.submit({.to = std::to_string(++number)});
      world.pass(50 * kMs);
    };
    submit(client, 3);
    submit(depot, 2);
    depot.hang_up();
    world.pass(50 * kMs);
    carrier.receipt("alpha4", MessageState::delivered);
    carrier.receipt("alpha5", MessageState::delivered);
    carrier.receipt("nobodys", MessageState::delivered);
    carrier.on_submit = [](const auto&) { return std::nullopt; };
    submit(client, 2);
    carrier.drop(0);
    REQUIRE(world.until([&] { return carrier.connects() == 2; }));
    world.pass(100 * kMs);
    submit(client, 4 + 5 + 6);
    REQUIRE(world.stage(Stage::awaiting) == 3);
    REQUIRE(world.stage(Stage::told) == 2);
    REQUIRE(world.stage(Stage::in_doubt) == 2);
    REQUIRE(world.stage(Stage::placed) == 9);
    REQUIRE(world.stage(Stage::waiting) == 6);
    for (int i = 0; i < (twice ? 2 : 1); ++i) {
      remove_segments(*disks.journal);
      world.pass(8 * kSecond, 100 * kMs);
    }
    REQUIRE(world.stage(Stage::placed) == 9);
    REQUIRE(carrier.submits.size() == 5 + 2 + 4);
    world.abandon();
  }
  disks.crash();
  options = narrow(disks, shards);
  options.later_us = 20 * kSecond;
  World world(options);
  CHECK(world.findings() == 0);
  CHECK(world.restored().queued == 5 + 6);
  CHECK(world.restored().in_doubt == 2 + 4);
  CHECK(world.restored().awaiting == 3);
  CHECK(world.restored().told == 2);
  CHECK(world.restored().parked == 1);
  world.settle();
  world.finish(World::Left::something);
}

TEST_CASE("segments that others remove: what is with its carrier then ends as ever", "[clock]") {
  Disks disks;
  WorldOptions options = narrow(disks, 1);
  {
    World world(options);
    ClientEnd& client = world.bind("shop");
    CarrierEnd& carrier = world.carrier(0);
    carrier.on_submit = [](const auto&) { return std::nullopt; };
    for (int i = 0; i < 8; ++i) client.submit({.to = std::to_string(447'700'100 + i)});
    world.pass(50 * kMs);
    remove_segments(*disks.journal);
    world.pass(8 * kSecond, 100 * kMs);
    carrier.answer(0, {.id = "one"});
    carrier.answer(1, {.status = Status::ESME_RINVDSTADR});
    carrier.answer(2, {.status = Status::ESME_RTHROTTLED});
    world.pass(50 * kMs);
    world.abandon();
  }
  disks.crash();
  options = narrow(disks, 1);
  options.later_us = 20 * kSecond;
  World world(options);
  CHECK(world.findings() == 0);
  CHECK(world.restored().awaiting == 1);
  CHECK(world.restored().in_doubt + world.restored().queued == 6);
  world.settle();
  world.finish(World::Left::something);
}

TEST_CASE("a directory that is gone: nothing is accepted until it is back", "[clock]") {
  Disks disks;
  World world(disks.options());
  ClientEnd& client = world.bind("shop");
  const auto try_one = [&] {
    const std::uint32_t sent = client.submit({.registered_delivery = 0});
    world.pass(50 * kMs);
    return client.status(sent);
  };
  CHECK(try_one() == Status::ESME_ROK);
  disks.journal->gone = true;
  world.pass(2 * kSecond, 100 * kMs);
  CHECK(world.journal()->counts()[core::JournalCount::directory_gone].get() == 1);
  CHECK(try_one() == Status::ESME_RMSGQFUL);
  disks.journal->gone = false;
  world.pass(2 * kSecond, 100 * kMs);
  CHECK(try_one() == Status::ESME_ROK);
  world.finish();
}

TEST_CASE("a start on a full disk: binds work, submits wait for room", "[clock]") {
  Disks disks;
  for (const char* start : {"the first", "one more"}) {
    INFO(start);
    disks.journal->capacity = 0;
    {
      World world(disks.options());  // its carriers bind
      world.carrier(0).receipts = MessageState::delivered;
      ClientEnd& client = world.bind("shop");
      const std::uint32_t refused = client.submit();
      world.pass(kSecond, 50 * kMs);
      CHECK(client.status(refused) == Status::ESME_RMSGQFUL);
      disks.journal->capacity = std::size_t{1} << 30;
      world.pass(3 * kSecond, 50 * kMs);
      const std::uint32_t taken = client.submit();
      world.pass(kSecond, 50 * kMs);
      CHECK(client.status(taken) == Status::ESME_ROK);
      world.finish();
    }
    disks.crash();
  }
}

TEST_CASE("a spare that others cut or replace is made anew", "[clock]") {
  Disks disks;
  World world(disks.options());
  ClientEnd& client = world.bind("shop");
  const std::string spare = disks.journal->names.rbegin()->first.starts_with("journal-")
                                ? disks.journal->names.rbegin()->first
                                : std::string();
  REQUIRE(spare != newest_segment(*disks.journal));
  disks.journal->names[spare] = std::make_shared<core::testing::Inode>();
  world.pass(3 * kSecond, 100 * kMs);
  CHECK(disks.journal->names.at(spare)->now.size() == 65'536);
  const std::uint32_t sent = client.submit({.registered_delivery = 0});
  world.pass(50 * kMs);
  CHECK(client.status(sent) == Status::ESME_ROK);
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
