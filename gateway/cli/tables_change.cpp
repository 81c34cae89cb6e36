// `tollgate tables`: what changes.
#include <algorithm>

#include "gateway/cli/commands.h"
#include "gateway/cli/tables.h"
#include "gateway/cli/tables_json.h"
#include "gateway/cli/terminal.h"
#include "routing/compile/cells.h"

namespace tollgate::gateway::cli {
namespace {

using routing::printable;

// Written without a terminal too: the number is what a script needs.
int told(const Desk& desk, const routing::TableDraft& draft, const std::string& what) {
  if (desk.json()) {
    print(stdout, json_text(draft));
  } else {
    print(stdout, "draft " + bold(std::to_string(draft.id), stdout) + " " + what + "\n");
  }
  return kFine;
}

int told(const Desk& desk, const routing::TableVersion& version) {
  if (desk.json()) {
    print(stdout, json_text(version));
  } else {
    print(stdout, "version " + bold(std::to_string(version.number), stdout) + " published\n");
  }
  return kFine;
}

// Every file of the directory, and those of the base that it has not: removed.
routing::StoreResult<std::vector<routing::FileChange>> changes_of(routing::Store& store,
                                                                  routing::DirectoryTexts texts,
                                                                  std::uint32_t base) {
  std::vector<routing::FileChange> changes;
  for (auto& [name, text] : texts) changes.push_back({name, std::move(text)});
  if (base == 0) return changes;
  const auto version = store.version(base);
  if (!version) return tl::unexpected(version.error());
  for (const routing::TableFile& file : version->files) {
    const bool there = std::any_of(changes.begin(), changes.end(),
                                   [&](const auto& each) { return each.name == file.name; });
    if (!there) changes.push_back({file.name, std::nullopt});
  }
  return changes;
}

bool approved(const Desk& desk, const routing::TableDraft& draft) {
  return !desk.needs_approval() || (!draft.approved_by.empty() && draft.approved_by != draft.who);
}

int refuse_unapproved(const Desk& desk, const routing::TableDraft& draft) {
  return desk.complain(kFindings, "draft " + std::to_string(draft.id) +
                                      " needs the approval of somebody else than " +
                                      printable(draft.who) + " (tables.require_approval)");
}

routing::StoreResult<routing::TableDraft> make_draft(Desk& desk, const TablesOptions& options,
                                                     const routing::DirectoryTexts& texts) {
  routing::Store& store = desk.store();
  const routing::Actor actor = desk.actor(options.note);
  std::uint32_t base = 0, revision = 0;
  if (options.draft != 0) {
    const auto draft = store.draft(options.draft);
    if (!draft) return draft;
    base = draft->base;
    revision = draft->revision;
  } else {
    const auto current = store.current();
    if (!current) return tl::unexpected(current.error());
    base = *current;
  }
  const auto changes = changes_of(store, texts, base);
  if (!changes) return tl::unexpected(changes.error());
  const std::string summary = "the directory " + printable(options.directory);
  if (options.draft != 0)
    return store.change_draft(options.draft, actor, *changes, summary, revision);
  return store.create_draft(actor, *changes, summary, base);
}

// Contents that are damaged or missing in Redis are written again.
int repair(Desk& desk, const routing::DirectoryTexts& texts) {
  for (const auto& [name, text] : texts) {
    const auto stored = desk.store().put(name, text);
    if (!stored) return desk.complain(stored.error());
  }
  return kFine;
}

}  // namespace

int tables_push(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables push");
  if (!desk) return kFindings;
  if (!desk->compiles(options.directory)) return kFindings;
  const auto texts = routing::read_directory(options.directory);
  if (!texts) return desk->complain(kFindings, texts.error());
  if (options.repair) {
    if (const int status = repair(*desk, *texts); status != kFine) return status;
  }
  if (options.after != 0) {
    const auto begun = desk->store().begin_after(options.after, desk->actor(options.note));
    if (!begun) return desk->complain(begun.error());
  }
  const auto draft = make_draft(*desk, options, *texts);
  if (!draft) return desk->complain(draft.error());
  if (!options.publish) {
    return told(*desk, *draft,
                "changes " + counted(draft->changed.size() + draft->removed.size(), "file") +
                    " of version " + std::to_string(draft->base));
  }
  if (!approved(*desk, *draft)) return refuse_unapproved(*desk, *draft);
  const auto version = desk->store().publish(*draft, desk->actor(options.note));
  if (!version) return desk->complain(version.error());
  return told(*desk, *version);
}

int tables_publish(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables publish");
  if (!desk) return kFindings;
  std::int64_t at_us = 0;
  if (!options.at.empty()) {
    if (const char* why = routing::parse_date(options.at, at_us))
      return desk->complain(kBadUsage, "--at " + printable(options.at) + ": " + why);
  }
  const auto draft = desk->store().draft(options.draft);
  if (!draft) return desk->complain(draft.error());
  if (!approved(*desk, *draft)) return refuse_unapproved(*desk, *draft);
  const auto fine = desk->draft_compiles(*draft);
  if (!fine) return desk->complain(fine.error());
  if (!*fine) return kFindings;
  const routing::Actor actor = desk->actor(options.note);
  if (!options.at.empty()) {
    const auto scheduled = desk->store().schedule(options.draft, actor, at_us);
    if (!scheduled) return desk->complain(scheduled.error());
    return told(*desk, *scheduled, "will be published at " + moment_text(at_us));
  }
  const auto version = desk->store().publish(*draft, actor);
  if (!version) return desk->complain(version.error());
  return told(*desk, *version);
}

int tables_rollback(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables rollback");
  if (!desk) return kFindings;
  const auto older = desk->store().version(options.version);
  if (!older) return desk->complain(older.error());
  const TemporaryFolder folder;
  if (const auto written = write_files(desk->store(), older->files, folder.path()); !written)
    return desk->complain(written.error());
  if (!desk->compiles(folder.path())) return kFindings;
  const auto version = desk->store().rollback(options.version, desk->actor(options.note));
  if (!version) return desk->complain(version.error());
  return told(*desk, *version);
}

int tables_approve(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables approve");
  if (!desk) return kFindings;
  const auto draft = desk->store().approve(options.draft, desk->actor(options.note));
  if (!draft) return desk->complain(draft.error());
  return told(*desk, *draft, "approved");
}

int tables_rebase(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables rebase");
  if (!desk) return kFindings;
  const auto draft = desk->store().rebase(options.draft, desk->actor(options.note));
  if (!draft) return desk->complain(draft.error());
  return told(*desk, *draft, "is based on version " + std::to_string(draft->base));
}

int tables_discard(const TablesOptions& options) {
  auto desk = Desk::open(options, "tables discard");
  if (!desk) return kFindings;
  const auto draft = desk->store().discard(options.draft, desk->actor(options.note));
  if (!draft) return desk->complain(draft.error());
  return told(*desk, *draft, "discarded");
}

}  // namespace tollgate::gateway::cli
