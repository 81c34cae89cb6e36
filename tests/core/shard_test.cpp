#include "core/shard.h"

#include <functional>
#include <memory>
#include <utility>

#include "core/published.h"
#include "tests/core/fake_net.h"

namespace tollgate::core {
namespace {

struct Ears final : Connection::Owner {
  std::function<std::size_t(Connection&, Octets)> input;
  std::function<void()> closed;
  std::size_t on_input(Connection& c, Octets octets, const Now&) override {
    return input ? input(c, octets) : octets.size();
  }
  void on_closed(Connection&, CloseReason, const Now&) override {
    if (closed) closed();
  }
};

struct Start final : TurnStart {
  std::vector<std::string>* log;
  void turn_starts(const Now&) override { log->push_back("start"); }
};

struct World {
  World() : shard(0, std::unique_ptr<Net>(net), [this] { return now; }) {}
  Now now{5'000'000, 0};
  FakeNet* net = new FakeNet;
  Shard shard;
};

const std::uint8_t kOctet[] = {'x'};

TEST_CASE("a turn has its order: start, input, drain, timers, end, flush, closed, deferred",
          "[shard]") {
  World w;
  std::vector<std::string> log;
  Start start;
  start.log = &log;
  w.shard.at_turn_start(start);
  auto wire = w.net->wire();
  Ears ears;
  Connection connection(w.shard, FakeNet::socket(wire), ears);
  ears.input = [&](Connection& c, Octets in) {
    log.push_back("input");
    CHECK(c.write(kOctet));
    w.shard.defer([&] { log.push_back("deferred"); });
    return in.size();
  };
  ears.closed = [&] { log.push_back("closed"); };
  w.shard.on_drain([&](const Now&) {
    log.push_back("drain");
    return false;
  });
  struct Expiry {
    std::vector<std::string>& log;
    Timer timer = Timer::calling<&Expiry::fire>(*this);
    void fire(const Now&) { log.push_back("timer"); }
  } expiry{log};
  w.shard.timers().arm(expiry.timer, w.now.mono_us + 1'000);
  w.shard.on_turn_end([&](const Now& now) {
    log.push_back("end");
    CHECK(now.mono_us == 5'001'000);
    CHECK(wire->sent.empty());
    wire->send_error = EPIPE;  // the flush that follows fails, so on_closed follows it
  });
  w.now.mono_us += 1'000;
  wire->incoming = {"q"};
  w.shard.turn();
  CHECK(log ==
        std::vector<std::string>{"start", "input", "drain", "timer", "end", "closed", "deferred"});
  CHECK(wire->sends == 1);
  w.shard.forget(start);
  log.clear();
  w.shard.turn();
  CHECK(log == std::vector<std::string>{"drain", "end"});
}

TEST_CASE("turn() says whether work is left", "[shard]") {
  World w;
  CHECK_FALSE(w.shard.turn());
  w.shard.defer([&] { w.shard.defer([] {}); });
  CHECK(w.shard.turn());
  CHECK_FALSE(w.shard.turn());
  bool more = true;
  bool again = false;
  w.shard.on_drain([&](const Now&) { return more; });
  w.shard.on_turn_end([&](const Now&) {
    if (again) w.shard.again();
  });
  CHECK(w.shard.turn());
  more = false;
  CHECK_FALSE(w.shard.turn());
  again = true;
  CHECK(w.shard.turn());
}

// run() on this thread, stopped from a hook after some turns.
struct Runs {
  explicit Runs(World& world, int turns) : w(world), left(turns) {
    w.shard.on_drain([this](const Now&) {
      waits.push_back(w.net->last_wait_us);
      if (--left == 0) w.shard.stop();
      return false;
    });
  }
  World& w;
  int left;
  std::vector<std::int64_t> waits;
};

TEST_CASE("an idle shard sleeps until its first timer, a busy one not at all", "[shard]") {
  World w;
  struct Nothing {
    void fire(const Now&) {}
  } nothing;
  Timer timer = Timer::calling<&Nothing::fire>(nothing);
  w.shard.timers().arm(timer, w.now.mono_us + 40'000);
  Runs runs(w, 2);
  w.shard.run();
  REQUIRE(runs.waits.size() == 2);
  CHECK(runs.waits[0] == 0);
  CHECK(runs.waits[1] > 0);
  CHECK(runs.waits[1] <= 40'000);
  CHECK(w.shard.counts()[ShardCount::sleeps].get() == 1);
}

TEST_CASE("a shard with mail in any of its mailboxes does not sleep", "[shard]") {
  for (const int which : {0, 1}) {
    ShardsOptions options;
    options.make_net = [](unsigned) { return std::make_unique<FakeNet>(); };
    Shards shards(options);
    Shard& shard = shards[0];
    Mailbox& inbox = shard.open_inbox(1024);
    auto& net = static_cast<FakeNet&>(shard.net());
    int turns = 0;
    std::vector<std::int64_t> waits;
    shard.on_drain([&](const Now&) {
      waits.push_back(net.last_wait_us);
      if (turns == 3) shard.stop();
      if (++turns == 3) {
        inbox.drain(10, [](std::uint32_t, Octets) {});
        shard.from(0).drain(10, [](std::uint32_t, Octets) {});
      }
      return false;
    });
    Mailbox& filled = which == 0 ? inbox : shard.to(0);
    REQUIRE(filled.try_push(1, {}));
    filled.publish();
    shard.run();
    REQUIRE(waits.size() == 4);
    CHECK(waits[1] == 0);
    CHECK(waits[2] == 0);
    CHECK(waits[3] > 0);
  }
}

TEST_CASE("mail of a turn, to itself too, is published at its end and taken by the next",
          "[shard]") {
  ShardsOptions options;
  options.count = 2;
  options.make_net = [](unsigned) { return std::make_unique<FakeNet>(); };
  Shards shards(options);
  int got = 0;
  shards[0].on_drain([&](const Now&) {
    shards[0].from(0).drain(10, [&](std::uint32_t type, Octets) { got += static_cast<int>(type); });
    return false;
  });
  shards[0].on_turn_end([&](const Now&) {
    if (got != 0) return;
    CHECK(shards[0].to(0).try_push(5, {}));
    CHECK(shards[0].to(1).try_push(6, {}));
    CHECK(shards[1].from(0).empty());
  });
  shards[0].turn();
  CHECK(got == 0);
  CHECK_FALSE(shards[1].from(0).empty());
  shards[0].turn();
  CHECK(got == 5);
}

TEST_CASE("reads of one turn are bounded, and the others come first in the next", "[shard]") {
  World w;
  Ears ears;
  std::vector<int> order;
  std::vector<std::unique_ptr<Connection>> connections;
  std::vector<std::shared_ptr<Wire>> wires;
  const int count = static_cast<int>(Shard::kReadsPerTurn) + 10;
  for (int i = 0; i < count; ++i) {
    wires.push_back(w.net->wire());
    wires.back()->incoming = {"x", "y"};
    ConnectionLimits limits;
    limits.read_max = 1;  // each read is a full one: ready again at once
    connections.push_back(
        std::make_unique<Connection>(w.shard, FakeNet::socket(wires.back()), ears, limits));
    connections.back()->id = static_cast<std::uint64_t>(i);
  }
  ears.input = [&](Connection& c, Octets in) {
    order.push_back(static_cast<int>(c.id));
    return in.size();
  };
  CHECK(w.shard.turn());
  CHECK(order.size() == Shard::kReadsPerTurn);
  order.clear();
  w.shard.turn();
  CHECK(order.at(0) == count - 10);
  CHECK(order.at(10) == 0);
  connections.clear();
}

// Connections of one group whose owner takes each octet for a unit of work.
struct Account final : Connection::Owner {
  Account(World& world, std::size_t count, ReadGroup* of = nullptr) : w(world) {
    for (std::size_t i = 0; i < count; ++i) {
      wires.push_back(w.net->wire());
      connections.push_back(
          std::make_unique<Connection>(w.shard, FakeNet::socket(wires.back()), *this));
      connections.back()->read_with(of != nullptr ? *of : group);
    }
  }
  void send(std::size_t octets) {
    for (const auto& wire : wires) wire->incoming.push_back(std::string(octets, 'x'));
  }
  std::size_t on_input(Connection& connection, Octets input, const Now&) override {
    std::size_t taken = 0;
    for (; taken < input.size() && connection.may_go_on(); ++taken) connection.spend();
    units += taken;
    return taken;
  }
  void on_closed(Connection&, CloseReason, const Now&) override { ++closed; }
  std::size_t take() { return std::exchange(units, 0); }

  World& w;
  ReadGroup group;
  std::vector<std::shared_ptr<Wire>> wires;
  std::vector<std::unique_ptr<Connection>> connections;
  std::size_t units = 0;
  int closed = 0;
};

TEST_CASE("a group has its share of a turn, however many connections it has", "[shard]") {
  constexpr std::size_t kAll = Shard::kUnitsPerTurn;
  World w;
  Account many(w, 8);
  Account one(w, 1);
  many.send(10'000);
  CHECK(w.shard.turn());
  CHECK(many.take() == kAll);  // alone it has the whole turn
  one.send(10);
  CHECK(w.shard.turn());
  CHECK(one.take() == 10);
  CHECK(many.take() == kAll / 2);
  one.send(5'000);
  for (int i = 0; i < 4; ++i) {
    w.shard.turn();
    CHECK(one.take() == kAll / 2);
    CHECK(many.take() == kAll / 2);
  }
  for (int i = 0; i < 60; ++i) w.shard.turn();
  CHECK(many.take() == 8 * 10'000 - 5 * kAll / 2 - kAll);  // nothing was lost, none closed
  CHECK(one.take() == 5'000 - 4 * kAll / 2);
  CHECK(many.closed == 0);
  CHECK_FALSE(w.shard.turn());
}

TEST_CASE("many groups: each gets its turn, those that were not reached first", "[shard]") {
  World w;
  std::vector<std::unique_ptr<Account>> accounts;
  const std::size_t at_once = Shard::kUnitsPerTurn / Shard::kUnitsLeast;
  for (std::size_t i = 0; i < 3 * at_once; ++i) accounts.push_back(std::make_unique<Account>(w, 2));
  for (const auto& account : accounts) account->send(300);
  std::size_t units = 0;
  for (int turn = 0; turn < 6; ++turn) {
    w.shard.turn();
    for (std::size_t i = 0; i < accounts.size(); ++i) {
      const std::size_t expected = i / at_once == static_cast<std::size_t>(turn) % 3;
      CHECK(accounts[i]->units / Shard::kUnitsLeast == expected);
      units += accounts[i]->take();
    }
  }
  CHECK(units == 6 * Shard::kUnitsPerTurn);
}

TEST_CASE("what comes first is read before all groups, and while they are held", "[shard]") {
  World w;
  Account clients(w, 4);
  Account carriers(w, 3);
  for (const auto& connection : carriers.connections) connection->read_first();
  clients.send(10'000);
  carriers.send(3'000);
  w.shard.turn();
  CHECK(carriers.take() == 9'000);
  CHECK(clients.take() == Shard::kUnitsPerTurn);
  w.shard.hold_groups(true);
  carriers.send(10);
  CHECK_FALSE(w.shard.turn());  // what is held does not keep it awake
  CHECK(carriers.take() == 30);
  CHECK(clients.take() == 0);
  w.shard.hold_groups(false);
  CHECK(w.shard.turn());
  CHECK(clients.take() == Shard::kUnitsPerTurn);
}

TEST_CASE("octets of one turn are bounded", "[shard]") {
  World w;
  Ears ears;
  std::size_t octets = 0;
  ears.input = [&](Connection&, Octets in) {
    octets += in.size();
    return in.size();
  };
  const std::size_t each = ConnectionLimits{}.read_max;
  const std::size_t count = Shard::kReadOctetsPerTurn / each + 5;
  std::vector<std::shared_ptr<Wire>> wires;
  std::vector<std::unique_ptr<Connection>> connections;
  for (std::size_t i = 0; i < count; ++i) {
    wires.push_back(w.net->wire());
    wires.back()->incoming = {std::string(each, 'x')};
    connections.push_back(
        std::make_unique<Connection>(w.shard, FakeNet::socket(wires.back()), ears));
  }
  CHECK(w.shard.turn());
  CHECK(octets == Shard::kReadOctetsPerTurn);
  w.shard.turn();
  CHECK(octets == count * each);
}

TEST_CASE("input waits from when it is there until the owner has seen all of it", "[shard]") {
  World w;
  Account account(w, 2);
  const Connection& second = *account.connections[1];
  CHECK_FALSE(second.input_waits());
  account.send(Shard::kUnitsPerTurn);
  w.shard.turn();
  CHECK(second.input_waits());  // the first one used the turn up
  w.shard.turn();
  w.shard.turn();
  CHECK(account.take() == 2 * Shard::kUnitsPerTurn);
  w.shard.turn();
  CHECK_FALSE(second.input_waits());
  // One that never stops is waited for no longer than its socket could hold.
  const std::size_t most = 128 * ConnectionLimits{}.input_max;
  account.wires[0]->incoming.clear();
  std::size_t sent = 0;
  do {
    account.wires[0]->incoming.push_back(std::string(ConnectionLimits{}.read_max, 'x'));
    sent += ConnectionLimits{}.read_max;
    REQUIRE(sent < 2 * most);
    do {
      w.shard.turn();
    } while (account.connections[0]->leftover_size() > 0);
  } while (account.connections[0]->input_waits());
  CHECK(sent > most - ConnectionLimits{}.read_max);
}

TEST_CASE("time in which the shard did not run does not pass", "[shard]") {
  World w;
  Ears ears;
  auto wire = w.net->wire();
  Connection connection(w.shard, FakeNet::socket(wire), ears);
  std::vector<std::string> log;
  ears.input = [&](Connection&, Octets in) {
    log.push_back("input");
    return in.size();
  };
  struct Deadline {
    std::vector<std::string>& log;
    Timer timer = Timer::calling<&Deadline::fire>(*this);
    void fire(const Now&) { log.push_back("timer"); }
  } deadline{log};
  w.shard.leave_out_after(1'000'000);
  w.shard.turn();
  w.shard.timers().arm(deadline.timer, w.shard.now().mono_us + 10'000'000);
  // Stopped in the middle of a turn, for 30 s: what was sent in it leaves only now.
  w.shard.on_turn_end([&, once = true](const Now&) mutable {
    if (!std::exchange(once, false)) return;
    w.now.mono_us += 30'000'000;
    w.shard.again();  // the next turn is due at once
  });
  w.shard.turn();
  wire->incoming = {"q"};
  w.shard.turn();
  CHECK(log == std::vector<std::string>{"input"});
  CHECK(w.shard.counts()[ShardCount::late_turns].get() == 1);
  CHECK(w.shard.time().mono_us == w.now.mono_us - 30'000'000);
  for (int i = 0; i < 11; ++i) {
    w.now.mono_us += 1'000'000;
    w.shard.turn();
  }
  CHECK(log == std::vector<std::string>{"input", "timer"});
  CHECK(w.shard.counts()[ShardCount::late_turns].get() == 1);
}

TEST_CASE("a long sleep until a timer is not late", "[shard]") {
  World w;
  int fired = 0;
  struct Deadline {
    int& fired;
    Timer timer = Timer::calling<&Deadline::fire>(*this);
    void fire(const Now&) { ++fired; }
  } deadline{fired};
  w.shard.leave_out_after(1'000'000);
  w.shard.turn();
  w.shard.timers().arm(deadline.timer, w.now.mono_us + 50'000'000);
  CHECK_FALSE(w.shard.turn());
  for (int turns = 0; fired == 0; ++turns) {
    REQUIRE(turns < 100);
    w.now.mono_us = w.shard.timers().next_deadline();
    w.shard.turn();
  }
  CHECK(w.shard.counts()[ShardCount::late_turns].get() == 0);
  CHECK(w.shard.now().mono_us == w.now.mono_us);
}

TEST_CASE("timers of one turn are bounded", "[shard]") {
  World w;
  int fired = 0;
  struct Count {
    int& n;
    Timer timer = Timer::calling<&Count::fire>(*this);
    explicit Count(int& counter) : n(counter) {}
    void fire(const Now&) { ++n; }
  };
  std::vector<std::unique_ptr<Count>> timers;
  for (std::size_t i = 0; i < Shard::kTimersPerTurn + 5; ++i) {
    timers.push_back(std::make_unique<Count>(fired));
    w.shard.timers().arm(timers.back()->timer, 0);
  }
  CHECK(w.shard.turn());
  CHECK(fired == static_cast<int>(Shard::kTimersPerTurn));
  CHECK_FALSE(w.shard.turn());
  CHECK(fired == static_cast<int>(Shard::kTimersPerTurn) + 5);
}

TEST_CASE("publishing wakes the reader's shard", "[published]") {
  World w;
  Published<int> published(std::make_unique<int>(1));
  Published<int>::Reader reader(published, &w.shard);
  const int before = w.net->wakes;
  published.publish(std::make_unique<int>(2));
  CHECK(w.net->wakes == before + 1);
  CHECK(*reader == 1);
  w.shard.turn();
  CHECK(*reader == 2);
  CHECK(published.reclaim() == 0);
}

TEST_CASE("each count has its own name", "[shard]") {
  std::map<std::string_view, int> names;
  for (std::size_t i = 0; i < kShardCounts; ++i) {
    ++names[shard_count_name(static_cast<ShardCount>(i))];
  }
  CHECK(names.size() == kShardCounts);
  CHECK(shard_count_name(ShardCount::timers_armed) == "timers_armed");
}

}  // namespace
}  // namespace tollgate::core
