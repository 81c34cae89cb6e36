// Rate sheets on arbitrary octets: text, workbooks, templates and cells. The first octet says what
// the rest is: a sheet as it is (even), or the XML of a workbook's sheet (odd).
//
// What must hold: an import with a fault has no new text and one without has one; a new text reads
// back as itself and the same sheet changes nothing more; nothing that is shown begins like a
// formula or holds a control.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <zip.h>

#include "routing/sheets/book.h"
#include "routing/sheets/context.h"
#include "routing/sheets/sheet.h"
#include "routing/sheets/values.h"
#include "tests/fuzz/input.h"

using namespace tollgate::routing;
using tollgate::fuzz::must;

namespace {

SheetContext load_context() {
  std::string name = (std::filesystem::temp_directory_path() / "fuzz-sheet-XXXXXX").string();
  must(mkdtemp(name.data()) != nullptr);
  std::ofstream(name + "/currencies.csv") << "currency,rate\nEUR,1\nUSD,0.9\n";
  std::ofstream(name + "/numbering_plan.csv")
      << "prefix,mccmnc,country,network\n49,262,DE,\n4915,26201,DE,T\n1205,310026,US,T\n";
  auto loaded = SheetContext::load(name, nullptr);
  std::filesystem::remove_all(name);
  must(loaded.has_value());
  return std::move(*loaded);
}

std::string workbook(std::string_view sheet) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(source);
  zip_t* zip = zip_open_from_source(source, ZIP_TRUNCATE, &error);
  const auto add = [&](const char* name, std::string_view text) {
    zip_file_add(zip, name, zip_source_buffer(zip, text.data(), text.size(), 0), 0);
  };
  add("xl/workbook.xml", "<workbook><sheets><sheet name=\"R\" id=\"1\"/></sheets></workbook>");
  add("xl/_rels/workbook.xml.rels",
      "<R><Relationship Id=\"1\" Target=\"worksheets/sheet1.xml\"/></R>");
  add("xl/styles.xml", "<s><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></s>");
  add("xl/sharedStrings.xml", "<sst><si><t>MCCMNC</t></si><si><t>Price</t></si></sst>");
  add("xl/worksheets/sheet1.xml", sheet);
  must(zip_close(zip) == 0);
  must(zip_source_open(source) == 0);
  must(zip_source_seek(source, 0, SEEK_END) == 0);
  std::string octets(static_cast<std::size_t>(zip_source_tell(source)), '\0');
  zip_source_seek(source, 0, SEEK_SET);
  zip_source_read(source, octets.data(), octets.size());
  zip_source_close(source);
  zip_source_free(source);
  return octets;
}

void check_shown(const std::string& text) {
  must(text.empty() || (text[0] != '=' && text[0] != '@'));
  for (char c : text) must((c & 0x80) != 0 || (c >= ' ' && c != 0x7f));
}

void import_twice(const std::string& octets, bool full) {
  static const SheetContext context = load_context();
  ImportRequest request;
  request.file = "sheet";
  request.name = "acme";
  request.octets = octets;
  request.layout.currency = "EUR";
  request.kind = full ? SheetKind::full : SheetKind::partial;
  request.force = true;
  request.now_us = 1'800'000'000'000'000;
  request.book_text = "mccmnc,price,currency\n26201,0.05,EUR\n";
  const Import import = import_sheet(request, context);
  bool fault = false;
  for (const SheetFinding& finding : import.findings) {
    fault = fault || finding.severity == Severity::fault;
    must(!finding.reason.empty() && !finding_text(finding).empty());
    check_shown(finding.value);
    check_shown(finding.column);
  }
  must(fault == import.has_fault());
  if (!import.new_text) return;
  std::vector<TableFault> faults;
  const auto book = parse_book(*import.new_text, BookKind::rate_book, "rates/acme.csv", faults);
  must(book.has_value() && write_book(*book, BookKind::rate_book) == *import.new_text);
  request.book_text = *import.new_text;
  const Import again = import_sheet(request, context);
  must(again.new_text.has_value() && *again.new_text == *import.new_text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool full = (data[0] & 2) != 0;
  if ((data[0] & 1) != 0) {
    import_twice(workbook(text), full);
    return 0;
  }
  import_twice(text, full);
  (void)parse_template(text);
  (void)parse_price(text, 0, full);
  (void)parse_mncs(text);
  (void)parse_networks(text);
  (void)parse_prefixes(text);
  if (const auto dates = DateReader::make("UTC", DateOrder::dmy)) (void)dates->read(text);
  return 0;
}
