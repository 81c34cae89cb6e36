#include "tests/sim/client.h"

#include <array>
#include <cstdio>
#include <cstdlib>

#include "proto/text.h"

namespace tollgate::sim {

using proto::Command;
using proto::Status;

Client::Client(Ground& ground, const Plan& plan, unsigned number, Book& book)
    : ground_(ground),
      plan_(plan.clients[number]),
      net_plan_(plan.net),
      number_(number),
      name_(number == 0 ? "shop" : "depot"),
      book_(book),
      sessions_(plan_.sessions + (plan_.old ? 1U : 0U)),
      away_until_us_(sessions_.size()) {
  ground_.after(ground_.random.exponential(plan_.gap_us), [this] { submit(); });
}

void Client::second() {
  if (!ground_.quiet && plan_.absent > 0 && ground_.random.chance(plan_.absent)) {
    absent_until_us_ = ground_.us() + ground_.random.between(kMinute, 30 * kMinute);
    ground_.note("client: absent", number_, static_cast<std::uint64_t>(absent_until_us_));
    for (const auto& session : sessions_) {
      if (session != nullptr) session->link->reset();
    }
  }
  for (std::size_t i = 0; i < sessions_.size(); ++i) {
    auto& session = sessions_[i];
    if (session == nullptr) {
      connect(i);
    } else if (!ground_.quiet && ground_.random.chance(net_plan_.reset)) {
      ground_.note("client: reset", number_);
      session->link->reset();
    } else if (!ground_.quiet && ground_.random.chance(plan_.leave)) {
      ground_.note("client: leaves", number_);
      session->link->hang_up();
      away_until_us_[i] = ground_.us() + ground_.random.between(0, 90 * kSecond);
    }
  }
}

void Client::connect(std::size_t slot) {
  if (net_ == nullptr || !net_->listening()) return;
  if (ground_.us() < absent_until_us_) return;
  if (!ground_.quiet && ground_.us() < away_until_us_[slot]) return;
  auto session = std::make_shared<Session>();
  const core::Address peer{"198.51.100.1", static_cast<std::uint16_t>(40'000 + number_)};
  session->link = std::make_unique<Link>(ground_, net_plan_, net_->call(peer));
  const bool old = plan_.old && slot < 2;
  session->transmits = !old || slot == 0;
  proto::Bind bind;
  bind.system_id = name_;
  bind.password = "pw";
  bind.interface_version = old ? 0x33 : 0x34;
  std::array<std::uint8_t, 256> octets;
  const Command kind = !old                 ? Command::bind_transceiver
                       : session->transmits ? Command::bind_transmitter
                                            : Command::bind_receiver;
  const std::size_t length =
      proto::encode_with({0, kind, Status::ESME_ROK, session->link->next_sequence()}, bind, octets);
  session->link->send(std::string(octets.begin(), octets.begin() + length));
  sessions_[slot] = std::move(session);
  ground_.note("client: connects", number_);
}

void Client::step() {
  for (auto& slot : sessions_) {
    const std::shared_ptr<Session> session = slot;
    if (session == nullptr) continue;
    for (const Seen& pdu : session->link->step()) on_pdu(session, pdu);
    if (session->link->open()) continue;
    ground_.note("client: link ended", number_);
    slot.reset();
  }
}

void Client::gateway_crashed() {
  net_ = nullptr;
  for (const auto& session : sessions_) {
    if (session != nullptr) session->link->gateway_crashed();
  }
  step();
}

void Client::on_pdu(const std::shared_ptr<Session>& session, const Seen& pdu) {
  const std::uint32_t sequence = pdu.header.sequence_number;
  const Status status = pdu.header.command_status;
  switch (pdu.header.command_id) {
    case Command::bind_transmitter_resp:
    case Command::bind_receiver_resp:
    case Command::bind_transceiver_resp:
      session->bound = status == Status::ESME_ROK;
      ground_.note("client: bind_resp", number_, 0, proto::status_name(status));
      if (!session->bound) session->link->hang_up();
      return;
    case Command::submit_sm_resp: {
      const auto asked = session->asked.find(sequence);
      if (asked == session->asked.end()) return book_.wrong("a response to nothing", 0xFFFFFFFF);
      std::string id;
      if (status == Status::ESME_ROK) id = pdu.as<proto::SubmitSmResp>().message_id;
      ground_.note("client: submit_sm_resp", number_, asked->second,
                   id.empty() ? proto::status_name(status) : id);
      book_.answered(asked->second, status, id);
      session->asked.erase(asked);
      return;
    }
    case Command::submit_multi_resp: {
      const auto asked = session->asked.find(sequence);
      if (asked == session->asked.end()) return book_.wrong("a response to nothing", 0xFFFFFFFF);
      on_multi_response(asked->second, pdu);
      session->asked.erase(asked);
      return;
    }
    case Command::deliver_sm:
      return on_receipt(session, pdu);
    case Command::enquire_link:
      return session->link->answer(Command::enquire_link_resp, sequence, Status::ESME_ROK);
    case Command::unbind:
      return session->link->answer(Command::unbind_resp, sequence, Status::ESME_ROK);
    default:
      return;
  }
}

void Client::on_multi_response(Tag first, const Seen& pdu) {
  const Status status = pdu.header.command_status;
  proto::SubmitMultiResp response;
  if (status == Status::ESME_ROK) response = pdu.as<proto::SubmitMultiResp>();
  ground_.note("client: submit_multi_resp", number_, first,
               status == Status::ESME_ROK ? response.message_id : proto::status_name(status));
  unsigned accepted = 0;
  for (Tag tag = first, last = book_.last_of(first); tag <= last; ++tag) {
    Status own = status;
    for (const proto::UnsuccessSme& one : response.unsuccess_smes) {
      if (one.destination_addr == book_.story(tag).number) own = one.error_status_code;
    }
    const bool ok = own == Status::ESME_ROK;
    book_.answered(tag, own, ok ? response.message_id : std::string_view(), accepted);
    accepted += ok ? 1 : 0;
  }
}

void Client::on_receipt(const std::shared_ptr<Session>& session, const Seen& pdu) {
  const auto sm = pdu.as<proto::DeliverSm>();
  proto::Receipt receipt;
  std::array<char, 1024> scratch;
  if (!proto::parse_receipt(sm, receipt, scratch)) {
    return book_.wrong("a receipt that cannot be read", 0xFFFFFFFF);
  }
  const std::string_view id =
      receipt.id_from_tlv && !receipt.text_id.empty() ? receipt.text_id : receipt.id;
  Random& random = ground_.random;
  const bool later = !ground_.quiet && random.chance(plan_.later);
  const bool silent = !ground_.quiet && random.chance(plan_.silent);
  const bool taken = !later && !silent;
  ground_.note("client: receipt", number_, taken ? 1 : 0, id);
  book_.told(number_, id, sm.source_addr, receipt.state, receipt.err, receipt.intermediate, taken);
  if (silent) return;
  const Status status = later ? Status::ESME_RX_T_APPN : Status::ESME_ROK;
  const bool slow = !ground_.quiet && random.chance(plan_.slow);
  const std::int64_t delay_us = slow ? random.between(0, 20 * kSecond) : 0;
  const std::uint32_t sequence = pdu.header.sequence_number;
  if (delay_us == 0) {
    return session->link->answer(Command::deliver_sm_resp, sequence, status);
  }
  ground_.after(delay_us,
                [=] { session->link->answer(Command::deliver_sm_resp, sequence, status); });
}

void Client::submit() {
  if (ground_.quiet) return;
  Random& random = ground_.random;
  ground_.after(random.exponential(plan_.gap_us), [this] { submit(); });
  const auto& session = sessions_[random.below(sessions_.size())];
  std::uint64_t count = random.chance(plan_.burst) ? 1 + random.below(30) : 1;
  for (; count > 0; --count) {
    if (session == nullptr || !session->bound || !session->transmits) return;
    if (session->asked.size() >= 100) return;
    submit_on(*session);
  }
}

std::string Client::any_number() {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "4477009%u%04u", number_,
                static_cast<unsigned>(ground_.random.below(plan_.numbers)));
  return text.data();
}

// To some of the numbers, each once.
void Client::submit_multi_on(Session& session, const proto::SubmitSm& sm, Tag first) {
  proto::SubmitMulti multi;
  multi.source_addr_ton = sm.source_addr_ton;
  multi.source_addr = sm.source_addr;
  multi.registered_delivery = sm.registered_delivery;
  multi.short_message = sm.short_message;
  for (std::uint64_t i = 1 + ground_.random.below(4); i > 0; --i) {
    const std::string number = any_number();
    const Tag last = book_.last_of(first);
    Tag same = first;
    while (same <= last && book_.story(same).number != number) ++same;
    if (same > last) book_.asked_too(first, number);
  }
  std::array<std::uint8_t, 256> octets;
  std::size_t length = 0;
  const Tag last = book_.last_of(first);
  for (Tag tag = first; tag <= last; ++tag) {
    length = proto::append(octets, length, proto::Destination{1, 1, 1, book_.story(tag).number});
  }
  multi.dest_addresses = {static_cast<std::uint8_t>(last - first + 1),
                          proto::Octets(octets).first(length)};
  ground_.note("client: submit_multi", number_, first, sm.destination_addr);
  session.asked[session.link->send(multi)] = first;
}

void Client::submit_on(Session& session) {
  Random& random = ground_.random;
  static constexpr std::uint8_t kWants[] = {1, 1, 1, 1, 1, 0x11, 2, 0};
  const std::uint8_t wants = kWants[random.below(std::size(kWants))];
  const std::string number = any_number();
  std::array<char, 32> text;
  const Tag tag = book_.asked(number_, number, wants);
  std::snprintf(text.data(), text.size(), "t%08u ", tag);
  const std::string body = text.data() + std::string(random.below(120), 'x');
  proto::SubmitSm sm;
  sm.source_addr_ton = 5;
  sm.source_addr = "SHOP";
  sm.dest_addr_ton = 1;
  sm.dest_addr_npi = 1;
  sm.destination_addr = number;
  sm.registered_delivery = wants;
  if (wants == 1 && random.chance(0.05)) sm.validity_period = "000000000030000R";  // 30 s
  sm.short_message = proto::as_octets(body);
  if (plan_.multi > 0 && random.chance(plan_.multi)) return submit_multi_on(session, sm, tag);
  ground_.note("client: submit_sm", number_, tag, number);
  session.asked[session.link->send(sm)] = tag;
}

}  // namespace tollgate::sim
