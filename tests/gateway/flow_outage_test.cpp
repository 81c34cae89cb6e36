// Carriers that are down, die, never answer; messages whose time ends.
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::MessageState;
using proto::Status;

TEST_CASE("no carrier is up: the message waits and goes when one binds", "[flow]") {
  World world({.carriers_bound = false});
  world.carrier(0).listens = false;
  world.carrier(1).listens = false;
  ClientEnd& client = world.bind("shop");
  std::vector<std::uint32_t> sent;
  for (int i = 0; i < 20; ++i) {
    sent.push_back(client.submit({.text = std::to_string(i)}));
    world.pass(7 * kMs, kMs);  // not all at one moment: retries must keep their order too
  }
  for (const std::uint32_t one : sent) CHECK(client.status(one) == Status::ESME_ROK);
  CHECK(world.stage(Stage::waiting) == 20);
  world.check_conserved();
  world.pass(5 * kSecond);
  world.carrier(0).listens = true;
  world.carrier(0).receipts = MessageState::delivered;
  REQUIRE(world.until([&] { return client.told.size() == 20; }, 60'000));
  // In their order: they are all for one number.
  REQUIRE(world.carrier(0).submits.size() == 20);
  for (int i = 0; i < 20; ++i) CHECK(world.carrier(0).submits[i].text == std::to_string(i));
  CHECK(world.carrier(1).submits.empty());
  world.finish();
}

TEST_CASE("more messages wait than one turn tries: all go, in order", "[flow]") {
  World world({.carriers = 1, .change = [](Config& config) { config.clients[0].window = 10'000; }});
  world.carrier(0).die();
  REQUIRE(world.until([&] { return !world.homes().state(0).up(); }));
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 5'000; ++i) {
    client.submit({.text = std::to_string(i), .registered_delivery = 0});
    if (i % 100 == 0) world.pass(kMs, kMs);  // also while a pass over the others goes on
  }
  world.settle();
  REQUIRE(world.stage(Stage::waiting) == 5'000);
  world.check_conserved();
  world.carrier(0).listens = true;
  REQUIRE(world.until([&] { return world.messages() == 0; }, 20'000));
  REQUIRE(world.carrier(0).submits.size() == 5'000);
  for (std::size_t i = 0; i < 5'000; ++i) {
    if (world.carrier(0).submits[i].text != std::to_string(i)) FAIL("order at " << i);
  }
  world.finish();
}

TEST_CASE("a later message for the same number waits behind the earlier", "[flow]") {
  World world({.carriers = 1});
  world.carrier(0).die();
  REQUIRE(world.until([&] { return !world.homes().state(0).up(); }));
  ClientEnd& client = world.bind("shop");
  client.submit({.text = "first"});
  world.settle();
  REQUIRE(world.stage(Stage::waiting) == 1);
  world.carrier(0).listens = true;
  REQUIRE(world.until([&] {
    // The moment at which the carrier is up and the first still waits.
    if (!world.homes().state(0).up()) return false;
    client.submit({.text = "second"});
    world.turn(4);
    return true;
  }));
  REQUIRE(world.until([&] { return world.carrier(0).submits.size() == 2; }));
  CHECK(world.carrier(0).submits[0].text == "first");
  CHECK(world.carrier(0).submits[1].text == "second");
  for (const auto& submit : world.carrier(0).submits) {
    world.carrier(0).receipt(submit.id, MessageState::delivered, world.carrier(0).connects() - 1);
  }
  world.finish();
}

TEST_CASE("a carrier dies: its queue goes to the next, what was sent is held in doubt", "[flow]") {
  World world({.change = [](Config& config) {
    config.carriers[0].binds[0].window = 3;
    config.gateway.in_doubt_hold_us = 600 * kSecond;
  }});
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  world.carrier(1).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  std::vector<std::uint32_t> sent;
  for (int i = 0; i < 10; ++i) sent.push_back(client.submit());
  world.settle();
  REQUIRE(world.carrier(0).submits.size() == 3);
  CHECK(world.stage(Stage::placed) == 10);
  world.carrier(0).die();
  REQUIRE(world.until([&] { return world.carrier(1).submits.size() == 7; }));
  world.settle();
  CHECK(world.stage(Stage::in_doubt) == 3);
  CHECK(world.client(0).in_doubt.get() == 3);
  CHECK(client.told.size() == 7);
  CHECK(world.money(0, &CarrierMoneyCounters::failovers) == 7);
  CHECK(world.money(0, &CarrierMoneyCounters::cost_nano) == 0);
  CHECK(world.money(1, &CarrierMoneyCounters::cost_nano) == 7 * 20'000'000);
  world.check_conserved();
  world.pass(590 * kSecond, kSecond);
  CHECK(client.told.size() == 7);
  world.pass(20 * kSecond, 10 * kMs);
  REQUIRE(client.told.size() == 10);
  for (std::size_t i = 7; i < 10; ++i) {
    CHECK(client.told[i].state == MessageState::unknown);
    CHECK(client.told[i].id == client.id(sent[i - 7]));
  }
  CHECK(world.carrier(1).submits.size() == 7);  // never sent twice
  world.finish();
}

TEST_CASE("in doubt at a carrier that resends: again, marked, and three times at most", "[flow]") {
  World world({.change = [](Config& config) {
    config.carriers[0].in_doubt = carriers::InDoubt::resend;
    config.carriers[0].timers.response_ms = 1'000;
    config.gateway.in_doubt_hold_us = 60 * kSecond;
  }});
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  ClientEnd& client = world.bind("shop");
  client.submit();
  world.settle();
  world.pass(3 * kSecond + 500 * kMs, 10 * kMs);
  CHECK(world.carrier(0).submits.size() == 4);
  CHECK(world.client(0).resent.get() == 3);
  CHECK(world.stage(Stage::placed) == 1);
  CHECK(client.told.empty());
  world.pass(2 * kSecond, 10 * kMs);
  CHECK(world.carrier(0).submits.size() == 4);
  CHECK(world.stage(Stage::in_doubt) == 1);
  world.pass(70 * kSecond, kSecond);
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].state == MessageState::unknown);
  world.finish();
}

TEST_CASE("in doubt at a carrier that fails: the client is told at once", "[flow]") {
  World world({.change = [](Config& config) {
    config.carriers[0].in_doubt = carriers::InDoubt::fail;
    config.carriers[0].timers.response_ms = 1'000;
  }});
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  ClientEnd& client = world.bind("shop");
  client.submit();
  world.settle();
  world.pass(1 * kSecond + 500 * kMs, 10 * kMs);
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].state == MessageState::unknown);
  CHECK(world.carrier(0).submits.size() == 1);
  CHECK(world.client(0).resent.get() == 0);
  world.finish();
}

TEST_CASE("a response that never comes: in doubt after the carrier's time-out", "[flow]") {
  World world({.change = [](Config& config) {
    config.gateway.in_doubt_hold_us = 100 * kSecond;
    config.carriers[0].timers.response_ms = 20'000;
  }});
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  ClientEnd& client = world.bind("shop");
  client.submit();
  client.submit({.registered_delivery = 0});
  world.settle();
  world.pass(19 * kSecond, 100 * kMs);
  CHECK(world.stage(Stage::in_doubt) == 0);
  world.pass(3 * kSecond, 100 * kMs);
  CHECK(world.stage(Stage::in_doubt) == 2);
  CHECK(world.carrier(1).submits.empty());
  world.pass(100 * kSecond, 100 * kMs);
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].state == MessageState::unknown);
  world.finish();
}

TEST_CASE("validity ends while the message waits: EXPIRED, and it is never sent", "[flow]") {
  World world({.carriers_bound = false});
  world.carrier(0).listens = world.carrier(1).listens = false;
  ClientEnd& client = world.bind("shop");
  const std::uint32_t brief = client.submit({.validity_period = "000000000030000R"});
  client.submit({.to = "447700900002", .validity_period = "000000020000000R"});
  world.settle();
  world.pass(29 * kSecond, 50 * kMs);
  CHECK(client.told.empty());
  world.pass(2 * kSecond, 50 * kMs);
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].id == client.id(brief));
  CHECK(client.told[0].state == MessageState::expired);
  CHECK(world.client(0).expired.get() == 1);
  world.carrier(0).listens = true;
  world.carrier(0).receipts = MessageState::delivered;
  REQUIRE(world.until([&] { return client.told.size() == 2; }, 60'000));
  CHECK(world.carrier(0).submits.size() == 1);
  world.finish();
}

TEST_CASE("validity ends in a carrier's queue: EXPIRED", "[flow]") {
  World world({.carriers = 1, .change = [](Config& config) {
                 config.carriers[0].binds[0].window = 1;
                 config.carriers[0].timers.response_ms = 600'000;
               }});
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  ClientEnd& client = world.bind("shop");
  client.submit();
  const std::uint32_t queued = client.submit({.validity_period = "000000000030000R"});
  world.settle();
  REQUIRE(world.stage(Stage::placed) == 2);
  world.pass(32 * kSecond, 100 * kMs);
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].id == client.id(queued));
  CHECK(client.told[0].state == MessageState::expired);
  world.carrier(0).answer(0, {Status::ESME_ROK, "z"});
  world.carrier(0).receipt("z", MessageState::delivered);
  world.settle();
  CHECK(world.carrier(0).submits.size() == 1);
  world.finish();
}

TEST_CASE("a receipt that never comes: UNKNOWN after receipt_keep", "[flow]") {
  World world({.change = [](Config& config) { config.clients[0].receipt_keep_us = 2 * kHour; }});
  ClientEnd& client = world.bind("shop");
  client.submit();
  world.settle();
  world.pass(2 * kHour - kSecond, 10 * kSecond);
  CHECK(client.told.empty());
  world.pass(10 * kSecond, 100 * kMs);
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].state == MessageState::unknown);
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
