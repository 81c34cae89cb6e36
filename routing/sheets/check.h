// What an analyst should look at before a good sheet is published: warnings, each with its row.
//
// 1. Networks that the numbering plan does not know.
// 2. Dates in the past; planned rows that stay; raises sooner than the carrier's notice; old prices
//    in the sheet that differ from the book's.
// 3. Changes above the template's percentage.
// 4. Costs above what clients pay (prices below every cost, for a plan), with the clients and
//    whether their rules block losses.
#pragma once
#include <vector>

#include "routing/sheets/context.h"
#include "routing/sheets/grid.h"

namespace tollgate::routing {

void check_changes(const std::vector<RateChange>& changes, const ImportRequest& request,
                   const SheetContext& context, Findings& findings);

}  // namespace tollgate::routing
