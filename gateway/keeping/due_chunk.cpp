#include "gateway/keeping/due_chunk.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "core/check.h"
#include "core/journal/scan.h"

namespace tollgate::gateway {

namespace journal = core::journal;
namespace record = proto::record;

namespace {

constexpr std::string_view kName = "due-";
constexpr std::size_t kDigits = 20;

static_assert(journal::kRecordsBegin + journal::record_octets(64 + record::kTextMax) <=
              kChunkHeadMax);

std::optional<journal::SegmentHeader> header_of(proto::Octets file, std::uint64_t number) {
  for (std::size_t at = 0; at < journal::kRecordsBegin; at += journal::kSector) {
    if (file.size() < at + journal::kSector) break;
    journal::SegmentHeader header;
    const auto fault = journal::get_segment_header(file.subspan(at, journal::kSector), header);
    if (fault == journal::HeaderFault::none && header.segment == number) return header;
  }
  return std::nullopt;
}

void fill(ChunkContent& content, const record::Chunk& chunk) {
  content.client = chunk.client;
  content.chunk.receipts = chunk.receipts;
  content.chunk.first = chunk.first_message;
  content.chunk.first_deadline_wall_us = chunk.first_deadline_wall_us;
  content.chunk.newest_deadline_wall_us = chunk.newest_deadline_wall_us;
}

// The layout is told by the octets (record::decode_either), as in a loaded record.
bool is_carried(std::uint16_t type) {
  return type == static_cast<std::uint16_t>(record::Type::carried);
}

// Without its chunk record: the first receipt that is whole has to do.
void make_up(ChunkContent& content, const record::Carried& first) {
  content.client = first.accepted.client;
  content.chunk.first = first.accepted.message;
  content.chunk.first_deadline_wall_us = first.accepted.deadline_wall_us;
  content.chunk.newest_deadline_wall_us = first.accepted.deadline_wall_us;
}

// Appends one record to the octets of a chunk.
class Appending {
 public:
  Appending(std::vector<std::uint8_t>& out, std::uint32_t seed) : out_(out), seed_(seed) {}

  void add(record::Type type, proto::Octets payload) {
    const std::size_t at = out_.size();
    out_.resize(at + journal::record_octets(payload.size()));
    journal::put_record(out_.data() + at, {static_cast<std::uint32_t>(type), 0, 0, seed_}, payload);
  }

 private:
  std::vector<std::uint8_t>& out_;
  std::uint32_t seed_;
};

// Of a later version, by its header or the first of its records.
bool is_newer(proto::Octets begin, const std::optional<journal::SegmentHeader>& header) {
  if (!header) {
    for (std::size_t at = 0; at < journal::kRecordsBegin; at += journal::kSector) {
      journal::SegmentHeader other;
      if (begin.size() >= at + journal::kSector &&
          journal::get_segment_header(begin.subspan(at, journal::kSector), other) ==
              journal::HeaderFault::version) {
        return true;
      }
    }
    return false;
  }
  std::uint64_t at = journal::kRecordsBegin;
  const std::uint32_t seed = journal::seed_of(*header);
  while (const auto record = journal::get_record(begin, at, *header, seed)) {
    const auto payload =
        begin.subspan(at + journal::kRecordHeader, record->length - journal::kRecordHeader);
    const bool decided = record->type == static_cast<std::uint16_t>(record::Type::carried);
    record::Carried carried;
    const bool known =
        decided ? record::decode_either(payload, carried)
                : record::read(record->type, payload, [](const auto&) {}) == record::Reading::good;
    if (!known) return true;
    at += journal::padded(record->length);
  }
  return false;
}

}  // namespace

std::string chunk_name(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kName) + std::string(kDigits - digits.size(), '0') + digits;
}

std::uint64_t chunk_number(std::string_view name) {
  if (name.size() != kName.size() + kDigits || !name.starts_with(kName)) return 0;
  std::uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + kName.size(), end, number);
  return read.ec == std::errc{} && read.ptr == end ? number : 0;
}

std::string damaged_chunk_name(std::uint64_t number) {
  return "damaged-" + chunk_name(number);
}

void write_chunk(const DueChunk& chunk, std::string_view client, proto::Octets listed,
                 const ChunkSeal& seal, std::vector<std::uint8_t>& out) {
  record::Chunk first;
  first.wall_us = seal.now.wall_us;
  first.receipts = chunk.receipts;
  first.first_message = chunk.first;
  first.first_deadline_wall_us = chunk.first_deadline_wall_us;
  first.newest_deadline_wall_us = chunk.newest_deadline_wall_us;
  first.client = client;
  std::array<std::uint8_t, record::kHeadMax> head;
  const std::size_t length = record::encode(first, head);
  TOLLGATE_CHECK(length != 0, "a chunk record of ours fits its head");

  journal::SegmentHeader header;
  header.segment = chunk.number;
  header.salt = seal.salt;
  header.created_wall_us = seal.now.wall_us;
  header.created_mono_us = seal.now.mono_us;
  header.boot = seal.now.boot;
  header.streams = 1;
  header.octets = journal::kRecordsBegin + journal::record_octets(length);
  record::for_each_loaded(listed, [&](proto::Octets payload) {
    header.octets += journal::record_octets(payload.size());
  });
  out.clear();
  out.reserve(header.octets);
  out.resize(journal::kRecordsBegin);
  journal::put_segment_header(out, header);
  Appending appending(out, journal::seed_of(header));
  appending.add(record::Type::chunk, proto::Octets(head).first(length));
  const bool whole = record::for_each_loaded(
      listed, [&](proto::Octets payload) { appending.add(record::Type::carried, payload); });
  TOLLGATE_CHECK(whole && out.size() == header.octets, "a chunk is written whole");
}

bool read_chunk_head(proto::Octets begin, std::uint64_t number, ChunkContent& content) {
  const auto header = header_of(begin, number);
  content.newer = is_newer(begin, header);
  if (!header || content.newer) return false;
  const auto first =
      journal::get_record(begin, journal::kRecordsBegin, *header, journal::seed_of(*header));
  record::Chunk chunk;
  if (!first || first->type != static_cast<std::uint16_t>(record::Type::chunk) ||
      !record::decode(begin.subspan(journal::kRecordsBegin + journal::kRecordHeader,
                                    first->length - journal::kRecordHeader),
                      chunk)) {
    return false;
  }
  content.chunk.number = number;
  content.chunk.octets = static_cast<std::uint32_t>(header->octets);
  content.written = header->clocks();
  fill(content, chunk);
  return true;
}

ChunkReading read_chunk(proto::Octets file, std::uint64_t number, std::vector<std::uint8_t>& listed,
                        ChunkContent* content) {
  ChunkReading reading;
  const auto header = header_of(file, number);
  if (!header) return {0, true};
  const journal::SegmentScan scan({file, *header, header->octets});
  reading.damaged = file.size() != header->octets || !scan.damage().empty();
  bool headed = false;
  std::uint32_t promised = 0;
  ChunkContent made;
  const auto take = [&](const journal::RecordHeader& at, proto::Octets payload, std::uint64_t) {
    record::Chunk chunk;
    record::Carried carried;
    if (at.type == static_cast<std::uint16_t>(record::Type::chunk) &&
        record::decode(payload, chunk)) {
      headed = true;
      promised = chunk.receipts;
      fill(made, chunk);
    } else if (is_carried(at.type) && record::decode_either(payload, carried)) {
      if (!headed && reading.found == 0) make_up(made, carried);
      const auto size = static_cast<std::uint32_t>(payload.size());
      for (unsigned i = 0; i < 4; ++i) listed.push_back(static_cast<std::uint8_t>(size >> 8 * i));
      listed.insert(listed.end(), payload.begin(), payload.end());
      ++reading.found;
    } else {
      reading.damaged = true;
    }
  };
  scan.for_each(take);
  if (!headed) made.chunk.receipts = reading.found;
  reading.damaged |= !headed || promised != reading.found;
  made.chunk.number = number;
  made.chunk.octets = static_cast<std::uint32_t>(file.size());
  made.written = header->clocks();
  if (content != nullptr) *content = made;
  return reading;
}

}  // namespace tollgate::gateway
