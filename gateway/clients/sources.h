// Connections that are not bound yet, by where they come from: who may come in, and who gives way.
//
// Thread: the shard that accepts. A source is an IPv4 address or the /64 of an IPv6 one.
//
// Invariants
// 1. At most `per_source_max` of a source, and as many in all as admit() is given room for. At
//    either bound the oldest gives way to the newcomer: the oldest of its source, or of all.
// 2. Only an idle connection gives way: once its bind has been read it waits for us, and stays. If
//    none is idle the newcomer is refused. One whose bind was refused gives way before all others.
// 3. A Place belongs to one connection, and leaves at its end if it did not before.
//
// Bounds: one entry for each source that has a connection here, in a table whose order no peer can
// choose (a keyed hash).
#pragma once

#include <cstdint>
#include <unordered_map>

#include "core/list.h"
#include "gateway/clients/keyed_hash.h"
#include "gateway/config/ip.h"

namespace tollgate::gateway {

class Sources {
  struct Source;
  struct AgeHook;
  struct SourceHook;

 public:
  // A connection's place, owned by who owns the connection; it leaves before it ends.
  struct Place : core::Hook<AgeHook>, core::Hook<SourceHook> {
    std::uint64_t session = 0;

   private:
    friend class Sources;
    std::uint64_t key = 0;
    Source* source = nullptr;  // null: it is not here
  };

  explicit Sources(std::uint32_t per_source_max, std::uint64_t seed = random_seed())
      : per_source_max_(per_source_max), seed_(seed) {}

  enum class Verdict : std::uint8_t { admitted, source_full, all_full };
  struct Admission {
    Verdict verdict = Verdict::admitted;
    bool of_source = false;       // who gives way does so for its source's bound
    std::uint64_t gives_way = 0;  // its session, which is here no more; 0 = nobody
  };
  Admission admit(const Ip& ip, Place& place, std::uint32_t room);
  // Its bind has been read.
  void busy(Place& place);
  // Its bind has been answered with a refusal: it only lingers, and is the first to give way.
  void refused(Place& place);
  void leave(Place& place);
  std::uint32_t count() const { return count_; }

 private:
  struct Source {
    std::uint32_t count = 0;
    core::List<Place, SourceHook> idle;  // who gives way first, first
  };
  std::uint64_t give_way(Place& oldest);

  const std::uint32_t per_source_max_;
  const std::uint64_t seed_;
  std::unordered_map<std::uint64_t, Source> sources_;
  core::List<Place, AgeHook> idle_;  // likewise
  std::uint32_t count_ = 0;
};

}  // namespace tollgate::gateway
