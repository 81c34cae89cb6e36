// One file of the tables into a draft: `rules import`, `carriers import`, `tables import` ...
#include <algorithm>
#include <sstream>

#include "core/file.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table_side.h"
#include "gateway/cli/tables.h"
#include "gateway/cli/tables_json.h"
#include "gateway/cli/terminal.h"
#include "routing/compile/cells.h"
#include "routing/csv.h"
#include "routing/sheets/overlay.h"

namespace tollgate::gateway::cli {
namespace {

using routing::printable;

using Changes = routing::ChangedFiles;

// "acme" of "carriers/acme.toml"; "" when the name is not of this kind.
std::string peer_of(std::string_view file, std::string_view folder) {
  constexpr std::string_view kEnding = ".toml";
  if (!file.starts_with(folder) || !file.ends_with(kEnding)) return "";
  return std::string(file.substr(folder.size(), file.size() - folder.size() - kEnding.size()));
}

// The rows but the client's, and a new one when it has a plan. Cells of ours need no quotes.
std::string clients_with(const std::string& text, const std::string& client,
                         const TablesOptions& options) {
  std::istringstream in(text);
  std::string out, row;
  std::size_t column = 0;
  std::vector<std::string> names;
  while (std::getline(in, row)) {
    if (row.ends_with('\r')) row.pop_back();
    std::vector<std::string> cells;
    std::istringstream parts(row);
    for (std::string cell; std::getline(parts, cell, ',');) cells.push_back(cell);
    if (names.empty()) {
      names = cells;
      column =
          static_cast<std::size_t>(std::find(names.begin(), names.end(), "client") - names.begin());
    } else if (column < cells.size() && cells[column] == client) {
      if (options.plan.empty() && !options.path.empty()) return text;
      continue;
    }
    out += row + "\n";
  }
  if (options.plan.empty()) return out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) out += ",";
    if (names[i] == "client") out += client;
    if (names[i] == "plan") out += options.plan;
    if (names[i] == "default_country") out += options.country;
  }
  return out + "\n";
}

// What a carrier or a client must have besides its own file: a rate book, if only an empty one; a
// row in clients.csv.
routing::StoreResult<void> add_companions(Desk& desk, const TablesOptions& options,
                                          const Basis& basis, bool removed, Changes& changes) {
  if (const std::string carrier = peer_of(options.file, "carriers/"); !carrier.empty()) {
    const std::string book = "rates/" + carrier + ".csv";
    const bool there = routing::find_file(basis.files, book) != nullptr;
    if (removed && there) changes[book] = std::nullopt;
    if (!removed && !there) changes[book] = "mccmnc,mcc,prefix,price,currency\n";
  }
  if (const std::string client = peer_of(options.file, "clients/"); !client.empty()) {
    const routing::TableFile* file = routing::find_file(basis.files, "clients.csv");
    if (file == nullptr) return {};
    const auto text = desk.store().get(*file);
    if (!text) return tl::unexpected(text.error());
    std::string rows = clients_with(*text, client, options);
    if (rows != *text) changes["clients.csv"] = std::move(rows);
  }
  return {};
}

int store(Desk& desk, const TablesOptions& options, std::optional<std::string> text) {
  const auto basis = basis_of(desk.store(), options.draft);
  if (!basis) return desk.complain(basis.error());
  if (!text && routing::find_file(basis->files, options.file) == nullptr)
    return desk.complain(kFindings, "there is no " + printable(options.file) + " to remove");
  Changes wanted{{options.file, text}};
  if (const auto added = add_companions(desk, options, *basis, !text, wanted); !added)
    return desk.complain(added.error());
  const TemporaryFolder folder;
  if (const auto written = write_files(desk.store(), basis->files, folder.path()); !written)
    return desk.complain(written.error());
  const routing::Overlay after(folder.path(), wanted);
  if (!desk.compiles(after.path())) return kFindings;
  std::string summary;
  std::vector<routing::FileChange> changes;
  for (auto& [name, content] : wanted) {
    summary += (summary.empty() ? "" : ", ") + printable(name) + (content ? "" : " removed");
    changes.push_back({name, std::move(content)});
  }
  const routing::Actor actor = desk.actor(options.note);
  const auto draft =
      options.draft == 0
          ? desk.store().create_draft(actor, changes, summary, basis->version)
          : desk.store().change_draft(options.draft, actor, changes, summary, basis->revision);
  if (!draft) return desk.complain(draft.error());
  print(stdout, desk.json() ? json_text(*draft)
                            : "draft " + bold(std::to_string(draft->id), stdout) + " changes " +
                                  summary + " of version " + std::to_string(draft->base) + "\n");
  return kFine;
}

}  // namespace

int tables_import(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables import");
  if (!desk) return kFindings;
  if (const char* why = routing::bad_table_name(options.file))
    return desk->complain(kBadUsage, printable(options.file) + " " + why);
  for (const std::string& cell : {options.plan, options.country}) {  // of clients.csv
    const char* why = cell.empty() ? nullptr : routing::bad_name(cell);
    if (why != nullptr) return desk->complain(kBadUsage, "\"" + printable(cell) + "\" " + why);
  }
  auto text = core::read_file(options.path, routing::kTableFileBytesMax);
  if (!text) return desk->complain(kBadUsage, printable(options.path) + " " + text.error().reason);
  return store(*desk, options, std::move(*text));
}

int tables_remove(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables remove");
  if (!desk) return kFindings;
  if (const char* why = routing::bad_table_name(options.file))
    return desk->complain(kBadUsage, printable(options.file) + " " + why);
  return store(*desk, options, std::nullopt);
}

}  // namespace tollgate::gateway::cli
