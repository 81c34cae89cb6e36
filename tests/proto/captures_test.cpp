// The wire captures of the reference data, where present: every PDU is decoded or refused with a
// reason, every receipt text is read. The data is found through TOLLGATE_DATA or beside the source
// tree; without it these cases say so and check nothing.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <catch2/catch.hpp>

#include "proto/json.h"
#include "proto/receipt.h"
#include "tests/proto/support.h"

using namespace tollgate::proto;
using namespace tollgate::proto::test;

namespace {

std::filesystem::path data_file(const char* name) {
  std::vector<std::filesystem::path> roots;
  if (const char* set = std::getenv("TOLLGATE_DATA")) roots.emplace_back(set);
  roots.emplace_back(std::filesystem::path(TOLLGATE_SOURCE_DIR) / ".." / "shared" / "data");
  for (const auto& root : roots) {
    if (std::filesystem::exists(root / "wire" / name)) return root / "wire" / name;
  }
  return {};
}

std::vector<std::vector<std::string>> rows(const std::filesystem::path& file) {
  std::vector<std::vector<std::string>> out;
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> columns;
    std::size_t begin = 0;
    for (std::size_t tab = 0; tab != std::string::npos; begin = tab + 1) {
      tab = line.find('\t', begin);
      columns.push_back(line.substr(begin, tab == std::string::npos ? tab : tab - begin));
    }
    out.push_back(std::move(columns));
  }
  return out;
}

// "\x84" in the file stands for that octet.
std::string unescaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] == 'x') {
      out += static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

TEST_CASE("every captured PDU is decoded or refused with a reason") {
  const auto file = data_file("pdus.tsv");
  if (file.empty()) {
    WARN("no reference data: set TOLLGATE_DATA to check the captures");
    return;
  }
  std::size_t decoded = 0;
  std::size_t refused = 0;
  for (const auto& row : rows(file)) {
    REQUIRE(row.size() >= 7);
    INFO(row[0] << ' ' << row[6]);
    const PduJson out = hex_to_json({row[0]});
    if (out) {
      ++decoded;
      CHECK(out.json.find("\"sequence_number\": " +
                          std::to_string(std::stoul(row[4], nullptr, 16))) != std::string::npos);
      continue;
    }
    ++refused;
    CHECK(out.fault.status != Status::ESME_ROK);
    // A capture whose length is honest is refused only for an unknown command or a field that
    // is not there.
    if (row[5] == "exact") {
      const auto id = Command{static_cast<std::uint32_t>(std::stoul(row[2], nullptr, 16))};
      if (command_name(id).empty()) {
        CHECK(out.fault.status == Status::ESME_RINVCMDID);
      } else {
        CHECK(std::string_view(out.fault.what) == "the PDU ends before it");
      }
    } else {
      CHECK(out.fault.status == Status::ESME_RINVCMDLEN);
    }
  }
  CHECK(decoded + refused >= 100);
  CHECK(refused <= 15);
}

TEST_CASE("every captured receipt text is read") {
  const auto file = data_file("receipts.tsv");
  if (file.empty()) {
    WARN("no reference data: set TOLLGATE_DATA to check the captures");
    return;
  }
  std::size_t read = 0;
  for (const auto& row : rows(file)) {
    const std::string text = unescaped(row[0]);
    INFO(text);
    Receipt receipt;
    REQUIRE(parse_receipt_text(text, receipt));
    ++read;
    if (text.find("([^") != std::string::npos) continue;  // a pattern, not a receipt
    // The word behind "stat:" and the token behind the first "id:", found by hand.
    const auto token = [&](const std::string& label) {
      const std::size_t at = text.find(label);
      if (at == std::string::npos) return std::string();
      const std::size_t begin = at + label.size();
      const std::size_t end = text.find_first_of(std::string(" \0", 2), begin);
      return text.substr(begin, end == std::string::npos ? end : end - begin);
    };
    CHECK(receipt.stat_text == token("stat:"));
    if (text.rfind("id:", 0) == 0) CHECK(receipt.id == token("id:"));
    CHECK(receipt.submit_date == token("submit date:"));
    CHECK(receipt.done_date == token("done date:"));
  }
  CHECK(read >= 35);
}
