// Where the tables come from: gateway.tables, or [tables] with a directory or a Redis.
#include <charconv>
#include <filesystem>

#include "gateway/config/reader.h"
#include "gateway/config/rules.h"
#include "gateway/config/texts.h"
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
  PeerPlace place{directory, "", "", ""};
  read_password_file(section, place, nullptr, tables.password);
  read_ascii(section, "prefix", tables.prefix, 1, 64);
  section.text("secrets", tables.secrets, {1, 4096});
  section.text("cache", tables.cache, {1, 4096});
  tables.cache = (fs::path(directory) / tables.cache).string();
  section.seconds("poll_seconds", tables.poll_us, {0.05, 3600});
  section.boolean("require_approval", tables.require_approval);
}

}  // namespace

bool parse_redis(const std::string& text, TablesConfig& tables, std::string& why) {
  if (text.find('@') != text.npos || text.find("://") != text.npos) {
    why = "is a URL; its user and password belong into user and password_file";
    return false;
  }
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
