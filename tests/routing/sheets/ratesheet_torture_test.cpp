// The torture set: every oddity of a rate sheet once, with what must come of it beside it.
//
// cases/NAME.expect names the sheet, the options and the outcome: findings, changes, and
// the rows that leave (-) and enter (+) the book. Workbooks and sheets of odd octets are written by
// make_sheets when this is built. TOLLGATE_SHEETS_UPDATE=1 writes the outcomes anew:
// then read every one of them before they are kept.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>

#include "routing/compile/compile.h"
#include "routing/sheets/book.h"
#include "routing/sheets/context.h"
#include "routing/sheets/overlay.h"
#include "routing/sheets/sheet.h"
#include "routing/sheets/values.h"

using namespace tollgate::routing;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kNow = 1'795'176'000'000'000;  // 2026-11-20T12:00Z
const fs::path kRoot = TOLLGATE_SHEETS;
const fs::path kMade = TOLLGATE_SHEETS_MADE;

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

const SheetContext& context() {
  static const SheetContext made = [] {
    CompileOptions options;
    options.now_us = kNow;
    auto compiled = compile_directory((kRoot / "tables").string(), options);
    REQUIRE(compiled);
    auto loaded = SheetContext::load((kRoot / "tables").string(), std::move(*compiled));
    REQUIRE(loaded);
    return std::move(*loaded);
  }();
  return made;
}

struct Case {
  std::string name, sheet, octets, book_text;
  std::vector<std::string> options;
  std::string expected;
  ImportRequest request;
};

void apply_option(Case& one, const std::string& option) {
  ImportRequest& request = one.request;
  const auto value = option.substr(option.find('=') + 1);
  if (option == "full")
    request.kind = SheetKind::full;
  else if (option == "partial")
    request.kind = SheetKind::partial;
  else if (option == "force")
    request.force = true;
  else if (option == "allow_zero")
    request.allow_zero = true;
  else if (option == "plan")
    request.book = BookKind::price_plan;
  else if (option == "no_book")
    one.book_text.clear();
  else if (option.starts_with("effective=")) {
    const auto dates = DateReader::make("UTC", DateOrder::ymd);
    const auto instant = dates->read(value);
    REQUIRE(instant);
    request.effective_us = instant->us;
  } else {
    FAIL("unknown option " << option);
  }
}

Case load_case(const fs::path& path) {
  Case one;
  one.name = path.stem().string();
  std::istringstream text(slurp(path));
  std::string line;
  while (std::getline(text, line) && line != "---") {
    std::istringstream words(line);
    std::string key, word;
    words >> key;
    if (key == "sheet:")
      words >> one.sheet;
    else if (key == "options:")
      while (words >> word) one.options.push_back(word);
    else
      REQUIRE(key == "#");
  }
  std::ostringstream rest;
  rest << text.rdbuf();
  one.expected = rest.str();
  const fs::path kept = kRoot / "cases" / one.sheet;
  one.octets = slurp(fs::exists(kept) ? kept : kMade / one.sheet);
  const bool plan = std::count(one.options.begin(), one.options.end(), "plan") != 0;
  one.request.name = plan ? "retail" : "acme";
  one.book_text = slurp(kRoot / "tables" / (plan ? "plans/retail.csv" : "rates/acme.csv"));
  const fs::path layout = path.parent_path() / (one.name + ".toml");
  if (fs::exists(layout)) {
    const auto parsed = parse_template(slurp(layout));
    REQUIRE(parsed);
    one.request.layout = *parsed;
  }
  for (const std::string& option : one.options) apply_option(one, option);
  one.request.file = one.sheet;
  one.request.now_us = kNow;
  return one;
}

std::string charge_text(const std::optional<Charge>& charge) {
  if (!charge) return "nothing";
  std::string text;
  if (charge->submit != kNone) text += format_nano(charge->submit) + " submit ";
  if (charge->delivered != kNone) text += format_nano(charge->delivered) + " delivered ";
  return text + charge->currency;
}

std::multiset<std::string> lines_of(const std::string& text) {
  std::multiset<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.insert(line);
  return lines;
}

std::string outcome(const Case& one, const Import& import) {
  std::string text;
  for (const SheetFinding& finding : import.findings)
    text += (finding.severity == Severity::fault ? "fault " : "warning ") + finding_text(finding) +
            "\n";
  for (const RateChange& change : import.changes) {
    text += std::string(change_name(change.kind)) + " " + (change.is_prefix ? "+" : "") +
            change.thing + ": " + charge_text(change.before) + " -> " + charge_text(change.after) +
            ", from " + date_text(change.from_us) + " to " +
            (change.to_us == kOpen ? "open" : date_text(change.to_us)) + ", row " +
            std::to_string(change.row) + "\n";
  }
  if (!import.new_text) return text + "nothing to publish\n";
  const auto before = lines_of(one.book_text), after = lines_of(*import.new_text);
  for (const std::string& line : before) {
    if (!after.contains(line)) text += "- " + line + "\n";
  }
  for (const std::string& line : after) {
    if (!before.contains(line)) text += "+ " + line + "\n";
  }
  return text;
}

// What holds of every outcome, whatever was expected.
void check_laws(const Case& one, const Import& import) {
  const bool fault = std::any_of(import.findings.begin(), import.findings.end(),
                                 [](auto& f) { return f.severity == Severity::fault; });
  CHECK(fault == import.has_fault());
  for (const SheetFinding& finding : import.findings) {
    CHECK(finding.file == one.sheet);
    CHECK_FALSE(finding.reason.empty());
    for (const std::string& shown : {finding.value, finding.column, finding.sheet}) {
      CHECK((shown.empty() || (shown[0] != '=' && shown[0] != '@')));
      CHECK(std::all_of(shown.begin(), shown.end(),
                        [](char c) { return (c & 0x80) != 0 || c >= ' '; }));
    }
  }
  if (!import.new_text) return;
  const Overlay overlay((kRoot / "tables").string(), {{import.book_file, import.new_text}});
  CompileOptions options;
  options.now_us = kNow;
  const auto compiled = compile_directory(overlay.path(), options);
  if (!compiled) FAIL_CHECK(fault_text(compiled.error().front()));
  // The same sheet again changes nothing.
  ImportRequest again = one.request;
  again.octets = one.octets;
  again.book_text = *import.new_text;
  const Import second = import_sheet(again, context());
  REQUIRE(second.new_text);
  CHECK(*second.new_text == *import.new_text);
}

void play(const fs::path& path, bool update) {
  Case one = load_case(path);
  one.request.octets = one.octets;
  one.request.book_text = one.book_text;
  const Import import = import_sheet(one.request, context());
  const std::string text = outcome(one, import);
  if (update) {
    std::string head = slurp(path);
    head.resize(std::min(head.find("---\n"), head.size()));
    std::ofstream(path, std::ios::binary) << head << "---\n" << text;
  } else {
    CHECK(text == one.expected);
  }
  check_laws(one, import);
}

}  // namespace

TEST_CASE("every rate sheet of the torture set comes to what is written beside it") {
  const bool update = std::getenv("TOLLGATE_SHEETS_UPDATE") != nullptr;
  std::set<fs::path> cases, used;
  for (const auto& entry : fs::directory_iterator(kRoot / "cases")) {
    if (entry.path().extension() == ".expect") cases.insert(entry.path());
  }
  CHECK(cases.size() >= 60);
  for (const fs::path& path : cases) {
    INFO(path.filename().string());
    play(path, update);
    used.insert(load_case(path).sheet);
  }
  // No sheet lies about without an outcome.
  for (const fs::path& folder : {kRoot / "cases", kMade}) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      const fs::path& path = entry.path();
      INFO(path.string());
      if (path.extension() != ".expect" && path.extension() != ".toml")
        CHECK(used.contains(path.filename()));
    }
  }
}
