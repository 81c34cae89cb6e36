// The flags of `tollgate tables`.
#include <algorithm>
#include <iterator>
#include <string_view>

#include <CLI/CLI.hpp>

#include "gateway/cli/commands.h"
#include "gateway/cli/tables.h"

namespace tollgate::gateway::cli {
namespace {

struct Command {
  const char* name;
  const char* what;
  const char* example;  // behind "tollgate tables "
  void (*flags)(CLI::App&, TablesOptions&);
  int (*run)(const TablesOptions&);
};

void add_version(CLI::App& app, TablesOptions& options) {
  app.add_option("--version", options.version, "The version (default: the current one)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

void add_draft(CLI::App& app, TablesOptions& options) {
  app.add_option("draft", options.draft, "The draft's number")
      ->type_name("DRAFT")
      ->required()
      ->check(CLI::PositiveNumber);
}

void add_note(CLI::App& app, TablesOptions& options) {
  app.add_option("--note", options.note, "Why, for the history")->type_name("TEXT");
}

void add_limit(CLI::App& app, TablesOptions& options) {
  app.add_option("--limit", options.limit, "At most so many, the newest first")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000));
}

void add_directory(CLI::App& app, TablesOptions& options) {
  app.add_option("directory", options.directory, "The directory of the CSV files")
      ->type_name("DIR")
      ->required();
}

void show_flags(CLI::App& app, TablesOptions& options) {
  add_version(app, options);
  app.add_option("file", options.file, "Print this file's content")->type_name("FILE");
}

void diff_flags(CLI::App& app, TablesOptions& options) {
  const char* what = "A version's number, current, draft:N, or a directory";
  app.add_option("a", options.a, what)->type_name("A")->required();
  app.add_option("b", options.b, what)->type_name("B")->required();
  app.add_flag("--rows", options.rows, "Print the rows that differ");
}

void add_into_draft(CLI::App& app, TablesOptions& options) {
  add_note(app, options);
  app.add_option("--draft", options.draft, "Put it into this draft instead of a new one")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

void push_flags(CLI::App& app, TablesOptions& options) {
  add_directory(app, options);
  add_into_draft(app, options);
  app.add_flag("--publish", options.publish, "Publish it at once");
  app.add_option("--after", options.after,
                 "For a Redis that lost its data: the first version's number is one more")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_flag("--repair", options.repair, "Check every file's content in Redis, mend what is not");
}

void remove_flags(CLI::App& app, TablesOptions& options) {
  app.add_option("name", options.file, "The file's name in the tables, such as portability.csv")
      ->type_name("NAME")
      ->required();
  add_into_draft(app, options);
}

void import_flags(CLI::App& app, TablesOptions& options) {
  app.add_option("name", options.file, "The file's name in the tables, such as rules.csv")
      ->type_name("NAME")
      ->required();
  app.add_option("file", options.path, "Its new content")->type_name("FILE")->required();
  add_into_draft(app, options);
}

void pull_flags(CLI::App& app, TablesOptions& options) {
  add_directory(app, options);
  add_version(app, options);
  app.add_option("--draft", options.draft, "The files as this draft would make them")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

void publish_flags(CLI::App& app, TablesOptions& options) {
  add_draft(app, options);
  add_note(app, options);
  app.add_option("--at", options.at, "When, in UTC; a gateway does it then")->type_name("TIME");
}

void rollback_flags(CLI::App& app, TablesOptions& options) {
  app.add_option("version", options.version, "Whose files shall be in force again")
      ->type_name("N")
      ->required()
      ->check(CLI::PositiveNumber);
  add_note(app, options);
}

void draft_and_note(CLI::App& app, TablesOptions& options) {
  add_draft(app, options);
  add_note(app, options);
}

void none(CLI::App&, TablesOptions&) {}

constexpr Command kCommands[] = {
    {"history", "The published versions: who, when, why", "history --limit 5", add_limit,
     tables_history},
    {"show", "A version and its files, or one file's content", "show --version 41 rates/alpha.csv",
     show_flags, tables_show},
    {"diff", "What differs between two versions, drafts or directories; status 1 if anything",
     "diff current draft:17 --rows", diff_flags, tables_diff},
    {"push", "Make a draft of what a directory changes; with faults nothing is stored",
     "push tables --note \"new rates of alpha\" --publish", push_flags, tables_push},
    {"import", "Make a draft of one file's new content; with faults nothing is stored",
     "import senders.csv ./senders.csv --note \"short codes for shop\"", import_flags,
     tables_import},
    {"remove", "Make a draft without a file", "remove portability.csv", remove_flags,
     tables_remove},
    {"pull", "Write a version's files into an empty directory", "pull tables --version 41",
     pull_flags, tables_pull},
    {"publish", "Publish a draft, now or at a time",
     "publish 17 --at 2026-12-01T00:00Z --note \"December\"", publish_flags, tables_publish},
    {"rollback", "Publish an older version again, under a new number",
     "rollback 41 --note \"wrong rates\"", rollback_flags, tables_rollback},
    {"drafts", "The drafts that are open", "drafts", none, tables_drafts},
    {"approve", "Approve a draft", "approve 17", draft_and_note, tables_approve},
    {"rebase", "Put a draft on top of the current version", "rebase 17", draft_and_note,
     tables_rebase},
    {"discard", "End a draft", "discard 17", draft_and_note, tables_discard},
    {"audit", "Every act: who, when, what, why", "audit --limit 50", add_limit, tables_audit},
    {"gateways", "Which version each gateway runs, and what it refused", "gateways", none,
     tables_gateways},
};

// What is asked of drafts and versions, whatever they change.
constexpr std::string_view kDraftVerbs[] = {"history", "show",   "publish", "rollback", "drafts",
                                            "approve", "rebase", "discard", "audit"};

void add_command(CLI::App& to, const Command& each, TablesOptions& options) {
  CLI::App& command = *to.add_subcommand(each.name, each.what);
  each.flags(command, options);
  add_desk(command, options);
  command.footer("Example:\n  tollgate " + to.get_name() + " " + each.example);
}

}  // namespace

void add_desk(CLI::App& command, DeskOptions& options) {
  command.add_option("--config", options.config, "The gateway's configuration")->type_name("FILE");
  command
      .add_option("--redis", options.redis,
                  "host:port/database or a socket's path, instead of the configuration's")
      ->type_name("PLACE");
  command.add_option("--prefix", options.prefix, "Of the keys (default: tollgate:tables:)");
  command.add_option("--who", options.who, "Who does it (default: $TOLLGATE_WHO, else the user)")
      ->type_name("NAME");
  command.add_flag("--json", options.json, "Print JSON");
}

void add_draft_verbs(CLI::App& to, TablesOptions& options) {
  for (const Command& each : kCommands) {
    if (std::find(std::begin(kDraftVerbs), std::end(kDraftVerbs), each.name) !=
        std::end(kDraftVerbs))
      add_command(to, each, options);
  }
}

void add_tables(CLI::App& app, TablesOptions& options) {
  CLI::App& tables = *app.add_subcommand(
      "tables", "Versions of the tables in Redis: publish, roll back, drafts, history");
  tables.require_subcommand(1);
  tables.footer(
      "Exit status: 0 fine, 1 findings (faults, conflicts, no Redis; diff: there are "
      "differences), 2 bad usage.\n\n"
      "Example:\n  tollgate tables push tables --note \"new rates\" && tollgate tables publish 17");
  for (const Command& each : kCommands) add_command(tables, each, options);
}

void add_file_verbs(CLI::App& to, const FileGroup& group, TablesOptions& options) {
  const std::string form = group.file;
  const bool named = form.find('*') != form.npos;
  const std::string example =
      std::string(group.name) + (named ? " import acme acme.toml" : " import rules.csv");
  CLI::App& import = *to.add_subcommand(
      "import", "Make a draft of one file's new content; with faults nothing is stored");
  if (named)
    import.add_option("name", options.file, "Whose file it is")->type_name("NAME")->required();
  import.add_option("file", options.path, "Its new content")->type_name("FILE")->required();
  if (std::string_view(group.name) == "clients") {
    import.add_option("--plan", options.plan, "Its price plan, in clients.csv")->type_name("PLAN");
    import.add_option("--country", options.country, "Its default_country, in clients.csv")
        ->type_name("ISO");
  }
  add_into_draft(import, options);
  add_desk(import, options);
  import.footer("Example:\n  tollgate " + example + " --note \"new\"");
  if (!named) return;
  CLI::App& remove = *to.add_subcommand("remove", "Make a draft without it");
  remove.add_option("name", options.file, "Whose file it is")->type_name("NAME")->required();
  add_into_draft(remove, options);
  add_desk(remove, options);
  remove.footer("Example:\n  tollgate " + std::string(group.name) + " remove acme");
}

std::optional<int> run_tables(const CLI::App& app, TablesOptions options) {
  std::vector<std::string> groups{"tables", "rates", "prices"};
  for (const FileGroup& group : kFileGroups) {
    groups.emplace_back(group.name);
    if (!app.got_subcommand(group.name)) continue;
    std::string file = group.file;
    if (const std::size_t at = file.find('*'); at != file.npos) file.replace(at, 1, options.file);
    const std::string verb = app.get_subcommand(group.name)->get_subcommands().front()->get_name();
    if (verb == "import" || verb == "remove") options.file = file;
  }
  for (const std::string& group : groups) {
    if (!app.got_subcommand(group)) continue;
    const std::string name = app.get_subcommand(group)->get_subcommands().front()->get_name();
    for (const Command& each : kCommands) {
      if (name == each.name) return each.run(options);
    }
  }
  return std::nullopt;
}

}  // namespace tollgate::gateway::cli
