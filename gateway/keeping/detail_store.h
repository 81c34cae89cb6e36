// The detail records' files: a separate journal (core/journal/journal.h), whose records are the
// octets of proto/records/detail.h. Opened on the starting thread, after the journal's recovery;
// commands read them while a gateway writes.
//
// Invariants
// 1. What settled records hold and the files lack is found by message id, in the files from the
//    last detailed record on (proto/records/record.h): neither memory nor time grows with all that
//    was ever written.
// 2. `missing` is written by the first shard before anything else, marked as recovered.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "core/journal/journal.h"
#include "core/journal/reader.h"
#include "core/journal/storage.h"
#include "gateway/keeping/details.h"
#include "gateway/keeping/kept_time.h"

namespace tollgate::gateway {

// The detail records of settled records that no detailed record says are in their files. note()
// each record of the journal, in its order.
class UnwrittenDetails {
 public:
  void note(const core::JournalRecord& record);

  bool empty() const;
  // Of the detail records' files: the records noted here lie in it or in later ones. 0: anywhere.
  std::uint64_t files_from() const;
  // Those whose message is not among `written`.
  std::vector<std::vector<std::uint8_t>> without(
      const std::function<bool(std::uint64_t message)>& written) const;
  // Each message.
  void for_each(const std::function<void(std::uint64_t message)>& f) const;

 private:
  struct One {
    std::uint64_t number;
    std::vector<std::uint8_t> octets;
  };
  struct Stream {
    std::deque<One> waiting;
    std::uint64_t upto = 0;
    std::uint64_t segment = 0;  // 0: no detailed record was seen
  };
  std::map<std::pair<std::uint64_t, unsigned>, Stream> streams_;  // by run and stream
};

struct DetailStoreOptions {
  core::Storage* storage = nullptr;  // the directory's; outlives the store
  unsigned streams = 1;
  std::size_t segment_octets = std::size_t{64} << 20;
  std::size_t ring_octets = std::size_t{4} << 20;
  std::size_t batch_octets = std::size_t{1} << 20;
  std::uint64_t reserve_octets = 0;
  std::int64_t linger_us = 0;
  core::KeptApart* observer = nullptr;  // sees each record when it is written; outlives the store
  std::optional<KeptAt> kept;           // from an earlier process
  core::Clock clock;
  std::uint64_t salt = 0;
  bool own_thread = true;
};

struct DetailStore {
  std::unique_ptr<core::Storage> names;
  std::unique_ptr<core::Journal> journal;
  DetailFiles files;                               // that were there
  std::vector<std::vector<std::uint8_t>> missing;  // to be written first
  core::JournalReport report;                      // of what was looked at
};

// The files in a directory, for the process that begins now. The error is a sentence.
tl::expected<DetailFiles, std::string> list_details(core::Storage& storage,
                                                    const std::optional<KeptAt>& kept,
                                                    const core::Now& now);

// The error is a sentence.
tl::expected<DetailStore, std::string> open_details(const DetailStoreOptions& options,
                                                    const UnwrittenDetails& unwritten);

// Each record of files that may hold some that ended at `from_us` or later; oldest first. The
// octets are valid during the call. `progress`: files read, of how many; may be empty.
tl::expected<core::JournalReport, std::string> read_details(
    core::Storage& storage, std::int64_t from_us, const std::function<void(core::Octets)>& f,
    const std::function<void(std::uint64_t, std::uint64_t)>& progress = {});

// A place in the files: that of a record, or one in front of all records of a file. `kept_us`: kept
// time when it was noted, which tells a file that was begun later and has an earlier one's number.
struct DetailPlace {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::int64_t kept_us = 0;
};

// Each record behind that of the place.
tl::expected<core::JournalReport, std::string> read_details_behind(
    core::Storage& storage, const DetailPlace& place, const std::function<void(core::Octets)>& f);

}  // namespace tollgate::gateway
