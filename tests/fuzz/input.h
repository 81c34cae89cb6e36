// What every fuzz target reads its input by, and how it says that something does not hold.
//
// A target is one file with one LLVMFuzzerTestOneInput. libFuzzer drives it (preset fuzz), and
// replay.cpp feeds it the kept corpus in every other preset. It keeps nothing from one input to the
// next, so that an input that fails fails alone.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::fuzz {

inline void must(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: does not hold\n", file, line);
  std::abort();
}

// Nothing that a terminal or a log takes for more than a text of one line.
inline bool printable_line(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) != 0x7F;
  });
}

// Hands out the input from its front; where it has ended, zeros and nothing.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  bool empty() const { return rest_.empty(); }
  std::uint8_t octet() {
    if (rest_.empty()) return 0;
    const std::uint8_t first = rest_[0];
    rest_ = rest_.subspan(1);
    return first;
  }
  std::uint16_t two() { return static_cast<std::uint16_t>(octet() << 8 | octet()); }
  std::uint32_t four() { return static_cast<std::uint32_t>(two()) << 16 | two(); }
  std::uint64_t eight() { return static_cast<std::uint64_t>(four()) << 32 | four(); }
  // 0 to bound - 1; bound is at most 256.
  unsigned below(unsigned bound) { return octet() % bound; }
  bool flag() { return (octet() & 1) != 0; }
  std::span<const std::uint8_t> octets(std::size_t count) {
    const auto taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  // As many as the octet in front of them says.
  std::span<const std::uint8_t> counted() { return octets(octet()); }
  std::string text() {
    const auto taken = counted();
    return {taken.begin(), taken.end()};
  }
  std::span<const std::uint8_t> rest() { return octets(rest_.size()); }

 private:
  std::span<const std::uint8_t> rest_;
};

// Short inputs for long texts: \x1f, a length and two octets of a count repeat what was last
// written, that many octets of it, so many times. At most `max` octets come of it.
inline std::string unfolded(std::span<const std::uint8_t> folded, std::size_t max) {
  std::string text;
  for (Input input(folded.data(), folded.size()); !input.empty() && text.size() < max;) {
    const std::uint8_t next = input.octet();
    if (next != 0x1F) {
      text.push_back(static_cast<char>(next));
      continue;
    }
    const std::size_t length = std::min<std::size_t>(input.octet(), text.size());
    const std::string last = text.substr(text.size() - length);
    for (unsigned times = input.two(); length > 0 && times > 0 && text.size() < max; --times) {
      text += last;
    }
  }
  text.resize(std::min(text.size(), max));
  return text;
}

}  // namespace tollgate::fuzz
