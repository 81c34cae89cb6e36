// One compiled snapshot of everything that routing needs. Built by routing/compile/compile.h,
// immutable from then on and read by every shard; published and freed by its owner.
//
// 1. Carriers, clients, plans and destinations are dense ids; names are kept for printing alone.
// 2. Carrier ids follow CompileOptions::carriers, client ids CompileOptions::clients.
// 3. Only rows in force at `as_of_us` are in it; from `valid_until_us` on it is stale: compile
//    again.
// 4. All money is in the base currency, int64 nano-units.
// 5. Destination 0 is "unknown": no numbering-plan prefix fits.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/companion.h"
#include "routing/dialling.h"
#include "routing/huge_pages.h"
#include "routing/money.h"
#include "routing/prefix.h"
#include "routing/price_grid.h"

namespace tollgate::routing {

inline constexpr std::size_t kCarriersMax = 256;
inline constexpr std::size_t kCandidatesMax = 8;
inline constexpr std::size_t kClientsMax = 65'535;
inline constexpr std::size_t kPlansMax = 4'096;
inline constexpr std::size_t kDestinationsMax = 1'000'000;
inline constexpr std::uint32_t kPpm = 1'000'000;  // parts per million: the whole

enum class Order : std::uint8_t { least_cost, priority, weighted, quality };
const char* order_name(Order);

// One bit a carrier.
struct CarrierSet {
  std::array<std::uint64_t, kCarriersMax / 64> words{};
  bool has(std::size_t carrier) const { return words[carrier / 64] >> (carrier % 64) & 1; }
  void add(std::size_t carrier) { words[carrier / 64] |= std::uint64_t{1} << (carrier % 64); }
  void remove(std::size_t carrier) { words[carrier / 64] &= ~(std::uint64_t{1} << (carrier % 64)); }
  CarrierSet operator&(const CarrierSet& other) const {
    CarrierSet both;
    for (std::size_t i = 0; i < words.size(); ++i) both.words[i] = words[i] & other.words[i];
    return both;
  }
  bool operator==(const CarrierSet&) const = default;
};

// The rules of a (client, destination) resolved field by field.
struct Rule {
  CarrierSet allowed;    // by the allow and deny lists
  CarrierSet qualified;  // those of `allowed` that reach quality_min_ppm
  Order order = Order::least_cost;
  bool blocked = false;
  bool loss_allowed = false;
  std::uint8_t attempts_max = kCandidatesMax;
  std::uint16_t hours_from = 0, hours_to = 0;  // minutes of the UTC day; equal = always
  Nano margin_min = kNone;                     // per segment
  std::int64_t margin_min_ppm = kNone;         // of the price
  std::uint32_t quality_min_ppm = 0;
  std::uint32_t explore_ppm = 0;  // share of messages that try another carrier first
  std::uint32_t ranks = 0;        // where this rule's priorities and weights start in Tables::ranks
};

// What a carrier is ordered by under a rule. weight 0 = after all weighted ones.
struct CarrierRank {
  std::uint32_t worse_ppm = 0;  // how far its quality is from 100 %
  std::uint32_t weight = 0;
  std::uint16_t priority = 0xffff;  // lower goes first
};

// What a carrier asks for a segment to a destination; in eight octets, ordered by cost, then
// carrier. A cost is 0 or more and below 2^55.
class Offer {
 public:
  Offer() = default;
  Offer(Nano cost, std::uint16_t carrier)
      : packed_(static_cast<std::uint64_t>(cost) << kCarrierBits | carrier) {}
  Nano cost() const { return static_cast<Nano>(packed_ >> kCarrierBits); }
  std::uint16_t carrier() const {
    return static_cast<std::uint16_t>(packed_ & ((1u << kCarrierBits) - 1));
  }
  auto operator<=>(const Offer&) const = default;

 private:
  static constexpr unsigned kCarrierBits = 8;
  static_assert(kCarriersMax <= std::size_t{1} << kCarrierBits);
  std::uint64_t packed_;
};

// What decide() needs of a destination.
struct Place {
  std::uint32_t rule_column = 0;                   // of Tables::rule_ids
  std::uint32_t sender_column = 0;                 // of Tables::sender_ids
  std::uint32_t offers_begin = 0, offers_end = 0;  // in Tables::offers
};

enum class Sender : std::uint8_t { alphanumeric, numeric, short_code, none };
inline constexpr std::size_t kSenders =
    4;  // none: the message names no sender; any carrier will do
const char* sender_name(Sender);
// By the source address as the client sent it: TON 5 or any letter is alphanumeric; TON 3 or 6 or
// at most kShortCodeDigitsMax digits a short code; anything else numeric.
inline constexpr std::size_t kShortCodeDigitsMax = 6;
Sender sender_of(std::string_view source, std::uint8_t source_ton);
inline constexpr std::uint8_t kEverySender = (1u << kSenders) - 1;  // one bit each

// The sender rules of a (client, destination) resolved field by field. A message without a sender
// is always fine.
struct SenderRule {
  std::uint8_t allowed = kEverySender;
  std::uint32_t replacement = 0;                   // in Tables::replacements; 0 = none: refuse
  std::uint32_t denied_begin = 0, denied_end = 0;  // in Tables::denied
};
struct Replacement {
  std::string sender;
  Sender type = Sender::none;
  std::uint8_t ton = 0, npi = 0;
};
inline constexpr std::size_t kSenderOctetsMax = 20;  // of source_addr [SMPP 3.4, 5.2.8]
// How a sender is looked for among the denied: without a leading '+', in capitals. `out` has room
// for kSenderOctetsMax; a longer one gives "".
std::string_view denied_form(std::string_view sender, char* out);

struct TableCarrier {
  std::string name;
  std::uint32_t quality_ppm = 0;  // kPpm = 100 %
};
struct TableClient {
  std::string name;
  std::uint16_t plan = 0;
  std::uint16_t price_set = 0;     // of Tables::price_sets: its plan at its volume
  std::uint32_t rule_class = 0;    // row of Tables::rule_ids
  std::uint32_t sender_class = 0;  // row of Tables::sender_ids
  HomeCountry home;
};
struct Destination {
  std::string mccmnc;   // "23415", "310260", or "234" for a country's default; "" for id 0
  std::string country;  // ISO code when the numbering plan gives it
  std::string network;
};

// A prefix that carriers or plans have rows for. Rows lie in Tables::prefix_costs / prefix_prices.
struct PrefixNode {
  std::uint32_t parent = 0;  // the next shorter one, 0 = none
  std::uint32_t costs_begin = 0, costs_end = 0, prices_begin = 0, prices_end = 0;
};
struct PrefixAmount {
  std::uint16_t owner;   // carrier or price set; rows of one node are sorted by it
  std::uint8_t senders;  // one bit a Sender: whom it holds for; of one owner the first that does
  Nano amount;
};

// A plan at a volume that clients of it have reached.
struct PriceSet {
  std::uint16_t plan = 0;
  std::uint64_t from_volume = 0;  // the highest threshold reached, 0 = none
};

// The delivery rate of a carrier at a destination, as learned.
struct LearnedQuality {
  std::uint16_t carrier;
  std::uint32_t delivered_ppm;
};

// Open addressing, never more than half full: number -> destination.
struct Portability {
  std::vector<NumberKey> keys;  // a power of two, 0 = free; or empty
  std::vector<std::uint32_t> destinations;
  std::uint32_t find(NumberKey key) const;  // 0 = none
  static std::size_t slot_of(NumberKey key);
};

struct TableCounts {
  std::size_t prefixes = 0, rates = 0, prices = 0, rules = 0, ported = 0,
              rows = 0;  // rows: all files
};

struct Tables {
  std::uint32_t version = 0;
  std::uint32_t facts = 0;  // number of the Facts that it was compiled with; 0 = none
  std::string source;       // the directory
  std::string base_currency;
  std::int64_t as_of_us = 0;
  std::int64_t valid_until_us = std::numeric_limits<std::int64_t>::max();
  std::int64_t compile_us = 0;  // how long compiling took
  TableCounts counts;
  std::shared_ptr<const Companion> companion;  // null: there is none

  std::vector<TableCarrier> carriers;
  std::vector<TableClient> clients;
  std::vector<std::string> plans;
  std::vector<std::vector<std::uint64_t>> plan_thresholds;  // [plan] volumes, ascending, without 0
  std::vector<PriceSet> price_sets;
  std::vector<Destination> destinations;

  Dialling dialling;
  Portability portability;
  PrefixIndex index;
  HugeVector<PrefixNode> nodes;  // [0] unused
  HugeVector<PrefixAmount> prefix_costs, prefix_prices;
  // With learned rates: what prefix_costs of the same index charge when delivered, at a rate of 1;
  // their amount is then without it. Else empty, and their amount is the sum.
  std::vector<Nano> prefix_delivered;
  std::array<CarrierSet, kSenders> senders{};  // which carriers take such a sender
  // What carriers ask may depend on the sender: where its offers begin in `places` and `exact`.
  // All 0 when no rate book has a row for some senders alone.
  std::array<std::size_t, kSenders> offers_of{};
  std::vector<Place> places;                 // [offers_of + destination]
  HugeVector<Offer> offers;                  // of each place, by network or country, cheapest first
  std::vector<CarrierSet> exact;             // [offers_of + destination]: the offer is by network
  PriceGrid prices;                          // by price set and destination
  std::vector<LearnedQuality> learned;       // by destination, then carrier
  std::vector<std::uint32_t> learned_begin;  // [destination], and the end; empty without any
  std::vector<Rule> rules;
  std::vector<CarrierRank> ranks;       // [rule x carriers]
  std::vector<std::uint32_t> rule_ids;  // [rule class x rule_columns]
  std::uint32_t rule_columns = 1;
  std::vector<SenderRule> sender_rules;   // empty without senders.csv
  std::vector<std::uint32_t> sender_ids;  // [sender class x sender_columns]
  std::uint32_t sender_columns = 1;
  std::vector<Replacement> replacements;  // [0] unused
  std::vector<std::string> denied;        // of each rule, sorted, as denied_form() gives them

  const Rule& rule(std::uint16_t client, std::uint32_t destination) const {
    return rules[rule_ids[std::size_t{clients[client].rule_class} * rule_columns +
                          places[destination].rule_column]];
  }
  const SenderRule& sender_rule(std::uint16_t client, std::uint32_t destination) const {
    return sender_rules[sender_ids[std::size_t{clients[client].sender_class} * sender_columns +
                                   places[destination].sender_column]];
  }
  std::span<const LearnedQuality> learned_at(std::uint32_t destination) const {
    if (learned_begin.empty()) return {};
    return {learned.data() + learned_begin[destination],
            learned_begin[destination + 1] - learned_begin[destination]};
  }
  // Index of a name, or -1.
  int find_carrier(std::string_view name) const;
  int find_client(std::string_view name) const;
  // The volumes (segments a month) at which the client's prices change, ascending.
  std::vector<std::uint64_t> thresholds(std::uint16_t client) const;
  std::size_t bytes() const;  // about
};

}  // namespace tollgate::routing
