// The rows of a sheet -> what each says of a network, a country or a prefix. One thread.
//
// 1. Every row below the header is read, or reported with what is wrong; empty rows, repeated
//    headers, a country above its networks and notes without a price are skipped.
// 2. An empty country or MCC is that of the row above (merged cells); a country's default without
//    an MCC takes the MCCs that the sheet itself, else the numbering plan, gives the country.
// 3. Items are as many as the things they name: lists and ranges are expanded.
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "routing/prefix.h"
#include "routing/sheets/layout.h"
#include "routing/sheets/values.h"

namespace tollgate::routing {

inline constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kOpen = std::numeric_limits<std::int64_t>::max();

// A network (5 or 6 digits), a country's default (3) or a prefix. In the order of a book.
struct Thing {
  bool prefix = false;
  NumberKey digits = 0;
  auto operator<=>(const Thing&) const = default;
  std::string text() const;
};
Thing thing_of(std::string_view digits, bool prefix);

struct SheetItem {
  Thing thing;
  bool closed = false;
  Charge charge;  // kNone where there is no such charge; nothing of it counts when closed
  std::int64_t from_us = 0, to_us = kOpen;
  std::optional<Nano> told_before;  // "Old price"
  std::size_t row = 0;              // as the spreadsheet shows it
};

struct SheetRows {
  std::vector<SheetItem> items;
  std::size_t in_error = 0;
};

SheetRows read_rows(const Grid& grid, const Layout& layout, const ImportRequest& request,
                    const SheetContext& context, Findings& findings);

}  // namespace tollgate::routing
