// Networks and prefixes as carriers write them: lists, ranges and marks in a cell.
#include <algorithm>

#include "routing/dialling.h"
#include "routing/prefix.h"
#include "routing/sheets/values.h"

namespace tollgate::routing {
namespace {

using Codes = tl::expected<std::vector<std::string>, Bad>;

tl::unexpected<Bad> bad(std::string reason, std::string right) {
  return tl::unexpected(Bad{std::move(reason), std::move(right)});
}

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Parted by any of the marks; empty parts are left out.
std::vector<std::string_view> parts(std::string_view text, std::string_view marks) {
  std::vector<std::string_view> all;
  while (true) {
    const std::size_t end = std::min(text.find_first_of(marks), text.size());
    if (const auto part = trimmed(text.substr(0, end)); !part.empty()) all.push_back(part);
    if (end == text.size()) return all;
    text.remove_prefix(end + 1);
  }
}

// An en dash is a hyphen, a no-break blank a blank.
std::string plain_marks(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("\xe2\x80\x93") || text.substr(i).starts_with("\xe2\x80\x94")) {
      out += '-';
      i += 2;
    } else if (text.substr(i).starts_with("\xc2\xa0")) {
      out += ' ';
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct Range {
  std::string_view low, high;
};

// Every code from low to high, as wide as they are. nullptr = done.
const char* expand(Range range, std::size_t most, std::vector<std::string>& out) {
  const auto [low, high] = range;
  if (!all_digits(low) || !all_digits(high)) return "is not made of digits";
  if (low.size() != high.size()) return "is a range between codes of different length";
  if (low > high) return "is a range that runs backwards";
  if (low.size() > kNumberDigitsMax) return "has too many digits";
  std::uint64_t from = 0, to = 0;
  for (char c : low) from = from * 10 + static_cast<std::uint64_t>(c - '0');
  for (char c : high) to = to * 10 + static_cast<std::uint64_t>(c - '0');
  if (to - from >= most || out.size() + (to - from) >= most) return "names too many codes";
  for (; from <= to; ++from) {
    std::string code = std::to_string(from);
    code.insert(0, low.size() - code.size(), '0');
    out.push_back(std::move(code));
  }
  return nullptr;
}

bool take_range(std::string_view part, Range& out) {
  const std::size_t dash = part.find('-');
  if (dash == std::string_view::npos) return false;
  out = {trimmed(part.substr(0, dash)), trimmed(part.substr(dash + 1))};
  return true;
}

// A list of codes and ranges of a length between `shortest` and `longest`.
Codes parse_list(std::string_view text, std::size_t shortest, std::size_t longest,
                 const std::string& right) {
  std::vector<std::string> out;
  const std::string marked = plain_marks(text);
  for (std::string_view part : parts(marked, "/,;| ")) {
    Range range{part, part};
    take_range(part, range);
    if (const char* why = expand(range, kNetworksPerCellMax, out)) return bad(why, right);
    if (out.back().size() < shortest || out.back().size() > longest)
      return bad("has not the digits it needs", right);
  }
  if (out.empty()) return bad("names nothing", right);
  return out;
}

// "20 - 25" is one range although blanks part lists.
std::string close_ranges(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') {
      const std::size_t next = text.find_first_not_of(' ', i);
      const bool beside = (next != std::string_view::npos && text[next] == '-') ||
                          (!out.empty() && out.back() == '-');
      if (beside) continue;
    }
    out += text[i];
  }
  return out;
}

// "262-01", "262 01", "262/01", "262.01": an MCC and one MNC.
bool take_pair(std::string_view part, std::string& out) {
  if (part.size() < 6 || part.size() > 7 || std::string_view("-/ ._").find(part[3]) == part.npos)
    return false;
  const std::string_view mcc = part.substr(0, 3), mnc = part.substr(4);
  if (!all_digits(mcc) || !all_digits(mnc)) return false;
  out = std::string(mcc) + std::string(mnc);
  return true;
}

// "262*", "262-*", "262xx", "262 Other": the country's default.
bool take_default(std::string_view part, std::string& out) {
  if (part.size() <= 3 || !all_digits(part.substr(0, 3))) return false;
  std::string_view rest = trimmed(part.substr(3));
  if (rest.starts_with('-') || rest.starts_with('/')) rest = trimmed(rest.substr(1));
  const std::string low = lower(rest);
  if (!is_default_word(rest) && low != "xx" && low != "xxx" && low != "**") return false;
  out = part.substr(0, 3);
  return true;
}

}  // namespace

Codes parse_mncs(std::string_view text) {
  if (text.empty() || is_default_word(text)) return std::vector<std::string>();
  const std::string right = "write MNCs of 2 or 3 digits: 01, 01/02/10 or 20-25";
  return parse_list(close_ranges(plain_marks(text)), 1, 3, right);
}

Codes parse_mccs(std::string_view text) {
  const std::string right = "write MCCs of 3 digits: 262, 310/311 or 310-316";
  return parse_list(close_ranges(plain_marks(text)), 3, 3, right);
}

Codes parse_networks(std::string_view text) {
  const std::string right = "write MCC and MNC together (26201), a list or a range of them";
  const std::string marked = close_ranges(plain_marks(text));
  std::string one;
  // 262-01 is a network, not a range; so is 262 01, though blanks part lists.
  if (take_pair(marked, one) || take_default(marked, one)) return std::vector<std::string>{one};
  std::vector<std::string> out;
  for (std::string_view part : parts(marked, "/,;| ")) {
    if (take_pair(part, one) || take_default(part, one)) {
      out.push_back(one);
      continue;
    }
    Range range{part, part};
    if (take_range(part, range) && range.low.size() == range.high.size() &&
        range.low.substr(0, 3) != range.high.substr(0, 3))
      return bad("is a range over more than one country", right);
    if (const char* why = expand(range, kNetworksPerCellMax, out)) return bad(why, right);
    const std::size_t size = out.back().size();
    if (size < 3 || size > 6) return bad("is not MCC and MNC together", right);
  }
  if (out.empty()) return bad("names nothing", right);
  return out;
}

Codes parse_prefixes(std::string_view text) {
  const std::string right = "write international digits: 4477, 4477/4478 or 44770-44775";
  const std::string marked = plain_marks(text);
  std::vector<std::string> out;
  for (std::string_view part : parts(marked, "/,;|")) {
    std::string digits;
    for (char c : part) {
      if (c != ' ' && c != '(' && c != ')') digits += c;
    }
    const auto international = [](std::string_view code) {
      if (code.starts_with('+'))
        code.remove_prefix(1);
      else if (code.starts_with("00"))
        code.remove_prefix(2);
      return code;
    };
    Range range{digits, digits};
    take_range(digits, range);
    range = {international(range.low), international(range.high)};
    if (digits.find_first_of("eE.") != std::string::npos)
      return bad("has lost digits to a spreadsheet's number format",
                 "write the digits as text: 447701");
    if (const char* why = expand(range, kPrefixesPerCellMax, out)) return bad(why, right);
    if (out.back()[0] == '0') return bad("begins with 0", right);
  }
  if (out.empty()) return bad("names nothing", right);
  return out;
}

}  // namespace tollgate::routing
