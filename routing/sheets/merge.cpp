// A sheet's items into a book, and what they change.
#include <algorithm>

#include "routing/sheets/book.h"

namespace tollgate::routing {
namespace {

__extension__ using Wide = __int128;

// The rows of one thing: those that a sheet speaks of, and those of some senders or volumes alone.
class Timeline {
 public:
  Timeline(const BookRow* begin, const BookRow* end) {
    const BookRow* const middle =
        std::find_if(begin, end, [](const BookRow& row) { return !row.plain(); });
    rows_.assign(begin, middle);
    others_.assign(middle, end);
  }

  std::optional<Charge> at(std::int64_t us) const {
    return charge_at(rows_.data(), rows_.data() + rows_.size(), us);
  }
  // Whether anything is, or is planned to be, in force from `us` on.
  bool lasts(std::int64_t us) const {
    const auto later = [&](const BookRow& row) { return row.to_us > us; };
    return std::any_of(rows_.begin(), rows_.end(), later) ||
           std::any_of(others_.begin(), others_.end(), later);
  }

  // Returns when the item's rows end.
  std::int64_t apply(const SheetItem& item, std::int64_t now_us) {
    std::int64_t end = item.to_us;
    // What began before now is no plan: a sheet with a date in the past puts it right.
    const std::int64_t planned_after = std::max(item.from_us, now_us);
    if (end == kOpen && !item.closed) {
      for (const BookRow& row : rows_) {
        if (row.from_us > planned_after) end = std::min(end, row.from_us);
      }
    }
    const std::string tags = tags_at(item.from_us);
    // What the sheet ends by itself does not come back; what ends at a planned row does.
    cut(rows_, item.from_us, end, item.to_us == kOpen);
    if (item.closed) {
      cut(others_, item.from_us, end, item.to_us == kOpen);
      return end;
    }
    for (const bool delivered : {false, true}) {
      BookRow row;
      row.thing = item.thing;
      row.delivered = delivered;
      row.from_us = item.from_us;
      row.to_us = end;
      row.amount = delivered ? item.charge.delivered : item.charge.submit;
      row.currency = item.charge.currency;
      row.tags = tags;
      insert(std::move(row));
    }
    return end;
  }

  void close(std::int64_t from) {
    cut(rows_, from, kOpen, false);
    cut(others_, from, kOpen, false);
  }

  void move_to(Book& out) {
    std::sort(rows_.begin(), rows_.end(), [](const BookRow& a, const BookRow& b) {
      return std::pair(a.delivered, a.from_us) < std::pair(b.delivered, b.from_us);
    });
    std::move(rows_.begin(), rows_.end(), std::back_inserter(out));
    std::move(others_.begin(), others_.end(), std::back_inserter(out));
  }

 private:
  // Of the row that is in force then, else of the last one before.
  std::string tags_at(std::int64_t us) const {
    const BookRow* last = nullptr;
    for (const BookRow& row : rows_) {
      if (row.from_us <= us && (last == nullptr || last->from_us <= row.from_us)) last = &row;
    }
    return last == nullptr ? "" : last->tags;
  }

  // Nothing of the rows stays in force within [from, to).
  static void cut(Book& rows, std::int64_t from, std::int64_t to, bool keep_rest) {
    Book kept;
    for (BookRow& row : rows) {
      if (row.to_us <= from || row.from_us >= to) {
        kept.push_back(std::move(row));
        continue;
      }
      BookRow rest = row;
      rest.from_us = to;
      const bool planned = row.from_us > from;
      if (row.from_us < from) {
        row.to_us = from;
        kept.push_back(std::move(row));
      }
      if (rest.to_us > to && (planned || keep_rest)) kept.push_back(std::move(rest));
    }
    rows = std::move(kept);
  }

  void insert(BookRow row) {
    if (row.amount == kNone) return;
    const auto same = [&](const BookRow& other) {
      return other.delivered == row.delivered && other.amount == row.amount &&
             other.currency == row.currency && other.tags == row.tags;
    };
    for (auto other = rows_.begin(); other != rows_.end();) {
      const bool touches = other->to_us == row.from_us || other->from_us == row.to_us;
      if (!touches || !same(*other)) {
        ++other;
        continue;
      }
      row.from_us = std::min(row.from_us, other->from_us);
      row.to_us = std::max(row.to_us, other->to_us);
      other = rows_.erase(other);
    }
    rows_.push_back(std::move(row));
  }

  Book rows_, others_;
};

class Merger {
 public:
  Merger(const Book& book, const std::vector<SheetItem>& items, const MergeRequest& request)
      : book_(book), items_(items), request_(request) {}

  Merged run() {
    out_.book.reserve(book_.size() + items_.size());
    out_.changes.reserve(items_.size());
    std::size_t row = 0, item = 0;
    while (row < book_.size() || item < items_.size()) {
      const bool from_book =
          item == items_.size() || (row < book_.size() && book_[row].thing < items_[item].thing);
      const Thing thing = from_book ? book_[row].thing : items_[item].thing;
      std::size_t row_end = row, item_end = item;
      while (row_end < book_.size() && book_[row_end].thing == thing) ++row_end;
      while (item_end < items_.size() && items_[item_end].thing == thing) ++item_end;
      merge_thing(row, row_end, item, item_end);
      row = row_end;
      item = item_end;
    }
    return std::move(out_);
  }

 private:
  void merge_thing(std::size_t row, std::size_t row_end, std::size_t item, std::size_t item_end) {
    const BookRow* const begin = book_.data() + row;
    const BookRow* const end = book_.data() + row_end;
    const auto& close_from = request_.close_from_us;
    if (item == item_end && !close_from) {
      std::copy(begin, end, std::back_inserter(out_.book));
      return;
    }
    Timeline timeline(begin, end);
    if (close_from && timeline.at(*close_from)) ++out_.in_force;
    if (item == item_end) return close(timeline, begin->thing);
    const std::size_t first = out_.changes.size();
    for (std::size_t i = item; i < item_end; ++i) apply(timeline, items_[i]);
    for (std::size_t i = first; i < out_.changes.size(); ++i) {
      RateChange& change = out_.changes[i];
      change.leaves_gap = change.after && change.to_us != kOpen && !timeline.at(change.to_us);
    }
    timeline.move_to(out_.book);
  }

  // What a full sheet does not name.
  void close(Timeline& timeline, const Thing& thing) {
    const std::int64_t from = *request_.close_from_us;
    if (!timeline.lasts(from)) return timeline.move_to(out_.book);
    RateChange change;
    change.kind = ChangeKind::closed;
    change.is_prefix = thing.prefix;
    change.thing = thing.text();
    change.before = timeline.at(from);
    change.from_us = from;
    change.to_us = kOpen;
    out_.missing += change.before.has_value();
    timeline.close(from);
    timeline.move_to(out_.book);
    out_.changes.push_back(std::move(change));
  }

  void apply(Timeline& timeline, const SheetItem& item) {
    RateChange change;
    change.is_prefix = item.thing.prefix;
    change.thing = item.thing.text();
    // Of a date in the past what counts is what is in force now.
    const bool past = item.from_us < request_.now_us && request_.now_us < item.to_us;
    change.before = timeline.at(past ? request_.now_us : item.from_us);
    change.from_us = item.from_us;
    change.row = item.row;
    change.told_before = item.told_before;
    const bool lasted = timeline.lasts(item.from_us);
    change.to_us = timeline.apply(item, request_.now_us);
    change.ends_at_planned = change.to_us != item.to_us;
    if (!item.closed) change.after = item.charge;
    if (item.closed)
      change.kind = lasted ? ChangeKind::closed : ChangeKind::unchanged;
    else
      set_kind(change, request_.context);
    out_.changes.push_back(std::move(change));
  }

  const Book& book_;
  const std::vector<SheetItem>& items_;
  const MergeRequest& request_;
  Merged out_;
};

}  // namespace

Merged merge(const Book& book, const std::vector<SheetItem>& items, const MergeRequest& request) {
  return Merger(book, items, request).run();
}

}  // namespace tollgate::routing
