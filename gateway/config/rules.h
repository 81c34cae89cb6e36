// Readers of the parts of the file, and what several of them check. Private to those who read
// configurations.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/config/reader.h"
#include "routing/store/table_set.h"

namespace tollgate::gateway {

// Finds the second use of a name that must be unique, and says where the first one is.
class Unique {
 public:
  // False, and a fault, when `name` was seen before.
  bool take(Section& section, std::string_view key, const std::string& name);

 private:
  std::map<std::string, std::uint32_t> lines_;
};

// A name that becomes a label and a file name: 1-32 letters, digits, '-', '_' or '.', starting
// with a letter or digit.
void read_name(Section& section, std::string_view key, std::string& out);

// Printable ASCII without blanks at the ends; `max` octets at most.
void read_ascii(Section& section, std::string_view key, std::string& out, std::size_t min,
                std::size_t max);

// Messages a second: 0, no limit, or at least one in 100 s.
void read_pace(Section& section, std::string_view key, double& out);

// `has_tables`: there is a [tables], so that `tables` may be absent here.
void read_gateway(Section& section, const std::string& directory, bool has_tables,
                  GatewayConfig& gateway);
// After [gateway]: its `tables` may name the directory instead.
void read_tables(Section& section, const std::string& directory, Config& config);
void read_tables_directory(Section& section, std::string_view key, const std::string& directory,
                           std::string& tables);
// After [tables]. `has_redis`: it names one.
void read_records(Section& section, const std::string& directory, bool has_redis,
                  RecordsConfig& records);
// A password file.
struct SecretFile {
  std::string folder;  // "" = `name` is a path of the operator's
  std::string name;
};
// What it held when the password was taken from it: it may be another file a moment later.
using ReadSecret = std::pair<SecretFile, routing::Sha256>;
// Where a carrier's or client's table stands.
struct PeerPlace {
  std::string directory;  // of the configuration: its own password files are relative to it
  std::string name;       // of its own file in a table set, and so the peer's; "" = in the
                          // configuration
  std::string folder;     // in a table set: holds the password files of this peer, and of no other
  std::string tables;     // in a table set: its directory
  bool looks = true;      // at password files
  std::vector<ReadSecret> secrets = {};  // found: the password files
};
inline constexpr std::size_t kSecretFileMax = 4096;
core::FileText read_secret(const SecretFile& file);
// The first line of the file that `password_file` names, if it is given. A table set names a file
// of PeerPlace::folder and nothing else; `to`, where the password is about to be sent, must then
// stand in a line of that file below the password. Null: it is sent to nobody.
void read_password_file(Section& section, PeerPlace& place, const core::Address* to,
                        std::string& password);
void read_client(Section& section, PeerPlace& place, ClientConfig& client,
                 std::string& plain_password);
void check_queue(Section& section, std::uint32_t messages_max, const ClientConfig& client);
void read_carrier(Section& section, PeerPlace& place, carriers::CarrierConfig& carrier);
// Null: `name` can be a file's and a peer's.
const char* bad_peer_name(std::string_view name, std::size_t longest);

}  // namespace tollgate::gateway
