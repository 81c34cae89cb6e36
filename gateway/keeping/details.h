// Writes the detail record of each message that ended (proto/records/detail.h) into this shard's
// stream of the detail records' files, which are a separate journal (docs/decisions/0018).
// Owned by the shard's thread. Without [records] it does nothing.
//
// Invariants
// 1. One record for each message, even over crashes: with a journal the same octets lie in the
//    message's settled record, and go to the files only when that is durable. What the files lack
//    after a crash is copied from there (detail_store.h).
// 2. Records have numbers, 1, 2, 3 ... in each run; durable() says how far the files are.
// 3. accepting() is false while more than `backlog_max` records wait for the files' disk, or it has
//    no room: submits are refused, accepted messages go on. That bounds the memory.
// 4. Files whose records are all older than `keep_days` are removed, oldest first. Age is kept
//    time: no wall clock makes it grow.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/journal/journal.h"
#include "core/shard.h"
#include "gateway/config/config.h"
#include "proto/records/detail.h"

namespace tollgate::gateway {

// What is in a file of detail records: the one type of record there is.
inline constexpr std::uint32_t kDetailType = 1;

// The files that were there at the start, oldest first, and when they were begun, by kept time
// (kept_time.h).
struct DetailFiles {
  struct File {
    std::uint64_t segment = 0;
    std::int64_t begun_kept_us = 0;
  };
  std::vector<File> files;
  std::int64_t kept_less_mono_us = 0;
};

// The record of a message as it is carried in the journal, when it ends.
proto::detail::Detail detail_of(const proto::record::Carried& carried, proto::record::How how,
                                std::int64_t settled_wall_us);

class Details {
 public:
  // `stream` null: no detail records. `files`: those that were there at the start; may be null.
  Details(const Config& config, core::Shard& shard, core::Journal::Stream* stream,
          const DetailFiles* files);

  bool on() const { return stream_ != nullptr; }
  bool accepting() const {
    return stream_ == nullptr || (stream_->accepting() && waiting() < backlog_max_);
  }
  std::uint64_t waiting() const { return pushed_ - stream_->durable(); }

  // Its octets, until the next call.
  proto::Octets write(const proto::record::Carried& carried, proto::record::How how);
  // To the files, once the journal has come to `after` (0: at once). Returns its number.
  std::uint64_t push(proto::Octets record, core::Mark after);
  std::uint64_t next_number() const { return pushed_ + 1; }

  // At the turn's start and end.
  void journal_is_at(core::Mark durable);
  void turn_end();
  bool staged() const { return head_ != staged_.size(); }

  std::uint64_t durable() const { return stream_->durable(); }
  // Where the first record that is not durable lies, or behind that.
  std::uint64_t segment();

 private:
  struct Staged {
    core::Mark after;
    std::uint64_t length;
  };
  struct Place {
    std::uint64_t first;  // number
    std::uint64_t segment;
  };
  void append(proto::Octets record);
  void let_go(std::int64_t kept_us);

  core::Shard& shard_;
  core::Journal::Stream* stream_;
  const std::uint64_t backlog_max_;
  const std::int64_t keep_us_;
  std::uint64_t pushed_ = 0;
  std::uint64_t appended_ = 0;
  std::vector<Place> places_;         // where the numbers that are not durable begin
  std::vector<std::uint8_t> staged_;  // {Staged, octets}, again and again
  std::size_t head_ = 0;
  std::vector<DetailFiles::File> files_;
  std::int64_t kept_less_mono_us_ = 0;
  std::int64_t looked_us_ = 0;
  std::array<std::uint8_t, proto::detail::kDetailMax> octets_;
};

}  // namespace tollgate::gateway
