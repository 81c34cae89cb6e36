#include "carriers/receipts.h"

#include <algorithm>

#include "proto/limits.h"

namespace tollgate::carriers {

namespace {

constexpr std::int64_t kHourUs = 3'600'000'000;

// One receipt, sent twice: the sequence_number alone may differ.
bool same_but_number(proto::Octets a, proto::Octets b) {
  constexpr std::size_t kNumber = 12;  // where it stands in a header
  return a.size() == b.size() && std::equal(a.begin(), a.begin() + kNumber, b.begin()) &&
         std::equal(a.begin() + proto::kHeaderLength, a.end(), b.begin() + proto::kHeaderLength);
}

}  // namespace

Receipts::Receipts(const CarrierConfig& config, const Dialect& dialect, Events& events,
                   CarrierCounters& counters, std::uint64_t seed)
    : config_(config),
      dialect_(dialect),
      events_(events),
      counters_(counters),
      awaiting_(config.awaiting_max, seed),
      park_({config.early_receipts_max, config.early_octets_max}),
      text_scratch_(std::make_unique<char[]>(proto::kReceiptScratch)),
      pdu_scratch_(std::make_unique<std::uint8_t[]>(proto::kPduLengthMax)) {}

void Receipts::changed() {
  awaiting_.set_max(config_.awaiting_max);
  park_.set_limits({config_.early_receipts_max, config_.early_octets_max});
}

void Receipts::add_key(std::string_view id, IdPlace place, Read& out) const {
  const IdKey key = dialect_.key(id, place);
  if (!key || (out.count == 1 && key == out.keys[0])) return;
  out.keys[out.count] = key;
  out.hashes[out.count] = awaiting_.hash(key.view());
  ++out.count;
}

template <class Pdu>
Receipts::Reading Receipts::read_as(proto::Octets body, Read& out) {
  Pdu sm;
  if (proto::decode(body, sm)) return Reading::malformed;
  if (!proto::is_receipt(sm)) return Reading::message;
  out.count = 0;
  if (!proto::parse_receipt(sm, out.receipt, {text_scratch_.get(), proto::kReceiptScratch})) {
    return Reading::unreadable;
  }
  add_key(out.receipt.id, out.receipt.id_from_tlv ? IdPlace::receipt_tlv : IdPlace::receipt_text,
          out);
  if (out.receipt.id_from_tlv) add_key(out.receipt.text_id, IdPlace::receipt_text, out);
  return out.count == 0 ? Reading::unreadable : Reading::receipt;
}

Receipts::Reading Receipts::read(proto::Octets pdu, Read& out) {
  const proto::Octets body = pdu.subspan(proto::kHeaderLength);
  return proto::read_header(pdu.data()).command_id == proto::Command::data_sm
             ? read_as<proto::DataSm>(body, out)
             : read_as<proto::DeliverSm>(body, out);
}

proto::Status Receipts::deliver(proto::Octets pdu, std::int64_t now_us) {
  Read read;
  switch (this->read(pdu, read)) {
    case Reading::malformed:
      return keep_dead(pdu, read) ? proto::Status::ESME_RX_P_APPN : proto::Status::ESME_RX_T_APPN;
    case Reading::message:
      counters_.mo.add();
      return config_.mo_status;
    case Reading::unreadable:
      return keep_dead(pdu, read) ? proto::Status::ESME_ROK : proto::Status::ESME_RX_T_APPN;
    case Reading::receipt:
      break;
  }
  switch (match(read)) {
    case Match::kept:
      set_gauges();
      return proto::Status::ESME_ROK;
    case Match::refused:
      counters_.receipts_refused.add();
      return proto::Status::ESME_RX_T_APPN;
    case Match::none:
      break;
  }
  if (settled(read) || parked(pdu, read)) {
    counters_.receipts_duplicate.add();
    return proto::Status::ESME_ROK;
  }
  const Park::Item item = park(pdu, read, now_us);
  if (item == Park::kNone) {
    counters_.receipts_refused.add();
    return proto::Status::ESME_RX_T_APPN;
  }
  counters_.receipts_early.add();
  park_.set_number(item, events_.parked(read.receipt.id, pdu));
  return proto::Status::ESME_ROK;
}

bool Receipts::keep_dead(proto::Octets pdu, const Read& read) {
  const DeadReceipt dead{proto::record::Dead::unreadable, read.receipt.state, read.receipt.id, pdu};
  const bool kept = events_.dead(dead);
  (kept ? counters_.receipts_unreadable : counters_.receipts_refused).add();
  return kept;
}

Receipts::Match Receipts::match(const Read& read) {
  for (std::size_t i = 0; i < read.count; ++i) {
    const auto message = awaiting_.find(read.keys[i].view(), read.hashes[i]);
    if (!message) continue;
    const ReceiptFacts facts{dialect_.is_final(read.receipt),
                             dialect_.error_text(read.receipt.err)};
    if (!events_.receipt(*message, read.receipt, facts)) return Match::refused;
    const auto state = static_cast<std::size_t>(read.receipt.state);
    counters_.receipts[std::min(state, counters_.receipts.size() - 1)].add();
    if (facts.final) awaiting_.settle(read.keys[i].view(), read.hashes[i]);
    return Match::kept;
  }
  return Match::none;
}

bool Receipts::settled(const Read& read) const {
  for (std::size_t i = 0; i < read.count; ++i) {
    if (awaiting_.settled(read.hashes[i])) return true;
  }
  return false;
}

bool Receipts::parked(proto::Octets pdu, const Read& read) const {
  const std::uint64_t hash = read.hashes[0];
  for (auto item = park_.first_of(hash); item != Park::kNone; item = park_.next_of(item, hash)) {
    if (same_but_number(park_.pdu(item, {pdu_scratch_.get(), proto::kPduLengthMax}), pdu)) {
      return true;
    }
  }
  return false;
}

Park::Item Receipts::park(proto::Octets pdu, const Read& read, std::int64_t now_us) {
  const std::int64_t deadline_us = now_us + std::int64_t{config_.timers.early_receipt_ms} * 1000;
  const Park::Item item = park_.add(read.hashes[0], read.hashes[read.count - 1], pdu, deadline_us);
  set_gauges();
  return item;
}

void Receipts::restore(proto::Octets pdu, std::int64_t now_us, std::uint64_t number) {
  Read read;
  // From a file: whatever octets.
  const bool whole = pdu.size() >= proto::kHeaderLength && pdu.size() <= proto::kPduLengthMax;
  const bool readable = whole && this->read(pdu, read) == Reading::receipt;
  if (readable && match(read) == Match::kept) {
    return events_.unparked(number, proto::record::Unpark::matched);
  }
  const Park::Item item = readable ? park(pdu, read, now_us) : Park::kNone;
  if (item != Park::kNone) return park_.set_number(item, number);
  // Parked when there was more room, or read by another dialect.
  const bool kept =
      events_.dead({proto::record::Dead::unmatched, read.receipt.state, read.receipt.id, pdu});
  if (kept) events_.unparked(number, proto::record::Unpark::unmatched);
}

void Receipts::unpark(Park::Item item, proto::record::Unpark how) {
  events_.unparked(park_.number(item), how);
  park_.remove(item);
}

void Receipts::id_known(std::string_view id, std::uint64_t message, std::int64_t now_us) {
  const IdKey key = dialect_.key(id, IdPlace::response);
  if (!key) {
    counters_.without_id.add();
    return;
  }
  const std::uint64_t hash = awaiting_.hash(key.view());
  switch (awaiting_.add(key.view(), hash, message, now_us)) {
    case Awaiting::Added::added:
      break;
    case Awaiting::Added::replaced:
      counters_.awaiting_replaced.add();
      break;
    case Awaiting::Added::evicted_another:
      counters_.awaiting_evicted.add();
      break;
  }
  Park::Item item = park_.size() == 0 ? Park::kNone : park_.first_of(hash);
  while (item != Park::kNone) {
    const Park::Item next = park_.next_of(item, hash);
    retry(item, now_us);
    item = next;
  }
  set_gauges();
}

bool Receipts::retry(Park::Item item, std::int64_t now_us) {
  const proto::Octets pdu = park_.pdu(item, {pdu_scratch_.get(), proto::kPduLengthMax});
  Read read;
  this->read(pdu, read);  // it could be read when it was parked
  switch (match(read)) {
    case Match::kept:
      unpark(item, proto::record::Unpark::matched);
      return true;
    case Match::refused:
      park_.wait(item, Park::Queue::again, now_us + kAgainUs);
      return true;
    case Match::none:
      break;
  }
  if (!settled(read)) return false;
  counters_.receipts_duplicate.add();
  unpark(item, proto::record::Unpark::duplicate);
  return true;
}

bool Receipts::bury(Park::Item item) {
  const proto::Octets pdu = park_.pdu(item, {pdu_scratch_.get(), proto::kPduLengthMax});
  Read read;
  this->read(pdu, read);
  const DeadReceipt dead{proto::record::Dead::unmatched, read.receipt.state, read.receipt.id, pdu};
  if (!events_.dead(dead)) return false;
  counters_.receipts_unmatched.add();
  unpark(item, proto::record::Unpark::unmatched);
  return true;
}

bool Receipts::tick(std::int64_t now_us) {
  std::size_t count = 0;
  for (; count < kPerTick; ++count) {
    const Park::Item item = park_.due(now_us);
    if (item == Park::kNone) break;
    if (retry(item, now_us) || bury(item)) continue;
    park_.wait(item, Park::Queue::again, now_us + kAgainUs);
  }
  const std::int64_t age_us = std::int64_t{config_.awaiting_hours} * kHourUs;
  const std::size_t expired = awaiting_.expire(now_us, age_us, kPerTick);
  counters_.awaiting_expired.add(expired);
  set_gauges();
  return count == kPerTick || expired == kPerTick;
}

void Receipts::set_gauges() {
  counters_.awaiting.set(awaiting_.size());
  counters_.parked.set(park_.size());
}

}  // namespace tollgate::carriers
