// A sheet as rows of text cells, whatever file it came from: CSV, TSV, ';' (UTF-8 or UTF-16 with a
// byte order mark) or XLSX. The first step of an import; one thread.
//
// 1. Rows and columns keep the numbers a spreadsheet shows; hidden rows are rows like any other.
// 2. A number of a workbook becomes the plain decimal text that Excel shows (15 digits), with the
//    zeros in front that its number format asks for; a date by its format becomes 2026-12-01 or
//    2026-12-01T08:30:00; a formula is its stored value, and one without is marked as such.
// 3. Bounds: kSheetBytesMax a file, kSheetRowsMax, kSheetColumnsMax, kSheetCellBytesMax,
//    kUnpackedBytesMax of one part of a workbook whatever its directory claims, kXmlMarksMax.
//    Anything beyond is a fault; nothing is cut.
// 4. Text is valid UTF-8; no cell has blanks at its ends; controls are blanks.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "routing/sheets/sheet.h"

namespace tollgate::routing {

inline constexpr std::size_t kUnpackedBytesMax = std::size_t{128} << 20;
inline constexpr std::size_t kXmlMarksMax = 12'000'000;  // '<' and '=': what the parsed form costs
inline constexpr std::size_t kWorkbookSheetsMax = 100;
inline constexpr std::size_t kGridBytesMax = std::size_t{256} << 20;  // of all cells' text
inline constexpr std::size_t kGridCellsMax = 16'000'000;

enum class CellKind : std::uint8_t {
  empty,
  text,
  number,  // a workbook's: its zeros in front may be lost
  date,
  formula,  // without a stored value; the text is the formula
  error,    // "#N/A", "#REF!"
};

class Grid {
 public:
  struct Cell {
    std::string_view text;
    CellKind kind = CellKind::empty;
  };

  std::string name;     // of the sheet; "" for text
  bool typed = false;   // from a workbook: text is text
  bool hidden = false;  // the sheet

  std::size_t rows() const { return rows_.size(); }
  std::size_t number(std::size_t row) const { return rows_[row].number; }  // as shown
  std::size_t columns(std::size_t row) const { return rows_[row].count; }
  Cell at(std::size_t row, std::size_t column) const;
  std::size_t octets() const { return text_.size() + cells_.size() * sizeof(Stored); }

  // Building. Rows come in order; false = beyond the bound.
  void begin_row(std::size_t number);
  [[nodiscard]] bool add(std::size_t column, std::string_view text, CellKind kind);
  // Why add() refused the cell, and what would be right.
  static std::pair<const char*, const char*> refusal(std::size_t column, std::string_view text);

 private:
  struct Stored {
    std::size_t begin = 0;
    std::uint32_t length = 0;
    CellKind kind = CellKind::empty;
  };
  struct Row {
    std::size_t begin = 0, count = 0, number = 0;
  };
  std::string text_;
  std::vector<Stored> cells_;
  std::vector<Row> rows_;
};

// Where findings of one import go: the first kSheetFindingsMax, then a count.
class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}
  std::string sheet;
  void fault(SheetFinding finding);
  void warn(SheetFinding finding);
  bool has_fault() const { return faults_ != 0; }
  std::size_t faults() const { return faults_; }
  std::vector<SheetFinding> take();

 private:
  void add(SheetFinding finding);
  std::string file_;
  std::vector<SheetFinding> all_;
  std::size_t faults_ = 0, warnings_ = 0, left_out_ = 0;
};

// "A", "Z", "AA"
std::string column_letters(std::size_t column);
// Fit for a terminal; what begins like a formula stands behind an apostrophe.
std::string shown_value(std::string_view text);
bool looks_like_formula(std::string_view text);

// Every sheet of the file (one for text), or faults. `separator` 0 = detect.
std::vector<Grid> read_grids(std::string_view octets, char separator, Findings& findings);

// text.cpp, xlsx.cpp
bool read_text(std::string_view octets, char separator, Findings& findings, Grid& out);
std::vector<Grid> read_workbook(std::string_view octets, Findings& findings);

}  // namespace tollgate::routing
