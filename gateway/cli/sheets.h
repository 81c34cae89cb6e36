// `tollgate rates check` and `tollgate prices check`: a sheet against the tables of a directory.
#pragma once
#include <string>

#include "routing/ratesheet.h"

namespace tollgate::gateway::cli {

struct SheetOptions {
  routing::BookKind book = routing::BookKind::rate_book;
  std::string sheet = {};   // the file
  std::string name = {};    // the carrier's or the plan's
  std::string tables = {};  // directory
  std::string layout = {};  // the template's file; "" = templates/<name>.toml there, if it exists
  std::string effective = {};  // for rows without a date
  std::string out = {};        // where the new book goes
  std::uint64_t limit = 100;   // rows shown to people; 0 = all
  bool full = false, partial = false, force = false, allow_zero = false, json = false;
};

// Exit status: 0 fine, 1 findings, 2 bad usage.
int check_sheet(const SheetOptions& options);

}  // namespace tollgate::gateway::cli
