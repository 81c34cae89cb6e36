#include "routing/compile/cells.h"

#include <algorithm>
#include <array>

namespace tollgate::routing {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Exactly `text` as a number of digits; false = something else is in it.
bool parse_field(std::string_view text, unsigned& out) {
  out = 0;
  for (char c : text) {
    if (!is_digit(c)) return false;
    out = out * 10 + static_cast<unsigned>(c - '0');
  }
  return true;
}

// Days from 1970-01-01 (civil calendar, H. Hinnant's algorithm).
std::int64_t days_of(unsigned year, unsigned month, unsigned day) {
  const std::int64_t y = static_cast<std::int64_t>(year) - (month <= 2);
  const std::int64_t era = y / 400;
  const std::int64_t year_of_era = y - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

unsigned days_in(unsigned year, unsigned month) {
  constexpr std::array<unsigned, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// "hh:mm" -> minutes; 24:00 is the day's end.
bool parse_clock(std::string_view text, std::uint16_t& out) {
  unsigned hour, minute;
  if (text.size() != 5 || text[2] != ':' || !parse_field(text.substr(0, 2), hour) ||
      !parse_field(text.substr(3), minute) || minute > 59 || hour * 60 + minute > 1'440)
    return false;
  out = static_cast<std::uint16_t>(hour * 60 + minute);
  return true;
}

}  // namespace

const char* bad_name(std::string_view name) {
  constexpr std::size_t kNameMax = 64;
  if (name.empty()) return "is empty";
  if (name.size() > kNameMax) return "is longer than 64 characters";
  const auto letter = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  const bool good = letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
                      return letter(c) || c == '-' || c == '_' || c == '.';
                    });
  return good ? nullptr : "is not a name (letters, digits, '-', '_', '.'; a letter or digit first)";
}

const char* bad_digits(std::string_view text, std::size_t length_max) {
  if (text.empty()) return "is empty";
  if (!std::all_of(text.begin(), text.end(), is_digit)) return "is not digits alone (no '+')";
  return text.size() > length_max ? "has too many digits" : nullptr;
}

const char* bad_prefix(const Dialling& dialling, std::string_view prefix) {
  if (const char* why = bad_digits(prefix, kNumberDigitsMax)) return why;
  if (prefix[0] == '0') return "begins with 0; a prefix is international, without 00";
  if (prefix.size() >= 3 && dialling.calling_code(prefix) == 0)
    return "begins with no country's calling code";
  return nullptr;
}

const char* bad_destination(std::string_view text) {
  if (const char* why = bad_digits(text, 6)) return why;
  return text.size() == 3 || text.size() >= 5
             ? nullptr
             : "is not MCC and MNC together (5 or 6 digits) nor an MCC (3 digits)";
}

const char* bad_iso(std::string_view text) {
  const bool good =
      text.size() == 2 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' && text[1] <= 'Z';
  return good ? nullptr : "is not a country code such as GB";
}

const char* parse_date(std::string_view text, std::int64_t& out_us) {
  constexpr const char* kForm = "is not a date such as 2026-12-01 or 2026-12-01T08:30Z (UTC)";
  unsigned year, month, day, hour = 0, minute = 0, second = 0;
  if (text.size() < 10 || text[4] != '-' || text[7] != '-' ||
      !parse_field(text.substr(0, 4), year) || !parse_field(text.substr(5, 2), month) ||
      !parse_field(text.substr(8, 2), day))
    return kForm;
  if (text.size() != 10) {
    if ((text.size() != 17 && text.size() != 20) || text[10] != 'T' || text[13] != ':' ||
        text.back() != 'Z' || !parse_field(text.substr(11, 2), hour) ||
        !parse_field(text.substr(14, 2), minute))
      return kForm;
    if (text.size() == 20 && (text[16] != ':' || !parse_field(text.substr(17, 2), second)))
      return kForm;
  }
  if (year < 1970 || year > 2200) return "is not between the years 1970 and 2200";
  if (month < 1 || month > 12 || day < 1 || day > days_in(year, month))
    return "is a day that does not exist";
  if (hour > 23 || minute > 59 || second > 59) return "is a time that does not exist";
  out_us = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
  out_us *= 1'000'000;
  return nullptr;
}

const char* parse_ppm(std::string_view percent, std::int64_t& out) {
  Nano nano;
  if (const char* why = parse_nano(percent, nano)) return why;
  constexpr Nano kStep = kNanoPerUnit / 10'000;
  if (nano % kStep != 0) return "has more than 4 decimals";
  if (nano < -100 * kNanoPerUnit || nano > 100 * kNanoPerUnit)
    return "is not between -100 and 100 percent";
  out = nano / kStep;
  return nullptr;
}

const char* parse_hours(std::string_view text, std::pair<std::uint16_t, std::uint16_t>& out) {
  if (text.size() != 11 || text[5] != '-' || !parse_clock(text.substr(0, 5), out.first) ||
      !parse_clock(text.substr(6), out.second))
    return "is not a time window such as 08:00-20:00 (UTC)";
  if (out.first == out.second) return "is an empty time window; 00:00-24:00 is the whole day";
  return nullptr;
}

const char* parse_count(std::string_view text, std::uint32_t max, std::uint32_t& out) {
  if (const char* why = bad_digits(text, 9)) return why;
  unsigned value;
  parse_field(text, value);
  if (value > max) return "is too large";
  out = value;
  return nullptr;
}

const char* parse_sender(std::string_view text, Sender& out) {
  for (Sender type : {Sender::alphanumeric, Sender::numeric, Sender::short_code}) {
    if (text != sender_name(type)) continue;
    out = type;
    return nullptr;
  }
  return "is not alphanumeric, numeric or short_code";
}

const char* parse_volume(std::string_view text, std::uint64_t& out) {
  if (const char* why = bad_digits(text, 15)) return why;
  out = 0;
  for (char c : text) out = out * 10 + static_cast<std::uint64_t>(c - '0');
  return nullptr;
}

const char* bad_tags(std::string_view text) {
  std::vector<std::string_view> tags = words(text);
  for (std::string_view tag : tags) {
    if (bad_name(tag) != nullptr)
      return "is not made of words (letters, digits, '-', '_', '.'; a letter or digit first)";
  }
  std::sort(tags.begin(), tags.end());
  return std::adjacent_find(tags.begin(), tags.end()) == tags.end() ? nullptr : "has a word twice";
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> all;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) all.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return all;
}

}  // namespace tollgate::routing
