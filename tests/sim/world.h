// The seeded world: the real gateway (proto, core, routing, carriers, gateway) on simulated time,
// network and disk, between simulated clients and carriers. A seed chooses the shape and every
// fault; the book (book.h) judges.
//
// A life is the gateway from a start to its crash or stop: everything in it is made anew and
// dropped; only the disk stays, as the fault model says.
//
//   1 The same seed gives the same trace.
//   2 What is unsynced at a crash is kept, dropped, torn or damaged in one bit; what was synced is
//     there. So recovery has no finding and no damage to report; but a flipped bit looks like rot.
//   3 At the end all is quiet: carriers and clients stay and answer, until every time-out is past.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tests/core/journal/faulty_storage.h"
#include "tests/sim/carrier.h"
#include "tests/sim/client.h"
#include "tests/sim/life.h"

namespace tollgate::sim {

struct Verdict {
  std::string fault;  // "": none
  std::uint64_t hash = 0;
  std::uint64_t messages = 0;
  std::uint64_t accepted = 0;
  std::uint64_t receipts = 0;
  std::uint64_t doubtful = 0;
  std::uint64_t told_by_us = 0;
  std::uint64_t crashes = 0;
  std::uint64_t stops = 0;
  std::uint64_t chunks = 0;  // of receipts, read back from the disk
};

class World {
 public:
  World(std::uint64_t seed, std::int64_t minutes, std::FILE* trace);
  ~World();
  Verdict run();

 private:
  void run_until(std::int64_t end_us, bool until_idle);
  void step();
  void step_ends();
  bool step_journal(bool between_shards);
  void second();
  void crash_soon();
  void crash(const char* how);
  void end_life();
  void start();
  void publish();
  void stop();
  void no_space();
  void jump();
  bool idle() const;
  void check_disk(core::Storage& disk);
  void read_letters();
  void journal_fails();
  std::string judge_details(core::Storage& disk);

  Ground ground_;
  const Plan plan_;
  const gateway::Config config_;
  People people_;
  const std::int64_t end_us_;
  Book book_;
  std::vector<std::unique_ptr<Carrier>> carriers_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::unique_ptr<core::testing::FaultyStorage> disk_;
  std::unique_ptr<Life> life_;
  std::int64_t started_us_ = 0;      // the gateway's life
  std::int64_t journal_us_ = 0;      // its thread goes on then
  std::int64_t journal_off_us_ = 0;  // since when it has been failed; 0: it has not
  std::int64_t stop_by_us_ = 0;      // 0: nobody asked it to stop
  std::uint32_t tables_ = 1;
  std::uint32_t peers_ = 0;  // how often they have changed
  bool flipped_ = false;     // a bit of what was not synced
  std::uint64_t crashes_ = 0;
  std::uint64_t stops_ = 0;
  std::uint64_t chunks_ = 0;
};

}  // namespace tollgate::sim
