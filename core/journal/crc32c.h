// CRC-32C (Castagnoli; RFC 3720 appendix B.4). By the processor's instruction where it has one
// (SSE 4.2), else by a table. crc32c(b, crc32c(a)) is the checksum of a followed by b.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/octets.h"

namespace tollgate::core {

std::uint32_t crc32c(Octets octets, std::uint32_t before = 0) noexcept;

// The same by the table alone: the instruction is tested against it.
std::uint32_t crc32c_by_table(Octets octets, std::uint32_t before = 0) noexcept;

// What the checksum of a becomes once `octets` more follow, less what those add themselves:
// crc32c(a followed by b) == crc32c_moved(crc32c(a), b.size()) ^ crc32c(b). `octets`: a multiple of
// 4, at most kCrcMovedMax; the time does not depend on it.
inline constexpr std::size_t kCrcMovedMax = std::size_t{257} << 10;
std::uint32_t crc32c_moved(std::uint32_t crc, std::size_t octets) noexcept;

}  // namespace tollgate::core
