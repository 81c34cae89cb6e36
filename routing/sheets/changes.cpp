// What differs between two books, in time.
#include <algorithm>

#include "routing/sheets/book.h"

namespace tollgate::routing {
namespace {

__extension__ using Wide = __int128;

// In the base currency.
Nano total(const Charge& charge, const SheetContext& context) {
  const auto part = [&](Nano amount, const std::string& currency) -> Nano {
    if (amount == kNone) return 0;
    const Nano base = context.in_base(amount, currency, Rounding::up);
    return base == kNone ? amount : base;
  };
  const std::string& other = charge.delivered_currency;
  return part(charge.submit, charge.currency) +
         part(charge.delivered, other.empty() ? charge.currency : other);
}

// The rows of one thing.
struct Rows {
  const BookRow *begin, *end;
  std::optional<Charge> at(std::int64_t us) const { return charge_at(begin, end, us); }
};

// A thing, and whom its rows hold for; in the order of a book.
struct Subject {
  Thing thing;
  std::uint64_t from_volume = 0;
  unsigned sender = 0;  // everyone first
  auto operator<=>(const Subject&) const = default;
  explicit Subject(const BookRow& row)
      : thing(row.thing),
        from_volume(row.from_volume),
        sender(row.sender == Sender::none ? 0 : 1 + static_cast<unsigned>(row.sender)) {}
  std::string only() const {
    if (from_volume != 0) return std::to_string(from_volume);
    return sender == 0 ? "" : sender_name(static_cast<Sender>(sender - 1));
  }
};

Rows take_subject(const Book& book, std::size_t& at, const Subject& subject) {
  const BookRow* const begin = book.data() + at;
  while (at < book.size() && Subject(book[at]) == subject) ++at;
  return {begin, book.data() + at};
}

class Comparison {
 public:
  Comparison(const SheetContext& context, std::int64_t now_us)
      : context_(context), now_us_(now_us) {}

  void compare(const Subject& subject, const Rows& before, const Rows& after) {
    instants_.assign(1, kAlways);
    for (const Rows& rows : {before, after}) {
      for (const BookRow* row = rows.begin; row != rows.end; ++row) {
        instants_.push_back(row->from_us);
        if (row->to_us != kOpen) instants_.push_back(row->to_us);
      }
    }
    std::sort(instants_.begin(), instants_.end());
    instants_.erase(std::unique(instants_.begin(), instants_.end()), instants_.end());
    const std::size_t first = changes.size();
    for (std::size_t i = 0; i < instants_.size(); ++i) {
      RateChange change;
      name(change, subject);
      change.before = before.at(instants_[i]);
      change.after = after.at(instants_[i]);
      if (change.before == change.after) continue;
      change.from_us = instants_[i];
      change.to_us = i + 1 < instants_.size() ? instants_[i + 1] : kOpen;
      if (change.to_us <= now_us_) continue;
      if (change.after)
        set_kind(change, context_);
      else
        change.kind = ChangeKind::closed;
      add(std::move(change), first);
    }
    if (changes.size() == first) add_unchanged(subject, after);
  }

  std::vector<RateChange> changes;

 private:
  static void name(RateChange& change, const Subject& subject) {
    change.is_prefix = subject.thing.prefix;
    change.thing = subject.thing.text();
    change.only = subject.only();
  }

  // Goes on with the one before it, where it says the same: closed is closed, whatever was before.
  void add(RateChange change, std::size_t first) {
    if (changes.size() > first) {
      RateChange& last = changes.back();
      const bool same = last.after == change.after &&
                        (last.before == change.before || change.kind == ChangeKind::closed);
      if (same && last.to_us == change.from_us) {
        last.to_us = change.to_us;
        return;
      }
    }
    changes.push_back(std::move(change));
  }

  void add_unchanged(const Subject& subject, const Rows& rows) {
    const BookRow* const row = std::find_if(
        rows.begin, rows.end, [&](const BookRow& each) { return each.to_us > now_us_; });
    if (row == rows.end) return;
    RateChange change;
    name(change, subject);
    change.from_us = std::max(row->from_us, now_us_);
    change.to_us = kOpen;
    change.before = change.after = rows.at(change.from_us);
    changes.push_back(std::move(change));
  }

  const SheetContext& context_;
  const std::int64_t now_us_;
  std::vector<std::int64_t> instants_;
};

}  // namespace

void set_kind(RateChange& change, const SheetContext& context) {
  change.kind = ChangeKind::added;
  if (!change.before) return;
  const Charge &a = *change.before, &b = *change.after;
  const Nano before = total(a, context), after = total(b, context);
  if (before > 0 && before != after)
    change.basis_points = static_cast<std::int64_t>(Wide{after - before} * 10'000 / before);
  if (before != after) {
    change.kind = after > before ? ChangeKind::raised : ChangeKind::lowered;
  } else if (a == b || a.currency != b.currency) {
    change.kind = ChangeKind::unchanged;
  } else {
    // The same sum otherwise made up: what is charged by submit is owed for certain.
    change.kind = b.submit > a.submit ? ChangeKind::raised : ChangeKind::lowered;
  }
}

std::vector<RateChange> book_changes(const Book& before, const Book& after,
                                     const SheetContext& context, std::int64_t now_us) {
  Comparison comparison(context, now_us);
  std::size_t a = 0, b = 0;
  while (a < before.size() || b < after.size()) {
    const bool from_before =
        b == after.size() || (a < before.size() && Subject(before[a]) < Subject(after[b]));
    const Subject subject(from_before ? before[a] : after[b]);
    const Rows were = take_subject(before, a, subject);
    comparison.compare(subject, were, take_subject(after, b, subject));
  }
  return std::move(comparison.changes);
}

}  // namespace tollgate::routing
