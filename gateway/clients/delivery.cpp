#include "gateway/clients/delivery.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "gateway/clients/session.h"

namespace tollgate::gateway {
namespace {

std::uint16_t lane_of(const Message& message) {
  const auto address = message.destination.address.view();
  return static_cast<std::uint16_t>(std::hash<std::string_view>{}(address) % Delivery::kLanes);
}

}  // namespace

void Delivery::push(Message& message) {
  message.notice_sent = 0;
  if (message.queued != 0 || message.in_flight != 0) return;  // told again after the response
  const bool over = overflows();
  message.behind = over && message.stage != Stage::told ? 1 : 0;
  if (message.behind != 0) return;
  message.queued = 1;
  (over ? overflow_.tail : due_).push_back(ledger_, ledger_.place_of(message));
  count_waiting();
}

void Delivery::push_older(Message& message) {
  message.notice_sent = 0;
  message.queued = 1;
  due_.push_back(ledger_, ledger_.place_of(message));
  count_waiting();
}

void Delivery::take_back_tail() {
  overflow_.tail.prepend(ledger_, due_);
  std::swap(due_, overflow_.tail);
}

Session* Delivery::pick(std::uint16_t lane) {
  if (lanes_[lane].open != 0) {
    Session* session = lanes_[lane].session;
    return session->can_tell() ? session : nullptr;
  }
  for (std::size_t i = 0; i < receivers_.size(); ++i) {
    if (next_receiver_ >= receivers_.size()) next_receiver_ = 0;
    Session* session = receivers_[next_receiver_++];
    if (session->can_tell()) return session;
  }
  return nullptr;
}

void Delivery::pump(const core::Now& now) {
  while (!retries_.empty() && ledger_.at(retries_.head()).retry_us <= now.mono_us) {
    due_.push_back(ledger_, retries_.pop_front(ledger_));
  }
  bool changed = served_.any() && serve_held(now);
  while (!due_.empty()) {
    Message& message = ledger_.at(due_.head());
    if (expired(message, now)) {
      due_.pop_front(ledger_);
      give_up(message);
      changed = true;
      continue;
    }
    if (receivers_.empty()) break;
    const std::uint16_t lane = lane_of(message);
    Lane& to = lanes_[lane];
    if (!to.held.empty()) changed |= serve(lane, now);  // they come first
    if (!to.held.empty() || (to.open != 0 && !to.session->can_tell())) {
      if (!any_can_take()) break;
      hold(lane);
      continue;
    }
    if (!send(due_.head(), lane, now)) break;
    due_.pop_front(ledger_);
    changed = true;
  }
  if (changed) count_waiting();
}

// The lanes whose responses have come, as far as sessions take it. True: something has changed.
bool Delivery::serve_held(const core::Now& now) {
  bool changed = false;
  for (std::size_t lane = served_._Find_first(); lane < kLanes; lane = served_._Find_next(lane)) {
    changed |= serve(static_cast<std::uint16_t>(lane), now);
  }
  return changed;
}

bool Delivery::serve(std::uint16_t lane, const core::Now& now) {
  Lane& from = lanes_[lane];
  bool changed = false;
  while (!from.held.empty()) {
    const std::uint32_t place = from.held.head();
    Message& message = ledger_.at(place);
    const bool late = expired(message, now);
    if (!late && !send(place, lane, now)) break;
    from.held.pop_front(ledger_);
    --held_;
    if (late) give_up(message);
    changed = true;
  }
  // The rest goes on with the next response, or when a session takes something again.
  served_[lane] = !from.held.empty() && from.open == 0;
  return changed;
}

// What comes first of a list goes to a session, if one takes it; the caller takes it off the list.
bool Delivery::send(std::uint32_t place, std::uint16_t lane, const core::Now& now) {
  Session* session = pick(lane);
  Message& message = ledger_.at(place);
  if (session == nullptr || !session->tell(message, Told{place, lane, now.mono_us})) return false;
  message.queued = 0;
  message.in_flight = 1;
  message.notice_sent = 1;
  lanes_[lane].session = session;
  ++lanes_[lane].open;
  ++in_flight_;
  counters_.receipts_sent.add();
  return true;
}

void Delivery::give_up(Message& message) {
  counters_.receipts_expired.add();
  settler_.settle(message, How::given_up);
}

void Delivery::hold(std::uint16_t lane) {
  lanes_[lane].held.push_back(ledger_, due_.pop_front(ledger_));
  ++held_;
  counters_.receipts_held.add();
}

void Delivery::answered(const Told& told, Answer answer, const core::Now& now) {
  take_from_lane(told);
  Message& message = ledger_.at(told.place);
  message.in_flight = 0;
  if (answer == Answer::later) {
    counters_.receipts_retried.add();
    message.queued = 1;
    message.retry_us = now.mono_us + kRetryUs;
    retries_.push_back(ledger_, told.place);
  } else {
    counters_.receipts_delivered.add();
    if (message.notice_sent == 0) {
      push(message);  // something newer came meanwhile
    } else if (message.stage == Stage::told) {
      settler_.settle(message, How::told);
    }
  }
  count_waiting();
}

void Delivery::lost(const Told& told) {
  take_from_lane(told);
  // They come behind it; what of the lane is due is younger.
  held_ -= lanes_[told.lane].held.size();
  due_.prepend(ledger_, lanes_[told.lane].held);
  Message& message = ledger_.at(told.place);
  message.in_flight = 0;
  message.queued = 1;
  counters_.receipts_retried.add();
  due_.push_front(ledger_, told.place);
  count_waiting();
}

bool Delivery::any_can_take() const {
  return std::any_of(receivers_.begin(), receivers_.end(),
                     [](const Session* session) { return session->can_tell(); });
}

void Delivery::take_from_lane(const Told& told) {
  Lane& lane = lanes_[told.lane];
  --lane.open;
  --in_flight_;
  if (!lane.held.empty()) served_.set(told.lane);
}

void Delivery::count_waiting() {
  counters_.receipts_waiting.set(waiting());
  counters_.receipts_in_flight.set(in_flight_);
  counters_.receipts_spilled.set(overflow_.spilled);
}

void Delivery::remove_receiver(Session& session) {
  std::erase(receivers_, &session);
}

}  // namespace tollgate::gateway
