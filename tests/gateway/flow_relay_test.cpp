// Clients in accept mode relay: answered when a carrier has answered, and only then accepted.
#include "gateway/clients/client_home.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::Command;
using proto::MessageState;
using proto::Status;

WorldOptions relay(unsigned shards = 1, std::function<void(Config&)> more = {}) {
  WorldOptions options;
  options.shards = shards;
  options.change = [more](Config& config) {
    config.clients[0].accept = Accept::relay;
    for (auto& carrier : config.carriers) carrier.retry.temporary.attempts = 0;
    if (more) more(config);
  };
  return options;
}

const auto kLater = [](const auto&) { return std::nullopt; };
auto refuses(Status status) {
  return [status](const auto&) { return CarrierEnd::Reply{status}; };
}

TEST_CASE("relay: the answer waits for the carrier's, the receipt comes under its id", "[relay]") {
  for (const unsigned shards : {1U, 2U, 4U}) {
    World world(relay(shards));
    world.carrier(0).on_submit = kLater;
    ClientEnd& client = world.bind("shop");
    const std::uint32_t sent = client.submit();
    REQUIRE(world.until([&] { return world.carrier(0).submits.size() == 1; }));
    world.pass(300 * kMs);
    CHECK_FALSE(client.answered(sent));
    world.carrier(0).answer(0, {Status::ESME_ROK, "77"});
    REQUIRE(world.until([&] { return client.answered(sent); }));
    CHECK(client.status(sent) == Status::ESME_ROK);
    CHECK(client.id(sent).size() == 16);
    CHECK(world.stage(Stage::awaiting) == 1);
    world.carrier(0).receipt("77", MessageState::delivered);
    REQUIRE(world.until([&] { return client.told.size() == 1; }));
    CHECK(client.told[0].id == client.id(sent));
    world.finish();
  }
}

TEST_CASE("relay: the next carrier is asked, and the client hears of the one that took it",
          "[relay]") {
  World world(relay());
  world.carrier(0).on_submit = refuses(Status::ESME_RSUBMITFAIL);
  world.carrier(1).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  const std::uint32_t sent = client.submit();
  world.settle();
  CHECK(client.status(sent) == Status::ESME_ROK);
  REQUIRE(client.told.size() == 1);
  CHECK(world.money(1, &CarrierMoneyCounters::sent) == 1);
  CHECK(world.money(0, &CarrierMoneyCounters::sent) == 0);
  world.finish();
}

TEST_CASE("relay: refused by all, the client gets a status that it understands, no receipt",
          "[relay]") {
  struct Case {
    Status first, second, told;
  };
  for (const Case& one :
       {Case{Status::ESME_RINVDSTADR, Status::ESME_ROK, Status::ESME_RINVDSTADR},
        Case{Status::ESME_RSUBMITFAIL, Status{0x433}, Status::ESME_RSUBMITFAIL},
        Case{Status::ESME_RSUBMITFAIL, Status::ESME_RINVSYSID, Status::ESME_RSUBMITFAIL},
        Case{Status::ESME_RSYSERR, Status::ESME_RX_T_APPN, Status::ESME_RMSGQFUL},
        Case{Status::ESME_RX_T_APPN, Status::ESME_RMSGQFUL, Status::ESME_RMSGQFUL}}) {
    World world(relay());
    world.carrier(0).on_submit = refuses(one.first);
    world.carrier(1).on_submit = refuses(one.second);
    ClientEnd& client = world.bind("shop");
    const std::uint32_t sent = client.submit();
    world.settle();
    REQUIRE(client.answered(sent));
    CHECK(client.status(sent) == one.told);
    CHECK(world.messages() == 0);
    world.pass(20 * kSecond, 100 * kMs);
    CHECK(client.told.empty());
    CHECK(world.carrier(0).submits.size() == 1);
    world.finish();
  }
}

TEST_CASE("relay: one number that is refused for now costs no other its carrier", "[relay]") {
  for (const unsigned shards : {1U, 2U}) {
    WorldOptions options = relay(shards);
    options.carriers = 1;
    World world(options);
    world.carrier(0).on_submit = [](const CarrierEnd::Submit& submit) {
      return CarrierEnd::Reply{submit.to == "447700900001" ? Status::ESME_RX_T_APPN
                                                           : Status::ESME_ROK};
    };
    ClientEnd& client = world.bind("shop");
    std::vector<std::uint32_t> refused;
    std::vector<std::uint32_t> sent;
    for (int i = 0; i < 40; ++i) {
      if (i % 8 == 0) {
        refused.push_back(client.submit({.to = "447700900001", .registered_delivery = 0}));
      }
      const std::string number = std::to_string(447700900100 + i);
      sent.push_back(client.submit({.to = number, .registered_delivery = 0}));
      world.pass(5 * kMs, 5 * kMs);
    }
    REQUIRE(world.until([&] { return client.count(Command::submit_sm_resp) == 45; }));
    for (const std::uint32_t one : sent) CHECK(client.status(one) == Status::ESME_ROK);
    for (const std::uint32_t one : refused) {
      CHECK(proto::status_class(client.status(one)) != proto::StatusClass::failover);
      CHECK(client.status(one) != Status::ESME_ROK);
      CHECK(client.status(one) != Status::ESME_RSYSERR);
    }
    world.finish();
  }
}

TEST_CASE("relay: nobody there now is said at once, nothing waits", "[relay]") {
  World world(relay(1, [](Config& config) { config.carriers[1].queue_max = 1; }));
  world.carrier(0).die();
  REQUIRE(world.until([&] { return !world.homes().state(0).up(); }));
  world.carrier(1).die();
  REQUIRE(world.until([&] { return !world.homes().state(1).up(); }));
  ClientEnd& client = world.bind("shop");
  const std::uint32_t sent = client.submit();
  world.turn(3);
  CHECK(client.status(sent) == Status::ESME_RSYSERR);
  CHECK(world.stage(Stage::waiting) == 0);
  world.finish();
}

TEST_CASE("relay: a carrier that never answers, or is lost: not accepted, counted", "[relay]") {
  const bool lost = GENERATE(true, false);
  World world(relay());
  world.carrier(0).on_submit = kLater;
  ClientEnd& client = world.bind("shop");
  const std::uint32_t sent = client.submit();
  world.settle();
  if (lost) {
    world.carrier(0).die();
  } else {
    world.pass(59 * kSecond, kSecond);
    CHECK_FALSE(client.answered(sent));
    world.pass(2 * kSecond);
  }
  REQUIRE(world.until([&] { return client.answered(sent); }));
  CHECK(client.status(sent) == Status::ESME_RSUBMITFAIL);
  CHECK(world.client(0).relay_in_doubt.get() == 1);
  CHECK(world.carrier(1).submits.empty());  // nobody else gets it
  CHECK(world.messages() == 0);
  CHECK(world.client(0).receipts_owing.get() == 0);
  world.finish();
}

TEST_CASE("relay: its session is gone before the answer: accepted all the same", "[relay]") {
  World world(relay(2));
  world.carrier(0).on_submit = kLater;
  ClientEnd& first = world.bind("shop");
  first.submit();
  REQUIRE(world.until([&] { return world.carrier(0).submits.size() == 1; }));
  first.hang_up();
  world.settle();
  ClientEnd& second = world.bind("shop");
  world.carrier(0).answer(0, {Status::ESME_ROK, "77"});
  world.settle();
  CHECK(second.seen.size() == 1);  // its bind's response
  world.carrier(0).receipt("77", MessageState::delivered);
  REQUIRE(world.until([&] { return second.told.size() == 1; }));
  world.finish();
}

TEST_CASE("relay: what waits for its carrier counts for the window", "[relay]") {
  World world(relay(1, [](Config& config) { config.clients[0].window = 2; }));
  world.carrier(0).on_submit = kLater;
  ClientEnd& client = world.bind("shop");
  std::uint32_t sent[4];
  for (int i = 0; i < 3; ++i) sent[i] = client.submit({.registered_delivery = 0});
  world.settle();
  CHECK_FALSE(client.answered(sent[0]));
  CHECK_FALSE(client.answered(sent[1]));
  CHECK(client.status(sent[2]) == Status::ESME_RTHROTTLED);
  // In any order.
  world.carrier(0).answer(1, {Status::ESME_ROK, "2"});
  REQUIRE(world.until([&] { return client.answered(sent[1]); }));
  CHECK_FALSE(client.answered(sent[0]));
  sent[3] = client.submit({.registered_delivery = 0});
  world.settle();
  CHECK_FALSE(client.answered(sent[3]));
  world.carrier(0).answer(0, {Status::ESME_ROK, "1"});
  world.carrier(0).answer(2, {Status::ESME_ROK, "3"});
  REQUIRE(world.until([&] { return client.answered(sent[0]) && client.answered(sent[3]); }));
  CHECK(world.messages() == 0);
  world.finish();
}

TEST_CASE("relay: not sent within relay_seconds: throttled, and never sent", "[relay]") {
  World world(relay(1, [](Config& config) {
    config.clients[0].relay_us = 2 * kSecond;
    for (auto& carrier : config.carriers) carrier.binds[0].window = 1;
  }));
  world.carrier(0).on_submit = kLater;
  ClientEnd& client = world.bind("shop");
  const std::uint32_t first = client.submit({.registered_delivery = 0});
  const std::uint32_t second = client.submit({.registered_delivery = 0});
  world.pass(3 * kSecond);
  CHECK_FALSE(client.answered(first));  // it is with the carrier
  CHECK(client.status(second) == Status::ESME_RTHROTTLED);
  world.carrier(0).answer(0, {Status::ESME_ROK, "1"});
  world.pass(kSecond);
  CHECK(client.status(first) == Status::ESME_ROK);
  CHECK(world.carrier(0).submits.size() == 1);
  world.finish();
}

TEST_CASE("relay: data_sm likewise; submit_multi is stored; other clients are not changed",
          "[relay]") {
  World world(relay());
  world.carrier(0).on_submit = kLater;
  ClientEnd& client = world.bind("shop");
  proto::DataSm data;
  data.source_addr = "SHOP";
  data.dest_addr_ton = 1;
  data.dest_addr_npi = 1;
  data.destination_addr = "447700900001";
  const std::uint32_t sent = client.send(data);
  ClientEnd& other = world.bind("depot");
  const std::uint32_t stored = other.submit({.registered_delivery = 0});
  world.settle();
  CHECK_FALSE(client.answered(sent));
  CHECK(other.status(stored) == Status::ESME_ROK);
  world.carrier(0).answer(0, {Status::ESME_RINVDSTADR});
  REQUIRE(world.until([&] { return client.answered(sent); }));
  CHECK(client.responses.at(sent).header.command_id == Command::data_sm_resp);
  CHECK(client.status(sent) == Status::ESME_RINVDSTADR);
  world.carrier(0).answer(1, {Status::ESME_ROK, "1"});
  world.settle();
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
