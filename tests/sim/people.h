// The carriers and clients that the tables of the seeded world have at a moment: some may be away,
// each may have other limits, another password. One seed chooses, apart from what else it does.
#pragma once
#include <vector>

#include "gateway/config/peers.h"
#include "tests/sim/plan.h"

namespace tollgate::sim {

class People {
 public:
  People(const Plan& plan, const gateway::Config& config, std::uint64_t seed);

  // Changes something; what, for the trace. Only now and then; "" = nothing.
  std::string second();
  // Everybody is there.
  void gather();

  const std::vector<gateway::ClientConfig>& clients() const { return clients_; }
  const std::vector<carriers::CarrierConfig>& carriers() const { return carriers_; }
  bool here(const std::string& name) const;

 private:
  std::string change_carrier(carriers::CarrierConfig& carrier);
  std::string change_client(gateway::ClientConfig& client);
  std::string come_or_go(const std::string& name);

  const Plan& plan_;
  const gateway::Config& config_;
  Random random_;
  double chance_;
  std::vector<gateway::ClientConfig> clients_;
  std::vector<carriers::CarrierConfig> carriers_;
  std::vector<std::string> away_;
  std::uint64_t passwords_ = 0;
};

// What the process' reader makes of files: ids that only grow.
std::shared_ptr<const gateway::Peers> next_peers(const gateway::Peers* before, const People& now);

}  // namespace tollgate::sim
