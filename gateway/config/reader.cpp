#include "gateway/config/reader.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <numeric>
#include <sstream>
#include <tuple>

#include "gateway/config/texts.h"
#include "proto/escape.h"
#include "routing/toml.inc"

namespace tollgate::gateway {

struct Section::Node {
  const toml::table& table;
};

namespace {

constexpr std::size_t kShownMax = 60;

Place place_of(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

std::string shortened(std::string text) {
  if (text.size() > kShownMax) text = text.substr(0, kShownMax) + "...";
  return text;
}

std::string plain(double value) {
  char text[32];
  auto made = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed);
  if (made.ec != std::errc()) made = std::to_chars(text, text + sizeof text, value);
  return {text, made.ptr};
}

std::string shown(const toml::node& node) {
  // What holds tables may hold passwords.
  const auto nests = [](const toml::node& each) { return each.is_table() || each.is_array(); };
  const auto* list = node.as_array();
  if (node.is_table() || (list && std::any_of(list->begin(), list->end(), nests))) return "";
  if (const auto* text = node.as_string()) {
    return "\"" + shortened(proto::escaped(text->get())) + "\"";
  }
  if (const auto* number = node.as_floating_point()) {
    const std::string text = plain(number->get());
    return text.find_first_not_of("-0123456789") == text.npos ? text + ".0" : text;
  }
  std::ostringstream out;
  node.visit([&](const auto& value) { out << toml::toml_formatter{value}; });
  return shortened(proto::escaped(out.str()));
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), 0u);
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t changed = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[right.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  if (word.size() > kShownMax) return best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& each : known) {
    const std::size_t distance = edit_distance(word, each);
    if (distance < best_distance) best = each, best_distance = distance;
  }
  return best;
}

void Faults::add(Complaint complaint) {
  if (++count_ > kFaultsMax) return;
  faults_.push_back({file_, complaint.place.line, complaint.place.column, std::move(complaint.key),
                     std::move(complaint.value), std::move(complaint.reason),
                     std::move(complaint.right)});
}

std::vector<ConfigFault> Faults::sorted() && {
  std::stable_sort(faults_.begin(), faults_.end(), [](const auto& left, const auto& right) {
    return std::tie(left.line, left.column) < std::tie(right.line, right.column);
  });
  if (count_ > kFaultsMax) {
    faults_.push_back(
        {file_, 0, 0, "", "", "and " + std::to_string(count_ - kFaultsMax) + " more faults", ""});
  }
  return std::move(faults_);
}

Section::Section(const Node& node, std::string name, Faults& faults)
    : node_(node), name_(std::move(name)), faults_(faults) {}

Section::~Section() {
  for (const auto& [key, value] : node_.table) {
    if (std::find(asked_.begin(), asked_.end(), key.str()) != asked_.end()) continue;
    if (faults_.full()) {
      faults_.add({});
      continue;
    }
    const std::string near = nearest(key.str(), asked_);
    std::string right = near.empty() ? "" : "did you mean \"" + near + "\"?";
    if (near.empty()) {
      for (const std::string& each : asked_) right += (right.empty() ? "one of " : ", ") + each;
    }
    faults_.add({place_of(key.source()), dotted(shortened(proto::escaped(key.str()))), "",
                 "unknown key", std::move(right)});
  }
}

bool Section::has(std::string_view key) {
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) asked_.emplace_back(key);
  return node_.table.contains(key);
}

Place Section::place() const {
  return place_of(node_.table.source());
}

Place Section::place(std::string_view key) const {
  const toml::node* node = node_.table.get(key);
  return node ? place_of(node->source()) : place();
}

std::string Section::dotted(std::string_view key) const {
  if (key.empty()) return name_;
  return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
}

void Section::fault(std::string_view key, std::string reason, std::string right) {
  const toml::node* node = node_.table.get(key);
  const auto* text = node ? node->as_string() : nullptr;
  // A URL may hold a password, and a Redis user one that was put behind it.
  const bool url =
      text != nullptr && (key == "user" || text->get().find('@') != std::string::npos ||
                          text->get().find("://") != std::string::npos);
  const bool secret = url || key.find("password") != key.npos;
  faults_.add({place(key), dotted(key),
               !node    ? ""
               : secret ? "(not shown)"
                        : shown(*node),
               std::move(reason), std::move(right)});
}

void Section::require(std::string_view key, std::string_view right) {
  if (!has(key)) fault(key, "missing", std::string(right));
}

void Section::text(std::string_view key, std::string& out, Range<std::size_t> octets) {
  if (!has(key)) return;
  const toml::node* node = node_.table.get(key);
  const std::string range =
      "a string of " + std::to_string(octets.min) + "-" + std::to_string(octets.max) + " octets";
  const auto* found = node->as_string();
  if (!found) return fault(key, "is " + std::string(kind_of(*node)), range);
  const std::string& text = found->get();
  if (text.size() < octets.min || text.size() > octets.max) {
    return fault(key, std::to_string(text.size()) + " octets long", range);
  }
  if (text.find('\0') != text.npos) return fault(key, "holds a NUL", range);
  out = text;
}

void Section::boolean(std::string_view key, bool& out) {
  if (!has(key)) return;
  const toml::node* node = node_.table.get(key);
  if (const auto* found = node->as_boolean()) {
    out = found->get();
  } else {
    fault(key, "is " + std::string(kind_of(*node)), "true or false");
  }
}

void Section::integer(std::string_view key, std::uint32_t& out, Range<std::uint32_t> range) {
  if (!has(key)) return;
  const toml::node* node = node_.table.get(key);
  const std::string right =
      "an integer of " + std::to_string(range.min) + "-" + std::to_string(range.max);
  const auto* found = node->as_integer();
  if (!found) return fault(key, "is " + std::string(kind_of(*node)), right);
  if (found->get() < range.min || found->get() > range.max) {
    return fault(key, "out of range", right);
  }
  out = static_cast<std::uint32_t>(found->get());
}

void Section::octet(std::string_view key, std::uint8_t& out) {
  std::uint32_t value = out;
  integer(key, value, {0, 255});
  out = static_cast<std::uint8_t>(value);
}

void Section::number(std::string_view key, double& out, Range<double> range) {
  if (!has(key)) return;
  const toml::node* node = node_.table.get(key);
  const std::string right = "a number of " + plain(range.min) + "-" + plain(range.max);
  if (!node->is_number()) return fault(key, "is " + std::string(kind_of(*node)), right);
  const double value = node->value<double>().value_or(0);
  // Written so that NaN is refused.
  if (!(value >= range.min && value <= range.max)) return fault(key, "out of range", right);
  out = value;
}

void Section::seconds(std::string_view key, std::int64_t& out_us, Range<double> range_s) {
  double value = static_cast<double>(out_us) / 1e6;
  number(key, value, range_s);
  out_us = std::llround(value * 1e6);
}

std::vector<PlacedText> Section::texts(std::string_view key, std::string_view right) {
  std::vector<PlacedText> found;
  if (!has(key)) return found;
  const toml::node* node = node_.table.get(key);
  const auto take = [&](const toml::node& each, std::string name) {
    const auto* text = each.as_string();
    if (text && text->get().find('\0') == std::string::npos) {
      found.push_back({text->get(), place_of(each.source()), std::move(name)});
    } else {
      faults_.add({place_of(each.source()), std::move(name), shown(each),
                   text ? "holds a NUL" : "is " + std::string(kind_of(each)), std::string(right)});
    }
  };
  if (const auto* list = node->as_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      take(*list->get(i), dotted(key) + "[" + std::to_string(i + 1) + "]");
    }
  } else {
    take(*node, dotted(key));
  }
  return found;
}

void Section::word(std::string_view key, std::initializer_list<std::string_view> words,
                   const std::function<void(std::size_t)>& choose) {
  if (!has(key)) return;
  std::string right;
  for (const std::string_view each : words) {
    right += (right.empty() ? "\"" : ", \"") + std::string(each) + "\"";
  }
  const auto* text = node_.table.get(key)->as_string();
  if (!text) return fault(key, "is " + std::string(kind_of(*node_.table.get(key))), right);
  const auto at = std::find(words.begin(), words.end(), text->get());
  if (at == words.end()) return fault(key, "not a known word here", right);
  choose(static_cast<std::size_t>(at - words.begin()));
}

void Section::section(std::string_view key, const std::function<void(Section&)>& read) {
  if (!has(key)) return;
  const toml::node* node = node_.table.get(key);
  const auto* table = node->as_table();
  if (!table) {
    return fault(key, "is " + std::string(kind_of(*node)),
                 "a table: [" + dotted(key) + "] and its keys below");
  }
  const Node below{*table};
  Section section(below, dotted(key), faults_);
  read(section);
}

void Section::sections(std::string_view key, std::size_t max,
                       const std::function<void(Section&)>& read) {
  if (!has(key)) return;
  const toml::node* node = node_.table.get(key);
  const auto* list = node->as_array();
  if (!list || !std::all_of(list->begin(), list->end(),
                            [](const toml::node& each) { return each.is_table(); })) {
    return fault(key, "is " + std::string(kind_of(*node)),
                 "[[" + dotted(key) + "]], once for each, and its keys below");
  }
  if (list->size() > max) {
    return fault(key, std::to_string(list->size()) + " of them", "at most " + std::to_string(max));
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string name = dotted(key) + "[" + std::to_string(i + 1) + "]";
    const Node below{*list->get(i)->as_table()};
    Section section(below, name, faults_);
    read(section);
  }
}

std::vector<std::pair<PlacedText, PlacedText>> Section::pairs(std::string_view key,
                                                              std::string_view right) {
  std::vector<std::pair<PlacedText, PlacedText>> found;
  if (!has(key)) return found;
  const toml::node* node = node_.table.get(key);
  const auto* table = node->as_table();
  if (!table) {
    fault(key, "is " + std::string(kind_of(*node)), std::string(right));
    return found;
  }
  for (const auto& [name, value] : *table) {
    const std::string full = dotted(key) + "." + shortened(proto::escaped(name.str()));
    if (const auto* text = value.as_string()) {
      found.push_back({{std::string(name.str()), place_of(name.source()), full},
                       {text->get(), place_of(value.source()), full}});
    } else {
      faults_.add({place_of(value.source()), full, shown(value),
                   "is " + std::string(kind_of(value)), std::string(right)});
    }
  }
  return found;
}

namespace {

void flatten(const toml::node& node, const std::string& key, std::vector<TomlValue>& out) {
  if (const auto* table = node.as_table()) {
    for (const auto& [name, value] : *table) {
      const std::string below(name.str());
      flatten(value, key.empty() ? below : key + "." + below, out);
    }
    return;
  }
  const auto* list = node.as_array();
  const auto is_value = [](const toml::node& each) { return !each.is_table() && !each.is_array(); };
  if (list && !std::all_of(list->begin(), list->end(), is_value)) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      flatten(*list->get(i), key + "[" + std::to_string(i + 1) + "]", out);
    }
    return;
  }
  std::ostringstream value;
  node.visit([&](const auto& each) { value << toml::toml_formatter{each}; });
  const bool secret = key.find("password") != key.npos && !key.ends_with("password_file") &&
                      !key.ends_with("long_password");
  out.push_back({key, value.str(), secret});
}

}  // namespace

std::optional<std::vector<TomlValue>> toml_values(std::string_view text) {
  const auto root = routing::parse_toml(text, routing::kTomlOfTables);
  if (!root) return std::nullopt;
  std::vector<TomlValue> values;
  flatten(*root, "", values);
  return values;
}

void read_toml(const core::FileText& file, routing::TomlBounds bounds, Faults& faults,
               const std::function<void(Section&)>& read) {
  if (!file) {
    const bool absent = file.error().error == ENOENT;
    return faults.add({{},
                       "",
                       "",
                       file.error().reason,
                       absent ? "the path of a TOML file" : "a TOML file that this user may read"});
  }
  const auto root = routing::parse_toml(*file, bounds);
  if (!root) {
    const routing::TomlFault& fault = root.error();
    return faults.add({{fault.line, fault.column}, "", "", fault.reason, "see toml.io"});
  }
  const Section::Node node{*root};
  Section section(node, "", faults);
  read(section);
}

}  // namespace tollgate::gateway
