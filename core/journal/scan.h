// SegmentScan: which of one segment's octets are records, torn or damaged. A pure function of the
// octets and of what the next segment's header says about this one.
//
// After a good record comes the next. Where none is good the scan looks for the next good one at
// every multiple of 8 (not where the bad one's length points: that may be what is bad). Each gap is
//   damage  if it was durable: a good record after it, the next segment's header, or the mark in
//           its own header says so; or if none of its sectors is missing: a sector is written
//           whole or not at all, and an unwritten one is still all zeros;
//   torn    else: a crash cut the batch before its sync, and it is cut there.
// Each octet is hashed at most three times, whatever it is: a payload that a peer made to look like
// the beginnings of records costs no more (hashed()).
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "core/journal/format.h"
#include "core/octets.h"

namespace tollgate::core::journal {

struct Region {
  std::uint64_t begin;
  std::uint64_t end;
};

struct ScanInput {
  Octets segment;
  SegmentHeader header;
  std::uint64_t durable = kUnknown;  // its end by the next segment's header
};

class Sums;

class SegmentScan {
 public:
  explicit SegmentScan(const ScanInput& input);

  // Every record in front of the end, outside of damage.
  template <class F>
  void for_each(F&& f) const;

  const std::vector<Region>& damage() const noexcept { return damage_; }
  std::uint64_t end() const noexcept { return end_; }      // of what counts
  std::uint64_t batch() const noexcept { return batch_; }  // where its last batch begins
  std::uint64_t torn() const noexcept { return torn_; }    // octets after the end
  std::uint64_t hashed() const noexcept { return hashed_; }

 private:
  void find_gaps();
  void judge();
  std::uint64_t resync(std::uint64_t at, Sums& sums) const;
  bool sector_missing(const Region& gap) const;

  Octets octets_;  // those that may count
  Octets file_;
  SegmentHeader header_;
  std::uint32_t seed_;
  std::uint64_t proven_;
  std::vector<Region> gaps_;
  std::vector<Region> damage_;
  std::uint64_t end_ = kRecordsBegin;
  std::uint64_t batch_ = 0;
  std::uint64_t torn_ = 0;
  std::uint64_t hashed_ = 0;
};

// Of a segment whose header is zeros: a batch behind its first one begins there. So the first one,
// and the header with it, was durable. Without the salt no checksum can be tried; the first record
// of each batch has its own place as its `synced`, and that of the first batch is 0.
bool begins_later_batch(Octets segment) noexcept;

template <class F>
void SegmentScan::for_each(F&& f) const {
  std::uint64_t at = kRecordsBegin;
  std::size_t gap = 0;
  while (at < end_) {
    while (gap < damage_.size() && damage_[gap].end <= at) ++gap;
    if (gap < damage_.size() && damage_[gap].begin <= at) {
      at = damage_[gap].end;
      continue;
    }
    RecordHeader header;
    std::memcpy(&header, octets_.data() + at, sizeof header);
    f(header, octets_.subspan(at + kRecordHeader, header.length - kRecordHeader), at);
    at += padded(header.length);
  }
}

}  // namespace tollgate::core::journal
