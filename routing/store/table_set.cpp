#include "routing/store/table_set.h"

#include <algorithm>
#include <filesystem>

#include <openssl/sha.h>

#include "core/file.h"
#include "routing/csv.h"

namespace tollgate::routing {
namespace {

namespace fs = std::filesystem;

bool by_name(const TableFile& a, const TableFile& b) {
  return a.name < b.name;
}

const char* bad_part(std::string_view part) {
  if (part.empty()) return "has an empty part in its name";
  if (part.front() == '.') return "has a part that begins with a dot";
  for (const char c : part) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
      return "has other characters than letters, digits, '-', '_' and '.' in its name";
  }
  return nullptr;
}

// The names of a folder's entries: *.csv files, and at the top the folders.
tl::expected<void, std::string> list(const fs::path& top, const std::string& folder,
                                     std::vector<std::string>& names) {
  const std::string within = folder + "/";
  const bool is_toml = is_template_name(within) || is_peer_name(within);
  std::error_code error;
  std::vector<std::string> folders;
  fs::directory_iterator entries(top / folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (name.front() == '.') continue;
    if (entries->is_directory(error)) {
      if (folder.empty()) folders.push_back(name);
    } else if (entries->path().extension() == (is_toml ? ".toml" : ".csv")) {
      names.push_back(folder.empty() ? name : folder + "/" + name);
    }
  }
  if (error) return tl::unexpected(printable((top / folder).string()) + ": " + error.message());
  for (const std::string& each : folders) {
    if (const auto listed = list(top, each, names); !listed) return listed;
  }
  return {};
}

}  // namespace

Sha256 sha256_of(std::string_view octets) {
  Sha256 sha256;
  SHA256(reinterpret_cast<const unsigned char*>(octets.data()), octets.size(), sha256.data());
  return sha256;
}

std::string hex(const Sha256& sha256) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t octet : sha256) {
    text += kDigits[octet >> 4];
    text += kDigits[octet & 15];
  }
  return text;
}

const char* origin_name(Origin origin) {
  constexpr const char* kNames[] = {"publish", "schedule", "rollback"};
  return kNames[static_cast<std::size_t>(origin)];
}

const char* state_name(DraftState state) {
  constexpr const char* kNames[] = {"draft",     "approved",  "scheduled",
                                    "published", "discarded", "failed"};
  return kNames[static_cast<std::size_t>(state)];
}

bool is_template_name(std::string_view name) {
  return name.starts_with("templates/");
}

bool is_peer_name(std::string_view name) {
  return name.starts_with("carriers/") || name.starts_with("clients/");
}

const char* bad_table_name(std::string_view name) {
  if (name.size() > 200) return "has a name of more than 200 characters";
  const bool is_toml = is_template_name(name) || is_peer_name(name);
  const std::size_t slash = name.find('/');
  if (slash != name.npos) {
    if (const char* why = bad_part(name.substr(0, slash))) return why;
    name.remove_prefix(slash + 1);
  }
  const std::string_view ending = is_toml ? ".toml" : ".csv";
  if (!name.ends_with(ending) || name.size() == ending.size())
    return is_toml ? "is no .toml file" : "is no .csv file";
  return bad_part(name);
}

const TableFile* find_file(const std::vector<TableFile>& files, std::string_view name) {
  const auto at = std::lower_bound(files.begin(), files.end(), name,
                                   [](const TableFile& file, auto key) { return file.name < key; });
  return at != files.end() && at->name == name ? &*at : nullptr;
}

std::vector<TableFile> changed_files(const std::vector<TableFile>& base, const TableDraft& draft) {
  std::vector<TableFile> files = draft.changed;
  for (const TableFile& file : base) {
    const auto& removed = draft.removed;
    if (find_file(draft.changed, file.name) == nullptr &&
        std::find(removed.begin(), removed.end(), file.name) == removed.end())
      files.push_back(file);
  }
  std::sort(files.begin(), files.end(), by_name);
  return files;
}

std::vector<FileDifference> differences(const std::vector<TableFile>& before,
                                        const std::vector<TableFile>& after) {
  std::vector<FileDifference> found;
  for (const TableFile& file : before) {
    const TableFile* now = find_file(after, file.name);
    if (now == nullptr) {
      found.push_back({file.name, file, std::nullopt});
    } else if (now->sha256 != file.sha256) {
      found.push_back({file.name, file, *now});
    }
  }
  for (const TableFile& file : after) {
    if (find_file(before, file.name) == nullptr) found.push_back({file.name, std::nullopt, file});
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return found;
}

std::vector<std::string> conflicts(const TableDraft& draft, const std::vector<TableFile>& base,
                                   const std::vector<TableFile>& current) {
  std::vector<std::string> names;
  for (const FileDifference& each : differences(base, current)) {
    const TableFile* ours = find_file(draft.changed, each.name);
    const auto& removed = draft.removed;
    if (std::find(removed.begin(), removed.end(), each.name) != removed.end()) {
      if (each.after) names.push_back(each.name);
    } else if (ours != nullptr && !(each.after && each.after->sha256 == ours->sha256)) {
      names.push_back(each.name);
    }
  }
  return names;
}

std::uint64_t count_rows(std::string_view text) {
  std::uint64_t lines = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (!line.empty() && line != "\r") ++lines;
    at = end + 1;
  }
  return lines == 0 ? 0 : lines - 1;
}

TableFile describe(std::string_view name, std::string_view text) {
  return {std::string(name), sha256_of(text), text.size(), count_rows(text)};
}

tl::expected<DirectoryTexts, std::string> read_directory(const std::string& directory) {
  std::vector<std::string> names;
  if (const auto listed = list(directory, "", names); !listed)
    return tl::unexpected(listed.error());
  if (names.size() > kTableFilesMax)
    return tl::unexpected("holds more than " + std::to_string(kTableFilesMax) + " files");
  std::sort(names.begin(), names.end());
  DirectoryTexts texts;
  for (const std::string& name : names) {
    const auto refuse = [&](const std::string& why) {
      return tl::unexpected("the file \"" + printable(name) + "\" " + why);
    };
    if (const char* why = bad_table_name(name)) return refuse(why);
    auto text = core::read_file((fs::path(directory) / name).string(), kTableFileBytesMax);
    if (!text) return refuse(text.error().reason);
    texts.emplace_back(name, std::move(*text));
  }
  return texts;
}

}  // namespace tollgate::routing
