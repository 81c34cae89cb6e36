// int64 arithmetic that stops at int64's ends: amounts come from tables and records that others
// wrote, and nothing bounds how many are added up. A sum at an end is reported, never wrapped.
//
// Thread: any; pure functions.
#pragma once

#include <cstdint>
#include <limits>

namespace tollgate::proto {

inline constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

constexpr std::int64_t sum(std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  if (!__builtin_add_overflow(a, b, &out)) return out;
  return b < 0 ? kLeast : kMost;
}

constexpr std::int64_t difference(std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  if (!__builtin_sub_overflow(a, b, &out)) return out;
  return b > 0 ? kLeast : kMost;
}

constexpr std::int64_t product(std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  if (!__builtin_mul_overflow(a, b, &out)) return out;
  return (a < 0) != (b < 0) ? kLeast : kMost;
}

constexpr bool at_an_end(std::int64_t value) {
  return value == kMost || value == kLeast;
}

}  // namespace tollgate::proto
