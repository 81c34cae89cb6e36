// Octets in, octets out: the two views every codec function takes, and big-endian integers.
//
// Thread: any; pure functions.
// 1. A view never owns: it is valid as long as the buffer it was cut from.
// 2. load_* and store_* touch exactly 2, 4 or 8 octets; the caller has checked that they are there.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace tollgate::proto {

using Octets = std::span<const std::uint8_t>;
using Out = std::span<std::uint8_t>;

namespace detail {
// Between big-endian and the machine's order; one instruction, which no compiler of ours makes of
// a loop over octets.
template <class T>
constexpr T swapped(T value) {
  if constexpr (std::endian::native == std::endian::big) return value;
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}
template <class T>
inline T load(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return swapped(value);
}
template <class T>
inline void store(std::uint8_t* at, T value) {
  value = swapped(value);
  std::memcpy(at, &value, sizeof value);
}
}  // namespace detail

inline std::uint16_t load_u16(const std::uint8_t* at) {
  return detail::load<std::uint16_t>(at);
}
inline std::uint32_t load_u32(const std::uint8_t* at) {
  return detail::load<std::uint32_t>(at);
}
inline std::uint64_t load_u64(const std::uint8_t* at) {
  return detail::load<std::uint64_t>(at);
}
inline void store_u16(std::uint8_t* at, std::uint16_t value) {
  detail::store(at, value);
}
inline void store_u32(std::uint8_t* at, std::uint32_t value) {
  detail::store(at, value);
}
inline void store_u64(std::uint8_t* at, std::uint64_t value) {
  detail::store(at, value);
}

inline std::string_view as_text(Octets octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}
inline Octets as_octets(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Content equality; a span itself has none.
inline bool same_octets(Octets a, Octets b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace tollgate::proto
