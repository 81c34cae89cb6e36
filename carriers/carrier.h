// A carrier: we as ESME towards one SMSC account, over any number of binds.
//
// It takes orders (ready submit_sm bodies), sends them within window and pace, and reports one
// outcome for each; it matches receipts with the ids that the carrier gave. Owned and called by
// its home shard's thread alone, from construction to destruction; any thread may read state() and
// counters().
//
// Invariants
// 1. Every order that was taken ends in exactly one of Events::sent, refused and in_doubt.
// 2. An order is in doubt only if its octets may have reached the carrier and no response came.
// 3. A bind never has more unanswered submits than its window; the carrier never starts more than
//    its pace; a connection above its high-water mark gets no further submit.
// 4. Orders leave in the order they were taken; throttled ones leave again before all others. But
//    one that was throttled when it left alone after a pause rests, since the carrier may limit
//    its number alone. To one number at most CarrierConfig::number_window are out at a time, on one
//    bind, and none leaves while an earlier one rests after a refusal for now (carriers/numbers.h).
//    An order that is refused for now once too often takes the later ones to its number along: they
//    are handed back after it, and so is what its source sends to that number until the source
//    knows (carriers/gone_back.h). Other numbers go on. So with a number_window of 1 a carrier
//    never takes a number's messages, or a long message's segments, in another order than they were
//    taken here.
// 5. For an id one final receipt is passed on. A receipt is acknowledged only after the flow kept
//    it (for its message, or as a dead letter), or while it is parked, or when it is a duplicate.
// 6. The configuration bounds the memory; a turn in the steady state allocates nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "carriers/config.h"
#include "carriers/counters.h"
#include "carriers/events.h"
#include "proto/octets.h"

namespace tollgate::core {
class Shard;
struct Now;
}  // namespace tollgate::core

namespace tollgate::carriers {

struct Order {
  std::uint64_t message = 0;
  // The number of the first attempt; each repeat after put_back() is one more, and the outcome
  // tells the last one.
  std::uint16_t attempt = 0;
  proto::Octets body;             // a submit_sm body; copied, need not outlive the call
  std::uint64_t deadline_us = 0;  // monotonic; not sent after it; 0 = none
  std::uint8_t source = 0;        // who keeps the order of its messages to a number
};

enum class Taken : std::uint8_t {
  taken,
  no_room,  // the queue is full
  down,     // no bind can transmit, or the carrier drains
  behind,   // one before it to its number went back (known_back())
  unfit     // cannot be said in this carrier's dialect
};

// Published by the carrier, read by routing on any shard. `places` and `octets` are what take()
// would still take: who hands over more gets it back. A body of kFreeOctets or less takes none.
struct alignas(64) CarrierState {
  bool up() const { return (bits.load(std::memory_order_relaxed) & 1) != 0; }
  bool has_room() const { return (bits.load(std::memory_order_relaxed) & 2) != 0; }
  // So much waits that its windows will be full for some time whatever comes.
  bool pressed() const { return (bits.load(std::memory_order_relaxed) & kPressed) != 0; }
  static constexpr std::uint8_t kPressed = 4;
  static constexpr std::size_t kFreeOctets = 260;
  void tell(std::uint64_t places_left, std::uint64_t octets_left) {
    constexpr std::uint64_t kMost = 0xFFFFFFFF;
    places.store(static_cast<std::uint32_t>(std::min(places_left, kMost)),
                 std::memory_order_relaxed);
    octets.store(static_cast<std::uint32_t>(std::min(octets_left, kMost)),
                 std::memory_order_relaxed);
  }
  std::atomic<std::uint8_t> bits{0};
  std::atomic<std::uint32_t> places{0};
  std::atomic<std::uint32_t> octets{0};
};

// What others may read of a carrier. It may outlive the carrier, and serve the next of its name.
struct CarrierBoard {
  CarrierState state;
  CarrierCounters counters;
};

class Carrier {
 public:
  // `config` without faults. `seed`: for the jitter of reconnects and the hash of ids. `board`
  // outlives the carrier; null: its own.
  Carrier(const CarrierConfig& config, core::Shard& shard, Events& events, std::uint64_t seed,
          CarrierBoard* board = nullptr);
  ~Carrier();
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;

  // Also again after drain_and_unbind(), whether that has come to its end or not.
  void start();
  // Another configuration of the same name, without faults. Pace, windows, queue, retries, timers
  // and dialect change in place; where a session has to change, a new bind takes the old one's
  // place (carriers/binds.h). Ids that wait for a receipt stay, under the keys of their time.
  void change(const CarrierConfig& config);
  Taken take(const Order& order);
  // The source of this message knows that it went back: what it sends to that number from here on
  // comes after it. Due for each order that was refused for now or is `behind`.
  void known_back(std::uint64_t message);
  // Before start(): what an earlier process knew. A receipt for this id is this message's, that
  // went to `number` (in its international form; empty: not known); a deliver_sm or data_sm that
  // was parked when it came: it is kept no longer for the restart, and ends as a dead letter when
  // its time is over.
  void restore_awaiting(std::string_view carrier_message_id, std::uint64_t message,
                        std::string_view number);
  void restore_parked(proto::Octets pdu, std::int64_t came_us, std::uint64_t number);
  // What was told of these may be lost: sending() again for each order without a response,
  // still_parked() for each receipt in the park.
  void tell_again();
  // Once a turn, from the shard's turn-end hook. True: more could be done at once.
  bool turn(const core::Now& now);
  // No new orders; queued ones are handed back, windows get timers.drain_ms, then unbind.
  void drain_and_unbind();
  // At once, without a word: nothing is sent or read any more.
  void halt();
  // True when every bind is stopped after drain_and_unbind().
  bool idle() const;
  // Idle, and no receipt can come for anything that it sent.
  bool done() const;

  const CarrierConfig& config() const;
  const CarrierState& state() const;
  const CarrierCounters& counters() const;

 private:
  class Self;
  std::unique_ptr<Self> self_;
};

}  // namespace tollgate::carriers
