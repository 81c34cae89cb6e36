// Where the tables come from: gateway.tables, or [tables] with a directory or a Redis.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "gateway/config_reader.h"
#include "gateway/config_rules.h"
#include "proto/escape.h"

namespace tollgate::gateway {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRedisRight = "\"host:port\", \"host:port/database\" or a socket's path";

// The digits behind the last '/' or ':'; `text` without them. False: they are no number.
bool split_database(std::string& text, char sign, std::uint32_t& database) {
  const std::size_t at = text.rfind(sign);
  if (at == text.npos) return true;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + at + 1, end, database);
  if (error != std::errc{} || stop != end || database > 10'000) return false;
  text.resize(at);
  return true;
}

void read_redis(Section& section, const std::string& directory, TablesConfig& tables) {
  std::string why;
  section.text("redis", tables.redis, {1, 300});
  if (!tables.redis.empty() && !parse_redis(tables.redis, tables, why))
    section.fault("redis", why, kRedisRight);
  read_ascii(section, "user", tables.user, 1, 128);
  PeerPlace place{directory, ""};
  read_password_file(section, place, tables.password);
  read_ascii(section, "prefix", tables.prefix, 1, 64);
  section.text("cache", tables.cache, {1, 4096});
  tables.cache = (fs::path(directory) / tables.cache).string();
  section.seconds("poll_seconds", tables.poll_us, {0.05, 3600});
  section.boolean("require_approval", tables.require_approval);
}

// Who may publish tables need not read the gateway's other files, nor have them sent to a carrier.
bool leaves_folder(const fs::path& name) {
  return name.is_absolute() || std::find(name.begin(), name.end(), "..") != name.end();
}

}  // namespace

bool is_secret_file(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && fs::file_size(path, error) <= kSecretFileMax && !error;
}

void read_password_file(Section& section, PeerPlace& place, std::string& password) {
  std::string name;
  section.text("password_file", name, {1, 4096});
  if (name.empty()) return;
  if (!place.name.empty() && leaves_folder(name)) {
    section.fault("password_file", "a table set may only name files beside the configuration",
                  "such as \"acme.password\"");
    return;
  }
  if (!place.looks) return;
  const fs::path path = fs::path(place.directory) / name;
  std::error_code error;
  if (fs::exists(path, error) && !is_secret_file(path.string())) {
    section.fault("password_file", "is no file, or is larger than a password needs",
                  "a file of at most " + std::to_string(kSecretFileMax) + " octets");
    return;
  }
  place.secrets.push_back(path.string());
  std::ifstream in(path);
  if (!std::getline(in, password) || password.empty()) {
    section.fault("password_file", "cannot be read, or its first line is empty",
                  "a file with the password in its first line");
  }
}

bool parse_redis(const std::string& text, TablesConfig& tables, std::string& why) {
  std::string rest = text;
  const bool path = rest.starts_with('/');
  if (!split_database(rest, path ? ':' : '/', tables.database)) {
    why = "its database is no number of at most 10000";
    return false;
  }
  if (path) {
    tables.host = rest;
    return true;
  }
  core::Address address;
  if (!parse_address(rest, false, address, why)) return false;
  if (address.host.empty() || address.port == 0) {
    why = address.port == 0 ? "the port is 0" : "no host";
    return false;
  }
  tables.host = address.host;
  tables.port = address.port;
  return true;
}

void read_tables_directory(Section& section, std::string_view key, const std::string& directory,
                           std::string& tables) {
  section.text(key, tables, {1, 4096});
  if (tables.empty()) return;
  const fs::path path = fs::path(directory) / tables;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    section.fault(key, "no such directory: " + proto::escaped(path.string()),
                  "a directory, absolute or relative to this file");
  }
  tables = path.string();
}

// Keys for Redis may stay when the directory is used instead.
void read_tables(Section& section, const std::string& directory, Config& config) {
  const bool has_directory = section.has("directory");
  if (!config.gateway.tables.empty()) {
    section.fault("", "gateway.tables names a directory already", "either of them");
  } else if (has_directory == section.has("redis")) {
    section.fault(has_directory ? "redis" : "directory",
                  has_directory ? "directory is given too" : "missing",
                  std::string("directory = \"tables\", or redis = ") + kRedisRight);
  }
  read_tables_directory(section, "directory", directory, config.gateway.tables);
  read_redis(section, directory, config.tables);
}

}  // namespace tollgate::gateway
