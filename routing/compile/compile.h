// A directory of CSV files -> Tables (docs/tables.md is the format). Runs beside the traffic on the
// owner's feed thread; touches nothing but its arguments and the files.
//
// 1. All or nothing: with one fault there are no tables, and every fault of every file is named
//    (the first kTableFaultsMax of them; a last one then says how many more there are).
// 2. Nothing is guessed: unknown columns, files, carriers, plans and currencies are faults.
// 3. Bounds: kTableFileBytesMax a file, kTableCellBytesMax a cell, kTableColumnsMax columns; what a
//    few rows can multiply (compile.cpp's Sizes) is checked before memory is spent on it.
// 4. If memory runs out there are no tables, and a fault says so.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "routing/companion.h"
#include "routing/compile/facts.h"
#include "routing/fault.h"
#include "routing/tables.h"

namespace tollgate::routing {

// What a directory was compiled from: it can be compiled again when the directory has changed.
struct CompiledFrom {
  std::map<std::string, std::string> files;  // "rates/alpha.csv": its text
  std::vector<std::string> carriers, clients;
  bool all_named = false;
  std::shared_ptr<const Companion> companion;
};

struct CompileOptions {
  // The gateway's carriers and clients in its own order: they become ids 0, 1, ... Empty = those
  // that the directory itself names (rates/*.csv by name, clients.csv by row). Each named carrier
  // needs a rate book; a rate book of any other carrier is a fault. Clients of clients.csv that are
  // not named here come after those that are. An empty name keeps the id of one that is gone:
  // it has no row, no rate book, and is never a candidate.
  std::vector<std::string> carriers;
  std::vector<std::string> clients;
  std::int64_t now_us = 0;  // wall clock: which rows are in force
  std::uint32_t version = 0;
  bool all_named = false;                  // also when carriers or clients are empty
  std::shared_ptr<Companions> companions;  // names them, for each directory; null: there are none
  // Follow links that lead out of the directory: never for a gateway, whose rights are not those of
  // whoever writes the tables, and whose faults quote what they find.
  bool links_out = false;
  const CompiledFrom* from = nullptr;  // compile this instead: no file is read, nobody named anew
  CompiledFrom* keep = nullptr;        // filled
  const Facts* facts = nullptr;  // what traffic has taught; null = nothing. For the call alone.
};

using CompileResult = tl::expected<std::unique_ptr<const Tables>, std::vector<TableFault>>;
CompileResult compile_directory(const std::string& directory, const CompileOptions& options);

}  // namespace tollgate::routing
