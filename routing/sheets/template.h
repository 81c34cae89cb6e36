// How one carrier writes its sheets: a small TOML file that is kept beside the tables. Everything
// may be left out; what is left out is detected, and what cannot be detected is a fault.
//
//   sheet = "Rates"               of a workbook; else the one visible sheet with rates
//   header_row = 4                else the first row that names a destination and a price
//   separator = ";"               "," ";" "tab"; else the one that separates the header
//   decimal = ","                 "." or ","
//   dates = "dmy"                 "dmy", "mdy" or "ymd": what 01/02/2026 means
//   zone = "Europe/Berlin"        of dates without one: an IANA name or an offset; UTC by default
//   currency = "EUR"
//   cents = true                  prices are in hundredths
//   charge = "delivered"          what a single price column is: "submit" or "delivered"
//   kind = "full"                 "full" or "partial"
//   till = "inclusive"            whether a last day without a time still counts; it does
//   uncoded = "skip"              rows that name a network without its MNC: skipped and reported
//   notice_days = 7               how long before a raise the carrier must announce it
//   change_percent_max = 50       larger changes are listed
//   closed_percent_max = 20       a full sheet that closes more asks for force
//   [columns]
//   "Tarif EUR" = "price"         header text = meaning (layout.h lists them); or
//   "ignore"
//
// Plain data. parse_template knows no file; unknown keys and values are faults.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace tollgate::routing {

enum class SheetKind : std::uint8_t { partial, full };
enum class DateOrder : std::uint8_t { unknown, dmy, mdy, ymd };

// What a column of a sheet says.
enum class Meaning : std::uint8_t {
  ignore,
  country,
  iso,
  network,
  mcc,
  mnc,
  mccmnc,
  prefix,
  price,
  price_submit,
  price_delivered,
  price_old,
  currency,
  effective,
  till,
  charge,
  action,
};
inline constexpr std::size_t kMeanings = 17;
const char* meaning_name(Meaning);

struct SheetTemplate {
  std::string sheet;
  std::size_t header_row = 0;
  char separator = 0;
  char decimal = 0;
  DateOrder dates = DateOrder::unknown;
  std::string zone = "UTC";
  std::string currency;
  bool cents = false;
  bool charge_delivered = false;
  std::optional<SheetKind> kind;
  bool till_inclusive = true;
  bool skip_uncoded = false;
  unsigned notice_days = 0;
  unsigned change_percent_max = 50;
  unsigned closed_percent_max = 20;
  std::vector<std::pair<std::string, Meaning>> columns;
};

inline constexpr std::size_t kTemplateBytesMax = 65'536;

// Else every fault, as "line 3: ...".
tl::expected<SheetTemplate, std::vector<std::string>> parse_template(std::string_view toml);

}  // namespace tollgate::routing
