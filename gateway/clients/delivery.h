// Receipts on their way to one client. Owned by its home shard's thread.
//
// Messages with a notice wait in order; any session of the client that is bound to receive takes
// them, within its window. A message has one place in one list: however late the client, its
// receipts need no memory beyond the ledger's.
//
// Invariants
// 1. A message is queued at most once; a newer notice replaces one that was not sent yet.
// 2. Receipts for one destination number are sent in order: while one is unanswered, the next
//    takes the same session (kLanes hash lanes; numbers that share a lane may wait for each other).
//    While that session takes no more, the receipts of its lanes are held and other lanes go on.
//    Each is put aside once, however many there are: a response on its lane releases what can go.
// 3. A receipt leaves the queue for good only with the client's response, or after receipt_keep.
//    One that is refused for now (or times out) goes to the back after kRetryUs; those of a lost
//    session are sent again first, in order.
// 4. Nothing is sent on a session above its output's high-water mark.
// 5. With a bound on memory (bound_memory) final receipts beyond it go to the overflow, and from
//    then on all later ones too, until it is empty: the order stays. Only gateway/clients/spill.h
//    takes receipts out of it. An intermediate notice that would have to go there stays with its
//    message instead, until the final one replaces it or the overflow is empty.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <deque>
#include <vector>

#include "gateway/keeping/due_chunk.h"
#include "gateway/messages/counters.h"
#include "gateway/messages/ledger.h"

namespace tollgate::gateway {

class Session;

// An unanswered deliver_sm, in the session's window.
struct Told {
  std::uint32_t place = kNoPlace;
  std::uint16_t lane = 0;
  std::int64_t sent_us = 0;
};

// The receipts of one client that memory has no room for, oldest first: on the disk, on their way
// there, and those that are not enough for a chunk yet.
struct Overflow {
  std::deque<DueChunk> chunks;
  MessageList writing;
  MessageList tail;
  std::uint64_t spilled = 0;     // receipts in chunks
  std::int64_t retry_us = 0;     // after a failure, not before
  std::uint32_t read_tries = 0;  // of the first chunk, in vain
  bool busy = false;             // a job of it is out
  bool waits = false;            // for a job that it can have

  bool empty() const { return chunks.empty() && writing.empty() && tail.empty(); }
};

class Delivery {
 public:
  static constexpr std::size_t kLanes = 256;
  static constexpr std::int64_t kRetryUs = 5'000'000;

  // Ends a message whose client has its last notice, or will never get it.
  struct Settler {
    virtual void settle(Message& message, How how) = 0;

   protected:
    ~Settler() = default;
  };

  Delivery(Ledger& ledger, ClientCounters& counters, Settler& settler)
      : ledger_(ledger), counters_(counters), settler_(settler) {}

  // The message has a new notice.
  void push(Message& message);
  // Sends what the sessions take now.
  void pump(const core::Now& now);

  enum class Answer : std::uint8_t { taken, refused, later };
  // The response to a deliver_sm, or its time-out (later).
  void answered(const Told& told, Answer answer, const core::Now& now);
  // Its session is gone: sent again before the others. Call for the newest first.
  void lost(const Told& told);

  void count_waiting();

  void add_receiver(Session& session) { receivers_.push_back(&session); }
  void remove_receiver(Session& session);

  // From then on at most so many receipts and the overflow's tail are kept in memory; 0: all are.
  // `share` of them while the ledger is more than half full: many clients may stay away at once.
  void bound_memory(std::uint32_t receipts, std::uint32_t share) {
    memory_max_ = receipts;
    share_ = share < receipts ? share : receipts;
  }
  std::uint32_t memory_max() const {
    return ledger_.size() > ledger_.capacity() / 2 ? share_ : memory_max_;
  }
  Overflow& overflow() { return overflow_; }
  // A told message that is older than all in the overflow; one that came back from it.
  void push_older(Message& message);
  // What is in the overflow's tail is due, nothing lies before it.
  void take_back_tail();
  bool has_receiver() const { return !receivers_.empty(); }

  // Receipts that no session has taken yet: in front of the overflow, in memory, all.
  std::uint32_t at_hand() const { return due_.size() + retries_.size() + held_; }
  std::uint32_t in_memory() const {
    return at_hand() + overflow_.writing.size() + overflow_.tail.size();
  }
  std::uint64_t waiting() const { return in_memory() + overflow_.spilled; }
  // The next one goes to the overflow.
  bool overflows() const {
    return memory_max_ != 0 && (!overflow_.empty() || at_hand() >= memory_max());
  }
  bool idle() const { return due_.empty() && retries_.empty() && in_flight_ == 0 && held_ == 0; }
  // pump() has something to do by time alone.
  bool due(const core::Now& now) const {
    return !overflow_.empty() || served_.any() ||
           (!retries_.empty() && ledger_.at(retries_.head()).retry_us <= now.mono_us) ||
           (!due_.empty() && expired(ledger_.at(due_.head()), now));
  }

 private:
  struct Lane {
    Session* session = nullptr;
    std::uint32_t open = 0;
    MessageList held;  // while open, or until its turn in served_ comes
  };

  static bool expired(const Message& message, const core::Now& now) {
    return message.stage == Stage::told && message.deadline_us <= now.mono_us;
  }
  Session* pick(std::uint16_t lane);
  bool any_can_take() const;
  bool serve_held(const core::Now& now);
  bool serve(std::uint16_t lane, const core::Now& now);
  bool send(std::uint32_t place, std::uint16_t lane, const core::Now& now);
  void hold(std::uint16_t lane);
  void give_up(Message& message);
  void take_from_lane(const Told& told);

  Ledger& ledger_;
  ClientCounters& counters_;
  Settler& settler_;
  MessageList due_;
  MessageList retries_;  // by Message::retry_us
  std::uint32_t in_flight_ = 0;
  std::uint32_t held_ = 0;  // in all lanes
  Overflow overflow_;
  std::uint32_t memory_max_ = 0;
  std::uint32_t share_ = 0;
  std::vector<Session*> receivers_;
  std::size_t next_receiver_ = 0;
  std::array<Lane, kLanes> lanes_;
  std::bitset<kLanes> served_;  // lanes with held receipts, and a response since
};

}  // namespace tollgate::gateway
