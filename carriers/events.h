// What a carrier tells the flow: the outcome of each order, and the receipts.
//
// Called on the thread of the carrier's home shard, inside the carrier's turn (from input, turn()
// and the end of a connection), never from take(); each may call take(). Views in the arguments end
// with the call.
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/octets.h"
#include "proto/receipt.h"
#include "proto/records/record.h"
#include "proto/status.h"

namespace tollgate::carriers {

struct ReceiptFacts {
  bool final = false;           // by the state and the carrier's dialect
  std::string_view error_text;  // the dialect's words for err; empty when it has none
};

// For people to look at: `pdu` is the deliver_sm or data_sm, whole.
struct DeadReceipt {
  proto::record::Dead why = proto::record::Dead::unmatched;
  proto::MessageState state = proto::MessageState::unknown;
  std::string_view carrier_message_id;
  proto::Octets pdu;
  bool acknowledged = false;  // it was parked: the carrier will not send it again
};

class Events {
 public:
  virtual ~Events() = default;
  // The submit_sm is about to be written; its octets leave at the turn's end or later.
  virtual void sending(std::uint64_t /*message*/, std::uint16_t /*attempt*/) {}
  // Throttled or busy: it goes again, as the next attempt.
  virtual void put_back(std::uint64_t /*message*/, std::uint16_t /*attempt*/,
                        proto::Status /*status*/) {}
  // submit_sm_resp ESME_ROK. The id may be empty: the carrier gave none.
  virtual void sent(std::uint64_t message, std::uint16_t attempt,
                    std::string_view carrier_message_id, std::uint32_t submit_us) = 0;
  // Refused by a status, as often as its class is retried here (of class temporary or throttle it
  // may be asked again later); or handed back without one (ESME_ROK): `failover` and try_next when
  // it never left, `temporary` and try_next when that is for its number's order (known_back()),
  // `permanent` and not try_next when its deadline passed first.
  virtual void refused(std::uint64_t message, std::uint16_t attempt, proto::Status status,
                       proto::StatusClass status_class, bool try_next) = 0;
  // No response came in time, or the link was lost after the octets left.
  virtual void in_doubt(std::uint64_t message, std::uint16_t attempt) = 0;
  // A receipt that no id is known for was parked and will be acknowledged; and it is parked no
  // longer. The number is what unparked() and restore_parked() name it by.
  virtual std::uint64_t parked(std::string_view /*carrier_message_id*/, proto::Octets /*pdu*/) {
    return 0;
  }
  virtual void still_parked(std::uint64_t /*number*/, std::string_view /*carrier_message_id*/,
                            proto::Octets /*pdu*/, std::int64_t /*came_us*/) {}
  virtual void unparked(std::uint64_t /*number*/, proto::record::Unpark /*how*/) {}
  // A receipt that can be told to nobody. False: cannot be kept now; it is tried again, by the
  // carrier or from the park. One that was acknowledged is refused only when nothing is kept.
  virtual bool dead(const DeadReceipt& /*receipt*/) { return true; }
  // False: cannot keep it now; the carrier is asked to send it again.
  virtual bool receipt(std::uint64_t message, const proto::Receipt& receipt,
                       const ReceiptFacts& facts) = 0;
};

}  // namespace tollgate::carriers
