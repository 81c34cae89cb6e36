// Every kind of fault, with the exact place and words that the operator gets.
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "gateway/config/config.h"
#include "tests/gateway/config/config_place.h"

using namespace tollgate::gateway;

namespace {

// Each fault as "line:column key = value: reason | what would be right".
std::vector<std::string> faults_of(const std::string& text) {
  const ConfigPlace place;
  const auto config = load_config(place.write(text));
  std::vector<std::string> faults;
  if (config) return faults;
  for (const ConfigFault& fault : config.error()) {
    CHECK(fault.file == (place.directory / "tollgate.toml").string());
    const std::string value = fault.value.empty() ? "" : " = " + fault.value;
    const std::string where = std::to_string(fault.line) + ":" + std::to_string(fault.column) + " ";
    // toml++'s own words and the directory's name are not ours to assert.
    if (fault.reason.starts_with("no valid TOML: ")) {
      faults.push_back(where + ": no valid TOML");
    } else {
      std::string reason = fault.reason;
      for (const char* part : {": /", ": there is no such file in /"}) {
        if (const auto at = reason.find(part); at != reason.npos) reason.resize(at);
      }
      faults.push_back(where + fault.key + value + ": " + reason + " | " + fault.right);
    }
  }
  return faults;
}

// A file that is fine but for `line`, which is line 4 of it (line 3 in a carrier).
std::string in_gateway(const std::string& line) {
  return std::string(kGateway) + line + "\n" + kClient + kCarrier;
}
std::string in_client(const std::string& line) {
  return std::string(kClient) + line + "\n" + kGateway + kCarrier;
}
std::string in_carrier(const std::string& line) {
  return "[[carrier]]\nname = \"alpha\"\n" + line +
         "\n[[carrier.bind]]\nhost = \"127.0.0.1\"\nport = 3551\nsystem_id = \"us\"\n" + kGateway +
         kClient;
}
// Line 7 here.
std::string in_bind(const std::string& line) {
  return std::string(kCarrier) + line + "\n" + kGateway + kClient;
}

struct Case {
  std::string text;
  std::vector<std::string> wanted;
};

void check_all(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    INFO(each.text);
    CHECK(faults_of(each.text) == each.wanted);
  }
}

}  // namespace

TEST_CASE("faults of [journal]", "[config]") {
  const std::string before = std::string(kGateway) + "[journal]\n";
  const std::string after = std::string(kClient) + kCarrier;
  check_all({
      {before + after,
       {"4:1 journal.directory: missing | where the journal is kept, such as "
        "\"journal\""}},
      {before + "directory = \"j\"\nsegment_octets = 1048576\n" + after,
       {"6:18 journal.segment_octets = 1048576: out of range | an integer of 4194304-1073741824"}},
      {before + "directory = \"j\"\nsegment_octets = 4194305\n" + after,
       {"6:18 journal.segment_octets = 4194305: is no multiple of 4096 | such as 67108864"}},
      {std::string(kGateway) + "shards = 8\n[journal]\ndirectory = \"j\"\n" +
           "segment_octets = 4194304\n" + after,
       {"7:18 journal.segment_octets = 4194304: has no room for the rings of 8 shards | at least "
        "8388608"}},
      {before + "directory = \"j\"\nfsync = false\n" + after,
       {"6:1 journal.fsync: unknown key | one of directory, segment_octets, reserve_octets, "
        "dead_letter_files"}},
      {before + "directory = \"j\"\ndead_letter_files = 0\n" + after,
       {"6:21 journal.dead_letter_files = 0: out of range | an integer of 1-1000"}},
  });
}

TEST_CASE("faults of [gateway]", "[config]") {
  check_all({
      {in_gateway("shard = 2"), {"4:1 gateway.shard: unknown key | did you mean \"shards\"?"}},
      {in_gateway("wholly_else = 2"),
       {"4:1 gateway.wholly_else: unknown key | one of shards, system_id, listen, metrics, tables, "
        "drain_seconds, session_init_seconds, auth_threads, in_doubt_hold_seconds, "
        "retry_first_seconds, "
        "retry_max_seconds, log_level, limits"}},
      {in_gateway("\"sh\\u001b[31mards\" = 2"),
       {"4:1 gateway.sh\\x1b[31mards: unknown key | one of shards, system_id, listen, metrics, "
        "tables, drain_seconds, session_init_seconds, auth_threads, in_doubt_hold_seconds, "
        "retry_first_seconds, "
        "retry_max_seconds, log_level, limits"}},
      {in_gateway("shards = \"2\""),
       {"4:10 gateway.shards = \"2\": is a string | an integer of 1-64"}},
      {in_gateway("shards = 0"), {"4:10 gateway.shards = 0: out of range | an integer of 1-64"}},
      {in_gateway("shards = 65"), {"4:10 gateway.shards = 65: out of range | an integer of 1-64"}},
      {in_gateway("shards = 2.0"),
       {"4:10 gateway.shards = 2.0: is a number with a fraction | an integer of 1-64"}},
      {in_gateway("shards = -1"), {"4:10 gateway.shards = -1: out of range | an integer of 1-64"}},
      {in_gateway("shards = 99999999999"),
       {"4:10 gateway.shards = 99999999999: out of range | an integer of 1-64"}},
      {in_gateway("drain_seconds = true"),
       {"4:17 gateway.drain_seconds = true: is true or false | a number of 0-3600"}},
      {in_gateway("drain_seconds = nan"),
       {"4:17 gateway.drain_seconds = nan: out of range | a number of 0-3600"}},
      {in_gateway("drain_seconds = 3601"),
       {"4:17 gateway.drain_seconds = 3601: out of range | a number of 0-3600"}},
      {in_gateway("log_level = \"loud\""),
       {"4:13 gateway.log_level = \"loud\": not a known word here | \"debug\", \"info\", \"warn\", "
        "\"error\""}},
      {in_gateway("log_level = 3"),
       {"4:13 gateway.log_level = 3: is an integer | \"debug\", \"info\", \"warn\", \"error\""}},
      {in_gateway("system_id = \"\""),
       {"4:13 gateway.system_id = \"\": 0 octets long | a string of 1-15 octets"}},
      {in_gateway("system_id = \"0123456789abcdef\""),
       {"4:13 gateway.system_id = \"0123456789abcdef\": 16 octets long | a string of 1-15 octets"}},
      {in_gateway("system_id = \"a\\u0000b\""),
       {"4:13 gateway.system_id = \"a\\x00b\": holds a NUL | a string of 1-15 octets"}},
      {in_gateway("system_id = \"caf\u00e9\""),
       {"4:13 gateway.system_id = \"caf\\xc3\\xa9\": holds octets that are not printable ASCII | "
        "printable ASCII"}},
      {in_gateway("limits = 3"),
       {"4:10 gateway.limits = 3: is an integer | a table: [gateway.limits] and its keys below"}},
      {in_gateway("[gateway.limits]\nmailbox_octets = 300000"),
       {"5:18 gateway.limits.mailbox_octets = 300000: no power of two | 524288"}},
      {in_gateway("[gateway.limits]\nmailbox_octet = 131072"),
       {"5:1 gateway.limits.mailbox_octet: unknown key | did you mean \"mailbox_octets\"?"}},
      {in_gateway("metrics = \"9108\""),
       {"4:11 gateway.metrics = \"9108\": no port | \"127.0.0.1:9108\", or \"\" for none"}},
      {in_gateway("metrics = \"localhost:9108\""),
       {"4:11 gateway.metrics = \"localhost:9108\": the host is no IP address | "
        "\"127.0.0.1:9108\", or \"\" for none"}},
      {in_gateway("metrics = \"127.0.0.1:0\"\nmetrics = \"\""), {"5:11 : no valid TOML"}},
  });
}

TEST_CASE("faults of [[client]]", "[config]") {
  check_all({
      {in_client("windw = 10"), {"4:1 client[1].windw: unknown key | did you mean \"window\"?"}},
      {in_client("window = 0"),
       {"4:10 client[1].window = 0: out of range | an integer of 1-10000"}},
      {in_client("window = 10001"),
       {"4:10 client[1].window = 10001: out of range | an integer of 1-10000"}},
      {in_client("pace = -0.5"),
       {"4:8 client[1].pace = -0.5: out of range | a number of 0-1000000"}},
      {in_client("allow = [\"10.0.0.1/8\", \"ten\", 10]"),
       {"4:10 client[1].allow[1] = \"10.0.0.1/8\": bits are set behind the network's length | an "
        "address or a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"",
        "4:24 client[1].allow[2] = \"ten\": no IPv4 or IPv6 address | an address or a network such "
        "as \"10.0.0.0/8\" or \"2001:db8::/32\"",
        "4:31 client[1].allow[3] = 10: is an integer | \"10.0.0.0/8\", \"::1\", ..."}},
      {in_client("versions = [\"3.4\", \"4.0\"]"),
       {"4:20 client[1].versions[2] = \"4.0\": no version of SMPP that we speak | a list of "
        "\"3.3\", \"3.4\", \"5.0\""}},
      {in_client("versions = []"),
       {"4:12 client[1].versions = []: no version is left to bind with | a list of \"3.3\", "
        "\"3.4\", \"5.0\""}},
      {in_client("password_hash = \"x\""),
       {"4:17 client[1].password_hash = (not shown): password is given too | one of them"}},
      {in_client("queue_max = 2000000"),
       {"4:13 client[1].queue_max = 2000000: never reached: gateway.limits.messages_per_shard is "
        "smaller | at most 1000000"}},
      {in_client("response_timeout_seconds = 0"),
       {"4:28 client[1].response_timeout_seconds = 0: out of range | a number of 0.1-3600"}},
      {in_client("[[client]]\nsystem_id = \"shop\"\npassword = \"other\""),
       {"5:13 client[2].system_id = \"shop\": used already in line 2 | a name of its own"}},
      {in_client("[[client]]\nsystem_id = \"agg\""),
       {"4:1 client[2].password: missing | password, password_file or password_hash (a crypt(5) "
        "string)"}},
      {in_client("[[client]]\npassword = \"x\""),
       {"4:1 client[2].system_id: missing | 1-15 characters, what the client binds with"}},
      {in_client("[[client]]\nsystem_id = \"agg\"\npassword = \"123456789\""),
       {"6:12 client[2].password = (not shown): 9 octets long | at most 8 by the specification, or "
        "long_password = true for up to 64"}},
      {in_client("[[client]]\nsystem_id = \"agg\"\npassword = 12345"),
       {"6:12 client[2].password = (not shown): is an integer | a string of 1-64 octets"}},
      {in_client("[[client]]\nsystem_id = \"agg\"\npassword_hash = \"secret\""),
       {"6:17 client[2].password_hash = (not shown): no crypt(5) string: it does not start with $ "
        "| the output of: mkpasswd --method=yescrypt"}},
      {in_client("[[client]]\nsystem_id = \"agg\"\npassword_hash = \"$9$secret\""),
       {"6:17 client[2].password_hash = (not shown): a method or setting that this system cannot "
        "check | the output of: mkpasswd --method=yescrypt"}},
  });
}

TEST_CASE("faults of [[carrier]], its timers and its dialect", "[config]") {
  check_all({
      {in_carrier("pace = 1e9"),
       {"3:8 carrier[1].pace = 1000000000.0: out of range | a number of 0-1000000"}},
      {in_carrier("pace = 1e300"),
       {"3:8 carrier[1].pace = 1e+300: out of range | a number of 0-1000000"}},
      {in_carrier("pace = 1e-300"),
       {"3:8 carrier[1].pace = 1e-300: slower than one message in 100 s | 0 (no limit), or "
        "0.01-1000000"}},
      {in_carrier("mo_status = \"ESME_NO\""),
       {"3:13 carrier[1].mo_status = \"ESME_NO\": no command_status | a status such as "
        "ESME_RMSGQFUL or 0x0450"}},
      {in_carrier("timer = 1"), {"3:1 carrier[1].timer: unknown key | did you mean \"timers\"?"}},
      {in_carrier("[carrier.timers]\nreconnect_first_seconds = 60"),
       {"4:27 carrier[1].timers.reconnect_first_seconds = 60: the maximum is below the first | "
        "reconnect_max_seconds of at least reconnect_first_seconds"}},
      {in_carrier("[carrier.timers]\nbusy_first_seconds = 2\nbusy_max_seconds = 1"),
       {"5:20 carrier[1].timers.busy_max_seconds = 1: the maximum is below the first | "
        "busy_max_seconds of at least busy_first_seconds"}},
      {in_carrier("[carrier.dialect]\nid_response = \"octal\""),
       {"4:15 carrier[1].dialect.id_response = \"octal\": not a known word here | \"text\", "
        "\"hex\", \"decimal\""}},
      {in_carrier("[carrier.dialect]\nservice_type = \"123456\""),
       {"4:16 carrier[1].dialect.service_type = \"123456\": 6 octets long | a string of 0-5 "
        "octets"}},
      {in_carrier("[carrier.dialect]\nsource_ton = 256"),
       {"4:14 carrier[1].dialect.source_ton = 256: out of range | an integer of 0-255"}},
      {in_carrier("[carrier.dialect.status_classes]\nESME_RMSGQFULL = \"failover\"\n"
                  "ESME_ROK = \"failover\"\n0x14 = \"ok\"\nESME_RSYSERR = 4"),
       {"4:1 carrier[1].dialect.status_classes.ESME_RMSGQFULL: no command_status | a status such "
        "as ESME_RMSGQFUL or 0x0450",
        "5:1 carrier[1].dialect.status_classes.ESME_ROK: ESME_ROK always means taken | a status, "
        "and one of temporary, failover, permanent, configuration, throttle",
        "6:8 carrier[1].dialect.status_classes.0x14 = \"ok\": no status class that a refusal can "
        "have | a status, and one of temporary, failover, permanent, configuration, throttle",
        "7:16 carrier[1].dialect.status_classes.ESME_RSYSERR = 4: is an integer | a status, and "
        "one of temporary, failover, permanent, configuration, throttle"}},
      {in_carrier("[carrier.dialect]\nerror_texts = [\"021\"]"),
       {"4:15 carrier[1].dialect.error_texts = [ '021' ]: is a list | the receipts' err word, and "
        "a text for people"}},
  });
}

TEST_CASE("faults of [[carrier.bind]]", "[config]") {
  check_all({
      {in_bind("kind = \"bind_transceiver\""),
       {"7:8 carrier[1].bind[1].kind = \"bind_transceiver\": not a known word here | "
        "\"transceiver\", \"transmitter\", \"receiver\""}},
      {in_bind("interface_version = 3.4"),
       {"7:21 carrier[1].bind[1].interface_version = 3.4: is a number with a "
        "fraction | \"3.3\", \"3.4\", \"5.0\""}},
      {in_bind("interface_version = \"3.3\""),
       {"7:21 carrier[1].bind[1].interface_version = \"3.3\": 3.3 has no transceiver bind | kind = "
        "\"transmitter\" and a second bind with kind = \"receiver\""}},
      {in_bind("kind = \"receiver\""),
       {"3:1 carrier[1].bind: no bind can transmit: nothing can ever be sent to this carrier | "
        "kind = \"transceiver\" or \"transmitter\" on at least one"}},
      {in_bind("passwd = \"x\""),
       {"7:1 carrier[1].bind[1].passwd: unknown key | did you mean \"password\"?"}},
      {in_bind("[[carrier.bind]]"),
       {"7:1 carrier[1].bind[2].host: missing | the carrier's host name or address",
        "7:1 carrier[1].bind[2].port: missing | an integer of 1-65535",
        "7:1 carrier[1].bind[2].system_id: missing | 1-15 characters, what the carrier gave us"}},
      {in_bind("[[carrier.bind]]\nhost = \"\"\nport = 0\nsystem_id = \"0123456789abcdef\""),
       {"8:8 carrier[1].bind[2].host = \"\": 0 octets long | a string of 1-253 octets",
        "9:8 carrier[1].bind[2].port = 0: out of range | an integer of 1-65535",
        "10:13 carrier[1].bind[2].system_id = \"0123456789abcdef\": 16 octets long | a string of "
        "1-15 octets"}},
      {in_bind("[[carrier]]\nname = \"alpha\"\n[[carrier.bind]]\nhost = \"h\"\nport = 1\n"
               "system_id = \"us\""),
       {"8:8 carrier[2].name = \"alpha\": used already in line 2 | a name of its own"}},
      {in_bind("[[carrier]]\nname = \"../etc\""),
       {"7:1 carrier[2].bind: missing | [[carrier.bind]], once for each connection to the carrier",
        "8:8 carrier[2].name = \"../etc\": holds other characters | 1-32 letters, digits, '-', '_' "
        "or '.', a letter or digit first"}},
      {in_bind("[[carrier]]\nname = \"bravo\""),
       {"7:1 carrier[2].bind: missing | [[carrier.bind]], once for each connection to the "
        "carrier"}},
  });
}

TEST_CASE("faults of the file as a whole", "[config]") {
  check_all({
      {"[gateway]\nlisten = [\"127.0.0.1:2775\", \"::1:2775\", 7, \"127.0.0.1:2775\", "
       "\"127.0.0.1:70000\", \"smsc:2775\", \"[::1]\"]\ntables = \"tables\"\n" +
           std::string(kClient) + kCarrier,
       {"2:29 gateway.listen[2] = \"::1:2775\": an IPv6 address without its brackets | "
        "\"127.0.0.1:2775\", \"[::1]:2775\", or a list of such",
        "2:41 gateway.listen[3] = 7: is an integer | \"127.0.0.1:2775\", \"[::1]:2775\", or a list "
        "of such",
        "2:44 gateway.listen[4] = \"127.0.0.1:2775\": listed twice | each address once",
        "2:62 gateway.listen[5] = \"127.0.0.1:70000\": the port is not 0-65535 | "
        "\"127.0.0.1:2775\", \"[::1]:2775\", or a list of such",
        "2:81 gateway.listen[6] = \"smsc:2775\": the host is no IP address | \"127.0.0.1:2775\", "
        "\"[::1]:2775\", or a list of such",
        "2:94 gateway.listen[7] = \"[::1]\": no port | \"127.0.0.1:2775\", \"[::1]:2775\", or a "
        "list of such"}},
      {"[gateway]\nlisten = []\ntables = \"tables\"\n" + std::string(kClient) + kCarrier,
       {"2:10 gateway.listen = []: no address to listen on | \"127.0.0.1:2775\", \"[::1]:2775\", "
        "or a list of such"}},
      {"[gateway]\nlisten = \"127.0.0.1:2775\"\nmetrics = \"127.0.0.1:2775\"\ntables = "
       "\"tables\"\n" +
           std::string(kClient) + kCarrier,
       {"3:11 gateway.metrics = \"127.0.0.1:2775\": clients bind on the same address | another "
        "port"}},
      {"[gateway]\nlisten = \"127.0.0.1:2775\"\ntables = \"nowhere\"\n" + std::string(kClient) +
           kCarrier,
       {"3:10 gateway.tables = \"nowhere\": no such directory | a directory, absolute or relative "
        "to this file"}},
      {"[gateway]\n" + std::string(kClient) + kCarrier,
       {"1:1 gateway.listen: missing | \"127.0.0.1:2775\", \"[::1]:2775\", or a list of such",
        "1:1 gateway.tables: missing | the directory of the CSV tables, such as \"tables\""}},
      {"[gateway]\nlisten = \"127.0.0.1:0\"\n[tables]\n" + std::string(kClient) + kCarrier,
       {"3:1 tables.directory: missing | directory = \"tables\", or redis = \"host:port\", "
        "\"host:port/database\" or a socket's path"}},
      {std::string(kGateway) + "[tables]\nredis = \"127.0.0.1:1\"\n" + kClient + kCarrier,
       {"4:1 tables: gateway.tables names a directory already | either of them"}},
      {"[gateway]\nlisten = \"127.0.0.1:0\"\n[tables]\nredis = \"127.0.0.1:1/x\"\n"
       "password_file = \"nowhere\"\npoll_seconds = 0\n" +
           std::string(kClient) + kCarrier,
       {"4:9 tables.redis = \"127.0.0.1:1/x\": its database is no number of at most 10000 | "
        "\"host:port\", \"host:port/database\" or a socket's path",
        "5:17 tables.password_file = (not shown): cannot be used | a file with the password "
        "in its first line",
        "6:16 tables.poll_seconds = 0: out of range | a number of 0.05-3600"}},
      {"",
       {"1:1 gateway: missing | [gateway] with at least listen and tables",
        "1:1 client: missing | [[client]], once for each account that may bind",
        "1:1 carrier: missing | [[carrier]], once for each"}},
      {"x", {"1:2 : no valid TOML"}},
      {"[gateway]\nlisten = \"a\nb\"", {"2:12 : no valid TOML"}},
      {"gateway = 1\nclient = 1\ncarrier = [1]\n",
       {"1:11 gateway = 1: is an integer | a table: [gateway] and its keys below",
        "2:10 client = 1: is an integer | [[client]], once for each, and its keys below",
        "3:11 carrier = [ 1 ]: is a list | [[carrier]], once for each, and its keys below"}},
  });
}

TEST_CASE("every fault of a file is told, in the order of its lines", "[config]") {
  const std::string text = "[[carrier]]\nname = \"\"\n[[carrier.bind]]\nhost = 1\nprot = 2\n" +
                           std::string("[[client]]\nwindow = 0\n[gateway]\nlisten = 4\n");
  std::vector<std::string> places;
  for (const std::string& fault : faults_of(text)) {
    places.push_back(fault.substr(0, fault.find_first_of("=:", fault.find(' '))));
  }
  CHECK(places == std::vector<std::string>{"2:8 carrier[1].name ", "3:1 carrier[1].bind[1].port",
                                           "3:1 carrier[1].bind[1].system_id",
                                           "4:8 carrier[1].bind[1].host ",
                                           "5:1 carrier[1].bind[1].prot", "6:1 client[1].system_id",
                                           "6:1 client[1].password", "7:10 client[1].window ",
                                           "8:1 gateway.tables", "9:10 gateway.listen "});
}

TEST_CASE("a fault reads as file:line:column, what is there and what would be right", "[config]") {
  CHECK(ConfigFault{"a.toml", 12, 10, "client[2].window", "0", "out of range", "1-10"}.text() ==
        "a.toml:12:10: client[2].window = 0: out of range (right: 1-10)");
  CHECK(ConfigFault{"a.toml", 0, 0, "", "", "no such file", ""}.text() == "a.toml: no such file");
}

TEST_CASE("a file that cannot be read is one fault", "[config]") {
  const ConfigPlace place;
  const auto reason = [](const std::string& path) {
    const auto config = load_config(path);
    REQUIRE_FALSE(config);
    REQUIRE(config.error().size() == 1);
    return config.error()[0].reason;
  };
  CHECK(reason((place.directory / "none.toml").string()) == "does not exist");
  CHECK(reason(place.directory.string()) == "is a directory");
  CHECK(reason(place.write(std::string(16 * 1024 * 1024 + 1, '#'))) == "is larger than 16 MiB");
  CHECK(reason(place.write("a = \"\xff\"")).starts_with("no valid TOML"));
  const std::string pipe = (place.directory / "pipe").string();
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(reason(pipe) == "is a pipe, not a file");
  CHECK(reason("/dev/zero") == "is a device, not a file");
  CHECK(reason(place.write(std::string(16 * 1024 * 1024, '"'))).starts_with("no valid TOML"));
  std::string deep;
  for (int i = 0; i < 50'000; ++i) deep += "a.";
  CHECK(reason(place.write(deep + "a = 1")) == "has a key of more than 16 parts");
}

TEST_CASE("records do not lie in the journal's directory", "[config]") {
  for (const char* records : {"journal", "./journal/", "journal/../journal", "journal/due"}) {
    const auto faults =
        faults_of(std::string(kGateway) + "[journal]\ndirectory = \"journal\"\n" +
                  "[records]\ndirectory = \"" + records + "\"\n" + kClient + kCarrier);
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].find("records.directory = ") != faults[0].npos);
    CHECK(faults[0].find("belongs to the journal alone") != faults[0].npos);
  }
}

TEST_CASE("a password in a URL, a user or a file's name is not shown", "[config]") {
  for (const char* line :
       {"redis = \"redis://:hunter2@127.0.0.1:6379/0\"", "redis = \"a:hunter2@127.0.0.1:6379\"",
        "redis = \"redis://hunter2\"", "user = \"u:hunter2\\n\"", "password_file = \"hunter2\"",
        "password_file = \"hunter2/x\""}) {
    INFO(line);
    const auto faults = faults_of(
        "[gateway]\nlisten = \"127.0.0.1:0\"\n[tables]\n" +
        std::string(std::string_view(line).starts_with("redis") ? "" : "redis = \"a:1\"\n") + line +
        "\n" + kClient + kCarrier);
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].find("hunter2") == faults[0].npos);
  }
}

TEST_CASE("passwords are never shown", "[config]") {
  for (const char* line :
       {"password = \"hunter2-and-more\"", "password = [\"hunter2\"]",
        "password_hash = \"hunter2\"", "password = \"hunter2\" x",
        "carrier = [{password = \"hunter2\"}, 3]", "window = [[{password = \"hunter2\"}]]"}) {
    const auto faults =
        faults_of(in_client("[[client]]\nsystem_id = \"agg\"\n" + std::string(line)));
    REQUIRE_FALSE(faults.empty());
    for (const std::string& fault : faults) CHECK(fault.find("hunter2") == fault.npos);
  }
}
