// What goes with a table set and is not the router's: its owner's own files, read and refused with
// the tables, and in force in the same moment (Tables::companion).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "routing/fault.h"

namespace tollgate::routing {

struct CompileOptions;

struct Companion {
  virtual ~Companion() = default;
};

// One thread.
class Companions {
 public:
  virtual ~Companions() = default;
  // Reads the set's other files, names carriers and clients in the options, and adds every fault.
  // It decides nothing: many sets are tried that are never in force.
  virtual std::shared_ptr<const Companion> read(const std::string& directory,
                                                CompileOptions& options,
                                                std::vector<TableFault>& faults) = 0;
  // Tables with this one are in force from now on: read() goes on from it.
  virtual void taken(const std::shared_ptr<const Companion>& companion) = 0;
};

}  // namespace tollgate::routing
