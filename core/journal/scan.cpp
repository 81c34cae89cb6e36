#include "core/journal/scan.h"

#include <algorithm>

namespace tollgate::core::journal {

// Checksums of any part of some octets, each octet hashed once: from the sums of all that lies in
// front of the part's begin and end. Parts are asked for by ascending begins, and are no longer
// than a record.
class Sums {
 public:
  explicit Sums(Octets octets) : octets_(octets) {}

  // Of octets `at` + 4 ... `at` + `whole`; both are multiples of 8.
  std::uint32_t part(std::uint64_t at, std::size_t whole, std::uint32_t seed) {
    if (at > ahead_ || ring_.empty()) begin(at);
    while (ahead_ < at + whole) step();
    const std::uint32_t front = crc32c(octets_.subspan(at, 4), sum_at(at));
    return sum_at(at + whole) ^ crc32c_moved(front ^ seed, whole - 4);
  }
  std::uint64_t hashed() const { return hashed_; }

 private:
  static constexpr std::size_t kRing = std::size_t{1} << 16;  // sums, one for each 8 octets
  static_assert(8 * kRing > kJournalRecordMax + kRecordHeader + 16);
  static_assert(kJournalRecordMax + kRecordHeader + 8 <= kCrcMovedMax);

  std::uint32_t sum_at(std::uint64_t at) const { return ring_[at / 8 % kRing]; }
  void begin(std::uint64_t at) {
    ring_.resize(kRing);
    ahead_ = at;
    ring_[at / 8 % kRing] = sum_ = 0;
  }
  void step() {
    sum_ = crc32c(octets_.subspan(ahead_, 8), sum_);
    ahead_ += 8;
    hashed_ += 8;
    ring_[ahead_ / 8 % kRing] = sum_;
  }

  Octets octets_;
  std::vector<std::uint32_t> ring_;
  std::uint64_t ahead_ = 0;  // behind what is summed up
  std::uint32_t sum_ = 0;
  std::uint64_t hashed_ = 0;
};

SegmentScan::SegmentScan(const ScanInput& input)
    : octets_(input.segment),
      file_(input.segment),
      header_(input.header),
      seed_(seed_of(input.header)),
      proven_(input.header.durable) {
  if (input.durable != kUnknown) {
    // What an earlier recovery cut behind it stays cut.
    octets_ = octets_.first(std::min<std::uint64_t>(octets_.size(), input.durable));
    proven_ = input.durable;
  }
  proven_ = std::min<std::uint64_t>(proven_, octets_.size());
  find_gaps();
  judge();
}

void SegmentScan::find_gaps() {
  SegmentHeader copy;
  for (std::uint64_t at = 0; at < kRecordsBegin; at += kSector) {
    if (octets_.size() < at + kSector ||
        get_segment_header(octets_.subspan(at, kSector), copy) != HeaderFault::none) {
      gaps_.push_back({at, at + kSector});
    }
  }
  Sums sums(octets_);
  std::uint64_t at = kRecordsBegin;
  while (at < octets_.size()) {
    const auto good = get_record(octets_, at, header_, seed_);
    if (const auto looked = good ? good : peek_record(octets_, at, header_)) {
      hashed_ += padded(looked->length);
    }
    if (good) {
      proven_ = std::max<std::uint64_t>(proven_, good->synced);
      at += padded(good->length);
      continue;
    }
    const std::uint64_t next = resync(at, sums);
    gaps_.push_back({at, next});
    at = next;
  }
  hashed_ += sums.hashed();
}

// The next good record behind the bad one at `at`, or the end of the octets.
std::uint64_t SegmentScan::resync(std::uint64_t at, Sums& sums) const {
  for (std::uint64_t next = at + 8; next + kRecordHeader <= octets_.size(); next += 8) {
    if (next % kStorageBlock == 0 && next + kStorageBlock <= octets_.size() &&
        all_zero(octets_.subspan(next, kStorageBlock))) {
      next += kStorageBlock - 8;
      continue;
    }
    const auto record = peek_record(octets_, next, header_);
    if (record && record->crc == sums.part(next, padded(record->length), seed_)) return next;
  }
  return octets_.size();
}

void SegmentScan::judge() {
  end_ = octets_.size();
  for (const Region& gap : gaps_) {
    const bool tail = gap.end == octets_.size();
    if (gap.begin >= proven_ && (tail || sector_missing(gap))) {
      end_ = gap.begin;
      break;
    }
    if (tail) {  // durable up to there; behind it something may be torn besides
      damage_.push_back({gap.begin, proven_});
      end_ = proven_;
      break;
    }
    damage_.push_back(gap);
  }
  torn_ = last_octet(file_, end_) - end_;
  for_each([&](const RecordHeader& header, Octets, std::uint64_t) { batch_ = header.synced; });
}

bool SegmentScan::sector_missing(const Region& gap) const {
  for (std::uint64_t sector = gap.begin & ~std::uint64_t{kSector - 1}; sector < gap.end;
       sector += kSector) {
    const std::uint64_t from = std::max(sector, gap.begin);
    const std::uint64_t to = std::min<std::uint64_t>(sector + kSector, file_.size());
    if (all_zero(file_.subspan(from, to - from))) return true;
  }
  return false;
}

bool begins_later_batch(Octets segment) noexcept {
  SegmentHeader any;
  any.streams = kJournalStreamsMax;
  const std::uint64_t last = last_octet(segment, 0);
  for (std::uint64_t at = kRecordsBegin; at < last; at += 8) {
    const auto record = peek_record(segment, at, any);
    if (record && record->synced == at) return true;
  }
  return false;
}

}  // namespace tollgate::core::journal
