// The columns of rates/<carrier>.csv and plans/<plan>.csv: what the compiler reads and what the
// import of a rate sheet writes (docs/tables.md). The last ones belong to one of the two alone.
#pragma once
#include <array>
#include <cstddef>

#include "routing/csv.h"

namespace tollgate::routing::amount {

enum AmountColumn : std::size_t { kMccmnc, kMcc, kPrefix, kPrice, kCurrency, kFrom, kTo };
enum RateColumn : std::size_t { kCharge = kTo + 1, kSender, kTags };
enum PlanColumn : std::size_t { kFromVolume = kTo + 1 };
inline constexpr std::array<Column, 10> kRateColumns = {{{"mccmnc", false},
                                                         {"mcc", false},
                                                         {"prefix", false},
                                                         {"price"},
                                                         {"currency"},
                                                         {"effective_from", false},
                                                         {"effective_to", false},
                                                         {"charge", false},
                                                         {"sender", false},
                                                         {"tags", false}}};
inline constexpr std::array<Column, 8> kPlanColumns = {{{"mccmnc", false},
                                                        {"mcc", false},
                                                        {"prefix", false},
                                                        {"price"},
                                                        {"currency"},
                                                        {"effective_from", false},
                                                        {"effective_to", false},
                                                        {"from_volume", false}}};

}  // namespace tollgate::routing::amount
