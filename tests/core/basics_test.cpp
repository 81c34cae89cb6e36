// Counters, pools, lists and published values on one thread.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <thread>
#include <unistd.h>

#include "core/counters.h"
#include "core/grown.h"
#include "core/list.h"
#include "core/pool.h"
#include "core/published.h"

namespace tollgate::core {
namespace {

TEST_CASE("what grows keeps its addresses, and is whole below its size", "[grown]") {
  using Kept = Grown<std::string, 1'000, 16>;
  const auto grown = std::make_unique<Kept>();
  CHECK(grown->size() == 0);
  const std::string* first = &grown->emplace_back("0");
  std::atomic<bool> wrong{false};
  std::thread reader([&] {
    for (std::size_t size = 0; size < 1'000;) {
      size = grown->size();
      if (size != 0 && (*grown)[size - 1] != std::to_string(size - 1)) wrong = true;
    }
  });
  for (int i = 1; i < 1'000; ++i) grown->emplace_back(std::to_string(i));
  reader.join();
  CHECK_FALSE(wrong);
  CHECK(first == &(*grown)[0]);
  grown->grow_to(10);
  CHECK(grown->size() == 1'000);
}

TEST_CASE("a slab's capacity may change, below its size too", "[slab]") {
  Slab<int> slab(3);
  std::vector<std::uint32_t> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(slab.take(i));
  CHECK(slab.take(9) == Slab<int>::kNone);
  slab.bound(2'000);
  for (int i = 3; i < 2'000; ++i) taken.push_back(slab.take(i));
  CHECK(slab.take(9) == Slab<int>::kNone);
  for (int i = 0; i < 2'000; ++i) CHECK(slab[taken[static_cast<std::size_t>(i)]] == i);
  slab.bound(2);
  slab.release(taken[5]);
  CHECK(slab.take(9) == Slab<int>::kNone);
  for (std::size_t i = 0; i < 2'000; ++i) {
    if (i != 5) slab.release(taken[i]);
  }
  CHECK(slab.take(1) != Slab<int>::kNone);
  CHECK(slab.take(2) != Slab<int>::kNone);
  CHECK(slab.take(3) == Slab<int>::kNone);
}

TEST_CASE("a value falls into the first bucket whose bound is not below it", "[counters]") {
  CHECK(std::is_sorted(Histogram::bounds_us.begin(), Histogram::bounds_us.end()));
  const auto expect = [](std::uint64_t us) {
    const auto& bounds = Histogram::bounds_us;
    return static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), us) -
                                    bounds.begin());
  };
  for (std::uint64_t us = 0; us < 100'000; ++us) REQUIRE(Histogram::bucket_of(us) == expect(us));
  for (const std::uint64_t bound : Histogram::bounds_us) {
    for (std::uint64_t us = bound - 1; us <= bound + 1; ++us) {
      REQUIRE(Histogram::bucket_of(us) == expect(us));
    }
  }
  CHECK(Histogram::bucket_of(~std::uint64_t{0}) == Histogram::kBounds);
}

TEST_CASE("a histogram counts and sums; negative durations count as zero", "[counters]") {
  Histogram histogram;
  for (const int us : {-5, 0, 16, 17, 1'000'000}) histogram.observe(us);
  CHECK(histogram.count() == 5);
  CHECK(histogram.sum_us() == 1'000'033);
  CHECK(histogram.bucket(0) == 3);
  CHECK(histogram.bucket(1) == 1);
}

TEST_CASE("cells have the size of their numbers and tables their own cache lines", "[counters]") {
  enum class Kind { a, b, c };
  Cells<Kind, 3> table[2];
  table[0][Kind::b].add(5);
  table[0][Kind::b].sub(2);
  CHECK(table[0][Kind::b].get() == 3);
  CHECK(table[0][Kind::c].get() == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(&table[1]) % kCacheLine == 0);
  CHECK(sizeof(Cell) == 8);
}

struct Counted {
  explicit Counted(int& alive, int v) : live(alive), value(v) { ++live; }
  ~Counted() { --live; }
  int& live;
  int value;
};

TEST_CASE("a slab names objects by dense indices up to its capacity", "[pool]") {
  int alive = 0;
  {
    Slab<Counted> slab(1500);
    std::vector<std::uint32_t> indices;
    for (int i = 0; i < 1500; ++i) indices.push_back(slab.take(alive, i));
    CHECK(slab.full());
    CHECK(slab.take(alive, 9) == Slab<Counted>::kNone);
    CHECK(*std::max_element(indices.begin(), indices.end()) == 1499);
    Counted* stays = &slab[indices[700]];
    for (int i = 0; i < 700; ++i) slab.release(indices[static_cast<std::size_t>(i)]);
    CHECK(alive == 800);
    CHECK_FALSE(slab.live(indices[3]));
    CHECK(slab.live(indices[700]));
    CHECK(stays->value == 700);
    for (int i = 0; i < 700; ++i) CHECK(slab.take(alive, i) < 1500);
    CHECK(slab.size() == 1500);
    slab.for_each([&](std::uint32_t index, Counted& counted) {
      if (counted.value % 2 == 0) slab.release(index);
    });
    CHECK(alive == 750);
  }
  CHECK(alive == 0);
}

TEST_CASE("buffers come back to their class, and what is kept is bounded", "[pool]") {
  BufferPool pool(10'000);
  Buffer a = pool.take(1);
  CHECK(a.capacity() == 256);
  std::uint8_t* first = a.data();
  a.reset();
  CHECK(pool.kept() == 256);
  Buffer b = pool.take(200);
  CHECK(b.data() == first);
  CHECK(pool.kept() == 0);
  Buffer moved = std::move(b);
  CHECK(pool.in_use() == 256);
  Buffer large = pool.take(5'000);
  CHECK(large.capacity() == 8'192);
  Buffer larger = pool.take(8'193);
  large.reset();
  larger.reset();  // would pass what may be kept
  CHECK(pool.kept() == 8'192);
  Buffer huge = pool.take((std::size_t{4} << 20) + 1);
  CHECK(huge.capacity() == std::size_t{8} << 20);
  huge.reset();
  CHECK(pool.kept() == 8'192);
  moved.reset();
  CHECK(pool.in_use() == 0);
}

struct TagA;
struct Item : Hook<TagA> {
  explicit Item(int v) : value(v) {}
  int value;
};

TEST_CASE("a list keeps order, splices whole, and forgets what is destroyed", "[list]") {
  List<Item, TagA> list;
  List<Item, TagA> other;
  Item a(1), b(2);
  auto c = std::make_unique<Item>(3);
  list.push_back(a);
  other.push_back(b);
  other.push_back(*c);
  other.push_back(b);  // is in it already
  list.splice(other);
  CHECK(other.empty());
  c.reset();
  CHECK(list.pop_front().value == 1);
  CHECK(list.pop_front().value == 2);
  CHECK(list.empty());
}

struct Tracked {
  explicit Tracked(int& alive, int v) : live(alive), value(v) { ++live; }
  ~Tracked() { --live; }
  int& live;
  int value;
};

TEST_CASE("an old value is freed when every reader has refreshed, not before", "[published]") {
  int alive = 0;
  {
    Published<Tracked> published(std::make_unique<Tracked>(alive, 1));
    Published<Tracked>::Reader a(published);
    Published<Tracked>::Reader b(published);
    published.publish(std::make_unique<Tracked>(alive, 2));
    CHECK(alive == 2);
    CHECK(a->value == 1);
    a.refresh();
    CHECK(a->value == 2);
    CHECK(published.reclaim() == 1);
    CHECK(b->value == 1);
    published.publish(std::make_unique<Tracked>(alive, 3));
    CHECK(alive == 3);
    b.refresh();
    CHECK(published.reclaim() == 1);  // a still reads 2
    CHECK(alive == 2);
    a.refresh();
    CHECK(published.reclaim() == 0);
    CHECK(alive == 1);
    {
      Published<Tracked>::Reader late(published);
      published.publish(std::make_unique<Tracked>(alive, 4));
      CHECK(late->value == 3);
    }
    a.refresh();
    b.refresh();
    CHECK(published.reclaim() == 0);
    CHECK(a->value == 4);
  }
  CHECK(alive == 0);
}

}  // namespace
}  // namespace tollgate::core
