// A configuration in a directory of its own, and the least parts that a file needs.
#pragma once

#include <filesystem>
#include <fstream>
#include <stdlib.h>
#include <string>

namespace tollgate::gateway {

struct ConfigPlace {
  ConfigPlace() {
    std::string name = (std::filesystem::temp_directory_path() / "tollgate_XXXXXX").string();
    directory = mkdtemp(name.data());
    std::filesystem::create_directory(directory / "tables");
  }
  ~ConfigPlace() { std::filesystem::remove_all(directory); }
  ConfigPlace(const ConfigPlace&) = delete;
  ConfigPlace& operator=(const ConfigPlace&) = delete;

  std::string write(const std::string& text) const {
    const std::string path = (directory / "tollgate.toml").string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  std::filesystem::path directory;
};

// Three lines each, but for the carrier's six.
inline constexpr const char* kGateway = R"([gateway]
listen = "127.0.0.1:0"
tables = "tables"
)";
inline constexpr const char* kClient = R"([[client]]
system_id = "shop"
password = "shop-pw"
)";
inline constexpr const char* kCarrier = R"([[carrier]]
name = "alpha"
[[carrier.bind]]
host = "127.0.0.1"
port = 3551
system_id = "us"
)";

}  // namespace tollgate::gateway
