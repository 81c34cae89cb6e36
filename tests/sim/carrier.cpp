#include "tests/sim/carrier.h"

#include <array>
#include <charconv>
#include <cstdlib>

#include "proto/text.h"

namespace tollgate::sim {

using proto::Command;
using proto::MessageState;
using proto::Status;

namespace {

constexpr std::int64_t kReceiptTimeoutUs = 20 * kSecond;
// Longer than duplicates of an old receipt wander, or stay parked.
constexpr std::int64_t kIdRestsUs = 4 * kMinute;

Tag tag_of(const proto::SubmitSm& sm) {
  const std::string_view text = proto::as_text(sm.short_message);
  Tag tag = 0xFFFFFFFF;
  if (text.size() > 8 && text[0] == 't') std::from_chars(text.data() + 1, text.data() + 9, tag);
  return tag;
}

}  // namespace

bool Carrier::accept(const std::shared_ptr<core::Wire>& wire) {
  if (!ground_.quiet && ground_.us() < away_until_us_) return false;
  auto bind = std::make_shared<Bind>();
  bind->link = std::make_unique<Link>(ground_, net_, wire);
  binds_.push_back(std::move(bind));
  ground_.note("carrier: connected", number_);
  return true;
}

void Carrier::step() {
  for (std::size_t i = 0; i < binds_.size(); ++i) {
    const std::shared_ptr<Bind> bind = binds_[i];
    const std::vector<Seen> pdus = bind->link->step();
    look_at(*bind);
    for (const Seen& pdu : pdus) on_pdu(bind, pdu);
  }
  const auto ended = [&](const auto& bind) {
    if (bind->link->open()) return false;
    ground_.note("carrier: link ended", number_);
    book_.loss();
    book_.route_changes();
    return true;
  };
  std::erase_if(binds_, ended);
}

void Carrier::look_at(Bind& bind) {
  const std::uint64_t consumed = bind.link->consumed();
  while (!bind.responses.empty() && bind.responses.front().end <= consumed) {
    const Bind::Response& response = bind.responses.front();
    book_.consumed(response.tag, response.submit);
    bind.open.erase(bind.open.find(response.asked_us));
    bind.responses.pop_front();
  }
  for (auto& [sequence, told] : bind.told) {
    if (told.read_us == kNever && told.end <= consumed) told.read_us = ground_.us();
  }
}

void Carrier::second() {
  if (ground_.quiet) return;
  for (const auto& bind : binds_) {
    if (ground_.random.chance(net_.reset)) {
      ground_.note("carrier: reset", number_);
      bind->link->reset();
    }
  }
  if (!ground_.random.chance(plan_.leave)) return;
  away_until_us_ = ground_.us() + ground_.random.between(kSecond, kMinute);
  ground_.note("carrier: leaves", number_, static_cast<std::uint64_t>(away_until_us_));
  for (const auto& bind : binds_) bind->link->reset();
}

void Carrier::gateway_crashed() {
  for (const auto& bind : binds_) {
    look_at(*bind);
    bind->link->gateway_crashed();
  }
  step();
}

void Carrier::on_pdu(const std::shared_ptr<Bind>& bind, const Seen& pdu) {
  const std::uint32_t sequence = pdu.header.sequence_number;
  const Command command = pdu.header.command_id;
  if (proto::is_bind(command)) {
    std::string octets = gateway::octets_of(proto::BindTransceiverResp{}, sequence);
    proto::store_u32(reinterpret_cast<std::uint8_t*>(octets.data()) + 4,
                     static_cast<std::uint32_t>(proto::response_of(command)));
    bind->link->send(std::move(octets));
    bind->bound = true;
    bind->receives = command != Command::bind_transmitter;
    book_.route_changes();
  } else if (command == Command::submit_sm) {
    on_submit(bind, pdu);
  } else if (command == Command::enquire_link) {
    bind->link->answer(Command::enquire_link_resp, sequence, Status::ESME_ROK);
  } else if (command == Command::unbind) {
    bind->link->answer(Command::unbind_resp, sequence, Status::ESME_ROK);
    bind->bound = false;
  } else if (command == Command::deliver_sm_resp) {
    on_receipt_response(*bind, pdu.header);
  }
}

std::int64_t Carrier::response_delay() {
  if (!ground_.quiet && ground_.random.chance(plan_.slow)) {
    return ground_.random.between(0, 120 * kSecond);
  }
  return ground_.random.exponential(30 * kMs);
}

void Carrier::on_submit(const std::shared_ptr<Bind>& bind, const Seen& pdu) {
  static constexpr Status kRefusals[] = {
      Status::ESME_RSYSERR,    Status::ESME_RSUBMITFAIL, Status::ESME_RINVDSTADR,
      Status::ESME_RX_T_APPN,  Status::ESME_RX_P_APPN,   Status::ESME_RINVSRCADR,
      Status::ESME_RINVMSGLEN, Status::ESME_RINVSERTYP,  static_cast<Status>(0x433)};
  const auto sm = pdu.as<proto::SubmitSm>();
  const Tag first = tag_of(sm);
  if (!book_.known(first)) return book_.wrong("submitted what nobody wrote", first);
  const Tag tag = book_.of(first, sm.destination_addr);
  // What is in doubt is at most a window: one that was asked so long ago may have left it.
  bind->open.insert(ground_.us());
  const auto recent = bind->open.upper_bound(ground_.us() - kSurelyInTimeUs);
  if (static_cast<std::size_t>(std::distance(recent, bind->open.end())) > window_) {
    return book_.wrong("P3: more submits without a response than the window has", tag);
  }
  const std::size_t submit = book_.submitted(tag, number_, sm.destination_addr);
  ground_.note("carrier: submit_sm", number_, tag);
  const std::uint32_t sequence = pdu.header.sequence_number;
  if (!ground_.quiet) {
    Status status = Status::ESME_ROK;
    if (ground_.random.chance(plan_.refuse)) {
      status = kRefusals[ground_.random.below(std::size(kRefusals))];
    } else if (ground_.random.chance(plan_.throttle)) {
      status = ground_.random.chance(0.5) ? Status::ESME_RTHROTTLED : Status::ESME_RMSGQFUL;
    }
    if (status != Status::ESME_ROK) {
      return respond(bind, sequence, tag, submit, status, {}, response_delay());
    }
  }
  take(bind, sm, sequence, tag, submit);
}

void Carrier::take(const std::shared_ptr<Bind>& bind, const proto::SubmitSm& sm,
                   std::uint32_t sequence, Tag tag, std::size_t submit) {
  Random& random = ground_.random;
  const std::string id = new_id();
  book_.taken(tag, number_);
  book_.state_is(tag, random.chance(0.7) ? MessageState::delivered : MessageState::undeliverable);
  const std::int64_t delay_us = response_delay();
  const bool mute = !ground_.quiet && random.chance(plan_.mute);
  if (mute) {
    ground_.note("carrier: no response", number_, tag);
  } else {
    respond(bind, sequence, tag, submit, Status::ESME_ROK, id, delay_us);
  }
  if ((sm.registered_delivery & 0x1F) == 0) return;
  if (!ground_.quiet && random.chance(plan_.no_receipt)) return;
  std::int64_t receipt_us = delay_us + random.exponential(2 * kSecond);
  const bool early = random.chance(plan_.early);
  if (early) receipt_us = random.between(0, delay_us);
  if (!early && random.chance(plan_.late)) {
    receipt_us = delay_us + random.between(kSecond, 120 * kSecond);
  }
  if ((sm.registered_delivery & 0x10) != 0 && !plan_.ids_repeat && random.chance(0.5)) {
    plan_receipt(tag, submit, id, true, ground_.us() + random.between(0, receipt_us));
  }
  plan_receipt(tag, submit, id, false, ground_.us() + receipt_us);
}

void Carrier::respond(const std::shared_ptr<Bind>& bind, std::uint32_t sequence, Tag tag,
                      std::size_t submit, Status status, const std::string& id,
                      std::int64_t delay_us) {
  const std::int64_t asked_us = ground_.us();
  ground_.after(delay_us, [=, this] {
    if (!bind->link->open()) return;
    ground_.note("carrier: response", number_, tag, id.empty() ? proto::status_name(status) : id);
    book_.responded(tag, submit, status);
    if (status != Status::ESME_ROK) {
      const std::string octets = gateway::header_octets(Command::submit_sm_resp, sequence, status);
      bind->responses.push_back({bind->link->send(octets), tag, submit, asked_us});
      return;
    }
    proto::SubmitSmResp response;
    std::string text = id;
    if (plan_.hex_ids) {
      std::array<char, 24> hex;
      const auto end = std::to_chars(hex.data(), hex.data() + hex.size(), std::stoull(id), 16).ptr;
      text.assign(hex.data(), end);
    }
    response.message_id = text;
    const std::uint64_t end = bind->link->send(gateway::octets_of(response, sequence));
    bind->responses.push_back({end, tag, submit, asked_us});
  });
}

std::string Carrier::new_id() {
  if (plan_.ids_repeat && !free_ids_.empty() && free_ids_.front().first <= ground_.us()) {
    std::string id = std::move(free_ids_.front().second);
    free_ids_.pop_front();
    ground_.note("carrier: id again", number_, 0, id);
    return id;
  }
  return std::to_string(1'000'000 * (number_ + 1) + ++last_id_);
}

void Carrier::plan_receipt(Tag tag, std::size_t submit, const std::string& id, bool intermediate,
                           std::int64_t at_us) {
  const std::size_t receipt = receipts_.size();
  receipts_.push_back({tag, submit, id, intermediate});
  ++left_;
  ground_.agenda.at(at_us, [this, receipt] { send_receipt(receipt, false); });
}

void Carrier::send_receipt(std::size_t index, bool again) {
  const Receipt& receipt = receipts_[index];
  if (receipt.acknowledged && !again) return;
  std::vector<Bind*> bound;
  for (const auto& bind : binds_) {
    if (bind->bound && bind->receives && bind->link->open()) bound.push_back(bind.get());
  }
  const std::int64_t next_us = bound.empty() ? kSecond : kReceiptTimeoutUs;
  if (!again) ground_.after(next_us, [this, index] { send_receipt(index, false); });
  if (bound.empty()) return;
  Bind& bind = *bound[ground_.random.below(bound.size())];
  const Story& story = book_.story(receipt.tag);
  const std::string error = error_of(receipt.tag);
  proto::ReceiptText text;
  text.id = receipt.id;
  text.submit_date = "2701150800";
  text.done_date = "2701150801";
  text.state = receipt.intermediate ? MessageState::enroute : story.state;
  text.err = error;
  std::array<char, 256> octets;
  const std::size_t length = proto::format_receipt(text, octets);
  proto::DeliverSm sm;
  sm.source_addr = story.number;
  sm.destination_addr = "SHOP";
  sm.esm_class = receipt.intermediate ? 0x20 : 0x04;
  sm.short_message = proto::as_octets(std::string_view(octets.data(), length));
  ground_.note("carrier: receipt", number_, receipt.tag, receipt.id);
  const std::uint32_t sequence = bind.link->next_sequence();
  bind.told[sequence] = {bind.link->send(gateway::octets_of(sm, sequence)), index};
}

void Carrier::on_receipt_response(Bind& bind, const proto::Header& header) {
  const auto found = bind.told.find(header.sequence_number);
  if (found == bind.told.end()) return;
  const auto [end, index, read_us] = found->second;
  bind.told.erase(found);
  Receipt& receipt = receipts_[index];
  ground_.note("carrier: receipt_resp", number_, receipt.tag,
               proto::status_name(header.command_status));
  if (header.command_status != Status::ESME_ROK) return;
  if (!receipt.intermediate) book_.acknowledged(receipt.tag, receipt.submit, read_us);
  if (receipt.acknowledged) return;
  receipt.acknowledged = true;
  --left_;
  std::int64_t rests_us = kIdRestsUs;
  if (!ground_.quiet && ground_.random.chance(plan_.twice)) {
    const std::int64_t again_us = ground_.random.between(0, 60 * kSecond);
    rests_us += again_us;
    ground_.after(again_us, [this, index] { send_receipt(index, true); });
  }
  // The response was read: its id means nothing else any more.
  const Submitted& submit = book_.story(receipt.tag).submits[receipt.submit];
  if (!receipt.intermediate && submit.consumed_us != kNever) {
    free_ids_.emplace_back(ground_.us() + rests_us, receipt.id);
  }
}

}  // namespace tollgate::sim
