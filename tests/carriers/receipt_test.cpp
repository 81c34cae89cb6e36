// Receipts: found by carrier and id on any bind, whenever they come, told once, always answered.
#include "proto/tlv.h"
#include "tests/carriers/world.h"

using namespace tollgate;
using namespace tollgate::tests;
using carriers::Taken;
using proto::Command;
using proto::MessageState;
using proto::Status;
using proto::record::Unpark;

namespace {

// Sends `message` and answers it with `id`.
void send_one(World& world, Peer& peer, std::uint64_t message, std::string_view id) {
  REQUIRE(world.take(message) == Taken::taken);
  peer.respond(world.submit(peer).header.sequence_number, id);
  REQUIRE(world.until([&] { return world.told.of(message) != nullptr; }));
}

// The status that the next deliver_sm_resp or data_sm_resp carries.
Status answered(World& world, Peer& peer, Command command = Command::deliver_sm_resp) {
  const auto answer = world.next(peer, command);
  REQUIRE(answer);
  return answer->header.command_status;
}

std::uint64_t counted(World& world, MessageState state) {
  return world.counters().receipts[static_cast<std::size_t>(state)].get();
}

}  // namespace

TEST_CASE("a receipt finds its message and is acknowledged with its number") {
  World world;
  world.config().dialect.error_texts = {{"021", "handset is off"}};
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  send_one(world, peer, 1, "abc-1");
  CHECK(world.counters().awaiting.get() == 1);
  peer.receipt("abc-1", 0x80000007);
  const auto answer = world.next(peer, Command::deliver_sm_resp);
  REQUIRE(answer);
  CHECK(answer->header.command_status == Status::ESME_ROK);
  CHECK(answer->header.sequence_number == 0x80000007);
  CHECK(answer->whole.size() == 17);
  REQUIRE(world.told.deliveries.size() == 1);
  CHECK(world.told.deliveries[0].message == 1);
  CHECK(world.told.deliveries[0].final);
  CHECK(world.told.deliveries[0].error_text == "handset is off");
  CHECK(world.counters().awaiting.get() == 0);
  CHECK(counted(world, MessageState::delivered) == 1);
}

TEST_CASE("intermediate receipts leave the id waiting; behind the final one all are duplicates") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  send_one(world, peer, 1, "7");
  peer.receipt("7", 1, "ENROUTE");
  peer.receipt("7", 2, "ENROUTE");
  peer.receipt("7", 3, "DELIVRD");
  peer.receipt("7", 4, "DELIVRD");
  peer.receipt("7", 5, "ENROUTE");
  for (int i = 0; i < 5; ++i) CHECK(answered(world, peer) == Status::ESME_ROK);
  REQUIRE(world.told.deliveries.size() == 3);
  CHECK_FALSE(world.told.deliveries[1].final);
  CHECK(world.told.deliveries[2].final);
  CHECK(world.counters().receipts_duplicate.get() == 2);
  CHECK(counted(world, MessageState::enroute) == 2);
}

TEST_CASE("early receipts are parked, acknowledged, and told in order behind the response") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  const Pdu pdu = world.submit(peer);
  peer.receipt("77", 1, "ENROUTE");
  peer.receipt("77", 2, "DELIVRD");
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(world.told.deliveries.empty());
  CHECK(world.counters().receipts_early.get() == 2);
  CHECK(world.counters().parked.get() == 2);
  world.pass_ms(50'000, 1000);
  peer.respond(pdu.header.sequence_number, "77");
  REQUIRE(world.until([&] { return world.told.deliveries.size() == 2; }));
  CHECK(world.told.of(1)->what == Told::What::sent);
  CHECK(world.told.deliveries[0].stat == "ENROUTE");
  CHECK(world.told.deliveries[1].stat == "DELIVRD");
  CHECK(world.counters().parked.get() == 0);
  CHECK(world.counters().awaiting.get() == 0);
  peer.receipt("77", 3);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(world.counters().receipts_duplicate.get() == 1);
}

TEST_CASE("a receipt that no id comes for is acknowledged, kept a minute, counted") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  peer.receipt("stranger", 1);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  world.pass_ms(59'000, 1000);
  CHECK(world.counters().receipts_unmatched.get() == 0);
  world.pass_ms(3'000, 1000);
  CHECK(world.counters().receipts_unmatched.get() == 1);
  CHECK(world.counters().parked.get() == 0);
  send_one(world, peer, 1, "stranger");
  CHECK(world.told.deliveries.empty());
}

TEST_CASE("a receipt whose id never comes is a dead letter after its time, whole") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  peer.receipt("stranger", 1, "UNDELIV");
  CHECK(answered(world, peer) == Status::ESME_ROK);
  world.told.keeps_dead = false;
  world.pass_ms(70'000, 1000);
  CHECK(world.counters().parked.get() == 1);  // acknowledged: it stays until it can be kept
  CHECK(world.counters().receipts_unmatched.get() == 0);
  world.told.keeps_dead = true;
  world.pass_ms(1'000);
  REQUIRE(world.told.dead_letters.size() == 1);
  const Told::Dead& letter = world.told.dead_letters[0];
  CHECK(letter.why == proto::record::Dead::unmatched);
  CHECK(letter.state == proto::MessageState::undeliverable);
  CHECK(letter.id == "stranger");
  CHECK(proto::read_header(letter.pdu.data()).command_id == Command::deliver_sm);
  CHECK(proto::as_text(letter.pdu).find("stat:UNDELIV") != std::string_view::npos);
  CHECK(world.counters().parked.get() == 0);
  CHECK(world.counters().receipts_unmatched.get() == 1);
  CHECK(world.told.unparks == std::vector{std::pair(std::uint64_t{1}, Unpark::unmatched)});
}

TEST_CASE("how a receipt leaves the park is told with its number") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  const Pdu pdu = world.submit(peer);
  peer.receipt("1", 1);
  peer.receipt("1", 2, "UNDELIV");
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  peer.respond(pdu.header.sequence_number, "1");
  REQUIRE(world.until([&] { return world.counters().parked.get() == 0; }));
  CHECK(world.told.unparks == std::vector{std::pair(std::uint64_t{1}, Unpark::matched),
                                          std::pair(std::uint64_t{2}, Unpark::unmatched)});
  CHECK(world.told.dead_letters.size() == 1);  // another last word than the one that was told
  peer.receipt("1", 3);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  world.pass_ms(70'000, 1000);
  CHECK(world.told.dead_letters.size() == 1);  // repeats what was told
}

TEST_CASE("a receipt that holds no id is a dead letter at once, or not acknowledged") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  proto::DeliverSm sm;
  sm.esm_class = 0x04;
  sm.short_message = proto::as_octets("stat:DELIVRD and nothing else");
  world.told.keeps_dead = false;
  peer.send(sm, 1);
  CHECK(answered(world, peer) == Status::ESME_RX_T_APPN);
  CHECK(world.counters().receipts_unreadable.get() == 0);
  world.told.keeps_dead = true;
  peer.send(sm, 2);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  REQUIRE(world.told.dead_letters.size() == 1);
  CHECK(world.told.dead_letters[0].why == proto::record::Dead::unreadable);
  CHECK(world.counters().receipts_unreadable.get() == 1);
}

TEST_CASE("a parked receipt of an earlier life that nobody knows ends as a dead letter") {
  World world;
  world.build();
  proto::DeliverSm sm;
  sm.esm_class = 0x04;
  sm.short_message = proto::as_octets("id:old stat:DELIVRD");
  std::vector<std::uint8_t> pdu(200);
  pdu.resize(proto::encode(sm, 1, Status::ESME_ROK, pdu));
  world.carrier().restore_parked(pdu, world.now_.mono_us - 90'000'000, 77);
  world.accept();
  world.steps(3);
  REQUIRE(world.told.dead_letters.size() == 1);
  CHECK(world.told.dead_letters[0].pdu == pdu);
  CHECK(world.told.unparks == std::vector{std::pair(std::uint64_t{77}, Unpark::unmatched)});
}

TEST_CASE("a receipt on another bind finds its message, before and after the response") {
  World world;
  world.add_bind();
  world.add_bind();
  world.bring_up();
  Peer& first = *world.smsc.peers[0];
  Peer& second = *world.smsc.peers[1];
  send_one(world, first, 1, "1");
  second.receipt("1", 1);
  CHECK(answered(world, second) == Status::ESME_ROK);
  REQUIRE(world.told.deliveries.size() == 1);
  REQUIRE(world.take(2) == Taken::taken);
  Peer& other = world.until([&] { return first.waiting() != 0 || second.waiting() != 0; }) &&
                        first.waiting() != 0
                    ? first
                    : second;
  const Pdu pdu = world.submit(other);
  Peer& receiving = &other == &first ? second : first;
  receiving.receipt("2", 2);
  CHECK(answered(world, receiving) == Status::ESME_ROK);
  other.respond(pdu.header.sequence_number, "2");
  REQUIRE(world.until([&] { return world.told.deliveries.size() == 2; }));
  CHECK(world.told.deliveries[1].message == 2);
}

TEST_CASE("ids outlive the bind they came on") {
  World world;
  world.bring_up();
  send_one(world, *world.smsc.peers[0], 1, "1");
  world.smsc.peers[0]->reset();
  REQUIRE(world.until([&] { return !world.carrier().state().up(); }));
  world.pass_ms(510);
  Peer& next = world.accept();
  next.receipt("1", 1);
  CHECK(answered(world, next) == Status::ESME_ROK);
  REQUIRE(world.told.deliveries.size() == 1);
}

TEST_CASE("what the flow cannot keep, the carrier is asked to send again") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  send_one(world, peer, 1, "1");
  world.told.keeps_receipts = false;
  peer.receipt("1", 1);
  CHECK(answered(world, peer) == Status::ESME_RX_T_APPN);
  CHECK(world.counters().receipts_refused.get() == 1);
  CHECK(counted(world, MessageState::delivered) == 0);
  world.told.keeps_receipts = true;
  peer.receipt("1", 2);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(world.told.deliveries.size() == 1);
}

TEST_CASE("a parked receipt that the flow cannot keep is tried again, not lost") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  const Pdu pdu = world.submit(peer);
  peer.receipt("1", 1);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  world.told.keeps_receipts = false;
  peer.respond(pdu.header.sequence_number, "1");
  REQUIRE(world.until([&] { return world.told.of(1) != nullptr; }));
  world.pass_ms(1000);
  CHECK(world.counters().parked.get() == 1);
  world.told.keeps_receipts = true;
  world.pass_ms(200);
  CHECK(world.told.deliveries.size() == 1);
  CHECK(world.counters().parked.get() == 0);
}

TEST_CASE("a parked receipt that is sent again and again takes one place, and is acknowledged") {
  World world;
  world.config().early_receipts_max = 2;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  const Pdu pdu = world.submit(peer);
  for (std::uint32_t i = 1; i <= 5; ++i) {
    peer.receipt("1", i);
    CHECK(answered(world, peer) == Status::ESME_ROK);
    world.pass_ms(1'000, 100);
  }
  CHECK(world.counters().parked.get() == 1);
  CHECK(world.counters().receipts_early.get() == 1);
  CHECK(world.counters().receipts_duplicate.get() == 4);
  CHECK(world.told.last_parked == 1);
  peer.receipt("1", 6, "UNDELIV");  // something else about the same message
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(world.counters().parked.get() == 2);
  peer.respond(pdu.header.sequence_number, "1");
  REQUIRE(world.until([&] { return world.counters().parked.get() == 0; }));
  REQUIRE(world.told.deliveries.size() == 1);
  CHECK(world.told.deliveries[0].stat == "DELIVRD");
}

TEST_CASE("a full park asks the carrier to send again and keeps what it acknowledged") {
  World world;
  world.config().early_receipts_max = 2;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  const Pdu pdu = world.submit(peer);
  peer.receipt("1", 1);
  peer.receipt("x", 2);
  peer.receipt("y", 3);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(answered(world, peer) == Status::ESME_RX_T_APPN);
  peer.respond(pdu.header.sequence_number, "1");
  CHECK(world.until([&] { return world.told.deliveries.size() == 1; }));
}

TEST_CASE("the dialect's forms of an id meet, in text and TLV, before and after the response") {
  World world;
  world.config().dialect.id_response = carriers::IdForm::hex;
  world.config().dialect.id_receipt_text = carriers::IdForm::decimal;
  world.config().dialect.id_receipt_tlv = carriers::IdForm::hex;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  send_one(world, peer, 1, "812FC7470000001B");
  peer.receipt("9308878062554710043", 1);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  REQUIRE(world.told.deliveries.size() == 1);

  const auto both = [&](std::string_view tlv_id, std::string_view text_id, std::uint32_t sequence) {
    std::array<std::uint8_t, 128> block;
    std::size_t at = proto::append_tlv_text(block, 0, proto::Tag::receipted_message_id, tlv_id);
    at = proto::append_tlv_u8(block, at, proto::Tag::message_state, 2);
    const std::string text = "id:" + std::string(text_id) + " stat:DELIVRD";
    proto::DeliverSm sm;
    sm.esm_class = 4;
    sm.short_message = proto::as_octets(text);
    sm.tlvs = proto::Octets(block).first(at);
    peer.send(sm, sequence);
    CHECK(answered(world, peer) == Status::ESME_ROK);
  };
  send_one(world, peer, 2, "1d305b4c");
  both("1D305B4C", "0489708364", 2);
  CHECK(world.told.deliveries.size() == 2);
  send_one(world, peer, 3, "6aad5");
  both("senseless", "0000436949", 3);  // the text's id alone is right
  CHECK(world.told.deliveries.size() == 3);
  REQUIRE(world.take(4) == Taken::taken);
  const Pdu pdu = world.submit(peer);
  both("senseless", "255", 4);
  CHECK(world.counters().parked.get() == 1);
  peer.respond(pdu.header.sequence_number, "FF");
  CHECK(world.until([&] { return world.told.deliveries.size() == 4; }));
  CHECK(world.counters().parked.get() == 0);
}

TEST_CASE("receipts in data_sm, in message_payload and in TLVs alone count") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (std::uint64_t i = 1; i <= 3; ++i) send_one(world, peer, i, "id" + std::to_string(i));
  std::array<std::uint8_t, 256> block;
  std::size_t at = proto::append_tlv_text(block, 0, proto::Tag::receipted_message_id, "id1");
  at = proto::append_tlv_u8(block, at, proto::Tag::message_state, 5);
  proto::DataSm data;
  data.esm_class = 4;
  data.tlvs = proto::Octets(block).first(at);
  peer.send(data, 1);
  CHECK(answered(world, peer, Command::data_sm_resp) == Status::ESME_ROK);
  proto::DeliverSm sm;
  at = proto::append_tlv_text(block, 0, proto::Tag::receipted_message_id, "id2");
  at = proto::append_tlv_u8(block, at, proto::Tag::message_state, 2);
  sm.tlvs = proto::Octets(block).first(at);
  peer.send(sm, 2);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  at = proto::append_tlv(block, 0, proto::Tag::message_payload,
                         proto::as_octets("id:id3 stat:EXPIRED"));
  sm.esm_class = 4;
  sm.tlvs = proto::Octets(block).first(at);
  peer.send(sm, 3);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(world.told.deliveries.size() == 3);
  CHECK(counted(world, MessageState::undeliverable) == 1);
  CHECK(counted(world, MessageState::delivered) == 1);
  CHECK(counted(world, MessageState::expired) == 1);
}

TEST_CASE("an early data_sm receipt is read again as what it is") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  const Pdu pdu = world.submit(peer);
  std::array<std::uint8_t, 256> block;
  std::size_t at = proto::append_tlv_text(block, 0, proto::Tag::receipted_message_id, "1");
  at = proto::append_tlv_u8(block, at, proto::Tag::message_state, 2);
  proto::DataSm data;
  data.esm_class = 4;
  data.tlvs = proto::Octets(block).first(at);
  peer.send(data, 1);
  CHECK(answered(world, peer, Command::data_sm_resp) == Status::ESME_ROK);
  peer.respond(pdu.header.sequence_number, "1");
  CHECK(world.until([&] { return world.told.deliveries.size() == 1; }));
}

TEST_CASE(
    "a message for us is no receipt: the carrier is asked to keep it; bad receipts close nothing") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  proto::DeliverSm sm;
  sm.source_addr = "447946000001";
  sm.destination_addr = "12345";
  sm.short_message = proto::as_octets("STOP");
  peer.send(sm, 1);
  CHECK(answered(world, peer) == Status::ESME_RX_T_APPN);
  CHECK(world.counters().mo.get() == 1);
  sm.esm_class = 4;
  for (const std::string_view text : {"", "garbage", "\xff\x00\x01", "id: stat:DELIVRD"}) {
    sm.short_message = proto::as_octets(text);
    peer.send(sm, 2);
    CHECK(answered(world, peer) == Status::ESME_ROK);
  }
  const std::string long_id = "id:" + std::string(100, '1') + " stat:DELIVRD";
  sm.short_message = proto::as_octets(long_id);
  peer.send(sm, 3);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(world.counters().receipts_unreadable.get() == 5);
  CHECK(world.counters().binds[0].losses.get() == 0);
}

TEST_CASE("only messages that ask for a receipt wait for one") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (const unsigned asks : {0U, 1U, 2U, 3U, 0x10U, 0x04U}) {
    proto::SubmitSm sm = a_submit();
    sm.registered_delivery = static_cast<std::uint8_t>(asks);
    const std::uint64_t message = 100 + asks;
    REQUIRE(world.take(message, sm) == Taken::taken);
    peer.respond(world.submit(peer).header.sequence_number, std::to_string(message));
    REQUIRE(world.until([&] { return world.told.of(message) != nullptr; }));
  }
  CHECK(world.counters().awaiting.get() == 5);
}

TEST_CASE("an id that never gets its receipt is forgotten after its hours") {
  World world;
  world.config().awaiting_hours = 1;
  world.config().timers.enquire_link_ms = 0;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  send_one(world, peer, 1, "1");
  world.pass_ms(3'590'000, 100'000);
  CHECK(world.counters().awaiting.get() == 1);
  world.pass_ms(30'000, 1000);
  CHECK(world.counters().awaiting.get() == 0);
  CHECK(world.counters().awaiting_expired.get() == 1);
}
