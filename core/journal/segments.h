// Segments: the files of the journal being written: the current one, the spare that follows it, and
// the closed ones before it until nobody needs them. The journal's thread alone.
//
//   1 The spare has its room on the disk and its name durable before it is ready().
//   2 The spare is filled with zeros ahead of use, some octets for each one that goes to the
//     current segment: fdatasync of a written block commits no metadata
//     (docs/decisions/0007-segments-are-zeroed-ahead.md).
//   3 Segments are removed oldest first, one at a time, each made durable before the next, so that
//     the numbers of those left have no gap.
//   4 A segment's header marks how much of it is durable: in the background after kMarkUs while
//     batches come, and by itself after kMarkIdleUs. So what a reader misses before the mark was
//     there once. A crash leaves no more unmarked than was written in that time.
//   5 Files that others remove, replace or cut, and a directory that is no longer where it was, are
//     found by looking at their names every kWatchUs; they are logged and counted. No record is
//     written after a lost one: the spare becomes the current segment. Without the directory
//     ready() is false.
//   6 A full disk (or any error of making a spare except EIO and EROFS) is retried from time to
//     time; an error of a sync never.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <string>

#include "core/clock.h"
#include "core/journal/format.h"
#include "core/journal/journal.h"
#include "core/journal/storage.h"

namespace tollgate::core::journal {

class Segments {
 public:
  static constexpr std::int64_t kRetryUs = 100'000;
  static constexpr std::int64_t kWatchUs = 1'000'000;
  static constexpr std::size_t kWatched = 64;  // closed ones, each time
  static constexpr std::int64_t kMarkUs = 10'000;
  static constexpr std::int64_t kMarkIdleUs = 50'000;
  static constexpr std::size_t kZeroChunk = std::size_t{256} << 10;
  static constexpr std::size_t kZeroSync = std::size_t{4} << 20;  // zeros between two syncs

  // `options` outlives it.
  Segments(const JournalOptions& options, Cells<JournalCount, kJournalCounts>& counts);

  // Makes what recovery read durable, clears what lies after it, makes the first segments.
  tl::expected<void, std::string> open(const Now& now);

  // Removes, allocates, looks at the free space. An errno is for good.
  int maintain(const Now& now);
  // Zeroes one chunk of the spare when it is due (`idle`: when there is one left). `did`: it wrote.
  int zero_ahead(bool idle, bool& did);

  // A spare is there and the disk has its reserve.
  bool ready() const noexcept { return spare_.file != nullptr && !below_reserve_ && !away_; }
  bool spare() const noexcept { return spare_.file != nullptr; }
  // The current one is no longer what was written: advance() as soon as there is a spare.
  bool current_lost() const noexcept { return current_lost_; }
  // Segments up to this one may have lost records; 0: none has.
  std::uint64_t lost_upto() const noexcept { return lost_upto_; }
  void set_oldest_needed(std::uint64_t segment) noexcept { oldest_needed_ = segment; }
  // maintain() has something to remove at once, or has to try again later.
  bool removable() const noexcept {
    return !removal_failed_ && !closed_.empty() && closed_.front().number < oldest_needed_;
  }
  bool retries() const noexcept { return removal_failed_; }

  // The spare becomes the current segment, its header to be written at 0. False: there is none.
  bool advance(const Now& now);
  const SegmentHeader& header() const noexcept { return header_; }
  std::uint32_t seed() const noexcept { return seed_; }
  File& file() noexcept { return *current_.file; }
  // Of the current segment, or of the first to come.
  std::uint64_t number() const noexcept { return current_.number != 0 ? current_.number : first_; }
  bool begun() const noexcept { return current_.number != 0; }
  std::uint64_t end() const noexcept { return end_; }  // of what is durable in the current one
  std::uint64_t room() const noexcept {
    return current_.file == nullptr ? 0 : options_.segment_octets - end_;
  }
  // `batch`: the octets from `at` on, as they were written, their last octets_ behind it durable.
  void written(Octets batch, std::uint64_t at, std::uint64_t octets, const Now& now) noexcept;

  // Marks what is durable when it is time for it; `now_or_never`: at the end. `batch`: the buffer
  // that the next write may begin with.
  int mark(const Now& now, Out batch, bool now_or_never = false);
  bool unmarked() const noexcept { return marked_ != end_ || !mark_synced_; }

 private:
  struct Segment {
    std::uint64_t number = 0;
    FilePtr file;
    std::uint64_t zeroed = 0;
    std::uint64_t id = 0;
  };
  struct Closed {
    std::uint64_t number = 0;
    std::uint64_t id = 0;      // 0: of an earlier run
    std::uint64_t octets = 0;  // likewise
    bool lost = false;
  };

  std::string rewrite_tail();
  std::string rewrite(File& file, std::uint64_t begin, std::uint64_t end);
  std::string clear_behind();
  int make_spare();
  int fill_spare(Segment& spare);
  int remove_oldest();
  void look_at_space();
  void watch(const Now& now);
  void watch_directory();
  void watch_closed();
  int remake_spare();
  int sync_mark();
  const char* fault(const Closed& segment);
  void lost(std::uint64_t number, const char* what);
  std::uint64_t draw_salt() const;

  const JournalOptions& options_;
  Cells<JournalCount, kJournalCounts>& counts_;
  Storage& storage_;
  std::deque<Closed> closed_;
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
  std::int64_t watch_at_us_ = 0;
  std::size_t watched_ = 0;  // the next of the closed ones
  bool away_ = false;
  bool current_lost_ = false;
  bool spare_lost_ = false;
  std::uint64_t lost_upto_ = 0;
  std::uint64_t marked_ = 0;  // of the current one
  bool mark_synced_ = true;
  std::int64_t marked_us_ = 0;
  std::int64_t written_us_ = 0;
  alignas(kStorageBlock) std::array<std::uint8_t, kStorageBlock> first_block_{};
};

}  // namespace tollgate::core::journal
