// Files of a disk in memory as a start may find them: journals whose records the input chooses, and
// the damage that it does to them. For fuzz_journal.cpp and fuzz_start.cpp.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/journal/format.h"
#include "tests/core/journal/faulty_storage.h"
#include "tests/fuzz/input.h"
#include "tests/proto/records/record_support.h"

namespace tollgate::fuzz {

namespace journal = core::journal;
namespace record = proto::record;

using Octets = std::vector<std::uint8_t>;

constexpr std::size_t kSegmentOctets = 16 * 1024, kDamagesMax = 8;

struct Record {
  std::uint32_t type = 0;
  Octets payload;
};

// Records of any type; what names messages, carriers and chunks is of a few.
class Records {
 public:
  explicit Records(Input& in) : in_(in), maker_(in.octet()) {}

  Record next() {
    Record one;
    const unsigned chosen = in_.octet();
    unsigned types = 0;
    record::test::with_each([&](auto) { ++types; });
    unsigned type = 0;
    record::test::with_each([&](auto made) {
      if (type++ == chosen % types) one = of(made);
    });
    if (chosen >= 250) {
      one.type = in_.two();
      const auto raw = in_.counted();
      one.payload.assign(raw.begin(), raw.end());
    }
    return one;
  }
  template <class R>
  Record of(R made) {
    maker_.make(made);
    name(made);
    return {static_cast<std::uint32_t>(record::type_of(made)), record::test::payload_of(made)};
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
  std::uint64_t synced = 0;  // what lies in front of it was durable before it was written
  Octets payload;
};
using Place = std::pair<std::uint64_t, std::uint64_t>;  // segment, offset

// True when an octet has another value than before.
inline bool damage(Octets& octets, Input& in) {
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

// The segments of one journal: those called "`prefix`N" (gateway/keeping/prefixed_storage.h).
class Segments {
 public:
  Segments(core::testing::FaultyStorage& disk, std::string prefix)
      : disk_(disk), prefix_(std::move(prefix)) {}

  std::map<Place, Written> written;

  // The next one, of what `next()` gives; a record that does not fit is left out.
  template <class Next>
  void add(Input& in, Next&& next) {
    journal::SegmentHeader header;
    header.segment = ++count_;
    header.salt = 5 + count_;
    header.previous_end = end_;
    header.octets = kSegmentOctets;
    header.streams = 2;
    header.begins_run = count_ == 1 || in.below(4) == 0;
    Octets octets(kSegmentOctets);
    journal::put_segment_header(octets, header);
    std::uint64_t at = journal::kRecordsBegin, synced = at;
    for (unsigned left = in.below(24); left > 0; --left) {
      const unsigned stream = in.below(2);
      Record one = next();
      const std::size_t room = journal::record_octets(one.payload.size());
      if (one.type > core::kJournalTypeMax || at + room > octets.size()) continue;
      if (in.below(3) == 0) synced = at;
      journal::put_record(octets.data() + at, {one.type, stream, synced, journal::seed_of(header)},
                          one.payload);
      written[{count_, at}] = {one.type, stream, synced, std::move(one.payload)};
      at += room;
    }
    end_ = at;
    const auto inode = std::make_shared<core::testing::Inode>();
    inode->now = inode->durable = std::move(octets);
    disk_.names[name(count_)] = inode;
  }
  std::string name(std::uint64_t number) const {
    return prefix_ + journal::segment_name(number).substr(sizeof "journal-" - 1);
  }
  std::uint64_t count() const { return count_; }

 private:
  core::testing::FaultyStorage& disk_;
  std::string prefix_;
  std::uint64_t count_ = 0, end_ = journal::kUnknown;
};

}  // namespace tollgate::fuzz
