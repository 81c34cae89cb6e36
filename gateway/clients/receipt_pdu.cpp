#include "gateway/clients/receipt_pdu.h"

#include "proto/receipt.h"
#include "proto/session.h"
#include "proto/text.h"
#include "proto/time.h"
#include "proto/tlv.h"

namespace tollgate::gateway {

ReceiptPdu::ReceiptPdu(const Message& message, std::uint8_t version) {
  const Notice& notice = message.notice;
  const MessageIdText id(message.public_id, message.short_id != 0);
  std::array<char, 10> submit_date;
  std::array<char, 10> done_date;
  proto::ReceiptText text;
  text.id = id.view();
  text.dlvrd = notice.state == proto::MessageState::delivered ? 1 : 0;
  text.submit_date = {submit_date.data(), proto::format_receipt_date(
                                              message.accepted_wall_us / 1'000'000, submit_date)};
  text.done_date = {done_date.data(),
                    proto::format_receipt_date(notice.done_wall_us / 1'000'000, done_date)};
  text.state = notice.state;
  text.err = notice.error.length == 0 ? std::string_view("000") : notice.error.view();
  text.text = message.text.view();
  const std::size_t length = proto::format_receipt(text, text_);

  pdu_.source_addr_ton = message.destination.ton;
  pdu_.source_addr_npi = message.destination.npi;
  pdu_.source_addr = message.destination.address.view();
  pdu_.dest_addr_ton = message.source.ton;
  pdu_.dest_addr_npi = message.source.npi;
  pdu_.destination_addr = message.source.address.view();
  pdu_.esm_class = notice.intermediate ? proto::kEsmIntermediate : proto::kEsmReceipt;
  pdu_.short_message = proto::as_octets(std::string_view(text_.data(), length));
  if (version >= proto::kVersion34) add_tlvs(message, id.view());
}

void ReceiptPdu::add_tlvs(const Message& message, std::string_view id) {
  const Notice& notice = message.notice;
  std::size_t length = proto::append_tlv_text(tlvs_, 0, proto::Tag::receipted_message_id, id);
  length = proto::append_tlv_u8(tlvs_, length, proto::Tag::message_state,
                                static_cast<std::uint8_t>(notice.state));
  if (notice.has_network_error) {
    length = proto::append_tlv(tlvs_, length, proto::Tag::network_error_code, notice.network_error);
  }
  pdu_.tlvs = {tlvs_.data(), length};
}

}  // namespace tollgate::gateway
