// What a start reads from its disk, after anything has happened to the files: a journal of up to
// four segments whose records the input chooses (any type, few messages, so that they meet), or a
// chunk of due receipts; then the input damages the octets.
//
// What must hold: a record that is given was written, there and so, and is given once and in order;
// what is missing in front of one that is given was told as damage or as torn; without damage all
// are given. Recovery takes any records: its counts of messages agree or it tells a finding, and
// what is live it hands over. Of a damaged chunk only receipts that were written come back, in
// their order.
#include <map>
#include <vector>

#include "core/journal_format.h"
#include "core/journal_reader.h"
#include "gateway/dead_letters.h"
#include "gateway/detail_store.h"
#include "gateway/due_chunk.h"
#include "gateway/due_stock.h"
#include "gateway/recovery.h"
#include "tests/core/faulty_storage.h"
#include "tests/fuzz/input.h"
#include "tests/proto/record_support.h"

using namespace tollgate;
using fuzz::Input;
using fuzz::must;
namespace journal = core::journal;
namespace record = proto::record;

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::size_t kSegmentOctets = 16 * 1024, kDamagesMax = 8;

// Records of any type; what names messages, carriers and chunks is of a few.
class Records {
 public:
  explicit Records(Input& in) : in_(in), maker_(in.octet()) {}

  struct One {
    std::uint32_t type = 0;
    Octets payload;
  };
  One next() {
    One one;
    const unsigned chosen = in_.octet();
    unsigned types = 0;
    record::test::with_each([&](auto) { ++types; });
    unsigned type = 0;
    record::test::with_each([&](auto made) {
      if (type++ != chosen % types) return;
      maker_.make(made);
      name(made);
      one = {static_cast<std::uint32_t>(record::type_of(made)), record::test::payload_of(made)};
    });
    if (chosen >= 250) {
      one.type = in_.two();
      const auto raw = in_.counted();
      one.payload.assign(raw.begin(), raw.end());
    }
    return one;
  }
  Octets carried(std::uint64_t message) {
    record::Carried made;
    maker_.make(made);
    made.accepted.message = message;
    made.accepted.body = {};
    return record::test::payload_of(made);
  }

 private:
  template <class R>
  void name(R& made) {
    if constexpr (requires { made.accepted; }) name(made.accepted);
    if constexpr (requires { made.chunk; }) made.chunk = 1 + in_.below(4);
    if constexpr (requires { made.number; }) made.number = in_.below(4);
    if constexpr (requires { made.attempt; })
      made.attempt = static_cast<std::uint16_t>(in_.below(4));
    if constexpr (requires { made.carrier; }) made.carrier = in_.flag() ? "alpha" : "bravo";
    if constexpr (requires { made.wall_us; }) made.wall_us = in_.two();
    if constexpr (requires { made.messages; }) give_messages(made);
    if constexpr (
        requires { made.message; } && !requires { made.chunk; }) {
      made.message = std::uint64_t{in_.below(2)} << 58 | in_.below(6);
    }
  }
  void give_messages(record::Spilled& made) {
    ids_.assign(8 * (1 + in_.below(3)), 0);
    for (std::size_t at = 0; at < ids_.size(); at += 8) ids_[at] = in_.octet() % 6;
    made.messages = ids_;
  }
  void give_messages(record::Loaded& made) {
    if (in_.below(4) == 0) return;
    const Octets one = carried(in_.below(6));
    listed_.assign(
        {static_cast<std::uint8_t>(one.size()), static_cast<std::uint8_t>(one.size() >> 8), 0, 0});
    listed_.insert(listed_.end(), one.begin(), one.end());
    made.messages = listed_;
  }

  Input& in_;
  record::test::RecordMaker maker_;
  Octets ids_, listed_;
};

struct Written {
  std::uint32_t type = 0;
  unsigned stream = 0;
  Octets payload;
};
using Place = std::pair<std::uint64_t, std::uint64_t>;  // segment, offset

// True when an octet has another value than before.
bool damage(Octets& octets, Input& in) {
  if (octets.empty()) return false;
  const Octets before = octets;
  const std::size_t at = in.two() % octets.size();
  switch (in.below(4)) {
    case 0:
      octets[at] ^= static_cast<std::uint8_t>(1U << in.below(8));
      break;
    case 1:
      octets.resize(at);
      break;
    case 2:
      std::fill_n(octets.begin() + static_cast<std::ptrdiff_t>(at / 512 * 512),
                  std::min<std::size_t>(512, octets.size() - at / 512 * 512), 0);
      break;
    default: {
      const auto with = in.counted();
      std::copy_n(with.begin(), std::min(with.size(), octets.size() - at),
                  octets.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  return octets != before;
}

class Journal {
 public:
  explicit Journal(Input& in) : in_(in), records_(in) {
    disk_.keep_log = false;
    const unsigned segments = 1 + in.below(4);
    for (unsigned number = 1; number <= segments; ++number) write_segment(number);
    for (std::size_t i = in_.below(kDamagesMax); i > 0; --i) {
      const auto inode = disk_.names[journal::segment_name(1 + in_.below(segments))];
      if (inode != nullptr) damaged_ = damage(inode->now, in_) || damaged_;
    }
  }

  void run() {
    read();
    recover();
    must(gateway::read_details(disk_, 0, [](proto::Octets) {}).has_value() || damaged_);
  }

 private:
  void write_segment(std::uint64_t number) {
    journal::SegmentHeader header;
    header.segment = number;
    header.salt = 5 + number;
    header.previous_end = end_;
    header.octets = kSegmentOctets;
    header.streams = 2;
    header.begins_run = number == 1 || in_.below(4) == 0;
    Octets octets(kSegmentOctets);
    journal::put_segment_header(octets, header);
    std::uint64_t at = journal::kRecordsBegin, synced = at;
    for (unsigned left = in_.below(24); left > 0; --left) {
      const unsigned stream = in_.below(2);
      Records::One one = records_.next();
      const std::size_t room = journal::record_octets(one.payload.size());
      if (one.type > core::kJournalTypeMax || at + room > octets.size()) continue;
      if (in_.below(3) == 0) synced = at;
      journal::put_record(octets.data() + at, {one.type, stream, synced, journal::seed_of(header)},
                          one.payload);
      written_[{number, at}] = {one.type, stream, std::move(one.payload)};
      at += room;
    }
    end_ = at;
    const auto inode = std::make_shared<core::testing::Inode>();
    inode->now = inode->durable = std::move(octets);
    disk_.names[journal::segment_name(number)] = inode;
  }

  void read() {
    std::vector<Place> given;
    const auto report = core::read_journal(disk_, [&](const core::JournalRecord& read) {
      const Place place{read.segment, read.offset};
      const auto found = written_.find(place);
      must(found != written_.end() && (given.empty() || given.back() < place));
      const Written& one = found->second;
      must(one.type == read.type && one.stream == read.stream &&
           proto::same_octets(one.payload, read.payload));
      given.push_back(place);
    });
    if (!report) return must(damaged_);
    must(report->records == given.size());
    if (!damaged_) must(given.size() == written_.size() && report->damage.empty());
    if (given.empty() || !report->damage.empty() || report->torn_octets != 0) return;
    const auto last = written_.find(given.back());
    const auto in_front = std::distance(written_.begin(), last);
    must(static_cast<std::size_t>(in_front) + 1 == given.size());
  }

  void recover() {
    gateway::Recovery recovery;
    const auto report = gateway::recover(disk_, recovery);
    if (!report) return must(damaged_);
    must(recovery.conservation().holds() || recovery.findings() != 0);
    const auto stock = gateway::take_stock(disk_, recovery, !report->damage.empty());
    must(stock.has_value());
    std::uint64_t parked = 0, live = recovery.live();
    recovery.for_each_parked([&](const gateway::ParkedReceipt&) { ++parked; });
    must(parked == recovery.parked());
    must(recovery.conservation().live_total() == live);
    recovery.drain([&](const gateway::Restored&) { --live; });
    must(live == 0);
  }

  Input& in_;
  Records records_;
  core::testing::FaultyStorage disk_;
  std::map<Place, Written> written_;
  std::uint64_t end_ = journal::kUnknown;
  bool damaged_ = false;
};

std::vector<Octets> parts_of(const Octets& listed) {
  std::vector<Octets> parts;
  must(record::for_each_loaded(
      listed, [&](proto::Octets one) { parts.emplace_back(one.begin(), one.end()); }));
  return parts;
}

void chunk(Input& in) {
  Records records(in);
  Octets listed;
  gateway::DueChunk due;
  due.number = 1 + in.below(3);
  for (due.receipts = in.below(6); parts_of(listed).size() < due.receipts;) {
    const Octets one = records.carried(in.octet());
    for (unsigned shift = 0; shift < 32; shift += 8) {
      listed.push_back(static_cast<std::uint8_t>(one.size() >> shift));
    }
    listed.insert(listed.end(), one.begin(), one.end());
  }
  Octets file, back;
  gateway::write_chunk(due, "shop", listed, {in.four(), in.two()}, file);
  bool damaged = false;
  for (std::size_t i = in.below(4); i > 0; --i) damaged = damage(file, in) || damaged;
  const std::uint64_t number = in.below(8) == 0 ? 9 : due.number;
  gateway::ChunkContent content;
  (void)gateway::read_chunk_head(
      proto::Octets(file).first(std::min(file.size(), gateway::kChunkHeadMax)), number, content);
  const auto reading = gateway::read_chunk(file, number, back, &content);
  if (!damaged && number == due.number) must(!reading.damaged && back == listed);
  const std::vector<Octets> before = parts_of(listed), after = parts_of(back);
  must(after.size() == reading.found && (reading.damaged || after == before));
  std::size_t at = 0;
  for (const Octets& one : after) {
    while (at < before.size() && before[at] != one) ++at;
    must(at++ < before.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  if (in.flag()) {
    chunk(in);
  } else {
    Journal(in).run();
  }
  return 0;
}
