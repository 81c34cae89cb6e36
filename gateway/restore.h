// Puts what recovery found back where it was: messages into the ledgers of their clients' homes,
// the ids that carriers gave into their awaiting maps, early receipts into their parks. On the
// starting thread, before the shards start and the carriers bind.
//
// Invariants
// 1. Every restored message ends like any other: queued ones are ordered again, an attempt without
//    an outcome is in doubt (it is not sent again), due receipts are delivered.
// 2. A message whose client is neither in the configuration nor in the tables is settled (given up)
//    and logged. A carrier that no longer exists is no candidate, and no receipt can come from it.
//    Receipts on the disk stay there for a missing client: it may be configured again.
// 3. Due receipts keep the order in which they came, including those on the disk.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/flow.h"
#include "gateway/keeping/due_stock.h"
#include "gateway/keeping/recovery.h"

namespace tollgate::gateway {

struct RestoreCounts {
  std::uint64_t queued = 0;
  std::uint64_t in_doubt = 0;
  std::uint64_t awaiting = 0;
  std::uint64_t told = 0;
  std::uint64_t spilled = 0;  // receipts on the disk
  std::uint64_t parked = 0;
  std::uint64_t without_client = 0;
};

struct Left {
  Recovery& recovery;     // is emptied
  const DueStock& stock;  // of the due store
};

// `flows` by shard; `now`: the shards' clocks, in which what was left goes on.
RestoreCounts restore(const Peers& peers, const Homes& homes, const Left& left,
                      const std::vector<std::unique_ptr<Flow>>& flows, const core::Now& now);

}  // namespace tollgate::gateway
