// The journal's thread against threads that play shards: what a race would break shows as a
// time-out (a wake-up lost), as a record that is missing or changed, or as the sanitizer's report.
#include <barrier>
#include <chrono>
#include <poll.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

#include "core/journal/journal.h"
#include "tests/core/journal/faulty_storage.h"
#include "tests/core/journal/journal_world.h"

namespace tollgate::core {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using Steady = std::chrono::steady_clock;

// What a shard sleeps on.
class Bell final : public Waker {
 public:
  Bell() : fd_(::eventfd(0, EFD_NONBLOCK)) {}
  ~Bell() { ::close(fd_); }
  void wake() noexcept override {
    const std::uint64_t one = 1;
    if (::write(fd_, &one, 8) != 8) std::abort();
  }
  // False: nobody rang.
  bool wait(int ms) noexcept {
    pollfd wanted{fd_, POLLIN, 0};
    const bool rung = ::poll(&wanted, 1, ms) == 1;
    std::uint64_t count = 0;
    if (rung && ::read(fd_, &count, 8) != 8) std::abort();
    return rung;
  }

 private:
  int fd_;
};

struct Sleeping {
  Bell bell;
  Sleeper sleeper{&bell};

  // As a shard does: asleep until the mark is durable. False: a wake-up was lost.
  bool until_durable(const Journal::Stream& stream) {
    while (stream.durable() != stream.appended()) {
      sleeper.fall_asleep();
      const bool lost = stream.durable() != stream.appended() && !bell.wait(5'000) &&
                        stream.durable() != stream.appended();
      sleeper.awake();
      if (lost) return false;
    }
    return true;
  }
};

JournalOptions options_on(FaultyStorage& disk, unsigned streams,
                          std::vector<std::unique_ptr<Sleeping>>& shards) {
  for (unsigned s = 0; s < streams; ++s) shards.push_back(std::make_unique<Sleeping>());
  JournalOptions options;
  options.storage = &disk;
  options.streams = streams;
  options.segment_octets = 131'072;
  options.ring_octets = 8'192;
  options.batch_octets = 16'384;
  options.wake = [&shards](unsigned s) { shards[s]->sleeper.notify(); };
  return options;
}

TEST_CASE("stress: three shards append, sleep until durable, and all is there", "[journal]") {
  constexpr unsigned kShards = 3;
  FaultyStorage disk;
  std::vector<StreamState> states(kShards);
  std::atomic<int> lost{0};
  std::uint64_t sleeps = 0;
  {
    std::vector<std::unique_ptr<Sleeping>> shards;
    auto journal = Journal::open(options_on(disk, kShards, shards));
    REQUIRE(journal);
    // Now and then all shards rest until the journal fell asleep again: without that a busy machine
    // may never let it.
    const auto wait_for_sleep = [&, rests = std::uint64_t{0}]() mutable noexcept {
      const auto until = Steady::now() + 30s;
      ++rests;
      while ((*journal)->counts()[JournalCount::sleeps].get() < rests) {
        if (Steady::now() > until) {
          ++lost;
          return;
        }
        std::this_thread::sleep_for(50us);
      }
    };
    std::barrier rest(kShards, wait_for_sleep);
    std::vector<std::thread> threads;
    for (unsigned s = 0; s < kShards; ++s) {
      threads.emplace_back([&, s] {
        std::minstd_rand random(s + 1);
        Journal::Stream& stream = (*journal)->stream(s);
        Mark before = 0;
        for (int turn = 0; turn < 3'000; ++turn) {
          for (auto n = random() % 60; n > 0; --n) append_next(stream, s, states[s]);
          stream.publish();
          const Mark durable = stream.durable();
          if (durable < before || durable > stream.appended()) ++lost;
          before = durable;
          // The spill moves on by the wake-ups of the records in front of it alone.
          while (stream.spilled() && lost == 0) {
            Sleeping& shard = *shards[s];
            shard.sleeper.fall_asleep();
            if (stream.durable() == before && !shard.bell.wait(5'000)) ++lost;
            shard.sleeper.awake();
            before = stream.durable();
            stream.publish();
          }
          if (turn % 4 == 0 && !shards[s]->until_durable(stream)) ++lost;
          if (turn % 512 == 0) {
            stream.set_oldest_needed(stream.current_segment());
            states[s].needed_from = states[s].appended + 1;
          }
          if (turn % 25 == 24) {
            if (!shards[s]->until_durable(stream)) ++lost;
            rest.arrive_and_wait();
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    sleeps = (*journal)->counts()[JournalCount::sleeps].get();
    CHECK((*journal)->counts()[JournalCount::segments_removed].get() > 0);
  }
  for (StreamState& state : states) state.durable = state.appended;  // ~Journal wrote the rest
  CHECK(lost == 0);
  CHECK(sleeps >= 120);
  const ReadBack back = read_back(disk, kShards);
  CHECK(missing(back, states) == "");
  CHECK(without_gap(back));
}

// One record at a time, published just when the journal falls asleep; the shard sleeps until it is
// durable, so both protocols race in each round. A wake-up that is lost in either shows in 5 s.
TEST_CASE("stress: a record published while the journal falls asleep", "[journal]") {
  FaultyStorage disk;
  std::vector<std::unique_ptr<Sleeping>> shards;
  auto journal = Journal::open(options_on(disk, 1, shards));
  REQUIRE(journal);
  Journal::Stream& stream = (*journal)->stream(0);
  std::minstd_rand random(8);
  const std::uint8_t octet = 1;
  bool lost = false;
  const auto begin = Steady::now();
  const auto sleeps = [&] { return (*journal)->counts()[JournalCount::sleeps].get(); };
  const auto enough = [&] {  // a busy machine takes longer
    const auto time = Steady::now() - begin;
    return (time > 3s && sleeps() > 1'000) || time > 60s;
  };
  while (!lost && !enough()) {
    for (auto spin = random() % 2'048; spin > 0; --spin) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    stream.append(1, {&octet, 1});
    if (stream.appended() % 4'096 == 0) stream.set_oldest_needed(stream.current_segment());
    stream.publish();
    if (random() % 2 == 0) {
      lost = !shards[0]->until_durable(stream);
      continue;
    }
    const auto given_up = Steady::now() + 5s;
    while (stream.durable() != stream.appended() && !lost) lost = Steady::now() > given_up;
  }
  CHECK_FALSE(lost);
  CHECK(sleeps() > 1'000);
}

TEST_CASE("stress: a journal that fails wakes every shard once more", "[journal]") {
  for (std::uint64_t n = 1; n <= 60; ++n) {
    FaultyStorage failing;
    failing.fails[Op::datasync] = {3 + n, EIO};  // two of open's
    std::vector<std::unique_ptr<Sleeping>> shards;
    auto journal = Journal::open(options_on(failing, 2, shards));
    REQUIRE(journal);
    std::vector<std::thread> threads;
    std::atomic<int> lost{0};
    for (unsigned s = 0; s < 2; ++s) {
      threads.emplace_back([&, s] {
        Journal::Stream& stream = (*journal)->stream(s);
        StreamState state;
        while (!stream.failed() && lost == 0) {
          append_next(stream, s, state);
          stream.publish();
          while (stream.durable() != stream.appended() && !stream.failed() && lost == 0) {
            shards[s]->sleeper.fall_asleep();
            if (stream.durable() != stream.appended() && !stream.failed() &&
                !shards[s]->bell.wait(5'000)) {
              ++lost;
            }
            shards[s]->sleeper.awake();
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(lost == 0);
    REQUIRE((*journal)->failure() != "");
  }
}

}  // namespace
}  // namespace tollgate::core
