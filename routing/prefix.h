// Longest prefix match over every prefix of the tables at once: numbering plan, rate books and
// price plans. Built once, then read by any thread.
//
// A number is a key of fifteen 4-bit places, digit + 1 each, 0 behind the end, so that a prefix is
// one interval of keys and a number that is shorter than a prefix never lies within it. The
// intervals are sorted; a table by the first five or six digits says where to search.
//
// 1. find(n) gives the leaf of the longest prefix of n, or the leaf of the empty prefix.
// 2. Neighbouring intervals have different leaves.
// 3. find() allocates nothing and reads only `root` and `spans`.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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
  PrefixIndex();
  // entries: sorted by (key, length), no two alike; each leaf already holds what it inherits.
  explicit PrefixIndex(const std::vector<Entry>& entries);

  const Leaf& find(std::string_view digits, NumberKey key) const {
    std::size_t low = 0, high = spans_.size();
    if (digits.size() >= root_digits_) {
      std::size_t root = 0;
      for (std::size_t i = 0; i < root_digits_; ++i)
        root = root * 10 + static_cast<std::size_t>(digits[i] - '0');
      low = root_[root];
      high = root_[root + 1] + 1;
    }
    // The last span in [low, high) that starts at or before the key; spans_[low] does.
    std::size_t count = high - low;
    const Span* base = spans_.data() + low;
    while (count > 1) {
      const std::size_t half = count / 2;
      base = base[half].start <= key ? base + half : base;
      count -= half;
    }
    return base->leaf;
  }
  std::size_t spans() const { return spans_.size(); }
  // The i-th stretch of numbers: the digits its first number begins with ("" for the very first
  // stretch), and what find() gives there. For whoever asks every stretch once.
  std::string start(std::size_t i) const;
  const Leaf& leaf(std::size_t i) const { return spans_[i].leaf; }
  std::size_t bytes() const {
    return spans_.capacity() * sizeof(Span) + root_.capacity() * sizeof(root_[0]);
  }

 private:
  struct Span {
    NumberKey start;
    Leaf leaf;
  };
  void push(NumberKey start, Leaf leaf);
  void index_roots();
  std::size_t root_digits_ = 5;      // 6 for many spans: fewer steps through memory
  std::vector<Span> spans_;          // [0] starts at 0
  std::vector<std::uint32_t> root_;  // by first digits: the span that holds their first key
};

}  // namespace tollgate::routing
