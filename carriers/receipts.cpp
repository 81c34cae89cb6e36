#include "carriers/receipts.h"

#include <algorithm>
#include <iterator>

#include "proto/limits.h"

namespace tollgate::carriers {

namespace {

constexpr std::int64_t kHourUs = 3'600'000'000;
constexpr std::size_t kNumber = 12;  // where the sequence_number stands in a header

// One receipt, sent twice: the sequence_number alone may differ.
bool same_but_number(proto::Octets a, proto::Octets b) {
  return a.size() == b.size() && std::equal(a.begin(), a.begin() + kNumber, b.begin()) &&
         std::equal(a.begin() + proto::kHeaderLength, a.end(), b.begin() + proto::kHeaderLength);
}

// What Awaiting keeps of a number's hash; never 0.
std::uint32_t part_of(std::uint64_t number) {
  return static_cast<std::uint32_t>(number >> 32) | 1;
}

}  // namespace

Receipts::Receipts(const Shared& shared, std::uint64_t seed)
    : config_(shared.config),
      dialect_(shared.dialect),
      events_(shared.events),
      counters_(shared.counters),
      outstanding_(shared.outstanding),
      number_seed_(shared.number_seed),
      awaiting_(config_.awaiting_max, seed),
      park_({config_.early_receipts_max, config_.early_octets_max}),
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
  out.addresses[0] = sm.source_addr;
  out.addresses[1] = sm.destination_addr;
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
  out.pdu = pdu;
  const proto::Octets body = pdu.subspan(proto::kHeaderLength);
  return proto::read_header(pdu.data()).command_id == proto::Command::data_sm
             ? read_as<proto::DataSm>(body, out)
             : read_as<proto::DeliverSm>(body, out);
}

// All but the sequence_number.
std::uint64_t Receipts::contents_of(proto::Octets pdu) const {
  return awaiting_.hash(pdu.first(kNumber)) ^ awaiting_.hash(pdu.subspan(proto::kHeaderLength));
}

proto::Status Receipts::deliver(proto::Octets pdu, std::int64_t now_us) {
  using proto::record::Dead;
  Read read;
  switch (this->read(pdu, read)) {
    case Reading::malformed:
      return bury_at_once(read, Dead::unreadable, proto::Status::ESME_RX_P_APPN);
    case Reading::message:
      counters_.mo.add();
      return config_.mo_status;
    case Reading::unreadable:
      return bury_at_once(read, Dead::unreadable, proto::Status::ESME_ROK);
    case Reading::receipt:
      break;
  }
  Match found = match(read);
  if (found == Match::doubtful && !room_for(read)) found = match(read, true);
  switch (found) {
    case Match::kept:
      set_gauges();
      return proto::Status::ESME_ROK;
    case Match::refused:
      counters_.receipts_refused.add();
      return proto::Status::ESME_RX_T_APPN;
    case Match::none:
    case Match::doubtful:
      break;
  }
  return unmatched(read, found == Match::doubtful, now_us);
}

bool Receipts::keep_dead(const Read& read, proto::record::Dead why, Answer answer) {
  const bool acknowledged = answer == Answer::given;
  if (!events_.dead({why, read.receipt.state, read.receipt.id, read.pdu, acknowledged})) {
    return false;
  }
  (why == proto::record::Dead::unreadable ? counters_.receipts_unreadable
                                          : counters_.receipts_unmatched)
      .add();
  return true;
}

proto::Status Receipts::bury_at_once(const Read& read, proto::record::Dead why,
                                     proto::Status kept) {
  if (keep_dead(read, why, Answer::waits)) return kept;
  counters_.receipts_refused.add();
  return proto::Status::ESME_RX_T_APPN;
}

bool Receipts::goes_to(const Awaiting::Meant& meant, const Read& read) const {
  return std::any_of(std::begin(read.addresses), std::end(read.addresses),
                     [&](std::string_view address) {
                       return part_of(hash_of_number(address, number_seed_)) == meant.number;
                     });
}

// Carriers write numbers in their own ways, or hide them: that a receipt's is another one says
// nothing by itself. It is another message's when that is in flight; or when it is the receipt that
// settled the id before, and the number is the one that went with that.
bool Receipts::may_mean(const Awaiting::Meant& meant, const Read& read, std::uint64_t hash,
                        bool last) const {
  if (meant.number == 0 || goes_to(meant, read)) return true;
  const auto before = awaiting_.settled(hash);
  const bool repeats = before && before->contents == contents_of(read.pdu);
  const auto others = [&](std::string_view address) {
    const std::uint64_t number = hash_of_number(address, number_seed_);
    return (!last && outstanding_.to(number)) || (repeats && part_of(number) == before->number);
  };
  return std::none_of(std::begin(read.addresses), std::end(read.addresses), others);
}

// What settled one of its ids is that message's, though a later message has its other id. And where
// some receipt has settled the id of its TLV, which goes before that of its text, it is another
// message's by the text only if the number says so.
bool Receipts::is_of_other_id(const Awaiting::Meant& meant, const Read& read,
                              std::size_t place) const {
  if (read.count == 1) return false;
  const auto by = awaiting_.settled(read.hashes[1 - place]);
  if (!by) return false;
  return by->contents == contents_of(read.pdu) || (place == 1 && !goes_to(meant, read));
}

Receipts::Match Receipts::match(const Read& read, bool last) {
  Match none = Match::none;
  for (std::size_t i = 0; i < read.count; ++i) {
    const auto meant = awaiting_.find(read.keys[i].view(), read.hashes[i]);
    if (!meant || is_of_other_id(*meant, read, i)) continue;
    if (!may_mean(*meant, read, read.hashes[i], last)) {
      none = Match::doubtful;
      continue;
    }
    const ReceiptFacts facts{is_final(read), dialect_.error_text(read.receipt.err)};
    if (!events_.receipt(meant->message, read.receipt, facts)) return Match::refused;
    const auto state = static_cast<std::size_t>(read.receipt.state);
    counters_.receipts[std::min(state, counters_.receipts.size() - 1)].add();
    if (facts.final) {
      awaiting_.settle(read.keys[i].view(), read.hashes[i], contents_of(read.pdu));
    }
    return Match::kept;
  }
  return none;
}

proto::Status Receipts::unmatched(const Read& read, bool doubtful, std::int64_t now_us) {
  const std::uint64_t contents = contents_of(read.pdu);
  const Settled settled = this->settled(read, contents);
  const bool may_be_early = outstanding_.since_us() <= now_us;
  const bool duplicate = is_duplicate(read, settled) && !may_be_early;
  if (duplicate || is_parked(read, contents)) {
    counters_.receipts_duplicate.add();
    return proto::Status::ESME_ROK;
  }
  const bool nobodys = settled != Settled::no && !may_be_early && !doubtful;
  if (nobodys || !room_for(read)) {
    return bury_at_once(read, proto::record::Dead::unmatched, proto::Status::ESME_ROK);
  }
  const bool known = doubtful || settled != Settled::no;
  const auto queue = known ? Park::Queue::reused : Park::Queue::first_wait;
  const Park::Item item = park(read, now_us, queue);
  if (item == Park::kNone) {
    counters_.receipts_refused.add();
    return proto::Status::ESME_RX_T_APPN;
  }
  counters_.receipts_early.add();
  park_.set_number(item, events_.parked(read.receipt.id, read.pdu));
  return proto::Status::ESME_ROK;
}

Receipts::Settled Receipts::settled(const Read& read, std::uint64_t contents) const {
  Settled result = Settled::no;
  for (std::size_t i = 0; i < read.count; ++i) {
    const auto by = awaiting_.settled(read.hashes[i]);
    if (by && by->contents == contents) return Settled::by_this;
    if (by) result = Settled::by_another;
  }
  return result;
}

bool Receipts::is_parked(const Read& read, std::uint64_t contents) const {
  return std::any_of(read.hashes, read.hashes + read.count, [&](std::uint64_t hash) {
    for (auto item = park_.first_of(hash); item != Park::kNone; item = park_.next_of(item, hash)) {
      if (park_.contents(item) == contents && same_but_number(parked_pdu(item), read.pdu)) {
        return true;
      }
    }
    return false;
  });
}

bool Receipts::room_for(const Read& read) const {
  return std::any_of(read.hashes, read.hashes + read.count,
                     [this](std::uint64_t hash) { return park_.room_for(hash); });
}

Park::Item Receipts::park(const Read& read, std::int64_t came_us, Park::Queue queue) {
  Park::Receipt receipt;
  // Under those of its ids that have room: some carriers write one id in the text of all.
  std::size_t count = 0;
  for (std::size_t i = 0; i < read.count; ++i) {
    if (park_.room_for(read.hashes[i])) receipt.keys[count++] = read.hashes[i];
  }
  if (count < 2) receipt.keys[1] = receipt.keys[0];
  receipt.contents = contents_of(read.pdu);
  receipt.came_us = came_us;
  receipt.deadline_us = came_us + std::int64_t{config_.timers.early_receipt_ms} * 1000;
  receipt.queue = queue;
  const Park::Item item = park_.add(receipt, read.pdu);
  set_gauges();
  return item;
}

void Receipts::restore(proto::Octets pdu, std::int64_t now_us, std::uint64_t number) {
  Read read;
  read.pdu = pdu;
  // From a file: whatever octets.
  const bool whole = pdu.size() >= proto::kHeaderLength && pdu.size() <= proto::kPduLengthMax;
  const bool readable = whole && this->read(pdu, read) == Reading::receipt;
  if (readable && match(read) == Match::kept) {
    return events_.unparked(number, proto::record::Unpark::matched);
  }
  const bool stays = readable && room_for(read);
  const Park::Item item = stays ? park(read, now_us, Park::Queue::first_wait) : Park::kNone;
  if (item != Park::kNone) return park_.set_number(item, number);
  // Parked when there was more room, or read by another dialect.
  const auto unmatched = proto::record::Dead::unmatched;
  if (events_.dead({unmatched, read.receipt.state, read.receipt.id, pdu, true})) {
    events_.unparked(number, proto::record::Unpark::unmatched);
  }
}

void Receipts::tell_parked() {
  park_.for_each([this](Park::Item item) {
    Read read;
    const proto::Octets pdu = parked_pdu(item);
    this->read(pdu, read);
    events_.still_parked(park_.number(item), read.receipt.id, pdu, park_.came_us(item));
  });
}

void Receipts::unpark(Park::Item item, proto::record::Unpark how) {
  events_.unparked(park_.number(item), how);
  park_.remove(item);
}

void Receipts::id_known(std::string_view id, const Sent& sent, std::int64_t now_us) {
  const IdKey key = dialect_.key(id, IdPlace::response);
  if (!key) {
    counters_.without_id.add();
    return;
  }
  const std::uint64_t hash = awaiting_.hash(key.view());
  const Awaiting::Meant meant{sent.message, sent.number == 0 ? 0 : part_of(sent.number)};
  switch (awaiting_.add(key.view(), hash, meant, now_us)) {
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

// A receipt that was here before its id came is that id's, if not shown to be another's.
void Receipts::retry(Park::Item item, std::int64_t now_us) {
  Read read;
  this->read(parked_pdu(item), read);  // it could be read when it was parked
  switch (match(read, true)) {
    case Match::kept:
      return unpark(item, proto::record::Unpark::matched);
    case Match::refused:
      return park_.wait(item, Park::Queue::again, now_us + kAgainUs);
    case Match::none:
    case Match::doubtful:
      break;
  }
  // One before it has settled the id, or it repeats what did long ago.
  park_.wait(item, Park::Queue::reused,
             now_us + std::int64_t{config_.timers.early_receipt_ms} * 1000);
}

void Receipts::resolve(Park::Item item, std::int64_t now_us) {
  using proto::record::Unpark;
  Read read;
  this->read(parked_pdu(item), read);
  switch (match(read, true)) {
    case Match::kept:
      return unpark(item, Unpark::matched);
    case Match::refused:
      return park_.wait(item, Park::Queue::again, now_us + kAgainUs);
    case Match::none:
    case Match::doubtful:
      break;
  }
  if (is_duplicate(read, settled(read, park_.contents(item)))) {
    counters_.receipts_duplicate.add();
    return unpark(item, Unpark::duplicate);
  }
  if (keep_dead(read, proto::record::Dead::unmatched, Answer::given)) {
    return unpark(item, Unpark::unmatched);
  }
  park_.wait(item, Park::Queue::again, now_us + kAgainUs);
}

bool Receipts::tick(std::int64_t now_us) {
  std::size_t count = 0;
  for (; count < kPerTick; ++count) {
    const Park::Item item =
        park_.size() == 0 ? Park::kNone : park_.due(now_us, outstanding_.since_us());
    if (item == Park::kNone) break;
    resolve(item, now_us);
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
