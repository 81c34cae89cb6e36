#include "routing/sheets/template.h"

#include <array>
#include <sstream>

#include "routing/fault.h"
#include "routing/toml.inc"
#include "routing/toml_text.h"

namespace tollgate::routing {
namespace {

constexpr std::array<const char*, kMeanings> kNames = {
    "ignore", "country", "iso",          "network",         "mcc",       "mnc",      "mccmnc",
    "prefix", "price",   "price_submit", "price_delivered", "price_old", "currency", "effective",
    "till",   "charge",  "action"};

constexpr TomlBounds kTomlOfTemplate{kTemplateBytesMax, 10'000};

class TemplateReader {
 public:
  void read(const toml::table& root) {
    for (const auto& [key, node] : root) read_key(std::string(key.str()), node);
  }
  SheetTemplate form;
  std::vector<std::string> faults;

 private:
  void fault(const toml::node& node, const std::string& key, const std::string& reason) {
    faults.push_back("line " + std::to_string(node.source().begin.line) + ": " + printable(key) +
                     " " + reason);
  }

  // One of the words; its place, or -1 and a fault.
  int word(const toml::node& node, const std::string& key, const std::vector<std::string>& words) {
    const auto value = node.value_exact<std::string>();
    for (std::size_t i = 0; value && i < words.size(); ++i) {
      if (*value == words[i]) return static_cast<int>(i);
    }
    std::string list;
    for (const std::string& each : words) list += (list.empty() ? "\"" : ", \"") + each + "\"";
    fault(node, key, "is none of " + list);
    return -1;
  }

  void text(const toml::node& node, const std::string& key, std::string& out) {
    const auto value = node.value_exact<std::string>();
    if (value && value->size() <= 100)
      out = *value;
    else
      fault(node, key, "is not a text of at most 100 octets");
  }

  void flag(const toml::node& node, const std::string& key, bool& out) {
    const auto value = node.value_exact<bool>();
    if (value)
      out = *value;
    else
      fault(node, key, "is neither true nor false");
  }

  template <class Number>
  void count(const toml::node& node, const std::string& key, Number most, Number& out) {
    const auto value = node.value_exact<std::int64_t>();
    if (value && *value >= 0 && *value <= static_cast<std::int64_t>(most))
      out = static_cast<Number>(*value);
    else
      fault(node, key, "is not a number from 0 to " + std::to_string(most));
  }

  void read_key(const std::string& key, const toml::node& node) {
    if (key == "sheet") return text(node, key, form.sheet);
    if (key == "zone") return text(node, key, form.zone);
    if (key == "currency") return text(node, key, form.currency);
    if (key == "cents") return flag(node, key, form.cents);
    if (key == "header_row") return count(node, key, std::size_t{1'000}, form.header_row);
    if (key == "notice_days") return count(node, key, 365u, form.notice_days);
    if (key == "change_percent_max") return count(node, key, 10'000u, form.change_percent_max);
    if (key == "closed_percent_max") return count(node, key, 100u, form.closed_percent_max);
    if (key == "columns") return columns(node);
    read_word(key, node);
  }

  void read_word(const std::string& key, const toml::node& node) {
    if (key == "separator") {
      const int at = word(node, key, {",", ";", "tab"});
      if (at >= 0) form.separator = ",;\t"[at];
    } else if (key == "decimal") {
      const int at = word(node, key, {".", ","});
      if (at >= 0) form.decimal = ".,"[at];
    } else if (key == "dates") {
      const int at = word(node, key, {"dmy", "mdy", "ymd"});
      if (at >= 0) form.dates = static_cast<DateOrder>(at + 1);
    } else if (key == "charge") {
      form.charge_delivered = word(node, key, {"submit", "delivered"}) == 1;
    } else if (key == "kind") {
      const int at = word(node, key, {"partial", "full"});
      if (at >= 0) form.kind = static_cast<SheetKind>(at);
    } else if (key == "till") {
      form.till_inclusive = word(node, key, {"inclusive", "exclusive"}) != 1;
    } else if (key == "uncoded") {
      form.skip_uncoded = word(node, key, {"refuse", "skip"}) == 1;
    } else {
      fault(node, key, "is not a key of a template");
    }
  }

  void columns(const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return fault(node, "columns", "is not a table");
    const std::vector<std::string> names(kNames.begin(), kNames.end());
    for (const auto& [title, meaning] : *table) {
      const int at = word(meaning, std::string(title.str()), names);
      if (at >= 0) form.columns.emplace_back(title.str(), static_cast<Meaning>(at));
    }
  }
};

}  // namespace

const char* meaning_name(Meaning meaning) {
  return kNames[static_cast<std::size_t>(meaning)];
}

tl::expected<SheetTemplate, std::vector<std::string>> parse_template(std::string_view toml) {
  using Faults = std::vector<std::string>;
  const auto root = parse_toml(toml, kTomlOfTemplate);
  if (!root) {
    const TomlFault& fault = root.error();
    const std::string line = fault.line == 0 ? "" : "line " + std::to_string(fault.line) + ": ";
    return tl::unexpected(Faults{line + fault.reason});
  }
  TemplateReader reader;
  reader.read(*root);
  if (!reader.faults.empty()) return tl::unexpected(reader.faults);
  return std::move(reader.form);
}

}  // namespace tollgate::routing
