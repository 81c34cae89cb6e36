// The payloads of the journal's records: what became of each message, in little-endian octets.
// docs/journal-format.md has the layout; core/journal/journal.h carries the records and knows none
// of it.
//
// Thread: any; pure functions, no allocation.
//
// Who writes what (both streams lie in one journal, each in order; between the two a record may
// come a little before its cause):
//   the client's home    accepted, ended, settled, carried, ids, spilled, loaded, detailed, late
//                        dead_letters
//   the carrier's home   intent, sent, refused, in_doubt, receipt, parked, unparked, dead_letter
//   a chunk of due receipts (gateway/keeping/due_chunk.h) begins with a chunk record; carried
//   follow
//
// 1. encode() writes the head. A record with a `rest` (body, pdu) is appended as (head, rest);
//    the rest is everything after the head and needs no length.
// 2. decode() takes any octets: false for what encode() cannot have written. What it takes,
//    encode() gives back octet for octet.
// 3. The upper octet of a type number is the layout's version: a changed layout gets a new number.
// 4. `attempt` counts the intents of one message: 1, 2, 3 ... and never repeats, whichever
//    candidate it is. 0 = none yet.
//
// 5. No text keeps a record from being written, whoever chose its octets: after kTextMax octets it
//    is cut.
//
// Bounds: a text has at most kTextMax octets, a head at most kHeadMax.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "proto/octets.h"
#include "proto/receipt.h"
#include "proto/status.h"

namespace tollgate::proto::record {

inline constexpr std::uint32_t kLayout = 1;
inline constexpr std::size_t kHeadMax = 8'192;
inline constexpr std::size_t kCandidatesMax = 8;
inline constexpr std::size_t kTriesMax = 8;
inline constexpr std::size_t kTextMax = 255;
// A bit of `attempt`: the message was relayed. It has no accepted record and no intent. Its client
// is answered when its carried record is durable; without that we have not accepted it.
inline constexpr std::uint16_t kRelayed = 0x8000;

enum class Type : std::uint32_t {
  accepted = kLayout << 8 | 1,
  intent = kLayout << 8 | 2,
  sent = kLayout << 8 | 3,
  refused = kLayout << 8 | 4,
  in_doubt = kLayout << 8 | 5,
  receipt = kLayout << 8 | 6,
  ended = kLayout << 8 | 7,
  settled = kLayout << 8 | 8,
  carried = kLayout << 8 | 9,
  parked = kLayout << 8 | 10,
  unparked = kLayout << 8 | 11,
  dead_letter = 2 << 8 | 12,
  ids = kLayout << 8 | 13,
  chunk = kLayout << 8 | 14,
  spilled = kLayout << 8 | 15,
  loaded = kLayout << 8 | 16,
  detailed = kLayout << 8 | 17,
  clock = kLayout << 8 | 18,
  // With a Decision, which the detail record tells of; the others are written where there is none.
  accepted_decided = 2 << 8 | 1,
  carried_decided = 2 << 8 | 9,
  // With the detail record.
  settled_detailed = 2 << 8 | 8
};

// "accepted"; empty for a number that is no type.
std::string_view type_name(std::uint32_t type);

struct Address {
  std::uint8_t ton = 0;
  std::uint8_t npi = 0;
  std::string_view digits;
  bool operator==(const Address&) const = default;
};

struct Candidate {
  std::int64_t cost_nano = 0;
  std::string_view carrier;  // by name: places in the configuration change between starts
  std::uint8_t rank = 0;     // as it was decided; kept with a Decision, as is:
  bool gone = false;         // it refused the message; those that are gone stand last
  bool operator==(const Candidate&) const = default;
};

// What the client has yet to be told.
struct Notice {
  MessageState state = MessageState::enroute;
  bool intermediate = false;
  bool has_network_error = false;
  std::array<std::uint8_t, 3> network_error{};
  std::string_view error;
  std::int64_t done_wall_us = 0;
  bool operator==(const Notice&) const = default;
};

// How one order ended, at one carrier.
enum class TryEnd : std::uint8_t {
  sent,     // the carrier has it
  refused,  // for good: another carrier would refuse it too
  next,     // refused by this carrier
  later,    // refused by this carrier for now
  down,     // never left: the carrier was down or full
  expired,  // its validity ended before it left
  in_doubt  // it left, no response came
};

struct Try {
  std::uint16_t attempt = 0;
  TryEnd end = TryEnd::sent;
  Status status = Status::ESME_ROK;
  std::uint32_t after_ms = 0;  // since the message was accepted
  std::string_view carrier;
  bool operator==(const Try&) const = default;
};

// What the detail record tells of the decision (proto/records/detail.h), and of the message as it
// came.
struct Decision {
  bool known = false;        // false: written by a gateway without [records]
  std::uint64_t origin = 0;  // the id under which it was accepted
  std::uint64_t draw = 0;    // what the router hashed
  std::uint32_t facts = 0;
  std::uint16_t segments = 1;
  std::uint16_t text_octets = 0;
  std::uint8_t data_coding = 0;
  std::uint8_t esm_class = 0;
  bool states_cut = false;  // `down` or `full` had no room for all
  std::string_view mccmnc;
  std::string_view number;    // the destination in its international form
  std::string_view currency;  // of the money
  std::string_view down;      // carriers dropped because of their state, parted by blanks
  std::string_view full;
  Address sender;  // instead of the source, to the carrier; no digits: the source
  bool operator==(const Decision&) const = default;
};

// What became of it so far, for the detail record.
struct Course {
  std::int64_t sent_wall_us = 0;
  std::int64_t receipt_wall_us = 0;  // when the final receipt came; 0: none did
  Notice last;                       // the final one, also when the client did not ask for it
  bool in_doubt = false;             // it was, once
  std::uint8_t resends = 0;
  std::uint16_t try_count = 0;  // all
  std::uint8_t tries_kept = 0;
  std::array<Try, kTriesMax> tries;
};

// Durable before submit_sm_resp leaves.
struct Accepted {
  static constexpr Type kType = Type::accepted;
  std::uint64_t message = 0;
  std::uint64_t public_id = 0;
  std::int64_t wall_us = 0;           // microseconds since 1970, here and below
  std::int64_t deadline_wall_us = 0;  // the end of its validity
  std::int64_t price_nano = 0;
  std::uint32_t tables_version = 0;
  std::uint32_t destination_id = 0;
  std::uint8_t registered_delivery = 0;
  bool short_id = false;    // accepted on a 3.3 session
  std::string_view client;  // its system_id
  Address source;
  Address destination;
  std::string_view text;  // the quote for the receipt
  std::uint8_t candidate_count = 0;
  std::array<Candidate, kCandidatesMax> candidates;
  Decision decision;
  Octets body;  // the rest: the submit_sm body
};

// Durable before the submit_sm's octets leave.
struct Intent {
  static constexpr Type kType = Type::intent;
  std::uint64_t message = 0;
  std::int64_t wall_us = 0;
  std::uint16_t attempt = 0;
  std::string_view carrier;
};

struct Sent {
  static constexpr Type kType = Type::sent;
  std::uint64_t message = 0;
  std::int64_t wall_us = 0;
  std::uint16_t attempt = 0;
  std::string_view carrier;
  std::string_view carrier_message_id;
};

enum class Follows : std::uint8_t {
  next,      // another candidate; this one is not asked again
  again,     // it never left, or later: every candidate may still be asked
  rejected,  // the client is told so
  expired    // likewise
};

struct Refused {
  static constexpr Type kType = Type::refused;
  std::uint64_t message = 0;
  std::int64_t wall_us = 0;
  std::uint16_t attempt = 0;
  Status status = Status::ESME_ROK;  // ESME_ROK: handed back, the carrier said nothing
  Follows follows = Follows::next;
  std::string_view carrier;
};

// It left, and no response came. After it, and only then, an unanswered message may go again.
struct InDoubt {
  static constexpr Type kType = Type::in_doubt;
  std::uint64_t message = 0;
  std::int64_t wall_us = 0;
  std::uint16_t attempt = 0;
  std::string_view carrier;
};

// Durable before the carrier's deliver_sm_resp leaves.
struct Receipt {
  static constexpr Type kType = Type::receipt;
  std::uint64_t message = 0;
  std::int64_t wall_us = 0;
  std::string_view carrier;
  Notice notice;
};

// No carrier will say more, we do: EXPIRED, REJECTED, UNKNOWN ...
struct Ended {
  static constexpr Type kType = Type::ended;
  std::uint64_t message = 0;
  std::int64_t wall_us = 0;
  Notice notice;
};

enum class How : std::uint8_t {
  told,        // the client acknowledged the final receipt
  no_receipt,  // a carrier has it, or it ended, and the client asked for no receipt of that
  given_up,    // the client did not come for its receipt in time
  relayed      // likewise no_receipt, of a relayed message: this is its only record
};

// The end of a message: after it, nothing of it is needed any more.
struct Settled {
  static constexpr Type kType = Type::settled;
  std::uint64_t message = 0;
  std::int64_t wall_us = 0;
  How how = How::told;
  Octets detail = {};  // the rest; with [records]: its number u64, its record (detail.h)
};

// Of the stream's detail records of this run, those up to this number are durable in their files.
struct Detailed {
  static constexpr Type kType = Type::detailed;
  std::int64_t wall_us = 0;
  std::uint64_t upto = 0;
  std::uint64_t segment = 0;  // of the detail records' files: later ones lie there or behind
  bool earlier_runs = false;  // those of all runs before this one are durable too
};

// From here on the wall clock is another one, in this stream: it was put forward or back. (What
// holds until the first of these stands in the segment's header.)
struct Clock {
  static constexpr Type kType = Type::clock;
  std::int64_t wall_us = 0;
  std::int64_t mono_us = 0;
  std::uint64_t boot = 0;  // of the machine: mono_us counts in it alone
};

enum class Stage : std::uint8_t { queued, in_doubt, awaiting, told };

// A live message whole, so that the segments with its older records can go. Its candidates are
// those that are left. `attempt` is the last one whose outcome its home knows, not one that is out
// now: the intent of that one stays with the carrier's home.
struct Carried {
  static constexpr Type kType = Type::carried;
  Accepted accepted;  // and the body, while no carrier has it
  std::int64_t wall_us = 0;
  Stage stage = Stage::queued;
  std::uint16_t attempt = 0;
  std::string_view carrier;             // of that attempt
  std::string_view carrier_message_id;  // empty: not known to the client's home
  Status status = Status::ESME_ROK;     // of the last refusal
  Notice notice;                        // the newest; done_wall_us is 0 while there is none
  Course course = {};                   // with accepted.decision
};

// What is written as accepted or carried, by whether there is a Decision; as settled, by whether
// there is a detail record.
template <class Record>
constexpr Type type_of(const Record& record) {
  if constexpr (std::is_same_v<Record, Accepted>) {
    return record.decision.known ? Type::accepted_decided : Type::accepted;
  } else if constexpr (std::is_same_v<Record, Carried>) {
    return record.accepted.decision.known ? Type::carried_decided : Type::carried;
  } else if constexpr (std::is_same_v<Record, Settled>) {
    return record.detail.empty() ? Type::settled : Type::settled_detailed;
  } else {
    return Record::kType;
  }
}

// A receipt that was acknowledged before its message was known. (carrier, number) names it.
struct Parked {
  static constexpr Type kType = Type::parked;
  std::uint64_t number = 0;
  std::int64_t wall_us = 0;
  std::string_view carrier;
  std::string_view carrier_message_id;
  Octets pdu;  // the rest: the deliver_sm or data_sm, whole
};

enum class Unpark : std::uint8_t { matched, duplicate, unmatched };

struct Unparked {
  static constexpr Type kType = Type::unparked;
  std::uint64_t number = 0;
  std::int64_t wall_us = 0;
  Unpark how = Unpark::matched;
  std::string_view carrier;
};

enum class Dead : std::uint8_t {
  unmatched,   // no message has its id, and none came to have it
  unreadable,  // said to be a receipt, and holds no id
  late         // its message was ended without it
};

std::string_view dead_name(Dead why);

// A receipt that can be told to nobody, kept for people to look at.
struct DeadLetter {
  static constexpr Type kType = Type::dead_letter;
  std::int64_t wall_us = 0;
  std::uint64_t message = 0;  // 0: not known
  Dead why = Dead::unmatched;
  MessageState state = MessageState::unknown;
  std::string_view carrier;
  std::string_view carrier_message_id;
  Octets pdu;  // the rest: the deliver_sm or data_sm, whole; of a late one empty
};

// A home's ids go on behind this one. In each segment, so that none is given twice when the segment
// of the last message is gone and the clock has gone back.
struct Ids {
  static constexpr Type kType = Type::ids;
  std::uint64_t message = 0;
  std::int64_t wall_us = 0;
};

// What a chunk of due receipts holds: one client's, in the order in which they came.
struct Chunk {
  static constexpr Type kType = Type::chunk;
  std::int64_t wall_us = 0;
  std::uint32_t receipts = 0;
  std::uint64_t first_message = 0;
  std::int64_t first_deadline_wall_us = 0;   // of the first receipt: then it is given up
  std::int64_t newest_deadline_wall_us = 0;  // none of them is told behind it
  std::string_view client;
};

// These messages' receipts lie in a chunk of the due store, durable: the journal keeps them no
// longer. Without messages: this chunk was the last one to be spilled so far.
struct Spilled {
  static constexpr Type kType = Type::spilled;
  std::uint64_t chunk = 0;
  std::int64_t wall_us = 0;
  std::string_view client;
  Octets messages;  // the rest: their ids, eight octets each
};

// A chunk's messages are the journal's again; the chunk is of no use any more. Or they were given
// up: `messages` is empty then.
struct Loaded {
  static constexpr Type kType = Type::loaded;
  std::uint64_t chunk = 0;
  std::int64_t wall_us = 0;
  std::uint32_t receipts = 0;  // that were spilled with it
  How how = How::told;         // given_up: too old
  std::string_view client;
  Octets messages;  // the rest: {length u32, a carried record} for each that could be read
};

// f(Octets) for each length-led record of Loaded::messages. False: they are malformed behind it.
template <class F>
bool for_each_loaded(Octets messages, F&& f) {
  while (!messages.empty()) {
    if (messages.size() < 4) return false;
    std::size_t length = 0;
    for (std::size_t i = 4; i-- > 0;) length = length << 8 | messages[i];
    if (length > messages.size() - 4) return false;
    f(messages.subspan(4, length));
    messages = messages.subspan(4 + length);
  }
  return true;
}

// The head's octets in `out`; 0 when it has no room (kHeadMax always is), or there are too many
// candidates or tries.
std::size_t encode(const Accepted& record, Out out);
std::size_t encode(const Intent& record, Out out);
std::size_t encode(const Sent& record, Out out);
std::size_t encode(const Refused& record, Out out);
std::size_t encode(const InDoubt& record, Out out);
std::size_t encode(const Receipt& record, Out out);
std::size_t encode(const Ended& record, Out out);
std::size_t encode(const Settled& record, Out out);
std::size_t encode(const Carried& record, Out out);
std::size_t encode(const Parked& record, Out out);
std::size_t encode(const Unparked& record, Out out);
std::size_t encode(const DeadLetter& record, Out out);
std::size_t encode(const Ids& record, Out out);
std::size_t encode(const Chunk& record, Out out);
std::size_t encode(const Spilled& record, Out out);
std::size_t encode(const Loaded& record, Out out);
std::size_t encode(const Detailed& record, Out out);
std::size_t encode(const Clock& record, Out out);

// False: malformed, and `record` holds nothing of use. Views point into `payload`.
bool decode(Octets payload, Accepted& record);
bool decode(Octets payload, Intent& record);
bool decode(Octets payload, Sent& record);
bool decode(Octets payload, Refused& record);
bool decode(Octets payload, InDoubt& record);
bool decode(Octets payload, Receipt& record);
bool decode(Octets payload, Ended& record);
bool decode(Octets payload, Settled& record);
bool decode(Octets payload, Carried& record);
bool decode(Octets payload, Parked& record);
bool decode(Octets payload, Unparked& record);
bool decode(Octets payload, DeadLetter& record);
bool decode(Octets payload, Ids& record);
bool decode(Octets payload, Chunk& record);
bool decode(Octets payload, Spilled& record);
bool decode(Octets payload, Loaded& record);
bool decode(Octets payload, Detailed& record);
bool decode(Octets payload, Clock& record);
// The layouts with a Decision; and of either, for a Carried without a body.
bool decode_decided(Octets payload, Accepted& record);
bool decode_decided(Octets payload, Carried& record);
bool decode_either(Octets payload, Carried& record);

enum class Reading : std::uint8_t { good, malformed, unknown };

// f(record) with the record that a type number and a payload are, when they are one.
template <class F>
Reading read(std::uint32_t type, Octets payload, F&& f) {
  const auto as = [&](auto record) {
    if (!decode(payload, record)) return Reading::malformed;
    f(std::as_const(record));
    return Reading::good;
  };
  const auto as_decided = [&](auto record) {
    if (!decode_decided(payload, record)) return Reading::malformed;
    f(std::as_const(record));
    return Reading::good;
  };
  switch (static_cast<Type>(type)) {
    case Type::accepted:
      return as(Accepted{});
    case Type::intent:
      return as(Intent{});
    case Type::sent:
      return as(Sent{});
    case Type::refused:
      return as(Refused{});
    case Type::in_doubt:
      return as(InDoubt{});
    case Type::receipt:
      return as(Receipt{});
    case Type::ended:
      return as(Ended{});
    case Type::settled:
      return as(Settled{});
    case Type::carried:
      return as(Carried{});
    case Type::parked:
      return as(Parked{});
    case Type::unparked:
      return as(Unparked{});
    case Type::dead_letter:
      return as(DeadLetter{});
    case Type::ids:
      return as(Ids{});
    case Type::chunk:
      return as(Chunk{});
    case Type::spilled:
      return as(Spilled{});
    case Type::loaded:
      return as(Loaded{});
    case Type::detailed:
      return as(Detailed{});
    case Type::clock:
      return as(Clock{});
    case Type::settled_detailed:
      return as(Settled{});
    case Type::accepted_decided:
      return as_decided(Accepted{});
    case Type::carried_decided:
      return as_decided(Carried{});
  }
  return Reading::unknown;
}

}  // namespace tollgate::proto::record
