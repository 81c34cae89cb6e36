// Clients in accept mode relay: the answer to a submit waits for the carrier's. A message here is
// in the ledger like any other, with one order out at a time, but nobody was told that we have it:
// it never waits, and what ends it is its client's answer.
#include <algorithm>

#include "gateway/clients/client_home.h"
#include "gateway/clients/session.h"

namespace tollgate::gateway {

using proto::Status;
using proto::StatusClass;

namespace {

// What a carrier's refusal is to the client: what only we and the carrier understand is not told.
Status told(Status status) {
  if (proto::status_name(status).empty()) return Status::ESME_RSUBMITFAIL;
  switch (proto::status_class(status)) {
    case StatusClass::permanent:
      return status;
    case StatusClass::throttle:
      return Status::ESME_RTHROTTLED;
    case StatusClass::temporary:
      return Status::ESME_RMSGQFUL;
    case StatusClass::ok:
    case StatusClass::failover:
    case StatusClass::configuration:
      break;
  }
  return Status::ESME_RSUBMITFAIL;
}

}  // namespace

// Every candidate is down, or one is up and full.
Status ClientHome::nobody_now(const routing::Route& route) const {
  for (std::size_t i = 0; i < route.count; ++i) {
    if (carriers_[route.candidates[i].carrier].up) return Status::ESME_RTHROTTLED;
  }
  return Status::ESME_RSYSERR;
}

Submitted ClientHome::relay(Client& client, Message& message, const Asker& asker) {
  const core::Now& now = shard_.now();
  client.sub_turn_submit();
  message.relay = 1;
  recorder_.relays(message);
  message.asker = asker;
  message.attempt = kRelayed | ((message.registered_delivery & 0x13) != 0 ? 0 : kUnrecorded);
  message.deadline_us = std::min(message.deadline_us, now.mono_us + client.config().relay_us);
  Submitted result;
  result.relayed = true;
  if (!number_waits(message) && order(message, 0, Turn::comes)) return result;
  // Its carrier has filled up since this turn began, or an earlier message to its number waits.
  client.add_turn_submit();
  client.counters().responses[static_cast<std::size_t>(StatusClass::throttle)].add();
  message.asker = {};
  relay_refused(message, Status::ESME_RTHROTTLED);
  return {Status::ESME_RTHROTTLED, 0, false};
}

void ClientHome::on_relay_outcome(Message& message, const OutcomeMail& mail, std::string_view id,
                                  const core::Now& now) {
  const auto next = static_cast<std::uint8_t>(message.candidate + 1);
  switch (mail.outcome) {
    case Outcome::sent:
      message.carrier_message_id = id;
      return relay_taken(message, now);
    case Outcome::refused:
      return relay_refused(message, told(message.status));
    case Outcome::expired:
      return relay_refused(message, Status::ESME_RTHROTTLED);
    case Outcome::in_doubt:
      return relay_doubt(message);
    case Outcome::down:
      counters_.carriers[mail.carrier].failovers.add();
      return relay_next(message, next, Status::ESME_RSYSERR);
    case Outcome::behind:
      counters_.carriers[mail.carrier].failovers.add();
      return relay_next(message, next, Status::ESME_RTHROTTLED);
    case Outcome::later:
      counters_.carriers[mail.carrier].failovers.add();
      return relay_next(message, next,
                        proto::status_class(message.status) == StatusClass::throttle
                            ? Status::ESME_RTHROTTLED
                            : Status::ESME_RMSGQFUL);
    case Outcome::next:
      counters_.carriers[mail.carrier].failovers.add();
      return relay_next(message, next, told(message.status));
  }
}

void ClientHome::relay_next(Message& message, std::uint8_t from, Status otherwise) {
  const bool in_time = message.deadline_us > shard_.now().mono_us;
  if (in_time && order(message, from, Turn::comes)) return;
  relay_refused(message, otherwise);
}

// It may have been sent. Its client hears that it was not accepted, and decides.
void ClientHome::relay_doubt(Message& message) {
  ClientCounters& counters = clients_[message.client]->counters();
  const carriers::InDoubt policy = peers().carriers[message.carrier].config->in_doubt;
  if (policy == carriers::InDoubt::resend && message.resends < kResendsMax) {
    ++message.resends;
    counters.resent.add();
    return relay_next(message, message.candidate, Status::ESME_RSUBMITFAIL);
  }
  counters.relay_in_doubt.add();
  relay_refused(message, Status::ESME_RSUBMITFAIL);
}

// Accepted: from here it is like any other that a carrier has.
void ClientHome::relay_taken(Message& message, const core::Now& now) {
  no_longer_unsent(message);
  count_money(message);
  clients_[message.client]->counters().accepted.add();
  // Its record would not become durable any more: better no answer than a false one.
  if (recorder_.failed()) message.asker = {};
  answer(message, Status::ESME_ROK);
  if (!wants_receipt(message.registered_delivery)) return settle(message, How::no_receipt);
  message.stage = Stage::awaiting;
  message.deadline_us = now.mono_us + clients_[message.client]->config().receipt_keep_us;
  message.relay = 0;
  recorder_.relayed(message);  // the gate holds the response until it is durable
}

void ClientHome::relay_refused(Message& message, Status status) {
  Client& client = *clients_[message.client];
  no_longer_unsent(message);
  if (wants_receipt(message.registered_delivery)) client.sub_owing();
  answer(message, status);
  recorder_.relay_over(message);
  client.counters().relay_refused.add();
  counters_.ledger.settled.add();
  ledger_.settle(message);
  counters_.ledger.messages.set(ledger_.size());
}

// To its session, if that is still there.
void ClientHome::answer(const Message& message, Status status) {
  if (message.asker.session == 0) return;
  Client& client = *clients_[message.client];
  client.counters().responses[static_cast<std::size_t>(proto::status_class(status))].add();
  client.counters().response_us.observe(shard_.now().mono_us - message.accepted_us);
  for (Session* session : client.sessions()) {
    if (session->id() != message.asker.session) continue;
    return session->relay_answer(message.asker, status, message.public_id);
  }
}

}  // namespace tollgate::gateway
