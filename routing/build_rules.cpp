#include "routing/build_rules.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

namespace tollgate::routing {
namespace {

constexpr std::uint32_t kMillion = 1'000'000;
constexpr std::uint32_t kNoRule = 0xffffffff;
using Layers = std::array<std::uint32_t, 9>;  // indices into SourceTables::rules, kNoRule = none
using Scope = std::tuple<ClientScope, std::uint32_t, PlaceScope, std::uint32_t>;

struct RuleClass {  // who
  std::uint32_t plan = kNoRule, client = kNoRule;
};
struct RulePlace {  // where
  std::uint32_t country = kNoRule, destination = kNoRule;
};

template <class T>
void lay(const std::optional<T>& from, T& to) {
  if (from) to = *from;
}

class RuleBuilder {
 public:
  RuleBuilder(const SourceTables& source, Tables& tables) : source_(source), tables_(tables) {
    for (std::size_t i = 0; i < source.rules.size(); ++i) {
      const RuleRow& rule = source.rules[i];
      by_scope_.emplace(Scope{rule.client_scope, rule.client, rule.place_scope, rule.place},
                        static_cast<std::uint32_t>(i));
    }
  }

  void run() {
    const std::vector<RuleClass> classes = name_classes();
    const std::vector<RulePlace> places = name_places();
    tables_.rule_columns = static_cast<std::uint32_t>(places.size());
    tables_.rule_ids.reserve(classes.size() * places.size());
    std::map<Layers, std::uint32_t> known;
    for (const RuleClass& who : classes) {
      for (const RulePlace& where : places) {
        const Layers layers = layers_of(who, where);
        const auto [rule, fresh] =
            known.emplace(layers, static_cast<std::uint32_t>(tables_.rules.size()));
        if (fresh) add_rule(layers);
        tables_.rule_ids.push_back(rule->second);
      }
    }
  }

 private:
  std::vector<RuleClass> name_classes() {
    std::set<std::uint32_t> plans, clients;
    for (const RuleRow& rule : source_.rules) {
      if (rule.client_scope == ClientScope::plan) plans.insert(rule.client);
      if (rule.client_scope == ClientScope::client) clients.insert(rule.client);
    }
    std::vector<RuleClass> classes(1);
    std::map<std::uint32_t, std::uint32_t> of_plan;
    for (std::uint32_t plan : plans) {
      of_plan[plan] = static_cast<std::uint32_t>(classes.size());
      classes.push_back({plan, kNoRule});
    }
    for (std::uint32_t i = 0; i < tables_.clients.size(); ++i) {
      TableClient& client = tables_.clients[i];
      const auto plan = of_plan.find(client.plan);
      client.rule_class = plan == of_plan.end() ? 0 : plan->second;
      if (!clients.contains(i)) continue;
      client.rule_class = static_cast<std::uint32_t>(classes.size());
      classes.push_back({client.plan, i});
    }
    return classes;
  }

  std::vector<RulePlace> name_places() {
    std::map<std::uint32_t, std::uint32_t> columns;  // destination or country -> column
    std::vector<RulePlace> places(1);
    for (const RuleRow& rule : source_.rules) {
      if (rule.place_scope == PlaceScope::any) continue;
      const auto column = static_cast<std::uint32_t>(places.size());
      if (!columns.emplace(rule.place, column).second) continue;
      const bool country = rule.place_scope == PlaceScope::country;
      places.push_back({source_.country_of[rule.place], country ? kNoRule : rule.place});
    }
    for (std::uint32_t id = 1; id < tables_.destinations.size(); ++id) {
      auto column = columns.find(id);
      if (column == columns.end()) column = columns.find(source_.country_of[id]);
      if (column != columns.end()) tables_.places[id].rule_column = column->second;
    }
    return places;
  }

  std::uint32_t find(ClientScope who, std::uint32_t client, PlaceScope where,
                     std::uint32_t place) const {
    const auto rule = by_scope_.find({who, client, where, place});
    return rule == by_scope_.end() ? kNoRule : rule->second;
  }

  Layers layers_of(const RuleClass& who, const RulePlace& where) const {
    Layers layers;
    layers.fill(kNoRule);
    std::size_t at = 0;
    for (const auto& [scope, client] :
         {std::pair(ClientScope::global, 0u), std::pair(ClientScope::plan, who.plan),
          std::pair(ClientScope::client, who.client)}) {
      layers[at++] = find(scope, client, PlaceScope::any, 0);
      layers[at++] = find(scope, client, PlaceScope::country, where.country);
      layers[at++] = find(scope, client, PlaceScope::destination, where.destination);
    }
    return layers;
  }

  void add_rule(const Layers& layers) {
    const std::size_t carriers = tables_.carriers.size();
    Rule rule;
    rule.ranks = static_cast<std::uint32_t>(tables_.ranks.size());
    tables_.ranks.resize(tables_.ranks.size() + carriers);
    CarrierSet allow, deny;
    for (std::size_t i = 0; i < carriers; ++i) allow.add(i);
    std::vector<Ranked> priorities, weights;
    std::pair<std::uint16_t, std::uint16_t> hours{0, 0};
    for (std::uint32_t index : layers) {
      if (index == kNoRule) continue;
      const RuleRow& row = source_.rules[index];
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
      lay(row.hours, hours);
    }
    rule.hours_from = hours.first;
    rule.hours_to = hours.second;
    for (std::size_t i = 0; i < carriers; ++i) {
      if (!allow.has(i) || deny.has(i)) continue;
      rule.allowed.add(i);
      if (tables_.carriers[i].quality_ppm >= rule.quality_min_ppm) rule.qualified.add(i);
    }
    CarrierRank* ranks = tables_.ranks.data() + rule.ranks;
    for (std::size_t i = 0; i < carriers; ++i)
      ranks[i].worse_ppm = kMillion - tables_.carriers[i].quality_ppm;
    for (const Ranked& ranked : priorities)
      ranks[ranked.carrier].priority = static_cast<std::uint16_t>(ranked.value);
    for (const Ranked& ranked : weights) ranks[ranked.carrier].weight = ranked.value;
    tables_.rules.push_back(rule);
  }

  const SourceTables& source_;
  Tables& tables_;
  std::map<Scope, std::uint32_t> by_scope_;
};

}  // namespace

std::size_t rule_cells(const SourceTables& source) {
  std::set<std::pair<ClientScope, std::uint32_t>> who;
  std::set<std::uint32_t> where;
  for (const RuleRow& rule : source.rules) {
    who.emplace(rule.client_scope, rule.client);
    where.insert(rule.place);
  }
  return (who.size() + 1) * (where.size() + 1);
}

void build_rules(const SourceTables& source, Tables& tables) {
  RuleBuilder(source, tables).run();
}

}  // namespace tollgate::routing
