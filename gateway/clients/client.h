// A client's account on its home shard: its sessions, its limits, and the receipts it has yet to
// be told. Owned by the shard's thread.
//
// Invariants
// 1. `unsent` counts its messages that no carrier has yet, at most queue_max; `owing` those whose
//    receipt is yet to come, at most receipts_max. At either bound we stop reading its sessions,
//    and read again an eighth below it. If that takes longer than queue_full_us we read all the
//    same until there is room, and answer what does not fit with ESME_RMSGQFUL. We do the same
//    with a session whose submits have waited for held_max_us() while room came and went
//    (session.h): no PDU waits longer.
// 2. While receipts_max receipts are here and no session takes them, a submit that wants one more
//    is refused (ESME_RMSGQFUL), but reading goes on: the responses that make room come on the same
//    sessions. So no receipt ever lacks room, and a client that takes none fills only its share of
//    the ledger: 2 x receipts_max, and its windows.
// 3. The memory of unsent messages is bounded like their number, by queue_octets_max and by what is
//    still free on the shard; one message more may come in. So a shard that fills up refuses the
//    clients that hold most of it; those that hold little go on.
// 4. No carrier owns the queue. A carrier that holds little of it (little_for) gets more even when
//    it is full, up to twice the bounds in all. A client that sends to several carriers is not
//    paused for a full queue; only what does not fit is refused.
// 5. With a spill (gateway/clients/spill.h) receipts beyond receipts_memory lie on the disk. While
//    that is slow or fails, memory keeps up to kMemorySlack times as many; then as in 2.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "carriers/pace.h"
#include "core/connection.h"
#include "gateway/clients/delivery.h"
#include "gateway/config/config.h"
#include "gateway/config/peers.h"
#include "gateway/messages/counters.h"

namespace tollgate::gateway {

class Session;

// What waits on a shard for a carrier, in octets of memory.
struct UnsentOctets {
  std::uint64_t used = 0;
  std::uint64_t most = 0;
};

inline constexpr std::uint64_t kMemorySlack = 4;
inline constexpr std::uint32_t kPaceBurstMs = 1'000;  // so much of the pace at once

class Client {
 public:
  Client(std::uint16_t id, const ClientPeer& peer, Ledger& ledger, ClientCounters& counters,
         Delivery::Settler& settler, const UnsentOctets& shard);
  // What its configuration says now; its limits hold from here on. Sessions whose password is no
  // longer right, and all of a client that is gone, are unbound.
  void change(const ClientPeer& peer, const core::Now& now);

  std::uint16_t id() const { return id_; }
  const ClientConfig& config() const { return *config_; }
  // Removed from the tables: no new bind and no submit; its messages go on.
  bool gone() const { return gone_; }
  std::uint32_t credentials() const { return credentials_; }
  ClientCounters& counters() { return counters_; }
  Delivery& delivery() { return delivery_; }
  core::ReadGroup& reading() { return reading_; }

  void join(Session& session);
  void leave(Session& session);
  const std::vector<Session*>& sessions() const { return sessions_; }

  bool queue_full() const { return unsent_ >= config_->queue_max || octets_ >= octets_max(); }
  // Of what its queue has room for, twice, the carrier holds less than a quarter of what is left:
  // however many are slow, there is some left for the next.
  bool little_for(std::uint16_t carrier, std::uint64_t windows = 0) const {
    const Share share = carrier < shares_.size() ? shares_[carrier] : Share{};
    const auto quarter = [](std::uint64_t most, std::uint64_t used) {
      return (2 * most - std::min(used, 2 * most)) / 4;
    };
    return share.messages < windows + quarter(config_->queue_max, unsent_) &&
           share.octets < quarter(octets_max(), octets_);
  }
  // It has just sent to several carriers.
  bool mixed(const core::Now& now) const {
    return mixed_us_ != 0 && now.mono_us - mixed_us_ <= kMixedUs;
  }
  bool receipts_full() const { return owing_ >= config_->receipts_max; }
  bool untaken_full() const {
    return delivery_.waiting() >= config_->receipts_max ||
           (delivery_.memory_max() != 0 &&
            delivery_.in_memory() >= kMemorySlack * config_->receipts_memory);
  }
  // The session's submits wait: its reading is paused until there is room again, or patience ends.
  void pause(Session& session, const core::Now& now);
  void resume_paused(const core::Now& now);
  bool has_paused() const { return !paused_.empty(); }
  // It has been full too long: refuse waiting submits, from then on until there is room.
  bool out_of_patience(const core::Now& now) const {
    return full_since_us_ != 0 && now.mono_us - full_since_us_ > config_->queue_full_us;
  }

  // Submits that wait for room hold up what comes after them on their session, an enquire_link too.
  // After this time all that the session sent is read whatever room comes and goes, and what does
  // not fit is refused: clients hang up when an enquire_link has no answer for 5 to 10 s.
  std::int64_t held_max_us() const { return std::max(kHeldMaxUs, config_->queue_full_us); }

  // Once a turn, whoever asks: true the first time.
  bool touch() { return !std::exchange(touched_, true); }
  void untouch() { touched_ = false; }
  void add_turn_submit() { ++turn_submits_; }
  void sub_turn_submit() { --turn_submits_; }  // it is not answered in this turn
  std::uint32_t take_turn_submits() { return std::exchange(turn_submits_, 0); }

  carriers::Pace& pace() { return pace_; }

  void add_unsent(const Message& message, const core::Now& now);
  void sub_unsent(Message& message);  // its body is still there
  // The unsent message waits for this carrier, or is with it.
  void charge(Message& message, std::uint16_t carrier, const core::Now& now);
  void add_owing(const core::Now& now);
  void sub_owing();
  std::uint32_t unsent() const { return unsent_; }

 private:
  static constexpr std::int64_t kMixedUs = 1'000'000;
  static constexpr std::int64_t kHeldMaxUs = 3'000'000;

  struct Share {
    std::uint32_t messages = 0;
    std::uint64_t octets = 0;
  };

  bool full() const { return queue_full() || receipts_full(); }
  std::uint64_t octets_max() const {
    const std::uint64_t left = shard_.most - std::min(shard_.used, shard_.most);
    return std::min<std::uint64_t>(config_->queue_octets_max, left);
  }
  // An eighth is free. Only there the time since when it is full is forgotten: paused sessions that
  // wait for room have nothing else to wake them.
  bool has_room() const {
    return an_eighth_free(unsent_, config_->queue_max) && an_eighth_free(octets_, octets_max()) &&
           an_eighth_free(owing_, config_->receipts_max);
  }
  static bool an_eighth_free(std::uint64_t used, std::uint64_t most) {
    return used < most && most - used >= most / 8;
  }
  void note_full(const core::Now& now);
  void uncharge(Message& message);

  const std::uint16_t id_;
  std::shared_ptr<const ClientConfig> config_;
  std::uint32_t credentials_;
  bool gone_;
  ClientCounters& counters_;
  Delivery delivery_;
  carriers::Pace pace_;
  const UnsentOctets& shard_;
  core::ReadGroup reading_;  // all its sessions'
  std::vector<Session*> sessions_;
  std::vector<Session*> paused_;
  std::uint32_t unsent_ = 0;
  std::uint64_t octets_ = 0;
  std::vector<Share> shares_;  // of the unsent ones, by carrier
  std::uint16_t last_charged_ = kNoCarrier;
  std::int64_t mixed_us_ = 0;  // when another carrier than the one before was charged last
  std::uint32_t owing_ = 0;
  std::int64_t full_since_us_ = 0;  // 0: it has room
  std::uint32_t turn_submits_ = 0;
  bool touched_ = false;
};

}  // namespace tollgate::gateway
