// What a text of the configuration means, for those who have it from elsewhere: a command's
// argument, a file of the tables. Pure functions; no word of toml++.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/net.h"
#include "gateway/config/config.h"

namespace tollgate::gateway {

// The nearest of `known` to `word`, "" when none is near enough to be a slip of the fingers.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

// "host:port" or "[v6]:port". False and `why` when it is not.
bool parse_address(std::string_view text, bool literal_only, core::Address& out, std::string& why);

// "host:port", "host:port/database", "/path/of/a/socket", "/path:database".
bool parse_redis(const std::string& text, TablesConfig& tables, std::string& why);

// What a TOML text of a table set says, by dotted keys ("bind[1].window"), in order; nothing when
// it is no TOML.
struct TomlValue {
  std::string key;
  std::string value;    // as TOML
  bool secret = false;  // a password, or a hash of one: not to be shown
};
std::optional<std::vector<TomlValue>> toml_values(std::string_view text);

}  // namespace tollgate::gateway
