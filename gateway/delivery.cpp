#include "gateway/delivery.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "gateway/session.h"

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
  bool changed = false;
  while (!due_.empty()) {
    Message& message = ledger_.at(due_.head());
    if (expired(message, now)) {
      due_.pop_front(ledger_);
      counters_.receipts_expired.add();
      settler_.settle(message, How::given_up);
      changed = true;
      continue;
    }
    if (receivers_.empty()) break;
    const std::uint16_t lane = lane_of(message);
    if (Lane& to = lanes_[lane]; to.open != 0) {
      const bool can_take = to.session->can_tell();
      if (can_take && !to.held.empty()) {
        release(to);  // they come first
        continue;
      }
      if (!can_take && any_can_take()) {
        to.held.push_back(ledger_, due_.pop_front(ledger_));
        ++held_;
        continue;
      }
    }
    Session* session = pick(lane);
    if (session == nullptr) break;
    const std::uint32_t place = due_.head();
    if (!session->tell(message, Told{place, lane, now.mono_us})) break;
    due_.pop_front(ledger_);
    message.queued = 0;
    message.in_flight = 1;
    message.notice_sent = 1;
    lanes_[lane].session = session;
    ++lanes_[lane].open;
    ++in_flight_;
    counters_.receipts_sent.add();
    changed = true;
  }
  if (changed) count_waiting();
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

// All of the lane that is still due is younger: it was held too since.
void Delivery::release(Lane& lane) {
  held_ -= lane.held.size();
  due_.prepend(ledger_, lane.held);
}

void Delivery::take_from_lane(const Told& told) {
  release(lanes_[told.lane]);
  --lanes_[told.lane].open;
  --in_flight_;
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
