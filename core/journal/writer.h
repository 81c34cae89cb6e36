// The journal's thread: gathers, writes, syncs, tells. journal.h has its promises.
//
// A round (step) is: housekeeping of the segments; take records of all rings into the batch until
// it, or the segment, is full; one write at the segment's end; one fdatasync; the marks; the wakes.
// A batch lies in one segment. What the disk has no room for yet stays in the batch and the rings.
//
// Writes are of whole blocks (storage.h 6): the batch's buffer begins with the durable part of the
// block in which the segment ends, and is filled up with zeros, as the file is there.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/journal/journal.h"
#include "core/journal/segments.h"

namespace tollgate::core {

inline constexpr std::uint32_t kOldestNeeded = 0x10000;  // in a ring: no record

class Journal::Writer final : private Waker {
 public:
  explicit Writer(JournalOptions options);
  ~Writer();

  void add(Stream& stream) { inputs_.push_back({&stream}); }
  tl::expected<void, std::string> open();

  bool step();
  void run();
  void stop() noexcept;  // any thread
  void finish();         // after run(): what was published, and the clean end

  const JournalOptions& options() const noexcept { return options_; }
  Sleeper& sleeper() noexcept { return sleeper_; }
  const State& state() const noexcept { return state_; }
  const Cells<JournalCount, kJournalCounts>& counts() const noexcept { return counts_; }
  const Histogram& sync_us() const noexcept { return sync_us_; }
  std::string failure() const;

 private:
  struct Input {
    Stream* stream;
    Mark taken = 0;
    std::uint64_t oldest_needed = 0;
  };

  void wake() noexcept override;
  bool gather(const Now& now);
  bool turn_over(const Now& now);
  Out buffer() const { return {batch_.get(), kStorageBlock}; }
  void take(std::size_t stream);
  bool add_record(unsigned stream, std::uint32_t type, Octets payload);
  bool write(const Now& now);
  bool batch_empty() const noexcept { return batch_end_ == batch_begin_; }
  void begin_batch();
  void announce();
  void show_segment();
  void show_state();
  bool fail(const char* what, int error);
  void rest();
  void wait(std::int64_t us) noexcept;
  bool input_waits() noexcept;
  bool apart_settled() const { return options_.apart == nullptr || options_.apart->settled(); }
  void linger();

  const JournalOptions options_;
  Cells<JournalCount, kJournalCounts> counts_;
  Histogram sync_us_;
  State state_;
  std::string failure_;  // written before state_.failed
  Sleeper sleeper_;
  int event_;
  std::atomic<bool> stopping_{false};

  std::vector<Input> inputs_;
  std::size_t first_ = 0;  // of the inputs, in the next batch
  journal::Segments segments_;
  struct Free {
    void operator()(std::uint8_t* blocks) const noexcept;
  };
  std::unique_ptr<std::uint8_t[], Free> batch_;
  std::size_t batch_begin_ = 0;  // in the buffer; in front of it: what is durable
  std::size_t batch_end_ = 0;
  std::uint64_t batch_records_ = 0;
  bool no_room_ = false;  // a record waits for the next segment
  bool stalled_ = false;
  bool finishing_ = false;
  bool needs_changed_ = false;
};

}  // namespace tollgate::core
