// The rows of a directory of table files, parsed and checked one by one, before they are put
// together. Private to the compiler (compile.cpp reads, build.cpp puts together); one thread.
//
// 1. Amounts are already in the base currency; ids refer to the vectors here.
// 2. Rate and price rows are only those in force now; the others have been checked and dropped.
// 3. Destination codes are their digits after a 1 ("23415" -> 123415), so that 01, 1 and 001
//    differ.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "routing/compile/compile.h"
#include "routing/compile/currencies.h"
#include "routing/csv.h"
#include "routing/tables.h"

namespace tollgate::routing {

// Of one plan: each of its clients keeps them.
inline constexpr std::size_t kPlanVolumesMax = 1'000;

struct PlanPrefix {
  NumberKey key;
  std::uint32_t destination;
  std::uint32_t row;
  std::uint8_t length;
};

struct PortedNumber {
  NumberKey key;
  std::uint32_t destination;
  std::uint32_t row;
};

// A rate or a price. length 0: by destination id `key`; else by prefix.
struct AmountRow {
  std::uint64_t key;
  std::int64_t from_us, to_us;  // [from, to)
  Nano amount;
  std::uint32_t row;
  std::uint64_t from_volume;  // of a price
  std::uint16_t owner;        // carrier, plan, price set
  std::uint8_t length;
  std::uint8_t basis;  // 0 submit, 1 delivered; prices have 0
  Sender sender;       // of a rate: whom it holds for; none = everyone
};

enum class ClientScope : std::uint8_t { global, plan, client };
enum class PlaceScope : std::uint8_t { any, country, destination };

struct Ranked {
  std::uint16_t carrier;
  std::uint32_t value;
};

// For whom and where a row of rules.csv or senders.csv holds.
struct Scope {
  ClientScope client_scope = ClientScope::global;
  PlaceScope place_scope = PlaceScope::any;
  std::uint32_t client = 0;  // id of the plan or client
  std::uint32_t place = 0;   // id of the destination or of the country's default
  std::uint32_t row = 0;
};

// A row of rules.csv: its scope and the fields it sets.
struct RuleRow : Scope {
  std::optional<CarrierSet> allow, deny;
  std::optional<Order> order;
  std::optional<std::vector<Ranked>> priorities, weights;
  std::optional<std::uint8_t> attempts_max;
  std::optional<Nano> margin_min;
  std::optional<std::int64_t> margin_min_ppm;
  std::optional<bool> loss_allowed, blocked;
  std::optional<std::uint32_t> quality_min_ppm, explore_ppm;
  std::optional<std::pair<std::uint16_t, std::uint16_t>> hours;
};

// A row of senders.csv.
struct SenderRow : Scope {
  std::optional<std::uint8_t> allowed;             // bit = Sender
  std::optional<std::string> replace_by;           // "" = by nothing
  std::optional<std::vector<std::string>> denied;  // as denied_form() gives them, sorted
};

// Rows of a file laid over each other for each kind of client and destination
// (routing/compile/scopes.h).
inline constexpr std::uint32_t kNoRow = 0xffffffff;
using Layers = std::array<std::uint32_t, 9>;  // indices of rows, kNoRow = none
struct ScopeGrid {
  std::vector<std::uint32_t> class_of;   // [client]
  std::vector<std::uint32_t> column_of;  // [destination]
  std::uint32_t columns = 1;
  std::vector<std::uint32_t> cells;  // [class x columns] -> distinct
  std::vector<Layers> distinct;
};

struct SourceCarrier {
  TableCarrier carrier;
  std::uint8_t sender_types;  // bit = Sender
};

struct SourceTables {
  std::vector<SourceCarrier> carriers;
  std::vector<std::string> plans;
  std::vector<TableClient> clients;
  std::vector<Destination> destinations = std::vector<Destination>(1);  // [0] unknown
  std::vector<std::uint32_t> country_of;  // [destination] id of its country's default
  std::vector<bool> reachable;            // [destination] some number leads to it or its country
  std::unordered_map<std::uint32_t, std::uint32_t> by_code;  // 1 and its digits: its id
  std::vector<Currency> currencies;
  std::string base_currency;
  Dialling dialling;
  std::vector<PlanPrefix> prefixes;
  std::vector<PortedNumber> ported;
  std::vector<AmountRow> rates, prices;  // prices: plan after plan
  std::vector<std::vector<std::uint64_t>> plan_thresholds;
  std::vector<PriceSet> price_sets;
  std::vector<RuleRow> rules;
  std::vector<SenderRow> senders;
  ScopeGrid rule_grid, sender_grid;  // of both
  std::int64_t valid_until_us = std::numeric_limits<std::int64_t>::max();
  std::size_t rows = 0;

  SourceTables() : country_of(1), reachable(1) {}
  // The id of a destination of 3, 5 or 6 digits; a new one when it was not known.
  std::uint32_t destination(std::string_view digits);
  int find_carrier(std::string_view name) const;
  int find_plan(std::string_view name) const;  // `plans` are sorted
};

// One reading of one directory.
struct Reading {
  const std::string& directory;
  const CompileOptions& options;
  FaultList faults;
  SourceTables source;
};

// read_*.cpp: files -> source and faults. In this order: what is named must be read before.
void read_currencies(Reading& reading, std::string_view text);
void read_carriers(Reading& reading, std::string_view text);
void read_numbering_plan(Reading& reading, std::string_view text);
void read_portability(Reading& reading, std::string_view text);
void read_rate_book(Reading& reading, std::uint16_t carrier, const std::string& file,
                    std::string_view text);
void read_price_plan(Reading& reading, std::uint16_t plan, const std::string& file,
                     std::string_view text);
void read_clients(Reading& reading, std::string_view text);
void read_rules(Reading& reading, std::string_view text);

void read_senders(Reading& reading, std::string_view text);

// build_prices.cpp: which plans at which volumes clients are in. Fills plan_thresholds, price_sets
// and the clients' price_set.
void name_price_sets(Reading& reading);
// The rows by prefix that these sets have together.
std::size_t prefix_prices(const SourceTables& source);
// build_rules.cpp: how many rankings of the carriers the rules make.
std::size_t count_rankings(const SourceTables& source);
// build_senders.cpp: a sender that another is replaced by must itself be allowed.
void check_senders(Reading& reading);

// build.cpp. Consumes the source.
std::unique_ptr<Tables> build(SourceTables&& source, const CompileOptions& options);

}  // namespace tollgate::routing
