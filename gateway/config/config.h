// What the operator decided: one TOML file, read once before the shards start, immutable after.
//
// Who owns it: main() holds the one Config for the life of the process; every thread may read it.
// deploy/tollgate.toml is the manual of the file: each key with its default and its meaning.
//
// Invariants
// 1. load_config() reports every fault of the file, not just the first: each with file, line,
//    column, key, the value found, why it is wrong and what would be right.
// 2. A Config that was returned is complete: names are unique, values are in range, every carrier
//    can send, every client has a password hash. Nobody checks these again.
// 3. A client's place in `clients` and a carrier's place in `carriers` are its dense ids (u16)
//    everywhere else: in the tables, the counters, the ledger.
// 4. A plain `password` never outlives load_config(): it is hashed by the method that all checks
//    cost (gateway/config/password.h).
//
// Bounds: kClientsMax, kCarriersMax, kBindsMax below; the file itself at most 16 MiB.
// Refuses: unknown keys (with the nearest known one), wrong types, duplicates, paths that are no
// directory, a carrier without a bind that can transmit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "carriers/config.h"
#include "core/net.h"
#include "gateway/config/ip.h"

namespace tollgate::gateway {

inline constexpr std::size_t kAuthThreadsMax = 64;
inline constexpr std::size_t kShardsMax = 64;  // a message id keeps six bits for its shard
inline constexpr std::size_t kClientsMax = 10'000;
inline constexpr std::size_t kCarriersMax = 256;
inline constexpr std::size_t kBindsMax = 64;                  // of one carrier
inline constexpr std::uint32_t kMailboxLeast = 256 * 1024;    // holds two of the longest orders
inline constexpr std::uint32_t kDetailRingLeast = 32 * 1024;  // and of the longest detail records

// Which SMPP versions a client may bind with, by the version in effect (reference section 8).
struct Versions {
  bool v33 = true;
  bool v34 = true;
  bool v50 = true;

  // `effective` is 0x33, 0x34 or 0x50, as proto::effective_version() returns it.
  bool allows(std::uint8_t effective) const {
    return (effective == 0x33 && v33) || (effective == 0x34 && v34) || (effective == 0x50 && v50);
  }
  bool operator==(const Versions&) const = default;
};

// When a client's submit is answered (docs/decisions/0010-relay-mode.md).
enum class Accept : std::uint8_t {
  store,  // once it is kept: we see to the rest
  relay   // once a carrier has taken or refused it
};

// One account that binds to us.
struct ClientConfig {
  std::string system_id;         // 1-15 printable ASCII octets, unique
  std::string password_hash;     // a crypt(5) string
  bool long_password = false;    // accept up to 64 octets in the bind, not 8
  std::vector<IpNetwork> allow;  // empty = any address
  Versions versions;
  Accept accept = Accept::store;
  std::int64_t relay_us = 20'000'000;  // relay: until a carrier was asked, at most
  std::uint32_t window = 100;          // submits without a response yet, per session; 1-10,000
  double pace_per_s = 0;               // messages a second over all its sessions; 0 = no limit
  std::uint32_t sessions_max = 16;     // bound at a time, over all listeners
  std::uint32_t queue_max = 10'000;    // accepted, not yet handed to a carrier's bind
  std::uint32_t queue_octets_max = 64 * 1024 * 1024;  // their memory
  std::int64_t queue_full_us = 1'000'000;             // not read while it is full; then refused
  std::uint32_t receipts_max = 10'000'000;  // messages that may bring one; receipts that wait
  std::uint32_t receipts_memory = 20'000;  // of these in memory; the rest on the disk, by [journal]
  std::uint32_t receipts_window = 100;     // deliver_sm without a response yet, per session
  std::int64_t response_timeout_us = 30'000'000;   // our deliver_sm and enquire_link
  std::int64_t enquire_link_us = 30'000'000;       // idle time before we ask; 0 = never
  std::int64_t inactivity_us = 180'000'000;        // nothing but enquire_link; 0 = no limit
  std::int64_t receipt_keep_us = 259'200'000'000;  // 72 h, then the receipt is given up
  bool operator==(const ClientConfig&) const = default;
};

enum class LogLevel : std::uint8_t { debug, info, warn, error };

struct Limits {
  std::uint32_t messages_per_shard = 1'000'000;              // the ledger's capacity
  std::uint32_t queue_octets_per_shard = 256 * 1024 * 1024;  // of messages no carrier has yet
  std::uint32_t mailbox_octets = 4 * 1024 * 1024;  // each ordered pair of shards; power of two
  std::uint32_t connections_max = 10'000;          // clients' sessions of the process
  std::uint32_t unbound_max = 16'000;              // connections not bound yet, beside them
  std::uint32_t unbound_per_source = 10'000;       // of one IPv4 address or IPv6 /64
  std::uint32_t connection_output_octets = 4 * 1024 * 1024;  // one reader that stalls costs this
};

// Where accepted messages are kept on disk. Without a directory they are in memory alone.
struct JournalConfig {
  std::string directory;  // absolute or relative to cwd; made when it is not there
  std::uint32_t segment_octets = 64 * 1024 * 1024;
  std::uint32_t reserve_octets = 64 * 1024 * 1024;  // less free space on the disk: refuse
  std::uint32_t dead_letter_files = 16;             // of 4 MiB each; the oldest goes
};

// Where detail records go (gateway/keeping/details.h). Without a directory there are none.
struct RecordsConfig {
  std::string directory;  // absolute or relative to cwd; made when it is not there
  std::uint32_t rotate_octets = 64 * 1024 * 1024;   // of a file
  std::uint32_t keep_days = 30;                     // files whose records are all older go
  std::uint32_t reserve_octets = 64 * 1024 * 1024;  // less free space on the disk: refuse
  std::uint32_t backlog_max = 200'000;   // records of a shard that wait for the disk; then refuse
  std::string stream;                    // key of a Redis Stream that gets them too; "" = none
  std::uint32_t stream_max = 1'000'000;  // entries that it keeps, about
};

// Where the tables come from: gateway.tables, or [tables] with a directory or a Redis.
struct TablesConfig {
  std::string redis;  // "host:port/database" or a socket's path, as given; "" = a directory
  std::string host;   // of it, or the path
  std::uint16_t port = 6379;
  std::uint32_t database = 0;
  std::string user;
  std::string password;  // what password_file holds
  std::string prefix = "tollgate:tables:";
  std::string cache = "tables_cache";  // directory, absolute or relative to cwd
  std::string secrets = "secrets";     // directory: all that a table set's password_file can name
  std::int64_t poll_us = 2'000'000;
  bool require_approval = false;  // of every draft, by somebody else than its author
};

struct GatewayConfig {
  std::uint32_t shards = 1;
  std::string system_id = "tollgate";  // what our bind responses say
  std::vector<core::Address> listen;   // at least one
  std::string metrics;                 // "host:port" of /metrics; empty = none
  std::string tables;  // directory of the CSV tables, absolute or relative to cwd; "" = Redis
  std::int64_t drain_us = 30'000'000;         // SIGTERM: finish what is in flight, at most this
  std::int64_t session_init_us = 10'000'000;  // accept to the whole bind read
  std::uint32_t auth_threads = 0;             // that check passwords; 0 = by the cores
  // How long we wait for the receipt of an unanswered submit before telling the client UNKNOWN.
  std::int64_t in_doubt_hold_us = 3'600'000'000;
  // A message that all its candidates refused for now is tried again after the first of these, then
  // after twice that, and so on up to the maximum, while it is valid.
  std::int64_t retry_first_us = 5'000'000;
  std::int64_t retry_max_us = 300'000'000;
  LogLevel log_level = LogLevel::info;
  Limits limits;
};

struct Config {
  std::string path;  // the file it came from, for messages
  GatewayConfig gateway;
  TablesConfig tables;
  JournalConfig journal;
  RecordsConfig records;
  std::vector<ClientConfig> clients;
  std::vector<carriers::CarrierConfig> carriers;

  std::vector<std::string> client_names() const;
  std::vector<std::string> carrier_names() const;
};

// One thing wrong in the file. Text fields are escaped: fit for a terminal and a log.
struct ConfigFault {
  std::string file;
  std::uint32_t line = 0;    // 1-based; 0 when the fault is about the file as a whole
  std::uint32_t column = 0;  // 1-based
  std::string key;           // dotted, such as "client[2].window"
  std::string value;         // as found; passwords are never shown
  std::string reason;        // what is wrong
  std::string right;         // what would be right

  // "tollgate.toml:12:10: client[2].window = 0: ... (right: 1-10000)"
  std::string text() const;
};

// Reads, checks and completes `path`. Throws nothing; a file that cannot be read is a fault too.
// Hashes plain passwords: a few milliseconds each.
// `shards`: instead of the file's; 0: none. What depends on them is judged by these.
tl::expected<Config, std::vector<ConfigFault>> load_config(const std::string& path,
                                                           std::uint32_t shards = 0);

}  // namespace tollgate::gateway
