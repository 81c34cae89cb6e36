// The decision once more, slow and obvious: the rows as texts, scanned from the first to the last
// for every question. Shares no code with routing/ but the names of the reasons.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace tollgate::routing {

using Row = std::vector<std::string>;
struct Table {
  Row header;
  std::vector<Row> rows;
  std::string csv() const;
  // The cell under a column's name.
  const std::string& at(const Row& row, const std::string& column) const;
};

struct OracleTables {
  Table plan, ported, currencies, carriers, clients, rules;
  std::vector<Table> rates;   // by carrier
  std::vector<Table> prices;  // by plan
  std::vector<std::string> carrier_names, plan_names;
};

struct OracleQuery {
  std::string client, number;  // number: E.164 digits, a possible one
  std::string source;
  unsigned source_ton = 0;
  std::uint64_t message = 0;
  std::int64_t now_us = 0;
  std::vector<int> states;  // by carrier: 0 fine, 1 down, 2 no room
};

struct OracleCandidate {
  std::string carrier;
  std::int64_t cost, margin;
  bool operator==(const OracleCandidate&) const = default;
};

struct OracleRoute {
  std::string reason, destination;
  std::int64_t price = 0;
  std::vector<OracleCandidate> candidates;
  std::vector<std::string> verdicts;  // by carrier
};

OracleRoute oracle(const OracleTables& tables, const OracleQuery& query);

}  // namespace tollgate::routing
