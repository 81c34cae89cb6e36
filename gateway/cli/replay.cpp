// `tollgate rates replay`: the messages of a time decided again under other tables, against those
// in force: who moves, what it costs, what loses its route or its margin.
#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/desk.h"
#include "gateway/cli/records.h"
#include "gateway/cli/redecide.h"
#include "gateway/cli/sheets.h"
#include "gateway/cli/terminal.h"
#include "gateway/config/tables_place.h"
#include "gateway/keeping/learning.h"
#include "proto/escape.h"
#include "proto/saturated.h"
#include "routing/compile/cells.h"
#include "routing/compile/compile.h"
#include "routing/money.h"

namespace tollgate::gateway::cli {
namespace {

using Json = nlohmann::ordered_json;
using proto::detail::Detail;
using routing::Reason;
using routing::Route;

int complain(int status, const std::string& text) {
  print(stderr, "tollgate rates replay: " + text + "\n");
  return status;
}

struct Effect {
  std::uint64_t messages = 0;
  std::uint64_t segments = 0;
  std::uint64_t moved = 0;  // another first carrier
  std::uint64_t newly_unroutable = 0;
  std::uint64_t newly_routable = 0;
  std::uint64_t newly_at_loss = 0;  // margin below 0
  std::int64_t revenue_before = 0, revenue_after = 0;
  std::int64_t cost_before = 0, cost_after = 0;

  std::int64_t cost_delta() const { return proto::difference(cost_after, cost_before); }
  std::int64_t margin_before() const { return proto::difference(revenue_before, cost_before); }
  std::int64_t margin_after() const { return proto::difference(revenue_after, cost_after); }
  std::int64_t margin_delta() const { return proto::difference(margin_after(), margin_before()); }
  // Some amount is beyond what 64 bits hold.
  bool cut() const {
    const auto amounts = {revenue_before, revenue_after, cost_before, cost_after};
    return std::any_of(amounts.begin(), amounts.end(), proto::at_an_end) ||
           proto::at_an_end(margin_delta());
  }
  bool findings() const { return newly_unroutable != 0 || newly_at_loss != 0; }
  bool changed() const { return findings() || moved != 0 || margin_delta() != 0; }
};

struct Outcome {
  bool routed = false;
  std::string_view carrier;
  routing::Nano price = 0, cost = 0;
};

Outcome outcome(Redecide& redecide, const Detail& detail) {
  Route route;
  if (!redecide(detail, route) || route.reason != Reason::chosen) return {};
  const routing::Candidate& first = route.candidates[0];
  return {true, redecide.tables().carriers[first.carrier].name, route.price_nano, first.cost_nano};
}

void add(Effect& effect, std::uint32_t segments, const Outcome& before, const Outcome& after) {
  const auto count = static_cast<std::int64_t>(std::max(segments, 1U));
  ++effect.messages;
  effect.segments += static_cast<std::uint64_t>(count);
  if (before.routed && !after.routed) ++effect.newly_unroutable;
  if (!before.routed && after.routed) ++effect.newly_routable;
  if (before.routed && after.routed && before.carrier != after.carrier) ++effect.moved;
  const bool lost_before = before.routed && before.price < before.cost;
  if (after.routed && after.price < after.cost && !lost_before) ++effect.newly_at_loss;
  const auto charge = [&](std::int64_t& to, routing::Nano amount) {
    to = proto::sum(to, proto::product(amount, count));
  };
  charge(effect.revenue_before, before.price);
  charge(effect.revenue_after, after.price);
  charge(effect.cost_before, before.cost);
  charge(effect.cost_after, after.cost);
}

class Replay {
 public:
  Replay(const routing::Tables& before, const routing::Tables& after, std::int64_t at_us)
      : before_(before), after_(after), at_us_(at_us) {}

  void take(const Detail& detail) {
    const Outcome before = outcome(before_, detail);
    const Outcome after = outcome(after_, detail);
    add(all_, detail.segments, before, after);
    key_.first.assign(detail.client);
    key_.second.assign(detail.mccmnc);
    add(pairs_[key_], detail.segments, before, after);
    if (before.carrier == after.carrier) return;
    ++moves_[{before.routed ? std::string(before.carrier) : "no route",
              after.routed ? std::string(after.carrier) : "no route"}];
  }

  std::string text(std::uint64_t limit) const;
  std::string json() const;
  bool findings() const { return all_.findings(); }
  bool cut() const { return all_.cut(); }
  std::uint64_t messages() const { return all_.messages; }

 private:
  using Pair = std::pair<std::string, std::string>;
  // The largest changes of margin first.
  std::vector<const std::pair<const Pair, Effect>*> changed() const;

  Redecide before_, after_;
  const std::int64_t at_us_;
  Effect all_;
  Pair key_;
  std::map<Pair, Effect> pairs_;  // client and destination
  std::map<Pair, std::uint64_t> moves_;
};

std::vector<const std::pair<const std::pair<std::string, std::string>, Effect>*> Replay::changed()
    const {
  std::vector<const std::pair<const Pair, Effect>*> rows;
  for (const auto& each : pairs_) {
    if (each.second.changed()) rows.push_back(&each);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) {
    const auto size = [](std::int64_t delta) {
      return delta < 0 ? proto::difference(0, delta) : delta;
    };
    return size(a->second.margin_delta()) > size(b->second.margin_delta());
  });
  return rows;
}

std::string signed_text(std::int64_t nano) {
  return (nano > 0 ? "+" : "") + routing::format_nano(nano);
}

std::string Replay::text(std::uint64_t limit) const {
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += std::string(name) + std::string(24 - name.size(), ' ') + value + "\n";
  };
  line("rates as of", moment_text(at_us_));
  line("messages", std::to_string(all_.messages));
  line("moved", std::to_string(all_.moved));
  line("newly unroutable",
       all_.newly_unroutable == 0 ? "0" : red(std::to_string(all_.newly_unroutable), stdout));
  line("newly at a loss",
       all_.newly_at_loss == 0 ? "0" : red(std::to_string(all_.newly_at_loss), stdout));
  line("newly routable", std::to_string(all_.newly_routable));
  line("cost", routing::format_nano(all_.cost_before) + " -> " +
                   routing::format_nano(all_.cost_after) + "  (" + signed_text(all_.cost_delta()) +
                   ")");
  line("margin", routing::format_nano(all_.margin_before()) + " -> " +
                     routing::format_nano(all_.margin_after()) + "  (" +
                     signed_text(all_.margin_delta()) + ")");
  if (!moves_.empty()) {
    std::vector<std::vector<std::string>> rows{{"from", "to", "messages"}};
    for (const auto& [move, count] : moves_) {
      rows.push_back(
          {proto::escaped(move.first), proto::escaped(move.second), std::to_string(count)});
    }
    text += "\n" + aligned(rows);
  }
  const auto all = changed();
  if (all.empty()) return text;
  std::vector<std::vector<std::string>> rows{
      {"client", "destination", "messages", "moved", "unroutable", "at a loss", "cost", "margin"}};
  for (const auto* each : all) {
    if (limit != 0 && rows.size() > limit) break;
    const Effect& effect = each->second;
    rows.push_back({proto::escaped(each->first.first), proto::escaped(each->first.second),
                    std::to_string(effect.messages), std::to_string(effect.moved),
                    std::to_string(effect.newly_unroutable), std::to_string(effect.newly_at_loss),
                    signed_text(effect.cost_delta()), signed_text(effect.margin_delta())});
  }
  text += "\n" + aligned(rows);
  if (all.size() + 1 > rows.size()) {
    text += "and " + counted(all.size() + 1 - rows.size(), "row") + " more (--limit 0 shows all)\n";
  }
  return text;
}

Json effect_json(const Effect& effect) {
  return {{"messages", effect.messages},
          {"segments", effect.segments},
          {"moved", effect.moved},
          {"newly_unroutable", effect.newly_unroutable},
          {"newly_routable", effect.newly_routable},
          {"newly_at_loss", effect.newly_at_loss},
          {"cost_before_nano", effect.cost_before},
          {"cost_after_nano", effect.cost_after},
          {"margin_before_nano", effect.margin_before()},
          {"margin_after_nano", effect.margin_after()}};
}

std::string Replay::json() const {
  Json json = effect_json(all_);
  json["as_of"] = moment_text(at_us_);
  json["moves"] = Json::array();
  for (const auto& [move, count] : moves_) {
    json["moves"].push_back({{"from", proto::escaped(move.first)},
                             {"to", proto::escaped(move.second)},
                             {"messages", count}});
  }
  json["changed"] = Json::array();
  for (const auto* each : changed()) {
    Json row = effect_json(each->second);
    row["client"] = proto::escaped(each->first.first);
    row["destination"] = proto::escaped(each->first.second);
    json["changed"].push_back(std::move(row));
  }
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

// A bare number is a draft's, as for the other verbs.
std::string tables_name(std::string name) {
  constexpr std::string_view kVersion = "version:";
  if (name.starts_with(kVersion)) return name.substr(kVersion.size());
  const bool digits = !name.empty() && std::all_of(name.begin(), name.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
  return digits ? "draft:" + name : name;
}

constexpr std::string_view kDraft = "draft:";

// Which rows are in force: those of --at; of a draft, when its last row is; else those of now.
routing::StoreResult<std::int64_t> instant(const Config& config, const ReplayOptions& options) {
  std::int64_t at_us = core::read_clock().wall_us;
  if (!options.at.empty()) {
    const char* why = routing::parse_date(options.at, at_us);
    if (why == nullptr) return at_us;
    return tl::unexpected<routing::StoreError>(
        {routing::StoreFault::invalid, "--at " + routing::printable(options.at) + ": " + why});
  }
  const std::string name = tables_name(options.tables);
  if (!name.starts_with(kDraft) || config.tables.redis.empty()) return at_us;
  routing::Store store(store_options(config.tables));
  const auto draft = store.draft(
      static_cast<std::uint32_t>(std::strtoul(name.c_str() + kDraft.size(), nullptr, 10)));
  if (!draft) return tl::unexpected(draft.error());
  return last_change_us(store, *draft);
}

struct Wanted {
  const Config& config;
  std::int64_t at_us;
  routing::Facts facts;  // the newest
};

std::unique_ptr<const routing::Tables> compiled(const Wanted& wanted, const std::string& name,
                                                int& status) {
  const TemporaryFolder folder;
  const auto chosen = choose_tables(wanted.config, name, folder);
  if (!chosen) {
    status = complain(kFindings, chosen.error().reason);
    return nullptr;
  }
  auto tables = compile_as_gateway(
      wanted.config, {chosen->directory, wanted.at_us, chosen->version, &wanted.facts});
  if (tables) return std::move(*tables);
  for (const auto& fault : tables.error()) print(stderr, routing::fault_text(fault) + "\n");
  status = complain(kFindings,
                    counted(tables.error().size(), "fault") + " in the tables of " + chosen->place);
  return nullptr;
}

}  // namespace

int replay(const ReplayOptions& options) {
  int status = kFine;
  RecordFilter filter = options;
  if (filter.config.empty()) filter.config = default_config();
  auto source = RecordSource::open(filter, "rates replay", "24h", status);
  if (!source) return status;
  const auto at_us = instant(*source->config(), options);
  if (!at_us) return complain(kFindings, at_us.error().reason);
  const Wanted wanted{*source->config(), *at_us, newest_facts(source->config()->records.directory)};
  const auto before = compiled(wanted, options.against, status);
  if (!before) return status;
  const auto after = compiled(wanted, tables_name(options.tables), status);
  if (!after) return status;
  Replay replay(*before, *after, *at_us);
  if (!source->for_each([&](const Detail& detail) { replay.take(detail); })) return kFindings;
  if (replay.messages() == 0 && !options.json) {
    print(stdout, "no messages ended then\n");
    return kFine;
  }
  print(stdout, options.json ? replay.json() : replay.text(options.limit));
  if (replay.cut()) return complain(kFindings, kCutSums);
  return replay.findings() ? kFindings : kFine;
}

}  // namespace tollgate::gateway::cli
