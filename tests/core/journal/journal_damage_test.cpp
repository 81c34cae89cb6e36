// 1,000 bit flips and 1,000 truncations of a journal that a real run wrote into a real directory:
// whatever is not hit is read, what is hit is reported, nothing is invented, nothing crashes.
#include <filesystem>
#include <tuple>

#include "core/journal/format.h"
#include "core/journal/scan.h"
#include "tests/core/journal/faulty_storage.h"
#include "tests/core/journal/journal_bench.h"
#include "tests/core/journal/journal_world.h"
#include "tests/core/temporary_directory.h"

namespace tollgate::core {
namespace {

using namespace testing;

constexpr unsigned kStreams = 2;

struct Place {
  std::uint64_t segment;
  std::uint64_t begin;
  std::uint64_t end;
  unsigned stream;
  std::uint64_t number;
};

// A journal of two runs, the first without, the second with a clean end.
struct Sample {
  FaultyStorage disk;
  std::vector<Place> places;
  std::vector<StreamState> states{kStreams};
  std::map<std::uint64_t, std::uint64_t> sizes;  // of the segments that hold records

  Sample() {
    TemporaryDirectory directory;
    write(directory.path());
    auto storage = open_directory(directory.path(), StorageUse::read_only);
    if (!storage) throw std::runtime_error(storage.error());
    const auto note = [&](const JournalRecord& record) {
      std::uint64_t number = 0;
      std::memcpy(&number, record.payload.data(), 8);
      const std::uint64_t end = record.offset + journal::record_octets(record.payload.size());
      places.push_back({record.segment, record.offset, end, record.stream, number});
    };
    const auto report = read_journal(**storage, note);
    if (!report || !report->damage.empty()) throw std::runtime_error("the sample is damaged");
    load(**storage);
  }

  void write(const std::string& path) {
    for (int run = 0; run < 2; ++run) {
      auto storage = open_directory(path, StorageUse::exclusive);
      if (!storage) throw std::runtime_error(storage.error());
      JournalOptions options;
      options.storage = storage->get();
      options.streams = kStreams;
      options.segment_octets = 65'536;
      options.ring_octets = 4'096;
      options.batch_octets = 4'096;
      options.salt = 9;
      options.own_thread = false;
      if (run == 1) options.tail = read_back(**storage, kStreams).report.tail;
      auto opened = Journal::open(std::move(options));
      if (!opened) throw std::runtime_error(opened.error());
      for (int i = 0; i < 1'000; ++i) {
        for (unsigned s = 0; s < kStreams; ++s) {
          append_next((*opened)->stream(s), s, states[s]);
          (*opened)->stream(s).publish();
        }
        if (i % 3 == 0) (*opened)->step();
      }
    }
    for (StreamState& state : states) state.durable = state.appended;
  }

  void load(Storage& storage) {
    std::vector<std::string> names;
    storage.list(names);
    for (const std::string& name : names) {
      FilePtr file;
      std::uint64_t size = 0;
      if (storage.open(name, file) != 0 || file->size(size) != 0) continue;
      auto inode = std::make_shared<Inode>();
      inode->now.resize(size);
      file->read(inode->now, 0);
      disk.names.emplace(name, inode);
    }
    for (const Place& place : places) {
      sizes[place.segment] = disk.names[journal::segment_name(place.segment)]->now.size();
    }
  }
};

const Sample& sample() {
  static const Sample made;
  return made;
}

// A copy of the sample in which one segment may be changed.
struct Copy {
  FaultyStorage disk;
  std::vector<std::uint8_t>* octets = nullptr;
  explicit Copy(std::uint64_t segment) {
    disk.names = sample().disk.names;
    auto& inode = disk.names[journal::segment_name(segment)];
    inode = std::make_shared<Inode>(*inode);
    octets = &inode->now;
  }
};

std::uint64_t any_segment(std::mt19937& random) {
  auto at = sample().sizes.begin();
  std::advance(at, static_cast<long>(random() % sample().sizes.size()));
  return at->first;
}

// The records read are exactly those of the sample for which `kept` says so.
template <class Kept>
void check_records(const ReadBack& back, Kept kept) {
  REQUIRE(back.fault == "");
  std::vector<std::vector<std::uint64_t>> expected(kStreams);
  for (const Place& place : sample().places) {
    if (kept(place)) expected[place.stream].push_back(place.number);
  }
  REQUIRE((back.numbers == expected));
}

TEST_CASE("the sample is whole", "[journal][damage]") {
  CHECK(sample().places.size() == 4'000);
  CHECK(sample().sizes.size() >= 6);
  FaultyStorage copy;
  copy.names = sample().disk.names;
  const ReadBack back = read_back(copy, kStreams);
  CHECK(missing(back, sample().states) == "");
  CHECK(back.report.torn_segments == 0);
}

TEST_CASE("1,000 bit flips: the record that is hit is reported, all others are read",
          "[journal][damage]") {
  std::mt19937 random(4);
  int hit = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t segment = any_segment(random);
    const std::uint64_t at = random() % sample().sizes.at(segment);
    const auto bit = random() % 8;
    INFO("segment " << segment << ", octet " << at << ", bit " << bit);
    Copy copy(segment);
    (*copy.octets)[at] ^= static_cast<std::uint8_t>(1U << bit);
    const ReadBack back = read_back(copy.disk, kStreams, true);
    const auto is_hit = [&](const Place& place) {
      return place.segment == segment && place.begin <= at && at < place.end;
    };
    check_records(back, [&](const Place& place) { return !is_hit(place); });
    const auto& places = sample().places;
    if (std::any_of(places.begin(), places.end(), is_hit)) {
      ++hit;
      REQUIRE(back.report.damage.size() == 1);
      const JournalDamage& damage = back.report.damage[0];
      REQUIRE(damage.segment == segment);
      REQUIRE(damage.begin <= at);
      REQUIRE(at < damage.end);
      REQUIRE(back.report.quarantined ==
              std::vector<std::string>{journal::quarantine_name(segment)});
      REQUIRE(copy.disk.names.contains(journal::quarantine_name(segment)));
    } else {
      const bool header = at < journal::kRecordsBegin;
      REQUIRE(back.report.damage.size() == (header ? 1 : 0));
      REQUIRE((header || back.report.torn_octets > 0));
    }
  }
  CHECK(hit > 500);
}

TEST_CASE("1,000 truncations: what lies in front is read, the loss is reported",
          "[journal][damage]") {
  std::mt19937 random(5);
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t segment = any_segment(random);
    const std::uint64_t size =
        i % 10 == 0 ? random() % 1'100 : random() % sample().sizes.at(segment);
    INFO("segment " << segment << ", cut to " << size);
    Copy copy(segment);
    copy.octets->resize(size);
    const ReadBack back = read_back(copy.disk, kStreams, true);
    check_records(
        back, [&](const Place& place) { return place.segment != segment || place.end <= size; });
    REQUIRE_FALSE(back.report.damage.empty());
    REQUIRE(back.report.damage[0].segment == segment);
    REQUIRE(back.report.quarantined.size() == 1);
  }
}

TEST_CASE("1,000 overwritten stretches: what is hit is reported", "[journal][damage]") {
  std::mt19937 random(6);
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t segment = any_segment(random);
    Copy copy(segment);
    const std::size_t begin = i % 10 == 0 ? 0 : random() % copy.octets->size();
    const std::size_t end = std::min(copy.octets->size(), begin + random() % 5'000 + 1);
    for (std::size_t at = begin; at < end; ++at) {
      (*copy.octets)[at] = static_cast<std::uint8_t>(i % 3 == 0 ? 0 : random());
    }
    INFO("segment " << segment << ", from " << begin << " to " << end << ", case " << i);
    const ReadBack back = read_back(copy.disk, kStreams, true);
    const auto& was = sample().disk.names.at(journal::segment_name(segment))->now;
    const auto unchanged = [&](std::uint64_t from, std::uint64_t to) {
      return std::equal(was.begin() + static_cast<long>(from), was.begin() + static_cast<long>(to),
                        copy.octets->begin() + static_cast<long>(from));
    };
    const bool header = unchanged(0, 512) || unchanged(512, 1'024);
    const auto whole = [&](const Place& place) {
      return place.segment != segment || (header && unchanged(place.begin, place.end));
    };
    check_records(back, whole);
    for (const Place& place : sample().places) {
      if (whole(place)) continue;
      const auto reported = [&](const JournalDamage& damage) {
        return damage.segment == segment && damage.begin <= place.begin && place.end <= damage.end;
      };
      REQUIRE(std::any_of(back.report.damage.begin(), back.report.damage.end(), reported));
      REQUIRE(back.report.quarantined ==
              std::vector<std::string>{journal::quarantine_name(segment)});
    }
  }
}

// The newest segment, its first block lost: nothing but its later batches tells that it was begun.
TEST_CASE("zeros where the newest header was are damage, and the file stays", "[journal][damage]") {
  for (const bool clean : {false, true}) {
    FaultyStorage before;
    std::unique_ptr<FaultyStorage> disk;
    {
      Bench bench(before);
      for (int i = 0; i < 60; ++i) {
        bench.append();
        bench.settle();
      }
      if (!clean) disk = before.survive(Survival::drop_all, 1);
    }
    if (clean) disk = before.survive(Survival::drop_all, 1);
    auto& octets = disk->names[journal::segment_name(1)]->now;
    REQUIRE(journal::last_octet(octets, 0) > kStorageBlock);
    std::fill_n(octets.begin(), kStorageBlock, std::uint8_t{0});
    const ReadBack back = read_back(*disk, 1, true);
    CHECK(back.fault == "");
    REQUIRE(back.report.damage.size() == 1);
    CHECK(back.report.damage[0].segment == 1);
    CHECK(back.report.quarantined == std::vector<std::string>{journal::quarantine_name(1)});
    CHECK(back.report.tail.next == 2);
    const Bench next(*disk, back.report.tail);
    CHECK(disk->names.contains(journal::segment_name(1)));
    CHECK(disk->names.contains(journal::quarantine_name(1)));
  }
}

// A crash in a segment's first batch may leave any of its sectors: nobody was told of it.
TEST_CASE("a first batch without its header is torn, whatever else of it is there",
          "[journal][damage]") {
  FaultyStorage whole;
  Bench bench(whole);
  bench.append(18);
  while (bench.journal->step()) {
  }
  REQUIRE(bench.count(JournalCount::batches) == 1);
  std::mt19937 random(8);
  for (int i = 0; i < 100; ++i) {
    auto disk = whole.survive(Survival::drop_all, 1);
    auto& octets = disk->names[journal::segment_name(1)]->now;
    for (std::size_t at = 0; at < octets.size(); at += journal::kSector) {
      if (at >= journal::kRecordsBegin && random() % 2 == 0) continue;
      std::fill_n(octets.begin() + static_cast<long>(at), journal::kSector, std::uint8_t{0});
    }
    const ReadBack back = read_back(*disk, 1, true);
    REQUIRE(back.fault == "");
    REQUIRE(back.report.records == 0);
    REQUIRE(back.report.damage.empty());
    REQUIRE(back.report.quarantined.empty());
    REQUIRE(back.report.tail.next == 1);
    const Bench next(*disk, back.report.tail);
  }
}

// Segments by number: of which run their records are told to be.
std::map<std::uint64_t, std::uint64_t> runs_of(FaultyStorage& disk) {
  std::map<std::uint64_t, std::uint64_t> runs;
  const auto note = [&](const JournalRecord& record) {
    const auto [at, fresh] = runs.emplace(record.segment, record.run);
    if (!fresh) REQUIRE(at->second == record.run);
  };
  REQUIRE(read_journal(disk, note));
  return runs;
}

// Else the numbers of a run's detail records would be taken for those of the run before it.
TEST_CASE("a segment tells its run though the run's first segment is damaged or gone",
          "[journal][damage]") {
  FaultyStorage disk;
  JournalTail tail;
  std::uint64_t first = 1;  // of the run
  for (int run = 0; run < 2; ++run) {
    Bench bench(disk, tail);
    bench.states[0].appended = run == 0 ? 0 : 1'000;
    first = bench.stream().current_segment();
    while (bench.stream().current_segment() < first + 2) {
      bench.append();
      bench.settle();
    }
    bench.journal.reset();
    tail = read_back(disk, 1).report.tail;
  }
  auto runs = runs_of(disk);
  REQUIRE(runs.size() >= 6);
  for (const auto& [segment, run] : runs) CHECK(run == (segment < first ? 1 : first));
  auto& octets = disk.names[journal::segment_name(first)]->now;
  for (const std::size_t copy : {std::size_t{0}, journal::kSector}) octets[copy + 20] ^= 1;
  runs.erase(first);
  CHECK(runs_of(disk) == runs);
  disk.names.erase(journal::segment_name(first));
  CHECK(runs_of(disk) == runs);
}

TEST_CASE("a segment that is missing in the middle is damage", "[journal][damage]") {
  const std::uint64_t second = std::next(sample().sizes.begin())->first;
  FaultyStorage disk;
  disk.names = sample().disk.names;
  disk.names.erase(journal::segment_name(second));
  const ReadBack back = read_back(disk, kStreams);
  check_records(back, [&](const Place& place) { return place.segment != second; });
  REQUIRE(back.report.damage.size() == 1);
  CHECK(back.report.damage[0].segment == second);
  CHECK(back.report.damage[0].what == "segments are missing");
}

// Octets that a peer chose (a record's payload) are no record, not even one that was copied from
// another segment of the same journal and lies where the reader looks after damage.
TEST_CASE("a payload that looks like a record is none", "[journal][damage]") {
  FaultyStorage disk;
  JournalOptions options;
  options.storage = &disk;
  options.segment_octets = 65'536;
  options.ring_octets = 8'192;
  options.batch_octets = 8'192;
  options.own_thread = false;
  auto opened = Journal::open(options);
  REQUIRE(opened);
  std::vector<std::uint8_t> forged(2'000);
  for (std::size_t at = 0; at + 24 <= forged.size(); at += 24) {
    const std::uint32_t seed = at % 48 == 0 ? 0 : journal::seed_of({.segment = 1});
    journal::put_record(forged.data() + at, {7, 0, 0, seed}, Octets(forged).first(8));
  }
  (*opened)->stream(0).append(1, forged);
  (*opened)->stream(0).append(2, Octets(forged).first(10));
  (*opened)->stream(0).publish();
  while ((*opened)->step()) {
  }
  opened->reset();
  disk.names["journal-00000000000000000001"]->now[journal::kRecordsBegin + 5] ^= 1;
  std::vector<std::uint32_t> types;
  const auto report =
      read_journal(disk, [&](const JournalRecord& record) { types.push_back(record.type); });
  REQUIRE(report);
  CHECK(types == std::vector<std::uint32_t>{2});
  CHECK(report->damage.size() == 1);
}

// A payload in which every 8 octets look like the header of a long record: without a bound each
// would be hashed over its whole length.
TEST_CASE("payloads that look like records cost no more to read", "[journal][damage]") {
  constexpr std::size_t kOctets = std::size_t{4} << 20;
  journal::SegmentHeader header;
  header.segment = 1;
  header.salt = 77;
  header.octets = kOctets;
  header.streams = 1;
  const std::uint32_t seed = journal::seed_of(header);
  std::vector<std::uint8_t> segment(kOctets);
  journal::put_segment_header(segment, header);
  // u32 that are a likely length as well as a likely stream and type of the one in front.
  std::vector<std::uint8_t> likely(kJournalRecordMax);
  for (std::size_t at = 0; at + 4 <= likely.size(); at += 4) {
    const std::uint32_t value = at % 8 == 4 ? 0x0003'0000 : 0;
    std::memcpy(likely.data() + at, &value, 4);
  }
  std::size_t at = journal::kRecordsBegin;
  std::size_t records = 0;
  for (; at + journal::record_octets(likely.size()) <= kOctets; ++records) {
    journal::put_record(segment.data() + at, {1, 0, journal::kRecordsBegin, seed}, likely);
    at += journal::record_octets(likely.size());
  }
  REQUIRE(records > 10);
  std::size_t read = 0;
  const journal::SegmentScan whole({segment, header, at});
  whole.for_each([&](const auto&, Octets, std::uint64_t) { ++read; });
  CHECK(read == records);
  // Each second record loses its checksum.
  for (std::size_t i = 0; i < records; i += 2) {
    segment[journal::kRecordsBegin + i * journal::record_octets(likely.size())] ^= 1;
  }
  read = 0;
  const journal::SegmentScan scan({segment, header, at});
  scan.for_each([&](const auto&, Octets, std::uint64_t) { ++read; });
  CHECK(read == records / 2);
  CHECK(scan.damage().size() == records - records / 2);
  CHECK(scan.hashed() <= 3 * kOctets);
}

}  // namespace
}  // namespace tollgate::core
