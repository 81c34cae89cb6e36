#include "routing/sheets/formats.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <absl/time/civil_time.h>

namespace tollgate::routing {
namespace {

constexpr std::size_t kExcelDigits = 15;

bool is_date_code(std::string_view code) {
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (code[i] == '"') {
      i = std::min(code.find('"', i + 1), code.size());
    } else if (code[i] == '[') {
      i = std::min(code.find(']', i + 1), code.size());
    } else if (code[i] == '\\' || code[i] == '_' || code[i] == '*') {
      ++i;
    } else if (code[i] == 'y' || code[i] == 'd' || code[i] == 'Y' || code[i] == 'D') {
      return true;
    }
  }
  return false;
}

}  // namespace

NumberFormat number_format(unsigned id, std::string_view code) {
  NumberFormat format;
  if (code.empty()) {
    format.date =
        (id >= 14 && id <= 17) || id == 22 || (id >= 27 && id <= 36) || (id >= 50 && id <= 58);
  } else if (code.find_first_not_of('0') == std::string_view::npos && code.size() <= 15) {
    format.zeros = static_cast<unsigned>(code.size());
  } else if (code != "General") {
    format.date = is_date_code(code);
  }
  return format;
}

std::string plain_number(std::string_view stored) {
  double value = 0;
  const char* const end = stored.data() + stored.size();
  const auto parsed = std::from_chars(stored.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || !std::isfinite(value)) return "";
  char buffer[48];
  const auto written = std::to_chars(buffer, buffer + sizeof buffer, value,
                                     std::chars_format::scientific, kExcelDigits - 1);
  std::string digits;
  const char* at = buffer;
  const bool negative = *at == '-';
  for (; at != written.ptr && *at != 'e'; ++at) {
    if (*at >= '0' && *at <= '9') digits += *at;
  }
  int exponent = 0;
  ++at;
  if (at != written.ptr && *at == '+') ++at;
  std::from_chars(at, written.ptr, exponent);
  if (exponent < -60 || exponent > 60) return "";
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  std::string text;
  if (exponent < 0) {
    text = "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  } else {
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() < whole) digits.resize(whole, '0');
    text = digits.substr(0, whole);
    if (digits.size() > whole) text += "." + digits.substr(whole);
  }
  if (value == 0) text = "0";
  return (negative && value != 0 ? "-" : "") + text;
}

std::string with_zeros(std::string number, unsigned zeros) {
  if (number.find_first_not_of("0123456789") != std::string::npos) return number;
  if (number.size() < zeros) number.insert(0, zeros - number.size(), '0');
  return number;
}

std::string serial_date(std::string_view stored, bool since_1904) {
  double value = 0;
  const char* const end = stored.data() + stored.size();
  const auto parsed = std::from_chars(stored.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return "";
  if (since_1904) value += 1'462;
  // Below 61 lies the 29th of February 1900, which never was; 109938 is the year 2200's end.
  if (!(value >= 61 && value < 109'938)) return "";
  constexpr std::int64_t kDay = 86'400, kEpoch = 25'569;
  const auto seconds = static_cast<std::int64_t>(std::llround(value * static_cast<double>(kDay)));
  const absl::CivilSecond time = absl::CivilSecond(1970, 1, 1) + (seconds - kEpoch * kDay);
  return seconds % kDay == 0 ? absl::FormatCivilTime(absl::CivilDay(time))
                             : absl::FormatCivilTime(time);
}

}  // namespace tollgate::routing
