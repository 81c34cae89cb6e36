// One run of the load program: binds its sessions, submits in a closed loop (as windows allow) or
// an open one (at a rate, whatever the answers do), waits for what is missing, and counts.
//
// Invariants: 1. every message ends as exactly one of accepted, refused, unanswered, or unknown
// (its session fell before the answer and the run goes on by --reconnect). 2. in an open loop
// latency counts from the moment a message should have left, so a stall of the peer is felt by all
// that it delayed. 3. ids and receipts are checked by Matching, from what was written down.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/load/matching.h"
#include "bench/load/numbers.h"
#include "bench/load/options.h"
#include "bench/load/session.h"
#include "bench/peers/event_log.h"
#include "bench/peers/histogram.h"
#include "bench/peers/wheel.h"

namespace tollgate::bench {

struct RunCounts {
  std::uint64_t messages = 0;  // that left at least once
  std::uint64_t submits = 0;   // with retries
  std::uint64_t accepted = 0, refused = 0, unanswered = 0, unknown = 0, retried = 0;
  std::uint64_t ids_empty = 0, unmatched_responses = 0, generic_nacks = 0;
  std::uint64_t receipts = 0, receipts_intermediate = 0, receipts_without_id = 0;
  std::uint64_t receipts_two_ids = 0, mobile_originated = 0;
  std::uint64_t sessions_lost = 0, rebinds = 0, binds_refused = 0, unbinds_by_peer = 0;
  std::uint64_t bad_frames = 0, malformed = 0;
  std::map<std::uint32_t, std::uint64_t> responses;        // by status, save ESME_ROK
  std::map<std::string, std::uint64_t> receipts_by_state;  // by stat word or message_state
};

class Run {
 public:
  Run(const Options& options, Numbers numbers);

  // Throws std::runtime_error when it cannot bind.
  void run();

  // From the sessions.
  void read_clock() { now_ns_ = now_ns(); }
  void after_read(Session& session) {
    if (options_.rate == 0) fill(session);
  }
  void on_bound(Session& session);
  void on_unbind(Session& session);
  void on_bind_refused(std::uint32_t status);
  void on_response(const Sent& sent, std::uint32_t status, std::string_view id);
  void on_deliver(const Message& message);
  void on_lost(Session& session, Session::State before);

  RunCounts counts;
  Histogram latency;           // of submit to final response
  Match match;                 // after run()
  double seconds = 0;          // from the first submit to the last response
  double receipt_seconds = 0;  // from the first submit to the last receipt
  double cpu_seconds = 0;      // from the first submit to the last receipt, the verdict apart
  std::vector<Session*> dirty;

 private:
  enum class Phase : std::uint8_t { binding, submitting, waiting, unbinding };

  void turn(std::int64_t timeout_ns);
  void bind_all();
  void submit_all();
  void wait_for_receipts();
  void unbind_all();
  void come_back();
  bool deserted() const;
  void fill(Session& session);
  void fill_open();
  void start_message(Session& session, std::int64_t intended_ns);
  bool more_to_send() const;
  void expire_unanswered();
  std::int64_t open_wait_ns() const;
  std::int64_t retry_wait_ns() const;
  std::string note_state(const Message& message);
  void show_progress(bool last);

  const Options options_;
  const Numbers numbers_;
  Poller poller_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::int64_t now_ns_;
  std::int64_t start_ns_ = 0, end_ns_ = INT64_MAX, last_response_ns_ = 0, last_receipt_ns_ = 0;
  std::int64_t next_check_ns_ = 0;
  Phase phase_ = Phase::binding;
  unsigned bound_ = 0;              // while binding
  std::int64_t last_bound_ns_ = 0;  // when a session was last seen bound
  EventLog log_;
  double cpu_at_start_ = 0;
  std::uint64_t count_ = 0;  // messages of this run; UINT64_MAX = until end_ns_
  std::size_t next_session_ = 0;
  std::deque<Sent> again_;  // retries that are due
  Wheel<Sent> retries_;
  Matching matching_;
};

}  // namespace tollgate::bench
