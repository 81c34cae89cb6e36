// What all candidates refused for now: waits in back-off, keeps its number's order, expires.
#include "proto/text.h"
#include "proto/tlv.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::MessageState;
using proto::Status;

WorldOptions without_retries_here(std::size_t carriers, unsigned shards = 1) {
  WorldOptions options;
  options.shards = shards;
  options.carriers = carriers;
  options.change = [](Config& config) {
    for (auto& carrier : config.carriers) carrier.retry.temporary.attempts = 0;
  };
  return options;
}

const auto kBusy = [](const auto&) { return CarrierEnd::Reply{Status::ESME_RX_T_APPN}; };

TEST_CASE("all carriers refuse for now: tried again after a while, each time later", "[flow]") {
  for (const unsigned shards : {1U, 3U}) {
    World world(without_retries_here(2, shards));
    world.carrier(0).on_submit = kBusy;
    world.carrier(1).on_submit = kBusy;
    ClientEnd& client = world.bind("shop");
    const std::uint32_t sent = client.submit();
    world.settle();
    CHECK(client.status(sent) == Status::ESME_ROK);
    const auto rounds = [&] { return world.carrier(1).submits.size(); };
    REQUIRE(rounds() == 1);
    CHECK(world.stage(Stage::waiting) == 1);
    std::int64_t from_us = world.now_us();
    for (std::int64_t full_us = 5 * kSecond; full_us <= 40 * kSecond; full_us *= 2) {
      const std::size_t before = rounds();
      REQUIRE(world.until([&] { return rounds() > before; }, 60'000));
      CHECK(world.now_us() - from_us >= full_us / 2);
      CHECK(world.now_us() - from_us <= full_us + 1'200 * kMs);  // and the bind's pause
      from_us = world.now_us();
    }
    CHECK(world.carrier(0).submits.size() == rounds());
    world.settle();
    CHECK(world.sum(&LedgerCounters::back_offs) == rounds());
    CHECK(client.told.empty());
    world.carrier(1).on_submit = nullptr;
    world.carrier(1).receipts = MessageState::delivered;
    REQUIRE(world.until([&] { return client.told.size() == 1; }, 100'000));
    CHECK(client.told[0].state == MessageState::delivered);
    world.finish();
  }
}

TEST_CASE("refused for now until its validity ends: EXPIRED", "[flow]") {
  World world(without_retries_here(2));
  world.carrier(0).on_submit = kBusy;
  world.carrier(1).on_submit = kBusy;
  ClientEnd& client = world.bind("shop");
  client.submit({.validity_period = "000000000020000R"});
  world.pass(19 * kSecond);
  CHECK(client.told.empty());
  world.pass(2 * kSecond);
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].state == MessageState::expired);
  world.finish();
}

TEST_CASE("refused for good by one is asked of the others, for good by all is over", "[flow]") {
  World world(without_retries_here(2));
  world.carrier(0).on_submit = kBusy;
  world.carrier(1).on_submit = [](const auto&) {
    return CarrierEnd::Reply{Status::ESME_RSUBMITFAIL};
  };
  ClientEnd& client = world.bind("shop");
  client.submit();
  world.pass(60 * kSecond, kSecond);
  CHECK(world.carrier(0).submits.size() > 2);
  CHECK(world.carrier(1).submits.size() == 1);  // not asked again
  CHECK(client.told.empty());
  world.carrier(0).on_submit = world.carrier(1).on_submit;
  REQUIRE(world.until([&] { return client.told.size() == 1; }, 100'000));
  CHECK(client.told[0].state == MessageState::undeliverable);
  world.carrier(0).on_submit = [](const auto&) {
    return CarrierEnd::Reply{Status::ESME_RINVDSTADR};
  };
  client.submit();
  world.settle();
  REQUIRE(client.told.size() == 2);
  CHECK(client.told[1].state == MessageState::rejected);
  CHECK(world.carrier(1).submits.size() == 1);
  world.finish();
}

TEST_CASE("in back-off, later messages to its number wait behind it, others do not", "[flow]") {
  World world(without_retries_here(1));
  world.carrier(0).on_submit = kBusy;
  ClientEnd& client = world.bind("shop");
  client.submit({.to = "447700900001", .text = "a1"});
  world.settle();
  REQUIRE(world.stage(Stage::waiting) == 1);
  world.carrier(0).on_submit = nullptr;
  world.carrier(0).receipts = MessageState::delivered;
  world.pass(100 * kMs);
  client.submit({.to = "447700900001", .text = "a2"});
  for (int i = 0; i < 50; ++i) {
    const std::string number = std::to_string(447700900100 + i);
    client.submit({.to = number, .text = "b"});
  }
  world.pass(200 * kMs);
  CHECK(world.carrier(0).submits.size() == 51);
  CHECK(world.stage(Stage::waiting) == 2);
  REQUIRE(world.until([&] { return world.messages() == 0; }, 20'000));
  REQUIRE(world.carrier(0).submits.size() == 53);
  CHECK(world.carrier(0).submits[51].text == "a1");
  CHECK(world.carrier(0).submits[52].text == "a2");
  world.finish();
}

TEST_CASE("one number that is refused for now holds up no other, in the turn it comes back either",
          "[flow]") {
  for (const unsigned shards : {1U, 3U}) {
    World world(without_retries_here(2, shards));
    world.carrier(0).on_submit = [](const CarrierEnd::Submit& submit) {
      return CarrierEnd::Reply{submit.to == "447700900001" ? Status::ESME_RX_T_APPN
                                                           : Status::ESME_ROK};
    };
    ClientEnd& client = world.bind("shop");
    for (int i = 0; i < 40; ++i) {
      if (i % 8 == 0) client.submit({.to = "447700900001", .registered_delivery = 0});
      const std::string number = std::to_string(447700900100 + i);
      client.submit({.to = number, .registered_delivery = 0});
      world.pass(5 * kMs, 5 * kMs);
    }
    REQUIRE(world.until([&] { return world.messages() == 0; }));
    CHECK(world.money(0, &CarrierMoneyCounters::sent) == 40);
    for (const auto& submit : world.carrier(1).submits) CHECK(submit.to == "447700900001");
    CHECK(world.carrier(1).submits.size() == 5);
    world.finish();
  }
}

TEST_CASE("what is on its way behind one that is refused for now comes behind it", "[flow]") {
  for (const unsigned shards : {1U, 3U}) {
    World world(without_retries_here(1, shards));
    std::vector<std::string> taken;
    world.carrier(0).on_submit = [&](const CarrierEnd::Submit& submit) {
      const bool refuses = submit.text == "a1" && world.carrier(0).submits.size() < 30;
      if (!refuses && submit.text[0] == 'a') taken.push_back(submit.text);
      return CarrierEnd::Reply{refuses ? Status::ESME_RX_T_APPN : Status::ESME_ROK};
    };
    ClientEnd& client = world.bind("shop");
    std::vector<std::string> all;
    for (int i = 1; i <= 30; ++i) {
      all.push_back("a" + std::to_string(i));
      client.submit({.to = "447700900001", .text = all.back(), .registered_delivery = 0});
      const std::string number = std::to_string(447700900100 + i);
      client.submit({.to = number, .text = "b", .registered_delivery = 0});
      world.turn();
    }
    world.pass(kSecond);
    CHECK(taken.empty());
    CHECK(world.carrier(0).submits.size() == 1 + 30);  // the others did not wait for it
    CHECK(world.stage(Stage::waiting) == 30);
    REQUIRE(world.until([&] { return world.messages() == 0; }, 20'000));
    CHECK(taken == all);
    CHECK(world.money(0, &CarrierMoneyCounters::failovers) == 1);
    world.finish();
  }
}

TEST_CASE("what was refused in one moment does not come back in one", "[flow]") {
  World world(without_retries_here(1));
  world.carrier(0).on_submit = kBusy;
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 60; ++i) {
    const std::string number = std::to_string(447700900100 + i);
    client.submit({.to = number, .registered_delivery = 0});
  }
  REQUIRE(world.until([&] { return world.stage(Stage::waiting) == 60; }));
  const std::int64_t from_us = world.now_us();
  world.carrier(0).on_submit = nullptr;
  // Each has a time between the half and the whole of retry_first: no tenth of that takes them all.
  std::vector<std::size_t> tenths;
  std::size_t before = world.carrier(0).submits.size();
  for (int tenth = 0; tenth < 11; ++tenth) {
    world.pass(500 * kMs);
    tenths.push_back(world.carrier(0).submits.size() - before);
    before += tenths.back();
  }
  CHECK(world.now_us() - from_us == 5'500 * kMs);
  CHECK(world.messages() == 0);
  for (int tenth = 0; tenth < 4; ++tenth) CHECK(tenths[static_cast<std::size_t>(tenth)] == 0);
  for (const std::size_t took : tenths) CHECK(took < 60 / 2);
  world.finish();
}

TEST_CASE("a carrier with one free place is sent one of all that wait, not all of them", "[flow]") {
  for (const unsigned shards : {1U, 2U}) {
    constexpr std::uint32_t kMessages = 2'500;
    World world({.shards = shards, .carriers = 1, .change = [](Config& config) {
                   config.clients[0].window = 10'000;
                   config.carriers[0].queue_max = 10;
                   config.carriers[0].binds[0].window = 1;
                   config.carriers[0].timers.response_ms = 600'000;
                 }});
    CarrierEnd& carrier = world.carrier(0);
    carrier.on_submit = [](const auto&) { return std::nullopt; };
    ClientEnd& client = world.bind("shop");
    for (std::uint32_t i = 0; i < kMessages; ++i) {
      const std::string number = std::to_string(447700900100 + i);
      client.submit({.to = number, .text = std::to_string(i), .registered_delivery = 0});
    }
    REQUIRE(world.until([&] { return world.stage(Stage::waiting) == kMessages - 11; }));
    for (std::size_t done = 0; done < 100; ++done) {
      REQUIRE(carrier.submits.size() == done + 1);
      carrier.answer(done, {Status::ESME_ROK, carrier.next_id()});
      world.pass(100 * kMs);
    }
    // Each pass over them hands over what there is room for; on another shard that is told late.
    CHECK(world.money(0, &CarrierMoneyCounters::failovers) <= 200);
    carrier.on_submit = nullptr;
    carrier.answer(100, {Status::ESME_ROK, carrier.next_id()});
    REQUIRE(world.until([&] { return world.messages() == 0; }, 60'000));
    for (std::size_t i = 0; i < kMessages; ++i) {
      if (carrier.submits[i].text != std::to_string(i)) FAIL(i << ": " << carrier.submits[i].text);
    }
    world.finish();
  }
}

TEST_CASE("what waits goes out by parts of a mailbox, and nothing of it is spilled", "[flow]") {
  WorldOptions options;
  options.carriers = 1;
  options.mailbox_octets = kMailboxLeast;
  World world(std::move(options));
  world.carrier(0).die();
  REQUIRE(world.until([&] { return !world.homes().state(0).up(); }));
  ClientEnd& client = world.bind("shop");
  const std::string text(20'000, 't');
  std::vector<std::uint8_t> block(text.size() + proto::kTlvHeaderLength);
  REQUIRE(proto::append_tlv(block, 0, proto::Tag::message_payload, proto::as_octets(text)) != 0);
  proto::SubmitSm sm;
  sm.source_addr = "SHOP";
  sm.destination_addr = "447700900001";
  sm.tlvs = block;
  for (int i = 0; i < 60; ++i) client.send(sm);
  REQUIRE(world.until([&] { return world.stage(Stage::waiting) == 60; }));
  const std::uint64_t spilled = world.sum(&LedgerCounters::mail_spilled);
  world.carrier(0).listens = true;
  REQUIRE(world.until([&] { return world.messages() == 0; }, 60'000));
  CHECK(world.sum(&LedgerCounters::mail_spilled) == spilled);
  CHECK(world.carrier(0).submits.size() == 60);
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
