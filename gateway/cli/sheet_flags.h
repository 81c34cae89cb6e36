// The flags of the commands that read sheets.
#pragma once
#include <optional>

#include "gateway/cli/sheets.h"

namespace CLI {
class App;
}

namespace tollgate::gateway::cli {

struct SheetCommands {
  SheetOptions rates, prices{.book = routing::BookKind::price_plan};
};

// Adds `rates` and `prices`. `commands` must outlive the parse.
void add_sheets(CLI::App& app, SheetCommands& commands);
// The exit status, or none when the parse found another command.
std::optional<int> run_sheets(const CLI::App& app, const SheetCommands& commands);

}  // namespace tollgate::gateway::cli
