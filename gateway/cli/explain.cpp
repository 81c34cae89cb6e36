// `tollgate explain`: the decision that a message to a number would get now, by the same code.
#include "routing/explain.h"

#include <algorithm>

#include "core/clock.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/desk.h"
#include "gateway/cli/terminal.h"
#include "gateway/config.h"
#include "gateway/config_reader.h"
#include "proto/escape.h"
#include "routing/compile.h"

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

}  // namespace

int explain(const ExplainOptions& options) {
  const auto config = load_config(options.config);
  if (!config) {
    for (const ConfigFault& fault : config.error()) print(stderr, fault.text() + "\n");
    return kFindings;
  }
  const auto clients = config->client_names();
  const auto client = std::find(clients.begin(), clients.end(), options.client);
  if (client == clients.end()) {
    const std::string near = nearest(options.client, clients);
    return complain(kBadUsage, "no client \"" + proto::escaped(options.client) + "\" in " +
                                   options.config +
                                   (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
  }
  const std::int64_t now_us = core::read_clock().wall_us;
  const TemporaryFolder folder;
  const auto directory = tables_directory(*config, folder);
  if (!directory) return complain(kFindings, directory.error().reason);
  const auto compiled =
      routing::compile_directory(*directory, {config->carrier_names(), clients, now_us, 1});
  if (!compiled) {
    for (const auto& fault : compiled.error()) print(stderr, routing::fault_text(fault) + "\n");
    return complain(kFindings, counted(compiled.error().size(), "fault") + " in the tables of " +
                                   tables_place(*config));
  }
  const routing::Tables& tables = **compiled;
  routing::Query query;
  query.client = static_cast<std::uint16_t>(client - clients.begin());
  query.destination = options.number;
  query.ton = kTonInternational;
  query.source = options.from;
  query.source_ton = is_number(options.from) ? kTonInternational : kTonAlphanumeric;
  query.wall_us = now_us;
  routing::Route route;
  routing::Explanation explanation;
  // No carrier states: a command cannot know them, so every bind counts as up.
  routing::decide(tables, query, {}, route, &explanation);
  print(stdout, options.json ? routing::explain_json(tables, explanation)
                             : routing::explain_text(tables, explanation));
  return route.reason == routing::Reason::chosen ? kFine : kFindings;
}

}  // namespace tollgate::gateway::cli
