// A polite stop, in the steps that the shards take together.
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::Command;
using proto::MessageState;
using proto::Status;

TEST_CASE("stop: what was accepted gets its carrier, everyone an unbind", "[stop]") {
  for (const unsigned shards : {1u, 2u}) {
    World world({.shards = shards});
    world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
    ClientEnd& client = world.bind("shop");
    ClientEnd& other = world.bind("depot", Command::bind_receiver);
    ClientEnd& unbound = world.connect();
    const std::uint32_t one = client.submit();
    world.settle();
    REQUIRE(client.status(one) == Status::ESME_ROK);
    world.shared().stopping = true;
    world.pass(100 * kMs);
    CHECK_FALSE(world.net(0).listening());
    const std::uint32_t late = client.submit();
    world.settle();
    CHECK(client.status(late) == Status::ESME_RSYSERR);
    world.pass(kSecond);
    // The message has no carrier yet: nobody is sent away.
    CHECK(world.shared().quiet.load() < shards);
    CHECK(client.count(Command::unbind) == 0);
    CHECK(world.carrier(0).unbinds == 0);
    world.carrier(0).answer(0, {Status::ESME_ROK, "s1"});
    world.carrier(0).receipt("s1", MessageState::delivered);
    REQUIRE(world.until([&] { return world.shared().finished.load() == shards; }));
    CHECK(client.told.size() == 1);
    CHECK(client.count(Command::unbind) == 1);
    CHECK(other.count(Command::unbind) == 1);
    CHECK(client.closed());
    CHECK(other.closed());
    CHECK(unbound.closed());
    for (std::size_t i = 0; i < world.carriers(); ++i) {
      CHECK(world.carrier(i).unbinds == 1);
      CHECK(world.carrier(i).bound() == 0);
    }
    CHECK(world.shared().connections.load() == 0);
    world.finish();
  }
}

TEST_CASE("stop: peers that do not answer are left after the deadlines", "[stop]") {
  World world({.change = [](Config& config) { config.gateway.drain_us = 5 * kSecond; }});
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  world.carrier(0).answers_unbind = false;
  ClientEnd& client = world.bind("shop");
  client.answers_unbind = false;
  client.submit();
  world.settle();
  world.shared().stopping = true;
  world.pass(4'900 * kMs);
  CHECK(client.count(Command::unbind) == 0);
  world.pass(4 * kSecond);
  CHECK(client.count(Command::unbind) == 1);
  CHECK(client.closed());
  REQUIRE(world.until([&] { return world.shared().finished.load() == 1; }, 10'000));
  CHECK(world.messages() == 1);  // told to the operator as left
  world.finish(World::Left::something);
}

TEST_CASE("stop: receipts that are here are told first, those nobody takes do not hold it",
          "[stop]") {
  World world;
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  ClientEnd& sender = world.bind("depot", Command::bind_transmitter);
  client.on_receipt = [](const auto&) { return std::nullopt; };
  client.submit();
  sender.submit();
  world.settle();
  world.shared().stopping = true;
  world.pass(2 * kSecond);
  CHECK(client.count(Command::unbind) == 0);  // its receipt has no response yet
  client.send(octets_of(proto::DeliverSmResp{}, client.told.at(0).sequence_number));
  world.settle();
  // depot's receipt waits for a receiver that may never come; its sender is bound all the same.
  REQUIRE(world.until([&] { return world.shared().finished.load() == 1; }, 40'000));
  CHECK(sender.closed());
  CHECK(world.messages() == 1);
  world.finish(World::Left::something);
}

}  // namespace
}  // namespace tollgate::gateway
