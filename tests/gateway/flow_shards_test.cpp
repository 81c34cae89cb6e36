// Two shards, turned by hand: clients, carriers and the accepting shard apart; mailboxes so small
// that mail spills.
#include <random>

#include "core/journal/format.h"
#include "proto/limits.h"
#include "proto/text.h"
#include "proto/tlv.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::Command;
using proto::MessageState;
using proto::Status;

// Homes of two shards: shop 0, depot 1; alpha 1, bravo 0.

TEST_CASE("client and carrier on different shards, and on the same one", "[shards]") {
  World world({.shards = 2});
  REQUIRE(world.homes().of_client(0) == 0);
  REQUIRE(world.homes().of_client(1) == 1);
  REQUIRE(world.homes().of_carrier(0) == 1);
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& shop = world.bind("shop");
  ClientEnd& depot = world.bind("depot");
  const std::uint32_t one = shop.submit();
  const std::uint32_t two = depot.submit();
  world.settle();
  CHECK(shop.status(one) == Status::ESME_ROK);
  CHECK(depot.status(two) == Status::ESME_ROK);
  CHECK(home_of(std::stoull(shop.id(one), nullptr, 16)) == 0);
  CHECK(home_of(std::stoull(depot.id(two), nullptr, 16)) == 1);
  REQUIRE(shop.told.size() == 1);
  CHECK(shop.told[0].id == shop.id(one));
  REQUIRE(depot.told.size() == 1);
  CHECK(depot.told[0].id == depot.id(two));
  CHECK(world.money(0, &CarrierMoneyCounters::sent) == 2);
  world.finish();
}

TEST_CASE("a shard that has had no message keeps no segment", "[shards]") {
  core::testing::FaultyStorage disk;
  WorldOptions options;
  options.disk = &disk;
  options.shards = 2;
  options.change = [](Config& config) { config.journal.segment_octets = 65'536; };
  World world(options);
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 1'000; ++i) {
    client.submit();
    if (i % 10 == 0) world.pass(5 * kMs, kMs);
  }
  REQUIRE(world.until([&] { return world.messages() == 0; }));
  world.pass(5 * kSecond, 100 * kMs);
  CHECK(world.journal()->stream(0).current_segment() > 2);
  const std::string first = core::journal::segment_name(1);
  CHECK_FALSE(disk.names.contains(first));
  world.finish();
}

TEST_CASE("failover between carriers of two shards", "[shards]") {
  World world({.shards = 2});
  world.carrier(0).on_submit = [](const auto&) { return CarrierEnd::Reply{Status::ESME_RSYSERR}; };
  world.carrier(1).receipts = MessageState::delivered;
  ClientEnd& shop = world.bind("shop");
  shop.submit();
  world.settle();
  CHECK(world.carrier(1).submits.size() == 1);
  CHECK(shop.told.size() == 1);
  world.finish();
}

TEST_CASE("a carrier with hardly any room, lost again and again: a number's order holds",
          "[shards]") {
  World world({.shards = 2, .carriers = 1, .change = [](Config& config) {
                 config.carriers[0].queue_max = 3;
                 config.carriers[0].binds[0].window = 1;
                 config.carriers[0].timers.reconnect_first_ms = 1;
                 config.carriers[0].timers.reconnect_max_ms = 5;
                 config.gateway.in_doubt_hold_us = kSecond;
               }});
  REQUIRE(world.homes().of_client(0) != world.homes().of_carrier(0));
  // Two homes, each of which orders all that there is room for.
  ClientEnd& shop = world.bind("shop");
  ClientEnd& depot = world.bind("depot");
  std::mt19937 random(11);
  constexpr int kMessages = 2'000;
  for (int i = 0; i < kMessages; i += 2) {
    const std::string one = std::to_string(i);
    const std::string two = std::to_string(i + 1);
    shop.submit({.text = one, .registered_delivery = 0});
    depot.submit({.from = "DEPOT", .text = two, .registered_delivery = 0});
    if (random() % 3 == 0) world.turn();
    if (random() % 5 == 0) world.pass(kMs, kMs);
    if (random() % 100 == 0) world.carrier(0).drop(world.carrier(0).connects() - 1);
  }
  REQUIRE(world.until([&] { return world.messages() == 0; }, 60'000));
  const auto& submits = world.carrier(0).submits;
  CHECK(submits.size() > kMessages - 100);  // the others were in doubt
  std::map<std::string, int> last{{"SHOP", -1}, {"DEPOT", -1}};
  for (const auto& submit : submits) {
    if (std::stoi(submit.text) <= last.at(submit.from)) FAIL(submit.text);
    last[submit.from] = std::stoi(submit.text);
  }
  CHECK(world.money(0, &CarrierMoneyCounters::failovers) > 100);  // that came back
  world.finish();
}

TEST_CASE("a session moves to its client's home with all that was glued behind its bind",
          "[shards]") {
  World world({.shards = 2});
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& depot = world.connect("198.51.100.9");
  const std::uint32_t bind = world.send_bind(depot, "depot");
  const std::uint32_t one = depot.submit({.registered_delivery = 0});
  // And the beginning of one more, whose end comes when the session has moved.
  proto::SubmitSm sm;
  sm.source_addr = "SHOP";
  sm.destination_addr = "447700900002";
  const std::uint32_t cut = depot.next_sequence();
  const std::string octets = octets_of(sm, cut);
  depot.send(octets.substr(0, 21));
  world.await(depot, bind);
  world.settle();
  CHECK(depot.status(bind) == Status::ESME_ROK);
  CHECK(depot.status(one) == Status::ESME_ROK);
  CHECK_FALSE(depot.answered(cut));
  depot.send(octets.substr(21));
  world.settle();
  CHECK(depot.status(cut) == Status::ESME_ROK);
  CHECK(world.carrier(0).submits.size() == 2);
  CHECK(world.client(1).sessions.get() == 1);
  CHECK(world.sum(&DoorCounters::waiting) == 0);
  CHECK(world.shared().connections.load() == 1);
  depot.hang_up();
  world.settle();
  CHECK(world.shared().connections.load() == 0);
  CHECK(world.client(1).sessions.get() == 0);
  world.finish();
}

TEST_CASE("a client that hangs up while its session moves is no session", "[shards]") {
  World world({.shards = 2});
  for (int i = 0; i < 5; ++i) {
    ClientEnd& depot = world.connect();
    world.send_bind(depot, "depot");
    world.turn(i);
    depot.hang_up();
    REQUIRE(world.until([&] { return depot.closed(); }, 20'000));
  }
  world.settle();
  CHECK(world.shared().connections.load() == 0);
  CHECK(world.client(1).sessions.get() == 0);
  CHECK(world.sum(&DoorCounters::waiting) == 0);
  world.finish();
}

TEST_CASE("mail spills: nothing is lost, each number's messages keep their order", "[shards]") {
  for (const unsigned shards : {1u, 2u}) {
    World world({.shards = shards, .mailbox_octets = 2'048});
    world.carrier(0).receipts = MessageState::delivered;
    world.carrier(1).receipts = MessageState::undeliverable;
    ClientEnd& shop = world.bind("shop");
    ClientEnd& depot = world.bind("depot");
    std::mt19937_64 random(shards);
    std::map<std::string, std::vector<std::string>> sent;
    std::size_t total = 0;
    for (int round = 0; round < 60; ++round) {
      for (ClientEnd* client : {&shop, &depot}) {
        for (std::uint64_t n = random() % 80; n > 0; --n) {
          const std::string to = "4477009000" + std::to_string(10 + random() % 8);
          const std::string from = client == &shop ? "SHOP" : "DEPOT";
          const std::string text = std::to_string(total++);
          client->submit({.to = to, .from = from, .text = text});
          sent[from + to].push_back(text);
        }
      }
      world.turn(static_cast<int>(random() % 3));
    }
    REQUIRE(world.until([&] { return shop.told.size() + depot.told.size() == total; }, 20'000));
    CHECK(world.sum(&LedgerCounters::mail_spilled) > 0);
    std::map<std::string, std::vector<std::string>> came;
    for (const auto& submit : world.carrier(0).submits) {
      came[submit.from + submit.to].push_back(submit.text);
    }
    CHECK(came == sent);
    std::map<std::string, int> ids;
    for (ClientEnd* client : {&shop, &depot}) {
      for (const auto& told : client->told) ++ids[told.id];
    }
    CHECK(ids.size() == total);
    world.finish();
  }
}

TEST_CASE("a session paused by another's spilled mail goes on when it has cleared", "[shards]") {
  World world({.mailbox_octets = 1'024});
  ClientEnd& busy = world.bind("shop");
  ClientEnd& quiet = world.bind("depot");
  for (int i = 0; i < 60; ++i) busy.submit({.registered_delivery = 0});
  const std::uint32_t one = quiet.submit({.registered_delivery = 0});
  world.turn(2);
  // With the mail, not with the next look at all that are paused.
  REQUIRE(world.until([&] { return quiet.answered(one); }, 60));
  CHECK(quiet.status(one) == Status::ESME_ROK);
  CHECK(world.client(1).reading_pauses.get() > 0);
  world.finish();
}

TEST_CASE("a sessions' bound and its mail spill: the handover is not lost", "[shards]") {
  World world({.shards = 2, .mailbox_octets = 1'024});
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& shop = world.bind("shop");
  ClientEnd& depot = world.connect();
  const std::uint32_t bind = world.send_bind(depot, "depot");
  for (int i = 0; i < 400 && !depot.answered(bind); ++i) {
    for (int n = 0; n < 20; ++n) shop.submit();
    world.turn();
  }
  world.await(depot, bind);
  CHECK(depot.status(bind) == Status::ESME_ROK);
  const std::uint32_t one = depot.submit();
  REQUIRE(world.until([&] { return world.messages() == 0 && depot.answered(one); }, 20'000));
  CHECK(depot.told.size() == 1);
  world.finish();
}

TEST_CASE("the longest message goes through the smallest mailbox that may be configured",
          "[shards]") {
  World world({.shards = 2, .mailbox_octets = kMailboxLeast});
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& shop = world.bind("shop");
  const std::string text(proto::kMessagePayloadMax, 't');
  std::vector<std::uint8_t> block(text.size() + proto::kTlvHeaderLength);
  REQUIRE(proto::append_tlv(block, 0, proto::Tag::message_payload, proto::as_octets(text)) != 0);
  proto::SubmitSm sm;
  sm.source_addr = "SHOP";
  sm.destination_addr = "447700900001";
  sm.registered_delivery = 1;
  sm.tlvs = proto::Octets(block).first(text.size() + proto::kTlvHeaderLength);
  std::vector<std::uint32_t> sent;
  for (int i = 0; i < 6; ++i) sent.push_back(shop.send(sm));
  REQUIRE(world.until([&] { return shop.told.size() == 6; }));
  for (const std::uint32_t one : sent) CHECK(shop.status(one) == Status::ESME_ROK);
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
