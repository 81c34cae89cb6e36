// A wall clock that jumps, at run and between two runs: nothing is lost, nothing expires early or
// is kept for ever, nothing is removed.
#include <filesystem>
#include <sys/stat.h>
#include <vector>

#include "core/journal/format.h"
#include "gateway/keeping/kept_time.h"
#include "gateway/keeping/timeline.h"
#include "tests/catch_pch.h"
#include "tests/core/temporary_directory.h"
#include "tests/gateway/disks.h"

namespace tollgate::gateway {
namespace {

using core::ClockPair;
using core::testing::FaultyStorage;
using proto::MessageState;
using proto::Status;

constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kYear = 365 * kDay;
constexpr std::int64_t kJumps[] = {kHour, -kHour, 31 * kDay, kYear, -kYear, 8'000 * kYear};

// ---- the line of time ----

TEST_CASE("the line goes as the monotonic clock, whatever the wall clock says", "[clock]") {
  for (const std::int64_t jump : kJumps) {
    Timeline line;
    line.segment({7, 1'000, 50'000}, true);
    CHECK(line.shift_us(0, 50'100) == 0);
    line.clock(0, {7, 2'000, 51'000 + jump});
    CHECK(line.shift_us(0, 51'000 + jump) == -jump);
    CHECK(line.shift_us(1, 51'000) == 0);  // another stream, that has not seen it yet
    line.segment({7, 3'000, 52'000 + jump}, false);
    CHECK(line.shift_us(0, 52'000 + jump) == -jump);
    line.segment({7, 5'000, 90'000 - jump}, true);  // another run of that boot
    CHECK(54'000 == 90'000 - jump + line.shift_us(0, 90'000 - jump));
    line.ends({7, 6'000, 1});
    CHECK(line.mono_us(54'000) == 5'000);
    CHECK(line.mono_us(50'000) == 1'000);
  }
}

TEST_CASE("a stream without a clock record has the clock that its run began with", "[clock]") {
  for (const std::int64_t jump : kJumps) {
    Timeline line;
    line.segment({7, 0, kYear}, true);
    line.segment({7, 3'000, kYear + 3'000 + jump}, false);  // for a moment
    CHECK(line.shift_us(2, kYear + 4'000) == 0);
    // Of a run whose beginning is gone: the first that there is.
    Timeline rest;
    rest.segment({7, 3'000, kYear + 3'000 + jump}, false);
    rest.segment({7, 5'000, kYear + 5'000}, false);
    CHECK(rest.shift_us(2, kYear + 6'000 + jump) == 0);
    // No word of it lies ahead of the newest: over a boot none is older than it is.
    line.ends({8, 10, kYear + 5'000});
    CHECK(10 - line.mono_us(kYear + 4'000) == 1'000);
  }
}

TEST_CASE("what was on its way when its segment began ages nothing", "[clock]") {
  for (const std::int64_t jump : kJumps) {
    Timeline line;
    line.segment({7, 3'000, kYear + 3'000 - jump}, false);
    line.shift_us(2, kYear + 2'990);  // its clock was in a file that is gone
    line.clock(2, {7, 3'010, kYear + 3'010 - jump});
    const std::int64_t wall_us = kYear + 3'020 - jump;
    const std::int64_t line_us = wall_us + line.shift_us(2, wall_us);
    line.ends({8, 10, kYear + 4'000 - jump});
    CHECK(10 - line.mono_us(line_us) == 980);
  }
}

TEST_CASE("over a boot the wall clock is believed for a day, and never back", "[clock]") {
  const auto away = [](std::int64_t wall_later_us) {
    Timeline line;
    line.segment({7, 1'000, kYear}, true);
    line.shift_us(0, kYear + 500);
    line.ends({8, 10, kYear + 500 + wall_later_us});
    return 10 - line.mono_us(kYear + 500);  // how long ago that was
  };
  CHECK(away(kHour) == kHour);
  CHECK(away(31 * kDay) == Timeline::kGapMaxUs);
  CHECK(away(-kHour) == 0);
  CHECK(away(-kYear) == 0);
}

TEST_CASE("what an older layout wrote is told by its own times", "[clock]") {
  Timeline line;
  line.segment({0, 0, 1}, true);
  CHECK(line.shift_us(0, kYear) == 0);
  CHECK(line.shift_us(0, kYear + kHour) == 0);
  line.ends({8, 10, kYear + 2 * kHour});
  CHECK(line.mono_us(kYear + kHour) == 10 - kHour);
}

TEST_CASE("what was written elsewhere is told by the clocks beside it", "[clock]") {
  Timeline line;
  line.segment({7, 1'000, kYear}, true);
  line.shift_us(0, kYear);
  line.ends({8, 2'000, kYear + kHour + kDay * 900});
  CHECK(line.mono_less_wall_us({8, 1'500, 77}) == 1'500 - 77);
  const std::int64_t then_us = line.mono_us(kYear);
  CHECK(line.mono_less_wall_us({7, 1'000, kYear}) == then_us - kYear);
  CHECK(line.mono_less_wall_us({9, 1'000, kYear}) == 2'000 - Timeline::kGapMaxUs - kYear);
}

// ---- kept and steady time ----

TEST_CASE("a kept-time that is no file is none", "[clock]") {
  const core::testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/kept-time";
  REQUIRE(save_kept(directory.path(), {{5, 300, 400}, 500}));
  REQUIRE(load_kept(directory.path()));
  for (const char* device : {"/dev/zero", "/dev/full"}) {
    std::filesystem::remove(file);
    std::filesystem::create_symlink(device, file);
    CHECK_FALSE(load_kept(directory.path()));
  }
  std::filesystem::remove(file);
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  CHECK_FALSE(load_kept(directory.path()));
  REQUIRE(save_kept(directory.path(), {{5, 300, 400}, 500}));  // takes its place
  CHECK(load_kept(directory.path()));
}

TEST_CASE("kept time never goes on faster than time", "[clock]") {
  const std::vector<core::JournalSegment> files = {{1, {5, 100, 10 * kDay}, 40'000 * kDay},
                                                   {2, {5, 200, 900 * kDay}, 40'001 * kDay}};
  const auto now_us = [](const KeptFiles& kept, std::int64_t mono_us) {
    return kept.kept_less_mono_us + mono_us;
  };
  CHECK(now_us(kept_files(files, {}, {5, 300, 5'000 * kDay}), 300) == 40'001 * kDay + 100);
  // After a boot: what was saved, and nothing for the time in between.
  CHECK(now_us(kept_files(files, {}, {6, 7, 5'000 * kDay}), 7) == 40'001 * kDay);
  const KeptAt saved{{5, 900, 0}, 40'001 * kDay + 700};
  CHECK(now_us(kept_files(files, saved, {6, 7, 5'000 * kDay}), 7) == 40'001 * kDay + 700);
  CHECK(now_us(kept_files(files, saved, {5, 950, 5'000 * kDay}), 950) == 40'001 * kDay + 750);
}

TEST_CASE("older files are as old as later ones bear out", "[clock]") {
  // The third was begun under a clock far behind, the fourth under one far ahead, the last is
  // right.
  const std::vector<core::JournalSegment> files = {{1, {0, 0, 100 * kDay}, 0},
                                                   {2, {0, 0, 110 * kDay}, 0},
                                                   {3, {0, 0, 1 * kDay}, 0},
                                                   {4, {0, 0, 120 * kDay}, 0}};
  const KeptFiles kept = kept_files(files, {}, {5, 50, 500 * kDay});
  const std::int64_t now_us = kept.kept_less_mono_us + 50;
  CHECK(now_us - kept.begun_kept_us[0] == 20 * kDay);
  CHECK(now_us - kept.begun_kept_us[1] == 10 * kDay);
  CHECK(now_us - kept.begun_kept_us[2] == 10 * kDay);
  CHECK(now_us - kept.begun_kept_us[3] == 0);
}

TEST_CASE("steady time takes over a jump only after it has lasted", "[clock]") {
  SteadyWall wall;
  CHECK(wall.at({0, kYear}) == kYear);
  CHECK(wall.at({kSecond, kYear + kSecond + 1'000}) == kYear + kSecond + 1'000);  // adjusted
  const std::int64_t ahead = 31 * kDay;
  CHECK(wall.at({kHour, kYear + kHour + ahead}) == kYear + kHour + 1'000);
  CHECK(wall.at({kHour + kHour / 2, kYear + kHour + kHour / 2}) == kYear + kHour + kHour / 2);
  CHECK(wall.at({2 * kHour, kYear + 2 * kHour + ahead}) == kYear + 2 * kHour);
  CHECK(wall.at({3 * kHour, kYear + 3 * kHour + ahead}) == kYear + 3 * kHour + ahead);
  // At a start: exactly within a boot, by what is likely over one.
  const ClockPair past{3, 10, kYear};
  CHECK(SteadyWall(past, {3, 20, 9 * kYear}).at({20, 9 * kYear}) == kYear + 10);
  CHECK(SteadyWall(past, {4, 20, kYear + kDay}).at({20, kYear + kDay}) == kYear + kDay);
  CHECK(SteadyWall(past, {4, 20, 9 * kYear}).at({20, 9 * kYear}) == kYear);
  CHECK(SteadyWall(past, {4, 20, 5}).at({20, 5}) == kYear);
}

// ---- the gateway ----

TEST_CASE("a jump between two runs: nothing expires early, all is told", "[clock]") {
  for (const std::int64_t jump : kJumps) {
    INFO("by " << jump / kHour << " hours");
    Disks disks;
    WorldOptions options = disks.options();
    {
      World world(options);
      ClientEnd& client = world.bind("shop");
      client.submit({.to = "447700900001"});  // awaits its receipt
      world.pass(50 * kMs);
      world.carrier(0).listens = world.carrier(1).listens = false;
      world.carrier(0).die();
      world.carrier(1).die();
      world.pass(50 * kMs);
      client.submit({.to = "447700900002", .validity_period = "000000020000000R"});  // two hours
      world.pass(50 * kMs);
      REQUIRE(world.stage(Stage::awaiting) == 1);
      REQUIRE(world.stage(Stage::waiting) == 1);
      world.abandon();
    }
    disks.crash();
    options = disks.options();
    options.later_us = kHour;
    options.wall_ahead_us = jump;
    options.carriers_bound = false;
    World world(options);
    world.carrier(0).receipts = MessageState::delivered;
    world.carrier(0).on_submit = [](const auto&) {
      return CarrierEnd::Reply{Status::ESME_ROK, "second"};
    };
    ClientEnd& client = world.bind("shop");
    REQUIRE(world.until([&] { return client.told.size() == 1; }));
    CHECK(client.told[0].state == MessageState::delivered);
    CHECK(client.told[0].from == "447700900002");
    CHECK(world.stage(Stage::awaiting) == 1);
    world.carrier(0).receipt("alpha1", MessageState::delivered);
    REQUIRE(world.until([&] { return client.told.size() == 2; }));
    world.pass(kSecond);
    CHECK(written_details(*disks.records).size() == 2);
    world.finish();
  }
}

TEST_CASE("a message's time is over in its time, also across a jump", "[clock]") {
  for (const std::int64_t jump : kJumps) {
    INFO("by " << jump / kHour << " hours");
    Disks disks;
    WorldOptions options = disks.options();
    {
      World world(options);
      ClientEnd& client = world.bind("shop");
      world.carrier(0).listens = world.carrier(1).listens = false;
      world.carrier(0).die();
      world.carrier(1).die();
      world.pass(50 * kMs);
      world.jump_wall(jump);
      client.submit({.validity_period = "000000020000000R"});
      world.pass(50 * kMs);
      world.jump_wall(-jump);
      world.pass(50 * kMs);
      world.abandon();
    }
    disks.crash();
    options = disks.options();
    options.carriers_bound = false;
    options.later_us = 3 * kHour;
    World world(options);
    world.carrier(0).listens = world.carrier(1).listens = false;
    ClientEnd& client = world.bind("shop");
    REQUIRE(world.until([&] { return client.told.size() == 1; }));
    CHECK(client.told[0].state == MessageState::expired);
    world.finish();
  }
}

// Shard 0 (the home of shop and bravo) fills a segment; the next begins while the wall clock is
// elsewhere. Shard 1 (depot, alpha) sees nothing of it and speaks there for the first time.
void speak_in_a_segment_with_another_clock(Disks& disks, std::int64_t jump, bool reclaimed) {
  WorldOptions options = disks.options();
  options.shards = 2;
  World world(options);
  const auto closes = [&](std::size_t carrier) {
    world.carrier(carrier).listens = false;
    world.carrier(carrier).die();
    world.pass(50 * kMs);
  };
  ClientEnd& shop = world.bind("shop");
  ClientEnd& depot = world.bind("depot");
  world.carrier(1).receipts = MessageState::delivered;
  closes(0);
  if (!reclaimed) closes(1);
  const core::Journal::Stream& stream = world.journal()->stream(0);
  const std::uint64_t first = stream.current_segment();
  world.jump_wall(jump);
  for (int i = 0; i < 3'000 && stream.current_segment() == first; ++i) {
    shop.submit();
    world.turn();
  }
  world.jump_wall(-jump);
  world.pass(kSecond);
  if (reclaimed) {
    REQUIRE(world.messages() == 0);
    closes(1);
    world.pass(5 * kSecond, 100 * kMs);
  }
  REQUIRE(disks.journal->names.contains(core::journal::segment_name(first)) == !reclaimed);
  depot.submit({.validity_period = "000000020000000R"});  // two hours
  world.pass(50 * kMs);
  REQUIRE(stream.current_segment() == first + 1);
  world.abandon();
}

TEST_CASE("a segment's wrong clock is not that of streams that slept meanwhile", "[clock]") {
  for (const std::int64_t jump : kJumps) {
    for (const bool reclaimed : {false, true}) {
      INFO("by " << jump / kHour << " hours, its predecessor reclaimed: " << reclaimed);
      Disks disks;
      speak_in_a_segment_with_another_clock(disks, jump, reclaimed);
      disks.crash();
      WorldOptions options = disks.options();
      options.shards = 2;
      options.carriers_bound = false;
      options.later_us = kHour + kHour / 2;
      World world(options);
      for (std::size_t i = 0; i < 2; ++i) world.carrier(i).receipts = MessageState::delivered;
      ClientEnd& depot = world.bind("depot");
      REQUIRE(world.until([&] { return !depot.told.empty(); }));
      CHECK(depot.told[0].state == MessageState::delivered);
      world.finish(World::Left::something);
    }
  }
}

// A message that waits for a carrier in one world is delivered by the next.
void goes_on(Disks& disks, std::int64_t later_us, std::int64_t wall_ahead_us = 0) {
  disks.crash();
  WorldOptions options = disks.options();
  options.carriers_bound = false;
  options.later_us = later_us;
  options.wall_ahead_us = wall_ahead_us;
  World world(options);
  world.carrier(0).receipts = world.carrier(1).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  REQUIRE(world.until([&] { return !client.told.empty(); }));
  CHECK(client.told[0].state == MessageState::delivered);
  world.finish();
}

void no_carrier(World& world) {
  for (std::size_t i = 0; i < 2; ++i) {
    world.carrier(i).listens = false;
    world.carrier(i).die();
  }
  world.pass(50 * kMs);
}

TEST_CASE("a jump between the journal's opening and the first record", "[clock]") {
  for (const std::int64_t jump : kJumps) {
    INFO("by " << jump / kHour << " hours");
    Disks disks;
    WorldOptions options = disks.options();
    options.wall_steps_us = jump;
    {
      World world(options);
      ClientEnd& client = world.bind("shop");
      no_carrier(world);
      client.submit({.validity_period = "000000003000000R"});  // half an hour
      world.pass(50 * kMs);
      REQUIRE(world.stage(Stage::waiting) == 1);
      world.abandon();
    }
    goes_on(disks, kHour / 4, jump);
  }
}

TEST_CASE("time that a shard left out has passed for the journal", "[clock]") {
  Disks disks;
  {
    World world(disks.options());
    ClientEnd& client = world.bind("shop");
    no_carrier(world);
    world.shard(0).leave_out_after(kSecond);
    world.advance(kHour / 3);
    world.turn(2);
    REQUIRE(world.shard(0).left_out_us() > kHour / 4);
    client.submit({.validity_period = "000000003000000R"});
    world.pass(50 * kMs);
    REQUIRE(world.stage(Stage::waiting) == 1);
    world.abandon();
  }
  goes_on(disks, kHour / 3 + kHour / 4);
}

TEST_CASE("time that a shard left out has passed for receipts on the disk", "[clock]") {
  Disks disks;
  const auto few = [](Config& config) {
    config.clients[0].receipts_memory = 20;
    config.clients[0].receipt_keep_us = kHour;
  };
  WorldOptions options = disks.options();
  options.change = few;
  std::size_t accepted = 0;
  {
    World world(options);
    world.shard(0).leave_out_after(kSecond);
    world.advance(kHour / 2);
    world.turn(2);
    REQUIRE(world.shard(0).left_out_us() > kHour / 4);
    world.carrier(0).receipts = world.carrier(1).receipts = MessageState::delivered;
    ClientEnd& client = world.bind("shop", proto::Command::bind_transmitter);
    std::vector<std::uint32_t> sent;
    for (std::size_t i = 0; i < 100; ++i) {
      sent.push_back(client.submit({.to = "44770090" + std::to_string(1'000 + i)}));
      if (i % 10 == 0) world.pass(5 * kMs, kMs);
    }
    REQUIRE(world.until([&] { return world.spilled() > 50; }));
    for (const std::uint32_t each : sent) {
      accepted += client.answered(each) && client.status(each) == Status::ESME_ROK ? 1 : 0;
    }
    REQUIRE(world.messages() + world.spilled() == accepted);
    world.abandon();
  }
  disks.crash();
  options = disks.options();
  options.change = few;
  options.later_us = kHour / 2 + 2 * kHour / 3;  // a third of an hour is left
  World world(options);
  REQUIRE(world.spilled() > 50);
  ClientEnd& client = world.bind("shop");
  world.until([&] { return client.told.size() == accepted; }, 20'000);
  CHECK(client.told.size() == accepted);
  world.finish();
}

TEST_CASE("a jump while receipts wait for their client: each is told", "[clock]") {
  for (const std::int64_t jump : kJumps) {
    INFO("by " << jump / kHour << " hours");
    Disks disks;
    const auto few = [](Config& config) {
      config.journal.segment_octets = config.records.rotate_octets = 65'536;
      config.clients[0].receipts_memory = 20;
    };
    WorldOptions options = disks.options();
    options.change = few;
    constexpr std::size_t kMessages = 300;
    std::size_t accepted = 0;
    {
      World world(options);
      world.carrier(0).receipts = MessageState::delivered;
      ClientEnd& client = world.bind("shop", proto::Command::bind_transmitter);
      std::vector<std::uint32_t> sent;
      for (std::size_t i = 0; i < kMessages; ++i) {
        sent.push_back(client.submit({.to = "44770090" + std::to_string(1'000 + i)}));
        if (i == kMessages / 3) world.jump_wall(jump);
        if (i == 2 * kMessages / 3) world.jump_wall(-jump);
        if (i % 10 == 0) world.pass(5 * kMs, kMs);
      }
      REQUIRE(world.until([&] { return world.spilled() > kMessages / 2; }));
      for (const std::uint32_t each : sent) {
        accepted += client.answered(each) && client.status(each) == Status::ESME_ROK ? 1 : 0;
      }
      REQUIRE(accepted > kMessages / 2);
      REQUIRE(world.messages() + world.spilled() == accepted);
      world.abandon();
    }
    disks.crash();
    options = disks.options();
    options.change = few;
    options.later_us = kHour;
    options.wall_ahead_us = jump;
    World world(options);
    CHECK(world.findings() == 0);
    CHECK(world.messages() + world.spilled() == accepted);
    ClientEnd& client = world.bind("shop");
    world.until([&] { return client.told.size() == accepted; }, 20'000);
    REQUIRE(client.told.size() == accepted);
    world.pass(kSecond);
    CHECK(written_details(*disks.records).size() == accepted);
    world.finish();
  }
}

TEST_CASE("no number of a parked receipt comes again, whatever the wall clock", "[clock]") {
  Disks disks;
  WorldOptions options = disks.options();
  const auto park = [&](int which) {
    World world(options);
    world.bind("shop");
    world.carrier(0).receipt("nobody" + std::to_string(which), MessageState::delivered);
    world.pass(kSecond);
    world.abandon();
    disks.crash();
    options = disks.options();
  };
  park(1);
  options.later_us = kHour;
  options.wall_ahead_us = -kYear;
  park(2);
  std::map<std::string, std::uint64_t> numbers;  // by their ids
  const auto report = core::read_journal(*disks.journal, [&](const core::JournalRecord& record) {
    proto::record::Parked parked;
    const bool is_parked = record.type == static_cast<std::uint32_t>(proto::record::Type::parked) &&
                           proto::record::decode(record.payload, parked);
    if (is_parked) numbers.emplace(parked.carrier_message_id, parked.number);
  });
  REQUIRE(report);
  REQUIRE(numbers.size() == 2);
  CHECK(numbers.at("nobody2") > numbers.at("nobody1"));
}

TEST_CASE("no wall clock removes detail records; their age does", "[clock]") {
  Disks disks;
  WorldOptions options = disks.options();
  const auto files = [&] {
    return std::count_if(disks.records->names.begin(), disks.records->names.end(),
                         [](const auto& each) { return each.first.starts_with("records-"); });
  };
  const auto load = [](World& world, ClientEnd& client) {
    world.carrier(0).receipts = MessageState::delivered;
    for (int i = 0; i < 800; ++i) {
      client.submit();
      if (i % 10 == 0) world.pass(5 * kMs, kMs);
    }
    REQUIRE(world.until([&] { return world.messages() == 0; }));
    world.pass(kSecond);
  };
  std::size_t written = 0;
  {
    World world(options);
    load(world, world.bind("shop"));
    written = written_details(*disks.records).size();
    REQUIRE(files() > 3);
    for (const std::int64_t jump : kJumps) {
      world.jump_wall(jump);
      world.pass(5 * kSecond, kSecond);
      world.jump_wall(-jump);
      world.pass(5 * kSecond, kSecond);
      CHECK(written_details(*disks.records).size() == written);
    }
    world.abandon();
  }
  for (const std::int64_t jump : kJumps) {
    disks.crash();
    options = disks.options();
    options.later_us += kHour;
    options.wall_ahead_us = jump;
    World world(options);
    world.pass(5 * kSecond, kSecond);
    CHECK(written_details(*disks.records).size() == written);
    world.abandon();
  }
  disks.crash();
  options = disks.options();
  options.later_us = 2 * kHour;
  World world(options);
  load(world, world.bind("shop"));
  const auto before = files();
  // By idle days: no client, no carrier says anything.
  world.advance(31 * kDay);
  world.pass(5 * kSecond, kSecond);
  CHECK(files() < before);
  CHECK(written_details(*disks.records).size() < written + 800);
  world.abandon();
}

}  // namespace
}  // namespace tollgate::gateway
