// Dates as carriers write them.
#include <algorithm>
#include <array>
#include <charconv>

#include <absl/time/time.h>

#include "routing/sheets/values.h"

namespace tollgate::routing {
namespace {

constexpr const char* kForm = "write 2026-12-01, or 2026-12-01T08:30+01:00";

tl::unexpected<Bad> bad(std::string reason, std::string right = kForm) {
  return tl::unexpected(Bad{std::move(reason), std::move(right)});
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int number(std::string_view text) {  // digits alone
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

struct Day {
  int year = 0, month = 0, day = 0;
};

// 1..12, or 0.
int month_named(std::string_view word) {
  constexpr std::array<std::string_view, 12> kMonths = {
      "january", "february", "march",     "april",   "may",      "june",
      "july",    "august",   "september", "october", "november", "december"};
  const std::string low = lower(word);
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (low == kMonths[i] || low == kMonths[i].substr(0, 3) || (i == 8 && low == "sept"))
      return static_cast<int>(i) + 1;
  }
  return 0;
}

// A run of digits or of letters from the front.
std::string_view take_run(std::string_view& text, bool (*kind)(char)) {
  std::size_t length = 0;
  while (length < text.size() && kind(text[length])) ++length;
  const std::string_view run = text.substr(0, length);
  text.remove_prefix(length);
  return run;
}

struct Parts {
  std::array<std::string_view, 3> part;
  char mark = 0;
};

// Three parts with marks between; leaves `text` behind them.
bool take_parts(std::string_view& text, Parts& out) {
  for (std::size_t i = 0; i < 3; ++i) {
    const bool word = !text.empty() && is_letter(text[0]);
    out.part[i] = take_run(text, word ? is_letter : is_digit);
    if (out.part[i].empty()) return false;
    if (i == 2) return true;
    std::size_t marks = 0;
    while (marks < text.size() && std::string_view("-/., ").find(text[marks]) != text.npos) ++marks;
    if (marks == 0) return false;
    if (i == 0) out.mark = text[0];
    text.remove_prefix(marks);
  }
  return false;
}

tl::expected<Day, Bad> numeric_day(const Parts& parts, DateOrder order) {
  const auto& [a, b, c] = parts.part;
  if (a.size() == 4 && b.size() <= 2 && c.size() <= 2) return Day{number(a), number(b), number(c)};
  if (a.size() > 2 || b.size() > 2 || c.size() != 4) {
    if (c.size() == 2) return bad("has a year of two digits", "write the year with four digits");
    return bad("is not a date");
  }
  const Day dmy{number(c), number(b), number(a)}, mdy{number(c), number(a), number(b)};
  if (order == DateOrder::ymd)
    return bad("has not the order of the template (ymd)", "write 2026-12-01");
  if (order == DateOrder::mdy) return mdy;
  // With dots the day goes first wherever they are used; else only what cannot be otherwise.
  if (order == DateOrder::dmy || parts.mark == '.' || dmy.day > 12 || dmy.day == dmy.month)
    return dmy;
  if (dmy.month > 12) return mdy;
  return bad("can be read as day/month or month/day",
             "say dates = \"dmy\" or \"mdy\" in the template, or write 2026-12-01");
}

tl::expected<Day, Bad> named_day(const Parts& parts) {
  const auto& [a, b, c] = parts.part;
  if (c.size() != 4 || !is_digit(c[0])) {
    if (c.size() == 2) return bad("has a year of two digits", "write the year with four digits");
    return bad("is not a date");
  }
  const bool month_first = is_letter(a[0]);
  const int month = month_named(month_first ? a : b);
  const std::string_view day = month_first ? b : a;
  if (month == 0) return bad("has no month that is known (English names)");
  if (day.empty() || !is_digit(day[0]) || day.size() > 2) return bad("is not a date");
  return Day{number(c), month, number(day)};
}

tl::expected<Day, Bad> take_day(std::string_view& text, DateOrder order) {
  if (text.size() >= 8 && std::all_of(text.begin(), text.begin() + 8, is_digit) &&
      (text.size() == 8 || !is_digit(text[8]))) {
    const Day day{number(text.substr(0, 4)), number(text.substr(4, 2)), number(text.substr(6, 2))};
    text.remove_prefix(8);
    return day;
  }
  if (text.size() <= 6 && std::all_of(text.begin(), text.end(), is_digit))
    return bad("is a number, perhaps Excel's number of a day",
               "give the cell a date format, or write 2026-12-01");
  Parts parts;
  if (!take_parts(text, parts)) return bad("is not a date");
  const bool named = is_letter(parts.part[0][0]) || is_letter(parts.part[1][0]);
  return named ? named_day(parts) : numeric_day(parts, order);
}

struct Clock {
  int hour = 0, minute = 0, second = 0;
};

// "08:30", "8:30:00.000", "12:00 AM"; leaves `text` behind it.
bool take_clock(std::string_view& text, Clock& out) {
  const auto field = [&](int& value) {
    const std::string_view run = take_run(text, is_digit);
    value = number(run);
    return !run.empty() && run.size() <= 2;
  };
  if (!field(out.hour) || !text.starts_with(':')) return false;
  text.remove_prefix(1);
  if (!field(out.minute)) return false;
  if (text.starts_with(':')) {
    text.remove_prefix(1);
    if (!field(out.second)) return false;
    if (text.starts_with('.')) {
      text.remove_prefix(1);
      take_run(text, is_digit);
    }
  }
  std::string_view rest = text;
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const std::string half = lower(rest.substr(0, 2));
  if (half != "am" && half != "pm") return out.hour <= 23 && out.minute <= 59 && out.second <= 59;
  text = rest.substr(2);
  if (out.hour < 1 || out.hour > 12 || out.minute > 59 || out.second > 59) return false;
  out.hour = out.hour % 12 + (half == "pm" ? 12 : 0);
  return true;
}

// "Z", "UTC", "+01:00", "-0500", "GMT+2"; "" = none. False = something else.
bool take_zone(std::string_view text, bool& given, absl::TimeZone& zone) {
  given = !text.empty();
  if (!given) return true;
  const std::string word = lower(text.substr(0, 3));
  if (word == "utc" || word == "gmt")
    text.remove_prefix(3);
  else if (text[0] == 'Z' || text[0] == 'z')
    text.remove_prefix(1);
  zone = absl::UTCTimeZone();
  if (text.empty()) return true;
  const int sign = text[0] == '+' ? 1 : text[0] == '-' ? -1 : 0;
  if (sign == 0) return false;
  text.remove_prefix(1);
  std::string_view hours = take_run(text, is_digit), minutes;
  if (hours.size() == 4 && text.empty()) {
    minutes = hours.substr(2);
    hours = hours.substr(0, 2);
  } else if (text.starts_with(':')) {
    text.remove_prefix(1);
    minutes = take_run(text, is_digit);
    if (minutes.size() != 2) return false;
  }
  if (hours.empty() || hours.size() > 2 || !text.empty() || number(hours) > 14 ||
      number(minutes) > 59)
    return false;
  zone = absl::FixedTimeZone(sign * (number(hours) * 3'600 + number(minutes) * 60));
  return true;
}

// IANA names are looked up once each by absl; an offset is fixed.
bool load_zone(const std::string& name, absl::TimeZone& zone) {
  bool given = false;
  if (take_zone(name, given, zone)) return given;
  return absl::LoadTimeZone(name, &zone);
}

tl::expected<std::int64_t, Bad> instant(const absl::CivilSecond& local,
                                        const absl::TimeZone& zone) {
  const absl::TimeZone::TimeInfo info = zone.At(local);
  if (info.kind == absl::TimeZone::TimeInfo::SKIPPED)
    return bad("is an hour that the clocks skip", "write it with its offset, such as +02:00");
  if (info.kind == absl::TimeZone::TimeInfo::REPEATED)
    return bad("is an hour that comes twice", "write it with its offset, such as +02:00");
  return absl::ToUnixMicros(info.pre);
}

}  // namespace

tl::expected<DateReader, Bad> DateReader::make(const std::string& zone, DateOrder order) {
  absl::TimeZone loaded;
  if (!load_zone(zone, loaded))
    return bad("is no time zone that this system knows", "write Europe/Berlin or +01:00");
  DateReader reader;
  reader.zone_ = zone;
  reader.order_ = order;
  return reader;
}

tl::expected<Instant, Bad> DateReader::read(std::string_view text) const {
  const auto day = take_day(text, order_);
  if (!day) return tl::unexpected(day.error());
  if (day->year < 1970 || day->year > 2200) return bad("is not between the years 1970 and 2200");
  const absl::CivilDay civil(day->year, day->month, day->day);
  if (day->month < 1 || day->month > 12 || civil.day() != day->day || civil.month() != day->month)
    return bad("is a day that does not exist", "write a day that does");
  Clock clock;
  const bool day_only = text.empty();
  if (!day_only && (text[0] == 'T' || text[0] == 't' || text[0] == ' ' || text[0] == ',')) {
    while (!text.empty() && !is_digit(text[0])) text.remove_prefix(1);
    if (!take_clock(text, clock)) return bad("has a time that does not exist");
  }
  while (text.starts_with(' ')) text.remove_prefix(1);
  absl::TimeZone zone;
  bool given = false;
  if (!take_zone(text, given, zone))
    return bad("has a zone that is not known", "write Z or an offset such as +01:00");
  if (!given) load_zone(zone_, zone);
  const auto us = instant(absl::CivilSecond(civil.year(), civil.month(), civil.day(), clock.hour,
                                            clock.minute, clock.second),
                          zone);
  if (!us) return tl::unexpected(us.error());
  return Instant{*us, day_only};
}

std::int64_t DateReader::next_day(std::int64_t us) const {
  absl::TimeZone zone;
  load_zone(zone_, zone);
  const absl::CivilDay day = absl::ToCivilDay(absl::FromUnixMicros(us), zone);
  return absl::ToUnixMicros(absl::FromCivil(day + 1, zone));
}

}  // namespace tollgate::routing
