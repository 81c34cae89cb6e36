// What currencies.csv says, for callers that need nothing else of a table set.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "routing/fault.h"
#include "routing/money.h"

namespace tollgate::routing {

inline constexpr std::size_t kCurrenciesMax = 1'000;

struct Currency {
  std::string code;
  Nano rate;  // units of the base currency for one of it
};

// In the order of the file, the base currency first. What is wrong with it is added to `faults`.
std::vector<Currency> currencies_of(std::string_view text, std::vector<TableFault>& faults);

}  // namespace tollgate::routing
