#include "gateway/keeping/due_store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <pthread.h>
#include <random>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

#include "core/check.h"
#include "core/log.h"

namespace tollgate::gateway {
namespace {

constexpr std::size_t kRing = 1024;

std::uint64_t drawn(std::uint64_t salt) {
  if (salt != 0) return salt;
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

const char* deed_name(DueDeed deed) {
  switch (deed) {
    case DueDeed::write:
      return "write";
    case DueDeed::read:
      return "read";
    case DueDeed::remove:
      break;
  }
  return "remove";
}

}  // namespace

std::string_view due_count_name(DueCount count) {
  static constexpr std::array<std::string_view, kDueCounts> kNames{
      "chunks", "octets",   "written", "read",    "removed",
      "errors", "no_space", "damaged", "missing", "receipts_lost"};
  return kNames[static_cast<std::size_t>(count)];
}

DueStore::Waking::Waking() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_ < 0) {
    throw std::system_error(errno, std::generic_category(), "an eventfd for the due store");
  }
}
DueStore::Waking::~Waking() {
  ::close(event_);
}
void DueStore::Waking::wake() noexcept {
  const std::uint64_t one = 1;
  while (::write(event_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}
void DueStore::Waking::wait(std::int64_t us) noexcept {
  pollfd wanted{event_, POLLIN, 0};
  ::poll(&wanted, 1, static_cast<int>(us / 1'000));
  std::uint64_t count = 0;
  while (::read(event_, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

DueStore::Channel::Channel(core::Shard& shard, core::Sleeper& sleeper)
    : asked_(kRing, &sleeper), answers_(shard.open_inbox(kRing)) {
  for (DueJob& job : jobs_) free_.push_back(&job);
}

DueJob* DueStore::Channel::take() {
  if (free_.empty()) return nullptr;
  DueJob* job = free_.back();
  free_.pop_back();
  job->listed.clear();
  job->damaged = job->last_try = false;
  job->error = 0;
  job->found = 0;
  job->chunk = {};
  return job;
}

void DueStore::Channel::ask(DueJob& job) {
  DueJob* const mail = &job;
  const bool fits = asked_.try_push(static_cast<std::uint32_t>(job.deed), mail, {});
  TOLLGATE_CHECK(fits, "a ring has room for every job of its shard");
  asked_.publish();
}

DueStore::DueStore(DueOptions options)
    : options_(std::move(options)),
      storage_(*options_.storage),
      sleeper_(&waking_),
      there_(options_.numbers.begin(), options_.numbers.end()),
      number_(options_.numbers_behind),
      salt_(drawn(options_.salt)) {
  counts_[DueCount::chunks].set(options_.chunks);
  counts_[DueCount::octets].set(options_.octets);
}

DueStore::~DueStore() {
  stopping_.store(true, std::memory_order_release);
  waking_.wake();
  if (thread_.joinable()) thread_.join();
}

DueStore::Channel& DueStore::add(core::Shard& shard) {
  TOLLGATE_CHECK(shard.index() == channels_.size(), "channels are added in the shards' order");
  channels_.push_back(std::make_unique<Channel>(shard, sleeper_));
  return *channels_.back();
}

void DueStore::start() {
  if (!options_.own_thread) return;
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "due");
    run();
  });
}

void DueStore::run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    if (!step()) rest();
  }
}

void DueStore::rest() {
  sleeper_.fall_asleep();
  const bool waits = std::any_of(channels_.begin(), channels_.end(),
                                 [](const auto& channel) { return !channel->asked_.empty(); });
  if (!waits && !stopping_.load(std::memory_order_relaxed)) waking_.wait(kWatchUs);
  sleeper_.awake();
}

// By the names alone: what is in the chunks is looked at when they are read.
void DueStore::watch() {
  const bool gone = !storage_.here();
  if (gone && !gone_) {
    core::log::error("due_directory_gone", {{"directory", storage_.place("")}});
  } else if (!gone && gone_) {
    core::log::info("due_directory_back", {{"directory", storage_.place("")}});
  }
  gone_ = gone;
  std::vector<std::string> names;
  if (gone || storage_.list(names) != 0) return;
  std::set<std::uint64_t> found;
  for (const std::string& name : names) found.insert(chunk_number(name));
  for (auto each = there_.begin(); each != there_.end();) {
    if (found.contains(*each)) {
      ++each;
      continue;
    }
    core::log::error("due_chunk_missing",
                     {{"file", storage_.place(chunk_name(*each))}, {"what", "others removed it"}});
    counts_[DueCount::missing].add();
    each = there_.erase(each);
  }
}

bool DueStore::step() {
  bool some = false;
  if (const core::Now at = now(); at.mono_us >= watch_at_us_) {
    watch_at_us_ = at.mono_us + kWatchUs;
    watch();
  }
  for (const auto& channel : channels_) {
    DueJob* job = nullptr;
    channel->asked_.drain(1, [&](std::uint32_t, core::Octets record) {
      std::memcpy(&job, record.data(), sizeof job);
    });
    if (job == nullptr) continue;
    perform(*job);
    const bool fits = channel->answers_.try_push(0, job, {});
    TOLLGATE_CHECK(fits, "a ring has room for every answer to its shard");
    channel->answers_.publish();
    some = true;
  }
  return some;
}

void DueStore::perform(DueJob& job) {
  switch (job.deed) {
    case DueDeed::write:
      job.error = write(job);
      break;
    case DueDeed::read:
      job.error = read(job);
      break;
    case DueDeed::remove:
      job.error = remove(job.chunk);
      break;
  }
  if (job.error == 0) return;
  counts_[DueCount::errors].add();
  if (job.error == ENOSPC || job.error == EDQUOT) counts_[DueCount::no_space].add();
  core::log::error("due_store_failed", {{"deed", deed_name(job.deed)},
                                        {"chunk", job.chunk.number},
                                        {"reason", std::strerror(job.error)}});
}

std::uint64_t DueStore::next_number() {
  number_ = std::max(number_ + 1, static_cast<std::uint64_t>(now().wall_us));
  return number_;
}

// What an earlier write left must be gone, or the next start might take it for a good chunk.
int DueStore::clear_abandoned() {
  while (!abandoned_.empty()) {
    const int error = storage_.remove(chunk_name(abandoned_.back()));
    if (error != 0 && error != ENOENT) return error;
    abandoned_.pop_back();
  }
  return 0;
}

int DueStore::write(DueJob& job) {
  if (const int error = clear_abandoned()) return error;
  job.chunk.number = next_number();
  write_chunk(job.chunk, job.client_name, job.listed, {salt_ ^ job.chunk.number, job.clocks},
              file_);
  job.chunk.octets = static_cast<std::uint32_t>(file_.size());
  std::uint64_t free_octets = 0;
  if (const int error = storage_.free_octets(free_octets)) return error;
  if (free_octets < options_.reserve_octets + file_.size()) return ENOSPC;
  if (const int error = put(chunk_name(job.chunk.number))) {
    abandoned_.push_back(job.chunk.number);
    clear_abandoned();
    return error;
  }
  there_.insert(job.chunk.number);
  counts_[DueCount::written].add();
  counts_[DueCount::chunks].add();
  counts_[DueCount::octets].add(file_.size());
  return 0;
}

int DueStore::put(const std::string& name) {
  core::FilePtr file;
  if (const int error = storage_.create(name, file)) return error;
  if (const int error = file->pwrite_all(file_, 0)) return error;
  if (const int error = file->datasync()) return error;
  return storage_.sync_directory();
}

int DueStore::read(DueJob& job) {
  const std::uint64_t number = job.chunk.number;
  core::FilePtr file;
  std::uint64_t size = 0;
  int error = storage_.open(chunk_name(number), file);
  if (error == ENOENT) {
    damaged(job, "the chunk is missing");
    return 0;
  }
  if (error == 0) error = file->size(size);
  if (error == 0) {
    file_.resize(std::min<std::uint64_t>(size, kChunkOctetsMax));
    const ssize_t got = file->read(file_, 0);
    if (got < 0) error = static_cast<int>(-got);
    if (got >= 0) file_.resize(static_cast<std::size_t>(got));
  }
  if (error != 0 && !job.last_try) return error;
  if (error != 0) file_.clear();
  const ChunkReading reading = read_chunk(file_, number, job.listed);
  job.found = reading.found;
  counts_[DueCount::read].add();
  if (reading.damaged || reading.found != job.chunk.receipts) {
    damaged(job, error != 0 ? std::strerror(error) : "records fail their checksums");
  }
  return 0;
}

void DueStore::damaged(DueJob& job, const char* what) {
  job.damaged = true;
  counts_[DueCount::damaged].add();
  counts_[DueCount::receipts_lost].add(job.chunk.receipts -
                                       std::min(job.chunk.receipts, job.found));
  const std::string name = chunk_name(job.chunk.number);
  const std::string kept = damaged_chunk_name(job.chunk.number);
  const int error = storage_.link(name, kept);
  if (error == 0) storage_.sync_directory();
  const bool aside = error == 0 || error == EEXIST;
  core::log::error("due_chunk_damaged", {{"chunk", job.chunk.number},
                                         {"receipts", job.chunk.receipts},
                                         {"read", job.found},
                                         {"what", what},
                                         {"set_aside", aside ? "yes" : "no"}});
}

int DueStore::remove(const DueChunk& chunk) {
  there_.erase(chunk.number);
  const int error = storage_.remove(chunk_name(chunk.number));
  if (error != 0 && error != ENOENT) return error;
  if (const int unsynced = storage_.sync_directory()) return unsynced;
  counts_[DueCount::removed].add();
  counts_[DueCount::chunks].sub();
  counts_[DueCount::octets].sub(chunk.octets);
  return 0;
}

}  // namespace tollgate::gateway
