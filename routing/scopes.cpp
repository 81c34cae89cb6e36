#include "routing/scopes.h"

#include <set>

namespace tollgate::routing {
namespace {

using Key = std::tuple<ClientScope, std::uint32_t, PlaceScope, std::uint32_t>;
Key key_of(const Scope& scope) {
  return {scope.client_scope, scope.client, scope.place_scope, scope.place};
}

struct Who {
  std::uint32_t plan = kNoRow, client = kNoRow;
};
struct Where {
  std::uint32_t country = kNoRow, destination = kNoRow;
};

class GridBuilder {
 public:
  GridBuilder(const std::vector<Scope>& rows, const std::vector<TableClient>& clients,
              const std::vector<std::uint32_t>& country_of)
      : rows_(rows), clients_(clients), country_of_(country_of) {
    for (std::size_t i = 0; i < rows.size(); ++i)
      by_scope_.emplace(key_of(rows[i]), static_cast<std::uint32_t>(i));
  }

  ScopeGrid run() {
    const std::vector<Who> classes = name_classes();
    const std::vector<Where> places = name_places();
    grid_.columns = static_cast<std::uint32_t>(places.size());
    grid_.cells.reserve(classes.size() * places.size());
    std::map<Layers, std::uint32_t> known;
    for (const Who& who : classes) {
      for (const Where& where : places) {
        const Layers layers = layers_of(who, where);
        const auto [cell, fresh] =
            known.emplace(layers, static_cast<std::uint32_t>(grid_.distinct.size()));
        if (fresh) grid_.distinct.push_back(layers);
        grid_.cells.push_back(cell->second);
      }
    }
    return std::move(grid_);
  }

 private:
  std::vector<Who> name_classes() {
    std::set<std::uint32_t> plans, clients;
    for (const Scope& row : rows_) {
      if (row.client_scope == ClientScope::plan) plans.insert(row.client);
      if (row.client_scope == ClientScope::client) clients.insert(row.client);
    }
    std::vector<Who> classes(1);
    std::map<std::uint32_t, std::uint32_t> of_plan;
    for (std::uint32_t plan : plans) {
      of_plan[plan] = static_cast<std::uint32_t>(classes.size());
      classes.push_back({plan, kNoRow});
    }
    for (std::uint32_t i = 0; i < clients_.size(); ++i) {
      const auto plan = of_plan.find(clients_[i].plan);
      grid_.class_of.push_back(plan == of_plan.end() ? 0 : plan->second);
      if (!clients.contains(i)) continue;
      grid_.class_of[i] = static_cast<std::uint32_t>(classes.size());
      classes.push_back({clients_[i].plan, i});
    }
    return classes;
  }

  std::vector<Where> name_places() {
    std::map<std::uint32_t, std::uint32_t> columns;  // destination or country -> column
    std::vector<Where> places(1);
    for (const Scope& row : rows_) {
      if (row.place_scope == PlaceScope::any) continue;
      const auto column = static_cast<std::uint32_t>(places.size());
      if (!columns.emplace(row.place, column).second) continue;
      const bool country = row.place_scope == PlaceScope::country;
      places.push_back({country_of_[row.place], country ? kNoRow : row.place});
    }
    grid_.column_of.resize(country_of_.size());
    for (std::uint32_t id = 1; id < country_of_.size(); ++id) {
      auto column = columns.find(id);
      if (column == columns.end()) column = columns.find(country_of_[id]);
      if (column != columns.end()) grid_.column_of[id] = column->second;
    }
    return places;
  }

  std::uint32_t find(const Key& key) const {
    const auto row = by_scope_.find(key);
    return row == by_scope_.end() ? kNoRow : row->second;
  }

  Layers layers_of(const Who& who, const Where& where) const {
    Layers layers;
    std::size_t at = 0;
    for (const auto& [scope, client] :
         {std::pair(ClientScope::global, 0u), std::pair(ClientScope::plan, who.plan),
          std::pair(ClientScope::client, who.client)}) {
      layers[at++] = find({scope, client, PlaceScope::any, 0});
      layers[at++] = find({scope, client, PlaceScope::country, where.country});
      layers[at++] = find({scope, client, PlaceScope::destination, where.destination});
    }
    return layers;
  }

  const std::vector<Scope>& rows_;
  const std::vector<TableClient>& clients_;
  const std::vector<std::uint32_t>& country_of_;
  std::map<Key, std::uint32_t> by_scope_;
  ScopeGrid grid_;
};

}  // namespace

ScopeGrid grid_of(const std::vector<Scope>& rows, const std::vector<TableClient>& clients,
                  const std::vector<std::uint32_t>& country_of) {
  return GridBuilder(rows, clients, country_of).run();
}

std::size_t grid_cells(const std::vector<Scope>& rows) {
  std::set<std::pair<ClientScope, std::uint32_t>> who;
  std::set<std::uint32_t> where;
  for (const Scope& row : rows) {
    who.emplace(row.client_scope, row.client);
    where.insert(row.place);
  }
  return (who.size() + 1) * (where.size() + 1);
}

ScopeReader::ScopeReader(Reading& reading, Sheet& sheet) : source_(reading.source), sheet_(sheet) {
  for (std::size_t i = 0; i < source_.clients.size(); ++i)
    clients_.emplace(source_.clients[i].name, static_cast<std::uint32_t>(i));
}

void ScopeReader::read(Scope& scope) {
  scope.row = static_cast<std::uint32_t>(sheet_.row());
  const std::string_view plan = sheet_[kPlan], client = sheet_[kClient];
  if (!plan.empty() && !client.empty())
    sheet_.fault_row("names both a plan and a client: a rule is for one of them");
  if (!plan.empty()) {
    const int id = source_.find_plan(plan);
    if (id < 0) sheet_.fault(kPlan, "is not a plan: there is no such file in plans/");
    scope.client_scope = ClientScope::plan;
    scope.client = static_cast<std::uint32_t>(id);
  }
  if (!client.empty()) {
    const auto found = clients_.find(std::string(client));
    if (found == clients_.end()) return sheet_.fault(kClient, "is not in clients.csv");
    scope.client_scope = ClientScope::client;
    scope.client = found->second;
  }
  const std::string_view place = sheet_[kDestination];
  if (place.empty()) return;
  if (const char* why = bad_destination(place)) return sheet_.fault(kDestination, why);
  scope.place = source_.destination(place);
  scope.place_scope = place.size() == 3 ? PlaceScope::country : PlaceScope::destination;
  if (!source_.reachable[scope.place])
    sheet_.fault(kDestination, "is reached by no number of the numbering plan");
}

void ScopeReader::check_repeats(const Scope& scope) {
  const auto [same, fresh] = seen_.emplace(key_of(scope), scope.row);
  if (fresh) return;
  sheet_.fault_row("has the same plan, client and destination as row " +
                   std::to_string(same->second));
}

}  // namespace tollgate::routing
