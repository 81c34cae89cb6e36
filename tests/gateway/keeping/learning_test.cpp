// What detail records teach: facts beside them, on disk before anyone has them, counted on by the
// next start.
#include "gateway/keeping/learning.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <stdlib.h>
#include <sys/stat.h>

#include "gateway/keeping/detail_store.h"
#include "proto/records/detail.h"
#include "tests/catch_pch.h"
#include "tests/core/journal/faulty_storage.h"

namespace tollgate::gateway {
namespace {

using proto::detail::Detail;

constexpr std::int64_t kNow = 1'795'000'000'000'000;  // 2026-11
constexpr std::int64_t kMinute = 60'000'000;

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tollgate_facts_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

std::vector<std::uint8_t> record(bool delivered, std::int64_t settled_us) {
  Detail detail;
  detail.message = 7;
  detail.client = "shop";
  detail.mccmnc = "23415";
  detail.carrier = "alpha";
  detail.segments = 2;
  detail.sent_us = settled_us - 10;
  detail.receipt_us = settled_us - 5;
  detail.settled_us = settled_us;
  detail.state = static_cast<std::uint32_t>(delivered ? proto::MessageState::delivered
                                                      : proto::MessageState::undeliverable);
  std::vector<std::uint8_t> octets(proto::detail::kDetailMax);
  octets.resize(encode(detail, octets));
  return octets;
}

struct Teaching {
  explicit Teaching(const Folder& folder, routing::Facts start = {})
      : learning([&] {
          LearningOptions options;
          options.directory = folder.path;
          options.start = std::move(start);
          options.hand_over = [this](routing::Facts facts) { told.push_back(std::move(facts)); };
          options.clock = [this] { return core::Now{now_us, now_us}; };
          return options;
        }()) {}
  void keep(std::size_t count, bool delivered) {
    for (std::size_t i = 0; i < count; ++i) learning.keep(1, 1, record(delivered, now_us));
  }

  std::int64_t now_us = kNow;
  std::vector<routing::Facts> told;
  Learning learning;
};

TEST_CASE("a delivery rate is told once there is enough, from a file that is there", "[learning]") {
  const Folder folder;
  CHECK(newest_facts(folder.path).number == 0);
  Teaching teaching(folder);
  teaching.keep(60, true);
  CHECK(teaching.learning.step() == 0);
  CHECK(teaching.told.empty());
  teaching.keep(40, false);
  CHECK(teaching.learning.step() == 0);
  REQUIRE(teaching.told.size() == 1);
  const routing::Facts& facts = teaching.told[0];
  CHECK(facts.number == 1);
  REQUIRE(facts.rates.size() == 1);
  CHECK(facts.rates[0].carrier == "alpha");
  CHECK(facts.rates[0].destination == "23415");
  CHECK(facts.rates[0].delivered_ppm == 600'000);
  REQUIRE(facts.volumes.size() == 1);
  CHECK(facts.volumes[0].segments == 200);
  CHECK(newest_facts(folder.path) == facts);
  // The next start goes on from there.
  Teaching next(folder, newest_facts(folder.path));
  next.now_us = kNow + 2 * kMinute;
  next.keep(100, true);
  next.learning.step();
  REQUIRE(next.told.size() == 1);
  CHECK(next.told[0].number == 2);
  CHECK(next.told[0].volumes[0].segments == 400);
  CHECK(newest_facts(folder.path).number == 2);
}

TEST_CASE("what cannot be written is not handed over", "[learning]") {
  const Folder folder;
  Teaching teaching(folder);
  std::filesystem::remove_all(folder.path);
  teaching.keep(100, true);
  CHECK(teaching.learning.step() == 0);
  CHECK(teaching.told.empty());
}

TEST_CASE("a facts file that is none is passed over", "[learning]") {
  const Folder folder;
  Teaching teaching(folder);
  teaching.keep(100, true);
  teaching.learning.step();
  std::ofstream(facts_file(folder.path, 9)) << "nonsense\n";
  std::ofstream(folder.path + "/facts-x.csv") << "nonsense\n";
  CHECK(newest_facts(folder.path).number == 1);
  REQUIRE(mkfifo(facts_file(folder.path, 10).c_str(), 0600) == 0);  // nobody writes: not waited for
  CHECK(newest_facts(folder.path).number == 1);
  CHECK(newer_facts(folder.path).empty());
}

TEST_CASE("records behind the facts are counted again, those before are not", "[learning]") {
  const Folder folder;
  core::testing::FaultyStorage disk;
  DetailStoreOptions options;
  options.storage = &disk;
  options.segment_octets = 65'536;
  options.ring_octets = options.batch_octets = 8'192;
  options.clock = [] { return core::Now{kNow - kMinute, kNow - kMinute}; };
  options.salt = 3;
  options.own_thread = false;
  {
    auto store = open_details(options, {});
    REQUIRE(store.has_value());
    auto& stream = store->journal->stream(0);
    for (int i = -50; i < 120; ++i) {
      stream.append(kDetailType, record(true, kNow + i));
      stream.publish();
      store->journal->step();
    }
  }
  routing::Facts start;
  start.number = 4;
  start.wall_us = kNow;
  start.month = routing::month_of(kNow);
  start.volumes = {{"shop", 1'000}};
  Teaching teaching(folder, start);
  CHECK(teaching.learning.recount(disk).empty());
  teaching.now_us = kNow + 2 * kMinute;
  teaching.learning.step();
  REQUIRE(teaching.told.size() == 1);
  CHECK(teaching.told[0].number == 5);
  CHECK(teaching.told[0].volumes[0].segments == 1'000 + 2 * 119);
}

// The detail records of one run after the other, and what each learns from them.
struct Runs {
  struct Run {
    Run(const Runs& runs, std::function<void(routing::Facts)> hand_over)
        : learning(runs.learning(std::move(hand_over))) {}
    Learning learning;
    DetailStore store;  // goes first: it observes
  };

  core::Now clock() const { return {mono_us, mono_us + kNow + ahead_us}; }
  LearningOptions learning(std::function<void(routing::Facts)> hand_over) const {
    LearningOptions options;
    options.directory = folder.path;
    options.start = newest_facts(folder.path);
    options.hand_over = std::move(hand_over);
    options.clock = [this] { return clock(); };
    const auto kept = load_kept(folder.path);
    if (kept) options.past = kept->at;
    const auto files = list_details(disk, kept, clock());
    REQUIRE(files.has_value());
    options.kept_less_mono_us = files->kept_less_mono_us;
    return options;
  }
  void begin() {
    run.reset();
    mono_us += 2 * kMinute;
    told.reset();
    run = std::make_unique<Run>(*this, [this](routing::Facts facts) {
      told = std::move(facts);
      told_of = ended + 1;
    });
    REQUIRE(run->learning.recount(disk).empty());
    DetailStoreOptions options;
    options.storage = &disk;
    options.segment_octets = 65'536;
    options.ring_octets = options.batch_octets = 8'192;
    options.observer = &run->learning;
    options.kept = load_kept(folder.path);
    options.clock = [this] { return clock(); };
    options.salt = 3;
    options.own_thread = false;
    auto store = open_details(options, {});
    REQUIRE(store.has_value());
    run->store = std::move(*store);
  }
  void ends(std::size_t count, bool delivered) {
    auto& stream = run->store.journal->stream(0);
    for (; count > 0; --count, ++ended) {
      mono_us += 1'000;
      stream.append(kDetailType, record(delivered, clock().wall_us));
      stream.publish();
      run->store.journal->step();
    }
  }

  const Folder folder;
  mutable core::testing::FaultyStorage disk;
  std::int64_t mono_us = kMinute;
  std::int64_t ahead_us = 0;
  std::size_t ended = 0;
  std::size_t told_of = 0;  // of them
  std::optional<routing::Facts> told;
  std::unique_ptr<Run> run;
};

TEST_CASE("each record is counted once, whatever the wall clock says", "[learning]") {
  constexpr std::int64_t kHour = 60 * kMinute;
  for (const std::int64_t jump : {kHour, -kHour, 31 * 24 * kHour, -31 * 24 * kHour}) {
    for (const unsigned jumps :
         {1U, 2U, 5U, 6U}) {  // the runs that have another wall clock, as bits
      INFO("by " << jump / kHour << " hours, in " << jumps);
      Runs runs;
      for (unsigned i = 0; i < 4; ++i) {
        runs.begin();
        runs.ends(5, i % 2 == 0);
        runs.ahead_us = (jumps >> i & 1U) != 0 ? jump : 0;
        for (int most = 0; !runs.told && most < 200; ++most) runs.ends(1, i % 2 == 0);
        REQUIRE(runs.told);
        CHECK(runs.told->number == i + 1);
        CHECK(runs.told->volumes.at(0).segments == 2 * runs.told_of);
        runs.ends(20, i % 2 == 0);  // the facts do not know them
      }
    }
  }
}

TEST_CASE("a file that has a lost one's number is counted", "[learning]") {
  Runs runs;
  runs.begin();
  runs.ends(120, true);
  REQUIRE(runs.told);
  const std::uint64_t told = runs.told->volumes.at(0).segments;
  runs.run.reset();
  runs.disk.names.clear();
  runs.begin();
  runs.ends(7, true);
  runs.begin();
  for (int most = 0; !runs.told && most < 200; ++most) runs.ends(1, false);
  REQUIRE(runs.told);
  CHECK(runs.told->volumes.at(0).segments == told + 2 * (runs.told_of - 120));
}

TEST_CASE("kept time is saved where records are written", "[learning]") {
  const Folder folder;
  Teaching teaching(folder);
  CHECK_FALSE(load_kept(folder.path));
  CHECK(teaching.learning.step() == 0);
  const auto first = load_kept(folder.path);
  REQUIRE(first);
  CHECK(first->at.wall_us == kNow);
  teaching.now_us += kMinute / 2;
  CHECK(teaching.learning.step() == 0);
  CHECK(load_kept(folder.path)->kept_us == first->kept_us);
  teaching.now_us += kMinute / 2;
  CHECK(teaching.learning.step() == 0);
  CHECK(load_kept(folder.path)->kept_us == first->kept_us + kMinute);
}

}  // namespace
}  // namespace tollgate::gateway
