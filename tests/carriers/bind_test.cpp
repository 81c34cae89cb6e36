// The bind's session: connecting, binding, staying, leaving; and what a carrier may do wrong.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/carriers/world.h"

using namespace tollgate;
using namespace tollgate::tests;
using carriers::BindState;
using proto::Command;
using proto::Status;

namespace {

// Whether a new connection comes within `ms`.
bool calls_again(World& world, std::int64_t ms) {
  const std::size_t before = world.smsc.peers.size();
  for (std::int64_t passed = 0; passed < ms; passed += 10) {
    world.pass_ms(10);
    if (world.smsc.peers.size() > before) return true;
  }
  return world.until([&] { return world.smsc.peers.size() > before; }) && ms > 0;
}

void send_raw(Peer& peer, std::initializer_list<std::uint32_t> words) {
  std::vector<std::uint8_t> octets(words.size() * 4);
  std::size_t at = 0;
  for (const std::uint32_t word : words) proto::store_u32(octets.data() + (at++ * 4), word);
  peer.send(octets);
}

// A port of whose connections none comes about: the one that waits to be accepted fills it.
class Deaf {
 public:
  Deaf() {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    socklen_t length = sizeof at;
    REQUIRE(::bind(listening_, address, length) == 0);
    REQUIRE(::listen(listening_, 0) == 0);
    REQUIRE(::getsockname(listening_, address, &length) == 0);
    REQUIRE(::connect(waiting_, address, length) == 0);
    port_ = ntohs(at.sin_port);
  }
  ~Deaf() {
    ::close(waiting_);
    ::close(listening_);
  }
  std::uint16_t port() const { return port_; }

 private:
  int listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int waiting_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::uint16_t port_ = 0;
};

// The bind stands and works.
void require_alive(World& world, Peer& peer, std::uint64_t message) {
  REQUIRE(world.take(message) == carriers::Taken::taken);
  const Pdu pdu = world.submit(peer);
  peer.respond(pdu.header.sequence_number, "id" + std::to_string(message));
  REQUIRE(world.until([&] { return world.told.of(message) != nullptr; }));
  CHECK(world.told.of(message)->what == Told::What::sent);
}

}  // namespace

TEST_CASE("the bind says what the configuration says, and the carrier is up once it stands") {
  World world;
  carriers::BindConfig& bind = world.add_bind();
  bind.system_type = "SMS";
  bind.interface_version = 0x50;
  bind.addr_ton = 1;
  bind.addr_npi = 8;
  bind.address_range = "^44";
  world.build();
  REQUIRE(world.until([&] { return world.smsc.peers.size() == 1; }));
  Peer& peer = *world.smsc.peers[0];
  const auto pdu = world.next(peer, Command::bind_transceiver);
  REQUIRE(pdu);
  proto::Bind got;
  REQUIRE_FALSE(proto::decode(pdu->body(), got));
  CHECK(got.system_id == "ours");
  CHECK(got.password == "pw");
  CHECK(got.system_type == "SMS");
  CHECK(got.interface_version == 0x50);
  CHECK(got.addr_ton == 1);
  CHECK(got.addr_npi == 8);
  CHECK(got.address_range == "^44");
  CHECK_FALSE(world.carrier().state().up());
  CHECK(world.take(1) == carriers::Taken::down);
  CHECK(world.bind_state() == BindState::binding);
  proto::BindTransceiverResp response;
  response.system_id = "smsc";
  peer.send(response, pdu->header.sequence_number);
  REQUIRE(world.until([&] { return world.carrier().state().up(); }));
  CHECK(world.carrier().state().has_room());
  CHECK(world.bind_state() == BindState::bound);
  require_alive(world, peer, 1);
}

TEST_CASE("a lost bind is called again after the first wait, and longer each time") {
  World world;
  world.bring_up();
  for (const std::int64_t full : {500, 1000, 2000}) {
    world.smsc.peers.back()->reset();
    REQUIRE(world.until([&] { return world.bind_state() == BindState::down; }));
    CHECK_FALSE(world.carrier().state().up());
    const std::size_t before = world.smsc.peers.size();
    world.pass_ms(full / 2 - 10);
    world.steps(50);
    CHECK(world.smsc.peers.size() == before);  // jitter takes at most half of the wait
    REQUIRE(calls_again(world, full / 2 + 20));
    world.accept();
  }
  CHECK(world.counters().binds[0].losses.get() == 3);
  // Bound for long enough, the next failure is a first one.
  world.pass_ms(10'000, 1000);
  world.smsc.peers.back()->reset();
  REQUIRE(world.until([&] { return world.bind_state() == BindState::down; }));
  CHECK(calls_again(world, 510));
}

TEST_CASE("a carrier that cannot be reached is tried again") {
  World world;
  world.add_bind().address = {"127.0.0.1", 1};
  world.build();
  CHECK(world.until([&] {
    return world.bind_state() == BindState::down && world.counters().binds[0].connects.get() == 1;
  }));
  world.pass_ms(520);
  CHECK(world.until([&] { return world.counters().binds[0].connects.get() == 2; }));
}

TEST_CASE("a wrong password is an alarm and waits long; other refusals wait as losses do") {
  for (const Status status :
       {Status::ESME_RINVPASWD, Status::ESME_RINVSYSID, Status::ESME_RBINDFAIL}) {
    World world;
    world.build();
    world.accept(status);
    REQUIRE(world.until([&] { return world.bind_state() == BindState::alarm; }));
    CHECK(world.counters().alarms.get() == 1);
    CHECK(world.counters().binds[0].bind_refusals.get() == 1);
    CHECK_FALSE(world.carrier().state().up());
    world.pass_ms(29'000, 500);
    world.steps(50);
    CHECK(world.smsc.peers.size() == 1);
    REQUIRE(calls_again(world, 31'010));
    world.accept();
    CHECK(world.carrier().state().up());
  }
  World world;
  world.build();
  world.accept(Status::ESME_RSYSERR);
  REQUIRE(world.until([&] { return world.bind_state() == BindState::down; }));
  CHECK(world.counters().alarms.get() == 0);
  CHECK(calls_again(world, 510));
}

TEST_CASE("already bound counts as bound, and a refused submit then binds anew") {
  World world;
  world.build();
  Peer& peer = world.accept(Status::ESME_RALYBND);
  REQUIRE(world.until([&] { return world.bind_state() == BindState::bound; }));
  REQUIRE(world.take(1) == carriers::Taken::taken);
  peer.refuse(world.submit(peer).header.sequence_number, Status::ESME_RINVBNDSTS);
  REQUIRE(world.until([&] { return world.told.of(1) != nullptr; }));
  CHECK(world.told.of(1)->try_next);
  REQUIRE(world.next(peer, Command::unbind));
  CHECK(world.carrier().state().up() == false);
}

TEST_CASE("a bind that is never answered has its time-out, and is called again") {
  World world;
  world.build();
  REQUIRE(world.until([&] { return world.smsc.peers.size() == 1; }));
  REQUIRE(world.until([&] { return world.bind_state() == BindState::binding; }));
  SECTION("by a carrier that is silent") {
    world.pass_ms(9'900, 100);
  }
  SECTION("by one that says this and that all the time") {
    for (std::uint32_t second = 0; second < 9; ++second) {
      world.smsc.peers[0]->send_header(Command::enquire_link, second + 1);
      world.pass_ms(1'100, 100);
    }
  }
  CHECK(world.bind_state() == BindState::binding);
  world.pass_ms(200, 100);
  CHECK(world.bind_state() == BindState::down);
  REQUIRE(world.until([&] { return world.smsc.peers[0]->ended(); }));
  REQUIRE(calls_again(world, 2'000));
  CHECK(world.next(*world.smsc.peers[1], Command::bind_transceiver));
}

TEST_CASE("a connection that never comes about has its time-out, and is called again") {
  Deaf deaf;
  World world;
  world.add_bind().address.port = deaf.port();
  world.build();
  REQUIRE(world.until([&] { return world.bind_state() == BindState::connecting; }));
  world.pass_ms(9'900, 100);
  CHECK(world.bind_state() == BindState::connecting);
  world.pass_ms(200, 100);
  CHECK(world.bind_state() == BindState::down);
  REQUIRE(world.until([&] {
    world.advance_ms(10);
    return world.bind_state() == BindState::connecting;
  }));
}

TEST_CASE("generic_nack is an answer to a bind") {
  World world;
  world.build();
  REQUIRE(world.until([&] { return world.bind_state() == BindState::binding; }));
  REQUIRE(world.until([&] { return world.smsc.peers.size() == 1; }));
  world.smsc.peers[0]->send_header(Command::generic_nack, 0, Status::ESME_RINVCMDID);
  CHECK(world.until([&] { return world.bind_state() == BindState::alarm; }));
}

TEST_CASE("enquire_link of the carrier is answered with its number, before and after the bind") {
  World world;
  world.build();
  REQUIRE(world.until([&] { return world.bind_state() == BindState::binding; }));
  REQUIRE(world.until([&] { return world.smsc.peers.size() == 1; }));
  Peer& peer = *world.smsc.peers[0];
  peer.send_header(Command::enquire_link, 0x806A179B);
  REQUIRE(world.next(peer, Command::bind_transceiver));
  auto answer = world.next(peer, Command::enquire_link_resp);
  REQUIRE(answer);
  CHECK(answer->header.sequence_number == 0x806A179B);
  peer.send_header(Command::bind_transceiver_resp, 1);
  REQUIRE(world.until([&] { return world.bind_state() == BindState::bound; }));
  peer.send_header(Command::enquire_link, 0);
  answer = world.next(peer, Command::enquire_link_resp);
  REQUIRE(answer);
  CHECK(answer->header.sequence_number == 0);
}

TEST_CASE("an idle carrier is asked every 30 s; two misses close the bind") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  world.pass_ms(29'900, 100);
  CHECK(peer.waiting() == 0);
  world.pass_ms(200, 100);
  const auto first = world.next(peer, Command::enquire_link);
  REQUIRE(first);
  peer.send_header(Command::enquire_link_resp, first->header.sequence_number);
  world.steps(10);
  world.pass_ms(30'100, 100);
  REQUIRE(world.next(peer, Command::enquire_link));
  world.pass_ms(30'100, 100);
  REQUIRE(world.next(peer, Command::enquire_link));
  CHECK(world.counters().binds[0].losses.get() == 0);
  world.pass_ms(30'100, 100);
  CHECK(world.counters().binds[0].losses.get() == 1);
  CHECK(world.counters().enquire_misses.get() == 2);
  CHECK(world.until([&] { return peer.ended(); }));
}

TEST_CASE("whole PDUs that make no sense are answered as the session says; the bind stands") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  send_raw(peer, {16, 0x22, 0, 7});
  auto answer = world.next(peer, Command::generic_nack);
  REQUIRE(answer);
  CHECK(answer->header.command_status == Status::ESME_RINVCMDID);
  CHECK(answer->header.sequence_number == 7);
  peer.send(a_submit(), 8);
  answer = world.next(peer, Command::submit_sm_resp);
  REQUIRE(answer);
  CHECK(answer->header.command_status == Status::ESME_RINVBNDSTS);
  CHECK(answer->header.sequence_number == 8);
  peer.respond(999, "x");
  send_raw(peer, {16, 0x80000022, 0, 9});
  peer.send_header(Command::generic_nack, 12345, Status::ESME_RSYSERR);
  peer.send_header(Command::bind_transceiver_resp, 1);
  proto::Outbind outbind;
  outbind.system_id = "x";
  peer.send(outbind, 3);
  peer.send_header(Command::deliver_sm, 10);  // no body at all
  answer = world.next(peer, Command::deliver_sm_resp);
  REQUIRE(answer);
  CHECK(answer->header.sequence_number == 10);
  CHECK(answer->header.command_status != Status::ESME_ROK);
  CHECK(world.quiet(peer));
  CHECK(world.counters().unknown_commands.get() == 1);
  CHECK(world.counters().unexpected_responses.get() >= 1);
  CHECK(world.counters().receipts_unreadable.get() == 1);
  require_alive(world, peer, 1);
}

TEST_CASE(
    "a deliver_sm before the bind is answered, not obeyed; behind it in one segment it counts") {
  World world;
  world.build();
  REQUIRE(world.until([&] { return world.bind_state() == BindState::binding; }));
  REQUIRE(world.until([&] { return world.smsc.peers.size() == 1; }));
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.next(peer, Command::bind_transceiver));
  peer.receipt("1", 5);
  auto answer = world.next(peer, Command::deliver_sm_resp);
  REQUIRE(answer);
  CHECK(answer->header.command_status == Status::ESME_RINVBNDSTS);
  std::vector<std::uint8_t> glued(1024);
  proto::BindTransceiverResp response;
  std::size_t length = proto::encode(response, 1, Status::ESME_ROK, glued);
  length += proto::encode_header(Command::enquire_link, 77, Status::ESME_ROK,
                                 proto::Out(glued).subspan(length));
  peer.send(proto::Octets(glued).first(length));
  answer = world.next(peer, Command::enquire_link_resp);
  REQUIRE(answer);
  CHECK(answer->header.sequence_number == 77);
  CHECK(world.bind_state() == BindState::bound);
}

TEST_CASE("a command_length that cannot be is answered, the bind closed and called again") {
  for (const std::uint32_t length : {0U, 1U, 15U, 66'561U, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
    INFO("command_length " << length);
    World world;
    world.bring_up();
    Peer& peer = *world.smsc.peers[0];
    REQUIRE(world.take(1) == carriers::Taken::taken);
    world.submit(peer);
    send_raw(peer, {length, 0x80000004, 0, 1});
    const auto answer = world.next(peer, Command::generic_nack);
    REQUIRE(answer);
    CHECK(answer->header.command_status == Status::ESME_RINVCMDLEN);
    REQUIRE(world.until([&] { return peer.ended(); }));
    CHECK(world.told.of(1)->what == Told::What::in_doubt);
    CHECK(world.counters().bad_lengths.get() == 1);
    peer.close();
    world.steps(10);
    CHECK(calls_again(world, 510));
  }
}

TEST_CASE("before the bind no length above 512 is waited for") {
  World world;
  world.build();
  REQUIRE(world.until([&] { return world.bind_state() == BindState::binding; }));
  REQUIRE(world.until([&] { return world.smsc.peers.size() == 1; }));
  send_raw(*world.smsc.peers[0], {0x10000, 0x80000009, 0, 1});
  CHECK(world.until([&] { return world.counters().bad_lengths.get() == 1; }));
}

TEST_CASE("PDUs arrive in single octets, and many in one segment") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (std::uint64_t i = 1; i <= 5; ++i) REQUIRE(world.take(i) == carriers::Taken::taken);
  std::vector<std::uint8_t> out(1024);
  std::size_t length = 0;
  for (int i = 0; i < 5; ++i) {
    proto::SubmitSmResp response;
    response.message_id = "abc";
    length += proto::encode(response, world.submit(peer).header.sequence_number, Status::ESME_ROK,
                            proto::Out(out).subspan(length));
  }
  for (std::size_t i = 0; i < length / 2; ++i) {
    peer.send(proto::Octets(out).subspan(i, 1));
    world.step();
  }
  peer.send(proto::Octets(out).subspan(length / 2, length - length / 2));
  REQUIRE(world.until([&] { return world.told.outcomes.size() == 5; }));
  CHECK(world.told.count(Told::What::sent) == 5);
}

TEST_CASE("a carrier that asks and never reads is not read either, until it reads again") {
  World world;
  world.smsc.receive_buffer = 4096;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  peer.reading(false);
  std::vector<std::uint8_t> asking(16 * 4096);
  for (std::uint32_t i = 0; i < 4096; ++i) {
    const proto::Out at = proto::Out(asking).subspan(std::size_t{16} * i, 16);
    REQUIRE(proto::encode_header(Command::enquire_link, i + 1, Status::ESME_ROK, at) == 16);
  }
  constexpr std::size_t kMost = 64 << 20;
  std::size_t sent = 0;
  for (int silent = 0; silent < 200 && sent < kMost; ++silent) {
    const std::size_t part = sent % asking.size();
    const std::size_t took = peer.try_send(proto::Octets(asking).subspan(part));
    if (took != 0) silent = 0;
    sent += took;
    world.step();
  }
  INFO("took " << sent << " octets");
  CHECK(sent < kMost);  // the system's buffers, and 256 KiB of ours
  peer.reading(true);
  std::size_t answers = 0;
  CHECK(world.until([&] {
    for (auto pdu = peer.next(); pdu; pdu = peer.next()) {
      answers += pdu->header.command_id == Command::enquire_link_resp ? 1 : 0;
    }
    return answers == sent / 16;
  }));
}

TEST_CASE("unbind by the carrier: responses on their way count, then unbind_resp and a new call") {
  World world;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == carriers::Taken::taken);
  REQUIRE(world.take(2) == carriers::Taken::taken);
  const Pdu first = world.submit(peer);
  const Pdu second = world.submit(peer);
  peer.send_header(Command::unbind, 55);
  peer.respond(first.header.sequence_number, "a");
  REQUIRE(world.until([&] { return world.told.of(1) != nullptr; }));
  CHECK(world.take(3) == carriers::Taken::down);
  CHECK(world.quiet(peer));
  SECTION("all responses come") {
    peer.respond(second.header.sequence_number, "b");
    REQUIRE(world.until([&] { return world.told.of(2) != nullptr; }));
    CHECK(world.told.of(2)->what == Told::What::sent);
  }
  SECTION("one never comes") {
    world.pass_ms(2'010);
    REQUIRE(world.told.of(2) != nullptr);
    CHECK(world.told.of(2)->what == Told::What::in_doubt);
  }
  const auto answer = world.next(peer, Command::unbind_resp);
  REQUIRE(answer);
  CHECK(answer->header.sequence_number == 55);
  REQUIRE(world.until([&] { return peer.ended(); }));
  CHECK(world.counters().binds[0].losses.get() == 1);  // it was not we who ended it
  peer.close();
  world.steps(10);
  REQUIRE(calls_again(world, 510));
  require_alive(world, world.accept(), 9);
}

TEST_CASE("a polite stop: no new orders, the window's responses, unbind, its response, closed") {
  World world;
  world.config().pace_per_s = 0;
  world.add_bind().window = 2;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (std::uint64_t i = 1; i <= 5; ++i) REQUIRE(world.take(i) == carriers::Taken::taken);
  const Pdu first = world.submit(peer);
  const Pdu second = world.submit(peer);
  world.carrier().drain_and_unbind();
  CHECK(world.take(9) == carriers::Taken::down);
  CHECK_FALSE(world.carrier().state().up());
  world.steps(5);
  for (std::uint64_t i = 3; i <= 5; ++i) {
    REQUIRE(world.told.of(i) != nullptr);  // never left: back to the flow
    CHECK(world.told.of(i)->what == Told::What::refused);
    CHECK(world.told.of(i)->try_next);
    CHECK(world.told.of(i)->status == Status::ESME_ROK);
  }
  CHECK(world.quiet(peer));  // no unbind over an open window
  peer.respond(first.header.sequence_number, "a");
  SECTION("every response comes") {
    peer.respond(second.header.sequence_number, "b");
    const auto unbind = world.next(peer, Command::unbind);
    REQUIRE(unbind);
    CHECK_FALSE(world.carrier().idle());
    peer.send_header(Command::unbind_resp, unbind->header.sequence_number);
    REQUIRE(world.until([&] { return world.carrier().idle(); }));
    CHECK(world.told.of(2)->what == Told::What::sent);
  }
  SECTION("neither the response nor unbind_resp ever comes") {
    world.pass_ms(5'010);
    REQUIRE(world.next(peer, Command::unbind));
    world.pass_ms(2'010);
    REQUIRE(world.until([&] { return world.carrier().idle(); }));
    CHECK(world.told.of(2)->what == Told::What::in_doubt);
  }
  REQUIRE(world.until([&] { return peer.ended(); }));
  CHECK(world.balanced());
  world.pass_ms(5'000, 100);
  CHECK(world.smsc.peers.size() == 1);  // it stays stopped
}

TEST_CASE("a stop in every other state is at once") {
  World world;
  world.build();
  REQUIRE(world.until([&] { return world.bind_state() == BindState::binding; }));
  world.carrier().drain_and_unbind();
  CHECK(world.until([&] { return world.carrier().idle(); }));
  World waiting;
  waiting.build();
  waiting.accept(Status::ESME_RINVPASWD);
  REQUIRE(waiting.until([&] { return waiting.bind_state() == BindState::alarm; }));
  waiting.carrier().drain_and_unbind();
  CHECK(waiting.until([&] { return waiting.carrier().idle(); }));
}

TEST_CASE("what is handed back is handed back whole and in order, though a bind is there again") {
  constexpr std::uint64_t kOrders = 60'000;  // more than several turns hand back
  World world;
  world.config().queue_max = kOrders * 2;
  world.config().queue_octets_max = 200 << 20;
  world.config().timers.reconnect_first_ms = 1;
  world.add_bind().window = 1;
  world.bring_up();
  for (std::uint64_t i = 1; i <= kOrders; ++i) REQUIRE(world.take(i) == carriers::Taken::taken);
  CHECK(message_in(world.submit(*world.smsc.peers[0])) == 1);
  world.smsc.peers[0]->reset();
  world.told.recording = false;
  std::vector<std::uint64_t> back;
  bool late = false;
  world.told.on_refused = [&](std::uint64_t message) {
    back.push_back(message);
    // The first ones are back; one that is ordered now must not get through in front of the rest.
    if (!late) CHECK(world.take(kOrders + 1) == carriers::Taken::taken);
    late = true;
  };
  REQUIRE(world.until([&] { return !back.empty(); }));
  CHECK(back.size() < kOrders / 2);
  CHECK_FALSE(world.carrier().state().up());
  world.advance_ms(1'000);  // it binds again while they go
  const Peer& peer = world.accept();
  REQUIRE(world.until([&] { return world.carrier().state().up(); }));
  CHECK(peer.waiting() == 0);
  REQUIRE(back.size() == kOrders);
  for (std::uint64_t i = 0; i < kOrders; ++i) {
    if (back[i] != i + 2) FAIL("order at " << i);
  }
  CHECK(world.balanced());
}

TEST_CASE("transmitter and receiver: submits leave on the one, receipts come on the other") {
  World world;
  world.add_bind(Command::bind_receiver);
  world.add_bind(Command::bind_transmitter);
  world.build();
  Peer& receiver = world.accept();
  CHECK_FALSE(world.carrier().state().up());
  CHECK(world.take(1) == carriers::Taken::down);
  Peer& transmitter = world.accept();
  CHECK(world.carrier().state().up());
  REQUIRE(world.take(1) == carriers::Taken::taken);
  transmitter.respond(world.submit(transmitter).header.sequence_number, "77");
  REQUIRE(world.until([&] { return world.told.of(1) != nullptr; }));
  receiver.receipt("77", 1);
  REQUIRE(world.next(receiver, Command::deliver_sm_resp));
  REQUIRE(world.told.deliveries.size() == 1);
  CHECK(world.told.deliveries[0].message == 1);
  // A deliver_sm on the transmitter is out of place.
  transmitter.receipt("77", 2);
  const auto answer = world.next(transmitter, Command::deliver_sm_resp);
  REQUIRE(answer);
  CHECK(answer->header.command_status == Status::ESME_RINVBNDSTS);
}
