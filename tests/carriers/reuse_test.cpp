// A carrier that gives its ids again, and one that writes senseless ids: whose a receipt is, what
// is kept of it, and what that costs.
#include "carriers/park.h"
#include "proto/tlv.h"
#include "tests/carriers/world.h"

using namespace tollgate;
using namespace tollgate::tests;
using carriers::Taken;
using proto::Command;
using proto::Status;
using proto::record::Unpark;

namespace {

Status answered(World& world, Peer& peer) {
  const auto answer = world.next(peer, Command::deliver_sm_resp);
  REQUIRE(answer);
  return answer->header.command_status;
}

// What a receipt may differ in from another of the same id.
struct Written {
  std::string done = "2601021531";
  std::string text = "hello";
  std::string from = "447946999999";
  std::string stat = "DELIVRD";
  std::string tlv_id = {};  // of receipted_message_id; empty: without
};
void send_receipt(Peer& peer, std::string_view id, std::uint32_t sequence, const Written& what) {
  const std::string text = "id:" + std::string(id) +
                           " sub:001 dlvrd:001 submit date:2601021530 done date:" + what.done +
                           " stat:" + what.stat + " err:000 text:" + what.text;
  proto::DeliverSm sm;
  sm.source_addr = what.from;
  sm.destination_addr = "Shop";
  sm.esm_class = 4;
  sm.short_message = proto::as_octets(text);
  std::array<std::uint8_t, 80> block;
  if (!what.tlv_id.empty()) {
    sm.tlvs = proto::Octets(block).first(
        proto::append_tlv_text(block, 0, proto::Tag::receipted_message_id, what.tlv_id));
  }
  peer.send(sm, sequence);
}

void send_one(World& world, Peer& peer, std::uint64_t message, std::string_view id) {
  REQUIRE(world.take(message) == Taken::taken);
  peer.respond(world.submit(peer).header.sequence_number, id);
  REQUIRE(world.until([&] { return world.told.of(message) != nullptr; }));
}

}  // namespace

TEST_CASE("a carrier begins its ids anew: receipts that come early are the new messages'") {
  // By what the receipts of the second life differ from those of the first.
  const Written kinds[] = {{},
                           {.done = "2601021532"},
                           {.text = "another"},
                           {.from = "447946000077"},
                           {.stat = "UNDELIV"}};
  for (const Written& second : kinds) {
    World world;
    world.bring_up();
    Peer* peer = world.smsc.peers[0].get();
    for (std::uint32_t i = 1; i <= 100; ++i) {
      send_one(world, *peer, i, std::to_string(i));
      send_receipt(*peer, std::to_string(i), i, {});
      REQUIRE(answered(world, *peer) == Status::ESME_ROK);
    }
    REQUIRE(world.told.deliveries.size() == 100);
    peer->close();
    world.pass_ms(2'000);
    peer = &world.accept();
    for (std::uint32_t i = 1; i <= 100; ++i) {
      REQUIRE(world.take(1'000 + i) == Taken::taken);
      const Pdu pdu = world.submit(*peer);
      world.advance_ms(1);
      send_receipt(*peer, std::to_string(i), i, second);
      REQUIRE(answered(world, *peer) == Status::ESME_ROK);
      REQUIRE(world.told.deliveries.size() == 99 + i);  // not told before its message is known
      peer->respond(pdu.header.sequence_number, std::to_string(i));
      REQUIRE(world.until([&] { return world.told.deliveries.size() == 100 + i; }));
      CHECK(world.told.deliveries.back().message == 1'000 + i);
      CHECK(world.told.deliveries.back().stat == second.stat);
    }
    CHECK(world.counters().parked.get() == 0);
    CHECK(world.told.dead_letters.empty());
    // And now they are repeated, with nothing in flight: told to nobody.
    for (std::uint32_t i = 1; i <= 100; ++i) {
      send_receipt(*peer, std::to_string(i), 500 + i, second);
      CHECK(answered(world, *peer) == Status::ESME_ROK);
    }
    CHECK(world.told.deliveries.size() == 200);
    CHECK(world.told.dead_letters.empty());
    // The memory of what settled an id is bounded: of a few it knows no more.
    CHECK(world.counters().receipts_duplicate.get() > 90);
  }
}

TEST_CASE("a repeat while other messages are in flight is told to nobody, and soon forgotten") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  send_one(world, peer, 1, "5");
  send_receipt(peer, "5", 1, {});
  CHECK(answered(world, peer) == Status::ESME_ROK);
  REQUIRE(world.take(2) == Taken::taken);
  const Pdu pdu = world.submit(peer);
  world.advance_ms(1);
  for (std::uint32_t i = 2; i < 10; ++i) {
    send_receipt(peer, "5", i, {});
    CHECK(answered(world, peer) == Status::ESME_ROK);
  }
  CHECK(world.counters().parked.get() == 1);  // it may be message 2's
  CHECK(world.counters().receipts_duplicate.get() == 7);
  world.advance_ms(1);
  peer.respond(pdu.header.sequence_number, "6");
  REQUIRE(world.until([&] { return world.counters().parked.get() == 0; }));
  CHECK(world.told.deliveries.size() == 1);
  CHECK(world.told.dead_letters.empty());
  CHECK(world.told.unparks == std::vector{std::pair(std::uint64_t{1}, Unpark::duplicate)});
  CHECK(world.counters().receipts_duplicate.get() == 8);
}

TEST_CASE("a final receipt for an id that was settled by another is a dead letter, never lost") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  send_one(world, peer, 1, "5");
  send_receipt(peer, "5", 1, {});
  CHECK(answered(world, peer) == Status::ESME_ROK);
  world.told.keeps_dead = false;
  send_receipt(peer, "5", 2, {.from = "447946000002"});
  CHECK(answered(world, peer) == Status::ESME_RX_T_APPN);  // cannot be kept: asked for again
  world.told.keeps_dead = true;
  send_receipt(peer, "5", 3, {.from = "447946000002"});
  CHECK(answered(world, peer) == Status::ESME_ROK);
  REQUIRE(world.told.dead_letters.size() == 1);
  CHECK(world.told.dead_letters[0].why == proto::record::Dead::unmatched);
  CHECK(world.told.dead_letters[0].id == "5");
  // While something is in flight it waits for that, and ends the same.
  REQUIRE(world.take(2) == Taken::taken);
  const Pdu pdu = world.submit(peer);
  world.advance_ms(1);
  send_receipt(peer, "5", 4, {.from = "447946000003"});
  send_receipt(peer, "5", 5, {.stat = "ENROUTE"});  // an old word, late: a duplicate in the end
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(world.told.dead_letters.size() == 1);
  world.advance_ms(1);
  peer.respond(pdu.header.sequence_number, "6");
  REQUIRE(world.until([&] { return world.counters().parked.get() == 0; }));
  CHECK(world.told.dead_letters.size() == 2);
  CHECK(world.told.deliveries.size() == 1);
}

TEST_CASE("receipts of one unknown id: a few are parked, the others dead letters at once") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  constexpr std::uint32_t kCount = 500;
  for (std::uint32_t i = 1; i <= kCount; ++i) {
    send_receipt(peer, "0", i, {.text = std::to_string(i)});
    REQUIRE(answered(world, peer) == Status::ESME_ROK);
  }
  CHECK(world.counters().parked.get() == carriers::Park::kOfOneKey);
  CHECK(world.told.dead_letters.size() == kCount - carriers::Park::kOfOneKey);
  CHECK(world.counters().receipts_unmatched.get() == kCount - carriers::Park::kOfOneKey);
  // Those of other ids are parked as ever, under either of their ids.
  send_receipt(peer, "0", 1'000, {.tlv_id = "another"});
  send_receipt(peer, "another1", 1'001, {.tlv_id = "0"});
  send_receipt(peer, "2", 1'002, {});
  for (int i = 0; i < 3; ++i) CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(world.counters().parked.get() == carriers::Park::kOfOneKey + 3);
  world.pass_ms(70'000, 1'000);
  CHECK(world.counters().parked.get() == 0);
  CHECK(world.told.dead_letters.size() == kCount + 3);
}

TEST_CASE("early receipts that all have one id in common find their messages by the other") {
  const bool in_text = GENERATE(true, false);
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.add_bind().window = 100;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  constexpr std::uint32_t kCount = 50;
  std::vector<Pdu> submits;
  for (std::uint32_t i = 1; i <= kCount; ++i) {
    REQUIRE(world.take(i) == Taken::taken);
    submits.push_back(world.submit(peer));
  }
  world.advance_ms(1);
  // Each twice: what is parked already takes no second place, under whichever id it is.
  for (std::uint32_t i = 1; i <= 2 * kCount; ++i) {
    const std::string id = "id" + std::to_string((i + 1) / 2);
    send_receipt(peer, in_text ? "0" : id, i, {.tlv_id = in_text ? id : "0"});
    REQUIRE(answered(world, peer) == Status::ESME_ROK);
  }
  CHECK(world.counters().parked.get() == kCount);
  CHECK(world.counters().receipts_duplicate.get() == kCount);
  CHECK(world.told.dead_letters.empty());
  for (std::uint32_t i = 1; i <= kCount; ++i) {
    peer.respond(submits[i - 1].header.sequence_number, "id" + std::to_string(i));
    REQUIRE(world.until([&] { return world.told.deliveries.size() == i; }));
    CHECK(world.told.deliveries.back().message == i);
  }
  CHECK(world.counters().parked.get() == 0);
  CHECK(world.told.dead_letters.empty());
}

TEST_CASE("a repeated receipt of two ids is told to nobody, also when one is another message's") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  SECTION("the one of its TLV was its message's") {
    send_one(world, peer, 1, "5");
    send_one(world, peer, 2, "6");
    for (std::uint32_t i = 1; i <= 3; ++i) send_receipt(peer, "6", i, {.tlv_id = "5"});
  }
  SECTION("the one of its text was") {
    send_one(world, peer, 1, "6");
    send_receipt(peer, "6", 1, {.tlv_id = "5"});
    CHECK(answered(world, peer) == Status::ESME_ROK);
    send_one(world, peer, 2, "5");
    for (std::uint32_t i = 2; i <= 3; ++i) send_receipt(peer, "6", i, {.tlv_id = "5"});
    send_receipt(peer, "x", 4, {.stat = "ENROUTE"});  // one more answer; of nobody
  }
  SECTION("early, and its own id is another's when it comes") {
    send_one(world, peer, 1, "5");
    send_receipt(peer, "6", 1, {.tlv_id = "5"});
    CHECK(answered(world, peer) == Status::ESME_ROK);
    REQUIRE(world.take(2) == Taken::taken);
    const Pdu pdu = world.submit(peer);
    world.advance_ms(1);
    send_receipt(peer, "6", 2, {.tlv_id = "5"});
    CHECK(answered(world, peer) == Status::ESME_ROK);
    CHECK(world.counters().parked.get() == 1);
    world.advance_ms(1);
    peer.respond(pdu.header.sequence_number, "6");
    REQUIRE(world.until([&] { return world.told.of(2) != nullptr; }));
    for (std::uint32_t i = 3; i <= 5; ++i) send_receipt(peer, "6", i, {.tlv_id = "5"});
  }
  for (int i = 0; i < 3; ++i) CHECK(answered(world, peer) == Status::ESME_ROK);
  REQUIRE(world.told.deliveries.size() == 1);
  CHECK(world.told.deliveries[0].message == 1);
  CHECK(world.told.dead_letters.empty());
  // Its own receipt, for its own number, is told.
  send_receipt(peer, "6", 9, {.from = "447946000002", .tlv_id = "5"});
  CHECK(answered(world, peer) == Status::ESME_ROK);
  REQUIRE(world.told.deliveries.size() == 2);
  CHECK(world.told.deliveries[1].message == 2);
}

TEST_CASE("another receipt of a message that has its last one is not told by its text's id") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  send_one(world, peer, 1, "5");
  send_one(world, peer, 2, "6");
  send_receipt(peer, "6", 1, {.tlv_id = "5"});
  send_receipt(peer, "6", 2, {.stat = "ENROUTE", .tlv_id = "5"});  // late: a duplicate
  send_receipt(peer, "6", 3, {.stat = "EXPIRED", .tlv_id = "5"});  // two last words: for people
  for (int i = 0; i < 3; ++i) CHECK(answered(world, peer) == Status::ESME_ROK);
  REQUIRE(world.told.deliveries.size() == 1);
  CHECK(world.told.deliveries[0].message == 1);
  CHECK(world.counters().receipts_duplicate.get() == 1);
  CHECK(world.told.dead_letters.size() == 1);
}

TEST_CASE("an id of before a restart given again: the numbers tell whose a receipt is") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  world.carrier().restore_awaiting("5", 1, "447946000001");
  world.carrier().restore_awaiting("7", 3, "");
  REQUIRE(world.take(2) == Taken::taken);
  const Pdu pdu = world.submit(peer);
  world.advance_ms(1);
  send_receipt(peer, "5", 1, {.from = "447946000002"});
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(world.told.deliveries.empty());  // early, as it may be
  peer.respond(pdu.header.sequence_number, "5");
  REQUIRE(world.until([&] { return world.told.deliveries.size() == 1; }));
  CHECK(world.told.deliveries[0].message == 2);
  send_receipt(peer, "7", 2, {});
  CHECK(answered(world, peer) == Status::ESME_ROK);
  REQUIRE(world.told.deliveries.size() == 2);
  CHECK(world.told.deliveries[1].message == 3);
}

TEST_CASE("a carrier that gives one id to all: nothing is lost, nothing grows") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (std::uint64_t i = 1; i <= 50; ++i) send_one(world, peer, i, "1");
  CHECK(world.counters().awaiting.get() == 1);
  for (std::uint32_t i = 1; i <= 50; ++i) {
    send_receipt(peer, "1", i, {.from = std::to_string(447'946'000'000 + i)});
    CHECK(answered(world, peer) == Status::ESME_ROK);
  }
  CHECK(world.told.deliveries.size() == 1);
  CHECK(world.told.dead_letters.size() == 49);
  CHECK(world.counters().parked.get() == 0);
}

TEST_CASE("an id given again while its first message waits: the numbers tell whose a receipt is") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  send_one(world, peer, 1, "5");  // to 447946000001; its receipt does not come
  // The carrier begins anew. Early, for message 2.
  REQUIRE(world.take(2) == Taken::taken);
  const Pdu pdu = world.submit(peer);
  world.advance_ms(1);
  send_receipt(peer, "5", 1, {.from = "+447946000002"});
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(world.told.deliveries.empty());
  SECTION("it is message 2's") {
    peer.respond(pdu.header.sequence_number, "5");
    REQUIRE(world.until([&] { return world.told.deliveries.size() == 1; }));
    CHECK(world.told.deliveries[0].message == 2);
  }
  SECTION("message 2 has another id: there is but message 1") {
    peer.respond(pdu.header.sequence_number, "6");
    REQUIRE(world.until([&] { return world.told.deliveries.size() == 1; }));
    REQUIRE(world.told.deliveries.size() == 1);
    CHECK(world.told.deliveries[0].message == 1);
  }
  CHECK(world.counters().parked.get() == 0);
  CHECK(world.told.dead_letters.empty());
}

TEST_CASE("a number that is hidden or written otherwise does not keep a receipt from its message") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  std::uint32_t sequence = 0;
  for (const char* from : {"0044794600000", "4479460****", "", "Shop"}) {
    const std::uint64_t message = ++sequence;
    send_one(world, peer, message, "id" + std::to_string(message));
    REQUIRE(world.take(100 + message) == Taken::taken);
    const Pdu pdu = world.submit(peer);
    send_receipt(peer, "id" + std::to_string(message), sequence, {.from = from});
    CHECK(answered(world, peer) == Status::ESME_ROK);
    REQUIRE(world.told.deliveries.size() == message);
    CHECK(world.told.deliveries.back().message == message);
    peer.respond(pdu.header.sequence_number, "x" + std::to_string(message));
    REQUIRE(world.until([&] { return world.told.of(100 + message) != nullptr; }));
  }
}

TEST_CASE("an old receipt repeated when its id has been given again is told to nobody") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  const Written old{.from = "447946000001"};
  send_one(world, peer, 1, "5");
  send_receipt(peer, "5", 1, old);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  SECTION("behind its response") {
    send_one(world, peer, 2, "5");
  }
  SECTION("before it") {
    REQUIRE(world.take(2) == Taken::taken);
    const Pdu pdu = world.submit(peer);
    world.advance_ms(1);
    send_receipt(peer, "5", 2, old);
    CHECK(answered(world, peer) == Status::ESME_ROK);
    world.advance_ms(1);
    peer.respond(pdu.header.sequence_number, "5");
    REQUIRE(world.until([&] { return world.counters().parked.get() == 0; }));
  }
  send_receipt(peer, "5", 3, old);
  CHECK(answered(world, peer) == Status::ESME_ROK);
  CHECK(world.told.deliveries.size() == 1);
  CHECK(world.told.dead_letters.empty());
  send_receipt(peer, "5", 4, {.from = "447946000002"});
  CHECK(answered(world, peer) == Status::ESME_ROK);
  REQUIRE(world.told.deliveries.size() == 2);
  CHECK(world.told.deliveries[1].message == 2);
}

TEST_CASE("an id given again, responses before receipts that say the same as the old ones") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (std::uint32_t i = 1; i <= 100; ++i) {
    send_one(world, peer, i, std::to_string(i % 10));
    send_receipt(peer, std::to_string(i % 10), i, {});
    CHECK(answered(world, peer) == Status::ESME_ROK);
    REQUIRE(world.told.deliveries.size() == i);
    CHECK(world.told.deliveries.back().message == i);
  }
}
