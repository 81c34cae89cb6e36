#include "carriers/dialect.h"

#include "proto/pdu.h"
#include "proto/tlv.h"

using namespace tollgate;
using namespace tollgate::carriers;

namespace {

struct Forms {
  IdForm response = IdForm::text;
  IdForm receipt = IdForm::text;
  bool strip = false;
  bool fold = false;
};

bool same(const Forms& forms, std::string_view response, std::string_view receipt) {
  DialectConfig config;
  config.id_response = forms.response;
  config.id_receipt_text = forms.receipt;
  config.id_receipt_tlv = forms.receipt;
  config.id_strip_leading_zeros = forms.strip;
  config.id_fold_case = forms.fold;
  const Dialect dialect(config);
  const IdKey a = dialect.key(response, IdPlace::response);
  const IdKey b = dialect.key(receipt, IdPlace::receipt_text);
  return a && b && a == b;
}

proto::SubmitSm an_sm() {
  proto::SubmitSm sm;
  sm.service_type = "WAP";
  sm.source_addr_ton = 5;
  sm.source_addr = "Shop";
  sm.dest_addr_ton = 1;
  sm.dest_addr_npi = 1;
  sm.destination_addr = "447946000001";
  sm.registered_delivery = 1;
  sm.short_message = proto::as_octets("hello");
  return sm;
}

}  // namespace

TEST_CASE("the id pairs that carriers really send are one message, by the row that says so") {
  const Forms hex_to_decimal{IdForm::hex, IdForm::decimal};
  const Forms decimal_to_hex{IdForm::decimal, IdForm::hex};
  const Forms numbers{IdForm::decimal, IdForm::decimal};
  const Forms zeros{.strip = true};
  const Forms letters{.strip = true, .fold = true};
  CHECK(same(hex_to_decimal, "812FC7470000001B", "9308878062554710043"));
  CHECK(same(hex_to_decimal, "812fc7470000001b", "9308878062554710043"));
  CHECK(same(zeros, "04062581461565934000241", "4062581461565934000241"));
  CHECK(same(zeros, "000024", "24"));
  CHECK(same(zeros, "0913121205", "913121205"));
  CHECK(same(numbers, "04062581461565934000241", "4062581461565934000241"));
  CHECK(same(letters, "0e999f21-71b6-4b0a", "E999F21-71B6-4B0A"));
  CHECK(same(decimal_to_hex, "0000436949", "6aad5"));
  CHECK(same(decimal_to_hex, "0489708364", "1d305b4c"));
  CHECK(same(Forms{}, "a.b-c d", "a.b-c d"));
}

TEST_CASE("ids that differ stay different") {
  CHECK_FALSE(same(Forms{}, "24", "024"));
  CHECK_FALSE(same(Forms{}, "ab", "AB"));
  CHECK_FALSE(same(Forms{.strip = true}, "ab", "AB"));
  CHECK_FALSE(same(Forms{.fold = true}, "24", "024"));
  CHECK_FALSE(same({IdForm::hex, IdForm::decimal}, "812FC7470000001B", "9308878062554710044"));
  // Beyond 63 bits nothing saturates: Kannel's strtoll makes these equal.
  CHECK_FALSE(same({IdForm::hex, IdForm::hex}, "FFFFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFFFE"));
  CHECK_FALSE(same({IdForm::hex, IdForm::decimal}, "8000000000000000", "9223372036854775807"));
  CHECK(same({IdForm::hex, IdForm::decimal}, "8000000000000000", "9223372036854775808"));
  CHECK_FALSE(same(Forms{}, "", ""));
  CHECK_FALSE(same(Forms{}, std::string(65, '1'), std::string(65, '1')));
}

TEST_CASE("numbers of any length up to 64 digits convert exactly") {
  const Forms forms{IdForm::hex, IdForm::decimal};
  CHECK(same(forms, "0", "0000"));
  CHECK(same(forms, "1", "1"));
  CHECK(same(forms, "FFFFFFFF", "4294967295"));
  CHECK(same(forms, "100000000", "4294967296"));
  CHECK(same(forms, "FFFFFFFFFFFFFFFF", "18446744073709551615"));
  CHECK(same(forms, "10000000000000000", "18446744073709551616"));
  CHECK(same(forms, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "340282366920938463463374607431768211455"));
  // 10^64 - 1 and 16^53: computed with an independent bignum.
  CHECK(same(forms, "184f03e93ff9f4daa797ed6e38ed64bf6a1f00ffffffffffffffff",
             "9999999999999999999999999999999999999999999999999999999999999999"));
  CHECK(same({IdForm::hex, IdForm::hex}, std::string(64, 'f'), std::string(64, 'F')));
  CHECK_FALSE(same({IdForm::hex, IdForm::hex}, std::string(64, 'f'), std::string(63, 'F') + "e"));
}

TEST_CASE("an id that is no number in a number's place is text, and never meets a number") {
  const std::string uuid = "0E999F21-71B6-4B0A-9C2E-0242AC120002";
  CHECK(same({IdForm::decimal, IdForm::hex}, uuid, uuid));
  CHECK_FALSE(same({IdForm::text, IdForm::hex}, "41", "41"));
  DialectConfig config;
  config.id_receipt_tlv = IdForm::hex;
  config.id_receipt_text = IdForm::decimal;
  config.id_response = IdForm::hex;
  const Dialect dialect(config);
  CHECK(dialect.key("1d305b4c", IdPlace::receipt_tlv) ==
        dialect.key("0489708364", IdPlace::receipt_text));
  CHECK(dialect.key("1D305B4C", IdPlace::response) ==
        dialect.key("489708364", IdPlace::receipt_text));
}

TEST_CASE("statuses: the row first, the protocol's classes behind it") {
  DialectConfig config;
  config.status_classes = {{proto::Status::ESME_RMSGQFUL, proto::StatusClass::configuration},
                           {proto::Status{0x451}, proto::StatusClass::permanent}};
  const Dialect dialect(config);
  CHECK(dialect.classify(proto::Status::ESME_RMSGQFUL) == proto::StatusClass::configuration);
  CHECK(dialect.classify(proto::Status{0x451}) == proto::StatusClass::permanent);
  CHECK(dialect.classify(proto::Status::ESME_RTHROTTLED) == proto::StatusClass::throttle);
  CHECK(dialect.classify(proto::Status{0x452}) == proto::StatusClass::failover);
}

TEST_CASE("which receipt is the last one") {
  DialectConfig config;
  config.accepted_is_final = false;
  const Dialect dialect(config);
  proto::Receipt receipt;
  receipt.state = proto::MessageState::delivered;
  CHECK(dialect.is_final(receipt));
  receipt.intermediate = true;
  CHECK_FALSE(dialect.is_final(receipt));
  receipt.intermediate = false;
  receipt.state = proto::MessageState::enroute;
  CHECK_FALSE(dialect.is_final(receipt));
  receipt.state = proto::MessageState::accepted;
  CHECK_FALSE(dialect.is_final(receipt));
  receipt.state = proto::MessageState::unknown;
  CHECK(dialect.is_final(receipt));
}

TEST_CASE("a neutral row rewrites nothing") {
  CHECK_FALSE(Dialect(DialectConfig{}).rewrites());
}

TEST_CASE("rewriting changes the row's fields and nothing else") {
  DialectConfig config;
  config.destination_prefix = DestinationPrefix::plus;
  config.has_service_type = true;
  config.service_type = "";
  config.source_ton = 3;
  config.destination_npi = 8;
  const Dialect dialect(config);
  REQUIRE(dialect.rewrites());
  std::array<std::uint8_t, 512> out;
  std::array<std::uint8_t, 64> block;
  proto::SubmitSm sm = an_sm();
  const std::size_t block_length =
      proto::append_tlv_u16(block, 0, proto::Tag::user_message_reference, 77);
  sm.tlvs = proto::Octets(block).first(block_length);
  const std::size_t length = dialect.rewrite(sm, out);
  proto::SubmitSm got;
  REQUIRE_FALSE(proto::decode(proto::Octets(out).first(length), got));
  CHECK(got.service_type.empty());
  CHECK(got.source_addr_ton == 3);
  CHECK(got.source_addr_npi == sm.source_addr_npi);
  CHECK(got.source_addr == "Shop");
  CHECK(got.dest_addr_ton == 1);
  CHECK(got.dest_addr_npi == 8);
  CHECK(got.destination_addr == "+447946000001");
  CHECK(got.registered_delivery == 1);
  CHECK(proto::same_octets(got.short_message, sm.short_message));
  CHECK(proto::same_octets(got.tlvs, sm.tlvs));
}

TEST_CASE("destination prefixes replace each other") {
  const auto rewritten = [](DestinationPrefix prefix, std::string_view number) {
    DialectConfig config;
    config.destination_prefix = prefix;
    config.source_npi = 1;  // so that as_given rewrites too
    proto::SubmitSm sm = an_sm();
    sm.destination_addr = number;
    std::array<std::uint8_t, 512> out;
    const std::size_t length = Dialect(config).rewrite(sm, out);
    proto::SubmitSm got;
    if (length == 0 || proto::decode(proto::Octets(out).first(length), got)) return std::string();
    return std::string(got.destination_addr);
  };
  CHECK(rewritten(DestinationPrefix::none, "+4479") == "4479");
  CHECK(rewritten(DestinationPrefix::none, "004479") == "4479");
  CHECK(rewritten(DestinationPrefix::plus, "004479") == "+4479");
  CHECK(rewritten(DestinationPrefix::double_zero, "+4479") == "004479");
  CHECK(rewritten(DestinationPrefix::double_zero, "4479") == "004479");
  CHECK(rewritten(DestinationPrefix::as_given, "+4479") == "+4479");
  CHECK(rewritten(DestinationPrefix::plus, "12345678901234567890").empty());  // no room: 21 + NUL
  CHECK(rewritten(DestinationPrefix::none, "12345678901234567890") == "12345678901234567890");
}

TEST_CASE("a carrier without TLVs gets message_payload as short_message, or not at all") {
  DialectConfig config;
  config.tlvs = false;
  const Dialect dialect(config);
  const auto rewritten = [&](std::size_t payload, std::string_view text) {
    std::vector<std::uint8_t> block(payload + 64);
    const std::vector<std::uint8_t> value(payload, 'x');
    std::size_t at = proto::append_tlv_u8(block, 0, proto::Tag::payload_type, 0);
    if (payload != 0) at = proto::append_tlv(block, at, proto::Tag::message_payload, value);
    proto::SubmitSm sm = an_sm();
    sm.short_message = proto::as_octets(text);
    sm.tlvs = proto::Octets(block).first(at);
    std::array<std::uint8_t, 1024> out;
    const std::size_t length = dialect.rewrite(sm, out);
    proto::SubmitSm got;
    if (length == 0 || proto::decode(proto::Octets(out).first(length), got)) return -1;
    return got.tlvs.empty() ? static_cast<int>(got.short_message.size()) : -2;
  };
  CHECK(rewritten(0, "hello") == 5);
  CHECK(rewritten(254, "") == 254);
  CHECK(rewritten(255, "") == -1);
  CHECK(rewritten(10, "both") == -1);
}
