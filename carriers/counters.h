// What a carrier counts. Written by the carrier's home shard alone, read from any thread.
//
// Gauges (window, queue, states) are set when they change; everything else only grows.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/counters.h"
#include "core/grown.h"

namespace tollgate::carriers {

enum class BindState : std::uint8_t {
  down,        // waits for its next attempt
  alarm,       // refused for a reason of configuration: waits long, a human is needed
  connecting,  // TCP
  binding,     // bind sent
  bound,
  draining,   // takes no new submit, waits for the responses
  unbinding,  // unbind sent
  stopped
};
inline constexpr std::size_t kBindStates = 8;
std::string_view bind_state_name(BindState state);

struct alignas(64) BindCounters {
  core::Cell state;          // gauge: a BindState
  core::Cell window_max;     // gauge
  core::Cell window_in_use;  // gauge
  core::Cell connects;       // attempts
  core::Cell binds;          // successes
  core::Cell bind_refusals;
  core::Cell losses;  // a bound bind that ended without unbind from us
};

struct alignas(64) CarrierCounters {
  explicit CarrierCounters(std::size_t bind_count = 0) { binds.grow_to(bind_count); }

  core::Cell up;            // gauge: 1 while a bind can transmit
  core::Cell has_room;      // gauge
  core::Cell queue;         // gauge: orders that wait
  core::Cell queue_octets;  // gauge
  core::Cell resting;       // gauge: orders in back-off, or behind another to their number
  core::Cell awaiting;      // gauge: ids that wait for a receipt
  core::Cell parked;        // gauge: early receipts that wait for an id

  core::Cell taken;    // orders taken; = sent + refused + in_doubt + queue + window
  core::Cell submits;  // submit_sm that left, repeats after a throttle included
  std::array<core::Cell, 6> responses;  // to submit_sm, by proto::StatusClass
  core::Cell sent;                      // outcomes
  core::Cell refused;
  core::Cell handed_back;  // of refused: never left, or not again
  core::Cell expired;      // of refused: the validity ended in the queue
  core::Cell in_doubt;
  core::Cell response_timeouts;     // of in_doubt
  core::Cell throttles;             // ESME_RTHROTTLED
  core::Cell retries;               // refused for now, and to be tried here again
  core::Cell without_id;            // ESME_ROK without a message id
  core::Cell unexpected_responses;  // sequence unknown, or already answered

  std::array<core::Cell, 10> receipts;  // matched and kept, by proto::MessageState
  core::Cell receipts_early;            // parked
  core::Cell receipts_unmatched;        // no id came for them in time
  core::Cell receipts_duplicate;        // for an id that is settled
  core::Cell receipts_unreadable;       // said to be receipts, hold no id
  core::Cell receipts_refused;          // the flow could not keep them: ESME_RX_T_APPN
  core::Cell mo;                        // deliver_sm and data_sm that are no receipts
  core::Cell awaiting_expired;          // no final receipt within awaiting_hours
  core::Cell awaiting_evicted;          // made room for a newer id
  core::Cell awaiting_replaced;         // the carrier used an id again

  core::Cell outbinds;
  core::Cell alarms;            // refusals of class configuration
  core::Cell unknown_commands;  // answered with generic_nack
  core::Cell wrong_state;       // PDUs that the session's state does not allow
  core::Cell bad_lengths;       // command_length that ended a bind
  core::Cell enquire_misses;
  core::Cell generic_nacks;  // received

  core::Histogram response_us;  // submit_sm to its response

  core::Grown<BindCounters, 1024, 8> binds;  // one that was taken away keeps its place
};

}  // namespace tollgate::carriers
