// JournalReader: every record of a journal, in the order of its segments, and a report of what is
// not as it was written. For recovery, `tollgate journal` and tests; any thread, one at a time.
//
//   1 A record is given once, whole, exactly as it was appended, its CRC checked.
//   2 The torn tail of a run (a batch that never became durable) is cut: its records before the
//     first missing octet are given, the others are counted in torn_octets.
//   3 Durable octets that have changed are damage: reported by region, quarantined
//     (`quarantine`), never skipped in silence; the records after them are given.
//   4 Whatever a journal file holds, it does not fail or read beyond the file. Memory: one
//     segment.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "core/boot.h"
#include "core/journal/journal.h"
#include "core/journal/storage.h"
#include "core/octets.h"

namespace tollgate::core {

struct JournalRecord {
  std::uint32_t type = 0;
  unsigned stream = 0;
  Octets payload;  // valid during the call
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;  // in the segment's file
  unsigned streams = 1;      // of its run
  std::uint64_t run = 0;     // the segment that its process began with, there or not; 0: not known
  ClockPair begun = {};      // its segment
};

struct JournalDamage {
  std::uint64_t segment = 0;
  std::uint64_t begin = 0;  // octets of its file; the whole file is missing: 0, 0
  std::uint64_t end = 0;
  std::string what;  // a sentence's end: "record fails its checksum"
};

struct JournalReport {
  std::uint64_t records = 0;
  std::uint64_t octets = 0;         // of records, with their framing
  std::uint64_t segments = 0;       // with records
  std::uint64_t torn_segments = 0;  // whose last batch was cut
  std::uint64_t torn_octets = 0;    // cut away
  std::vector<JournalDamage> damage;
  std::uint64_t damaged_octets = 0;
  std::vector<std::string> quarantined;  // names of the files set aside
  JournalTail tail;                      // for JournalOptions
};

struct JournalReadOptions {
  bool quarantine = false;  // keep a damaged segment under a second name
  std::uint64_t from = 0;   // older segments are not looked at
  // After each segment: how many of how many. May be empty.
  std::function<void(std::uint64_t read, std::uint64_t of)> progress;
};

// What a program says of a file with a layout of a later one: " has <what> that ...". Nothing of it
// may be taken for damage, or be removed.
std::string newer_layout(const std::string& what);

// The error is a sentence: a directory or file that cannot be read at all, or of a later layout.
// Types that are not known are given like any other: who knows the records judges them.
tl::expected<JournalReport, std::string> read_journal(
    Storage& storage, const std::function<void(const JournalRecord&)>& f,
    const JournalReadOptions& options = {});

// The segments that were begun, oldest first, by their headers.
struct JournalSegment {
  std::uint64_t number = 0;
  ClockPair begun;
  std::int64_t kept_us = 0;  // JournalOptions::kept_less_mono_us; 0: not told
};
tl::expected<std::vector<JournalSegment>, std::string> list_journal(Storage& storage);

}  // namespace tollgate::core
