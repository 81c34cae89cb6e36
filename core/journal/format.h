// The octets of a segment file: docs/journal-format.md. Pure functions; little-endian.
//
//   1 The record's checksum covers everything but itself, padding included, and starts from a seed
//     that is drawn for its segment: octets that somebody else chose, or that another segment left,
//     never pass for a record.
//   2 `synced` in a record: the octets of its segment that were durable before it was written. So
//     a record that is found proves that everything before its batch was once complete.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "core/boot.h"
#include "core/journal/crc32c.h"
#include "core/journal/journal.h"
#include "core/octets.h"

namespace tollgate::core::journal {

static_assert(std::endian::native == std::endian::little);

inline constexpr std::uint64_t kMagic = 0x314C'4E52'4A4C'4754;  // "TGLJRNL1"
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kSector = 512;
inline constexpr std::size_t kRecordsBegin = 2 * kSector;  // after the header and its copy
inline constexpr std::size_t kRecordHeader = 16;
inline constexpr std::uint32_t kEndType = 0xFFFF;  // the record a clean end writes
inline constexpr std::uint64_t kUnknown = ~std::uint64_t{0};

struct SegmentHeader {
  std::uint64_t segment = 0;
  std::uint64_t salt = 0;
  std::uint64_t previous_end = kUnknown;  // the end of the segment before it
  std::uint64_t octets = 0;               // of the file
  std::int64_t created_wall_us = 0;
  std::uint32_t streams = 0;
  bool begins_run = false;           // the first one of a process
  std::uint64_t boot = 0;            // of the machine, when it was begun; 0: not told
  std::int64_t created_mono_us = 0;  // in that boot
  std::int64_t kept_us = 0;          // JournalOptions::kept_less_mono_us; 0: not told
  std::uint64_t durable = 0;  // its first copy alone: the octets that were durable, certainly
  std::uint64_t run = 0;      // the number of its process's first segment; 0: not told

  ClockPair clocks() const noexcept { return {boot, created_mono_us, created_wall_us}; }
};

struct RecordHeader {
  std::uint32_t crc;
  std::uint32_t length;  // header and payload, without padding: never 0
  std::uint16_t type;
  std::uint16_t stream;
  std::uint32_t synced;
};
static_assert(sizeof(RecordHeader) == kRecordHeader);

// Most of a segment that was not filled: judged a piece at a time, as fast as memory is read.
inline bool all_zero(Octets octets) noexcept {
  return octets.empty() ||
         (octets[0] == 0 && std::memcmp(octets.data(), octets.data() + 1, octets.size() - 1) == 0);
}
// Behind the last octet that is not zero, at least `from`.
std::uint64_t last_octet(Octets octets, std::uint64_t from) noexcept;

constexpr std::size_t padded(std::size_t length) noexcept {
  return (length + 7) & ~std::size_t{7};
}
constexpr std::size_t record_octets(std::size_t payload) noexcept {
  return padded(kRecordHeader + payload);
}

// Fills the first kRecordsBegin octets of a segment.
void put_segment_header(Out out, const SegmentHeader& header) noexcept;
// Into the first copy of a segment's header, in its first kSector octets.
void put_durable_mark(Out sector, std::uint64_t durable) noexcept;

enum class HeaderFault : std::uint8_t { none, zero, damaged, version };
// One copy: `sector` holds kSector octets.
HeaderFault get_segment_header(Octets sector, SegmentHeader& header) noexcept;

inline std::uint32_t seed_of(const SegmentHeader& header) noexcept {
  std::array<std::uint8_t, 16> octets;
  std::memcpy(octets.data(), &header.salt, 8);
  std::memcpy(octets.data() + 8, &header.segment, 8);
  return crc32c(octets);
}

struct RecordFrame {
  std::uint32_t type;
  unsigned stream;
  std::uint64_t synced;
  std::uint32_t seed;
};

// Writes one record at `out`, which has room for record_octets(payload.size()).
inline void put_record(std::uint8_t* out, const RecordFrame& frame, Octets payload) noexcept {
  RecordHeader header{0, static_cast<std::uint32_t>(kRecordHeader + payload.size()),
                      static_cast<std::uint16_t>(frame.type),
                      static_cast<std::uint16_t>(frame.stream),
                      static_cast<std::uint32_t>(frame.synced)};
  const std::size_t whole = padded(header.length);
  std::memset(out + whole - 8, 0, 8);
  std::memcpy(out, &header, sizeof header);
  if (!payload.empty()) std::memcpy(out + kRecordHeader, payload.data(), payload.size());
  header.crc = crc32c({out + 4, whole - 4}, frame.seed);
  std::memcpy(out, &header.crc, 4);
}

// The header of the record at `at`, when one may be there: all but its checksum is looked at.
std::optional<RecordHeader> peek_record(Octets segment, std::uint64_t at,
                                        const SegmentHeader& header) noexcept;
// When a whole and undamaged one is there.
std::optional<RecordHeader> get_record(Octets segment, std::uint64_t at,
                                       const SegmentHeader& header, std::uint32_t seed) noexcept;

// "journal-" and the number in 20 digits; 0: no segment's name.
std::string segment_name(std::uint64_t segment);
std::uint64_t segment_number(std::string_view name) noexcept;
std::string quarantine_name(std::uint64_t segment);

}  // namespace tollgate::core::journal
