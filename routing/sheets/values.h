// What one cell of a sheet says: an amount, an instant, networks, prefixes. Pure functions; what
// can be read in two ways is Bad and says how to write it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "routing/money.h"
#include "routing/sheets/template.h"

namespace tollgate::routing {

struct Bad {
  std::string reason, right;
};

inline constexpr std::size_t kNetworksPerCellMax = 1'000;
inline constexpr std::size_t kPrefixesPerCellMax = 10'000;

std::string lower(std::string_view text);  // ASCII letters alone
// "*", "000", "all", "other", "default" and their like: the country's default.
bool is_default_word(std::string_view text);
// "n/a", "closed", "blocked" and their like: the destination is closed.
bool is_closed_word(std::string_view text);

struct Price {
  Nano amount = 0;
  bool closed = false;
  char mark = 0;         // the decimal mark it has, or 0
  std::string currency;  // in the cell itself, or ""
};
// decimal: '.' or ',', 0 = as the cell shows. `cents`: the amount is in hundredths.
tl::expected<Price, Bad> parse_price(std::string_view text, char decimal, bool cents);

struct Instant {
  std::int64_t us = 0;
  bool day_only = false;  // no time: us is the day's beginning
};
// Dates of sheets in a zone. Bad when there is no such zone.
class DateReader {
 public:
  static tl::expected<DateReader, Bad> make(const std::string& zone, DateOrder order);
  tl::expected<Instant, Bad> read(std::string_view text) const;
  // The beginning of the day after the one that an instant of read() begins.
  std::int64_t next_day(std::int64_t us) const;

 private:
  std::string zone_;
  DateOrder order_ = DateOrder::unknown;
};

// "01", "01/02/10", "20-25" -> MNCs as they are written. Default words give an empty list.
tl::expected<std::vector<std::string>, Bad> parse_mncs(std::string_view text);
// "262", "262-265", "310/311" -> MCCs.
tl::expected<std::vector<std::string>, Bad> parse_mccs(std::string_view text);
// "26201", "262-01", "26201,26202", "26201-26205", "262", "262*" -> networks, or MCCs (3 digits).
tl::expected<std::vector<std::string>, Bad> parse_networks(std::string_view text);
// "+44 77", "0044 77", "4477, 4478", "44770-44775" -> international digits.
tl::expected<std::vector<std::string>, Bad> parse_prefixes(std::string_view text);

}  // namespace tollgate::routing
