// Orders in, submits out, one outcome each.
#include <algorithm>
#include <random>
#include <set>

#include "proto/tlv.h"
#include "tests/carriers/world.h"

using namespace tollgate;
using namespace tollgate::tests;
using carriers::BindState;
using carriers::Taken;
using proto::Command;
using proto::Status;
using proto::StatusClass;

TEST_CASE("with a neutral dialect the body leaves octet by octet, whatever its length") {
  World world;
  world.add_bind().window = 100;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  std::vector<std::uint8_t> payload(65'000);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::uint8_t>(i * 7);
  std::vector<std::uint8_t> block(70'000);
  std::uint64_t message = 0;
  for (const std::size_t length : {0U, 1U, 150U, 210U, 260U, 768U, 769U, 5000U, 65'000U}) {
    const std::size_t tlvs = proto::append_tlv(block, 0, proto::Tag::message_payload,
                                               proto::Octets(payload).first(length));
    proto::SubmitSm sm = a_submit("");
    sm.tlvs = proto::Octets(block).first(tlvs);
    std::vector<std::uint8_t> expected(70'000);
    expected.resize(proto::encode_body(sm, expected));
    REQUIRE(world.take(++message, sm) == Taken::taken);
    const Pdu pdu = world.submit(peer);
    CHECK(pdu.header.command_status == Status::ESME_ROK);
    CHECK(proto::same_octets(pdu.body(), expected));
    peer.respond(pdu.header.sequence_number, "x");
  }
  CHECK(world.counters().submits.get() == message);
}

TEST_CASE("responses in any order find their message; the outcome carries id and attempt") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  std::map<std::uint64_t, std::uint32_t> sequences;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    REQUIRE(world.take(i, static_cast<std::uint8_t>(i % 3)) == Taken::taken);
  }
  for (int i = 0; i < 10; ++i) {
    const Pdu pdu = world.submit(peer);
    sequences[message_in(pdu)] = pdu.header.sequence_number;
  }
  for (const std::uint64_t i : {7U, 1U, 10U, 2U, 3U, 9U, 8U, 4U, 6U, 5U}) {
    peer.respond(sequences[i], "id-" + std::to_string(i));
  }
  REQUIRE(world.until([&] { return world.told.outcomes.size() == 10; }));
  for (std::uint64_t i = 1; i <= 10; ++i) {
    REQUIRE(world.told.of(i) != nullptr);
    CHECK(world.told.of(i)->what == Told::What::sent);
    CHECK(world.told.of(i)->id == "id-" + std::to_string(i));
    CHECK(world.told.of(i)->attempt == i % 3);
  }
  CHECK(world.balanced());
  CHECK(world.counters().responses[0].get() == 10);
  CHECK(world.counters().response_us.count() == 10);
}

TEST_CASE("the window is never passed, and what waits leaves in order") {
  World world;
  world.add_bind().window = 7;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  std::uint64_t taken = 0;
  std::uint64_t seen = 0;
  std::deque<std::uint32_t> open;
  std::mt19937 random(5);
  while (seen < 500) {
    while (taken < 500 && random() % 4 != 0) REQUIRE(world.take(++taken) == Taken::taken);
    world.steps(3);
    for (auto pdu = peer.next(); pdu; pdu = peer.next()) {
      REQUIRE(message_in(*pdu) == ++seen);  // FIFO
      open.push_back(pdu->header.sequence_number);
    }
    REQUIRE(open.size() <= 7);
    REQUIRE(world.counters().binds[0].window_in_use.get() <= 7);
    REQUIRE(world.balanced());
    if (taken > seen) REQUIRE(open.size() == 7);  // nor is it left unused
    std::shuffle(open.begin(), open.end(), random);
    for (std::uint64_t n = random() % 5; n != 0 && !open.empty(); --n) {
      peer.respond(open.front(), "x" + std::to_string(open.front()));
      open.pop_front();
    }
  }
}

TEST_CASE("a response that never comes does not stop those behind it") {
  World world;
  world.add_bind().window = 4;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  const Pdu stuck = world.submit(peer);
  for (std::uint64_t i = 2; i < 200; ++i) {
    REQUIRE(world.take(i) == Taken::taken);
    const Pdu pdu = world.submit(peer);
    REQUIRE(pdu.header.sequence_number != stuck.header.sequence_number);
    peer.respond(pdu.header.sequence_number, "x");
    REQUIRE(world.until([&] { return world.told.of(i) != nullptr; }));
  }
  peer.respond(stuck.header.sequence_number, "late");
  REQUIRE(world.until([&] { return world.told.of(1) != nullptr; }));
  CHECK(world.told.of(1)->id == "late");
}

TEST_CASE("ESME_ROK without a body, without its NUL, with an empty id: sent, once") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (std::uint64_t i = 1; i <= 3; ++i) REQUIRE(world.take(i) == Taken::taken);
  peer.send_header(Command::submit_sm_resp, world.submit(peer).header.sequence_number);
  const std::uint32_t second = world.submit(peer).header.sequence_number;
  std::array<std::uint8_t, 20> cut;
  proto::write_header(cut.data(), {20, Command::submit_sm_resp, Status::ESME_ROK, second});
  std::memcpy(cut.data() + 16, "1234", 4);
  peer.send(cut);
  peer.respond(world.submit(peer).header.sequence_number, "");
  REQUIRE(world.until([&] { return world.told.outcomes.size() == 3; }));
  CHECK(world.told.count(Told::What::sent) == 3);
  CHECK(world.told.of(1)->id.empty());
  CHECK(world.told.of(3)->id.empty());
  CHECK(world.counters().without_id.get() >= 2);
  CHECK(world.quiet(peer));
}

TEST_CASE("responses that nobody waits for are counted and ignored") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  const std::uint32_t sequence = world.submit(peer).header.sequence_number;
  peer.respond(sequence + 1, "other");
  peer.respond(0, "zero");
  peer.respond(sequence, "right");
  peer.respond(sequence, "again");
  REQUIRE(world.until([&] { return world.counters().unexpected_responses.get() == 3; }));
  REQUIRE(world.told.outcomes.size() == 1);
  CHECK(world.told.of(1)->id == "right");
}

TEST_CASE("each class of refusal ends as it should; a generic_nack is a refusal") {
  World world;
  world.config().dialect.status_classes = {{Status{0x500}, StatusClass::permanent}};
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  struct Case {
    Status status;
    StatusClass status_class;
    bool try_next;
  };
  std::uint64_t message = 0;
  for (const Case& expected : {Case{Status::ESME_RSUBMITFAIL, StatusClass::failover, true},
                               Case{Status{0x22}, StatusClass::failover, true},
                               Case{Status{0xFFFFFFFF}, StatusClass::failover, true},
                               Case{Status{0x500}, StatusClass::permanent, false},
                               Case{Status::ESME_RINVDSTADR, StatusClass::permanent, false},
                               Case{Status::ESME_RINVSERTYP, StatusClass::configuration, true}}) {
    REQUIRE(world.take(++message) == Taken::taken);
    peer.refuse(world.submit(peer).header.sequence_number, expected.status);
    REQUIRE(world.until([&] { return world.told.of(message) != nullptr; }));
    const Told::Outcome& told = *world.told.of(message);
    CHECK(told.what == Told::What::refused);
    CHECK(told.status == expected.status);
    CHECK(told.status_class == expected.status_class);
    CHECK(told.try_next == expected.try_next);
  }
  // A client's service_type must not take the bind from all others: an alarm, no more.
  CHECK(world.counters().alarms.get() == 1);
  CHECK(world.bind_state() == BindState::bound);
  REQUIRE(world.take(++message) == Taken::taken);
  peer.send_header(Command::generic_nack, world.submit(peer).header.sequence_number,
                   Status::ESME_RINVCMDLEN);
  REQUIRE(world.until([&] { return world.told.of(message) != nullptr; }));
  CHECK(world.told.of(message)->status == Status::ESME_RINVCMDLEN);
  REQUIRE(world.take(++message) == Taken::taken);
  peer.send_header(Command::generic_nack, world.submit(peer).header.sequence_number);
  REQUIRE(world.until([&] { return world.told.of(message) != nullptr; }));
  CHECK(world.told.of(message)->what == Told::What::refused);  // a nack is no success
  CHECK(world.balanced());
}

TEST_CASE("a status about the account takes the bind down politely, with an alarm") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  REQUIRE(world.take(2) == Taken::taken);
  const Pdu first = world.submit(peer);
  const Pdu second = world.submit(peer);
  peer.refuse(first.header.sequence_number, Status::ESME_RINVSYSID);
  REQUIRE(world.until([&] { return world.told.of(1) != nullptr; }));
  CHECK(world.told.of(1)->try_next);
  CHECK(world.take(3) == Taken::down);
  peer.respond(second.header.sequence_number, "b");
  const auto unbind = world.next(peer, Command::unbind);
  REQUIRE(unbind);
  CHECK(world.told.of(2)->what == Told::What::sent);
  peer.send_header(Command::unbind_resp, unbind->header.sequence_number);
  CHECK(world.until([&] { return world.bind_state() == BindState::alarm; }));
}

TEST_CASE(
    "a throttled message keeps its place, the bind pauses, probes, and goes on; one probe each") {
  World world;
  world.add_bind().window = 4;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (std::uint64_t i = 1; i <= 8; ++i) REQUIRE(world.take(i) == Taken::taken);
  for (int i = 0; i < 4; ++i) {
    peer.refuse(world.submit(peer).header.sequence_number, Status::ESME_RTHROTTLED);
  }
  REQUIRE(world.until([&] { return world.counters().throttles.get() == 4; }));
  CHECK(world.told.outcomes.empty());
  CHECK(world.counters().queue.get() == 8);
  world.pass_ms(90);
  CHECK(world.quiet(peer));
  world.pass_ms(20);
  const Pdu probe = world.submit(peer);
  CHECK(message_in(probe) == 1);
  CHECK(world.quiet(peer));  // one alone
  peer.refuse(probe.header.sequence_number, Status::ESME_RTHROTTLED);
  REQUIRE(world.until([&] { return world.counters().throttles.get() == 5; }));
  world.pass_ms(190);  // twice as long
  CHECK(world.quiet(peer));
  world.pass_ms(20);
  const Pdu again = world.submit(peer);
  CHECK(message_in(again) == 2);  // the first one's number may be all that is throttled
  CHECK(world.quiet(peer));
  peer.respond(again.header.sequence_number, "2");
  for (const std::uint64_t i : {1U, 3U, 4U, 5U, 6U, 7U, 8U}) {
    const Pdu pdu = world.submit(peer);
    CHECK(message_in(pdu) == i);
    peer.respond(pdu.header.sequence_number, std::to_string(i));
  }
  REQUIRE(world.until([&] { return world.told.outcomes.size() == 8; }));
  CHECK(world.told.count(Told::What::sent) == 8);
  CHECK(world.balanced());
}

TEST_CASE(
    "a lost link: what left is in doubt, what waited is handed back, the next bind is clean") {
  World world;
  world.add_bind().window = 3;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (std::uint64_t i = 1; i <= 6; ++i) REQUIRE(world.take(i) == Taken::taken);
  for (int i = 0; i < 3; ++i) world.submit(peer);
  SECTION("reset") {
    peer.reset();
  }
  SECTION("end of stream") {
    peer.close();
  }
  REQUIRE(world.until([&] { return world.told.outcomes.size() == 6; }));
  for (std::uint64_t i = 1; i <= 3; ++i) CHECK(world.told.of(i)->what == Told::What::in_doubt);
  for (std::uint64_t i = 4; i <= 6; ++i) {
    CHECK(world.told.of(i)->what == Told::What::refused);
    CHECK(world.told.of(i)->try_next);
    CHECK(world.told.of(i)->status_class == StatusClass::failover);
  }
  CHECK(world.balanced());
  CHECK(world.counters().handed_back.get() == 3);
  world.pass_ms(510);
  Peer& next = world.accept();
  REQUIRE(world.take(7) == Taken::taken);
  const Pdu pdu = world.submit(next);
  CHECK(message_in(pdu) == 7);
  next.respond(pdu.header.sequence_number, "x");
  CHECK(world.until([&] { return world.told.of(7) != nullptr; }));
}

TEST_CASE("no response in time is in doubt, and frees the window; the late one is ignored") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.add_bind().window = 2;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  world.pass_ms(1000, 100);
  REQUIRE(world.take(2) == Taken::taken);
  REQUIRE(world.take(3) == Taken::taken);
  const Pdu first = world.submit(peer);
  world.submit(peer);
  world.pass_ms(58'900, 100);
  CHECK(world.told.outcomes.empty());
  world.pass_ms(200, 100);
  REQUIRE(world.told.outcomes.size() == 1);
  CHECK(world.told.of(1)->what == Told::What::in_doubt);
  CHECK(world.counters().response_timeouts.get() == 1);
  CHECK(message_in(world.submit(peer)) == 3);
  peer.respond(first.header.sequence_number, "late");
  REQUIRE(world.until([&] { return world.counters().unexpected_responses.get() == 1; }));
  CHECK(world.told.outcomes.size() == 1);
  world.pass_ms(1000, 100);
  REQUIRE(world.told.outcomes.size() == 2);
  CHECK(world.told.of(2)->what == Told::What::in_doubt);
  CHECK(world.balanced());
}

TEST_CASE("the queue is bounded by count and octets, and says so") {
  World world;
  world.config().queue_max = 5;
  world.config().queue_octets_max = 1 << 17;
  world.add_bind().window = 1;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (std::uint64_t i = 1; i <= 6; ++i) {
    CHECK(world.carrier().state().has_room());
    REQUIRE(world.take(i) == Taken::taken);
  }
  CHECK(world.take(7) == Taken::no_room);
  CHECK_FALSE(world.carrier().state().has_room());
  CHECK(world.carrier().state().up());
  CHECK(world.counters().queue.get() == 5);
  peer.respond(world.submit(peer).header.sequence_number, "1");
  REQUIRE(world.until([&] { return world.carrier().state().has_room(); }));
  for (std::uint64_t i = 2; i <= 6; ++i) {
    peer.respond(world.submit(peer).header.sequence_number, "x");
  }
  REQUIRE(world.until([&] { return world.told.outcomes.size() == 6; }));
  CHECK(world.counters().queue_octets.get() == 0);
  std::vector<std::uint8_t> block(70'000);
  const std::vector<std::uint8_t> payload(60'000, 'x');
  proto::SubmitSm sm = a_submit("");
  sm.tlvs =
      proto::Octets(block).first(proto::append_tlv(block, 0, proto::Tag::message_payload, payload));
  REQUIRE(world.take(11, sm) == Taken::taken);
  REQUIRE(world.take(12, sm) == Taken::taken);
  CHECK(world.take(13, sm) == Taken::no_room);
  CHECK(world.take(14) == Taken::taken);  // a short one fits
}

TEST_CASE("the pace is the carrier's, over its binds, and wakes by itself") {
  World world;
  world.config().pace_per_s = 100;
  world.add_bind().window = 1000;
  world.add_bind().window = 1000;
  world.bring_up();
  for (std::uint64_t i = 1; i <= 300; ++i) REQUIRE(world.take(i) == Taken::taken);
  world.steps(20);
  CHECK(world.counters().submits.get() == 2);  // one, and 10 ms of burst
  world.pass_ms(1000, 1);
  CHECK(world.counters().submits.get() == 102);
  world.pass_ms(994, 7);
  CHECK(world.counters().submits.get() >= 200);
  CHECK(world.counters().submits.get() <= 201);
}

TEST_CASE("an order is not sent after its deadline") {
  World world;
  world.add_bind().window = 1;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  std::array<std::uint8_t, 512> body;
  const std::size_t length = proto::encode_body(a_submit("m1"), body);
  const auto deadline = static_cast<std::uint64_t>(world.now_.mono_us + 1'000'000);
  REQUIRE(world.take(1) == Taken::taken);
  REQUIRE(world.carrier().take({2, 3, proto::Octets(body).first(length), deadline}) ==
          Taken::taken);
  REQUIRE(world.take(3) == Taken::taken);
  const Pdu first = world.submit(peer);
  world.pass_ms(900, 100);
  CHECK(world.told.outcomes.empty());
  world.pass_ms(200, 100);
  REQUIRE(world.told.of(2) != nullptr);
  CHECK(world.told.of(2)->what == Told::What::refused);
  CHECK(world.told.of(2)->status_class == StatusClass::permanent);
  CHECK_FALSE(world.told.of(2)->try_next);
  CHECK(world.counters().expired.get() == 1);
  peer.respond(first.header.sequence_number, "1");
  CHECK(message_in(world.submit(peer)) == 3);
}

TEST_CASE("submits spread over the binds; the segments of one message keep to one") {
  World world;
  world.config().number_window = 5;
  for (int i = 0; i < 3; ++i) world.add_bind().window = 100;
  world.bring_up();
  for (std::uint64_t i = 1; i <= 60; ++i) REQUIRE(world.take(i) == Taken::taken);
  world.steps(20);
  for (const auto& peer : world.smsc.peers) {
    CHECK(peer->waiting() == 20);
    while (peer->next()) {
    }
  }
  std::uint64_t message = 100;
  std::size_t used = 0;
  for (std::uint8_t reference = 0; reference < 24; ++reference) {
    std::size_t peers_seen = 0;
    const std::string number = std::to_string(447'946'500'000 + reference);
    for (std::uint8_t part = 1; part <= 5; ++part) {
      const std::array<std::uint8_t, 8> text{5, 0, 3, reference, 5, part, 'h', 'i'};
      proto::SubmitSm sm = a_submit("");
      sm.destination_addr = number;
      sm.esm_class = 0x40;
      sm.short_message = text;
      REQUIRE(world.take(++message, sm) == Taken::taken);
    }
    world.steps(10);
    for (std::size_t i = 0; i < 3; ++i) {
      Peer& peer = *world.smsc.peers[i];
      if (peer.waiting() == 0) continue;
      ++peers_seen;
      used |= 1U << i;
      CHECK(peer.waiting() == 5);
      for (std::uint8_t part = 1; part <= 5; ++part) {
        proto::SubmitSm got;
        const Pdu pdu = *peer.next();
        REQUIRE_FALSE(proto::decode(pdu.body(), got));
        CHECK(got.short_message[5] == part);  // in order
      }
    }
    CHECK(peers_seen == 1);
  }
  CHECK(used == 7);  // and long messages spread too
}

TEST_CASE("messages to one number keep to one bind, in order, while one has no response") {
  World world;
  world.config().number_window = 6;
  for (int i = 0; i < 3; ++i) world.add_bind().window = 4;
  world.bring_up();
  const auto waiting = [&] {
    std::vector<Peer*> peers;
    for (const auto& peer : world.smsc.peers) {
      if (peer->waiting() != 0) peers.push_back(peer.get());
    }
    return peers;
  };
  std::uint64_t message = 0;
  std::set<Peer*> used;
  for (int round = 0; round < 12; ++round) {
    // Six at once: more than the bind's window, so that two wait though other binds have room.
    std::uint64_t expected = message + 1;
    for (int i = 0; i < 6; ++i) {
      const std::string text = "m" + std::to_string(++message);
      REQUIRE(world.take(message, a_submit(text)) == Taken::taken);
    }
    while (expected <= message) {
      REQUIRE(world.until([&] { return !waiting().empty(); }));
      world.steps(10);
      REQUIRE(waiting().size() == 1);  // never on two binds at a time
      Peer& busy = *waiting().front();
      used.insert(&busy);
      while (busy.waiting() != 0) {
        const Pdu pdu = world.submit(busy);
        CHECK(message_in(pdu) == expected);
        busy.respond(pdu.header.sequence_number, std::to_string(expected++));
      }
    }
    REQUIRE(world.until([&] { return world.told.total == message; }));
  }
  CHECK(used.size() > 1);  // not for ever: once all are answered any bind will do
}

TEST_CASE("one bind down, the other serves; both down, nobody is asked") {
  World world;
  world.add_bind();
  world.add_bind();
  world.bring_up();
  world.smsc.peers[0]->reset();
  REQUIRE(world.until([&] {
    return world.bind_state(0) == BindState::down || world.bind_state(1) == BindState::down;
  }));
  CHECK(world.carrier().state().up());
  for (std::uint64_t i = 1; i <= 4; ++i) REQUIRE(world.take(i) == Taken::taken);
  for (std::uint64_t i = 1; i <= 4; ++i) CHECK(message_in(world.submit(*world.smsc.peers[1])) == i);
  world.smsc.peers[1]->reset();
  REQUIRE(world.until([&] { return !world.carrier().state().up(); }));
  CHECK(world.take(5) == Taken::down);
}

TEST_CASE("the dialect's rewriting reaches the wire; what it cannot say is not taken") {
  World world;
  world.config().dialect.destination_prefix = carriers::DestinationPrefix::plus;
  world.config().dialect.tlvs = false;
  world.bring_up();
  REQUIRE(world.take(1) == Taken::taken);
  proto::SubmitSm got;
  const Pdu pdu = world.submit(*world.smsc.peers[0]);
  REQUIRE_FALSE(proto::decode(pdu.body(), got));
  CHECK(got.destination_addr == "+447946000001");
  CHECK(proto::as_text(got.short_message) == "m1");
  std::vector<std::uint8_t> block(2000);
  const std::vector<std::uint8_t> payload(1000, 'x');
  proto::SubmitSm sm = a_submit("");
  sm.tlvs =
      proto::Octets(block).first(proto::append_tlv(block, 0, proto::Tag::message_payload, payload));
  CHECK(world.take(2, sm) == Taken::unfit);
  const std::array<std::uint8_t, 3> garbage{1, 2, 3};
  CHECK(world.carrier().take({3, 0, garbage, 0}) == Taken::unfit);
  CHECK(world.balanced());
  CHECK(world.told.total == 0);
}

TEST_CASE("a carrier that never reads: output stays bounded, the rest waits in the queue") {
  World world;
  world.smsc.receive_buffer = 4096;
  world.config().queue_max = 50'000;
  world.config().queue_octets_max = 200 << 20;
  world.config().number_window = 10'000;
  world.add_bind().window = 10'000;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  peer.reading(false);
  std::vector<std::uint8_t> block(70'000);
  const std::vector<std::uint8_t> payload(10'000, 'x');
  proto::SubmitSm sm = a_submit("");
  sm.tlvs =
      proto::Octets(block).first(proto::append_tlv(block, 0, proto::Tag::message_payload, payload));
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    REQUIRE(world.take(i, sm) == Taken::taken);
    if (i % 50 == 0) world.step();
  }
  world.steps(50);
  // What left and the system has not taken: the high-water mark and the submit that passed it.
  const std::uint64_t waiting = world.counters().submits.get() * 10'000 - world.sent_octets();
  CHECK(static_cast<std::int64_t>(waiting) <= (256 << 10) + 10'100);
  CHECK(world.counters().submits.get() < 2500);
  CHECK(world.counters().queue.get() == 5000 - world.counters().submits.get());
  const std::uint64_t before = world.counters().submits.get();
  peer.reading(true);
  std::uint64_t seen = 0;
  CHECK(world.until([&] {
    while (peer.next()) ++seen;
    return seen == 5000;
  }));
  CHECK(world.counters().submits.get() == 5000);
  CHECK(before < 5000);
}

TEST_CASE("the flow may give an order back to the carrier from inside an outcome") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  world.told.on_refused = [&](std::uint64_t message) {
    if (message < 100) CHECK(world.take(message + 100) == Taken::taken);
  };
  for (std::uint64_t i = 1; i <= 10; ++i) REQUIRE(world.take(i) == Taken::taken);
  std::vector<std::uint64_t> seen;
  for (int i = 0; i < 20; ++i) {
    const Pdu pdu = world.submit(peer);
    seen.push_back(message_in(pdu));
    if (seen.back() < 100) {
      peer.refuse(pdu.header.sequence_number, Status::ESME_RSUBMITFAIL);
    } else {
      peer.respond(pdu.header.sequence_number, "x");
    }
  }
  REQUIRE(world.until([&] { return world.told.outcomes.size() == 20; }));
  CHECK(world.told.count(Told::What::sent) == 10);
  CHECK(world.balanced());
}
