// What is wrong with a table file, for people: where it is and why. Plain data.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::routing {

inline constexpr std::size_t kTableFaultsMax = 1'000;

struct TableFault {
  std::string file;    // relative to the directory: "rates/alpha.csv"
  std::size_t row;     // as a spreadsheet counts: the header is row 1; 0 = the file as a whole
  std::string column;  // "" = the row as a whole
  std::string value;   // escaped and cut, fit for a terminal
  std::string reason;
  std::uint32_t place = 0;  // of a TOML file: where in its line `row` the value of key `column` is
};

// "carriers/alpha.toml:7:12: bind[1].window = 0: out of range", and of a table
// "rates/alpha.csv, row 7, column price, value \"-1\": a price cannot be negative"
std::string fault_text(const TableFault& fault);

// Text from outside, fit for a terminal, a log and a person's eye: controls, what turns the
// direction of text, what cannot be seen and broken UTF-8 as \xNN; cut at 80 octets. The one place
// that decides which letters outside ASCII are shown (proto/escape.h shows none).
std::string printable(std::string_view text);

}  // namespace tollgate::routing
