// CRC-32C (Castagnoli; RFC 3720 appendix B.4). By the processor's instruction where it has one
// (SSE 4.2), else by a table. crc32c(b, crc32c(a)) is the checksum of a followed by b.
#pragma once
#include <cstdint>

#include "core/octets.h"

namespace tollgate::core {

std::uint32_t crc32c(Octets octets, std::uint32_t before = 0) noexcept;

// The same by the table alone: the instruction is tested against it.
std::uint32_t crc32c_by_table(Octets octets, std::uint32_t before = 0) noexcept;

}  // namespace tollgate::core
