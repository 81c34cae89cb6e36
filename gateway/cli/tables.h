// `tollgate tables ...`: the versions of the tables in Redis. Each returns the exit status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "gateway/cli/desk.h"

namespace CLI {
class App;
}

namespace tollgate::gateway::cli {

struct TablesOptions : DeskOptions {
  std::uint32_t version = 0;  // 0 = the current one
  std::uint32_t draft = 0;
  std::string directory;
  std::string file;           // show: its content; import, remove: its name in the tables
  std::string path;           // import: where its new content is
  std::string plan, country;  // clients import: its row in clients.csv
  std::string a, b;           // diff: a number, "current", "draft:17" or a directory
  bool rows = false;          // diff: the rows too
  std::string note;
  std::string at;  // publish: when
  bool publish = false;
  bool repair = false;
  std::uint32_t after = 0;
  std::size_t limit = 20;
};

// What can be seen.
int tables_history(const TablesOptions& options);
int tables_show(const TablesOptions& options);
int tables_diff(const TablesOptions& options);
int tables_drafts(const TablesOptions& options);
int tables_audit(const TablesOptions& options);
int tables_gateways(const TablesOptions& options);
int tables_pull(const TablesOptions& options);

// What changes.
int tables_push(const TablesOptions& options);
int tables_import(const TablesOptions& options);
int tables_remove(const TablesOptions& options);
int tables_publish(const TablesOptions& options);
int tables_rollback(const TablesOptions& options);
int tables_approve(const TablesOptions& options);
int tables_rebase(const TablesOptions& options);
int tables_discard(const TablesOptions& options);

// The flags of all of them.
void add_tables(CLI::App& app, TablesOptions& options);
// The exit status, or none when the parse found another command.
std::optional<int> run_tables(const CLI::App& app, TablesOptions options);
// Commands for one kind of files of the tables, besides `rates` and `prices`. `file` is the file's
// name; a * in it is a name that the command is told.
struct FileGroup {
  const char* name;
  const char* what;
  const char* file;
};
inline constexpr FileGroup kFileGroups[] = {
    {"rules", "The rules: a draft of a new rules.csv, diff, publish", "rules.csv"},
    {"carriers", "The carriers that the tables have: drafts, diff, publish", "carriers/*.toml"},
    {"clients", "The clients that the tables have: drafts, diff, publish", "clients/*.toml"},
};
// `import` and `remove` of it.
void add_file_verbs(CLI::App& to, const FileGroup& group, TablesOptions& options);
// What is asked of drafts and versions whatever they change, for `rates` and `prices` too.
void add_draft_verbs(CLI::App& to, TablesOptions& options);
// Flags that all commands have which work on Redis.
void add_desk(CLI::App& command, DeskOptions& options);

}  // namespace tollgate::gateway::cli
