// What traffic teaches: its text.
#include "routing/compile/facts.h"

#include <catch2/catch.hpp>

namespace tollgate::routing {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kStart = 1'795'000'000 * kSecond;  // 2026-11-18

Facts some_facts() {
  return {7,
          kStart,
          202611,
          {{"alpha", "23415", 956'000, 230}, {"bravo", "234", 0, 1}},
          {{"shop", 1'200'000}}};
}

std::string faults_of(const std::string& rows) {
  const auto read = read_facts("facts.csv", "what,name,destination,value,of\n" + rows);
  std::string text;
  if (read) return text;
  for (const TableFault& fault : read.error()) text += fault_text(fault) + "\n";
  return text;
}

}  // namespace

TEST_CASE("facts are text and back", "[facts]") {
  const auto read = read_facts("facts.csv", facts_text(some_facts()));
  REQUIRE(read);
  CHECK(*read == some_facts());
  CHECK(*read_facts("facts.csv", facts_text({})) == Facts{});
}

TEST_CASE("facts that are wrong are refused with their place", "[facts]") {
  CHECK(faults_of("rate,alpha,23415,1000000,1\n").empty());
  for (const auto& [row, reason] : std::vector<std::pair<std::string, std::string>>{
           {"rate,alpha,23415,1000001,1", "row 2, column value"},
           {"rate,alpha,2341,1,1", "row 2, column destination"},
           {"rate,-,23415,1,1", "row 2, column name"},
           {"rate,alpha,23415,1,", "row 2, column of"},
           {"rate,alpha,23415,x,1", "not a whole number"},
           {"rate,alpha,23415,-1,1", "not a whole number"},
           {"volume,shop,,99999999999999999999,", "too large"},
           {"volume,shop,234,1,", "column destination"},
           {"volume,shop,,1,\nvolume,shop,,2,", "row 3, column name"},
           {"rate,a,234,1,1\nrate,a,234,1,1", "row 3, column name"},
           {"month,,,202613,", "not a month"},
           {"number,,,1,\nnumber,,,2,", "row 3, column what"},
           {"number,,,4294967296,", "too large"},
           {"colour,,,1,", "row 2, column what"}}) {
    CAPTURE(row, faults_of(row + "\n"));
    CHECK(faults_of(row + "\n").find(reason) != std::string::npos);
  }
}

TEST_CASE("months are those of UTC", "[facts]") {
  CHECK(month_of(kStart) == 202611);
  const std::int64_t december = month_end_us(kStart);
  CHECK(december == 1'796'083'200 * kSecond);
  CHECK(month_of(december) == 202612);
  CHECK(month_of(december - 1) == 202611);
  CHECK(month_of(month_end_us(december)) == 202701);
}

}  // namespace tollgate::routing
