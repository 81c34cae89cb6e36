// The flags of the commands that read sheets.
#pragma once
#include <optional>

#include "gateway/cli/sheets.h"
#include "gateway/cli/tables.h"

namespace CLI {
class App;
}

namespace tollgate::gateway::cli {

struct SheetCommands {
  SheetOptions rates{routing::BookKind::rate_book}, prices{routing::BookKind::price_plan};
};

// Adds `rates` and `prices`, and to both what `tables` asks of drafts. `commands` and `tables` must
// outlive the parse.
void add_sheets(CLI::App& app, SheetCommands& commands, TablesOptions& tables);
// The exit status, or none when the parse found another command, also one of `tables`.
std::optional<int> run_sheets(const CLI::App& app, const SheetCommands& commands);

}  // namespace tollgate::gateway::cli
