#include "gateway/config/config.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <filesystem>
#include <set>

#include "gateway/config/password.h"
#include "gateway/config/reader.h"
#include "gateway/config/rules.h"
#include "gateway/config/texts.h"
#include "proto/escape.h"

namespace tollgate::gateway {
namespace {

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool is_name(std::string_view text) {
  const auto alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && alnum(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
    return alnum(c) || c == '-' || c == '_' || c == '.';
  });
}

void read_limits(Section& section, Limits& limits) {
  section.integer("messages_per_shard", limits.messages_per_shard, {1'000, 100'000'000});
  section.integer("queue_octets_per_shard", limits.queue_octets_per_shard,
                  {1024 * 1024, 0xFFFFFFFF});
  section.integer("mailbox_octets", limits.mailbox_octets, {kMailboxLeast, 1u << 30});
  if (!std::has_single_bit(limits.mailbox_octets)) {
    section.fault("mailbox_octets", "no power of two",
                  std::to_string(std::bit_ceil(limits.mailbox_octets)));
  }
  section.integer("connections_max", limits.connections_max, {1, 1'000'000});
  section.integer("unbound_max", limits.unbound_max, {16, 1'000'000});
  section.integer("unbound_per_source", limits.unbound_per_source, {1, 1'000'000});
  section.integer("connection_output_octets", limits.connection_output_octets,
                  {256 * 1024, 1u << 30});
}

void read_listen(Section& section, std::vector<core::Address>& listen) {
  const std::string right = "\"127.0.0.1:2775\", \"[::1]:2775\", or a list of such";
  section.require("listen", right);
  std::set<std::string> seen;
  const std::size_t faults_before = section.faults().size();
  const auto texts = section.texts("listen", right);
  for (const PlacedText& each : texts) {
    core::Address address;
    std::string why;
    if (!parse_address(each.text, true, address, why)) {
      section.faults().add(
          {each.place, each.key, "\"" + proto::escaped(each.text) + "\"", why, right});
    } else if (address.port != 0 && !seen.insert(each.text).second) {
      section.faults().add({each.place, each.key, "\"" + proto::escaped(each.text) + "\"",
                            "listed twice", "each address once"});
    } else {
      listen.push_back(address);
    }
  }
  if (section.has("listen") && texts.empty() && section.faults().size() == faults_before) {
    section.fault("listen", "no address to listen on", right);
  }
}

void read_metrics(Section& section, GatewayConfig& gateway) {
  section.text("metrics", gateway.metrics, {0, 64});
  if (gateway.metrics.empty()) return;
  core::Address address;
  std::string why;
  if (!parse_address(gateway.metrics, true, address, why)) {
    return section.fault("metrics", why, "\"127.0.0.1:9108\", or \"\" for none");
  }
  for (const core::Address& each : gateway.listen) {
    if (address.port != 0 && each.port == address.port && each.host == address.host) {
      section.fault("metrics", "clients bind on the same address", "another port");
    }
  }
}

void read_versions(Section& section, Versions& versions) {
  const std::string right = "a list of \"3.3\", \"3.4\", \"5.0\"";
  if (!section.has("versions")) return;
  versions = {false, false, false};
  const std::size_t faults_before = section.faults().size();
  const auto texts = section.texts("versions", right);
  for (const PlacedText& each : texts) {
    if (each.text == "3.3") {
      versions.v33 = true;
    } else if (each.text == "3.4") {
      versions.v34 = true;
    } else if (each.text == "5.0") {
      versions.v50 = true;
    } else {
      section.faults().add({each.place, each.key, "\"" + proto::escaped(each.text) + "\"",
                            "no version of SMPP that we speak", right});
    }
  }
  if (texts.empty() && section.faults().size() == faults_before) {
    section.fault("versions", "no version is left to bind with", right);
  }
}

void check_plain(Section& section, std::string_view key, const ClientConfig& client,
                 const std::string& plain) {
  const std::string octets = std::to_string(plain.size()) + " octets long";
  if (plain.size() > kPasswordMax) {
    section.fault(key, octets, "at most " + std::to_string(kPasswordMax));
  } else if (plain.size() > 8 && !client.long_password) {
    section.fault(key, octets,
                  "at most 8 by the specification, or long_password = true for up to 64");
  }
}

void read_password(Section& section, PeerPlace& place, ClientConfig& client, std::string& plain) {
  const bool has_plain = section.has("password");
  const bool has_hash = section.has("password_hash");
  const bool has_file = section.has("password_file");
  if (!has_plain && !has_hash && !has_file) {
    section.fault("password", "missing",
                  "password, password_file or password_hash (a crypt(5) string)");
  } else if (has_hash && (has_plain || has_file)) {
    section.fault("password_hash",
                  has_plain ? "password is given too" : "password_file is given too",
                  "one of them");
  } else if (has_plain && has_file) {
    section.fault("password_file", "password is given too", "one of them");
  }
  section.boolean("long_password", client.long_password);
  section.text("password", plain, {1, kPasswordMax});
  check_plain(section, "password", client, plain);
  if (has_file && !has_plain) {
    read_password_file(section, place, nullptr, plain);
    check_plain(section, "password_file", client, plain);
  }
  section.text("password_hash", client.password_hash, {1, 512});
  if (client.password_hash.empty() || has_plain) return;
  const std::string why = password_hash_fault(client.password_hash);
  if (!why.empty()) {
    section.fault("password_hash", why, "the output of: mkpasswd --method=yescrypt");
  }
}

}  // namespace

bool Unique::take(Section& section, std::string_view key, const std::string& name) {
  if (name.empty()) return true;
  const auto [at, fresh] = lines_.emplace(name, section.place(key).line);
  if (!fresh) {
    section.fault(key, "used already in line " + std::to_string(at->second), "a name of its own");
  }
  return fresh;
}

const char* bad_peer_name(std::string_view name, std::size_t longest) {
  if (name.size() > longest)
    return longest > 15 ? "has a name of more than 32 characters"
                        : "has a name of more than 15 characters";
  return is_name(name) ? nullptr
                       : "has another name than letters, digits, '-', '_' and '.', a letter or "
                         "digit first";
}

void read_name(Section& section, std::string_view key, std::string& out) {
  const std::string right = "1-32 letters, digits, '-', '_' or '.', a letter or digit first";
  section.require(key, right);
  std::string name;
  section.text(key, name, {1, 32});
  if (!name.empty() && !is_name(name)) section.fault(key, "holds other characters", right);
  out = name;
}

void read_pace(Section& section, std::string_view key, double& out) {
  double pace = out;
  section.number(key, pace, {0, 1'000'000});
  if (pace != 0 && pace < 0.01) {
    return section.fault(key, "slower than one message in 100 s", "0 (no limit), or 0.01-1000000");
  }
  out = pace;
}

void read_ascii(Section& section, std::string_view key, std::string& out, std::size_t min,
                std::size_t max) {
  std::string text = out;
  section.text(key, text, {min, max});
  if (!is_printable(text)) {
    section.fault(key, "holds octets that are not printable ASCII", "printable ASCII");
  } else {
    out = text;
  }
}

bool parse_address(std::string_view text, bool literal_only, core::Address& out, std::string& why) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos || text.back() == ']') {
    why = "no port";
    return false;
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != host.npos) {
    why = "an IPv6 address without its brackets";
    return false;
  }
  if (literal_only && (!parse_ip(host) || bracketed != (host.find(':') != host.npos))) {
    why = "the host is no IP address";
    return false;
  }
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
    why = "the port is not 0-65535";
    return false;
  }
  out.host = std::string(host);
  out.port = port;
  return true;
}

void read_gateway(Section& section, const std::string& directory, bool has_tables,
                  GatewayConfig& gateway) {
  section.integer("shards", gateway.shards, {1, kShardsMax});
  read_ascii(section, "system_id", gateway.system_id, 1, 15);
  read_listen(section, gateway.listen);
  read_metrics(section, gateway);
  if (!has_tables) section.require("tables", "the directory of the CSV tables, such as \"tables\"");
  read_tables_directory(section, "tables", directory, gateway.tables);
  section.seconds("drain_seconds", gateway.drain_us, {0, 3600});
  section.seconds("session_init_seconds", gateway.session_init_us, {0.1, 300});
  section.integer("auth_threads", gateway.auth_threads, {0, kAuthThreadsMax});
  section.seconds("in_doubt_hold_seconds", gateway.in_doubt_hold_us, {0.1, 604'800});
  section.seconds("retry_first_seconds", gateway.retry_first_us, {0.1, 3600});
  section.seconds("retry_max_seconds", gateway.retry_max_us, {0.1, 86'400});
  if (gateway.retry_max_us < gateway.retry_first_us) {
    section.fault(section.has("retry_max_seconds") ? "retry_max_seconds" : "retry_first_seconds",
                  "the maximum is below the first",
                  "retry_max_seconds of at least retry_first_seconds");
  }
  section.word("log_level", {"debug", "info", "warn", "error"},
               [&](std::size_t at) { gateway.log_level = static_cast<LogLevel>(at); });
  section.section("limits", [&](Section& limits) { read_limits(limits, gateway.limits); });
}

// A record that is longer than half of its ring could never leave it.
void check_rings(Section& section, std::string_view key, std::size_t octets, unsigned shards,
                 std::size_t least) {
  const std::size_t needed = std::size_t{4} * shards * least;
  if (octets >= needed) return;
  section.fault(key, "has no room for the rings of " + std::to_string(shards) + " shards",
                "at least " + std::to_string(needed));
}

bool same_place(const std::string& a, const std::string& b) {
  const auto whole = [](const std::string& path) {
    std::error_code ignored;
    return std::filesystem::weakly_canonical(path + "/", ignored);
  };
  return !a.empty() && !b.empty() && whole(a) == whole(b);
}

void read_journal(Section& section, const std::string& directory, unsigned shards,
                  JournalConfig& journal) {
  section.require("directory", "where the journal is kept, such as \"journal\"");
  section.text("directory", journal.directory, {1, 4096});
  const std::filesystem::path path(journal.directory);
  if (path.is_relative()) journal.directory = (std::filesystem::path(directory) / path).string();
  // The least takes a batch and the smallest rings twice (core/journal/journal.h).
  section.integer("segment_octets", journal.segment_octets, {4 << 20, 1 << 30});
  if (journal.segment_octets % 4096 != 0) {
    section.fault("segment_octets", "is no multiple of 4096", "such as 67108864");
  }
  check_rings(section, "segment_octets", journal.segment_octets, shards, kMailboxLeast);
  section.integer("reserve_octets", journal.reserve_octets, {0, 1 << 30});
  section.integer("dead_letter_files", journal.dead_letter_files, {1, 1'000});
}

void read_client(Section& section, PeerPlace& place, ClientConfig& client,
                 std::string& plain_password) {
  client.system_id = place.name;
  if (place.name.empty())
    section.require("system_id", "1-15 characters, what the client binds with");
  read_ascii(section, "system_id", client.system_id, 1, 15);
  if (!place.name.empty() && client.system_id != place.name) {
    section.fault("system_id", "is not its file's name", "\"" + place.name + "\", or no system_id");
  }
  read_password(section, place, client, plain_password);
  for (const PlacedText& each : section.texts("allow", "\"10.0.0.0/8\", \"::1\", ...")) {
    std::string why;
    if (const auto network = parse_network(each.text, why)) {
      client.allow.push_back(*network);
    } else {
      section.faults().add({each.place, each.key, "\"" + proto::escaped(each.text) + "\"", why,
                            "an address or a network such as \"10.0.0.0/8\" or \"2001:db8::/32\""});
    }
  }
  read_versions(section, client.versions);
  section.word("accept", {"store", "relay"},
               [&](std::size_t at) { client.accept = static_cast<Accept>(at); });
  section.seconds("relay_seconds", client.relay_us, {0.1, 300});
  section.integer("window", client.window, {1, 10'000});
  read_pace(section, "pace", client.pace_per_s);
  section.integer("sessions_max", client.sessions_max, {1, 10'000});
  section.integer("queue_max", client.queue_max, {1, 100'000'000});
  section.integer("queue_octets_max", client.queue_octets_max, {256 * 1024, 0xFFFFFFFF});
  section.seconds("queue_full_seconds", client.queue_full_us, {0.01, 3600});
  section.integer("receipts_max", client.receipts_max, {1, 100'000'000});
  section.integer("receipts_memory", client.receipts_memory, {1, 10'000'000});
  section.integer("receipts_window", client.receipts_window, {1, 10'000});
  section.seconds("response_timeout_seconds", client.response_timeout_us, {0.1, 3600});
  section.seconds("enquire_link_seconds", client.enquire_link_us, {0, 86'400});
  section.seconds("inactivity_seconds", client.inactivity_us, {0, 86'400});
  section.seconds("receipt_keep_seconds", client.receipt_keep_us, {1, 2'592'000});
}

void check_queue(Section& section, std::uint32_t messages_max, const ClientConfig& client) {
  if (!section.has("queue_max") || client.queue_max <= messages_max) return;
  section.fault("queue_max", "never reached: gateway.limits.messages_per_shard is smaller",
                "at most " + std::to_string(messages_max));
}

std::vector<std::string> Config::client_names() const {
  std::vector<std::string> names;
  for (const ClientConfig& client : clients) names.push_back(client.system_id);
  return names;
}

std::vector<std::string> Config::carrier_names() const {
  std::vector<std::string> names;
  for (const carriers::CarrierConfig& carrier : carriers) names.push_back(carrier.name);
  return names;
}

std::string ConfigFault::text() const {
  std::string text = file;
  if (line != 0) text += ":" + std::to_string(line) + ":" + std::to_string(column);
  text += ": ";
  if (!key.empty()) text += key;
  if (!value.empty()) text += " = " + value;
  if (!key.empty()) text += ": ";
  text += reason;
  if (!right.empty()) text += " (right: " + right + ")";
  return text;
}

tl::expected<Config, std::vector<ConfigFault>> load_config(const std::string& path,
                                                           std::uint32_t shards) {
  Config config;
  config.path = path;
  std::vector<std::string> plain_passwords;
  Faults faults(proto::escaped(path));
  const auto file = core::read_file(path, kTomlOfConfig.octets);
  read_toml(file, kTomlOfConfig, faults, [&](Section& root) {
    const std::string directory = std::filesystem::path(path).parent_path().string();
    root.require("gateway", "[gateway] with at least listen and tables");
    const bool has_tables = root.has("tables");
    root.section("gateway", [&](Section& section) {
      read_gateway(section, directory, has_tables, config.gateway);
    });
    if (shards != 0) config.gateway.shards = shards;
    root.section("tables", [&](Section& section) { read_tables(section, directory, config); });
    root.section("journal", [&](Section& section) {
      read_journal(section, directory, config.gateway.shards, config.journal);
    });
    root.section("records", [&](Section& section) {
      read_records(section, directory, !config.tables.redis.empty(), config.records);
      if (same_place(config.records.directory, config.journal.directory) ||
          same_place(config.records.directory, config.journal.directory + "/due")) {
        section.fault("directory", "is [journal]'s, which belongs to the journal alone",
                      "another directory, such as \"records\"");
      }
      check_rings(section, "rotate_octets", config.records.rotate_octets, config.gateway.shards,
                  kDetailRingLeast);
    });
    PeerPlace place{directory, "", "", ""};
    Unique clients;
    root.require("client", "[[client]], once for each account that may bind");
    root.sections("client", kClientsMax, [&](Section& section) {
      ClientConfig& client = config.clients.emplace_back();
      read_client(section, place, client, plain_passwords.emplace_back());
      clients.take(section, "system_id", client.system_id);
      check_queue(section, config.gateway.limits.messages_per_shard, client);
    });
    Unique carriers;
    root.require("carrier", "[[carrier]], once for each");
    root.sections("carrier", kCarriersMax, [&](Section& section) {
      read_carrier(section, place, config.carriers.emplace_back());
      carriers.take(section, "name", config.carriers.back().name);
    });
  });
  config.tables.secrets =
      (std::filesystem::path(path).parent_path() / config.tables.secrets).string();
  if (faults.size() != 0) return tl::make_unexpected(std::move(faults).sorted());
  for (std::size_t i = 0; i < config.clients.size(); ++i) {
    if (plain_passwords[i].empty()) continue;
    config.clients[i].password_hash = hash_password(plain_passwords[i]);
  }
  return config;
}

}  // namespace tollgate::gateway
