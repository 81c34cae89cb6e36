// What the commands of the pricing desk share: where the tables are kept, who asks, how a table set
// is tried and shown. Used by a command's one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/config/peer_reader.h"
#include "routing/compile/compile.h"
#include "routing/store/store.h"

namespace tollgate::gateway::cli {

struct DeskOptions {
  std::string config;  // "" = the default one, which may be absent when `redis` is given
  std::string redis;   // "host:port/database" or a socket's path, instead of the configuration's
  std::string prefix;
  std::string who;  // "" = TOLLGATE_WHO, else the user's name
  bool json = false;
};

// A new empty folder, gone with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }  // "" = it cannot be made

 private:
  std::string path_;
};

class Desk {
 public:
  // Nothing, and the reason is told, when there is no such place. `command` for messages.
  static std::optional<Desk> open(const DeskOptions& options, std::string command);

  routing::Store& store() { return store_; }
  const Config* config() const { return config_ ? &*config_ : nullptr; }
  bool needs_approval() const { return config_ && config_->tables.require_approval; }
  routing::Actor actor(const std::string& note) const;
  bool json() const { return options_.json; }

  // Tells what went wrong; returns the exit status.
  int complain(const routing::StoreError& error) const;
  int complain(int status, const std::string& text) const;

  // How the configuration's gateway compiles, now.
  routing::CompileOptions compile_options() const;
  // Compiles so, and reads the templates; tells the faults. True: there are none.
  bool compiles(const std::string& directory) const;
  // The draft's files compile, or the faults are told.
  routing::StoreResult<bool> draft_compiles(const routing::TableDraft& draft);

 private:
  Desk(DeskOptions options, std::string command, std::optional<Config> config,
       routing::StoreOptions store);

  DeskOptions options_;
  std::string command_;
  std::optional<Config> config_;
  std::shared_ptr<PeerReader> peers_;
  routing::Store store_;
};

// A copy of the files in a directory that is made or has no .csv files.
routing::StoreResult<void> write_files(routing::Store& store,
                                       const std::vector<routing::TableFile>& files,
                                       const std::string& directory);

// The directory of the tables that the configuration points to; with Redis, its current version in
// `folder`.
routing::StoreResult<std::string> tables_directory(const Config& config,
                                                   const TemporaryFolder& folder);
// The tables that `which` names (gateway/cli/table_side.h); "" = those of the configuration. What
// is kept in Redis comes into `folder`.
struct ChosenTables {
  std::string directory;
  std::string place;          // for people
  std::uint32_t version = 1;  // a draft has its base's
};
routing::StoreResult<ChosenTables> choose_tables(const Config& config, const std::string& which,
                                                 const TemporaryFolder& folder);
// For people: the directory, or the Redis.
std::string tables_place(const Config& config);

// Cells in columns, the first row the header; numbers to the right.
std::string aligned(const std::vector<std::vector<std::string>>& rows);

// "2026-11-20T11:15:01Z"
std::string moment_text(std::int64_t wall_us);

}  // namespace tollgate::gateway::cli
