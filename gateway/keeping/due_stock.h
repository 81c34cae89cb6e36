// What a start finds in the due store's directory, judged by what the journal says. Reads the head
// of every chunk, and a whole chunk only if its head is damaged: receipts stay on the disk.
//
// Invariants
// 1. A chunk that the journal loaded is of no use: its messages are the journal's. One whose first
//    message is live in the journal was never spilled there: its messages are the journal's too.
//    (A chunk's messages leave the journal all at once.) Both are removed.
// 2. A file that is no chunk, and whose number is higher than any that the journal names, is a
//    write that a crash cut: its messages never left the journal. It is removed.
// 3. A chunk of a later version's layout stops the start: it is neither damage nor removed.
// 4. Every other chunk's receipts are due. Damaged and missing ones are reported.
// 5. mend() makes the removals durable. It comes after Journal::open(): what was read last may have
//    been in the system's cache alone.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "core/journal/storage.h"
#include "gateway/keeping/due_chunk.h"
#include "gateway/keeping/recovery.h"

namespace tollgate::gateway {

struct DueStock {
  std::vector<ChunkContent> chunks;    // by number: the order in which they were written
  std::vector<std::string> removable;  // names, by 1 and 2
  std::vector<std::uint64_t> missing;  // the journal says they are there
  std::vector<std::uint64_t> damaged;  // files that nothing can be read of
  std::uint64_t highest = 0;           // number, of files and records

  std::uint64_t receipts() const;
  std::uint64_t octets() const;
  bool fine() const { return missing.empty() && damaged.empty(); }
};

// `journal_damaged`: then no chunk is taken for one that the journal has whole.
// The error is a sentence.
tl::expected<DueStock, std::string> take_stock(core::Storage& storage, const Recovery& recovery,
                                               bool journal_damaged);
// Sets the damaged files aside and removes the removable ones. The error is a sentence.
tl::expected<void, std::string> mend(core::Storage& storage, const DueStock& stock);

}  // namespace tollgate::gateway
