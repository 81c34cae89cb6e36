// Sheets into drafts, and what drafts do.
#include <map>

#include "gateway/cli/commands.h"
#include "gateway/cli/sheet_text.h"
#include "gateway/cli/sheets.h"
#include "gateway/cli/table_side.h"
#include "gateway/cli/terminal.h"
#include "routing/sheets/book.h"
#include "routing/sheets/overlay.h"

namespace tollgate::gateway::cli {
namespace {

using namespace routing;

// The book as we would write it, had nothing changed.
std::string canonical(const std::string& text, BookKind kind) {
  std::vector<TableFault> faults;
  const auto book = parse_book(text, kind, "", faults);
  return book && !text.empty() ? write_book(*book, kind) : std::string();
}

std::vector<FileChange> changes_of(const SheetOptions& options, const ReadSheet& read) {
  std::vector<FileChange> changes;
  if (canonical(read.book, options.book) != *read.import.new_text)
    changes.push_back({read.import.book_file, *read.import.new_text});
  if (options.keep_template)
    changes.push_back({"templates/" + options.name + ".toml", read.template_text});
  return changes;
}

StoreResult<TableDraft> store_draft(Desk& desk, const SheetOptions& options, const Basis& basis,
                                    const ReadSheet& read, const std::vector<FileChange>& changes) {
  const Actor actor = desk.actor(options.note);
  const std::string summary = read.import.book_file + ": " + counts_text(read.import);
  if (options.draft == 0) return desk.store().create_draft(actor, changes, summary, basis.version);
  return desk.store().change_draft(options.draft, actor, changes, summary, basis.revision);
}

std::string stored_text(const SheetOptions& options, const TableDraft* draft, bool publishable) {
  if (draft == nullptr) {
    if (!publishable) return "nothing was stored\n";
    return options.draft == 0
               ? "nothing changes: no draft was made\n"
               : "draft " + std::to_string(options.draft) + " says it already: nothing changes\n";
  }
  const std::string id = std::to_string(draft->id);
  return "draft " + bold(id, stdout) + ", based on version " + std::to_string(draft->base) +
         ": tollgate " + options.verb("rates", "prices") + " diff " + id + ", publish " + id + "\n";
}

// The books that a draft changes, before and after.
class Books {
 public:
  Books(const SheetContext& context, DraftReport& report, std::int64_t now_us)
      : context_(context), report_(report), now_us_(now_us) {}

  void add(const std::string& file, std::string_view before, std::string_view after) {
    const bool plan = file.starts_with("plans/");
    const BookKind kind = plan ? BookKind::price_plan : BookKind::rate_book;
    const auto a = parse_book(before, kind, file, report_.effect.faults);
    const auto b = a ? parse_book(after, kind, file, report_.effect.faults) : std::nullopt;
    if (!b) return;
    report_.books.push_back({file, book_changes(*a, *b, context_, now_us_)});
    const auto& changes = report_.books.back().changes;
    all_.insert(all_.end(), changes.begin(), changes.end());
  }
  const std::vector<RateChange>& all() const { return all_; }

 private:
  const SheetContext& context_;
  DraftReport& report_;
  const std::int64_t now_us_;
  std::vector<RateChange> all_;
};

bool is_book(std::string_view file) {
  return file.starts_with("rates/") || file.starts_with("plans/");
}

// Every file that the draft changes, before and after.
struct DraftTexts {
  std::map<std::string, std::string> before;  // "" = there is none
  ChangedFiles after;
};

StoreResult<DraftTexts> texts_of(Store& store, const TableDraft& draft,
                                 const std::vector<TableFile>& base) {
  DraftTexts texts;
  for (const std::string& name : draft.removed) texts.after[name] = std::nullopt;
  for (const TableFile& file : draft.changed) {
    auto text = store.get(file);
    if (!text) return tl::unexpected(text.error());
    texts.after[file.name] = std::move(*text);
  }
  for (const auto& [name, text] : texts.after) {
    const TableFile* file = find_file(base, name);
    auto before = file == nullptr ? StoreResult<std::string>(std::string()) : store.get(*file);
    if (!before) return tl::unexpected(before.error());
    texts.before[name] = std::move(*before);
  }
  return texts;
}

FileReport file_report(const std::string& name, const std::string& before,
                       const std::optional<std::string>& after) {
  const RowDifference rows = file_difference(name, before, after.value_or(""));
  const char* is = !after ? "removed" : before.empty() ? "new" : "changed";
  return {name, is, rows.removed.size(), rows.added.size()};
}

// Fills books, files and effect.
void compare(const Desk& desk, const std::string& base, const DraftTexts& texts,
             DraftReport& report) {
  const Overlay after(base, texts.after);
  const std::int64_t now_us = minute_from_now();
  Books books(report.context, report, now_us);
  bool tables_too = false;  // others than books: any number may go another way
  for (const auto& [name, text] : texts.after) {
    if (is_book(name)) {
      books.add(name, texts.before.at(name), text.value_or(""));
    } else {
      report.files.push_back(file_report(name, texts.before.at(name), text));
      tables_too |= !is_template_name(name);
    }
  }
  report.effect.as_of_us = now_us;
  if (!report.effect.faults.empty()) return;
  CompileOptions compile = desk.compile_options();
  compile.now_us = routing::last_change_us(books.all(), now_us);
  report.effect = effect_between(base, after.path(), compile,
                                 tables_too ? OnlyNumbers() : touched_by(books.all()));
}

}  // namespace

StoreResult<std::int64_t> last_change_us(Store& store, const TableDraft& draft) {
  const std::int64_t now_us = minute_from_now();
  if (draft.base == 0) return now_us;
  const auto base = store.version(draft.base);
  if (!base) return tl::unexpected(base.error());
  const auto texts = texts_of(store, draft, base->files);
  if (!texts) return tl::unexpected(texts.error());
  const TemporaryFolder folder;
  if (const auto written = write_files(store, base->files, folder.path()); !written)
    return tl::unexpected(written.error());
  const auto context = SheetContext::load(folder.path(), nullptr);
  if (!context) {
    return tl::unexpected<StoreError>(
        {StoreFault::invalid, "version " + std::to_string(base->number) +
                                  " is not good: " + fault_text(context.error().front())});
  }
  DraftReport report{draft, 0, {}, {}, *context, {}, 0};
  Books books(*context, report, now_us);
  for (const auto& [name, text] : texts->after) {
    if (is_book(name)) books.add(name, texts->before.at(name), text.value_or(""));
  }
  return routing::last_change_us(books.all(), now_us);
}

int import_into_draft(const SheetOptions& options) {
  auto desk = Desk::open(options, std::string(options.verb("rates", "prices")) + " import");
  if (!desk) return kFindings;
  const auto basis = basis_of(desk->store(), options.draft);
  if (!basis) return desk->complain(basis.error());
  const TemporaryFolder folder;
  if (const auto written = write_files(desk->store(), basis->files, folder.path()); !written)
    return desk->complain(written.error());
  std::optional<ReadSheet> read;
  if (const int status = read_sheet(options, folder.path(), desk->compile_options(), read);
      status != kFine)
    return status;
  if (options.keep_template && read->template_text.empty())
    return desk->complain(kBadUsage, "--keep-template: there is no template; say --template FILE");
  SheetReport report{read->import, read->context, read->effect ? &*read->effect : nullptr,
                     options.json ? 0 : options.limit};
  const bool publishable = report.effect != nullptr && report.effect->faults.empty();
  const auto changes = publishable ? changes_of(options, *read) : std::vector<FileChange>();
  StoreResult<TableDraft> draft = TableDraft();
  if (!changes.empty()) {
    draft = store_draft(*desk, options, *basis, *read, changes);
    if (draft) report.draft = &*draft;
  }
  print(stdout, options.json ? sheet_json(report) : sheet_text(report));
  if (!draft) return desk->complain(draft.error());
  if (!options.json) print(stdout, "\n" + stored_text(options, report.draft, publishable));
  return is_fine(report) ? kFine : kFindings;
}

int diff_draft(const SheetOptions& options) {
  auto desk = Desk::open(options, std::string(options.verb("rates", "prices")) + " diff");
  if (!desk) return kFindings;
  Store& store = desk->store();
  const auto draft = store.draft(options.draft);
  if (!draft) return desk->complain(draft.error());
  if (draft->base == 0) {
    return desk->complain(kFindings, "draft " + std::to_string(draft->id) +
                                         " is the first: there is nothing to compare it with");
  }
  const auto base = store.version(draft->base);
  if (!base) return desk->complain(base.error());
  const auto current = store.current();
  if (!current) return desk->complain(current.error());
  const auto texts = texts_of(store, *draft, base->files);
  if (!texts) return desk->complain(texts.error());
  const TemporaryFolder folder;
  if (const auto written = write_files(store, base->files, folder.path()); !written)
    return desk->complain(written.error());
  const auto context = SheetContext::load(folder.path(), nullptr);
  if (!context) {
    for (const TableFault& fault : context.error()) print(stderr, fault_text(fault) + "\n");
    return desk->complain(kFindings, "version " + std::to_string(base->number) + " is not good");
  }
  DraftReport report{*draft, *current, {}, {}, *context, {}, options.json ? 0 : options.limit};
  compare(*desk, folder.path(), *texts, report);
  print(stdout, options.json ? draft_json(report) : draft_text(report));
  return is_fine(report.effect) ? kFine : kFindings;
}

}  // namespace tollgate::gateway::cli
