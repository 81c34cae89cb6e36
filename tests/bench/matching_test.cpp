#include "bench/load/matching.h"

#include <string>

#include <catch2/catch.hpp>

using tollgate::bench::Match;
using tollgate::bench::Matching;
using tollgate::bench::no_tag;

TEST_CASE("what came back once matches, whichever came first") {
  Matching m;
  m.receipt("b", no_tag, 900);  // before its response
  m.accepted("a", 0, 100);
  m.accepted("b", 1, 200);
  m.receipt("a", 0, 400);
  const Match match = m.settle();
  CHECK(match.matched == 2);
  CHECK(match.lost + match.duplicated + match.unmatched + match.wrong_message == 0);
  CHECK(match.ids_duplicated == 0);
  CHECK(match.latency.count() == 2);
  CHECK(match.latency.max_us() == Approx(700));
}

TEST_CASE("each fault is counted as what it is") {
  Matching m;
  for (std::uint32_t i = 0; i < 1000; ++i) m.accepted("id" + std::to_string(i), i, 0);
  for (std::uint32_t i = 0; i < 1000; ++i)
    if (i != 7 && i != 8) m.receipt("id" + std::to_string(i), i, 1);
  SECTION("lost") {
    const Match match = m.settle();
    CHECK(match.matched == 998);
    CHECK(match.lost == 2);
    CHECK(match.lost_tags == std::vector<std::uint32_t>{7, 8});
  }
  SECTION("duplicated") {
    m.receipt("id5", 5, 2);
    CHECK(m.settle().duplicated == 1);
  }
  SECTION("unmatched: an id nobody was given, and one in another case") {
    m.receipt("id1000", 1000, 2);
    m.receipt("ID7", 7, 2);
    const Match match = m.settle();
    CHECK(match.unmatched == 2);
    CHECK(match.lost == 2);
  }
  SECTION("of another message") {
    m.receipt("id7", 8, 2);
    CHECK(m.settle().wrong_message == 1);
  }
  SECTION("an id given twice") {
    m.accepted("id5", 1000, 0);
    const Match match = m.settle();
    CHECK(match.ids_duplicated == 1);
    CHECK(match.lost == 2);
  }
}

TEST_CASE("ids that differ in one octet differ in their hash") {
  CHECK(Matching::hash_of("0123456789abcdef") != Matching::hash_of("0123456789abcdeF"));
  CHECK(Matching::hash_of("24") != Matching::hash_of("024"));
  CHECK(Matching::hash_of("") != Matching::hash_of(std::string_view("\0", 1)));
}
