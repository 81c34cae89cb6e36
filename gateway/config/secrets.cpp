// password_file: what the operator's own file names is the operator's affair. A table set is
// written by others, who may make a carrier of any name and any host: it reaches only the files
// that the operator laid down for that very peer, and they say themselves where they may be sent
// (docs/tables.md).
#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "gateway/config/reader.h"
#include "gateway/config/rules.h"
#include "proto/escape.h"

namespace tollgate::gateway {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPasswordOctetsMax = 64;

bool is_within(const std::string& inner, const std::string& outer) {
  std::error_code error;
  const fs::path in = fs::weakly_canonical(inner, error);
  const fs::path out = fs::weakly_canonical(outer, error);
  const auto [at, unused] = std::mismatch(out.begin(), out.end(), in.begin(), in.end());
  return at == out.end();
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// The next line without its end; `text` without it.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// `lines`: hosts, "host" or "host:port", one a line.
bool is_listed(std::string_view lines, const core::Address& to) {
  const std::string host = lower(to.host);
  const std::string full = lower(to.text());
  while (!lines.empty()) {
    const std::string line = lower(take_line(lines));
    if (line == host || line == full) return true;
  }
  return false;
}

// The name of a file in a folder, and no way to another one.
bool is_file_name(const std::string& name) {
  return name != "." && name != ".." && name.find('/') == name.npos;
}

}  // namespace

core::FileText read_secret(const SecretFile& file) {
  if (file.folder.empty()) return core::read_file(file.name, kSecretFileMax);
  return core::read_file_below(file.folder, file.name, kSecretFileMax);
}

void read_password_file(Section& section, PeerPlace& place, const core::Address* to,
                        std::string& password) {
  constexpr std::string_view kKey = "password_file";
  std::string name;
  section.text(kKey, name, {1, 4096});
  if (name.empty()) return;
  const bool foreign = !place.name.empty();
  if (foreign && !is_file_name(name)) {
    return section.fault(
        kKey, "a table set may only name a file of the secrets that are " + place.name + "'s",
        "such as \"password\", for " + proto::escaped(place.folder + "/password", 4096));
  }
  if (!place.looks) return;
  if (foreign && is_within(place.folder, place.tables)) {
    return section.fault(kKey, "the secrets lie in the tables' directory, where others write",
                         "[tables] secrets, a directory that only the operator can write");
  }
  SecretFile file{place.folder, name};
  if (!foreign) file = {"", (fs::path(place.directory) / name).string()};
  const auto text = read_secret(file);
  const std::string where = proto::escaped((fs::path(file.folder) / file.name).string(), 4096);
  if (!text) {
    // What names no file may be the password itself.
    const int error = text.error().error;
    const bool there = error != ENOENT && error != ENOTDIR && error != ENAMETOOLONG;
    const std::string folder = foreign ? place.folder : place.directory;
    return section.fault(
        kKey,
        "cannot be used: " + (there ? where + " " + text.error().reason
                                    : "there is no such file in " + proto::escaped(folder, 4096)),
        "a file with the password in its first line");
  }
  place.secrets.emplace_back(file, routing::sha256_of(*text));
  std::string_view rest = *text;
  const std::string_view line = take_line(rest);
  if (line.empty() || line.size() > kPasswordOctetsMax || line.find('\0') != line.npos) {
    return section.fault(kKey, "cannot be used: the first line of " + where + " is no password",
                         "1-" + std::to_string(kPasswordOctetsMax) + " octets without a NUL");
  }
  if (foreign && to != nullptr && !is_listed(rest, *to)) {
    return section.fault(kKey, "may not be sent to " + proto::escaped(to->text()),
                         "that host, or host:port, in a line of " + where + " below the password");
  }
  password = line;
}

}  // namespace tollgate::gateway
