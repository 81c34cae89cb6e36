// The flags of `tollgate rates check` and `tollgate prices check`.
#include "gateway/cli/sheet_flags.h"

#include <CLI/CLI.hpp>

namespace tollgate::gateway::cli {
namespace {

void add_check(CLI::App& to, SheetOptions& options) {
  const bool rates = options.book == routing::BookKind::rate_book;
  CLI::App& command = *to.add_subcommand(
      "check", rates ? "Read a carrier's rate sheet and show what it would change; publish nothing"
                     : "Read a price list and show what it would change; publish nothing");
  command.add_option("sheet", options.sheet, "CSV, TSV or XLSX")->type_name("SHEET")->required();
  command
      .add_option(rates ? "--carrier" : "--plan", options.name,
                  rates ? "Whose rates they are" : "The price plan")
      ->type_name("NAME")
      ->required();
  command.add_option("--tables", options.tables, "The tables in force")
      ->type_name("DIR")
      ->required();
  command
      .add_option("--template", options.layout,
                  "How the sheet is written (default: DIR/templates/NAME.toml, if it is there)")
      ->type_name("FILE");
  command
      .add_option("--effective", options.effective, "When rows without a date begin (default: now)")
      ->type_name("T");
  command.add_flag("--partial", options.partial, "What the sheet does not name stays");
  command.add_flag("--full", options.full, "What the sheet does not name is closed");
  command.add_flag("--force", options.force, "A full sheet may close more than the template says");
  command.add_flag("--allow-zero", options.allow_zero, "A price of 0 is meant");
  command.add_option("--out", options.out, "Write the new book here")->type_name("FILE");
  command.add_option("--limit", options.limit, "Show at most so many rows; 0 shows all")
      ->type_name("N");
  command.add_flag("--json", options.json, "Print JSON");
  command.footer(
      std::string("Exit status: 0 fine, 1 findings (faults, warnings, margins that get lost), 2 "
                  "bad usage.\n\nExample:\n  tollgate ") +
      (rates ? "rates check acme.xlsx --carrier acme" : "prices check retail.csv --plan retail") +
      " --tables deploy/tables --partial --effective 2026-12-01");
}

}  // namespace

void add_sheets(CLI::App& app, SheetCommands& commands) {
  CLI::App& rates = *app.add_subcommand("rates", "Carriers' rate sheets");
  CLI::App& prices = *app.add_subcommand("prices", "Our price lists");
  rates.require_subcommand(1);
  prices.require_subcommand(1);
  add_check(rates, commands.rates);
  add_check(prices, commands.prices);
}

std::optional<int> run_sheets(const CLI::App& app, const SheetCommands& commands) {
  if (app.got_subcommand("rates")) return check_sheet(commands.rates);
  if (app.got_subcommand("prices")) return check_sheet(commands.prices);
  return std::nullopt;
}

}  // namespace tollgate::gateway::cli
