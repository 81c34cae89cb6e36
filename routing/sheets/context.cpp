#include "routing/sheets/context.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "core/file.h"
#include "routing/compile/cells.h"
#include "routing/compile/currencies.h"
#include "routing/csv.h"

namespace tollgate::routing {
namespace {

namespace fs = std::filesystem;

bool load_text(const std::string& directory, const std::string& file, FaultList& faults,
               std::string& out) {
  auto text = core::read_file((fs::path(directory) / file).string(), kTableFileBytesMax);
  if (!text) {
    faults.add({file, 0, "", "", text.error().reason + ": a table set needs it"});
    return false;
  }
  out = std::move(*text);
  return true;
}

}  // namespace

SheetContext::Result SheetContext::load(const std::string& directory,
                                        std::shared_ptr<const Tables> tables) {
  SheetContext context;
  context.tables_ = std::move(tables);
  context.dialling_ = context.tables_ ? context.tables_->dialling : load_dialling();
  FaultList faults;
  std::vector<TableFault> of_currencies;
  std::string text;
  if (load_text(directory, "currencies.csv", faults, text)) {
    for (const Currency& currency : currencies_of(text, of_currencies))
      context.currencies_.push_back({currency.code, currency.rate});
  }
  constexpr std::array<Column, 4> kColumns = {
      {{"prefix"}, {"mccmnc"}, {"country", false}, {"network", false}}};
  if (load_text(directory, "numbering_plan.csv", faults, text)) {
    Sheet sheet("numbering_plan.csv", text, kColumns, faults);
    while (sheet.next()) {
      const std::string mccmnc(sheet[1]), country(sheet[2]);
      if (bad_destination(mccmnc) != nullptr) continue;
      const std::string mcc = mccmnc.substr(0, 3);
      context.networks_.try_emplace(mccmnc, KnownNetwork{country, std::string(sheet[3])});
      context.networks_.try_emplace(mcc, KnownNetwork{country, ""});
      auto& mccs = context.mccs_[country];
      if (std::find(mccs.begin(), mccs.end(), mcc) == mccs.end()) mccs.push_back(mcc);
    }
  }
  for (TableFault& fault : of_currencies) faults.add(std::move(fault));
  if (!faults.empty()) return tl::unexpected(faults.take());
  if (context.tables_) {
    const auto& destinations = context.tables_->destinations;
    for (std::size_t id = 1; id < destinations.size(); ++id)
      context.destinations_[destinations[id].mccmnc] = static_cast<int>(id);
  }
  return context;
}

const CurrencyRate* SheetContext::currency(std::string_view code) const {
  const auto found = std::find_if(currencies_.begin(), currencies_.end(),
                                  [&](const CurrencyRate& each) { return each.code == code; });
  return found == currencies_.end() ? nullptr : &*found;
}

const KnownNetwork* SheetContext::network(std::string_view mccmnc) const {
  const auto found = networks_.find(std::string(mccmnc));
  return found == networks_.end() ? nullptr : &found->second;
}

std::vector<std::string> SheetContext::mccs(std::string_view iso) const {
  const auto found = iso.empty() ? mccs_.end() : mccs_.find(std::string(iso));
  return found == mccs_.end() ? std::vector<std::string>() : found->second;
}

Nano SheetContext::in_base(Nano amount, std::string_view code, Rounding rounding) const {
  const CurrencyRate* rate = currency(code);
  Nano out = 0;
  return rate != nullptr && convert(amount, rate->rate, rounding, out) ? out : kNone;
}

int SheetContext::destination(std::string_view mccmnc) const {
  const auto found = destinations_.find(std::string(mccmnc));
  return found == destinations_.end() ? -1 : found->second;
}

}  // namespace tollgate::routing
