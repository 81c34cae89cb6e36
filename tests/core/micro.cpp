// core_micro [seconds]: what the machine room's parts cost, each for about `seconds` (default 0.2),
// one line a figure. Run it from a release build; ctest runs it briefly, so that it cannot rot.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "core/connection.h"
#include "core/counters.h"
#include "core/mailbox.h"
#include "core/shard.h"
#include "core/timers.h"

namespace tollgate::core {
namespace {

using Steady = std::chrono::steady_clock;

double seconds = 0.2;

double since(Steady::time_point begin) {
  return std::chrono::duration<double>(Steady::now() - begin).count();
}

// Repeats `batch`, which does `size` operations, and prints ns an operation.
template <class Batch>
void measure(const char* name, std::size_t size, Batch batch) {
  batch();
  std::uint64_t operations = 0;
  const auto begin = Steady::now();
  double spent = 0;
  do {
    batch();
    operations += size;
    spent = since(begin);
  } while (spent < seconds);
  std::printf("%-58s %9.1f ns\n", name, spent * 1e9 / static_cast<double>(operations));
}

struct Record {
  std::uint64_t words[8];
};

void mailbox_one_thread() {
  Mailbox mailbox(1 << 16);
  std::uint64_t sum = 0;
  measure("mailbox: push + drain, 64-octet records, batches of 64", 64, [&] {
    for (std::uint64_t i = 0; i < 64; ++i) {
      if (!mailbox.try_push(1, Record{{i}}, {})) std::abort();
    }
    mailbox.publish();
    mailbox.drain(64, [&](std::uint32_t, Octets p) { sum += p[0]; });
  });
  if (sum == 1) std::abort();
}

void mailbox_two_threads() {
  Mailbox mailbox(1 << 18);
  std::atomic<bool> done{false};
  std::uint64_t pushed = 0;
  const auto begin = Steady::now();
  std::thread producer([&] {
    while (since(begin) < seconds) {
      for (int batch = 0; batch < 100; ++batch) {
        std::uint64_t i = 0;
        while (i < 32 && mailbox.try_push(1, Record{{i}}, {})) ++i;
        mailbox.publish();
        pushed += i;
        if (i < 32) std::this_thread::yield();
      }
    }
    done = true;
  });
  std::uint64_t got = 0;
  while (!done || !mailbox.empty()) {
    const std::size_t taken = mailbox.drain(256, [](std::uint32_t, Octets) {});
    if (taken == 0) std::this_thread::yield();
    got += taken;
  }
  producer.join();
  if (got != pushed) std::abort();
  std::printf("%-58s %9.1f ns\n", "mailbox: between two threads, batches of 32",
              since(begin) * 1e9 / static_cast<double>(got));
}

void timers() {
  constexpr std::size_t kTimers = 10'000;
  std::mt19937_64 random(1);
  std::vector<std::int64_t> deadlines;
  for (std::size_t i = 0; i < kTimers; ++i) {
    deadlines.push_back(static_cast<std::int64_t>(random() % 60'000'000));
  }
  static std::uint64_t fired = 0;
  std::vector<std::unique_ptr<Timer>> all;
  for (std::size_t i = 0; i < kTimers; ++i) {
    all.push_back(std::make_unique<Timer>([](void*, const Now&) { ++fired; }, nullptr));
  }
  Timers wheel;
  measure("timers: arm + cancel, up to 60 s ahead", kTimers, [&] {
    for (std::size_t i = 0; i < kTimers; ++i) wheel.arm(*all[i], deadlines[i]);
    for (auto& timer : all) wheel.cancel(*timer);
  });
  std::int64_t now = 0;
  measure("timers: arm + expire in 1 ms turns, up to 60 s ahead", kTimers, [&] {
    for (std::size_t i = 0; i < kTimers; ++i) wheel.arm(*all[i], now + deadlines[i]);
    while (wheel.size() != 0) {
      now += 1'000;
      while (wheel.expire({now, 0}, 4096) == 4096) {
      }
    }
  });
}

void counters() {
  Histogram histogram;
  Cells<ShardCount, kShardCounts> cells;
  measure("counters: one cell", 1000, [&] {
    for (int i = 0; i < 1000; ++i) cells[ShardCount::reads].add();
  });
  measure("counters: one histogram value", 1000, [&] {
    for (int i = 0; i < 1000; ++i) histogram.observe(i * 37);
  });
}

void turns() {
  Shards shards(1, 1 << 16);
  measure("shard: an empty turn (polls the reactor)", 100, [&] {
    for (int i = 0; i < 100; ++i) shards[0].turn();
  });
}

// Octets come back in frames of `frame`; the client keeps `window` frames under way.
struct Peer final : Connection::Owner {
  std::unique_ptr<Connection> connection;
  std::uint64_t octets = 0;
  std::size_t on_input(Connection& c, Octets input, const Now&) override {
    octets += input.size();
    return c.write(input) ? input.size() : 0;
  }
  void on_closed(Connection&, CloseReason, const Now&) override {}
};

// Client and server are shards of this process, each with its thread.
void echo(const char* name, std::size_t frame, std::size_t window) {
  Shards shards(2, 1 << 16);
  Peer server;
  Peer client;
  NetError error;
  auto listener = shards[0].net().listen(
      {"127.0.0.1", 0},
      [&](SocketPtr s, const Address&) {
        server.connection = std::make_unique<Connection>(shards[0], std::move(s), server);
      },
      error);
  auto connecting = shards[1].net().connect(listener->local(), [&](SocketPtr s, const NetError&) {
    client.connection = std::make_unique<Connection>(shards[1], std::move(s), client);
    const std::vector<std::uint8_t> first(frame * window, 1);
    if (!client.connection->write(first)) std::abort();
  });
  const auto begin = Steady::now();
  shards.start();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  shards.stop();
  shards.join();
  const double spent = since(begin);
  const double frames = static_cast<double>(client.octets) / static_cast<double>(frame);
  const auto& counts = shards[0].counts();
  std::printf("%-58s %9.0f frames/s  (%.1f us a round, %.2f server turns, %.2f sleeps a read)\n",
              name, frames / spent, spent * 1e6 * static_cast<double>(window) / frames,
              static_cast<double>(counts[ShardCount::turns].get()) /
                  static_cast<double>(std::max<std::uint64_t>(counts[ShardCount::sends].get(), 1)),
              static_cast<double>(counts[ShardCount::sleeps].get()) /
                  static_cast<double>(std::max<std::uint64_t>(counts[ShardCount::sends].get(), 1)));
  client.connection.reset();
  server.connection.reset();
}

}  // namespace
}  // namespace tollgate::core

int main(int argc, char** argv) {
  using namespace tollgate::core;
  if (argc > 1) seconds = std::atof(argv[1]);
  if (seconds <= 0 || seconds > 60) {
    std::fprintf(stderr, "core_micro [seconds per figure, at most 60]\n");
    return 2;
  }
  mailbox_one_thread();
  mailbox_two_threads();
  timers();
  counters();
  turns();
  echo("echo: frames of 180 octets, window 1", 180, 1);
  echo("echo: frames of 180 octets, window 10", 180, 10);
  echo("echo: frames of 180 octets, window 100", 180, 100);
  echo("echo: frames of 180 octets, window 1000", 180, 1000);
  return 0;
}
