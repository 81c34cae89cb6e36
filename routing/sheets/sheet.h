// A carrier's rate sheet (or our own price list) and the book in force -> the new book and what
// changes. The one entrance: `tollgate rates check` and every draft go through import_sheet().
// Pure but for reading the time-zone data of the system; any one thread; no Redis, no gateway.
//
//   octets -> cells (grid.h) -> columns' meanings (layout.h)
//          -> rows of meaning (rows.h) -> the new book (book.h) -> findings
//
// 1. An import with a fault has no new text: nothing of it can be published.
// 2. Nothing is guessed: what can be read in two ways is a fault that says how to write it.
// 3. The new text is canonical: the columns of docs/tables.md in their order, sorted rows, LF. The
//    same sheet imported again changes nothing.
// 4. A row of the book that the sheet does not touch stays, except for effective_to when a full
//    sheet closes it. Past rows are never rewritten, except by a sheet whose date is in the past.
// 5. Octets of the sheet reach a finding only through printable(); text that begins like a formula
//    is shown with an apostrophe in front.
// 6. Bounds: kSheet* below; time and memory grow only with the octets of the sheet and the book.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/money.h"
#include "routing/sheets/template.h"

namespace tollgate::routing {

class SheetContext;  // routing/sheets/context.h

inline constexpr std::size_t kSheetBytesMax = std::size_t{64} << 20;  // of the file
inline constexpr std::size_t kSheetRowsMax = 1'048'576;               // Excel's
inline constexpr std::size_t kSheetColumnsMax = 256;
inline constexpr std::size_t kSheetCellBytesMax = 32'768;
inline constexpr std::size_t kSheetItemsMax = 2'000'000;  // rows of meaning, ranges expanded
inline constexpr std::size_t kSheetFindingsMax = 1'000;
inline constexpr std::size_t kDatesPerThingMax = 200;  // rows of one network or prefix

enum class Severity : std::uint8_t { fault, warning };

struct SheetFinding {
  Severity severity = Severity::fault;
  std::string file = {};    // of the sheet, as given
  std::string sheet = {};   // of a workbook; "" for text
  std::size_t row = 0;      // as a spreadsheet counts; 0 = the sheet as a whole
  std::string column = {};  // the header's text; "" = the row as a whole
  std::string cell = {};    // "F12"; "" where no single cell is meant
  std::string value = {};   // escaped and cut, fit for a terminal
  std::string reason = {};  // what is wrong
  std::string right = {};   // what would be right
};
// "acme.xlsx, sheet Rates, F12 (New price), value \"-1\": is negative; write ..."
std::string finding_text(const SheetFinding& finding);

enum class BookKind : std::uint8_t { rate_book, price_plan };

// What a segment costs; both parts are charged. kNone (routing/tables.h) = no such part.
struct Charge {
  Nano submit = 0, delivered = 0;
  std::string currency;
  std::string delivered_currency = {};  // only where it is another one
  bool operator==(const Charge&) const = default;
};

enum class ChangeKind : std::uint8_t { added, raised, lowered, unchanged, closed };
inline constexpr std::size_t kChangeKinds = 5;
const char* change_name(ChangeKind);  // "new", "raised", ...

struct RateChange {
  ChangeKind kind = ChangeKind::unchanged;
  bool is_prefix = false;
  std::string thing;  // "23415", "234" (a country's default) or a prefix
  std::string only;   // "" = everyone; "alphanumeric" senders; "100000": from that volume on
  std::optional<Charge> before, after;
  std::optional<std::int64_t> basis_points;  // of the change: 150 = 1.5 %, in the base currency
  std::int64_t from_us = 0;
  std::int64_t to_us = 0;           // int64's maximum = open
  bool ends_at_planned = false;     // to_us is where a row that the book plans already begins
  bool leaves_gap = false;          // at to_us nothing follows: from then on there is no rate
  std::optional<Nano> told_before;  // what the sheet says the price was
  std::size_t row = 0;  // of the sheet; 0 = closed because a full sheet does not name it
};

struct ImportRequest {
  std::string file;         // the sheet's name, for findings
  std::string_view octets;  // its content as it is
  BookKind book = BookKind::rate_book;
  std::string name;               // of the carrier or the plan
  std::string_view book_text;     // rates/<name>.csv or plans/<name>.csv now; "" = there is none
  SheetTemplate layout;           // {} = everything is detected
  std::optional<SheetKind> kind;  // beats the template's
  std::optional<std::int64_t> effective_us;  // for rows without a date of their own
  bool force = false;                        // a full sheet may close more than closed_percent_max
  bool allow_zero = false;                   // a price of 0 may be meant
  std::int64_t now_us = 0;
};

struct Import {
  std::string book_file;                // "rates/acme.csv"
  std::optional<std::string> new_text;  // none when there is a fault
  std::vector<RateChange> changes;      // by thing
  std::size_t counts[kChangeKinds] = {};
  std::size_t in_error = 0;  // rows of the sheet with a fault
  std::vector<SheetFinding> findings;
  std::string sheet;  // the one that was read
  std::size_t header_row = 0;
  std::vector<std::string> columns;  // "New price = price", for people; "Comment is not used"
  SheetKind kind = SheetKind::partial;
  bool has_fault() const { return !new_text; }
};

Import import_sheet(const ImportRequest& request, const SheetContext& context);

}  // namespace tollgate::routing
