// The threaded tests, run under ThreadSanitizer. How a violation would show is said in each.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <poll.h>
#include <random>
#include <thread>

#include "core/published.h"
#include "core/resolve.h"
#include "core/shard.h"

namespace tollgate::core {
namespace {

using namespace std::chrono_literals;

struct EventWaker final : Waker {
  EventFd event;
  void wake() noexcept override { event.write(); }
  // True = woken; false after the time-out.
  bool wait(int timeout_ms) {
    pollfd waiting{event.fd(), POLLIN, 0};
    const bool woken = ::poll(&waiting, 1, timeout_ms) == 1;
    event.read();
    return woken;
  }
};

// Two producers, one consumer that sleeps whenever its rings are empty. A lost wake-up leaves the
// consumer asleep with records waiting and the producers waiting for their turn: the 5 s time-out
// reports it. A torn, lost or repeated record breaks the sequence or the payload's fill.
TEST_CASE("stress: no record and no wake-up is lost between threads", "[mailbox]") {
  constexpr std::uint64_t kRecords = 200'000;
  EventWaker waker;
  Sleeper sleeper(&waker);
  Mailbox rings[2] = {Mailbox(4096, &sleeper), Mailbox(1024, &sleeper)};
  std::atomic<std::uint64_t> taken[2] = {};
  std::atomic<bool> failed{false};

  const auto produce = [&](unsigned which) {
    std::mt19937 random(which + 1);
    for (std::uint64_t next = 0; next < kRecords && !failed;) {
      // Small batches, and often none ahead: the consumer falls asleep all the time.
      for (std::uint64_t n = 1 + random() % 4; n > 0 && next < kRecords; --n) {
        const Out out =
            rings[which].try_reserve(static_cast<std::uint32_t>(next % 1000), 8 + random() % 64);
        if (out.data() == nullptr) break;
        std::memset(out.data(), static_cast<int>(next & 0xFF), out.size());
        std::memcpy(out.data(), &next, 8);
        rings[which].commit();
        ++next;
      }
      rings[which].publish();
      if (random() % 8 == 0) {
        while (taken[which].load(std::memory_order_relaxed) != next && !failed) {
          std::this_thread::yield();
        }
      }
    }
  };
  std::thread producers[2] = {std::thread(produce, 0U), std::thread(produce, 1U)};

  std::uint64_t expected[2] = {};
  std::uint64_t sleeps = 0;
  while (expected[0] + expected[1] < 2 * kRecords && !failed) {
    bool any = false;
    for (unsigned which = 0; which < 2; ++which) {
      any = rings[which].drain(16,
                               [&](std::uint32_t type, Octets payload) {
                                 std::uint64_t number = 0;
                                 std::memcpy(&number, payload.data(), 8);
                                 bool good = number == expected[which] && type == number % 1000;
                                 for (std::size_t i = 8; i < payload.size(); ++i) {
                                   good = good && payload[i] == (number & 0xFF);
                                 }
                                 if (!good) failed = true;
                                 ++expected[which];
                               }) != 0 ||
            any;
      taken[which].store(expected[which], std::memory_order_relaxed);
    }
    if (any) continue;
    sleeper.fall_asleep();
    if (rings[0].empty() && rings[1].empty() && expected[0] + expected[1] < 2 * kRecords) {
      ++sleeps;
      if (!waker.wait(5'000)) failed = true;
    }
    sleeper.awake();
  }
  for (std::thread& producer : producers) producer.join();
  CHECK_FALSE(failed);
  CHECK(expected[0] == kRecords);
  CHECK(expected[1] == kRecords);
  CHECK(sleeps > 100);
}

// The race itself, as often as the time allows: each record is published just when the consumer
// falls asleep. Without the producer's fence its store buffer lets both sides read the old value
// once in some hundred thousand rounds: the consumer sleeps beside a record, and its 2 s time-out
// reports it.
TEST_CASE("stress: a record published while the consumer falls asleep wakes it", "[mailbox]") {
  EventWaker waker;
  Sleeper sleeper(&waker);
  Mailbox ring(1024, &sleeper);
  std::atomic<std::uint64_t> taken{0};
  std::atomic<bool> stop{false};
  const auto spin = [](std::uint32_t times) {
    for (; times != 0; --times) std::atomic_signal_fence(std::memory_order_seq_cst);
  };
  std::thread producer([&] {
    std::minstd_rand random(5);
    for (std::uint64_t next = 1; !stop; ++next) {
      if (!ring.try_push(1, {})) std::abort();
      spin(random() % 64);
      ring.publish();
      while (taken.load(std::memory_order_relaxed) != next && !stop) {
      }
    }
  });
  std::minstd_rand random(6);
  std::uint64_t got = 0;
  bool lost = false;
  const auto end = std::chrono::steady_clock::now() + 2500ms;
  while (!lost && (got % 256 != 0 || std::chrono::steady_clock::now() < end)) {
    const std::size_t n = ring.drain(4, [](std::uint32_t, Octets) {});
    got += n;
    if (n != 0) taken.store(got, std::memory_order_relaxed);
    spin(random() % 1024);  // the producer learns of it some 100 ns later
    sleeper.fall_asleep();
    if (ring.empty()) lost = !waker.wait(2'000) && !ring.empty();
    sleeper.awake();
  }
  stop = true;
  producer.join();
  CHECK_FALSE(lost);
  CHECK(got > 1'000);
}

// Records that hop from shard to shard, to itself too, until each has made its hops. A lost
// wake-up stops the count: the wait below times out. Shards sleep in between (counted).
TEST_CASE("stress: mail between sleeping shards keeps moving", "[shard]") {
  constexpr unsigned kShards = 3;
  constexpr std::uint64_t kRounds = 400;
  constexpr std::uint32_t kHops = 40;
  Shards shards(kShards, 64 << 10);
  Mailbox& start = shards[0].open_inbox(4096);
  std::atomic<std::uint64_t> arrived{0};
  const auto pass = [&](Shard& shard, std::uint32_t hops, Octets payload) {
    if (hops == 0) {
      arrived.fetch_add(1);
      return true;
    }
    const unsigned to = (shard.index() + hops % kShards) % kShards;
    return shard.to(to).try_push(hops - 1, payload);
  };
  for (unsigned i = 0; i < kShards; ++i) {
    shards[i].on_drain([&, i](const Now&) {
      const auto take = [&](std::uint32_t hops, Octets payload) {
        return pass(shards[i], hops, payload);
      };
      for (unsigned from = 0; from < kShards; ++from) shards[i].from(from).drain(32, take);
      if (i == 0) start.drain(32, take);
      return false;
    });
  }
  shards.start();
  bool lost = false;
  for (std::uint64_t round = 0; round < kRounds && !lost; ++round) {
    const std::uint64_t payload = round;
    while (!start.try_push(kHops, Octets(reinterpret_cast<const std::uint8_t*>(&payload), 8))) {
      std::this_thread::yield();
    }
    start.publish();
    if (round % 2 == 0) continue;
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (arrived.load() != round + 1 && !lost) {
      std::this_thread::yield();
      lost = std::chrono::steady_clock::now() > end;
    }
  }
  CHECK_FALSE(lost);
  shards.stop();
  shards.join();
  std::uint64_t sleeps = 0;
  for (unsigned i = 0; i < kShards; ++i) sleeps += shards[i].counts()[ShardCount::sleeps].get();
  CHECK(sleeps > kRounds / 2);
  CHECK(arrived == kRounds);
}

TEST_CASE("stress: stop and wake end a sleep at once", "[shard]") {
  for (int round = 0; round < 50; ++round) {
    Shards shards(2, 4096);
    shards.start();
    if (round % 2 == 0) std::this_thread::sleep_for(1ms);
    const auto begin = std::chrono::steady_clock::now();
    shards.stop();
    shards.join();
    CHECK(std::chrono::steady_clock::now() - begin < 60s);
  }
}

struct Table {
  static constexpr std::uint64_t kAlive = 0x600DF00D600DF00D;
  explicit Table(std::uint64_t v) : version(v), check(v ^ kAlive) { ++alive; }
  ~Table() {
    check = 0;
    --alive;
  }
  std::uint64_t version;
  std::uint64_t check;
  static inline std::atomic<int> alive{0};
};

// Plain readers refresh at random while the writer replaces and frees. A table freed too early
// shows as a broken check word (or as a sanitizer's report); one never freed in `alive`.
TEST_CASE("stress: published values are whole and alive while they are read", "[published]") {
  {
    Published<Table> published(std::make_unique<Table>(0));
    std::atomic<bool> done{false};
    std::atomic<int> broken{0};
    std::vector<std::unique_ptr<Published<Table>::Reader>> readers;
    for (int i = 0; i < 3; ++i) {
      readers.push_back(std::make_unique<Published<Table>::Reader>(published));
    }
    std::vector<std::thread> threads;
    for (auto& reader : readers) {
      threads.emplace_back([&, &r = *reader] {
        std::uint64_t last = 0;
        std::uint64_t turn = 0;
        while (!done) {
          r.refresh();
          for (int use = 0; use < 20; ++use) {
            if ((r->version ^ Table::kAlive) != r->check || r->version < last) ++broken;
            last = r->version;
          }
          if (++turn % 64 == 0) std::this_thread::yield();
        }
        r.refresh();
      });
    }
    for (std::uint64_t v = 1; v <= 5'000; ++v) {
      published.publish(std::make_unique<Table>(v));
      if (v % 64 == 0) std::this_thread::yield();
    }
    done = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(broken == 0);
    CHECK(published.reclaim() == 0);
    CHECK(Table::alive == 1);
  }
  CHECK(Table::alive == 0);
}

// Shards with nothing to do sleep for a minute; publish() wakes them, they pass a turn, and the
// old table can go. If a sleeping shard were not woken, the wait would time out; if it counted as
// passed without a turn, a shard that is just waking would read a freed table (check word).
TEST_CASE("stress: sleeping shards pass a turn for each published value", "[published]") {
  Shards shards(2, 4096);
  Published<Table> published(std::make_unique<Table>(0));
  std::atomic<int> broken{0};
  {
    Published<Table>::Reader a(published, &shards[0]);
    Published<Table>::Reader b(published, &shards[1]);
    const auto look = [&broken](const Published<Table>::Reader& reader) {
      if ((reader->version ^ Table::kAlive) != reader->check) ++broken;
      return false;
    };
    shards[0].on_drain([&](const Now&) { return look(a); });
    shards[1].on_drain([&](const Now&) { return look(b); });
    shards.start();
    bool stuck = false;
    for (std::uint64_t v = 1; v <= 300 && !stuck; ++v) {
      published.publish(std::make_unique<Table>(v));
      const auto end = std::chrono::steady_clock::now() + 60s;
      while (v % 3 == 0 && published.reclaim() != 0 && !stuck) {
        std::this_thread::sleep_for(50us);
        stuck = std::chrono::steady_clock::now() > end;
      }
    }
    CHECK_FALSE(stuck);
    shards.stop();
    shards.join();
    CHECK(a.version() == 301);
    CHECK(b.version() == 301);
  }
  CHECK(broken == 0);
  CHECK(shards[0].counts()[ShardCount::sleeps].get() > 10);
}

// Many connects from one shard to another, frames echoed across, peers closing: data races between
// shards would be reports of the sanitizer, a lost octet a time-out.
struct Peer final : Connection::Owner {
  std::unique_ptr<Connection> connection;
  ConnectPtr connecting;
  std::size_t want = 0;
  std::atomic<int>* done = nullptr;
  std::size_t on_input(Connection& c, Octets input, const Now&) override {
    if (done == nullptr) return c.write(input) ? input.size() : 0;
    want -= input.size();
    if (want == 0) c.close();
    return input.size();
  }
  void on_closed(Connection& c, CloseReason, const Now&) override {
    if (done != nullptr) ++*done;
    c.shard().defer([this] { connection.reset(); });
  }
};

TEST_CASE("stress: echo between two shards", "[net]") {
  constexpr int kPeers = 50;
  Shards shards(2, 4096);
  std::vector<std::unique_ptr<Peer>> servers;
  std::vector<std::unique_ptr<Peer>> clients;
  std::atomic<int> done{0};
  NetError error;
  auto listener = shards[0].net().listen(
      {"127.0.0.1", 0},
      [&](SocketPtr socket, const Address&) {
        servers.push_back(std::make_unique<Peer>());
        servers.back()->connection =
            std::make_unique<Connection>(shards[0], std::move(socket), *servers.back());
      },
      error);
  REQUIRE(listener != nullptr);
  const std::vector<std::uint8_t> data(20'000, 7);
  for (int i = 0; i < kPeers; ++i) {
    clients.push_back(std::make_unique<Peer>());
    Peer& peer = *clients.back();
    peer.want = data.size();
    peer.done = &done;
    peer.connecting =
        shards[1].net().connect(listener->local(), [&](SocketPtr socket, const NetError& e) {
          if (e) return;
          peer.connection = std::make_unique<Connection>(shards[1], std::move(socket), peer);
          if (!peer.connection->write(data)) peer.connection->close();
        });
  }
  shards.start();
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (done != kPeers && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(1ms);
  }
  CHECK(done == kPeers);
  shards.stop();
  shards.join();
  for (auto& peer : servers) peer->connection.reset();
  for (auto& peer : clients) {
    peer->connecting.reset();
    peer->connection.reset();
  }
  listener.reset();
}

// Two threads play ping-pong over one socket. A socket that reports more than its input would end
// sleeps for nothing: more sleeps than reads, on either side.
struct Ping final : Connection::Owner {
  std::unique_ptr<Connection> connection;
  std::atomic<int>* left = nullptr;
  std::size_t on_input(Connection& c, Octets input, const Now&) override {
    if (left != nullptr && left->fetch_sub(1) <= 1) return input.size();
    return c.write(input) ? input.size() : 0;
  }
  void on_closed(Connection&, CloseReason, const Now&) override {}
};

TEST_CASE("stress: a socket wakes its shard for input alone", "[net]") {
  Shards shards(2, 4096);
  Ping server;
  Ping client;
  std::atomic<int> left{1'000};
  client.left = &left;
  NetError error;
  auto listener = shards[0].net().listen(
      {"127.0.0.1", 0},
      [&](SocketPtr socket, const Address&) {
        server.connection = std::make_unique<Connection>(shards[0], std::move(socket), server);
      },
      error);
  auto connecting =
      shards[1].net().connect(listener->local(), [&](SocketPtr socket, const NetError& e) {
        if (e) return;
        client.connection = std::make_unique<Connection>(shards[1], std::move(socket), client);
        const std::uint8_t octet = 1;
        if (!client.connection->write({&octet, 1})) client.connection->close();
      });
  shards.start();
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (left > 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
  CHECK(left == 0);
  shards.stop();
  shards.join();
  for (unsigned i = 0; i < 2; ++i) {
    const auto& counts = shards[i].counts();
    CHECK(counts[ShardCount::read_octets].get() >= 999);
    CHECK(counts[ShardCount::sleeps].get() <= counts[ShardCount::read_octets].get() + 20);
  }
  client.connection.reset();
  server.connection.reset();
}

}  // namespace
}  // namespace tollgate::core
