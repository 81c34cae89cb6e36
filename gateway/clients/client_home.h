// Steps 2, 3, 4 and 8 of a message's life: the clients whose home is this shard, their messages,
// and what becomes of them. Owned by the shard's thread.
//
// Invariants
// 1. A submit is answered ESME_ROK only for a message that is in the ledger (and, with the
//    journal, durable). From then on it is settled once, whatever carriers and clients do.
// 2. A message has at most one order out; its outcome moves it: sent -> awaiting (or settled),
//    refused -> the next candidate, none left -> a receipt that says so, in doubt -> held.
// 3. A message whose candidates were only down or full waits and is tried again while it is valid;
//    later messages to its number wait for it. Waiting messages go in the order in which they were
//    accepted, whenever they came back (see FenceMail in mail.h).
//    One that candidates refused for now waits in back-off (gateway.retry_first_seconds).
//    In a turn a carrier gets no more orders than it has places and octets for, and none while
//    mail is spilled: what would only come back, or wait twice, waits here.
// 4. Money is counted once, when a carrier takes the message.
// 5. Until its client is answered the gateway has not accepted a relayed message
//    (client_relay.cpp): it is never queued, and a restart forgets it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "core/published.h"
#include "core/shard.h"
#include "gateway/clients/admission.h"
#include "gateway/clients/client.h"
#include "gateway/clients/spill.h"
#include "gateway/clients/window.h"
#include "gateway/config/config.h"
#include "gateway/config/peers.h"
#include "gateway/keeping/recorder.h"
#include "gateway/keeping/recovery.h"
#include "gateway/messages/counters.h"
#include "gateway/messages/homes.h"
#include "gateway/messages/ledger.h"
#include "gateway/messages/mail.h"
#include "proto/pdu.h"
#include "routing/router.h"

namespace tollgate::gateway {

struct Submitted {
  proto::Status status = proto::Status::ESME_ROK;
  MessageId id = 0;
  bool relayed = false;  // answered later (Session::relay_answer)
};

struct MultiSubmitted {
  proto::Status status = proto::Status::ESME_ROK;
  MessageId id = 0;
  proto::UnsuccessSmes unsuccess;  // views into the home's scratch, until the next call
};

struct QueryAnswer {
  ShortText<17> final_date;
  proto::MessageState state = proto::MessageState::enroute;
  std::uint8_t error_code = 0;
};

// The configuration's places of what a restored message names.
struct RestoredPlaces {
  std::uint16_t client = 0;
  std::uint16_t carrier = kNoCarrier;  // of its last attempt; kNoCarrier: it is no more
};

Notice notice_of(const proto::record::Notice& from);

class ClientHome final : public Delivery::Settler {
 public:
  // `due` null: receipts are kept in memory alone.
  ClientHome(const Config& config, core::Shard& shard, const Homes& homes, Outbox& outbox,
             const TablesReader& tables, Recorder& recorder, FlowCounters& counters,
             DueStore::Channel* due);

  // Null when the client's home is another shard, or the tables here do not have it yet.
  Client* client(std::uint16_t id) { return id < clients_.size() ? clients_[id].get() : nullptr; }
  // At a turn's start: the tables have other peers.
  void apply();

  // From sessions.
  // The next submit waits where it is: for the mail, or for room in the client's queue.
  bool holds(const Client& client, bool for_too_long, const core::Now& now) const {
    if (!outbox_.empty()) return true;
    const bool full = client.receipts_full() || (client.queue_full() && !client.mixed(now));
    return full && !client.out_of_patience(now) && !for_too_long;
  }
  void refused(Client& client, proto::Status status);
  Submitted submit(Client& client, const proto::SubmitSm& sm, std::uint8_t version,
                   MessageId public_id = 0, const Asker* asker = nullptr);
  MultiSubmitted submit_multi(Client& client, const proto::SubmitMulti& multi,
                              std::uint8_t version);
  const Message* find(const Client& client, MessageId id, bool short_id);
  QueryAnswer query(const Message& message) const;
  // The client's receipts or paused sessions may have something to do at this turn's end.
  void touch(Client& client);
  // The session is not read until the client's queue has room, or has been full for too long.
  void pause(Client& client, Session& session);
  // A session of the client is gone with these deliver_sm unanswered.
  void left(Client& client, Window<Told>& told, const core::Now& now);

  // Mail from carriers' homes.
  // `id`: the carrier's, of Outcome::sent.
  void on_outcome(const OutcomeMail& mail, std::string_view id, const core::Now& now);
  void on_receipt(const ReceiptMail& mail, const core::Now& now);
  void on_fence_passed(const FenceMail& mail);
  void mail_cleared() { touch_paused(); }  // nothing is spilled any more

  // Before the shards start (gateway/restore.h). Returns its id.
  MessageId restore(const Restored& restored, const RestoredPlaces& places, std::uint64_t segment);
  void begin_behind(MessageId id);
  void restored_all();  // after the last one
  void carry_all();
  // A message whose receipt was on the disk, under a new id; null: the ledger is full.
  Message* bring_back(Client& client, const proto::record::Carried& carried,
                      std::int64_t deadline_us, const core::Now& now);
  Spill& spill() { return spill_; }

  void stop_accepting() {  // new submits: ESME_RSYSERR
    accepting_ = false;
    spill_.stop();
  }
  // Refreshes what is known of the carriers. While one has too much to send for a moment, clients
  // are not read (docs/decisions/0022-carriers-come-first.md).
  void turn_start();
  void turn_end(const core::Now& now);

  void settle(Message& message, How how) override;

  std::uint32_t messages() const { return ledger_.size(); }
  std::uint64_t spilled() const { return spill_.spilled(); }
  std::uint32_t unsent() const { return unsent_; }
  const Message* find(MessageId id) { return ledger_.find(id); }
  std::array<std::uint32_t, kStages> stages() const;  // counted one by one
  bool receipts_idle() const;                         // nothing that a bound session could take now

 private:
  static constexpr std::uint8_t kResendsMax = 3;  // of a message in doubt
  // Bodies that one submit_multi may make; its further destinations are refused (ESME_RMSGQFUL).
  static constexpr std::size_t kMultiOctetsMax = std::size_t{1} << 20;

  const Peers& peers() const { return peers_of(*tables_); }
  void make(std::size_t id, const ClientPeer& peer);
  struct Decided {
    routing::Route route;
    std::uint64_t draw = 0;     // what the router hashed
    bool now_possible = false;  // a candidate is up and has room; else the message has to wait
  };
  bool takes_one_more(const Client& client, const routing::Route& route) const;
  bool decide(const Client& client, const proto::SubmitSm& sm, Decided& decided);
  Message* keep(Client& client, const proto::SubmitSm& sm, const Decided& decided,
                const Admission& admission, std::uint8_t version);
  // client_details.cpp: what the detail record tells.
  void keep_particulars(Particulars& particulars, const proto::SubmitSm& sm, const Decided& decided,
                        const Admission& admission) const;
  void restore_particulars(Message& message, const proto::record::Accepted& accepted,
                           const proto::record::Course& course) const;
  void restore_candidates(Message& message, const proto::record::Accepted& accepted) const;
  void restore_tries(Particulars& particulars, const proto::record::Course& course) const;
  void restore_states(Particulars& particulars, const proto::record::Decision& decision) const;
  std::optional<std::uint16_t> carrier_named(std::string_view name) const;
  static void tried(Message& message, const OutcomeMail& mail, const core::Now& now);
  Submitted refuse(Client& client, proto::Status status);
  Submitted relay(Client& client, Message& message, const Asker& asker);
  proto::Status nobody_now(const routing::Route& route) const;
  void on_relay_outcome(Message& message, const OutcomeMail& mail, std::string_view id,
                        const core::Now& now);
  void relay_next(Message& message, std::uint8_t from, proto::Status otherwise);
  void relay_doubt(Message& message);
  void relay_taken(Message& message, const core::Now& now);
  void relay_refused(Message& message, proto::Status status);
  void answer(const Message& message, proto::Status status);
  void count_money(const Message& message);
  enum class Turn : std::uint8_t { comes, waited };
  bool order(Message& message, std::uint8_t from, Turn turn);
  void want(const Message& message);
  void take_place(const Message& message);
  void place(Message& message, std::uint8_t from, const core::Now& now);
  static void drop_candidate(Message& message);
  void fence(std::uint16_t carrier);
  void fence_number(const OutcomeMail& mail, const Message* message);
  void wait(Message& message, const core::Now& now);
  void count_waiting();
  static std::uint64_t number_of(const Message& message);
  bool number_fenced(const Message& message) const {
    return !fenced_numbers_.empty() && fenced_numbers_.contains(number_of(message));
  }
  // A message to its number waits, or may be on its way back: it has to wait for that one.
  bool number_waits(const Message& message) const;
  void waits_no_more(const Message& message);
  void back_off(Message& message, const core::Now& now);
  void doubt(Message& message, const core::Now& now);
  void taken(Message& message, const core::Now& now);
  void now_unsent(Message& message, const core::Now& now);
  void no_longer_unsent(Message& message);
  Message& restored_place(const Restored& restored, std::size_t body_length);
  static void fill(Message& message, const proto::record::Accepted& accepted);
  void go_on(Message& message, const Restored& restored, const core::Now& now);
  void told_again(Message& message, const Restored& restored);
  void fail(Message& message, proto::MessageState state, proto::Status status,
            const core::Now& now);
  void end(Message& message, const Notice& last, const core::Now& now);
  void too_late(const ReceiptMail& mail, const Message* message);
  bool in_back_off(const Message& message, const core::Now& now);
  void begin_pass(const core::Now& now);
  bool any_has_room() const;
  void retry_waiting(const core::Now& now);
  void look_at_paused(const core::Now& now);
  bool touch_paused();
  void sweep(const core::Now& now);
  void look_at_clients(const core::Now& now);

  const Config& config_;
  core::Shard& shard_;
  const Homes& homes_;
  Outbox& outbox_;
  const TablesReader& tables_;
  Recorder& recorder_;
  FlowCounters& counters_;
  Ledger ledger_;
  Spill spill_;
  // What each client works by: its config is kept by the client.
  struct Applied {
    const ClientConfig* config = nullptr;
    std::uint32_t credentials = 0;
    bool gone = false;
    bool operator==(const Applied&) const = default;
  };
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Applied> applied_;
  std::vector<std::uint32_t> told_;              // restored
  std::vector<routing::CarrierState> carriers_;  // as they were at the turn's start
  std::vector<std::int64_t> pressed_us_;         // since when each is pressed; 0: it is not
  // What each takes in this turn, as it told when the turn began.
  struct Left {
    std::uint32_t places = 0;
    std::uint32_t octets = 0;
  };
  std::vector<Left> left_;
  // Of each, whether one that waits (and is in no back-off) could have its place: what comes leaves
  // it that. Made anew by each pass that sees all; more may come in between.
  std::vector<std::uint8_t> wanted_;
  std::vector<std::uint8_t> wanted_in_pass_;
  std::vector<std::uint64_t> windows_;  // of each, in all
  core::Timer hold_timer_;              // ends a sleep in which no client is read
  std::vector<Client*> touched_;
  std::vector<bool> fenced_;  // a fence is on its way there and back
  absl::flat_hash_map<std::uint64_t, std::uint32_t> fenced_numbers_;  // likewise, how many for each
  // Waiting messages in the order of their ids. A pass over them may take several turns: it sees
  // the carriers as they were at its start, without those that sent something back or had no place
  // left since. It ends when none is left, but for one each kLookUs: that sees who has expired. In
  // a turn it fills a quarter of a mailbox at most.
  absl::btree_set<MessageId> waiting_;
  bool passing_ = false;
  bool passes_soon_ = false;
  bool looks_at_all_ = false;
  std::int64_t pass_us_ = 0;        // when it began
  std::int64_t looked_all_us_ = 0;  // when the last one did that looks at all
  MessageId pass_at_ = 0;           // goes on there
  std::vector<routing::CarrierState> pass_carriers_;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> waiting_numbers_;  // how many to each
  absl::flat_hash_set<std::uint64_t>
      pass_numbers_;  // one to it is in back-off or came back, in this pass
  std::uint32_t unsent_ = 0;
  UnsentOctets unsent_octets_;
  bool accepting_ = true;
  std::uint32_t swept_ = 0;  // the place that the sweep goes on with
  std::int64_t looked_us_ = 0;
  core::Timer waiting_timer_;
  core::Timer sweep_timer_;
  core::Timer paused_timer_;  // while a session is paused: nothing else may wake its client
  std::vector<std::uint8_t> unsuccess_;
};

}  // namespace tollgate::gateway
