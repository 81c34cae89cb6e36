// What the homes of clients and carriers send each other, as mailbox records.
//
// A record is one of these structs, an Order followed by the submit_sm body. A shard that is both
// homes sends them to itself through the same ring: the flow has one shape. Only mail.cpp copies
// records in and out, so that no struct is read at an address that does not suit it.
//
// Outbox invariants
// 1. Mail is never lost: what does not fit in the ring waits in order in that ring's spill, and
//    the shard reads no socket until every spill is empty again (Outbox::clear). Draining never
//    stops, so two full shards cannot wait for each other.
// 2. A spill is bounded: one turn's input, and one outcome for each message in the ledgers.
#pragma once

#include <cstdint>
#include <vector>

#include "core/shard.h"
#include "gateway/messages/message.h"
#include "proto/octets.h"

namespace tollgate::gateway {

enum class MailType : std::uint32_t { order = 1, outcome, receipt, session, fence, fence_passed };

struct OrderMail {  // client's home -> carrier's home; the body follows
  MessageId message;
  std::int64_t deadline_us;
  std::uint16_t carrier;
  std::uint16_t attempt;
};

enum class Outcome : std::uint8_t {
  sent,      // the carrier has it
  refused,   // for good: another carrier would refuse it too
  next,      // refused by this carrier
  later,     // refused by this carrier for now
  down,      // never left: the carrier was down or full
  expired,   // its validity ended before it left
  in_doubt,  // it left, no response came
  behind     // never left: one before it to its number went back
};

struct OutcomeMail {  // carrier's home -> client's home
  MessageId message;
  std::uint32_t status;
  std::uint16_t carrier;
  std::uint16_t attempt;
  Outcome outcome;
};

struct ReceiptMail {  // carrier's home -> client's home
  MessageId message;
  Notice notice;
  std::uint16_t carrier;
};

// Order (P5). Behind an order that came back `down` the carrier's home sends back every further one
// from that client's home, and behind one that came back `later` or `behind` those to its number,
// until a fence comes, which it returns; the client's home puts it up when it sees the first one
// (of a number: each of them), and orders nothing there, or to that number, until it is back. Then
// all that was on its way has come back too, and goes again in the order it was accepted.
struct FenceMail {       // client's home -> carrier's home (fence) -> client's home (fence_passed)
  MessageId message;     // that went back for its number's sake; 0: `down`, all of that carrier
  std::uint64_t number;  // of that message, for the client's home
  std::uint16_t carrier;
  std::uint16_t shard;  // the client's home
};

struct SessionMail {  // accepting shard -> client's home; a SessionHandover owns the socket
  struct SessionHandover* handover;
};

// The way out of one shard to every shard. Owned by the shard's thread.
class Outbox {
 public:
  explicit Outbox(core::Shard& shard);

  void post(unsigned shard, MailType type, proto::Octets record, proto::Octets rest = {});
  template <class Record>
  void post(unsigned shard, MailType type, const Record& record, proto::Octets rest = {}) {
    post(shard, type, proto::Octets(reinterpret_cast<const std::uint8_t*>(&record), sizeof record),
         rest);
  }

  // Moves what was spilled into the rings as far as they have room. True: nothing is left.
  bool clear();
  bool empty() const { return spilled_ == 0; }

 private:
  struct Spill {
    std::vector<std::uint8_t> octets;  // {type, record length} and the record, again and again
    std::size_t head = 0;
  };
  bool push(unsigned shard, MailType type, proto::Octets record, proto::Octets rest);

  core::Shard& shard_;
  std::vector<Spill> spills_;
  std::size_t spilled_ = 0;  // records in all spills
};

}  // namespace tollgate::gateway
