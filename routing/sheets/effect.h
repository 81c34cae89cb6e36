// What an import or a draft does to margins: the tables without and with it, both as they are when
// its last row is in force. Reads directories, compiles twice; on the caller's thread.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "routing/compile/compile.h"
#include "routing/fault.h"
#include "routing/sheets/margin_effect.h"
#include "routing/sheets/sheet.h"

namespace tollgate::routing {

struct ImportEffect {
  std::int64_t as_of_us = 0;
  MarginEffect margins;
  std::vector<TableFault> faults;  // the compiler's; with any there are no margins
};
// Two directories of tables, both compiled with the same carriers and clients; as of
// `options.now_us`. `only`: which numbers to ask; empty = all.
using OnlyNumbers = std::function<bool(std::string_view number, std::string_view mccmnc)>;
ImportEffect effect_between(const std::string& before, const std::string& after,
                            const CompileOptions& options, OnlyNumbers only);

// The import has a new text; `options.now_us` is now. `in_force`: the directory compiled with these
// options, when it is at hand.
ImportEffect effect_of(const Import& import, const std::string& directory, CompileOptions options,
                       const Tables* in_force = nullptr);

// Which numbers the changes can touch, for EffectOptions::only.
OnlyNumbers touched_by(const std::vector<RateChange>& changes);
// When the last of the changes is in force; not before `now_us`.
std::int64_t last_change_us(const std::vector<RateChange>& changes, std::int64_t now_us);

}  // namespace tollgate::routing
