// What a machine lacks, from figures that we set.
#include "gateway/config/machine.h"

#include <filesystem>

#include <catch2/catch.hpp>

using namespace tollgate::gateway;

namespace {

struct World {
  World() {
    config.gateway.shards = 2;
    config.gateway.listen = {{"127.0.0.1", 0}};
    config.gateway.limits.connections_max = 1'000;
    config.journal.directory = "/journal";
    tollgate::carriers::CarrierConfig carrier;
    carrier.binds.resize(10);
    peers.carriers.push_back(
        {std::make_shared<const tollgate::carriers::CarrierConfig>(carrier), false});
    peers.carriers.push_back({nullptr, true});
  }
  std::vector<std::string> found() const {
    std::vector<std::string> words;
    for (const Shortage& one : shortages(config, peers, machine)) words.push_back(one.what);
    return words;
  }
  Config config;
  Peers peers;
  Machine machine;
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("a machine without bounds lacks nothing", "[machine]") {
  const World world;
  CHECK(world.found().empty());
  CHECK(connections_granted(world.config, world.peers, world.machine) == 1'000);
}

TEST_CASE("connections get the descriptors that the rest leaves", "[machine]") {
  World world;
  constexpr std::uint64_t beside = 40 + 24 + 10 + 2 * (4 + 1);
  world.machine.descriptors = beside + 1'000;
  CHECK(world.found().empty());
  world.machine.descriptors = beside + 999;
  CHECK(world.found() == Words{"descriptors"});
  CHECK(connections_granted(world.config, world.peers, world.machine) == 999);
  const auto shortage = shortages(world.config, world.peers, world.machine)[0];
  CHECK(
      shortage.text() ==
      "descriptors: 1083 (ulimit -Hn), so 999 connections, needed: 1084 for connections_max = 1000 "
      "(right: ulimit -Hn 1084 (systemd: LimitNOFILE=1084), or a smaller connections_max)");
  CHECK(connections_room(world.config, world.peers, world.machine) == 999);
  world.machine.descriptors = beside + 5'000;
  CHECK(connections_room(world.config, world.peers, world.machine) == 5'000);
  CHECK(connections_granted(world.config, world.peers, world.machine) == 1'000);
  world.machine.descriptors = 10;
  CHECK(connections_granted(world.config, world.peers, world.machine) == 1);
}

TEST_CASE("memory, disks, sizes of files and addresses", "[machine]") {
  World world;
  world.machine.memory_octets = 256 << 20;
  world.machine.memory_bound = "ulimit -v";
  world.machine.journal_free = 100 << 20;
  world.machine.file_octets = 1 << 20;
  world.machine.records_free = 0;  // there are no records
  world.machine.listen_faults = {"192.0.2.1:2775: Cannot assign requested address"};
  CHECK(world.found() == Words{"memory", "journal_disk", "journal_file_size", "listen"});
  world.config.journal.directory.clear();
  world.config.records.directory = "/records";
  CHECK(world.found() == Words{"memory", "records_disk", "records_file_size", "listen"});
}

TEST_CASE("an address space must hold stacks and arenas too", "[machine]") {
  World world;
  world.config.gateway.shards = 1;
  world.machine.memory_octets = std::uint64_t{700} << 20;
  world.machine.memory_bound = "memory.max";
  CHECK(world.found().empty());
  world.machine.memory_bound = "ulimit -v";
  CHECK(world.found() == Words{"memory"});
}

TEST_CASE("this machine can be read", "[machine]") {
  World world;
  world.config.journal.directory = "/nowhere/that/is/made/later";
  world.config.gateway.listen = {{"127.0.0.1", 1}, {"192.0.2.1", 2775}};
  const Machine machine = read_machine(world.config);
  CHECK(machine.descriptors > 10);
  CHECK(machine.memory_octets > 1 << 20);
  CHECK_FALSE(machine.memory_bound.empty());
  CHECK(machine.journal_free != Machine::kUnlimited);
  REQUIRE(machine.listen_faults.size() == 1);
  CHECK(machine.listen_faults[0].starts_with("192.0.2.1:2775: "));
}

TEST_CASE("a directory that no start could use is told with its reason", "[machine]") {
  const auto told = [](const std::string& journal) {
    World world;
    world.config.journal.directory = journal;
    world.config.records.directory.clear();
    const std::vector<std::string> faults = read_machine(world.config).directory_faults;
    return faults.empty() ? std::string() : faults.at(0);
  };
  const std::string here = std::filesystem::temp_directory_path().string();
  CHECK(told(here).empty());
  CHECK(told(here + "/made-by-the-start").empty());
  CHECK(told(here + "/made-by-the-start/").empty());
  CHECK(told("/nowhere/journal") == "/nowhere: No such file or directory");
  CHECK(told("/proc/self/status") == "/proc/self/status: is no directory");
  CHECK(told("/proc/self/status/journal") == "/proc/self/status: is no directory");
  World world;
  world.config.journal.directory = "/nowhere/journal";
  world.config.records.directory = "/nowhere/a\nb/c";
  world.machine = read_machine(world.config);
  const std::vector<Shortage> found = shortages(world.config, world.peers, world.machine);
  REQUIRE(found.size() >= 2);
  CHECK(found.back().text().find("\\x0a") != std::string::npos);
}
