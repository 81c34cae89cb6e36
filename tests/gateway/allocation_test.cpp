// A steady turn of the whole flow allocates nothing: every operator new inside a turn is counted.
#include "tests/allocations.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::MessageState;
using tests::allocations;

// Submits, responses, receipts and acknowledgements, in bursts from each client.
struct Steady {
  World& world;
  std::vector<ClientEnd*> clients;
  unsigned shards;
  int burst;
  int every = 1;  // turns

  // The operator news of the shards' turns.
  std::uint64_t run(int turns) {
    std::uint64_t total = 0;
    for (int i = 0; i < turns; ++i) {
      for (ClientEnd* client : clients) {
        if (i % every != 0) break;
        for (int n = 0; n < burst; ++n) client->submit({.to = numbers[n % 4]});
      }
      const std::uint64_t before = allocations().count;
      for (unsigned s = 0; s < shards; ++s) world.shard(s).turn();
      total += allocations().count - before;
      world.step();
      for (ClientEnd* client : clients) {
        told += client->told.size();
        client->told.clear();
        client->seen.clear();
        client->responses.clear();
      }
      for (std::size_t c = 0; c < world.carriers(); ++c) world.carrier(c).submits.clear();
      world.advance(kMs);
    }
    return total;
  }

  std::array<std::string_view, 4> numbers{"447700900001", "447700900002", "447700900003",
                                          "447700900004"};
  std::uint64_t told = 0;
};

TEST_CASE("a steady turn of the flow allocates nothing", "[allocation]") {
  for (const unsigned shards : {1u, 2u}) {
    INFO(shards << " shards");
    World world({.shards = shards});
    world.carrier(0).receipts = MessageState::delivered;
    Steady steady{world, {&world.bind("shop"), &world.bind("depot")}, shards, 20};
    steady.run(3'000);  // pools, pages and buffers find their sizes
    const std::uint64_t told = steady.told;
    CHECK(steady.run(20'000) == 0);
    CHECK(steady.told - told > 2 * 19 * 20'000);
    world.finish();
  }
}

TEST_CASE("a steady turn that writes detail records allocates nothing", "[allocation]") {
  core::testing::FaultyStorage disk;
  disk.keep_log = false;
  disk.syncs_lie = true;  // it need not survive
  World world(
      {.change = [](Config& config) { config.records.rotate_octets = 4 << 20; }, .records = &disk});
  world.carrier(0).receipts = MessageState::delivered;
  Steady steady{world, {&world.bind("shop")}, 1, 20};
  steady.run(6'000);
  CHECK(steady.run(6'000) == 0);
  world.finish();
  CHECK(disk.names.size() > 5);
}

TEST_CASE("a steady turn with failover and refusals allocates nothing", "[allocation]") {
  World world;
  int number = 0;
  world.carrier(0).on_submit = [&](const auto&) -> std::optional<CarrierEnd::Reply> {
    switch (++number % 3) {
      case 0:
        return CarrierEnd::Reply{proto::Status::ESME_RSYSERR};
      case 1:
        return CarrierEnd::Reply{proto::Status::ESME_RINVDSTADR};
      default:
        return CarrierEnd::Reply{proto::Status::ESME_ROK, world.carrier(0).next_id()};
    }
  };
  world.carrier(0).receipts = world.carrier(1).receipts = MessageState::undeliverable;
  Steady steady{world, {&world.bind("shop")}, 1, 20};
  steady.run(3'000);
  CHECK(steady.run(10'000) == 0);
  world.finish();
}

TEST_CASE("a steady turn of clients whose queues fill and go on allocates nothing",
          "[allocation]") {
  // One carrier: there is no next one that could take what it leaves.
  World world({.carriers = 1, .change = [](Config& config) {
                 config.clients[0].queue_max = 8;
                 config.carriers[0].binds[0].window = 4;
               }});
  world.carrier(0).receipts = MessageState::delivered;
  Steady steady{world, {&world.bind("shop")}, 1, 24, 10};
  steady.run(3'000);
  CHECK(steady.run(10'000) == 0);
  CHECK(world.client(0).reading_pauses.get() > 0);
  REQUIRE(world.until([&] { return world.messages() == 0; }, 50'000));
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
