// Journal: records of all shards, durable in one place. Each shard appends to its own stream. One
// thread gathers what all of them published, writes it with one write and one fdatasync (group
// commit), and tells each stream up to which mark its records are durable.
//
//   1 durable() >= m only after fdatasync of every octet of the records 1 .. m of that stream.
//   2 Records of one stream are read back in the order they were appended. Those of two streams
//     have no order between them.
//   3 accepting() becomes false while the disk still has room, already allocated, for everything
//     in the rings: an appended record can always be written. It becomes true again by itself.
//     Records of messages accepted earlier are always taken; when even their room is used up the
//     journal waits (marks stand still, streams spill) until there is more.
//   4 After an error of fdatasync, or of a write for another reason than a full disk, failed() is
//     true for good: no mark moves any more, nothing is retried, nothing is written.
//   5 A segment is removed only when it is closed, older segments are gone, every stream has said
//     that it needs no segment that old, everything the stream appended before saying so is
//     durable, and what is kept apart of the segment is durable there.
//   6 Files that others remove, replace or cut under it are noticed within seconds, logged and
//     counted (segments.h); lost_upto() says which segments may have lost records, so that
//     what is live is written anew. Without its directory accepting() is false.
//   7 ~Journal writes and syncs what was published, and calls `wake` until it returns.
//   8 No wake-up is lost: the journal's thread sleeps by the protocol of mailbox.h; `wake` is
//     called after the store of a stream's mark, whenever that mark moved, and once after failing.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <tl/expected.hpp>
#include <vector>

#include "core/clock.h"
#include "core/counters.h"
#include "core/journal/storage.h"
#include "core/mailbox.h"
#include "core/octets.h"

namespace tollgate::core {

using Mark = std::uint64_t;  // records appended to one stream so far; 0: none

// Octets of a segment's file.
struct JournalStretch {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// Where the reading of a journal ended (JournalReport::tail) and the writing goes on.
struct JournalTail {
  std::uint64_t segment = 0;           // the last one with records; 0: none
  std::uint64_t batch = 0;             // where in it the last batch begins
  std::uint64_t end = 0;               // where in it the last record ends
  std::uint64_t next = 0;              // 0: nothing was read, and there must be nothing;
                                       // else the first to write: what has this number or a higher
                                       // one holds no record and is removed
  std::vector<JournalStretch> unread;  // of `segment`, ascending: the disk does not give them.
                                       // They were reported as damage
};

// Records that are needed for longer than their segments: copied elsewhere as they are written.
// Called on the journal's thread (open() is on its opener's).
class KeptApart {
 public:
  virtual ~KeptApart() = default;
  virtual bool wants(std::uint32_t type) const = 0;
  // About to be written there, in the order of the journal.
  virtual void keep(std::uint64_t segment, std::uint64_t offset, Octets payload) = 0;
  // Each round. An errno is for good: the journal fails with it.
  virtual int step() = 0;
  // All that was kept is durable apart; until then no segment is removed.
  virtual bool settled() const = 0;
};

struct JournalOptions {
  Storage* storage = nullptr;  // outlives the journal
  unsigned streams = 1;        // 1 .. kJournalStreamsMax
  std::size_t segment_octets = std::size_t{64} << 20;
  std::size_t ring_octets = std::size_t{4} << 20;   // of each stream
  std::size_t batch_octets = std::size_t{1} << 20;  // written at once, at most
  std::uint64_t reserve_octets = 0;                 // accepting() needs this much free space
  std::int64_t linger_us = 0;                       // gathers this long before it writes
  JournalTail tail;                                 // where JournalReader ended
  std::uint64_t damaged_octets = 0;                 // what it reported, to be counted
  std::function<void(unsigned stream)> wake;        // on the journal's thread
  KeptApart* apart = nullptr;                       // outlives the journal; null: none
  Clock clock;                                      // default: read_clock
  std::int64_t kept_less_mono_us = 0;               // a segment's header says when it was begun
                                                    // by this too; 0: it does not
  std::uint64_t salt = 0;                           // of the checksums; 0: from the system
  bool own_thread = true;                           // false: the owner calls step()
};

inline constexpr unsigned kJournalStreamsMax = 256;
inline constexpr std::uint32_t kJournalTypeMax = 0xFEFF;                  // of a record
inline constexpr std::size_t kJournalRecordMax = std::size_t{256} << 10;  // octets of a payload

enum class JournalCount : std::uint8_t {
  batches,
  records,
  octets,    // written, with their framing
  syncs,     // fdatasyncs of batches
  segments,  // files that exist now
  segments_created,
  segments_removed,
  free_octets,     // of the file system, as last seen
  accepting,       // 1 or 0
  failed,          // 1 or 0
  refusals,        // times that accepting became false
  stalls,          // times that a batch had no room to be written to
  segments_lost,   // removed, replaced or cut by others
  damaged_octets,  // that the start found (JournalOptions::damaged_octets)
  directory_gone,  // 1 or 0: the directory is no longer where it was
  sleeps,
  wakes  // of shards
};
inline constexpr std::size_t kJournalCounts = 17;
std::string_view journal_count_name(JournalCount) noexcept;

class Journal {
 public:
  class Stream;

  // Makes what recovery read durable, and the first segments. A full disk is no error here.
  static tl::expected<std::unique_ptr<Journal>, std::string> open(JournalOptions options);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  Stream& stream(unsigned index) noexcept { return *streams_[index]; }

  // Without a separate thread: one round (housekeeping, at most one batch). True: did something.
  bool step();

  // Any thread.
  const Cells<JournalCount, kJournalCounts>& counts() const noexcept;
  const Histogram& sync_us() const noexcept;  // write and fdatasync of a batch
  std::string failure() const;                // why it failed; "" while it has not

 private:
  class Writer;
  // What the journal's thread tells all streams.
  struct alignas(kCacheLine) State {
    std::atomic<bool> accepting{false};
    std::atomic<bool> failed{false};
    std::atomic<bool> apart_settled{true};
    std::atomic<std::uint64_t> current_segment{0};
    std::atomic<bool> begun{false};
    std::atomic<std::uint64_t> lost_upto{0};
  };
  explicit Journal(JournalOptions options);
  void start();

  std::unique_ptr<Writer> writer_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::thread thread_;
  bool opened_ = false;
};

// One shard's way into the journal: that shard's thread only.
class Journal::Stream {
 public:
  bool accepting() const noexcept { return state_.accepting.load(std::memory_order_acquire); }
  bool failed() const noexcept { return state_.failed.load(std::memory_order_acquire); }
  // What is kept apart of durable records is durable there too.
  bool apart_settled() const noexcept {
    return state_.apart_settled.load(std::memory_order_acquire);
  }

  // Never refuses: without room in the ring the record goes to the spill, which is as long as what
  // is appended while spilled(). fill(Out) writes the payload where it stays, at most `most`
  // octets, and returns how many; it is not called once the journal has failed.
  template <class Fill>
  Mark append(std::uint32_t type, std::size_t most, Fill&& fill) {
    TOLLGATE_CHECK(type <= kJournalTypeMax, "types above are the journal's own");
    ++appended_;
    put(type, most, fill);
    return appended_;
  }
  // The payload is head and then rest.
  Mark append(std::uint32_t type, Octets head, Octets rest = {});
  // Octets that a record's payload may have.
  std::size_t longest() const noexcept {
    return std::min(kJournalRecordMax, ring_.capacity() / 2 - 64);
  }
  // Something waits for room in the ring: hold what makes new records. publish() moves it on.
  bool spilled() const noexcept { return !spill_.empty(); }
  // Once a turn, at its end.
  void publish();

  Mark appended() const noexcept { return appended_; }
  Mark durable() const noexcept { return durable_.load(std::memory_order_acquire); }

  // A record appended now will lie in this segment or a later one.
  std::uint64_t current_segment() const noexcept {
    return state_.current_segment.load(std::memory_order_acquire);
  }
  // It has a segment. Until a start finds room for its first one, nothing that is appended becomes
  // durable.
  bool begun() const noexcept { return state_.begun.load(std::memory_order_acquire); }
  // Segments up to this one may have lost records; 0: none has.
  std::uint64_t lost_upto() const noexcept {
    return state_.lost_upto.load(std::memory_order_acquire);
  }
  // No record in older segments is needed any more, once what was appended so far is durable.
  void set_oldest_needed(std::uint64_t segment);

 private:
  friend class Journal;
  Stream(std::size_t ring_octets, Writer& writer);
  template <class Fill>
  void put(std::uint32_t type, std::size_t most, Fill&& fill) {
    if (failed()) return;  // nothing becomes durable any more: nothing has to be kept
    Out out;
    const bool fits = Mailbox::record_size(most) <= ring_.capacity() / 2;
    if (fits && spill_.empty()) [[likely]]
      out = ring_.try_reserve(type, most);
    if (out.data() == nullptr) [[unlikely]]
      return end_spill(fill(begin_spill(type, most)));
    const std::size_t size = fill(out);
    TOLLGATE_CHECK(size <= kJournalRecordMax, "a journal record is bounded");
    ring_.commit(size);
  }
  Out begin_spill(std::uint32_t type, std::size_t most);
  void end_spill(std::size_t size);
  void unspill();

  Mailbox ring_;
  const State& state_;
  Mark appended_ = 0;
  std::uint64_t oldest_needed_ = 0;
  std::vector<std::uint8_t> spill_;
  std::size_t spill_head_ = 0;  // of the first record that is still to go
  std::size_t spill_last_ = 0;  // of the last record
  alignas(kCacheLine) std::atomic<Mark> durable_{0};
};

}  // namespace tollgate::core
