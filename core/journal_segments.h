// Segments: the files of the journal being written: the current one, the spare behind it, and the
// closed ones in front until nobody needs them. The journal's thread alone.
//
//   1 The spare has its room on the disk and its name durable before it is ready().
//   2 The spare's octets are written with zeros ahead of use, some for each octet that goes to the
//     current segment: fdatasync of a written block commits no metadata
//     (docs/decisions/0007-segments-are-zeroed-ahead.md).
//   3 Segments are removed oldest first, one at a time, each made durable before the next, so that
//     the numbers of those left have no gap.
//   4 A full disk (or any other error of making a spare but EIO and EROFS) is retried from time to
//     time; an error of a sync never.
#pragma once
#include <cstdint>
#include <deque>
#include <string>

#include "core/clock.h"
#include "core/journal.h"
#include "core/journal_format.h"
#include "core/storage.h"

namespace tollgate::core::journal {

class Segments {
 public:
  static constexpr std::int64_t kRetryUs = 100'000;
  static constexpr std::size_t kZeroChunk = std::size_t{256} << 10;
  static constexpr std::size_t kZeroSync = std::size_t{4} << 20;  // zeros between two syncs

  // `options` outlives it.
  Segments(const JournalOptions& options, Cells<JournalCount, kJournalCounts>& counts);

  // Makes what recovery read durable, clears what lies behind it, makes the first segments.
  tl::expected<void, std::string> open(const Now& now);

  // Removes, allocates, looks at the free space. An errno is for good.
  int maintain(const Now& now);
  // Zeroes one chunk of the spare when it is due (`idle`: when there is one left). `did`: it wrote.
  int zero_ahead(bool idle, bool& did);

  // A spare is there and the disk has its reserve.
  bool ready() const noexcept { return spare_.file != nullptr && !below_reserve_; }
  void set_oldest_needed(std::uint64_t segment) noexcept { oldest_needed_ = segment; }
  // maintain() has something to remove at once, or has to try again later.
  bool removable() const noexcept {
    return !removal_failed_ && !closed_.empty() && closed_.front() < oldest_needed_;
  }
  bool retries() const noexcept { return removal_failed_; }

  // The spare becomes the current segment, its header to be written at 0. False: there is none.
  bool advance(const Now& now);
  const SegmentHeader& header() const noexcept { return header_; }
  std::uint32_t seed() const noexcept { return seed_; }
  File& file() noexcept { return *current_.file; }
  // Of the current segment, or of the first to come.
  std::uint64_t number() const noexcept { return current_.number != 0 ? current_.number : first_; }
  std::uint64_t end() const noexcept { return end_; }  // of what is durable in the current one
  std::uint64_t room() const noexcept {
    return current_.file == nullptr ? 0 : options_.segment_octets - end_;
  }
  void written(std::uint64_t octets) noexcept;

 private:
  struct Segment {
    std::uint64_t number = 0;
    FilePtr file;
    std::uint64_t zeroed = 0;
  };

  std::string rewrite_tail();
  std::string clear_behind();
  int make_spare();
  int fill_spare(Segment& spare);
  int remove_oldest();
  void look_at_space();
  std::uint64_t draw_salt() const;

  const JournalOptions& options_;
  Cells<JournalCount, kJournalCounts>& counts_;
  Storage& storage_;
  std::deque<std::uint64_t> closed_;
  Segment current_;
  Segment spare_;
  SegmentHeader header_;
  std::uint32_t seed_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t previous_end_ = kUnknown;
  std::uint64_t next_ = 1;
  std::uint64_t first_ = 1;
  std::uint64_t oldest_needed_ = 0;
  std::uint64_t zero_due_ = 0;
  std::int64_t retry_at_us_ = 0;
  bool below_reserve_ = false;
  bool removal_failed_ = false;
};

}  // namespace tollgate::core::journal
