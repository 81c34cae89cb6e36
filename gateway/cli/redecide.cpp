#include "gateway/cli/redecide.h"

#include "gateway/config/peer_reader.h"
#include "proto/escape.h"
#include "routing/money.h"

namespace tollgate::gateway::cli {

using proto::detail::Detail;

routing::CompileResult compile_as_gateway(const Config& config, const TablesWanted& wanted) {
  routing::CompileOptions options;
  options.companions = std::make_shared<PeerReader>(config);
  options.now_us = wanted.at_us;
  options.version = wanted.version;
  options.facts = wanted.facts;
  return routing::compile_directory(wanted.directory, options);
}

Redecide::Redecide(const routing::Tables& tables)
    : tables_(tables), states_(tables.carriers.size()) {
  for (std::size_t i = 0; i < tables.clients.size(); ++i) {
    clients_.emplace(tables.clients[i].name, static_cast<std::uint16_t>(i));
  }
  for (std::size_t i = 0; i < tables.carriers.size(); ++i) {
    carriers_.emplace(tables.carriers[i].name, static_cast<std::uint16_t>(i));
  }
}

bool Redecide::operator()(const Detail& detail, routing::Route& route,
                          routing::Explanation* explanation) {
  const auto client = clients_.find(detail.client);
  if (client == clients_.end()) return false;
  routing::Query query;
  query.client = client->second;
  query.destination = detail.destination.digits;
  query.ton = detail.destination.ton;
  query.npi = detail.destination.npi;
  query.source = detail.source.digits;
  query.source_ton = detail.source.ton;
  query.message = detail.draw;
  query.wall_us = detail.accepted_us;
  const auto each = [&](const proto::detail::Names& names, auto&& f) {
    for (const std::string_view name : names) {
      if (const auto at = carriers_.find(name); at != carriers_.end()) f(states_[at->second]);
    }
  };
  each(detail.down, [](routing::CarrierState& state) { state.up = false; });
  each(detail.full, [](routing::CarrierState& state) { state.has_room = false; });
  routing::decide(tables_, query, states_, route, explanation);
  each(detail.down, [](routing::CarrierState& state) { state.up = true; });
  each(detail.full, [](routing::CarrierState& state) { state.has_room = true; });
  return true;
}

std::vector<std::string> differences(const Detail& detail, const routing::Tables& tables,
                                     const routing::Route& route) {
  std::vector<std::string> found;
  if (route.reason != routing::Reason::chosen) {
    found.push_back(std::string("there would be no route: ") + routing::reason_name(route.reason));
    return found;
  }
  if (route.price_nano != detail.price_nano) {
    found.push_back("the price was " + routing::format_nano(detail.price_nano) + " and would be " +
                    routing::format_nano(route.price_nano));
  }
  const std::size_t most = std::max<std::size_t>(route.count, detail.candidate_count);
  for (std::size_t i = 0; i < most; ++i) {
    const std::string was = i < detail.candidate_count
                                ? proto::escaped(detail.candidates[i].carrier) + " at " +
                                      routing::format_nano(detail.candidates[i].cost_nano)
                                : "nobody";
    const std::string is = i < route.count
                               ? tables.carriers[route.candidates[i].carrier].name + " at " +
                                     routing::format_nano(route.candidates[i].cost_nano)
                               : "nobody";
    if (was != is) {
      found.push_back("candidate " + std::to_string(i + 1) + " was " + was + " and would be " + is);
    }
  }
  return found;
}

}  // namespace tollgate::gateway::cli
