#include "core/crc32c.h"

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

std::uint32_t crc32c(Octets octets, std::uint32_t before) noexcept {
#if defined(__x86_64__)
  if (kInstruction) return by_instruction(octets, before);
#endif
  return crc32c_by_table(octets, before);
}

}  // namespace tollgate::core
