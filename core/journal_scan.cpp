#include "core/journal_scan.h"

#include <algorithm>

namespace tollgate::core::journal {

SegmentScan::SegmentScan(const ScanInput& input)
    : octets_(input.segment),
      file_(input.segment),
      header_(input.header),
      seed_(seed_of(input.header)),
      proven_(0) {
  if (input.durable != kUnknown) {
    // What an earlier recovery cut behind it stays cut.
    octets_ = octets_.first(std::min<std::uint64_t>(octets_.size(), input.durable));
    proven_ = input.durable;
  }
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
  std::uint64_t at = kRecordsBegin;
  while (at < octets_.size()) {
    if (const auto good = record(at)) {
      proven_ = std::max<std::uint64_t>(proven_, good->synced);
      at += padded(good->length);
      continue;
    }
    const std::uint64_t next = resync(at);
    gaps_.push_back({at, next});
    at = next;
  }
}

// The next good record behind the bad one at `at`, or the end of the octets.
std::uint64_t SegmentScan::resync(std::uint64_t at) const {
  for (std::uint64_t next = at + 8; next + kRecordHeader <= octets_.size(); next += 8) {
    if (next % kStorageBlock == 0 && next + kStorageBlock <= octets_.size() &&
        all_zero(octets_.subspan(next, kStorageBlock))) {
      next += kStorageBlock - 8;
      continue;
    }
    std::uint64_t word;
    std::memcpy(&word, octets_.data() + next, 8);
    if (word != 0 && record(next)) return next;
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

}  // namespace tollgate::core::journal
