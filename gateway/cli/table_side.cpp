#include "gateway/cli/table_side.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "gateway/config/texts.h"
#include "routing/csv.h"

namespace tollgate::gateway::cli {
namespace {

using routing::TableFile;

constexpr std::string_view kDraft = "draft:";

template <class T>
bool parse_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

std::vector<std::string_view> rows_of(std::string_view text) {
  std::vector<std::string_view> rows;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view row = text.substr(0, end);
    if (row.ends_with('\r')) row.remove_suffix(1);
    if (!row.empty()) rows.push_back(row);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return rows;
}

}  // namespace

namespace {

// Keys and values are the writer's: fit for a terminal, and whole.
std::string fit(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(routing::utf8_length(text), 1);
    out += routing::printable(text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

std::string value_text(const TomlValue& value) {
  return fit(value.key) + " = " + (value.secret ? "(not shown)" : fit(value.value));
}

// What is no TOML is not shown at all: nobody knows what of it is a password.
RowDifference peer_difference(std::string_view before, std::string_view after) {
  const auto was = toml_values(before);
  const auto is = toml_values(after);
  if (!was || !is) return {{}, {"(not shown: it is no valid TOML)"}};
  const auto lacks = [](const std::vector<TomlValue>& all, const TomlValue& one) {
    return std::none_of(all.begin(), all.end(), [&](const TomlValue& each) {
      return each.key == one.key && each.value == one.value;
    });
  };
  RowDifference found;
  for (const TomlValue& each : *was) {
    if (lacks(*is, each)) found.removed.push_back(value_text(each));
  }
  for (const TomlValue& each : *is) {
    if (lacks(*was, each)) found.added.push_back(value_text(each));
  }
  return found;
}

}  // namespace

RowDifference file_difference(std::string_view name, std::string_view before,
                              std::string_view after) {
  return routing::is_peer_name(name) ? peer_difference(before, after)
                                     : row_difference(before, after);
}

std::string shown_text(std::string_view name, const std::string& text) {
  if (!routing::is_peer_name(name)) return text;
  std::string shown;
  for (const std::string& row : peer_difference("", text).added) shown += row + "\n";
  return shown;
}

bool is_stored(std::string_view name) {
  std::uint32_t number = 0;
  if (name.starts_with(kDraft)) name.remove_prefix(kDraft.size());
  return name == "current" || parse_number(name, number);
}

routing::StoreResult<TableSide> table_side(routing::Store& store, const std::string& name) {
  TableSide side{.name = name, .files = {}};
  std::uint32_t number = 0;
  if (name == "current" || parse_number(name, number)) {
    auto version = store.version(number);
    if (!version) return tl::unexpected(version.error());
    side.files = std::move(version->files);
    side.version = version->number;
  } else if (name.starts_with(kDraft) &&
             parse_number(std::string_view(name).substr(kDraft.size()), number)) {
    const auto draft = store.draft(number);
    if (!draft) return tl::unexpected(draft.error());
    auto files = store.files_of(*draft);
    if (!files) return tl::unexpected(files.error());
    side.files = std::move(*files);
    side.version = draft->base;
  } else {
    auto texts = routing::read_directory(name);
    if (!texts) {
      return tl::unexpected<routing::StoreError>(
          {routing::StoreFault::invalid, "is no version, draft or directory: " + texts.error()});
    }
    side.texts = std::move(*texts);
    for (const auto& [file, text] : side.texts) side.files.push_back(routing::describe(file, text));
  }
  return side;
}

routing::StoreResult<std::string> text_of(routing::Store& store, const TableSide& side,
                                          const std::optional<TableFile>& file) {
  if (!file) return std::string();
  for (const auto& [name, text] : side.texts) {
    if (name == file->name) return text;
  }
  return store.get(*file);
}

routing::StoreResult<Basis> basis_of(routing::Store& store, std::uint32_t id) {
  if (id == 0) {
    auto version = store.version(0);
    if (!version) return tl::unexpected(version.error());
    return Basis{version->number, 0, std::move(version->files)};
  }
  const auto draft = store.draft(id);
  if (!draft) return tl::unexpected(draft.error());
  if (!draft->open()) {
    return tl::unexpected<routing::StoreError>(
        {routing::StoreFault::invalid,
         "draft " + std::to_string(id) + " was " + routing::state_name(draft->state)});
  }
  auto files = store.files_of(*draft);
  if (!files) return tl::unexpected(files.error());
  return Basis{draft->base, draft->revision, std::move(*files)};
}

RowDifference row_difference(std::string_view before, std::string_view after) {
  std::unordered_map<std::string_view, std::int64_t> counts;
  for (const std::string_view row : rows_of(after)) ++counts[row];
  RowDifference found;
  for (const std::string_view row : rows_of(before)) {
    if (--counts[row] < 0) found.removed.emplace_back(row);
  }
  for (const std::string_view row : rows_of(after)) {
    auto& left = counts[row];
    if (left <= 0) continue;
    --left;
    found.added.emplace_back(row);
  }
  return found;
}

}  // namespace tollgate::gateway::cli
