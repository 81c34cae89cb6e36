#include "carriers/park.h"

#include <algorithm>
#include <random>

#include "tests/allocations.h"

using namespace tollgate;
using namespace tollgate::carriers;

namespace {

std::vector<std::uint8_t> pdu_of(std::size_t length, std::uint8_t first) {
  std::vector<std::uint8_t> pdu(length);
  for (std::size_t i = 0; i < length; ++i) pdu[i] = static_cast<std::uint8_t>(first + i * 31);
  return pdu;
}

std::vector<std::uint8_t> read(const Park& park, Park::Item item) {
  static std::array<std::uint8_t, 66'560> scratch;
  const auto pdu = park.pdu(item, scratch);
  return {pdu.begin(), pdu.end()};
}

Park::Item add(Park& park, std::uint64_t first, std::uint64_t second,
               const std::vector<std::uint8_t>& pdu, std::int64_t deadline_us) {
  Park::Receipt receipt;
  receipt.keys[0] = first;
  receipt.keys[1] = second;
  receipt.deadline_us = deadline_us;
  return park.add(receipt, pdu);
}

}  // namespace

TEST_CASE("a parked receipt comes out whole, by either of its keys, once") {
  Park park({100, 1 << 20});
  for (const std::size_t length : {1U, 251U, 252U, 253U, 504U, 505U, 60'000U}) {
    const auto pdu = pdu_of(length, 3);
    REQUIRE(add(park, 11, 22, pdu, 1000) != Park::kNone);
    CHECK(read(park, park.first_of(11)) == pdu);
    CHECK(read(park, park.first_of(22)) == pdu);
    CHECK(park.first_of(33) == Park::kNone);
    park.remove(park.first_of(22));
    CHECK(park.first_of(11) == Park::kNone);
    CHECK(park.first_of(22) == Park::kNone);
    CHECK(park.size() == 0);
  }
}

TEST_CASE("receipts of one key come out in the order they came") {
  Park park({1000, 1 << 20});
  for (std::uint8_t i = 0; i < 200; ++i) {
    add(park, 5, 5, pdu_of(10, i), i);
    add(park, 6, 600U + i, pdu_of(10, i), i);
    add(park, 1000U + i, 5, pdu_of(10, i), i);
  }
  std::vector<std::uint8_t> order;
  for (auto item = park.first_of(5); item != Park::kNone; item = park.next_of(item, 5)) {
    order.push_back(read(park, item)[0]);
  }
  REQUIRE(order.size() == 400);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("a full park refuses and keeps what it has") {
  Park few({2, 1 << 20});
  CHECK(add(few, 1, 1, pdu_of(10, 1), 0) != Park::kNone);
  CHECK(add(few, 2, 2, pdu_of(10, 2), 0) != Park::kNone);
  CHECK(add(few, 3, 3, pdu_of(10, 3), 0) == Park::kNone);
  CHECK(read(few, few.first_of(1)) == pdu_of(10, 1));
  few.remove(few.first_of(1));
  CHECK(add(few, 3, 3, pdu_of(10, 3), 0) != Park::kNone);

  Park small({100, 10 * 256});
  CHECK(add(small, 1, 1, pdu_of(11 * 252, 1), 0) == Park::kNone);
  CHECK(small.size() == 0);
  CHECK(add(small, 1, 1, pdu_of(10 * 252, 1), 0) !=
        Park::kNone);  // the blocks of the refused one are free again
  CHECK(add(small, 2, 2, pdu_of(1, 1), 0) == Park::kNone);
}

TEST_CASE("deadlines come due in order over both queues") {
  Park park({10, 1 << 20});
  add(park, 1, 1, pdu_of(10, 1), 100);
  add(park, 2, 2, pdu_of(10, 2), 200);
  add(park, 3, 3, pdu_of(10, 3), 300);
  CHECK(park.next_deadline() == 100);
  CHECK(park.due(99, 0) == Park::kNone);
  CHECK(park.due(100, 0) == park.first_of(1));
  park.wait(park.first_of(1), Park::Queue::again, 250);
  CHECK(park.due(100, 0) == Park::kNone);
  CHECK(park.due(1000, 0) == park.first_of(2));
  park.remove(park.first_of(2));
  CHECK(park.due(1000, 0) == park.first_of(1));
  park.remove(park.first_of(1));
  CHECK(park.due(1000, 0) == park.first_of(3));
  park.remove(park.first_of(3));
  CHECK(park.next_deadline() == std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("what waits for an id to come again is due when nothing older is in flight") {
  Park park({10, 1 << 20});
  for (std::int64_t i = 1; i <= 3; ++i) {
    Park::Receipt receipt;
    receipt.keys[0] = receipt.keys[1] = static_cast<std::uint64_t>(i);
    receipt.came_us = i * 100;
    receipt.deadline_us = i * 1'000;
    receipt.queue = Park::Queue::reused;
    REQUIRE(park.add(receipt, pdu_of(10, 1)) != Park::kNone);
  }
  add(park, 4, 4, pdu_of(10, 4), 5'000);
  CHECK(park.due(500, 100) == Park::kNone);
  CHECK(park.due(500, 101) == park.first_of(1));
  park.remove(park.first_of(1));
  CHECK(park.due(500, 200) == Park::kNone);
  CHECK(park.due(2'000, 200) == park.first_of(2));  // its time is over all the same
  park.remove(park.first_of(2));
  CHECK(park.due(2'000, INT64_MAX) == park.first_of(3));
  park.remove(park.first_of(3));
  CHECK(park.due(2'000, INT64_MAX) == Park::kNone);  // the other waits for its id
}

TEST_CASE("a key has room for a few receipts, whichever of their keys it is") {
  Park park({1'000, 1 << 20});
  for (std::uint64_t i = 0; i < Park::kOfOneKey; ++i) {
    CHECK(park.room_for(7));
    add(park, i % 2 == 0 ? 7 : 100 + i, i % 2 == 0 ? 100 + i : 7, pdu_of(10, 1), 0);
  }
  CHECK_FALSE(park.room_for(7));
  CHECK(park.room_for(100));
  park.remove(park.first_of(7));
  CHECK(park.room_for(7));
}

TEST_CASE("random receipts against a model, and nothing is allocated once it has been full") {
  Park park({256, 200 * 256});
  struct Kept {
    std::uint64_t keys[2];
    std::vector<std::uint8_t> pdu;
  };
  std::vector<Kept> model;
  std::mt19937_64 random(3);
  std::uint64_t refused = 0;
  std::uint64_t checked = 0;
  for (int step = 0; step < 50'000; ++step) {
    const std::uint64_t a = random() % 64;
    const std::uint64_t b = random() % 2 == 0 ? a : 64 + random() % 64;
    if (random() % 2 == 0) {
      Kept kept{{a, b}, pdu_of(1 + random() % 900, static_cast<std::uint8_t>(step))};
      if (add(park, a, b, kept.pdu, step) != Park::kNone) {
        model.push_back(std::move(kept));
      } else {
        ++refused;
      }
    } else {
      const auto at = std::find_if(model.begin(), model.end(), [&](const Kept& kept) {
        return kept.keys[0] == b || kept.keys[1] == b;
      });
      const Park::Item item = park.first_of(b);
      REQUIRE((item == Park::kNone) == (at == model.end()));
      if (item == Park::kNone) continue;
      REQUIRE(read(park, item) == at->pdu);
      park.remove(item);
      model.erase(at);
      ++checked;
    }
    REQUIRE(park.size() == model.size());
  }
  CHECK(refused > 100);
  CHECK(checked > 1000);
  const auto pdu = pdu_of(200, 1);
  const std::uint64_t before = tests::allocations().count;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    while (park.due(1'000'000, 0) != Park::kNone) park.remove(park.due(1'000'000, 0));
    add(park, i, i + 1, pdu, 0);
  }
  CHECK(tests::allocations().count == before);
}
