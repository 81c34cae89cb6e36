#include "routing/csv.h"

#include <algorithm>
#include <utility>

namespace tollgate::routing {
namespace {

constexpr std::string_view kBom = "\xef\xbb\xbf";

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\r'; });
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = at(1);
  if (first == 0xe0 && second < 0xa0) return 0;   // longer than need be
  if (first == 0xed && second >= 0xa0) return 0;  // surrogates
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second >= 0x90) return 0;  // beyond U+10FFFF
  return length;
}

void FaultList::add(TableFault fault) {
  if (count_++ < kTableFaultsMax) faults_.push_back(std::move(fault));
}

std::vector<TableFault> FaultList::take() {
  if (count_ > kTableFaultsMax) {
    faults_.push_back(
        {"", 0, "", "", "and " + std::to_string(count_ - kTableFaultsMax) + " more faults"});
  }
  count_ = 0;
  return std::exchange(faults_, {});
}

Sheet::Sheet(std::string file, std::string_view text, std::span<const Column> columns,
             FaultList& faults)
    : file_(std::move(file)), rest_(text), columns_(columns), faults_(faults) {
  if (rest_.starts_with(kBom)) rest_.remove_prefix(kBom.size());
  plain_ = is_plain(rest_);
  if (rest_.starts_with("\xff\xfe") || rest_.starts_with("\xfe\xff"))
    faults_.add({file_, 0, "", "", "is UTF-16; save it as UTF-8"});
  else
    good_ = read_header();
}

bool Sheet::next_line(std::string_view& line) {
  while (!rest_.empty()) {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++row_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) return true;
  }
  return false;
}

bool Sheet::next() {
  std::string_view line;
  while (good_ && next_line(line)) {
    if (!split(line)) continue;
    if (raw_.size() != header_.size()) {
      fault_row("has " + std::to_string(raw_.size()) + " cells, the header has " +
                std::to_string(header_.size()));
      continue;
    }
    bool good = true;
    for (std::size_t place = 0; place < raw_.size(); ++place)
      good = check_cell(raw_[place], place) && good;
    if (!good) continue;
    for (std::size_t i = 0; i < columns_.size(); ++i)
      cells_[i] = place_[i] == kAbsent ? std::string_view() : raw_[place_[i]];
    return true;
  }
  return false;
}

// The line's cells into raw_; false = a fault of form.
bool Sheet::split(std::string_view line) {
  raw_.clear();
  std::size_t at = 0;
  while (true) {
    const std::size_t place = raw_.size();
    if (place == kTableColumnsMax) {
      fault_row("has more than " + std::to_string(kTableColumnsMax) + " cells");
      return false;
    }
    if (at < line.size() && line[at] == '"') {
      if (!read_quoted(line, at, place)) return false;
    } else {
      const std::size_t end = std::min(line.find(',', at), line.size());
      const std::string_view cell = line.substr(at, end - at);
      if (cell.find('"') != std::string_view::npos) {
        faults_.add({file_, row_, column_name(place), printable(cell),
                     "has a quote within an unquoted cell"});
        return false;
      }
      raw_.push_back(cell);
      at = end;
    }
    if (at == line.size()) return true;
    ++at;  // the comma
  }
}

// line[at] is the opening quote; leaves `at` on the comma or the line's end.
bool Sheet::read_quoted(std::string_view line, std::size_t& at, std::size_t place) {
  if (unquoted_.size() < kTableColumnsMax) unquoted_.resize(kTableColumnsMax);
  std::string& cell = unquoted_[place];
  cell.clear();
  const std::size_t opened = at++;
  while (at < line.size()) {
    if (line[at] != '"') {
      cell += line[at++];
    } else if (at + 1 < line.size() && line[at + 1] == '"') {
      cell += '"';
      at += 2;
    } else {
      ++at;
      if (at < line.size() && line[at] != ',') {
        faults_.add({file_, row_, column_name(place), printable(line.substr(opened)),
                     "has text behind the closing quote"});
        return false;
      }
      raw_.push_back(cell);
      return true;
    }
  }
  faults_.add({file_, row_, column_name(place), printable(line.substr(opened)),
               "has a quote that is not closed on its line"});
  return false;
}

bool Sheet::check_cell(std::string_view cell, std::size_t place) {
  const char* reason = nullptr;
  if (cell.size() > kTableCellBytesMax) reason = "is longer than 4096 octets";
  for (std::size_t i = 0; !plain_ && reason == nullptr && i < cell.size();) {
    const std::size_t length = utf8_length(cell.substr(i));
    const auto octet = static_cast<unsigned char>(cell[i]);
    if (octet == 0)
      reason = "has a NUL octet";
    else if (octet < 0x20 || octet == 0x7f)
      reason = "has a control character";
    else if (length == 0)
      reason = "is not UTF-8";
    i += length;
  }
  if (plain_ && reason == nullptr && cell.find('\r') != std::string_view::npos)
    reason = "has a control character";
  if (reason == nullptr && (cell.starts_with(' ') || cell.ends_with(' ')))
    reason = "has blanks at its start or end";
  if (reason != nullptr) faults_.add({file_, row_, column_name(place), printable(cell), reason});
  return reason == nullptr;
}

bool Sheet::read_header() {
  place_.fill(kAbsent);
  std::string_view line;
  if (!next_line(line)) {
    faults_.add({file_, 0, "", "", "is empty; it needs at least a row with the columns' names"});
    return false;
  }
  if (!split(line)) return false;
  bool good = true;
  for (std::size_t place = 0; place < raw_.size(); ++place) {
    const std::string_view name = raw_[place];
    const auto column = std::find_if(columns_.begin(), columns_.end(),
                                     [&](const Column& c) { return name == c.name; });
    const char* reason = nullptr;
    if (!check_cell(name, place)) {
      good = false;
    } else if (column == columns_.end()) {
      reason = "is not a column of this file";
    } else if (std::size_t& known = place_[column - columns_.begin()]; known != kAbsent) {
      reason = "is there twice";
    } else {
      known = place;
    }
    if (reason != nullptr) {
      faults_.add({file_, row_, printable(name), printable(name), reason});
      good = false;
    }
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!columns_[i].required || place_[i] != kAbsent) continue;
    faults_.add({file_, row_, columns_[i].name, "", "this column is missing"});
    good = false;
  }
  for (std::string_view name : raw_) header_.emplace_back(name);
  return good;
}

std::string Sheet::column_name(std::size_t place) const {
  return place < header_.size() ? printable(header_[place]) : "#" + std::to_string(place + 1);
}

void Sheet::fault(std::size_t column, std::string reason) {
  fault_at(row_, column, cells_[column], std::move(reason));
}

void Sheet::fault_at(std::size_t row, std::size_t column, std::string_view value,
                     std::string reason) {
  faults_.add({file_, row, columns_[column].name, printable(value), std::move(reason)});
}

void Sheet::fault_row(std::string reason) {
  faults_.add({file_, row_, "", "", std::move(reason)});
}

}  // namespace tollgate::routing
