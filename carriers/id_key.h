// The canonical key of a carrier's message id: what two writings of one id have in common.
// Made by Dialect, stored by Awaiting, compared octet by octet.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace tollgate::carriers {

inline constexpr std::size_t kIdMax = 64;  // a message_id without its NUL

struct IdKey {
  std::array<std::uint8_t, kIdMax> octets;
  std::uint8_t length = 0;  // 0: no key (no id, or too long to be one)

  std::span<const std::uint8_t> view() const { return {octets.data(), length}; }
  explicit operator bool() const { return length != 0; }
  bool operator==(const IdKey& other) const {
    return length == other.length && std::memcmp(octets.data(), other.octets.data(), length) == 0;
  }
};

// A seeded hash of short keys: multiply and fold, sixteen and eight octets at a time; what is left
// at the end is read together with octets before it. The seed keeps a carrier from choosing ids
// that collide.
inline std::uint64_t hash_of(std::span<const std::uint8_t> key, std::uint64_t seed) {
  const auto fold = [](std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = Wide{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  const auto read = []<class Word>(Word word, const std::uint8_t* from) {
    std::memcpy(&word, from, sizeof(word));
    return std::uint64_t{word};
  };
  std::uint64_t hash = seed ^ (key.size() * 0x9E3779B97F4A7C15U);
  const std::uint8_t* at = key.data();
  const std::uint8_t* end = at + key.size();
  const std::uint64_t second = fold(seed, 0x589965CC75374CC3U);
  for (; end - at > 16; at += 16) {
    hash = fold(hash ^ read(std::uint64_t{}, at), second ^ read(std::uint64_t{}, at + 8));
  }
  for (; end - at > 8; at += 8) hash = fold(hash ^ read(std::uint64_t{}, at), 0xA0761D6478BD642FU);
  std::uint64_t word = 0;
  if (key.size() >= 8) {
    word = read(std::uint64_t{}, end - 8);
  } else if (key.size() >= 4) {
    word = read(std::uint32_t{}, at) | read(std::uint32_t{}, end - 4) << 32;
  } else if (!key.empty()) {
    word = at[0] | std::uint64_t{at[key.size() / 2]} << 8 | std::uint64_t{end[-1]} << 16;
  }
  hash = fold(hash ^ word, 0xE7037ED1A0B428DBU);
  return fold(hash ^ seed, 0x8EBC6AF09C88C6E3U);
}

// Of a number in its international form, however that is written.
inline std::uint64_t hash_of_number(std::string_view number, std::uint64_t seed) {
  if (number.starts_with('+')) number.remove_prefix(1);
  if (number.starts_with("00")) number.remove_prefix(2);
  return hash_of({reinterpret_cast<const std::uint8_t*>(number.data()), number.size()}, seed);
}

}  // namespace tollgate::carriers
