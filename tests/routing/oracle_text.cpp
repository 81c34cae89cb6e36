#include "tests/routing/oracle_text.h"

#include <cstdlib>
#include <ctime>
#include <map>
#include <phonenumbers/phonenumberutil.h>
#include <set>
#include <utility>

#include "tests/routing/oracle.h"

namespace tollgate::oracle {

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;
using std::string;

namespace {

bool is_digits(const string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == string::npos;
}

string utc(std::int64_t wall_us, const char* form) {
  const std::time_t seconds = wall_us / 1'000'000;
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  char text[20];
  std::strftime(text, sizeof text, form, &tm);
  return text;
}

// Whether a country's numbers may have so many digits behind the calling code.
bool possible_length(int code, std::size_t length) {
  static std::map<std::pair<int, std::size_t>, bool> known;
  const auto found = known.find({code, length});
  if (found != known.end()) return found->second;
  PhoneNumber number;
  number.set_country_code(code);
  number.set_national_number(std::strtoull(("1" + string(length - 1, '0')).c_str(), nullptr, 10));
  const bool possible = PhoneNumberUtil::GetInstance()->IsPossibleNumberWithReason(number) ==
                        PhoneNumberUtil::IS_POSSIBLE;
  return known[{code, length}] = possible;
}

bool possible(const string& digits) {
  static const std::set<int> codes = [] {
    std::set<int> all;
    PhoneNumberUtil::GetInstance()->GetSupportedCallingCodes(&all);
    return all;
  }();
  if (!is_digits(digits) || digits.size() > 15) return false;
  for (std::size_t length = 1; length <= 3 && length < digits.size(); ++length) {
    const int code = std::atoi(digits.substr(0, length).c_str());
    if (digits[0] != '0' && codes.contains(code))
      return possible_length(code, digits.size() - length);
  }
  return false;
}

std::optional<string> national(const string& digits, const string& country) {
  const PhoneNumberUtil& library = *PhoneNumberUtil::GetInstance();
  if (country.empty() || !is_digits(digits)) return std::nullopt;
  const string code = std::to_string(library.GetCountryCodeForRegion(country));
  string trunk;
  library.GetNddPrefixForRegion(country, true, &trunk);
  if (!trunk.empty() && digits.starts_with(trunk) && possible(code + digits.substr(trunk.size())))
    return code + digits.substr(trunk.size());
  if (possible(code + digits)) return code + digits;
  return std::nullopt;
}

}  // namespace

std::int64_t nano(string text) {
  const bool negative = text[0] == '-';
  if (negative) text.erase(0, 1);
  const std::size_t point = text.find('.');
  string decimals = point == string::npos ? "" : text.substr(point + 1);
  decimals.resize(9, '0');
  const long long value = std::atoll((text.substr(0, point) + decimals).c_str());
  return negative ? -value : value;
}

std::int64_t instant(const string& date) {
  const char* form = date.size() == 10   ? "%Y-%m-%d"
                     : date.size() == 17 ? "%Y-%m-%dT%H:%MZ"
                                         : "%Y-%m-%dT%H:%M:%SZ";
  std::tm tm{};
  strptime(date.c_str(), form, &tm);
  return timegm(&tm) * std::int64_t{1'000'000};
}

string clock_text(std::int64_t wall_us) {
  return utc(wall_us, "%H:%M");
}
string month_text(std::int64_t wall_us) {
  return utc(wall_us, "%Y%m");
}

string sender_type(const string& sender, unsigned ton) {
  if (sender.empty()) return "";
  const string digits = sender[0] == '+' ? sender.substr(1) : sender;
  if (ton == 5 || digits.find_first_not_of("0123456789") != string::npos) return "alphanumeric";
  return digits.size() <= 6 || ton == 3 || ton == 6 ? "short_code" : "numeric";
}

std::optional<string> international(const string& sent, unsigned ton, const string& country) {
  if (ton == 5) return std::nullopt;
  for (const string mark : {"+", "00"}) {
    if (!sent.starts_with(mark)) continue;
    const string digits = sent.substr(mark.size());
    if (!possible(digits)) return std::nullopt;
    return digits;
  }
  const auto whole = possible(sent) ? std::optional(sent) : std::nullopt;
  const auto home = national(sent, country);
  if (ton == 2) return home ? home : whole;
  return whole ? whole : home;
}

Table read_csv(const string& text) {
  Table table;
  Row row(1);
  bool quoted = false, any = false;
  const auto end_row = [&] {
    if (any && table.header.empty())
      table.header = row;
    else if (any)
      table.rows.push_back(row);
    row.assign(1, "");
    any = false;
  };
  std::size_t at = text.starts_with("\xef\xbb\xbf") ? 3 : 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"' && quoted && at + 1 < text.size() && text[at + 1] == '"') {
      row.back() += text[++at];
    } else if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ',' && !quoted) {
      row.emplace_back();
      any = true;
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r') {
      row.back() += c;
      any = true;
    }
  }
  end_row();
  return table;
}

string csv_of(const Table& table) {
  string text;
  const auto line = [&](const Row& row) {
    for (std::size_t i = 0; i < row.size(); ++i) text += (i > 0 ? "," : "") + row[i];
    text += "\n";
  };
  line(table.header);
  for (const Row& row : table.rows) line(row);
  return text;
}

const string& Table::at(const Row& row, const string& column) const {
  static const string kNone;
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (header[i] == column) return row[i];
  }
  return kNone;
}

}  // namespace tollgate::oracle
