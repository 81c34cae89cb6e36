#include "routing/sheets/sheet.h"

#include <algorithm>
#include <tuple>

#include "routing/sheets/book.h"
#include "routing/sheets/check.h"
#include "routing/sheets/layout.h"
#include "routing/sheets/rows.h"

namespace tollgate::routing {
namespace {

bool in_order(const SheetItem& a, const SheetItem& b) {
  return std::tie(a.thing, a.from_us, a.row) < std::tie(b.thing, b.from_us, b.row);
}

bool alike(const SheetItem& a, const SheetItem& b) {
  return a.closed == b.closed && (a.closed || a.charge == b.charge) && a.from_us == b.from_us &&
         a.to_us == b.to_us;
}

class Importer {
 public:
  Importer(const ImportRequest& request, const SheetContext& context)
      : request_(request), context_(context), findings_(request.file) {}

  Import run() {
    const bool rates = request_.book == BookKind::rate_book;
    out_.book_file = (rates ? "rates/" : "plans/") + request_.name + ".csv";
    out_.kind = request_.kind ? *request_.kind : request_.layout.kind.value_or(SheetKind::partial);
    read();
    out_.findings = findings_.take();
    for (const RateChange& change : out_.changes)
      ++out_.counts[static_cast<std::size_t>(change.kind)];
    return std::move(out_);
  }

 private:
  void read() {
    const auto book = current_book();
    if (!book) return;
    const std::vector<Grid> grids =
        read_grids(request_.octets, request_.layout.separator, findings_);
    if (grids.empty()) return;
    std::size_t at = 0;
    const auto layout = find_layout(grids, request_.layout, context_, findings_, at);
    if (!layout) return;
    out_.sheet = grids[at].name;
    out_.header_row = grids[at].number(layout->row);
    out_.columns = layout->told;
    SheetRows rows = read_rows(grids[at], *layout, request_, context_, findings_);
    out_.in_error = rows.in_error;
    if (rows.items.empty() && !findings_.has_fault())
      findings_.fault({.row = out_.header_row,
                       .reason = "has no rows with prices below the header",
                       .right = "send the rows"});
    std::sort(rows.items.begin(), rows.items.end(), in_order);
    check_repeats(rows.items);
    merge_into(*book, rows.items);
  }

  std::optional<Book> current_book() {
    std::vector<TableFault> faults;
    auto book = parse_book(request_.book_text, request_.book, out_.book_file, faults);
    for (const TableFault& fault : faults)
      findings_.fault(
          {.value = fault.value,
           .reason = "cannot be imported: the book in force is not good: " + fault_text(fault),
           .right = "correct it first"});
    return book;
  }

  // One thing, one date, one price. A later date ends an earlier row that has no end of its own.
  void check_repeats(std::vector<SheetItem>& items) {
    std::vector<SheetItem> kept;
    kept.reserve(items.size());
    for (SheetItem& item : items) {
      SheetItem* last = kept.empty() || kept.back().thing != item.thing ? nullptr : &kept.back();
      if (last == nullptr) {
        kept.push_back(std::move(item));
      } else if (alike(*last, item)) {
        findings_.warn({.row = item.row,
                        .value = item.thing.text(),
                        .reason = "repeats row " + std::to_string(last->row),
                        .right = "it counts once"});
      } else if (last->from_us == item.from_us) {
        clash(item, "says something else for the same date than row " + std::to_string(last->row));
      } else if (last->to_us != kOpen && last->to_us > item.from_us) {
        clash(item, "is in force at the same time as row " + std::to_string(last->row));
      } else if (kept.size() >= kDatesPerThingMax &&
                 kept[kept.size() - kDatesPerThingMax].thing == item.thing) {
        clash(item, "has more than " + std::to_string(kDatesPerThingMax) + " dates");
      } else {
        kept.push_back(std::move(item));
      }
    }
    items = std::move(kept);
  }

  void clash(const SheetItem& item, std::string reason) {
    ++out_.in_error;
    findings_.fault({.row = item.row,
                     .value = item.thing.text(),
                     .reason = std::move(reason),
                     .right = "keep one of them, or part their dates"});
  }

  // When what a full sheet does not name ends.
  std::optional<std::int64_t> close_from(const std::vector<SheetItem>& items) {
    if (out_.kind == SheetKind::partial || items.empty()) return std::nullopt;
    if (request_.effective_us) return request_.effective_us;
    const bool one = std::all_of(items.begin(), items.end(), [&](const SheetItem& item) {
      return item.from_us == items[0].from_us;
    });
    if (one) return items[0].from_us;
    findings_.fault({.reason = "is a full sheet with rows of different dates: it does not say "
                               "when the rows it leaves out end",
                     .right = "give --effective"});
    return std::nullopt;
  }

  void merge_into(const Book& book, const std::vector<SheetItem>& items) {
    const auto close = close_from(items);
    Merged merged = merge(book, items, {context_, request_.book, request_.now_us, close});
    const std::size_t most = request_.layout.closed_percent_max;
    if (merged.missing * 100 > merged.in_force * most && !request_.force)
      findings_.fault(
          {.value = std::to_string(merged.missing) + " of " + std::to_string(merged.in_force),
           .reason = "is a full sheet that would close more than " + std::to_string(most) +
                     " % of what is in force",
           .right = "check that it is whole; --force if it is meant"});
    out_.changes = std::move(merged.changes);
    check_changes(out_.changes, request_, context_, findings_);
    if (!findings_.has_fault()) out_.new_text = write_book(merged.book, request_.book);
  }

  const ImportRequest& request_;
  const SheetContext& context_;
  Findings findings_;
  Import out_;
};

}  // namespace

const char* change_name(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::added:
      return "new";
    case ChangeKind::raised:
      return "raised";
    case ChangeKind::lowered:
      return "lowered";
    case ChangeKind::unchanged:
      return "unchanged";
    case ChangeKind::closed:
      return "closed";
  }
  return "";
}

Import import_sheet(const ImportRequest& request, const SheetContext& context) {
  return Importer(request, context).run();
}

}  // namespace tollgate::routing
