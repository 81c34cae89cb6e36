#include "gateway/messages/homes.h"

#include "gateway/config/peers.h"

namespace tollgate::gateway {

void Homes::grow(const Peers& peers) {
  for (std::size_t i = clients_.size(); i < peers.clients.size(); ++i) {
    clients_.emplace_back(peers.clients[i].config->system_id);
  }
  for (std::size_t i = carriers_.size(); i < peers.carriers.size(); ++i) {
    carriers_.emplace_back(peers.carriers[i].config->name);
  }
}

}  // namespace tollgate::gateway
