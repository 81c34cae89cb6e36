// Read this file first: one shard's part in the life of a message. docs/life-of-a-message.md tells
// the same in words.
//
//   1 Session (session.h)           a submit_sm arrives
//   2 admit (admission.h)           may they, now?                          no -> submit_sm_resp
//   3 routing::decide               destination -> ordered carriers, or a reason why none
//   4 ClientHome (client_home.h)    into the ledger -> submit_sm_resp with our id
//        order mail ->
//   5 CarrierHome (carrier_home.h)  the carrier's queue, pace and window -> submit_sm on a bind
//   6   its submit_sm_resp          the carrier has it; or the next candidate; or in doubt
//   7   its deliver_sm              a receipt finds its message by the carrier's id
//        <- outcome and receipt mail
//   8 Delivery (delivery.h)         deliver_sm to the client, kept until its response -> settled
//
// Everything a Flow owns is touched by its shard's thread alone. A turn of the shard runs 1-4 and
// 6-7 as sockets are read, then drain(): mail from every shard, this one too; then turn_end():
// queued orders and waiting receipts leave, all of it in one write per connection.
#pragma once

#include <array>
#include <cstdint>

#include "core/published.h"
#include "core/shard.h"
#include "gateway/carrier_home.h"
#include "gateway/clients/auth.h"
#include "gateway/clients/client_home.h"
#include "gateway/clients/listener.h"
#include "gateway/clients/shared.h"
#include "gateway/config/config.h"
#include "gateway/keeping/recorder.h"
#include "gateway/messages/counters.h"
#include "gateway/messages/homes.h"
#include "gateway/messages/mail.h"

namespace tollgate::gateway {

class Flow final : private core::TurnStart {
 public:
  struct Setup {
    const Config& config;
    core::Shard& shard;
    Homes& homes;
    core::Published<routing::Tables>& tables;
    FlowCounters& counters;
    Auth& auth;
    Shared& shared;
    std::uint64_t seed;                         // of reconnects' jitter and the like
    core::Journal::Stream* stream = nullptr;    // this shard's; null: no journal
    DueStore::Channel* due = nullptr;           // likewise
    core::Journal::Stream* details = nullptr;   // null: no detail records
    const DetailFiles* detail_files = nullptr;  // that were there; null: none
  };

  explicit Flow(const Setup& setup);
  ~Flow();

  // Before the shards start: shard 0 listens. The reason when an address cannot be had.
  core::NetError start();

  Listener& listener() { return listener_; }
  const CarrierHome& carriers() const { return carrier_home_; }
  // For restore(), before the shards start.
  CarrierHome& carriers() { return carrier_home_; }
  ClientHome& clients() { return client_home_; }
  Recorder& recorder() { return recorder_; }
  // When the shard stands: messages in the ledger, one of them, how many are in each stage.
  std::uint32_t messages() const { return client_home_.messages(); }
  std::uint64_t spilled() const { return client_home_.spilled(); }
  const Message* find(MessageId id) { return client_home_.find(id); }
  std::array<std::uint32_t, kStages> stages() const { return client_home_.stages(); }

 private:
  static constexpr std::size_t kMailPerTurn = 65'536;

  void turn_starts(const core::Now& now) override;
  bool drain(const core::Now& now);
  void turn_end(const core::Now& now);
  void on_mail(std::uint32_t type, core::Octets record, const core::Now& now);
  void apply_peers();
  void on_stop_step(const core::Now& now);

  const Config& config_;
  core::Shard& shard_;
  Shared& shared_;
  FlowCounters& counters_;
  TablesReader tables_;
  Outbox outbox_;
  Recorder recorder_;
  CarrierHome carrier_home_;
  ClientHome client_home_;
  Listener listener_;

  const routing::Companion* peers_;  // that all of this works by

  core::Timer spill_timer_;  // ends a sleep: drain() looks again
  enum class Stop : std::uint8_t { none, draining, quiet, unbinding, finished };
  Stop stop_ = Stop::none;
  std::int64_t stop_deadline_us_ = 0;
  core::Timer stop_timer_;
};

}  // namespace tollgate::gateway
