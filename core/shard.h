// Shard: one thread's event loop. Everything that lives on a shard is touched by its thread alone.
//
//   1 A turn, in this order: poll I/O (the one place to sleep; marks sockets ready); read the
//     clock; turn-start calls; accept and connect calls; read what is ready, those that come first
//     and then group by group; drain hooks; timers; turn-end hooks; publish mailboxes; flush all
//     dirty connections, one send each; closed calls and deferred calls; publish again what those
//     sent.
//   2 Each step is bounded (the constants below; hooks bound themselves). The next turn does what
//     is left, and the shard does not sleep before it.
//   3 A shard sleeps only when no step left work, no timer is due, and no mailbox to it holds a
//     record, by the protocol proven in mailbox.h. stop() and wake() end a sleep unconditionally.
//   4 now() changes only at the start of a turn. With leave_out_after() it leaves out time in which
//     the shard could not run: a turn that comes later than that after it was due (the process was
//     stopped, the machine stood still) moves now() only to when it was due. So no deadline passes
//     while nobody could meet it.
//   5 Each group of connections (ReadGroup) that is ready gets an equal share of the turn's reads,
//     octets and units of work (Connection::spend), but no less than the constants below. Groups
//     that the turn does not reach come first in the next.
//   6 Hooks, inboxes and turn-start calls are added before run(), or on the shard's own thread.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/connection.h"
#include "core/counters.h"
#include "core/list.h"
#include "core/mailbox.h"
#include "core/net.h"
#include "core/pool.h"
#include "core/timers.h"

namespace tollgate::core {

// Called at the start of each turn of a shard.
class TurnStart {
 public:
  virtual void turn_starts(const Now& now) = 0;

 protected:
  ~TurnStart() = default;
};

enum class ShardCount : std::uint8_t {
  turns,
  sleeps,
  wakes,  // of sleeping consumers, by this shard's publishing
  reads,
  read_octets,
  sends,
  sent_octets,
  sends_cut,  // the peer took less than there was
  accepted,
  accept_errors,
  connects,
  connect_errors,
  closed,
  timers_fired,
  late_turns,   // after which time was left out (invariant 4)
  connections,  // open now
  timers_armed  // now
};
inline constexpr std::size_t kShardCounts = 17;
std::string_view shard_count_name(ShardCount) noexcept;

class Shard final : private Waker {
 public:
  static constexpr std::size_t kScratch = std::size_t{256} << 10;
  static constexpr std::size_t kReadsPerTurn = 256;
  static constexpr std::size_t kReadOctetsPerTurn = std::size_t{4} << 20;
  static constexpr std::int64_t kUnitsPerTurn = 2'048;
  // The least share of a group.
  static constexpr std::size_t kReadsLeast = 16;
  static constexpr std::size_t kReadOctetsLeast = std::size_t{64} << 10;
  static constexpr std::int64_t kUnitsLeast = 64;
  static constexpr std::size_t kTimersPerTurn = 4096;
  static constexpr std::int64_t kBusyUs = 50'000;

  Shard(unsigned index, std::unique_ptr<Net> net, Clock clock);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  unsigned index() const noexcept { return index_; }
  const Now& now() const noexcept { return now_; }
  void leave_out_after(std::int64_t late_us) noexcept { late_us_ = late_us; }
  // Of the clock, in all: now() and this are what other processes can compare (core/boot.h).
  std::int64_t left_out_us() const noexcept { return left_out_us_; }
  // The clock itself, less what was left out: for what happens outside turns, or is measured within
  // one.
  Now time() const {
    Now time = clock_();
    time.mono_us -= left_out_us_;
    return time;
  }
  Timers& timers() noexcept { return timers_; }
  Net& net() noexcept { return *net_; }
  BufferPool& buffers() noexcept { return buffers_; }
  const Cells<ShardCount, kShardCounts>& counts() const noexcept { return counts_; }
  // How long turns took, from their clock reading on: without the sleep before.
  const Histogram& turn_us() const noexcept { return turn_us_; }

  // One turn without waiting. True = more work is waiting.
  bool turn();
  // Turns until stop(), sleeping when idle. On the thread that calls it.
  void run();
  // Ends run() after its current turn; ends a sleep. Any thread.
  void stop() noexcept;
  void wake() noexcept override;

  // Drain hook: takes mail, bounded; true = more is waiting.
  void on_drain(std::function<bool(const Now&)> hook);
  void on_turn_end(std::function<void(const Now&)> hook);
  void at_turn_start(TurnStart& call);
  void forget(TurnStart& call) noexcept;
  // Runs fn after this turn's flush; fns deferred by fn run after the next turn's.
  void defer(std::function<void()> fn);
  // The gate: what is committed to connections in this turn leaves only once the gate has opened
  // for `mark`. Marks ascend; a journal's appended and durable counts are such. Without calls the
  // gate stands open.
  void shut_gate(std::uint64_t mark) noexcept { gate_mark_ = mark; }
  void open_gate(std::uint64_t mark) noexcept;
  // What waits for the gate will never be passed: its connections close, and the gate opens.
  void abandon_gate();
  bool gate_shut() const noexcept { return gate_mark_ > gate_open_; }

  // While held no socket is read: what was taken in before has to leave first. Who holds sees to
  // it (by a timer, or mail) that a turn comes which lets go.
  void hold_reads(bool hold) noexcept { reads_held_ = hold; }
  // While held the groups are not read; those that come first are. Who holds sees to it that a turn
  // comes which lets go.
  void hold_groups(bool hold) noexcept { groups_held_ = hold; }
  // It slept for less than a quarter of the last kBusyUs or more; while groups are held it does not
  // count as sleeping.
  bool busy() const noexcept { return busy_; }
  // There is more to do: no sleep before the next turn.
  void again() noexcept { again_ = true; }

  // Mail between the shards of one Shards (itself too). to(): this thread produces, and the turn
  // publishes.
  Mailbox& to(unsigned shard) noexcept { return *to_[shard]; }
  Mailbox& from(unsigned shard) noexcept { return *from_[shard]; }
  unsigned shard_count() const noexcept { return static_cast<unsigned>(from_.size()); }

  // A mailbox from a thread that is no shard (it calls publish() itself), drained by a hook here.
  Mailbox& open_inbox(std::size_t octets);

 private:
  friend class Connection;
  friend class Shards;

  bool turn_waiting(bool may_sleep);
  void poll(bool may_sleep);
  std::int64_t sleep_us() const noexcept;
  bool mail_waits() noexcept;
  // What is left of a turn's reading, or of a group's part of it.
  struct Share {
    std::size_t reads;
    std::size_t octets;
    std::int64_t units;
    bool any() const noexcept { return reads != 0 && octets != 0 && units > 0; }
  };

  void set_now(bool slept);
  void read_ready();
  void read_groups();
  void read_group(ReadGroup& group, Share& share);
  bool reads_wait() const noexcept {
    return !reads_held_ && (!first_.ready_.empty() || (!groups_.empty() && !groups_held_));
  }
  void publish_mail() noexcept;
  void flush();
  void finish();
  void count();

  const unsigned index_;
  std::unique_ptr<Net> net_;
  Clock clock_;
  Now now_;
  Sleeper sleeper_;
  std::atomic<bool> stopping_{false};
  bool again_ = false;
  bool reads_held_ = false;
  bool groups_held_ = false;
  bool more_ = true;  // the last turn left work
  bool busy_ = false;
  std::int64_t late_us_ = Timers::kNever;
  std::int64_t left_out_us_ = 0;
  std::int64_t turn_end_us_ = 0;
  std::int64_t slept_us_ = 0;  // since busy_from_us_
  std::int64_t busy_from_us_ = 0;
  BufferPool buffers_;
  std::unique_ptr<std::uint8_t[]> scratch_;
  Timers timers_;
  std::vector<Mailbox*> to_;
  std::vector<Mailbox*> from_;
  std::vector<std::unique_ptr<Mailbox>> inboxes_;  // every mailbox that this shard consumes
  std::vector<std::function<bool(const Now&)>> drain_hooks_;
  std::vector<std::function<void(const Now&)>> end_hooks_;
  std::vector<TurnStart*> start_calls_;
  std::vector<std::function<void()>> deferred_;
  std::vector<std::function<void()>> deferred_running_;
  ReadGroup first_;
  ReadGroup own_group_;                // of connections without another
  List<ReadGroup, GroupHook> groups_;  // that are ready, or were when they came here
  std::int64_t share_left_ = 0;        // units, of the group that is being read
  List<Connection, WriteHook> writable_;
  List<Connection, FlushHook> dirty_;
  List<Connection, ClosedHook> closed_;
  List<Connection, HeldHook> held_;  // output that waits for the gate
  std::uint64_t gate_mark_ = 0;
  std::uint64_t gate_open_ = 0;
  Cells<ShardCount, kShardCounts> counts_;
  Histogram turn_us_;
};

struct ShardsOptions {
  unsigned count = 1;
  std::size_t mailbox_octets = std::size_t{1} << 20;             // each of count * count
  std::function<std::unique_ptr<Net>(unsigned shard)> make_net;  // empty: the real network
  Clock clock;                                                   // empty: read_clock
  std::int64_t late_us = Timers::kNever;                         // Shard::leave_out_after
};

// The shards of a process and their threads.
class Shards {
 public:
  explicit Shards(ShardsOptions options);
  Shards(unsigned count, std::size_t mailbox_octets)
      : Shards(ShardsOptions{count, mailbox_octets, {}, {}, Timers::kNever}) {}
  ~Shards();  // stops and joins

  void start();  // one thread a shard, named shard-N
  void stop() noexcept;
  void join();

  unsigned size() const noexcept { return static_cast<unsigned>(shards_.size()); }
  Shard& operator[](unsigned index) noexcept { return *shards_[index]; }

 private:
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::thread> threads_;
};

}  // namespace tollgate::core
