// The main path of a message, and where it goes when a carrier refuses it.
#include "proto/text.h"
#include "proto/tlv.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::Command;
using proto::MessageState;
using proto::Status;

constexpr std::int64_t kPrice = 50'000'000;  // 0.05

TEST_CASE("a message goes out, its receipt comes back, its money is counted once", "[flow]") {
  World world;
  ClientEnd& client = world.bind("shop");
  const std::uint32_t one = client.submit({.to = "447700900001", .text = "first"});
  world.settle();
  REQUIRE(client.answered(one));
  REQUIRE(client.status(one) == Status::ESME_ROK);
  const std::string id = client.id(one);
  CHECK(id.size() == 16);
  REQUIRE(world.carrier(0).submits.size() == 1);
  CHECK(world.carrier(1).submits.empty());
  CHECK(world.carrier(0).submits[0].to == "447700900001");
  CHECK(world.carrier(0).submits[0].from == "SHOP");
  CHECK(world.carrier(0).submits[0].text == "first");
  CHECK(world.carrier(0).submits[0].registered_delivery == 1);
  CHECK(world.stage(Stage::awaiting) == 1);
  CHECK(world.client(0).receipts_owing.get() == 1);
  CHECK(world.money(0, &CarrierMoneyCounters::cost_nano) == 10'000'000);
  CHECK(world.money(0, &CarrierMoneyCounters::revenue_nano) == kPrice);
  CHECK(world.money(0, &CarrierMoneyCounters::margin_nano) == 40'000'000);
  world.check_conserved();

  world.pass(30 * kSecond);
  const std::uint32_t receipt =
      world.carrier(0).receipt(world.carrier(0).submits[0].id, MessageState::delivered);
  world.settle();
  CHECK(world.carrier(0).receipt_responses.at(receipt) == Status::ESME_ROK);
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].id == id);
  CHECK(client.told[0].tlv_id == id);
  CHECK(client.told[0].state == MessageState::delivered);
  CHECK(client.told[0].from == "447700900001");
  CHECK(client.told[0].to == "SHOP");
  CHECK(client.told[0].error == "000");
  CHECK(world.sum(&LedgerCounters::accepted) == 1);
  CHECK(world.sum(&LedgerCounters::settled) == 1);
  CHECK(world.client(0).receipts[2].get() == 1);
  CHECK(world.client(0).receipts_delivered.get() == 1);
  CHECK(margin_of(world.client(0).margin_nano) == 40'000'000);
  CHECK(world.client(0).receipt_us.count() == 1);
  CHECK(world.client(0).receipt_us.sum_us() >= 30 * kSecond);
  world.finish();
}

TEST_CASE("no receipt asked for: settled when a carrier has it", "[flow]") {
  World world;
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  const std::uint32_t one = client.submit({.registered_delivery = 0});
  world.settle();
  CHECK(client.status(one) == Status::ESME_ROK);
  CHECK(world.carrier(0).submits.at(0).registered_delivery == 0);
  CHECK(world.sum(&LedgerCounters::settled) == 1);
  CHECK(client.told.empty());
  world.finish();
}

TEST_CASE("many messages: one receipt each, ids distinct, all settled", "[flow]") {
  World world;
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  std::map<std::string, int> ids;
  for (int round = 0; round < 40; ++round) {
    std::vector<std::uint32_t> sent;
    for (int i = 0; i < 50; ++i) sent.push_back(client.submit());
    world.settle();
    for (const std::uint32_t one : sent) {
      REQUIRE(client.status(one) == Status::ESME_ROK);
      ++ids[client.id(one)];
    }
  }
  world.settle();
  CHECK(ids.size() == 2'000);
  REQUIRE(client.told.size() == 2'000);
  for (const auto& told : client.told) {
    if (--ids[told.id] != 0) FAIL("a receipt for nothing, or twice");
  }
  CHECK(world.money(0, &CarrierMoneyCounters::cost_nano) == 2'000 * 10'000'000LL);
  CHECK(margin_of(world.client(0).revenue_nano) == 2'000 * kPrice);
  world.finish();
}

TEST_CASE("a refusal by the carrier's fault goes to the next candidate", "[flow]") {
  for (const Status status :
       {Status::ESME_RSYSERR, Status::ESME_RINVSRCADR, Status::ESME_RSUBMITFAIL, Status{0x0400}}) {
    World world;
    world.carrier(0).on_submit = [&](const auto&) { return CarrierEnd::Reply{status}; };
    world.carrier(1).receipts = MessageState::delivered;
    ClientEnd& client = world.bind("shop");
    const std::uint32_t one = client.submit({.text = "twice"});
    world.settle();
    CHECK(client.status(one) == Status::ESME_ROK);
    CHECK(world.carrier(0).submits.size() == 1);
    REQUIRE(world.carrier(1).submits.size() == 1);
    CHECK(world.carrier(1).submits[0].text == "twice");
    REQUIRE(client.told.size() == 1);
    CHECK(client.told[0].state == MessageState::delivered);
    CHECK(world.money(0, &CarrierMoneyCounters::failovers) == 1);
    CHECK(world.money(0, &CarrierMoneyCounters::sent) == 0);
    CHECK(world.money(0, &CarrierMoneyCounters::cost_nano) == 0);
    CHECK(world.money(1, &CarrierMoneyCounters::cost_nano) == 20'000'000);
    CHECK(world.money(1, &CarrierMoneyCounters::margin_nano) == 30'000'000);
    world.finish();
  }
}

TEST_CASE("a permanent refusal is told REJECTD, no other carrier is asked", "[flow]") {
  World world;
  world.carrier(0).on_submit = [](const auto&) {
    return CarrierEnd::Reply{Status::ESME_RINVDSTADR};
  };
  ClientEnd& client = world.bind("shop");
  const std::uint32_t one = client.submit();
  world.settle();
  CHECK(client.status(one) == Status::ESME_ROK);
  CHECK(world.carrier(1).submits.empty());
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].id == client.id(one));
  CHECK(client.told[0].state == MessageState::rejected);
  CHECK(client.told[0].error == "00b");
  CHECK(margin_of(world.client(0).revenue_nano) == 0);
  CHECK(world.client(0).failed.get() == 1);
  world.finish();
}

TEST_CASE("all candidates refuse: UNDELIV with the last status", "[flow]") {
  World world({.carriers = 3});
  for (std::size_t i = 0; i < 3; ++i) {
    world.carrier(i).on_submit = [i](const auto&) {
      return CarrierEnd::Reply{i == 2 ? Status::ESME_RSUBMITFAIL : Status::ESME_RSYSERR};
    };
  }
  ClientEnd& client = world.bind("shop");
  client.submit();
  world.settle();
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(world.carrier(i).submits.size() == 1);
    CHECK(world.money(i, &CarrierMoneyCounters::failovers) == 1);
    CHECK(world.money(i, &CarrierMoneyCounters::revenue_nano) == 0);
  }
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].state == MessageState::undeliverable);
  CHECK(client.told[0].error == "045");
  world.finish();
}

TEST_CASE("what a carrier's dialect cannot say goes to the next; UNDELIV when none can", "[flow]") {
  for (const bool both : {false, true}) {
    World world({.change = [&](Config& config) {
      config.carriers[0].dialect.tlvs = false;
      config.carriers[1].dialect.tlvs = !both;
    }});
    world.carrier(1).receipts = MessageState::delivered;
    ClientEnd& client = world.bind("shop");
    const std::string text(300, 'l');  // more than a short_message holds
    std::array<std::uint8_t, 400> block;
    const std::size_t length =
        proto::append_tlv(block, 0, proto::Tag::message_payload, proto::as_octets(text));
    proto::SubmitSm sm;
    sm.source_addr = "SHOP";
    sm.destination_addr = "447700900001";
    sm.registered_delivery = 1;
    sm.tlvs = {block.data(), length};
    const std::uint32_t one = client.send(sm);
    world.settle();
    CHECK(client.status(one) == Status::ESME_ROK);
    CHECK(world.carrier(0).submits.empty());
    CHECK(world.carrier(1).submits.size() == (both ? 0 : 1));
    REQUIRE(client.told.size() == 1);
    CHECK(client.told[0].state == (both ? MessageState::undeliverable : MessageState::delivered));
    world.finish();
  }
}

TEST_CASE("a number that cannot be and one without a route are refused at once", "[flow]") {
  World world;
  ClientEnd& client = world.bind("shop");
  const std::uint32_t bad = client.submit({.to = "44x"});
  const std::uint32_t no_price = client.submit({.to = "33612345678"});
  world.settle();
  CHECK(client.status(bad) == Status::ESME_RINVDSTADR);
  CHECK(client.status(no_price) == Status::ESME_RSUBMITFAIL);
  CHECK(world.sum(&LedgerCounters::accepted) == 0);
  CHECK(world.client(0).submits.get() == 2);
  world.finish();
}

TEST_CASE("a throttling carrier gets the message again, later and no other does", "[flow]") {
  World world;
  int times = 0;
  world.carrier(0).on_submit = [&](const auto&) -> std::optional<CarrierEnd::Reply> {
    if (++times <= 3) return CarrierEnd::Reply{Status::ESME_RTHROTTLED};
    return CarrierEnd::Reply{Status::ESME_ROK, "x1"};
  };
  ClientEnd& client = world.bind("shop");
  const std::int64_t start = world.now_us();
  client.submit();
  REQUIRE(world.until([&] { return times == 4; }));
  CHECK(world.now_us() - start >= 100 * kMs);  // it slowed down
  CHECK(world.carrier(1).submits.empty());
  world.carrier(0).receipt("x1", MessageState::delivered);
  world.settle();
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].state == MessageState::delivered);
  world.finish();
}

TEST_CASE("a receipt before the submit_sm_resp waits for it", "[flow]") {
  World world;
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  ClientEnd& client = world.bind("shop");
  client.submit();
  world.settle();
  const std::uint32_t receipt = world.carrier(0).receipt("early-1", MessageState::delivered);
  world.settle();
  CHECK(world.carrier(0).receipt_responses.at(receipt) == Status::ESME_ROK);
  CHECK(client.told.empty());
  world.carrier(0).answer(0, {Status::ESME_ROK, "early-1"});
  world.settle();
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].state == MessageState::delivered);
  CHECK(world.money(0, &CarrierMoneyCounters::sent) == 1);
  world.finish();
}

TEST_CASE("a receipt on another bind of the carrier; its repetition is told once", "[flow]") {
  World world({.change = [](Config& config) {
    auto& binds = config.carriers[0].binds;
    binds.push_back(binds[0]);
    binds[1].kind = Command::bind_receiver;
  }});
  REQUIRE(world.until([&] { return world.carrier(0).bound() == 2; }));
  ClientEnd& client = world.bind("shop");
  client.submit();
  world.settle();
  REQUIRE(world.carrier(0).submits.size() == 1);
  const auto& submit = world.carrier(0).submits[0];
  const std::size_t other = 1 - submit.bind;
  world.carrier(0).receipt(submit.id, MessageState::delivered, other);
  world.settle();
  CHECK(client.told.size() == 1);
  const std::uint32_t again = world.carrier(0).receipt(submit.id, MessageState::delivered, other);
  world.settle();
  CHECK(world.carrier(0).receipt_responses.count(again) == 1);
  CHECK(client.told.size() == 1);
  world.finish();
}

TEST_CASE("a table reload between two submits: new price, route and version", "[flow]") {
  World world;
  world.carrier(0).on_submit = [](const auto&) { return CarrierEnd::Reply{Status::ESME_ROK, "a"}; };
  ClientEnd& client = world.bind("shop");
  client.submit({.registered_delivery = 0});
  world.settle();
  routing::Files files = world_tables();
  files["rates/alpha.csv"] = "mcc,price,currency\n234,0.04,EUR\n";  // dearer than bravo now
  files["plans/retail.csv"] = "mcc,mccmnc,price,currency\n234,,0.07,EUR\n";
  world.publish(files, 2);
  client.submit({.registered_delivery = 0});
  world.settle();
  CHECK(world.carrier(0).submits.size() == 1);
  CHECK(world.carrier(1).submits.size() == 1);
  CHECK(world.money(0, &CarrierMoneyCounters::revenue_nano) == kPrice);
  CHECK(world.money(0, &CarrierMoneyCounters::cost_nano) == 10'000'000);
  CHECK(world.money(1, &CarrierMoneyCounters::revenue_nano) == 70'000'000);
  CHECK(world.money(1, &CarrierMoneyCounters::margin_nano) == 50'000'000);
  world.finish();
}

TEST_CASE("a sender that is replaced: the carrier sees the other, the receipt its own", "[flow]") {
  World world;
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  routing::Files files = world_tables();
  files["senders.csv"] = "allow,replace_by,deny\nshort_code,60006,\n";
  world.publish(files, 2);
  const std::uint32_t one = client.submit({.from = "SHOP"});
  world.settle();
  CHECK(client.status(one) == Status::ESME_ROK);
  REQUIRE(world.carrier(0).submits.size() == 1);
  CHECK(world.carrier(0).submits[0].from == "60006");
  CHECK(world.carrier(0).submits[0].from_ton == 3);
  REQUIRE(client.told.size() == 1);
  CHECK(client.told[0].to == "SHOP");

  files["senders.csv"] = "allow,replace_by,deny\n,,shop\n";
  world.publish(files, 3);
  const std::uint32_t two = client.submit({.from = "SHOP"});
  const std::uint32_t three = client.submit({.from = "OTHER"});
  world.settle();
  CHECK(client.status(two) == Status::ESME_RINVSRCADR);
  CHECK(client.status(three) == Status::ESME_ROK);
  CHECK(world.carrier(0).submits.size() == 2);
  world.finish();
}

TEST_CASE("a message keeps the version and the price it was accepted with", "[flow]") {
  World world;
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  ClientEnd& client = world.bind("shop");
  const std::uint32_t one = client.submit();
  world.settle();
  routing::Files files = world_tables();
  files["plans/retail.csv"] = "mcc,mccmnc,price,currency\n234,,0.07,EUR\n";
  world.publish(files, 2);
  const std::uint32_t two = client.submit();
  world.settle();
  REQUIRE(client.answered(two));
  CHECK(world.message(client.id(one)).tables_version == 1);
  CHECK(world.message(client.id(one)).price_nano == kPrice);
  CHECK(world.message(client.id(two)).tables_version == 2);
  CHECK(world.message(client.id(two)).price_nano == 70'000'000);
  world.carrier(0).answer(0, {Status::ESME_ROK, "k1"});
  world.carrier(0).answer(1, {Status::ESME_ROK, "k2"});
  world.carrier(0).receipt("k1", MessageState::delivered);
  world.carrier(0).receipt("k2", MessageState::delivered);
  world.settle();
  CHECK(world.money(0, &CarrierMoneyCounters::revenue_nano) == kPrice + 70'000'000);
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
