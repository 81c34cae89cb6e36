// `tollgate check`: the configuration and the tables it points to, with every fault of both.
#include <filesystem>

#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/desk.h"
#include "gateway/cli/terminal.h"
#include "gateway/config/config.h"
#include "gateway/config/machine.h"
#include "gateway/config/peer_reader.h"
#include "routing/compile/compile.h"

namespace tollgate::gateway::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kNamesShown = 8;

std::string dump(const Json& json) {
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

Json fault_json(const ConfigFault& fault) {
  return {{"file", fault.file},  {"line", fault.line},   {"column", fault.column},
          {"key", fault.key},    {"value", fault.value}, {"reason", fault.reason},
          {"right", fault.right}};
}

Json fault_json(const routing::TableFault& fault) {
  return {{"file", fault.file},   {"row", fault.row},       {"column", fault.column},
          {"value", fault.value}, {"reason", fault.reason}, {"place", fault.place}};
}

int report_config(const CheckOptions& options, const std::vector<ConfigFault>& faults) {
  if (options.json) {
    Json json{{"fine", false}, {"config", options.config}, {"faults", Json::array()}};
    for (const ConfigFault& fault : faults) json["faults"].push_back(fault_json(fault));
    print(stdout, dump(json));
    return kFindings;
  }
  for (const ConfigFault& fault : faults) print(stdout, fault.text() + "\n");
  print(stdout, red(counted(faults.size(), "fault"), stdout) + "; the tables were not looked at\n");
  return kFindings;
}

int report_tables(const CheckOptions& options, const Config& config,
                  const std::vector<routing::TableFault>& faults) {
  if (options.json) {
    Json json{{"fine", false},
              {"config", options.config},
              {"tables", tables_place(config)},
              {"table_faults", Json::array()}};
    for (const routing::TableFault& fault : faults)
      json["table_faults"].push_back(fault_json(fault));
    print(stdout, dump(json));
    return kFindings;
  }
  const std::string directory =
      config.gateway.tables.empty() ? "" : std::filesystem::path(config.gateway.tables) / "";
  for (const routing::TableFault& fault : faults) {
    print(stdout, directory + routing::fault_text(fault) + "\n");
  }
  print(stdout, red(counted(faults.size(), "fault"), stdout) + " in the tables; " + options.config +
                    " itself is fine\n");
  return kFindings;
}

std::vector<std::string> listen_texts(const Config& config) {
  std::vector<std::string> texts;
  for (const core::Address& address : config.gateway.listen) texts.push_back(address.text());
  return texts;
}

std::size_t bind_count(const Peers& peers) {
  std::size_t binds = 0;
  for (const CarrierPeer& carrier : peers.carriers) binds += carrier.config->binds.size();
  return binds;
}

Json shortage_json(const Shortage& shortage) {
  return {{"what", shortage.what},
          {"has", shortage.has},
          {"needs", shortage.needs},
          {"right", shortage.right}};
}

void report_fine(const CheckOptions& options, const Config& config, const routing::Tables& tables) {
  const routing::TableCounts& counts = tables.counts;
  const Peers& peers = peers_of(tables);  // those of the configuration and of the tables
  const std::vector<Shortage> found = shortages(config, peers, read_machine(config));
  if (options.json) {
    Json warnings = Json::array();
    for (const Shortage& shortage : found) warnings.push_back(shortage_json(shortage));
    print(stdout, dump({{"fine", true},
                        {"config", options.config},
                        {"listen", listen_texts(config)},
                        {"metrics", config.gateway.metrics},
                        {"shards", config.gateway.shards},
                        {"clients", peers.client_names()},
                        {"carriers", peers.carrier_names()},
                        {"binds", bind_count(peers)},
                        {"warnings", warnings},
                        {"tables",
                         {{"directory", tables_place(config)},
                          {"base_currency", tables.base_currency},
                          {"destinations", tables.destinations.size() - 1},
                          {"prefixes", counts.prefixes},
                          {"rates", counts.rates},
                          {"prices", counts.prices},
                          {"rules", counts.rules},
                          {"ported", counts.ported},
                          {"compile_us", tables.compile_us},
                          {"octets", tables.bytes()}}}}));
    return;
  }
  const std::string metrics = config.gateway.metrics.empty() ? "none" : config.gateway.metrics;
  print(stdout, bold(options.config, stdout) + ": " + green("fine", stdout) + "\n");
  print(stdout, "  listen    " + listed(listen_texts(config), kNamesShown) + "\n");
  print(stdout, "  metrics   " + metrics + "\n");
  print(stdout, "  shards    " + std::to_string(config.gateway.shards) + "\n");
  print(stdout, "  clients   " + std::to_string(peers.clients.size()) + ": " +
                    listed(peers.client_names(), kNamesShown) + "\n");
  print(stdout, "  carriers  " + std::to_string(peers.carriers.size()) + " with " +
                    counted(bind_count(peers), "bind") + ": " +
                    listed(peers.carrier_names(), kNamesShown) + "\n");
  print(stdout, "  tables    " + tables_place(config) + ": " +
                    counted(tables.destinations.size() - 1, "destination") + ", " +
                    counted(counts.prefixes, "prefix") + ", " + counted(counts.rates, "rate") +
                    ", " + counted(counts.prices, "price") + ", " + counted(counts.rules, "rule") +
                    "; base currency " + tables.base_currency + "; compiled in " +
                    std::to_string(tables.compile_us / 1'000) + " ms\n");
  for (const Shortage& shortage : found) print(stdout, "  warning   " + shortage.text() + "\n");
}

}  // namespace

int check(const CheckOptions& options) {
  const auto config = load_config(options.config);
  if (!config) return report_config(options, config.error());
  const TemporaryFolder folder;
  const auto directory = tables_directory(*config, folder);
  if (!directory) {
    return report_tables(options, *config,
                         {{tables_place(*config), 0, "", "", directory.error().reason}});
  }
  routing::CompileOptions compile;
  compile.companions = std::make_shared<PeerReader>(*config);
  compile.now_us = core::read_clock().wall_us;
  compile.version = 1;
  const auto tables = routing::compile_directory(*directory, compile);
  if (!tables) return report_tables(options, *config, tables.error());
  report_fine(options, *config, **tables);
  return kFine;
}

}  // namespace tollgate::gateway::cli
