// A session: one SMPP connection from a client, we as MC. Owned by the shard it is on: the one that
// accepted it until the bind is checked, its client's home from then on (gateway/clients/listener.h
// moves it). The protocol is here; what becomes of a message is ClientHome's.
//
// Invariants
// 1. Every PDU is answered as proto/session.h's matrix says. Before the bind a PDU has at most 512
//    octets, at most kBeforeBindMax come, and the bind must come within session_init_us of the
//    accept. From then on the client waits for us: we close only if it has hung up, and look for
//    that now and then, since we do not read it.
// 2. Requests are answered in the order they came, except relayed ones, which are answered as
//    their carriers answer. A submit is answered only once it is accepted or refused. While neither
//    is possible (the client's queue is full, our output is above its high-water mark, mail is
//    spilled) reading stops and the octets stay where they are; for a full queue for at most
//    Client::held_max_us().
// 3. At most client.window submits are unanswered; any more at once get ESME_RTHROTTLED.
// 4. At most client.receipts_window deliver_sm are unanswered. One that gets no response within
//    response_timeout_us is sent again, and the session is closed.
// 5. After `enquire_link_us` of silence we ask; two unanswered ones close the session.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/connection.h"
#include "core/shard.h"
#include "core/timers.h"
#include "gateway/clients/delivery.h"
#include "gateway/clients/window.h"
#include "gateway/config/config.h"
#include "gateway/config/ip.h"
#include "gateway/messages/counters.h"
#include "proto/framer.h"
#include "proto/pdu.h"
#include "proto/session.h"

namespace tollgate::gateway {

class Client;
class ClientHome;
class Session;

// Submits whose response is still in our output, by where in it the responses end. Some turns of
// them are told apart; more are taken for later than they are.
class Unanswered {
 public:
  // A response was committed that ends at `end` of the connection's output.
  void add(std::uint64_t end, std::int64_t turn_us) {
    if (size_ == 0 || (turns_[size_ - 1].turn_us != turn_us && size_ < kTurns)) {
      turns_[size_++] = {end, turn_us, 0};
    }
    Turn& last = turns_[size_ - 1];
    last.end = end;
    last.turn_us = turn_us;
    ++last.submits;
    ++count_;
  }
  // Those that end beyond what was sent.
  std::uint32_t count(std::uint64_t sent) {
    std::size_t gone = 0;
    while (gone < size_ && turns_[gone].end <= sent) count_ -= turns_[gone++].submits;
    if (gone != 0) {
      std::copy(turns_.begin() + static_cast<std::ptrdiff_t>(gone),
                turns_.begin() + static_cast<std::ptrdiff_t>(size_), turns_.begin());
      size_ -= gone;
    }
    return count_;
  }

 private:
  struct Turn {
    std::uint64_t end = 0;
    std::int64_t turn_us = 0;
    std::uint32_t submits = 0;
  };
  static constexpr std::size_t kTurns = 32;
  std::array<Turn, kTurns> turns_;
  std::size_t size_ = 0;
  std::uint32_t count_ = 0;
};

// Requests answered before a bind; the next one closes the connection.
inline constexpr std::uint32_t kBeforeBindMax = 64;
// Their answers, unread, and the bind's.
inline constexpr std::size_t kUnboundOutputMax = 2'048;
static_assert(kUnboundOutputMax > (kBeforeBindMax + 8) * proto::kHeaderLength);
// on_writable never comes before the bind's answer: it would go on reading after a bind.
static_assert(kUnboundOutputMax <= core::ConnectionLimits{}.high_water);

// What a session needs before it has a client.
class Door {
 public:
  // A bind was read. False: cannot be checked now (ESME_RBINDFAIL).
  virtual bool check_bind(Session& session, const proto::Bind& bind) = 0;
  // The connection has ended, or went to another shard: the session may be destroyed.
  virtual void ended(Session& session) = 0;

 protected:
  ~Door() = default;
};

// The bind that was asked for, kept while the password is checked.
struct BindAsked {
  proto::Command command{};
  std::uint32_t sequence_number = 0;
  std::uint8_t interface_version = 0;
};

class Session final : public core::Connection::Owner {
 public:
  struct Setup {
    std::uint64_t id = 0;
    Door* door = nullptr;
    DoorCounters* counters = nullptr;
    const GatewayConfig* config = nullptr;
    core::ConnectionLimits limits;
  };

  // A connection that was accepted here, not bound.
  Session(core::Shard& shard, core::SocketPtr socket, const core::Address& peer, Setup setup);
  // A checked bind that comes from another shard, with what was read behind it and what the peer
  // has not taken yet.
  Session(core::Shard& shard, core::SocketPtr socket, const core::Address& peer, Setup setup,
          const BindAsked& asked, const core::Brought& brought);
  ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  std::uint64_t id() const { return setup_.id; }
  const core::Address& peer() const { return connection_.peer; }
  const BindAsked& asked() const { return asked_; }
  bool receives() const { return proto::can_deliver(state_); }
  std::uint8_t version() const { return version_; }
  // Submits whose response has not left yet.
  std::uint32_t unanswered() { return unanswered_.count(connection_.sent()) + relayed_; }
  bool was_bound() const { return home_ != nullptr; }
  std::uint32_t credentials() const { return credentials_; }

  // The bind's answer. bound(): here is its client's home. `credentials`: what it was checked by.
  void bound(Client& client, ClientHome& home, std::uint32_t credentials);
  void bind_refused(proto::Status status);
  bool checking() const { return checking_; }
  // Whether a bind waits for its answer: false also once the connection has ended or is ending.
  bool awaits_answer() const {
    return checking_ && connection_.is_open() && !connection_.is_closing();
  }
  // For the way to another shard; not inside a callback of the connection. Nothing that was written
  // before a bind depends on a record, so it may travel past this shard's gate.
  core::Handover hand_over() { return connection_.release_for_handover(); }

  // The answer to a submit that was relayed.
  void relay_answer(const Asker& asker, proto::Status status, MessageId id);

  // Its client's configuration is another one.
  void limits_changed(const core::Now& now);
  // Reading goes on after a pause.
  void resume();
  // Its submits have waited for longer than that, though for moments there was room for some.
  bool held_longer_than(std::int64_t most_us, const core::Now& now) const {
    return held_since_us_ != 0 && now.mono_us - held_since_us_ > most_us;
  }
  // A receipt may be sent now.
  bool can_tell() const;
  // Sends the message's notice as deliver_sm; false when the output is full.
  bool tell(const Message& message, Told told);

  // Politely: unbind, then close when it is answered or after the response time-out.
  void unbind();
  void close();

 private:
  std::size_t on_input(core::Connection&, core::Octets input, const core::Now&) override;
  void on_closed(core::Connection&, core::CloseReason, const core::Now&) override;
  void on_writable(core::Connection&, const core::Now&) override;

  // Each: false = reading stops before this PDU.
  bool on_pdu(const proto::Frame& frame, const core::Now& now);
  bool on_accepted_pdu(const proto::Frame& frame, const core::Now& now);
  bool on_submit_sm(const proto::Frame& frame, const core::Now& now);
  bool on_data_sm(const proto::Frame& frame, const core::Now& now);
  bool on_submit_multi(const proto::Frame& frame, const core::Now& now);
  bool may_submit(const core::Now& now);
  void refuse(proto::Command command, std::uint32_t sequence_number, proto::Status status);
  void submit(proto::Command command, std::uint32_t sequence_number, const proto::SubmitSm& sm);
  void tell_submitted(const Asker& asker, proto::Status status, MessageId id);
  bool over_window();
  bool answered(bool done);
  void on_bind(const proto::Frame& frame);
  bool too_talkative();
  void on_query_sm(const proto::Frame& frame);
  void on_cancel_sm(const proto::Frame& frame);
  void on_replace_sm(const proto::Frame& frame);
  void on_response(const proto::Frame& frame, const core::Now& now);
  void on_unbind(const proto::Frame& frame);
  void on_timer(const core::Now& now);
  void on_bad_length(const proto::Frame& frame);
  void finish();

  void answer(proto::Command request, std::uint32_t sequence_number, proto::Status status);
  void answer_id(proto::Command request, std::uint32_t sequence_number, MessageId id);
  void request(proto::Command command);
  template <class Pdu>
  void send(const Pdu& pdu, std::uint32_t sequence_number, proto::Status status);
  MessageId parse_id(std::string_view text) const;
  void leave(const core::Now& now);
  void arm(const core::Now& now);

  core::Shard& shard_;
  Setup setup_;
  core::Connection connection_;
  core::Timer timer_;
  proto::State state_ = proto::State::open;
  std::uint8_t version_ = proto::kVersion34;
  bool checking_ = false;   // the password is being checked
  bool unbinding_ = false;  // we asked
  std::uint32_t credentials_ = 0;
  std::uint8_t enquiries_ = 0;  // enquire_link without a response
  bool deferred_ = false;       // the submit just read is answered later
  std::uint32_t relayed_ = 0;   // submits that are
  Unanswered unanswered_;
  BindAsked asked_;
  Client* client_ = nullptr;
  ClientHome* home_ = nullptr;
  Window<Told> told_;
  std::int64_t unbind_us_ = 0;
  std::int64_t look_us_ = 0;        // checking: until the next look whether the peer is there
  std::uint32_t before_bind_ = 0;   // requests
  std::int64_t held_since_us_ = 0;  // a submit waits, or all since it did; 0: all was read
  std::int64_t opened_us_;
  std::int64_t heard_us_;   // last PDU
  std::int64_t active_us_;  // last PDU other than enquire_link
};

}  // namespace tollgate::gateway
