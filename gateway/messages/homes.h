// Which shard is home to which client and carrier, and what every thread may know of them by their
// ids: names, and what a carrier publishes and counts. It only grows (core/grown.h): the main
// thread appends before the tables that name a peer are published; a removed one keeps its place.
#pragma once

#include <cstdint>
#include <string>

#include "carriers/carrier.h"
#include "core/grown.h"
#include "gateway/config/config.h"

namespace tollgate::gateway {

struct Peers;

struct CarrierSeat {
  explicit CarrierSeat(std::string called) : name(std::move(called)) {}
  const std::string name;
  carriers::CarrierBoard board;  // written by the carrier on its home
};

class Homes {
 public:
  Homes(unsigned shards, const Peers& peers) : shards_(shards) { grow(peers); }

  // The main thread.
  void grow(const Peers& peers);

  unsigned of_client(std::size_t client) const { return static_cast<unsigned>(client % shards_); }
  // From the other end, so that with few of both a client and its carrier share the work.
  unsigned of_carrier(std::size_t carrier) const {
    return static_cast<unsigned>(shards_ - 1 - carrier % shards_);
  }

  // Any thread, below the numbers that it saw.
  std::size_t clients() const { return clients_.size(); }
  std::size_t carriers() const { return carriers_.size(); }
  const std::string& client_name(std::size_t id) const { return clients_[id]; }
  const CarrierSeat& carrier(std::size_t id) const { return carriers_[id]; }
  const carriers::CarrierState& state(std::size_t id) const { return carriers_[id].board.state; }
  // Its home's.
  carriers::CarrierBoard& board(std::size_t id) { return carriers_[id].board; }

 private:
  unsigned shards_;
  core::Grown<std::string, kClientsMax, 64> clients_;
  core::Grown<CarrierSeat, kCarriersMax, 16> carriers_;
};

}  // namespace tollgate::gateway
