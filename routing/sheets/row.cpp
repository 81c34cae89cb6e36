// What a row costs and when. Where it leads is in place.cpp.
#include "routing/sheets/row.h"

#include <algorithm>
#include <array>

#include "routing/compile/cells.h"

namespace tollgate::routing {
namespace {

constexpr std::size_t kInstantsKept = 1'000;
constexpr std::size_t kDoubtfulKept = 1'000;

constexpr std::array kPrices = {Meaning::price, Meaning::price_submit, Meaning::price_delivered};

bool is_now_word(std::string_view text) {
  const std::string low = lower(text.substr(0, 20));
  return low == "immediately" || low == "immediate" || low == "now" || low == "asap";
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

}  // namespace

RowReader::RowReader(const Grid& grid, const Layout& layout, const ImportRequest& request,
                     const SheetContext& context, const DateReader& dates, Findings& findings)
    : grid_(grid),
      layout_(layout),
      request_(request),
      context_(context),
      dates_(dates),
      findings_(findings) {
  see_zeros();
}

Grid::Cell RowReader::cell(Meaning meaning) const {
  const auto& column = layout_[meaning];
  return column ? grid_.at(row_, column->column) : Grid::Cell{};
}

std::string RowReader::iso() const {
  const std::string_view told = text(Meaning::iso);
  if (told.size() == 2) return upper(told);
  // A country column may hold the code.
  return country_.size() == 2 ? upper(country_) : "";
}

SheetFinding RowReader::finding(Meaning meaning, std::string reason, std::string right) const {
  const auto& column = layout_[meaning];
  SheetFinding out{.row = number(), .reason = std::move(reason), .right = std::move(right)};
  if (column) {
    out.column = column->title;
    out.cell = column_letters(column->column) + std::to_string(number());
    out.value = shown_value(text(meaning));
  }
  return out;
}

void RowReader::fault(Meaning column, std::string reason, std::string right) {
  findings_.fault(finding(column, std::move(reason), std::move(right)));
}

bool RowReader::refuse(Meaning column, const Bad& bad) {
  fault(column, bad.reason, bad.right);
  return false;
}

bool RowReader::blank() const {
  for (const auto& column : layout_.columns) {
    if (column && !grid_.at(row_, column->column).text.empty()) return false;
  }
  return true;
}

bool RowReader::check_forms() {
  bool good = true;
  for (std::size_t i = 0; i < kMeanings; ++i) {
    const auto meaning = static_cast<Meaning>(i);
    const Grid::Cell cell = this->cell(meaning);
    if (cell.kind == CellKind::formula)
      good = refuse(meaning, {"is a formula without a stored value",
                              "open and save the workbook, or paste the values"});
    else if (cell.kind == CellKind::error)
      good = refuse(meaning, {"is an error of the spreadsheet", "write the value"});
    else if (!cell.text.empty() && (cell.text[0] == '=' || cell.text[0] == '@'))
      good = refuse(meaning, {"begins like a formula; it is refused", "write the plain value"});
  }
  return good;
}

bool RowReader::priced() const {
  return std::any_of(kPrices.begin(), kPrices.end(),
                     [&](Meaning meaning) { return !text(meaning).empty(); });
}

bool RowReader::closing() const {
  return is_closed_word(text(Meaning::action));
}

Meaning RowReader::price_column() const {
  for (Meaning meaning : kPrices) {
    if (layout_[meaning]) return meaning;
  }
  return Meaning::price;
}

std::optional<Price> RowReader::read_price(Meaning column) {
  const bool cents = request_.layout.cents || layout_[column]->cents;
  const std::string_view written = text(column);
  // A number of a workbook is never written with a comma.
  const bool stored = cell(column).kind == CellKind::number;
  const auto price = parse_price(written, stored ? '.' : request_.layout.decimal, cents);
  if (!price) {
    refuse(column, price.error());
    return std::nullopt;
  }
  comma_seen_ = comma_seen_ || price->mark == ',';
  const std::size_t point = written.find('.');
  if (!stored && request_.layout.decimal == 0 && price->mark == '.' && point > 0 &&
      written[0] != '0' && written.size() == point + 4 && doubtful_.size() < kDoubtfulKept)
    doubtful_.emplace_back(row_, column);
  return *price;
}

void RowReader::finish() {
  if (!comma_seen_) return;
  for (const auto& [row, column] : doubtful_) {
    row_ = row;
    fault(column, "has a point where other amounts have decimal commas",
          "say decimal = \",\" or \".\" in the template");
  }
}

// All that name a currency must name the same.
bool RowReader::read_currency(const Price& price, Meaning column, std::string& out) {
  std::string told(text(Meaning::currency));
  if (told == "\xe2\x82\xac" || lower(told) == "euro") told = "EUR";
  out.clear();
  for (const std::string& each :
       {price.currency, upper(told), layout_[column]->currency, request_.layout.currency}) {
    if (each.empty()) continue;
    if (!out.empty() && each != out)
      return refuse(column, {"is in " + printable(out) + " and in " + printable(each),
                             "one currency for one price"});
    out = each;
  }
  const Meaning where = told.empty() ? column : Meaning::currency;
  if (out.empty())
    return refuse(where, {"names no currency",
                          "add a column Currency, or say currency = \"EUR\" in the template"});
  if (context_.currency(out) != nullptr) return true;
  return refuse(
      where, {(told.empty() ? "is in " + printable(out) + ", which" : std::string("is")) +
                  (told.empty() ? " is not in currencies.csv" : " no currency of currencies.csv"),
              "add its rate there first"});
}

bool RowReader::check_amount(SheetItem& item, Meaning column) {
  Nano total = 0;
  for (const Nano amount : {item.charge.submit, item.charge.delivered}) {
    if (amount == kNone) continue;
    const Nano base = context_.in_base(amount, item.charge.currency, Rounding::up);
    if (base == kNone || base > kAmountMax)
      return refuse(column,
                    {"is more than a million in the base currency", "check the decimal mark"});
    total += amount;
  }
  if (total != 0 || request_.allow_zero) return true;
  return refuse(column, {"is 0", "say closed, or confirm free messages with --allow-zero"});
}

bool RowReader::read_basis(bool& delivered) {
  delivered = request_.layout.charge_delivered;
  const std::string word = lower(text(Meaning::charge));
  if (word.empty()) return true;
  delivered = word.starts_with("deliver") || word == "dlr";
  if (delivered || word.starts_with("submi") || word == "sent") return true;
  return refuse(Meaning::charge, {"is neither submit nor delivered", "write one of them"});
}

bool RowReader::read_charge(SheetItem& out) {
  out.row = number();
  out.charge.submit = out.charge.delivered = kNone;
  out.closed = closing();
  if (out.closed) return true;
  bool good = true, priced = false, closed = false;
  Meaning last = price_column();
  for (const Meaning column : kPrices) {
    if (text(column).empty()) continue;
    const auto price = read_price(column);
    if (!price) {
      good = false;
      continue;
    }
    closed = closed || price->closed;
    if (price->closed) continue;
    priced = true;
    last = column;
    std::string currency;
    bool delivered = column == Meaning::price_delivered;
    if (column == Meaning::price) good = read_basis(delivered) && good;
    good = read_currency(*price, column, currency) && good;
    if (!good) continue;
    if (!out.charge.currency.empty() && out.charge.currency != currency)
      return refuse(column, {"is in another currency than the other part of the price", "one"});
    out.charge.currency = currency;
    const bool owed = delivered && request_.book == BookKind::rate_book;
    (owed ? out.charge.delivered : out.charge.submit) = price->amount;
  }
  if (closed && priced)
    return refuse(last, {"is closed and has a price", "write closed in both, or in none"});
  out.closed = closed;
  if (!good || closed) return good;
  good = check_amount(out, last) && read_old(out);
  // 0 beside a charge is no charge; 0 alone was confirmed, and is one.
  if (out.charge.submit == 0 && out.charge.delivered > 0) out.charge.submit = kNone;
  if (out.charge.delivered == 0 && out.charge.submit != kNone) out.charge.delivered = kNone;
  return good;
}

bool RowReader::read_old(SheetItem& out) {
  if (text(Meaning::price_old).empty()) return true;
  const auto old = parse_price(text(Meaning::price_old), request_.layout.decimal,
                               request_.layout.cents || layout_[Meaning::price_old]->cents);
  if (old && !old->closed) out.told_before = old->amount;
  return true;  // it is only compared
}

bool RowReader::read_date(Meaning column, std::optional<Instant>& out) {
  const std::string_view written = text(column);
  out.reset();
  if (written.empty()) return true;
  if (const auto known = instants_.find(written); known != instants_.end()) {
    out = known->second;
    return true;
  }
  if (column == Meaning::effective && is_now_word(written)) {
    out = Instant{request_.now_us, false};
    return true;
  }
  const auto read = dates_.read(written);
  if (!read) return refuse(column, read.error());
  if (instants_.size() < kInstantsKept) instants_.emplace(std::string(written), *read);
  out = *read;
  return true;
}

bool RowReader::read_period(SheetItem& out) {
  std::optional<Instant> from, to;
  const bool good = read_date(Meaning::effective, from);
  if (!read_date(Meaning::till, to) || !good) return false;
  out.from_us = from ? from->us : request_.effective_us.value_or(request_.now_us);
  out.to_us = kOpen;
  if (!to) return true;
  out.to_us = to->day_only && request_.layout.till_inclusive ? dates_.next_day(to->us) : to->us;
  if (out.to_us > out.from_us) return true;
  return refuse(Meaning::till, {"ends before it begins", "write a later day"});
}

}  // namespace tollgate::routing
