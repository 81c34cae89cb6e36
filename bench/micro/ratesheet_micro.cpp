// What reading a rate sheet, merging it and asking for its effect cost: ratesheet_micro [--rows N].
//
// The sheet has N rows by prefix, as CSV and as XLSX; the book in force has nine of ten of them at
// another price. Times are the median of the runs; the effect asks every client that decides
// differently for every stretch of numbers that the sheet touches, before and after.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>
#include <zip.h>

#include <CLI/CLI.hpp>

#include "bench/micro/synthetic.h"
#include "routing/compile/compile.h"
#include "routing/sheets/context.h"
#include "routing/sheets/effect.h"
#include "routing/sheets/sheet.h"

namespace {

namespace fs = std::filesystem;
using namespace tollgate::routing;

constexpr std::int64_t kNow = 1'800'000'000'000'000;  // 2027-01-15T08:00Z

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median_seconds(unsigned runs, const std::function<void()>& work) {
  std::vector<double> all;
  for (unsigned i = 0; i < runs; ++i) {
    const double begin = seconds();
    work();
    all.push_back(seconds() - begin);
  }
  std::nth_element(all.begin(), all.begin() + runs / 2, all.end());
  return all[runs / 2];
}

struct Row {
  std::string prefix, price;
};

// Prefixes of the numbering plan, lengthened at random.
std::vector<Row> make_rows(const std::string& directory, std::size_t count) {
  std::ifstream in(directory + "/numbering_plan.csv");
  std::vector<std::string> plan;
  std::string line;
  while (std::getline(in, line)) plan.push_back(line.substr(0, line.find(',')));
  plan.erase(plan.begin());
  std::mt19937_64 random(7);
  std::unordered_set<std::string> seen;
  std::vector<Row> rows;
  while (rows.size() < count) {
    std::string prefix = plan[random() % plan.size()];
    for (auto more = random() % 3; more > 0; --more)
      prefix += static_cast<char>('0' + random() % 10);
    if (!seen.insert(prefix).second) continue;
    char price[16];
    std::snprintf(price, sizeof price, "0.%05u", 500 + static_cast<unsigned>(random() % 5'000));
    rows.push_back({prefix, price});
  }
  return rows;
}

std::string as_csv(const std::vector<Row>& rows) {
  std::string text = "Prefix,Network,Rate,Currency,Valid from\n";
  for (const Row& row : rows)
    text += "+" + row.prefix + ",Some network," + row.price + ",EUR,2027-02-01\n";
  return text;
}

std::string as_book(const std::vector<Row>& rows) {
  std::string text = "prefix,price,currency\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i % 10 != 0) text += rows[i].prefix + ",0.02" + rows[i].price.substr(4) + ",EUR\n";
  }
  return text;
}

std::string as_xlsx(const std::vector<Row>& rows, const fs::path& path) {
  std::string sheet = "<worksheet><sheetData><row>";
  const auto text = [&](const std::string& value) {
    sheet += "<c t=\"inlineStr\"><is><t>" + value + "</t></is></c>";
  };
  for (const char* title : {"Prefix", "Network", "Rate", "Currency", "Valid from"}) text(title);
  sheet += "</row>";
  for (const Row& row : rows) {
    sheet += "<row>";
    text(row.prefix);
    text("Some network");
    sheet += "<c><v>" + row.price + "</v></c>";
    text("EUR");
    text("2027-02-01");
    sheet += "</row>";
  }
  sheet += "</sheetData></worksheet>";
  const std::string workbook =
      "<workbook><sheets><sheet name=\"Rates\" id=\"1\"/></sheets></workbook>";
  const std::string relations =
      "<Relationships><Relationship Id=\"1\" Target=\"worksheets/sheet1.xml\"/></Relationships>";
  zip_t* zip = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  const auto add = [&](const char* name, const std::string& content) {
    zip_file_add(zip, name, zip_source_buffer(zip, content.data(), content.size(), 0), 0);
  };
  add("xl/worksheets/sheet1.xml", sheet);
  add("xl/workbook.xml", workbook);
  add("xl/_rels/workbook.xml.rels", relations);
  if (zip_close(zip) != 0) return "";
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int run(const std::string& directory, std::size_t count, unsigned runs) {
  tollgate::bench::write_synthetic(directory, {30'000, 3'000, 10, 20, 300});
  const std::vector<Row> rows = make_rows(directory, count);
  const std::string csv = as_csv(rows), book = as_book(rows);
  const std::string xlsx = as_xlsx(rows, fs::path(directory) / "sheet.xlsx");
  std::ofstream(directory + "/rates/acme.csv", std::ios::binary) << book;
  CompileOptions options;
  options.now_us = kNow;
  auto compiled = compile_directory(directory, options);
  if (!compiled) {
    std::fprintf(stderr, "%s\n", fault_text(compiled.error()[0]).c_str());
    return 1;
  }
  const auto context = SheetContext::load(directory, std::move(*compiled));
  ImportRequest request;
  request.file = "sheet";
  request.name = "acme";
  request.book_text = book;
  request.kind = SheetKind::partial;
  request.now_us = kNow;
  Import import;
  const auto read = [&](const std::string& octets) {
    request.octets = octets;
    import = import_sheet(request, *context);
  };
  const double csv_s = median_seconds(runs, [&] { read(csv); });
  const std::size_t changed = rows.size() - import.counts[unsigned(ChangeKind::unchanged)];
  const double xlsx_s = median_seconds(runs, [&] { read(xlsx); });
  if (import.has_fault() || import.changes.size() != rows.size()) {
    std::fprintf(stderr, "the import has faults\n");
    return 1;
  }
  ImportEffect effect;
  CompileOptions compile;
  compile.now_us = kNow;
  const double effect_s =
      median_seconds(1, [&] { effect = effect_of(import, directory, compile); });
  std::printf("rows %zu, changed %zu\ncsv   %zu octets, read, merged and diffed in %.3f s\n",
              rows.size(), changed, csv.size(), csv_s);
  std::printf("xlsx  %zu octets, read, merged and diffed in %.3f s\n", xlsx.size(), xlsx_s);
  std::printf("effect  two compilations and %zu numbers x %zu clients in %.3f s\n",
              effect.margins.numbers, effect.margins.clients, effect_s);
  return effect.faults.empty() && effect.margins.numbers > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t rows = 100'000;
  unsigned runs = 5;
  CLI::App app("What reading a rate sheet costs.");
  app.add_option("--rows", rows, "Rows of the sheet")->check(CLI::Range(10, 1'000'000));
  app.add_option("--runs", runs, "Runs, of which the median counts")->check(CLI::Range(1, 100));
  CLI11_PARSE(app, argc, argv);
  std::string directory = (fs::temp_directory_path() / "ratesheet-micro-XXXXXX").string();
  if (mkdtemp(directory.data()) == nullptr) return 1;
  const int status = run(directory, rows, runs);
  fs::remove_all(directory);
  return status;
}
