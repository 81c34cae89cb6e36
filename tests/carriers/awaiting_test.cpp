#include "carriers/awaiting.h"

#include <algorithm>
#include <ctime>
#include <random>

#include "tests/allocations.h"

using namespace tollgate;
using namespace tollgate::carriers;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kHour = 3600 * kSecond;

Awaiting::Key key_of(const std::string& id) {
  return {reinterpret_cast<const std::uint8_t*>(id.data()), id.size()};
}

// The map with its hash said once.
struct Map {
  Awaiting awaiting;
  explicit Map(std::uint32_t max) : awaiting(max, 42) {}
  Awaiting::Added add(const std::string& id, std::uint64_t message, std::int64_t now_us = 0) {
    return awaiting.add(key_of(id), awaiting.hash(key_of(id)), {message, 0}, now_us);
  }
  std::optional<std::uint64_t> find(const std::string& id) {
    const auto meant = awaiting.find(key_of(id), awaiting.hash(key_of(id)));
    return meant ? std::optional(meant->message) : std::nullopt;
  }
  bool settle(const std::string& id) {
    return awaiting.settle(key_of(id), awaiting.hash(key_of(id)), 77);
  }
  bool settled(const std::string& id) {
    const auto by = awaiting.settled(awaiting.hash(key_of(id)));
    return by && by->contents == 77;
  }
};

// Processor time of this thread: what others do on the machine does not count.
std::int64_t worked_us() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * kSecond + time.tv_nsec / 1000;
}

// Ids of every slab's length, from a small set so that they meet again.
std::string random_id(std::mt19937_64& random, std::uint64_t kinds) {
  const std::uint64_t which = random() % kinds;
  static constexpr std::size_t kLengths[] = {1, 8, 19, 24, 25, 36, 40, 41, 64};
  const std::size_t length = kLengths[which % std::size(kLengths)];
  std::string id = std::to_string(which * 2'654'435'761U);
  if (id.size() > length) return id.substr(id.size() - length);
  return std::string(length - id.size(), 'x') + id;
}

}  // namespace

TEST_CASE("the maximum may change while ids wait", "[awaiting]") {
  Awaiting awaiting(4, 7);
  const auto key = [](int i) {
    const std::string text = "id" + std::to_string(i);
    return std::vector<std::uint8_t>(text.begin(), text.end());
  };
  const auto add = [&](int i) {
    const auto octets = key(i);
    awaiting.add(octets, awaiting.hash(octets), {static_cast<std::uint64_t>(i), 0}, i);
  };
  const auto knows = [&](int i) {
    const auto octets = key(i);
    return awaiting.find(octets, awaiting.hash(octets)).has_value();
  };
  for (int i = 0; i < 5; ++i) add(i);
  CHECK(awaiting.size() == 4);
  CHECK_FALSE(knows(0));
  awaiting.set_max(2'000);
  for (int i = 5; i < 2'001; ++i) add(i);
  CHECK(awaiting.size() == 2'000);
  CHECK(knows(1));
  awaiting.set_max(10);
  CHECK(awaiting.size() == 2'000);  // they go as new ones come
  for (int i = 2'001; i < 4'100; ++i) add(i);
  CHECK(awaiting.size() == 10);
  CHECK(knows(4'099));
  CHECK(knows(4'090));
  CHECK_FALSE(knows(4'089));
}

TEST_CASE("an id finds its message until it is settled, and then counts as settled") {
  Map map(100);
  CHECK_FALSE(map.find("a"));
  CHECK(map.add("a", 7) == Awaiting::Added::added);
  CHECK(map.find("a") == 7U);
  CHECK_FALSE(map.find("A"));
  CHECK_FALSE(map.settled("a"));
  CHECK(map.settle("a"));
  CHECK_FALSE(map.find("a"));
  CHECK(map.settled("a"));
  CHECK_FALSE(map.settle("a"));
  CHECK(map.awaiting.size() == 0);
}

TEST_CASE("an id that a carrier uses again means the newer message") {
  Map map(100);
  map.add("1", 10);
  CHECK(map.add("1", 20) == Awaiting::Added::replaced);
  CHECK(map.find("1") == 20U);
  CHECK(map.awaiting.size() == 1);
  map.settle("1");
  CHECK(map.settled("1"));
  map.add("1", 30);         // after days
  CHECK(map.settled("1"));  // what settled it is known still
  CHECK(map.find("1") == 30U);
}

TEST_CASE("a full map gives up its oldest entry") {
  Map map(3);
  map.add("1", 1);
  map.add("2", 2);
  map.add("3", 3);
  map.add("1", 11);  // the newest now
  CHECK(map.add("4", 4) == Awaiting::Added::evicted_another);
  CHECK_FALSE(map.find("2"));
  CHECK(map.find("1") == 11U);
  CHECK(map.find("3") == 3U);
  CHECK(map.find("4") == 4U);
  CHECK(map.awaiting.size() == 3);
}

TEST_CASE("entries leave at their age, oldest first, a bounded number at a time") {
  Map map(1000);
  for (int i = 0; i < 100; ++i) map.add(std::to_string(i), 1, i * 60 * kSecond);
  const std::int64_t age = 72 * kHour;
  CHECK(map.awaiting.expire(age, age, 1000) == 0);
  const std::int64_t later = age + 50 * 60 * kSecond + 10 * kSecond;
  CHECK(map.awaiting.expire(later, age, 7) == 7);
  CHECK_FALSE(map.find("6"));
  CHECK(map.find("7"));
  CHECK(map.awaiting.expire(later, age, 1000) == 44);  // up to number 50
  CHECK_FALSE(map.find("50"));
  CHECK(map.find("51"));
  CHECK_FALSE(map.settled("50"));
}

TEST_CASE("the map does what std::map does, for ids of every length, at its bound and below") {
  for (const std::uint32_t max : {64U, 5000U, 40'000U}) {
    Map map(max);
    std::map<std::string, std::uint64_t> model;
    std::map<std::uint64_t, std::string> ages;  // order of adding -> id
    std::map<std::string, std::uint64_t> age_of;
    std::mt19937_64 random(max);
    std::uint64_t stamp = 0;
    const auto forget = [&](const std::string& id) {
      ages.erase(age_of[id]);
      age_of.erase(id);
      model.erase(id);
    };
    for (std::uint64_t step = 0; step < 200'000; ++step) {
      const std::string id = random_id(random, 60'000);
      const std::uint64_t action = random() % 10;
      if (action < 6) {
        const bool known = model.contains(id);
        const bool evicts = !known && model.size() == max;
        if (evicts) forget(std::string(ages.begin()->second));
        if (known) forget(id);
        const auto expected = known    ? Awaiting::Added::replaced
                              : evicts ? Awaiting::Added::evicted_another
                                       : Awaiting::Added::added;
        REQUIRE(map.add(id, step) == expected);
        model[id] = step;
        ages[++stamp] = id;
        age_of[id] = stamp;
      } else if (action < 9) {
        REQUIRE(map.settle(id) == model.contains(id));
        if (model.contains(id)) forget(id);
      }
      const auto found = map.find(id);
      REQUIRE(found.has_value() == model.contains(id));
      if (found) REQUIRE(*found == model[id]);
      REQUIRE(map.awaiting.size() == model.size());
    }
    for (const auto& [id, message] : model) REQUIRE(map.find(id) == message);
  }
}

TEST_CASE("an entry takes at most 104 octets all told, and no operation stops for a rehash") {
  constexpr std::uint32_t kCount = 300'000;
  for (const auto& [length, bound] : {std::pair{20, 60.0}, {36, 76.0}, {64, 104.0}}) {
    const std::uint64_t before = tests::allocations().octets;
    Map map(kCount);
    std::string id(static_cast<std::size_t>(length), 'z');
    std::int64_t slowest_us = 0;
    for (std::uint32_t i = 0; i < kCount; ++i) {
      const std::string digits = std::to_string(i * 7919ULL);
      id.replace(id.size() - digits.size(), digits.size(), digits);
      const std::int64_t start_us = worked_us();
      map.add(id, i);
      slowest_us = std::max(slowest_us, worked_us() - start_us);
    }
    const double each =
        static_cast<double>(tests::allocations().octets - before) / map.awaiting.size();
    WARN("ids of " << length << " octets: " << each << " octets an entry, slowest add "
                   << slowest_us << " us");
    CHECK(map.awaiting.size() == kCount);
    CHECK(each <= bound);
    CHECK(each > length);      // the count counts
  }
}

TEST_CASE("no chain grows, whatever ids are given: its oldest goes") {
  Map map(100'000);
  const auto chain_of = [&](const std::string& id) {
    return map.awaiting.hash(key_of(id)) & 0x1FFF;  // more than the buckets of so few entries
  };
  // What a carrier that knew the seed would choose.
  std::vector<std::string> ids;
  for (std::uint64_t i = 0; ids.size() < Awaiting::kChainMax + 50; ++i) {
    std::string id = std::to_string(i);
    if (chain_of(id) == 5) ids.push_back(std::move(id));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto added = map.add(ids[i], i);
    CHECK((added == Awaiting::Added::evicted_another) == (i >= Awaiting::kChainMax));
  }
  CHECK(map.awaiting.size() == Awaiting::kChainMax);
  CHECK_FALSE(map.find(ids[0]));
  CHECK(map.find(ids.back()) == ids.size() - 1);
}

TEST_CASE("at a steady size nothing is allocated") {
  Map map(50'000);
  std::vector<std::string> ids;
  for (int i = 0; i < 60'000; ++i) ids.push_back("id-" + std::to_string(i));
  for (int i = 0; i < 20'000; ++i) map.add(ids[static_cast<std::size_t>(i)], 1);
  const std::uint64_t before = tests::allocations().count;
  for (std::size_t i = 20'000; i < 60'000; ++i) {
    map.settle(ids[i - 20'000]);
    map.add(ids[i], i);
  }
  CHECK(tests::allocations().count == before);
  CHECK(map.awaiting.size() == 20'000);
}
