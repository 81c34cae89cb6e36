// What the shards share beside mail, tables and counters: some numbers, each one atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace tollgate::gateway {

struct Shared {
  std::atomic<std::uint32_t> connections{0};  // of clients: bound, not bound, between two shards
  std::atomic<std::uint32_t> bound{0};        // of them: sessions, at most connections_max
  // Set before the shards start: connections that the process has descriptors for.
  std::uint32_t room = std::numeric_limits<std::uint32_t>::max();
  // A polite stop, in steps that each shard waits for the others to reach.
  std::atomic<bool> stopping{false};
  std::atomic<std::uint32_t> quiet{0};     // shards whose accepted messages all have a carrier
  std::atomic<std::uint32_t> finished{0};  // shards with no session and no bind left
};

}  // namespace tollgate::gateway
