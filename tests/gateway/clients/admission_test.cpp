// May a message come in? Each answer, and what is carried through.
#include "gateway/clients/admission.h"

#include "proto/session.h"
#include "proto/text.h"
#include "proto/tlv.h"
#include "tests/catch_pch.h"

namespace tollgate::gateway {
namespace {

using proto::Status;

constexpr core::Now kNow{7'000'000, 1'800'000'000'000'000};  // 2027-01-15T08:00Z

proto::SubmitSm plain() {
  proto::SubmitSm sm;
  sm.source_addr = "SHOP";
  sm.destination_addr = "447700900001";
  sm.short_message = proto::as_octets("hello");
  return sm;
}

Status status_of(const proto::SubmitSm& sm, std::uint8_t version = proto::kVersion34) {
  return admit(sm, version, kNow).status;
}

TEST_CASE("admit: esm_class, replace flag, registered_delivery, destination", "[admission]") {
  proto::SubmitSm sm = plain();
  CHECK(status_of(sm) == Status::ESME_ROK);
  for (const int type : {0x04, 0x20, 0x18, 0x24, 0x0c}) {  // receipts and reserved ones
    sm.esm_class = static_cast<std::uint8_t>(type);
    CHECK(status_of(sm) == Status::ESME_RINVESMCLASS);
  }
  for (const int type : {0x00, 0x01, 0x02, 0x03, 0x08, 0x10, 0x80}) {
    sm.esm_class = static_cast<std::uint8_t>(type);
    CHECK(status_of(sm) == Status::ESME_ROK);
  }
  sm = plain();
  sm.replace_if_present_flag = 1;
  CHECK(status_of(sm) == Status::ESME_ROK);
  sm.replace_if_present_flag = 2;
  CHECK(status_of(sm) == Status::ESME_RINVREPFLAG);
  sm = plain();
  sm.registered_delivery = 3;
  CHECK(status_of(sm, proto::kVersion33) == Status::ESME_RINVREGDLVFLG);
  CHECK(status_of(sm, proto::kVersion34) == Status::ESME_RINVREGDLVFLG);
  CHECK(status_of(sm, proto::kVersion50) == Status::ESME_ROK);
  for (const int asked : {1, 2, 0x11, 0x12, 0x1d}) {
    sm.registered_delivery = static_cast<std::uint8_t>(asked);
    CHECK(status_of(sm) == Status::ESME_ROK);
  }
  sm = plain();
  sm.destination_addr = {};
  CHECK(status_of(sm) == Status::ESME_RINVDSTADR);
}

TEST_CASE("admit: the text is short_message or message_payload, not both", "[admission]") {
  std::array<std::uint8_t, 64> block;
  const std::size_t length =
      proto::append_tlv_text(block, 0, proto::Tag::message_payload, "payload");
  proto::SubmitSm sm = plain();
  CHECK(proto::as_text(admit(sm, proto::kVersion34, kNow).text) == "hello");
  sm.tlvs = {block.data(), length};
  CHECK(status_of(sm) == Status::ESME_RINVMSGLEN);
  sm.short_message = {};
  CHECK(status_of(sm) == Status::ESME_ROK);
  CHECK(admit(sm, proto::kVersion34, kNow).text.size() >= 7);
}

TEST_CASE("admit: a user data header that does not parse", "[admission]") {
  proto::SubmitSm sm = plain();
  const std::array<std::uint8_t, 3> bad{40, 0, 3};  // says 40 octets of header
  sm.esm_class = 0x40;
  sm.short_message = bad;
  CHECK(status_of(sm) == Status::ESME_RINVESMCLASS);
  const std::array<std::uint8_t, 8> good{5, 0, 3, 77, 2, 1, 'h', 'i'};
  sm.short_message = good;
  CHECK(status_of(sm) == Status::ESME_ROK);
  sm.esm_class = 0;  // the same octets without a header bit are just text
  sm.short_message = bad;
  CHECK(status_of(sm) == Status::ESME_ROK);
}

TEST_CASE("admit: validity_period and schedule_delivery_time", "[admission]") {
  proto::SubmitSm sm = plain();
  CHECK(admit(sm, proto::kVersion34, kNow).validity_us == 0);
  sm.validity_period = "000000000130000R";
  CHECK(admit(sm, proto::kVersion34, kNow).validity_us == 90'000'000);
  sm.validity_period = "270115090000000+";  // absolute, an hour ahead
  CHECK(admit(sm, proto::kVersion34, kNow).validity_us == 3'600'000'000);
  sm.validity_period = "270115075900000+";  // a minute ago
  CHECK(status_of(sm) == Status::ESME_RINVEXPIRY);
  for (const char* now : {"270115080000000+", "000000000000000R"}) {  // ends as it comes
    sm.validity_period = now;
    CHECK(status_of(sm) == Status::ESME_RINVEXPIRY);
  }
  sm.validity_period = "270115080001000+";
  CHECK(admit(sm, proto::kVersion34, kNow).validity_us == 1'000'000);
  sm.validity_period = "soon";
  CHECK(status_of(sm) == Status::ESME_RINVEXPIRY);
  sm = plain();
  sm.schedule_delivery_time = "tomorrow";
  CHECK(status_of(sm) == Status::ESME_RINVSCHED);
  sm.schedule_delivery_time = "270115090000000+";
  CHECK(status_of(sm) == Status::ESME_ROK);
}

TEST_CASE("segments of one long message hash alike, other messages do not", "[admission]") {
  const std::array<std::uint8_t, 8> first{5, 0, 3, 77, 2, 1, 'h', 'i'};
  const std::array<std::uint8_t, 8> second{5, 0, 3, 77, 2, 2, 'h', 'o'};
  const std::array<std::uint8_t, 8> other{5, 0, 3, 78, 2, 1, 'h', 'i'};
  proto::SubmitSm sm = plain();
  CHECK_FALSE(long_message_hash(sm).has_value());
  sm.esm_class = 0x40;
  sm.short_message = first;
  const auto hash = long_message_hash(sm);
  REQUIRE(hash.has_value());
  sm.short_message = second;
  CHECK(long_message_hash(sm) == hash);
  sm.short_message = other;
  CHECK(long_message_hash(sm) != hash);
  sm.short_message = second;
  sm.destination_addr = "447700900002";
  CHECK(long_message_hash(sm) != hash);
  sm.destination_addr = "447700900001";
  sm.source_addr = "DEPOT";
  CHECK(long_message_hash(sm) != hash);

  // The same by sar TLVs.
  std::array<std::uint8_t, 64> block;
  const auto sar = [&](std::uint16_t reference, std::uint8_t part) {
    std::array<std::uint8_t, 2> value;
    proto::store_u16(value.data(), reference);
    std::size_t length = proto::append_tlv(block, 0, proto::Tag::sar_msg_ref_num, value);
    length = proto::append_tlv_u8(block, length, proto::Tag::sar_total_segments, 3);
    length = proto::append_tlv_u8(block, length, proto::Tag::sar_segment_seqnum, part);
    proto::SubmitSm made = plain();
    made.tlvs = {block.data(), length};
    return long_message_hash(made);
  };
  const auto one = sar(500, 1);
  REQUIRE(one.has_value());
  CHECK(sar(500, 3) == one);
  CHECK(sar(501, 1) != one);
}

TEST_CASE("data_sm as submit_sm: its fields, and addresses that are too long", "[admission]") {
  proto::DataSm data;
  data.service_type = "WAP";
  data.source_addr_ton = 5;
  data.source_addr_npi = 9;
  data.source_addr = "SHOP";
  data.dest_addr_ton = 1;
  data.dest_addr_npi = 2;
  data.destination_addr = "447700900001";
  data.esm_class = 8;
  data.registered_delivery = 1;
  data.data_coding = 4;
  proto::SubmitSm sm;
  REQUIRE(to_submit_sm(data, sm));
  CHECK(sm.service_type == "WAP");
  CHECK(sm.source_addr_ton == 5);
  CHECK(sm.source_addr_npi == 9);
  CHECK(sm.source_addr == "SHOP");
  CHECK(sm.dest_addr_ton == 1);
  CHECK(sm.dest_addr_npi == 2);
  CHECK(sm.destination_addr == "447700900001");
  CHECK(sm.esm_class == 8);
  CHECK(sm.registered_delivery == 1);
  CHECK(sm.data_coding == 4);
  data.destination_addr = "12345678901234567890";  // 20 and its NUL
  CHECK(to_submit_sm(data, sm));
  data.destination_addr = "123456789012345678901";
  CHECK_FALSE(to_submit_sm(data, sm));
  data.destination_addr = "447700900001";
  data.source_addr = "123456789012345678901";
  CHECK_FALSE(to_submit_sm(data, sm));
}

}  // namespace
}  // namespace tollgate::gateway
