// One row of a sheet, cell by cell, with what the rows above carry down to it. Private to
// rows.cpp and place.cpp; one thread. Each read_...() reports what is wrong and returns whether it
// is good.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "routing/sheets/rows.h"

namespace tollgate::routing {

class RowReader {
 public:
  RowReader(const Grid& grid, const Layout& layout, const ImportRequest& request,
            const SheetContext& context, const DateReader& dates, Findings& findings);

  struct Place {
    std::vector<std::string> things;  // empty = the default of the row's country
    bool prefix = false;
  };

  void at(std::size_t row) { row_ = row; }
  bool blank() const;
  // No formula, error or shape of a formula in a column that counts.
  bool check_forms();
  // Takes over country and MCC from this row, or for it from those above.
  void carry();
  bool priced() const;         // some price cell says something
  bool closing() const;        // "closed" as the action
  bool places_itself() const;  // names a network or a prefix by itself, not a country alone
  Meaning price_column() const;

  bool read_charge(SheetItem& out);
  bool read_period(SheetItem& out);
  std::optional<Place> read_place();
  // What only the whole sheet shows: amounts whose decimal mark turned out to be the other one.
  void finish();

  const std::string& country() const { return country_; }
  std::string iso() const;
  void fault(Meaning column, std::string reason, std::string right);

 private:
  Grid::Cell cell(Meaning meaning) const;
  std::string_view text(Meaning meaning) const { return cell(meaning).text; }
  std::size_t number() const { return grid_.number(row_); }
  SheetFinding finding(Meaning column, std::string reason, std::string right) const;
  bool refuse(Meaning column, const Bad& bad);
  void see_zeros();

  std::optional<Price> read_price(Meaning column);
  bool read_currency(const Price& price, Meaning column, std::string& out);
  bool check_amount(SheetItem& item, Meaning column);
  bool read_basis(bool& delivered);
  bool read_old(SheetItem& out);
  bool read_date(Meaning column, std::optional<Instant>& out);

  std::optional<std::vector<std::string>> networks();
  std::optional<std::vector<std::string>> networks_by_parts();
  std::optional<std::vector<std::string>> prefixes();
  bool names_a_network() const;
  void uncoded(Meaning column, const Bad& bad);
  bool agrees(const std::vector<std::string>& networks);
  bool check_network(std::string& digits, Meaning column);
  bool zeros_kept(Meaning column) const;

  const Grid& grid_;
  const Layout& layout_;
  const ImportRequest& request_;
  const SheetContext& context_;
  const DateReader& dates_;
  Findings& findings_;
  std::size_t row_ = 0;
  std::string country_, mcc_;
  bool zeros_seen_mnc_ = false, zeros_seen_mccmnc_ = false;
  bool comma_seen_ = false;
  std::vector<std::pair<std::size_t, Meaning>> doubtful_;  // 1.234: a decimal unless commas are
  std::map<std::string, Instant, std::less<>> instants_;   // texts of dates already read
};

}  // namespace tollgate::routing
