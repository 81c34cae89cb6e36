// One message -> ordered carriers, or a reason why none. Called by the shard that owns the message;
// reads one immutable Tables.
//
// 1. decide() allocates nothing, takes no lock and reads no clock.
// 2. The same tables, query and states give the same route (weights hash Query::message).
// 3. With an Explanation the very same code runs and every carrier gets exactly one verdict.
// 4. No candidate is dearer than the rule's margin allows; none is at a loss unless the rule allows
//    it.
// 5. At most min(Rule::attempts_max, kCandidatesMax) candidates, none twice.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "routing/tables.h"

namespace tollgate::routing {

struct Query {
  std::uint16_t client = 0;       // id in Tables::clients
  std::string_view destination;   // as the client sent it
  std::uint8_t ton = 0, npi = 0;  // of the destination
  std::string_view source;        // "" = the carrier's own
  std::uint8_t source_ton = 0;
  std::uint64_t message = 0;  // what weights hash
  std::int64_t wall_us = 0;   // for time windows
};

enum class Reason : std::uint8_t {
  chosen,
  // why a carrier was dropped
  not_allowed,
  no_cost,
  below_margin,
  at_loss,
  sender_not_supported,  // of the message: senders.csv allows no such sender
  bind_down,
  over_pace,
  quality_floor,
  cut,  // beyond the rule's attempts
  // why there is no route at all
  blocked,
  outside_hours,
  no_price,
  no_route,  // every carrier was dropped
  bad_number,
  sender_denied,  // senders.csv
};
inline constexpr std::size_t kReasons = static_cast<std::size_t>(Reason::sender_denied) + 1;
const char* reason_name(Reason);

// What a carrier tells the router; the caller's array, index = carrier id. An empty span = all
// fine.
struct CarrierState {
  bool up = true;
  bool has_room = true;
};

struct Candidate {
  std::uint16_t carrier;
  Nano cost_nano;    // base currency, a segment
  Nano margin_nano;  // price - cost
};

struct Route {
  Reason reason = Reason::no_route;  // chosen, or why there is none
  std::uint32_t destination = 0;     // id in Tables::destinations
  Nano price_nano = 0;               // base currency, a segment; 0 before there is one
  char number[24];                   // E.164 digits without '+'
  std::uint8_t number_length = 0;    // 0 = bad_number
  std::uint8_t count = 0;
  Candidate candidates[kCandidatesMax];
  std::uint32_t tables_version = 0;
  std::uint32_t facts_number = 0;  // of the tables
  // Carriers that the route passed over for no other reason: bind_down, over_pace. decide() with
  // states made of these two gives the same route again.
  CarrierSet down, full;
  // The sender to use instead of the query's, a view into the tables; "" = the query's own.
  std::string_view sender;
  std::uint8_t sender_ton = 0, sender_npi = 0;
  std::string_view number_view() const { return {number, number_length}; }
};

struct Explanation;  // routing/explain.h

// query.client must be an id of the tables; states empty or one for each carrier.
void decide(const Tables& tables, const Query& query, std::span<const CarrierState> states,
            Route& out, Explanation* explanation = nullptr);

}  // namespace tollgate::routing
