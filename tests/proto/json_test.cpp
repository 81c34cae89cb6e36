// The JSON printing, read back by an independent parser; hexadecimal input; and what is said about
// garbage.
#include "proto/json.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/proto/support.h"

using namespace tollgate::proto;
using namespace tollgate::proto::test;
using nlohmann::json;

namespace {

// Prints the PDU whose octets behind command_length are given.
json printed(std::string_view hex) {
  char length[9];
  std::snprintf(length, sizeof length, "%08zx", unhex(hex).size() + 4);
  const PduJson out = hex_to_json({length, std::string(hex)});
  INFO(out.error);
  REQUIRE(out);
  return json::parse(out.json);
}

std::string error(std::string_view hex) {
  const PduJson out = hex_to_json({std::string(hex)});
  CHECK(out.json.empty());
  CHECK_FALSE(out);
  return out.error;
}

}  // namespace

TEST_CASE("a submit_sm prints with the specification's names") {
  const json pdu = printed(
      "00000004 00000000 00000007 00 05 00 73686f7000 01 01 3434373700 40 00 00 00 00 01"
      "00 08 00 0a 05000342 0201 0041 20ac 0204 0002 0102 1454 0001 ff");
  CHECK(pdu["command_length"] == 62);
  CHECK(pdu["command_id"] == "0x00000004");
  CHECK(pdu["command_name"] == "submit_sm");
  CHECK(pdu["command_status"] == "0x00000000");
  CHECK(pdu["command_status_name"] == "ESME_ROK");
  CHECK(pdu["sequence_number"] == 7);
  CHECK(pdu["source_addr"] == "shop");
  CHECK(pdu["destination_addr"] == "4477");
  CHECK(pdu["esm_class"] == 0x40);
  CHECK(pdu["schedule_delivery_time"] == "");
  CHECK(pdu["sm_length"] == 10);
  CHECK(pdu["short_message"] ==
        "0500034202010041"
        "20ac");
  CHECK(pdu["alphabet"] == "ucs2");
  CHECK(pdu["text"] == "A€");
  CHECK(pdu["concatenation"]["reference"] == 0x42);
  CHECK(pdu["concatenation"]["total"] == 2);
  CHECK(pdu["tlvs"][0]["name"] == "user_message_reference");
  CHECK(pdu["tlvs"][0]["value"] == 0x0102);
  CHECK(pdu["tlvs"][1]["tag"] == "0x1454");
  CHECK(pdu["tlvs"][1]["name"] == "unknown");
  CHECK(pdu["tlvs"][1]["value"] == "ff");
  CHECK_FALSE(pdu.contains("notes"));
}

TEST_CASE("a password is never printed") {
  const std::string hex = "00000009 00000000 00000001 73686f7000 736563726574707700 00 34 00 00 00";
  const json pdu = printed(hex);
  CHECK(pdu["command_name"] == "bind_transceiver");
  CHECK(pdu["system_id"] == "shop");
  CHECK(pdu["password"] == "(8 octets)");
  CHECK(pdu.dump().find("secretpw") == std::string::npos);
  CHECK(printed("0000000b 00000000 00000001 6100 707700")["password"] == "(2 octets)");
}

TEST_CASE("a receipt is read, lenient decoding is told") {
  const json pdu = printed(
      "00000005 00000000 00000000 00 00 00 3100 00 00 e932 00 04 00 00 00 00 00 00 00 00"
      "11 69643a37 20 737461743a45585049524544"
      "0423 0003 030007 001e 0041 3132");
  CHECK(pdu["sequence_number"] == 0);
  CHECK(pdu["destination_addr"] == "é2");
  CHECK(pdu["receipt"]["id"] == "7");
  CHECK(pdu["receipt"]["message_state"] == "expired");
  CHECK(pdu["receipt"]["final"] == true);
  CHECK(pdu["receipt"]["network_error_code"] == "030007");
  CHECK(pdu["notes"][0] == "6 octets at the end are no whole TLV");
  const json wrong = printed(
      "00000103 00000000 00000001 00 00 00 00 00 00 00 00 00 00"
      "0423 0002 0102");
  CHECK(wrong["notes"][0] == "network_error_code has 2 octets, not 3");
}

TEST_CASE("submit_multi and its response print their lists") {
  const json multi = printed(
      "00000021 00000000 00000001 00 00 00 00 02 01 01 01 3434373700 02 667269656e647300"
      "00 00 00 00 00 00 00 00 00 02 6869");
  CHECK(multi["number_of_dests"] == 2);
  CHECK(multi["dest_address"][0]["destination_addr"] == "4477");
  CHECK(multi["dest_address"][1]["dl_name"] == "friends");
  CHECK(multi["text"] == "hi");
  const json resp = printed("80000021 00000000 00000001 6d00 01 01 01 323200 0000000b 00");
  CHECK(resp["unsuccess_sme"][0]["error_status_code"] == "0x0000000B");
  CHECK(resp["notes"][0] == "1 octets at the end are no whole TLV");
}

TEST_CASE("several glued PDUs print as an array; arguments may be pieces") {
  const PduJson out = hex_to_json(
      {"0x00000010:0x00000015", "00 00 00 00 00000001", "00000010-80000015,00000000\n00000001"});
  REQUIRE(out);
  const json both = json::parse(out.json);
  REQUIRE(both.size() == 2);
  CHECK(both[0]["command_name"] == "enquire_link");
  CHECK(both[1]["command_name"] == "enquire_link_resp");
}

TEST_CASE("every generated PDU prints as JSON that another parser reads") {
  Generator generator(99, Wildness::wild);
  std::vector<std::uint8_t> out(kPduLengthMax);
  for (int round = 0; round < 30; ++round) {
    for (Command command : kCommands) {
      with_pdu(command, [&](auto empty) {
        generator.clear();
        const auto pdu = generator.make<decltype(empty)>();
        const std::size_t length = encode(pdu, 5, Status{generator.below(0x200)}, out);
        const PduJson text = pdu_to_json(Octets(out).first(length));
        REQUIRE(text);
        const json read = json::parse(text.json);
        CHECK(read["command_name"] == std::string(command_name(command)));
        CHECK(read["command_length"] == length);
      });
    }
  }
}

TEST_CASE("garbage: what is wrong, and where") {
  CHECK(error("") == "no hexadecimal digits");
  CHECK(error("12 3g") == "character 5: 'g' is no hexadecimal digit");
  CHECK(error("12 3 4") == "character 4: half an octet: the second digit is missing");
  CHECK(error("zz") == "character 1: 'z' is no hexadecimal digit");
  CHECK(error("\x01") == "character 1: '\\x01' is no hexadecimal digit");
  CHECK(error("123") == "character 3: half an octet: the second digit is missing");
  CHECK(error("0x") == "character 3: ' ' is no hexadecimal digit");
  CHECK(error("00000010 00") ==
        "PDU 1, octet 0, command_length: 5 octets are no PDU: the header alone has 16 "
        "(ESME_RINVCMDLEN)");
  CHECK(error("00000011 00000015 00000000 00000001") ==
        "PDU 1, octet 0, command_length: says 17 octets, but 16 are there (ESME_RINVCMDLEN)");
  CHECK(error("ffffffff 00000015 00000000 00000001") ==
        "PDU 1, octet 0, command_length: says 4294967295 octets; a PDU has 16 to 66560 "
        "(ESME_RINVCMDLEN)");
  CHECK(error("00000010 00000022 00000000 00000001") ==
        "PDU 1, octet 4, command_id: 0x00000022 is no command of SMPP 3.4 or 5.0 "
        "(ESME_RINVCMDID)");
  CHECK(error("00000015 00000004 00000000 00000001 4142434445") ==
        "PDU 1, octet 16, service_type: has no terminating NUL (ESME_RINVSERTYP)");
  CHECK(error("00000016 00000004 00000000 00000001 414243444546") ==
        "PDU 1, octet 16, service_type: is longer than its limit (ESME_RINVSERTYP)");
  // The second of two is the one that is named.
  CHECK(error("00000010 00000015 00000000 00000001 00000010 00000004 00000000 00000001") ==
        "PDU 2, octet 16, service_type: the PDU ends before it (ESME_RINVSERTYP)");
  CHECK(hex_to_json({"00000010 00000004 00000000 00000001"}).fault.status ==
        Status::ESME_RINVSERTYP);
}
