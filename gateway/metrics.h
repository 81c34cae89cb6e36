// What the flow counts, and /metrics that shows it together with the carriers' and shards' counts.
//
// Threads: every cell has one writing thread, named at its struct. The exposer's own threads only
// read cells and the immutable configuration; they touch nothing else, so a scrape can neither
// block a shard nor see a torn structure.
//
// Invariants
// 1. Labels come from the configuration and from our enumerations only; nothing that a peer sent.
// 2. All cells exist before the shards start and until after they have stopped.
// 3. Gauges are set by who owns the state; everything else only grows.
// 4. Money is counted in nano-units of the base currency and shown in units.
//
// docs/operations.md lists every metric.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "carriers/counters.h"
#include "core/counters.h"
#include "core/shard.h"
#include "gateway/config.h"
#include "proto/receipt.h"
#include "proto/status.h"
#include "routing/router.h"

namespace tollgate::gateway {

class Auth;

inline constexpr std::size_t kStatusClasses = 6;
inline constexpr std::size_t kMessageStates = 10;
inline constexpr std::size_t kStages = 5;  // of gateway/message.h

enum class SessionKind : std::uint8_t { transmitter, receiver, transceiver };
inline constexpr std::size_t kSessionKinds = 3;

// Written by the client's home shard alone.
struct alignas(core::kCacheLine) ClientCounters {
  std::array<core::Cell, kSessionKinds> sessions;  // gauge: bound now
  core::Cell window_in_use;                        // gauge: submits without our response
  core::Cell queue;                                // gauge: accepted, no carrier has it yet
  core::Cell receipts_queue;                       // gauge: receipts the client has yet to answer

  core::Cell binds;
  core::Cell submits;  // submit_sm and data_sm, and submit_multi once for each destination
  core::Cells<proto::StatusClass, kStatusClasses> responses;  // to submits
  core::Cells<routing::Reason, routing::kReasons> routing;    // decisions
  core::Cells<proto::MessageState, kMessageStates> receipts;  // the client acknowledged
  core::Cell receipts_repeated;  // deliver_sm sent again: refused, timed out or session lost
  core::Cell receipts_given_up;  // receipt_keep_seconds or receipts_max reached

  core::Cell price_nano;  // of messages that a carrier has taken
  core::Cell cost_nano;   // of the same messages

  core::Histogram submit_us;   // submit_sm read to its response written
  core::Histogram receipt_us;  // accepted to the final receipt's deliver_sm
};

// What the flow knows of a carrier, on each shard that is home to clients. Written by that shard.
struct alignas(core::kCacheLine) CarrierFlowCounters {
  core::Cell orders;      // placed with the carrier
  core::Cell failovers;   // taken back from it and given to the next candidate
  core::Cell messages;    // it has taken (submit_sm_resp ESME_ROK)
  core::Cell price_nano;  // of these
  core::Cell cost_nano;

  core::Histogram receipt_us;  // the carrier's submit_sm_resp to the final receipt
};

// Things that happen to connections and sessions, on the shard where they happen.
enum class SessionEvent : std::uint8_t {
  handed_over,          // to the client's home after the bind
  connections_refused,  // connections_max reached
  auth_queue_full,
  version_refused,
  sessions_max_reached,
  init_timeouts,  // no bind in session_init_seconds
  inactivity_closes,
  link_closes,       // enquire_link unanswered
  output_overflows,  // the peer does not read
  bad_lengths,       // command_length that ended a session
  bad_pdus,          // answered with the field's status
  unknown_commands,
  wrong_state,
  window_overruns,
  unexpected_responses,
  response_timeouts,  // our deliver_sm
  count
};
inline constexpr std::size_t kSessionEvents = static_cast<std::size_t>(SessionEvent::count);
std::string_view session_event_name(SessionEvent event);

// Written by one shard alone.
struct alignas(core::kCacheLine) ShardFlowCounters {
  core::Cells<SessionEvent, kSessionEvents> events;
  // Conservation: accepted = settled + the sum of messages.
  core::Cell accepted;
  core::Cell settled;
  std::array<core::Cell, kStages> messages;  // gauge, by Stage
  core::Cell mail_spilled;                   // gauge: records that wait for room in a mailbox
  std::unique_ptr<CarrierFlowCounters[]> carriers;  // by carrier id
};

// Written by the thread that loads tables.
struct alignas(core::kCacheLine) TablesCounters {
  core::Cell version;  // gauge
  core::Cell loaded_wall_us;
  core::Cell compile_us;
  core::Cell prefixes;
  core::Cell rates;
  core::Cell prices;
  core::Cell rules;
  core::Cell octets;
  core::Cell reloads;
  core::Cell reload_failures;  // refused whole; the old tables stay
};

// All counters of the flow, by dense ids.
class Counters {
 public:
  Counters(unsigned shards, std::size_t clients, std::size_t carriers);

  ClientCounters& client(std::size_t client) { return clients_[client]; }
  ShardFlowCounters& shard(std::size_t shard) { return shards_[shard]; }
  TablesCounters& tables() { return tables_; }
  const ClientCounters& client(std::size_t client) const { return clients_[client]; }
  const ShardFlowCounters& shard(std::size_t shard) const { return shards_[shard]; }
  const TablesCounters& tables() const { return tables_; }
  std::size_t shards() const { return shard_count_; }

 private:
  std::size_t shard_count_;
  std::unique_ptr<ClientCounters[]> clients_;
  std::unique_ptr<ShardFlowCounters[]> shards_;
  TablesCounters tables_;
};

// Where /metrics reads. Everything must outlive the Metrics.
struct MetricsSources {
  const Config* config = nullptr;
  const Counters* counters = nullptr;
  std::vector<const carriers::CarrierCounters*> carriers;  // by carrier id
  std::vector<const core::Cells<core::ShardCount, core::kShardCounts>*> shards;
  const Auth* auth = nullptr;  // may be null
};

// The HTTP server of /metrics; two threads of its own. Throws when the address cannot be had.
class Metrics {
 public:
  explicit Metrics(MetricsSources sources);  // listens on config->gateway.metrics
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  std::uint16_t port() const;  // the one really bound

 private:
  struct Exposed;
  std::unique_ptr<Exposed> exposed_;
};

}  // namespace tollgate::gateway
