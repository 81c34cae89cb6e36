#include "tests/routing/oracle.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <sstream>

namespace tollgate::routing {
namespace {

using std::string;
__extension__ using Wide = __int128;

// "12.5" -> 12500000000, by shifting the text.
std::int64_t nano(string text) {
  const bool negative = text[0] == '-';
  if (negative) text.erase(0, 1);
  const std::size_t point = text.find('.');
  string decimals = point == string::npos ? "" : text.substr(point + 1);
  decimals.resize(9, '0');
  const long long value = std::atoll((text.substr(0, point) + decimals).c_str());
  return negative ? -value : value;
}

std::int64_t instant(const string& date) {
  std::tm tm{};
  strptime(date.c_str(), date.size() == 10 ? "%Y-%m-%d" : "%Y-%m-%dT%H:%MZ", &tm);
  return timegm(&tm) * std::int64_t{1'000'000};
}

bool in_force(const Table& table, const Row& row, std::int64_t now) {
  const string &from = table.at(row, "effective_from"), &to = table.at(row, "effective_to");
  return (from.empty() || instant(from) <= now) && (to.empty() || now < instant(to));
}

// A row's amount in the base currency; up = a cost.
std::int64_t base_amount(const OracleTables& tables, const Table& table, const Row& row, bool up) {
  for (const Row& currency : tables.currencies.rows) {
    if (currency[0] != table.at(row, "currency")) continue;
    const Wide product = Wide{nano(table.at(row, "price"))} * nano(currency[1]);
    return static_cast<std::int64_t>((product + (up ? 999'999'999 : 0)) / 1'000'000'000);
  }
  std::abort();
}

// The sum of all rows in force whose `column` holds `value`.
std::optional<std::int64_t> sum(const OracleTables& tables, const Table& table,
                                const string& column, const string& value, std::int64_t now,
                                bool up) {
  std::optional<std::int64_t> total;
  if (value.empty()) return total;
  for (const Row& row : table.rows) {
    if (table.at(row, column) == value && in_force(table, row, now))
      total = total.value_or(0) + base_amount(tables, table, row, up);
  }
  return total;
}

std::optional<std::int64_t> by_prefix(const OracleTables& tables, const Table& table, string number,
                                      std::int64_t now, bool up) {
  for (; !number.empty(); number.pop_back()) {
    if (const auto found = sum(tables, table, "prefix", number, now, up)) return found;
  }
  return std::nullopt;
}

struct Scope {
  string plan, client, mccmnc;
};

// The value of a field by the most specific rule that sets it.
string field(const Table& rules, const Scope& scope, const string& column) {
  string value;
  int best = -1;
  for (const Row& row : rules.rows) {
    const string &plan = rules.at(row, "plan"), &client = rules.at(row, "client"),
                 &place = rules.at(row, "destination");
    if (!plan.empty() && plan != scope.plan) continue;
    if (!client.empty() && client != scope.client) continue;
    if (!place.empty() && place != scope.mccmnc && place != scope.mccmnc.substr(0, 3)) continue;
    if (rules.at(row, column).empty()) continue;
    const int who = !client.empty() ? 2 : !plan.empty() ? 1 : 0;
    const int where = place.empty() ? 0 : place.size() == 3 ? 1 : 2;
    if (who * 3 + where <= best) continue;
    best = who * 3 + where;
    value = rules.at(row, column);
  }
  return value;
}

bool listed(const string& list, const string& name) {
  return (" " + list + " ").find(" " + name + " ") != string::npos;
}

// "a=1 b=2", "b" -> 2
std::int64_t number_in(const string& list, const string& name, std::int64_t otherwise) {
  std::istringstream in(list);
  for (string word; in >> word;) {
    if (word.substr(0, word.find('=')) == name) return std::atoll(&word[word.find('=') + 1]);
  }
  return otherwise;
}

string carrier_cell(const OracleTables& tables, const string& name, const string& column) {
  for (const Row& row : tables.carriers.rows) {
    if (row[0] == name) return tables.carriers.at(row, column);
  }
  return "";
}

std::int64_t quality(const OracleTables& tables, const string& name) {
  const string text = carrier_cell(tables, name, "quality");
  return text.empty() ? 0 : nano(text);
}

bool takes_sender(const OracleTables& tables, const string& name, const OracleQuery& query) {
  const string senders = carrier_cell(tables, name, "senders");
  if (senders.empty() || query.source.empty()) return true;
  const bool digits = query.source.find_first_not_of("0123456789") == string::npos;
  if (query.source_ton == 5 || !digits) return listed(senders, "alphanumeric");
  return listed(senders, query.source.size() <= 6 ? "short_code" : "numeric");
}

bool open_now(const string& hours, std::int64_t now) {
  if (hours.empty()) return true;
  const std::time_t seconds = now / 1'000'000;
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  char clock[6];
  std::strftime(clock, sizeof clock, "%H:%M", &tm);
  const string from = hours.substr(0, 5), to = hours.substr(6), at = clock;
  return from < to ? from <= at && at < to : from <= at || at < to;
}

string destination_of(const OracleTables& tables, const string& number) {
  for (const Row& row : tables.ported.rows) {
    if (row[0] == number) return row[1];
  }
  string longest, mccmnc;
  for (const Row& row : tables.plan.rows) {
    if (number.starts_with(row[0]) && row[0].size() > longest.size()) {
      longest = row[0];
      mccmnc = row[1];
    }
  }
  return mccmnc;
}

struct Choice {
  OracleCandidate candidate;
  std::int64_t quality, priority, weight;
  std::size_t id;
};

std::uint64_t hash(std::uint64_t message, std::uint64_t round) {
  std::uint64_t x = message + 0x9e3779b97f4a7c15u * (round + 1);
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

void sort_choices(std::vector<Choice>& all, const string& order) {
  std::sort(all.begin(), all.end(), [&](const Choice& a, const Choice& b) {
    const std::int64_t cost = a.candidate.cost - b.candidate.cost;
    if (order == "priority" && a.priority != b.priority) return a.priority < b.priority;
    if (order == "quality" && a.quality != b.quality) return a.quality > b.quality;
    if (cost != 0) return cost < 0;
    if (a.quality != b.quality) return a.quality > b.quality;
    if (a.priority != b.priority) return a.priority < b.priority;
    return a.id < b.id;
  });
}

// Draws those with a weight to the front.
void draw(std::vector<Choice>& all, std::uint64_t message) {
  for (std::size_t round = 0; round < all.size(); ++round) {
    std::vector<std::size_t> lots;  // by carrier id
    Wide total = 0;
    for (std::size_t i = round; i < all.size(); ++i) {
      if (all[i].weight == 0) continue;
      lots.push_back(i);
      total += all[i].weight;
    }
    if (lots.empty()) return;
    std::sort(lots.begin(), lots.end(), [&](auto a, auto b) { return all[a].id < all[b].id; });
    Wide point = (Wide{hash(message, round)} * total) >> 64;
    for (std::size_t i : lots) {
      point -= all[i].weight;
      if (point >= 0) continue;
      std::rotate(all.begin() + round, all.begin() + i, all.begin() + i + 1);
      break;
    }
  }
}

// Why the rule or the prices rule a carrier out; "" = they do not.
template <class Field>
string drop(const OracleTables& tables, const OracleQuery& query, const Field& rule,
            const string& name, std::int64_t price, std::optional<std::int64_t> cost) {
  const string allow = rule("allow"), least = rule("min_margin"),
               percent = rule("min_margin_percent"), floor = rule("min_quality");
  if ((!allow.empty() && allow != "all" && !listed(allow, name)) || listed(rule("deny"), name) ||
      rule("deny") == "all")
    return "not_allowed";
  if (!takes_sender(tables, name, query)) return "sender_not_supported";
  if (!floor.empty() && quality(tables, name) < nano(floor)) return "quality_floor";
  if (!cost) return "no_cost";
  const std::int64_t margin = price - *cost;
  if (margin < 0 && rule("on_loss") != "allow") return "at_loss";
  if (!least.empty() && margin < nano(least)) return "below_margin";
  if (!percent.empty() && Wide{margin} * 100'000'000'000 < Wide{price} * nano(percent))
    return "below_margin";
  return "";
}

}  // namespace

string Table::csv() const {
  string text;
  const auto line = [&](const Row& row) {
    for (std::size_t i = 0; i < row.size(); ++i) text += (i > 0 ? "," : "") + row[i];
    text += "\n";
  };
  line(header);
  for (const Row& row : rows) line(row);
  return text;
}

const string& Table::at(const Row& row, const string& column) const {
  const auto found = std::find(header.begin(), header.end(), column);
  if (found == header.end()) std::abort();
  return row[found - header.begin()];
}

OracleRoute oracle(const OracleTables& tables, const OracleQuery& query) {
  OracleRoute route;
  route.destination = destination_of(tables, query.number);
  const string country = route.destination.substr(0, 3);
  string plan;
  for (const Row& row : tables.clients.rows) {
    if (row[0] == query.client) plan = row[1];
  }
  const Scope scope{plan, query.client, route.destination};
  const auto rule = [&](const string& column) { return field(tables.rules, scope, column); };

  const std::size_t plan_id = std::find(tables.plan_names.begin(), tables.plan_names.end(), plan) -
                              tables.plan_names.begin();
  const Table& prices = tables.prices[plan_id];
  auto price = sum(tables, prices, "mccmnc", route.destination, query.now_us, false);
  if (!price) price = sum(tables, prices, "mcc", country, query.now_us, false);
  if (!price) price = by_prefix(tables, prices, query.number, query.now_us, false);
  route.price = price.value_or(0);

  string refused;
  if (rule("blocked") == "yes")
    refused = "blocked";
  else if (!open_now(rule("hours"), query.now_us))
    refused = "outside_hours";
  else if (!price)
    refused = "no_price";
  if (!refused.empty()) {
    route.reason = refused;
    route.verdicts.assign(tables.rates.size(), refused);
    return route;
  }
  std::vector<Choice> choices;
  for (std::size_t id = 0; id < tables.rates.size(); ++id) {
    const string& name = tables.carrier_names[id];
    const Table& book = tables.rates[id];
    auto cost = sum(tables, book, "mccmnc", route.destination, query.now_us, true);
    if (!cost) cost = by_prefix(tables, book, query.number, query.now_us, true);
    if (!cost) cost = sum(tables, book, "mcc", country, query.now_us, true);
    string verdict = drop(tables, query, rule, name, *price, cost);
    if (verdict.empty() && query.states[id] == 1) verdict = "bind_down";
    if (verdict.empty() && query.states[id] == 2) verdict = "over_pace";
    if (verdict.empty()) {
      verdict = "cut";
      choices.push_back({{name, *cost, *price - *cost},
                         quality(tables, name),
                         number_in(rule("priorities"), name, 65'535),
                         number_in(rule("weights"), name, 0),
                         id});
    }
    route.verdicts.push_back(verdict);
  }
  sort_choices(choices, rule("order"));
  if (rule("order") == "weighted") draw(choices, query.message);
  const string attempts = rule("max_attempts");
  const std::size_t most = attempts.empty() ? 8 : std::stoul(attempts);
  for (std::size_t i = 0; i < choices.size() && i < most; ++i) {
    route.candidates.push_back(choices[i].candidate);
    route.verdicts[choices[i].id] = "chosen";
  }
  route.reason = choices.empty() ? "no_route" : "chosen";
  return route;
}

}  // namespace tollgate::routing
