#include "proto/time.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace tollgate::proto {
namespace {

struct Civil {
  std::int64_t year;
  unsigned month;  // 1-12
  unsigned day;    // 1-31
};

// Days since 1970-01-01 of the proleptic Gregorian calendar, and back.
std::int64_t days_from_civil(Civil c) {
  const std::int64_t year = c.month <= 2 ? c.year - 1 : c.year;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (c.month + (c.month > 2 ? -3U : 9U)) + 2) / 5 + c.day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + static_cast<std::int64_t>(day_of_era) - 719'468;
}

Civil civil_from_days(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month,
          day_of_year - (153 * shifted + 2) / 5 + 1};
}

unsigned days_in_month(std::int64_t year, unsigned month) {
  constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

unsigned number(std::string_view digits) {
  unsigned value = 0;
  for (char c : digits) value = value * 10 + static_cast<unsigned>(c - '0');
  return value;
}

constexpr std::int64_t kDay = 86'400;
std::int64_t floor_days(std::int64_t unix_s) {
  return unix_s >= 0 ? unix_s / kDay : -((-unix_s + kDay - 1) / kDay);
}

std::int64_t full_year(unsigned two_digits, std::int64_t now_s) {
  const std::int64_t now = civil_from_days(floor_days(now_s)).year;
  std::int64_t year = now - now % 100 + two_digits;
  if (year > now + 50) year -= 100;
  if (year < now - 49) year += 100;
  return year;
}

// MMDDhhmm and, if there are 10 digits, ss.
std::optional<std::int64_t> moment(std::int64_t year, std::string_view digits) {
  const unsigned month = number(digits.substr(0, 2));
  const unsigned day = number(digits.substr(2, 2));
  const unsigned hour = number(digits.substr(4, 2));
  const unsigned minute = number(digits.substr(6, 2));
  const unsigned second = digits.size() >= 10 ? number(digits.substr(8, 2)) : 0;
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return days_from_civil({year, month, day}) * kDay + hour * 3'600 + minute * 60 + second;
}

Time relative_time(std::string_view text, std::int64_t now_s) {
  const std::int64_t days = floor_days(now_s);
  Civil date = civil_from_days(days);
  const unsigned months = date.month - 1 + number(text.substr(2, 2));
  date.year += number(text.substr(0, 2)) + months / 12;
  date.month = months % 12 + 1;
  date.day = std::min(date.day, days_in_month(date.year, date.month));
  const std::int64_t seconds = number(text.substr(4, 2)) * kDay +
                               number(text.substr(6, 2)) * 3'600 + number(text.substr(8, 2)) * 60 +
                               number(text.substr(10, 2));
  return {TimeKind::relative, days_from_civil(date) * kDay + (now_s - days * kDay) + seconds};
}

constexpr auto kPairs = [] {
  std::array<std::array<char, 2>, 100> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pairs[i] = {static_cast<char>('0' + i / 10), static_cast<char>('0' + i % 10)};
  }
  return pairs;
}();

// `value`: 0 to 99.
void two_digits(char* at, unsigned value) {
  std::memcpy(at, kPairs[value].data(), 2);
}

}  // namespace

Time parse_time(std::string_view text, std::int64_t now_s) {
  if (text.empty()) return {};
  constexpr Time kBad{TimeKind::bad, 0};
  if (text.size() != 16 || !all_digits(text.substr(0, 15))) return kBad;
  const char p = text[15];
  if (p == 'R') return relative_time(text, now_s);
  if (p != '+' && p != '-') return kBad;
  const unsigned quarters = number(text.substr(13, 2));
  if (quarters > 48) return kBad;
  const auto local = moment(full_year(number(text.substr(0, 2)), now_s), text.substr(2, 10));
  if (!local) return kBad;
  // "+": local time is ahead of UTC.
  const std::int64_t offset = static_cast<std::int64_t>(quarters) * 900;
  return {TimeKind::absolute, p == '+' ? *local - offset : *local + offset};
}

std::size_t format_receipt_date(std::int64_t unix_s, std::span<char> out) {
  if (out.size() < 10) return 0;
  const std::int64_t days = floor_days(unix_s);
  const Civil date = civil_from_days(days);
  const auto minutes = static_cast<unsigned>(unix_s - days * kDay) / 60;
  // Years before the first count down from it: 99 is the one before 0.
  two_digits(&out[0], static_cast<unsigned>((date.year % 100 + 100) % 100));
  two_digits(&out[2], date.month);
  two_digits(&out[4], date.day);
  two_digits(&out[6], minutes / 60);
  two_digits(&out[8], minutes % 60);
  return 10;
}

std::size_t format_time(std::int64_t unix_s, std::span<char> out) {
  if (out.size() < 16) return 0;
  format_receipt_date(unix_s, out);
  two_digits(&out[10], static_cast<unsigned>(unix_s - floor_days(unix_s) * kDay) % 60);
  constexpr std::string_view kUtc = "000+";
  std::copy(kUtc.begin(), kUtc.end(), out.begin() + 12);
  return 16;
}

std::optional<std::int64_t> parse_receipt_date(std::string_view digits, std::int64_t now_s) {
  if (!all_digits(digits)) return std::nullopt;
  const auto by_short_year = [&] {
    return moment(full_year(number(digits.substr(0, 2)), now_s), digits.substr(2));
  };
  const auto by_long_year = [&] { return moment(number(digits.substr(0, 4)), digits.substr(4)); };
  switch (digits.size()) {
    case 10:
      return by_short_year();
    case 12: {
      const auto found = by_short_year();
      return found ? found : by_long_year();
    }
    case 14:
      return by_long_year();
    default:
      return std::nullopt;
  }
}

}  // namespace tollgate::proto
