#include "core/journal/segments.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "core/log.h"

namespace tollgate::core::journal {
namespace {

alignas(kStorageBlock) constexpr std::array<std::uint8_t, Segments::kZeroChunk> kZeros{};

std::string trouble(const std::string& name, const char* what, int error) {
  return "journal: " + name + " " + what + ": " + std::strerror(error);
}

// What a later try may find mended. Everything else means that the disk itself is ill.
bool passes(int error) noexcept {
  return error != EIO && error != EROFS;
}

}  // namespace

Segments::Segments(const JournalOptions& options, Cells<JournalCount, kJournalCounts>& counts)
    : options_(options), counts_(counts), storage_(*options.storage) {}

tl::expected<void, std::string> Segments::open(const Now& now) {
  std::string error = clear_behind();
  if (error.empty()) error = rewrite_tail();
  if (!error.empty()) return tl::unexpected(std::move(error));
  if (options_.tail.segment != 0 && options_.tail.segment + 1 == next_) {
    previous_end_ = options_.tail.end;
  }
  retry_at_us_ = now.mono_us;
  int failed = maintain(now);
  if (failed == 0 && advance(now)) failed = maintain(now);
  if (failed != 0) {
    return tl::unexpected(trouble(segment_name(next_), "cannot be made", failed));
  }
  return {};
}

std::string Segments::clear_behind() {
  std::vector<std::string> names;
  if (const int error = storage_.list(names)) return trouble("directory", "cannot be read", error);
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : names) {
    if (const std::uint64_t number = segment_number(name)) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  if (options_.tail.next == 0 && !numbers.empty()) {
    return "journal: the directory holds segments that were not read";
  }
  next_ = first_ = std::max<std::uint64_t>(options_.tail.next, 1);
  bool removed = false;
  for (const std::uint64_t number : numbers) {
    if (number < next_) {
      closed_.push_back({number, 0, 0, false});
      continue;
    }
    if (const int error = storage_.remove(segment_name(number))) {
      return trouble(segment_name(number), "cannot be removed", error);
    }
    removed = true;
  }
  counts_[JournalCount::segments].set(closed_.size());
  const int error = removed ? storage_.sync_directory() : 0;
  return error == 0 ? std::string{} : trouble("directory", "cannot be synced", error);
}

// Recovery may have read octets that are in the system's cache alone: its run ended before their
// sync, or in its failure. They are written once more, before anything is built on them; what it
// could not read is lost, and is left as it is.
std::string Segments::rewrite_tail() {
  const JournalTail& tail = options_.tail;
  if (tail.segment == 0) return {};
  const std::string name = segment_name(tail.segment);
  FilePtr file;
  if (const int error = storage_.open(name, file)) return trouble(name, "cannot be opened", error);
  std::uint64_t at = tail.batch;
  for (const JournalStretch& unread : tail.unread) {
    const std::uint64_t upto = std::min(unread.begin, tail.end);
    if (std::string error = rewrite(*file, at, upto); !error.empty()) return error;
    at = std::max(at, unread.end);
  }
  if (std::string error = rewrite(*file, at, tail.end); !error.empty()) return error;
  const int error = file->datasync();
  return error == 0 ? std::string{} : trouble(name, "cannot be synced", error);
}

std::string Segments::rewrite(File& file, std::uint64_t begin, std::uint64_t end) {
  if (begin >= end) return {};
  const std::string name = segment_name(options_.tail.segment);
  std::vector<std::uint8_t> octets(end - begin);
  const ssize_t got = file.read(octets, begin);
  if (got < 0) return trouble(name, "cannot be read", static_cast<int>(-got));
  octets.resize(static_cast<std::size_t>(got));
  const int error = file.pwrite_all(octets, begin);
  return error == 0 ? std::string{} : trouble(name, "cannot be written", error);
}

int Segments::maintain(const Now& now) {
  if (now.mono_us >= watch_at_us_) watch(now);
  if (spare_lost_) {
    if (const int error = remake_spare()) return error;
  }
  bool due = now.mono_us >= retry_at_us_;
  if (removable() || (removal_failed_ && due)) {
    if (const int error = remove_oldest()) return error;
    due = due || !removal_failed_;  // there may be room now
  }
  if (!due) return 0;
  retry_at_us_ = now.mono_us + kRetryUs;
  look_at_space();
  return spare_.file == nullptr ? make_spare() : 0;
}

void Segments::look_at_space() {
  std::uint64_t free = 0;
  if (storage_.free_octets(free) != 0) return;
  counts_[JournalCount::free_octets].set(free);
  below_reserve_ = free < options_.reserve_octets;
}

int Segments::remove_oldest() {
  const int error = storage_.remove(segment_name(closed_.front().number));
  removal_failed_ = error != 0 && error != ENOENT;
  if (removal_failed_) return 0;
  closed_.pop_front();
  counts_[JournalCount::segments].sub();
  counts_[JournalCount::segments_removed].add();
  return storage_.sync_directory();
}

int Segments::make_spare() {
  Segment spare;
  spare.number = next_;
  const std::string name = segment_name(spare.number);
  int error = storage_.create(name, spare.file);
  if (error != 0) return passes(error) ? 0 : error;
  error = spare.file->allocate(options_.segment_octets);
  if (error != 0) {
    spare.file.reset();
    const int removed = storage_.remove(name);
    if (removed != 0) return removed;
    return passes(error) ? 0 : error;
  }
  if ((error = spare.file->datasync()) != 0) return error;
  if ((error = storage_.sync_directory()) != 0) return error;
  spare.id = spare.file->id();
  spare_ = std::move(spare);
  ++next_;
  counts_[JournalCount::segments].add();
  counts_[JournalCount::segments_created].add();
  return 0;
}

int Segments::zero_ahead(bool idle, bool& did) {
  did = false;
  const std::uint64_t left = options_.segment_octets - spare_.zeroed;
  if (spare_.file == nullptr || left == 0 || (!idle && zero_due_ < kZeroChunk)) return 0;
  const std::size_t n = std::min<std::uint64_t>(left, kZeroChunk);
  did = true;
  zero_due_ -= std::min<std::uint64_t>(zero_due_, n);
  const int error = spare_.file->pwrite_all({kZeros.data(), n}, spare_.zeroed);
  if (error == ENOSPC || error == EDQUOT) {  // no harm: its room is promised all the same
    spare_.zeroed = options_.segment_octets;
    return 0;
  }
  if (error != 0) return error;
  spare_.zeroed += n;
  const bool sync = spare_.zeroed % kZeroSync == 0 || spare_.zeroed == options_.segment_octets;
  return sync ? spare_.file->datasync() : 0;
}

bool Segments::advance(const Now& now) {
  if (spare_.file == nullptr) return false;
  if (current_.file != nullptr) {
    closed_.push_back({current_.number, current_.id, options_.segment_octets, current_lost_});
    previous_end_ = end_;
  }
  current_ = std::exchange(spare_, Segment{});
  current_lost_ = false;
  end_ = 0;
  marked_ = 0;
  mark_synced_ = true;
  zero_due_ = 0;
  retry_at_us_ = now.mono_us;
  const bool begins_run = header_.segment == 0;
  const std::uint64_t run = begins_run ? current_.number : header_.run;
  const std::int64_t less = options_.kept_less_mono_us;
  const std::int64_t kept_us = less == 0 ? 0 : now.mono_us + less;
  header_ = SegmentHeader{current_.number, draw_salt(),      previous_end_, options_.segment_octets,
                          now.wall_us,     options_.streams, begins_run,    boot_id(),
                          now.mono_us,     kept_us};
  header_.run = run;
  seed_ = seed_of(header_);
  return true;
}

void Segments::written(Octets batch, std::uint64_t at, std::uint64_t octets,
                       const Now& now) noexcept {
  if (at == 0) {
    const std::size_t n = std::min(batch.size(), first_block_.size());
    std::copy_n(batch.begin(), n, first_block_.begin());
  }
  end_ += octets;
  mark_synced_ = true;
  zero_due_ += 2 * octets;
  written_us_ = now.mono_us;
}

// In the first block, which is written whole again: its other sectors do not change. While batches
// come the next one's sync makes it durable; else it gets its own.
int Segments::mark(const Now& now, Out batch, bool now_or_never) {
  if (current_.file == nullptr || !unmarked()) return 0;
  const bool idle = now_or_never || now.mono_us - written_us_ >= kMarkIdleUs;
  if (marked_ == end_) return idle ? sync_mark() : 0;
  if (!idle && now.mono_us - marked_us_ < kMarkUs) return 0;
  put_durable_mark(Out(first_block_).first(kSector), end_);
  // The buffer begins with the first block's octets while that is not full.
  if (end_ < kStorageBlock) std::copy_n(first_block_.begin(), kSector, batch.begin());
  marked_us_ = now.mono_us;
  const int error = current_.file->pwrite_all(first_block_, 0);
  if (error == ENOSPC || error == EDQUOT) return 0;  // as for a batch: it is tried again
  if (error != 0) return error;
  marked_ = end_;
  mark_synced_ = false;
  return idle ? sync_mark() : 0;
}

int Segments::sync_mark() {
  mark_synced_ = true;
  return current_.file->datasync();
}

// ---- what others do to the files ----

void Segments::watch(const Now& now) {
  watch_at_us_ = now.mono_us + kWatchUs;
  watch_directory();
  if (away_) return;
  if (current_.file != nullptr && !current_lost_) {
    const Closed current{current_.number, current_.id, options_.segment_octets, false};
    if (const char* const what = fault(current)) {
      current_lost_ = true;
      lost(current_.number, what);
    }
  }
  const Closed spare{spare_.number, spare_.id, options_.segment_octets, false};
  if (spare_.file != nullptr && fault(spare) != nullptr) {
    log::warn("journal_spare_lost", {{"file", storage_.place(segment_name(spare_.number))}});
    spare_lost_ = true;
  }
  watch_closed();
}

void Segments::watch_directory() {
  const bool away = !storage_.here();
  if (away != away_) {
    const std::string place = storage_.place("");
    if (away) {
      log::error("journal_directory_gone", {{"directory", place}});
    } else {
      log::info("journal_directory_back", {{"directory", place}});
    }
  }
  away_ = away;
  counts_[JournalCount::directory_gone].set(away ? 1 : 0);
}

void Segments::watch_closed() {
  for (std::size_t i = 0; i < std::min(kWatched, closed_.size()); ++i) {
    if (++watched_ >= closed_.size()) watched_ = 0;
    Closed& segment = closed_[watched_];
    const char* const what = segment.lost ? nullptr : fault(segment);
    if (what == nullptr) continue;
    segment.lost = true;
    lost(segment.number, what);
  }
}

// Null: it is what was written, as far as its name tells.
const char* Segments::fault(const Closed& segment) {
  Storage::State state;
  const int error = storage_.state(segment_name(segment.number), state);
  if (error == ENOENT) return "the file is gone";
  if (error != 0) return nullptr;  // nothing is known
  if (segment.id != 0 && state.id != segment.id) return "another file has its name";
  return state.octets < segment.octets ? "the file was cut" : nullptr;
}

void Segments::lost(std::uint64_t number, const char* what) {
  lost_upto_ = std::max(lost_upto_, number);
  counts_[JournalCount::segments_lost].add();
  log::error("journal_file_lost", {{"file", storage_.place(segment_name(number))}, {"what", what}});
}

// Under the same number: a gap in them would be damage.
int Segments::remake_spare() {
  spare_lost_ = false;
  if (spare_.file == nullptr) return 0;
  const int error = storage_.remove(segment_name(spare_.number));
  if (error != 0 && error != ENOENT) return passes(error) ? 0 : error;
  next_ = spare_.number;
  spare_ = {};
  counts_[JournalCount::segments].sub();
  retry_at_us_ = 0;
  return 0;
}

std::uint64_t Segments::draw_salt() const {
  if (options_.salt != 0) return options_.salt;
  std::random_device system;
  return (std::uint64_t{system()} << 32) | system();
}

}  // namespace tollgate::core::journal
