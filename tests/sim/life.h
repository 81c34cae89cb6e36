// One life of the gateway in the seeded world: what gateway/process.cpp makes, without threads.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/journal/journal.h"
#include "gateway/clients/auth.h"
#include "gateway/flow.h"
#include "gateway/keeping/dead_letters.h"
#include "gateway/keeping/detail_store.h"
#include "gateway/keeping/due_stock.h"
#include "gateway/keeping/recovery.h"
#include "tests/gateway/world_net.h"
#include "tests/sim/agenda.h"
#include "tests/sim/people.h"

namespace tollgate::sim {

class Life {
 public:
  struct Setup {
    Ground& ground;
    const gateway::Config& config;
    const People& people;  // of the tables
    const std::map<std::string, gateway::Host*>& hosts;
    core::Storage& disk;
    std::uint32_t tables;  // which of the two
    std::uint64_t seed;
    bool details;  // with detail records, on the same disk
  };

  explicit Life(const Setup& setup);
  ~Life();

  // Recovers, opens the journal, restores, starts. Why it does not serve; "" when it does.
  std::string start();

  gateway::WorldNet& door() { return *nets_[0]; }
  unsigned shards() const { return shards_.size(); }
  bool turn(unsigned shard);
  core::Journal& journal() { return *journal_; }
  // A round of the detail records' thread. True: it failed.
  bool step_details();
  void publish(std::uint32_t tables);
  void stop() { shared_.stopping = true; }
  bool stopped() const { return shared_.finished == shards_.size(); }
  std::uint64_t messages() const;  // those whose receipt is on the disk too
  std::uint64_t chunks_read() const {
    return due_ ? due_->counts()[gateway::DueCount::read].get() : 0;
  }
  // What recovery found that should not be there; "" when nothing.
  const std::string& findings() const { return findings_; }

 private:
  const gateway::Peers& peers() const { return gateway::peers_of(*tables_.current()); }
  core::ShardsOptions shards_options();
  gateway::AuthOptions auth_options();
  std::string recover();
  std::string open_due(bool damaged);
  std::string open_details(const gateway::UnwrittenDetails& unwritten);

  Setup setup_;
  gateway::Internet internet_;
  std::vector<gateway::WorldNet*> nets_;
  core::Published<routing::Tables> tables_;
  core::Shards shards_;
  gateway::Homes homes_;
  gateway::Auth auth_;
  gateway::Shared shared_;
  std::unique_ptr<gateway::Recovery> recovery_;
  std::unique_ptr<gateway::DeadLetters> dead_letters_;
  std::unique_ptr<core::Journal> journal_;
  gateway::DueStock stock_;
  std::unique_ptr<gateway::DueStore> due_;
  gateway::DetailStore details_;
  std::vector<std::unique_ptr<gateway::FlowCounters>> counters_;
  std::vector<std::unique_ptr<gateway::Flow>> flows_;
  core::JournalReport report_;
  std::string findings_;
};

// The journal's records of these messages (as their clients see the ids), a line each.
void tell_records(core::Storage& disk, const std::set<std::string>& messages, std::string& out);

// Reads the disk's journal. `findings`: what it should not hold, a line each. Returns why it cannot
// be read at all.
std::string read_disk(core::Storage& disk, std::unique_ptr<gateway::Recovery>& recovery,
                      core::JournalReport& report, std::string& findings,
                      gateway::DeadLetters* dead_letters = nullptr,
                      gateway::UnwrittenDetails* details = nullptr);

}  // namespace tollgate::sim
