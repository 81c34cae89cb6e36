// Longest prefix match over every prefix of the tables at once: numbering plan, rate books and
// price plans. Built once, then read by any thread.
//
// A number is a key of fifteen 4-bit places, digit + 1 each, 0 after the end, so that a prefix is
// one interval of keys and a number that is shorter than a prefix never lies within it. Where the
// leaf changes, a span begins. A table by the first five or six digits (the root) holds the leaf
// if all its numbers have the same; else it says where its spans are: a block of 16-bit starts,
// the four places after the root, and as many leaves. A million prefixes fit in some ten MiB, so
// they stay in the processor's cache: a search is two reads, of the root and of the block.
//
// 1. find(n) gives the leaf of the longest prefix of n, or the leaf of the empty prefix.
// 2. Neighbouring spans have different leaves.
// 3. find() allocates nothing.
// 4. A root with prefixes beyond its four places has its spans in full (`wide_`); numbers shorter
//    than the root have separate spans (`short_`).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "routing/huge_pages.h"

namespace tollgate::routing {

using NumberKey = std::uint64_t;

// digits: at most 15, all '0'..'9'.
inline NumberKey number_key(std::string_view digits) {
  NumberKey key = 0;
  for (char digit : digits) key = (key << 4) | static_cast<NumberKey>(digit - '0' + 1);
  return key << (4 * (15 - digits.size()));
}

// What the longest prefix says: the destination by the numbering plan and the first node of the
// chain of priced prefixes (0 = none), the longest first.
struct Leaf {
  std::uint32_t destination = 0;
  std::uint32_t node = 0;
  bool operator==(const Leaf&) const = default;
};

class PrefixIndex {
 public:
  struct Entry {  // one prefix
    NumberKey key;
    std::uint8_t length;
    Leaf leaf;
  };
  // Numbers from `start` on, until the next span.
  struct Span {
    NumberKey start;
    Leaf leaf;
  };
  PrefixIndex();
  // entries: sorted by (key, length), no two alike; each leaf already holds what it inherits.
  explicit PrefixIndex(const std::vector<Entry>& entries);

  const Leaf& find(std::string_view digits, NumberKey key) const {
    if (digits.size() < root_digits_) return find_in(short_.data(), short_.size(), key).leaf;
    std::size_t root = 0;
    for (std::size_t i = 0; i < root_digits_; ++i)
      root = root * 10 + static_cast<std::size_t>(digits[i] - '0');
    const std::uint32_t at = roots_[root];
    if (at & kWhole) return leaves_[at & ~kWhole];
    const std::uint16_t* const block = blocks_.data() + at;
    __builtin_prefetch(block + kLine);
    __builtin_prefetch(block + 2 * kLine);
    std::size_t count = block[0];
    const std::uint16_t* const starts = block + 1;
    if (count == 0) return find_wide(starts, key);
    const std::uint16_t* base = starts;
    const auto places = static_cast<std::uint16_t>(key >> shift_);
    for (std::size_t left = count; left > 1;) {
      const std::size_t half = left / 2;
      base = base[half] <= places ? base + half : base;
      left -= half;
    }
    const std::size_t i = base - starts;
    return leaves_[id_at(starts + count, i)];
  }

  // Every span once, by start: for whoever asks all stretches of numbers that differ.
  std::vector<Span> spans() const;
  // The digits that the first number of a span begins with; "" for the very first span.
  static std::string digits_of(NumberKey start);
  std::size_t bytes() const;

 private:
  static constexpr std::uint32_t kWhole = 0x8000'0000;  // a root whose numbers have one leaf
  static constexpr std::size_t kLine = 32;              // 64 octets

  static const Span& find_in(const Span* base, std::size_t count, NumberKey key) {
    while (count > 1) {
      const std::size_t half = count / 2;
      base = base[half].start <= key ? base + half : base;
      count -= half;
    }
    return *base;
  }
  std::uint32_t id_at(const std::uint16_t* ids, std::size_t i) const {
    if (id_width_ == 1) return ids[i];
    return ids[2 * i] | std::uint32_t{ids[2 * i + 1]} << 16;
  }
  // place: where the root's spans are, and how many.
  const Leaf& find_wide(const std::uint16_t* place, NumberKey key) const {
    const std::uint32_t begin = place[0] | std::uint32_t{place[1]} << 16;
    const std::uint32_t count = place[2] | std::uint32_t{place[3]} << 16;
    return find_in(wide_.data() + begin, count, key).leaf;
  }
  NumberKey key_of_root(std::size_t root) const;
  std::uint32_t id_of(const Leaf& leaf) const;
  void name_leaves(const std::vector<Span>& spans);
  void put_root(std::size_t root, const Span* begin, const Span* end);
  void put_32(std::uint32_t value);

  std::size_t root_digits_ = 5;      // 6 for many spans
  unsigned shift_ = 0;               // of a key to the four places behind the root
  unsigned id_width_ = 1;            // of an index of leaves_ in a block, in 16 bits
  HugeVector<std::uint32_t> roots_;  // an offset in blocks_, or kWhole | index of leaves_
  HugeVector<std::uint16_t>
      blocks_;               // count, starts, indices of leaves_; or 0 and the place in wide_
  HugeVector<Leaf> leaves_;  // distinct, sorted
  std::vector<Span> wide_, short_;
};

}  // namespace tollgate::routing
