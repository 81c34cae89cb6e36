// What a start reads from its disk, after anything has happened to the files: a journal of up to
// four segments whose records the input chooses (any type, few messages, so that they meet), or a
// chunk of due receipts; then the input damages the octets.
//
// What must hold: a record that is given was written, there and so, and is given once and in order;
// what is missing in front of one that is given, or was durable by what it says, was told as
// damage; without damage all are given. Recovery takes any records: its counts of messages agree or
// it tells a finding, and what is live it hands over. Of a damaged chunk only receipts that were
// written come back, in their order.
#include <map>
#include <set>
#include <vector>

#include "core/journal/reader.h"
#include "gateway/keeping/due_chunk.h"
#include "gateway/keeping/due_stock.h"
#include "gateway/keeping/recovery.h"
#include "tests/fuzz/disk.h"

using namespace tollgate;
using fuzz::Input;
using fuzz::must;
namespace record = proto::record;

namespace {

using fuzz::Octets;
using fuzz::Place;
using fuzz::Records;
using fuzz::Written;

class Journal {
 public:
  explicit Journal(Input& in) : in_(in), records_(in) {
    disk_.keep_log = false;
    const unsigned segments = 1 + in.below(4);
    for (unsigned i = 0; i < segments; ++i) segments_.add(in_, [this] { return records_.next(); });
    for (std::size_t i = in_.below(fuzz::kDamagesMax); i > 0; --i) {
      const auto inode = disk_.names[segments_.name(1 + in_.below(segments))];
      if (inode != nullptr) damaged_ = fuzz::damage(inode->now, in_) || damaged_;
    }
  }

  void run() {
    read();
    recover();
  }

 private:
  void read() {
    std::vector<Place> given;
    const auto report = core::read_journal(disk_, [&](const core::JournalRecord& read) {
      const Place place{read.segment, read.offset};
      const auto found = segments_.written.find(place);
      must(found != segments_.written.end() && (given.empty() || given.back() < place));
      const Written& one = found->second;
      must(one.type == read.type && one.stream == read.stream &&
           proto::same_octets(one.payload, read.payload));
      given.push_back(place);
    });
    if (!report) return must(damaged_);
    must(report->records == given.size());
    if (!damaged_) must(given.size() == segments_.written.size() && report->damage.empty());
    if (report->damage.empty()) must(!durable_is_missing(given));
  }

  // What another record proves to have been durable may not go as torn.
  bool durable_is_missing(const std::vector<Place>& given) const {
    std::map<std::uint64_t, std::uint64_t> durable;  // of a segment: up to where
    for (const Place& place : given) {
      durable[place.first - 1] = fuzz::kSegmentOctets;
      auto& upto = durable[place.first];
      upto = std::max({upto, place.second, segments_.written.at(place).synced});
    }
    const std::set<Place> there(given.begin(), given.end());
    return std::any_of(segments_.written.begin(), segments_.written.end(), [&](const auto& each) {
      const Place& place = each.first;
      return !there.contains(place) && place.second < durable[place.first];
    });
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
  fuzz::Segments segments_{disk_, "journal-"};
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
  gateway::ChunkSeal seal;
  seal.salt = in.four();
  seal.now.wall_us = in.two();
  gateway::write_chunk(due, "shop", listed, seal, file);
  bool damaged = false;
  for (std::size_t i = in.below(4); i > 0; --i) damaged = fuzz::damage(file, in) || damaged;
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
