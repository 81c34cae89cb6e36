#include "routing/fault.h"

#include "routing/csv.h"

namespace tollgate::routing {

std::string printable(std::string_view text) {
  constexpr std::size_t kCut = 80;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (i >= kCut) return out + "...";
    const std::size_t length = utf8_length(text.substr(i));
    const auto octet = static_cast<unsigned char>(text[i]);
    // C1 controls (U+0080..U+009F) are 0xc2 0x80..0x9f.
    const bool control = octet < 0x20 || octet == 0x7f ||
                         (octet == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0);
    if (length > 0 && !control) {
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
