// What a table set can name, and what it gets. The publisher writes the tables' directory and no
// other; the operator writes the rest.
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "gateway/config/peer_reader.h"
#include "tests/gateway/config/config_place.h"

namespace tollgate::gateway {
namespace {

namespace fs = std::filesystem;

// A gateway's folder: its configuration, the tables, and the operator's secrets.
struct Folder : ConfigPlace {
  explicit Folder(const std::string& more = "") {
    write_file("redis-password", "of-redis\n");
    write_file("alpha.password", "of-alpha-beside\n");
    write_file("secrets/carriers/alpha/password", "of-alpha\nsmsc.alpha.example\n");
    auto loaded = load_config(write(kGateway + more + kClient + kCarrier));
    REQUIRE(loaded);
    config = std::move(*loaded);
    reader = std::make_unique<PeerReader>(config, PeerReader::Ids::at_once);
  }
  void write_file(const std::string& name, std::string_view text) const {
    fs::create_directories((directory / name).parent_path());
    std::ofstream(directory / name, std::ios::binary) << text;
  }
  // The faults that the tables have, one a line.
  std::string read(bool links_out = false) {
    routing::CompileOptions options;
    options.links_out = links_out;
    std::vector<routing::TableFault> faults;
    peers = std::static_pointer_cast<const Peers>(
        reader->read((directory / "tables").string(), options, faults));
    std::string text;
    for (const auto& fault : faults) text += fault_text(fault) + "\n";
    return text;
  }
  std::string carrier(const std::string& name, const std::string& file,
                      const std::string& host = "smsc.alpha.example") {
    write_file("tables/carriers/" + name + ".toml", "[[bind]]\nhost = \"" + host +
                                                        "\"\nport = 2775\nsystem_id = \"us\"\n" +
                                                        "password_file = \"" + file + "\"\n");
    const std::string faults = read();
    fs::remove(directory / ("tables/carriers/" + name + ".toml"));
    return faults;
  }
  std::string password() const { return peers->carriers.back().config->binds.at(0).password; }

  Config config;
  std::unique_ptr<PeerReader> reader;
  std::shared_ptr<const Peers> peers;
};

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a table set reaches the secrets of the peer itself, and no other file", "[secrets]") {
  Folder place;
  place.write_file("secrets/carriers/evil/own", "of-evil\nevil.example\n");
  CHECK(place.carrier("evil", "own", "evil.example") == "");
  CHECK(place.password() == "of-evil");
  const std::string place_text = (place.directory / "secrets/carriers/evil").string();
  for (const char* name :
       {"../alpha/password", "alpha.password", "../../../redis-password", "redis-password", "..",
        ".", "own/../../alpha/password", "/etc/passwd", "carriers/alpha/password", "OWN", "own "}) {
    INFO(name);
    const std::string faults = place.carrier("evil", name, "evil.example");
    CHECK(faults.starts_with("carriers/evil.toml:5:17: bind[1].password_file = (not shown): "));
    CHECK(std::count(faults.begin(), faults.end(), '\n') == 1);
    CHECK_FALSE(holds(faults, "of-"));
  }
  CHECK(holds(place.carrier("evil", "redis-password", "evil.example"),
              "there is no such file in " + place_text));
  CHECK(holds(place.carrier("evil", "../x", "evil.example"),
              "a table set may only name a file of the secrets that are evil's"));
  // Links that the operator never meant.
  fs::create_symlink("../alpha/password", place.directory / "secrets/carriers/evil/link");
  CHECK(holds(place.carrier("evil", "link", "evil.example"), "link that leads out of its folder"));
  fs::create_symlink(place.directory / "redis-password",
                     place.directory / "secrets/carriers/evil/absolute");
  CHECK(holds(place.carrier("evil", "absolute", "evil.example"), "leads out of its folder"));
  REQUIRE(mkfifo((place.directory / "secrets/carriers/evil/pipe").c_str(), 0600) == 0);
  CHECK(holds(place.carrier("evil", "pipe", "evil.example"), "is a pipe, not a file"));
  place.write_file("secrets/carriers/evil/large", std::string(4097, 'x'));
  CHECK(holds(place.carrier("evil", "large", "evil.example"), "is larger than 4096 octets"));
  place.write_file("secrets/carriers/evil/long", std::string(65, 'x') + "\nevil.example\n");
  CHECK(holds(place.carrier("evil", "long", "evil.example"), "is no password"));
}

TEST_CASE("a carrier's password goes to the hosts that stand in its file", "[secrets]") {
  Folder place;
  CHECK(place.carrier("alpha2", "password").find("no such file") != std::string::npos);
  const auto with = [&](const std::string& lines, const std::string& host) {
    place.write_file("secrets/carriers/charlie/password", "pst\r\n" + lines);
    return place.carrier("charlie", "password", host);
  };
  CHECK(with("smsc.example\n", "smsc.example") == "");
  CHECK(place.password() == "pst");
  CHECK(with("smsc.example\r\n", "SMSC.example") == "");
  CHECK(with("other.example\nsmsc.example:2775", "smsc.example") == "");
  CHECK(with("[2001:db8::1]:2775\n", "2001:db8::1") == "");
  CHECK(with("2001:db8::1\n", "2001:db8::1") == "");
  const std::string no = "may not be sent to evil.example:2775";
  CHECK(holds(with("smsc.example\n", "evil.example"), no));
  CHECK(holds(with("smsc.example\n", "evil.example"), "secrets/carriers/charlie/password below"));
  CHECK(holds(with("", "evil.example"), no));
  CHECK(holds(with("evil.example:2776\n", "evil.example"), no));
  CHECK(holds(with("x evil.example\nevil.example.org\nevil\n", "evil.example"), no));
  // A file that was good is judged again when it is another one.
  place.write_file("tables/carriers/charlie.toml",
                   "[[bind]]\nhost = \"smsc.example\"\nport = 2775\nsystem_id = \"us\"\n"
                   "password_file = \"password\"\n");
  place.write_file("secrets/carriers/charlie/password", "one\nsmsc.example\n");
  CHECK(place.read() == "");
  CHECK(place.password() == "one");
  place.write_file("secrets/carriers/charlie/password", "two\nsmsc.example\n");
  CHECK(place.read() == "");
  CHECK(place.password() == "two");
  place.write_file("secrets/carriers/charlie/password", "two\nelsewhere.example\n");
  CHECK(holds(place.read(), "may not be sent to smsc.example:2775"));
}

TEST_CASE("a client's password file is its own, and needs no hosts", "[secrets]") {
  Folder place;
  place.write_file("secrets/clients/fresh/password", "of-fresh\n");
  place.write_file("tables/clients/fresh.toml", "password_file = \"password\"\n");
  CHECK(place.read() == "");
  CHECK_FALSE(place.peers->clients.back().config->password_hash.empty());
  // A carrier of a client's name has other secrets.
  CHECK(holds(place.carrier("fresh", "password"),
              "there is no such file in " + (place.directory / "secrets/carriers/fresh").string()));
}

TEST_CASE("[tables] secrets names where they lie, never within the tables", "[secrets]") {
  Folder place;
  place.config.tables.secrets = (place.directory / "tables/secrets").string();
  place.reader = std::make_unique<PeerReader>(place.config, PeerReader::Ids::at_once);
  place.write_file("tables/secrets/carriers/evil/own", "x\nevil.example\n");
  CHECK(holds(place.carrier("evil", "own", "evil.example"), "lie in the tables' directory"));
  const auto config = load_config(place.write(
      "[gateway]\nlisten = \"127.0.0.1:0\"\n[tables]\ndirectory = \"tables\"\nsecrets = \"/s\"\n" +
      std::string(kClient) + kCarrier));
  REQUIRE(config);
  CHECK(config->tables.secrets == "/s");
  CHECK(Folder().config.tables.secrets.ends_with("/secrets"));
}

TEST_CASE("the operator's own file names what the operator likes", "[secrets]") {
  const ConfigPlace place;
  fs::create_directory(place.directory / "keys");
  std::ofstream(place.directory / "keys/alpha") << "pst\n";
  fs::create_symlink("keys/alpha", place.directory / "link");
  const auto config = load_config(
      place.write(std::string(kGateway) + kClient + kCarrier + "password_file = \"link\"\n"));
  REQUIRE(config);
  CHECK(config->carriers[0].binds[0].password == "pst");
}

TEST_CASE("what a peer's file is: each kind is one fault, and none is waited for", "[secrets]") {
  Folder place;
  place.write_file("outside.toml", "root-secret = 1\n");
  fs::create_directories(place.directory / "tables/carriers");
  const fs::path file = place.directory / "tables/carriers/x.toml";
  const auto fault = [&] {
    std::string text = place.read();
    fs::remove_all(file);
    return text;
  };
  fs::create_symlink("../../outside.toml", file);
  CHECK(fault() ==
        "carriers/x.toml: is a link that leads out of its folder (right: a TOML file that "
        "this user may read)\n");
  fs::create_symlink("../../outside.toml", file);
  CHECK(holds(place.read(true), "root-secret: unknown key"));
  fs::remove(file);
  REQUIRE(mkfifo(file.c_str(), 0600) == 0);
  CHECK(holds(fault(), "carriers/x.toml: is a pipe, not a file"));
  fs::create_directory(file);
  CHECK(holds(fault(), "carriers/x.toml: is a directory"));
  fs::create_symlink("nowhere", file);
  CHECK(holds(fault(), "carriers/x.toml: does not exist"));
  place.write_file("tables/carriers/x.toml", std::string(300'000, '#'));
  CHECK(holds(fault(), "carriers/x.toml: is larger than 256 KiB"));
  std::string deep;
  for (int i = 0; i < 50'000; ++i) deep += "a.";
  place.write_file("tables/carriers/x.toml", deep + "a = 1\n");
  CHECK(holds(fault(), "carriers/x.toml:1:32: has a key of more than 16 parts"));
  std::string many;
  for (int i = 0; i < 5'000; ++i) many += "k" + std::to_string(i) + " = 1\n";
  place.write_file("tables/carriers/x.toml", many);
  const std::string told = fault();
  CHECK(std::count(told.begin(), told.end(), '\n') == 1'001);
  CHECK(holds(told, "more faults"));
}

}  // namespace tollgate::gateway
