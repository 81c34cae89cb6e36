// Early receipts that were acknowledged, on a disk that is full: each is told once as a dead
// letter, and no segment goes before that.
#include <memory>
#include <vector>

#include "core/journal/reader.h"
#include "tests/catch_pch.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using core::testing::FaultyStorage;
using core::testing::Survival;
using proto::MessageState;
using proto::record::Type;

constexpr std::uint64_t kReserve = std::uint64_t{1} << 20;

WorldOptions on(FaultyStorage& disk) {
  WorldOptions options;
  options.disk = &disk;
  options.change = [](Config& config) { config.journal.segment_octets = 64 * 1024; };
  return options;
}

// Dead letters for this id.
std::size_t letters(FaultyStorage& disk, std::string_view id) {
  std::size_t count = 0;
  const auto report = core::read_journal(disk, [&](const core::JournalRecord& record) {
    proto::record::DeadLetter letter;
    if (record.type != static_cast<std::uint32_t>(Type::dead_letter)) return;
    REQUIRE(proto::record::decode(record.payload, letter));
    count += letter.carrier_message_id == id ? 1 : 0;
  });
  REQUIRE(report.has_value());
  return count;
}

// Other records, several segments of them, none needed any more.
void fill(World& world) {
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 2'000; ++i) {
    client.submit({.registered_delivery = 0});
    if (i % 20 == 19) world.settle();
  }
  world.settle();
  client.hang_up();
  world.settle();
}

TEST_CASE("a parked receipt of a removed carrier is told once, though the disk is full",
          "[parked]") {
  FaultyStorage disk;
  {
    World world(on(disk));
    world.carrier(1).receipt("nobody", MessageState::delivered);
    world.pass(kSecond);
    world.abandon();
  }
  // They stay: a world that is abandoned still writes to its disk at its end.
  std::vector<std::unique_ptr<FaultyStorage>> lives;
  lives.push_back(disk.survive(Survival::drop_all, 1));
  for (int life = 1; life <= 3; ++life) {
    INFO("life " << life);
    FaultyStorage& before = *lives.back();
    WorldOptions options = on(before);
    options.carriers = 1;
    options.later_us = life * kHour;
    options.reserve_octets = life == 1 ? before.capacity : kReserve;
    World world(options);
    CHECK(world.journal()->counts()[core::JournalCount::accepting].get() == (life == 1 ? 0 : 1));
    world.pass(kSecond);
    CHECK(letters(before, "nobody") == 1);
    world.abandon();
    lives.push_back(lives.back()->survive(Survival::drop_all, 1));
  }
}

TEST_CASE("what a removed carrier has, or may have, is no other carrier's over restarts",
          "[parked]") {
  FaultyStorage disk;
  {
    World world(on(disk));
    world.carrier(0).on_submit = [](const auto&) {
      return CarrierEnd::Reply{proto::Status::ESME_RSUBMITFAIL};
    };
    world.carrier(1).on_submit =
        [](const CarrierEnd::Submit& submit) -> std::optional<CarrierEnd::Reply> {
      if (submit.text == "unanswered") return std::nullopt;
      return CarrierEnd::Reply{proto::Status::ESME_ROK, "77"};
    };
    ClientEnd& client = world.bind("shop");
    client.submit({.to = "447700900001", .text = "taken"});
    client.submit({.to = "447700900002", .text = "unanswered"});
    world.settle();
    REQUIRE(world.carrier(1).submits.size() == 2);
    world.abandon();
  }
  // They stay: a world that is abandoned still writes to its disk at its end.
  std::vector<std::unique_ptr<FaultyStorage>> lives;
  lives.push_back(disk.survive(Survival::drop_all, 1));
  for (int life = 1; life <= 3; ++life) {
    INFO("life " << life);
    FaultyStorage& before = *lives.back();
    WorldOptions options = on(before);
    options.carriers = 1;
    options.later_us = life * 60 * kSecond;
    options.change = [](Config& config) { config.carriers[0].in_doubt = carriers::InDoubt::fail; };
    World world(options);
    ClientEnd& client = world.bind("shop");
    world.carrier(0).receipt("77", MessageState::delivered);
    world.pass(10 * kSecond, 100 * kMs);
    CHECK(client.told.empty());
    CHECK(world.stage(Stage::awaiting) == 1);
    CHECK(world.stage(Stage::in_doubt) == 1);
    world.abandon();
    lives.push_back(lives.back()->survive(Survival::drop_all, 1));
  }
}

TEST_CASE("a message that waits, none of whose carriers are left after a restart, has failed",
          "[parked]") {
  FaultyStorage disk;
  {
    World world(on(disk));
    for (std::size_t i = 0; i < 2; ++i) {
      world.carrier(i).listens = false;
      world.carrier(i).die();
    }
    world.pass(50 * kMs);
    world.bind("shop").submit();
    world.pass(50 * kMs);
    REQUIRE(world.stage(Stage::waiting) == 1);
    world.abandon();
  }
  const auto left = disk.survive(Survival::keep_all, 1);
  WorldOptions options = on(*left);
  options.carriers = 3;
  options.change = [change = options.change](Config& config) {
    change(config);
    config.carriers.erase(config.carriers.begin(), config.carriers.begin() + 2);
  };
  World world(options);
  ClientEnd& client = world.bind("shop");
  world.pass(10 * kSecond, 100 * kMs);
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].state == MessageState::undeliverable);
  world.finish();
}

TEST_CASE("a receipt that came too late is told though the disk is full", "[parked]") {
  FaultyStorage disk;
  WorldOptions options = on(disk);
  options.change = [change = options.change](Config& config) {
    change(config);
    for (ClientConfig& client : config.clients) client.receipt_keep_us = kHour;
  };
  options.reserve_octets = kReserve;
  World world(options);
  ClientEnd& client = world.bind("shop");
  client.submit();
  world.settle();
  const std::string id = world.carrier(0).submits.back().id;
  world.pass(2 * kHour, kSecond);
  CHECK(client.told.size() == 1);
  disk.capacity = disk.used() + kReserve / 2;
  world.pass(10 * kSecond);
  CHECK(world.journal()->counts()[core::JournalCount::accepting].get() == 0);
  world.carrier(0).receipt(id, MessageState::delivered);
  world.pass(kSecond);
  CHECK(world.sum(&LedgerCounters::late_outcomes) == 1);
  std::size_t late = 0;
  const auto report = core::read_journal(disk, [&](const core::JournalRecord& record) {
    late += record.type == static_cast<std::uint32_t>(Type::dead_letter) ? 1 : 0;
  });
  REQUIRE(report.has_value());
  CHECK(late == 1);
  world.finish();
}

TEST_CASE("a parked receipt outlives a crash and a full disk, until it is told", "[parked]") {
  const bool full = GENERATE(false, true);
  INFO("full " << full);
  FaultyStorage disk;
  WorldOptions options = on(disk);
  options.reserve_octets = kReserve;
  {
    World world(options);
    world.carrier(0).receipt("nobody", MessageState::delivered);
    fill(world);
    if (full) {
      for (int i = 0; i < 70; ++i) {  // whatever goes from it
        disk.capacity = disk.used() + kReserve / 2;
        world.pass(kSecond, kSecond);
      }
      CHECK(world.journal()->counts()[core::JournalCount::accepting].get() == 0);
    } else {
      world.pass(30 * kSecond, kSecond);
    }
    world.abandon();
  }
  const auto after = disk.survive(Survival::drop_all, 1);
  after->capacity = std::uint64_t{1} << 30;
  options.disk = after.get();
  World world(options);
  CHECK(world.restored().parked == (full ? 0 : 1));
  world.pass(70 * kSecond, kSecond);
  CHECK(letters(*after, "nobody") == 1);
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
