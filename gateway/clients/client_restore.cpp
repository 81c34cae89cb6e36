// ClientHome::restore: a message of an earlier process goes on.
#include <algorithm>

#include "gateway/clients/client_home.h"

namespace tollgate::gateway {

using proto::MessageState;
using proto::record::Follows;

namespace {

Party party_of(const proto::record::Address& address) {
  Party party{address.ton, address.npi, {}};
  party.address = address.digits;
  return party;
}

MessageState state_of(Follows follows) {
  switch (follows) {
    case Follows::rejected:
      return MessageState::rejected;
    case Follows::expired:
      return MessageState::expired;
    case Follows::next:
    case Follows::again:
      break;
  }
  return MessageState::undeliverable;
}

}  // namespace

void ClientHome::begin_behind(MessageId id) {
  if (id == 0) return;
  ledger_.begin_behind(id);
  recorder_.ids_go_on_behind(id);
}

void ClientHome::carry_all() {
  for (std::uint32_t place = 0; place < ledger_.places(); ++place) {
    if (ledger_.live(place)) recorder_.carried(ledger_.at(place));
  }
}

Message& ClientHome::restored_place(const Restored& restored, std::size_t body_length) {
  if (home_of(restored.id) == shard_.index()) return ledger_.restore(restored.id, body_length);
  // Its client has moved to another shard, and ids tell their home: a new one, the old public id.
  return ledger_.restore(ledger_.next_id(), body_length);
}

void ClientHome::fill(Message& message, const proto::record::Accepted& accepted) {
  message.public_id = accepted.public_id;
  message.accepted_wall_us = accepted.wall_us;
  message.price_nano = accepted.price_nano;
  message.tables_version = accepted.tables_version;
  message.destination_id = accepted.destination_id;
  message.segments = accepted.decision.segments;
  message.registered_delivery = accepted.registered_delivery;
  message.short_id = accepted.short_id ? 1 : 0;
  message.source = party_of(accepted.source);
  message.destination = party_of(accepted.destination);
  message.text = accepted.text;
}

// Its own id may be so old that the index would have to reach back over many that are gone.
Message* ClientHome::bring_back(Client& client, const proto::record::Carried& carried,
                                std::int64_t deadline_us, const core::Now& now) {
  if (ledger_.full()) return nullptr;
  Message* const message = &ledger_.restore(ledger_.next_id(), 0);
  fill(*message, carried.accepted);
  message->accepted_us = now.mono_us;
  restore_candidates(*message, carried.accepted);
  restore_particulars(*message, carried.accepted, carried.course);
  message->deadline_us = deadline_us;
  message->client = client.id();
  message->status = carried.status;
  message->carrier_message_id = carried.carrier_message_id;
  message->notice = notice_of(carried.notice);
  message->stage = Stage::told;
  for (std::size_t i = 0; i < peers().carriers.size(); ++i) {
    if (peers().carriers[i].config->name != carried.carrier) continue;
    message->carrier = static_cast<std::uint16_t>(i);
    message->attempt = carried.attempt;
  }
  return message;
}

// In the order in which their receipts came, as far as the journal tells; those that are older than
// what is on the disk in front of it.
void ClientHome::restored_all() {
  const auto older = [](std::int64_t a_us, MessageId a, std::int64_t b_us, MessageId b) {
    return a_us != b_us ? a_us < b_us : a < b;
  };
  std::sort(told_.begin(), told_.end(), [&](std::uint32_t a, std::uint32_t b) {
    const Message& x = ledger_.at(a);
    const Message& y = ledger_.at(b);
    return older(x.deadline_us, x.id, y.deadline_us, y.id);
  });
  for (const std::uint32_t place : told_) {
    Message& message = ledger_.at(place);
    Delivery& delivery = clients_[message.client]->delivery();
    const auto& chunks = delivery.overflow().chunks;
    const bool in_front = !chunks.empty() && older(message.deadline_us, message.id,
                                                   chunks.front().first_deadline_wall_us +
                                                       chunks.front().mono_less_wall_us,
                                                   chunks.front().first);
    if (in_front) {
      delivery.push_older(message);
    } else {
      delivery.push(message);
    }
    touch(*clients_[message.client]);
  }
  told_ = {};
}

MessageId ClientHome::restore(const Restored& restored, const RestoredPlaces& places,
                              std::uint64_t segment) {
  const core::Now now = shard_.time();
  const proto::record::Accepted& accepted = restored.accepted;
  turn_start();  // no carrier is up yet
  const bool unsent = restored.stage != LiveStage::awaiting && restored.stage != LiveStage::told;
  Message* const message = &restored_place(restored, unsent ? accepted.body.size() : 0);
  if (message->body) std::copy(accepted.body.begin(), accepted.body.end(), message->body.data());
  fill(*message, accepted);
  message->accepted_us = restored.accepted_us;
  message->deadline_us = restored.deadline_us;
  restore_candidates(*message, accepted);
  restore_particulars(*message, accepted, restored.course);
  message->client = places.client;
  message->attempt = restored.attempt;
  message->carrier = places.carrier;
  message->carrier_message_id = restored.carrier_message_id;
  message->status = restored.status;
  recorder_.restored(*message, segment);
  if (message->id != restored.id) {
    recorder_.carried(*message);
    recorder_.goes_on_elsewhere(restored.id);
  }
  counters_.ledger.accepted.add();
  counters_.ledger.messages.set(ledger_.size());
  go_on(*message, restored, now);
  return message->id;
}

void ClientHome::go_on(Message& message, const Restored& restored, const core::Now& now) {
  Client& client = *clients_[message.client];
  client.counters().accepted.add();
  if (wants_receipt(message.registered_delivery)) client.add_owing(now);
  if (message.body) now_unsent(message, now);
  if (restored.has_notice) message.notice = notice_of(restored.notice);
  switch (restored.stage) {
    case LiveStage::queued:
      // Refused for now: its back-off begins anew.
      message.for_now =
          restored.follows == Follows::again && message.status != proto::Status::ESME_ROK ? 1 : 0;
      if (message.candidates != 0) return wait(message, now);
      return fail(message, MessageState::undeliverable, message.status, now);
    case LiveStage::refused:
      return fail(message, state_of(restored.follows), message.status, now);
    case LiveStage::in_flight:
      // Its outcome went with the process; said before anything that may send it again.
      recorder_.in_doubt(message.id, message.attempt, message.carrier);
      tried(message, {message.id, 0, message.carrier, message.attempt, Outcome::in_doubt}, now);
      [[fallthrough]];
    case LiveStage::in_doubt:
      return doubt(message, now);
    case LiveStage::awaiting:
      message.stage = Stage::awaiting;
      message.deadline_us = restored.carried_awaiting
                                ? restored.deadline_us
                                : restored.since_us + client.config().receipt_keep_us;
      break;
    case LiveStage::told:
      return told_again(message, restored);
  }
  if (restored.has_notice && wants_intermediate(message.registered_delivery)) {
    client.delivery().push(message);
  }
}

// Its time goes on where it was.
void ClientHome::told_again(Message& message, const Restored& restored) {
  Client& client = *clients_[message.client];
  if (wants_receipt(message.registered_delivery)) client.sub_owing();
  message.stage = Stage::told;
  message.deadline_us = restored.carried_told ? restored.deadline_us
                                              : restored.since_us + client.config().receipt_keep_us;
  if (!wants_final(message.registered_delivery, message.notice.state)) {
    return settle(message, How::no_receipt);
  }
  told_.push_back(ledger_.place_of(message));
}

}  // namespace tollgate::gateway
