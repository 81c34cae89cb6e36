#include "gateway/clients/sources.h"

#include "core/check.h"

namespace tollgate::gateway {

Sources::Admission Sources::admit(const Ip& ip, Place& place, std::uint32_t room) {
  const std::uint64_t key = keyed_hash(seed_, source_octets(ip));
  Admission admission;
  const auto known = sources_.find(key);
  if (known != sources_.end() && known->second.count >= per_source_max_) {
    if (known->second.idle.empty()) return {Verdict::source_full, true, 0};
    admission.of_source = true;
    admission.gives_way = give_way(known->second.idle.front());
  } else if (count_ >= room) {
    if (idle_.empty()) return {Verdict::all_full, false, 0};
    admission.gives_way = give_way(idle_.front());
  }
  Source& source = sources_[key];  // who gave way may have been its last
  ++source.count;
  ++count_;
  place.key = key;
  place.source = &source;
  source.idle.push_back(place);
  idle_.push_back(place);
  return admission;
}

std::uint64_t Sources::give_way(Place& oldest) {
  leave(oldest);
  return oldest.session;
}

void Sources::busy(Place& place) {
  static_cast<core::Hook<AgeHook>&>(place).unlink();
  static_cast<core::Hook<SourceHook>&>(place).unlink();
}

void Sources::refused(Place& place) {
  if (place.source == nullptr) return;
  idle_.push_front(place);
  place.source->idle.push_front(place);
}

void Sources::leave(Place& place) {
  if (place.source == nullptr) return;
  busy(place);
  TOLLGATE_CHECK(count_ != 0 && place.source->count != 0, "who leaves was here");
  --count_;
  if (--place.source->count == 0) sources_.erase(place.key);
  place.source = nullptr;
}

}  // namespace tollgate::gateway
