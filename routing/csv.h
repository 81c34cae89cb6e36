// A small strict reader of CSV (RFC 4180) for table files. Used while tables are compiled, by one
// thread.
//
// A file is UTF-8, with or without a byte order mark; lines end in LF or CRLF; the first line names
// the columns, in any order. Cells may be quoted ("a ""b"""). Empty lines are skipped.
// 1. Every fault goes into the FaultList with file, row and column; reading goes on with the next
//    row.
// 2. A row that next() gives has as many cells as the header, each at most kTableCellBytesMax
//    octets of valid UTF-8 without control characters; so there is no line break, not even a
//    quoted one.
// 3. Cells are views into the text, or into the sheet for quoted ones: valid until the next next().
#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/fault.h"

namespace tollgate::routing {

inline constexpr std::size_t kTableFileBytesMax = std::size_t{512} << 20;
inline constexpr std::size_t kTableCellBytesMax = 4'096;
inline constexpr std::size_t kTableColumnsMax = 32;

// The length of the character that `text` begins with; 0 = not valid UTF-8. `text` is not empty.
std::size_t utf8_length(std::string_view text);

class FaultList {
 public:
  void add(TableFault fault);
  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }
  // The faults in the order they were found; past kTableFaultsMax one more says how many there are.
  std::vector<TableFault> take();

 private:
  std::vector<TableFault> faults_;
  std::size_t count_ = 0;
};

struct Column {
  const char* name;
  bool required = true;
};

class Sheet {
 public:
  // Reads the header. `columns` (at most kTableColumnsMax) and `faults` must outlive the sheet.
  Sheet(std::string file, std::string_view text, std::span<const Column> columns,
        FaultList& faults);
  // The next row without a fault of form; false = no more (or the header was bad).
  bool next();

  std::string_view operator[](std::size_t column) const { return cells_[column]; }
  bool has(std::size_t column) const { return place_[column] != kAbsent; }
  std::size_t row() const { return row_; }
  const std::string& file() const { return file_; }
  void fault(std::size_t column, std::string reason);  // the current row's cell
  void fault_at(std::size_t row, std::size_t column, std::string_view value, std::string reason);
  void fault_row(std::string reason);

 private:
  static constexpr std::size_t kAbsent = ~std::size_t{0};
  bool next_line(std::string_view& line);
  bool split(std::string_view line);
  bool read_quoted(std::string_view line, std::size_t& at, std::size_t column);
  bool check_cell(std::string_view cell, std::size_t column);
  bool read_header();
  std::string column_name(std::size_t place) const;

  std::string file_;
  std::string_view rest_;
  std::span<const Column> columns_;
  FaultList& faults_;
  bool plain_;         // the whole text is printable ASCII: cells need no check
  bool good_ = false;  // the header is
  std::size_t row_ = 0;
  std::vector<std::string> header_;                         // by place in the file
  std::vector<std::string_view> raw_;                       // the current row, by place
  std::vector<std::string> unquoted_;                       // by place
  std::array<std::string_view, kTableColumnsMax> cells_{};  // by column
  std::array<std::size_t, kTableColumnsMax> place_{};
};

}  // namespace tollgate::routing
