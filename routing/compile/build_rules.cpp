// Rules resolved field by field for every kind of client and destination.
#include <map>
#include <set>

#include "routing/compile/build_parts.h"
#include "routing/compile/scopes.h"

namespace tollgate::routing {
namespace {

constexpr std::uint32_t kExplorePpm = 10'000;  // of order quality, when no rule says otherwise

// The rows that say in which order carriers go: who has the same shares the ranks.
struct Ranking {
  const RuleRow* priorities = nullptr;
  const RuleRow* weights = nullptr;
  auto operator<=>(const Ranking&) const = default;
};

Ranking ranking_of(const std::vector<RuleRow>& rows, const Layers& layers) {
  Ranking ranking;
  for (std::uint32_t index : layers) {
    if (index == kNoRow) continue;
    const RuleRow& row = rows[index];
    if (row.priorities) ranking.priorities = &row;
    if (row.weights) ranking.weights = &row;
  }
  return ranking;
}

class RuleBuilder {
 public:
  RuleBuilder(const std::vector<RuleRow>& rows, Tables& tables) : rows_(rows), tables_(tables) {}

  void add(const Layers& layers) {
    Rule rule;
    rule.ranks = ranks_of(ranking_of(rows_, layers));
    CarrierSet allow, deny;
    for (std::size_t i = 0; i < tables_.carriers.size(); ++i) allow.add(i);
    std::pair<std::uint16_t, std::uint16_t> hours{0, 0};
    std::uint32_t explore_ppm = kExplorePpm;
    for (std::uint32_t index : layers) {
      if (index == kNoRow) continue;
      const RuleRow& row = rows_[index];
      lay(row.allow, allow);
      lay(row.deny, deny);
      lay(row.order, rule.order);
      lay(row.attempts_max, rule.attempts_max);
      lay(row.margin_min, rule.margin_min);
      lay(row.margin_min_ppm, rule.margin_min_ppm);
      lay(row.loss_allowed, rule.loss_allowed);
      lay(row.blocked, rule.blocked);
      lay(row.quality_min_ppm, rule.quality_min_ppm);
      lay(row.explore_ppm, explore_ppm);
      lay(row.hours, hours);
    }
    rule.hours_from = hours.first;
    rule.hours_to = hours.second;
    if (rule.order == Order::quality) rule.explore_ppm = explore_ppm;
    for (std::size_t i = 0; i < tables_.carriers.size(); ++i) {
      if (!allow.has(i) || deny.has(i)) continue;
      rule.allowed.add(i);
      if (tables_.carriers[i].quality_ppm >= rule.quality_min_ppm) rule.qualified.add(i);
    }
    tables_.rules.push_back(rule);
  }

 private:
  std::uint32_t ranks_of(const Ranking& ranking) {
    const auto begin = static_cast<std::uint32_t>(tables_.ranks.size());
    const auto [known, fresh] = ranks_.emplace(ranking, begin);
    if (!fresh) return known->second;
    for (const TableCarrier& carrier : tables_.carriers)
      tables_.ranks.emplace_back().worse_ppm = kPpm - carrier.quality_ppm;
    CarrierRank* ranks = tables_.ranks.data() + begin;
    if (ranking.priorities != nullptr) {
      for (const Ranked& ranked : *ranking.priorities->priorities)
        ranks[ranked.carrier].priority = static_cast<std::uint16_t>(ranked.value);
    }
    if (ranking.weights != nullptr) {
      for (const Ranked& ranked : *ranking.weights->weights)
        ranks[ranked.carrier].weight = ranked.value;
    }
    return begin;
  }

  const std::vector<RuleRow>& rows_;
  Tables& tables_;
  std::map<Ranking, std::uint32_t> ranks_;
};

}  // namespace

std::size_t count_rankings(const SourceTables& source) {
  std::set<Ranking> rankings;
  for (const Layers& layers : source.rule_grid.distinct)
    rankings.insert(ranking_of(source.rules, layers));
  return rankings.size();
}

void build_rules(SourceTables& source, Tables& tables) {
  ScopeGrid& grid = source.rule_grid;
  RuleBuilder builder(source.rules, tables);
  tables.rules.reserve(grid.distinct.size());
  for (const Layers& layers : grid.distinct) builder.add(layers);
  tables.rule_columns = grid.columns;
  tables.rule_ids = std::move(grid.cells);
  for (std::size_t i = 0; i < tables.clients.size(); ++i)
    tables.clients[i].rule_class = grid.class_of[i];
  for (std::size_t i = 0; i < tables.places.size(); ++i)
    tables.places[i].rule_column = grid.column_of[i % tables.destinations.size()];
}

}  // namespace tollgate::routing
