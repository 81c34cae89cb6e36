// Who may come in, and how a session ends.
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::Command;
using proto::MessageState;
using proto::Status;

TEST_CASE("a bind's answer: our system_id and version; 3.3 gets no TLV", "[door]") {
  World world;
  for (const std::uint8_t version : {proto::kVersion33, proto::kVersion34, proto::kVersion50}) {
    ClientEnd& client = world.bind("shop", Command::bind_transmitter, version);
    const Seen& response = client.seen.at(0);
    CHECK(response.header.command_id == Command::bind_transmitter_resp);
    const auto pdu = response.as<proto::BindTransmitterResp>();
    CHECK(pdu.system_id == "tollgate");
    CHECK(pdu.tlvs.empty() == (version == 0x33));
    if (version != 0x33) CHECK(pdu.tlvs.back() == version);
  }
  CHECK(world.client(0).sessions.get() == 3);
  CHECK(world.sum(&DoorCounters::waiting) == 0);
  world.finish();
}

TEST_CASE("wrong password, unknown system_id, address not allowed: one answer", "[door]") {
  World world({.change = [](Config& config) {
    std::string why;
    config.clients[1].allow.push_back(*parse_network("203.0.113.0/24", why));
  }});
  struct Row {
    const char* system_id;
    const char* password;
    const char* host;
  };
  const Row rows[] = {{"shop", "wrong", "198.51.100.1"},
                      {"shop", "", "198.51.100.2"},
                      {"nobody", "pw", "198.51.100.3"},
                      {"", "pw", "198.51.100.4"},
                      {"depot", "pw", "198.51.100.5"}};
  std::string first;
  for (const Row& row : rows) {
    ClientEnd& client = world.connect(row.host);
    const std::uint32_t sequence =
        world.send_bind(client, row.system_id, Command::bind_transceiver, 0x34, row.password);
    world.await(client, sequence);
    REQUIRE(client.answered(sequence));
    CHECK(client.status(sequence) == Status::ESME_RINVPASWD);
    if (first.empty()) first = client.responses.at(sequence).octets;
    CHECK(client.responses.at(sequence).octets == first);
    world.settle();
    CHECK(client.closed());
  }
  ClientEnd& allowed = world.connect("203.0.113.77");
  const std::uint32_t sequence = world.send_bind(allowed, "depot");
  world.await(allowed, sequence);
  CHECK(allowed.status(sequence) == Status::ESME_ROK);
  CHECK(world.sum(&DoorCounters::bind_refused) == 5);
  CHECK(world.shared().connections.load() == 1);
  world.finish();
}

TEST_CASE("a version that is not allowed, and sessions_max: ESME_RBINDFAIL", "[door]") {
  World world({.change = [](Config& config) {
    config.clients[0].versions.v33 = false;
    config.clients[0].sessions_max = 2;
  }});
  ClientEnd& old = world.connect();
  const std::uint32_t refused = world.send_bind(old, "shop", Command::bind_transmitter, 0x33);
  world.await(old, refused);
  CHECK(old.status(refused) == Status::ESME_RBINDFAIL);
  ClientEnd& one = world.bind("shop");
  world.bind("shop");
  ClientEnd& third = world.connect();
  const std::uint32_t sequence = world.send_bind(third, "shop");
  world.await(third, sequence);
  CHECK(third.status(sequence) == Status::ESME_RBINDFAIL);
  world.settle();
  CHECK(third.closed());
  one.hang_up();
  world.settle();
  world.bind("shop");
  CHECK(world.client(0).sessions.get() == 2);
  CHECK(world.sum(&DoorCounters::waiting) == 0);
  world.finish();
}

TEST_CASE("PDUs glued behind the bind wait for its answer and are then served", "[door]") {
  World world;
  ClientEnd& client = world.connect();
  const std::uint32_t bind = world.send_bind(client, "shop");
  const std::uint32_t one = client.submit({.registered_delivery = 0});
  const std::uint32_t enquiry = client.send_empty(Command::enquire_link);
  world.await(client, bind);
  world.settle();
  REQUIRE(client.seen.size() == 3);
  CHECK(client.seen[0].header.sequence_number == bind);
  CHECK(client.seen[1].header.sequence_number == one);
  CHECK(client.seen[2].header.sequence_number == enquiry);
  CHECK(client.status(one) == Status::ESME_ROK);
  world.finish();
}

TEST_CASE("no buffer keeps a password, though the bind came in parts", "[door]") {
  World world;
  ClientEnd& client = world.connect();
  const std::string secret = "hunter2x";
  const std::uint32_t sequence =
      world.send_bind(client, "shop", Command::bind_transceiver, 0x34, secret);
  std::string& unread = client.wire().incoming.back();
  const std::string last = unread.substr(unread.size() - 3);
  unread.resize(unread.size() - 3);
  world.turn(2);
  REQUIRE(world.shard(0).buffers().in_use() > 0);
  client.send(last);
  world.await(client, sequence);
  CHECK(client.status(sequence) == Status::ESME_RINVPASWD);
  client.hang_up();
  REQUIRE(world.until([&] { return world.shared().connections.load() == 0; }, 20'000));
  std::vector<core::Buffer> used;
  for (const std::size_t size : {256U, 512U, 1'024U}) {
    for (int i = 0; i < 4; ++i) used.push_back(world.shard(0).buffers().take(size));
  }
  for (const core::Buffer& each : used) {
    const std::string text(reinterpret_cast<const char*>(each.data()), each.capacity());
    CHECK(text.find(secret.substr(2)) == std::string::npos);
  }
  used.clear();
  world.finish();
}

TEST_CASE("before the bind: requests are refused, PDUs have at most 512 octets", "[door]") {
  World world;
  ClientEnd& early = world.connect();
  const std::uint32_t submit = early.submit();
  const std::uint32_t enquiry = early.send_empty(Command::enquire_link);
  world.settle();
  CHECK(early.status(submit) == Status::ESME_RINVBNDSTS);
  CHECK(early.status(enquiry) == Status::ESME_ROK);
  CHECK_FALSE(early.closed());

  for (const std::uint32_t length : {0u, 1u, 15u, 513u, 0x10000u, 0x7fffffffu, 0xffffffffu}) {
    ClientEnd& liar = world.connect();
    std::string octets = header_octets(Command::bind_transceiver, 77);
    proto::store_u32(reinterpret_cast<std::uint8_t*>(octets.data()), length);
    liar.send(octets);
    world.settle();
    INFO("command_length " << length);
    REQUIRE(liar.seen.size() == 1);
    CHECK(liar.seen[0].header.command_id == Command::generic_nack);
    CHECK(liar.seen[0].header.command_status == Status::ESME_RINVCMDLEN);
    CHECK(liar.closed());
  }
  CHECK(world.sum(&DoorCounters::bad_lengths) == 7);
  early.hang_up();
  world.settle();
  CHECK(world.shared().connections.load() == 0);
  world.finish();
}

TEST_CASE("a bad command_length on a bound session: generic_nack, closed, others go on", "[door]") {
  World world;
  ClientEnd& other = world.bind("shop");
  for (const std::uint32_t length : {0u, 15u, 66'561u, 0x7fffffffu, 0xffffffffu}) {
    ClientEnd& liar = world.bind("depot");
    const std::uint32_t before = liar.submit({.registered_delivery = 0});
    std::string octets = header_octets(Command::submit_sm, 4'711);
    proto::store_u32(reinterpret_cast<std::uint8_t*>(octets.data()), length);
    liar.send(octets);
    world.settle();
    INFO("command_length " << length);
    CHECK(liar.status(before) == Status::ESME_ROK);
    CHECK(liar.count(Command::generic_nack) == 1);
    CHECK(liar.seen.back().header.command_status == Status::ESME_RINVCMDLEN);
    CHECK(liar.closed());
  }
  CHECK_FALSE(other.closed());
  CHECK(world.client(1).sessions.get() == 0);
  world.finish();
}

TEST_CASE("a stream of octets before the bind is bounded", "[door]") {
  World world;
  ClientEnd& flood = world.connect();
  // A bind that is announced and never ends, an octet at a time.
  std::string octets = header_octets(Command::bind_transceiver, 1);
  proto::store_u32(reinterpret_cast<std::uint8_t*>(octets.data()), 512);
  flood.send(octets);
  for (int i = 0; i < 400; ++i) {
    flood.send("x");
    world.turn();
  }
  CHECK_FALSE(flood.closed());
  CHECK(world.shard(0).buffers().in_use() <= 4096);
  flood.send(std::string(1'000'000, 'y'));
  world.settle();
  CHECK(flood.closed());
  world.finish();
}

TEST_CASE("no bind within session_init: closed and counted once", "[door]") {
  World world;
  ClientEnd& silent = world.connect();
  ClientEnd& bound = world.bind("shop");
  world.pass(9 * kSecond);
  CHECK_FALSE(silent.closed());
  world.pass(2 * kSecond);
  CHECK(silent.closed());
  CHECK_FALSE(bound.closed());
  CHECK(world.sum(&DoorCounters::init_timeouts) == 1);
  CHECK(world.shared().connections.load() == 1);
  world.finish();
}

TEST_CASE("connections_max: one bind more is refused, and room is given back", "[door]") {
  World world({.change = [](Config& config) { config.gateway.limits.connections_max = 2; }});
  ClientEnd& one = world.bind("shop");
  world.bind("depot");
  ClientEnd& third = world.connect();
  const std::uint32_t sequence = world.send_bind(third, "shop");
  world.await(third, sequence);
  CHECK(third.status(sequence) == Status::ESME_RBINDFAIL);
  CHECK(world.sum(&DoorCounters::sessions_full) == 1);
  one.hang_up();
  world.settle();
  world.bind("shop");
  CHECK(world.shared().bound.load() == 2);
  world.finish();
}

// Connections of one address that never bind, each renewed once it is closed.
struct Junk {
  Junk(World& in, std::size_t count) : world(in), ends(count) { renew(count); }
  // Each of them may take another's place, which is renewed in its turn.
  void renew(std::size_t most) {
    for (ClientEnd*& end : ends) {
      if (end != nullptr && !end->closed()) continue;
      if (most-- == 0) return;
      end = &world.connect(host);
      ++made;
    }
  }
  World& world;
  std::string host = "198.51.100.66";
  std::vector<ClientEnd*> ends;
  std::size_t made = 0;
};

TEST_CASE("connections that never bind keep nobody out, of their own address or another",
          "[door]") {
  const bool source = GENERATE(true, false);  // which bound is met first
  World world({.change = [source](Config& config) {
    config.gateway.limits.connections_max = 8;
    config.gateway.limits.unbound_max = source ? 100 : 30;
    config.gateway.limits.unbound_per_source = source ? 30 : 100;
  }});
  Junk junk(world, 40);
  for (int i = 0; i < 20; ++i) {
    ClientEnd& client = world.connect(i % 2 == 0 ? junk.host : "198.51.100.1");
    junk.renew(20);
    const std::uint32_t sequence = world.send_bind(client, "shop");
    world.await(client, sequence);
    REQUIRE(client.answered(sequence));
    CHECK(client.status(sequence) == Status::ESME_ROK);
    client.hang_up();
    world.settle();
  }
  CHECK(junk.made > 200);
  CHECK(world.shared().connections.load() <= 30);
  CHECK(world.sum(&DoorCounters::gave_way) >= junk.made - 30);
  CHECK(world.sum(&DoorCounters::over_limit) == 0);
  for (ClientEnd* end : junk.ends) end->hang_up();
  world.settle();
  CHECK(world.shared().connections.load() == 0);
  world.finish();
}

TEST_CASE("sessions take no room from the door, nor the door from sessions", "[door]") {
  World world({.change = [](Config& config) {
    config.gateway.limits.connections_max = 16;
    config.gateway.limits.unbound_max = 16;
    config.clients[0].sessions_max = 16;
  }});
  Junk junk(world, 16);
  for (int i = 0; i < 16; ++i) world.bind("shop");
  CHECK(world.client(0).sessions.get() == 16);
  CHECK(world.shared().connections.load() == 31);  // the first newcomer took one's place
  junk.renew(1);
  CHECK(world.shared().connections.load() == 32);
  world.finish();
}

TEST_CASE("a door full of binds that wait for us refuses newcomers; refused ones give way",
          "[door]") {
  World world({.change = [](Config& config) { config.gateway.limits.unbound_max = 3; }});
  world.auth_runs = false;
  std::vector<ClientEnd*> waiting;
  for (const char* password : {"pw", "wrong", "wrong"}) {
    waiting.push_back(&world.connect("198.51.100." + std::to_string(waiting.size())));
    world.send_bind(*waiting.back(), "shop", Command::bind_transceiver, 0x34, password);
    waiting.back()->reads = false;  // so that it does not hang up when it is refused
  }
  world.settle();
  CHECK(world.connect("198.51.100.9").closed());
  CHECK(world.sum(&DoorCounters::over_limit) == 1);
  for (ClientEnd* client : waiting) CHECK_FALSE(client->closed());
  world.auth_runs = true;
  world.settle();
  CHECK(world.client(0).sessions.get() == 1);
  CHECK(world.shared().connections.load() == 3);
  std::vector<ClientEnd*> newcomers;
  for (int i = 0; i < 3; ++i) newcomers.push_back(&world.connect("198.51.100.9"));
  for (ClientEnd* client : newcomers) CHECK_FALSE(client->closed());
  CHECK(world.sum(&DoorCounters::over_limit) == 1);
  CHECK(world.sum(&DoorCounters::gave_way) == 2);
  CHECK(world.client(0).sessions.get() == 1);
  world.finish();
}

TEST_CASE("descriptors that are not there are taken off the unbound, not off the sessions",
          "[door]") {
  World world;
  world.shared().room = 4;
  for (int i = 0; i < 3; ++i) world.bind("shop");
  ClientEnd& idle = world.connect("198.51.100.2");
  ClientEnd& newer = world.connect("198.51.100.3");
  CHECK(idle.closed());
  CHECK_FALSE(newer.closed());
  const std::uint32_t sequence = world.send_bind(newer, "depot");
  world.await(newer, sequence);
  CHECK(newer.status(sequence) == Status::ESME_ROK);
  CHECK(world.connect("198.51.100.4").closed());
  CHECK(world.client(0).sessions.get() == 3);
  world.finish();
}

TEST_CASE("before the bind: some requests are answered, then the connection closes", "[door]") {
  World world;
  ClientEnd& chatty = world.connect();
  chatty.wire().allowance = 0;
  for (std::uint32_t i = 0; i < kBeforeBindMax; ++i) chatty.send_empty(Command::enquire_link);
  const std::uint32_t bind = world.send_bind(chatty, "shop");
  world.settle();
  CHECK(world.shard(0).buffers().in_use() <= 4'096);
  chatty.wire().allowance = 1'000'000;
  world.settle();
  CHECK(chatty.seen.size() == kBeforeBindMax + 1);
  CHECK(chatty.status(bind) == Status::ESME_ROK);
  for (std::uint32_t i = 0; i < 2 * kBeforeBindMax; ++i) chatty.send_empty(Command::enquire_link);
  world.settle();
  CHECK_FALSE(chatty.closed());  // bound

  for (const Command command : {Command::enquire_link, Command::submit_sm,
                                Command::enquire_link_resp, static_cast<Command>(0x777)}) {
    ClientEnd& flood = world.connect();
    flood.wire().allowance = 0;
    for (std::uint32_t i = 0; i <= kBeforeBindMax; ++i) flood.send_empty(command);
    world.settle();
    CHECK(flood.closed());
  }
  CHECK(world.sum(&DoorCounters::talkative) == 4);
  world.finish();
}

TEST_CASE("waiting for us is no init time-out: the bind ends the client's time", "[door]") {
  World world;
  world.auth_runs = false;
  ClientEnd& patient = world.connect();
  const std::uint32_t bind = world.send_bind(patient, "shop");
  ClientEnd& slow = world.connect();
  const std::string octets = header_octets(Command::bind_transceiver, 1);
  for (const char octet : octets) {
    slow.send(std::string(1, octet));
    world.pass(kSecond, 100 * kMs);
  }
  CHECK(slow.closed());
  CHECK(world.sum(&DoorCounters::init_timeouts) == 1);
  world.pass(100 * kSecond, 100 * kMs);
  CHECK_FALSE(patient.closed());
  world.auth_runs = true;
  world.await(patient, bind);
  CHECK(patient.status(bind) == Status::ESME_ROK);
  world.finish();
}

TEST_CASE("who hangs up while it waits is closed, and no hash is computed for it", "[door]") {
  World world;
  world.auth_runs = false;
  std::vector<ClientEnd*> gone;
  for (int i = 0; i < 20; ++i) {
    gone.push_back(&world.connect());
    world.send_bind(*gone.back(), "shop");
    gone.back()->submit();  // octets that are not read hide no end
  }
  ClientEnd& stays = world.connect();
  const std::uint32_t bind = world.send_bind(stays, "depot");
  world.settle();
  for (ClientEnd* client : gone) client->hang_up();
  world.pass(kSecond);
  for (ClientEnd* client : gone) CHECK(client->closed());
  CHECK(world.sum(&DoorCounters::hung_up) == 20);
  CHECK(world.shared().connections.load() == 1);
  world.auth_runs = true;
  world.await(stays, bind);
  world.settle();
  CHECK(stays.status(bind) == Status::ESME_ROK);
  CHECK(world.auth().hashes() == 1);
  CHECK(world.auth().outcomes(AuthOutcome::hung_up) == 20);
  world.finish();
}

TEST_CASE("clients that were bound before return together without a hash", "[door]") {
  World world({.change = [](Config& config) { config.clients[0].sessions_max = 200; }});
  std::vector<ClientEnd*> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(&world.bind("shop"));
  for (ClientEnd* client : clients) client->hang_up();
  world.settle();
  REQUIRE(world.shared().connections.load() == 0);
  CHECK(world.auth().hashes() == 1);
  std::vector<std::pair<ClientEnd*, std::uint32_t>> back;
  for (int i = 0; i < 200; ++i) {
    ClientEnd& client = world.connect();
    back.emplace_back(&client, world.send_bind(client, "shop"));
  }
  world.settle();
  for (const auto& [client, bind] : back) CHECK(client->status(bind) == Status::ESME_ROK);
  CHECK(world.auth().hashes() == 1);
  CHECK(world.auth().remembered() == 399);
  world.finish();
}

TEST_CASE("unbind: answered, receipts go on to another session", "[door]") {
  World world;
  ClientEnd& client = world.bind("shop");
  ClientEnd& other = world.bind("shop", Command::bind_receiver);
  client.submit();
  world.settle();
  const std::uint32_t unbind = client.send_empty(Command::unbind);
  world.settle();
  CHECK(client.answered(unbind));
  CHECK(client.status(unbind) == Status::ESME_ROK);
  CHECK(client.closed());
  CHECK(world.client(0).sessions.get() == 1);
  world.carrier(0).receipt("alpha1", MessageState::delivered);
  world.settle();
  CHECK(other.told.size() == 1);
  world.finish();
}

TEST_CASE("a client that unbinds and does not hang up is no init time-out", "[door]") {
  World world({.change = [](Config& config) { config.clients[0].enquire_link_us = 2 * kSecond; }});
  ClientEnd& client = world.bind("shop");
  client.reads = false;  // nor does it see that we have closed our side
  client.send_empty(Command::unbind);
  world.settle();
  world.pass(10 * kSecond);
  CHECK(client.closed());
  CHECK(world.sum(&DoorCounters::init_timeouts) == 0);
  CHECK(world.shared().connections.load() == 0);
  world.finish();
}

TEST_CASE("enquire_link: asked after silence, two misses close the session", "[door]") {
  World world({.change = [](Config& config) { config.clients[0].enquire_link_us = 30 * kSecond; }});
  ClientEnd& client = world.bind("shop");
  ClientEnd& dead = world.bind("shop");
  dead.answers_enquire_link = false;
  world.pass(29 * kSecond);
  CHECK(client.count(Command::enquire_link) == 0);
  world.pass(2 * kSecond);
  CHECK(client.count(Command::enquire_link) == 1);
  CHECK(dead.count(Command::enquire_link) == 1);
  world.pass(30 * kSecond);
  CHECK(dead.count(Command::enquire_link) == 2);
  CHECK_FALSE(dead.closed());
  world.pass(31 * kSecond);
  CHECK(dead.closed());
  CHECK_FALSE(client.closed());
  CHECK(world.sum(&DoorCounters::enquire_misses) == 1);
  CHECK(client.count(Command::enquire_link) == 3);
  world.finish();
}

// What it says lies unread for our reason: a full queue. It is neither asked nor unbound.
TEST_CASE("a paused client is not judged by silence", "[door]") {
  World world({.change =
                   [](Config& config) {
                     config.clients[0].queue_max = 4;
                     config.clients[0].queue_full_us = 3 * kSecond;
                     config.clients[0].enquire_link_us = kSecond;
                     config.clients[0].inactivity_us = 2 * kSecond;
                   },
               .carriers_bound = false});
  for (std::size_t i = 0; i < world.carriers(); ++i) world.carrier(i).listens = false;
  ClientEnd& client = world.bind("shop");
  std::vector<std::uint32_t> submits;
  for (int i = 0; i < 6; ++i) submits.push_back(client.submit({.registered_delivery = 0}));
  world.settle();
  REQUIRE(world.client(0).reading_pauses.get() > 0);
  world.pass(2'900 * kMs, 100 * kMs);
  CHECK_FALSE(client.closed());
  CHECK(client.count(Command::enquire_link) == 0);
  CHECK(client.count(Command::unbind) == 0);
  CHECK(world.sum(&DoorCounters::enquire_misses) == 0);
  CHECK(world.sum(&DoorCounters::inactive) == 0);
  CHECK_FALSE(client.answered(submits.back()));
  world.pass(300 * kMs, 100 * kMs);
  for (const std::uint32_t submit : submits) CHECK(client.answered(submit));
  CHECK_FALSE(client.closed());
  for (std::size_t i = 0; i < world.carriers(); ++i) world.carrier(i).listens = true;
  for (int i = 0; i < 400 && world.messages() != 0; ++i) world.pass(kSecond, 100 * kMs);
  world.finish();
}

TEST_CASE("inactivity: nothing but enquire_link is unbound, and closed if it does not answer",
          "[door]") {
  World world({.change = [](Config& config) {
    config.clients[0].inactivity_us = 60 * kSecond;
    config.clients[0].enquire_link_us = 0;
  }});
  ClientEnd& idle = world.bind("shop");
  ClientEnd& busy = world.bind("shop");
  ClientEnd& deaf = world.bind("shop");
  deaf.answers_unbind = false;
  for (int i = 0; i < 7; ++i) {
    busy.submit({.registered_delivery = 0});
    idle.send_empty(Command::enquire_link);
    world.pass(10 * kSecond, 100 * kMs);
  }
  CHECK(idle.count(Command::unbind) == 1);
  CHECK(idle.closed());
  CHECK(deaf.closed());
  CHECK_FALSE(busy.closed());
  CHECK(world.sum(&DoorCounters::inactive) == 2);
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
