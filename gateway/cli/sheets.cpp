#include "gateway/cli/sheets.h"

#include <filesystem>
#include <fstream>

#include "core/clock.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/sheet_text.h"
#include "gateway/cli/terminal.h"
#include "routing/compile.h"
#include "routing/ratesheet_values.h"

namespace tollgate::gateway::cli {
namespace {

namespace fs = std::filesystem;
using namespace routing;

int complain(const std::string& text) {
  print(stderr, "tollgate: " + text + "\n");
  return kBadUsage;
}

// Empty text for a file that is not there; false = it cannot be read, or is too large.
bool load(const fs::path& path, std::size_t most, std::string& out) {
  out.clear();
  std::error_code error;
  if (!fs::exists(path, error)) return true;
  const std::uintmax_t size = fs::is_regular_file(path, error) ? fs::file_size(path, error) : 0;
  std::ifstream in(path, std::ios::binary);
  if (error || !in || !fs::is_regular_file(path) || size > most) return false;
  out.resize(static_cast<std::size_t>(size));
  in.read(out.data(), static_cast<std::streamsize>(size));
  return static_cast<bool>(in);
}

// The template that was named, else the one that is kept for this name, else none.
int load_template(const SheetOptions& options, SheetTemplate& out) {
  const fs::path kept = fs::path(options.tables) / "templates" / (options.name + ".toml");
  const fs::path path = options.layout.empty() ? kept : fs::path(options.layout);
  std::string text;
  if (!options.layout.empty() && !fs::exists(path))
    return complain("there is no template " + path.string());
  if (!load(path, kTemplateBytesMax, text)) return complain("cannot read " + path.string());
  auto parsed = parse_template(text);
  if (!parsed) {
    for (const std::string& fault : parsed.error())
      print(stderr, path.string() + ", " + fault + "\n");
    return kBadUsage;
  }
  out = std::move(*parsed);
  return kFine;
}

int read_request(const SheetOptions& options, std::string& octets, std::string& book,
                 ImportRequest& request) {
  std::error_code error;
  const bool rates = options.book == BookKind::rate_book;
  if (!fs::is_regular_file(options.sheet, error))
    return complain("there is no file " + printable(options.sheet));
  if (!fs::is_directory(options.tables, error))
    return complain("there is no directory " + printable(options.tables));
  if (fs::path(options.name).filename() != options.name || options.name.starts_with('.'))
    return complain("\"" + printable(options.name) + "\" is no name");
  if (options.full && options.partial) return complain("a sheet is --full or --partial, not both");
  if (const int status = load_template(options, request.layout); status != kFine) return status;
  if (options.full) request.kind = SheetKind::full;
  if (options.partial) request.kind = SheetKind::partial;
  if (!request.kind && !request.layout.kind)
    return complain(
        "say --partial (rows it does not name stay) or --full (they are closed), or "
        "kind in the template");
  const fs::path file =
      fs::path(options.tables) / (rates ? "rates" : "plans") / (options.name + ".csv");
  if (!load(options.sheet, kSheetBytesMax, octets))
    return complain("cannot read " + printable(options.sheet) + ", or it is larger than 64 MiB");
  if (!load(file, std::size_t{512} << 20, book)) return complain("cannot read " + file.string());
  request.file = printable(fs::path(options.sheet).filename().string());
  request.octets = octets;
  request.book = options.book;
  request.name = options.name;
  request.book_text = book;
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

}  // namespace

int check_sheet(const SheetOptions& options) {
  std::string octets, book;
  ImportRequest request;
  if (const int status = read_request(options, octets, book, request); status != kFine)
    return status;
  constexpr std::int64_t kMinute = 60'000'000;
  const std::int64_t now_us = core::read_clock().wall_us;
  request.now_us = (now_us + kMinute - 1) / kMinute * kMinute;

  CompileOptions compile;
  compile.now_us = request.now_us;
  auto compiled = compile_directory(options.tables, compile);
  std::shared_ptr<const Tables> tables;
  if (compiled) tables = std::move(*compiled);
  const auto context = SheetContext::load(options.tables, tables);
  if (!compiled || !context) {
    const auto& faults = compiled ? context.error() : compiled.error();
    for (const TableFault& fault : faults) print(stderr, fault_text(fault) + "\n");
    print(stderr, "tollgate: the tables of " + printable(options.tables) +
                      " are not good; correct them first\n");
    return kFindings;
  }
  const Import import = import_sheet(request, *context);
  std::optional<ImportEffect> effect;
  if (!import.has_fault()) effect = effect_of(import, options.tables, request.now_us);
  const SheetReport report{import, *context, effect ? &*effect : nullptr,
                           options.json ? 0 : options.limit};
  print(stdout, options.json ? sheet_json(report) : sheet_text(report));
  if (!options.out.empty() && !import.has_fault()) {
    if (!write_file(options.out, *import.new_text))
      return complain("cannot write " + printable(options.out));
  }
  return is_fine(report) ? kFine : kFindings;
}

}  // namespace tollgate::gateway::cli
