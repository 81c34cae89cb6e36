#include "carriers/numbers.h"

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <vector>

using namespace tollgate::carriers;

// Many numbers, some of whose hashes end alike, come, wait one behind the other and go, in any
// order: beside a queue for each of them.
TEST_CASE("each number has its own line, however many there are", "[numbers]") {
  static constexpr std::uint8_t kBody[1] = {};
  Orders orders(20'000, 1024);
  Numbers numbers(orders);
  std::map<std::uint64_t, std::deque<std::uint32_t>> expected;  // the first one has begun
  std::vector<std::uint64_t> known;
  std::mt19937 random(7);
  std::size_t waiting = 0;
  std::uint64_t taken = 0;
  const auto begin = [&] {
    const std::uint64_t number = random() % 2 == 0 || known.empty()
                                     ? std::uint64_t{random() % 9'000} << (random() % 2 * 16)
                                     : known[random() % known.size()];
    const std::uint32_t order = orders.take(kBody);
    REQUIRE(order != kNoOrder);
    orders[order].to = number;
    orders[order].number = ++taken;
    auto& line = expected[number];
    REQUIRE(numbers.begin(order, 1) == line.empty());
    waiting += line.empty() ? 0 : 1;
    line.push_back(order);
    known.push_back(number);
  };
  const auto end = [&] {
    if (known.empty()) return;
    const std::uint64_t number = known[random() % known.size()];
    const auto at = expected.find(number);
    if (at == expected.end()) return;
    const std::uint32_t order = at->second.front();
    at->second.pop_front();
    std::vector<std::uint32_t> begun;
    numbers.ended(order, 1, [&](std::uint32_t next) { begun.push_back(next); });
    orders.release(order);
    REQUIRE(begun.size() == (at->second.empty() ? 0 : 1));
    if (!begun.empty()) REQUIRE(begun[0] == at->second.front());
    waiting -= begun.size();
    if (at->second.empty()) expected.erase(at);
  };
  std::size_t most = 0;
  for (int i = 0; i < 60'000; ++i) {
    if (orders.size() < 19'000 && random() % 8 < (i < 30'000 ? 6U : 2U)) {
      begin();
    } else {
      end();
    }
    most = std::max(most, expected.size());
    REQUIRE(numbers.held() == waiting);
  }
  CHECK(most > 4'096);  // the table has grown more than once
}
