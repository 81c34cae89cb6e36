// Checked rows -> Tables.
#include <algorithm>
#include <bit>
#include <span>
#include <utility>

#include "routing/compile/build_parts.h"

namespace tollgate::routing {
namespace {

// Walks through rows by prefix in the order of prefixes.
class RowsByPrefix {
 public:
  explicit RowsByPrefix(const std::vector<AmountRow>& rows) : rows_(rows) {}
  const AmountRow* next() const { return at_ < rows_.size() ? &rows_[at_] : nullptr; }
  // The rows of the prefix, when they are the next ones.
  std::span<const AmountRow> take(const PlanPrefix& prefix) {
    const std::size_t begin = at_;
    while (at_ < rows_.size() && rows_[at_].key == prefix.key && rows_[at_].length == prefix.length)
      ++at_;
    return {rows_.data() + begin, at_ - begin};
  }

 private:
  const std::vector<AmountRow>& rows_;
  std::size_t at_ = 0;
};

void add_prices(std::span<const AmountRow> rows, Tables& tables) {
  for (const AmountRow& row : rows)
    tables.prefix_prices.push_back({row.owner, kEverySender, row.amount});
}

// Sorted by carrier, then by sender: those for everyone come last, for whom no other row holds.
void add_costs(std::span<const AmountRow> rows, Tables& tables) {
  for (std::size_t i = 0; i < rows.size();) {
    const AmountRow& row = rows[i];
    Nano submit = 0, delivered = 0;
    for (; i < rows.size() && rows[i].owner == row.owner && rows[i].sender == row.sender; ++i)
      (rows[i].basis == 0 ? submit : delivered) += rows[i].amount;
    const bool everyone = row.sender == Sender::none;
    const auto own = static_cast<std::uint8_t>(1u << unsigned(row.sender));
    if (!tables.learned.empty()) {
      tables.prefix_delivered.push_back(delivered);
      delivered = 0;
    }
    tables.prefix_costs.push_back({row.owner, everyone ? kEverySender : own, submit + delivered});
  }
}

// Merges the sorted prefixes of plan, rates and prices; each inherits what it does not say itself.
class IndexBuilder {
 public:
  IndexBuilder(const SourceTables& source, Tables& tables)
      : source_(source), tables_(tables), rates_(source.rates), prices_(source.prices) {}

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
    const auto consider = [&](const auto* row) {
      if (row == nullptr) return;
      if (found && std::pair(next.key, next.length) <= std::pair(row->key, row->length)) return;
      next.key = row->key;
      next.length = row->length;
      found = true;
    };
    consider(prefix_ < source_.prefixes.size() ? &source_.prefixes[prefix_] : nullptr);
    consider(rates_.next());
    consider(prices_.next());
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
    add_costs(rates_.take(prefix), tables_);
    add_prices(prices_.take(prefix), tables_);
    node.costs_end = static_cast<std::uint32_t>(tables_.prefix_costs.size());
    node.prices_end = static_cast<std::uint32_t>(tables_.prefix_prices.size());
    if (node.costs_end == node.costs_begin && node.prices_end == node.prices_begin) return leaf;
    leaf.node = static_cast<std::uint32_t>(tables_.nodes.size());
    tables_.nodes.push_back(node);
    return leaf;
  }

  const SourceTables& source_;
  Tables& tables_;
  RowsByPrefix rates_, prices_;
  std::size_t prefix_ = 0;
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

std::unique_ptr<Tables> build(SourceTables&& source, const CompileOptions& options) {
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
  build_prices(source, *tables);
  build_costs(source, options, *tables);
  tables->index = IndexBuilder(source, *tables).run();
  tables->portability = build_portability(source.ported);
  build_rules(source, *tables);
  build_senders(source, *tables);
  return tables;
}

}  // namespace tollgate::routing
