// The window of requests without a response, against a model.
#include "gateway/clients/window.h"

#include <deque>
#include <random>

#include "tests/catch_pch.h"

namespace tollgate::gateway {
namespace {

struct Entry {
  std::uint64_t number = 0;
};

TEST_CASE("a window's size may change while requests are open", "[window]") {
  Window<int> window(2);
  std::vector<std::uint32_t> sequences{window.begin(0), window.begin(1)};
  CHECK(window.full());
  window.set_max(100);
  for (int i = 2; i < 100; ++i) sequences.push_back(window.begin(i));
  CHECK(window.full());
  for (int i = 0; i < 100; ++i) {
    int* entry = window.find(sequences[static_cast<std::size_t>(i)]);
    REQUIRE(entry != nullptr);
    CHECK(*entry == i);
  }
  window.set_max(1);
  CHECK(window.open() == 100);
  int next = 0;
  window.drain([&](int entry) { CHECK(entry == next++); });
  CHECK(next == 100);
  CHECK_FALSE(window.full());
  window.begin(7);
  CHECK(window.full());
}

TEST_CASE("the window against a model: any order of responses, the oldest kept", "[window]") {
  for (const std::uint32_t max : {1u, 2u, 3u, 10u, 100u}) {
    Window<Entry> window(max);
    std::map<std::uint64_t, std::uint32_t> model;  // number, ascending = age -> sequence
    std::mt19937_64 random(max);
    std::uint64_t number = 0;
    std::uint32_t last = 0;
    std::uint64_t kept_open = 0;
    for (int i = 0; i < 200'000; ++i) {
      if (random() % 16 == 0) last = window.pass_sequence();
      if (!window.full() && random() % 2 == 0) {
        const std::uint32_t sequence = window.begin({++number});
        if (sequence <= last) FAIL("sequence numbers go up");
        last = sequence;
        model[number] = sequence;
        if (max > 2 && kept_open == 0) kept_open = number;  // an old one that stays for long
      } else if (!model.empty()) {
        auto at = model.begin();
        std::advance(at, random() % model.size());
        if (at->first == kept_open && i % 50'000 != 0) continue;
        Entry* entry = window.find(at->second);
        if (entry == nullptr || entry->number != at->first) FAIL("found");
        window.end(at->second);
        if (window.find(at->second) != nullptr) FAIL("ended");
        if (at->first == kept_open) kept_open = 0;
        model.erase(at);
      }
      if (window.open() != model.size() || window.full() != (model.size() == max)) FAIL("open");
      const Entry* oldest = window.oldest();
      if ((oldest == nullptr) != model.empty()) FAIL("oldest of none");
      if (oldest != nullptr && oldest->number != model.begin()->first) FAIL("oldest");
    }
    std::vector<std::uint64_t> drained;
    window.drain([&](const Entry& entry) { drained.push_back(entry.number); });
    REQUIRE(drained.size() == model.size());
    std::size_t at = 0;
    for (const auto& [one, sequence] : model) CHECK(drained[at++] == one);
    CHECK(window.open() == 0);
  }
}

TEST_CASE("a window nobody used knows no request", "[window]") {
  Window<Entry> window(4);
  CHECK(window.find(0) == nullptr);
  CHECK(window.find(1) == nullptr);
  CHECK(window.oldest() == nullptr);
  const std::uint32_t sequence = window.begin({9});
  CHECK(window.find(0) == nullptr);
  CHECK(window.find(sequence + 16) == nullptr);  // the same slot
  REQUIRE(window.find(sequence) != nullptr);
}

TEST_CASE("sequence numbers turn over at 0x7fffffff, with requests open across it", "[window]") {
  Window<Entry> window(8, 0x7ffffffc);
  std::vector<std::uint32_t> sequences;
  for (std::uint64_t i = 1; i <= 6; ++i) sequences.push_back(window.begin({i}));
  CHECK(sequences == std::vector<std::uint32_t>{0x7ffffffd, 0x7ffffffe, 0x7fffffff, 1, 2, 3});
  for (std::uint64_t i = 1; i <= 6; ++i) {
    REQUIRE(window.oldest() != nullptr);
    CHECK(window.oldest()->number == i);
    Entry* entry = window.find(sequences[i - 1]);
    REQUIRE(entry != nullptr);
    CHECK(entry->number == i);
    window.end(sequences[i - 1]);
  }
  CHECK(window.oldest() == nullptr);
}

}  // namespace
}  // namespace tollgate::gateway
