// The carriers and clients that one table set makes: those of the configuration, and those whose
// files lie in the set (gateway/config/peer_reader.h). In one snapshot with the tables
// (Tables::companion), so that no decision names a carrier that its shard does not know.
//
// Invariants
// 1. Immutable. A place in `clients` or `carriers` is the peer's dense id everywhere else, for the
//    life of the process: later sets only append. A peer that is gone keeps its place and its last
//    configuration, and gets both back with the name.
// 2. The same configuration is the same object: comparing pointers finds what has changed.
// Bounds: kClientsMax, kCarriersMax, including those that are gone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/published.h"
#include "gateway/config/config.h"
#include "routing/tables.h"

namespace tollgate::gateway {

using TablesReader = core::Published<routing::Tables>::Reader;

struct CarrierPeer {
  std::shared_ptr<const carriers::CarrierConfig> config;
  bool gone = false;
};

struct ClientPeer {
  std::shared_ptr<const ClientConfig> config;
  std::uint32_t credentials = 1;  // one more with each password; sessions of older ones end
  bool gone = false;
};

struct Peers final : routing::Companion {
  std::vector<ClientPeer> clients;
  std::vector<CarrierPeer> carriers;

  // What CompileOptions wants: empty names for those that are gone.
  std::vector<std::string> client_names() const;
  std::vector<std::string> carrier_names() const;
  std::size_t clients_here() const;
  std::size_t carriers_here() const;
};

// Those of the configuration alone.
std::shared_ptr<const Peers> configured_peers(const Config& config);

inline const Peers& peers_of(const routing::Tables& tables) {
  TOLLGATE_CHECK(tables.companion != nullptr, "the gateway's tables come with its peers");
  return static_cast<const Peers&>(*tables.companion);
}

}  // namespace tollgate::gateway
