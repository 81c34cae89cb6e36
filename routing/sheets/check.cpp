#include "routing/sheets/check.h"

#include <algorithm>
#include <map>

#include "routing/sheets/book.h"

namespace tollgate::routing {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;
constexpr std::size_t kNamesShown = 5;

// Networks of one row that nobody knows share one finding.
struct Unknown {
  std::string first;
  std::size_t count = 0;
};

// Rows of one date share one finding.
struct Dated {
  std::size_t row = 0, count = 0;
};

class ChangeCheck {
 public:
  ChangeCheck(const ImportRequest& request, const SheetContext& context, Findings& findings)
      : request_(request), context_(context), findings_(findings) {
    if (const Tables* tables = context.tables()) {
      clients_.resize(tables->price_sets.size());
      for (std::size_t i = 0; i < tables->clients.size(); ++i)
        clients_[tables->clients[i].price_set].push_back(static_cast<std::uint16_t>(i));
    }
  }

  void run(const std::vector<RateChange>& changes) {
    for (const RateChange& change : changes) {
      if (change.row == 0) continue;  // only closed
      if (change.kind != ChangeKind::unchanged) check_dates(change);
      if (change.kind == ChangeKind::closed || !change.after) continue;
      check_network(change);
      if (change.leaves_gap) note(gaps_, change.to_us, change.row);
      check_size(change);
      check_told(change);
      if (change.kind == ChangeKind::unchanged) continue;
      check_margin(change);
      if (change.ends_at_planned) note(planned_, change.to_us, change.row);
    }
    tell(past_, "is effective in the past", "past messages keep the price they had");
    tell(hasty_,
         "raises prices sooner than the notice of " + std::to_string(request_.layout.notice_days) +
             " days",
         "object to the carrier, or accept it");
    tell(planned_, "is when a row begins that the book already plans; it stays",
         "give a row of that date to replace it");
    tell(gaps_, "is when prices end and nothing follows",
         "the carrier has no rate there from then");
    for (const auto& [row, unknown] : unknown_)
      findings_.warn(
          {.row = row,
           .value = unknown.first,
           .reason =
               std::string("is no network or country of the numbering plan") +
               (unknown.count > 1 ? " (and " + std::to_string(unknown.count - 1) + " more)" : ""),
           .right = "no number leads to it: check MCC and MNC, or complete the plan"});
  }

 private:
  void warn(const RateChange& change, std::string reason, std::string right) {
    findings_.warn({.row = change.row,
                    .value = change.thing,
                    .reason = std::move(reason),
                    .right = std::move(right)});
  }

  static void note(std::map<std::int64_t, Dated>& dates, std::int64_t date, std::size_t row) {
    Dated& dated = dates[date];
    if (dated.count++ == 0 || row < dated.row) dated.row = row;
  }

  void check_dates(const RateChange& change) {
    const std::int64_t notice = std::int64_t{request_.layout.notice_days} * kDayUs;
    if (change.from_us < request_.now_us) note(past_, change.from_us, change.row);
    if (change.kind == ChangeKind::raised && notice > 0 &&
        change.from_us < request_.now_us + notice)
      note(hasty_, change.from_us, change.row);
  }

  void tell(const std::map<std::int64_t, Dated>& dates, const std::string& reason,
            const std::string& right) {
    for (const auto& [from, dated] : dates) {
      const std::string more =
          dated.count > 1 ? " (and " + std::to_string(dated.count - 1) + " more)" : "";
      findings_.warn(
          {.row = dated.row, .value = date_text(from), .reason = reason + more, .right = right});
    }
  }

  void check_network(const RateChange& change) {
    if (change.is_prefix || context_.network(change.thing) != nullptr) return;
    Unknown& unknown = unknown_[change.row];
    if (unknown.count++ == 0) unknown.first = change.thing;
  }

  void check_size(const RateChange& change) {
    if (!change.basis_points) return;
    const std::int64_t most = std::int64_t{request_.layout.change_percent_max} * 100;
    if (std::abs(*change.basis_points) <= most) return;
    warn(change,
         std::string(change.kind == ChangeKind::raised ? "rises" : "falls") + " by " +
             format_nano(std::abs(*change.basis_points) * (kNanoPerUnit / 100), 0) + " %",
         "check the decimal mark, the currency and cents");
  }

  void check_told(const RateChange& change) {
    if (!change.told_before || !change.before) return;
    const Charge& before = *change.before;
    const Nano known = before.submit != kNone ? before.submit : before.delivered;
    if (known == *change.told_before) return;
    warn(change,
         "had " + format_nano(*change.told_before) + " before, says the sheet; the book has " +
             format_nano(known) + " " + before.currency,
         "a sheet between may be missing");
  }

  Nano in_base(const Charge& charge, Rounding rounding) const {
    Nano sum = 0;
    for (const Nano amount : {charge.submit, charge.delivered}) {
      if (amount == kNone) continue;
      const Nano base = context_.in_base(amount, charge.currency, rounding);
      if (base == kNone) return kNone;
      sum += base;
    }
    return sum;
  }

  // The destination that a thing's prices are found by; 0 = none.
  std::uint32_t destination(const RateChange& change) const {
    const Tables& tables = *context_.tables();
    if (change.is_prefix)
      return tables.index.find(change.thing, number_key(change.thing)).destination;
    return static_cast<std::uint32_t>(std::max(0, context_.destination(change.thing)));
  }

  void check_margin(const RateChange& change) {
    const Tables* tables = context_.tables();
    if (tables == nullptr) return;
    const std::uint32_t id = destination(change);
    if (id == 0) return;
    if (request_.book == BookKind::rate_book)
      check_cost(*tables, change, id);
    else
      check_price(*tables, change, id);
  }

  void check_cost(const Tables& tables, const RateChange& change, std::uint32_t id) {
    const Nano cost = in_base(*change.after, Rounding::up);
    if (cost == kNone) return;
    std::vector<std::uint16_t> hurt;
    std::size_t priced = 0;
    for (std::size_t set = 0; set < tables.price_sets.size(); ++set) {
      const Nano price = tables.prices.at(set, id);
      if (price == kNone) continue;
      priced += clients_[set].size();
      if (cost > price) hurt.insert(hurt.end(), clients_[set].begin(), clients_[set].end());
    }
    if (hurt.empty()) return;
    const auto takes_loss = std::count_if(hurt.begin(), hurt.end(), [&](std::uint16_t client) {
      return tables.rule(client, id).loss_allowed;
    });
    std::string names;
    for (std::size_t i = 0; i < std::min(hurt.size(), kNamesShown); ++i)
      names += (i == 0 ? "" : ", ") + tables.clients[hurt[i]].name;
    if (hurt.size() > kNamesShown)
      names += " and " + std::to_string(hurt.size() - kNamesShown) + " more";
    const std::string whose = hurt.size() == priced ? "every client pays: " : "is paid by ";
    const std::string rules =
        takes_loss == 0 ? "their rules block losses: the carrier drops out there"
                        : "the rules of " + std::to_string(takes_loss) + " of them accept a loss";
    warn(
        change,
        "costs " + format_nano(cost) + " " + tables.base_currency + ", above what " + whose + names,
        rules);
  }

  void check_price(const Tables& tables, const RateChange& change, std::uint32_t id) {
    const Nano price = in_base(*change.after, Rounding::down);
    const Place& place = tables.places[id];
    if (price == kNone || place.offers_begin == place.offers_end) return;
    const Offer& cheapest = tables.offers[place.offers_begin];
    if (price >= cheapest.cost()) return;
    warn(change,
         "is sold for " + format_nano(price) + " " + tables.base_currency +
             ", below every carrier's cost; the cheapest, " +
             tables.carriers[cheapest.carrier()].name + ", asks " + format_nano(cheapest.cost()),
         "messages there make a loss or have no route");
  }

  const ImportRequest& request_;
  const SheetContext& context_;
  Findings& findings_;
  std::vector<std::vector<std::uint16_t>> clients_;  // [plan]
  std::map<std::int64_t, Dated> past_, hasty_, planned_, gaps_;
  std::map<std::size_t, Unknown> unknown_;  // by row
};

}  // namespace

void check_changes(const std::vector<RateChange>& changes, const ImportRequest& request,
                   const SheetContext& context, Findings& findings) {
  ChangeCheck(request, context, findings).run(changes);
}

}  // namespace tollgate::routing
