// A message's notice as the deliver_sm that tells its client [3.4 appendix B, sections 5.3.2.12
// and 5.3.2.35]: the text form for everyone, the TLVs for sessions of 3.4 and later. Source and
// destination are the submit's, swapped.
#pragma once

#include <array>

#include "gateway/messages/message.h"
#include "proto/limits.h"
#include "proto/pdu.h"

namespace tollgate::gateway {

// Holds what the PDU's views point to.
class ReceiptPdu {
 public:
  ReceiptPdu(const Message& message, std::uint8_t version);
  ReceiptPdu(const ReceiptPdu&) = delete;
  ReceiptPdu& operator=(const ReceiptPdu&) = delete;

  const proto::DeliverSm& pdu() const { return pdu_; }

 private:
  void add_tlvs(const Message& message, std::string_view id);

  proto::DeliverSm pdu_;
  std::array<char, proto::kReceiptTextMax> text_;
  std::array<std::uint8_t, 48> tlvs_;
};

}  // namespace tollgate::gateway
