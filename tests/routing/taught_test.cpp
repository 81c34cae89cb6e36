// Learned rates, volumes and senders on small tables, with exact figures: what they do to a
// decision, until when, and how it is told.
#include <catch2/catch.hpp>

#include "routing/explain.h"
#include "tests/routing/compile/directory.h"

namespace tollgate::routing {
namespace {

constexpr std::int64_t kFebruary = 1'801'440'000'000'000;  // 2027-02-01T00:00Z

std::unique_ptr<const Tables> compiled(const Files& files, const Facts& facts = {},
                                       std::int64_t now_us = kNow) {
  CompileOptions options;
  options.now_us = now_us;
  options.version = 41;
  options.facts = &facts;
  CompileResult result = compile_files(files, options);
  if (!result) FAIL(fault_text(result.error()[0]));
  return std::move(*result);
}

Facts facts_of(std::vector<LearnedRate> rates, std::vector<Volume> volumes = {}) {
  return {7, kNow, 202701, std::move(rates), std::move(volumes)};
}

struct Asked {
  const char* number = "447700900123";
  const char* source = "";
  std::uint64_t message = 0;
};

Explanation explained(const Tables& tables, const Asked& asked = {}) {
  Query query;
  query.destination = asked.number;
  query.source = asked.source;
  query.message = asked.message;
  query.wall_us = kNow;
  Route route;
  Explanation explanation;
  decide(tables, query, {}, route, &explanation);
  CHECK(route.facts_number == tables.facts);
  return explanation;
}

Nano cost(const Tables& tables, const char* carrier, const Asked& asked = {}) {
  return explained(tables, asked).verdicts[tables.find_carrier(carrier)].cost_nano;
}

Nano price(const Tables& tables) {
  return explained(tables).route.price_nano;
}

std::string first(const Tables& tables, const Asked& asked = {}) {
  const Route route = explained(tables, asked).route;
  return route.count == 0 ? reason_name(route.reason)
                          : tables.carriers[route.candidates[0].carrier].name;
}

}  // namespace

TEST_CASE("a charge on delivery counts by the learned rate of the number's destination") {
  Files files = good_files();  // bravo: 0.01 by submit and 0.004 by delivery, by prefix 4477
  CHECK(cost(*compiled(files), "bravo") == 14'000'000);
  CHECK(cost(*compiled(files, facts_of({{"bravo", "23415", 333'333, 100}})), "bravo") ==
        11'333'332);
  CHECK(cost(*compiled(files, facts_of({{"bravo", "23415", 0, 100}})), "bravo") == 10'000'000);
  // Of another destination, another carrier, one that nobody knows: nothing.
  const Facts others = facts_of({{"bravo", "23402", 0, 9},
                                 {"alpha", "23415", 0, 9},
                                 {"gone", "23415", 0, 9},
                                 {"bravo", "99999", 0, 9}});
  CHECK(cost(*compiled(files, others), "bravo") == 14'000'000);
  // By network and by country; rounded up at the ninth decimal.
  files["rates/bravo.csv"] = "mccmnc,mcc,price,currency,charge\n,234,0.000000001,EUR,delivered\n";
  CHECK(cost(*compiled(files, facts_of({{"bravo", "23415", 1, 100}})), "bravo") == 1);
  CHECK(cost(*compiled(files, facts_of({{"bravo", "234", 0, 100}})), "bravo") == 1);
}

TEST_CASE("a learned rate is the quality at its destination") {
  Files files = good_files();
  files["carriers.csv"] = "carrier,quality\nalpha,90\nbravo,95\n";
  files["rules.csv"] = "order,explore_percent,min_quality\nquality,0,80\n";
  CHECK(first(*compiled(files)) == "bravo");
  const auto tables = compiled(files, facts_of({{"bravo", "23415", 890'000, 100}}));
  CHECK(tables->facts == 7);
  CHECK(first(*tables) == "alpha");
  CHECK(first(*tables, {"447701900123"}) == "no_route");  // at a loss there, whatever the quality
  const auto low = compiled(files, facts_of({{"alpha", "23415", 799'999, 100}}));
  CHECK(explained(*low).verdicts[0].reason == Reason::quality_floor);
  files["carriers.csv"] = "carrier,quality\nalpha,10\nbravo,95\n";
  CHECK(explained(*compiled(files)).verdicts[0].reason == Reason::quality_floor);
  const auto high = compiled(files, facts_of({{"alpha", "23415", 990'000, 100}}));
  CHECK(first(*high) == "alpha");
}

TEST_CASE("order quality explores its share of the messages, the same ones again") {
  Files files = good_files();
  files["rates/charlie.csv"] = "mcc,price,currency\n234,0.03,EUR\n";
  files["carriers.csv"] = "carrier,quality\nalpha,99\nbravo,95\ncharlie,91\n";
  files["rules.csv"] = "order,explore_percent\nquality,20\n";
  const auto tables = compiled(files);
  std::map<std::string, int> firsts;
  for (std::uint64_t message = 0; message < 10'000; ++message) {
    const Asked asked{"447700900123", "", message};
    const std::string found = first(*tables, asked);
    ++firsts[found];
    const Explanation again = explained(*tables, asked);
    REQUIRE(again.explored == (found != "alpha"));
    REQUIRE(again.route.count == 3);
    // Whoever explores, the best comes next.
    if (again.explored) REQUIRE(again.route.candidates[1].carrier == 0);
  }
  CHECK(firsts["alpha"] == Approx(8'000).margin(200));
  CHECK(firsts["bravo"] == Approx(1'000).margin(150));
  CHECK(firsts["charlie"] == Approx(1'000).margin(150));
  files["rules.csv"] = "order,explore_percent\nleast_cost,50\n";
  const auto cheap = compiled(files);
  for (std::uint64_t message = 0; message < 1'000; ++message)
    REQUIRE_FALSE(explained(*cheap, {"447700900123", "", message}).explored);
}

TEST_CASE("prices fall with the month's volume, and a month begins at 0 by itself") {
  Files files = good_files();
  files["plans/retail.csv"] =
      "mcc,mccmnc,price,currency,from_volume\n"
      "234,,0.05,EUR,\n234,,0.04,EUR,1000\n234,,0.03,EUR,50000\n,23402,0.012,EUR,\n";
  const auto sent = [&](std::uint64_t segments, std::int64_t now_us = kNow) {
    return compiled(files, facts_of({}, {{"shop", segments}, {"gone", 1}}), now_us);
  };
  CHECK(sent(0)->thresholds(0) == std::vector<std::uint64_t>{1'000, 50'000});
  CHECK(price(*sent(999)) == 50'000'000);
  CHECK(price(*sent(1'000)) == 40'000'000);
  CHECK(price(*sent(49'999)) == 40'000'000);
  CHECK(price(*sent(50'000)) == 30'000'000);
  CHECK(sent(50'000)->valid_until_us == kFebruary);
  CHECK(sent(999)->valid_until_us > kFebruary);
  CHECK(price(*sent(50'000, kFebruary - 1)) == 30'000'000);
  CHECK(price(*sent(50'000, kFebruary)) == 50'000'000);
  // One plan at one volume is one set of prices, whoever is in it.
  files["clients.csv"] = "client,plan\nshop,retail\nagg,retail\nthird,retail\n";
  const auto tables = compiled(files, facts_of({}, {{"shop", 60'000}, {"third", 90'000}}));
  CHECK(tables->price_sets.size() == 2);
  CHECK(tables->clients[0].price_set == tables->clients[2].price_set);
  CHECK(tables->clients[0].price_set != tables->clients[1].price_set);
}

TEST_CASE("rates for some senders are their whole charge") {
  Files files = good_files();
  files["rates/alpha.csv"] =
      "mccmnc,mcc,prefix,price,currency,charge,sender,tags\n"
      "23415,,,0.02,EUR,submit,,\n23415,,,0.001,EUR,delivered,,direct\n"
      "23415,,,0.03,EUR,submit,alphanumeric,direct sms-2\n,,4477,0.04,EUR,submit,short_code,\n";
  const auto tables = compiled(files);
  CHECK(cost(*tables, "alpha") == 21'000'000);
  CHECK(cost(*tables, "alpha", {"447700900123", "ACME"}) == 30'000'000);
  CHECK(cost(*tables, "alpha", {"447700900123", "447700900111"}) == 21'000'000);
  // A network's row beats a prefix's, also when that is for the sender alone.
  CHECK(cost(*tables, "alpha", {"447700900123", "12345"}) == 21'000'000);
}

TEST_CASE("senders are denied, refused or replaced") {
  Files files = good_files();
  files["senders.csv"] =
      "client,destination,allow,replace_by,deny\n"
      ",,numeric short_code,-,\n,234,,60006,spam 447700900111\nshop,23402,all,-,\n";
  const auto tables = compiled(files);
  const auto found = [&](const char* source, const char* number = "447700900123") {
    return explained(*tables, {number, source});
  };
  CHECK(found("").route.sender.empty());
  CHECK(found("447700900112").route.sender.empty());
  for (const char* source : {"Shop", "SPAM", "spam", "+447700900111", "447700900111"}) {
    INFO(source);
    const Explanation replaced = found(source);
    CHECK(replaced.route.reason == Reason::chosen);
    CHECK(replaced.route.sender == "60006");
    CHECK(replaced.route.sender_ton == 3);
    CHECK(replaced.route.sender_npi == 0);
    CHECK(replaced.sender_replaced ==
          (std::string(source) == "Shop" ? Reason::sender_not_supported : Reason::sender_denied));
  }
  CHECK(explain_text(*tables, found("Shop")).find("60006 instead of Shop: sender_not_supported") !=
        std::string::npos);
  // 23402: all types, none replaced, the denied of the country.
  CHECK(found("Shop", "447701900123").route.sender.empty());
  CHECK(found("Spam", "447701900123").route.reason == Reason::sender_denied);
  files["senders.csv"] = "allow\nnumeric\n";
  CHECK(explained(*compiled(files), {"447700900123", "Shop"}).route.reason ==
        Reason::sender_not_supported);
}

}  // namespace tollgate::routing
