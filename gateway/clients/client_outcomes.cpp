// What becomes of a message after it was accepted: the second half of ClientHome.
#include <algorithm>
#include <functional>

#include "gateway/clients/client_home.h"
#include "gateway/clients/session.h"
#include "proto/saturated.h"
#include "proto/time.h"

namespace tollgate::gateway {

using proto::MessageState;
using proto::Status;

namespace {

constexpr std::int64_t kWaitUs = 50'000;
constexpr std::int64_t kSpilledUs = 1'000;  // a pass goes on, after mail was spilled
constexpr std::size_t kWaitingPerTurn = 2'000;
constexpr std::int64_t kSweepEveryUs = 10'000;
constexpr std::int64_t kSweepIdleUs = 250'000;
constexpr std::int64_t kLookUs = 1'000'000;  // between looks at every client, or waiting message
constexpr std::uint32_t kSweepParts = 500;   // of the ledger, each sweep one

// The refusing status as a receipt's err: hexadecimal, as in the specification's tables.
ShortText<10> error_text(Status status) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::array<char, 8> digits;
  auto value = static_cast<std::uint32_t>(status);
  std::size_t at = digits.size();
  while (value != 0 || at > digits.size() - 3) {
    digits[--at] = kDigits[value & 0xf];
    value >>= 4;
  }
  ShortText<10> text;
  text = std::string_view(digits.data() + at, digits.size() - at);
  return text;
}

}  // namespace

// Orders the message from its first candidate, `from` or later, that is up and has room; one that
// has little of the client's queue comes before one that has much. While mail is spilled nothing is
// ordered, but for a relayed message: it cannot wait. Nor does one that has not waited take a place
// that one which waits wants.
bool ClientHome::order(Message& message, std::uint8_t from, Turn turn) {
  if (!outbox_.empty() && message.relay == 0) return false;
  const std::vector<routing::CarrierState>& carriers =
      turn == Turn::waited ? pass_carriers_ : carriers_;
  const bool last = turn == Turn::comes && message.relay == 0 && !waiting_.empty();
  Client& client = *clients_[message.client];
  std::uint8_t best = message.candidates;
  for (std::uint8_t i = from; i < message.candidates; ++i) {
    const std::uint16_t carrier = message.carriers[i];
    if (!carriers[carrier].up || !carriers[carrier].has_room || left_[carrier].places == 0)
      continue;
    if (last && wanted_[carrier] != 0) continue;
    const bool little = client.little_for(carrier, windows_[carrier]);
    if (little || best == message.candidates) best = i;
    if (little) break;
  }
  if (best == message.candidates) return false;
  const std::uint16_t carrier = message.carriers[best];
  client.charge(message, carrier, shard_.now());
  message.candidate = best;
  message.carrier = carrier;
  take_place(message);
  ++message.attempt;
  message.stage = Stage::placed;
  const OrderMail mail{message.id, message.deadline_us, carrier, message.attempt};
  outbox_.post(homes_.of_carrier(carrier), MailType::order, mail, message.body_octets());
  return true;
}

void ClientHome::take_place(const Message& message) {
  constexpr std::uint32_t kBlocks = 256;  // what its blocks take beyond it, at most
  Left& left = left_[message.carrier];
  --left.places;
  if (message.body_length > carriers::CarrierState::kFreeOctets) {
    left.octets -= std::min(left.octets, message.body_length + kBlocks);
  }
  if (left.places != 0 && left.octets >= proto::kPduLengthMax) return;
  left.places = 0;
  carriers_[message.carrier].has_room = false;
  pass_carriers_[message.carrier].has_room = false;
}

void ClientHome::place(Message& message, std::uint8_t from, const core::Now& now) {
  if (order(message, from, Turn::comes)) return;
  if (message.candidates != 0) return wait(message, now);
  fail(message, MessageState::undeliverable, message.status, now);
}

std::uint64_t ClientHome::number_of(const Message& message) {
  const std::uint64_t hash = std::hash<std::string_view>{}(message.destination.address.view());
  return hash ^ message.client * 0x9E3779B97F4A7C15U;
}

bool ClientHome::number_waits(const Message& message) const {
  return number_fenced(message) ||
         (!waiting_.empty() && waiting_numbers_.contains(number_of(message)));
}

void ClientHome::waits_no_more(const Message& message) {
  const auto at = waiting_numbers_.find(number_of(message));
  if (--at->second == 0) waiting_numbers_.erase(at);
}

// Twice as long with each round, less a part of up to a half that its id chooses: what was refused
// in one moment does not come back in one.
void ClientHome::back_off(Message& message, const core::Now& now) {
  const GatewayConfig& gateway = config_.gateway;
  const unsigned doublings = std::min<unsigned>(message.rounds, 16);
  const std::int64_t full_us = std::min(gateway.retry_first_us << doublings, gateway.retry_max_us);
  const std::uint64_t draw = (message.id + message.rounds) * 0x9E3779B97F4A7C15U >> 32;
  if (message.rounds != 0xFF) ++message.rounds;
  message.for_now = 0;
  message.retry_us = now.mono_us + full_us -
                     static_cast<std::int64_t>(draw % static_cast<std::uint64_t>(full_us / 2 + 1));
  counters_.ledger.back_offs.add();
}

// Nothing is ordered there before all that it sends back is here.
void ClientHome::fence(std::uint16_t carrier) {
  carriers_[carrier].has_room = false;
  pass_carriers_[carrier].has_room = false;
  if (fenced_[carrier]) return;
  fenced_[carrier] = true;
  const FenceMail mail{0, 0, carrier, static_cast<std::uint16_t>(shard_.index())};
  outbox_.post(homes_.of_carrier(carrier), MailType::fence, mail);
}

// Nothing is ordered to that number before all that its carrier sends back of it is here.
void ClientHome::fence_number(const OutcomeMail& mail, const Message* message) {
  const std::uint64_t number = message == nullptr ? 0 : number_of(*message);
  ++fenced_numbers_[number];
  pass_numbers_.insert(number);  // the message may lie before where a pass is
  const FenceMail fence{mail.message, number, mail.carrier,
                        static_cast<std::uint16_t>(shard_.index())};
  outbox_.post(homes_.of_carrier(mail.carrier), MailType::fence, fence);
}

void ClientHome::on_fence_passed(const FenceMail& mail) {
  if (mail.message == 0) {
    fenced_[mail.carrier] = false;
    return;
  }
  const auto at = fenced_numbers_.find(mail.number);
  if (--at->second == 0) fenced_numbers_.erase(at);
}

void ClientHome::wait(Message& message, const core::Now& now) {
  if (message.for_now != 0) {
    back_off(message, now);
  } else {
    want(message);
  }
  if (message.charged == kNoCarrier && message.candidates != 0) {
    clients_[message.client]->charge(message, message.carriers[0], now);
  }
  message.stage = Stage::waiting;
  ++waiting_numbers_[number_of(message)];
  waiting_.insert(message.id);
  count_waiting();
  if (!waiting_timer_.armed()) shard_.timers().arm(waiting_timer_, now.mono_us + kWaitUs);
}

void ClientHome::want(const Message& message) {
  for (std::uint8_t i = 0; i < message.candidates; ++i) {
    wanted_[message.carriers[i]] = wanted_in_pass_[message.carriers[i]] = 1;
  }
}

// It, or one to its number that was accepted before it; or its number is fenced.
bool ClientHome::in_back_off(const Message& message, const core::Now& now) {
  if (message.retry_us > now.mono_us || number_fenced(message)) {
    pass_numbers_.insert(number_of(message));
    return true;
  }
  return !pass_numbers_.empty() && pass_numbers_.contains(number_of(message));
}

void ClientHome::begin_pass(const core::Now& now) {
  pass_at_ = 0;
  pass_us_ = now.mono_us;
  pass_carriers_ = carriers_;
  pass_numbers_.clear();
  std::fill(wanted_in_pass_.begin(), wanted_in_pass_.end(), std::uint8_t{0});
  looks_at_all_ = now.mono_us - looked_all_us_ >= kLookUs;
  if (looks_at_all_) looked_all_us_ = now.mono_us;
}

void ClientHome::retry_waiting(const core::Now& now) {
  passes_soon_ = false;
  if (!passing_) begin_pass(now);
  const std::size_t octets_max = shard_.to(shard_.index()).capacity() / 4;
  std::size_t octets = 0;
  passing_ = looks_at_all_ || any_has_room();
  auto at = waiting_.lower_bound(pass_at_);
  for (std::size_t i = 0; passing_ && i < kWaitingPerTurn && at != waiting_.end(); ++i) {
    if (octets >= octets_max || !outbox_.empty()) break;
    Message& message = *ledger_.find(*at);
    const bool expired = message.deadline_us <= now.mono_us;
    const bool rests = !expired && in_back_off(message, now);
    if (rests || (!expired && !order(message, 0, Turn::waited))) {
      if (!rests) want(message);
      ++at;
      continue;
    }
    at = waiting_.erase(at);
    waits_no_more(message);
    octets += core::Mailbox::record_size(sizeof(OrderMail) + message.body_length);
    if (expired) fail(message, MessageState::expired, Status::ESME_ROK, now);
  }
  if (at == waiting_.end()) wanted_ = wanted_in_pass_;  // it has seen all
  passing_ = passing_ && at != waiting_.end();
  if (passing_) pass_at_ = *at;
  count_waiting();
  if (waiting_.empty()) return;
  // A long pass leaves as much time to others as it took.
  const std::int64_t rest_us = std::max(kWaitUs, now.mono_us - pass_us_);
  const std::int64_t next_us = outbox_.empty() ? 0 : kSpilledUs;
  shard_.timers().arm(waiting_timer_, now.mono_us + (passing_ ? next_us : rest_us));
}

bool ClientHome::any_has_room() const {
  return std::any_of(pass_carriers_.begin(), pass_carriers_.end(),
                     [](const auto& carrier) { return carrier.up && carrier.has_room; });
}

void ClientHome::count_waiting() {
  counters_.ledger.waiting.set(waiting_.size());
}

void ClientHome::on_outcome(const OutcomeMail& mail, std::string_view id, const core::Now& now) {
  Message* message = ledger_.find(mail.message);
  if (mail.outcome == Outcome::down) fence(mail.carrier);
  if (mail.outcome == Outcome::later || mail.outcome == Outcome::behind) {
    fence_number(mail, message);
  }
  if (message == nullptr || message->stage != Stage::placed || mail.attempt < message->attempt) {
    counters_.ledger.late_outcomes.add();
    return;
  }
  message->status = static_cast<Status>(mail.status);
  message->attempt = mail.attempt;
  tried(*message, mail, now);
  if (message->relay != 0) return on_relay_outcome(*message, mail, id, now);
  switch (mail.outcome) {
    case Outcome::sent:
      message->carrier_message_id = id;
      return taken(*message, now);
    case Outcome::refused:
      return fail(*message, MessageState::rejected, message->status, now);
    case Outcome::expired:
      return fail(*message, MessageState::expired, Status::ESME_ROK, now);
    case Outcome::down:
      counters_.carriers[mail.carrier].failovers.add();
      if (number_waits(*message)) return wait(*message, now);
      return place(*message, static_cast<std::uint8_t>(message->candidate + 1), now);
    case Outcome::later:
      counters_.carriers[mail.carrier].failovers.add();
      message->for_now = 1;
      return place(*message, static_cast<std::uint8_t>(message->candidate + 1), now);
    case Outcome::next:
      counters_.carriers[mail.carrier].failovers.add();
      drop_candidate(*message);
      return place(*message, message->candidate, now);
    case Outcome::in_doubt:
      return doubt(*message, now);
    case Outcome::behind:
      return wait(*message, now);
  }
}

// It may have been sent: the carrier's policy says what is worse, twice or not at all.
void ClientHome::doubt(Message& message, const core::Now& now) {
  ClientCounters& counters = clients_[message.client]->counters();
  const auto policy = message.carrier == kNoCarrier
                          ? carriers::InDoubt::hold
                          : peers().carriers[message.carrier].config->in_doubt;
  if (policy == carriers::InDoubt::fail) {
    return fail(message, MessageState::unknown, message.status, now);
  }
  if (policy == carriers::InDoubt::resend && message.body && message.resends < kResendsMax) {
    ++message.resends;
    counters.resent.add();
    return place(message, message.candidate, now);
  }
  if (message.body) no_longer_unsent(message);
  message.stage = Stage::in_doubt;
  message.deadline_us = now.mono_us + config_.gateway.in_doubt_hold_us;
  counters.in_doubt.add();
}

void ClientHome::now_unsent(Message& message, const core::Now& now) {
  unsent_octets_.used += message.body.capacity();
  clients_[message.client]->add_unsent(message, now);
  counters_.ledger.unsent_octets.set(unsent_octets_.used);
  ++unsent_;
}

void ClientHome::no_longer_unsent(Message& message) {
  Client& client = *clients_[message.client];
  unsent_octets_.used -= message.body.capacity();
  client.sub_unsent(message);
  counters_.ledger.unsent_octets.set(unsent_octets_.used);
  message.body.reset();
  --unsent_;
  touch(client);  // its paused sessions may go on
}

void ClientHome::count_money(const Message& message) {
  const routing::Nano price = proto::product(message.price_nano, message.segments);
  const routing::Nano cost = proto::product(message.cost_nano[message.candidate], message.segments);
  const routing::Nano margin = proto::difference(price, cost);
  CarrierMoneyCounters& carrier = counters_.carriers[message.carrier];
  carrier.sent.add();
  add_signed(carrier.cost_nano, cost);
  add_signed(carrier.revenue_nano, price);
  add_signed(carrier.margin_nano, margin);
  ClientCounters& client = clients_[message.client]->counters();
  add_signed(client.revenue_nano, price);
  add_signed(client.margin_nano, margin);
}

void ClientHome::taken(Message& message, const core::Now& now) {
  no_longer_unsent(message);
  count_money(message);
  if (!wants_receipt(message.registered_delivery)) return settle(message, How::no_receipt);
  message.stage = Stage::awaiting;
  message.deadline_us = now.mono_us + clients_[message.client]->config().receipt_keep_us;
}

// No carrier takes it, or nobody knows: the client hears so, if it asked to.
void ClientHome::fail(Message& message, MessageState state, Status status, const core::Now& now) {
  if (message.body) no_longer_unsent(message);
  ClientCounters& counters = clients_[message.client]->counters();
  (state == MessageState::expired ? counters.expired : counters.failed).add();
  Notice last;
  last.state = state;
  last.error = error_text(status);
  last.done_wall_us = now.wall_us;
  recorder_.ended(message, last);
  end(message, last, now);
}

// Nothing more will come for it: `last` is the last word, if the client wants to hear it. An
// intermediate notice that is on its way still is what it was.
void ClientHome::end(Message& message, const Notice& last, const core::Now& now) {
  Client& client = *clients_[message.client];
  if (message.stage == Stage::in_doubt) client.counters().in_doubt.sub();
  if (wants_receipt(message.registered_delivery)) client.sub_owing();
  message.stage = Stage::told;
  message.deadline_us = now.mono_us + client.config().receipt_keep_us;
  if (message.particulars != nullptr) message.particulars->last = last;
  if (wants_final(message.registered_delivery, last.state)) {
    message.notice = last;
    client.delivery().push(message);
    touch(client);
  } else if (message.queued == 0 && message.in_flight == 0) {
    settle(message, How::no_receipt);
  }
}

void ClientHome::settle(Message& message, How how) {
  message.relay == 0 ? recorder_.settled(message, how) : recorder_.relay_settled(message);
  counters_.ledger.settled.add();
  clients_[message.client]->counters().settled.add();
  ledger_.settle(message);
  counters_.ledger.messages.set(ledger_.size());
}

void ClientHome::on_receipt(const ReceiptMail& mail, const core::Now& now) {
  Message* message = ledger_.find(mail.message);
  if (message == nullptr || message->stage == Stage::told) return too_late(mail, message);
  Client& client = *clients_[message->client];
  const auto state = static_cast<std::size_t>(mail.notice.state);
  client.counters().receipts[state].add();
  counters_.carriers[mail.carrier].receipts[state].add();
  if (mail.notice.intermediate) {
    if (!wants_intermediate(message->registered_delivery)) return;
    message->notice = mail.notice;
    client.delivery().push(*message);
    touch(client);
    return;
  }
  const std::int64_t took_us = now.mono_us - message->accepted_us;
  client.counters().receipt_us.observe(took_us);
  counters_.carriers[mail.carrier].receipt_us.observe(took_us);
  // It never answered, and had it all the same.
  if (message->carrier == kNoCarrier) message->carrier = mail.carrier;
  if (message->stage == Stage::in_doubt) count_money(*message);
  if (message->particulars != nullptr) message->particulars->receipt_wall_us = now.wall_us;
  end(*message, mail.notice, now);
}

// Its message was ended without it, and the client told so: nobody else will hear of this one.
void ClientHome::too_late(const ReceiptMail& mail, const Message* message) {
  counters_.ledger.late_outcomes.add();
  if (mail.notice.intermediate) return;
  proto::record::DeadLetter letter;
  letter.message = mail.message;
  letter.why = proto::record::Dead::late;
  letter.state = mail.notice.state;
  letter.carrier = recorder_.carrier_name(mail.carrier);
  if (message != nullptr) letter.carrier_message_id = message->carrier_message_id.view();
  recorder_.dead_letter(letter);
}

// Messages that hold on to a receipt which does not come; a part of the ledger each time.
void ClientHome::sweep(const core::Now& now) {
  const std::uint32_t places = ledger_.places();
  const std::uint32_t part = std::min(places, places / kSweepParts + 64);
  for (std::uint32_t i = 0; i < part; ++i) {
    if (swept_ >= places) swept_ = 0;
    const std::uint32_t place = swept_++;
    if (!ledger_.live(place)) continue;
    Message& message = ledger_.at(place);
    const bool held = message.stage == Stage::in_doubt || message.stage == Stage::awaiting;
    if (held && message.deadline_us <= now.mono_us) {
      fail(message, MessageState::unknown, message.status, now);
      continue;
    }
    if (recorder_.old(message)) {
      recorder_.carried(message);
    }
    if (message.behind == 0) continue;
    Client& client = *clients_[message.client];
    if (client.delivery().overflows()) continue;
    client.delivery().push(message);
    touch(client);
  }
  if (now.mono_us - looked_us_ >= kLookUs) look_at_clients(now);
  shard_.timers().arm(sweep_timer_,
                      now.mono_us + (ledger_.size() == 0 ? kSweepIdleUs : kSweepEveryUs));
}

void ClientHome::look_at_clients(const core::Now& now) {
  looked_us_ = now.mono_us;
  for (const auto& client : clients_) {
    if (!client) continue;
    if (client->delivery().due(now)) touch(*client);
    std::uint32_t unanswered = 0;
    for (Session* session : client->sessions()) unanswered += session->unanswered();
    client->counters().window_in_use.set(unanswered);
  }
}

QueryAnswer ClientHome::query(const Message& message) const {
  QueryAnswer answer;
  if (message.stage != Stage::told) return answer;  // ENROUTE
  answer.state = message.notice.state;
  std::array<char, 16> text;
  const std::size_t length = proto::format_time(message.notice.done_wall_us / 1'000'000, text);
  answer.final_date = std::string_view(text.data(), length);
  return answer;
}

}  // namespace tollgate::gateway
