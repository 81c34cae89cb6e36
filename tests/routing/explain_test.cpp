// What explain prints, how tables age, that a decision allocates nothing, and the sample tables.
#include "routing/explain.h"

#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/routing/allocations.h"
#include "tests/routing/compile/directory.h"

namespace tollgate::routing {
namespace {

using Json = nlohmann::json;

std::unique_ptr<const Tables> compiled(const Files& files, std::int64_t now_us = kNow) {
  CompileOptions options;
  options.now_us = now_us;
  options.version = 41;
  CompileResult result = compile_files(files, options);
  if (!result) FAIL(fault_text(result.error()[0]));
  return std::move(*result);
}

Explanation explained(const Tables& tables, std::string_view number) {
  Query query;
  query.destination = number;
  query.wall_us = kNow;
  Route route;
  Explanation explanation;
  decide(tables, query, {}, route, &explanation);
  return explanation;
}

}  // namespace

TEST_CASE("explain for people") {
  Files files = good_files();
  files["rules.csv"] =
      "max_attempts,min_margin,min_margin_percent,hours\n1,0.001,2.5,07:00-22:30\n";
  const auto tables = compiled(files);
  CHECK(explain_text(*tables, explained(*tables, "07700900123")) ==
        "number       +447700900123 (given as 07700900123)\n"
        "client       shop, plan retail\n"
        "destination  23415 Vodafone, GB\n"
        "price        0.0500 EUR\n"
        "rule         least_cost, at most 1 attempts, margin at least 0.0010, margin at least "
        "2.5%, loss blocked, 07:00-22:30 UTC\n"
        "result       1 of 2 carriers\n"
        "tables       version 41\n"
        "\n"
        "rank  carrier    cost  by       margin      %  verdict\n"
        "   1  bravo    0.0140  prefix   0.0360  72.00  chosen\n"
        "   -  alpha    0.0200  network  0.0300  60.00  cut\n");
  CHECK(explain_text(*tables, explained(*tables, "447701900123")) ==
        "number       +447701900123 (given as 447701900123)\n"
        "client       shop, plan retail\n"
        "destination  23402 O2, GB\n"
        "price        0.0120 EUR\n"
        "rule         least_cost, at most 1 attempts, margin at least 0.0010, margin at least "
        "2.5%, loss blocked, 07:00-22:30 UTC\n"
        "result       no_route\n"
        "tables       version 41\n"
        "\n"
        "rank  carrier    cost  by        margin        %  verdict\n"
        "   -  alpha    0.0270  country  -0.0150  -125.00  at_loss\n"
        "   -  bravo    0.0140  prefix   -0.0020   -16.66  at_loss\n");
  CHECK(explain_text(*tables, explained(*tables, "12\x1b")) ==
        "number       not a possible number (given as 12\\x1b)\n"
        "client       shop, plan retail\n"
        "result       bad_number\n"
        "tables       version 41\n");
}

TEST_CASE("explain for programs") {
  const auto tables = compiled(good_files());
  const Json json = Json::parse(explain_json(*tables, explained(*tables, "+447700900123")));
  CHECK(json["reason"] == "chosen");
  CHECK(json["number"] == "447700900123");
  CHECK(json["price"] == "0.05");
  CHECK(json["destination"]["mccmnc"] == "23415");
  CHECK(json["rule"]["min_margin"].is_null());
  REQUIRE(json["carriers"].size() == 2);
  CHECK(json["carriers"][0] == Json{{"carrier", "bravo"},
                                    {"rank", 1},
                                    {"verdict", "chosen"},
                                    {"cost", "0.014"},
                                    {"cost_source", "prefix"},
                                    {"margin", "0.036"},
                                    {"quality", "0"}});
  const Json bad = Json::parse(explain_json(*tables, explained(*tables, "\xff\"")));
  CHECK(bad["number"].is_null());
  CHECK(bad["carriers"].empty());
}

TEST_CASE(
    "rows come into force and end at their instant, and the tables say until when they hold") {
  Files files = good_files();
  files["rates/alpha.csv"] =
      "mcc,price,currency,effective_from,effective_to\n"
      "234,0.01,EUR,,2027-02-01\n"
      "234,0.02,EUR,2027-02-01,2027-03-01T06:30Z\n";
  constexpr std::int64_t kFebruary = 1'801'440'000'000'000, kMarch = 1'803'882'600'000'000;
  const auto cost = [&](std::int64_t now_us, std::int64_t valid_until_us) {
    const auto tables = compiled(files, now_us);
    CHECK(tables->valid_until_us == valid_until_us);
    return explained(*tables, "447700900123").verdicts[0].cost_nano;
  };
  CHECK(cost(kFebruary - 1, kFebruary) == 10'000'000);
  CHECK(cost(kFebruary, kMarch) == 20'000'000);
  CHECK(cost(kMarch - 1, kMarch) == 20'000'000);
  CHECK(cost(kMarch, std::numeric_limits<std::int64_t>::max()) == kNone);
}

TEST_CASE("carriers and clients have the gateway's ids") {
  Files files = good_files();
  files["clients.csv"] = "client,plan\nother,retail\nshop,retail\nagg,retail\n";
  CompileOptions options;
  options.carriers = {"bravo", "alpha"};
  options.clients = {"agg", "shop"};
  const CompileResult result = compile_files(files, options);
  REQUIRE(result);
  CHECK((*result)->find_carrier("bravo") == 0);
  CHECK((*result)->find_carrier("alpha") == 1);
  CHECK((*result)->find_client("agg") == 0);
  CHECK((*result)->find_client("shop") == 1);
  CHECK((*result)->find_client("other") == 2);
  CHECK((*result)->find_client("nobody") == -1);
}

TEST_CASE("a decision allocates nothing") {
  Files files = good_files();
  files["portability.csv"] = "number,mccmnc\n447701900123,23415\n";
  for (const char* order : {"least_cost", "priority", "weighted", "quality"}) {
    files["rules.csv"] =
        std::string("order,weights,priorities\n") + order + ",alpha=1 bravo=3,alpha=2\n";
    const auto tables = compiled(files);
    const std::vector<CarrierState> states(2);
    Query query;
    query.source = "ACME";
    Route route;
    for (const char* number :
         {"07700900123", "+447701900123", "00447812345678", "9", "33612345678"}) {
      query.destination = number;
      const std::size_t before = allocations;
      decide(*tables, query, states, route);
      CHECK(allocations == before);
    }
  }
  const std::size_t before = allocations;
  ::operator delete(::operator new(1));
  CHECK(allocations == before + 1);  // the counter counts
}

TEST_CASE("the sample tables show what they are meant to show") {
  CompileOptions options;
  options.now_us = kNow;
  const CompileResult result = compile_directory(TOLLGATE_SAMPLE_TABLES, options);
  if (!result) FAIL(fault_text(result.error()[0]));
  const Tables& tables = **result;
  REQUIRE(tables.carriers.size() == 5);
  std::set<std::string> countries, networks, cheapest, orders;
  std::size_t at_loss = 0, single = 0, blocked = 0, margin = 0;
  std::ifstream plan(std::string(TOLLGATE_SAMPLE_TABLES) + "/numbering_plan.csv");
  std::string line;
  std::getline(plan, line);
  while (std::getline(plan, line)) {
    std::string number = line.substr(0, line.find(','));
    for (; number.size() < 15; number += '1') {
      if (number.size() < 10 || !tables.dialling.possible(number)) continue;
      break;
    }
    for (const char* client : {"shop", "agg"}) {
      Query query;
      query.client = static_cast<std::uint16_t>(tables.find_client(client));
      query.destination = number;
      query.wall_us = kNow;
      Route route;
      Explanation explanation;
      decide(tables, query, {}, route, &explanation);
      INFO(line << " " << number << " " << client << " " << reason_name(route.reason));
      CHECK((route.reason == Reason::chosen || route.reason == Reason::blocked));
      const Destination& destination = tables.destinations[route.destination];
      CHECK(route.destination != 0);
      countries.insert(destination.country);
      if (destination.mccmnc.size() > 3) networks.insert(destination.mccmnc);
      blocked += route.reason == Reason::blocked;
      orders.insert(order_name(explanation.rule->order));
      if (route.count > 0 && explanation.rule->order == Order::least_cost)
        cheapest.insert(tables.carriers[route.candidates[0].carrier].name);
      single += route.count == 1;
      for (const Verdict& verdict : explanation.verdicts) {
        at_loss += verdict.reason == Reason::at_loss;
        margin += verdict.reason == Reason::below_margin;
      }
    }
  }
  CHECK(countries.size() >= 25);
  CHECK(networks.size() >= 60);
  CHECK(cheapest.size() >= 4);
  CHECK(orders.size() == 4);
  CHECK(at_loss > 0);
  CHECK(margin > 0);
  CHECK(single > 0);
  CHECK(blocked > 0);
}

}  // namespace tollgate::routing
