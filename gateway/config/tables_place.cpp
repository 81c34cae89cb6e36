#include "gateway/config/tables_place.h"

#include <array>
#include <unistd.h>

namespace tollgate::gateway {

routing::StoreOptions store_options(const TablesConfig& tables) {
  routing::StoreOptions options;
  options.redis.host = tables.host;
  options.redis.port = tables.port;
  options.redis.database = tables.database;
  options.redis.user = tables.user;
  options.redis.password = tables.password;
  options.prefix = tables.prefix;
  return options;
}

std::string gateway_name(const Config& config) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return std::string(host.data()) + " " + config.gateway.listen.front().text();
}

}  // namespace tollgate::gateway
