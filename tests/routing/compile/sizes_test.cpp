// What a few rows can multiply is refused before memory is spent on it.
#include <new>

#include <catch2/catch.hpp>

#include "routing/compile/facts.h"
#include "tests/routing/compile/directory.h"

namespace tollgate::routing {
namespace {

std::string padded(std::size_t number, std::size_t digits) {
  const std::string text = std::to_string(number);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}
std::string client(std::size_t i) {
  return "c" + std::to_string(i);
}
std::string network(std::size_t i) {
  return std::to_string(310 + i / 1'000) + padded(i % 1'000, 3);
}

// The good files with these clients and networks.
Files many(std::size_t clients, std::size_t networks) {
  Files files = good_files();
  files["clients.csv"] = "client,plan\n";
  for (std::size_t i = 0; i < clients; ++i) files["clients.csv"] += client(i) + ",retail\n";
  for (std::size_t i = 0; i < networks; ++i)
    files["numbering_plan.csv"] += "4470" + padded(i, 5) + "," + network(i) + ",,\n";
  return files;
}

// A row for each client alone and one for each network alone.
std::string crossed(std::size_t clients, std::size_t networks, const std::string& head,
                    const std::string& field) {
  std::string text = "client,destination," + head + "\n";
  for (std::size_t i = 0; i < clients; ++i) text += client(i) + ",," + field + "\n";
  for (std::size_t i = 0; i < networks; ++i) text += "," + network(i) + "," + field + "\n";
  return text;
}

std::string refusal(const CompileResult& result) {
  REQUIRE_FALSE(result);
  REQUIRE(result.error().size() == 1);
  return fault_text(result.error()[0]);
}

}  // namespace

TEST_CASE("rules of clients x destinations that differ have a bound", "[sizes]") {
  Files files = many(1'500, 1'500);
  SECTION("of rules") {
    files["rules.csv"] = crossed(1'500, 1'500, "max_attempts", "3");
    CHECK(refusal(compile_files(files)) ==
          "rules.csv: has more than 2000000 clients x destinations whose rules differ");
  }
  SECTION("of sender rules") {
    files["senders.csv"] = crossed(1'500, 1'500, "allow", "numeric");
    CHECK(refusal(compile_files(files)) ==
          "senders.csv: has more than 2000000 clients x destinations whose rules differ");
  }
}

TEST_CASE("clients x destinations with rules have a bound", "[sizes]") {
  Files files = many(8'000, 8'000);
  const std::string file = GENERATE("rules.csv", "senders.csv");
  files[file] = file == "rules.csv" ? crossed(8'000, 8'000, "max_attempts", "3")
                                    : crossed(8'000, 8'000, "allow", "numeric");
  CHECK(refusal(compile_files(files)) ==
        file +
            ", value \"64016001\": too many clients x destinations with rules: at most 64000000");
}

TEST_CASE("of clients x destinations only what differs counts", "[sizes]") {
  constexpr std::size_t kEach = 2'000;
  Files files = many(kEach, kEach);
  files["rules.csv"] = "client,destination,max_attempts\n,,7\n";
  for (std::size_t i = 0; i < kEach; ++i)
    files["rules.csv"] += client(i) + "," + network(i) + ",3\n";
  const CompileResult result = compile_files(files);
  REQUIRE(result);
  const Tables& tables = **result;
  CHECK(tables.rule_ids.size() == (kEach + 1) * (kEach + 1));
  CHECK(tables.rules.size() < kEach + 10);
  CHECK(tables.ranks.size() == tables.carriers.size());  // nobody's rules rank them otherwise
  for (const std::size_t i : {std::size_t{0}, kEach / 2, kEach - 1}) {
    for (std::uint32_t id = 1; id < tables.destinations.size(); ++id) {
      const bool own = tables.destinations[id].mccmnc == network(i);
      CHECK(tables.rule(static_cast<std::uint16_t>(i), id).attempts_max == (own ? 3 : 7));
    }
  }
}

TEST_CASE("rankings of carriers have a bound", "[sizes]") {
  // 450 x 450 pairs of priorities and weights, of 201 carriers each.
  constexpr std::size_t kEach = 450;
  Files files = many(kEach, kEach);
  for (std::size_t i = 0; i < 199; ++i)
    files["rates/x" + std::to_string(i) + ".csv"] = "mcc,price,currency\n";
  files["rules.csv"] = "client,destination,priorities,weights\n";
  for (std::size_t i = 0; i < kEach; ++i) {
    files["rules.csv"] += client(i) + ",,alpha=1,\n";
    files["rules.csv"] += "," + network(i) + ",,alpha=2\n";
  }
  CHECK(refusal(compile_files(files)).find("rules.csv, value \"") == 0);
}

TEST_CASE("a plan's volumes, and its prices at them, have a bound", "[sizes]") {
  constexpr std::size_t kPrefixes = 16'100;
  const std::size_t volumes = GENERATE(1'000, 1'001);
  Files files = many(volumes, 0);
  files["plans/retail.csv"] = "prefix,price,currency,from_volume\n";
  std::string& plan = files["plans/retail.csv"];
  for (std::size_t i = 0; i < kPrefixes; ++i) plan += "4470" + padded(i, 5) + ",0.05,EUR,\n";
  Facts facts;
  facts.month = month_of(kNow);
  for (std::size_t i = 1; i <= volumes; ++i) {
    plan += "44,0.05,EUR," + std::to_string(i) + "\n";
    facts.volumes.push_back({client(i - 1), i});
  }
  CompileOptions options;
  options.facts = &facts;
  const CompileResult result = compile_files(files, options);
  REQUIRE_FALSE(result);
  const std::string first = fault_text(result.error()[0]);
  if (volumes > 1'000) {
    CHECK(
        first ==
        "plans/retail.csv, column from_volume, value \"1001\": are too many volumes: at most 1000");
  } else {
    CHECK(first ==
          "plans, value \"16101000\": too many prefixes x plans at the volumes of their clients: "
          "at most 16000000");
  }
}

TEST_CASE("currencies have a bound, in a file with faults too", "[sizes]") {
  Files files = good_files();
  std::string& text = files["currencies.csv"];
  for (int i = 0; i < 5'000; ++i) text += "EUR,1\n";
  const CompileResult result = compile_files(files);
  REQUIRE_FALSE(result);
  CHECK(fault_text(result.error().back()).find("is one currency too many: at most 1000") !=
        std::string::npos);
}

TEST_CASE("without memory there are no tables, and a fault says so", "[sizes]") {
  struct Greedy final : Companions {
    std::shared_ptr<const Companion> read(const std::string&, CompileOptions&,
                                          std::vector<TableFault>&) override {
      throw std::bad_alloc();
    }
    void taken(const std::shared_ptr<const Companion>&) override {}
  };
  CompileOptions options;
  options.companions = std::make_shared<Greedy>();
  CHECK(refusal(compile_files(good_files(), options)).find("needs more memory than there is") !=
        std::string::npos);
}

}  // namespace tollgate::routing
