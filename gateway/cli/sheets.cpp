#include "gateway/cli/sheets.h"

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "core/clock.h"
#include "core/file.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/sheet_text.h"
#include "gateway/cli/table_side.h"
#include "gateway/cli/terminal.h"
#include "routing/compile/compile.h"
#include "routing/csv.h"
#include "routing/sheets/values.h"

namespace tollgate::gateway::cli {
namespace {

namespace fs = std::filesystem;
using namespace routing;

int complain(const std::string& text) {
  print(stderr, "tollgate: " + text + "\n");
  return kBadUsage;
}

// Empty text for a file that is not there. The reason when it cannot be read, or is too large.
std::optional<std::string> load(const fs::path& path, std::size_t most, std::string& out) {
  out.clear();
  auto text = core::read_file(path.string(), most);
  if (text) {
    out = std::move(*text);
  } else if (text.error().error != ENOENT) {
    return text.error().reason;
  }
  return std::nullopt;
}

bool is_file_name(std::string_view layout) {
  return layout.find('/') != layout.npos || layout.ends_with(".toml");
}

// The template that was named, as a file or by its name, else the one that is kept for this carrier
// or plan, else none.
int load_template(const SheetOptions& options, const fs::path& directory, std::string& text,
                  SheetTemplate& out) {
  const std::string name = options.layout.empty() ? options.name : options.layout;
  const fs::path path = is_file_name(options.layout) ? fs::path(options.layout)
                                                     : directory / "templates" / (name + ".toml");
  const std::string shown = is_file_name(options.layout) ? printable(path.string())
                                                         : "templates/" + printable(name) + ".toml";
  std::error_code error;
  if (!options.layout.empty() && !fs::exists(path, error))
    return complain("there is no template " + shown);
  if (const auto why = load(path, kTemplateBytesMax, text)) return complain(shown + " " + *why);
  auto parsed = parse_template(text);
  if (!parsed) {
    for (const std::string& fault : parsed.error()) print(stderr, shown + ", " + fault + "\n");
    return kBadUsage;
  }
  out = std::move(*parsed);
  return kFine;
}

int read_request(const SheetOptions& options, const fs::path& directory, std::string& octets,
                 ReadSheet& read, ImportRequest& request) {
  std::error_code error;
  const bool rates = options.book == BookKind::rate_book;
  if (!fs::is_regular_file(options.sheet, error))
    return complain("there is no file " + printable(options.sheet));
  if (!fs::is_directory(directory, error))
    return complain("there is no directory " + printable(directory.string()));
  if (fs::path(options.name).filename() != options.name || options.name.starts_with('.'))
    return complain("\"" + printable(options.name) + "\" is no name");
  if (options.full && options.partial) return complain("a sheet is --full or --partial, not both");
  if (const int status = load_template(options, directory, read.template_text, request.layout);
      status != kFine)
    return status;
  if (options.full) request.kind = SheetKind::full;
  if (options.partial) request.kind = SheetKind::partial;
  if (!request.kind && !request.layout.kind)
    return complain(
        "say --partial (rows it does not name stay) or --full (they are closed), or "
        "kind in the template");
  const fs::path file = directory / (rates ? "rates" : "plans") / (options.name + ".csv");
  if (const auto why = load(options.sheet, kSheetBytesMax, octets))
    return complain(printable(options.sheet) + " " + *why);
  if (const auto why = load(file, kTableFileBytesMax, read.book))
    return complain(printable(file.string()) + " " + *why);
  request.file = printable(fs::path(options.sheet).filename().string());
  request.octets = octets;
  request.book = options.book;
  request.name = options.name;
  request.book_text = read.book;
  request.force = options.force;
  request.allow_zero = options.allow_zero;
  if (options.effective.empty()) return kFine;
  const auto dates = DateReader::make(request.layout.zone, DateOrder::ymd);
  if (!dates) return complain("zone of the template " + dates.error().reason);
  const auto instant = dates->read(options.effective);
  if (!instant)
    return complain("--effective " + printable(options.effective) + " " + instant.error().reason +
                    "; " + instant.error().right);
  request.effective_us = instant->us;
  return kFine;
}

// Written beside and renamed, so that there is never half a book.
bool write_file(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  {
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    out << text;
    if (!out.flush()) return false;
  }
  std::error_code error;
  fs::rename(beside, path, error);
  return !error;
}

// The directory of the tables that the sheet is compared with: what --tables names, else those in
// force. kFine, or the reason was told.
int find_tables(const SheetOptions& options, const TemporaryFolder& folder, std::string& directory,
                CompileOptions& compile) {
  directory = options.tables;
  if (!directory.empty() && !is_stored(directory)) return kFine;
  if (options.redis.empty()) {
    const auto config = load_config(options.config.empty() ? default_config() : options.config);
    if (!config) {
      for (const ConfigFault& fault : config.error()) print(stderr, fault.text() + "\n");
      return kFindings;
    }
    auto chosen = choose_tables(*config, options.tables, folder);
    if (!chosen) {
      complain(chosen.error().reason);
      return kFindings;
    }
    directory = chosen->directory;
    compile.companions = std::make_shared<PeerReader>(*config, PeerReader::Ids::at_once);
    return kFine;
  }
  auto desk = Desk::open(options, std::string(options.verb("rates", "prices")) + " check");
  if (!desk) return kFindings;
  const auto side = table_side(desk->store(), directory.empty() ? "current" : directory);
  if (!side) return desk->complain(side.error());
  if (const auto written = write_files(desk->store(), side->files, folder.path()); !written)
    return desk->complain(written.error());
  directory = folder.path();
  compile = desk->compile_options();
  return kFine;
}

}  // namespace

std::int64_t minute_from_now() {
  constexpr std::int64_t kMinute = 60'000'000;
  return (core::read_clock().wall_us + kMinute - 1) / kMinute * kMinute;
}

int read_sheet(const SheetOptions& options, const std::string& directory, CompileOptions compile,
               std::optional<ReadSheet>& out) {
  std::string octets;
  ImportRequest request;
  ReadSheet read;
  if (const int status = read_request(options, directory, octets, read, request); status != kFine)
    return status;
  compile.now_us = request.now_us = minute_from_now();
  auto compiled = compile_directory(directory, compile);
  std::shared_ptr<const Tables> tables;
  if (compiled) tables = std::move(*compiled);
  auto context = SheetContext::load(directory, tables);
  if (!compiled || !context) {
    const auto& faults = compiled ? context.error() : compiled.error();
    for (const TableFault& fault : faults) print(stderr, fault_text(fault) + "\n");
    print(stderr,
          "tollgate: the tables that it is compared with are not good; correct them first\n");
    return kFindings;
  }
  read.context = std::move(*context);
  read.import = import_sheet(request, read.context);
  if (!read.import.has_fault())
    read.effect = effect_of(read.import, directory, compile, tables.get());
  out = std::move(read);
  return kFine;
}

int check_sheet(const SheetOptions& options) {
  const TemporaryFolder folder;
  std::string directory;
  CompileOptions compile;
  if (const int status = find_tables(options, folder, directory, compile); status != kFine)
    return status;
  std::optional<ReadSheet> read;
  if (const int status = read_sheet(options, directory, compile, read); status != kFine)
    return status;
  const SheetReport report{read->import, read->context, read->effect ? &*read->effect : nullptr,
                           options.json ? 0 : options.limit};
  print(stdout, options.json ? sheet_json(report) : sheet_text(report));
  if (!options.out.empty() && !read->import.has_fault()) {
    if (!write_file(options.out, *read->import.new_text))
      return complain("cannot write " + printable(options.out));
  }
  return is_fine(report) ? kFine : kFindings;
}

}  // namespace tollgate::gateway::cli
