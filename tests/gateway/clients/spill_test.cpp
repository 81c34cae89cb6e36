// Receipts that wait on the disk, in the world: what a client is owed comes exactly once while the
// process lives, at least once over a crash, in order for each number, and from the disk.
#include "gateway/clients/spill.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/catch_pch.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using core::testing::FaultyStorage;
using core::testing::Op;
using core::testing::Survival;
using proto::Command;
using proto::MessageState;
using proto::Status;

constexpr std::uint32_t kMemory = 20;

WorldOptions on(FaultyStorage& disk, std::uint32_t memory = kMemory, std::int64_t later_us = 0) {
  WorldOptions options;
  options.carriers = 1;
  options.disk = &disk;
  options.later_us = later_us;
  options.change = [memory](Config& config) {
    config.journal.segment_octets = 128 * 1024;
    for (ClientConfig& client : config.clients) client.receipts_memory = memory;
    config.clients[0].window = 10'000;
    config.clients[0].queue_max = 10'000;
    config.carriers[0].binds[0].window = 10'000;
  };
  return options;
}

std::size_t chunks_on(const FaultyStorage& disk) {
  return static_cast<std::size_t>(
      std::count_if(disk.names.begin(), disk.names.end(),
                    [](const auto& entry) { return chunk_number(entry.first) != 0; }));
}

// What one client submitted, to a few numbers in turn, and what it was told.
class Account {
 public:
  // Submits `count` messages on a transmitter; how many were accepted.
  std::size_t submit(World& world, std::size_t count, unsigned numbers = 3) {
    ClientEnd& client = world.bind("shop", Command::bind_transmitter);
    std::vector<std::pair<std::uint32_t, std::string>> sent;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string to = "44770090000" + std::to_string(i % numbers);
      sent.emplace_back(client.submit({.to = to}), to);
      if (i % 50 == 49) world.settle();
    }
    world.settle();
    std::size_t accepted = 0;
    for (const auto& [sequence_number, to] : sent) {
      if (!client.answered(sequence_number)) continue;
      if (client.status(sequence_number) != Status::ESME_ROK) continue;
      order_[to].push_back(client.id(sequence_number));
      ++accepted;
    }
    client.hang_up();
    world.settle();
    return accepted;
  }

  void note(const std::vector<ClientEnd::Told>& told) {
    for (const ClientEnd::Told& each : told) told_[each.from].push_back(each.id);
  }

  std::size_t submitted() const { return sum(order_); }
  std::size_t told() const { return sum(told_); }

  // Every one once, in the order of its number.
  void check_exact() const { CHECK(told_ == order_); }
  // Those that were never told.
  std::size_t missing() const {
    std::set<std::string> told;
    for (const auto& each : told_) told.insert(each.second.begin(), each.second.end());
    std::size_t count = 0;
    for (const auto& each : order_) {
      for (const std::string& id : each.second) count += told.count(id) == 0 ? 1 : 0;
    }
    return count;
  }

 private:
  using ByNumber = std::map<std::string, std::vector<std::string>>;
  static std::size_t sum(const ByNumber& all) {
    std::size_t total = 0;
    for (const auto& each : all) total += each.second.size();
    return total;
  }
  ByNumber order_;
  ByNumber told_;
};

// The client comes for its receipts, until nothing is left for it.
void collect(World& world, Account& account) {
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
  CHECK(world.until([&] { return world.messages() + world.spilled() == 0; }, 20'000));
  receiver.hang_up();
  world.settle();
  account.note(receiver.told);
}

void all_over(World& world, const FaultyStorage& disk) {
  world.pass(kSecond);
  CHECK(chunks_on(disk) == 0);
  CHECK(world.due()->counts()[DueCount::chunks].get() == 0);
  CHECK(world.due()->counts()[DueCount::octets].get() == 0);
  world.finish();
}

TEST_CASE("receipts beyond memory wait on the disk and come once, in order", "[spill]") {
  FaultyStorage disk;
  World world(on(disk));
  world.carrier(0).receipts = MessageState::delivered;
  Account account;
  REQUIRE(account.submit(world, 1'000) == 1'000);
  world.pass(2 * kSecond, 50 * kMs);
  CHECK(world.spilled() > 900);
  CHECK(world.messages() < 100);
  CHECK(world.messages() + world.spilled() == 1'000);
  CHECK(world.client(0).receipts_spilled.get() == world.spilled());
  CHECK(world.client(0).receipts_waiting.get() == 1'000);
  CHECK(world.sum(&LedgerCounters::spilled) == world.spilled());
  CHECK(chunks_on(disk) == world.due()->counts()[DueCount::chunks].get());
  world.check_conserved();
  collect(world, account);
  account.check_exact();
  all_over(world, disk);
}

TEST_CASE("what comes while its client takes what is on the disk waits behind it", "[spill]") {
  FaultyStorage disk;
  World world(on(disk));
  world.carrier(0).receipts = MessageState::delivered;
  Account account;
  account.submit(world, 300);
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
  int held = 0;
  receiver.on_receipt = [&](const auto&) -> std::optional<Status> {
    if (++held % 7 == 0) world.advance(20 * kMs);
    return Status::ESME_ROK;
  };
  account.submit(world, 500);
  account.submit(world, 200);
  CHECK(world.until([&] { return world.messages() + world.spilled() == 0; }, 20'000));
  account.note(receiver.told);
  account.check_exact();
  all_over(world, disk);
}

TEST_CASE("a client that takes its receipts never meets the disk", "[spill]") {
  FaultyStorage disk;
  World world(on(disk));
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 600; ++i) {
    client.submit();
    if (i % 10 == 9) world.settle();
  }
  CHECK(world.until([&] { return client.told.size() == 600; }));
  CHECK(world.due()->counts()[DueCount::written].get() == 0);
  all_over(world, disk);
}

TEST_CASE("few receipts beyond memory are no chunk and come as if there were no disk", "[spill]") {
  FaultyStorage disk;
  World world(on(disk));
  world.carrier(0).receipts = MessageState::delivered;
  Account account;
  account.submit(world, kMemory + 3);
  CHECK(world.spilled() == 0);
  collect(world, account);
  account.check_exact();
  CHECK(world.due()->counts()[DueCount::written].get() == 0);
  all_over(world, disk);
}

TEST_CASE("receipts on the disk are there after a restart, unread, and come in order", "[spill]") {
  FaultyStorage disk;
  Account account;
  {
    World world(on(disk));
    world.carrier(0).receipts = MessageState::delivered;
    account.submit(world, 500);
    world.pass(kSecond);
    CHECK(world.spilled() > 400);
    world.abandon();
  }
  for (int life = 1; life <= 3; ++life) {
    const auto survived = disk.survive(Survival::drop_all, 5);
    FaultyStorage& next = *survived;
    disk.names = next.names;
    disk.durable_names = next.durable_names;
    disk.crashed = false;
    World world(on(disk, kMemory, life * kHour));
    CHECK(world.findings() == 0);
    CHECK(world.stock().fine());
    CHECK(world.restored().spilled == world.spilled());
    CHECK(world.messages() < 100);
    CHECK(world.messages() + world.spilled() == account.submitted());
    if (life == 2) {
      world.carrier(0).receipts = MessageState::delivered;
      account.submit(world, 300);
      world.pass(kSecond);
    }
    if (life < 3) {
      world.abandon();
      continue;
    }
    collect(world, account);
    account.check_exact();
    all_over(world, disk);
  }
}

// A scenario in which everything happens: out, back, out again. False: the disk ended it.
bool play(World& world, Account& account, FaultyStorage& disk, std::set<std::string>& told) {
  world.carrier(0).receipts = MessageState::delivered;
  account.submit(world, 90);
  if (disk.crashed) return false;
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
  world.until([&] { return receiver.told.size() >= 50 || disk.crashed; }, 2'000);
  receiver.hang_up();
  world.settle();
  account.note(receiver.told);
  for (const auto& each : receiver.told) told.insert(each.id);
  if (!disk.crashed) account.submit(world, 60);
  if (!disk.crashed) world.pass(kSecond);
  return !disk.crashed;
}

TEST_CASE("a crash at any operation of the disk loses no receipt", "[spill]") {
  std::uint64_t operations = 0;
  {
    FaultyStorage disk;
    World world(on(disk, 8));
    Account account;
    std::set<std::string> told;
    REQUIRE(play(world, account, disk, told));
    CHECK(world.due()->counts()[DueCount::written].get() >= 5);
    CHECK(world.due()->counts()[DueCount::removed].get() >= 2);
    operations = disk.operations;
    world.abandon();
  }
  std::uint64_t twice = 0;
  std::uint64_t of = 0;
  for (std::uint64_t at = 20; at <= operations; ++at) {
    const Survival how = core::testing::kSurvivals[at % 4];  // a flipped bit has its own test
    INFO("crash at " << at << ", survival " << static_cast<int>(how));
    FaultyStorage disk;
    Account account;
    std::set<std::string> told;
    {
      World world(on(disk, 8));
      disk.crash_at = at;
      play(world, account, disk, told);
      world.abandon();
    }
    const auto after = disk.survive(how, static_cast<std::uint32_t>(at));
    World world(on(*after, 8, kHour));
    CHECK(world.findings() == 0);
    CHECK(world.stock().fine());
    world.carrier(0).receipts = MessageState::delivered;
    // Those without a receipt from the carrier are told nothing here: only what was told counts.
    ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
    const auto awaited = [&] {
      return world.stage(Stage::awaiting) + world.stage(Stage::in_doubt);
    };
    CHECK(
        world.until([&] { return world.messages() == awaited() && world.spilled() == 0; }, 20'000));
    account.note(receiver.told);
    for (const auto& each : receiver.told) twice += told.count(each.id);
    of += told.size();
    CHECK(account.missing() <= awaited());
    world.pass(kSecond);
    CHECK(chunks_on(*after) == 0);
    world.finish(World::Left::something);
  }
  // At least once; twice only what the client answered just before the crash.
  CHECK(of > 1'000);
  CHECK(twice < of / 5);
}

TEST_CASE("a full disk keeps receipts in memory, then refuses, and recovers", "[spill]") {
  FaultyStorage disk;
  World world(on(disk));
  world.carrier(0).receipts = MessageState::delivered;
  Account account;
  world.around_due = [&, room = disk.capacity](bool begins) {
    disk.capacity = begins ? disk.used() : room;
  };
  for (int i = 0; i < 20; ++i) account.submit(world, 20);
  CHECK(world.due()->counts()[DueCount::no_space].get() > 0);
  CHECK(world.spilled() == 0);
  // Four times the memory's bound, and what was owed then.
  CHECK(world.messages() >= 4 * kMemory);
  CHECK(world.messages() < 4 * kMemory + 25);
  CHECK(world.client(0).queue_full.get() > 0);
  CHECK(account.submitted() == world.messages());
  ClientEnd& other = world.bind("depot");
  const std::uint32_t theirs = other.submit();
  world.settle();
  CHECK(other.status(theirs) == Status::ESME_ROK);
  world.around_due = {};
  world.pass(6 * kSecond, 100 * kMs);
  CHECK(world.spilled() > 0);
  const std::size_t before = account.submitted();
  CHECK(account.submit(world, 20) == 20);
  CHECK(account.submitted() == before + 20);
  collect(world, account);
  account.check_exact();
  all_over(world, disk);
}

TEST_CASE("what fails to be written, read or removed is tried again", "[spill]") {
  const Op op = GENERATE(Op::create, Op::write, Op::datasync, Op::sync_directory, Op::remove);
  FaultyStorage disk;
  World world(on(disk));
  world.carrier(0).receipts = MessageState::delivered;
  Account account;
  account.submit(world, 200);
  world.pass(kSecond);
  // About every other one of the store's own: an error of the journal would be its end.
  std::mt19937 random(3);
  world.around_due = [&](bool begins) {
    if (begins && random() % 2 == 0) disk.fails[op] = {1, EIO};
    if (!begins) disk.fails.clear();
  };
  account.submit(world, 200);
  world.pass(10 * kSecond, 100 * kMs);
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
  const auto over = [&] { return world.messages() + world.spilled() == 0; };
  for (int i = 0; i < 2'000 && !over(); ++i) world.pass(kSecond, 200 * kMs);
  CHECK(over());
  CHECK(world.due()->counts()[DueCount::errors].get() > 0);
  account.note(receiver.told);
  account.check_exact();
  world.around_due = {};
  world.pass(100 * kSecond, 200 * kMs);
  all_over(world, disk);
}

TEST_CASE("damage on the disk costs what it covers, is told and kept", "[spill]") {
  FaultyStorage disk;
  World world(on(disk));
  world.carrier(0).receipts = MessageState::delivered;
  Account account;
  account.submit(world, 500);
  world.pass(kSecond);
  const std::size_t chunks = chunks_on(disk);
  REQUIRE(chunks > 5);
  // The second one's last record, and all of the third.
  auto at = std::find_if(disk.names.begin(), disk.names.end(),
                         [](const auto& entry) { return chunk_number(entry.first) != 0; });
  ++at;
  const std::string second = at->first;
  at->second->now[at->second->now.size() - 20] ^= 4;
  ++at;
  const std::string third = at->first;
  disk.names.erase(at);
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
  CHECK(world.until([&] { return world.messages() + world.spilled() == 0; }, 20'000));
  const auto& counts = world.due()->counts();
  CHECK(counts[DueCount::damaged].get() == 2);
  const std::uint64_t lost = counts[DueCount::receipts_lost].get();
  CHECK(lost > 1);
  CHECK(lost < 60);
  CHECK(receiver.told.size() == 500 - lost);
  CHECK(disk.names.count("damaged-" + second) == 1);
  CHECK(disk.names.count(second) == 0);
  all_over(world, disk);
}

TEST_CASE("a start tells what is missing or cannot be read", "[spill]") {
  FaultyStorage disk;
  Account account;
  {
    World world(on(disk));
    world.carrier(0).receipts = MessageState::delivered;
    account.submit(world, 500);
    world.pass(kSecond);
    world.abandon();
  }
  const auto after = disk.survive(Survival::keep_all, 1);
  auto at = std::find_if(after->names.begin(), after->names.end(),
                         [](const auto& entry) { return chunk_number(entry.first) != 0; });
  std::fill(at->second->now.begin(), at->second->now.end(), std::uint8_t{0x55});
  const std::string unreadable = at->first;
  ++at;
  const std::uint64_t missing = chunk_number(at->first);
  after->names.erase(at);
  World world(on(*after, kMemory, kHour));
  CHECK(world.stock().damaged == std::vector<std::uint64_t>{chunk_number(unreadable)});
  CHECK(world.stock().missing == std::vector<std::uint64_t>{missing});
  CHECK(after->names.count("damaged-" + unreadable) == 1);
  CHECK(after->names.count(unreadable) == 0);
  collect(world, account);
  CHECK(account.told() < account.submitted());
  CHECK(account.told() > account.submitted() - 60);
  all_over(world, *after);
}

TEST_CASE("receipts on the disk are given up when their time is over, and counted", "[spill]") {
  FaultyStorage disk;
  World world(on(disk));
  world.carrier(0).receipts = MessageState::delivered;
  Account account;
  account.submit(world, 300);
  world.pass(kSecond);
  CHECK(world.spilled() > 200);
  SECTION("with nobody there") {
    world.advance(71 * kHour);
    world.pass(2 * kSecond, 100 * kMs);
    CHECK(world.messages() + world.spilled() == 300);
    world.advance(kHour);
    world.pass(10 * kSecond, 100 * kMs);
    CHECK(world.messages() + world.spilled() == 0);
    CHECK(world.client(0).receipts_expired.get() == 300);
    CHECK(world.due()->counts()[DueCount::read].get() == 0);
  }
  SECTION("a jump of the wall clock does not change when") {
    world.jump_wall(100 * kHour);
    world.pass(2 * kSecond, 100 * kMs);
    CHECK(world.messages() + world.spilled() == 300);
    collect(world, account);
    account.check_exact();
  }
  all_over(world, disk);
}

TEST_CASE("an intermediate notice never overtakes receipts on the disk", "[spill]") {
  FaultyStorage disk;
  World world(on(disk));
  Account account;
  world.carrier(0).receipts = MessageState::delivered;
  account.submit(world, 200, 1);
  world.carrier(0).receipts.reset();
  ClientEnd& transmitter = world.bind("shop", Command::bind_transmitter);
  const std::uint32_t early =
      transmitter.submit({.to = "447700900000", .registered_delivery = 0x11});
  const std::uint32_t late =
      transmitter.submit({.to = "447700900000", .registered_delivery = 0x11});
  world.settle();
  const auto& submits = world.carrier(0).submits;
  const std::string first = submits[submits.size() - 2].id;
  const std::string second = submits.back().id;
  world.carrier(0).receipt(first, MessageState::enroute, 0, true);
  world.carrier(0).receipt(second, MessageState::enroute, 0, true);
  world.settle();
  world.carrier(0).receipt(second, MessageState::delivered);  // replaces what was not told yet
  world.settle();
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
  CHECK(world.until([&] { return receiver.told.size() == 202; }, 20'000));
  REQUIRE(receiver.told.size() == 202);
  CHECK(receiver.told[200].id == transmitter.id(late));
  CHECK_FALSE(receiver.told[200].intermediate);
  CHECK(receiver.told[201].id == transmitter.id(early));
  CHECK(receiver.told[201].intermediate);
  world.carrier(0).receipt(first, MessageState::delivered);
  world.settle();
  CHECK(receiver.told.size() == 203);
  all_over(world, disk);
}

TEST_CASE("those who stay away leave room in the ledger for others", "[spill]") {
  FaultyStorage disk;
  WorldOptions options = on(disk, 10'000);
  options.change = [change = options.change](Config& config) {
    change(config);
    config.gateway.limits.messages_per_shard = 1'000;
  };
  World world(options);
  world.carrier(0).receipts = MessageState::delivered;
  Account account;
  for (int i = 0; i < 100; ++i) REQUIRE(account.submit(world, 40) == 40);
  world.pass(kSecond);
  CHECK(world.messages() < 600);
  CHECK(world.messages() + world.spilled() == 4'000);
  ClientEnd& other = world.bind("depot");
  for (int i = 0; i < 100; ++i) other.submit();
  world.settle();
  CHECK(world.until([&] { return other.told.size() == 100; }));
  CHECK(world.sum(&LedgerCounters::full) == 0);
  collect(world, account);
  account.check_exact();
  all_over(world, disk);
}

TEST_CASE("a client whose receipts are on the disk does not hold up another", "[spill]") {
  FaultyStorage disk;
  World world(on(disk));
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& other = world.bind("depot");
  Account account;
  for (int i = 0; i < 30; ++i) {
    account.submit(world, 30);
    other.submit();
    world.settle();
    CHECK(other.told.size() == static_cast<std::size_t>(i + 1));
  }
  CHECK(world.spilled() > 700);
  collect(world, account);
  account.check_exact();
  all_over(world, disk);
}

TEST_CASE("a chunk comes back however long its receipts are now and its record may be", "[spill]") {
  const bool details = GENERATE(false, true);
  const std::size_t ring = GENERATE(4096, 8192);
  INFO("details " << details << ", ring " << ring);
  FaultyStorage disk;
  Account account;
  {
    WorldOptions options = on(disk);
    options.ring_octets = 32 * 1024;
    World world(options);
    world.carrier(0).receipts = MessageState::delivered;
    account.submit(world, 500);
    world.pass(kSecond);
    CHECK(world.spilled() > 400);
    world.abandon();
  }
  const auto after = disk.survive(Survival::drop_all, 5);
  WorldOptions options = on(*after, kMemory, kHour);
  options.ring_octets = ring;
  if (details) options.records = after.get();
  {
    World world(options);
    CHECK(world.findings() == 0);
    CHECK(world.restored().spilled > 400);
    ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
    CHECK(world.until([&] { return receiver.told.size() >= 200; }, 20'000));
    receiver.hang_up();
    world.pass(kSecond);
    account.note(receiver.told);
    world.abandon();
  }
  const auto again = after->survive(Survival::drop_all, 6);
  options.disk = again.get();
  if (details) options.records = again.get();
  options.later_us = 2 * kHour;
  World world(options);
  CHECK(world.findings() == 0);
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
  CHECK(world.until([&] { return world.messages() + world.spilled() == 0; }, 20'000));
  account.note(receiver.told);
  CHECK(account.missing() == 0);
  CHECK(account.told() == account.submitted());
  all_over(world, *again);
}

}  // namespace
}  // namespace tollgate::gateway
