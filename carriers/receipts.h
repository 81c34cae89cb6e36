// The receipts of one carrier: reads them, finds their message by the carrier's id, tells the flow.
//
// One per carrier, over all its binds; owned by its home shard's thread.
//
// 1. deliver() answers ESME_ROK only when the flow kept the receipt (for its message, or as a dead
//    letter when it holds no id), or it is parked, or it is a duplicate. What cannot be decoded is
//    also kept, and answered ESME_RX_P_APPN: a permanent error, so that an honest carrier does not
//    send it again and again. Only what could not be kept is asked for again: ESME_RX_T_APPN.
// 2. Each new id is matched with the parked receipts, in the order they came.
// 3. A final receipt settles its id. Carriers reuse ids, so the contents of a later receipt for it
//    decide. While a submit that left before it came is unanswered, it waits for that, since it may
//    be early. After that, and if nothing is in flight, it is a duplicate (counted, acknowledged,
//    passed on to nobody) if it is the very receipt that settled the id, or not final. Any other is
//    a dead letter.
//    If an id was given again while its first message still waits, the numbers decide: a receipt
//    for another number than that message's may be early for a submit to that number.
//    A receipt with two ids (TLV and text) that has settled one is never taken for the other's.
// 4. A receipt that is parked already is a duplicate: however often it is sent, it takes one place
//    and one record. Under one id at most Park::kOfOneKey are parked; any more are dead letters,
//    unless their other id has room.
// 5. A parked receipt leaves the park matched, as a duplicate, or, when no id came in time, as a
//    dead letter; while the flow cannot keep that, it stays.
// 6. The work for one receipt, one id or one tick() does not grow with what waits: tick() does at
//    most kPerTick matches and as many expiries.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "carriers/awaiting.h"
#include "carriers/config.h"
#include "carriers/counters.h"
#include "carriers/dialect.h"
#include "carriers/events.h"
#include "carriers/park.h"
#include "proto/limits.h"
#include "proto/pdu.h"

namespace tollgate::carriers {

// The submits of the carrier that have no response yet.
class Outstanding {
 public:
  // When the oldest of them left; INT64_MAX: there is none.
  virtual std::int64_t since_us() const = 0;
  // One of them goes to this number (hash_of_number).
  virtual bool to(std::uint64_t number) const = 0;

 protected:
  ~Outstanding() = default;
};

class Receipts {
 public:
  static constexpr std::size_t kPerTick = 256;

  struct Shared {  // outlives it
    const CarrierConfig& config;
    const Dialect& dialect;
    Events& events;
    CarrierCounters& counters;
    const Outstanding& outstanding;
    std::uint64_t number_seed;
  };
  Receipts(const Shared& shared, std::uint64_t seed);

  // The configuration has changed: its bounds.
  void changed();
  // No id and no receipt waits for the other.
  bool empty() const { return awaiting_.size() == 0 && park_.size() == 0; }

  // A deliver_sm or data_sm, whole; returns the status to answer it with.
  proto::Status deliver(proto::Octets pdu, std::int64_t now_us);
  // One that was parked and acknowledged in an earlier life.
  void restore(proto::Octets pdu, std::int64_t now_us, std::uint64_t number);
  // Tells again of all that is parked (Events::still_parked).
  void tell_parked();
  // A submit_sm_resp gave a message this id.
  struct Sent {
    std::uint64_t message = 0;
    std::uint64_t number = 0;  // hash_of_number; 0: not known
  };
  void id_known(std::string_view id, const Sent& sent, std::int64_t now_us);
  // Ages ids and parked receipts; true = more is due now.
  bool tick(std::int64_t now_us);
  // When tick() is needed next, at the latest.
  std::int64_t next_tick_us() const { return park_.next_deadline(); }

 private:
  static constexpr std::int64_t kAgainUs = 100'000;

  // A receipt that was read, with the keys of its ids.
  struct Read {
    proto::Octets pdu;
    proto::Receipt receipt;
    std::string_view addresses[2];
    IdKey keys[2];
    std::uint64_t hashes[2] = {};
    std::size_t count = 0;
  };
  enum class Reading : std::uint8_t { receipt, message, unreadable, malformed };
  enum class Match : std::uint8_t { kept, refused, none, doubtful };

  Reading read(proto::Octets pdu, Read& out);
  template <class Pdu>
  Reading read_as(proto::Octets body, Read& out);
  void add_key(std::string_view id, IdPlace place, Read& out) const;
  std::uint64_t contents_of(proto::Octets pdu) const;
  bool is_final(const Read& read) const { return dialect_.is_final(read.receipt); }
  // To nobody, for good. False: it cannot be kept now.
  enum class Answer : std::uint8_t { waits, given };
  bool keep_dead(const Read& read, proto::record::Dead why, Answer answer);
  proto::Status bury_at_once(const Read& read, proto::record::Dead why, proto::Status kept);
  // `last`: nothing else will say whose it is. Otherwise doubtful, where it may be another's.
  Match match(const Read& read, bool last = false);
  bool goes_to(const Awaiting::Meant& meant, const Read& read) const;  // its number, for sure
  bool may_mean(const Awaiting::Meant& meant, const Read& read, std::uint64_t hash,
                bool last) const;
  bool is_of_other_id(const Awaiting::Meant& meant, const Read& read, std::size_t place) const;
  // No message has its id: it may be early, a repeat, or belong to none.
  proto::Status unmatched(const Read& read, bool doubtful, std::int64_t now_us);
  // By what settled its id; kNone: it was not, or too long ago.
  enum class Settled : std::uint8_t { no, by_this, by_another };
  Settled settled(const Read& read, std::uint64_t contents) const;
  bool is_duplicate(const Read& read, Settled settled) const {
    return settled == Settled::by_this || (settled == Settled::by_another && !is_final(read));
  }
  bool is_parked(const Read& read, std::uint64_t contents) const;  // this very one, already
  bool room_for(const Read& read) const;                           // under one of its ids
  // kNone: it is full.
  Park::Item park(const Read& read, std::int64_t came_us, Park::Queue queue);
  proto::Octets parked_pdu(Park::Item item) const {
    return park_.pdu(item, {pdu_scratch_.get(), proto::kPduLengthMax});
  }
  // Its id has come.
  void retry(Park::Item item, std::int64_t now_us);
  // Its time is over.
  void resolve(Park::Item item, std::int64_t now_us);
  void unpark(Park::Item item, proto::record::Unpark how);
  void set_gauges();

  const CarrierConfig& config_;
  const Dialect& dialect_;
  Events& events_;
  CarrierCounters& counters_;
  const Outstanding& outstanding_;
  const std::uint64_t number_seed_;
  Awaiting awaiting_;
  Park park_;
  std::unique_ptr<char[]> text_scratch_;
  std::unique_ptr<std::uint8_t[]> pdu_scratch_;
};

}  // namespace tollgate::carriers
