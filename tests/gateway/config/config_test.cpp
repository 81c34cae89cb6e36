#include "gateway/config/config.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "tests/gateway/config/config_place.h"

using namespace tollgate;
using namespace tollgate::gateway;

namespace {

namespace fs = std::filesystem;

Config good(const std::string& text) {
  const ConfigPlace place;
  auto config = load_config(place.write(text));
  if (!config) {
    for (const ConfigFault& fault : config.error()) UNSCOPED_INFO(fault.text());
  }
  REQUIRE(config);
  return *config;
}

}  // namespace

TEST_CASE("the least file that works, and its defaults", "[config]") {
  const Config config = good(std::string(kGateway) + kClient + kCarrier);
  CHECK(config.gateway.shards == 1);
  CHECK(config.gateway.listen == std::vector<core::Address>{{"127.0.0.1", 0}});
  CHECK(config.gateway.metrics.empty());
  CHECK(fs::path(config.gateway.tables).filename() == "tables");
  CHECK(config.gateway.limits.messages_per_shard == 1'000'000);
  REQUIRE(config.clients.size() == 1);
  CHECK(config.clients[0].window == 100);
  CHECK(config.clients[0].queue_max == 10'000);
  CHECK(config.clients[0].versions.allows(0x33));
  CHECK(config.clients[0].versions.allows(0x50));
  CHECK(config.clients[0].password_hash.starts_with("$y$"));
  REQUIRE(config.carriers.size() == 1);
  CHECK(config.carriers[0].binds.at(0).kind == proto::Command::bind_transceiver);
  CHECK(config.carriers[0].binds.at(0).address == core::Address{"127.0.0.1", 3551});
  CHECK(config.client_names() == std::vector<std::string>{"shop"});
  CHECK(config.carrier_names() == std::vector<std::string>{"alpha"});
}

TEST_CASE("every key of [gateway] is read into its field", "[config]") {
  const Config config = good(std::string(R"([gateway]
listen = ["0.0.0.0:2775", "[::]:2775"]
metrics = "127.0.0.1:9108"
tables = "tables"
shards = 4
system_id = "TG"
drain_seconds = 1.5
session_init_seconds = 2
auth_threads = 3
in_doubt_hold_seconds = 5
log_level = "warn"
[gateway.limits]
messages_per_shard = 5000
mailbox_octets = 262144
connections_max = 7
unbound_max = 16
unbound_per_source = 3
connection_output_octets = 300000

)") + kClient + kCarrier);
  const GatewayConfig& gateway = config.gateway;
  CHECK(gateway.listen == std::vector<core::Address>{{"0.0.0.0", 2775}, {"::", 2775}});
  CHECK(gateway.metrics == "127.0.0.1:9108");
  CHECK(gateway.shards == 4);
  CHECK(gateway.system_id == "TG");
  CHECK(gateway.drain_us == 1'500'000);
  CHECK(gateway.session_init_us == 2'000'000);
  CHECK(gateway.in_doubt_hold_us == 5'000'000);
  CHECK(gateway.log_level == LogLevel::warn);
  CHECK(gateway.limits.messages_per_shard == 5000);
  CHECK(gateway.limits.mailbox_octets == 262144);
  CHECK(gateway.limits.connections_max == 7);
  CHECK(gateway.limits.unbound_max == 16);
  CHECK(gateway.limits.unbound_per_source == 3);
  CHECK(gateway.auth_threads == 3);
  CHECK(gateway.limits.connection_output_octets == 300000);
}

TEST_CASE("every key of [[client]] is read into its field", "[config]") {
  const Config config = good(std::string(kGateway) + kCarrier + R"([[client]]
system_id = "agg"
password = "0123456789"
long_password = true
allow = ["10.0.0.0/8", "::1"]
versions = ["3.3", "5.0"]
accept = "relay"
relay_seconds = 10
window = 10000
pace = 0.5
sessions_max = 2
queue_max = 3
receipts_max = 4
receipts_memory = 10
receipts_window = 5
response_timeout_seconds = 6
enquire_link_seconds = 7
inactivity_seconds = 8
receipt_keep_seconds = 9

)");
  const ClientConfig& client = config.clients.at(0);
  CHECK(client.long_password);
  CHECK(client.allow.size() == 2);
  CHECK(client.versions.allows(0x33));
  CHECK_FALSE(client.versions.allows(0x34));
  CHECK(client.versions.allows(0x50));
  CHECK(client.accept == Accept::relay);
  CHECK(client.relay_us == 10'000'000);
  CHECK(client.window == 10'000);
  CHECK(client.pace_per_s == 0.5);
  CHECK(client.sessions_max == 2);
  CHECK(client.queue_max == 3);
  CHECK(client.receipts_max == 4);
  CHECK(client.receipts_memory == 10);
  CHECK(client.receipts_window == 5);
  CHECK(client.response_timeout_us == 6'000'000);
  CHECK(client.enquire_link_us == 7'000'000);
  CHECK(client.inactivity_us == 8'000'000);
  CHECK(client.receipt_keep_us == 9'000'000);
}

TEST_CASE("every key of [carrier.retry] is read into its field", "[config]") {
  const Config config = good(std::string(kGateway) + kClient + R"([[carrier]]
name = "alpha"
[carrier.retry]
temporary_attempts = 0
temporary_first_seconds = 1.5
temporary_max_seconds = 2.5
failover_attempts = 4
failover_first_seconds = 3.0
failover_max_seconds = 4.0
throttle_attempts = 5
[[carrier.bind]]
host = "h"
port = 1
system_id = "us"
)");
  const carriers::CarrierConfig& carrier = config.carriers.at(0);
  CHECK(carrier.retry.temporary.attempts == 0);
  CHECK(carrier.retry.temporary.first_ms == 1'500);
  CHECK(carrier.retry.temporary.max_ms == 2'500);
  CHECK(carrier.retry.failover.attempts == 4);
  CHECK(carrier.retry.failover.first_ms == 3'000);
  CHECK(carrier.retry.failover.max_ms == 4'000);
  CHECK(carrier.retry.throttle_attempts == 5);
}

TEST_CASE("every key of [[carrier]] and its timers is read into its field", "[config]") {
  const Config config = good(std::string(kGateway) + kClient + R"([[carrier]]
name = "Alpha-1_x.y"
pace = 12.5
pace_burst_seconds = 0.1
number_window = 7
queue_max = 11
queue_octets_max = 200000
in_doubt = "resend"
awaiting_max = 2000
awaiting_hours = 1
early_receipts_max = 13
early_octets_max = 300000
mo_status = "0x65"
[carrier.timers]
reconnect_first_seconds = 0.1
reconnect_max_seconds = 0.2
stable_seconds = 0.3
alarm_seconds = 0.4
connect_seconds = 0.5
bind_response_seconds = 0.6
response_seconds = 0.7
enquire_link_seconds = 0.8
enquire_misses = 9
drain_seconds = 1.0
unbind_seconds = 1.1
throttle_first_seconds = 1.2
throttle_max_seconds = 1.3
busy_first_seconds = 1.4
busy_max_seconds = 1.5
early_receipt_seconds = 1.6
[[carrier.bind]]
host = "h"
port = 1
system_id = "us"
)");
  const carriers::CarrierConfig& carrier = config.carriers.at(0);
  CHECK(carrier.name == "Alpha-1_x.y");
  CHECK(carrier.pace_per_s == 12.5);
  CHECK(carrier.pace_burst_ms == 100);
  CHECK(carrier.number_window == 7);
  CHECK(carrier.queue_max == 11);
  CHECK(carrier.queue_octets_max == 200000);
  CHECK(carrier.in_doubt == carriers::InDoubt::resend);
  CHECK(carrier.awaiting_max == 2000);
  CHECK(carrier.awaiting_hours == 1);
  CHECK(carrier.early_receipts_max == 13);
  CHECK(carrier.early_octets_max == 300000);
  CHECK(carrier.mo_status == proto::Status::ESME_RX_P_APPN);
  const carriers::CarrierTimers& timers = carrier.timers;
  const std::vector<std::uint32_t> read{
      timers.reconnect_first_ms, timers.reconnect_max_ms, timers.stable_ms,
      timers.alarm_ms,           timers.connect_ms,       timers.bind_response_ms,
      timers.response_ms,        timers.enquire_link_ms,  timers.enquire_misses,
      timers.drain_ms,           timers.unbind_ms,        timers.throttle_first_ms,
      timers.throttle_max_ms,    timers.busy_first_ms,    timers.busy_max_ms,
      timers.early_receipt_ms};
  CHECK(read == std::vector<std::uint32_t>{100, 200, 300, 400, 500, 600, 700, 800, 9, 1000, 1100,
                                           1200, 1300, 1400, 1500, 1600});
}

TEST_CASE("every key of [carrier.dialect] is read into its field", "[config]") {
  const Config config = good(std::string(kGateway) + kClient + kCarrier + R"([carrier.dialect]
id_response = "hex"
id_receipt_text = "decimal"
id_receipt_tlv = "hex"
id_strip_leading_zeros = true
id_fold_case = true
tlvs = false
destination_prefix = "double_zero"
service_type = ""
source_ton = 5
source_npi = 0
destination_ton = 1
destination_npi = 255
accepted_is_final = true
unknown_is_final = true
[carrier.dialect.status_classes]
ESME_RMSGQFUL = "failover"
"0x0450" = "permanent"
1105 = "throttle"
[carrier.dialect.error_texts]
"021" = "absent subscriber"
)");
  const carriers::DialectConfig& dialect = config.carriers.at(0).dialect;
  CHECK(dialect.id_response == carriers::IdForm::hex);
  CHECK(dialect.id_receipt_text == carriers::IdForm::decimal);
  CHECK(dialect.id_receipt_tlv == carriers::IdForm::hex);
  CHECK(dialect.id_strip_leading_zeros);
  CHECK(dialect.id_fold_case);
  CHECK_FALSE(dialect.tlvs);
  CHECK(dialect.destination_prefix == carriers::DestinationPrefix::double_zero);
  CHECK(dialect.has_service_type);
  CHECK(dialect.service_type.empty());
  CHECK(dialect.source_ton == 5);
  CHECK(dialect.source_npi == 0);
  CHECK(dialect.destination_ton == 1);
  CHECK(dialect.destination_npi == 255);
  CHECK(dialect.accepted_is_final);
  CHECK(dialect.unknown_is_final);
  auto classes = dialect.status_classes;
  std::sort(classes.begin(), classes.end());
  CHECK(classes ==
        decltype(classes){{proto::Status::ESME_RMSGQFUL, proto::StatusClass::failover},
                          {static_cast<proto::Status>(0x450), proto::StatusClass::permanent},
                          {static_cast<proto::Status>(1105), proto::StatusClass::throttle}});
  CHECK(dialect.error_texts ==
        std::vector<std::pair<std::string, std::string>>{{"021", "absent subscriber"}});
}

TEST_CASE("every key of [[carrier.bind]] is read into its field", "[config]") {
  const Config config = good(std::string(kGateway) + kClient + R"([[carrier]]
name = "alpha"
[[carrier.bind]]
host = "smsc.example"
port = 65535
kind = "transmitter"
system_id = "us"
password = "secret"
system_type = "VMA"
interface_version = "3.3"
addr_ton = 1
addr_npi = 2
address_range = "^447"
window = 50
[[carrier.bind]]
host = "::1"
port = 1
kind = "receiver"
system_id = "us2"
)");
  const carriers::BindConfig& bind = config.carriers.at(0).binds.at(0);
  CHECK(bind.address == core::Address{"smsc.example", 65535});
  CHECK(bind.kind == proto::Command::bind_transmitter);
  CHECK(bind.system_id == "us");
  CHECK(bind.password == "secret");
  CHECK(bind.system_type == "VMA");
  CHECK(bind.interface_version == 0x33);
  CHECK(bind.addr_ton == 1);
  CHECK(bind.addr_npi == 2);
  CHECK(bind.address_range == "^447");
  CHECK(bind.window == 50);
  CHECK(config.carriers.at(0).binds.at(1).kind == proto::Command::bind_receiver);
}

namespace {

std::string manual() {
  std::ifstream file(TOLLGATE_SOURCE_DIR "/deploy/tollgate.toml");
  return {std::istreambuf_iterator<char>(file), {}};
}

double number(auto value) {
  return static_cast<double>(value);
}

// "#key = value" becomes "key = value"; prose starts with "# ".
std::string uncommented(const std::string& text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    const bool key = line.size() > 1 && line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';
    result += (key ? line.substr(1) : line) + "\n";
  }
  return result;
}

std::vector<double> gateway_and_client(const Config& config) {
  const GatewayConfig& gateway = config.gateway;
  const ClientConfig& client = config.clients[0];
  return {number(gateway.shards),
          number(gateway.drain_us),
          number(gateway.session_init_us),
          number(gateway.in_doubt_hold_us),
          number(gateway.retry_first_us),
          number(gateway.retry_max_us),
          number(gateway.log_level),
          number(gateway.limits.messages_per_shard),
          number(gateway.limits.mailbox_octets),
          number(gateway.limits.connections_max),
          number(gateway.limits.unbound_max),
          number(gateway.limits.unbound_per_source),
          number(gateway.auth_threads),
          number(gateway.limits.connection_output_octets),
          number(config.journal.segment_octets),
          number(config.journal.reserve_octets),
          number(config.journal.dead_letter_files),
          number(client.long_password),
          number(client.accept),
          number(client.relay_us),
          number(client.allow.size()),
          number(client.versions.v33),
          number(client.versions.v34),
          number(client.versions.v50),
          client.pace_per_s,
          number(client.sessions_max),
          number(client.queue_max),
          number(client.receipts_max),
          number(client.receipts_memory),
          number(client.receipts_window),
          number(client.response_timeout_us),
          number(client.enquire_link_us),
          number(client.inactivity_us),
          number(client.receipt_keep_us)};
}

std::vector<double> carrier_and_bind(const Config& config) {
  const carriers::CarrierConfig& carrier = config.carriers[0];
  const carriers::BindConfig& bind = carrier.binds[0];
  return {carrier.pace_per_s,
          number(carrier.pace_burst_ms),
          number(carrier.number_window),
          number(carrier.queue_max),
          number(carrier.queue_octets_max),
          number(carrier.in_doubt),
          number(carrier.retry.temporary.attempts),
          number(carrier.retry.temporary.first_ms),
          number(carrier.retry.temporary.max_ms),
          number(carrier.retry.failover.attempts),
          number(carrier.retry.failover.first_ms),
          number(carrier.retry.failover.max_ms),
          number(carrier.retry.throttle_attempts),
          number(carrier.awaiting_max),
          number(carrier.awaiting_hours),
          number(carrier.early_receipts_max),
          number(carrier.early_octets_max),
          number(carrier.mo_status),
          number(bind.kind),
          number(bind.interface_version),
          number(bind.addr_ton),
          number(bind.addr_npi),
          number(bind.system_type.size() + bind.address_range.size())};
}

std::vector<double> timers_and_dialect(const Config& config) {
  const carriers::CarrierTimers& t = config.carriers[0].timers;
  const carriers::DialectConfig& d = config.carriers[0].dialect;
  return {number(t.reconnect_first_ms), number(t.reconnect_max_ms),
          number(t.stable_ms),          number(t.alarm_ms),
          number(t.connect_ms),         number(t.bind_response_ms),
          number(t.response_ms),        number(t.enquire_link_ms),
          number(t.enquire_misses),     number(t.drain_ms),
          number(t.unbind_ms),          number(t.throttle_first_ms),
          number(t.throttle_max_ms),    number(t.busy_first_ms),
          number(t.busy_max_ms),        number(t.early_receipt_ms),
          number(d.id_response),        number(d.id_receipt_text),
          number(d.id_receipt_tlv),     number(d.id_strip_leading_zeros),
          number(d.id_fold_case),       number(d.tlvs),
          number(d.destination_prefix), number(d.accepted_is_final),
          number(d.unknown_is_final)};
}

}  // namespace

TEST_CASE("[tables] names a directory or a Redis", "[config]") {
  const std::string head = "[gateway]\nlisten = \"127.0.0.1:0\"\n[tables]\n";
  const std::string rest = std::string(kClient) + kCarrier;
  const Config plain = good(head + "directory = \"tables\"\n" + rest);
  CHECK(fs::path(plain.gateway.tables).filename() == "tables");
  CHECK(plain.tables.redis.empty());
  struct Case {
    const char* text;
    const char* host;
    std::uint16_t port;
    std::uint32_t database;
  };
  for (const Case& each : std::initializer_list<Case>{{"localhost:6379", "localhost", 6379, 0},
                                                      {"10.0.0.1:7000/3", "10.0.0.1", 7000, 3},
                                                      {"[::1]:6379/1", "::1", 6379, 1},
                                                      {"/run/r.sock", "/run/r.sock", 6379, 0},
                                                      {"/run/r.sock:2", "/run/r.sock", 6379, 2}}) {
    INFO(each.text);
    const Config config = good(head + "redis = \"" + each.text + "\"\n" + rest);
    CHECK(config.gateway.tables.empty());
    CHECK(config.tables.host == each.host);
    CHECK(config.tables.port == each.port);
    CHECK(config.tables.database == each.database);
    CHECK(config.tables.poll_us == 2'000'000);
    CHECK(fs::path(config.tables.cache).filename() == "tables_cache");
    CHECK(fs::path(config.tables.cache).is_absolute());
    CHECK_FALSE(config.tables.require_approval);
  }
  const ConfigPlace place;
  std::ofstream(place.directory / "secret") << "open sesame\nmore\n";
  const auto all = load_config(place.write(head + R"(redis = "127.0.0.1:1"
user = "gw"
password_file = "secret"
prefix = "x:"
cache = "/var/c"
poll_seconds = 0.5
require_approval = true
)" + rest));
  REQUIRE(all);
  CHECK(all->tables.user == "gw");
  CHECK(all->tables.password == "open sesame");
  CHECK(all->tables.prefix == "x:");
  CHECK(all->tables.cache == "/var/c");
  CHECK(all->tables.poll_us == 500'000);
  CHECK(all->tables.require_approval);
}

TEST_CASE("the manual is a configuration that works", "[config]") {
  const Config config = good(manual());
  CHECK(config.client_names() == std::vector<std::string>{"shop", "agg"});
  CHECK(config.carrier_names() ==
        std::vector<std::string>{"alpha", "bravo", "cobalt", "delta", "ember"});
  CHECK(config.gateway.listen == std::vector<core::Address>{{"127.0.0.1", 2775}});
  CHECK(config.gateway.metrics == "127.0.0.1:9108");
  for (const ClientConfig& client : config.clients) CHECK(client.window == 1000);
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(config.carriers[i].binds.at(0).address.port == 3551 + i);
}

TEST_CASE("every default that the manual tells is the default", "[config]") {
  const Config plain = good(manual());
  const Config told = good(uncommented(manual()));
  REQUIRE(uncommented(manual()) != manual());
  CHECK(gateway_and_client(plain) == gateway_and_client(told));
  CHECK(carrier_and_bind(plain) == carrier_and_bind(told));
  CHECK(timers_and_dialect(plain) == timers_and_dialect(told));
  CHECK(plain.gateway.system_id == told.gateway.system_id);
  CHECK(plain.tables.prefix == told.tables.prefix);
  CHECK(fs::path(plain.tables.cache).filename() == fs::path(told.tables.cache).filename());
  CHECK(plain.tables.poll_us == told.tables.poll_us);
  CHECK(plain.tables.require_approval == told.tables.require_approval);
}

TEST_CASE("the manual tells every key there is", "[config]") {
  const std::string text = manual();
  const std::string unknown = "zzzzzzzzzzzz = 1\n";
  const std::string file = unknown + "[gateway]\nlisten = \"127.0.0.1:0\"\n" + unknown +
                           "[tables]\ndirectory = \"tables\"\n" + unknown + "[gateway.limits]\n" +
                           unknown + kClient + unknown + kCarrier + unknown + "[carrier.timers]\n" +
                           unknown + "[carrier.dialect]\n" + unknown;
  const ConfigPlace place;
  const auto config = load_config(place.write(file));
  REQUIRE_FALSE(config);
  std::size_t keys = 0;
  for (const ConfigFault& fault : config.error()) {
    REQUIRE(fault.right.starts_with("one of "));
    std::istringstream words(fault.right.substr(7));
    for (std::string word; words >> word; ++keys) {
      if (word.back() == ',') word.pop_back();
      INFO(fault.key << ": " << word);
      CHECK((text.find(word + " = ") != text.npos || text.find(word + "]") != text.npos));
    }
  }
  CHECK(keys > 70);
}
