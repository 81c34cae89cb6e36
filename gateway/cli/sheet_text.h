// An import or a draft, and its effect on margins, for people and for programs.
#pragma once
#include <string>
#include <vector>

#include "routing/sheets/context.h"
#include "routing/sheets/effect.h"
#include "routing/sheets/sheet.h"
#include "routing/store/table_set.h"

namespace tollgate::gateway::cli {

struct SheetReport {
  const routing::Import& import;
  const routing::SheetContext& context;
  const routing::ImportEffect* effect = nullptr;  // null = the import has faults
  std::size_t limit = 0;                          // rows of each table; 0 = all
  const routing::TableDraft* draft = nullptr;     // that was made of it
};

// "3 new, 1 raised, 0 lowered, 20 unchanged, 0 closed, 0 in error"
std::string counts_text(const routing::Import& import);
std::string sheet_text(const SheetReport& report);
std::string sheet_json(const SheetReport& report);
// Nothing an analyst need look at.
bool is_fine(const SheetReport& report);

// A draft against its base.
struct BookReport {
  std::string file;
  std::vector<routing::RateChange> changes;
};
struct FileReport {  // that is no book
  std::string file;
  const char* is = "";                 // "new", "removed", "changed"
  std::size_t removed = 0, added = 0;  // rows
};
struct DraftReport {
  const routing::TableDraft& draft;
  std::uint32_t current = 0;  // version
  std::vector<BookReport> books;
  std::vector<FileReport> files;
  const routing::SheetContext& context;
  routing::ImportEffect effect;
  std::size_t limit = 0;
};

std::string draft_text(const DraftReport& report);
std::string draft_json(const DraftReport& report);
bool is_fine(const routing::ImportEffect& effect);

}  // namespace tollgate::gateway::cli
