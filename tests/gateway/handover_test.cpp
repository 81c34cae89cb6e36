// A session on its way to its client's home, in every state that a peer or a stop can bring about.
// depot's home is shard 1; shard 0 accepts. None may end the gateway, lose an answer or keep a
// connection: World::finish() checks what is left, these tests what was answered and in which
// order.
#include "tests/core/journal/faulty_storage.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::Command;
using proto::Status;

WorldOptions two_shards() {
  return {.shards = 2};
}

// The answers in the order they came.
std::vector<std::uint32_t> order(const ClientEnd& client) {
  std::vector<std::uint32_t> numbers;
  for (const Seen& seen : client.seen) numbers.push_back(seen.header.sequence_number);
  return numbers;
}

// A bind that was checked and waits for its shard to take the result: the auth step of this turn
// came after the shards'.
struct Checked {
  explicit Checked(World& world) : client(world.connect()) {
    enquiry = client.send_empty(Command::enquire_link);
    bind = world.send_bind(client, "depot");
  }
  ClientEnd& client;
  std::uint32_t enquiry;
  std::uint32_t bind;
};

void nothing_is_left(World& world) {
  world.settle();
  CHECK(world.shared().connections.load() == 0);
  CHECK(world.sum(&DoorCounters::waiting) == 0);
  CHECK(world.client(1).sessions.get() == 0);
}

TEST_CASE("enquire_link and the bind in one segment: answered in order, and bound", "[handover]") {
  World world(two_shards());
  Checked checked(world);
  const std::uint32_t one = checked.client.submit({.registered_delivery = 0});
  world.await(checked.client, checked.bind);
  world.settle();
  CHECK(order(checked.client) == std::vector{checked.enquiry, checked.bind, one});
  CHECK(checked.client.status(checked.bind) == Status::ESME_ROK);
  CHECK(checked.client.status(one) == Status::ESME_ROK);
  checked.client.hang_up();
  nothing_is_left(world);
  world.finish();
}

// The accepting shard's gate is shut by another client's traffic: the answer to the enquire_link
// still lies in the output when the bind's result comes.
TEST_CASE("answers that wait for the disk when the session moves go with it", "[handover]") {
  core::testing::FaultyStorage disk;
  World world({.shards = 2, .disk = &disk});
  ClientEnd& shop = world.bind("shop");
  ClientEnd& depot = world.connect();
  shop.submit({.registered_delivery = 0});
  const std::uint32_t enquiry = depot.send_empty(Command::enquire_link);
  const std::uint32_t bind = world.send_bind(depot, "depot");
  world.shard(0).turn();  // reads both; the journal has taken no step
  REQUIRE(world.shard(0).gate_shut());
  world.auth().step();
  world.shard(0).turn();  // takes the result
  CHECK(depot.wire().sent.empty());
  world.await(depot, bind);
  CHECK(order(depot) == std::vector{enquiry, bind});
  CHECK(depot.status(bind) == Status::ESME_ROK);
  world.finish();
}

TEST_CASE("answers that the peer has not read go with the session and leave first", "[handover]") {
  World world(two_shards());
  for (const std::size_t allowance : {0U, 5U}) {  // nothing of the answer, and a part of it
    ClientEnd& client = world.connect();
    client.wire().allowance = allowance;
    const std::uint32_t enquiry = client.send_empty(Command::enquire_link);
    const std::uint32_t bind = world.send_bind(client, "depot");
    world.settle();
    CHECK_FALSE(client.answered(enquiry));
    CHECK(world.client(1).sessions.get() == 1);
    client.wire().allowance = 1'000'000;
    world.settle();
    CHECK(order(client) == std::vector{enquiry, bind});
    CHECK(client.status(bind) == Status::ESME_ROK);
    client.hang_up();
    nothing_is_left(world);
  }
  world.finish();
}

TEST_CASE("half a MiB of enquire_link unread, then the bind", "[handover]") {
  World world(two_shards());
  ClientEnd& client = world.connect();
  client.wire().allowance = 0;
  for (int i = 0; i < 512 * 64; ++i) client.send_empty(Command::enquire_link);
  world.send_bind(client, "depot");
  world.turn(1'200);
  client.wire().allowance = 1'000'000;
  world.settle();
  client.hang_up();
  nothing_is_left(world);
  world.finish();
}

TEST_CASE("a connection that fails in the turn in which its bind's result comes", "[handover]") {
  for (const bool right : {true, false}) {
    World world(two_shards());
    ClientEnd& client = world.connect();
    client.wire().allowance = 0;
    client.send_empty(Command::enquire_link);
    world.send_bind(client, "depot", Command::bind_transceiver, 0x34, right ? "pw" : "wrong");
    world.turn();  // read, not sent; the password was checked at the turn's end
    client.wire().send_error = EPIPE;
    client.wire().allowance = 1;
    world.turn();  // the write fails, then the result is taken
    nothing_is_left(world);
    CHECK(client.closed());
    CHECK(world.client(1).binds.get() == 0);
    CHECK(world.sum(&DoorCounters::bind_refused) == 0);
    world.finish();
  }
}

TEST_CASE("a connection that fails on its way, and behind it", "[handover]") {
  for (int turns = 0; turns < 4; ++turns) {
    World world(two_shards());
    Checked checked(world);
    checked.client.wire().allowance = 0;
    world.turn(turns);
    checked.client.wire().send_error = ECONNRESET;
    checked.client.wire().recv_error = ECONNRESET;
    checked.client.wire().allowance = 1;
    nothing_is_left(world);
    CHECK(checked.client.closed());
    world.finish();
  }
}

TEST_CASE("an unbind, garbage and a second bind behind the bind are served at the client's home",
          "[handover]") {
  World world(two_shards());
  SECTION("unbind") {
    Checked checked(world);
    const std::uint32_t unbind = checked.client.send_empty(Command::unbind);
    world.settle();
    CHECK(order(checked.client) == std::vector{checked.enquiry, checked.bind, unbind});
    CHECK(checked.client.status(unbind) == Status::ESME_ROK);
    CHECK(checked.client.closed());
    checked.client.hang_up();
  }
  SECTION("garbage") {
    Checked checked(world);
    checked.client.send(std::string(16, '\xff'));
    world.settle();
    REQUIRE(checked.client.seen.size() == 3);
    CHECK(checked.client.status(checked.bind) == Status::ESME_ROK);
    CHECK(checked.client.seen.back().header.command_status == Status::ESME_RINVCMDLEN);
    CHECK(checked.client.closed());
    checked.client.hang_up();
  }
  SECTION("a second bind") {
    Checked checked(world);
    const std::uint32_t second = world.send_bind(checked.client, "shop");
    world.settle();
    CHECK(order(checked.client) == std::vector{checked.enquiry, checked.bind, second});
    CHECK(checked.client.status(second) == Status::ESME_RALYBND);
    CHECK(world.client(0).sessions.get() == 0);
    checked.client.hang_up();
  }
  nothing_is_left(world);
  world.finish();
}

TEST_CASE("a second bind waits for the first one's answer, whatever the peer reads", "[handover]") {
  World world;
  ClientEnd& client = world.connect();
  client.wire().allowance = 0;
  for (int i = 0; i < 20; ++i) client.send_empty(Command::enquire_link);
  const std::uint32_t first = world.send_bind(client, "shop");
  const std::uint32_t second = world.send_bind(client, "shop");
  world.shard(0).turn();  // the first bind is read, its password not yet checked
  client.wire().allowance = 1'000'000;
  world.shard(0).turn();
  world.shard(0).turn();
  world.await(client, first);
  CHECK(client.status(first) == Status::ESME_ROK);
  world.settle();
  CHECK(client.status(second) == Status::ESME_RALYBND);
  CHECK(world.client(0).sessions.get() == 1);
  world.finish();
}

TEST_CASE("a stop while sessions are checked and on their way: no bind slips behind the unbind",
          "[handover]") {
  for (const unsigned shards : {1u, 2u, 3u}) {
    for (int turns = 0; turns < 10; ++turns) {
      World world(
          {.shards = shards, .change = [](Config& config) { config.gateway.drain_us = 0; }});
      Checked checked(world);
      world.shared().stopping = true;
      for (int i = 0; i < turns; ++i) {
        world.shard(static_cast<unsigned>(i) % shards).turn();
        if (i % 3 == 2) world.auth().step();
      }
      Checked late(world);
      INFO(shards << " shards, " << turns << " turns");
      REQUIRE(world.until([&] { return world.shared().finished.load() == shards; }, 2'500));
      world.settle();
      CHECK(checked.client.closed());
      CHECK(late.client.closed());
      nothing_is_left(world);
      world.finish();
    }
  }
}

TEST_CASE("a bind that comes to a shard which has sent its unbinds is refused", "[handover]") {
  World world(two_shards());
  ClientEnd& shop = world.bind("shop");
  ClientEnd& depot = world.bind("depot");
  Checked checked(world);
  world.shard(0).turn();
  world.auth_runs = false;
  world.shared().stopping = true;
  for (int i = 0; i < 100 && depot.count(Command::unbind) == 0; ++i) world.pass(kMs, kMs);
  REQUIRE(depot.count(Command::unbind) == 1);
  REQUIRE(shop.count(Command::unbind) == 0);
  world.auth().step();
  world.shard(0).turn();  // hands it over
  world.auth_runs = true;
  world.await(checked.client, checked.bind);
  CHECK(checked.client.status(checked.bind) == Status::ESME_RBINDFAIL);
  REQUIRE(world.until([&] { return world.shared().finished.load() == 2; }));
  nothing_is_left(world);
  world.finish();
}

// The far shard never turns again. What would show here is a leak.
TEST_CASE("a session on its way when the shards have stopped ends with them", "[handover]") {
  core::testing::FaultyStorage disk;
  World world({.shards = 2, .disk = &disk});
  Checked checked(world);
  world.shard(0).turn();
  world.auth().step();
  world.shard(0).turn();
  CHECK(checked.client.wire().events == nullptr);  // it has left shard 0
  world.abandon();
}

}  // namespace
}  // namespace tollgate::gateway
