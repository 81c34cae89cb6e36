#include "bench/peers/sequence_ring.h"

#include <set>

#include <catch2/catch.hpp>

using tollgate::bench::SequenceRing;

TEST_CASE("a lost response never makes two requests share a number") {
  SequenceRing<int> ring(4);
  const std::uint32_t lost = ring.take(-1);
  std::set<std::uint32_t> used{lost};
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t sequence = ring.take(i);
    REQUIRE(used.insert(sequence).second);
    int value = 0;
    REQUIRE(ring.give_back(sequence, value));
    REQUIRE(value == i);
    REQUIRE_FALSE(ring.give_back(sequence, value));  // answered twice
  }
  int value = 0;
  CHECK(ring.outstanding() == 1);
  CHECK(ring.give_back(lost, value));
  CHECK(value == -1);
}

TEST_CASE("room follows what is outstanding; nothing unknown is given back") {
  SequenceRing<int> ring(3);
  int value = 0;
  CHECK_FALSE(ring.give_back(0, value));
  CHECK_FALSE(ring.give_back(1, value));
  for (int i = 0; i < 3; ++i) ring.take(i);
  CHECK(ring.room() == 0);
  CHECK_FALSE(ring.give_back(9, value));  // the place of 1, another number
  int removed = 0;
  ring.remove_if([&](int v) { return v != 1 && ++removed != 0; });
  CHECK(removed == 2);
  CHECK(ring.room() == 2);
}
