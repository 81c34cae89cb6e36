// Where a sheet's header is and what its columns say: by the template, else by the names that
// carriers give them (docs/rate-sheets.md lists them). Pure.
//
// 1. The header is the first row, of the first kHeaderRowsSeen, that names a destination (MCC and
//    MNC together, MCC, or a prefix) and a price.
// 2. Two columns with the same meaning are a fault, not a choice; columns of unknown meaning are
//    reported and not used.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "routing/sheets/context.h"
#include "routing/sheets/grid.h"

namespace tollgate::routing {

inline constexpr std::size_t kHeaderRowsSeen = 100;

struct HeaderColumn {
  std::size_t column = 0;
  std::string title;     // printable
  std::string currency;  // "Rate (EUR)"
  bool cents = false;    // "Rate (ct)"
};

struct Layout {
  std::size_t row = 0;  // index in the grid
  std::array<std::optional<HeaderColumn>, kMeanings> columns;
  std::vector<std::string> told;  // for people: "New price is price", "Comment is not used"
  const std::optional<HeaderColumn>& operator[](Meaning meaning) const {
    return columns[static_cast<std::size_t>(meaning)];
  }
};

// The sheet to read and its layout; none = a fault was told.
std::optional<Layout> find_layout(const std::vector<Grid>& grids, const SheetTemplate& form,
                                  const SheetContext& context, Findings& findings,
                                  std::size_t& grid);

}  // namespace tollgate::routing
