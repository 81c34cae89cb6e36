#include "tests/routing/random_tables.h"

#include <algorithm>
#include <set>

namespace tollgate::oracle {

using std::string;
using Texts = std::vector<string>;

std::map<string, string> RandomTables::files() const {
  std::map<string, string> all;
  for (const auto& [name, table] : tables_) all[name] = csv_of(table);
  return all;
}

string RandomTables::facts() const {
  return facts_.rows.empty() ? "" : csv_of(facts_);
}

void RandomTables::drop_replacement(std::size_t row) {
  tables_.at("senders.csv").rows.at(row - 2).at(4) = "-";
}

// Few digits under few calling codes, so that prefixes lie within each other.
string RandomTables::digits(std::size_t length) {
  string number = text({"44", "49", "1", "91", "351"});
  while (number.size() < length) number += static_cast<char>('0' + upto(3) * 4);
  return number;
}

string RandomTables::possible_number() {
  for (;;) {
    string number = digits(11 + upto(2));
    if (number[0] != '1' && number[0] != '9' && number.substr(0, 3) != "351") return number;
    const string code = number[0] == '1' ? "1" : number.substr(0, number[0] == '9' ? 2 : 3);
    number.resize(code.size() + (code == "351" ? 9 : 10), '4');
    return number;
  }
}

string RandomTables::mccmnc() {
  return text({"23401", "23402", "234010", "26201", "310260", "40410"});
}

void RandomTables::make() {
  make_places();
  make_books();
  make_clients();
  make_rules();
  if (chance(50)) make_senders();
  if (chance(60)) make_facts();
}

void RandomTables::make_places() {
  tables_["currencies.csv"] = {{"currency", "rate"},
                               {{"EUR", "1"}, {"USD", "0.917431193"}, {"XOF", "7"}}};
  Table plan{{"prefix", "mccmnc"}, {}}, ported{{"number", "mccmnc"}, {}};
  std::set<string> seen, reached;
  for (int i = 0; i < 60; ++i) {
    const string prefix = digits(2 + upto(8));
    if (!seen.insert(prefix).second) continue;
    plan.rows.push_back({prefix, chance(15) ? mccmnc().substr(0, 3) : mccmnc()});
  }
  for (int i = 0; i < 20; ++i) {
    ported_.push_back(possible_number());
    if (seen.insert(ported_.back()).second) ported.rows.push_back({ported_.back(), mccmnc()});
  }
  for (const Table* table : {&plan, &ported}) {
    for (const Row& row : table->rows) reached.insert({row[1], row[1].substr(0, 3)});
  }
  reached_.assign(reached.begin(), reached.end());
  tables_["numbering_plan.csv"] = plan;
  if (chance(80)) tables_["portability.csv"] = ported;
}

void RandomTables::make_books() {
  const std::size_t count = 1 + upto(chance(10) ? 80 : 12);
  Table carriers{{"carrier", "quality", "senders"}, {}};
  for (std::size_t i = 0; i < count; ++i) {
    carriers_.push_back("c" + std::to_string(100 + i));
    tables_["rates/" + carriers_.back() + ".csv"] = amounts(true, 3 + upto(30));
    if (!chance(70)) continue;
    carriers.rows.push_back({carriers_.back(), text({"", "90", "95.5", "99.1234"}),
                             text({"", "", "numeric", "alphanumeric short_code"})});
  }
  std::shuffle(carriers_.begin(), carriers_.end(), random_);
  tables_["carriers.csv"] = carriers;
  for (int i = 0; i < 3; ++i) {
    plans_.push_back("p" + std::to_string(i));
    tables_["plans/" + plans_.back() + ".csv"] = amounts(false, 4 + upto(20));
  }
}

Table RandomTables::amounts(bool rates, std::size_t count) {
  Table table{{"mccmnc", "mcc", "prefix", "price", "currency", "effective_from", "effective_to"},
              {}};
  const Texts own = rates ? Texts{"charge", "sender", "tags"} : Texts{"from_volume"};
  table.header.insert(table.header.end(), own.begin(), own.end());
  const bool special = chance(50);
  std::set<string> seen;
  for (std::size_t i = 0; i < count; ++i) {
    Row row(7);
    const std::size_t kind = upto(3);
    row[kind] = kind == 0 ? mccmnc() : kind == 1 ? mccmnc().substr(0, 3) : digits(1 + upto(9));
    row[3] = text({"0", "0.01", "0.0123456", "0.02", "0.020000001", "0.05"});
    row[4] = text({"EUR", "EUR", "EUR", "USD", "XOF"});
    // Three periods that never overlap: past, now, to come.
    const std::size_t period = upto(5);
    if (period == 0) row[6] = "2026-06-01";
    if (period == 1) row[5] = "2028-06-01T12:30Z";
    if (period >= 2) row[5] = "2026-06-01", row[6] = "2028-06-01T12:30Z";
    string thing = row[kind] + "/" + std::to_string(kind) + row[5] + row[6];
    if (rates) {
      row.push_back(text({"", "submit", "delivered"}));
      row.push_back(special && chance(40) ? text({"alphanumeric", "numeric", "short_code"}) : "");
      row.push_back(text({"", "direct", "direct sms-2"}));
      thing += (row[7] == "delivered" ? "d" : "s") + row[8];
    } else {
      row.push_back(special ? text({"", "0", "1000", "50000"}) : "");
      thing += row[7] == "0" ? "" : row[7];
    }
    if (seen.insert(thing).second) table.rows.push_back(row);
  }
  return table;
}

void RandomTables::make_clients() {
  Table clients{{"client", "plan", "default_country"}, {}};
  for (int i = 0; i < 6; ++i) {
    clients_.push_back("k" + std::to_string(i));
    clients.rows.push_back({clients_.back(), one(plans_), text({"", "GB", "US", "IN", "PT"})});
  }
  tables_["clients.csv"] = clients;
}

string RandomTables::some_carriers(const string& joint) {
  string list;
  for (const string& name : carriers_) {
    if (!chance(50)) continue;
    list += (list.empty() ? "" : " ") + name;
    if (!joint.empty()) list += joint + std::to_string(upto(4));
  }
  return list;
}

// A row with a plan or a client or none, and a destination or none.
Row RandomTables::scope(std::size_t columns) {
  Row row(columns);
  if (const std::size_t who = upto(3); who == 1)
    row[0] = one(plans_);
  else if (who == 2)
    row[1] = one(clients_);
  if (chance(60)) row[2] = one(reached_);
  return row;
}

void RandomTables::make_rules() {
  Table rules{{"plan", "client", "destination", "allow", "deny", "order", "priorities", "weights",
               "max_attempts", "min_margin", "min_margin_percent", "on_loss", "min_quality",
               "hours", "blocked", "explore_percent"},
              {}};
  std::set<string> seen;
  const std::size_t count = upto(25);
  for (std::size_t i = 0; i < count; ++i) {
    Row row = scope(rules.header.size());
    if (chance(15)) row[3] = chance(30) ? "all" : some_carriers("");
    if (chance(20)) row[4] = chance(20) ? "none" : some_carriers("");
    if (chance(40)) row[5] = text({"least_cost", "priority", "weighted", "quality"});
    if (chance(40)) row[6] = some_carriers("=");
    if (chance(40)) row[7] = some_carriers("=");
    if (chance(30)) row[8] = std::to_string(1 + upto(8));
    if (chance(30)) row[9] = text({"0", "0.0001", "-0.01", "0.01"});
    if (chance(30)) row[10] = text({"0", "3.3333", "-50", "25"});
    if (chance(40)) row[11] = text({"allow", "block"});
    if (chance(10)) row[12] = text({"0", "92", "95.5"});
    if (chance(10)) row[13] = text({"07:00-09:00", "22:00-07:59", "00:00-24:00"});
    if (chance(6)) row[14] = text({"yes", "no"});
    if (chance(30)) row[15] = text({"0", "5.5", "50"});
    if (seen.insert(row[0] + "/" + row[1] + "/" + row[2]).second) rules.rows.push_back(row);
  }
  tables_["rules.csv"] = rules;
}

void RandomTables::make_senders() {
  Table senders{{"plan", "client", "destination", "allow", "replace_by", "deny"}, {}};
  std::set<string> seen;
  const std::size_t count = upto(12);
  for (std::size_t i = 0; i < count; ++i) {
    Row row = scope(senders.header.size());
    if (chance(50)) row[3] = text({"all", "numeric", "alphanumeric short_code", "short_code"});
    if (chance(50)) row[4] = text({"-", "Brand", "My Shop", "447700900000", "60006"});
    if (chance(40)) row[5] = text({"-", "ACME", "acme 12345", "447700900111 SPAM"});
    if (seen.insert(row[0] + "/" + row[1] + "/" + row[2]).second) senders.rows.push_back(row);
  }
  tables_["senders.csv"] = senders;
}

void RandomTables::make_facts() {
  facts_ = {{"what", "name", "destination", "value", "of"}, {}};
  facts_.rows.push_back({"number", "", "", std::to_string(1 + upto(1'000)), ""});
  facts_.rows.push_back({"month", "", "", chance(80) ? "202701" : "202612", ""});
  std::set<string> seen;
  const std::size_t rates = chance(30) ? 0 : upto(40);
  for (std::size_t i = 0; i < rates; ++i) {
    const string carrier = chance(5) ? "unheard" : one(carriers_);
    const string place = chance(5) ? "99999" : one(reached_);
    if (!seen.insert(carrier + "/" + place).second) continue;
    facts_.rows.push_back(
        {"rate", carrier, place, text({"0", "1", "333333", "900000", "955000", "1000000"}), "100"});
  }
  for (const string& client : clients_) {
    if (chance(70))
      facts_.rows.push_back(
          {"volume", client, "", text({"999", "1000", "49999", "50000", "9000000"}), ""});
  }
}

Query RandomTables::question(std::int64_t valid_until_us) {
  Query query;
  query.client = one(clients_);
  query.destination = chance(10) ? one(ported_) : possible_number();
  query.ton = static_cast<unsigned>(text({"1", "1", "0", "2", "5"})[0] - '0');
  if (query.ton == 5 && !chance(5)) query.ton = 1;
  if (const std::size_t form = upto(20); form == 0)
    query.destination = "+" + query.destination;
  else if (form == 1)
    query.destination = "00" + query.destination;
  else if (form == 2)
    query.destination = "0" + query.destination.substr(2);
  else if (form == 3)
    query.destination = query.destination.substr(upto(query.destination.size()));
  query.source = text({"", "ACME", "Acme", "12345", "447700900111", "+447700900111", "Shop"});
  query.source_ton = query.source == "12345" && chance(20) ? 5 : chance(5) ? 3 : 0;
  query.draw = random_();
  const std::int64_t until = std::min(valid_until_us, kNow + 86'400'000'000);
  query.wall_us = kNow + static_cast<std::int64_t>(random_() % (until - kNow));
  for (const string& carrier : carriers_) {
    if (chance(80)) continue;
    (chance(50) ? query.down : query.full).insert(carrier);
  }
  return query;
}

}  // namespace tollgate::oracle
