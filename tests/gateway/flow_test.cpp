// The main path of a message, and where it goes when a carrier refuses it.
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

}  // namespace
}  // namespace tollgate::gateway
