#include "core/journal/writer.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <system_error>
#include <time.h>
#include <unistd.h>
#include <utility>

#include "core/journal/format.h"

namespace tollgate::core {

namespace {

// Before the shards start. One that has no thread may be opened at any time, and needs none.
int made_event() {
  const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event >= 0) return event;
  throw std::system_error(errno, std::generic_category(), "an eventfd for the journal");
}

}  // namespace

Journal::Writer::Writer(JournalOptions options)
    : options_(std::move(options)),
      sleeper_(this),
      event_(options_.own_thread ? made_event() : -1),
      segments_(options_, counts_),
      batch_(static_cast<std::uint8_t*>(::operator new (options_.batch_octets + 2 * kStorageBlock,
                                                        std::align_val_t{kStorageBlock}))) {}

Journal::Writer::~Writer() {
  if (event_ >= 0) ::close(event_);
}

void Journal::Writer::Free::operator()(std::uint8_t* blocks) const noexcept {
  ::operator delete (blocks, std::align_val_t{kStorageBlock});
}

tl::expected<void, std::string> Journal::Writer::open() {
  counts_[JournalCount::damaged_octets].set(options_.damaged_octets);
  auto opened = segments_.open(options_.clock());
  show_segment();
  show_state();
  return opened;
}

// ---- a round ----

bool Journal::Writer::step() {
  if (state_.failed.load(std::memory_order_relaxed)) return false;
  const Now now = options_.clock();
  if (const int error = segments_.maintain(now)) return fail("the segments", error);
  show_state();
  if (segments_.current_lost() && batch_empty() && !turn_over(now)) return false;
  if (!gather(now)) return false;
  const bool some = !batch_empty();
  if (some && !write(now)) return false;
  if (options_.apart != nullptr) {
    if (const int error = options_.apart->step()) return fail("what is kept apart", error);
    state_.apart_settled.store(apart_settled(), std::memory_order_release);
  }
  announce();
  if (const int error = segments_.mark(now, buffer())) return fail("the mark", error);
  bool zeroed = false;
  if (const int error = segments_.zero_ahead(!some && !finishing_, zeroed)) {
    return fail("the spare segment", error);
  }
  return some || zeroed || segments_.removable();
}

// False: failed.
bool Journal::Writer::gather(const Now& now) {
  no_room_ = false;
  for (std::size_t i = 0; i < inputs_.size(); ++i) take((first_ + i) % inputs_.size());
  first_ = (first_ + 1) % inputs_.size();
  if (!no_room_ || !batch_empty()) return true;
  if (segments_.spare()) return turn_over(now) && gather(now);  // once: a fresh segment has room
  if (!stalled_) counts_[JournalCount::stalls].add();
  stalled_ = true;
  return true;
}

// To the spare, if there is one. False: failed.
bool Journal::Writer::turn_over(const Now& now) {
  if (!segments_.advance(now)) return true;
  if (const int error = segments_.maintain(now)) return fail("the spare segment", error);
  batch_begin_ = batch_end_ = 0;
  show_segment();
  show_state();
  return true;
}

void Journal::Writer::take(std::size_t stream) {
  Input& input = inputs_[stream];
  input.stream->ring_.drain(std::numeric_limits<std::size_t>::max(),
                            [&](std::uint32_t type, Octets payload) {
                              if (type == kOldestNeeded) {
                                std::memcpy(&input.oldest_needed, payload.data(), 8);
                                needs_changed_ = true;
                                return true;
                              }
                              if (!add_record(static_cast<unsigned>(stream), type, payload)) {
                                return false;
                              }
                              ++input.taken;
                              ++batch_records_;
                              return true;
                            });
}

bool Journal::Writer::add_record(unsigned stream, std::uint32_t type, Octets payload) {
  const bool first = batch_empty() && segments_.end() == 0;
  const std::size_t begin = first ? journal::kRecordsBegin : batch_end_;
  const std::size_t end = begin + journal::record_octets(payload.size());
  if (end - batch_begin_ > segments_.room()) {
    no_room_ = true;
    return false;
  }
  if (end - batch_begin_ > options_.batch_octets) return false;
  if (first) journal::put_segment_header({batch_.get(), begin}, segments_.header());
  journal::put_record(batch_.get() + begin, {type, stream, segments_.end(), segments_.seed()},
                      payload);
  if (options_.apart != nullptr && options_.apart->wants(type)) {
    options_.apart->keep(segments_.header().segment, segments_.end() + begin - batch_begin_,
                         payload);
  }
  batch_end_ = end;
  return true;
}

// False: the batch is still to be written, or failed.
bool Journal::Writer::write(const Now& now) {
  const std::size_t blocks = (batch_end_ + kStorageBlock - 1) & ~(kStorageBlock - 1);
  std::memset(batch_.get() + batch_end_, 0, blocks - batch_end_);
  const int error =
      segments_.file().pwrite_all({batch_.get(), blocks}, segments_.end() - batch_begin_);
  if (error == ENOSPC || error == EDQUOT) {  // a file system that keeps no promise of room
    if (!stalled_) counts_[JournalCount::stalls].add();
    stalled_ = true;
    return false;
  }
  if (error != 0) return fail("a batch, writing", error);
  if (const int unsynced = segments_.file().datasync()) return fail("a batch, syncing", unsynced);
  stalled_ = false;
  sync_us_.observe(options_.clock().mono_us - now.mono_us);
  segments_.written({batch_.get(), blocks}, segments_.end() - batch_begin_,
                    batch_end_ - batch_begin_, now);
  counts_[JournalCount::syncs].add();
  counts_[JournalCount::batches].add();
  counts_[JournalCount::records].add(batch_records_);
  counts_[JournalCount::octets].add(batch_end_ - batch_begin_);
  begin_batch();
  return true;
}

// Behind what has just become durable: of its last block the octets so far stay in the buffer.
void Journal::Writer::begin_batch() {
  const std::size_t kept = batch_end_ % kStorageBlock;
  std::memmove(batch_.get(), batch_.get() + batch_end_ - kept, kept);
  batch_begin_ = batch_end_ = kept;
  batch_records_ = 0;
}

// Everything that was taken is durable.
void Journal::Writer::announce() {
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
  for (unsigned i = 0; i < inputs_.size(); ++i) {
    const Input& input = inputs_[i];
    oldest = std::min(oldest, input.oldest_needed);
    if (input.taken == input.stream->durable_.load(std::memory_order_relaxed)) continue;
    input.stream->durable_.store(input.taken, std::memory_order_release);
    counts_[JournalCount::wakes].add();
    if (options_.wake) options_.wake(i);
  }
  if (!needs_changed_ || !apart_settled()) return;
  needs_changed_ = false;
  segments_.set_oldest_needed(oldest);
}

void Journal::Writer::show_segment() {
  state_.current_segment.store(segments_.number(), std::memory_order_release);
  state_.begun.store(segments_.begun(), std::memory_order_release);
}

void Journal::Writer::show_state() {
  if (state_.lost_upto.load(std::memory_order_relaxed) != segments_.lost_upto()) {
    state_.lost_upto.store(segments_.lost_upto(), std::memory_order_release);
  }
  const bool accepting = segments_.ready() && !state_.failed.load(std::memory_order_relaxed);
  if (accepting == state_.accepting.load(std::memory_order_relaxed)) return;
  state_.accepting.store(accepting, std::memory_order_release);
  counts_[JournalCount::accepting].set(accepting ? 1 : 0);
  if (!accepting) counts_[JournalCount::refusals].add();
}

// Always false, for its callers.
bool Journal::Writer::fail(const char* what, int error) {
  failure_ = std::string("journal: ") + what + ": " + std::strerror(error);
  state_.failed.store(true, std::memory_order_release);
  counts_[JournalCount::failed].set(1);
  show_state();
  for (unsigned i = 0; i < inputs_.size() && options_.wake; ++i) options_.wake(i);
  return false;
}

std::string Journal::Writer::failure() const {
  return state_.failed.load(std::memory_order_acquire) ? failure_ : std::string{};
}

// ---- the thread ----

void Journal::Writer::run() {
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  while (!stopping_.load(std::memory_order_acquire)) {
    if (step()) {
      linger();
    } else if (state_.failed.load(std::memory_order_relaxed)) {
      return;
    } else {
      rest();
    }
  }
}

void Journal::Writer::finish() {
  finishing_ = true;
  while (step()) {
  }
  if (state_.failed.load(std::memory_order_relaxed) || !batch_empty() || segments_.end() == 0 ||
      !add_record(0, journal::kEndType, {})) {
    return;
  }
  if (!write(options_.clock())) return;
  announce();
  if (const int error = segments_.mark(options_.clock(), buffer(), true)) fail("the mark", error);
}

void Journal::Writer::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  wake();
}

void Journal::Writer::wake() noexcept {
  const std::uint64_t one = 1;
  while (::write(event_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Journal::Writer::rest() {
  const std::int64_t retry_us = journal::Segments::kRetryUs;
  if (stalled_) return wait(retry_us);  // what the rings hold cannot go yet
  sleeper_.fall_asleep();
  if (!input_waits() && !stopping_.load(std::memory_order_relaxed)) {
    counts_[JournalCount::sleeps].add();
    const bool retries = !segments_.ready() || segments_.retries() || !apart_settled();
    const std::int64_t idle_us =
        segments_.unmarked() ? journal::Segments::kMarkIdleUs : journal::Segments::kWatchUs;
    wait(retries ? std::min(idle_us, retry_us) : idle_us);
  }
  sleeper_.awake();
}

void Journal::Writer::wait(std::int64_t us) noexcept {
  pollfd wanted{event_, POLLIN, 0};
  ::poll(&wanted, 1, us < 0 ? -1 : static_cast<int>(us / 1000));
  std::uint64_t count = 0;
  while (::read(event_, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

bool Journal::Writer::input_waits() noexcept {
  for (const Input& input : inputs_) {
    if (!input.stream->ring_.empty()) return true;
  }
  return false;
}

void Journal::Writer::linger() {
  if (options_.linger_us <= 0) return;
  const timespec pause{options_.linger_us / 1'000'000, options_.linger_us % 1'000'000 * 1'000};
  ::nanosleep(&pause, nullptr);
}

}  // namespace tollgate::core
