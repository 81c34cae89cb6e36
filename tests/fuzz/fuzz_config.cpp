// The configuration on arbitrary octets: toml++, the reader on top of it and every rule. The input
// is a file's text (fuzz::unfolded).
//
// What must hold: there is a configuration or a fault, never both; a fault is one printable line
// that says why; a configuration that is taken is whole (gateway/config/config.h, invariant 2), and
// reads the same again.
#include <filesystem>
#include <fstream>
#include <set>

#include "gateway/config/config.h"
#include "gateway/config/reader.h"
#include "gateway/config/texts.h"
#include "tests/fuzz/input.h"

using namespace tollgate;
using namespace tollgate::gateway;
using fuzz::must;

namespace {

constexpr std::size_t kTextMax = 128 * 1024;

const std::string& file_path() {
  static const std::string path = [] {
    std::string name = (std::filesystem::temp_directory_path() / "fuzz-config-XXXXXX").string();
    must(mkdtemp(name.data()) != nullptr);
    return name;
  }() + "/tollgate.toml";
  return path;
}

template <class Names>
void must_differ(const Names& names) {
  must(std::set<std::string>(names.begin(), names.end()).size() == names.size());
}

void check_whole(const Config& config) {
  must(!config.gateway.listen.empty());
  must(config.gateway.shards >= 1 && config.gateway.shards <= kShardsMax);
  must_differ(config.client_names());
  must_differ(config.carrier_names());
  for (const ClientConfig& client : config.clients) must(!client.password_hash.empty());
  for (const carriers::CarrierConfig& carrier : config.carriers) {
    must(carriers::faults(carrier).empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = fuzz::unfolded({data, size}, kTextMax);
  if (const auto values = toml_values(text)) {
    for (const TomlValue& value : *values) must(!value.key.empty());
  }
  std::ofstream(file_path(), std::ios::binary) << text;
  const auto config = load_config(file_path());
  if (config) {
    check_whole(*config);
    const auto again = load_config(file_path());
    must(again && again->carriers == config->carriers);
    return 0;
  }
  must(!config.error().empty());
  for (const ConfigFault& fault : config.error()) {
    must(!fault.reason.empty() && fuzz::printable_line(fault.text()));
  }
  return 0;
}
