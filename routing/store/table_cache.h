// Versions of the tables on local disk, so that a gateway starts and goes on without Redis. Used by
// the thread that follows Redis.
//
//   <directory>/lock                one gateway uses it at a time
//   <directory>/41-9f86d081884c/    the files of a version, and its record `.version` once it
//                                   compiled: without one the folder is rubbish
//   <directory>/in_force            the name of the folder in force
//
// 1. A folder is whole before it has its name (rename), and good before it has `.version`.
// 2. Files that two versions share are one file on disk (hard links), and are never written again.
// 3. A folder that was not just written is used only after each file's SHA-256 was checked: an
//    earlier run left it, or others may have changed it since.
// 4. At most kCachedVersionsMax good folders are kept, always including the one in force.
#pragma once
#include <functional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "routing/store/redis.h"
#include "routing/store/table_set.h"

namespace tollgate::routing {

inline constexpr std::size_t kCachedVersionsMax = 5;

class TableCache {
 public:
  explicit TableCache(std::string directory) : directory_(std::move(directory)) {}
  ~TableCache();
  TableCache(const TableCache&) = delete;
  TableCache& operator=(const TableCache&) = delete;

  // Makes the directory, takes its lock, clears away what an earlier run did not finish.
  tl::expected<void, std::string> open();

  // Hands over a file's content part by part; a part that is refused ends it.
  using Take = std::function<bool(std::string_view part)>;
  using Fetch = std::function<StoreResult<void>(const TableFile& file, const Take& take)>;
  // The version's folder: one that is there, or a new one with what is missing fetched.
  StoreResult<std::string> write(const TableVersion& version, const Fetch& fetch);
  // It compiled: it is good, and in force.
  tl::expected<void, std::string> keep(const TableVersion& version);
  // It did not.
  void drop(const TableVersion& version);

  // The good ones, the one in force first, then the latest; their files are not checked yet.
  const std::vector<TableVersion>& good() const { return good_; }
  // The folder, when each of its files still is what was published.
  tl::expected<std::string, std::string> checked(const TableVersion& version);
  // The same by names and lengths alone: whether others have removed or cut any.
  tl::expected<void, std::string> seen(const TableVersion& version) const;

 private:
  std::string folder(const TableVersion& version) const;
  bool is_good(const TableVersion& version) const;
  StoreResult<void> write_files(const TableVersion& version, const std::string& into,
                                const Fetch& fetch);
  void prune();

  std::string directory_;
  int lock_ = -1;
  std::vector<TableVersion> good_;
};

}  // namespace tollgate::routing
