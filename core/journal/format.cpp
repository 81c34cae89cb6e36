#include "core/journal/format.h"

#include <algorithm>
#include <charconv>

namespace tollgate::core::journal {
namespace {

constexpr std::string_view kName = "journal-";
constexpr std::size_t kDigits = 20;
constexpr std::size_t kHeaderOctets = 104;

template <class T>
T load(const std::uint8_t* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T>
void store(std::uint8_t* at, T value) noexcept {
  std::memcpy(at, &value, sizeof value);
}

std::string named(std::string_view prefix, std::uint64_t segment) {
  const std::string digits = std::to_string(segment);
  return std::string(prefix) + std::string(kDigits - digits.size(), '0') + digits;
}

}  // namespace

void put_segment_header(Out out, const SegmentHeader& header) noexcept {
  std::fill(out.begin(), out.begin() + kRecordsBegin, std::uint8_t{0});
  std::uint8_t* const at = out.data();
  store(at, kMagic);
  store(at + 12, kVersion);
  store(at + 16, header.segment);
  store(at + 24, header.salt);
  store(at + 32, header.previous_end);
  store(at + 40, header.octets);
  store(at + 48, header.created_wall_us);
  store(at + 56, header.streams);
  store(at + 60, std::uint32_t{header.begins_run});
  store(at + 64, header.boot);
  store(at + 72, header.created_mono_us);
  store(at + 80, header.kept_us);
  store(at + 96, header.run);
  store(at + 8, crc32c({at + 12, kSector - 12}));
  std::memcpy(at + kSector, at, kSector);
  if (header.durable != 0) put_durable_mark(out, header.durable);
}

void put_durable_mark(Out sector, std::uint64_t durable) noexcept {
  std::uint8_t* const at = sector.data();
  store(at + 88, durable);
  store(at + 8, crc32c({at + 12, kSector - 12}));
}

HeaderFault get_segment_header(Octets sector, SegmentHeader& header) noexcept {
  const std::uint8_t* const at = sector.data();
  if (std::all_of(sector.begin(), sector.end(), [](std::uint8_t o) { return o == 0; })) {
    return HeaderFault::zero;
  }
  if (load<std::uint64_t>(at) != kMagic) return HeaderFault::damaged;
  if (load<std::uint32_t>(at + 8) != crc32c({at + 12, kSector - 12})) return HeaderFault::damaged;
  if (load<std::uint32_t>(at + 12) != kVersion) return HeaderFault::version;
  header.segment = load<std::uint64_t>(at + 16);
  header.salt = load<std::uint64_t>(at + 24);
  header.previous_end = load<std::uint64_t>(at + 32);
  header.octets = load<std::uint64_t>(at + 40);
  header.created_wall_us = load<std::int64_t>(at + 48);
  header.streams = load<std::uint32_t>(at + 56);
  header.begins_run = load<std::uint32_t>(at + 60) != 0;
  header.boot = load<std::uint64_t>(at + 64);
  header.created_mono_us = load<std::int64_t>(at + 72);
  header.kept_us = load<std::int64_t>(at + 80);
  header.durable = load<std::uint64_t>(at + 88);
  header.run = load<std::uint64_t>(at + 96);
  static_assert(96 + sizeof(std::uint64_t) <= kHeaderOctets);
  return HeaderFault::none;
}

std::optional<RecordHeader> peek_record(Octets segment, std::uint64_t at,
                                        const SegmentHeader& header) noexcept {
  if (at + kRecordHeader > segment.size()) return std::nullopt;
  const auto record = load<RecordHeader>(segment.data() + at);
  if (record.length < kRecordHeader || record.length > kRecordHeader + kJournalRecordMax) {
    return std::nullopt;
  }
  const std::size_t whole = padded(record.length);
  if (whole > segment.size() - at || record.synced > at || record.stream >= header.streams) {
    return std::nullopt;
  }
  return record;
}

std::optional<RecordHeader> get_record(Octets segment, std::uint64_t at,
                                       const SegmentHeader& header, std::uint32_t seed) noexcept {
  const auto record = peek_record(segment, at, header);
  if (!record) return std::nullopt;
  const std::size_t whole = padded(record->length);
  if (record->crc != crc32c(segment.subspan(at + 4, whole - 4), seed)) return std::nullopt;
  return record;
}

std::uint64_t last_octet(Octets octets, std::uint64_t from) noexcept {
  std::uint64_t end = octets.size();
  while (end >= from + kStorageBlock &&
         all_zero(octets.subspan(end - kStorageBlock, kStorageBlock))) {
    end -= kStorageBlock;
  }
  while (end > from && octets[end - 1] == 0) --end;
  return std::max(end, from);
}

std::string segment_name(std::uint64_t segment) {
  return named(kName, segment);
}

std::string quarantine_name(std::uint64_t segment) {
  return named("damaged-", segment);
}

std::uint64_t segment_number(std::string_view name) noexcept {
  if (name.size() != kName.size() + kDigits || !name.starts_with(kName)) return 0;
  std::uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + kName.size(), end, number);
  return read.ec == std::errc{} && read.ptr == end ? number : 0;
}

}  // namespace tollgate::core::journal
