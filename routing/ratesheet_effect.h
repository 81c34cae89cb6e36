// What an import does to margins: the tables with and without its new book, both as they are when
// its last row is in force. Reads the directory, compiles twice; on the caller's thread.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "routing/fault.h"
#include "routing/margin_effect.h"
#include "routing/ratesheet.h"

namespace tollgate::routing {

struct ImportEffect {
  std::int64_t as_of_us = 0;
  MarginEffect margins;
  std::vector<TableFault> faults;  // the compiler's; with any there are no margins
};
// The import has a new text.
ImportEffect effect_of(const Import& import, const std::string& directory, std::int64_t now_us);

// Which numbers the changes can touch, for EffectOptions::only.
std::function<bool(std::string_view number, std::string_view mccmnc)> touched_by(
    const std::vector<RateChange>& changes);

}  // namespace tollgate::routing
