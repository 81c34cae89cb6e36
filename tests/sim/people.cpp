#include "tests/sim/people.h"

#include <algorithm>

namespace tollgate::sim {
namespace {

// "pw" by two salts: another hash is another password to the gateway, and clients need not know.
constexpr const char* kHashes[] = {"tgR4kNVRwOMR2", "abzlUXK5ed5rs"};

template <class Peer, class Config, class NameOf>
void join(std::vector<Peer>& peers, const std::vector<Config>& now, const People& people,
          NameOf name_of) {
  for (const Config& config : now) {
    const auto at = std::find_if(peers.begin(), peers.end(), [&](const Peer& peer) {
      return name_of(*peer.config) == name_of(config);
    });
    const bool here = people.here(name_of(config));
    if (at == peers.end()) {
      if (here) peers.emplace_back().config = std::make_shared<const Config>(config);
      continue;
    }
    at->gone = !here;
    if (here && *at->config != config) at->config = std::make_shared<const Config>(config);
  }
}

}  // namespace

People::People(const Plan& plan, const gateway::Config& config, std::uint64_t seed)
    : plan_(plan),
      config_(config),
      random_(seed ^ 0x70656F706C65),
      chance_(random_.chance(0.5) ? random_.unit() * 0.1 : 0),
      clients_(config.clients),
      carriers_(config.carriers) {}

bool People::here(const std::string& name) const {
  return std::find(away_.begin(), away_.end(), name) == away_.end();
}

void People::gather() {
  away_.clear();
}

std::string People::come_or_go(const std::string& name) {
  if (!here(name)) {
    std::erase(away_, name);
    return name + " comes back";
  }
  away_.push_back(name);
  return name + " is removed";
}

std::string People::change_carrier(carriers::CarrierConfig& carrier) {
  const auto most = plan_.limits.bind_window != 0 ? plan_.limits.bind_window : kBindWindow;
  switch (random_.below(4)) {
    case 0:
      return come_or_go(carrier.name);
    case 1:
      for (auto& bind : carrier.binds) {
        bind.window = static_cast<std::uint32_t>(random_.between(1, most));
      }
      return carrier.name + " has another window";
    case 2:
      if (plan_.limits.pace_per_s == 0) {
        carrier.pace_per_s = static_cast<double>(random_.between(0, 20));
      }
      if (plan_.limits.carrier_queue != 0) {
        carrier.queue_max = static_cast<std::uint32_t>(random_.between(1, 20));
      }
      return carrier.name + " has another pace";
    default:
      carrier.binds[random_.below(carrier.binds.size())].password =
          "secret" + std::to_string(++passwords_ % 10);
      return carrier.name + " has another password";
  }
}

std::string People::change_client(gateway::ClientConfig& client) {
  const std::size_t at = client.system_id == "shop" ? 0 : 1;
  switch (random_.below(3)) {
    case 0:
      return come_or_go(client.system_id);
    case 1:
      client.password_hash = kHashes[client.password_hash == kHashes[0] ? 1 : 0];
      return client.system_id + " has another password";
    default:
      client.window = static_cast<std::uint32_t>(random_.between(1, 100));
      client.pace_per_s = static_cast<double>(random_.between(0, 3) * 20);
      client.receipts_window =
          static_cast<std::uint32_t>(random_.between(1, config_.clients[at].receipts_window));
      return client.system_id + " has other limits";
  }
}

std::string People::second() {
  if (chance_ == 0 || !random_.chance(chance_)) return {};
  const std::size_t which = random_.below(carriers_.size() + clients_.size());
  return which < carriers_.size() ? change_carrier(carriers_[which])
                                  : change_client(clients_[which - carriers_.size()]);
}

std::shared_ptr<const gateway::Peers> next_peers(const gateway::Peers* before, const People& now) {
  auto peers = before == nullptr ? std::make_shared<gateway::Peers>()
                                 : std::make_shared<gateway::Peers>(*before);
  join(peers->clients, now.clients(), now,
       [](const gateway::ClientConfig& client) { return client.system_id; });
  join(peers->carriers, now.carriers(), now,
       [](const carriers::CarrierConfig& carrier) { return carrier.name; });
  for (std::size_t i = 0; before != nullptr && i < before->clients.size(); ++i) {
    if (before->clients[i].config->password_hash != peers->clients[i].config->password_hash) {
      ++peers->clients[i].credentials;
    }
  }
  return peers;
}

}  // namespace tollgate::sim
