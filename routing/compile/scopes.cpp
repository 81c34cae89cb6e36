#include "routing/compile/scopes.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "routing/compile/cells.h"

namespace tollgate::routing {
namespace {

using Key = std::tuple<ClientScope, std::uint32_t, PlaceScope, std::uint32_t>;
Key key_of(const Scope& scope) {
  return {scope.client_scope, scope.client, scope.place_scope, scope.place};
}

using Rows = std::vector<std::uint32_t>;  // indices

// Clients with the same rows: all, those of a plan, one.
struct Class {
  ClientScope scope = ClientScope::global;
  std::uint32_t base = 0;  // the class whose rows lie below its own
  Rows rows;               // its own
};

// Each class is the one below it with its own rows laid on top, at the columns that these reach:
// what it costs grows with the cells that differ, and by no more than a copy with the others.
class GridBuilder {
 public:
  GridBuilder(const std::vector<Scope>& rows, const std::vector<TableClient>& clients,
              const std::vector<std::uint32_t>& country_of)
      : rows_(rows), clients_(clients), country_of_(country_of) {}

  ScopeGrid run(GridSize& size) {
    name_classes();
    name_columns();
    size.cells = classes_.size() * grid_.columns;
    if (size.cells > kGridMost.cells) return {};
    grid_.cells.resize(size.cells);
    grid_.distinct.emplace_back().fill(kNoRow);
    countries_.resize(grid_.columns, kNoRow);
    destinations_.resize(grid_.columns, kNoRow);
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      lay_class(i);
      size.distinct = grid_.distinct.size();
      if (size.distinct > kGridMost.distinct) return {};
    }
    return std::move(grid_);
  }

 private:
  void name_classes() {
    std::map<std::uint32_t, Rows> plans, clients;
    classes_.emplace_back();
    for (std::uint32_t i = 0; i < rows_.size(); ++i) {
      const Scope& row = rows_[i];
      if (row.client_scope == ClientScope::plan)
        plans[row.client].push_back(i);
      else if (row.client_scope == ClientScope::client)
        clients[row.client].push_back(i);
      else
        classes_[0].rows.push_back(i);
    }
    std::map<std::uint32_t, std::uint32_t> of_plan;
    for (auto& [plan, rows] : plans) {
      of_plan[plan] = static_cast<std::uint32_t>(classes_.size());
      classes_.push_back({ClientScope::plan, 0, std::move(rows)});
    }
    for (std::uint32_t i = 0; i < clients_.size(); ++i) {
      const auto plan = of_plan.find(clients_[i].plan);
      grid_.class_of.push_back(plan == of_plan.end() ? 0 : plan->second);
      const auto own = clients.find(i);
      if (own == clients.end()) continue;
      const std::uint32_t base =
          std::exchange(grid_.class_of[i], static_cast<std::uint32_t>(classes_.size()));
      classes_.push_back({ClientScope::client, base, std::move(own->second)});
    }
  }

  void name_columns() {
    for (const Scope& row : rows_) {
      if (row.place_scope == PlaceScope::any) continue;
      if (!columns_.emplace(row.place, grid_.columns).second) continue;
      of_country_[country_of_[row.place]].push_back(grid_.columns++);
    }
    grid_.column_of.resize(country_of_.size());
    for (std::uint32_t id = 1; id < country_of_.size(); ++id) {
      auto column = columns_.find(id);
      if (column == columns_.end()) column = columns_.find(country_of_[id]);
      if (column != columns_.end()) grid_.column_of[id] = column->second;
    }
  }

  void lay_class(std::size_t index) {
    const Class& own = classes_[index];
    std::uint32_t* cells = grid_.cells.data() + index * grid_.columns;
    const std::uint32_t* below = grid_.cells.data() + own.base * std::size_t{grid_.columns};
    if (below != cells) std::copy_n(below, grid_.columns, cells);
    std::uint32_t any = kNoRow;
    const std::vector<std::uint32_t> reached = place_rows(own.rows, any);
    // What a row of this class is in belongs to no other class.
    known_.clear();
    for (const std::uint32_t column : reached) {
      Layers layers = grid_.distinct[cells[column]];
      const std::size_t at = 3 * static_cast<std::size_t>(own.scope);
      layers[at] = any;
      layers[at + 1] = std::exchange(countries_[column], kNoRow);
      layers[at + 2] = std::exchange(destinations_[column], kNoRow);
      const auto [known, fresh] =
          known_.emplace(layers, static_cast<std::uint32_t>(grid_.distinct.size()));
      if (fresh) grid_.distinct.push_back(layers);
      if (grid_.distinct.size() > kGridMost.distinct) return;
      cells[column] = known->second;
    }
  }

  // The columns that the rows reach, each once; countries_ and destinations_ say by which.
  std::vector<std::uint32_t> place_rows(const Rows& rows, std::uint32_t& any) {
    std::vector<std::uint32_t> reached;
    const auto put = [&](std::vector<std::uint32_t>& rows_at, std::uint32_t column,
                         std::uint32_t row) {
      if (countries_[column] == kNoRow && destinations_[column] == kNoRow)
        reached.push_back(column);
      rows_at[column] = row;
    };
    for (const std::uint32_t index : rows) {
      const Scope& row = rows_[index];
      if (row.place_scope == PlaceScope::any) {
        any = index;
      } else if (row.place_scope == PlaceScope::destination) {
        put(destinations_, columns_.at(row.place), index);
      } else {
        for (const std::uint32_t column : of_country_.at(row.place)) put(countries_, column, index);
      }
    }
    if (any == kNoRow) return reached;
    reached.resize(grid_.columns);
    std::iota(reached.begin(), reached.end(), 0u);
    return reached;
  }

  const std::vector<Scope>& rows_;
  const std::vector<TableClient>& clients_;
  const std::vector<std::uint32_t>& country_of_;
  std::vector<Class> classes_;
  std::unordered_map<std::uint32_t, std::uint32_t> columns_;  // destination or country -> column
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> of_country_;  // -> columns
  std::vector<std::uint32_t> countries_, destinations_;  // [column] of one class: its row there
  std::map<Layers, std::uint32_t> known_;                // of one class
  ScopeGrid grid_;
};

}  // namespace

ScopeGrid grid_of(const std::vector<Scope>& rows, const std::vector<TableClient>& clients,
                  const std::vector<std::uint32_t>& country_of, GridSize& size) {
  return GridBuilder(rows, clients, country_of).run(size);
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
