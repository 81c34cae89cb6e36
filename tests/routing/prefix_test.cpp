#include "routing/prefix.h"

#include <algorithm>
#include <random>
#include <string>
#include <unordered_map>

#include <catch2/catch.hpp>

namespace tollgate::routing {
namespace {

// `count` random prefixes of 1 to 12 digits against a map that is asked for each length.
void compare(std::size_t count, std::size_t spans_min) {
  std::mt19937_64 random(count);
  const auto digits = [&](std::size_t length, unsigned base) {
    std::string text;
    while (text.size() < length) text += static_cast<char>('0' + 9 - random() % base);
    return text;
  };
  std::unordered_map<std::string, Leaf> leaves;
  while (leaves.size() < count) {
    const std::size_t length = 1 + random() % 12;
    leaves.emplace(digits(length, length < 5 ? 3 : 10),
                   Leaf{static_cast<std::uint32_t>(leaves.size() + 1), 7});
  }
  std::vector<PrefixIndex::Entry> entries;
  for (const auto& [prefix, leaf] : leaves)
    entries.push_back({number_key(prefix), static_cast<std::uint8_t>(prefix.size()), leaf});
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.key, a.length) < std::pair(b.key, b.length);
  });
  const PrefixIndex index(entries);
  const auto spans = index.spans();
  CHECK(spans.size() > spans_min);
  std::size_t wrong = 0;
  for (std::size_t i = 1; i < spans.size(); ++i) {
    wrong += spans[i].start <= spans[i - 1].start || spans[i].leaf == spans[i - 1].leaf;
    // Where a span begins, find() gives its leaf, unless it holds no number of its own.
    std::string number = PrefixIndex::digits_of(spans[i].start);
    if (number.size() < 15) number.resize(15, '0');
    const bool empty = i + 1 < spans.size() && spans[i + 1].start <= number_key(number);
    wrong += !empty && !(index.find(number, number_key(number)) == spans[i].leaf);
  }
  CHECK(wrong == 0);

  std::vector<std::string> prefixes;
  for (const auto& [prefix, leaf] : leaves) prefixes.push_back(prefix);
  std::size_t differences = 0, found = 0;
  for (int i = 0; i < 300'000; ++i) {
    // Around a prefix, cut short or drawn out.
    std::string number = prefixes[random() % prefixes.size()] + digits(random() % 8, 10);
    number.resize(std::min<std::size_t>(number.size(), 1 + random() % 15));
    Leaf expected;
    for (std::string prefix = number; !prefix.empty(); prefix.pop_back()) {
      const auto known = leaves.find(prefix);
      if (known == leaves.end()) continue;
      expected = known->second;
      break;
    }
    found += expected.node != 0;
    differences += !(index.find(number, number_key(number)) == expected);
  }
  CHECK(differences == 0);
  CHECK(found > 100'000);
}

}  // namespace

TEST_CASE("the longest prefix, with a root of five digits and of six") {
  compare(2'000, 2'000);
  compare(200'000, 200'000);
}

TEST_CASE("an empty index knows no number") {
  const PrefixIndex index;
  CHECK(index.find("447700900123", number_key("447700900123")) == Leaf{});
  CHECK(index.find("1", number_key("1")) == Leaf{});
}

}  // namespace tollgate::routing
