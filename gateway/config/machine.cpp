#include "gateway/config/machine.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "proto/escape.h"

namespace tollgate::gateway {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

// ---- descriptors ----
// What is open beside connections and binds: standard ones, the log, journal and records with the
// next files of each, the tables' watch, Redis.
constexpr std::uint64_t kProcessDescriptors = 40;
constexpr std::uint64_t kShardDescriptors = 4;
// For /metrics, a reload, names being resolved, a carrier's new bind beside its old one.
constexpr std::uint64_t kReserveDescriptors = 24;

std::uint64_t descriptors_beside(const Config& config, const Peers& peers) {
  std::uint64_t binds = 0;
  for (const CarrierPeer& carrier : peers.carriers) {
    if (carrier.config) binds += carrier.config->binds.size();
  }
  const std::uint64_t shards = config.gateway.shards;
  return kProcessDescriptors + kReserveDescriptors + binds +
         shards * (kShardDescriptors + config.gateway.listen.size());
}

// ---- memory ----
// A message of a usual size with what is kept about it.
constexpr std::uint64_t kMessageOctets = 512;
constexpr std::uint64_t kProcessOctets = 64 * kMiB;
constexpr std::string_view kAddressSpace = "ulimit -v";

// What each thread takes of the address space, whatever it uses: its stack, and malloc's arena.
constexpr std::uint64_t kThreadSpace = (8 + 64) * kMiB;
// Beside the shards' and the main one: the log, the journal, the records, what is due, the hashes,
// the metrics, the tables.
constexpr std::uint64_t kThreadsBeside = 7;

std::uint64_t memory_asked(const Config& config, const Peers& peers) {
  const std::uint64_t shards = config.gateway.shards;
  const Limits& limits = config.gateway.limits;
  std::uint64_t octets = kProcessOctets + shards * limits.messages_per_shard * kMessageOctets +
                         shards * (shards - 1) * limits.mailbox_octets;
  for (const CarrierPeer& carrier : peers.carriers) {
    if (!carrier.config) continue;
    octets += carrier.config->queue_octets_max + carrier.config->early_octets_max;
  }
  return octets;
}

std::string mib(std::uint64_t octets) {
  return std::to_string(octets / kMiB) + " MiB";
}

std::uint64_t limit_of(decltype(RLIMIT_AS) which, rlim_t rlimit::*kind) {
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0 || limit.*kind == RLIM_INFINITY) return Machine::kUnlimited;
  return limit.*kind;
}

// The least memory.max of our control groups; "max" and a missing file are no bound.
std::uint64_t cgroup_memory() {
  std::ifstream groups("/proc/self/cgroup");
  std::uint64_t least = Machine::kUnlimited;
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::/")) continue;
    std::filesystem::path group = line.substr(4);
    for (;; group = group.parent_path()) {
      std::ifstream file("/sys/fs/cgroup" / group / "memory.max");
      std::uint64_t octets = 0;
      if (file >> octets) least = std::min(least, octets);
      if (group.empty()) break;
    }
  }
  return least;
}

void read_memory(Machine& machine) {
  const auto pages = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES)));
  const auto page = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PAGESIZE)));
  const std::pair<std::uint64_t, std::string_view> bounds[] = {
      {pages * page, "the machine's memory"},
      {cgroup_memory(), "memory.max of the control group"},
      {limit_of(RLIMIT_AS, &rlimit::rlim_cur), kAddressSpace}};
  for (const auto& [octets, bound] : bounds) {
    if (octets == 0 || octets >= machine.memory_octets) continue;
    machine.memory_octets = octets;
    machine.memory_bound = bound;
  }
}

// Of the folder, or of the one that it will be made in.
std::uint64_t free_octets(std::filesystem::path folder) {
  struct statvfs disk {};
  while (::statvfs(folder.empty() ? "." : folder.c_str(), &disk) != 0) {
    if (errno != ENOENT || folder.empty()) return Machine::kUnlimited;
    folder = folder.parent_path();
  }
  return std::uint64_t{disk.f_bavail} * disk.f_frsize;
}

// Tried with any free port: its own may well be a running gateway's.
std::string listen_fault(const core::Address& at) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  if (::getaddrinfo(at.host.c_str(), "0", &hints, &found) != 0) return {};
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool good = fd >= 0 && ::bind(fd, found->ai_addr, found->ai_addrlen) == 0;
  const int error = errno;
  ::freeaddrinfo(found);
  if (fd >= 0) ::close(fd);
  return good ? std::string() : at.text() + ": " + std::strerror(error);
}

// Why a start could not keep files there; it makes the directory, but none above it.
std::string directory_fault(const std::string& directory) {
  std::error_code error;
  std::filesystem::path at = std::filesystem::absolute(directory + "/").lexically_normal();
  at = at.parent_path();  // without the slash
  auto status = std::filesystem::status(at, error);
  if (!std::filesystem::exists(status)) {
    at = at.parent_path();
    status = std::filesystem::status(at, error);
  }
  const std::string text = proto::escaped(at.string(), 4'096) + ": ";
  if (error) return text + error.message();
  if (!std::filesystem::is_directory(status)) return text + "is no directory";
  return ::access(at.c_str(), W_OK | X_OK) == 0 ? std::string() : text + std::strerror(errno);
}

struct Disk {
  const char* what;
  std::uint64_t free;
  std::uint64_t reserve;
  std::uint64_t file;
  const char* key;
};

void judge_disk(const Disk& disk, const Machine& machine, std::vector<Shortage>& found) {
  const std::uint64_t needs = disk.reserve + 2 * disk.file;
  if (disk.free < needs) {
    found.push_back({std::string(disk.what) + "_disk", mib(disk.free) + " free",
                     mib(needs) + " for two files and the reserve",
                     "make room: until then submits get ESME_RMSGQFUL"});
  }
  if (machine.file_octets < disk.file) {
    found.push_back({std::string(disk.what) + "_file_size",
                     mib(machine.file_octets) + " (ulimit -f)",
                     mib(disk.file) + " for one file (" + disk.key + ")",
                     "ulimit -f unlimited, or a smaller " + std::string(disk.key)});
  }
}

}  // namespace

Machine read_machine(const Config& config) {
  Machine machine;
  machine.descriptors = limit_of(RLIMIT_NOFILE, &rlimit::rlim_max);
  machine.file_octets = limit_of(RLIMIT_FSIZE, &rlimit::rlim_cur);
  read_memory(machine);
  if (!config.journal.directory.empty()) {
    machine.journal_free = free_octets(config.journal.directory);
  }
  if (!config.records.directory.empty()) {
    machine.records_free = free_octets(config.records.directory);
  }
  for (const std::string* directory : {&config.journal.directory, &config.records.directory}) {
    if (directory->empty()) continue;
    if (std::string fault = directory_fault(*directory); !fault.empty()) {
      machine.directory_faults.push_back(std::move(fault));
    }
  }
  for (const core::Address& at : config.gateway.listen) {
    if (std::string fault = listen_fault(at); !fault.empty()) {
      machine.listen_faults.push_back(std::move(fault));
    }
  }
  return machine;
}

std::string Shortage::text() const {
  return what + ": " + has + ", needed: " + needs + " (right: " + right + ")";
}

std::uint32_t connections_room(const Config& config, const Peers& peers, const Machine& machine) {
  constexpr std::uint64_t kMost = 100'000'000;
  const std::uint64_t beside = descriptors_beside(config, peers);
  const std::uint64_t left = machine.descriptors > beside ? machine.descriptors - beside : 1;
  return static_cast<std::uint32_t>(std::min(left, kMost));
}

std::uint32_t connections_granted(const Config& config, const Peers& peers,
                                  const Machine& machine) {
  return std::min(connections_room(config, peers, machine), config.gateway.limits.connections_max);
}

std::vector<Shortage> shortages(const Config& config, const Peers& peers, const Machine& machine) {
  std::vector<Shortage> found;
  const std::uint32_t asked = config.gateway.limits.connections_max;
  const std::uint32_t granted = connections_granted(config, peers, machine);
  if (granted < asked) {
    const std::uint64_t needs = descriptors_beside(config, peers) + asked;
    found.push_back({"descriptors",
                     std::to_string(machine.descriptors) + " (ulimit -Hn), so " +
                         std::to_string(granted) + " connections",
                     std::to_string(needs) + " for connections_max = " + std::to_string(asked),
                     "ulimit -Hn " + std::to_string(needs) + " (systemd: LimitNOFILE=" +
                         std::to_string(needs) + "), or a smaller connections_max"});
  }
  const bool space = machine.memory_bound == kAddressSpace;
  const std::uint64_t memory =
      memory_asked(config, peers) +
      (space ? (kThreadsBeside + config.gateway.shards) * kThreadSpace : 0);
  if (memory > machine.memory_octets) {
    found.push_back({"memory",
                     mib(machine.memory_octets) + " (" + std::string(machine.memory_bound) + ")",
                     "about " + mib(memory) + " when every queue is full",
                     "more memory, or a smaller messages_per_shard"});
  }
  if (!config.journal.directory.empty()) {
    judge_disk({"journal", machine.journal_free, config.journal.reserve_octets,
                config.journal.segment_octets, "segment_octets"},
               machine, found);
  }
  if (!config.records.directory.empty()) {
    judge_disk({"records", machine.records_free, config.records.reserve_octets,
                config.records.rotate_octets, "rotate_octets"},
               machine, found);
  }
  for (const std::string& fault : machine.directory_faults) {
    found.push_back({"directory", fault, "a directory that the gateway may write to",
                     "make it, or see [journal] and [records] directory"});
  }
  for (const std::string& fault : machine.listen_faults) {
    found.push_back({"listen", fault, "an address of this machine", "see gateway.listen"});
  }
  return found;
}

}  // namespace tollgate::gateway
