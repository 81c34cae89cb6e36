// Amounts as carriers write them.
#include <algorithm>
#include <array>
#include <charconv>

#include "routing/sheets/values.h"

namespace tollgate::routing {
namespace {

constexpr const char* kPlain = "write a plain amount such as 0.0075";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_digit);
}

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  if (text.size() > 40) return false;
  return std::find(words.begin(), words.end(), lower(text)) != words.end();
}

void trim(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
}

bool is_code(std::string_view text) {
  return text.size() == 3 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// Takes a currency's code or sign off either end.
std::string take_currency(std::string_view& text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kSigns = {
      {{"\xe2\x82\xac", "EUR"}, {"\xc2\xa3", "GBP"}, {"$", ""}}};
  std::string found;
  for (const auto& [sign, code] : kSigns) {
    if (text.starts_with(sign)) {
      text.remove_prefix(sign.size());
      found = code;
    } else if (text.ends_with(sign)) {
      text.remove_suffix(sign.size());
      found = code;
    }
  }
  trim(text);
  if (text.size() > 3 && is_code(text.substr(0, 3)) && (is_digit(text[3]) || text[3] == ' ')) {
    found = text.substr(0, 3);
    text.remove_prefix(3);
  } else if (text.size() > 3 && is_code(text.substr(text.size() - 3))) {
    const char before = text[text.size() - 4];
    if (is_digit(before) || before == ' ') {
      found = text.substr(text.size() - 3);
      text.remove_suffix(3);
    }
  }
  trim(text);
  return found;
}

// "1,234" with groups of three after the first; the marks are dropped.
bool ungroup(std::string_view text, char mark, std::string& out) {
  std::size_t at = text.find(mark);
  if (at == 0 || at > 3) return false;
  out = text.substr(0, at);
  while (at != std::string_view::npos) {
    const std::string_view group = text.substr(at + 1, 3);
    const std::size_t next = at + 4;
    if (group.size() != 3 || !all_digits(group)) return false;
    if (next != text.size() && text[next] != mark) return false;
    out += group;
    at = next < text.size() ? next : std::string_view::npos;
  }
  return all_digits(out);
}

struct Decimal {
  std::string whole, fraction;
  char mark = 0;
};

tl::unexpected<Bad> bad(std::string reason, std::string right = kPlain) {
  return tl::unexpected(Bad{std::move(reason), std::move(right)});
}

// Which of the marks parts whole from fraction, and which groups thousands.
tl::expected<Decimal, Bad> split_decimal(std::string_view text, char decimal) {
  Decimal out;
  const auto dots = std::count(text.begin(), text.end(), '.');
  const auto commas = std::count(text.begin(), text.end(), ',');
  if (dots + commas == 0) return Decimal{std::string(text), "", 0};
  const std::size_t last = text.find_last_of(".,");
  char mark = text[last];
  const bool both = dots > 0 && commas > 0;
  const bool once = dots + commas == 1;
  const std::string_view before = text.substr(0, last), after = text.substr(last + 1);
  if (!both && !once) mark = mark == '.' ? ',' : '.';  // 1,234,567: they only group
  if (once && decimal != 0 && mark != decimal) {
    if (after.size() != 3)
      return bad(
          std::string("has '") + mark + "' for decimals; the template says '" + decimal + "'",
          std::string("write '") + decimal + "', or change decimal in the template");
    mark = decimal;
  }
  if (decimal != 0 && mark != decimal)
    return bad("has its marks the other way round than the template says");
  if (once && decimal == 0 && mark == ',' && after.size() == 3 && !before.empty() &&
      before != "0" && before.size() <= 3)
    return bad("can be read as a decimal or with thousands",
               "say decimal = \",\" or \".\" in the template");
  const char group = mark == '.' ? ',' : '.';
  std::string_view whole = text;
  if (text[last] == mark) {
    whole = before;
    out.fraction = after;
    out.mark = mark;
    if (after.empty()) return bad("ends in a decimal mark");
  }
  out.whole = whole;
  if (whole.find(group) != std::string_view::npos && !ungroup(whole, group, out.whole))
    return bad("has its thousands in wrong places");
  return out;
}

// Digits and where the point stands -> plain text for parse_nano.
std::string shifted(std::string digits, long point) {
  if (point <= 0) {
    digits.insert(0, static_cast<std::size_t>(1 - point), '0');
    point = 1;
  }
  if (static_cast<std::size_t>(point) > digits.size())
    digits.resize(static_cast<std::size_t>(point), '0');
  std::string fraction = digits.substr(static_cast<std::size_t>(point));
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  digits.resize(static_cast<std::size_t>(point));
  return fraction.empty() ? digits : digits + "." + fraction;
}

tl::expected<Nano, Bad> exact(const Decimal& decimal, long exponent) {
  const std::string digits = decimal.whole + decimal.fraction;
  if (digits.empty() || digits.size() > 40 || !all_digits(digits)) return bad("is not an amount");
  Nano amount = 0;
  const auto point = static_cast<long>(decimal.whole.size()) + exponent;
  if (const char* why = parse_nano(shifted(digits, point), amount))
    return bad(why, "give at most 9 decimals of the currency's unit");
  return amount;
}

// Takes "E-3" off the end.
bool take_exponent(std::string_view& text, long& exponent) {
  const std::size_t at = text.find_first_of("eE");
  if (at == std::string_view::npos) return true;
  std::string_view power = text.substr(at + 1);
  if (power.starts_with('+')) power.remove_prefix(1);
  const auto parsed = std::from_chars(power.data(), power.data() + power.size(), exponent);
  text = text.substr(0, at);
  return !power.empty() && parsed.ptr == power.data() + power.size() && exponent > -30 &&
         exponent < 30;
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_default_word(std::string_view text) {
  constexpr std::array<std::string_view, 18> kWords = {"*",
                                                       "000",
                                                       "all",
                                                       "other",
                                                       "others",
                                                       "default",
                                                       "rest",
                                                       "any",
                                                       "other networks",
                                                       "all networks",
                                                       "all other",
                                                       "all others",
                                                       "all other networks",
                                                       "other operators",
                                                       "all operators",
                                                       "country default",
                                                       "everything else",
                                                       "all mnc"};
  return is_one_of(text, kWords);
}

bool is_closed_word(std::string_view text) {
  constexpr std::array<std::string_view, 24> kWords = {
      "n/a",        "na",           "n.a.",          "n.a",       "closed",      "close",
      "blocked",    "block",        "unavailable",   "suspended", "suspend",     "stopped",
      "terminated", "discontinued", "not available", "no route",  "no coverage", "not supported",
      "removed",    "remove",       "deleted",       "delete",    "not offered", "withdrawn"};
  return is_one_of(text, kWords);
}

tl::expected<Price, Bad> parse_price(std::string_view text, char decimal, bool cents) {
  Price price;
  if (is_closed_word(text)) {
    price.closed = true;
    return price;
  }
  price.currency = take_currency(text);
  long exponent = 0;
  std::string number(text);
  // Blanks and apostrophes group thousands: 1 234,5 and 1'234.5.
  std::string_view rest = number;
  if (rest.find_first_of("0123456789") == std::string_view::npos) return bad("is not an amount");
  if (rest.starts_with('-') || rest.starts_with("\xe2\x88\x92"))
    return bad("is negative", "a price is 0 or more");
  if (!take_exponent(rest, exponent)) return bad("is not an amount");
  std::string plain;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const bool group = (rest[i] == ' ' || rest[i] == '\'') && i > 0 && i + 3 < rest.size() &&
                       all_digits(rest.substr(i + 1, 3));
    if (!group) plain += rest[i];
  }
  auto split = split_decimal(plain, decimal);
  if (!split) return tl::unexpected(split.error());
  const auto amount = exact(*split, exponent - (cents ? 2 : 0));
  if (!amount) return tl::unexpected(amount.error());
  price.amount = *amount;
  price.mark = split->mark;
  return price;
}

}  // namespace tollgate::routing
