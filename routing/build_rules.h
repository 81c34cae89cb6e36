// Rules resolved field by field for every kind of client and destination. Private to the compiler.
//
// 1. Layers are laid over each other from the least specific to the most: first by client scope
// (global,
//    plan, client), within that by place (any, country, destination). A field that a later layer
//    sets replaces that field; a field that it leaves empty stays.
// 2. Clients without rules of their own share the row of their plan, plans without any the global
// row;
//    destinations without any share the column of their country, countries without any the column
//    0.
#pragma once
#include "routing/source.h"

namespace tollgate::routing {

// Rows x columns of the table of rules that `source` will need.
std::size_t rule_cells(const SourceTables& source);

// Fills rules, ranks, rule_ids, rule_columns and the rows and columns of clients and destinations.
// `tables` has its carriers, clients and destinations already.
void build_rules(const SourceTables& source, Tables& tables);

}  // namespace tollgate::routing
