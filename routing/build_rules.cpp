// Rules resolved field by field for every kind of client and destination.
#include "routing/build_parts.h"
#include "routing/scopes.h"

namespace tollgate::routing {
namespace {

constexpr std::uint32_t kExplorePpm = 10'000;  // of order quality, when no rule says otherwise

void add_rule(const std::vector<RuleRow>& rows, const Layers& layers, Tables& tables) {
  const std::size_t carriers = tables.carriers.size();
  Rule rule;
  rule.ranks = static_cast<std::uint32_t>(tables.ranks.size());
  tables.ranks.resize(tables.ranks.size() + carriers);
  CarrierSet allow, deny;
  for (std::size_t i = 0; i < carriers; ++i) allow.add(i);
  std::vector<Ranked> priorities, weights;
  std::pair<std::uint16_t, std::uint16_t> hours{0, 0};
  std::uint32_t explore_ppm = kExplorePpm;
  for (std::uint32_t index : layers) {
    if (index == kNoRow) continue;
    const RuleRow& row = rows[index];
    lay(row.allow, allow);
    lay(row.deny, deny);
    lay(row.order, rule.order);
    lay(row.priorities, priorities);
    lay(row.weights, weights);
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
  for (std::size_t i = 0; i < carriers; ++i) {
    if (!allow.has(i) || deny.has(i)) continue;
    rule.allowed.add(i);
    if (tables.carriers[i].quality_ppm >= rule.quality_min_ppm) rule.qualified.add(i);
  }
  CarrierRank* ranks = tables.ranks.data() + rule.ranks;
  for (std::size_t i = 0; i < carriers; ++i)
    ranks[i].worse_ppm = kPpm - tables.carriers[i].quality_ppm;
  for (const Ranked& ranked : priorities)
    ranks[ranked.carrier].priority = static_cast<std::uint16_t>(ranked.value);
  for (const Ranked& ranked : weights) ranks[ranked.carrier].weight = ranked.value;
  tables.rules.push_back(rule);
}

}  // namespace

void build_rules(const SourceTables& source, Tables& tables) {
  ScopeGrid grid = grid_of(scopes_of(source.rules), tables.clients, source.country_of);
  for (const Layers& layers : grid.distinct) add_rule(source.rules, layers, tables);
  tables.rule_columns = grid.columns;
  tables.rule_ids = std::move(grid.cells);
  for (std::size_t i = 0; i < tables.clients.size(); ++i)
    tables.clients[i].rule_class = grid.class_of[i];
  for (std::size_t i = 0; i < tables.places.size(); ++i)
    tables.places[i].rule_column = grid.column_of[i % tables.destinations.size()];
}

}  // namespace tollgate::routing
