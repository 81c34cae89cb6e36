#include "gateway/client.h"

#include <algorithm>

#include "gateway/session.h"

namespace tollgate::gateway {

Client::Client(std::uint16_t id, const ClientPeer& peer, Ledger& ledger, ClientCounters& counters,
               Delivery::Settler& settler)
    : id_(id),
      config_(peer.config),
      credentials_(peer.credentials),
      gone_(peer.gone),
      counters_(counters),
      delivery_(ledger, counters, settler),
      pace_(config_->pace_per_s, kPaceBurstMs) {}

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
  if (full_since_us_ != 0 && !out_of_patience(now)) return;
  std::vector<Session*> resumed;
  resumed.swap(paused_);
  for (Session* session : resumed) session->resume();
  resumed.clear();
  if (paused_.empty()) paused_.swap(resumed);  // keeps its memory
}

void Client::add_unsent(const core::Now& now) {
  counters_.unsent.set(++unsent_);
  note_full(now);
}

void Client::sub_unsent() {
  counters_.unsent.set(--unsent_);
  if (has_room()) full_since_us_ = 0;
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
