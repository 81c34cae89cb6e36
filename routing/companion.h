// What comes with a table set and is not the router's: its owner's other files, read and refused
// with the tables, and put in force at the same moment (Tables::companion).
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
  // It puts nothing in force: many sets are tried that never are.
  virtual std::shared_ptr<const Companion> read(const std::string& directory,
                                                CompileOptions& options,
                                                std::vector<TableFault>& faults) = 0;
  // Tables with this one are in force from now on: read() goes on from it.
  virtual void taken(const std::shared_ptr<const Companion>& companion) = 0;
};

}  // namespace tollgate::routing
