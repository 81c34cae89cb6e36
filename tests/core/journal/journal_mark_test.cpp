// The mark in a segment's header: what was durable and cannot be read is damage, also at the end.
#include <algorithm>
#include <memory>

#include "core/journal/format.h"
#include "core/journal/reader.h"
#include "core/journal/segments.h"
#include "tests/core/journal/journal_bench.h"

namespace tollgate::core {
namespace {

using namespace testing;
using journal::segment_name;

// What is read of a journal when the sectors behind that record's begin are zeros.
ReadBack without_the_end(FaultyStorage& disk, std::uint64_t first_lost) {
  auto& octets = disk.names[segment_name(1)]->now;
  std::uint64_t from = 0;
  const auto report = read_journal(disk, [&](const JournalRecord& record) {
    std::uint64_t number = 0;
    std::memcpy(&number, record.payload.data(), 8);
    if (number == first_lost) from = record.offset;
  });
  REQUIRE(report);
  REQUIRE(from != 0);
  from = (from + journal::kSector - 1) / journal::kSector * journal::kSector;
  std::fill(octets.begin() + static_cast<long>(from), octets.end(), std::uint8_t{0});
  return read_back(disk, 1);
}

TEST_CASE("zeros at the end after a clean end are damage, with their place", "[journal]") {
  FaultyStorage disk;
  {
    Bench bench(disk);
    bench.append(5);
    bench.settle();
    for (int i = 0; i < 20; ++i) {
      bench.append();
      bench.settle();
    }
  }
  const std::uint64_t end = read_back(disk, 1).report.tail.end;
  const ReadBack back = without_the_end(disk, 20);
  CHECK(back.fault == "");
  REQUIRE(back.report.damage.size() == 1);
  CHECK(back.report.damage[0].end == end);
  CHECK(back.report.torn_octets == 0);
  CHECK(back.numbers[0].size() >= 19);
  CHECK(back.report.tail.end == end);  // the next run says that all of it was durable
}

TEST_CASE("after a crash zeros at the end are damage as far as the mark tells", "[journal]") {
  for (const bool idle : {false, true}) {
    FaultyStorage before;
    std::unique_ptr<FaultyStorage> disk;
    {
      Bench bench(before);
      for (int i = 0; i < 25; ++i) {
        bench.append();
        bench.settle();
        bench.now.mono_us += journal::Segments::kMarkUs;
      }
      if (idle) bench.now.mono_us += journal::Segments::kMarkIdleUs;
      if (idle) bench.settle();
      disk = before.survive(Survival::drop_all, 1);
    }
    const ReadBack whole = read_back(*disk, 1);
    REQUIRE(whole.numbers[0].size() == 25);
    const ReadBack back = without_the_end(*disk, 20);
    REQUIRE(back.report.damage.size() == 1);
    // Idle: all of it is known to have been there. Else the last batches are not.
    CHECK((back.report.damage[0].end == whole.report.tail.end) == idle);
    CHECK(back.report.damage[0].end >= whole.report.tail.end - 1'500);
  }
}

// Each block of a journal by itself: no start is refused, and all that can be read is.
TEST_CASE("a block that cannot be read, also in the last batch, refuses no start", "[journal]") {
  FaultyStorage disk;
  {
    Bench bench(disk);
    for (int i = 0; i < 20; ++i) {
      bench.append();
      bench.settle();
    }
    bench.append(20);  // more than a block
    bench.settle();
  }
  const std::string name = segment_name(1);
  const ReadBack whole = read_back(disk, 1);
  REQUIRE(whole.numbers[0].size() == 40);
  for (std::uint64_t at = 0; at < kSegment; at += kStorageBlock) {
    INFO("the block at " << at);
    auto copy = disk.survive(Survival::drop_all, 1);
    copy->unreadable[name] = {at, at + kStorageBlock};
    ReadBack back = read_back(*copy, 1, true);
    CHECK(back.fault == "");
    REQUIRE_FALSE(back.report.damage.empty());
    CHECK(back.report.quarantined == std::vector<std::string>{journal::quarantine_name(1)});
    const Bench next(*copy, back.report.tail);
    CHECK(copy->names.contains(name));
    if (at == 0) continue;
    CHECK(back.report.tail.segment == 1);
    CHECK(back.report.tail.end == whole.report.tail.end);
  }
}

TEST_CASE("a mark is written in the background, and rides on the next sync", "[journal]") {
  FaultyStorage disk;
  Bench bench(disk);
  bench.append(5);
  bench.settle();
  const auto syncs = [&] {
    return std::count_if(disk.log.begin(), disk.log.end(),
                         [](const auto& each) { return each.first == Op::datasync; });
  };
  const auto before = syncs();
  for (int i = 0; i < 10; ++i) {
    bench.now.mono_us += journal::Segments::kMarkUs;
    bench.append();
    bench.settle();
  }
  CHECK(syncs() == before + 10);  // the batches' own
  bench.now.mono_us += journal::Segments::kMarkIdleUs;
  bench.settle();
  CHECK(syncs() == before + 11);
  bench.now.mono_us += 10 * journal::Segments::kMarkIdleUs;
  bench.settle();
  CHECK(syncs() == before + 11);
  CHECK(disk.writes_in_part == 0);
}

}  // namespace
}  // namespace tollgate::core
