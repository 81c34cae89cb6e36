// What the flow counts: one set per shard, written by that shard's thread alone and read by the
// metrics from any thread. (What a carrier's binds count is in carriers/counters.h.)
//
// A client's counters are written on its home shard. Money is in nano-units of the base currency;
// margins may be negative: their cells hold two's complement (margin_of()). Sums of money stay at
// int64's ends once they get there.
#pragma once

#include <array>
#include <cstdint>

#include "core/counters.h"
#include "core/grown.h"
#include "gateway/config/config.h"
#include "proto/saturated.h"
#include "proto/status.h"
#include "routing/router.h"

namespace tollgate::gateway {

inline constexpr std::size_t kMessageStates = 10;  // proto::MessageState
inline constexpr std::size_t kStatusClasses = 6;   // proto::StatusClass

inline void add_signed(core::Cell& cell, std::int64_t n) {
  cell.set(static_cast<std::uint64_t>(proto::sum(static_cast<std::int64_t>(cell.get()), n)));
}
inline std::int64_t margin_of(const core::Cell& cell) {
  return static_cast<std::int64_t>(cell.get());
}

struct alignas(core::kCacheLine) ClientCounters {
  core::Cell sessions;  // gauge: bound now
  core::Cell binds;     // accepted
  core::Cell submits;   // submit_sm, data_sm and each destination of submit_multi
  core::Cell accepted;  // of them
  std::array<core::Cell, kStatusClasses> responses;  // to them, by the status' class
  std::array<core::Cell, routing::kReasons> routed;  // by routing's reason
  core::Cell window_in_use;       // gauge, each second: submits whose response has not left yet
  core::Cell window_overruns;     // submits beyond the window: ESME_RTHROTTLED
  core::Cell over_pace;           // submits beyond the pace: ESME_RTHROTTLED
  core::Cell queue_full;          // ESME_RMSGQFUL
  core::Cell reading_pauses;      // times a session's reading stopped for a full queue
  core::Cell unsent;              // gauge: accepted, no carrier has it yet
  core::Cell unsent_octets;       // gauge: their memory
  core::Cell resent;              // in doubt, and sent again
  core::Cell in_doubt;            // gauge: sent, no response
  core::Cell relay_refused;       // relayed, and no carrier took it
  core::Cell relay_in_doubt;      // of them: no response, so it may have been sent
  core::Cell receipts_owing;      // gauge: messages that may still bring a receipt
  core::Cell receipts_waiting;    // gauge: receipts that no session has taken yet
  core::Cell receipts_spilled;    // gauge: of them, those on the disk
  core::Cell receipts_in_flight;  // gauge: deliver_sm without a response
  std::array<core::Cell, kMessageStates> receipts;  // that came for its messages, by state
  core::Cell receipts_sent;                         // deliver_sm sent, repeats included
  core::Cell receipts_delivered;                    // acknowledged by the client
  core::Cell receipts_retried;                      // refused or timed out, to be sent again
  core::Cell receipts_held;     // put aside: the session that has their number takes no more now
  core::Cell receipts_expired;  // given up after receipt_keep
  core::Cell settled;           // messages that ended
  core::Cell failed;            // of them: no carrier took it
  core::Cell expired;           // of them: validity ended before
  core::Cell revenue_nano;      // price of what carriers took
  core::Cell margin_nano;       // price - cost of it
  core::Histogram response_us;  // submit_sm read to its response flushed
  core::Histogram receipt_us;   // submit_sm accepted to its final receipt
};

// What one shard's clients did with one carrier.
struct alignas(core::kCacheLine) CarrierMoneyCounters {
  core::Cell sent;       // messages it took
  core::Cell failovers;  // messages that went on to the next candidate
  core::Cell cost_nano;
  core::Cell revenue_nano;  // price of the messages it took
  core::Cell margin_nano;
  std::array<core::Cell, kMessageStates> receipts;  // final and intermediate, by state
  core::Histogram receipt_us;                       // accepted to final receipt
};

// Sessions before they are bound, and the rest that has no client.
struct alignas(core::kCacheLine) DoorCounters {
  core::Cell accepted;         // connections
  core::Cell waiting;          // gauge: not bound yet
  core::Cell over_limit;       // closed at once: unbound_max, and all of them wait for us
  core::Cell source_full;      // likewise: unbound_per_source
  core::Cell gave_way;         // closed for a newcomer: the oldest that had not sent its bind
  core::Cell talkative;        // closed: too many requests before the bind
  core::Cell hung_up;          // gone while the password's check was waited for
  core::Cell sessions_full;    // binds refused: connections_max
  core::Cell bind_refused;     // wrong password, address, version, too many sessions
  core::Cell init_timeouts;    // no bind in time
  core::Cell auth_queue_full;  // binds that could not be checked now
  core::Cell bad_pdus;         // answered with a field's status
  core::Cell bad_lengths;      // command_length that ended a connection
  core::Cell unknown_commands;
  core::Cell wrong_state;
  core::Cell ignored_responses;
  core::Cell inactive;        // sessions closed for inactivity
  core::Cell enquire_misses;  // sessions closed for no enquire_link_resp
};

// The ledger of one shard: accepted = settled + unsent + awaiting + in doubt + told + spilled.
struct alignas(core::kCacheLine) LedgerCounters {
  core::Cell accepted;
  core::Cell settled;
  core::Cell messages;       // gauge: accepted - settled - spilled
  core::Cell spilled;        // gauge: told, on the disk until their client comes
  core::Cell capacity;       // gauge
  core::Cell full;           // submits refused because it was
  core::Cell unsent_octets;  // gauge: memory of messages that no carrier has yet
  core::Cell holds;          // turns in which no client was read: a carrier's queue came first
  core::Cell waiting;        // gauge: every candidate was down or full, or refused for now
  core::Cell back_offs;      // times that no candidate took a message, and one may later
  core::Cell late_outcomes;  // outcomes and receipts for messages that had ended
  core::Cell mail_spilled;   // times mail did not fit its ring
};

struct FlowCounters {
  FlowCounters(std::size_t client_count, std::size_t carrier_count) {
    grow(client_count, carrier_count);
  }
  // The main thread, before anybody may count there.
  void grow(std::size_t client_count, std::size_t carrier_count) {
    clients.grow_to(client_count);
    carriers.grow_to(carrier_count);
  }

  core::Grown<ClientCounters, kClientsMax, 16> clients;          // by client id; used on their home
  core::Grown<CarrierMoneyCounters, kCarriersMax, 16> carriers;  // by carrier id
  DoorCounters door;
  LedgerCounters ledger;
};

}  // namespace tollgate::gateway
