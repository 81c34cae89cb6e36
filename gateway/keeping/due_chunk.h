// A chunk: up to a few hundred due receipts of one client, in one file that is written once, whole,
// and read once. Pure functions of its octets; any thread.
//
// The file has the format of a journal's segment (docs/journal-format.md), so the same code finds
// and bounds damage: the header twice, a chunk record that says what follows, and a carried record
// for each receipt, each with its own checksum.
//
// 1. read_chunk() gives back what write_chunk() made, octet for octet and in the same order.
// 2. Of a damaged chunk it gives every whole record and no other, and `damaged` is true.
// 3. A chunk's number is in its header: a file under another one's name is damage.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/boot.h"
#include "gateway/messages/message.h"
#include "proto/octets.h"

namespace tollgate::gateway {

// What is kept in memory of a chunk.
struct DueChunk {
  std::uint64_t number = 0;
  MessageId first = 0;
  std::int64_t first_deadline_wall_us = 0;
  std::int64_t newest_deadline_wall_us = 0;
  std::int64_t mono_less_wall_us = 0;  // when it was made, or found: makes deadlines monotonic
  std::uint32_t receipts = 0;
  std::uint32_t octets = 0;  // of the file
};

inline constexpr std::size_t kChunkListedMax = std::size_t{128} << 10;
inline constexpr std::size_t kChunkOctetsMax = std::size_t{1} << 20;  // of a file; beyond: damage
inline constexpr std::size_t kChunkHeadMax = 4096;  // header, chunk record and a receipt or more

// "due-" and the number in 20 digits; 0: no chunk's name.
std::string chunk_name(std::uint64_t number);
std::uint64_t chunk_number(std::string_view name);
std::string damaged_chunk_name(std::uint64_t number);

struct ChunkContent {
  DueChunk chunk;
  std::string client;       // its system_id
  core::ClockPair written;  // when: its times are by this wall clock
  bool newer = false;       // written by a later version: not to be touched
};

struct ChunkSeal {
  std::uint64_t salt = 0;
  core::ClockPair now;
};

// The file's octets into `out`. `listed`: as in record::Loaded.
void write_chunk(const DueChunk& chunk, std::string_view client, proto::Octets listed,
                 const ChunkSeal& seal, std::vector<std::uint8_t>& out);

// `begin`: the file's first kChunkHeadMax octets, or all there are. False: damaged, or torn.
// `content.newer`: the file is whole, and of a layout that this program does not know.
bool read_chunk_head(proto::Octets begin, std::uint64_t number, ChunkContent& content);

struct ChunkReading {
  std::uint32_t found = 0;  // receipts
  bool damaged = false;
};
// Appends to `listed`. `content` (if given) is filled from what is there.
ChunkReading read_chunk(proto::Octets file, std::uint64_t number, std::vector<std::uint8_t>& listed,
                        ChunkContent* content = nullptr);

}  // namespace tollgate::gateway
