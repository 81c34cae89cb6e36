#include "routing/explain.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "routing/fault.h"

namespace tollgate::routing {
namespace {

using Json = nlohmann::ordered_json;

std::string money(Nano amount) {
  return amount == kNone ? "-" : format_nano(amount, 4);
}

// Share of the price in percent with two decimals, rounded towards zero; "-" when there is no
// price.
std::string percent(Nano margin, Nano price) {
  __extension__ using Wide = __int128;
  if (margin == kNone || price <= 0) return "-";
  const auto hundredths = static_cast<std::int64_t>(Wide{margin} * 10'000 / price);
  return format_nano(hundredths * (kNanoPerUnit / 100), 2);
}

std::string destination_text(const Tables& tables, const Explanation& explanation) {
  const Destination& destination = tables.destinations[explanation.route.destination];
  if (explanation.route.destination == 0) return "unknown: no prefix of the numbering plan fits";
  std::string text = destination.mccmnc;
  if (!destination.network.empty()) text += " " + printable(destination.network);
  if (!destination.country.empty()) text += ", " + destination.country;
  if (explanation.ported) text += " (ported)";
  return text;
}

std::string hours_text(const Rule& rule) {
  if (rule.hours_from == rule.hours_to) return "";
  const auto clock = [](unsigned minute) {
    const auto two = [](unsigned n) { return (n < 10 ? "0" : "") + std::to_string(n); };
    return two(minute / 60) + ":" + two(minute % 60);
  };
  return clock(rule.hours_from) + "-" + clock(rule.hours_to);
}

std::string ppm_text(std::int64_t ppm) {
  return format_nano(ppm * (kNanoPerUnit / 10'000), 0);
}

std::string rule_text(const Rule& rule) {
  std::string text = std::string(order_name(rule.order)) + ", at most " +
                     std::to_string(rule.attempts_max) + " attempts";
  if (rule.margin_min != kNone) text += ", margin at least " + money(rule.margin_min);
  if (rule.margin_min_ppm != kNone)
    text += ", margin at least " + ppm_text(rule.margin_min_ppm) + "%";
  text += rule.loss_allowed ? ", loss allowed" : ", loss blocked";
  if (rule.quality_min_ppm != 0)
    text += ", quality at least " + ppm_text(rule.quality_min_ppm) + "%";
  if (const std::string hours = hours_text(rule); !hours.empty()) text += ", " + hours + " UTC";
  if (rule.explore_ppm != 0) text += ", explores " + ppm_text(rule.explore_ppm) + "%";
  if (rule.blocked) text += ", blocked";
  return text;
}

// Ranked ones first, then those that were cut, then the dropped by name.
std::vector<Verdict> in_order(const Tables& tables, std::vector<Verdict> verdicts) {
  std::sort(verdicts.begin(), verdicts.end(), [&](const Verdict& a, const Verdict& b) {
    const auto group = [](const Verdict& v) {
      return v.rank != 0 ? v.rank : v.reason == Reason::cut ? 1'000u : 1'001u;
    };
    if (group(a) != group(b)) return group(a) < group(b);
    return tables.carriers[a.carrier].name < tables.carriers[b.carrier].name;
  });
  return verdicts;
}

// Columns two blanks apart, numbers to the right; no blanks at a line's end.
std::string aligned(const std::vector<std::vector<std::string>>& rows,
                    const std::vector<bool>& right) {
  std::vector<std::size_t> widths(right.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - row[i].size(), ' ');
      line += (i > 0 ? "  " : "") + (right[i] ? blanks + row[i] : row[i] + blanks);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

const char* cost_source_name(CostSource source) {
  switch (source) {
    case CostSource::none:
      return "none";
    case CostSource::network:
      return "network";
    case CostSource::prefix:
      return "prefix";
    case CostSource::country:
      return "country";
  }
  return "";
}

std::string explain_text(const Tables& tables, const Explanation& explanation) {
  const Route& route = explanation.route;
  const TableClient& client = tables.clients[explanation.client];
  const bool known = route.number_length != 0;
  std::string text;
  const auto line = [&](std::string name, const std::string& value) {
    name.resize(13, ' ');
    text += name + value + "\n";
  };
  line("number", (known ? "+" + std::string(route.number_view()) : "not a possible number") +
                     " (given as " + printable(explanation.asked) + ")");
  line("client", client.name + ", plan " + tables.plans[client.plan]);
  if (known) {
    line("destination", destination_text(tables, explanation));
    line("price", explanation.priced ? money(route.price_nano) + " " + tables.base_currency
                                     : "none in this plan");
    if (explanation.sender_replaced != Reason::chosen) {
      line("sender", std::string(route.sender) + " instead of " + printable(explanation.sender) +
                         ": " + reason_name(explanation.sender_replaced));
    }
    line("rule", rule_text(*explanation.rule));
  }
  line("result", route.reason == Reason::chosen
                     ? std::to_string(route.count) + " of " +
                           std::to_string(explanation.verdicts.size()) + " carriers"
                     : reason_name(route.reason));
  if (explanation.explored) line("explored", "the first carrier goes first to be learned");
  line("tables", "version " + std::to_string(tables.version) +
                     (tables.facts == 0 ? "" : ", facts " + std::to_string(tables.facts)));
  if (explanation.verdicts.empty()) return text;

  std::vector<std::vector<std::string>> rows = {
      {"rank", "carrier", "cost", "by", "margin", "%", "verdict"}};
  for (const Verdict& verdict : in_order(tables, explanation.verdicts)) {
    rows.push_back(
        {verdict.rank == 0 ? "-" : std::to_string(verdict.rank),
         tables.carriers[verdict.carrier].name, money(verdict.cost_nano),
         verdict.cost_source == CostSource::none ? "-" : cost_source_name(verdict.cost_source),
         money(verdict.margin_nano), percent(verdict.margin_nano, route.price_nano),
         reason_name(verdict.reason)});
  }
  return text + "\n" + aligned(rows, {true, false, true, false, true, true, false});
}

std::string explain_json(const Tables& tables, const Explanation& explanation) {
  const Route& route = explanation.route;
  const TableClient& client = tables.clients[explanation.client];
  const auto amount = [](Nano nano) { return nano == kNone ? Json() : Json(format_nano(nano)); };
  Json json;
  json["asked"] = explanation.asked;
  json["number"] = route.number_length == 0 ? Json() : Json(std::string(route.number_view()));
  json["client"] = client.name;
  json["plan"] = tables.plans[client.plan];
  json["reason"] = reason_name(route.reason);
  json["tables_version"] = tables.version;
  json["facts"] = tables.facts;
  json["currency"] = tables.base_currency;
  if (route.number_length != 0) {
    const Destination& destination = tables.destinations[route.destination];
    json["destination"] = route.destination == 0 ? Json()
                                                 : Json{{"mccmnc", destination.mccmnc},
                                                        {"country", destination.country},
                                                        {"network", destination.network},
                                                        {"ported", explanation.ported}};
    json["price"] = explanation.priced ? amount(route.price_nano) : Json();
    json["explored"] = explanation.explored;
    json["sender"] = explanation.sender_replaced == Reason::chosen
                         ? Json()
                         : Json{{"instead_of", explanation.sender},
                                {"used", std::string(route.sender)},
                                {"because", reason_name(explanation.sender_replaced)}};
    const Rule& rule = *explanation.rule;
    json["rule"] = {{"order", order_name(rule.order)},
                    {"max_attempts", rule.attempts_max},
                    {"min_margin", amount(rule.margin_min)},
                    {"min_margin_percent",
                     rule.margin_min_ppm == kNone ? Json() : Json(ppm_text(rule.margin_min_ppm))},
                    {"on_loss", rule.loss_allowed ? "allow" : "block"},
                    {"min_quality", ppm_text(rule.quality_min_ppm)},
                    {"explore_percent", ppm_text(rule.explore_ppm)},
                    {"hours", hours_text(rule)},
                    {"blocked", rule.blocked}};
  }
  json["carriers"] = Json::array();
  for (const Verdict& verdict : in_order(tables, explanation.verdicts)) {
    json["carriers"].push_back({{"carrier", tables.carriers[verdict.carrier].name},
                                {"rank", verdict.rank == 0 ? Json() : Json(verdict.rank)},
                                {"verdict", reason_name(verdict.reason)},
                                {"cost", amount(verdict.cost_nano)},
                                {"cost_source", cost_source_name(verdict.cost_source)},
                                {"margin", amount(verdict.margin_nano)},
                                {"quality", ppm_text(verdict.quality_ppm)}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tollgate::routing
