// Crash at every storage operation, in every way that the unsynced sectors may survive; then
// recovery, more records, a second crash, recovery again. What was announced durable is read back
// exactly and in order, nothing is invented.
#include <functional>

#include "core/journal/journal.h"
#include "core/journal/reader.h"
#include "tests/core/journal/faulty_storage.h"
#include "tests/core/journal/journal_world.h"

namespace tollgate::core {
namespace {

using namespace testing;

constexpr unsigned kStreams = 3;

JournalOptions small(Storage& storage) {
  JournalOptions options;
  options.storage = &storage;
  options.streams = kStreams;
  options.segment_octets = 16'384;
  options.ring_octets = 1'024;
  options.batch_octets = 2'560;
  options.salt = 77;
  options.own_thread = false;
  options.clock = [] { return Now{1'000'000, 2'000'000}; };
  return options;
}

// Appends, publishes and steps as the seed says until the disk has crashed or `rounds` are over.
// `states` goes on from what it was; `base` of each stream is the number before mark 1.
void run(FaultyStorage& disk, const JournalTail& tail, std::uint32_t seed, int rounds,
         std::vector<StreamState>& states) {
  JournalOptions options = small(disk);
  options.tail = tail;
  std::vector<std::uint64_t> base;
  for (const StreamState& state : states) base.push_back(state.appended);
  Journal* running = nullptr;
  options.wake = [&](unsigned s) { states[s].durable = base[s] + running->stream(s).durable(); };
  auto opened = Journal::open(std::move(options));
  if (!opened) return;
  running = opened->get();
  std::mt19937 random(seed);
  for (int round = 0; round < rounds && !disk.crashed; ++round) {
    for (unsigned s = 0; s < kStreams; ++s) {
      Journal::Stream& stream = running->stream(s);
      for (auto n = random() % 5; n > 0 && !stream.spilled(); --n) {
        append_next(stream, s, states[s]);
      }
      if (round % 16 == 15) {
        stream.set_oldest_needed(stream.current_segment());
        states[s].needed_from = states[s].appended + 1;
      }
      if (random() % 4 != 0) stream.publish();
    }
    if (random() % 3 != 0) running->step();
  }
  if (random() % 2 == 0) disk.crash_at = disk.operations + 1;  // no clean end
}

// What recovery found is what the next run builds on.
void adopt(const ReadBack& back, std::vector<StreamState>& states) {
  for (unsigned s = 0; s < kStreams; ++s) {
    const std::uint64_t last = back.numbers[s].empty() ? 0 : back.numbers[s].back();
    states[s].appended = std::max(last, states[s].durable);
    states[s].durable = states[s].appended;
    if (!back.numbers[s].empty()) {
      states[s].needed_from = std::max(states[s].needed_from, back.numbers[s].front());
    }
  }
}

void judge(const ReadBack& back, const std::vector<StreamState>& states, Survival how) {
  REQUIRE(missing(back, states) == "");
  if (how == Survival::bit_flip) return;
  REQUIRE(without_gap(back));
  REQUIRE(back.report.damage.empty());
}

struct Tally {
  std::uint64_t cases = 0;
  std::uint64_t torn = 0;
  std::uint64_t damaged = 0;
  std::uint64_t records = 0;
};

void crash_once(std::uint32_t seed, std::uint64_t at, Survival how, Tally& tally) {
  INFO("seed " << seed << ", crash at operation " << at << ", survival " << int(how));
  FaultyStorage disk;
  disk.crash_at = at;
  std::vector<StreamState> states(kStreams);
  run(disk, JournalTail{}, seed, 60, states);
  auto survivor = disk.survive(how, seed * 1000 + static_cast<std::uint32_t>(at));
  ReadBack first = read_back(*survivor, kStreams);
  judge(first, states, how);
  const bool flipped = survivor->bit_flips != 0;
  tally.torn += first.report.torn_segments;
  tally.damaged += first.report.damage.size();

  // The same again gives the same; then a second run behind it, which crashes too.
  REQUIRE(read_back(*survivor, kStreams).numbers == first.numbers);
  adopt(first, states);
  survivor->crash_at = 1 + (seed + at) % 40;
  run(*survivor, first.report.tail, seed + 1, 12, states);
  const Survival then = kSurvivals[(at + 1) % 4];
  auto second = survivor->survive(then, seed);
  const ReadBack last = read_back(*second, kStreams);
  if (flipped) {
    REQUIRE(last.fault == "");
  } else {
    judge(last, states, then);
  }
  tally.records += last.report.records;
  ++tally.cases;
}

TEST_CASE("crash at every storage operation: what was durable is read back", "[journal][crash]") {
  Tally tally;
  for (std::uint32_t seed = 1; seed <= 22; ++seed) {
    FaultyStorage whole;
    std::vector<StreamState> states(kStreams);
    run(whole, JournalTail{}, seed, 60, states);
    REQUIRE(whole.operations > 60);
    for (std::uint64_t at = 1; at <= whole.operations; ++at) {
      for (const Survival how : kSurvivals) crash_once(seed, at, how, tally);
    }
  }
  WARN(tally.cases << " crashes, " << tally.torn << " torn tails, " << tally.damaged
                   << " damaged regions, " << tally.records << " records read at the end");
  CHECK(tally.cases > 10'000);
  CHECK(tally.torn > 100);
  CHECK(tally.damaged > 10);
}

// The judge above sees a journal that skips its syncs: the same runs on a disk whose datasync does
// nothing lose records that were announced.
TEST_CASE("the crash test notices a sync that is skipped", "[journal][crash]") {
  int lost = 0;
  for (std::uint64_t at = 20; at < 60; ++at) {
    FaultyStorage disk;
    disk.syncs_lie = true;
    disk.crash_at = at;
    std::vector<StreamState> states(kStreams);
    run(disk, JournalTail{}, 1, 60, states);
    auto survivor = disk.survive(Survival::drop_all, 1);
    if (missing(read_back(*survivor, kStreams), states) != "") ++lost;
  }
  CHECK(lost > 30);
}

// At the very moment a mark is told, the power may fail: the records up to it are on the disk.
TEST_CASE("a mark is told only when every octet up to it is synced", "[journal][crash]") {
  FaultyStorage disk;
  std::vector<StreamState> states(kStreams);
  JournalOptions options = small(disk);
  Journal* running = nullptr;
  int told = 0;
  options.wake = [&](unsigned s) {
    states[s].durable = running->stream(s).durable();
    auto survivor = disk.survive(Survival::drop_all, 1);
    REQUIRE(missing(read_back(*survivor, kStreams), states) == "");
    REQUIRE(disk.log.back().first == Op::datasync);
    ++told;
  };
  auto opened = Journal::open(std::move(options));
  REQUIRE(opened);
  running = opened->get();
  for (int round = 0; round < 100; ++round) {
    for (unsigned s = 0; s < kStreams; ++s) {
      append_next(running->stream(s), s, states[s]);
      running->stream(s).publish();
      REQUIRE(running->stream(s).durable() < running->stream(s).appended());
    }
    while (running->step()) {
    }
    for (unsigned s = 0; s < kStreams; ++s) {
      REQUIRE(running->stream(s).durable() == running->stream(s).appended());
    }
  }
  CHECK(told >= 300);
}

}  // namespace
}  // namespace tollgate::core
