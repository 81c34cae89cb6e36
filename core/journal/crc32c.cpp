#include "core/journal/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace tollgate::core {
namespace {

constexpr std::array<std::uint32_t, 256> kTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0);
    table[i] = crc;
  }
  return table;
}();

constexpr std::uint32_t kPolynomial = 0x82F63B78U;  // bit 31 is the coefficient of 1

// The product modulo the polynomial.
constexpr std::uint32_t product(std::uint32_t a, std::uint32_t b) {
  std::uint32_t result = 0;
  for (std::uint32_t bit = 0x8000'0000U; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) result ^= b;
    b = (b >> 1) ^ ((b & 1) != 0 ? kPolynomial : 0);
  }
  return result;
}

// x to the power of 32 k and of 32 * 256 k: what k words, or pages of 256 words, multiply by.
struct Powers {
  std::array<std::uint32_t, 256> words{};
  std::array<std::uint32_t, 258> pages{};
};
constexpr Powers kPowers = [] {
  Powers powers;
  std::uint32_t word = 0x4000'0000U;  // x
  for (int square = 0; square < 5; ++square) word = product(word, word);
  powers.words[0] = powers.pages[0] = 0x8000'0000U;
  for (std::size_t k = 1; k < 256; ++k) powers.words[k] = product(powers.words[k - 1], word);
  const std::uint32_t page = product(powers.words[255], word);
  for (std::size_t k = 1; k < 258; ++k) powers.pages[k] = product(powers.pages[k - 1], page);
  return powers;
}();
static_assert(kCrcMovedMax / 1024 < 258);

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(Octets octets,
                                                               std::uint32_t before) noexcept {
  std::uint64_t crc = ~before;
  const std::uint8_t* at = octets.data();
  std::size_t left = octets.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  auto rest = static_cast<std::uint32_t>(crc);
  for (; left > 0; --left, ++at) rest = _mm_crc32_u8(rest, *at);
  return ~rest;
}

const bool kInstruction = __builtin_cpu_supports("sse4.2") != 0;
#endif

}  // namespace

std::uint32_t crc32c_by_table(Octets octets, std::uint32_t before) noexcept {
  std::uint32_t crc = ~before;
  for (const std::uint8_t octet : octets) crc = (crc >> 8) ^ kTable[(crc ^ octet) & 0xFF];
  return ~crc;
}

std::uint32_t crc32c_moved(std::uint32_t crc, std::size_t octets) noexcept {
  const std::size_t words = octets / 4;
  return product(kPowers.pages[words / 256], product(kPowers.words[words % 256], crc));
}

std::uint32_t crc32c(Octets octets, std::uint32_t before) noexcept {
#if defined(__x86_64__)
  if (kInstruction) return by_instruction(octets, before);
#endif
  return crc32c_by_table(octets, before);
}

}  // namespace tollgate::core
