// The process: tables, shards, flows, metrics and signals, from start to a polite end.
#pragma once

#include "gateway/config/config.h"

namespace tollgate::gateway {

// Runs until SIGTERM or SIGINT; SIGHUP loads the tables anew. Returns the exit status: 0 after a
// polite end, 1 when it could not start (tables with faults, an address that cannot be had; the
// reasons are on stderr). Blocks the signals for the whole process: call it before any thread.
int run_process(Config config);

}  // namespace tollgate::gateway
