// The gateway's flow in a world without sockets, threads of shards or time: real Flow, Auth and
// tables; the test turns the shards, moves the clock and plays clients and carriers (ends.h).
//
// Conservation: finish() is the end of every scenario. It checks that what was accepted is settled
// or still there in some stage, that the gauges say the same, and what an idle world must have
// given back. The destructor insists that it was called.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/journal/journal.h"
#include "gateway/config/peer_reader.h"
#include "gateway/flow.h"
#include "gateway/keeping/detail_store.h"
#include "gateway/keeping/due_stock.h"
#include "gateway/restore.h"
#include "tests/core/journal/faulty_storage.h"
#include "tests/gateway/ends.h"
#include "tests/gateway/world_net.h"
#include "tests/routing/compile/directory.h"

namespace tollgate::gateway {

class World;

inline constexpr std::int64_t kMs = 1'000;
inline constexpr std::int64_t kSecond = 1'000'000;
inline constexpr std::int64_t kHour = 3'600 * kSecond;

// Carriers alpha (cost 0.01), bravo (0.02), charlie (0.03); clients shop, depot; price 0.05 EUR.
routing::Files world_tables();

struct WorldOptions {
  unsigned shards = 1;
  std::size_t mailbox_octets = std::size_t{1} << 20;
  std::size_t carriers = 2;
  std::function<void(Config&)> change = {};  // of the configuration, before anything is made
  routing::Files tables = world_tables();    // with carriers/*.toml and clients/*.toml, if any
  bool carriers_bound = true;                // turn until they are
  // With a journal and a due store on this disk, as a start finds them; their threads take steps
  // after each turn. Null: none. What ends the disk ends the world (abandon()).
  core::testing::FaultyStorage* disk = nullptr;
  std::int64_t later_us = 0;                        // than other worlds begin
  std::int64_t wall_ahead_us = 0;                   // of what the wall clock should say
  std::int64_t wall_steps_us = 0;                   // once the journal is open, before the flows
  core::testing::FaultyStorage* records = nullptr;  // the detail records' disk, may be the same
  std::size_t ring_octets = 8192;                   // of the journal: tests can fill them
  std::uint64_t reserve_octets = 0;                 // of the journal's disk
};

// What the disk has of detail records, oldest first, decoded; the octets are kept with each.
struct Written {
  std::vector<std::uint8_t> octets;
  proto::detail::Detail detail;
};
std::vector<std::unique_ptr<Written>> written_details(core::Storage& disk);

class World {
 public:
  explicit World(WorldOptions options = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // One turn of each shard, and a step of every end.
  void turn(int times = 1);
  void step();  // of the ends alone
  void advance(std::int64_t us) {
    now_.mono_us += us;
    now_.wall_us += us;
  }
  void jump_wall(std::int64_t us) { now_.wall_us += us; }
  // Time passes in steps, each with a few turns.
  void pass(std::int64_t us, std::int64_t step_us = 10 * kMs);
  // Turns, a millisecond each, until it is true; false when that takes too long.
  template <class F>
  bool until(F&& is_true, int turns_max = 5'000) {
    for (int i = 0; i < turns_max; ++i) {
      if (is_true()) return true;
      pass(kMs, kMs);
    }
    return is_true();
  }
  void settle() { turn(12); }

  // A client's connection, not bound.
  ClientEnd& connect(const std::string& host = "198.51.100.1");
  std::uint32_t send_bind(ClientEnd& end, const std::string& system_id,
                          proto::Command kind = proto::Command::bind_transceiver,
                          std::uint8_t version = 0x34, const std::string& password = "pw");
  // Turns until the bind is answered or the connection closed; Auth takes a step a turn.
  void await(ClientEnd& end, std::uint32_t sequence_number);
  // Connects and binds; the bind must succeed.
  ClientEnd& bind(const std::string& system_id,
                  proto::Command kind = proto::Command::bind_transceiver,
                  std::uint8_t version = 0x34);

  CarrierEnd& carrier(std::size_t i) { return *carriers_[i]; }
  std::size_t carriers() const { return carriers_.size(); }
  ClientCounters& client(std::size_t i);  // on its home
  // Sums over the shards.
  std::uint64_t sum(core::Cell LedgerCounters::*cell) const;
  std::uint64_t sum(core::Cell DoorCounters::*cell) const;
  std::int64_t money(std::size_t carrier, core::Cell CarrierMoneyCounters::*cell) const;
  std::uint32_t messages() const;
  std::uint32_t stage(Stage stage) const;
  const Message& message(const std::string& id) const;  // by its text; it must be there

  // As the process does with new tables; carriers/*.toml and clients/*.toml among the files are
  // peers, as for the gateway. publish() wants no fault; faults() only tells them.
  void publish(const routing::Files& files, std::uint32_t version);
  std::vector<std::string> faults(const routing::Files& files);
  const Peers& peers() const { return peers_of(*tables_.current()); }
  // Its far end; made when the tables have it first.
  CarrierEnd& carrier(const std::string& name);
  Shared& shared() { return shared_; }
  core::Shard& shard(unsigned i) { return shards_[i]; }
  WorldNet& net(unsigned i) { return *nets_[i]; }
  Homes& homes() { return homes_; }
  Auth& auth() { return auth_; }
  const Config& config() const { return config_; }
  std::int64_t now_us() const { return now_.mono_us; }

  // The conservation check; `idle`: nothing may be left.
  enum class Left : std::uint8_t { nothing, something };
  void finish(Left left = Left::nothing);
  void check_conserved() const;
  // Gone in the middle of what it did, as after kill -9; nothing more reaches the disk.
  void abandon();

  bool auth_runs = true;  // Auth takes its step in each turn

  // Called before and behind the due store's steps of a turn: for faults that are its alone.
  std::function<void(bool begins)> around_due;
  DueStore* due() { return due_.get(); }
  core::Journal* journal() { return journal_.get(); }
  const RestoreCounts& restored() const { return restored_; }
  std::uint64_t findings() const { return findings_; }  // of the start's recovery
  const DueStock& stock() const { return stock_; }      // as the start found it
  std::size_t recovered_details() const { return recovered_details_; }
  std::uint64_t spilled() const;

 private:
  void open_disk(const WorldOptions& world);
  void open_records();
  void step_records();
  void step_due();
  core::ShardsOptions shards_options(const WorldOptions& options);
  AuthOptions auth_options(unsigned shards);
  static Config make_config(const WorldOptions& options);
  std::unique_ptr<const routing::Tables> compile(const routing::Files& files,
                                                 std::uint32_t version);
  void make_ends();
  void check_idle();

  core::Now now_{1'000'000'000, routing::kNow};
  Config config_;
  Internet internet_;
  std::vector<WorldNet*> nets_;
  std::vector<std::unique_ptr<CarrierEnd>> carriers_;
  std::deque<std::unique_ptr<ClientEnd>> clients_;
  PeerReader reader_;
  core::Published<routing::Tables> tables_;
  core::Shards shards_;
  Homes homes_;
  Auth auth_;
  Shared shared_;
  core::testing::FaultyStorage* disk_ = nullptr;
  Recovery recovery_;
  RestoreCounts restored_;
  std::uint64_t findings_ = 0;
  std::size_t recovered_details_ = 0;
  DueStock stock_;
  std::unique_ptr<core::Journal> journal_;
  std::unique_ptr<DueStore> due_;
  core::testing::FaultyStorage* records_disk_ = nullptr;
  UnwrittenDetails unwritten_;
  DetailStore details_;
  bool due_first_ = false;  // its steps before the journal's; every other turn
  std::vector<std::unique_ptr<FlowCounters>> counters_;
  std::vector<std::unique_ptr<Flow>> flows_;
  bool finished_ = false;
};

}  // namespace tollgate::gateway
