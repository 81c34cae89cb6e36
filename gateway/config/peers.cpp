#include "gateway/config/peers.h"

#include <algorithm>

namespace tollgate::gateway {
namespace {

template <class Each>
std::size_t here(const std::vector<Each>& all) {
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const Each& each) { return !each.gone; }));
}

}  // namespace

std::vector<std::string> Peers::client_names() const {
  std::vector<std::string> names;
  for (const ClientPeer& each : clients) names.push_back(each.gone ? "" : each.config->system_id);
  return names;
}

std::vector<std::string> Peers::carrier_names() const {
  std::vector<std::string> names;
  for (const CarrierPeer& each : carriers) names.push_back(each.gone ? "" : each.config->name);
  return names;
}

std::size_t Peers::clients_here() const {
  return here(clients);
}

std::size_t Peers::carriers_here() const {
  return here(carriers);
}

std::shared_ptr<const Peers> configured_peers(const Config& config) {
  auto peers = std::make_shared<Peers>();
  for (const ClientConfig& each : config.clients) {
    peers->clients.push_back({std::make_shared<const ClientConfig>(each), 1, false});
  }
  for (const carriers::CarrierConfig& each : config.carriers) {
    peers->carriers.push_back({std::make_shared<const carriers::CarrierConfig>(each), false});
  }
  return peers;
}

}  // namespace tollgate::gateway
