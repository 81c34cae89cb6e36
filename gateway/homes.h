// Which shard is home to which client and carrier, and what every shard may know of the others:
// where to send mail, and whether a carrier is up. Made before the shards start; what changes
// afterwards is inside the carriers' published states.
#pragma once

#include <cstdint>
#include <vector>

#include "carriers/carrier.h"

namespace tollgate::gateway {

class Homes {
 public:
  Homes(unsigned shards, std::size_t carriers) : shards_(shards), states_(carriers) {}

  unsigned of_client(std::size_t client) const { return static_cast<unsigned>(client % shards_); }
  // From the other end, so that with few of both a client and its carrier share the work.
  unsigned of_carrier(std::size_t carrier) const {
    return static_cast<unsigned>(shards_ - 1 - carrier % shards_);
  }

  void set_state(std::size_t carrier, const carriers::CarrierState& state) {
    states_[carrier] = &state;
  }
  const std::vector<const carriers::CarrierState*>& states() const { return states_; }

 private:
  unsigned shards_;
  std::vector<const carriers::CarrierState*> states_;
};

}  // namespace tollgate::gateway
