#include "routing/sheets/grid.h"

#include <algorithm>
#include <utility>

#include "routing/csv.h"

namespace tollgate::routing {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kNoBreak = "\xc2\xa0";
  while (true) {
    if (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ')
      text.remove_prefix(1);
    else if (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ')
      text.remove_suffix(1);
    else if (text.starts_with(kNoBreak))
      text.remove_prefix(kNoBreak.size());
    else if (text.ends_with(kNoBreak))
      text.remove_suffix(kNoBreak.size());
    else
      return text;
  }
}

// Zeros at every other place are what Latin text in UTF-16 without a mark looks like.
bool looks_like_utf16(std::string_view octets) {
  const std::string_view head = octets.substr(0, 512);
  const auto zeros = static_cast<std::size_t>(std::count(head.begin(), head.end(), '\0'));
  return head.size() >= 4 && zeros * 3 >= head.size();
}

}  // namespace

Grid::Cell Grid::at(std::size_t row, std::size_t column) const {
  const Row& r = rows_[row];
  if (column >= r.count) return {};
  const Stored& cell = cells_[r.begin + column];
  return {std::string_view(text_).substr(cell.begin, cell.length), cell.kind};
}

void Grid::begin_row(std::size_t number) {
  rows_.push_back({cells_.size(), 0, number});
}

bool Grid::add(std::size_t column, std::string_view text, CellKind kind) {
  text = trimmed(text);
  if (column >= kSheetColumnsMax) return text.empty();
  if (text.size() > kSheetCellBytesMax) return false;
  Row& row = rows_.back();
  if (text_.size() + text.size() > kGridBytesMax || cells_.size() + column > kGridCellsMax)
    return false;
  while (row.count <= column) {
    cells_.push_back({});
    ++row.count;
  }
  if (text.empty()) return true;
  cells_[row.begin + column] = {text_.size(), static_cast<std::uint32_t>(text.size()), kind};
  const std::size_t begin = text_.size();
  text_ += text;
  for (std::size_t i = begin; i < text_.size();) {
    const auto octet = static_cast<unsigned char>(text_[i]);
    const std::size_t length = utf8_length(std::string_view(text_).substr(i));
    if (octet < ' ' || octet == 0x7f) text_[i] = ' ';
    if (length == 0) text_[i] = '?';  // a workbook's; text files were checked as a whole
    i += std::max<std::size_t>(length, 1);
  }
  return true;
}

std::pair<const char*, const char*> Grid::refusal(std::size_t column, std::string_view text) {
  if (column >= kSheetColumnsMax)
    return {"is beyond 256 columns", "keep the columns with rates alone"};
  if (text.size() > kSheetCellBytesMax)
    return {"is longer than 32768 octets", "a cell holds one value"};
  return {"is one too many: at most 16000000 cells and 256 MiB of text", "split the sheet"};
}

void Findings::fault(SheetFinding finding) {
  finding.severity = Severity::fault;
  ++faults_;
  add(std::move(finding));
}

void Findings::warn(SheetFinding finding) {
  finding.severity = Severity::warning;
  ++warnings_;
  add(std::move(finding));
}

// Faults go before warnings where there is no room for all.
void Findings::add(SheetFinding finding) {
  finding.file = file_;
  finding.sheet = sheet;
  if (all_.size() >= kSheetFindingsMax) {
    ++left_out_;
    if (finding.severity == Severity::warning || faults_ > kSheetFindingsMax) return;
    const auto last = std::find_if(all_.rbegin(), all_.rend(), [](const SheetFinding& f) {
      return f.severity == Severity::warning;
    });
    if (last == all_.rend()) return;
    *last = std::move(finding);
    return;
  }
  all_.push_back(std::move(finding));
}

std::vector<SheetFinding> Findings::take() {
  std::stable_sort(all_.begin(), all_.end(), [](const SheetFinding& a, const SheetFinding& b) {
    return std::pair(a.severity, a.row) < std::pair(b.severity, b.row);
  });
  if (left_out_ > 0) {
    SheetFinding more;
    more.severity = faults_ > kSheetFindingsMax ? Severity::fault : Severity::warning;
    more.file = file_;
    more.sheet = sheet;
    more.reason = "and " + std::to_string(left_out_) + " more findings";
    all_.push_back(std::move(more));
  }
  return std::exchange(all_, {});
}

std::string finding_text(const SheetFinding& finding) {
  std::string text = finding.file;
  if (!finding.sheet.empty()) text += ", sheet " + finding.sheet;
  if (finding.row != 0) text += ", row " + std::to_string(finding.row);
  if (!finding.column.empty()) text += ", column " + finding.column;
  if (!finding.cell.empty()) text += " (" + finding.cell + ")";
  if (!finding.value.empty()) text += ", value \"" + finding.value + "\"";
  text += ": " + finding.reason;
  return finding.right.empty() ? text : text + "; " + finding.right;
}

std::string column_letters(std::size_t column) {
  std::string letters;
  for (++column; column > 0; column = (column - 1) / 26)
    letters.insert(letters.begin(), static_cast<char>('A' + (column - 1) % 26));
  return letters;
}

bool looks_like_formula(std::string_view text) {
  if (text.empty()) return false;
  if (text[0] == '=' || text[0] == '@') return true;
  if (text[0] != '+' && text[0] != '-') return false;
  // A sign before a number, a blank or nothing is no formula; before a name it is.
  return text.size() > 1 &&
         text.find_first_not_of("0123456789.,+-/;* ()\xc2\xa0") != std::string_view::npos;
}

std::string shown_value(std::string_view text) {
  return (looks_like_formula(text) ? "'" : "") + printable(text);
}

std::vector<Grid> read_grids(std::string_view octets, char separator, Findings& findings) {
  const auto refuse = [&](const char* reason, const char* right) {
    findings.fault({.reason = reason, .right = right});
    return std::vector<Grid>();
  };
  if (octets.empty()) return refuse("is empty", "a sheet has a header and rows");
  if (octets.size() > kSheetBytesMax) return refuse("is larger than 64 MiB", "split it");
  if (octets.starts_with("PK\x03\x04")) return read_workbook(octets, findings);
  if (octets.starts_with("\xd0\xcf\x11\xe0"))
    return refuse("is an old Excel workbook (.xls) or protected by a password",
                  "save it as .xlsx without a password, or as CSV");
  if (octets.starts_with("%PDF")) return refuse("is a PDF", "ask for .xlsx or CSV");
  if (octets.starts_with("\x1f\x8b")) return refuse("is compressed by gzip", "unpack it first");
  const bool marked = octets.starts_with("\xff\xfe") || octets.starts_with("\xfe\xff");
  if (!marked && looks_like_utf16(octets))
    return refuse("looks like UTF-16 without a byte order mark, or is no text",
                  "save it as UTF-8, or as UTF-16 with a byte order mark");
  std::vector<Grid> grids(1);
  if (!read_text(octets, separator, findings, grids[0])) grids.clear();
  return grids;
}

}  // namespace tollgate::routing
