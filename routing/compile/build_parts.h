// The parts of build(): prices, costs, rules, sender rules. Private to the compiler. Each fills the
// members of Tables that its comment names; carriers, clients, plans and destinations are there
// already.
#pragma once
#include "routing/compile/source.h"

namespace tollgate::routing {

// prices, price_sets. Leaves in `source.prices` the rows by prefix alone, owned by price sets and
// sorted by (prefix, owner).
void build_prices(SourceTables& source, Tables& tables);

// learned, learned_begin, offers_of, places, offers, exact. Leaves in `source.rates` the rows by
// prefix alone, sorted by (prefix, owner, sender).
void build_costs(SourceTables& source, const CompileOptions& options, Tables& tables);

// Rows with a sender type exist.
bool has_sender_rates(const SourceTables& source);

// rules, ranks, rule_ids, rule_columns, and the clients' and places' part in them. Takes the grid.
void build_rules(SourceTables& source, Tables& tables);

// The same of the sender rules, replacements and denied.
void build_senders(SourceTables& source, Tables& tables);

}  // namespace tollgate::routing
