// `tollgate run`: reads the configuration, then is the gateway until it is told to stop.
#include <utility>

#include "core/environment.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/terminal.h"
#include "gateway/config/config.h"
#include "gateway/process.h"

namespace tollgate::gateway::cli {

int run(const RunOptions& options) {
  core::tell_when_terminated();
  core::hold_signals();
  core::keep_files_private();
  if (!options.core_dumps) core::forbid_dumps();
  auto config = load_config(options.config, options.shards);
  if (!config) {
    for (const ConfigFault& fault : config.error()) print(stderr, fault.text() + "\n");
    print(stderr, "tollgate run: " + counted(config.error().size(), "fault") + "; not started\n");
    return kFindings;
  }
  core::raise_descriptor_limit();
  return run_process(std::move(*config));
}

}  // namespace tollgate::gateway::cli
