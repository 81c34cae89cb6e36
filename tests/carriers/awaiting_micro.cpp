// awaiting_micro [entries]: what the map of ids that wait for a receipt takes (default: 100,000
// entries, so that ctest can run it and it cannot rot; by hand 20000000). Ids are hexadecimal
// numbers of 16 digits, then of 36: a message id as most carriers give them, and a long one.
//
// Exit status 1: an entry takes more than 100 octets, or one is not found again.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <unistd.h>

#include "carriers/awaiting.h"

namespace tollgate::carriers {
namespace {

using Steady = std::chrono::steady_clock;

constexpr double kEntryMax = 100;   // octets, all told
constexpr double kSlack = 4 << 20;  // of the process around it: matters for few entries alone

double resident() {
  std::ifstream statm("/proc/self/statm");
  double size = 0;
  double pages = 0;
  statm >> size >> pages;
  return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

// The id of a number: its digits are mixed, as are those of a carrier that counts nothing.
class Id {
 public:
  Id(std::uint32_t number, std::size_t length) : length_(length) {
    std::uint64_t mixed = number;
    for (std::size_t i = 0; i < length; ++i) {
      if (i % 16 == 0) mixed = (mixed + 0x9E3779B97F4A7C15) * 0xBF58476D1CE4E5B9 ^ number;
      digits_[i] = static_cast<std::uint8_t>("0123456789abcdef"[mixed >> 60]);
      mixed <<= 4;
    }
    for (std::size_t i = 0; i < 8; ++i) {  // no two alike
      digits_[i] = static_cast<std::uint8_t>("0123456789abcdef"[number >> (28 - 4 * i) & 15]);
    }
  }
  Awaiting::Key key() const { return {digits_.data(), length_}; }

 private:
  std::array<std::uint8_t, kIdMax> digits_;
  std::size_t length_;
};

// Nanoseconds a call of f(i) takes, i from 0; the longest one in `longest_us`.
template <class F>
double each(std::uint32_t count, double& longest_us, F&& f) {
  const auto begin = Steady::now();
  longest_us = 0;
  auto last = begin;
  for (std::uint32_t i = 0; i < count; ++i) {
    f(i);
    const auto now = Steady::now();
    longest_us =
        std::max(longest_us, std::chrono::duration<double, std::micro>(now - last).count());
    last = now;
  }
  return std::chrono::duration<double, std::nano>(last - begin).count() / count;
}

bool measure(std::uint32_t entries, std::size_t id_length) {
  const double before = resident();
  Awaiting map(entries, 42);
  std::array<double, 3> longest{};
  std::uint32_t lost = 0;
  const double add = each(entries, longest[0], [&](std::uint32_t i) {
    const Id id(i, id_length);
    map.add(id.key(), map.hash(id.key()), {i, 0}, i);
  });
  const double octets = std::max(resident() - before - kSlack, 0.0) / entries;
  const auto scattered = [&](std::uint32_t i) {
    return static_cast<std::uint32_t>(std::uint64_t{i} * 2'654'435'761 % entries);
  };
  const double find = each(entries, longest[1], [&](std::uint32_t i) {
    const Id id(scattered(i), id_length);
    const auto message = map.find(id.key(), map.hash(id.key()));
    if (!message || message->message != scattered(i)) ++lost;
  });
  const double settle = each(entries, longest[2], [&](std::uint32_t i) {
    const Id id(i, id_length);
    if (!map.settle(id.key(), map.hash(id.key()), i)) ++lost;
  });
  std::printf(
      "%u ids of %zu octets: %.1f octets an entry, %.2f GiB; add %.0f ns, find %.0f, settle %.0f; "
      "longest %.0f, %.0f, %.0f us; %u lost\n",
      entries, id_length, octets, octets * entries / (1 << 30), add, find, settle, longest[0],
      longest[1], longest[2], lost);
  return lost == 0 && map.size() == 0 && octets <= kEntryMax;
}

}  // namespace
}  // namespace tollgate::carriers

int main(int argc, char** argv) {
  const long entries = argc > 1 ? std::atol(argv[1]) : 100'000;
  if (entries < 1 || entries > (1 << 28)) {
    std::fprintf(stderr, "awaiting_micro: 1 to %d entries\n", 1 << 28);
    return 2;
  }
  const auto count = static_cast<std::uint32_t>(entries);
  const bool good = tollgate::carriers::measure(count, 16);
  return tollgate::carriers::measure(count, 36) && good ? 0 : 1;
}
