#include "core/journal/journal.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <sys/mount.h>
#include <unistd.h>

#include "core/journal/crc32c.h"
#include "core/journal/format.h"
#include "core/journal/reader.h"
#include "core/journal/segments.h"
#include "tests/core/journal/journal_bench.h"
#include "tests/core/temporary_directory.h"

namespace tollgate::core {
namespace {

using namespace testing;
using journal::segment_name;

std::set<std::string> segments(const FaultyStorage& disk) {
  std::set<std::string> names;
  for (const auto& entry : disk.names) names.insert(entry.first);
  return names;
}

TEST_CASE("crc32c: the standard's examples, and the instruction against the table", "[journal]") {
  const auto of = [](const std::vector<std::uint8_t>& octets) { return crc32c(octets); };
  CHECK(of(std::vector<std::uint8_t>(32, 0)) == 0x8A9136AA);
  CHECK(of(std::vector<std::uint8_t>(32, 0xFF)) == 0x62A8AB43);
  const std::string digits = "123456789";
  CHECK(crc32c({reinterpret_cast<const std::uint8_t*>(digits.data()), 9}) == 0xE3069283);
  std::mt19937 random(1);
  std::vector<std::uint8_t> octets(300);
  for (auto& octet : octets) octet = static_cast<std::uint8_t>(random());
  for (std::size_t n = 0; n <= octets.size(); ++n) {
    const Octets all = Octets(octets).first(n);
    REQUIRE(crc32c(all, 7) == crc32c_by_table(all, 7));
    REQUIRE(crc32c(all.subspan(n / 3), crc32c(all.first(n / 3))) == crc32c(all));
    if (n % 4 == 0) {
      REQUIRE((crc32c_moved(crc32c(Octets(octets).first(7)), n) ^ crc32c(all)) ==
              crc32c(all, crc32c(Octets(octets).first(7))));
    }
  }
  const std::vector<std::uint8_t> zeros(kCrcMovedMax, 0);
  for (const std::size_t n : {std::size_t{1'024}, std::size_t{65'540}, kCrcMovedMax}) {
    CHECK((crc32c_moved(99, n) ^ crc32c(Octets(zeros).first(n))) ==
          crc32c(Octets(zeros).first(n), 99));
  }
}

TEST_CASE("segment names sort as their numbers and nothing else is one", "[journal]") {
  CHECK(segment_name(7) == "journal-00000000000000000007");
  CHECK(journal::segment_number(segment_name(18'000'000'000'000'000'000ULL)) ==
        18'000'000'000'000'000'000ULL);
  for (const char* name :
       {"journal-7", "journal-0000000000000000000x", "damaged-00000000000000000007",
        "journal-00000000000000000007x", "journal-99999999999999999999", ""}) {
    CHECK(journal::segment_number(name) == 0);
  }
}

TEST_CASE("records of every length come back as they were appended", "[journal]") {
  FaultyStorage disk;
  JournalOptions options;
  options.storage = &disk;
  options.segment_octets = 4 << 20;
  options.ring_octets = 1 << 20;
  options.own_thread = false;
  auto journal = Journal::open(options);
  REQUIRE(journal);
  std::vector<std::vector<std::uint8_t>> sent;
  for (const std::size_t size : {0, 1, 7, 8, 9, 255, 495, 496, 497, 4096, 65'535, 262'144}) {
    sent.emplace_back(size, static_cast<std::uint8_t>(size));
    const Octets all(sent.back());
    CHECK((*journal)->stream(0).append(kJournalTypeMax, all.first(size / 3),
                                       all.subspan(size / 3)) == sent.size());
  }
  CHECK((*journal)->stream(0).durable() == 0);
  (*journal)->stream(0).publish();
  while ((*journal)->step()) {
  }
  CHECK((*journal)->stream(0).durable() == sent.size());
  std::vector<std::vector<std::uint8_t>> got;
  const auto report = read_journal(disk, [&](const JournalRecord& record) {
    CHECK(record.type == kJournalTypeMax);
    got.emplace_back(record.payload.begin(), record.payload.end());
  });
  REQUIRE(report);
  CHECK((got == sent));
  CHECK(report->records == sent.size());
}

TEST_CASE("what the ring does not take is spilled, in order, and moves on", "[journal]") {
  FaultyStorage disk;
  Bench bench(disk);
  bench.append(200);
  CHECK(bench.stream().spilled());
  CHECK(bench.stream().appended() == 200);
  int turns = 0;
  while (bench.stream().durable() < 200 && turns < 1'000) {
    bench.journal->step();
    bench.stream().publish();
    ++turns;
  }
  CHECK_FALSE(bench.stream().spilled());
  bench.settle();
  const ReadBack back = read_back(disk, 1);
  CHECK(missing(back, bench.states) == "");
  CHECK(without_gap(back));
  CHECK(back.numbers[0].size() == 200);
}

TEST_CASE("segments follow each other, a spare always behind", "[journal]") {
  FaultyStorage disk;
  Bench bench(disk);
  CHECK(segments(disk) == std::set<std::string>{segment_name(1), segment_name(2)});
  while (bench.stream().current_segment() < 4) {
    const std::uint64_t number = bench.stream().current_segment();
    CHECK(segments(disk).contains(segment_name(number + 1)));
    CHECK(disk.names[segment_name(number + 1)]->durable.size() == kSegment);
    CHECK(bench.stream().accepting());
    bench.append();
    bench.settle();
  }
  CHECK(segments(disk).size() == 5);
  CHECK(bench.count(JournalCount::segments) == 5);
  CHECK(disk.writes_in_part == 0);
  bench.journal.reset();
  const ReadBack back = read_back(disk, 1);
  CHECK(missing(back, bench.states) == "");
  CHECK(back.report.tail.segment == 4);
  CHECK(back.report.tail.next == 5);
}

TEST_CASE("a segment goes when no stream needs it, oldest first, and not before", "[journal]") {
  FaultyStorage disk;
  JournalOptions options;
  options.storage = &disk;
  options.streams = 2;
  options.segment_octets = kSegment;
  options.ring_octets = 1'024;
  options.batch_octets = 2'560;
  options.own_thread = false;
  auto opened = Journal::open(options);
  REQUIRE(opened);
  Journal& journal = **opened;
  std::vector<StreamState> states(2);
  const auto settle = [&] {
    for (unsigned s = 0; s < 2; ++s) journal.stream(s).publish();
    while (journal.step()) {
    }
  };
  while (journal.stream(0).current_segment() < 5) {
    for (unsigned s = 0; s < 2; ++s) append_next(journal.stream(s), s, states[s]);
    settle();
  }
  CHECK(segments(disk).size() == 6);
  journal.stream(0).set_oldest_needed(4);
  settle();
  CHECK(segments(disk).size() == 6);  // the other stream has not said so
  journal.stream(1).set_oldest_needed(3);
  settle();
  CHECK(segments(disk) ==
        std::set<std::string>{segment_name(3), segment_name(4), segment_name(5), segment_name(6)});
  // Carried forward: the old segment stays until what was appended before is durable.
  disk.log.clear();
  append_next(journal.stream(1), 1, states[1]);
  journal.stream(1).set_oldest_needed(4);
  CHECK(segments(disk).contains(segment_name(3)));
  settle();
  CHECK_FALSE(segments(disk).contains(segment_name(3)));
  std::vector<Op> order;
  for (const auto& [op, name] : disk.log) {
    if (op == Op::remove || (op == Op::datasync && name == segment_name(5))) order.push_back(op);
  }
  CHECK((order == std::vector<Op>{Op::datasync, Op::remove}));
  // Never the current one, whatever they say.
  for (unsigned s = 0; s < 2; ++s) journal.stream(s).set_oldest_needed(1'000);
  settle();
  CHECK(segments(disk) == std::set<std::string>{segment_name(5), segment_name(6)});
  CHECK(journal.counts()[JournalCount::segments_removed].get() == 4);
}

TEST_CASE("a second run writes behind the last segment of the first", "[journal]") {
  FaultyStorage disk;
  std::vector<StreamState> states(1);
  JournalTail tail;
  for (int run = 1; run <= 4; ++run) {
    Bench bench(disk, tail);
    bench.states = states;
    CHECK(bench.stream().current_segment() == static_cast<std::uint64_t>(run));
    bench.append(3);
    bench.settle();
    states[0].appended = bench.states[0].appended;
    states[0].durable = states[0].appended;
    bench.journal.reset();
    const ReadBack back = read_back(disk, 1);
    CHECK(missing(back, states) == "");
    CHECK(back.report.damage.empty());
    tail = back.report.tail;
  }
}

// A killed process leaves octets in the system's cache that recovery reads and acts upon. When the
// power fails after that, they have to be there still.
TEST_CASE("what recovery read is durable once the journal is open again", "[journal]") {
  FaultyStorage disk;
  std::vector<StreamState> states(1);
  {
    Bench bench(disk);
    disk.syncs_lie = true;
    bench.append(6);
    bench.settle();
    states = bench.states;
  }
  disk.syncs_lie = false;
  auto without = disk.survive(Survival::drop_all, 1);
  CHECK(read_back(*without, 1).numbers[0].empty());
  Bench second(disk, read_back(disk, 1).report.tail);
  auto survivor = disk.survive(Survival::drop_all, 1);
  CHECK(missing(read_back(*survivor, 1), states) == "");
}

TEST_CASE("a segment stays while what replaces its records has no room yet", "[journal]") {
  FaultyStorage disk;
  Bench bench(disk);
  while (bench.stream().current_segment() < 3) {
    bench.append();
    bench.settle();
  }
  disk.fails[Op::write] = {1, ENOSPC};
  append_next(bench.stream(), 0, bench.states[0]);
  bench.stream().set_oldest_needed(3);
  bench.stream().publish();
  CHECK_FALSE(bench.journal->step());
  disk.fails[Op::write] = {1, ENOSPC};
  CHECK_FALSE(bench.journal->step());
  CHECK(segments(disk).contains(segment_name(1)));
  bench.settle();
  CHECK_FALSE(segments(disk).contains(segment_name(1)));
}

TEST_CASE("segments that were not read are never removed", "[journal]") {
  FaultyStorage disk;
  { Bench bench(disk); }
  JournalOptions options;
  options.storage = &disk;
  options.own_thread = false;
  options.tail.next = 0;
  const auto opened = Journal::open(options);
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == "journal: the directory holds segments that were not read");
  CHECK(segments(disk).size() == 2);
}

TEST_CASE("options that cannot keep the promises are refused", "[journal]") {
  FaultyStorage disk;
  JournalOptions options;
  options.storage = &disk;
  options.own_thread = false;
  options.streams = 9;  // 9 rings of 4 MiB and a batch, twice
  const auto opened = Journal::open(options);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().find("cannot take twice what may wait for it") != std::string::npos);
  options.streams = 0;
  CHECK_FALSE(Journal::open(options));
  CHECK(disk.operations == 0);
}

TEST_CASE("a flip in the last batch after a clean end is damage, not a torn tail", "[journal]") {
  FaultyStorage disk;
  std::uint64_t end = 0;
  {
    Bench bench(disk);
    bench.append(5);
    bench.settle();
  }
  end = read_back(disk, 1).report.tail.end;
  auto& octets = disk.names[segment_name(1)]->now;
  // The whole last sector of records gone, the end record kept: a sector that was lost for good.
  octets[journal::kRecordsBegin + 20] ^= 4;
  const ReadBack back = read_back(disk, 1);
  CHECK(back.numbers[0] == std::vector<std::uint64_t>{2, 3, 4, 5});
  CHECK(back.report.damage.size() == 1);
  CHECK(back.report.tail.end == end);
}

// ---- a full disk ----

TEST_CASE("a full disk: refused early, nothing taken is lost, mended by itself", "[journal]") {
  FaultyStorage disk;
  disk.capacity = 5 * kSegment;
  Bench bench(disk);
  while (bench.stream().accepting() && bench.states[0].appended < 10'000) {
    bench.append(1 + static_cast<int>(bench.states[0].appended % 10));
    bench.settle();
    REQUIRE(bench.stream().durable() == bench.stream().appended());
  }
  CHECK(bench.count(JournalCount::refusals) == 1);
  // A whole segment is left for what was accepted before.
  const Mark refused_at = bench.stream().appended();
  std::size_t left = 0;
  while (bench.count(JournalCount::stalls) == 0) {
    bench.append();
    left += journal::record_octets(payload_of(0, bench.states[0].appended).size());
    bench.settle();
  }
  CHECK(left > kSegment - 4'096 - 1'024);
  CHECK(bench.stream().durable() > refused_at);
  // Then it waits. It has not failed; what is appended is kept.
  bench.append(100);
  bench.settle();
  CHECK(bench.stream().spilled());
  CHECK_FALSE(bench.stream().failed());
  CHECK(bench.stream().durable() < bench.stream().appended());
  const Mark stuck = bench.stream().durable();
  disk.capacity = 20 * kSegment;
  bench.settle();
  CHECK(bench.stream().durable() == stuck);  // it tries every 100 ms, not at every step
  bench.now.mono_us += journal::Segments::kRetryUs;
  bench.settle();
  bench.settle();
  CHECK(bench.stream().accepting());
  CHECK(bench.stream().durable() == bench.stream().appended());
  const ReadBack back = read_back(disk, 1);
  CHECK(missing(back, bench.states) == "");
  CHECK(without_gap(back));
}

TEST_CASE("the reserve: refused while less space is free", "[journal]") {
  FaultyStorage disk;
  disk.capacity = 10 * kSegment;
  Now now{1'000'000, 0};
  JournalOptions options;
  options.storage = &disk;
  options.segment_octets = kSegment;
  options.ring_octets = options.batch_octets = 1'024;
  options.own_thread = false;
  options.reserve_octets = 4 * kSegment;
  options.clock = [&] { return now; };
  auto journal = Journal::open(options);
  REQUIRE(journal);
  const auto accepting_after = [&](std::uint64_t capacity) {
    disk.capacity = capacity;
    now.mono_us += journal::Segments::kRetryUs;
    (*journal)->step();
    return (*journal)->stream(0).accepting();
  };
  CHECK(accepting_after(10 * kSegment));
  CHECK_FALSE(accepting_after(5 * kSegment));
  CHECK(accepting_after(6 * kSegment));
}

TEST_CASE("a full disk at the start is no error", "[journal]") {
  FaultyStorage disk;
  disk.capacity = kSegment / 2;
  Bench bench(disk);
  CHECK_FALSE(bench.stream().accepting());
  CHECK(segments(disk).empty());
  bench.append(2);
  bench.settle();
  CHECK(bench.stream().durable() == 0);
  disk.capacity = 100 * kSegment;
  bench.now.mono_us += journal::Segments::kRetryUs;
  bench.settle();
  CHECK(bench.stream().accepting());
  CHECK(bench.stream().durable() == 2);
}

TEST_CASE("a write refused for room is written again, whole", "[journal]") {
  FaultyStorage disk;
  Bench bench(disk);
  disk.fails[Op::write] = {1, ENOSPC};
  bench.append(3);
  CHECK_FALSE(bench.journal->step());
  CHECK(bench.stream().durable() == 0);
  CHECK_FALSE(bench.stream().failed());
  bench.append(1);
  bench.settle();
  CHECK(bench.stream().durable() == 4);
  CHECK(missing(read_back(disk, 1), bench.states) == "");
}

// ---- a disk that fails ----

// The n-th sync (write, directory sync) fails, for each n: from then on no mark moves, nothing is
// written or synced any more, and what had been announced is on the disk.
void fail_at(Op op, std::uint64_t n) {
  INFO("operation " << static_cast<int>(op) << ", call " << n);
  FaultyStorage disk;
  Bench bench(disk);
  disk.fails[op] = {n, EIO};
  for (int round = 0; round < 300 && !bench.stream().failed(); ++round) {
    bench.append(3);
    bench.settle();
  }
  REQUIRE(bench.stream().failed());
  REQUIRE_FALSE(bench.stream().accepting());
  REQUIRE(bench.journal->failure().find("Input/output error") != std::string::npos);
  const Mark mark = bench.stream().durable();
  const std::uint64_t operations = disk.operations;
  bench.append(500);
  REQUIRE_FALSE(bench.stream().spilled());
  bench.now.mono_us += 10'000'000;
  REQUIRE_FALSE(bench.journal->step());
  bench.journal.reset();
  REQUIRE(disk.operations == operations);
  REQUIRE(bench.states[0].durable == mark);
  auto survivor = disk.survive(Survival::drop_all, 1);
  REQUIRE(missing(read_back(*survivor, 1), bench.states) == "");
}

TEST_CASE("an error of a sync or a write stops the journal for good", "[journal]") {
  for (std::uint64_t n = 1; n <= 200; ++n) {
    fail_at(Op::datasync, n);
    fail_at(Op::write, n);
  }
  for (std::uint64_t n = 1; n <= 3; ++n) fail_at(Op::sync_directory, n);
}

// ---- real directories ----

TEST_CASE("one process at a time has a directory", "[journal]") {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/journal";
  const auto first = open_directory(path, StorageUse::exclusive);
  REQUIRE(first);
  const auto second = open_directory(path, StorageUse::exclusive);
  REQUIRE_FALSE(second);
  CHECK(second.error() == "journal directory " + path + ": another process is using it");
  auto reading = open_directory(path, StorageUse::read_only);
  REQUIRE(reading);
  FilePtr file;
  CHECK((*reading)->create("x", file) == EROFS);
  CHECK((*first)->create("x", file) == 0);
  CHECK((*first)->create("x", file) == EEXIST);
  CHECK((*reading)->remove("x") == EROFS);
  const auto none = open_directory(directory.path() + "/a/b", StorageUse::exclusive);
  REQUIRE_FALSE(none);
  CHECK(none.error().find("cannot be made: No such file") != std::string::npos);
}

// For its event, however busy the machine is; minutes mean that it never comes.
bool wait_for(const std::function<bool()>& done) {
  for (int i = 0; i < 300'000 && !done(); ++i) ::usleep(1'000);
  return done();
}

struct Mounted {
  std::string path;
  ~Mounted() { ::umount(path.c_str()); }
};

// A file system of 2 MiB, filled 20 times by somebody else while records are appended.
TEST_CASE("a real file system runs full 20 times and nothing is lost", "[journal]") {
  TemporaryDirectory directory;
  if (::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=2m") != 0) {
    WARN("skipped: no file system can be mounted here (needs root)");
    return;
  }
  const Mounted mounted{directory.path()};
  const std::string filler = directory.path() + "/filler";
  std::vector<StreamState> states(1);
  {
    auto storage = open_directory(directory.path() + "/journal", StorageUse::exclusive);
    REQUIRE(storage);
    JournalOptions options;
    options.storage = storage->get();
    options.segment_octets = 131'072;
    options.ring_octets = options.batch_octets = 16'384;
    auto journal = Journal::open(options);
    REQUIRE(journal);
    Journal::Stream& stream = (*journal)->stream(0);
    const auto count = [&](JournalCount c) { return (*journal)->counts()[c].get(); };
    for (int fill = 0; fill < 20; ++fill) {
      INFO("fill " << fill);
      std::ofstream(filler, std::ios::binary) << std::string(2 << 20, 'x');
      std::uint64_t taken = 0;
      while (stream.accepting() && taken < 100'000) {
        for (int i = 0; i < 20; ++i) append_next(stream, 0, states[0]);
        stream.publish();
        taken += 20;
        while (stream.spilled()) stream.publish();
      }
      CHECK_FALSE(stream.accepting());
      REQUIRE(wait_for([&] { return stream.durable() == stream.appended(); }));
      states[0].durable = stream.durable();
      std::filesystem::remove(filler);
      REQUIRE(wait_for([&] { return stream.accepting(); }));
      // The journal must not be what fills the disk next time.
      stream.set_oldest_needed(stream.current_segment());
      states[0].needed_from = states[0].appended + 1;
      stream.publish();
      REQUIRE(wait_for([&] { return count(JournalCount::segments) == 2; }));
      append_next(stream, 0, states[0]);
    }
    CHECK(count(JournalCount::refusals) >= 20);
    CHECK_FALSE(stream.failed());
    stream.publish();
    journal->reset();
    states[0].durable = states[0].appended;
    CHECK(missing(read_back(**storage, 1), states) == "");
  }
}

TEST_CASE("every count has a name of its own", "[journal]") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kJournalCounts; ++i) {
    names.insert(journal_count_name(static_cast<JournalCount>(i)));
  }
  CHECK(names.size() == kJournalCounts);
  CHECK_FALSE(names.contains(""));
}

}  // namespace
}  // namespace tollgate::core
