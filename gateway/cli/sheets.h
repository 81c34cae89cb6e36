// `tollgate rates` and `tollgate prices`: sheets against the tables of a directory, or into a draft
// in Redis; what a draft does. Each returns the exit status: 0 fine, 1 findings, 2 bad usage.
#pragma once
#include <optional>
#include <string>

#include "gateway/cli/desk.h"
#include "routing/sheets/context.h"
#include "routing/sheets/effect.h"
#include "routing/sheets/sheet.h"

namespace tollgate::gateway::cli {

struct SheetOptions : DeskOptions {
  explicit SheetOptions(routing::BookKind kind) : book(kind) {}
  routing::BookKind book;
  std::string sheet;      // the file
  std::string name;       // the carrier's or the plan's
  std::string tables;     // check: a directory, version or draft; "" = those in force
  std::string layout;     // a template's file or its name; "" = templates/<name>.toml, if it exists
  std::string effective;  // for rows without a date
  std::string out;        // check: where the new book goes
  std::string note;       // import
  std::uint32_t draft = 0;    // import: 0 = a new one; diff: which
  std::uint64_t limit = 100;  // rows shown to people; 0 = all
  bool full = false, partial = false, force = false, allow_zero = false;
  bool keep_template = false;  // import
  const char* verb(const char* rates, const char* prices) const {
    return book == routing::BookKind::rate_book ? rates : prices;
  }
};

// A sheet that was read against the tables of a directory.
struct ReadSheet {
  std::string book;           // the text of the book as it is there; "" = there is none
  std::string template_text;  // of the template that was used
  routing::SheetContext context;
  routing::Import import;
  std::optional<routing::ImportEffect> effect;  // none when the import has faults
};
// Told, and the exit status, when it could not be read at all. `compile.now_us` is not looked at.
int read_sheet(const SheetOptions& options, const std::string& directory,
               routing::CompileOptions compile, std::optional<ReadSheet>& out);

// Now, as dates of rows have it: the next full minute.
std::int64_t minute_from_now();

// When the last row of a book that the draft changes is in force; the next minute, when all are.
routing::StoreResult<std::int64_t> last_change_us(routing::Store& store,
                                                  const routing::TableDraft& draft);

int check_sheet(const SheetOptions& options);
// What the sheet changes becomes a draft in Redis; with a fault nothing is stored.
int import_into_draft(const SheetOptions& options);
// The rows of a draft against its base, and what they do to margins.
int diff_draft(const SheetOptions& options);

}  // namespace tollgate::gateway::cli
