// decide() against the oracle: decision_checker [--seeds A..B] [--decisions N]
//   random table sets, random questions, every answer compared: reason, price, candidates, costs,
//   margins, order, the sender used, and why each carrier is or is not in the route.
// Decisions that were taken against the oracle: decision_checker --set DIR [--facts FILE]
//   --carriers a,b --clients c,d < decisions.jsonl
//   A line is an object: client, destination, ton, npi, source, source_ton, draw, wall_us, down,
//   full (names); and what was decided: reason, price_nano, candidates [{carrier, cost_nano}], and
//   if it is there sender and sender_ton, those used instead of the source.
// Exit status 0: no difference; 1: differences; 2: bad usage.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "routing/explain.h"
#include "tests/routing/compile/directory.h"
#include "tests/routing/random_tables.h"

namespace {

using namespace tollgate;
using Json = nlohmann::json;
using oracle::Oracle;
using std::string;

constexpr int kDifferencesShown = 10;

string described(const oracle::Route& route, bool with_verdicts) {
  string text = route.reason + " +" + route.number + " " + route.destination + " price " +
                std::to_string(route.price);
  if (!route.sender.empty())
    text += " sender " + route.sender + "/" + std::to_string(route.sender_ton) + "/" +
            std::to_string(route.sender_npi);
  for (const oracle::Candidate& c : route.candidates)
    text += " " + c.carrier + ":" + std::to_string(c.cost) + ":" + std::to_string(c.margin);
  if (!with_verdicts) return text;
  for (const auto& [carrier, verdict] : route.verdicts) text += " " + carrier + "=" + verdict;
  return text;
}

// decide()'s answer in the oracle's words.
oracle::Route in_words(const routing::Tables& tables, const routing::Route& from) {
  oracle::Route route;
  route.reason = reason_name(from.reason);
  route.number = from.number_view();
  route.destination = tables.destinations[from.destination].mccmnc;
  route.price = from.price_nano;
  if (!from.sender.empty()) {
    route.sender = from.sender;
    route.sender_ton = from.sender_ton;
    route.sender_npi = from.sender_npi;
  }
  for (std::size_t i = 0; i < from.count; ++i) {
    const routing::Candidate& c = from.candidates[i];
    route.candidates.push_back({tables.carriers[c.carrier].name, c.cost_nano, c.margin_nano});
  }
  return route;
}

// Compares random worlds.
class Comparison {
 public:
  void world(std::uint64_t seed, std::size_t decisions) {
    seed_ = seed;
    oracle::RandomTables random(seed);
    const auto tables = compile(random);
    const Oracle slow(random.files(), random.facts(), random.carriers());
    for (std::size_t i = 0; i < decisions; ++i) {
      const oracle::Query query = random.question(tables->valid_until_us);
      const oracle::Route expected = slow.decide(query);
      ask(*tables, query, expected);
      ++decisions_;
      ++reasons_[expected.reason];
      for (const auto& [carrier, verdict] : expected.verdicts) ++reasons_[verdict];
      replaced_ += !expected.sender.empty();
    }
  }

  // True = no difference, and enough of everything was met for that to say something.
  bool finish() const {
    std::printf("%zu decisions, %zu differences, %zu senders replaced, %zu explored\n", decisions_,
                differences_, replaced_, explored_);
    bool enough = true;
    const auto met = [&](const char* what, std::size_t count) {
      if (count * 2'000 >= decisions_ && count > 0) return;
      std::printf("%s was met %zu times only\n", what, count);
      enough = false;
    };
    for (std::size_t i = 0; i < routing::kReasons; ++i) {
      const string name = reason_name(static_cast<routing::Reason>(i));
      const auto found = reasons_.find(name);
      met(name.c_str(), found == reasons_.end() ? 0 : found->second);
    }
    met("a replaced sender", replaced_);
    met("exploring", explored_);
    return differences_ == 0 && enough;
  }

 private:
  std::unique_ptr<const routing::Tables> compile(oracle::RandomTables& random) const {
    for (;;) {
      routing::Facts facts;
      if (!random.facts().empty()) {
        const auto read = routing::read_facts("facts.csv", random.facts());
        if (!read) fail(fault_text(read.error()[0]));
        facts = *read;
      }
      routing::CompileOptions options;
      options.now_us = oracle::kNow;
      options.carriers = random.carriers();
      options.facts = &facts;
      auto compiled = routing::compile_files(random.files(), options);
      if (compiled) return std::move(*compiled);
      for (const routing::TableFault& fault : compiled.error()) {
        if (fault.column != "replace_by") fail(fault_text(fault));
        random.drop_replacement(fault.row);
      }
    }
  }

  [[noreturn]] void fail(const string& why) const {
    std::fprintf(stderr, "seed %llu: %s\n", static_cast<unsigned long long>(seed_), why.c_str());
    std::exit(1);
  }

  void ask(const routing::Tables& tables, const oracle::Query& asked,
           const oracle::Route& expected) {
    routing::Query query;
    query.client = static_cast<std::uint16_t>(tables.find_client(asked.client));
    query.destination = asked.destination;
    query.ton = static_cast<std::uint8_t>(asked.ton);
    query.source = asked.source;
    query.source_ton = static_cast<std::uint8_t>(asked.source_ton);
    query.message = asked.draw;
    query.wall_us = asked.wall_us;
    std::vector<routing::CarrierState> states;
    for (const routing::TableCarrier& carrier : tables.carriers)
      states.push_back({!asked.down.contains(carrier.name), !asked.full.contains(carrier.name)});
    routing::Route route, again;
    routing::Explanation explanation;
    decide(tables, query, states, route);
    decide(tables, query, states, again, &explanation);
    oracle::Route found = in_words(tables, route), explained = in_words(tables, again);
    for (const routing::Verdict& verdict : explanation.verdicts)
      explained.verdicts[tables.carriers[verdict.carrier].name] = reason_name(verdict.reason);
    explored_ += explanation.explored;
    differ(asked, "decide() and the oracle", described(found, false), described(expected, false));
    differ(asked, "explain and the oracle", described(explained, true), described(expected, true));
    if (!(again.down == route.down && again.full == route.full))
      differ(asked, "explain and decide()", "passes over others", "");
    // What the route says that it passed over is enough to find it again.
    for (std::size_t i = 0; i < states.size(); ++i)
      states[i] = {!route.down.has(i), !route.full.has(i)};
    decide(tables, query, states, again);
    differ(asked, "decide() and itself from what it passed over",
           described(in_words(tables, again), false), described(found, false));
  }

  void differ(const oracle::Query& asked, const char* who, const string& one, const string& other) {
    if (one == other || ++differences_ > kDifferencesShown) return;
    std::printf("seed %llu, client %s, %s from %s: %s differ\n  %s\n  %s\n",
                static_cast<unsigned long long>(seed_), asked.client.c_str(),
                asked.destination.c_str(), asked.source.c_str(), who, one.c_str(), other.c_str());
  }

  std::uint64_t seed_ = 0;
  std::size_t decisions_ = 0, differences_ = 0, replaced_ = 0, explored_ = 0;
  std::map<string, std::size_t> reasons_;
};

string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return text.str();
}

std::vector<string> split(const string& list) {
  std::vector<string> names;
  std::istringstream in(list);
  for (string name; std::getline(in, name, ',');) names.push_back(name);
  return names;
}

oracle::Query query_of(const Json& line) {
  oracle::Query query;
  query.client = line.at("client");
  query.destination = line.at("destination");
  query.ton = line.at("ton");
  query.source = line.at("source");
  query.source_ton = line.at("source_ton");
  query.draw = line.at("draw");
  query.wall_us = line.at("wall_us");
  query.down = line.at("down").get<std::set<string>>();
  query.full = line.at("full").get<std::set<string>>();
  return query;
}

// What of the decision the line tells.
string told(const Json& line) {
  string text = line.at("reason").get<string>() + " price " +
                std::to_string(line.at("price_nano").get<std::int64_t>());
  for (const Json& c : line.at("candidates"))
    text += " " + c.at("carrier").get<string>() + ":" +
            std::to_string(c.at("cost_nano").get<std::int64_t>());
  if (line.contains("sender"))
    text += " sender " + line.at("sender").get<string>() + "/" + line.at("sender_ton").dump();
  return text;
}

string told(const oracle::Route& route, bool with_sender) {
  string text = route.reason + " price " + std::to_string(route.price);
  for (const oracle::Candidate& c : route.candidates)
    text += " " + c.carrier + ":" + std::to_string(c.cost);
  if (with_sender) text += " sender " + route.sender + "/" + std::to_string(route.sender_ton);
  return text;
}

int check_taken(const string& set, const string& facts, const string& carriers) {
  std::map<string, string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(set)) {
    if (entry.path().extension() == ".csv")
      files[std::filesystem::relative(entry.path(), set).string()] = read_file(entry.path());
  }
  const Oracle slow(files, facts.empty() ? "" : read_file(facts), split(carriers));
  std::size_t lines = 0, differences = 0;
  for (string text; std::getline(std::cin, text);) {
    ++lines;
    const Json line = Json::parse(text);
    const string expected = told(slow.decide(query_of(line)), line.contains("sender"));
    const string taken = told(line);
    if (taken == expected) continue;
    if (++differences <= kDifferencesShown)
      std::printf("line %zu, client %s, %s\n  taken   %s\n  oracle  %s\n", lines,
                  line.at("client").get<string>().c_str(),
                  line.at("destination").get<string>().c_str(), taken.c_str(), expected.c_str());
  }
  std::printf("%zu decisions, %zu differences\n", lines, differences);
  return differences == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Compares decisions with a slow and obvious implementation that shares no code with them.\n"
      "Examples: decision_checker --seeds 1..1000 --decisions 1000\n"
      "          decision_checker --set tables --carriers alpha,bravo --clients shop < "
      "taken.jsonl");
  string seeds = "1..50", set, facts, carriers, clients;
  std::size_t decisions = 1'000;
  app.add_option("--seeds", seeds, "random table sets A..B");
  app.add_option("--decisions", decisions, "of each of them")->check(CLI::Range(1, 1'000'000));
  auto* const given =
      app.add_option("--set", set, "a directory of tables: check decisions on stdin");
  given->check(CLI::ExistingDirectory);
  app.add_option("--facts", facts, "what traffic had taught")->needs(given);
  app.add_option("--carriers", carriers, "in the gateway's order")->needs(given);
  app.add_option("--clients", clients, "in the gateway's order")->needs(given);
  try {
    app.parse(argc, argv);
    if (!set.empty() && carriers.empty()) throw CLI::RequiredError("--carriers");
    unsigned long long first = 0, last = 0;
    if (std::sscanf(seeds.c_str(), "%llu..%llu", &first, &last) != 2 || first > last)
      throw CLI::ValidationError("--seeds", "is not of the form A..B");
    if (!set.empty()) return check_taken(set, facts, carriers);
    Comparison comparison;
    for (auto seed = first; seed <= last; ++seed) comparison.world(seed, decisions);
    return comparison.finish() ? 0 : 1;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "decision_checker: %s\n", error.what());
    return 2;
  }
}
