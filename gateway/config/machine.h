// What the machine grants to the process, compared with what its configuration asks for: reported
// at the start and by `tollgate check`, before a night shows it. Plain functions, main thread.
//
// Invariants
// 1. shortages() is a pure function; a shortage names what the machine has, what is needed and the
//    remedy.
// 2. A shortage stops nothing: its consequence is bounded elsewhere. Descriptors are what could
//    starve reloads, the journal and /metrics, so connections get what these leave
//    (connections_granted).
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/config/peers.h"

namespace tollgate::gateway {

struct Machine {
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t descriptors = kUnlimited;    // that may be open at a time
  std::uint64_t file_octets = kUnlimited;    // of one file
  std::uint64_t memory_octets = kUnlimited;  // the least of the bounds of memory
  std::string_view memory_bound;             // what sets it
  std::uint64_t journal_free = kUnlimited;   // octets of the journal's disk
  std::uint64_t records_free = kUnlimited;
  std::vector<std::string> listen_faults;     // addresses that this machine does not have, and why
  std::vector<std::string> directory_faults;  // journal's and records', with which none can start
};

// The soft limit of descriptors counts as raised to the hard one, which the gateway does.
Machine read_machine(const Config& config);

struct Shortage {
  std::string what;  // a word: descriptors, memory, file_size, journal_disk, records_disk, listen,
                     // directory
  std::string has;   // with units
  std::string needs;
  std::string right;  // what would mend it

  std::string text() const;  // one line, for people
};

std::vector<Shortage> shortages(const Config& config, const Peers& peers, const Machine& machine);

// Connections of clients, bound or not, that descriptors are left for; at least 1.
std::uint32_t connections_room(const Config& config, const Peers& peers, const Machine& machine);
// Of connections_max, those that descriptors are left for; at least 1.
std::uint32_t connections_granted(const Config& config, const Peers& peers, const Machine& machine);

}  // namespace tollgate::gateway
