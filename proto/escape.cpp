#include "proto/escape.h"

namespace tollgate::proto {

std::string escaped(std::string_view text, std::size_t octets_max) {
  constexpr char kHex[] = "0123456789abcdef";
  const std::string_view shown = text.substr(0, octets_max);
  std::string out;
  out.reserve(shown.size());
  for (char c : shown) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (octet >= 0x20 && octet < 0x7F) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[octet >> 4];
      out += kHex[octet & 15];
    }
  }
  if (shown.size() < text.size()) {
    out += "...(+" + std::to_string(text.size() - shown.size()) + " octets)";
  }
  return out;
}

}  // namespace tollgate::proto
