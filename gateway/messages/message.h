// A message between acceptance and settlement, as its client's home keeps it, and its id.
//
// A MessageId is 64 bits: six for the client's home shard, then a counter that grows by one with
// each message of that shard and starts at the wall clock in quarters of a microsecond. So ids
// never repeat across restarts, are dense while the process lives (the ledger finds a message by
// arithmetic, not by a hash), and tell their home. Clients see 16 lower-case hex digits; a client
// bound as SMPP 3.3 sees the low 32 bits as eight (3.3 ids have at most eight).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/pool.h"
#include "proto/pdu.h"
#include "proto/receipt.h"
#include "proto/records/record.h"
#include "proto/status.h"
#include "routing/tables.h"

namespace tollgate::gateway {

using MessageId = std::uint64_t;

inline constexpr unsigned kMessageCounterBits = 58;
inline constexpr unsigned kIdsPerMicrosecondBits = 2;
inline constexpr MessageId kMessageCounterMask = (MessageId{1} << kMessageCounterBits) - 1;

inline unsigned home_of(MessageId id) {
  return static_cast<unsigned>(id >> kMessageCounterBits);
}

// The id as a client sees it.
struct MessageIdText {
  MessageIdText(MessageId id, bool short_id);
  std::string_view view() const { return {digits.data(), length}; }

  std::array<char, 16> digits;
  std::uint8_t length;
};

// At most N octets in place; longer input is cut.
template <std::size_t N>
struct ShortText {
  std::uint8_t length = 0;
  std::array<char, N> octets;

  void operator=(std::string_view text) {
    length = static_cast<std::uint8_t>(text.size() < N ? text.size() : N);
    if (length != 0) std::memcpy(octets.data(), text.data(), length);
  }
  std::string_view view() const { return {octets.data(), length}; }
};

// A source or destination address as the client wrote it.
struct Party {
  std::uint8_t ton = 0;
  std::uint8_t npi = 0;
  ShortText<21> address;
};

inline constexpr std::uint16_t kNoCarrier = 0xFFFF;

// Bits of an attempt's number: what its carrier's home records of it. A relayed message is nobody's
// before its client is told that a carrier has it, so there is no intent and no outcome to keep but
// `sent`, which names the message of a receipt; and not even that when no receipt was asked for.
using proto::record::kRelayed;
inline constexpr std::uint16_t kUnrecorded = 0x4000;

using How = proto::record::How;  // a message ends: told, nothing to tell, or given up

enum class Stage : std::uint8_t {
  placed,    // an order for it is with a carrier's home
  waiting,   // every candidate was down or full; tried again soon
  in_doubt,  // sent, no response: only a receipt can tell
  awaiting,  // sent, the carrier has an id; its receipt is due
  told       // nothing more will come from a carrier; the client has yet to be told
};
inline constexpr std::size_t kStages = 5;

// What the client has yet to be told, or is being told now.
struct Notice {
  proto::MessageState state = proto::MessageState::enroute;
  bool intermediate = false;
  bool has_network_error = false;
  std::array<std::uint8_t, 3> network_error{};
  ShortText<10> error;
  std::int64_t done_wall_us = 0;
};

// The request that a relayed message is answered to.
struct Asker {
  std::uint64_t session = 0;  // its id on the client's home
  std::uint32_t sequence_number = 0;
  proto::Command command{};
};

// What only its detail record tells of a message (gateway/keeping/details.h).
struct Particulars {
  struct Try {
    std::uint32_t after_ms = 0;  // since it was accepted
    proto::Status status = proto::Status::ESME_ROK;
    std::uint16_t carrier = 0;
    std::uint16_t attempt = 0;
    proto::record::TryEnd end = proto::record::TryEnd::sent;
  };

  MessageId origin = 0;  // the id under which it was accepted
  std::uint64_t draw = 0;
  routing::CarrierSet down;  // dropped out of the decision because of their state
  routing::CarrierSet full;
  std::int64_t sent_wall_us = 0;
  std::int64_t receipt_wall_us = 0;
  std::uint32_t facts = 0;
  std::uint16_t text_octets = 0;
  std::uint8_t data_coding = 0;
  std::uint8_t esm_class = 0;
  std::uint8_t candidates = 0;  // all that were decided; those that refused it stand last
  std::array<std::uint8_t, routing::kCandidatesMax> ranks{};
  std::uint8_t tries_kept = 0;
  std::uint16_t try_count = 0;
  std::uint8_t in_doubt = 0;    // it was, once
  std::uint8_t states_cut = 0;  // restored: `down` or `full` lacks some
  std::array<Try, proto::record::kTriesMax> tries;
  ShortText<6> mccmnc;
  ShortText<16> number;
  ShortText<8> currency;
  Party sender;  // instead of the source, to the carrier
  Notice last;   // the final one, also when the client did not ask for it

  // A further order has ended. One that follows another at the same carrier, which that carrier
  // did not take, stands in its place; of too many the last place has the last.
  void add(const Try& one);
};

struct Message {
  MessageId id = 0;
  MessageId public_id = 0;  // what the client was given; submit_multi shares one
  std::int64_t accepted_us = 0;
  std::int64_t accepted_wall_us = 0;
  std::int64_t deadline_us = 0;  // validity while unsent, then the hold, then the keeping time
  std::int64_t retry_us = 0;     // waiting: not before; then when a refused receipt is told again
  routing::Nano price_nano = 0;
  std::array<routing::Nano, routing::kCandidatesMax> cost_nano;
  std::array<std::uint16_t, routing::kCandidatesMax> carriers;
  std::uint64_t segment = 0;  // of the journal: its records begin there
  std::uint32_t tables_version = 0;
  std::uint32_t destination_id = 0;
  std::uint32_t next = 0;  // link of the one list it is in, of its client's receipts
  core::Buffer body;       // the submit_sm body to send, until a carrier has it
  std::uint32_t body_length = 0;
  proto::Status status = proto::Status::ESME_ROK;  // of the last refusal
  Particulars* particulars = nullptr;              // null without [records]
  std::uint16_t segments = 1;  // that its text needs: price and cost are a segment's
  std::uint16_t client = 0;
  Stage stage = Stage::placed;
  std::uint16_t attempt = 0;           // orders so far; names the last one
  std::uint16_t carrier = 0;           // of that order; restored: may be kNoCarrier
  std::uint16_t charged = kNoCarrier;  // unsent: in whose share of its client's queue it counts
  std::uint8_t candidates = 0;
  std::uint8_t resends = 0;  // after it was in doubt
  std::uint8_t rounds = 0;   // times that no candidate took it, and one may later
  std::uint8_t for_now = 0;  // a candidate refused it for now, in this round
  std::uint8_t relay = 0;    // not accepted yet: its client is answered when a carrier has answered
  std::uint8_t candidate = 0;  // which of them has it
  std::uint8_t registered_delivery = 0;
  std::uint8_t short_id = 0;     // accepted on a 3.3 session
  std::uint8_t queued = 0;       // in its client's receipts
  std::uint8_t in_flight = 0;    // a deliver_sm for it has no response yet
  std::uint8_t notice_sent = 0;  // the deliver_sm in flight tells the newest notice
  std::uint8_t behind = 0;       // its intermediate notice waits for older receipts on the disk
  Asker asker;
  Party source;
  Party destination;
  ShortText<64> carrier_message_id;  // while its receipt is awaited, for the journal
  ShortText<20> text;                // the start of the text, for the receipt's
  Notice notice;

  proto::Out body_out() { return {body.data(), body_length}; }
  proto::Octets body_octets() const { return {body.data(), body_length}; }
};

// registered_delivery as the client asked (reference section 9).
inline bool wants_receipt(std::uint8_t registered_delivery) {
  return (registered_delivery & 0x03) != 0;
}
inline bool wants_intermediate(std::uint8_t registered_delivery) {
  return (registered_delivery & 0x10) != 0;
}
bool wants_final(std::uint8_t registered_delivery, proto::MessageState state);

}  // namespace tollgate::gateway
