// `tollgate tables`: what can be seen.
#include "gateway/cli/tables.h"

#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/table_side.h"
#include "gateway/cli/tables_json.h"
#include "gateway/cli/terminal.h"
#include "routing/fault.h"

namespace tollgate::gateway::cli {
namespace {

using Json = nlohmann::ordered_json;

using routing::printable;
using routing::TableFile;

std::string dump(const Json& json) {
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

const char* how(const routing::FileDifference& each) {
  return !each.before ? "new" : !each.after ? "removed" : "changed";
}

std::string ago(std::int64_t then_us) {
  const std::int64_t s = (core::read_clock().wall_us - then_us) / 1'000'000;
  if (s < 120) return std::to_string(s) + " s";
  return s < 7200 ? std::to_string(s / 60) + " min" : std::to_string(s / 3600) + " h";
}

std::string kind_of(const routing::TableVersion& version) {
  if (version.origin != routing::Origin::rollback) return routing::origin_name(version.origin);
  return "rollback to " + std::to_string(version.rolled_back_to);
}

void print_files(const std::vector<TableFile>& files) {
  std::vector<std::vector<std::string>> rows{{"file", "rows", "octets", "sha256"}};
  for (const TableFile& file : files) {
    rows.push_back({file.name, std::to_string(file.rows), std::to_string(file.octets),
                    routing::hex(file.sha256).substr(0, 12)});
  }
  print(stdout, aligned(rows));
}

}  // namespace

int tables_history(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables history");
  if (!desk) return kFindings;
  const auto page = desk->store().history(options.limit);
  if (!page) return desk->complain(page.error());
  if (options.json) {
    print(stdout, json_text(page->versions));
    return kFine;
  }
  std::vector<std::vector<std::string>> rows{
      {"version", "when", "who", "kind", "draft", "files", "note"}};
  for (const auto& version : page->versions) {
    rows.push_back({std::to_string(version.number), moment_text(version.when_us),
                    printable(version.who), kind_of(version),
                    version.draft == 0 ? "" : std::to_string(version.draft),
                    std::to_string(version.files.size()), printable(version.note)});
  }
  print(stdout, page->versions.empty() ? "nothing was published yet\n" : aligned(rows));
  if (page->more) print(stdout, "... there are older ones: --limit\n");
  return kFine;
}

int tables_show(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables show");
  if (!desk) return kFindings;
  const auto version = desk->store().version(options.version);
  if (!version) return desk->complain(version.error());
  if (!options.file.empty()) {
    const TableFile* file = routing::find_file(version->files, options.file);
    if (file == nullptr) {
      return desk->complain(kFindings, "version " + std::to_string(version->number) + " has no " +
                                           printable(options.file));
    }
    const auto text = desk->store().get(*file);
    if (!text) return desk->complain(text.error());
    print(stdout, shown_text(file->name, *text));
    return kFine;
  }
  if (options.json) {
    print(stdout, json_text(*version));
    return kFine;
  }
  print(stdout, bold("version " + std::to_string(version->number), stdout) + "  " +
                    moment_text(version->when_us) + "  " + printable(version->who) + "  " +
                    kind_of(*version) + "\n");
  if (version->based_on != 0)
    print(stdout, "based on  " + std::to_string(version->based_on) + "\n");
  if (version->draft != 0) print(stdout, "draft     " + std::to_string(version->draft) + "\n");
  if (!version->note.empty()) print(stdout, "note      " + printable(version->note) + "\n");
  print_files(version->files);
  return kFine;
}

int tables_diff(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables diff");
  if (!desk) return kFindings;
  const auto a = table_side(desk->store(), options.a);
  if (!a) return desk->complain(kFindings, printable(options.a) + ": " + a.error().reason);
  const auto b = table_side(desk->store(), options.b);
  if (!b) return desk->complain(kFindings, printable(options.b) + ": " + b.error().reason);
  const auto found = routing::differences(a->files, b->files);
  Json json = Json::array();
  std::vector<std::vector<std::string>> table{{"file", "is", "rows removed", "rows added"}};
  std::string rows;
  for (const routing::FileDifference& each : found) {
    const auto before = text_of(desk->store(), *a, each.before);
    const auto after = text_of(desk->store(), *b, each.after);
    if (!before || !after) return desk->complain(before ? after.error() : before.error());
    const RowDifference difference = file_difference(each.name, *before, *after);
    json.push_back({{"file", each.name},
                    {"is", how(each)},
                    {"removed", difference.removed},
                    {"added", difference.added}});
    table.push_back({each.name, how(each), "-" + std::to_string(difference.removed.size()),
                     "+" + std::to_string(difference.added.size())});
    if (!options.rows) continue;
    rows += "\n" + bold(each.name, stdout) + "\n";
    for (const auto& row : difference.removed) rows += red("-" + printable(row), stdout) + "\n";
    for (const auto& row : difference.added) rows += green("+" + printable(row), stdout) + "\n";
  }
  if (options.json) {
    print(stdout, dump(json));
  } else if (found.empty()) {
    print(stdout, "no differences\n");
  } else {
    print(stdout, aligned(table) + rows);
  }
  return found.empty() ? kFine : kFindings;
}

int tables_drafts(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables drafts");
  if (!desk) return kFindings;
  const auto drafts = desk->store().drafts();
  if (!drafts) return desk->complain(drafts.error());
  if (options.json) {
    print(stdout, json_text(*drafts));
    return kFine;
  }
  std::vector<std::vector<std::string>> rows{
      {"draft", "base", "state", "who", "when", "changes", "publish at", "note"}};
  for (const auto& draft : *drafts) {
    const std::string why = draft.reason.empty() ? draft.note : draft.reason;
    rows.push_back({std::to_string(draft.id), std::to_string(draft.base),
                    routing::state_name(draft.state), printable(draft.who),
                    moment_text(draft.when_us),
                    counted(draft.changed.size() + draft.removed.size(), "file"),
                    moment_text(draft.publish_at_us), printable(why)});
  }
  print(stdout, drafts->empty() ? "no open drafts\n" : aligned(rows));
  return kFine;
}

int tables_audit(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables audit");
  if (!desk) return kFindings;
  const auto acts = desk->store().audit(options.limit);
  if (!acts) return desk->complain(acts.error());
  if (options.json) {
    print(stdout, json_text(*acts));
    return kFine;
  }
  const auto number = [](std::uint32_t n) { return n == 0 ? std::string() : std::to_string(n); };
  std::vector<std::vector<std::string>> rows{
      {"when", "who", "what", "draft", "version", "based on", "note"}};
  for (const auto& act : *acts) {
    const std::string note = act.note + (act.note.empty() || act.detail.empty() ? "" : "; ");
    rows.push_back({moment_text(act.when_us), printable(act.who), printable(act.what),
                    number(act.draft), number(act.version), number(act.based_on),
                    printable(note + act.detail)});
  }
  print(stdout, aligned(rows));
  return kFine;
}

int tables_gateways(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables gateways");
  if (!desk) return kFindings;
  const auto reports = desk->store().reports();
  if (!reports) return desk->complain(reports.error());
  const auto current = desk->store().current();
  if (!current) return desk->complain(current.error());
  bool behind = false;
  std::vector<std::vector<std::string>> rows{{"gateway", "version", "since", "told", "refused"}};
  for (const auto& report : *reports) {
    behind |= report.version != *current || report.refused_version != 0;
    const std::string refused = report.reason.empty() ? ""
                                                      : std::to_string(report.refused_version) +
                                                            ": " + printable(report.reason);
    rows.push_back({printable(report.gateway), std::to_string(report.version),
                    moment_text(report.since_us), ago(report.when_us) + " ago", refused});
  }
  print(stdout, options.json
                    ? json_text(*reports)
                    : "current version " + std::to_string(*current) + "\n" + aligned(rows));
  return behind ? kFindings : kFine;
}

int tables_pull(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables pull");
  if (!desk) return kFindings;
  const std::string name = options.draft != 0     ? "draft:" + std::to_string(options.draft)
                           : options.version != 0 ? std::to_string(options.version)
                                                  : "current";
  if (options.draft != 0 && options.version != 0)
    return desk->complain(kBadUsage, "--version and --draft: one of the two");
  const auto side = table_side(desk->store(), name);
  if (!side) return desk->complain(side.error());
  if (const auto written = write_files(desk->store(), side->files, options.directory); !written)
    return desk->complain(written.error());
  if (options.json) {
    print(stdout,
          dump({{"from", name}, {"directory", options.directory}, {"files", side->files.size()}}));
  } else {
    print(stdout, name + ": " + counted(side->files.size(), "file") + " in " +
                      printable(options.directory) + "\n");
  }
  return kFine;
}

}  // namespace tollgate::gateway::cli
