// Price plans at the volumes that their clients have reached.
#include <algorithm>
#include <map>
#include <tuple>

#include "routing/compile/build_parts.h"

namespace tollgate::routing {
namespace {

// The plans' rows lie one plan after the other.
std::pair<std::size_t, std::size_t> rows_of(const std::vector<AmountRow>& prices,
                                            std::uint16_t plan) {
  AmountRow wanted{};
  wanted.owner = plan;
  const auto [begin, end] =
      std::equal_range(prices.begin(), prices.end(), wanted,
                       [](const AmountRow& a, const AmountRow& b) { return a.owner < b.owner; });
  return {begin - prices.begin(), end - prices.begin()};
}

// Segments that the client has sent in the month of `now_us`, as far as is known.
std::map<std::string_view, std::uint64_t> volumes_of(const CompileOptions& options) {
  std::map<std::string_view, std::uint64_t> volumes;
  const Facts* const facts = options.facts;
  if (facts == nullptr || facts->month != month_of(options.now_us)) return volumes;
  for (const Volume& volume : facts->volumes) volumes.emplace(volume.client, volume.segments);
  return volumes;
}

}  // namespace

void name_price_sets(Reading& reading) {
  SourceTables& source = reading.source;
  source.plan_thresholds.resize(source.plans.size());
  for (const AmountRow& row : source.prices) {
    auto& thresholds = source.plan_thresholds[row.owner];
    if (row.from_volume != 0 && (thresholds.empty() || thresholds.back() != row.from_volume))
      thresholds.push_back(row.from_volume);
  }
  for (auto& thresholds : source.plan_thresholds) {
    std::sort(thresholds.begin(), thresholds.end());
    thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  }
  for (std::size_t plan = 0; plan < source.plans.size(); ++plan) {
    const std::size_t volumes = source.plan_thresholds[plan].size();
    if (volumes <= kPlanVolumesMax) continue;
    reading.faults.add({"plans/" + source.plans[plan] + ".csv", 0, "from_volume",
                        std::to_string(volumes),
                        "are too many volumes: at most " + std::to_string(kPlanVolumesMax)});
  }
  const auto volumes = volumes_of(reading.options);
  std::map<std::pair<std::uint16_t, std::uint64_t>, std::uint16_t> known;
  for (TableClient& client : source.clients) {
    if (client.name.empty()) continue;  // keeps the id of one that is gone
    const auto volume = volumes.find(client.name);
    const auto& at = source.plan_thresholds[client.plan];
    const std::uint64_t sent = volume == volumes.end() ? 0 : volume->second;
    const auto above = std::upper_bound(at.begin(), at.end(), sent);
    const std::uint64_t reached = above == at.begin() ? 0 : *std::prev(above);
    const auto [set, fresh] = known.emplace(std::pair(client.plan, reached),
                                            static_cast<std::uint16_t>(source.price_sets.size()));
    if (fresh) source.price_sets.push_back({client.plan, reached});
    client.price_set = set->second;
    // A new month begins at 0.
    if (reached != 0)
      source.valid_until_us = std::min(source.valid_until_us, month_end_us(reading.options.now_us));
  }
}

std::size_t prefix_prices(const SourceTables& source) {
  std::vector<std::size_t> of_plan(source.plans.size());
  const AmountRow* last = nullptr;
  for (const AmountRow& row : source.prices) {
    const bool same = last != nullptr && last->owner == row.owner && last->key == row.key &&
                      last->length == row.length;
    if (row.length != 0 && !same) ++of_plan[row.owner];
    last = &row;
  }
  std::size_t rows = 0;
  for (const PriceSet& set : source.price_sets) rows += of_plan[set.plan];
  return rows;
}

void build_prices(SourceTables& source, Tables& tables) {
  const std::size_t places = tables.destinations.size();
  tables.plan_thresholds = std::move(source.plan_thresholds);
  tables.price_sets = std::move(source.price_sets);
  // A client that is gone has a set too, if only an empty one.
  if (tables.price_sets.empty()) tables.price_sets.emplace_back();
  std::vector<Nano> cells;
  std::vector<AmountRow> by_prefix;
  for (std::size_t set = 0; set < tables.price_sets.size(); ++set) {
    const PriceSet& prices = tables.price_sets[set];
    cells.assign(places, kNone);
    const std::size_t first = by_prefix.size();
    const auto [begin, end] = rows_of(source.prices, prices.plan);
    for (std::size_t i = begin; i < end; ++i) {
      // Sorted by thing, then volume: what is reached later holds.
      AmountRow row = source.prices[i];
      if (row.from_volume > prices.from_volume) continue;
      if (row.length == 0) {
        cells[row.key] = row.amount;
        continue;
      }
      row.owner = static_cast<std::uint16_t>(set);
      const bool same = by_prefix.size() > first && by_prefix.back().key == row.key &&
                        by_prefix.back().length == row.length;
      if (same)
        by_prefix.back() = row;
      else
        by_prefix.push_back(row);
    }
    // A network without a price of its own has its country's. Countries are never networks.
    for (std::size_t id = 1; id < places; ++id) {
      if (cells[id] == kNone) cells[id] = cells[source.country_of[id]];
    }
    tables.prices.add(cells);
  }
  tables.prices.finish();
  std::sort(by_prefix.begin(), by_prefix.end(), [](const AmountRow& a, const AmountRow& b) {
    return std::tie(a.key, a.length, a.owner) < std::tie(b.key, b.length, b.owner);
  });
  source.prices = std::move(by_prefix);
}

}  // namespace tollgate::routing
