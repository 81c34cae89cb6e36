// `tollgate run`: reads the configuration, then is the gateway until it is told to stop.
#include "gateway/cli/commands.h"
#include "gateway/cli/terminal.h"
#include "gateway/config.h"
#include "gateway/process.h"

namespace tollgate::gateway::cli {

int run(const RunOptions& options) {
  auto config = load_config(options.config);
  if (!config) {
    for (const ConfigFault& fault : config.error()) print(stderr, fault.text() + "\n");
    print(stderr, "tollgate run: " + counted(config.error().size(), "fault") + "; not started\n");
    return kFindings;
  }
  if (options.shards != 0) config->gateway.shards = options.shards;
  return run_process(*config);
}

}  // namespace tollgate::gateway::cli
