#include "core/shard.h"

#include <functional>
#include <memory>

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
