// What a workbook's number formats make of a stored number: Excel's own text for it. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::routing {

struct NumberFormat {
  bool date = false;
  unsigned zeros = 0;  // "000": the digits shown at least
};

NumberFormat number_format(unsigned id, std::string_view code);

// The stored number as plain decimal text with Excel's 15 digits: "0.0075"; "" = not a number.
std::string plain_number(std::string_view stored);
// Digits with zeros in front as the format asks for.
std::string with_zeros(std::string number, unsigned zeros);
// A date's serial number: "2026-12-01", or with a time "2026-12-01T08:30:00"; "" = out of range.
std::string serial_date(std::string_view stored, bool since_1904);

}  // namespace tollgate::routing
