#include "gateway/carrier_home.h"

#include <algorithm>

#include "core/log.h"
#include "proto/time.h"

namespace tollgate::gateway {

using proto::record::Follows;

CarrierHome::CarrierHome(const Peers& peers, core::Shard& shard, Homes& homes, Outbox& outbox,
                         Recorder& recorder, std::uint64_t seed)
    : shard_(shard),
      homes_(homes),
      outbox_(outbox),
      recorder_(recorder),
      seed_(seed),
      places_(peers.carriers.size()) {
  for (std::size_t i = 0; i < places_.size(); ++i) make(i, peers.carriers[i]);
}

// True when there is a new one here.
bool CarrierHome::make(std::size_t id, const CarrierPeer& peer) {
  if (homes_.of_carrier(id) != shard_.index() || peer.gone) return false;
  Place& place = places_[id];
  if (!place.post) {
    place.post =
        std::make_unique<Post>(*this, static_cast<std::uint16_t>(id), shard_.shard_count());
  }
  place.carrier = std::make_unique<carriers::Carrier>(*peer.config, shard_, *place.post, seed_ + id,
                                                      &homes_.board(id));
  place.config = peer.config;
  place.gone = false;
  here_.push_back(place.carrier.get());
  return true;
}

void CarrierHome::apply(const Peers& peers) {
  places_.resize(peers.carriers.size());
  if (recorder_.failed()) return;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].carrier) {
      change(i, peers.carriers[i]);
    } else if (make(i, peers.carriers[i])) {
      core::log::info("carrier_added", {{"carrier", peers.carriers[i].config->name}});
      places_[i].carrier->start();
    }
  }
}

void CarrierHome::change(std::size_t id, const CarrierPeer& peer) {
  Place& place = places_[id];
  if (place.config != peer.config) {
    place.config = peer.config;
    place.carrier->change(*peer.config);
    core::log::info("carrier_changed", {{"carrier", peer.config->name}});
  }
  if (place.gone == peer.gone) return;
  place.gone = peer.gone;
  if (peer.gone) {
    core::log::info("carrier_removed", {{"carrier", peer.config->name}});
    place.carrier->drain_and_unbind();
    ++going_;
  } else {
    core::log::info("carrier_added", {{"carrier", peer.config->name}});
    place.carrier->start();
    --going_;
  }
}

// Of those that are gone, the ones that nothing can come for.
void CarrierHome::let_go() {
  for (Place& place : places_) {
    if (!place.gone || !place.carrier || !place.carrier->done()) continue;
    std::erase(here_, place.carrier.get());
    place.carrier.reset();
    place.config.reset();
    --going_;
  }
}

CarrierHome::~CarrierHome() = default;

void CarrierHome::start() {
  for (carriers::Carrier* carrier : here_) carrier->start();
}

carriers::Carrier* CarrierHome::carrier(std::size_t id) {
  return places_[id].carrier.get();
}

const carriers::Carrier* CarrierHome::carrier(std::size_t id) const {
  return places_[id].carrier.get();
}

void CarrierHome::on_order(const OrderMail& mail, proto::Octets body) {
  Place& place = places_[mail.carrier];
  if (recorder_.failed() || !place.carrier || place.post->shut(home_of(mail.message))) {
    return place.post->outcome(mail.message, mail.attempt, Outcome::down);
  }
  const carriers::Order order{mail.message, mail.attempt, body,
                              static_cast<std::uint64_t>(mail.deadline_us),
                              static_cast<std::uint8_t>(home_of(mail.message))};
  switch (place.carrier->take(order)) {
    case carriers::Taken::taken:
      return;
    case carriers::Taken::no_room:
    case carriers::Taken::down:
      return place.post->outcome(mail.message, mail.attempt, Outcome::down);
    case carriers::Taken::behind:
      return place.post->outcome(mail.message, mail.attempt, Outcome::behind);
    case carriers::Taken::unfit:
      return place.post->outcome(mail.message, mail.attempt, Outcome::next,
                                 proto::Status::ESME_RINVMSGLEN);
  }
}

void CarrierHome::on_fence(const FenceMail& mail) {
  Place& place = places_[mail.carrier];
  if (mail.message == 0) {
    place.post->open(mail.shard);
  } else if (place.carrier) {
    place.carrier->known_back(mail.message);
  }
  outbox_.post(mail.shard, MailType::fence_passed, mail);
}

void CarrierHome::turn_end(const core::Now& now) {
  if (recorder_.lost_upto() != lost_upto_) {
    lost_upto_ = recorder_.lost_upto();
    for (carriers::Carrier* carrier : here_) carrier->tell_again();
  }
  for (carriers::Carrier* carrier : here_) {
    if (carrier->turn(now)) shard_.again();
  }
  if (going_ != 0) let_go();
}

void CarrierHome::halt() {
  for (carriers::Carrier* carrier : here_) carrier->halt();
}

void CarrierHome::drain() {
  for (carriers::Carrier* carrier : here_) carrier->drain_and_unbind();
}

bool CarrierHome::idle() const {
  return std::all_of(here_.begin(), here_.end(),
                     [](const carriers::Carrier* carrier) { return carrier->idle(); });
}

void CarrierHome::Post::outcome(std::uint64_t message, std::uint16_t attempt, Outcome outcome,
                                proto::Status status, std::string_view id) {
  // What was ordered before this is known there would overtake it.
  if (outcome == Outcome::down) shut_[home_of(message)] = true;
  const OutcomeMail mail{message, static_cast<std::uint32_t>(status), carrier_, attempt, outcome};
  home_.outbox_.post(home_of(message), MailType::outcome, mail, proto::as_octets(id));
}

void CarrierHome::Post::sending(std::uint64_t message, std::uint16_t attempt) {
  if ((attempt & kRelayed) == 0) home_.recorder_.intent(message, attempt, carrier_);
}

void CarrierHome::Post::put_back(std::uint64_t message, std::uint16_t attempt,
                                 proto::Status status) {
  refusal(message, attempt, status, Follows::again);
}

void CarrierHome::Post::refusal(std::uint64_t message, std::uint16_t attempt, proto::Status status,
                                Follows follows) {
  if ((attempt & kRelayed) == 0) {
    home_.recorder_.refused(message, attempt, carrier_, status, follows);
  }
}

void CarrierHome::Post::sent(std::uint64_t message, std::uint16_t attempt,
                             std::string_view carrier_message_id, std::uint32_t) {
  if ((attempt & kUnrecorded) == 0) {
    home_.recorder_.sent(message, attempt, carrier_, carrier_message_id);
  }
  outcome(message, attempt, Outcome::sent, proto::Status::ESME_ROK, carrier_message_id);
}

void CarrierHome::Post::refused(std::uint64_t message, std::uint16_t attempt, proto::Status status,
                                proto::StatusClass status_class, bool try_next) {
  if (status == proto::Status::ESME_ROK) {
    const auto follows = try_next ? Follows::again : Follows::expired;
    refusal(message, attempt, status, follows);
    const bool behind = status_class == proto::StatusClass::temporary;
    const Outcome back = behind ? Outcome::behind : Outcome::down;
    return outcome(message, attempt, try_next ? back : Outcome::expired);
  }
  if (status_class == proto::StatusClass::temporary ||
      status_class == proto::StatusClass::throttle) {
    refusal(message, attempt, status, Follows::again);
    return outcome(message, attempt, Outcome::later, status);
  }
  const auto follows = try_next ? Follows::next : Follows::rejected;
  refusal(message, attempt, status, follows);
  outcome(message, attempt, try_next ? Outcome::next : Outcome::refused, status);
}

void CarrierHome::Post::in_doubt(std::uint64_t message, std::uint16_t attempt) {
  if ((attempt & kRelayed) == 0) home_.recorder_.in_doubt(message, attempt, carrier_);
  outcome(message, attempt, Outcome::in_doubt);
}

std::uint64_t CarrierHome::Post::parked(std::string_view carrier_message_id, proto::Octets pdu) {
  return home_.recorder_.parked(carrier_, carrier_message_id, pdu);
}

void CarrierHome::Post::still_parked(std::uint64_t number, std::string_view carrier_message_id,
                                     proto::Octets pdu, std::int64_t came_us) {
  Recorder& recorder = home_.recorder_;
  recorder.restored_parked(carrier_,
                           {number, 0, recorder.carrier_name(carrier_), carrier_message_id, pdu},
                           home_.shard_.now().mono_us - came_us);
}

void CarrierHome::Post::unparked(std::uint64_t number, proto::record::Unpark how) {
  home_.recorder_.unparked(number, carrier_, how);
}

// At this pace, of one carrier: its letters leave most of the journal's disk to all others.
bool CarrierHome::Post::letter_comes(std::size_t octets) {
  const std::int64_t now_us = home_.shard_.now().mono_us;
  if (letters_due_us_ > now_us + kLettersBurstUs) return false;
  const auto took_us =
      static_cast<std::int64_t>((octets + kLetterOctets) * 1'000'000 / kLettersPerSecond);
  letters_due_us_ = std::max(letters_due_us_, now_us) + took_us;
  return true;
}

bool CarrierHome::Post::dead(const carriers::DeadReceipt& receipt) {
  Recorder& recorder = home_.recorder_;
  if (recorder.failed()) return false;
  if (!receipt.acknowledged && recorder.on() &&
      (!recorder.takes_letters() || !letter_comes(receipt.pdu.size()))) {
    return false;
  }
  proto::record::DeadLetter letter;
  letter.why = receipt.why;
  letter.state = receipt.state;
  letter.carrier = recorder.carrier_name(carrier_);
  letter.carrier_message_id = receipt.carrier_message_id.substr(0, proto::record::kTextMax);
  letter.pdu = receipt.pdu;
  recorder.dead_letter(letter);
  return true;
}

bool CarrierHome::Post::receipt(std::uint64_t message, const proto::Receipt& receipt,
                                const carriers::ReceiptFacts& facts) {
  if (home_.recorder_.failed()) return false;
  const std::int64_t wall_us = home_.shard_.now().wall_us;
  ReceiptMail mail{};
  mail.message = message;
  mail.carrier = carrier_;
  mail.notice.state = receipt.state;
  mail.notice.intermediate = !facts.final;
  mail.notice.has_network_error = receipt.has_network_error;
  std::copy_n(receipt.network_error, 3, mail.notice.network_error.begin());
  mail.notice.error = facts.error_text.empty() ? receipt.err : facts.error_text;
  const auto done = proto::parse_receipt_date(receipt.done_date, wall_us / 1'000'000);
  mail.notice.done_wall_us = done ? *done * 1'000'000 : wall_us;
  home_.recorder_.receipt(message, carrier_, mail.notice);
  home_.outbox_.post(home_of(message), MailType::receipt, mail);
  return true;
}

}  // namespace tollgate::gateway
