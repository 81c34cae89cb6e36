// The decision once more, slow and obvious, from docs/tables.md: it reads the table files itself,
// as texts, and scans them from the first row to the last for every question. It shares no code
// with routing/; what a possible number is it asks libphonenumber.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tollgate::oracle {

using Row = std::vector<std::string>;
struct Table {
  Row header;
  std::vector<Row> rows;
  // The cell under a column's name; "" when there is no such column.
  const std::string& at(const Row& row, const std::string& column) const;
};
Table read_csv(const std::string& text);
std::string csv_of(const Table& table);

struct Query {
  std::string client;
  std::string destination;  // as the client sent it
  unsigned ton = 0;
  std::string source;
  unsigned source_ton = 0;
  std::uint64_t draw = 0;
  std::int64_t wall_us = 0;
  std::set<std::string> down, full;  // carriers
};

struct Candidate {
  std::string carrier;
  std::int64_t cost = 0, margin = 0;
  bool operator==(const Candidate&) const = default;
};

struct Route {
  std::string reason, number, destination;
  std::int64_t price = 0;
  std::vector<Candidate> candidates;
  std::map<std::string, std::string> verdicts;  // by carrier
  std::string sender;                           // instead of the client's; "" = the client's own
  unsigned sender_ton = 0, sender_npi = 0;
};

class Oracle {
 public:
  // files: by name, "rates/alpha.csv"; facts: their text, "" = none. The order of carriers decides
  // ties.
  Oracle(const std::map<std::string, std::string>& files, const std::string& facts,
         std::vector<std::string> carriers);
  Route decide(const Query& query) const;

 private:
  struct Asked;  // one question and what is known of it so far
  const Table& table(const std::string& name) const;
  std::optional<std::string> number_of(const Query& query) const;
  std::string destination_of(const std::string& number) const;
  std::string field(const std::string& file, const Asked& asked, const std::string& column) const;
  std::string sender_reason(Asked& asked, Route& route) const;
  std::int64_t base_amount(const Table& table, const Row& row, bool up) const;
  std::optional<std::int64_t> learned(const std::string& carrier, const Asked& asked) const;
  std::int64_t quality(const std::string& carrier, const Asked& asked) const;
  std::optional<std::int64_t> price(const Asked& asked) const;
  std::optional<std::int64_t> cost(const std::string& carrier, const Asked& asked) const;
  std::string drop(const std::string& carrier, const Asked& asked, std::optional<std::int64_t> cost,
                   std::int64_t price) const;
  void choose(const Asked& asked, Route& route) const;

  std::map<std::string, Table> tables_;
  Table facts_;
  std::vector<std::string> carriers_;
};

}  // namespace tollgate::oracle
