// A receipt's deliver_sm, read back by the parser that reads carriers' receipts.
#include "gateway/clients/receipt_pdu.h"

#include "proto/receipt.h"
#include "proto/session.h"
#include "proto/tlv.h"
#include "tests/catch_pch.h"

namespace tollgate::gateway {
namespace {

using proto::MessageState;

Message told(MessageState state) {
  Message message;
  message.id = 0x0400000000abcdef;
  message.public_id = message.id;
  message.accepted_wall_us = 1'800'000'000'000'000;  // 2027-01-15T08:00Z
  message.source = {5, 0, {}};
  message.source.address = "SHOP";
  message.destination = {1, 1, {}};
  message.destination.address = "447700900001";
  message.text = "hello there";
  message.notice.state = state;
  message.notice.done_wall_us = message.accepted_wall_us + 61'000'000;
  return message;
}

// Encoded and decoded, as the client gets it.
struct Read {
  Read(const Message& message, std::uint8_t version) {
    const ReceiptPdu receipt(message, version);
    const std::size_t length = proto::encode_body(receipt.pdu(), octets);
    REQUIRE(length > 0);
    REQUIRE(length == proto::encoded_length(receipt.pdu()) - proto::kHeaderLength);
    REQUIRE_FALSE(proto::decode(proto::Octets(octets).first(length), sm));
    REQUIRE(proto::is_receipt(sm));
    REQUIRE(proto::parse_receipt(sm, parsed, scratch));
  }
  std::array<std::uint8_t, 1024> octets;
  std::array<char, proto::kReceiptScratch> scratch;
  proto::DeliverSm sm;
  proto::Receipt parsed;
};

TEST_CASE("every state goes out in text and TLV, addresses swapped", "[receipt_pdu]") {
  for (int i = 1; i <= 9; ++i) {
    const auto state = static_cast<MessageState>(i);
    const Message message = told(state);
    for (const std::uint8_t version : {proto::kVersion34, proto::kVersion50}) {
      const Read read(message, version);
      CHECK(read.parsed.id == "0400000000abcdef");
      CHECK(read.parsed.id_from_tlv);
      CHECK(read.parsed.text_id == "0400000000abcdef");
      CHECK(read.parsed.state == state);
      CHECK(read.parsed.stat_text == proto::stat_word(state));
      CHECK(read.parsed.err == "000");
      CHECK(read.parsed.submit_date == "2701150800");
      CHECK(read.parsed.done_date == "2701150801");
      CHECK(read.parsed.sub == "001");
      CHECK(read.parsed.dlvrd == (state == MessageState::delivered ? "001" : "000"));
      CHECK(read.parsed.text == "hello there");
      CHECK_FALSE(read.parsed.intermediate);
      CHECK_FALSE(read.parsed.has_network_error);
      CHECK(read.sm.esm_class == 0x04);
      CHECK(read.sm.source_addr == "447700900001");
      CHECK(read.sm.source_addr_ton == 1);
      CHECK(read.sm.source_addr_npi == 1);
      CHECK(read.sm.destination_addr == "SHOP");
      CHECK(read.sm.dest_addr_ton == 5);
      CHECK(read.sm.dest_addr_npi == 0);
      const auto value = proto::find(read.sm.tlvs, proto::Tag::message_state);
      REQUIRE(value.has_value());
      CHECK(value->size() == 1);
      CHECK((*value)[0] == i);
    }
  }
}

TEST_CASE("a 3.3 session gets the text alone", "[receipt_pdu]") {
  Message message = told(MessageState::undeliverable);
  message.short_id = 1;
  message.notice.has_network_error = true;
  const Read read(message, proto::kVersion33);
  CHECK(read.sm.tlvs.empty());
  CHECK(read.parsed.id == "00abcdef");
  CHECK_FALSE(read.parsed.id_from_tlv);
  CHECK(read.parsed.state == MessageState::undeliverable);
}

TEST_CASE("a message of a 3.3 session, told to a 3.4 one, keeps the id it was given",
          "[receipt_pdu]") {
  Message message = told(MessageState::delivered);
  message.short_id = 1;
  const Read read(message, proto::kVersion34);
  CHECK(read.parsed.id == "00abcdef");
  CHECK(read.parsed.text_id == "00abcdef");
}

TEST_CASE("submit_multi's messages are told by the id that the client has", "[receipt_pdu]") {
  Message message = told(MessageState::delivered);
  message.public_id = message.id - 4;
  CHECK(Read(message, proto::kVersion34).parsed.id == "0400000000abcdeb");
}

TEST_CASE("network error, err and intermediate notices", "[receipt_pdu]") {
  Message message = told(MessageState::enroute);
  message.notice.intermediate = true;
  message.notice.has_network_error = true;
  message.notice.network_error = {3, 0x01, 0x2c};
  message.notice.error = "034";
  const Read read(message, proto::kVersion34);
  CHECK(read.sm.esm_class == 0x20);
  CHECK(read.parsed.intermediate);
  CHECK(read.parsed.state == MessageState::enroute);
  CHECK(read.parsed.err == "034");
  REQUIRE(read.parsed.has_network_error);
  CHECK(read.parsed.network_error[0] == 3);
  CHECK(read.parsed.network_error[1] == 0x01);
  CHECK(read.parsed.network_error[2] == 0x2c);
}

}  // namespace
}  // namespace tollgate::gateway
