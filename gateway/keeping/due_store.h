// The due store: receipts that clients are owed and that memory has no room for, as chunks
// (due_chunk.h) in a directory. One thread does everything that touches the disk; a shard asks
// through its channel, and the answer wakes it.
//
// Invariants
// 1. A write is answered without error only when the chunk and its name are durable; a removal
//    only when the name is durably gone.
// 2. A chunk's number is used once, even across restarts: it is higher than every number of a file
//    or a record of the journal, and than the wall clock's microseconds at the first one.
// 3. A failed write leaves no file behind: until what it left is gone no other write succeeds.
//    The same receipts are then tried under another number (an fsync is never retried).
// 4. Damage is logged and counted, and the file keeps a second name (damaged-due-...) for people.
//    Whole records of the chunk are given.
// 5. A write leaves `reserve_octets` of the disk free: the journal's needs come first.
// 6. If others remove chunks, or the directory is no longer where it was, that is noticed within
//    seconds, logged and counted. (Those receipts are lost; the reading counts them.)
// 7. A job belongs to its channel's shard between take() and ask(), and from the answer until
//    give_back(); in between to the store's thread.
//
// Bounds: kJobs jobs per shard, each with one chunk's octets.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/counters.h"
#include "core/journal/storage.h"
#include "core/shard.h"
#include "gateway/keeping/due_chunk.h"

namespace tollgate::gateway {

enum class DueDeed : std::uint32_t { write = 1, read, remove };

struct DueJob {
  DueDeed deed = DueDeed::write;
  std::uint16_t client = 0;
  bool last_try = false;             // read: what cannot be read is damage
  bool damaged = false;              // read
  int error = 0;                     // errno; 0: done
  std::uint32_t found = 0;           // read: receipts in `listed`
  DueChunk chunk;                    // write: its number and octets are the answer
  std::string_view client_name;      // write
  core::ClockPair clocks;            // write: of the shard's turn that the receipts' times are by
  std::vector<std::uint8_t> listed;  // as in record::Loaded
};

enum class DueCount : std::uint8_t {
  chunks,  // files that exist now
  octets,  // theirs
  written,
  read,
  removed,
  errors,        // writes, reads and removals that failed
  no_space,      // of them: the disk was full
  damaged,       // chunks
  missing,       // chunks that others removed
  receipts_lost  // by damage
};
inline constexpr std::size_t kDueCounts = 10;
std::string_view due_count_name(DueCount count);

struct DueOptions {
  core::Storage* storage = nullptr;  // outlives the store
  std::uint64_t reserve_octets = 0;
  std::uint64_t numbers_behind = 0;  // the highest number ever given, as far as anyone knows
  std::uint64_t chunks = 0;          // that exist already
  std::uint64_t octets = 0;
  std::vector<std::uint64_t> numbers;  // of those, for 6
  core::Clock clock;                   // default: read_clock
  std::uint64_t salt = 0;              // of the checksums; 0: from the system
  bool own_thread = true;              // false: the owner calls step()
};

class DueStore {
 public:
  class Channel;

  explicit DueStore(DueOptions options);
  ~DueStore();
  DueStore(const DueStore&) = delete;
  DueStore& operator=(const DueStore&) = delete;

  // Before start(), once for each shard, in their order.
  Channel& add(core::Shard& shard);
  Channel& channel(unsigned shard) { return *channels_[shard]; }
  void start();
  // Without a separate thread: at most one job of each shard. True: did something.
  bool step();

  // Any thread.
  const core::Cells<DueCount, kDueCounts>& counts() const { return counts_; }

 private:
  class Waking final : public core::Waker {
   public:
    Waking();
    ~Waking();
    void wake() noexcept override;
    void wait(std::int64_t us) noexcept;

   private:
    int event_;
  };

  static constexpr std::int64_t kWatchUs = 2'000'000;
  core::Now now() const { return options_.clock ? options_.clock() : core::read_clock(); }
  void run();
  void rest();
  void watch();
  void perform(DueJob& job);
  int write(DueJob& job);
  int put(const std::string& name);
  int read(DueJob& job);
  int remove(const DueChunk& chunk);
  void damaged(DueJob& job, const char* what);
  int clear_abandoned();
  std::uint64_t next_number();

  const DueOptions options_;
  core::Storage& storage_;
  core::Cells<DueCount, kDueCounts> counts_;
  Waking waking_;
  core::Sleeper sleeper_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<std::uint8_t> file_;        // the one in work
  std::vector<std::uint64_t> abandoned_;  // numbers of files that failed and are still there
  std::set<std::uint64_t> there_;         // numbers of chunks that are
  std::int64_t watch_at_us_ = 0;
  bool gone_ = false;  // the directory
  std::uint64_t number_;
  std::uint64_t salt_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// One shard's way to the store: that shard's thread.
class DueStore::Channel {
 public:
  static constexpr std::size_t kJobs = 6;

  Channel(core::Shard& shard, core::Sleeper& sleeper);

  // A job to fill and ask(); null while all are out.
  DueJob* take();
  void give_back(DueJob& job) { free_.push_back(&job); }
  void ask(DueJob& job);

  // f(DueJob&) for each answer.
  template <class F>
  void drain(F&& f) {
    answers_.drain(kJobs, [&](std::uint32_t, core::Octets record) {
      DueJob* job = nullptr;
      std::memcpy(&job, record.data(), sizeof job);
      f(*job);
    });
  }

 private:
  friend class DueStore;

  core::Mailbox asked_;
  core::Mailbox& answers_;
  std::array<DueJob, kJobs> jobs_;
  std::vector<DueJob*> free_;
};

}  // namespace tollgate::gateway
