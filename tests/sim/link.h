// A peer's end of one connection to the gateway: latency, pieces, stalls, a reset.
//
// 1. What the peer sends arrives in order. What was not read by the gateway when the link ends is
//    lost; of what the gateway wrote the peer has seen some first part.
// 2. consumed(): the gateway has read everything up to that octet. (It may still have died before
//    it did anything about it.)
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/gateway/ends.h"
#include "tests/sim/plan.h"

namespace tollgate::sim {

using gateway::Seen;

class Link {
 public:
  Link(Ground& ground, const NetPlan& plan, std::shared_ptr<core::Wire> wire)
      : ground_(ground), plan_(plan), wire_(std::move(wire)) {}

  bool open() const { return open_; }
  std::uint32_t next_sequence() { return ++sequence_; }
  // Returns where in the stream it ends.
  std::uint64_t send(std::string octets);
  template <class T>
  requires std::is_class_v<T> std::uint32_t send(const T& pdu) {
    send(gateway::octets_of(pdu, ++sequence_));
    return sequence_;
  }
  void answer(proto::Command command, std::uint32_t sequence, proto::Status status) {
    send(gateway::header_octets(command, sequence, status));
  }
  std::uint64_t consumed() const;

  // Moves octets both ways; whole PDUs that have come (also the last ones of an ended link).
  std::vector<Seen> step();
  void hang_up();          // in order: what was sent arrives first
  void reset();            // as of a broken path
  void gateway_crashed();  // the same, and nothing of it reaches the gateway

 private:
  void lose();
  void arrive();

  struct Chunk {
    std::int64_t us;
    std::string octets;
  };
  Ground& ground_;
  const NetPlan& plan_;
  std::shared_ptr<core::Wire> wire_;
  std::deque<Chunk> sending_;
  std::int64_t last_us_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t arrived_ = 0;
  std::string partial_;
  std::uint32_t sequence_ = 0;
  bool open_ = true;
  bool hanging_up_ = false;
};

}  // namespace tollgate::sim
