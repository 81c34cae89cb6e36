#include "core/journal/journal.h"

#include <algorithm>
#include <array>
#include <pthread.h>
#include <utility>

#include "core/check.h"
#include "core/journal/writer.h"

namespace tollgate::core {
namespace {

constexpr std::uint32_t kSpillHeader = 8;

std::string refuse(const JournalOptions& o) {
  if (o.storage == nullptr) return "journal: no storage";
  if (o.streams == 0 || o.streams > kJournalStreamsMax) return "journal: 1 to 256 streams";
  const std::size_t waiting = o.streams * o.ring_octets + o.batch_octets;
  if (o.segment_octets < 2 * waiting) {
    return "journal: a segment of " + std::to_string(o.segment_octets) +
           " octets cannot take twice what may wait for it, " + std::to_string(waiting) +
           " octets in the rings of " + std::to_string(o.streams) + " streams and a batch";
  }
  if (o.segment_octets > std::size_t{1} << 30 || o.segment_octets % 4096 != 0) {
    return "journal: a segment has at most 1 GiB and is a multiple of 4096 octets";
  }
  return {};
}

}  // namespace

std::string_view journal_count_name(JournalCount count) noexcept {
  static constexpr std::array<std::string_view, kJournalCounts> names{
      "batches",       "records",          "octets",           "syncs",
      "segments",      "segments_created", "segments_removed", "free_octets",
      "accepting",     "failed",           "refusals",         "stalls",
      "segments_lost", "damaged_octets",   "directory_gone",   "sleeps",
      "wakes"};
  return names[static_cast<std::size_t>(count)];
}

tl::expected<std::unique_ptr<Journal>, std::string> Journal::open(JournalOptions options) {
  if (!options.clock) options.clock = &read_clock;
  options.ring_octets = std::bit_ceil(std::max<std::size_t>(options.ring_octets, 1024));
  // The longest record that a ring takes must fit a batch with a segment's header.
  options.batch_octets =
      std::max(options.batch_octets, std::min(options.ring_octets / 2, kJournalRecordMax) + 2048);
  if (std::string error = refuse(options); !error.empty()) return tl::unexpected(std::move(error));
  std::unique_ptr<Journal> made(new Journal(std::move(options)));
  if (auto opened = made->writer_->open(); !opened) return tl::unexpected(opened.error());
  made->opened_ = true;
  made->start();
  return made;
}

Journal::Journal(JournalOptions options) : writer_(std::make_unique<Writer>(std::move(options))) {
  const JournalOptions& o = writer_->options();
  for (unsigned i = 0; i < o.streams; ++i) {
    streams_.emplace_back(new Stream(o.ring_octets, *writer_));
    writer_->add(*streams_.back());
  }
}

void Journal::start() {
  if (!writer_->options().own_thread) return;
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "journal");
    writer_->run();
  });
}

Journal::~Journal() {
  if (!opened_) return;
  writer_->stop();
  if (thread_.joinable()) thread_.join();
  writer_->finish();
}

bool Journal::step() {
  TOLLGATE_CHECK(!thread_.joinable(), "a journal with a thread of its own steps by itself");
  return writer_->step();
}

const Cells<JournalCount, kJournalCounts>& Journal::counts() const noexcept {
  return writer_->counts();
}
const Histogram& Journal::sync_us() const noexcept {
  return writer_->sync_us();
}
std::string Journal::failure() const {
  return writer_->failure();
}

Journal::Stream::Stream(std::size_t ring_octets, Writer& writer)
    : ring_(ring_octets, &writer.sleeper()), state_(writer.state()) {}

Mark Journal::Stream::append(std::uint32_t type, Octets head, Octets rest) {
  return append(type, head.size() + rest.size(), [&](Out out) {
    if (!head.empty()) std::memcpy(out.data(), head.data(), head.size());
    if (!rest.empty()) std::memcpy(out.data() + head.size(), rest.data(), rest.size());
    return out.size();
  });
}

// The word travels behind the records, so it arrives when they are durable.
void Journal::Stream::set_oldest_needed(std::uint64_t segment) {
  if (segment <= oldest_needed_) return;
  oldest_needed_ = segment;
  put(kOldestNeeded, 8, [&](Out out) {
    std::memcpy(out.data(), &segment, 8);
    return out.size();
  });
}

Out Journal::Stream::begin_spill(std::uint32_t type, std::size_t most) {
  spill_last_ = spill_.size();
  spill_.resize(spill_.size() + kSpillHeader + most);
  std::memcpy(spill_.data() + spill_last_, &type, sizeof type);
  return Out(spill_).last(most);
}

void Journal::Stream::end_spill(std::size_t size) {
  TOLLGATE_CHECK(size <= kJournalRecordMax, "a journal record is bounded");
  const auto length = static_cast<std::uint32_t>(size);
  std::memcpy(spill_.data() + spill_last_ + 4, &length, sizeof length);
  spill_.resize(spill_last_ + kSpillHeader + size);
}

void Journal::Stream::publish() {
  if (!spill_.empty()) unspill();
  ring_.publish();
}

void Journal::Stream::unspill() {
  while (spill_head_ < spill_.size() && !failed()) {
    std::array<std::uint32_t, 2> header;
    std::memcpy(header.data(), spill_.data() + spill_head_, kSpillHeader);
    const Out out = ring_.try_reserve(header[0], header[1]);
    if (out.data() == nullptr) return;
    if (!out.empty()) {
      std::memcpy(out.data(), spill_.data() + spill_head_ + kSpillHeader, out.size());
    }
    ring_.commit();
    spill_head_ += kSpillHeader + header[1];
  }
  spill_.clear();
  spill_head_ = 0;
}

}  // namespace tollgate::core
