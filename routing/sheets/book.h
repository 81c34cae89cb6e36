// A rate book or a price plan as rows in time, and what a sheet makes of it. One thread.
//
// 1. For one thing and one kind of charge, periods never overlap.
// 2. An item applies from its date until its own end, else until the next row of its thing that the
//    book plans (that begins later than now), else for good. Rows in force at its date end there; a
//    planned row with the same date is replaced. Sheets do not touch rows for some senders alone,
//    or from a volume on: they stay, unless the sheet closes their thing.
// 3. A row that the item merely repeats is kept as it is, not cut in two.
// 4. A row keeps the tags of the one that it replaces.
// 5. write_book(parse_book(text)) == text when text is canonical.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/fault.h"
#include "routing/sheets/rows.h"
#include "routing/tables.h"

namespace tollgate::routing {

struct BookRow {
  Thing thing;
  bool delivered = false;
  std::int64_t from_us = kAlways, to_us = kOpen;
  Nano amount = 0;
  std::string currency;
  Sender sender = Sender::none;   // of a rate book: whom it holds for; none = everyone
  std::uint64_t from_volume = 0;  // of a plan
  std::string tags = {};          // of a rate book
  // What a sheet speaks of: no sender's nor volume's own row.
  bool plain() const { return sender == Sender::none && from_volume == 0; }
  bool operator==(const BookRow&) const = default;
};
using Book = std::vector<BookRow>;  // sorted by thing, plain ones first, charge, from

// nullopt = faults were added (named as of `file`).
std::optional<Book> parse_book(std::string_view text, BookKind kind, const std::string& file,
                               std::vector<TableFault>& faults);
std::string write_book(const Book& book, BookKind kind);
std::string date_text(std::int64_t us);  // "2026-12-01", "2026-12-01T08:30Z"; "" = no limit

// What the rows, of one thing and one sender or volume, charge at an instant; none = nothing.
std::optional<Charge> charge_at(const BookRow* begin, const BookRow* end, std::int64_t us);

// The kind and the per cent of a change whose before and after are known.
void set_kind(RateChange& change, const SheetContext& context);

// What one book has otherwise than the other, by thing, then date: a change for each stretch of
// time in which the same was charged and now the same other is. What is over at `now_us` does not
// count. A thing without a change is unchanged once, when anything of it is in force then or later.
std::vector<RateChange> book_changes(const Book& before, const Book& after,
                                     const SheetContext& context, std::int64_t now_us);

struct MergeRequest {
  const SheetContext& context;
  BookKind kind;
  std::int64_t now_us = kAlways;  // rows that begin later are planned
  // Of a full sheet: when what it does not name ends; none = a partial sheet.
  std::optional<std::int64_t> close_from_us;
};
struct Merged {
  Book book;
  std::vector<RateChange> changes;  // by thing, then date
  std::size_t in_force = 0;         // things, at the closing date
  std::size_t missing = 0;          // of them, not named by a full sheet
};
// `items` are sorted by thing and date, without conflicts.
Merged merge(const Book& book, const std::vector<SheetItem>& items, const MergeRequest& request);

}  // namespace tollgate::routing
