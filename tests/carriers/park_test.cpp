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

}  // namespace

TEST_CASE("a parked receipt comes out whole, by either of its keys, once") {
  Park park({100, 1 << 20});
  for (const std::size_t length : {1U, 251U, 252U, 253U, 504U, 505U, 60'000U}) {
    const auto pdu = pdu_of(length, 3);
    REQUIRE(park.add(11, 22, pdu, 1000) != Park::kNone);
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
    park.add(5, 5, pdu_of(10, i), i);
    park.add(6, 600U + i, pdu_of(10, i), i);
    park.add(1000U + i, 5, pdu_of(10, i), i);
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
  CHECK(few.add(1, 1, pdu_of(10, 1), 0) != Park::kNone);
  CHECK(few.add(2, 2, pdu_of(10, 2), 0) != Park::kNone);
  CHECK(few.add(3, 3, pdu_of(10, 3), 0) == Park::kNone);
  CHECK(read(few, few.first_of(1)) == pdu_of(10, 1));
  few.remove(few.first_of(1));
  CHECK(few.add(3, 3, pdu_of(10, 3), 0) != Park::kNone);

  Park small({100, 10 * 256});
  CHECK(small.add(1, 1, pdu_of(11 * 252, 1), 0) == Park::kNone);
  CHECK(small.size() == 0);
  CHECK(small.add(1, 1, pdu_of(10 * 252, 1), 0) !=
        Park::kNone);  // the blocks of the refused one are free again
  CHECK(small.add(2, 2, pdu_of(1, 1), 0) == Park::kNone);
}

TEST_CASE("deadlines come due in order over both queues") {
  Park park({10, 1 << 20});
  park.add(1, 1, pdu_of(10, 1), 100);
  park.add(2, 2, pdu_of(10, 2), 200);
  park.add(3, 3, pdu_of(10, 3), 300);
  CHECK(park.next_deadline() == 100);
  CHECK(park.due(99) == Park::kNone);
  CHECK(park.due(100) == park.first_of(1));
  park.wait(park.first_of(1), Park::Queue::again, 250);
  CHECK(park.due(100) == Park::kNone);
  CHECK(park.due(1000) == park.first_of(2));
  park.remove(park.first_of(2));
  CHECK(park.due(1000) == park.first_of(1));
  park.remove(park.first_of(1));
  CHECK(park.due(1000) == park.first_of(3));
  park.remove(park.first_of(3));
  CHECK(park.next_deadline() == std::numeric_limits<std::int64_t>::max());
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
      if (park.add(a, b, kept.pdu, step) != Park::kNone) {
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
    while (park.due(1'000'000) != Park::kNone) park.remove(park.due(1'000'000));
    park.add(i, i + 1, pdu, 0);
  }
  CHECK(tests::allocations().count == before);
}
