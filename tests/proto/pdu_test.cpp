// The codec: the specification's layouts as octets written by hand, round trips of every PDU type,
// and what decode() must refuse with which status.
#include "proto/pdu.h"

#include <catch2/catch.hpp>

#include "proto/framer.h"
#include "tests/proto/support.h"

using namespace tollgate::proto;
using namespace tollgate::proto::test;

namespace {

// A body put together piece by piece: C-octet strings and octets.
struct Body {
  std::vector<std::uint8_t> octets;
  Body& c(std::string_view text) {
    octets.insert(octets.end(), text.begin(), text.end());
    octets.push_back(0);
    return *this;
  }
  Body& raw(std::string_view text) {
    octets.insert(octets.end(), text.begin(), text.end());
    return *this;
  }
  Body& o(std::initializer_list<int> values) {
    for (int value : values) octets.push_back(static_cast<std::uint8_t>(value));
    return *this;
  }
};

// A submit_sm or deliver_sm body; the text's length octet may lie.
Body message_body(std::string_view destination, int sm_length, std::string_view text) {
  Body body;
  body.c("").o({5, 0}).c("shop").o({1, 1}).c(destination).o({0x03, 0, 1}).c("").c("");
  return body.o({1, 0, 8, 0, sm_length}).raw(text);
}

}  // namespace

TEST_CASE("submit_sm is laid out as 3.4 section 4.4.1 says") {
  SubmitSm sm;
  sm.service_type = "CMT";
  sm.source_addr_ton = 1;
  sm.source_addr_npi = 2;
  sm.source_addr = "123";
  sm.dest_addr_ton = 3;
  sm.dest_addr_npi = 4;
  sm.destination_addr = "4567";
  sm.esm_class = 5;
  sm.protocol_id = 6;
  sm.priority_flag = 7;
  sm.schedule_delivery_time = "000001000000000R";
  sm.validity_period = "";
  sm.registered_delivery = 8;
  sm.replace_if_present_flag = 9;
  sm.data_coding = 10;
  sm.sm_default_msg_id = 11;
  sm.short_message = as_octets("hi");
  const auto tlv = unhex("0204 0002 abcd");
  sm.tlvs = tlv;
  std::uint8_t out[256];
  const std::size_t length = encode(sm, 0x01020304, Status::ESME_ROK, out);
  const auto expected = unhex(
      "00000043 00000004 00000000 01020304 434d5400 01 02 31323300 03 04 3435363700 05 06 07"
      "3030303030313030303030303030305200 00 08 09 0a 0b 02 6869 0204 0002 abcd");
  REQUIRE(std::vector<std::uint8_t>(out, out + length) == expected);
  REQUIRE(encoded_length(sm) == expected.size());

  SubmitSm back;
  REQUIRE_FALSE(decode(Octets(expected).subspan(16), back));
  CHECK(fields_of(back) == fields_of(sm));
  CHECK(back.validity_period.empty());
  CHECK(back.registered_delivery == 8);
}

TEST_CASE("the header is four big-endian words") {
  const auto octets = unhex("00000010 80000004 00000058 7fffffff");
  const Header header = read_header(octets.data());
  CHECK(header.command_length == 16);
  CHECK(header.command_id == Command::submit_sm_resp);
  CHECK(header.command_status == Status::ESME_RTHROTTLED);
  CHECK(header.sequence_number == 0x7FFFFFFF);
  std::uint8_t out[16];
  CHECK(encode_header(Command::submit_sm_resp, 0x7FFFFFFF, Status::ESME_RTHROTTLED, out) == 16);
  CHECK(std::equal(std::begin(out), std::end(out), octets.begin(), octets.end()));
  CHECK(encode_header(Command::unbind, 1, Status::ESME_ROK, Out(out).first(15)) == 0);
}

TEST_CASE("every command has the specification's id and name") {
  const std::pair<std::uint32_t, std::string_view> kExpected[] = {
      {0x80000000, "generic_nack"},
      {0x00000001, "bind_receiver"},
      {0x80000001, "bind_receiver_resp"},
      {0x00000002, "bind_transmitter"},
      {0x80000002, "bind_transmitter_resp"},
      {0x00000003, "query_sm"},
      {0x80000003, "query_sm_resp"},
      {0x00000004, "submit_sm"},
      {0x80000004, "submit_sm_resp"},
      {0x00000005, "deliver_sm"},
      {0x80000005, "deliver_sm_resp"},
      {0x00000006, "unbind"},
      {0x80000006, "unbind_resp"},
      {0x00000007, "replace_sm"},
      {0x80000007, "replace_sm_resp"},
      {0x00000008, "cancel_sm"},
      {0x80000008, "cancel_sm_resp"},
      {0x00000009, "bind_transceiver"},
      {0x80000009, "bind_transceiver_resp"},
      {0x0000000B, "outbind"},
      {0x00000015, "enquire_link"},
      {0x80000015, "enquire_link_resp"},
      {0x00000021, "submit_multi"},
      {0x80000021, "submit_multi_resp"},
      {0x00000102, "alert_notification"},
      {0x00000103, "data_sm"},
      {0x80000103, "data_sm_resp"},
      {0x00000111, "broadcast_sm"},
      {0x80000111, "broadcast_sm_resp"},
      {0x00000112, "query_broadcast_sm"},
      {0x80000112, "query_broadcast_sm_resp"},
      {0x00000113, "cancel_broadcast_sm"},
      {0x80000113, "cancel_broadcast_sm_resp"}};
  REQUIRE(std::size(kExpected) == std::size(kCommands));
  for (const auto& [id, name] : kExpected) {
    CHECK(command_name(Command{id}) == name);
    CHECK(std::count(std::begin(kCommands), std::end(kCommands), Command{id}) == 1);
  }
  CHECK(command_name(Command{0x22}).empty());
  CHECK(response_of(Command::data_sm) == Command::data_sm_resp);
  CHECK(is_response(Command::generic_nack));
  CHECK_FALSE(is_response(Command::outbind));
  CHECK(is_bind_resp(Command::bind_transceiver_resp));
  CHECK_FALSE(is_bind_resp(Command::bind_transceiver));
}

TEST_CASE("decode(encode(x)) = x for 20,000 generated PDUs of every type") {
  Generator generator(20'261'120, Wildness::wild);
  std::vector<std::uint8_t> out(kPduLengthMax + 4'096);
  std::size_t done = 0;
  for (int round = 0; round < 620; ++round) {
    for (Command command : kCommands) {
      with_pdu(command, [&](auto empty) {
        using T = decltype(empty);
        generator.clear();
        const T pdu = generator.make<T>();
        const auto sequence = generator.below(0xFFFFFFFF);
        const auto status = Status{generator.below(0xFFFFFFFF)};
        const std::size_t length = encode(pdu, sequence, status, out);
        REQUIRE(length == encoded_length(pdu));
        Frame frame;
        REQUIRE(next_frame(Octets(out).first(length), kPduLengthMax, frame) == FrameResult::frame);
        REQUIRE(frame.header.command_id == command);
        REQUIRE(frame.header.command_length == length);
        REQUIRE(frame.header.sequence_number == sequence);
        REQUIRE(frame.header.command_status == status);
        T back;
        const Fault fault = decode(frame.body, back);
        INFO(command_name(command) << ' ' << fault.field << ' ' << fault.what);
        REQUIRE_FALSE(fault);
        REQUIRE(fields_of(back) == fields_of(pdu));
        // One octet less never fits, and nothing is written behind the span's end.
        out[length - 1] = 0xA5;
        REQUIRE(encode(pdu, sequence, status, Out(out).first(length - 1)) == 0);
        REQUIRE(out[length - 1] == 0xA5);
        ++done;
      });
    }
  }
  CHECK(done >= 20'000);
}

TEST_CASE("every cut of every PDU type decodes or is refused, and never reads behind its end") {
  Generator generator(7, Wildness::wild);
  std::vector<std::uint8_t> out(kPduLengthMax);
  for (Command command : kCommands) {
    with_pdu(command, [&](auto empty) {
      using T = decltype(empty);
      const T pdu = generator.make<T>();
      const std::size_t length = encode(pdu, 1, Status::ESME_ROK, out);
      for (std::size_t cut = kHeaderLength; cut < length; ++cut) {
        // A copy of exactly that size, so that a sanitizer sees a read behind it.
        const std::vector<std::uint8_t> body(out.begin() + kHeaderLength,
                                             out.begin() + static_cast<std::ptrdiff_t>(cut));
        T back;
        const Fault fault = decode(body, back);
        if (T::kLeniency == Leniency::response) CHECK_FALSE(fault);
        if (fault) CHECK(fault.offset <= cut);
      }
    });
  }
}

TEST_CASE("a string over its field's limit is refused with that field's status") {
  const std::string a5(5, 'a'), a6(6, 'a'), d20(20, '1'), d21(21, '1'), t17(17, '0');
  const auto body = [](std::string_view service, std::string_view source, std::string_view dest,
                       std::string_view schedule, std::string_view validity) {
    Body made;
    made.c(service).o({1, 1}).c(source).o({1, 1}).c(dest).o({0, 0, 0}).c(schedule).c(validity);
    return made.o({0, 0, 0, 0, 0}).octets;
  };
  const auto status = [](const std::vector<std::uint8_t>& octets) {
    SubmitSm sm;
    DeliverSm same;
    const Fault fault = decode(octets, sm);
    CHECK(decode(octets, same).status == fault.status);
    return fault.status;
  };
  const std::string t16(16, '0');
  CHECK(status(body(a5, d20, d20, t16, t16)) == Status::ESME_ROK);
  CHECK(status(body(a6, d20, d20, t16, t16)) == Status::ESME_RINVSERTYP);
  CHECK(status(body(a5, d21, d20, t16, t16)) == Status::ESME_RINVSRCADR);
  CHECK(status(body(a5, d20, d21, t16, t16)) == Status::ESME_RINVDSTADR);
  CHECK(status(body(a5, d20, d20, t17, t16)) == Status::ESME_RINVSCHED);
  CHECK(status(body(a5, d20, d20, t16, t17)) == Status::ESME_RINVEXPIRY);

  SubmitSm sm;
  const auto octets = body(a5, d21, d20, "", "");
  const Fault fault = decode(octets, sm);
  CHECK(std::string_view(fault.field) == "source_addr");
  CHECK(fault.offset == 16 + 6 + 2);
  CHECK(std::string_view(fault.what) == "is longer than its limit");
}

TEST_CASE("bind: each field's limit and status; passwords to 64 characters are carried") {
  const auto bind = [](std::size_t id, std::size_t password, std::size_t type, std::size_t range) {
    Body body;
    body.c(std::string(id, 'i')).c(std::string(password, 'p')).c(std::string(type, 't'));
    body.o({0x34, 0, 0}).c(std::string(range, 'r'));
    Bind out;
    return decode(body.octets, out).status;
  };
  CHECK(bind(15, 8, 12, 40) == Status::ESME_ROK);
  CHECK(bind(15, 64, 12, 40) == Status::ESME_ROK);
  CHECK(bind(16, 8, 12, 40) == Status::ESME_RINVSYSID);
  CHECK(bind(15, 65, 12, 40) == Status::ESME_RINVPASWD);
  CHECK(bind(15, 8, 13, 40) == Status::ESME_RINVSYSTYP);
  CHECK(bind(15, 8, 12, 41) == Status::ESME_RBINDFAIL);
  // Any interface_version is carried: the session decides.
  for (int version : {0x00, 0x33, 0x34, 0x50, 0x7B}) {
    Body body;
    body.c("shop").c("pw").c("").o({version, 0, 0}).c("");
    Bind out;
    REQUIRE_FALSE(decode(body.octets, out));
    CHECK(out.interface_version == version);
  }
}

TEST_CASE("message ids: 64 characters pass, 65 are ESME_RINVMSGID") {
  Body fits, over;
  fits.c(std::string(64, 'x')).o({0, 0}).c("1");
  over.c(std::string(65, 'x')).o({0, 0}).c("1");
  QuerySm query;
  CHECK_FALSE(decode(fits.octets, query));
  CHECK(query.message_id.size() == 64);
  CHECK(decode(over.octets, query).status == Status::ESME_RINVMSGID);
  SubmitSmResp resp;
  CHECK(decode(over.octets, resp).status == Status::ESME_RINVMSGID);
}

TEST_CASE("a NUL-less 21-character address is refused, not read into the next field") {
  Body body;
  body.c("").o({1, 1}).raw(std::string(21, '7')).o({1, 1}).c("1");
  SubmitSm sm;
  CHECK(decode(body.octets, sm).status == Status::ESME_RINVSRCADR);
}

TEST_CASE("sm_length that says 16 for 8 octets: refused in submit_sm, cut in deliver_sm") {
  const Body body = message_body("447700900123", 16, "12345678");
  SubmitSm submit;
  const Fault fault = decode(body.octets, submit);
  CHECK(fault.status == Status::ESME_RINVMSGLEN);
  CHECK(std::string_view(fault.field) == "sm_length");
  CHECK(fault.offset == 16 + body.octets.size() - 9);
  DeliverSm deliver;
  REQUIRE_FALSE(decode(body.octets, deliver));
  CHECK(as_text(deliver.short_message) == "12345678");
  CHECK(deliver.tlvs.empty());
}

TEST_CASE("short_message of 255 octets is carried, 256 cannot be encoded") {
  const Body body = message_body("1", 255, std::string(255, 'm'));
  SubmitSm sm;
  REQUIRE_FALSE(decode(body.octets, sm));
  CHECK(sm.short_message.size() == 255);
  const std::string long_text(256, 'm');
  sm.short_message = as_octets(long_text);
  std::uint8_t out[512];
  CHECK(encode(sm, 1, Status::ESME_ROK, out) == 0);
}

TEST_CASE("encode refuses what decode would: over-long strings and NULs inside") {
  std::uint8_t out[512];
  SubmitSm sm;
  CHECK(encode(sm, 1, Status::ESME_ROK, out) != 0);
  sm.source_addr = "123456789012345678901";
  CHECK(encode(sm, 1, Status::ESME_ROK, out) == 0);
  sm.source_addr = std::string_view(
      "12\0"
      "34",
      5);
  CHECK(encode(sm, 1, Status::ESME_ROK, out) == 0);
  SubmitMulti multi;
  CHECK(encode(multi, 1, Status::ESME_ROK, out) == 0);
}

TEST_CASE("responses: absent, empty, unterminated and cut bodies read as far as they go") {
  const auto id = [](std::string_view hex) {
    const auto octets = unhex(hex);
    SubmitSmResp resp;
    resp.message_id = "old";
    CHECK_FALSE(decode(octets, resp));
    return std::string(resp.message_id);
  };
  CHECK(id("").empty());                          // ROK without body
  CHECK(id("00").empty());                        // one-octet empty id
  CHECK(id("39") == "9");                         // missing NUL
  CHECK(id("3132330a") == "123\n");               // missing NUL, any octet
  CHECK(id("31323300") == "123");                 // error response with a body
  CHECK(id("31323300 001d 0041 6162") == "123");  // TLV length lies: 0x41 for 2 octets
  CHECK(id("313200 ff") == "12");                 // an octet behind

  const auto bind_resp = unhex("534d5343 00 0210 0001");  // TLV cut off
  BindTransceiverResp bound;
  REQUIRE_FALSE(decode(bind_resp, bound));
  CHECK(bound.system_id == "SMSC");
  CHECK(bound.tlvs.empty());

  QuerySmResp query;
  const auto cut = unhex("313200 00 02");
  REQUIRE_FALSE(decode(cut, query));
  CHECK(query.message_id == "12");
  CHECK(query.message_state == 2);
  CHECK(query.error_code == 0);
}

TEST_CASE("TLVs: kept raw; a bad block is refused in submit_sm, cut in deliver_sm and data_sm") {
  Body good = message_body("1", 2, "hi");
  good.o({0x14, 0x54, 0, 1, 7, 0x14, 0x54, 0, 0});  // unknown, repeated, empty
  SubmitSm sm;
  REQUIRE_FALSE(decode(good.octets, sm));
  CHECK(sm.tlvs.size() == 9);

  Body lies = message_body("1", 2, "hi");
  lies.o({0x02, 0x04, 0, 2, 1, 2}).o({0x00, 0x1E, 0, 0x41, 'a', 'b', 'c', 'd', 'e'});
  const Fault fault = decode(lies.octets, sm);
  CHECK(fault.status == Status::ESME_RINVTLVSTREAM);
  CHECK(fault.offset == 16 + lies.octets.size() - 9);
  DeliverSm deliver;
  REQUIRE_FALSE(decode(lies.octets, deliver));
  CHECK(deliver.tlvs.size() == 6);

  Body data;
  data.c("").o({1, 1}).c(std::string(64, '5')).o({1, 1}).c("2").o({4, 0, 0}).o({0x04, 0x24, 1});
  DataSm data_sm;
  REQUIRE_FALSE(decode(data.octets, data_sm));
  CHECK(data_sm.source_addr.size() == 64);
  CHECK(data_sm.tlvs.empty());

  for (std::size_t extra = 1; extra <= 3; ++extra) {
    Body behind = message_body("1", 2, "hi");
    behind.raw(std::string(extra, '\0'));
    CHECK(decode(behind.octets, sm).status == Status::ESME_RINVTLVSTREAM);
    CHECK_FALSE(decode(behind.octets, deliver));
  }
  // Requests without a body: whatever follows does not stop an enquire_link.
  EnquireLink enquire;
  CHECK_FALSE(decode(unhex("00000000 ff"), enquire));
}

TEST_CASE("submit_multi: destinations as a view; each of its faults has its status") {
  std::uint8_t raw[256];
  std::size_t length = append(raw, 0, Destination{1, 1, 1, "447700900123"});
  length = append(raw, length, Destination{2, 0, 0, "friends"});
  REQUIRE(length == 16 + 9);
  SubmitMulti multi;
  multi.source_addr = "shop";
  multi.dest_addresses = {2, Octets(raw).first(length)};
  std::uint8_t out[256];
  const std::size_t size = encode(multi, 1, Status::ESME_ROK, out);
  REQUIRE(size == encoded_length(multi));
  SubmitMulti back;
  REQUIRE_FALSE(decode(Octets(out).first(size).subspan(16), back));
  std::vector<std::string> seen;
  for (const Destination& d : back.dest_addresses) {
    seen.push_back(std::to_string(d.dest_flag) + std::string(d.destination_addr));
  }
  CHECK(seen == std::vector<std::string>{"1447700900123", "2friends"});

  const auto fault = [](const Body& dests) {
    Body body;
    body.c("").o({1, 1}).c("shop");
    body.octets.insert(body.octets.end(), dests.octets.begin(), dests.octets.end());
    SubmitMulti sm;
    return decode(body.octets, sm).status;
  };
  CHECK(fault(Body().o({0})) == Status::ESME_RINVNUMDESTS);
  CHECK(fault(Body().o({2, 1, 1, 1}).c("1")) == Status::ESME_RINVNUMDESTS);
  CHECK(fault(Body().o({1, 3, 1, 1}).c("1")) == Status::ESME_RINVDESTFLAG);
  CHECK(fault(Body().o({1, 1, 1, 1}).c(std::string(21, '1'))) == Status::ESME_RINVDSTADR);
  CHECK(fault(Body().o({1, 2}).c(std::string(21, 'l'))) == Status::ESME_RINVDLNAME);

  // A count that does not match its list is never encoded.
  multi.dest_addresses.count = 3;
  CHECK(encode(multi, 1, Status::ESME_ROK, out) == 0);
  multi.dest_addresses.count = 1;
  CHECK(encode(multi, 1, Status::ESME_ROK, out) == 0);
}

TEST_CASE("submit_multi_resp: unsuccess_sme(s), also when the count lies") {
  std::uint8_t raw[64];
  const std::size_t length = append(raw, 0, UnsuccessSme{1, 2, "4477", Status::ESME_RINVDSTADR});
  REQUIRE(length == 2 + 5 + 4);
  SubmitMultiResp resp;
  resp.message_id = "m";
  resp.unsuccess_smes = {1, Octets(raw).first(length)};
  std::uint8_t out[128];
  const std::size_t size = encode(resp, 1, Status::ESME_ROK, out);
  out[16 + 2] = 9;  // no_unsuccess lies
  SubmitMultiResp back;
  REQUIRE_FALSE(decode(Octets(out).first(size).subspan(16), back));
  REQUIRE(back.unsuccess_smes.count == 1);
  const UnsuccessSme only = *back.unsuccess_smes.begin();
  CHECK(only.dest_addr_npi == 2);
  CHECK(only.destination_addr == "4477");
  CHECK(only.error_status_code == Status::ESME_RINVDSTADR);
}

TEST_CASE("statuses: names of both versions, classes, any value carried") {
  CHECK(status_name(Status::ESME_ROK) == "ESME_ROK");
  CHECK(status_name(Status{0x58}) == "ESME_RTHROTTLED");
  CHECK(status_name(Status{0x112}) == "ESME_RINVBCASTCHANIND");
  CHECK(status_name(Status{0x22}).empty());
  CHECK(status_class(Status{0x00}) == StatusClass::ok);
  CHECK(status_class(Status{0x58}) == StatusClass::throttle);
  CHECK(status_class(Status{0x14}) == StatusClass::temporary);
  CHECK(status_class(Status{0x08}) == StatusClass::failover);
  CHECK(status_class(Status{0x0A}) == StatusClass::failover);
  CHECK(status_class(Status{0x0B}) == StatusClass::permanent);
  CHECK(status_class(Status{0x0E}) == StatusClass::configuration);
  CHECK(status_class(Status{0xFFFFFFFF}) == StatusClass::failover);
  CHECK(status_class(Status{0x450}) == StatusClass::failover);
}
