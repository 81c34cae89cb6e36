#include "routing/sheets/book.h"

#include <algorithm>
#include <array>
#include <tuple>

#include <absl/time/civil_time.h>

#include "routing/compile/amount_columns.h"
#include "routing/compile/cells.h"

namespace tollgate::routing {
namespace {

using namespace amount;

constexpr std::int64_t kSecond = 1'000'000, kDay = 86'400 * kSecond;

// Everyone's rows first.
unsigned rank(Sender sender) {
  return sender == Sender::none ? 0 : 1 + static_cast<unsigned>(sender);
}

bool before(const BookRow& a, const BookRow& b) {
  const auto key = [](const BookRow& row) {
    return std::tuple(row.thing, row.from_volume, rank(row.sender), row.delivered, row.from_us);
  };
  return key(a) < key(b);
}

bool same_charge(const BookRow& a, const BookRow& b) {
  return a.thing == b.thing && a.from_volume == b.from_volume && a.sender == b.sender &&
         a.delivered == b.delivered;
}

// The columns that one of the two kinds has alone.
bool read_own(Sheet& sheet, BookKind kind, BookRow& row) {
  row.sender = Sender::none;
  row.from_volume = 0;
  row.tags.clear();
  row.delivered = kind == BookKind::rate_book && sheet[kCharge] == "delivered";
  if (kind == BookKind::price_plan) {
    const char* why =
        sheet[kFromVolume].empty() ? nullptr : parse_volume(sheet[kFromVolume], row.from_volume);
    if (why != nullptr) sheet.fault(kFromVolume, why);
    return why == nullptr;
  }
  const char* why = sheet[kSender].empty() ? nullptr : parse_sender(sheet[kSender], row.sender);
  if (why != nullptr) sheet.fault(kSender, why);
  const char* bad = bad_tags(sheet[kTags]);
  if (bad != nullptr) sheet.fault(kTags, bad);
  row.tags = sheet[kTags];
  return why == nullptr && bad == nullptr;
}

bool read_row(Sheet& sheet, BookKind kind, BookRow& row) {
  std::size_t filled = 0, column = kMccmnc;
  for (std::size_t i : {kMccmnc, kMcc, kPrefix}) {
    if (sheet[i].empty()) continue;
    ++filled;
    column = i;
  }
  const char* why = filled == 1 ? nullptr : "fills not one of mccmnc, mcc and prefix";
  if (why == nullptr) {
    why = column == kPrefix ? bad_digits(sheet[column], kNumberDigitsMax)
                            : bad_destination(sheet[column]);
  }
  if (why != nullptr) {
    sheet.fault(column, why);
    return false;
  }
  row.thing = thing_of(sheet[column], column == kPrefix);
  if (const char* bad = parse_nano(sheet[kPrice], row.amount)) {
    sheet.fault(kPrice, bad);
    return false;
  }
  row.currency = sheet[kCurrency];
  if (!read_own(sheet, kind, row)) return false;
  row.from_us = kAlways;
  row.to_us = kOpen;
  for (std::size_t i : {kFrom, kTo}) {
    if (sheet[i].empty()) continue;
    const char* bad = parse_date(sheet[i], i == kFrom ? row.from_us : row.to_us);
    if (bad == nullptr) continue;
    sheet.fault(i, bad);
    return false;
  }
  return true;
}

// Which columns a book needs that most have not.
struct OwnColumns {
  bool sender = false, tags = false, from_volume = false;
  explicit OwnColumns(const Book& book) {
    for (const BookRow& row : book) {
      sender |= row.sender != Sender::none;
      tags |= !row.tags.empty();
      from_volume |= row.from_volume != 0;
    }
  }
};

// date_text(), and the last one again: a book's rows begin and end at few instants.
class LastDate {
 public:
  const std::string& text(std::int64_t us) {
    if (us != us_) text_ = date_text(us);
    us_ = us;
    return text_;
  }

 private:
  std::int64_t us_ = kAlways;
  std::string text_;
};
struct LastDates {
  LastDate from, to;
};

void append_row(const BookRow& row, BookKind kind, const OwnColumns& own, LastDates& dates,
                std::string& out) {
  const std::string thing = row.thing.text();
  if (row.thing.prefix)
    out += ",," + thing;
  else
    out += thing.size() == 3 ? "," + thing + "," : thing + ",,";
  out += "," + format_nano(row.amount) + "," + row.currency;
  if (kind == BookKind::rate_book) out += row.delivered ? ",delivered" : ",submit";
  (out += ",") += dates.from.text(row.from_us);
  (out += ",") += dates.to.text(row.to_us);
  if (own.sender)
    out += row.sender == Sender::none ? "," : std::string(",") + sender_name(row.sender);
  if (own.tags) out += "," + row.tags;
  if (own.from_volume) out += row.from_volume == 0 ? "," : "," + std::to_string(row.from_volume);
  out += "\n";
}

}  // namespace

std::string date_text(std::int64_t us) {
  if (us == kAlways || us == kOpen) return "";
  std::int64_t seconds = us / kSecond;
  if (us % kSecond < 0) --seconds;
  const absl::CivilSecond time = absl::CivilSecond(1970, 1, 1) + seconds;
  if (seconds * kSecond % kDay == 0) return absl::FormatCivilTime(absl::CivilDay(time));
  if (time.second() == 0) return absl::FormatCivilTime(absl::CivilMinute(time)) + "Z";
  return absl::FormatCivilTime(time) + "Z";
}

std::optional<Book> parse_book(std::string_view text, BookKind kind, const std::string& file,
                               std::vector<TableFault>& faults) {
  Book book;
  if (text.empty()) return book;
  FaultList list;
  const auto columns = kind == BookKind::rate_book ? std::span<const Column>(kRateColumns)
                                                   : std::span<const Column>(kPlanColumns);
  Sheet sheet(file, text, columns, list);
  BookRow row;
  while (sheet.next()) {
    if (read_row(sheet, kind, row)) book.push_back(row);
  }
  if (!std::is_sorted(book.begin(), book.end(), before))
    std::stable_sort(book.begin(), book.end(), before);
  for (std::size_t i = 1; i < book.size(); ++i) {
    const BookRow &a = book[i - 1], &b = book[i];
    if (same_charge(a, b) && a.to_us > b.from_us)
      list.add({file, 0, "", a.thing.text(), "has rows that are in force at the same time"});
  }
  if (list.empty()) return book;
  faults = list.take();
  return std::nullopt;
}

std::string write_book(const Book& book, BookKind kind) {
  const OwnColumns own(book);
  std::string out = "mccmnc,mcc,prefix,price,currency,";
  if (kind == BookKind::rate_book) out += "charge,";
  out += "effective_from,effective_to";
  if (own.sender) out += ",sender";
  if (own.tags) out += ",tags";
  if (own.from_volume) out += ",from_volume";
  out += "\n";
  out.reserve(out.size() + book.size() * 48);
  LastDates dates;
  for (const BookRow& row : book) append_row(row, kind, own, dates, out);
  return out;
}

std::optional<Charge> charge_at(const BookRow* begin, const BookRow* end, std::int64_t us) {
  std::optional<Charge> charge;
  for (const BookRow* row = begin; row != end; ++row) {
    if (row->from_us > us || us >= row->to_us) continue;
    if (!charge) charge = Charge{kNone, kNone, row->currency};
    (row->delivered ? charge->delivered : charge->submit) = row->amount;
    if (row->currency != charge->currency) charge->delivered_currency = row->currency;
  }
  return charge;
}

}  // namespace tollgate::routing
