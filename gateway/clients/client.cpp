#include "gateway/clients/client.h"

#include <algorithm>

#include "gateway/clients/session.h"

namespace tollgate::gateway {

Client::Client(std::uint16_t id, const ClientPeer& peer, Ledger& ledger, ClientCounters& counters,
               Delivery::Settler& settler, const UnsentOctets& shard)
    : id_(id),
      config_(peer.config),
      credentials_(peer.credentials),
      gone_(peer.gone),
      counters_(counters),
      delivery_(ledger, counters, settler),
      pace_(config_->pace_per_s, kPaceBurstMs),
      shard_(shard) {}

void Client::change(const ClientPeer& peer, const core::Now& now) {
  config_ = peer.config;
  credentials_ = peer.credentials;
  gone_ = peer.gone;
  pace_.change(config_->pace_per_s, kPaceBurstMs, now.mono_us);
  full_since_us_ = 0;
  if (full()) note_full(now);
  for (Session* session : sessions_) {
    session->limits_changed(now);
    if (gone_ || session->credentials() < credentials_) session->unbind();
  }
}

void Client::join(Session& session) {
  sessions_.push_back(&session);
  if (session.receives()) delivery_.add_receiver(session);
  counters_.binds.add();
  counters_.sessions.set(sessions_.size());
}

void Client::leave(Session& session) {
  std::erase(sessions_, &session);
  std::erase(paused_, &session);
  delivery_.remove_receiver(session);
  counters_.sessions.set(sessions_.size());
}

void Client::pause(Session& session, const core::Now& now) {
  note_full(now);
  if (std::find(paused_.begin(), paused_.end(), &session) != paused_.end()) return;
  paused_.push_back(&session);
  counters_.reading_pauses.add();
}

void Client::resume_paused(const core::Now& now) {
  if (paused_.empty()) return;
  if (has_room()) full_since_us_ = 0;  // others may have made it
  const bool all = full_since_us_ == 0 || out_of_patience(now);
  std::erase_if(paused_, [&](Session* session) {
    const bool resumes = all || session->held_longer_than(held_max_us(), now);
    if (resumes) session->resume();
    return resumes;
  });
}

void Client::add_unsent(const Message& message, const core::Now& now) {
  octets_ += message.body.capacity();
  counters_.unsent.set(++unsent_);
  counters_.unsent_octets.set(octets_);
  note_full(now);
}

void Client::sub_unsent(Message& message) {
  uncharge(message);
  octets_ -= message.body.capacity();
  counters_.unsent.set(--unsent_);
  counters_.unsent_octets.set(octets_);
  if (has_room()) full_since_us_ = 0;
}

void Client::charge(Message& message, std::uint16_t carrier, const core::Now& now) {
  if (message.charged == carrier) return;
  uncharge(message);
  if (carrier >= shares_.size()) shares_.resize(carrier + std::size_t{1});
  shares_[carrier].messages += 1;
  shares_[carrier].octets += message.body.capacity();
  message.charged = carrier;
  if (last_charged_ != carrier && last_charged_ != kNoCarrier) mixed_us_ = now.mono_us;
  last_charged_ = carrier;
}

void Client::uncharge(Message& message) {
  if (message.charged == kNoCarrier) return;
  shares_[message.charged].messages -= 1;
  shares_[message.charged].octets -= message.body.capacity();
  message.charged = kNoCarrier;
}

void Client::add_owing(const core::Now& now) {
  counters_.receipts_owing.set(++owing_);
  note_full(now);
}

void Client::sub_owing() {
  counters_.receipts_owing.set(--owing_);
  if (has_room()) full_since_us_ = 0;
}

void Client::note_full(const core::Now& now) {
  if (full() && full_since_us_ == 0) full_since_us_ = now.mono_us;
}

}  // namespace tollgate::gateway
