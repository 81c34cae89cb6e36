// What an import must know of the tables: which networks and countries there are, what currencies
// are worth, what clients pay. Read once from a directory of table files; read-only afterwards.
//
// 1. A file that cannot be read or has faults makes no context: its faults are given.
// 2. tables() is the compiled directory, or null when it was not asked for.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <unordered_map>
#include <vector>

#include "routing/fault.h"
#include "routing/tables.h"

namespace tollgate::routing {

struct KnownNetwork {
  std::string country, name;
};
struct CurrencyRate {
  std::string code;
  Nano rate;  // units of the base currency for one of it
};

class SheetContext {
 public:
  using Result = tl::expected<SheetContext, std::vector<TableFault>>;
  // Reads currencies.csv and numbering_plan.csv of the directory; `tables` may be null: then
  // nothing can be said about selling prices.
  static Result load(const std::string& directory, std::shared_ptr<const Tables> tables);

  const Dialling& dialling() const { return dialling_; }
  const Tables* tables() const { return tables_.get(); }
  const std::vector<CurrencyRate>& currencies() const { return currencies_; }
  const CurrencyRate* currency(std::string_view code) const;
  // By 3, 5 or 6 digits; a country's MCC is known when any of its networks is.
  const KnownNetwork* network(std::string_view mccmnc) const;
  // The MCCs of a country by its ISO code.
  std::vector<std::string> mccs(std::string_view iso) const;
  // In the base currency, a cost rounded up and a price down; kNone = unknown currency or too much.
  Nano in_base(Nano amount, std::string_view currency, Rounding rounding) const;
  int destination(std::string_view mccmnc) const;  // its id in tables(), or -1

 private:
  Dialling dialling_;
  std::shared_ptr<const Tables> tables_;
  std::vector<CurrencyRate> currencies_;
  std::unordered_map<std::string, KnownNetwork> networks_;
  std::unordered_map<std::string, std::vector<std::string>> mccs_;
  std::unordered_map<std::string, int> destinations_;
};

}  // namespace tollgate::routing
