// The columns of rates/<carrier>.csv and plans/<plan>.csv: what the compiler reads and what the
// import of a rate sheet writes (docs/tables.md). A plan has no charge.
#pragma once
#include <array>
#include <cstddef>

#include "routing/csv.h"

namespace tollgate::routing::amount {

enum AmountColumn : std::size_t { kMccmnc, kMcc, kPrefix, kPrice, kCurrency, kFrom, kTo, kCharge };
inline constexpr std::array<Column, 8> kAmountColumns = {{{"mccmnc", false},
                                                          {"mcc", false},
                                                          {"prefix", false},
                                                          {"price"},
                                                          {"currency"},
                                                          {"effective_from", false},
                                                          {"effective_to", false},
                                                          {"charge", false}}};

}  // namespace tollgate::routing::amount
