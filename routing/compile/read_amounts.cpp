// rates/<carrier>.csv, plans/<plan>.csv and currencies.csv.
#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <tuple>

#include "routing/compile/amount_columns.h"
#include "routing/compile/cells.h"
#include "routing/compile/source.h"

namespace tollgate::routing {
namespace {

using namespace amount;

// What the row is for, from the one of the three columns that is filled.
bool read_key(Reading& reading, Sheet& sheet, AmountRow& out) {
  std::size_t filled = 0, column = kMccmnc;
  for (std::size_t i : {kMccmnc, kMcc, kPrefix}) {
    if (sheet[i].empty()) continue;
    ++filled;
    column = i;
  }
  if (filled != 1) {
    sheet.fault_row(filled == 0 ? "names no destination: fill one of mccmnc, mcc and prefix"
                                : "fills more than one of mccmnc, mcc and prefix");
    return false;
  }
  const std::string_view text = sheet[column];
  const char* why =
      column == kPrefix ? bad_prefix(reading.source.dialling, text) : bad_destination(text);
  if (why == nullptr && column == kMccmnc && text.size() == 3)
    why = "is an MCC alone; a country's default goes into column mcc";
  if (why == nullptr && column == kMcc && text.size() != 3) why = "is not an MCC (3 digits)";
  if (why != nullptr) {
    sheet.fault(column, why);
    return false;
  }
  out.length = column == kPrefix ? static_cast<std::uint8_t>(text.size()) : std::uint8_t{0};
  out.key = column == kPrefix ? number_key(text) : reading.source.destination(text);
  return true;
}

bool read_price(Reading& reading, Sheet& sheet, Rounding rounding, AmountRow& out) {
  Nano amount = 0;
  const char* why = parse_nano(sheet[kPrice], amount);
  if (why == nullptr && amount < 0) why = "is negative";
  if (why != nullptr) sheet.fault(kPrice, why);
  const auto& currencies = reading.source.currencies;
  const auto currency = std::find_if(currencies.begin(), currencies.end(),
                                     [&](const Currency& c) { return c.code == sheet[kCurrency]; });
  // Without any currency that file's own fault says so; it need not be said of every price.
  const bool known = currency != currencies.end() || currencies.empty();
  if (!known) sheet.fault(kCurrency, "is not in currencies.csv");
  if (why != nullptr || !known) return false;
  const Nano rate = currencies.empty() ? kNanoPerUnit : currency->rate;
  if (convert(amount, rate, rounding, out.amount) && out.amount <= kAmountMax) return true;
  sheet.fault(kPrice, "is too large: more than a million in the base currency");
  return false;
}

bool read_period(Sheet& sheet, AmountRow& out) {
  out.from_us = std::numeric_limits<std::int64_t>::min();
  out.to_us = std::numeric_limits<std::int64_t>::max();
  bool good = true;
  for (std::size_t column : {kFrom, kTo}) {
    if (sheet[column].empty()) continue;
    const char* why = parse_date(sheet[column], column == kFrom ? out.from_us : out.to_us);
    if (why == nullptr) continue;
    sheet.fault(column, why);
    good = false;
  }
  if (good && out.to_us <= out.from_us) {
    sheet.fault(kTo, "is not after effective_from");
    good = false;
  }
  return good;
}

bool read_basis(Sheet& sheet, AmountRow& out) {
  const std::string_view charge = sheet[kCharge];
  out.basis = charge == "delivered";
  if (charge.empty() || charge == "submit" || charge == "delivered") return true;
  sheet.fault(kCharge, "is neither submit nor delivered");
  return false;
}

// Whom the row holds for, and what people call it by.
bool read_sender(Sheet& sheet, AmountRow& out) {
  out.sender = Sender::none;
  const char* why = sheet[kSender].empty() ? nullptr : parse_sender(sheet[kSender], out.sender);
  if (why != nullptr) sheet.fault(kSender, why);
  const char* bad = bad_tags(sheet[kTags]);
  if (bad != nullptr) sheet.fault(kTags, bad);
  return why == nullptr && bad == nullptr;
}

bool read_volume(Sheet& sheet, AmountRow& out) {
  out.sender = Sender::none;
  const char* why =
      sheet[kFromVolume].empty() ? nullptr : parse_volume(sheet[kFromVolume], out.from_volume);
  if (why != nullptr) sheet.fault(kFromVolume, why);
  return why == nullptr;
}

std::string key_text(const SourceTables& source, const AmountRow& row) {
  if (row.length == 0) return source.destinations[row.key].mccmnc;
  std::string digits;
  for (int place = 14; place > 14 - row.length; --place)
    digits += static_cast<char>('0' + (row.key >> (4 * place) & 15) - 1);
  return digits;
}

// No two rows for the same thing may be in force at once. Sorts the rows.
void check_periods(Reading& reading, Sheet& sheet, std::vector<AmountRow>& rows) {
  const auto thing = [](const AmountRow& r) {
    return std::tie(r.length, r.key, r.sender, r.from_volume, r.basis);
  };
  std::sort(rows.begin(), rows.end(), [&](const AmountRow& a, const AmountRow& b) {
    if (thing(a) != thing(b)) return thing(a) < thing(b);
    return std::tie(a.from_us, a.row) < std::tie(b.from_us, b.row);
  });
  std::size_t last = 0;  // of the same thing, the one that ends last so far
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const AmountRow &a = rows[last], &b = rows[i];
    if (thing(a) == thing(b) && a.to_us > b.from_us) {
      const auto [earlier, later] = std::minmax(a.row, b.row);
      const bool same = a.from_us == b.from_us && a.to_us == b.to_us;
      const std::size_t column = b.length != 0                             ? kPrefix
                                 : key_text(reading.source, b).size() == 3 ? kMcc
                                                                           : kMccmnc;
      sheet.fault_at(later, column, key_text(reading.source, b),
                     (same ? "repeats row " : "is in force at the same time as row ") +
                         std::to_string(earlier));
    }
    if (thing(a) != thing(b) || b.to_us > a.to_us) last = i;
  }
}

void keep_in_force(Reading& reading, const std::vector<AmountRow>& rows,
                   std::vector<AmountRow>& kept) {
  const std::int64_t now = reading.options.now_us;
  std::int64_t& until = reading.source.valid_until_us;
  for (const AmountRow& row : rows) {
    if (row.from_us > now)
      until = std::min(until, row.from_us);
    else if (row.to_us > now)
      until = std::min(until, row.to_us);
    if (row.from_us <= now && now < row.to_us) kept.push_back(row);
  }
}

void read_amounts(Reading& reading, Sheet& sheet, std::uint16_t owner, bool is_rate) {
  std::vector<AmountRow> rows;
  while (sheet.next()) {
    ++reading.source.rows;
    AmountRow row{};
    row.owner = owner;
    row.row = static_cast<std::uint32_t>(sheet.row());
    bool good = read_key(reading, sheet, row);
    good = read_price(reading, sheet, is_rate ? Rounding::up : Rounding::down, row) && good;
    good = read_period(sheet, row) && good;
    if (is_rate) good = read_basis(sheet, row) && good;
    good = (is_rate ? read_sender(sheet, row) : read_volume(sheet, row)) && good;
    if (good) rows.push_back(row);
  }
  check_periods(reading, sheet, rows);
  keep_in_force(reading, rows, is_rate ? reading.source.rates : reading.source.prices);
}

}  // namespace

void read_rate_book(Reading& reading, std::uint16_t carrier, const std::string& file,
                    std::string_view text) {
  Sheet sheet(file, text, kRateColumns, reading.faults);
  read_amounts(reading, sheet, carrier, true);
}

void read_price_plan(Reading& reading, std::uint16_t plan, const std::string& file,
                     std::string_view text) {
  Sheet sheet(file, text, kPlanColumns, reading.faults);
  read_amounts(reading, sheet, plan, false);
}

std::vector<Currency> currencies_of(std::string_view text, std::vector<TableFault>& faults) {
  const std::string directory;
  const CompileOptions options;
  Reading reading{directory, options, {}, {}};
  read_currencies(reading, text);
  for (TableFault& fault : reading.faults.take()) faults.push_back(std::move(fault));
  return std::move(reading.source.currencies);
}

void read_currencies(Reading& reading, std::string_view text) {
  enum : std::size_t { kCode, kRate, kAsOf };
  constexpr std::array<Column, 3> kColumns = {{{"currency"}, {"rate"}, {"as_of", false}}};
  SourceTables& source = reading.source;
  Sheet sheet("currencies.csv", text, kColumns, reading.faults);
  std::set<std::string> codes;
  while (sheet.next()) {
    ++source.rows;
    if (source.currencies.size() == kCurrenciesMax)
      return sheet.fault_row("is one currency too many: at most " + std::to_string(kCurrenciesMax));
    const std::string_view code = sheet[kCode];
    const bool good_code = code.size() == 3 && std::all_of(code.begin(), code.end(), [](char c) {
                             return c >= 'A' && c <= 'Z';
                           });
    if (!good_code) sheet.fault(kCode, "is not a currency code such as EUR");
    if (good_code && !codes.insert(std::string(code)).second) sheet.fault(kCode, "is there twice");
    Nano rate = 0;
    const char* why = parse_nano(sheet[kRate], rate);
    if (why == nullptr && rate <= 0) why = "is not greater than 0";
    if (why == nullptr && rate > kAmountMax) why = "is too large";
    if (why != nullptr) sheet.fault(kRate, why);
    std::int64_t as_of = 0;
    if (!sheet[kAsOf].empty()) {
      if (const char* bad = parse_date(sheet[kAsOf], as_of)) sheet.fault(kAsOf, bad);
    }
    if (source.base_currency.empty()) {
      source.base_currency = code;
      if (why == nullptr && rate != kNanoPerUnit)
        sheet.fault(kRate, "is not 1: the first row is the base currency");
    }
    source.currencies.push_back({std::string(code), rate});
  }
  if (source.currencies.empty() && reading.faults.empty())
    sheet.fault_row("names no currency; the first row is the base currency, with rate 1");
}

}  // namespace tollgate::routing
