// CSV, TSV and ';' -> cells.
#include <algorithm>
#include <array>

#include "routing/csv.h"
#include "routing/sheets/grid.h"

namespace tollgate::routing {
namespace {

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&](std::uint32_t octet) { out += static_cast<char>(octet); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | point >> 6);
    put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  }
}

// UTF-16 behind its mark; false = half a character or a lone surrogate.
bool decode_utf16(std::string_view octets, bool big, std::string& out) {
  if (octets.size() % 2 != 0) return false;
  const auto unit = [&](std::size_t i) {
    const auto a = static_cast<unsigned char>(octets[i]);
    const auto b = static_cast<unsigned char>(octets[i + 1]);
    return static_cast<std::uint32_t>(big ? a << 8 | b : b << 8 | a);
  };
  out.reserve(octets.size());
  for (std::size_t i = 2; i < octets.size(); i += 2) {
    std::uint32_t point = unit(i);
    if (point >= 0xd800 && point < 0xe000) {
      if (point >= 0xdc00 || i + 3 >= octets.size()) return false;
      const std::uint32_t low = unit(i + 2);
      if (low < 0xdc00 || low >= 0xe000) return false;
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      i += 2;
    }
    append_utf8(out, point);
  }
  return true;
}

// The row of the first octet that is not UTF-8; 0 = all is.
std::size_t bad_utf8_row(std::string_view text) {
  std::size_t row = 1;
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      if (text[i] == '\n') ++row;
      ++i;
      continue;
    }
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) return row;
    i += length;
  }
  return 0;
}

// A line of "sep=;" as Excel writes it; takes it off.
char told_separator(std::string_view& text, std::size_t& row) {
  if (text.size() < 5 || !text.starts_with("sep=")) return 0;
  const char separator = text[4];
  const std::size_t end = text.find('\n');
  if (end > 6 || (separator != ',' && separator != ';' && separator != '\t')) return 0;
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  ++row;
  return separator;
}

// The one that most lines of the beginning have, outside quotes; more per line wins a tie.
char detect_separator(std::string_view text) {
  constexpr std::array kSeparators = {'\t', ';', ','};
  constexpr std::size_t kLinesSeen = 100;
  std::array<std::size_t, 3> lines{}, marks{}, here{};
  bool quoted = false;
  std::size_t seen = 0, begin = 0;
  for (std::size_t i = 0; i <= text.size() && seen < kLinesSeen; ++i) {
    const char c = i < text.size() ? text[i] : '\n';
    if (c == '"' && i < text.size()) quoted = !quoted;
    if (quoted && i < text.size()) continue;
    for (std::size_t s = 0; s < 3; ++s) here[s] += c == kSeparators[s];
    if (c != '\n') continue;
    seen += i > begin + 1;  // not the empty lines
    begin = i + 1;
    for (std::size_t s = 0; s < 3; ++s) {
      lines[s] += here[s] > 0;
      marks[s] += here[s];
    }
    here = {};
  }
  std::size_t best = 2;
  // A decimal comma makes commas as frequent as ';' and tabs: these go first where they part lines.
  for (std::size_t s : {1u, 0u}) {
    if (lines[s] * 2 > seen || (lines[s] > lines[best] && marks[s] > 0)) best = s;
  }
  return kSeparators[best];
}

class TextReader {
 public:
  TextReader(std::string_view text, char separator, Findings& findings, Grid& grid)
      : text_(text), separator_(separator), findings_(findings), grid_(grid) {}

  bool run(std::size_t row) {
    for (row_ = row; at_ < text_.size(); ++row_) {
      if (row_ > kSheetRowsMax) return refuse("has more than 1048576 rows", "split the sheet");
      grid_.begin_row(row_);
      if (!read_row()) return false;
    }
    return true;
  }

 private:
  bool read_row() {
    for (std::size_t column = 0;; ++column) {
      std::string_view cell;
      const bool quoted = at_ < text_.size() && text_[at_] == '"';
      if (quoted ? !read_quoted(column, cell) : !read_plain(cell)) return false;
      if (!grid_.add(column, cell, CellKind::text)) return refuse_cell(column, cell);
      if (at_ == text_.size()) return true;
      const char end = text_[at_++];
      if (end == '\r' && at_ < text_.size() && text_[at_] == '\n') ++at_;
      if (end != separator_) return true;
    }
  }

  bool read_plain(std::string_view& cell) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != separator_ && text_[at_] != '\n' &&
           text_[at_] != '\r')
      ++at_;
    cell = text_.substr(begin, at_ - begin);
    return true;
  }

  // A spreadsheet may break lines within quotes; the row it shows stays one.
  bool read_quoted(std::size_t column, std::string_view& cell) {
    unquoted_.clear();
    ++at_;
    while (at_ < text_.size()) {
      if (text_[at_] != '"') {
        unquoted_ += text_[at_++];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        unquoted_ += '"';
        at_ += 2;
      } else {
        ++at_;
        while (at_ < text_.size() && text_[at_] == ' ') ++at_;
        cell = unquoted_;
        if (at_ == text_.size() || text_[at_] == separator_ || text_[at_] == '\n' ||
            text_[at_] == '\r')
          return true;
        return refuse_at(column, cell, "has text behind the closing quote",
                         "double the quotes within a quoted cell");
      }
      if (unquoted_.size() > kSheetCellBytesMax) return refuse_cell(column, unquoted_);
    }
    return refuse_at(column, unquoted_, "has a quote that is never closed", "close it");
  }

  bool refuse_cell(std::size_t column, std::string_view cell) {
    const auto [reason, right] = Grid::refusal(column, cell);
    return refuse_at(column, cell, reason, right);
  }
  bool refuse_at(std::size_t column, std::string_view value, const char* reason,
                 const char* right) {
    findings_.fault({.row = row_,
                     .cell = column_letters(column) + std::to_string(row_),
                     .value = shown_value(value),
                     .reason = reason,
                     .right = right});
    return false;
  }
  bool refuse(const char* reason, const char* right) {
    findings_.fault({.row = row_, .reason = reason, .right = right});
    return false;
  }

  std::string_view text_;
  char separator_;
  Findings& findings_;
  Grid& grid_;
  std::size_t at_ = 0, row_ = 1;
  std::string unquoted_;
};

}  // namespace

bool read_text(std::string_view octets, char separator, Findings& findings, Grid& out) {
  std::string decoded;
  std::string_view text = octets;
  if (octets.starts_with("\xff\xfe") || octets.starts_with("\xfe\xff")) {
    if (!decode_utf16(octets, octets[0] == '\xfe', decoded)) {
      findings.fault({.reason = "is broken UTF-16", .right = "save it as UTF-8"});
      return false;
    }
    text = decoded;
  } else {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    if (const std::size_t row = bad_utf8_row(text); row != 0) {
      findings.fault({.row = row,
                      .reason = "is not UTF-8 (perhaps Windows-1252 or ISO 8859-1)",
                      .right = "save it as \"CSV UTF-8\""});
      return false;
    }
  }
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    const auto row = 1 + std::count(text.begin(), text.begin() + static_cast<long>(nul), '\n');
    findings.fault({.row = static_cast<std::size_t>(row),
                    .reason = "has a NUL octet: this is no text file",
                    .right = "save it as CSV or .xlsx"});
    return false;
  }
  std::size_t row = 1;
  const char told = told_separator(text, row);
  if (separator == 0) separator = told != 0 ? told : detect_separator(text);
  return TextReader(text, separator, findings, out).run(row);
}

}  // namespace tollgate::routing
