// /metrics: the flow's, the carriers' and the shards' counters as Prometheus text.
//
// Threads: the door's own (gateway/http/door.h). It reads cells (core/counters.h) and the
// configuration, which never changes, and nothing else: a scrape can neither hold up a shard nor
// see half a structure.
//
// Invariants
// 1. Labels come from the configuration, the tables and our enumerations only; nothing that a peer
//    sent.
// 2. Everything in MetricsSources exists before the Metrics and outlives it.
// 3. A histogram's series exist from its first observation on; every other series from the start.
//
// docs/operations.md lists every metric.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/counters.h"
#include "core/journal/journal.h"
#include "core/shard.h"
#include "gateway/keeping/detail_stream.h"
#include "gateway/keeping/due_store.h"
#include "routing/store/feed_counters.h"

namespace tollgate::gateway {

class Auth;
struct Config;
struct FlowCounters;
class Homes;

using routing::TablesCounters;

struct MetricsSources {
  const Config* config = nullptr;
  const Homes* homes = nullptr;           // names; who is added while the gateway runs appears
  std::vector<const FlowCounters*> flow;  // by shard
  std::vector<const core::Cells<core::ShardCount, core::kShardCounts>*> shards;  // by shard
  std::vector<const core::Histogram*> turn_us;                                   // by shard
  const TablesCounters* tables = nullptr;  // null: none are shown
  const Auth* auth = nullptr;              // null: none are shown
  // Null: there is no journal.
  const core::Cells<core::JournalCount, core::kJournalCounts>* journal = nullptr;
  const core::Histogram* journal_sync_us = nullptr;
  const core::Cell* dead_letters = nullptr;
  const core::Cells<DueCount, kDueCounts>* due = nullptr;
  // Null: there are no detail records.
  const core::Cells<core::JournalCount, core::kJournalCounts>* records = nullptr;
  const core::Histogram* records_sync_us = nullptr;
  const DetailStreamCounters* stream = nullptr;  // null: they go to no stream
};

class Metrics {
 public:
  // Listens on config->gateway.metrics ("host:port", port 0 = any free). Throws std::exception
  // with the address in its text when that cannot be had.
  explicit Metrics(MetricsSources sources);
  ~Metrics();  // waits for a page being rendered, for no peer
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  std::uint16_t port() const;  // the one really bound

 private:
  struct Exposed;
  std::unique_ptr<Exposed> exposed_;
};

}  // namespace tollgate::gateway
