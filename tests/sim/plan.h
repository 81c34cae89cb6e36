// What one seed chooses: the shape of the gateway and how much goes wrong around it.
#pragma once
#include <cstdint>

#include "gateway/config/config.h"
#include "tests/sim/agenda.h"

namespace tollgate::sim {

struct NetPlan {
  std::int64_t latency_us = 500;
  double cut_reads = 0;   // a chunk arrives in pieces
  double cut_writes = 0;  // the socket takes only a few octets for a moment
  double reset = 0;       // of a link, each second
};

struct ClientPlan {
  unsigned sessions = 1;
  std::int64_t gap_us = kSecond;  // between submits, on average
  unsigned numbers = 4;
  double burst = 0;   // up to 30 submits at once
  double later = 0;   // a receipt is refused for now
  double silent = 0;  // a receipt gets no response
  double slow = 0;    // its response comes after seconds
  double leave = 0;   // each second
  double absent = 0;  // each second: all sessions end, for up to half an hour, the quiet included
  double multi = 0;   // a submit is a submit_multi to a few numbers
  bool old = false;   // SMPP 3.3: a transmitter and a receiver; the second session stays
};

struct CarrierPlan {
  unsigned binds = 1;
  double refuse = 0;    // any status but ESME_ROK
  double throttle = 0;  // ESME_RTHROTTLED, ESME_RMSGQFUL
  double mute = 0;      // no response to a submit_sm
  double slow = 0;      // response after up to 120 s
  double early = 0;     // the receipt comes before the response
  double late = 0;      // the receipt takes up to 120 s
  double twice = 0;     // the receipt comes again
  double no_receipt = 0;
  double leave = 0;      // each second: every link ends, for up to a minute
  bool hex_ids = false;  // hexadecimal in responses, decimal in receipts
  bool ids_repeat = false;
  bool old = false;  // SMPP 3.3: each bind is two, a transmitter and a receiver
  carriers::InDoubt in_doubt = carriers::InDoubt::hold;
};

// Bounds that are met; 0: far away.
struct LimitPlan {
  std::uint32_t messages = 0;  // of a shard
  std::uint32_t client_queue = 0;
  std::uint32_t client_receipts = 0;
  std::uint32_t receipts_memory = 0;  // the rest on the disk
  std::uint32_t receipts_window = 0;
  std::uint32_t bind_window = 0;
  std::uint32_t carrier_queue = 0;
  std::uint32_t early_receipts = 0;
  double pace_per_s = 0;
};

struct Plan {
  unsigned shards = 1;
  unsigned carriers = 2;
  bool details = false;  // detail records are written
  NetPlan net;
  LimitPlan limits;
  ClientPlan clients[2];
  CarrierPlan carrier[3];
  std::int64_t quantum_us = 50 * kMs;  // the longest time without a turn
  double slow_sync = 0;                // a sync takes up to 5 s
  std::int64_t sync_us = 0;            // others take up to this
  double crash = 0;                    // each second
  double stop = 0;                     // the same for polite stops
  double no_space = 0;
  double sync_error = 0;
  double reload = 0;
  double clock_jump = 0;
};

Plan make_plan(Random& random, std::uint64_t seed);
// `seed`: whether a client's submits are relayed is drawn from it, apart from the plan.
gateway::Config make_config(const Plan& plan, std::uint64_t seed);

inline constexpr std::uint32_t kBindWindow = 50;
inline constexpr std::uint32_t kSegmentOctets = 32'768;
inline constexpr std::int64_t kInDoubtHoldUs = 3 * kMinute;
inline constexpr std::int64_t kReceiptKeepUs = 60 * kMinute;
inline constexpr std::int64_t kSlowSyncMaxUs = 5 * kSecond;
inline constexpr std::int64_t kNoSpaceMaxUs = 20 * kSecond;
// After so long what was read has become durable, if the disk took anything at all.
inline constexpr std::int64_t kDurableUs = kSlowSyncMaxUs + kNoSpaceMaxUs + 5 * kSecond;
// A response so much later than its submit may come after the gateway's time-out.
inline constexpr std::int64_t kSurelyInTimeUs = 60 * kSecond - kDurableUs;

}  // namespace tollgate::sim
