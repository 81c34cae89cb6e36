// FaultyStorage: a disk in memory that knows what was synced, ends at any operation, runs full,
// and fails. Deterministic. One thread at a time (Locked, below, for tests with threads).
//
//   1 Each inode has its octets as the program sees them and as they are durable; a datasync makes
//     the second equal to the first. Names likewise, with sync_directory.
//   2 crash_at n: the n-th operation that changes something takes place without being durable (a
//     sync does not take place), and that one and all later ones fail with EIO.
//   3 survive(): the disk after the power came back, by what became of the 512-octet sectors and
//     the names that were not durable.
#pragma once
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/journal/storage.h"

namespace tollgate::core::testing {

enum class Survival {
  keep_all,  // everything that was written
  drop_all,  // nothing that was not synced
  random,    // each sector, size and name by itself
  torn,      // of each file the first so many sectors
  bit_flip   // everything, with one bit of the unsynced octets flipped
};
inline constexpr Survival kSurvivals[] = {Survival::keep_all, Survival::drop_all, Survival::random,
                                          Survival::torn, Survival::bit_flip};

enum class Op { create, write, datasync, allocate, link, remove, sync_directory };

struct Inode {
  std::vector<std::uint8_t> now;
  std::vector<std::uint8_t> durable;
};
using Names = std::map<std::string, std::shared_ptr<Inode>, std::less<>>;

class FaultyStorage final : public Storage {
 public:
  // ---- faults ----
  std::uint64_t crash_at = 0;                         // the n-th operation from the start; 0: never
  std::map<Op, std::pair<std::uint64_t, int>> fails;  // its n-th call from now on, with this errno
  // Bad blocks of a file: octets begin ... end.
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>, std::less<>> unreadable;
  bool syncs_lie = false;  // datasync says yes and does nothing
  std::uint64_t capacity = std::uint64_t{1} << 30;
  // ---- what happened ----
  std::uint64_t operations = 0;
  std::uint64_t bit_flips = 0;       // by survive
  std::uint64_t writes_in_part = 0;  // those not of whole blocks (storage.h 5)
  bool crashed = false;
  bool gone = false;  // the directory is no longer where it was
  bool keep_log = true;
  std::vector<std::pair<Op, std::string>> log;
  Names names;
  Names durable_names;

  int create(std::string_view name, FilePtr& file) override {
    if (const int error = begin(Op::create, name)) return error;
    if (names.contains(name)) return EEXIST;
    names.emplace(name, std::make_shared<Inode>());
    if (crashed) return EIO;
    return open(name, file);
  }
  int open(std::string_view name, FilePtr& file) override;
  int list(std::vector<std::string>& out) override {
    out.clear();
    for (const auto& entry : names) out.push_back(entry.first);
    return crashed ? EIO : 0;
  }
  int remove(std::string_view name) override {
    if (const int error = begin(Op::remove, name)) return error;
    const auto at = names.find(name);
    if (at == names.end()) return ENOENT;
    names.erase(at);
    return crashed ? EIO : 0;
  }
  int link(std::string_view name, std::string_view second) override {
    if (const int error = begin(Op::link, name)) return error;
    const auto at = names.find(name);
    if (at == names.end()) return ENOENT;
    if (!names.emplace(second, at->second).second) return EEXIST;
    return crashed ? EIO : 0;
  }
  int sync_directory() override {
    const int error = begin(Op::sync_directory, "");
    if (error != 0 || crashed) return error != 0 ? error : EIO;
    durable_names = names;
    return 0;
  }
  int free_octets(std::uint64_t& octets) override {
    octets = capacity - std::min(capacity, used());
    return 0;
  }

  int state(std::string_view name, State& state) override {
    const auto at = names.find(name);
    if (at == names.end()) return ENOENT;
    state = {reinterpret_cast<std::uintptr_t>(at->second.get()), at->second->now.size()};
    return 0;
  }
  bool here() override { return !gone; }

  std::uint64_t used() const {
    std::uint64_t sum = 0;
    for (const auto& entry : names) sum += entry.second->now.size();
    return sum;
  }

  // 0 or the errno with which this operation fails without having taken place.
  int begin(Op op, std::string_view name) {
    if (crashed) return EIO;
    if (keep_log) log.emplace_back(op, name);
    ++operations;
    if (operations == crash_at) crashed = true;
    const auto fault = fails.find(op);
    if (fault == fails.end() || fault->second.first == 0) return 0;
    return --fault->second.first == 0 ? fault->second.second : 0;
  }

  std::unique_ptr<FaultyStorage> survive(Survival how, std::uint32_t seed) const;
};

class FaultyFile final : public File {
 public:
  FaultyFile(FaultyStorage& disk, std::string name, std::shared_ptr<Inode> inode)
      : disk_(disk), name_(std::move(name)), inode_(std::move(inode)) {}

  int pwrite_all(Octets octets, std::uint64_t at) override {
    if (const int error = disk_.begin(Op::write, name_)) return error;
    const auto address = reinterpret_cast<std::uintptr_t>(octets.data());
    if ((address | octets.size() | at) % kStorageBlock != 0) ++disk_.writes_in_part;
    const auto [begin, end] = bad(at, at + octets.size());
    if (begin < end && (begin < at || end > at + octets.size())) return EIO;  // a block in part
    if (at + octets.size() > inode_->now.size()) {
      if (const int error = grow(at + octets.size())) return error;
    }
    std::copy(octets.begin(), octets.end(), inode_->now.begin() + static_cast<long>(at));
    return disk_.crashed ? EIO : 0;
  }
  ssize_t read(Out out, std::uint64_t at) override {
    if (disk_.crashed) return -EIO;
    const auto size = inode_->now.size();
    const std::size_t n = at >= size ? 0 : std::min<std::size_t>(out.size(), size - at);
    if (const auto [begin, end] = bad(at, at + n); begin < end) return -EIO;
    if (n != 0) std::memcpy(out.data(), inode_->now.data() + at, n);
    return static_cast<ssize_t>(n);
  }
  int datasync() override {
    const int error = disk_.begin(Op::datasync, name_);
    if (error != 0 || disk_.crashed) return error != 0 ? error : EIO;
    if (!disk_.syncs_lie) inode_->durable = inode_->now;
    return 0;
  }
  int allocate(std::uint64_t size) override {
    if (const int error = disk_.begin(Op::allocate, name_)) return error;
    if (const int error = grow(size)) return error;
    return disk_.crashed ? EIO : 0;
  }
  int size(std::uint64_t& octets) override {
    octets = inode_->now.size();
    return disk_.crashed ? EIO : 0;
  }

 private:
  // The file's bad blocks, if octets from ... to touch them; else nothing.
  std::pair<std::uint64_t, std::uint64_t> bad(std::uint64_t from, std::uint64_t to) const {
    const auto at = disk_.unreadable.find(name_);
    if (at == disk_.unreadable.end()) return {};
    return at->second.first < to && from < at->second.second
               ? at->second
               : std::pair<std::uint64_t, std::uint64_t>{};
  }
  int grow(std::uint64_t size) {
    if (size <= inode_->now.size()) return 0;
    if (disk_.used() + size - inode_->now.size() > disk_.capacity) return ENOSPC;
    inode_->now.resize(size);
    return 0;
  }

  FaultyStorage& disk_;
  std::string name_;
  std::shared_ptr<Inode> inode_;
};

inline int FaultyStorage::open(std::string_view name, FilePtr& file) {
  if (crashed) return EIO;
  const auto at = names.find(name);
  if (at == names.end()) return ENOENT;
  file = std::make_unique<FaultyFile>(*this, std::string(name), at->second);
  return 0;
}

// What one inode holds after the power came back.
class SurvivingOctets {
 public:
  SurvivingOctets(const Inode& inode, Survival how, std::mt19937& random)
      : inode_(inode), how_(how), random_(random) {}

  std::vector<std::uint8_t> octets() {
    if (how_ == Survival::drop_all) return inode_.durable;
    if (how_ == Survival::keep_all || how_ == Survival::bit_flip) return inode_.now;
    constexpr std::size_t kSector = 512;
    const bool old_size = inode_.durable.size() < inode_.now.size() && random_() % 2 == 0;
    std::vector<std::uint8_t> result = inode_.durable;
    if (!old_size) result.resize(inode_.now.size());
    std::vector<std::size_t> dirty;
    for (std::size_t at = 0; at < result.size(); at += kSector) {
      const std::size_t n = std::min(kSector, result.size() - at);
      if (std::memcmp(result.data() + at, inode_.now.data() + at, n) != 0) dirty.push_back(at);
    }
    const std::size_t first = dirty.empty() ? 0 : random_() % (dirty.size() + 1);
    for (std::size_t i = 0; i < dirty.size(); ++i) {
      if (how_ == Survival::torn ? i >= first : random_() % 2 == 0) continue;
      const std::size_t n = std::min(kSector, result.size() - dirty[i]);
      std::memcpy(result.data() + dirty[i], inode_.now.data() + dirty[i], n);
    }
    return result;
  }

 private:
  const Inode& inode_;
  Survival how_;
  std::mt19937& random_;
};

inline std::unique_ptr<FaultyStorage> FaultyStorage::survive(Survival how,
                                                             std::uint32_t seed) const {
  std::mt19937 random(seed);
  auto disk = std::make_unique<FaultyStorage>();
  disk->capacity = capacity;
  Names kept = how == Survival::drop_all ? durable_names : names;
  if (how == Survival::random || how == Survival::torn) {
    for (const auto& [name, inode] : durable_names) {
      if (!names.contains(name) && random() % 2 == 0) kept.emplace(name, inode);
    }
    for (const auto& entry : names) {
      if (!durable_names.contains(entry.first) && random() % 2 == 0) kept.erase(entry.first);
    }
  }
  std::vector<std::pair<Inode*, std::size_t>> unsynced;
  for (const auto& [name, inode] : kept) {
    auto copy = std::make_shared<Inode>();
    copy->now = SurvivingOctets(*inode, how, random).octets();
    for (std::size_t at = 0; how == Survival::bit_flip && at < copy->now.size(); ++at) {
      const std::uint8_t was = at < inode->durable.size() ? inode->durable[at] : 0;
      if (was != copy->now[at]) unsynced.emplace_back(copy.get(), at);
    }
    disk->names.emplace(name, copy);
  }
  if (!unsynced.empty()) {
    const auto [inode, at] = unsynced[random() % unsynced.size()];
    inode->now[at] ^= static_cast<std::uint8_t>(1U << (random() % 8));
    disk->bit_flips = 1;
  }
  for (const auto& entry : disk->names) entry.second->durable = entry.second->now;
  disk->durable_names = disk->names;
  return disk;
}

}  // namespace tollgate::core::testing
