// Connection: one stream socket of one shard, with bounded input and output and one write a turn.
// The shard's thread alone touches it. Its creator owns it.
//
//   1 Input is read once a turn into the shard's one scratch buffer. on_input gets what was kept
//     plus what is new, contiguous, and returns how many octets it consumed; only the rest is
//     kept, in a buffer of the shard's pool. An idle connection holds no buffer.
//   2 The kept rest never exceeds input_max: the connection closes (input_too_long) when on_input
//     leaves more while reading. While paused it may be as much as one read gave (read_max).
//   3 Output never exceeds output_max: reserve() returns an empty span instead.
//   4 All output of a turn leaves in one send at the turn's end; what the peer does not take waits.
//     on_writable comes once when the output was above the high-water mark and has fallen to the
//     low-water mark.
//   5 on_closed comes exactly once, at the end of the turn in which the connection closed, whoever
//     closed it, and is the last call: the owner may destroy the connection in it. Nothing is
//     called after the destructor, and no on_closed comes from it.
//   6 Every member except the destructor and release_for_handover() may be called inside on_input
//     and on_writable. After close() they do nothing.
//   6a A handover may be asked for in any state: what is unsent travels and leaves first, and a
//     connection that is closed or closing stays where it is (fd -1) and ends there.
//   7 close_after_flush() sends what is there, shuts the sending side, and discards input until
//     the peer closes (so that it really gets the last octets), for at most 5 s in all.
//   8 While paused nothing is read, so the peer's close is not seen either: the owner's timers
//     judge a peer that it does not read.
//   9 on_input asks may_go_on() before each unit of work and spends what it did: the connection's
//     group has a share of the turn (shard.h). What it leaves when the share is used up is kept as
//     for a paused connection, and given again in a turn that has a share for it.
//   9a Between input_is_secret(true) and input_is_secret(false) input leaves no copy: it is wiped
//     from the shard's scratch at once, and from the kept rest when that is given up or replaced.
//  10 While the shard's gate is shut (shard.h), output committed in a turn leaves only when the
//     gate has opened for the last mark of that turn, in order.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/list.h"
#include "core/net.h"
#include "core/octets.h"
#include "core/pool.h"
#include "core/timers.h"

namespace tollgate::core {

class Shard;

enum class CloseReason : std::uint8_t {
  by_us,           // close(), or close_after_flush() and all was sent
  by_peer,         // end of input
  read_error,      // see Connection::error()
  write_error,     // see Connection::error()
  input_too_long,  // on_input left more than input_max
  flush_timeout    // close_after_flush(), and the peer did not take the octets in time
};
std::string_view close_reason_name(CloseReason) noexcept;

struct ConnectionLimits {
  std::size_t input_max = 66'560;                // longest rest kept while reading
  std::size_t read_max = std::size_t{64} << 10;  // most octets taken in one read
  std::size_t output_max = std::size_t{4} << 20;
  std::size_t high_water = std::size_t{256} << 10;
  std::size_t low_water = std::size_t{64} << 10;
};

// What a connection is made of, on its way to another shard.
struct Handover {
  int fd = -1;                         // -1: it has ended, or is ending; there is nothing to move
  std::vector<std::uint8_t> leftover;  // input that on_input has not consumed
  std::vector<std::uint8_t> unsent;    // output that the peer has not taken
};

// What a connection begins with, when it comes from another shard.
struct Brought {
  Octets leftover = {};
  Octets unsent = {};
};

struct ReadHook;  // lists of the shard
struct GroupHook;
struct WriteHook;
struct FlushHook;
struct ClosedHook;
struct HeldHook;

class Connection;

// Connections that take their reading from one share of each turn: an account's, however many it
// has. Outlives them; the shard's thread.
class ReadGroup : private Hook<GroupHook> {
 public:
  ReadGroup() = default;

 private:
  friend class Connection;
  friend class Shard;
  template <class T, class Tag>
  friend class List;
  List<Connection, ReadHook> ready_;
};

// How much output waits for which mark of the gate: a queue in place that merges when it is full,
// since waiting for a later mark is always right.
class HeldOutput {
 public:
  bool empty() const noexcept { return size_ == 0; }
  // Octets up to `end` (counted from the connection's first) wait for `mark`.
  void add(std::uint64_t end, std::uint64_t mark) noexcept {
    if (size_ == kMost) --size_;
    waits_[size_++] = {end, mark};
  }
  // Lets go of all that waits for `mark` or less.
  void pass(std::uint64_t mark) noexcept {
    std::size_t passed = 0;
    while (passed < size_ && waits_[passed].mark <= mark) passed_end_ = waits_[passed++].end;
    for (std::size_t i = passed; i < size_; ++i) waits_[i - passed] = waits_[i];
    size_ -= passed;
  }
  std::uint64_t passed_end() const noexcept { return passed_end_; }
  std::uint64_t last_end() const noexcept {
    return size_ == 0 ? passed_end_ : waits_[size_ - 1].end;
  }

 private:
  struct Wait {
    std::uint64_t end = 0;
    std::uint64_t mark = 0;
  };
  static constexpr std::size_t kMost = 8;
  std::array<Wait, kMost> waits_;
  std::size_t size_ = 0;
  std::uint64_t passed_end_ = 0;
};

class Connection final : private Socket::Events,
                         private Hook<ReadHook>,
                         private Hook<WriteHook>,
                         private Hook<FlushHook>,
                         private Hook<ClosedHook>,
                         private Hook<HeldHook> {
 public:
  struct Owner {
    // Returns the octets consumed, 0 to input.size(). The rest is given again, with more.
    virtual std::size_t on_input(Connection&, Octets input, const Now&) = 0;
    virtual void on_closed(Connection&, CloseReason, const Now&) = 0;
    virtual void on_writable(Connection&, const Now&) {}

   protected:
    ~Owner() = default;
  };

  // Starts reading at once. Of a handover: `leftover` is given to on_input in the next turn, and
  // `unsent` leaves at the end of this one, whatever output_max says.
  Connection(Shard& shard, SocketPtr socket, Owner& owner, const ConnectionLimits& limits = {},
             const Brought& brought = {});
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  Address peer;          // for the owner's use
  std::uint64_t id = 0;  // for the owner's use

  // Room for n octets at the output's end; empty when output_max would be passed or it is closed.
  Out reserve(std::size_t n) {
    if (out_end_ + n <= out_.capacity() && output_size() + n <= limits_.output_max) [[likely]] {
      return {out_.data() + out_end_, n};
    }
    return reserve_slowly(n);
  }
  // The first n octets of the last reserve() are output; flushed at the end of this turn.
  void commit(std::size_t n);
  // Copies octets to the output; false when they do not fit.
  [[nodiscard]] bool write(Octets octets);

  // Octets since the beginning: written to the socket, and committed so far.
  std::uint64_t sent() const noexcept { return sent_; }
  std::uint64_t committed() const noexcept { return sent_ + output_size(); }
  std::size_t output_size() const noexcept { return out_end_ - out_begin_; }
  bool above_high_water() const noexcept { return output_size() > limits_.high_water; }
  // Has been, and on_writable() has not come since: the peer does not take what it is told.
  bool was_high() const noexcept { return was_high_ || writable_owed_; }

  // After pause_reading() on_input is not called until resume_reading(), then with the rest first.
  void pause_reading() noexcept;
  void resume_reading() noexcept;
  bool reading_paused() const noexcept { return paused_; }

  // From now on it is read with this group's share; with the shard's own until then.
  void read_with(ReadGroup& group) noexcept;
  // Read before all groups, outside their shares and also while they are held: what makes room.
  void read_first() noexcept;
  // Inside on_input: whether the turn's share lets it go on, and what it did of it.
  bool may_go_on() const noexcept;
  void spend(std::int64_t units = 1) noexcept;
  // Something that the peer sent may not have been given to the owner yet: who judges the peer by
  // its silence has to wait. False beyond kBehindMost x input_max octets that were read since: a
  // peer that never stops gains no more than what its socket can hold.
  bool input_waits() const noexcept {
    return Hook<ReadHook>::linked() && behind_ < kBehindMost * limits_.input_max;
  }

  // Inside on_input: the socket may hold more than was given, since the last read got all it may.
  bool read_was_full() const noexcept { return read_full_; }

  void close_after_flush();
  void close();
  bool is_open() const noexcept { return open_; }        // neither closed nor handed over
  bool is_closing() const noexcept { return closing_; }  // close_after_flush() was called
  int error() const noexcept { return error_; }          // errno of read_error and write_error
  // For an owner that does not read: whether the peer has gone meanwhile. A system call.
  bool peer_gone() noexcept { return open_ && socket_->peer_gone(); }

  void set_input_max(std::size_t octets) noexcept { limits_.input_max = octets; }
  void set_read_max(std::size_t octets) noexcept { limits_.read_max = octets; }
  // A password may be in it.
  void input_is_secret(bool secret) noexcept { secret_input_ = secret; }
  // The marks stay below it, so that there is room for answers when reading pauses.
  void set_output_max(std::size_t octets) noexcept {
    if (!open_ || closing_) return;
    limits_.output_max = octets;
    limits_.high_water = std::min(limits_.high_water, octets / 2);
    limits_.low_water = std::min(limits_.low_water, limits_.high_water / 4);
  }
  const ConnectionLimits& limits() const noexcept { return limits_; }
  std::size_t leftover_size() const noexcept { return std::size_t{rest_end_} - rest_begin_; }

  // Takes the socket out, with the rest of the input and of the output, for Net::adopt on another
  // shard. Not inside a callback. No on_closed follows and the object can be destroyed, unless it
  // is closed or closing already: then the result has no descriptor and on_closed comes as ever.
  // What waits for the gate travels too: the caller says that no record has to be durable for it.
  Handover release_for_handover();

  Shard& shard() const noexcept { return shard_; }

 private:
  friend class Shard;
  template <class T, class Tag>
  friend class List;

  static constexpr std::size_t kBehindMost = 128;

  void on_readable() override;
  void on_writable() override;
  void ready_again() noexcept;

  // Called by the shard. read_step returns the octets read.
  std::size_t read_step(const Now& now);
  void write_step(const Now& now);
  void flush_step();
  void closed_step(const Now& now);

  Out reserve_slowly(std::size_t n);
  std::size_t call_owner(Octets input, const Now& now);
  void deliver(Octets input, const Now& now);
  void deliver_rest(const Now& now);
  void keep(Octets rest);
  void store(Octets rest);
  void drop_rest() noexcept;
  void wipe_rest() noexcept;
  void leave_lists() noexcept;
  std::size_t discard_input();
  void shut_if_flushed();
  void send_output();
  std::size_t sendable();
  void fail(CloseReason reason, int error);
  void close_timed_out(const Now& now);

  Shard& shard_;
  SocketPtr socket_;
  Owner* owner_;
  ReadGroup* group_;
  ConnectionLimits limits_;
  Timer close_timer_;
  Buffer out_;
  std::size_t out_begin_ = 0;
  std::size_t out_end_ = 0;
  std::uint64_t sent_ = 0;  // octets in all
  HeldOutput held_;
  std::uint32_t out_hint_ = 0;  // the size that the last turns needed
  std::uint32_t behind_ = 0;    // octets read since the socket was last seen empty
  Buffer rest_;
  std::uint32_t rest_begin_ = 0;
  std::uint32_t rest_end_ = 0;
  int error_ = 0;
  CloseReason reason_ = CloseReason::by_us;
  bool open_ = true;
  bool paused_ = false;
  bool closing_ = false;
  bool shut_ = false;             // our sending side is shut
  bool blocked_ = false;          // the socket took less than there was; waits for writable
  bool was_high_ = false;         // has been above the high-water mark
  bool writable_owed_ = false;    // and has fallen to the low-water mark since
  bool input_ended_ : 1 = false;  // the peer closed its side while we are closing
  bool secret_input_ : 1 = false;
  bool rest_undelivered_ = false;  // the rest has not been seen by on_input since it was paused
  bool read_full_ = false;
  bool in_callback_ = false;
};

}  // namespace tollgate::core
