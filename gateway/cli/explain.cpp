// `tollgate explain`: the decision that a message to a number would get now, by the same code.
#include "routing/explain.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/desk.h"
#include "gateway/cli/terminal.h"
#include "gateway/config/config.h"
#include "gateway/config/peer_reader.h"
#include "gateway/config/texts.h"
#include "proto/escape.h"
#include "routing/compile/cells.h"
#include "routing/compile/compile.h"

namespace tollgate::gateway::cli {
namespace {

constexpr std::uint8_t kTonInternational = 1;
constexpr std::uint8_t kTonAlphanumeric = 5;

int complain(int status, const std::string& text) {
  print(stderr, "tollgate explain: " + text + "\n");
  return status;
}

bool is_number(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || c == '+'; });
}

// What was asked for; nothing for the tables in force now.
std::string place_text(const ExplainOptions& options) {
  std::string text;
  if (!options.tables.empty()) text += "asked of     " + routing::printable(options.tables) + "\n";
  if (!options.at.empty()) text += "as of        " + routing::printable(options.at) + "\n";
  return text;
}

std::string with_place(const std::string& explanation, const ExplainOptions& options) {
  using Json = nlohmann::ordered_json;
  Json json = Json::parse(explanation);
  if (!options.tables.empty()) json["asked_of"] = options.tables;
  if (!options.at.empty()) json["as_of"] = options.at;
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace

int explain(const ExplainOptions& options) {
  if (!options.message.empty()) return explain_message(options);
  if (options.number.empty() || options.client.empty()) {
    return complain(kBadUsage, "a NUMBER and --client, or --message");
  }
  const auto config = load_config(options.config);
  if (!config) {
    for (const ConfigFault& fault : config.error()) print(stderr, fault.text() + "\n");
    return kFindings;
  }
  std::int64_t at_us = core::read_clock().wall_us;
  if (!options.at.empty()) {
    if (const char* why = routing::parse_date(options.at, at_us))
      return complain(kBadUsage, "--at " + routing::printable(options.at) + ": " + why);
  }
  const TemporaryFolder folder;
  const auto chosen = choose_tables(*config, options.tables, folder);
  if (!chosen) return complain(kFindings, chosen.error().reason);
  routing::CompileOptions compile;
  compile.companions = std::make_shared<PeerReader>(*config);
  compile.now_us = at_us;
  compile.version = chosen->version;
  const auto compiled = routing::compile_directory(chosen->directory, compile);
  if (!compiled) {
    for (const auto& fault : compiled.error()) print(stderr, routing::fault_text(fault) + "\n");
    return complain(kFindings, counted(compiled.error().size(), "fault") + " in the tables of " +
                                   chosen->place);
  }
  const routing::Tables& tables = **compiled;
  const auto clients = peers_of(tables).client_names();
  const auto client = std::find(clients.begin(), clients.end(), options.client);
  if (client == clients.end()) {
    const std::string near = nearest(options.client, clients);
    return complain(kBadUsage, "no client \"" + proto::escaped(options.client) + "\" in " +
                                   options.config + " or " + chosen->place +
                                   (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
  }
  routing::Query query;
  query.client = static_cast<std::uint16_t>(client - clients.begin());
  query.destination = options.number;
  query.ton = kTonInternational;
  query.source = options.from;
  query.source_ton = is_number(options.from) ? kTonInternational : kTonAlphanumeric;
  query.wall_us = at_us;
  routing::Route route;
  routing::Explanation explanation;
  // No carrier states: a command cannot know them, so every bind counts as up.
  routing::decide(tables, query, {}, route, &explanation);
  print(stdout, options.json ? with_place(routing::explain_json(tables, explanation), options)
                             : place_text(options) + routing::explain_text(tables, explanation));
  return route.reason == routing::Reason::chosen ? kFine : kFindings;
}

}  // namespace tollgate::gateway::cli
