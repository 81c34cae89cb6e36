// decide() against the oracle: random tables, random questions, no difference allowed.
#include <algorithm>
#include <memory>
#include <random>
#include <set>

#include <catch2/catch.hpp>

#include "routing/explain.h"
#include "tests/routing/directory.h"
#include "tests/routing/oracle.h"

namespace tollgate::routing {
namespace {

using std::string;

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {}

  std::size_t upto(std::size_t n) { return random_() % n; }
  bool chance(unsigned percent) { return upto(100) < percent; }
  template <class T>
  const T& one(const std::vector<T>& of) {
    return of[upto(of.size())];
  }

  // Few digits under few calling codes, so that prefixes lie within each other.
  string digits(std::size_t length) {
    string text = one<string>({"44", "49", "1", "91", "351"});
    while (text.size() < length) text += static_cast<char>('0' + upto(3) * 4);
    return text;
  }
  string possible_number() {
    for (;;) {
      string number = digits(11 + upto(2));
      if (number[0] != '1' && number[0] != '9' && number.substr(0, 3) != "351") return number;
      const string code = number[0] == '1' ? "1" : number.substr(0, number[0] == '9' ? 2 : 3);
      number.resize(code.size() + (code == "351" ? 9 : 10), '4');
      return number;
    }
  }
  string mccmnc() { return one<string>({"23401", "23402", "234010", "26201", "310260", "40410"}); }
  string amount() { return one<string>({"0", "0.01", "0.0123456", "0.02", "0.020000001", "0.05"}); }

  void make() {
    tables.currencies = {{"currency", "rate"},
                         {{"EUR", "1"}, {"USD", "0.917431193"}, {"XOF", "7"}}};
    tables.plan = {{"prefix", "mccmnc"}, {}};
    tables.ported = {{"number", "mccmnc"}, {}};
    std::set<string> seen;
    for (int i = 0; i < 60; ++i) {
      const string prefix = digits(2 + upto(8));
      if (!seen.insert(prefix).second) continue;
      tables.plan.rows.push_back({prefix, chance(15) ? mccmnc().substr(0, 3) : mccmnc()});
    }
    for (int i = 0; i < 20; ++i) {
      ported.push_back(possible_number());
      if (seen.insert(ported.back()).second)
        tables.ported.rows.push_back({ported.back(), mccmnc()});
    }
    const std::size_t carriers = 1 + upto(chance(10) ? 80 : 12);
    tables.carriers = {{"carrier", "quality", "senders"}, {}};
    for (std::size_t i = 0; i < carriers; ++i) {
      tables.carrier_names.push_back("c" + std::to_string(100 + i));
      tables.rates.push_back(amounts(true, 3 + upto(30)));
      if (chance(70)) {
        tables.carriers.rows.push_back(
            {tables.carrier_names.back(), one<string>({"", "90", "95.5", "99.1234"}),
             one<string>({"", "", "numeric", "alphanumeric short_code"})});
      }
    }
    tables.clients = {{"client", "plan"}, {}};
    for (int i = 0; i < 3; ++i) {
      tables.plan_names.push_back("p" + std::to_string(i));
      tables.prices.push_back(amounts(false, 4 + upto(20)));
    }
    for (int i = 0; i < 6; ++i)
      tables.clients.rows.push_back({"k" + std::to_string(i), one(tables.plan_names)});
    make_rules();
  }

  Table amounts(bool rates, std::size_t count) {
    Table table{{"mccmnc", "mcc", "prefix", "price", "currency", "effective_from", "effective_to"},
                {}};
    if (rates) table.header.push_back("charge");
    std::set<string> seen;
    for (std::size_t i = 0; i < count; ++i) {
      Row row(7);
      const std::size_t kind = upto(3);
      row[kind] = kind == 0 ? mccmnc() : kind == 1 ? mccmnc().substr(0, 3) : digits(1 + upto(9));
      row[3] = amount();
      row[4] = one<string>({"EUR", "EUR", "EUR", "USD", "XOF"});
      // Three periods that never overlap: past, now, to come.
      const std::size_t period = upto(5);
      if (period == 0) row[6] = "2026-06-01";
      if (period == 1) row[5] = "2028-06-01T12:30Z";
      if (period >= 2) row[5] = "2026-06-01", row[6] = "2028-06-01T12:30Z";
      string charge;
      if (rates) row.push_back(charge = one<string>({"", "submit", "delivered"}));
      const string thing = row[kind] + "/" + std::to_string(kind) + row[5] + row[6] +
                           (charge == "delivered" ? "d" : "");
      if (seen.insert(thing).second) table.rows.push_back(row);
    }
    return table;
  }

  string some_carriers(const string& joint) {
    string list;
    for (const string& name : tables.carrier_names) {
      if (chance(50))
        list += (list.empty() ? "" : " ") + name + (joint.empty() ? "" : joint) +
                (joint.empty() ? "" : std::to_string(upto(4)));
    }
    return list;
  }

  void make_rules() {
    tables.rules = {{"plan", "client", "destination", "allow", "deny", "order", "priorities",
                     "weights", "max_attempts", "min_margin", "min_margin_percent", "on_loss",
                     "min_quality", "hours", "blocked"},
                    {}};
    std::set<string> seen;
    std::set<string> reached;
    for (const Table* table : {&tables.plan, &tables.ported}) {
      for (const Row& row : table->rows) reached.insert({row[1], row[1].substr(0, 3)});
    }
    const std::size_t count = upto(25);
    for (std::size_t i = 0; i < count; ++i) {
      Row row(15);
      if (const std::size_t who = upto(3); who == 1)
        row[0] = one(tables.plan_names);
      else if (who == 2)
        row[1] = one(tables.clients.rows)[0];
      if (chance(60)) row[2] = *std::next(reached.begin(), long(upto(reached.size())));
      if (chance(15)) row[3] = chance(30) ? "all" : some_carriers("");
      if (chance(20)) row[4] = chance(20) ? "none" : some_carriers("");
      if (chance(40)) row[5] = one<string>({"least_cost", "priority", "weighted", "quality"});
      if (chance(40)) row[6] = some_carriers("=");
      if (chance(40)) row[7] = some_carriers("=");
      if (chance(30)) row[8] = std::to_string(1 + upto(8));
      if (chance(30)) row[9] = one<string>({"0", "0.0001", "-0.01", "0.01"});
      if (chance(30)) row[10] = one<string>({"0", "3.3333", "-50", "25"});
      if (chance(40)) row[11] = one<string>({"allow", "block"});
      if (chance(10)) row[12] = one<string>({"0", "92", "95.5"});
      if (chance(10)) row[13] = one<string>({"07:00-09:00", "22:00-07:59", "00:00-24:00"});
      if (chance(6)) row[14] = one<string>({"yes", "no"});
      if (seen.insert(row[0] + "/" + row[1] + "/" + row[2]).second)
        tables.rules.rows.push_back(row);
    }
  }

  Files files() const {
    Files all = {
        {"currencies.csv", tables.currencies.csv()}, {"rules.csv", tables.rules.csv()},
        {"numbering_plan.csv", tables.plan.csv()},   {"clients.csv", tables.clients.csv()},
        {"portability.csv", tables.ported.csv()},    {"carriers.csv", tables.carriers.csv()}};
    for (std::size_t i = 0; i < tables.rates.size(); ++i)
      all["rates/" + tables.carrier_names[i] + ".csv"] = tables.rates[i].csv();
    for (std::size_t i = 0; i < tables.prices.size(); ++i)
      all["plans/" + tables.plan_names[i] + ".csv"] = tables.prices[i].csv();
    return all;
  }

  OracleQuery question() {
    OracleQuery query;
    query.client = one(tables.clients.rows)[0];
    query.number = chance(10) ? one(ported) : possible_number();
    query.source = one<string>({"", "ACME", "12345", "447700900111"});
    query.source_ton = query.source == "12345" && chance(20) ? 5 : 0;
    query.message = random_();
    query.now_us = kNow;
    for (std::size_t i = 0; i < tables.rates.size(); ++i)
      query.states.push_back(chance(80) ? 0 : static_cast<int>(1 + upto(2)));
    return query;
  }

  OracleTables tables;
  std::vector<string> ported;

 private:
  std::mt19937_64 random_;
};

string described(const OracleRoute& route) {
  string text = route.reason + " " + route.destination + " " + std::to_string(route.price);
  for (const OracleCandidate& c : route.candidates)
    text += " " + c.carrier + ":" + std::to_string(c.cost) + ":" + std::to_string(c.margin);
  for (const string& verdict : route.verdicts) text += " " + verdict;
  return text;
}

// What decide() says, in the oracle's words; with and without an explanation it must be the same.
OracleRoute answer(const Tables& tables, const OracleQuery& asked) {
  Query query;
  query.client = static_cast<std::uint16_t>(tables.find_client(asked.client));
  query.destination = asked.number;
  query.ton = 1;
  query.source = asked.source;
  query.source_ton = static_cast<std::uint8_t>(asked.source_ton);
  query.message = asked.message;
  query.wall_us = asked.now_us;
  std::vector<CarrierState> states;
  for (int state : asked.states) states.push_back({state != 1, state != 2});
  Route route, again;
  Explanation explanation;
  decide(tables, query, states, route);
  decide(tables, query, states, again, &explanation);
  OracleRoute out;
  const auto copy = [&](const Route& from) {
    out.reason = reason_name(from.reason);
    out.destination = tables.destinations[from.destination].mccmnc;
    out.price = from.price_nano;
    out.candidates.clear();
    for (std::size_t i = 0; i < from.count; ++i) {
      const Candidate& c = from.candidates[i];
      out.candidates.push_back({tables.carriers[c.carrier].name, c.cost_nano, c.margin_nano});
    }
    return described(out) + string(from.number_view());
  };
  REQUIRE(copy(again) == copy(route));
  REQUIRE((again.down == route.down && again.full == route.full));
  // What the route says it passed over is enough to find it again.
  for (std::size_t i = 0; i < states.size(); ++i)
    states[i] = {!route.down.has(i), !route.full.has(i)};
  decide(tables, query, states, again);
  REQUIRE(copy(again) == copy(route));
  REQUIRE(route.number_view() == asked.number);
  for (const Verdict& verdict : explanation.verdicts)
    out.verdicts.emplace_back(reason_name(verdict.reason));
  return out;
}

}  // namespace

TEST_CASE("decide() agrees with the oracle on 200,000 random decisions") {
  constexpr int kWorlds = 200, kQuestions = 1'000;
  std::size_t decisions = 0, differences = 0;
  std::map<string, std::size_t> reasons;
  for (int seed = 0; seed < kWorlds; ++seed) {
    World world(static_cast<std::uint64_t>(seed));
    world.make();
    const CompileResult compiled = compile_files(world.files());
    if (!compiled) FAIL("seed " << seed << ": " << fault_text(compiled.error()[0]));
    CHECK((*compiled)->valid_until_us > kNow);
    for (int i = 0; i < kQuestions; ++i, ++decisions) {
      const OracleQuery query = world.question();
      const string expected = described(oracle(world.tables, query));
      const OracleRoute found = answer(**compiled, query);
      ++reasons[found.reason];
      for (const string& verdict : found.verdicts) ++reasons[verdict];
      if (described(found) == expected) continue;
      if (++differences <= 3)
        WARN("seed " << seed << " number " << query.number << " client " << query.client
                     << "\n  oracle  " << expected << "\n  decide  " << described(found));
    }
  }
  CHECK(decisions == 200'000);
  CHECK(differences == 0);
  // Every outcome was met, or the agreement says little.
  for (std::size_t i = 0; i < kReasons; ++i) {
    const string name = reason_name(static_cast<Reason>(i));
    CAPTURE(name);
    if (name != "bad_number" && name != "sender_denied") CHECK(reasons[name] > 500);
  }
}

}  // namespace tollgate::routing
