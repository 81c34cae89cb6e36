// Scopes of rules and of sender rules: for whom (all, a plan, a client) and where (everywhere, a
// country, a network). Private to the compiler.
//
// 1. Layers are laid over each other from the least specific to the most: first by client scope
//    (global, plan, client), within that by place (any, country, destination). A field that a later
//    layer sets replaces that field; a field that it leaves empty stays.
// 2. Clients without rows share the class of their plan, plans without rows that of all;
//    destinations without rows share the column of their country, countries without rows the
//    column 0.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "routing/compile/source.h"

namespace tollgate::routing {

// What a grid would take. Both count what differs: N clients' rules over M destinations' are N x M
// sets of rules, however few the rows.
struct GridSize {
  std::size_t cells = 0;     // classes x columns
  std::size_t distinct = 0;  // sets of layers; not counted on when there are too many
};
inline constexpr GridSize kGridMost{64'000'000, 2'000'000};

// rows: the scopes of a file's rows, in its order. Without cells when `size`, which it fills, is
// beyond kGridMost.
ScopeGrid grid_of(const std::vector<Scope>& rows, const std::vector<TableClient>& clients,
                  const std::vector<std::uint32_t>& country_of, GridSize& size);
template <class Row>
std::vector<Scope> scopes_of(const std::vector<Row>& rows) {
  return {rows.begin(), rows.end()};
}
// A field of the layer, when it sets it.
template <class T>
void lay(const std::optional<T>& from, T& to) {
  if (from) to = *from;
}

// Reads the columns plan, client and destination, which are the first three of the sheet, and
// refuses a scope that was there already.
class ScopeReader {
 public:
  static constexpr std::size_t kPlan = 0, kClient = 1, kDestination = 2;
  ScopeReader(Reading& reading, Sheet& sheet);
  void read(Scope& scope);
  void check_repeats(const Scope& scope);

 private:
  SourceTables& source_;
  Sheet& sheet_;
  std::unordered_map<std::string, std::uint32_t> clients_;
  std::map<std::tuple<ClientScope, std::uint32_t, PlaceScope, std::uint32_t>, std::uint32_t> seen_;
};

}  // namespace tollgate::routing
