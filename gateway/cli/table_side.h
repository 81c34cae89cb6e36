// A table set that a command gets by name: "current", a version's number, "draft:17", or a
// directory; and how the rows of two differ. Used by a command's one thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/store/store.h"

namespace tollgate::gateway::cli {

struct TableSide {
  std::string name;
  std::vector<routing::TableFile> files;
  routing::DirectoryTexts texts = {};  // of a directory
  std::uint32_t version = 0;           // of a version; the base of a draft
};

// True for the names that Redis knows; all others are directories.
bool is_stored(std::string_view name);

routing::StoreResult<TableSide> table_side(routing::Store& store, const std::string& name);
// "" when there is no such file.
routing::StoreResult<std::string> text_of(routing::Store& store, const TableSide& side,
                                          const std::optional<routing::TableFile>& file);

// What a change is made from: the current version, or a draft that is to have it too.
struct Basis {
  std::uint32_t version = 0;   // a draft's base
  std::uint32_t revision = 0;  // of the draft
  std::vector<routing::TableFile> files;
};
// `draft` 0: the current version.
routing::StoreResult<Basis> basis_of(routing::Store& store, std::uint32_t draft);

// The rows of one that the other has not, however they are ordered.
struct RowDifference {
  std::vector<std::string> removed, added;
};
RowDifference row_difference(std::string_view before, std::string_view after);
// Of the file of this name: rows of a table; values of a carrier's or client's, passwords not
// shown.
RowDifference file_difference(std::string_view name, std::string_view before,
                              std::string_view after);
// A file for people's eyes: a carrier's or client's has its values, passwords not shown.
std::string shown_text(std::string_view name, const std::string& text);

}  // namespace tollgate::gateway::cli
