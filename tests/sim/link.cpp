#include "tests/sim/link.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace tollgate::sim {

std::uint64_t Link::send(std::string octets) {
  sent_ += octets.size();
  if (!open_ || hanging_up_) return sent_;
  const std::int64_t latency_us =
      plan_.latency_us / 2 + ground_.random.between(0, plan_.latency_us);
  last_us_ = std::max(last_us_, ground_.us() + latency_us);
  sending_.push_back({last_us_, std::move(octets)});
  ground_.agenda.at(last_us_, [] {});
  return sent_;
}

std::uint64_t Link::consumed() const {
  std::uint64_t waiting = 0;
  for (const std::string& chunk : wire_->incoming) waiting += chunk.size();
  return arrived_ - waiting;
}

void Link::arrive() {
  while (!sending_.empty() && sending_.front().us <= ground_.us()) {
    std::string octets = std::move(sending_.front().octets);
    sending_.pop_front();
    arrived_ += octets.size();
    if (ground_.random.chance(plan_.cut_reads) && octets.size() > 1) {
      const std::size_t at = 1 + ground_.random.below(octets.size() - 1);
      wire_->incoming.push_back(octets.substr(0, at));
      octets.erase(0, at);
    }
    wire_->incoming.push_back(std::move(octets));
    ground_.active = true;
  }
  if (hanging_up_ && sending_.empty()) wire_->ended = true;
}

std::vector<Seen> Link::step() {
  if (!open_) return gateway::take_frames(partial_);
  arrive();
  wire_->allowance = ground_.random.chance(plan_.cut_writes) ? ground_.random.below(100) : 1 << 20;
  partial_ += wire_->sent;
  wire_->sent.clear();
  std::vector<Seen> result = gateway::take_frames(partial_);
  if (wire_->closed || wire_->shut) {
    wire_->ended = true;
    open_ = false;
    ground_.active = true;
  }
  return result;
}

void Link::hang_up() {
  hanging_up_ = true;
  if (open_) arrive();
  ground_.active = true;
}

// Of what the gateway wrote, the peer still sees some first part, or nothing.
void Link::lose() {
  arrived_ = consumed();  // the rest never will be
  wire_->incoming.clear();
  const std::size_t kept = ground_.random.below(3) * wire_->sent.size() / 2;
  partial_ += wire_->sent.substr(0, kept);
  wire_->sent.clear();
  sending_.clear();
  ground_.active = true;
}

void Link::reset() {
  if (!open_) return;
  lose();
  wire_->recv_error = ECONNRESET;
  wire_->send_error = EPIPE;
  open_ = false;
}

void Link::gateway_crashed() {
  if (open_) lose();
  open_ = false;
}

}  // namespace tollgate::sim
