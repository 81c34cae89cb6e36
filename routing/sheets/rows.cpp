#include "routing/sheets/rows.h"

#include <algorithm>
#include <map>
#include <set>

#include "routing/sheets/row.h"

namespace tollgate::routing {
namespace {

// A country's default whose MCC the row does not say.
struct Pending {
  std::string country, iso;
  SheetItem item;
};

class SheetReader {
 public:
  SheetReader(RowReader& row, const Grid& grid, const Layout& layout, const SheetContext& context,
              Findings& findings)
      : row_(row), grid_(grid), layout_(layout), context_(context), findings_(findings) {}

  SheetRows run() {
    for (std::size_t row = layout_.row + 1; row < grid_.rows(); ++row) {
      row_.at(row);
      if (row_.blank() || repeats_header(row)) continue;
      const std::size_t faults = findings_.faults();
      read();
      out_.in_error += findings_.faults() != faults;
      if (out_.items.size() > kSheetItemsMax) {
        findings_.fault({.row = grid_.number(row),
                         .reason = "is one too many: at most 2000000 networks and prefixes",
                         .right = "split the sheet"});
        break;
      }
    }
    for (Pending& pending : pending_) resolve(pending);
    row_.finish();
    return std::move(out_);
  }

 private:
  bool repeats_header(std::size_t row) const {
    for (const auto& column : layout_.columns) {
      if (column &&
          grid_.at(row, column->column).text != grid_.at(layout_.row, column->column).text)
        return false;
    }
    return true;
  }

  void read() {
    if (!row_.check_forms()) return;
    row_.carry();
    if (!row_.priced() && !row_.closing()) {
      if (row_.places_itself())
        row_.fault(row_.price_column(), "has no price", "write one, or closed");
      return;  // a country above its networks, or a note
    }
    SheetItem item;
    const bool good_charge = row_.read_charge(item);
    const bool good_period = row_.read_period(item);
    const auto place = row_.read_place();
    if (!place || !good_charge || !good_period) return;
    for (const std::string& digits : place->things) {
      item.thing = thing_of(digits, place->prefix);
      out_.items.push_back(item);
      if (!place->prefix) countries_[lower(row_.country())].insert(digits.substr(0, 3));
    }
    if (place->things.empty()) pending_.push_back({row_.country(), row_.iso(), item});
  }

  void resolve(Pending& pending) {
    std::set<std::string> mccs;
    const auto named = countries_.find(lower(pending.country));
    if (!pending.country.empty() && named != countries_.end()) mccs = named->second;
    if (mccs.empty()) {
      for (std::string& mcc : context_.mccs(pending.iso)) mccs.insert(std::move(mcc));
    }
    for (const std::string& mcc : mccs) {
      pending.item.thing = thing_of(mcc, false);
      out_.items.push_back(pending.item);
    }
    if (!mccs.empty()) return;
    ++out_.in_error;
    findings_.fault(
        {.row = pending.item.row,
         .value = shown_value(pending.country.empty() ? pending.iso : pending.country),
         .reason = "is a country's default, but neither the sheet nor the numbering plan says "
                   "which MCC the country has",
         .right = "write its MCC"});
  }

  RowReader& row_;
  const Grid& grid_;
  const Layout& layout_;
  const SheetContext& context_;
  Findings& findings_;
  SheetRows out_;
  std::vector<Pending> pending_;
  std::map<std::string, std::set<std::string>> countries_;  // their MCCs
};

}  // namespace

std::string Thing::text() const {
  std::string digits_text;
  for (int place = 14; place >= 0; --place) {
    const auto digit = digits >> (4 * place) & 15;
    if (digit == 0) break;
    digits_text += static_cast<char>('0' + digit - 1);
  }
  return digits_text;
}

Thing thing_of(std::string_view digits, bool prefix) {
  return {prefix, number_key(digits)};
}

SheetRows read_rows(const Grid& grid, const Layout& layout, const ImportRequest& request,
                    const SheetContext& context, Findings& findings) {
  const auto dates = DateReader::make(request.layout.zone, request.layout.dates);
  if (!dates) {
    findings.fault({.column = "zone",
                    .value = shown_value(request.layout.zone),
                    .reason = "of the template " + dates.error().reason,
                    .right = dates.error().right});
    return {};
  }
  RowReader row(grid, layout, request, context, *dates, findings);
  return SheetReader(row, grid, layout, context, findings).run();
}

}  // namespace tollgate::routing
