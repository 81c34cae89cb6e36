// Receipts: every variant seen in the field, TLVs before text, and the text that we write.
#include "proto/receipt.h"

#include <random>

#include <catch2/catch.hpp>

#include "proto/tlv.h"
#include "tests/proto/support.h"

using namespace tollgate::proto;
using namespace tollgate::proto::test;

namespace {

Receipt parsed(std::string_view text) {
  Receipt receipt;
  INFO(text);
  REQUIRE(parse_receipt_text(text, receipt));
  return receipt;
}

std::vector<std::uint8_t> utf16(std::string_view text, bool little = false) {
  std::vector<std::uint8_t> out;
  for (char c : text) {
    out.push_back(little ? static_cast<std::uint8_t>(c) : 0);
    out.push_back(little ? 0 : static_cast<std::uint8_t>(c));
  }
  return out;
}

}  // namespace

TEST_CASE("the standard form") {
  const Receipt r = parsed(
      "id:1234567890 sub:001 dlvrd:001 submit date:2611201000 done date:2611201001 stat:DELIVRD "
      "err:000 Text:Hello there");
  CHECK(r.id == "1234567890");
  CHECK(r.sub == "001");
  CHECK(r.dlvrd == "001");
  CHECK(r.submit_date == "2611201000");
  CHECK(r.done_date == "2611201001");
  CHECK(r.state == MessageState::delivered);
  CHECK(r.stat_text == "DELIVRD");
  CHECK(r.err == "000");
  CHECK(r.text == "Hello there");
  CHECK_FALSE(r.id_from_tlv);
}

TEST_CASE("variant 1: any order, and fields behind an empty text") {
  const Receipt r = parsed(
      "sub:002 done date:110206193110 id:5b0e-4e2f err:007 submit date:110206193041 dlvrd:001 "
      "text: stat:EXPIRED");
  CHECK(r.id == "5b0e-4e2f");
  CHECK(r.err == "007");
  CHECK(r.state == MessageState::expired);
  CHECK(r.text.empty());
  CHECK(r.done_date == "110206193110");
  // A quote that contains labels does not override what came before it.
  const Receipt q = parsed("id:1 stat:DELIVRD err:000 text:my id:2 stat:REJECTD");
  CHECK(q.id == "1");
  CHECK(q.state == MessageState::delivered);
  CHECK(q.text == "my id:2 stat:REJECTD");
}

TEST_CASE("variant 2: Text, text, TEXT or none") {
  CHECK(parsed("id:1 stat:DELIVRD Text:a b").text == "a b");
  CHECK(parsed("id:1 stat:DELIVRD text:a b ").text == "a b");
  CHECK(parsed("ID:1 STAT:delivrd TEXT:").text.empty());
  CHECK(parsed("ID:1 STAT:delivrd").state == MessageState::delivered);
  CHECK(parsed("id:1 stat:DELIVRD err:000").text.empty());
}

TEST_CASE("variants 3 and 4: dates of 10, 12 and 14 digits, labels without the blank, zeros") {
  const Receipt r = parsed("id:9 submitdate:20110314181534 donedate:000000000000 stat:ACCEPTD");
  CHECK(r.submit_date == "20110314181534");
  CHECK(r.done_date == "000000000000");
  CHECK(r.state == MessageState::accepted);
  CHECK(parsed("id:9 submit date:261120100059 stat:DELIVRD").submit_date == "261120100059");
}

TEST_CASE("variant 5: fields missing") {
  CHECK(parsed("stat:DELIVRD").state == MessageState::delivered);
  CHECK(parsed("stat:DELIVRD").id.empty());
  const Receipt r = parsed("id:abc stat:UNDELIV");
  CHECK(r.id == "abc");
  CHECK(r.state == MessageState::undeliverable);
  CHECK(r.err.empty());
  CHECK(parsed(" dlvrd:001 submit date:1810151907 stat:DELIVRD").submit_date == "1810151907");
}

TEST_CASE("variant 6: err of any form") {
  CHECK(parsed("id:1 stat:UNDELIV err:21b text:x").err == "21b");
  CHECK(parsed("id:1 stat:UNDELIV err:0 text:x").err == "0");
  CHECK(parsed("id:1 stat:UNDELIV err:1234567890").err == "1234567890");
  CHECK(parsed("id:1 stat:UNDELIV err: text:x").err.empty());
}

TEST_CASE("variant 7: ids with dots, dashes, blanks; UUIDs; empty") {
  CHECK(parsed("id:4a38dc46-5125-4969-90be-72104c340d5c stat:DELIVRD").id ==
        "4a38dc46-5125-4969-90be-72104c340d5c");
  CHECK(parsed("id:1479978899.393701000100 sub:001 stat:DELIVRD").id == "1479978899.393701000100");
  CHECK(parsed("id: 77 sub:001 stat:DELIVRD").id == "77");
  CHECK(parsed("id:AB 12 CD sub:001 stat:DELIVRD").id == "AB 12 CD");
  CHECK(parsed("id: sub:001 stat:DELIVRD").id.empty());
  CHECK(parsed("id:12 unknown:5 stat:DELIVRD").id == "12");
  CHECK(parsed("id:a:b:c stat:DELIVRD").id == "a:b:c");
  // "id" inside another word is no label.
  CHECK(parsed("smsid:5 id:6 stat:DELIVRD").id == "6");
}

TEST_CASE("variant 8: trailing NULs and binary quotes") {
  const std::string nul("id:0000436949 stat:DELIVRD err:000\0", 35);
  CHECK(parsed(nul).err == "000");
  const std::string quoted("id:1 stat:DELIVRD err:000 text:\x84\x41\x89\x4F\0", 36);
  CHECK(parsed(quoted).text == "\x84\x41\x89\x4F");
  CHECK(parsed("id:1 stat:DELIVRD err:0 Text:\x04\x1a").err == "0");
}

TEST_CASE("variant 9: in message_payload, or only in TLVs") {
  std::uint8_t block[256];
  const std::string_view text = "id:77 stat:REJECTD err:011";
  std::size_t length = append_tlv(block, 0, Tag::message_payload, as_octets(text));
  DeliverSm sm;
  sm.esm_class = 0x04;
  sm.tlvs = Octets(block).first(length);
  char scratch[kReceiptScratch];
  Receipt r;
  REQUIRE(is_receipt(sm));
  REQUIRE(parse_receipt(sm, r, scratch));
  CHECK(r.id == "77");
  CHECK(r.state == MessageState::rejected);

  length = append_tlv_text(block, 0, Tag::receipted_message_id, "tlv-id");
  length = append_tlv_u8(block, length, Tag::message_state, 3);
  length = append_tlv(block, length, Tag::network_error_code, unhex("03002a"));
  sm.tlvs = Octets(block).first(length);
  REQUIRE(parse_receipt(sm, r, scratch));
  CHECK(r.id == "tlv-id");
  CHECK(r.id_from_tlv);
  CHECK(r.state == MessageState::expired);
  REQUIRE(r.has_network_error);
  CHECK(r.network_error[0] == 3);
  CHECK(r.network_error[2] == 0x2A);
  CHECK(r.stat_text.empty());
}

TEST_CASE("variants 10 and 11: counts that make no sense, long stat words") {
  const Receipt r = parsed("id:68 sub:1 dlvrd:13 stat:DND_REJECTED err:123");
  CHECK(r.dlvrd == "13");
  CHECK(r.stat_text == "DND_REJECTED");
  CHECK(r.state == MessageState::rejected);
  const Receipt unknown = parsed("id:1 stat:BADSTAT err:000");
  CHECK(unknown.state == MessageState::unknown);
  CHECK(unknown.stat_text == "BADSTAT");
}

TEST_CASE("variant 12: UTF-16 text, either byte order, with data_coding 8 or without") {
  const std::string_view text = "id:0512 sub:001 dlvrd:001 stat:DELIVRD err:000 Text:Hi";
  for (bool little : {false, true}) {
    for (std::uint8_t data_coding : {std::uint8_t{8}, std::uint8_t{0}}) {
      const auto octets = utf16(text, little);
      DeliverSm sm;
      sm.esm_class = 0x04;
      sm.data_coding = data_coding;
      sm.short_message = octets;
      char scratch[kReceiptScratch];
      Receipt r;
      REQUIRE(parse_receipt(sm, r, scratch));
      CHECK(r.id == "0512");
      CHECK(r.state == MessageState::delivered);
      CHECK(r.text == "Hi");
    }
  }
  // ASCII that only claims to be UCS-2.
  DeliverSm sm;
  sm.esm_class = 0x04;
  sm.data_coding = 8;
  sm.short_message = as_octets("id:5 stat:DELIVRD");
  char scratch[kReceiptScratch];
  Receipt r;
  REQUIRE(parse_receipt(sm, r, scratch));
  CHECK(r.id == "5");
  // A scratch that is too small cuts the text and nothing else.
  const auto octets = utf16(text);
  sm.short_message = octets;
  char small[24];
  REQUIRE(parse_receipt(sm, r, small));
  CHECK(r.id == "0512");
}

TEST_CASE("TLVs are trusted before text, and both ids are kept") {
  std::uint8_t block[128];
  std::size_t length = append_tlv(block, 0, Tag::receipted_message_id, as_octets("6aad5"));
  length = append_tlv_u8(block, length, Tag::message_state, 2);
  DeliverSm sm;
  sm.esm_class = 0x04;
  sm.short_message = as_octets("id:0000436949 stat:UNDELIV err:000");
  sm.tlvs = Octets(block).first(length);
  char scratch[kReceiptScratch];
  Receipt r;
  REQUIRE(parse_receipt(sm, r, scratch));
  CHECK(r.id == "6aad5");
  CHECK(r.text_id == "0000436949");
  CHECK(r.state == MessageState::delivered);
  CHECK(r.stat_text == "UNDELIV");

  // TLVs without sense leave the text's word: a state above 9, an empty id, wrong lengths.
  length = append_tlv(block, 0, Tag::receipted_message_id, unhex("00"));
  length = append_tlv_u8(block, length, Tag::message_state, 77);
  length = append_tlv(block, length, Tag::network_error_code, unhex("0300"));
  sm.tlvs = Octets(block).first(length);
  REQUIRE(parse_receipt(sm, r, scratch));
  CHECK(r.id == "0000436949");
  CHECK(r.state == MessageState::undeliverable);
  CHECK_FALSE(r.has_network_error);
}

TEST_CASE("a receipt's words are cut at their bound; an id that is too long yields to another") {
  std::vector<std::uint8_t> block(70'000);
  char scratch[kReceiptScratch];
  for (const std::size_t size : {64U, 65U, 255U, 256U, 60'000U}) {
    const std::string word(size, 'A');
    DeliverSm sm;
    sm.esm_class = 4;
    const std::string text = "id:77 stat:" + word + " err:" + word + " done date:" + word;
    std::size_t length = append_tlv_text(block, 0, Tag::receipted_message_id, word);
    sm.short_message = as_octets("id:77 stat:DELIVRD");
    sm.tlvs = Octets(block).first(length);
    Receipt r;
    REQUIRE(parse_receipt(sm, r, scratch));
    CHECK(r.id == (size == 64 ? word : "77"));
    CHECK(r.id_from_tlv == (size == 64));
    sm.short_message = {};
    REQUIRE(parse_receipt(sm, r, scratch));
    CHECK(r.id == std::string_view(word).substr(0, kReceiptWordMax));
    sm.tlvs = {};
    REQUIRE(parse_receipt_text(text, r));
    for (const std::string_view view : {r.stat_text, r.err, r.done_date}) {
      CHECK(view == std::string_view(word).substr(0, kReceiptWordMax));
    }
  }
}

TEST_CASE("is_receipt: by esm_class, by TLV, by text when esm_class is silent") {
  DeliverSm sm;
  sm.short_message = as_octets("Hello, what is my id: 5?");
  CHECK_FALSE(is_receipt(sm));
  for (int esm_class : {0x04, 0x44, 0x84, 0x20}) {
    sm.esm_class = static_cast<std::uint8_t>(esm_class);
    CHECK(is_receipt(sm));
  }
  for (int esm_class : {0x08, 0x10, 0x18}) {  // SME acknowledgements and conversation abort
    sm.esm_class = static_cast<std::uint8_t>(esm_class);
    CHECK_FALSE(is_receipt(sm));
  }
  sm.esm_class = 0;
  sm.short_message = as_octets("id:5 stat:DELIVRD");
  CHECK(is_receipt(sm));
  sm.short_message = as_octets("id:5 stat:WHATEVER");
  CHECK_FALSE(is_receipt(sm));
  sm.short_message = as_octets("stat:DELIVRD");
  CHECK_FALSE(is_receipt(sm));
  const auto tlv = unhex("001e 0002 3500");
  sm.short_message = {};
  sm.tlvs = tlv;
  CHECK(is_receipt(sm));

  DataSm data;
  data.esm_class = 0x20;
  data.tlvs = tlv;
  char scratch[kReceiptScratch];
  Receipt r;
  REQUIRE(is_receipt(data));
  REQUIRE(parse_receipt(data, r, scratch));
  CHECK(r.intermediate);
  CHECK(r.id == "5");
}

TEST_CASE("a receipt that says nothing is refused; nonsense never crashes") {
  DeliverSm sm;
  sm.esm_class = 0x04;
  char scratch[kReceiptScratch];
  Receipt r;
  CHECK_FALSE(parse_receipt(sm, r, scratch));
  sm.short_message = as_octets("no fields at all");
  CHECK_FALSE(parse_receipt(sm, r, scratch));
  sm.esm_class = 0x44;  // UDHI, and a header that runs past the end
  sm.short_message = as_octets("\x7f");
  CHECK_FALSE(parse_receipt(sm, r, scratch));
  Generator generator(3, Wildness::wild);
  for (int i = 0; i < 2'000; ++i) {
    generator.clear();
    std::string text(generator.text(generator.below(120)));
    for (std::string_view part : {"id:", " stat:", "text:", ":::", " err:"}) {
      if (generator.below(2) == 0)
        text.insert(generator.below(1 + static_cast<std::uint32_t>(text.size() / 2)), part);
    }
    sm.short_message = as_octets(text);
    if (parse_receipt(sm, r, scratch)) CHECK(r.id.size() + r.stat_text.size() <= text.size());
  }
}

TEST_CASE("words and states") {
  for (std::uint8_t value = 0; value <= 9; ++value) {
    CHECK(state_of_word(stat_word(MessageState{value})) == MessageState{value});
  }
  CHECK(stat_word(MessageState::undeliverable) == "UNDELIV");
  CHECK(stat_word(MessageState{77}) == "UNKNOWN");
  CHECK(message_state_name(MessageState{77}) == "unknown");
  CHECK(state_of_word("BUFFRED") == MessageState::enroute);
  CHECK(is_final(MessageState::rejected));
  CHECK_FALSE(is_final(MessageState::enroute));
  CHECK_FALSE(is_final(MessageState::scheduled));
}

TEST_CASE("format_receipt: 3.4 appendix B, read back the same") {
  ReceiptText in;
  in.id = "00a1b2c3d4e5f607";
  in.dlvrd = 1;
  in.submit_date = "2611201000";
  in.done_date = "2611201001";
  in.state = MessageState::delivered;
  in.err = "5";
  in.text = "exactly twenty chars and more";
  char out[kReceiptTextMax];
  const std::size_t length = format_receipt(in, out);
  REQUIRE(std::string_view(out, length) ==
          "id:00a1b2c3d4e5f607 sub:001 dlvrd:001 submit date:2611201000 done date:2611201001 "
          "stat:DELIVRD err:005 Text:exactly twenty chars");
  const Receipt back = parsed({out, length});
  CHECK(back.id == in.id);
  CHECK(back.err == "005");
  CHECK(format_receipt(in, std::span<char>(out).first(length - 1)) == 0);
  in.text = std::string_view("a\0b\n", 4);
  in.err = "21bx";
  const std::size_t second = format_receipt(in, out);
  CHECK(std::string_view(out, second).ends_with("err:21bx Text:a b "));
}

// A label in upper case means the same, and is not what the quick way looks for.
TEST_CASE("written to the letter or nearly so: read the same") {
  constexpr std::string_view kLabels[] = {
      "id:", " sub:", " dlvrd:", " submit date:", " done date:", " stat:", " err:", " text:"};
  constexpr std::string_view kValues[] = {"",   "7f-3",   "DELIVRD", "a:b",  "x  ",
                                          " y", " foo:1", "text:2",  "id:3", "\xC3\xA4"};
  std::minstd_rand random(1);
  for (int round = 0; round < 50'000; ++round) {
    std::string text;
    const std::size_t fields = random() % 4 == 0 ? random() % 9 : 8;
    for (std::size_t i = 0; i < fields; ++i) {
      text += kLabels[random() % 25 == 0 ? random() % 8 : i];
      text += random() % 6 == 0 ? kValues[random() % std::size(kValues)] : "2611201000";
    }
    std::string other = text;
    if (other.starts_with("id:")) other[0] = 'I';
    Receipt a;
    Receipt b;
    INFO(text);
    REQUIRE(parse_receipt_text(text, a) == parse_receipt_text(other, b));
    REQUIRE(a.state == b.state);
    for (const auto field :
         {&Receipt::id, &Receipt::sub, &Receipt::dlvrd, &Receipt::submit_date, &Receipt::done_date,
          &Receipt::stat_text, &Receipt::err, &Receipt::text}) {
      if (field == &Receipt::id && a.id != b.id) {
        REQUIRE(a.id.size() == b.id.size());  // it may hold the letter that was changed
        continue;
      }
      REQUIRE(a.*field == b.*field);
    }
  }
}
