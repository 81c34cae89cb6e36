#include "routing/prefix.h"

namespace tollgate::routing {
namespace {

// The first key behind all numbers that begin with this prefix.
NumberKey end_of(NumberKey key, std::uint8_t length) {
  return key + (NumberKey{1} << (4 * (15 - length)));
}

}  // namespace

PrefixIndex::PrefixIndex() {
  spans_.push_back({0, {}});
  index_roots();
}

PrefixIndex::PrefixIndex(const std::vector<Entry>& entries) {
  struct Open {
    NumberKey end;
    Leaf leaf;
  };
  std::vector<Open> open;  // the prefixes around the current key, the longest last
  spans_.reserve(entries.size() * 2 + 1);
  spans_.push_back({0, {}});
  const auto close_until = [&](NumberKey key) {
    while (!open.empty() && open.back().end <= key) {
      const NumberKey end = open.back().end;
      open.pop_back();
      push(end, open.empty() ? Leaf{} : open.back().leaf);
    }
  };
  for (const Entry& entry : entries) {
    close_until(entry.key);
    push(entry.key, entry.leaf);
    open.push_back({end_of(entry.key, entry.length), entry.leaf});
  }
  close_until(~NumberKey{0});
  spans_.shrink_to_fit();
  index_roots();
}

std::string PrefixIndex::start(std::size_t i) const {
  constexpr NumberKey kPastNine = 11;  // digit + 1 of "behind 9": the place before counts on
  NumberKey key = spans_[i].start;
  std::string digits;
  for (int place = 0; place < 15; ++place) {
    const NumberKey digit = key >> (4 * place) & 15;
    if (digit == kPastNine) key += (NumberKey{1} << (4 * (place + 1))) - (digit << (4 * place));
  }
  for (int place = 14; place >= 0; --place) {
    const NumberKey digit = key >> (4 * place) & 15;
    if (digit == 0 || digit == kPastNine) break;
    digits += static_cast<char>('0' + digit - 1);
  }
  return digits;
}

// A later span that starts where the last one does replaces it: that one was empty.
void PrefixIndex::push(NumberKey start, Leaf leaf) {
  if (spans_.back().start == start) spans_.pop_back();
  if (!spans_.empty() && spans_.back().leaf == leaf) return;
  spans_.push_back({start, leaf});
}

void PrefixIndex::index_roots() {
  constexpr std::size_t kManySpans = 200'000;
  if (spans_.size() > kManySpans) root_digits_ = 6;
  const std::uint32_t roots = root_digits_ == 6 ? 1'000'000 : 100'000;
  root_.resize(roots + 1);
  std::uint32_t span = 0;
  for (std::uint32_t root = 0; root < roots; ++root) {
    char digits[6];
    std::uint32_t rest = root;
    for (std::size_t i = root_digits_; i-- > 0; rest /= 10)
      digits[i] = static_cast<char>('0' + rest % 10);
    const NumberKey key = number_key({digits, root_digits_});
    while (span + 1 < spans_.size() && spans_[span + 1].start <= key) ++span;
    root_[root] = span;
  }
  root_[roots] = static_cast<std::uint32_t>(spans_.size() - 1);
}

}  // namespace tollgate::routing
