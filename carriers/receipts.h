// The receipts of one carrier: reads them, finds their message by the carrier's id, tells the flow.
//
// One a carrier, over all its binds; owned by its home shard's thread.
//
// 1. deliver() answers ESME_ROK only when the flow kept the receipt (for its message, or as a dead
//    letter when it holds no id), or it is parked, or it is a duplicate. What cannot be decoded is
//    kept likewise and answered ESME_RX_P_APPN: for good, so that an honest carrier does not send
//    it again and again. Only what could not be kept is asked for again: ESME_RX_T_APPN.
// 2. Each new id is matched with the parked receipts, in the order they came.
// 3. A final receipt settles its id: later ones for it are duplicates, counted and acknowledged. So
//    is one that is parked already: however often it is sent, it takes one place and one record.
// 4. What is parked leaves the park matched, as a duplicate, or, when no id came in its time, as a
//    dead letter; while the flow cannot keep that, it stays.
// 5. tick() does at most kPerTick matches and as many expiries.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "carriers/awaiting.h"
#include "carriers/carrier.h"
#include "carriers/counters.h"
#include "carriers/dialect.h"
#include "carriers/park.h"
#include "proto/pdu.h"

namespace tollgate::carriers {

class Receipts {
 public:
  static constexpr std::size_t kPerTick = 256;

  Receipts(const CarrierConfig& config, const Dialect& dialect, Events& events,
           CarrierCounters& counters, std::uint64_t seed);

  // The configuration has changed: its bounds.
  void changed();
  // No id and no receipt waits for the other.
  bool empty() const { return awaiting_.size() == 0 && park_.size() == 0; }

  // A deliver_sm or data_sm, whole; returns the status to answer it with.
  proto::Status deliver(proto::Octets pdu, std::int64_t now_us);
  // One that was parked and acknowledged in an earlier life.
  void restore(proto::Octets pdu, std::int64_t now_us, std::uint64_t number);
  // A submit_sm_resp gave `message` this id.
  void id_known(std::string_view id, std::uint64_t message, std::int64_t now_us);
  // Ages ids and parked receipts; true = more is due now.
  bool tick(std::int64_t now_us);
  // When tick() is needed next, at the latest.
  std::int64_t next_tick_us() const { return park_.next_deadline(); }

 private:
  static constexpr std::int64_t kAgainUs = 100'000;

  // A receipt that was read, with the keys of its ids.
  struct Read {
    proto::Receipt receipt;
    IdKey keys[2];
    std::uint64_t hashes[2] = {};
    std::size_t count = 0;
  };
  enum class Reading : std::uint8_t { receipt, message, unreadable, malformed };
  enum class Match : std::uint8_t { kept, refused, none };

  Reading read(proto::Octets pdu, Read& out);
  template <class Pdu>
  Reading read_as(proto::Octets body, Read& out);
  void add_key(std::string_view id, IdPlace place, Read& out) const;
  // To nobody, for good. False: it cannot be kept now.
  bool keep_dead(proto::Octets pdu, const Read& read);
  Match match(const Read& read);
  bool settled(const Read& read) const;
  bool parked(proto::Octets pdu, const Read& read) const;  // this very one, already
  // kNone: it is full.
  Park::Item park(proto::Octets pdu, const Read& read, std::int64_t now_us);
  // False: its id is still unknown.
  bool retry(Park::Item item, std::int64_t now_us);
  void unpark(Park::Item item, proto::record::Unpark how);
  // Its time is over. False: it has to stay.
  bool bury(Park::Item item);
  void set_gauges();

  const CarrierConfig& config_;
  const Dialect& dialect_;
  Events& events_;
  CarrierCounters& counters_;
  Awaiting awaiting_;
  Park park_;
  std::unique_ptr<char[]> text_scratch_;
  std::unique_ptr<std::uint8_t[]> pdu_scratch_;
};

}  // namespace tollgate::carriers
