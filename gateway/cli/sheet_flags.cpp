// The flags of `tollgate rates` and `tollgate prices`.
#include "gateway/cli/sheet_flags.h"

#include <CLI/CLI.hpp>

namespace tollgate::gateway::cli {
namespace {

void add_limit(CLI::App& command, SheetOptions& options) {
  command.add_option("--limit", options.limit, "Show at most so many rows; 0 shows all")
      ->type_name("N");
}

// How a sheet is read.
void add_reading(CLI::App& command, SheetOptions& options) {
  command
      .add_option("--template", options.layout,
                  "How the sheet is written: a file, or the name of one of templates/ "
                  "(default: that of this name, if there is one)")
      ->type_name("T");
  command
      .add_option("--effective", options.effective, "When rows without a date begin (default: now)")
      ->type_name("TIME");
  command.add_flag("--partial", options.partial, "What the sheet does not name stays");
  command.add_flag("--full", options.full, "What the sheet does not name is closed");
  command.add_flag("--force", options.force, "A full sheet may close more than the template says");
  command.add_flag("--allow-zero", options.allow_zero, "A price of 0 is meant");
  add_limit(command, options);
}

void add_check(CLI::App& to, SheetOptions& options) {
  CLI::App& command = *to.add_subcommand(
      "check",
      options.verb("Read a carrier's rate sheet and show what it would change; publish nothing",
                   "Read a price list and show what it would change; publish nothing"));
  command.add_option("sheet", options.sheet, "CSV, TSV or XLSX")->type_name("SHEET")->required();
  command
      .add_option(options.verb("--carrier", "--plan"), options.name,
                  options.verb("Whose rates they are", "The price plan"))
      ->type_name("NAME")
      ->required();
  command
      .add_option("--tables", options.tables,
                  "What it is compared with: a version's number, draft:17, current, or a directory "
                  "(default: the tables in force)")
      ->type_name("T");
  add_reading(command, options);
  command.add_option("--out", options.out, "Write the new book here")->type_name("FILE");
  add_desk(command, options);
  command.footer(
      std::string("Exit status: 0 fine, 1 findings (faults, warnings, margins that get lost), 2 "
                  "bad usage.\n\nExample:\n  tollgate ") +
      options.verb("rates check acme.xlsx --carrier acme",
                   "prices check retail.csv --plan retail") +
      " --partial --effective 2026-12-01");
}

void add_import(CLI::App& to, SheetOptions& options) {
  CLI::App& command = *to.add_subcommand(
      "import", options.verb("Read a carrier's rate sheet into a draft of the tables in Redis",
                             "Read a price list into a draft of the tables in Redis"));
  command.add_option("name", options.name, options.verb("Whose rates they are", "The price plan"))
      ->type_name(options.verb("CARRIER", "PLAN"))
      ->required();
  command.add_option("sheet", options.sheet, "CSV, TSV or XLSX")->type_name("SHEET")->required();
  add_reading(command, options);
  command.add_flag("--keep-template", options.keep_template,
                   "The draft has the template too, for the next sheet");
  command.add_option("--draft", options.draft, "Put it into this draft instead of a new one")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command.add_option("--note", options.note, "Why, for the history")->type_name("TEXT");
  add_desk(command, options);
  command.footer(
      std::string("Exit status: 0 fine, 1 findings (with a fault nothing is stored; with a warning "
                  "the draft is), 2 bad usage.\n\nExample:\n  tollgate ") +
      options.verb("rates import acme acme.xlsx --partial --effective 2026-12-01",
                   "prices import retail retail.csv --full --effective 2026-12-01"));
}

void add_diff(CLI::App& to, SheetOptions& options) {
  CLI::App& command = *to.add_subcommand(
      "diff", "What a draft changes: rates, prices, and the margin of each client and destination");
  command.add_option("draft", options.draft, "The draft's number")
      ->type_name("DRAFT")
      ->required()
      ->check(CLI::PositiveNumber);
  add_limit(command, options);
  add_desk(command, options);
  command.footer(
      std::string("Exit status: 0 fine, 1 findings (faults, messages that lose their route or "
                  "their margin), 2 bad usage.\n\nExample:\n  tollgate ") +
      to.get_name() + " diff 17");
}

}  // namespace

void add_sheets(CLI::App& app, SheetCommands& commands, TablesOptions& tables) {
  for (SheetOptions* options : {&commands.rates, &commands.prices}) {
    CLI::App& to =
        *app.add_subcommand(options->verb("rates", "prices"),
                            options->verb("Carriers' rate sheets: check, import into a draft, diff",
                                          "Our price lists: check, import into a draft, diff"));
    to.require_subcommand(1);
    add_check(to, *options);
    add_import(to, *options);
    add_diff(to, *options);
    add_draft_verbs(to, tables);
  }
  for (const FileGroup& group : kFileGroups) {
    CLI::App& to = *app.add_subcommand(group.name, group.what);
    to.require_subcommand(1);
    add_file_verbs(to, group, tables);
    add_diff(to, commands.rates);
    add_draft_verbs(to, tables);
  }
}

std::optional<int> run_sheets(const CLI::App& app, const SheetCommands& commands) {
  for (const SheetOptions* options : {&commands.rates, &commands.prices}) {
    const char* group = options->verb("rates", "prices");
    if (!app.got_subcommand(group)) continue;
    const std::string name = app.get_subcommand(group)->get_subcommands().front()->get_name();
    if (name == "check") return check_sheet(*options);
    if (name == "import") return import_into_draft(*options);
    if (name == "diff") return diff_draft(*options);
  }
  for (const FileGroup& group : kFileGroups) {
    if (!app.got_subcommand(group.name)) continue;
    const std::string name = app.get_subcommand(group.name)->get_subcommands().front()->get_name();
    if (name == "diff") return diff_draft(commands.rates);
  }
  return std::nullopt;
}

}  // namespace tollgate::gateway::cli
