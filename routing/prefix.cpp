#include "routing/prefix.h"

#include <algorithm>
#include <tuple>

namespace tollgate::routing {
namespace {

using Span = PrefixIndex::Span;
using Entry = PrefixIndex::Entry;

constexpr int kPlaces = 15, kPlacesOfBlock = 4;

// The first key behind all numbers that begin with this prefix.
NumberKey end_of(NumberKey key, std::uint8_t length) {
  return key + (NumberKey{1} << (4 * (kPlaces - length)));
}

// A later span that starts where the last one does replaces it: that one was empty.
void push(std::vector<Span>& spans, NumberKey start, Leaf leaf) {
  if (!spans.empty() && spans.back().start == start) spans.pop_back();
  if (!spans.empty() && spans.back().leaf == leaf) return;
  spans.push_back({start, leaf});
}

// The spans of the prefixes that are at most so long.
std::vector<Span> spans_of(const std::vector<Entry>& entries, std::size_t length_max) {
  struct Open {
    NumberKey end;
    Leaf leaf;
  };
  std::vector<Open> open;  // the prefixes around the current key, the longest last
  std::vector<Span> spans;
  spans.push_back({0, {}});
  const auto close_until = [&](NumberKey key) {
    while (!open.empty() && open.back().end <= key) {
      const NumberKey end = open.back().end;
      open.pop_back();
      push(spans, end, open.empty() ? Leaf{} : open.back().leaf);
    }
  };
  for (const Entry& entry : entries) {
    if (entry.length > length_max) continue;
    close_until(entry.key);
    push(spans, entry.key, entry.leaf);
    open.push_back({end_of(entry.key, entry.length), entry.leaf});
  }
  close_until(~NumberKey{0});
  return spans;
}

bool before(const Leaf& a, const Leaf& b) {
  return std::tie(a.destination, a.node) < std::tie(b.destination, b.node);
}

}  // namespace

PrefixIndex::PrefixIndex() : PrefixIndex(std::vector<Entry>()) {}

PrefixIndex::PrefixIndex(const std::vector<Entry>& entries) {
  constexpr std::size_t kManySpans = 200'000;
  const std::vector<Span> spans = spans_of(entries, kPlaces);
  if (spans.size() > kManySpans) root_digits_ = 6;
  shift_ = static_cast<unsigned>(4 * (kPlaces - kPlacesOfBlock - static_cast<int>(root_digits_)));
  short_ = spans_of(entries, root_digits_ - 1);
  name_leaves(spans);
  const std::size_t roots = root_digits_ == 6 ? 1'000'000 : 100'000;
  const NumberKey root_size = NumberKey{1} << (shift_ + 4 * kPlacesOfBlock);
  roots_.reserve(roots);
  const Span* span = spans.data();
  const Span* const end = span + spans.size();
  for (std::size_t root = 0; root < roots; ++root) {
    const NumberKey key = key_of_root(root);
    while (span + 1 < end && span[1].start <= key) ++span;
    const Span* last = span;
    while (last + 1 < end && last[1].start < key + root_size) ++last;
    put_root(root, span, last + 1);
    span = last;
  }
  blocks_.shrink_to_fit();
  leaves_.shrink_to_fit();
}

NumberKey PrefixIndex::key_of_root(std::size_t root) const {
  NumberKey key = 0;
  for (std::size_t i = 0; i < root_digits_; ++i, root /= 10)
    key |= NumberKey{root % 10 + 1} << (4 * i);
  return key << (shift_ + 4 * kPlacesOfBlock);
}

void PrefixIndex::name_leaves(const std::vector<Span>& spans) {
  leaves_.reserve(spans.size());
  for (const Span& span : spans) leaves_.push_back(span.leaf);
  std::sort(leaves_.begin(), leaves_.end(), before);
  leaves_.erase(std::unique(leaves_.begin(), leaves_.end()), leaves_.end());
  constexpr std::size_t kNarrow = 0x10000;
  id_width_ = leaves_.size() <= kNarrow ? 1 : 2;
}

std::uint32_t PrefixIndex::id_of(const Leaf& leaf) const {
  return static_cast<std::uint32_t>(std::lower_bound(leaves_.begin(), leaves_.end(), leaf, before) -
                                    leaves_.begin());
}

void PrefixIndex::put_32(std::uint32_t value) {
  blocks_.push_back(static_cast<std::uint16_t>(value));
  blocks_.push_back(static_cast<std::uint16_t>(value >> 16));
}

// The first span holds at the root's first number, wherever it starts.
void PrefixIndex::put_root(std::size_t root, const Span* begin, const Span* end) {
  if (end - begin == 1) return roots_.push_back(kWhole | id_of(begin->leaf));
  roots_.push_back(static_cast<std::uint32_t>(blocks_.size()));
  const NumberKey key = key_of_root(root);
  const bool fits = std::all_of(begin + 1, end, [&](const Span& span) {
    return (span.start - key) % (NumberKey{1} << shift_) == 0;
  });
  const auto count = static_cast<std::uint32_t>(end - begin);
  blocks_.push_back(static_cast<std::uint16_t>(fits ? count : 0));
  if (!fits) {
    put_32(static_cast<std::uint32_t>(wide_.size()));
    put_32(count);
    wide_.insert(wide_.end(), begin, end);
    return;
  }
  blocks_.push_back(0);
  for (const Span* span = begin + 1; span != end; ++span)
    blocks_.push_back(static_cast<std::uint16_t>((span->start - key) >> shift_));
  for (const Span* span = begin; span != end; ++span) {
    if (id_width_ == 1)
      blocks_.push_back(static_cast<std::uint16_t>(id_of(span->leaf)));
    else
      put_32(id_of(span->leaf));
  }
}

std::vector<Span> PrefixIndex::spans() const {
  std::vector<Span> all;
  all.push_back({0, {}});
  for (std::size_t root = 0; root < roots_.size(); ++root) {
    const NumberKey key = key_of_root(root);
    const std::uint32_t at = roots_[root];
    if (at & kWhole) {
      push(all, key, leaves_[at & ~kWhole]);
      continue;
    }
    const std::uint16_t* const block = blocks_.data() + at;
    const std::size_t count = block[0];
    for (std::size_t i = 0; i < count; ++i)
      push(all, key + (NumberKey{block[1 + i]} << shift_), leaves_[id_at(block + 1 + count, i)]);
    if (count != 0) continue;
    const std::size_t begin = block[1] | std::size_t{block[2]} << 16;
    const std::size_t wide = block[3] | std::size_t{block[4]} << 16;
    for (std::size_t i = begin; i < begin + wide; ++i)
      push(all, std::max(key, wide_[i].start), wide_[i].leaf);
  }
  return all;
}

std::string PrefixIndex::digits_of(NumberKey key) {
  constexpr NumberKey kPastNine = 11;  // digit + 1 of "behind 9": the place before counts on
  std::string digits;
  for (int place = 0; place < kPlaces; ++place) {
    const NumberKey digit = key >> (4 * place) & 15;
    if (digit == kPastNine) key += (NumberKey{1} << (4 * (place + 1))) - (digit << (4 * place));
  }
  for (int place = kPlaces - 1; place >= 0; --place) {
    const NumberKey digit = key >> (4 * place) & 15;
    if (digit == 0 || digit == kPastNine) break;
    digits += static_cast<char>('0' + digit - 1);
  }
  return digits;
}

std::size_t PrefixIndex::bytes() const {
  return roots_.capacity() * sizeof(roots_[0]) + blocks_.capacity() * sizeof(blocks_[0]) +
         leaves_.capacity() * sizeof(Leaf) + (wide_.capacity() + short_.capacity()) * sizeof(Span);
}

}  // namespace tollgate::routing
