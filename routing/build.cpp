// Checked rows -> Tables.
#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

#include "routing/build_rules.h"
#include "routing/source.h"

namespace tollgate::routing {
namespace {

// Amounts by destination into a matrix; those by prefix stay behind in `rows`, sorted by
// (prefix, owner). Submit and delivered charges of one thing are added up.
struct Matrix {
  std::vector<Nano>& cells;
  std::size_t by_destination, by_owner;  // strides
  Nano& at(std::size_t destination, std::size_t owner) {
    return cells[destination * by_destination + owner * by_owner];
  }
};

void fill(std::vector<AmountRow>& rows, Matrix matrix) {
  for (const AmountRow& row : rows) {
    if (row.length != 0) continue;
    Nano& cell = matrix.at(row.key, row.owner);
    cell = cell == kNone ? row.amount : cell + row.amount;
  }
  std::erase_if(rows, [](const AmountRow& row) { return row.length == 0; });
  std::sort(rows.begin(), rows.end(), [](const AmountRow& a, const AmountRow& b) {
    return std::tie(a.key, a.length, a.owner) < std::tie(b.key, b.length, b.owner);
  });
}

void sort_offers(Matrix costs, Tables& tables) {
  tables.places.resize(tables.destinations.size());
  for (std::size_t id = 0; id < tables.places.size(); ++id) {
    Place& place = tables.places[id];
    place.offers_begin = static_cast<std::uint32_t>(tables.offers.size());
    for (std::size_t carrier = 0; carrier < tables.carriers.size(); ++carrier) {
      const Nano cost = costs.at(id, carrier);
      if (cost != kNone) tables.offers.push_back({cost, static_cast<std::uint16_t>(carrier)});
    }
    place.offers_end = static_cast<std::uint32_t>(tables.offers.size());
    std::stable_sort(tables.offers.begin() + place.offers_begin, tables.offers.end(),
                     [](const Offer& a, const Offer& b) { return a.cost < b.cost; });
  }
}

void build_matrices(SourceTables& source, Tables& tables) {
  const std::size_t carriers = tables.carriers.size(), places = tables.destinations.size();
  std::vector<Nano> cells(places * carriers, kNone);
  tables.prices.assign(places * tables.plans.size(), kNone);
  tables.exact.resize(places);
  const Matrix costs{cells, carriers, 1}, prices{tables.prices, 1, places};
  fill(source.rates, costs);
  fill(source.prices, prices);
  // A network without a row of its own has its country's. Countries are never networks.
  const auto inherit = [&](Matrix matrix, std::size_t owner, std::size_t id) {
    Nano& cell = matrix.at(id, owner);
    if (cell != kNone) return true;
    cell = matrix.at(source.country_of[id], owner);
    return false;
  };
  for (std::size_t id = 1; id < places; ++id) {
    if (source.country_of[id] == id) continue;
    for (std::size_t carrier = 0; carrier < carriers; ++carrier) {
      if (inherit(costs, carrier, id)) tables.exact[id].add(carrier);
    }
  }
  sort_offers(costs, tables);
  for (std::size_t plan = 0; plan < tables.plans.size(); ++plan) {
    for (std::size_t id = 1; id < places; ++id) inherit(prices, plan, id);
  }
}

// The rows of `from` at `at` that are for the prefix go to `to`; those of one owner are added up.
void take(const std::vector<AmountRow>& from, std::size_t& at, const PlanPrefix& prefix,
          std::vector<PrefixAmount>& to) {
  const std::size_t begin = to.size();
  for (; at < from.size() && from[at].key == prefix.key && from[at].length == prefix.length; ++at) {
    if (to.size() > begin && to.back().owner == from[at].owner)
      to.back().amount += from[at].amount;
    else
      to.push_back({from[at].owner, from[at].amount});
  }
}

// Merges the sorted prefixes of plan, rates and prices; each inherits what it does not say itself.
class IndexBuilder {
 public:
  IndexBuilder(const SourceTables& source, Tables& tables) : source_(source), tables_(tables) {}

  PrefixIndex run() {
    tables_.nodes.resize(1);
    std::vector<PrefixIndex::Entry> entries;
    entries.reserve(source_.prefixes.size());
    std::vector<PrefixIndex::Entry> around;
    PlanPrefix next{};
    while (find_next(next)) {
      while (!around.empty() && !covers(around.back(), next)) around.pop_back();
      const Leaf outer = around.empty() ? Leaf{} : around.back().leaf;
      const PrefixIndex::Entry entry{next.key, next.length, leaf_of(next, outer)};
      around.push_back(entry);
      entries.push_back(entry);
    }
    return PrefixIndex(entries);
  }

 private:
  static bool covers(const PrefixIndex::Entry& outer, const PlanPrefix& inner) {
    const int shift = 4 * (15 - outer.length);
    return inner.length >= outer.length && inner.key >> shift == outer.key >> shift;
  }

  bool find_next(PlanPrefix& next) const {
    bool found = false;
    const auto consider = [&](const auto& rows, std::size_t at) {
      if (at == rows.size()) return;
      const auto& row = rows[at];
      if (found && std::pair(next.key, next.length) <= std::pair(row.key, row.length)) return;
      next.key = row.key;
      next.length = row.length;
      found = true;
    };
    consider(source_.prefixes, prefix_);
    consider(source_.rates, rate_);
    consider(source_.prices, price_);
    return found;
  }

  Leaf leaf_of(const PlanPrefix& prefix, Leaf leaf) {
    const auto& plan = source_.prefixes;
    if (prefix_ < plan.size() && plan[prefix_].key == prefix.key &&
        plan[prefix_].length == prefix.length)
      leaf.destination = plan[prefix_++].destination;
    PrefixNode node;
    node.parent = leaf.node;
    node.costs_begin = static_cast<std::uint32_t>(tables_.prefix_costs.size());
    node.prices_begin = static_cast<std::uint32_t>(tables_.prefix_prices.size());
    take(source_.rates, rate_, prefix, tables_.prefix_costs);
    take(source_.prices, price_, prefix, tables_.prefix_prices);
    node.costs_end = static_cast<std::uint32_t>(tables_.prefix_costs.size());
    node.prices_end = static_cast<std::uint32_t>(tables_.prefix_prices.size());
    if (node.costs_end == node.costs_begin && node.prices_end == node.prices_begin) return leaf;
    leaf.node = static_cast<std::uint32_t>(tables_.nodes.size());
    tables_.nodes.push_back(node);
    return leaf;
  }

  const SourceTables& source_;
  Tables& tables_;
  std::size_t prefix_ = 0, rate_ = 0, price_ = 0;
};

Portability build_portability(const std::vector<PortedNumber>& ported) {
  Portability built;
  if (ported.empty()) return built;
  const std::size_t slots = std::bit_ceil(ported.size() * 2);
  built.keys.resize(slots);
  built.destinations.resize(slots);
  for (const PortedNumber& number : ported) {
    std::size_t slot = Portability::slot_of(number.key) & (slots - 1);
    while (built.keys[slot] != 0) slot = (slot + 1) & (slots - 1);
    built.keys[slot] = number.key;
    built.destinations[slot] = number.destination;
  }
  return built;
}

}  // namespace

std::unique_ptr<Tables> build(SourceTables&& source) {
  auto tables = std::make_unique<Tables>();
  tables->base_currency = source.base_currency;
  tables->valid_until_us = source.valid_until_us;
  tables->counts = {source.prefixes.size(), source.rates.size(),  source.prices.size(),
                    source.rules.size(),    source.ported.size(), source.rows};
  for (std::size_t i = 0; i < source.carriers.size(); ++i) {
    tables->carriers.push_back(source.carriers[i].carrier);
    for (std::size_t sender = 0; sender < kSenders; ++sender) {
      if (sender == std::size_t(Sender::none) || source.carriers[i].sender_types >> sender & 1)
        tables->senders[sender].add(i);
    }
  }
  tables->clients = std::move(source.clients);
  tables->plans = std::move(source.plans);
  tables->destinations = std::move(source.destinations);
  tables->dialling = source.dialling;
  build_matrices(source, *tables);
  tables->index = IndexBuilder(source, *tables).run();
  tables->portability = build_portability(source.ported);
  build_rules(source, *tables);
  return tables;
}

}  // namespace tollgate::routing
