// `tollgate pdu`: octets as people have them in a log or a capture -> JSON.
#include <iostream>
#include <iterator>

#include "gateway/cli/commands.h"
#include "gateway/cli/terminal.h"
#include "proto/json.h"

namespace tollgate::gateway::cli {
namespace {

constexpr std::size_t kStdinMax = 16 * 1024 * 1024;

// False: more than kStdinMax.
bool read_stdin(std::string& text) {
  char buffer[65536];
  while (std::size_t length = std::fread(buffer, 1, sizeof buffer, stdin)) {
    text.append(buffer, length);
    if (text.size() > kStdinMax) return false;
  }
  return true;
}

}  // namespace

int pdu(const PduOptions& options) {
  std::vector<std::string> hex = options.hex;
  for (std::string& each : hex) {
    if (each != "-") continue;
    each.clear();
    if (!read_stdin(each)) {
      print(stderr, "tollgate pdu: more than 16 MiB on stdin\n");
      return kBadUsage;
    }
  }
  const proto::PduJson result = proto::hex_to_json(hex);
  if (!result) {
    print(stderr, "tollgate pdu: " + result.error + "\n");
    return kFindings;
  }
  print(stdout, result.json + "\n");
  return kFine;
}

}  // namespace tollgate::gateway::cli
