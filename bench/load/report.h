// The verdict of a run: named checks, and everything counted, as text and as JSON.
#pragma once

#include <string>

#include "bench/load/run.h"

namespace tollgate::bench {

// Whether every check holds; a check that the run cannot judge (receipts not asked for) is absent.
bool holds(const Run& run, const Options& options);
std::string report_text(const Run& run, const Options& options);
std::string report_json(const Run& run, const Options& options);

}  // namespace tollgate::bench
