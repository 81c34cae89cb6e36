#include "gateway/keeping/detail_stream.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <pthread.h>
#include <sstream>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/file.h"
#include "core/journal/reader.h"
#include "core/log.h"
#include "gateway/keeping/details.h"
#include "gateway/keeping/prefixed_storage.h"

namespace tollgate::gateway {

namespace journal = core::journal;

namespace {

constexpr std::string_view kPrefix = "records-";
constexpr std::size_t kReadStep = std::size_t{1} << 20;
constexpr std::uint64_t kFileMax = std::uint64_t{1} << 30;
constexpr std::uint64_t kPlace = 8;  // records begin at multiples of it

std::string position_file(const std::string& directory) {
  return (std::filesystem::path(directory) / "stream-position").string();
}

std::string id_text(std::uint64_t id) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(id));
  return text.data();
}

}  // namespace

DetailStream::DetailStream(DetailStreamOptions options)
    : options_(std::move(options)), stop_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), redis_([&] {
        routing::RedisOptions redis = options_.redis;
        redis.wake_fd = stop_fd_;
        return redis;
      }()) {}

tl::expected<std::unique_ptr<DetailStream>, std::string> DetailStream::open(
    DetailStreamOptions options) {
  auto storage = core::open_directory(options.directory, core::StorageUse::read_only);
  if (!storage) return tl::unexpected(storage.error());
  std::unique_ptr<DetailStream> made(new DetailStream(std::move(options)));
  made->storage_ = std::move(*storage);
  made->names_ = std::make_unique<PrefixedStorage>(*made->storage_, kPrefix);
  made->at_ = made->load();
  if (made->options_.own_thread) {
    made->thread_ = std::thread([stream = made.get()] {
      ::pthread_setname_np(::pthread_self(), "stream");
      stream->run();
    });
  }
  return made;
}

DetailStream::~DetailStream() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  ::eventfd_write(stop_fd_, 1);  // Redis may be silent
  if (thread_.joinable()) thread_.join();
  ::close(stop_fd_);
}

// False: it is time to end.
bool DetailStream::wait(std::int64_t us) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::microseconds(us), [this] { return stopping_; });
}

void DetailStream::run() {
  bool go_on = true;
  while (go_on) {
    const bool more = step();
    const bool failed = told_;
    go_on = wait(more ? 0 : failed ? kRetryUs : kPollUs);
  }
}

DetailStream::Position DetailStream::load() const {
  Position at;
  const auto text = core::read_file(position_file(options_.directory), 64);
  std::istringstream in(text ? *text : "");
  if (!(in >> at.segment >> at.offset)) return {};
  return at;
}

void DetailStream::save() const {
  const std::string path = position_file(options_.directory);
  {
    std::ofstream out(path + ".new", std::ios::trunc);
    out << at_.segment << ' ' << at_.offset << '\n';
    if (!out.flush()) return;  // what follows is added again
  }
  std::rename((path + ".new").c_str(), path.c_str());
}

// The file at the position, or the first one behind it that is there. A position behind all files
// is of others, that are gone.
bool DetailStream::find_segment() {
  const auto segments = core::list_journal(*names_);
  if (!segments || segments->empty()) return false;
  const bool gone = segments->back().number < at_.segment;
  const auto found = std::find_if(segments->begin(), segments->end(), [&](const auto& each) {
    return gone || each.number >= at_.segment;
  });
  if (found->number == at_.segment) return true;
  if (at_.segment != 0) {
    core::log::warn("stream_skips", {{"from", at_.segment}, {"to", found->number}});
  }
  at_ = {found->number, journal::kRecordsBegin};
  return true;
}

// As core/journal/reader.h reads it.
bool DetailStream::read_header() {
  for (std::uint64_t at = 0; at < journal::kRecordsBegin; at += journal::kSector) {
    std::array<std::uint8_t, journal::kSector> sector{};
    if (file_->read(sector, at) >= 0 &&
        journal::get_segment_header(sector, header_) == journal::HeaderFault::none &&
        header_.segment == at_.segment) {
      return true;
    }
  }
  return false;
}

bool DetailStream::open_segment() {
  while (file_ == nullptr) {
    if (!find_segment()) return false;
    if (names_->open(journal::segment_name(at_.segment), file_) != 0) return false;
    std::uint64_t size = 0;
    if (file_->size(size) == 0 && size <= kFileMax && read_header()) {
      octets_.assign(size, 0);
      // The place is a file's word, and this file may not be the one that it was said of.
      const bool is_place = at_.offset >= journal::kRecordsBegin && at_.offset <= size;
      at_.offset = is_place ? at_.offset - at_.offset % kPlace : journal::kRecordsBegin;
    } else if (!next_segment()) {
      file_.reset();
      return false;
    }
  }
  return true;
}

bool DetailStream::next_segment() {
  const auto segments = core::list_journal(*names_);
  if (!segments || segments->empty() || segments->back().number <= at_.segment) return false;
  const auto next = std::find_if(segments->begin(), segments->end(),
                                 [&](const auto& each) { return each.number > at_.segment; });
  at_ = {next->number, journal::kRecordsBegin};
  file_.reset();
  return true;
}

// Where no record is: past it when the file is closed, to the next record of it or to the next
// file. A file is closed when there is a later one, and only then all of it can be read.
bool DetailStream::pass_over() {
  const auto segments = core::list_journal(*names_);
  if (!segments || segments->empty() || segments->back().number <= at_.segment) return false;
  read_ = at_.offset;
  while (more_octets()) {
  }
  const std::uint32_t seed = journal::seed_of(header_);
  for (std::uint64_t at = at_.offset; at + journal::kRecordHeader <= read_; at += kPlace) {
    if (!journal::get_record(octets_, at, header_, seed)) continue;
    if (at != at_.offset) {
      core::log::warn("stream_skips_damage",
                      {{"file", at_.segment}, {"begin", at_.offset}, {"end", at}});
    }
    at_.offset = at;
    return true;
  }
  return next_segment();
}

bool DetailStream::more_octets() {
  if (read_ >= octets_.size()) return false;
  const std::size_t n = std::min<std::size_t>(kReadStep, octets_.size() - read_);
  const ssize_t got = file_->read(core::Out(octets_).subspan(read_, n), read_);
  if (got <= 0) return false;
  read_ += static_cast<std::uint64_t>(got);
  return true;
}

// A record may begin there whose end was not read yet.
bool DetailStream::is_cut(std::uint64_t at) const {
  if (read_ >= octets_.size() || at + core::kJournalRecordMax <= read_) return false;
  // A record that ends in zeros is whole before all of them were read.
  return at >= read_ || !journal::all_zero(core::Octets(octets_).subspan(at, read_ - at));
}

// Whole records from the position on, into the batch. `end`: behind them.
bool DetailStream::gather(Position& end) {
  batch_.clear();
  end = at_;
  const std::uint32_t seed = journal::seed_of(header_);
  read_ = at_.offset;
  if (!more_octets()) return false;
  while (batch_.size() < kBatch) {
    const auto record = journal::get_record(octets_, end.offset, header_, seed);
    if (!record) {
      if (is_cut(end.offset) && more_octets()) continue;
      return !batch_.empty();
    }
    if (record->type == kDetailType) {
      const core::Octets payload = core::Octets(octets_).subspan(
          end.offset + journal::kRecordHeader, record->length - journal::kRecordHeader);
      batch_.push_back({"XADD", options_.key, "MAXLEN", "~", std::to_string(options_.most), "*",
                        "message", id_text(proto::detail::message_of(payload)), "record",
                        std::string(proto::as_text(payload))});
    }
    end.offset += journal::padded(record->length);
  }
  return true;
}

bool DetailStream::add() {
  const auto done = redis_.transaction(batch_);
  const bool taken =
      done.has_value() && !done->is_nil() &&
      std::none_of(done->parts.begin(), done->parts.end(), [](const routing::RedisReply& part) {
        return part.kind == routing::RedisReply::Kind::error;
      });
  counters_.up.set(taken ? 1 : 0);
  if (taken) {
    counters_.added.add(batch_.size());
    if (told_) core::log::info("stream_again", {{"redis", redis_.address()}});
    told_ = false;
    return true;
  }
  counters_.failures.add();
  if (!told_) {
    core::log::warn("stream_failed",
                    {{"redis", redis_.address()},
                     {"reason", done.has_value() ? "nothing was done" : done.error().reason}});
  }
  told_ = true;
  return false;
}

bool DetailStream::step() {
  if (!open_segment()) return false;
  Position end;
  if (!gather(end)) {
    at_ = end;  // past what is of no interest
    return pass_over();
  }
  if (!add()) return false;
  at_ = end;
  save();
  return true;
}

}  // namespace tollgate::gateway
