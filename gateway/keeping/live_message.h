// What the journal says of one message: its records, applied one after the other.
//
// apply() is a pure function of (state, record). Records of one stream come in order; the streams
// of the client's home and the carriers' homes have no order between them, so an intent may come
// before its accepted record and a sent after its settled.
//
// Invariants
// 1. A record that was applied changes nothing when it comes again.
// 2. The order in which two streams' records are woven does not change what comes out.
// 3. After sent, the body is gone; before, it is there (for a message that is known).
// 4. An intent without an outcome is never `queued`: it may have left.
// 5. What depends on times (which word is newer, since when) goes by the line (timeline.h), so a
//    wall clock that jumps does not change it. What people read is kept as it was written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/records/record.h"

namespace tollgate::gateway {

enum class LiveStage : std::uint8_t {
  queued,     // it never left, or what left was refused: to be sent
  refused,    // refused for good, or too late; the client has yet to be told (`follows` says what)
  in_flight,  // an intent, no outcome: it may have left
  in_doubt,   // it left, no response came
  awaiting,   // a carrier has it
  told        // its last notice is there; the client has not acknowledged it
};
inline constexpr std::size_t kLiveStages = 6;
std::string_view live_stage_name(LiveStage stage);

// What no journal should say.
enum class Finding : std::uint8_t {
  none,
  malformed,               // a payload that is no record of its type
  unknown_type,            // written by another version
  accepted_twice,          //
  settled_twice,           //
  settled_unknown,         // settled, never accepted
  settled_without_cause,   // told with no receipt and no end, or over with no carrier
  after_settled,           // an intent, a carried or an accepted record after it
  intent_after_end,        // sent although the client was to be told that it is over
  second_submit,           // P3: while the attempt before it could still succeed
  outcome_without_intent,  //
  two_outcomes,            // of one attempt
  receipt_without_submit,  // of a message that was never sent
  unknown_message,         // sent or a receipt, and its message was never accepted
  unparked_unknown,        // a parked receipt taken out that was never put in
  conservation             // P2: accepted is not settled + live
};
inline constexpr std::size_t kFindings = 16;
std::string_view finding_name(Finding finding);
std::string_view finding_text(Finding finding);  // a sentence

struct LiveMessage {
  enum class Fate : std::uint8_t { none, in_flight, in_doubt, refused, sent };
  enum class Source : std::uint8_t { none, intermediate, receipt, carried, ended };

  bool known() const { return !accepted.empty(); }
  bool told() const { return notice_from >= Source::receipt; }
  LiveStage stage() const;
  // The record, its candidates without those that refused; false when it is not known.
  bool accepted_record(proto::record::Accepted& out) const;
  // For its detail record; views into this. `tries_kept` at most kTriesMax.
  void course(proto::record::Course& out) const;
  // Settled, and the journal shows why.
  bool settled_with_cause() const;

  // An attempt and how it ended, once.
  struct Tried {
    std::uint16_t attempt = 0;
    proto::record::TryEnd end = proto::record::TryEnd::sent;
    proto::Status status = proto::Status::ESME_ROK;
    std::int64_t wall_us = 0;
    std::string carrier;
  };

  std::vector<std::uint8_t> accepted;  // as encoded; its body only until a carrier has it
  std::vector<std::string> refused_by;
  std::vector<Tried> tries;  // by attempt; of very many only some
  std::uint16_t try_count = 0;
  std::uint8_t resends = 0;
  bool doubted = false;  // in doubt, once
  std::int64_t sent_wall_us = 0;
  std::int64_t receipt_wall_us = 0;
  std::int64_t accepted_wall_us = 0;
  bool decided = false;  // the layout of `accepted`
  std::string carrier;   // of the last attempt
  std::string carrier_message_id;
  proto::record::Notice notice;  // its error is notice_error
  std::string notice_error;
  std::int64_t line_less_wall_us = 0;   // of the record to be applied: set before each
  std::int64_t begun_line_less_us = 0;  // of the record in `accepted`
  std::int64_t notice_line_us = 0;
  std::int64_t since_line_us = 0;  // the record that made the stage
  proto::Status status = proto::Status::ESME_ROK;
  std::uint16_t head_length = 0;
  std::uint16_t attempt = 0;
  std::uint16_t status_attempt = 0;
  std::uint16_t overtaken = 0;  // an attempt without an outcome when a later one came; 0: none
  Fate fate = Fate::none;       // of that attempt
  Source notice_from = Source::none;
  proto::record::Follows follows = proto::record::Follows::next;
  proto::record::How how = proto::record::How::told;
  bool settled = false;
  bool carried_awaiting = false;  // a carrier has it, and it was carried so
  bool cut = false;  // began in the oldest segment there is: its intents may lie before it
};

Finding apply(LiveMessage& message, const proto::record::Accepted& record);
Finding apply(LiveMessage& message, const proto::record::Intent& record);
Finding apply(LiveMessage& message, const proto::record::Sent& record);
Finding apply(LiveMessage& message, const proto::record::Refused& record);
Finding apply(LiveMessage& message, const proto::record::InDoubt& record);
Finding apply(LiveMessage& message, const proto::record::Receipt& record);
Finding apply(LiveMessage& message, const proto::record::Ended& record);
Finding apply(LiveMessage& message, const proto::record::Settled& record);
Finding apply(LiveMessage& message, const proto::record::Carried& record);

}  // namespace tollgate::gateway
