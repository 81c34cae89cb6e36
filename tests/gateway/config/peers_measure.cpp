// By hand: gateway_peers_test "[.measure]". What a change of carriers and clients costs the turn
// that applies it, with as many of both as there may be.
#include <chrono>

#include "tests/catch_pch.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

constexpr int kClients = 9'900;
constexpr int kCarriers = 250;

WorldOptions large(routing::Files files) {
  WorldOptions options;
  options.carriers_bound = false;
  options.tables = std::move(files);
  options.change = [](Config& config) {
    const ClientConfig shop = config.clients[0];
    const carriers::CarrierConfig alpha = config.carriers[0];
    for (int i = 0; i < kClients; ++i) {
      config.clients.push_back(shop);
      config.clients.back().system_id = "c" + std::to_string(i);
    }
    for (int i = 0; i < kCarriers; ++i) {
      config.carriers.push_back(alpha);
      config.carriers.back().name = "x" + std::to_string(i);
    }
  };
  return options;
}

routing::Files large_tables() {
  routing::Files files = world_tables();
  for (int i = 0; i < kClients; ++i) files["clients.csv"] += "c" + std::to_string(i) + ",retail,\n";
  for (int i = 0; i < kCarriers; ++i) {
    files["rates/x" + std::to_string(i) + ".csv"] = "mcc,price,currency\n234,0.04,EUR\n";
  }
  return files;
}

std::string charlie(const std::string& host, const std::string& more) {
  return more + "[[bind]]\nhost = \"" + host + "\"\nport = 2775\nsystem_id = \"us\"\n";
}

}  // namespace

TEST_CASE("what a change costs a turn", "[.measure]") {
  const routing::Files before = large_tables();
  World world(large(before));
  world.turn(20);
  const auto turn_us = [&] {
    const auto begin = std::chrono::steady_clock::now();
    world.shard(0).turn();
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
    return took.count();
  };
  std::uint32_t version = 2;
  const auto measure = [&](const std::string& what, const routing::Files& files) {
    world.publish(files, version++);
    const double with = turn_us();
    const double after = turn_us();
    WARN(what << ": " << with << " us; the next turn " << after << " us");
  };
  routing::Files files = before;
  for (int round = 0; round < 3; ++round) {
    measure("nobody has changed", files);
    files["carriers/charlie.toml"] = charlie("charlie", "queue_max = 100000\n");
    files["rates/charlie.csv"] = "mcc,price,currency\n234,0.001,EUR\n";
    measure("a carrier is added", files);
    files["carriers/charlie.toml"] = charlie("charlie", "pace = 5\nawaiting_max = 20000000\n");
    measure("its pace and bounds change", files);
    files["carriers/charlie.toml"] = charlie("alpha", "");
    measure("it rebinds", files);
    files["clients.csv"] += "newcomer,retail,\n";
    files["clients/newcomer.toml"] = "password = \"pw\"\n";
    measure("a client is added", files);
    files["clients/newcomer.toml"] = "password = \"pw\"\npace = 5\n";
    measure("its pace changes", files);
    files = before;
    measure("both are removed", files);
  }
  world.finish();
}

}  // namespace tollgate::gateway
