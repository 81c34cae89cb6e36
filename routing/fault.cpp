#include "routing/fault.h"

#include <algorithm>
#include <iterator>

#include "routing/csv.h"

namespace tollgate::routing {
namespace {

struct Span {
  char32_t first, last;
};
// What a terminal or an editor obeys, hides or draws as nothing: controls, marks of direction,
// joiners and blanks of no width, separators of lines, selectors and tags, what is nobody's letter.
constexpr Span kUnseen[] = {
    {0x0000, 0x001f},   {0x007f, 0x009f},    {0x00ad, 0x00ad}, {0x034f, 0x034f}, {0x061c, 0x061c},
    {0x115f, 0x1160},   {0x17b4, 0x17b5},    {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e},
    {0x2060, 0x206f},   {0x2800, 0x2800},    {0x3164, 0x3164}, {0xd800, 0xf8ff}, {0xfdd0, 0xfdef},
    {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},    {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
};

// `text` is one character of valid UTF-8.
char32_t character(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (text.size() == 1) return first;
  char32_t value = first & (0x7f >> text.size());
  for (const char c : text.substr(1)) value = value << 6 | (static_cast<unsigned char>(c) & 0x3f);
  return value;
}

bool is_visible(char32_t value) {
  if ((value & 0xfffe) == 0xfffe) return false;  // no character, on any plane
  const auto after = std::upper_bound(std::begin(kUnseen), std::end(kUnseen), value,
                                      [](char32_t v, const Span& span) { return v < span.first; });
  return after == std::begin(kUnseen) || value > std::prev(after)->last;
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::size_t kCut = 80;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (i >= kCut) return out + "...";
    const std::size_t length = utf8_length(text.substr(i));
    if (length > 0 && is_visible(character(text.substr(i, length)))) {
      out += text.substr(i, length);
      i += length;
      continue;
    }
    for (std::size_t n = length > 0 ? length : 1; n > 0; --n, ++i) {
      const auto bad = static_cast<unsigned char>(text[i]);
      out += {'\\', 'x', kHex[bad >> 4], kHex[bad & 15]};
    }
  }
  return out;
}

std::string fault_text(const TableFault& fault) {
  std::string text = fault.file;
  if (fault.place != 0) {
    text += ":" + std::to_string(fault.row) + ":" + std::to_string(fault.place) + ": ";
    if (fault.column.empty()) return text + fault.reason;
    return text + fault.column + (fault.value.empty() ? "" : " = " + fault.value) + ": " +
           fault.reason;
  }
  if (fault.row != 0) text += ", row " + std::to_string(fault.row);
  if (!fault.column.empty()) text += ", column " + fault.column;
  if (!fault.value.empty()) text += ", value \"" + fault.value + "\"";
  return text + ": " + fault.reason;
}

}  // namespace tollgate::routing
