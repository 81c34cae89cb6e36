#include "tests/gateway/ends.h"

#include <algorithm>
#include <cstdlib>

#include "proto/framer.h"
#include "proto/text.h"
#include "proto/tlv.h"

namespace tollgate::gateway {

using proto::Command;
using proto::Status;

std::string header_octets(Command command, std::uint32_t sequence_number, Status status) {
  std::string octets(proto::kHeaderLength, '\0');
  const proto::Out out(reinterpret_cast<std::uint8_t*>(octets.data()), octets.size());
  if (proto::encode_header(command, sequence_number, status, out) == 0) std::abort();
  return octets;
}

std::vector<Seen> take_frames(std::string& partial) {
  std::vector<Seen> result;
  std::size_t at = 0;
  proto::Frame frame;
  while (true) {
    const proto::Octets rest(reinterpret_cast<const std::uint8_t*>(partial.data()) + at,
                             partial.size() - at);
    const auto found = proto::next_frame(rest, proto::kPduLengthMax, frame);
    if (found == proto::FrameResult::bad_length) std::abort();
    if (found == proto::FrameResult::need_more) break;
    result.push_back({frame.header, partial.substr(at, frame.whole.size())});
    at += frame.whole.size();
  }
  partial.erase(0, at);
  return result;
}

std::vector<Seen> End::read() {
  partial_ += wire_->sent;
  wire_->sent.clear();
  std::vector<Seen> result = take_frames(partial_);
  if (wire_->shut) hang_up();
  return result;
}

std::size_t ClientEnd::count(Command command) const {
  return static_cast<std::size_t>(std::count_if(
      seen.begin(), seen.end(), [&](const Seen& one) { return one.header.command_id == command; }));
}

Status ClientEnd::status(std::uint32_t sequence_number) const {
  return responses.at(sequence_number).header.command_status;
}

std::string ClientEnd::id(std::uint32_t sequence_number) const {
  return std::string(responses.at(sequence_number).as<proto::MessageResp>().message_id);
}

std::uint32_t ClientEnd::submit(const Submit& what) {
  proto::SubmitSm sm;
  sm.source_addr_ton = 5;
  sm.source_addr = what.from;
  sm.dest_addr_ton = 1;
  sm.dest_addr_npi = 1;
  sm.destination_addr = what.to;
  sm.registered_delivery = what.registered_delivery;
  sm.validity_period = what.validity_period;
  sm.short_message = proto::as_octets(what.text);
  return send(sm);
}

void ClientEnd::step() {
  if (!reads) return;
  for (Seen& pdu : read()) {
    const std::uint32_t sequence_number = pdu.header.sequence_number;
    const Command command = pdu.header.command_id;
    if (proto::is_response(command)) {
      responses[sequence_number] = pdu;
    } else if (command == Command::enquire_link && answers_enquire_link) {
      send(header_octets(Command::enquire_link_resp, sequence_number));
    } else if (command == Command::unbind && answers_unbind) {
      send(header_octets(Command::unbind_resp, sequence_number));
    } else if (command == Command::deliver_sm) {
      const auto sm = pdu.as<proto::DeliverSm>();
      proto::Receipt receipt;
      std::array<char, 1024> scratch;
      if (!proto::parse_receipt(sm, receipt, scratch)) std::abort();
      Told one;
      one.id = receipt.id_from_tlv && !receipt.text_id.empty() ? receipt.text_id : receipt.id;
      if (receipt.id_from_tlv) one.tlv_id = receipt.id;
      one.state = receipt.state;
      one.error = receipt.err;
      one.from = sm.source_addr;
      one.to = sm.destination_addr;
      one.intermediate = receipt.intermediate;
      one.sequence_number = sequence_number;
      told.push_back(one);
      if (const auto answer = on_receipt(one)) {
        send(octets_of(proto::DeliverSmResp{}, sequence_number, *answer));
      }
    }
    seen.push_back(std::move(pdu));
  }
}

bool CarrierEnd::accept(const std::shared_ptr<core::Wire>& wire) {
  if (!listens) return false;
  binds_.push_back({std::make_unique<End>(wire), false});
  return true;
}

std::size_t CarrierEnd::bound() const {
  return static_cast<std::size_t>(
      std::count_if(binds_.begin(), binds_.end(), [](const Bind& bind) { return bind.bound; }));
}

void CarrierEnd::die() {
  listens = false;
  for (Bind& bind : binds_) {
    bind.end->hang_up();
    bind.bound = false;
  }
}

void CarrierEnd::step() {
  for (std::size_t i = 0; i < binds_.size(); ++i) {
    for (const Seen& pdu : binds_[i].end->read()) on_pdu(i, pdu);
    if (binds_[i].end->closed() || binds_[i].end->wire().ended) binds_[i].bound = false;
  }
}

void CarrierEnd::on_pdu(std::size_t bind, const Seen& pdu) {
  End& end = *binds_[bind].end;
  const std::uint32_t sequence_number = pdu.header.sequence_number;
  const Command command = pdu.header.command_id;
  if (proto::is_bind(command)) {
    std::string octets = octets_of(proto::BindTransceiverResp{}, sequence_number, bind_status);
    proto::store_u32(reinterpret_cast<std::uint8_t*>(octets.data()) + 4,
                     static_cast<std::uint32_t>(proto::response_of(command)));
    end.send(std::move(octets));
    binds_[bind].bound = bind_status == Status::ESME_ROK;
  } else if (command == Command::submit_sm) {
    on_submit_sm(bind, pdu);
  } else if (command == Command::enquire_link) {
    end.send(header_octets(Command::enquire_link_resp, sequence_number));
  } else if (command == Command::unbind) {
    ++unbinds;
    if (answers_unbind) end.send(header_octets(Command::unbind_resp, sequence_number));
  } else if (command == Command::deliver_sm_resp) {
    receipt_responses[sequence_number] = pdu.header.command_status;
  }
}

void CarrierEnd::on_submit_sm(std::size_t bind, const Seen& pdu) {
  const auto sm = pdu.as<proto::SubmitSm>();
  Submit one;
  one.bind = bind;
  one.sequence_number = pdu.header.sequence_number;
  one.to = sm.destination_addr;
  one.from = sm.source_addr;
  one.from_ton = sm.source_addr_ton;
  one.text = proto::as_text(sm.short_message);
  one.registered_delivery = sm.registered_delivery;
  submits.push_back(one);
  const std::optional<Reply> reply =
      on_submit ? on_submit(one) : Reply{Status::ESME_ROK, next_id()};
  if (reply) answer(submits.size() - 1, *reply);
}

void CarrierEnd::answer(std::size_t submit, const Reply& reply) {
  Submit& one = submits[submit];
  End& end = *binds_[one.bind].end;
  if (reply.status != Status::ESME_ROK) {
    end.send(header_octets(Command::submit_sm_resp, one.sequence_number, reply.status));
    return;
  }
  one.id = reply.id;
  proto::SubmitSmResp response;
  response.message_id = one.id;
  end.send(octets_of(response, one.sequence_number));
  if (receipts && (one.registered_delivery & 1) != 0) receipt(one.id, *receipts, one.bind);
}

std::uint32_t CarrierEnd::receipt(std::string_view id, proto::MessageState state, std::size_t bind,
                                  bool intermediate) {
  proto::ReceiptText text;
  text.id = id;
  text.submit_date = "2701150800";
  text.done_date = "2701150801";
  text.state = state;
  text.err = state == proto::MessageState::delivered ? "000" : "034";
  std::array<char, 256> octets;
  const std::size_t length = proto::format_receipt(text, octets);
  proto::DeliverSm sm;
  const auto about = std::find_if(submits.rbegin(), submits.rend(),
                                  [&](const Submit& submit) { return submit.id == id; });
  sm.source_addr = about == submits.rend() ? "447700900001" : std::string_view(about->to);
  sm.destination_addr = "SHOP";
  sm.esm_class = intermediate ? 0x20 : 0x04;
  sm.short_message = proto::as_octets(std::string_view(octets.data(), length));
  return binds_[bind].end->send(sm);
}

}  // namespace tollgate::gateway
