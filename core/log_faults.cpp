#include "core/log_faults.h"

#include <iterator>
#include <utility>

namespace tollgate::core::log {
namespace {

std::string counted(const std::string& text, std::string_view as, std::uint64_t count) {
  std::string line = text;
  append_field(line, {as, count});
  return line;
}

}  // namespace

bool Faults::first(Level level, std::string_view event, Fields fields) {
  std::string key(event), peer;
  for (const Field& field : fields) {
    if (field.role == Field::Role::amount) continue;
    append_field(field.role == Field::Role::from_peer ? peer : key, field);
  }
  const std::lock_guard lock(mutex_);
  Event& of = events_[std::string(event)];
  auto found = of.faults.find(key);
  const bool fresh = found == of.faults.end();
  if (fresh) {
    if (of.faults.size() >= kFaultsMax) {
      of.level = level;
      ++of.others;
      return false;
    }
    found = of.faults.emplace(std::move(key), Fault{}).first;
    found->second.level = level;
  }
  Fault& fault = found->second;
  if (peer.empty()) {
    if (!fresh) ++fault.again;
    return fresh;
  }
  if (const auto known = fault.peers.find(peer); known != fault.peers.end()) {
    ++known->second;
    return false;
  }
  if (fault.peers.size() >= kPeersMax) {
    ++fault.others;
    return false;
  }
  fault.peers.emplace(std::move(peer), 0);
  return true;
}

// False: it did not come again.
bool Faults::sum(const std::string& key, Fault& fault, std::vector<Sum>& into) {
  const std::size_t before = into.size();
  const auto tell = [&](const std::string& text, std::string_view as, std::uint64_t& count) {
    if (count == 0) return false;
    into.push_back({fault.level, counted(text, as, std::exchange(count, 0))});
    return true;
  };
  tell(key, "repeated", fault.again);
  for (auto at = fault.peers.begin(); at != fault.peers.end();) {
    at = tell(key + at->first, "repeated", at->second) ? std::next(at) : fault.peers.erase(at);
  }
  tell(key, "from_others", fault.others);
  return into.size() != before;
}

std::vector<Faults::Sum> Faults::take_sums() {
  std::vector<Sum> sums;
  const std::lock_guard lock(mutex_);
  for (auto event = events_.begin(); event != events_.end();) {
    Event& of = event->second;
    for (auto at = of.faults.begin(); at != of.faults.end();) {
      at = sum(at->first, at->second, sums) ? std::next(at) : of.faults.erase(at);
    }
    if (of.others != 0) {
      sums.push_back({of.level, counted(event->first, "others", std::exchange(of.others, 0))});
    }
    event = of.faults.empty() ? events_.erase(event) : std::next(event);
  }
  return sums;
}

void Faults::clear() {
  const std::lock_guard lock(mutex_);
  events_.clear();
}

}  // namespace tollgate::core::log
