// An import and its effect on margins, for people and for programs.
#pragma once
#include <string>

#include "routing/ratesheet.h"
#include "routing/ratesheet_context.h"
#include "routing/ratesheet_effect.h"

namespace tollgate::gateway::cli {

struct SheetReport {
  const routing::Import& import;
  const routing::SheetContext& context;
  const routing::ImportEffect* effect = nullptr;  // null = the import has faults
  std::size_t limit = 0;                          // rows of each table; 0 = all
};

std::string sheet_text(const SheetReport& report);
std::string sheet_json(const SheetReport& report);
// Nothing an analyst need look at.
bool is_fine(const SheetReport& report);

}  // namespace tollgate::gateway::cli
