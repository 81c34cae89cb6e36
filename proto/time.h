// SMPP times, "YYMMDDhhmmsstnnp", and the receipt's "YYMMDDhhmm".
//
// Thread: any; the current time is an argument. Specification: 3.4 section 7.1, 5.0 4.7.23.4.
// 1. All results are seconds since 1970-01-01 UTC; tenths of a second are read and dropped.
// 2. A two-digit year is the one within 50 years of `now`.
// 3. A date that does not exist (February 30th), a field out of range or any other length than 0
//    or 16 characters is `bad`: answer ESME_RINVSCHED or ESME_RINVEXPIRY.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tollgate::proto {

enum class TimeKind : std::uint8_t { empty, absolute, relative, bad };

struct Time {
  TimeKind kind = TimeKind::empty;
  std::int64_t unix_s = 0;  // of absolute and relative
};

// Relative times ("000001000000000R": one day) count calendar years and months from `now_s`.
Time parse_time(std::string_view text, std::int64_t now_s);

// "YYMMDDhhmmss000+", UTC, 16 characters; 0 when out is smaller.
std::size_t format_time(std::int64_t unix_s, std::span<char> out);
// "YYMMDDhhmm", UTC, 10 characters; 0 when out is smaller.
std::size_t format_receipt_date(std::int64_t unix_s, std::span<char> out);
// 10 (YYMMDDhhmm), 12 (YYMMDDhhmmss, or YYYYMMDDhhmm when that alone makes a date) or 14 digits;
// no value for zeros and nonsense.
std::optional<std::int64_t> parse_receipt_date(std::string_view digits, std::int64_t now_s);

}  // namespace tollgate::proto
