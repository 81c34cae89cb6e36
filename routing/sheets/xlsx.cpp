// XLSX (ECMA-376) -> cells.
#include <algorithm>
#include <charconv>
#include <map>
#include <pugixml.hpp>

#include "routing/csv.h"
#include "routing/sheets/formats.h"
#include "routing/sheets/grid.h"
#include "routing/sheets/zip.h"

namespace tollgate::routing {
namespace {

constexpr std::size_t kMergeStepsMax = 20'000'000;

std::string_view local(const char* name) {  // without a namespace's prefix
  const std::string_view text = name;
  const std::size_t colon = text.rfind(':');
  return colon == std::string_view::npos ? text : text.substr(colon + 1);
}

pugi::xml_node child(pugi::xml_node node, std::string_view name) {
  for (pugi::xml_node each : node.children()) {
    if (local(each.name()) == name) return each;
  }
  return {};
}

std::string_view attribute(pugi::xml_node node, std::string_view name) {
  for (pugi::xml_attribute each : node.attributes()) {
    if (local(each.name()) == name) return each.value();
  }
  return "";
}

bool parse_count(std::string_view text, std::size_t& out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

// "AB12" -> row 12, column 27.
bool parse_reference(std::string_view text, std::size_t& row, std::size_t& column) {
  column = 0;
  std::size_t at = 0;
  for (; at < text.size() && text[at] >= 'A' && text[at] <= 'Z' && at < 3; ++at)
    column = column * 26 + static_cast<std::size_t>(text[at] - 'A' + 1);
  if (at == 0 || !parse_count(text.substr(at), row) || row == 0 || row > kSheetRowsMax)
    return false;
  --column;
  return true;
}

// The text of <si> or <is>: its runs, without the phonetic ones.
std::string rich_text(pugi::xml_node node) {
  std::string text;
  for (pugi::xml_node part : node.children()) {
    if (local(part.name()) == "t") text += part.text().get();
    if (local(part.name()) == "r") text += child(part, "t").text().get();
  }
  return text;
}

struct Merge {
  std::size_t row, row_last, column;
  std::string text;
  CellKind kind = CellKind::empty;
};

class WorkbookReader {
 public:
  WorkbookReader(Package& package, Findings& findings) : package_(package), findings_(findings) {}

  std::vector<Grid> run() {
    pugi::xml_document workbook, relations;
    if (!load("xl/workbook.xml", workbook) || !load("xl/_rels/workbook.xml.rels", relations))
      return {};
    const pugi::xml_node root = workbook.document_element();
    const std::string_view since = attribute(child(root, "workbookPr"), "date1904");
    since_1904_ = since == "1" || since == "true";
    std::map<std::string, std::string> targets;
    for (pugi::xml_node each : relations.document_element().children())
      targets[std::string(attribute(each, "Id"))] = attribute(each, "Target");
    if (!read_strings() || !read_styles()) return {};
    std::vector<Grid> grids;
    std::size_t octets = 0;
    for (pugi::xml_node each : child(root, "sheets").children()) {
      if (grids.size() == kWorkbookSheetsMax) {
        refuse("", "has more than 100 sheets", "keep the sheet with the rates");
        return {};
      }
      std::string path = targets[std::string(attribute(each, "id"))];
      path = path.starts_with('/') ? path.substr(1) : "xl/" + path;
      if (path.find("worksheets/") == std::string::npos) continue;  // a chart
      grids.emplace_back();
      grids.back().typed = true;
      grids.back().name = printable(attribute(each, "name"));
      const std::string_view state = attribute(each, "state");
      grids.back().hidden = state == "hidden" || state == "veryHidden";
      findings_.sheet = grids.back().name;
      if (!read_sheet(path, grids.back())) return {};
      octets += grids.back().octets();
      if (octets > 2 * kGridBytesMax) {
        refuse("", "has too much in its sheets", "keep the sheet with the rates");
        return {};
      }
    }
    findings_.sheet.clear();
    if (grids.empty()) refuse("", "has no sheets", "");
    return grids;
  }

 private:
  void refuse(std::string value, std::string reason, const char* right) {
    findings_.fault({.value = std::move(value), .reason = std::move(reason), .right = right});
  }

  // False = a fault was told. A part that is not there is an empty document.
  bool load(const std::string& part, pugi::xml_document& document) {
    std::string xml;
    const char* why = package_.read(part, xml);
    if (why == nullptr && !xml.empty()) {
      const auto marks =
          std::count_if(xml.begin(), xml.end(), [](char c) { return c == '<' || c == '='; });
      if (static_cast<std::size_t>(marks) > kXmlMarksMax) {
        why = "has too many cells";
      } else if (!document.load_buffer(xml.data(), xml.size(),
                                       pugi::parse_default | pugi::parse_ws_pcdata_single)) {
        why = "is not well-formed XML";
      }
    }
    if (why == nullptr) return true;
    refuse(part, why, "open the file in a spreadsheet and save it again");
    return false;
  }

  bool read_strings() {
    pugi::xml_document document;
    if (!load("xl/sharedStrings.xml", document)) return false;
    for (pugi::xml_node each : document.document_element().children()) {
      if (local(each.name()) == "si") strings_.push_back(rich_text(each));
    }
    return true;
  }

  bool read_styles() {
    pugi::xml_document document;
    if (!load("xl/styles.xml", document)) return false;
    const pugi::xml_node root = document.document_element();
    std::map<std::size_t, std::string> codes;
    for (pugi::xml_node each : child(root, "numFmts").children()) {
      std::size_t id = 0;
      if (parse_count(attribute(each, "numFmtId"), id)) codes[id] = attribute(each, "formatCode");
    }
    for (pugi::xml_node each : child(root, "cellXfs").children()) {
      std::size_t id = 0;
      parse_count(attribute(each, "numFmtId"), id);
      const auto code = codes.find(id);
      formats_.push_back(number_format(static_cast<unsigned>(id),
                                       code == codes.end() ? "" : std::string_view(code->second)));
    }
    return true;
  }

  bool read_sheet(const std::string& path, Grid& grid) {
    pugi::xml_document document;
    if (!load(path, document)) return false;
    const pugi::xml_node root = document.document_element();
    read_merges(child(root, "mergeCells"));
    std::size_t last = 0;
    for (pugi::xml_node row : child(root, "sheetData").children()) {
      if (local(row.name()) != "row") continue;
      std::size_t number = last + 1;
      const std::string_view told = attribute(row, "r");
      if ((!told.empty() && !parse_count(told, number)) || number <= last ||
          number > kSheetRowsMax) {
        refuse(shown_value(told), "is a row number that cannot be",
               "open the file in a spreadsheet and save it again");
        return false;
      }
      last = number;
      grid.begin_row(number);
      if (!read_row(row, number, grid)) return false;
    }
    return true;
  }

  void read_merges(pugi::xml_node node) {
    merges_.clear();
    active_.clear();
    next_merge_ = 0;
    for (pugi::xml_node each : node.children()) {
      const std::string_view reference = attribute(each, "ref");
      const std::size_t colon = reference.find(':');
      std::size_t row = 0, column = 0, row_last = 0, column_last = 0;
      if (colon == std::string_view::npos ||
          !parse_reference(reference.substr(0, colon), row, column) ||
          !parse_reference(reference.substr(colon + 1), row_last, column_last))
        continue;
      // Only downwards: across a row it is a title, or a country above its networks.
      if (row_last > row && column == column_last)
        merges_.push_back({row, row_last, column, "", {}});
    }
    std::stable_sort(merges_.begin(), merges_.end(),
                     [](const Merge& a, const Merge& b) { return a.row < b.row; });
  }

  bool read_row(pugi::xml_node row, std::size_t number, Grid& grid) {
    std::size_t next = 0;
    const std::size_t place = grid.rows() - 1;
    for (pugi::xml_node cell : row.children()) {
      if (local(cell.name()) != "c") continue;
      std::size_t column = next, cell_row = number;
      const std::string_view reference = attribute(cell, "r");
      const bool good = reference.empty() || parse_reference(reference, cell_row, column);
      if (!good || cell_row != number || column < next) {
        refuse(shown_value(reference), "is a cell out of its place",
               "open the file in a spreadsheet and save it again");
        return false;
      }
      next = column + 1;
      CellKind kind = CellKind::empty;
      const std::string text = cell_text(cell, kind);
      if (!grid.add(column, text, kind)) return refuse_cell(number, column, text);
    }
    return fill_merged(number, place, grid);
  }

  bool refuse_cell(std::size_t row, std::size_t column, const std::string& text) {
    const auto [reason, right] = Grid::refusal(column, text);
    findings_.fault({.row = row,
                     .cell = column_letters(column) + std::to_string(row),
                     .value = shown_value(text),
                     .reason = reason,
                     .right = right});
    return false;
  }

  bool fill_merged(std::size_t number, std::size_t place, Grid& grid) {
    std::erase_if(active_, [&](std::size_t m) { return merges_[m].row_last < number; });
    for (const std::size_t m : active_) {
      const Merge& merge = merges_[m];
      if (grid.at(place, merge.column).kind != CellKind::empty) continue;
      if (!grid.add(merge.column, merge.text, merge.kind))
        return refuse_cell(number, merge.column, merge.text);
    }
    for (; next_merge_ < merges_.size() && merges_[next_merge_].row <= number; ++next_merge_) {
      Merge& merge = merges_[next_merge_];
      if (merge.row != number) continue;
      const Grid::Cell cell = grid.at(place, merge.column);
      merge.text = cell.text;
      merge.kind = cell.kind;
      if (!cell.text.empty()) active_.push_back(next_merge_);
    }
    merge_steps_ += active_.size();
    if (merge_steps_ <= kMergeStepsMax) return true;
    refuse("", "has too many merged areas", "unmerge the cells");
    return false;
  }

  std::string cell_text(pugi::xml_node cell, CellKind& kind) const {
    const std::string_view type = attribute(cell, "t");
    const pugi::xml_node value = child(cell, "v"), formula = child(cell, "f");
    if (type == "inlineStr") {
      kind = CellKind::text;
      return rich_text(child(cell, "is"));
    }
    const std::string_view stored = value.text().get();
    if (stored.empty() && formula) {
      kind = type == "str" ? CellKind::empty : CellKind::formula;
      return kind == CellKind::empty ? "" : "=" + std::string(formula.text().get());
    }
    if (stored.empty()) return "";
    kind = CellKind::text;
    if (type == "s") {
      std::size_t index = 0;
      if (parse_count(stored, index) && index < strings_.size()) return strings_[index];
      kind = CellKind::error;
      return "shared string " + std::string(stored) + " that is not there";
    }
    if (type == "b") return stored == "1" ? "TRUE" : "FALSE";
    if (type == "e") kind = CellKind::error;
    if (type == "d") kind = CellKind::date;
    if (type == "str" || type == "e" || type == "d") return std::string(stored);
    return number_text(cell, stored, kind);
  }

  std::string number_text(pugi::xml_node cell, std::string_view stored, CellKind& kind) const {
    std::size_t style = 0;
    parse_count(attribute(cell, "s"), style);
    const NumberFormat format = style < formats_.size() ? formats_[style] : NumberFormat{};
    std::string text = format.date ? serial_date(stored, since_1904_) : plain_number(stored);
    kind = format.date ? CellKind::date : CellKind::number;
    if (text.empty()) {
      kind = CellKind::error;
      return std::string(stored);
    }
    if (format.zeros == 0) return text;
    kind = CellKind::text;  // the format shows the zeros in front: none is lost
    return with_zeros(std::move(text), format.zeros);
  }

  Package& package_;
  Findings& findings_;
  bool since_1904_ = false;
  std::vector<std::string> strings_;
  std::vector<NumberFormat> formats_;
  std::vector<Merge> merges_;
  std::vector<std::size_t> active_;
  std::size_t next_merge_ = 0, merge_steps_ = 0;
};

}  // namespace

std::vector<Grid> read_workbook(std::string_view octets, Findings& findings) {
  Package package(octets);
  if (!package.open()) {
    findings.fault({.reason = "is a damaged zip file", .right = "ask for the file again"});
    return {};
  }
  if (!package.has("xl/workbook.xml")) {
    findings.fault({.reason = "is a zip file but no .xlsx workbook",
                    .right = "send the .xlsx itself, not zipped"});
    return {};
  }
  std::vector<Grid> grids = WorkbookReader(package, findings).run();
  if (findings.has_fault()) grids.clear();
  return grids;
}

}  // namespace tollgate::routing
