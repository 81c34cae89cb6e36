// `tollgate records` and `tollgate margins`: prints, filters, groups and adds up detail records.
#include "gateway/cli/records.h"

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "gateway/cli/commands.h"
#include "gateway/cli/desk.h"
#include "gateway/cli/terminal.h"
#include "proto/escape.h"
#include "proto/saturated.h"
#include "routing/money.h"

namespace tollgate::gateway::cli {
namespace {

using Json = nlohmann::ordered_json;
using proto::detail::Detail;

constexpr std::size_t kGroupsMax = 1'000'000;  // memory is bounded by it

struct Sums {
  std::uint64_t messages = 0;
  std::uint64_t segments = 0;  // of what a carrier took
  std::uint64_t taken = 0;     // messages
  std::uint64_t known = 0;     // of them: how they ended is known
  std::uint64_t delivered = 0;
  std::int64_t revenue_nano = 0;
  std::int64_t cost_nano = 0;
  std::int64_t margin_nano = 0;

  void add(const Detail& detail) {
    ++messages;
    if (detail.taken()) {
      ++taken;
      segments += detail.segments;
      const bool known_end =
          detail.state != static_cast<std::uint32_t>(proto::MessageState::enroute);
      if (known_end) ++known;
      if (detail.delivered()) ++delivered;
    }
    add_money(detail.revenue_nano, detail.cost_nano, detail.margin_nano);
  }
  void add(const Sums& other) {
    messages += other.messages;
    segments += other.segments;
    known += other.known;
    delivered += other.delivered;
    add_money(other.revenue_nano, other.cost_nano, other.margin_nano);
  }
  // Some amount is beyond what 64 bits hold.
  bool cut() const {
    return proto::at_an_end(revenue_nano) || proto::at_an_end(cost_nano) ||
           proto::at_an_end(margin_nano);
  }

 private:
  void add_money(std::int64_t revenue, std::int64_t cost, std::int64_t margin) {
    revenue_nano = proto::sum(revenue_nano, revenue);
    cost_nano = proto::sum(cost_nano, cost);
    margin_nano = proto::sum(margin_nano, margin);
  }
};

enum class Key : std::uint8_t {
  client,
  destination,
  country,
  carrier,
  state,
  day,
  hour,
  version,
  currency
};
constexpr std::array<std::string_view, 9> kKeys = {
    "client", "destination", "country", "carrier", "state", "day", "hour", "version", "currency"};

std::string value_of(Key key, const Detail& detail) {
  switch (key) {
    case Key::client:
      return proto::escaped(detail.client);
    case Key::destination:
      return proto::escaped(detail.mccmnc);
    case Key::country:
      return proto::escaped(detail.mccmnc.substr(0, 3));
    case Key::carrier:
      return detail.taken() ? proto::escaped(detail.carrier) : "-";
    case Key::state:
      return std::string(proto::message_state_name(static_cast<proto::MessageState>(detail.state)));
    case Key::day:
      return moment_text(detail.settled_us).substr(0, 10);
    case Key::hour:
      return moment_text(detail.settled_us).substr(0, 13) + "Z";
    case Key::version:
      return std::to_string(detail.tables_version);
    case Key::currency:
      return proto::escaped(detail.currency);
  }
  return {};
}

std::string percent(std::int64_t part, std::int64_t of) {
  if (of == 0) return "-";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f%%",
                100.0 * static_cast<double>(part) / static_cast<double>(of));
  return text.data();
}

class Groups {
 public:
  // False, and `why`: a key is none.
  bool read(const std::string& by, std::string& why) {
    std::size_t at = 0;
    while (at <= by.size() && !by.empty()) {
      const std::size_t end = std::min(by.find(',', at), by.size());
      const std::string name = by.substr(at, end - at);
      const auto found = std::find(kKeys.begin(), kKeys.end(), name);
      if (found == kKeys.end()) {
        why = "\"" + routing::printable(name) +
              "\" is nothing to group by; there are client, destination, country, carrier, state, "
              "day, hour, version and currency";
        return false;
      }
      keys_.push_back(static_cast<Key>(found - kKeys.begin()));
      at = end + 1;
    }
    // Amounts of two currencies are never added up.
    if (std::find(keys_.begin(), keys_.end(), Key::currency) == keys_.end()) {
      keys_.push_back(Key::currency);
      currency_added_ = true;
    }
    return true;
  }

  // False: too many groups.
  bool add(const Detail& detail) {
    std::vector<std::string> values;
    values.reserve(keys_.size());
    for (const Key key : keys_) values.push_back(value_of(key, detail));
    auto at = sums_.find(values);
    if (at == sums_.end()) {
      if (sums_.size() == kGroupsMax) return false;
      at = sums_.emplace(std::move(values), Sums{}).first;
    }
    at->second.add(detail);
    return true;
  }

  std::string text(std::uint64_t limit) const;
  std::string json() const;
  bool empty() const { return sums_.empty(); }
  // Some sum is not shown whole; the total is one.
  bool cut() const;

 private:
  std::vector<std::string> row(const std::vector<std::string>& values, const Sums& sums) const;

  std::vector<Key> keys_;
  bool currency_added_ = false;
  std::map<std::vector<std::string>, Sums> sums_;
};

std::vector<std::string> Groups::row(const std::vector<std::string>& values,
                                     const Sums& sums) const {
  std::vector<std::string> cells(values.begin(), values.end() - (currency_added_ ? 1 : 0));
  cells.push_back(std::to_string(sums.messages));
  cells.push_back(std::to_string(sums.segments));
  cells.push_back(
      percent(static_cast<std::int64_t>(sums.delivered), static_cast<std::int64_t>(sums.known)));
  cells.push_back(routing::format_nano(sums.revenue_nano));
  cells.push_back(routing::format_nano(sums.cost_nano));
  cells.push_back(routing::format_nano(sums.margin_nano));
  cells.push_back(percent(sums.margin_nano, sums.revenue_nano));
  if (currency_added_) cells.push_back(values.back());
  return cells;
}

std::string Groups::text(std::uint64_t limit) const {
  std::vector<std::vector<std::string>> rows(1);
  for (std::size_t i = 0; i + (currency_added_ ? 1 : 0) < keys_.size(); ++i) {
    rows[0].emplace_back(kKeys[static_cast<std::size_t>(keys_[i])]);
  }
  for (const char* name :
       {"messages", "segments", "delivered", "revenue", "cost", "margin", "margin %"}) {
    rows[0].emplace_back(name);
  }
  if (currency_added_) rows[0].emplace_back("currency");
  std::map<std::string, Sums> totals;
  for (const auto& [values, sums] : sums_) {
    Sums& total = totals[currency_added_ ? values.back() : std::string()];
    total.add(sums);
    if (limit == 0 || rows.size() <= limit) rows.push_back(row(values, sums));
  }
  std::string more;
  if (limit != 0 && sums_.size() > limit) {
    more = "and " + counted(sums_.size() - limit, "row") + " more (--limit 0 shows all)\n";
  }
  if (currency_added_ && keys_.size() > 1 && sums_.size() > 1) {
    for (const auto& [currency, total] : totals) {
      std::vector<std::string> values(keys_.size() - 1);
      values[0] = "all";
      values.push_back(currency);
      rows.push_back(row(values, total));
    }
  }
  return aligned(rows) + more;
}

bool Groups::cut() const {
  std::map<std::string, Sums> totals;
  for (const auto& [values, sums] : sums_) {
    Sums& total = totals[currency_added_ ? values.back() : std::string()];
    total.add(sums);
    if (sums.cut() || total.cut()) return true;
  }
  return false;
}

std::string Groups::json() const {
  Json list = Json::array();
  for (const auto& [values, sums] : sums_) {
    Json row;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      row[std::string(kKeys[static_cast<std::size_t>(keys_[i])])] = values[i];
    }
    row["messages"] = sums.messages;
    row["taken"] = sums.taken;
    row["segments"] = sums.segments;
    row["ended_known"] = sums.known;
    row["delivered"] = sums.delivered;
    row["revenue_nano"] = sums.revenue_nano;
    row["cost_nano"] = sums.cost_nano;
    row["margin_nano"] = sums.margin_nano;
    list.push_back(std::move(row));
  }
  return list.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

int complain(const char* command, int status, const std::string& text) {
  print(stderr, std::string("tollgate ") + command + ": " + text + "\n");
  return status;
}

int grouped(const RecordsOptions& options, const char* command, const std::string& last) {
  Groups groups;
  std::string why;
  if (!groups.read(options.by, why)) return complain(command, kBadUsage, why);
  int status = kFine;
  auto source = RecordSource::open(options, command, last, status);
  if (!source) return status;
  bool fits = true;
  if (!source->for_each([&](const Detail& detail) { fits = fits && groups.add(detail); })) {
    return kFindings;
  }
  if (!fits) {
    return complain(command, kFindings,
                    "more than " + std::to_string(kGroupsMax) + " groups: group by less");
  }
  if (groups.empty() && !options.json) {
    print(stdout, "no messages ended then\n");
  } else {
    print(stdout, options.json ? groups.json() : groups.text(options.limit));
  }
  if (groups.cut()) return complain(command, kFindings, kCutSums);
  return source->damaged() ? kFindings : kFine;
}

}  // namespace

int margins(const RecordsOptions& options) {
  return grouped(options, "margins", "24h");
}

int records(const RecordsOptions& options) {
  if (!options.by.empty()) return grouped(options, "records", "24h");
  int status = kFine;
  const bool all = !options.message.empty();
  auto source = RecordSource::open(options, "records", all ? "" : "24h", status);
  if (!source) return status;
  if (!options.json) {
    print(stdout, bold("settled               message           client        number           "
                       "mccmnc  carrier       state           seg  revenue  margin",
                       stdout) +
                      "\n");
  }
  std::uint64_t found = 0;
  const bool read = source->for_each([&](const Detail& detail) {
    if (options.limit != 0 && found >= options.limit) return;
    ++found;
    print(stdout, options.json ? record_json_line(detail) : record_text(detail));
  });
  if (!read) return kFindings;
  if (found == 0 && all) return complain("records", kFindings, "no message has that id");
  return source->damaged() ? kFindings : kFine;
}

}  // namespace tollgate::gateway::cli
