// Detail records into a Redis Stream, read from their files: so nothing waits for Redis, and it
// gets what it missed. A separate thread; it only reads.
//
// Invariants
// 1. Each record is added at least once, in the order of the files, after it was written there.
//    The file `stream-position` holds how far that is, saved after each batch that Redis took: what
//    follows it is added again after a crash. The entry's `message` identifies repeats.
//    Damage in a file, and a position that is none, lose what cannot be read and no more.
// 2. Redis away, full or talking nonsense: counted, logged once, tried again every kRetryUs. Files
//    that were removed meanwhile (keep_days) are skipped and logged.
// 3. Memory: one file's octets, one batch.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/counters.h"
#include "core/journal/format.h"
#include "core/journal/storage.h"
#include "routing/store/redis.h"

namespace tollgate::gateway {

struct DetailStreamOptions {
  std::string directory;  // of the records
  routing::RedisOptions redis;
  std::string key;
  std::uint64_t most = 1'000'000;  // entries that the stream keeps, about
  bool own_thread = true;          // false: the owner calls step()
};

struct DetailStreamCounters {
  core::Cell added;     // entries
  core::Cell failures;  // batches that Redis did not take
  core::Cell up;        // gauge: it took the last one
};

class DetailStream {
 public:
  // The error is a sentence: the directory cannot be read.
  static tl::expected<std::unique_ptr<DetailStream>, std::string> open(DetailStreamOptions options);
  ~DetailStream();
  DetailStream(const DetailStream&) = delete;
  DetailStream& operator=(const DetailStream&) = delete;

  // One batch. True: there may be more at once. For tests without a thread.
  bool step();
  const DetailStreamCounters& counters() const { return counters_; }

 private:
  static constexpr std::int64_t kPollUs = 200'000;
  static constexpr std::int64_t kRetryUs = 1'000'000;
  static constexpr std::size_t kBatch = 256;

  struct Position {
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;
  };
  explicit DetailStream(DetailStreamOptions options);
  void run();
  bool wait(std::int64_t us);
  Position load() const;
  void save() const;
  bool find_segment();
  bool read_header();
  bool open_segment();
  bool next_segment();
  bool pass_over();
  bool gather(Position& end);
  bool is_cut(std::uint64_t at) const;
  bool more_octets();
  bool add();

  DetailStreamOptions options_;
  std::unique_ptr<core::Storage> storage_;
  std::unique_ptr<core::Storage> names_;
  int stop_fd_;  // ends any wait for Redis
  routing::Redis redis_;
  DetailStreamCounters counters_;
  Position at_;
  core::FilePtr file_;  // of at_.segment
  core::journal::SegmentHeader header_;
  std::vector<std::uint8_t> octets_;  // of it, as far as they were read
  std::uint64_t read_ = 0;
  std::vector<std::vector<std::string>> batch_;
  bool told_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // by mutex_
  std::thread thread_;
};

}  // namespace tollgate::gateway
