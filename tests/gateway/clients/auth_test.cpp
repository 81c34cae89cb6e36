#include "gateway/clients/auth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <crypt.h>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

#include "gateway/clients/auth_failures.h"
#include "gateway/config/password.h"

using namespace tollgate::gateway;
using namespace std::chrono_literals;
using tollgate::proto::Status;

namespace {

ClientConfig client(const char* system_id, const char* password) {
  ClientConfig config;
  config.system_id = system_id;
  config.password_hash = hash_password(password);
  return config;
}

// With a hash for Desk: the password itself, behind a mark.
ClientConfig plain(const std::string& system_id, const std::string& password) {
  ClientConfig config;
  config.system_id = system_id;
  config.password_hash = "hash of " + password;
  return config;
}

std::vector<IpNetwork> only(const char* network) {
  std::string why;
  return {parse_network(network, why).value()};
}

Ip ip(const std::string& text) {
  return parse_ip(text).value();
}

// A different address each time, so that no failure is held back.
Ip fresh_ip() {
  static unsigned next = 0;
  ++next;
  return ip("10." + std::to_string(next >> 16 & 255) + "." + std::to_string(next >> 8 & 255) + "." +
            std::to_string(next & 255));
}

// An Auth with a clock and steps that the test takes; its hashes cost nothing and are recorded.
struct Desk {
  explicit Desk(const std::vector<ClientConfig>& clients, std::size_t waiting_max = 1'000)
      : auth(clients, options(waiting_max)) {}

  AuthOptions options(std::size_t waiting_max) {
    AuthOptions made;
    made.shards = 2;
    made.clock_us = [this] { return now_us; };
    made.own_thread = false;
    made.waiting_max = waiting_max;
    made.check = [this](const char* password, const std::string& hash) {
      checked.emplace_back(password, hash);
      return "hash of " + std::string(password) == hash;
    };
    return made;
  }

  std::uint64_t send(std::string_view system_id, std::string_view password, Ip peer) {
    REQUIRE(auth.submit({0, ++session, system_id, password, peer}));
    return session;
  }
  // Steps until nothing comes any more; what came, by session.
  const std::map<std::uint64_t, AuthResult>& run(int steps = 10'000) {
    for (int quiet = 0; steps > 0 && quiet < 2; --steps, ++quiet) {
      auth.step();
      AuthResult out;
      while (auth.poll_result(0, out)) {
        CHECK(results.emplace(out.session, out).second);  // one result each
        order.push_back(out.session);
        quiet = 0;
      }
    }
    return results;
  }
  AuthOutcome ask(std::string_view system_id, std::string_view password, Ip peer = fresh_ip()) {
    const std::uint64_t asked = send(system_id, password, peer);
    return run().at(asked).outcome;
  }

  std::int64_t now_us = 1'000'000;
  std::uint64_t session = 0;
  std::vector<std::pair<std::string, std::string>> checked;  // password and hash
  std::map<std::uint64_t, AuthResult> results;
  std::vector<std::uint64_t> order;
  Auth auth;
};

}  // namespace

TEST_CASE("the right password opens, everything else is one answer", "[auth]") {
  auto agg = client("agg", "agg-pw");
  agg.allow = only("10.0.0.0/8");
  AuthOptions options;
  options.own_thread = false;  // and crypt(5)
  Auth auth({client("shop", "shop-pw"), agg}, std::move(options));
  const auto ask = [&](std::string_view id, std::string_view password, Ip peer = fresh_ip()) {
    REQUIRE(auth.submit({0, 77, id, password, peer}));
    auth.step();
    AuthResult result;
    REQUIRE(auth.poll_result(0, result));
    CHECK(result.session == 77);
    return result;
  };
  CHECK(ask("agg", "agg-pw", ip("10.200.0.1")).outcome == AuthOutcome::accepted);
  CHECK(ask("agg", "agg-pw", ip("10.200.0.1")).client == 1);
  CHECK(ask("shop", "shop-pw").outcome == AuthOutcome::accepted);
  CHECK(ask("shop", "agg-pw").outcome == AuthOutcome::wrong_password);
  CHECK(ask("shop", "").outcome == AuthOutcome::wrong_password);
  CHECK(ask("SHOP", "shop-pw").outcome == AuthOutcome::unknown_client);
  CHECK(ask("nobody", "shop-pw").outcome == AuthOutcome::unknown_client);
  CHECK(ask("agg", "agg-pw", ip("192.0.2.1")).outcome == AuthOutcome::address_not_allowed);
  CHECK(ask("agg", "wrong", ip("192.0.2.1")).outcome == AuthOutcome::address_not_allowed);

  CHECK(auth_status(AuthOutcome::accepted) == Status::ESME_ROK);
  for (const auto outcome : {AuthOutcome::unknown_client, AuthOutcome::wrong_password,
                             AuthOutcome::address_not_allowed}) {
    CHECK(auth_status(outcome) == Status::ESME_RINVPASWD);
  }
  for (const auto outcome :
       {AuthOutcome::too_many_failures, AuthOutcome::account_failures, AuthOutcome::queue_full}) {
    CHECK(auth_status(outcome) == Status::ESME_RBINDFAIL);
  }
}

TEST_CASE("every bind whose password is not known costs exactly one hash", "[auth]") {
  auto agg = plain("agg", "agg-pw");
  agg.allow = only("10.255.0.0/16");
  Desk desk({plain("shop", "shop-pw"), agg});
  std::size_t hashes = 0;
  for (const auto& [id, password] : std::vector<std::pair<const char*, const char*>>{
           {"shop", "wrong"}, {"nobody", "shop-pw"}, {"", ""}, {"agg", "agg-pw"}, {"agg", "no"}}) {
    CHECK(desk.ask(id, password) != AuthOutcome::accepted);
    CHECK(desk.checked.size() == ++hashes);
  }
  CHECK(desk.ask("shop", "shop-pw") == AuthOutcome::accepted);
  CHECK(desk.checked.size() == ++hashes);
  CHECK(desk.auth.hashes() == hashes);
  CHECK(desk.auth.outcomes(AuthOutcome::accepted) == 1);
  CHECK(desk.auth.outcomes(AuthOutcome::unknown_client) == 2);
  CHECK(desk.auth.outcomes(AuthOutcome::address_not_allowed) == 2);
}

TEST_CASE("an unknown system_id is checked against one client's hash, by its name", "[auth]") {
  Desk desk({plain("cheap", "x"), plain("dear", "y")});
  std::set<std::string> hashes;
  for (int i = 0; i < 24; ++i) {
    const std::string name = "nobody" + std::to_string(i);
    CHECK(desk.ask(name, "wrong") == AuthOutcome::unknown_client);
    const std::string first = desk.checked.back().second;
    CHECK(desk.ask(name, "wrong again") == AuthOutcome::unknown_client);
    CHECK(desk.checked.back().second == first);
    hashes.insert(first);
  }
  CHECK(desk.checked.size() == 48);
  // Half of them at random; all alike has a chance of 1 in 8 million.
  CHECK(hashes.size() == 2);
}

TEST_CASE("passwords longer than the field allows never fit", "[auth]") {
  auto roomy = plain("roomy", std::string(64, 'p'));
  roomy.long_password = true;
  Desk desk({plain("brief", "12345678"), plain("nine", "123456789"), roomy});
  for (int i = 0; i < 2; ++i) {  // not remembered either
    CHECK(desk.ask("brief", "12345678") == AuthOutcome::accepted);
    CHECK(desk.ask("nine", "123456789") == AuthOutcome::wrong_password);
    CHECK(desk.ask("roomy", std::string(64, 'p')) == AuthOutcome::accepted);
    CHECK(desk.ask("roomy", std::string(65, 'p')) == AuthOutcome::wrong_password);
    CHECK(desk.ask("brief", std::string_view("12345678\0", 9)) == AuthOutcome::wrong_password);
    CHECK(desk.ask("brief" + std::string(20, 'x'), "12345678") == AuthOutcome::unknown_client);
  }
}

// A result for the wrong shard, none, or two, and a thread that never wakes, show as a wait that
// does not end; a race between the auth thread and its hashers under TSan.
TEST_CASE("results come to the shard that asked, and wake it", "[auth]") {
  std::array<std::atomic<int>, 3> woken{};
  AuthOptions options;
  options.shards = 3;
  options.threads = 3;
  options.wake = [&](unsigned shard) { woken[shard].fetch_add(1); };
  options.check = [](const char* password, const std::string&) {
    return std::string_view(password) == "shop-pw";
  };
  Auth auth({plain("shop", "-"), plain("agg", "-")}, std::move(options));
  constexpr std::uint64_t kEach = 200;
  for (std::uint64_t session = 0; session < kEach; ++session) {
    REQUIRE(auth.submit({1, session, session % 2 ? "shop" : "agg", "shop-pw", fresh_ip()}));
    REQUIRE(auth.submit({2, 1'000 + session, "nobody", "shop-pw", fresh_ip()}));
    if (session % 7 == 0) auth.cancel(2, 1'000 + session);
  }
  for (const unsigned shard : {1U, 2U}) {
    std::set<std::uint64_t> sessions;
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (sessions.size() < kEach) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      AuthResult result;
      if (!auth.poll_result(shard, result)) {
        std::this_thread::sleep_for(50us);
        continue;
      }
      CHECK(sessions.insert(result.session).second);
      CHECK((result.session >= 1'000) == (shard == 2));
      CHECK((result.outcome == AuthOutcome::accepted) == (shard == 1));
    }
    CHECK(woken[shard] > 0);
  }
  AuthResult none;
  CHECK_FALSE(auth.poll_result(0, none));
  CHECK(woken[0] == 0);
}

TEST_CASE("repeated failures are answered without a hash until time has passed", "[auth]") {
  Desk desk({plain("shop", "shop-pw"), plain("agg", "agg-pw")});
  const Ip peer = fresh_ip();
  for (int i = 0; i < AuthFailures::kPairBurst; ++i) {
    CHECK(desk.ask("shop", "wrong", peer) == AuthOutcome::wrong_password);
  }
  const auto hashes = desk.auth.hashes();
  CHECK(desk.ask("shop", "shop-pw", peer) == AuthOutcome::too_many_failures);
  CHECK(desk.auth.hashes() == hashes);
  // Its neighbour behind the same address, and itself from elsewhere, are not harmed.
  CHECK(desk.ask("agg", "agg-pw", peer) == AuthOutcome::accepted);
  CHECK(desk.ask("shop", "shop-pw") == AuthOutcome::accepted);
  // Nor does what is remembered now tell a guesser more than a hash would.
  CHECK(desk.ask("shop", "shop-pw", peer) == AuthOutcome::too_many_failures);
  desk.now_us += AuthFailures::kPairRefillUs;
  CHECK(desk.ask("shop", "shop-pw", peer) == AuthOutcome::accepted);
}

TEST_CASE("what waits behind a source's failures is not hashed", "[auth]") {
  Desk desk({plain("shop", "shop-pw")});
  const Ip peer = fresh_ip();
  for (int i = 0; i < 100; ++i) desk.send("shop", "wrong", peer);
  desk.run();
  CHECK(desk.results.size() == 100);
  CHECK(desk.auth.hashes() == AuthFailures::kPairBurst);
  CHECK(desk.auth.outcomes(AuthOutcome::too_many_failures) == 100 - AuthFailures::kPairBurst);
}

TEST_CASE("without any client every bind is checked and refused", "[auth]") {
  Desk desk({});
  CHECK(desk.ask("", "") == AuthOutcome::unknown_client);
  CHECK(desk.ask("shop", "") == AuthOutcome::unknown_client);
  CHECK(desk.auth.hashes() == 2);
}

TEST_CASE("a verified password costs no hash again, from anywhere", "[auth]") {
  Desk desk({plain("shop", "shop-pw"), plain("agg", "agg-pw")});
  CHECK(desk.ask("shop", "shop-pw") == AuthOutcome::accepted);
  for (int i = 0; i < 10; ++i) CHECK(desk.ask("shop", "shop-pw") == AuthOutcome::accepted);
  CHECK(desk.auth.hashes() == 1);
  CHECK(desk.auth.remembered() == 10);
  CHECK(desk.ask("shop", "shop-pX") == AuthOutcome::wrong_password);
  CHECK(desk.ask("agg", "shop-pw") == AuthOutcome::wrong_password);
  CHECK(desk.auth.hashes() == 3);
  CHECK(desk.ask("shop", "shop-pw") == AuthOutcome::accepted);
  CHECK(desk.auth.hashes() == 3);
}

TEST_CASE("many sessions of one account at once cost one hash", "[auth]") {
  Desk desk({plain("shop", "shop-pw")});
  const Ip peer = fresh_ip();
  for (int i = 0; i < 500; ++i) desk.send("shop", "shop-pw", peer);
  desk.run();
  CHECK(desk.auth.outcomes(AuthOutcome::accepted) == 500);
  CHECK(desk.auth.hashes() == 1);
}

TEST_CASE("what is remembered ends with the credentials, and with the account", "[auth]") {
  Desk desk({plain("shop", "old")});
  const auto account = [](const char* password, std::uint32_t credentials) {
    return AuthAccount{"shop", std::string("hash of ") + password, {}, 0, credentials, false};
  };
  CHECK(desk.ask("shop", "old") == AuthOutcome::accepted);
  desk.auth.replace({account("new", 2)});
  CHECK(desk.ask("shop", "old") == AuthOutcome::wrong_password);
  CHECK(desk.ask("shop", "new") == AuthOutcome::accepted);
  CHECK(desk.auth.hashes() == 3);
  CHECK(desk.results.rbegin()->second.credentials == 2);
  desk.auth.replace({});
  CHECK(desk.ask("shop", "new") == AuthOutcome::unknown_client);
  desk.auth.replace({account("new", 3)});  // back, as another one
  CHECK(desk.ask("shop", "new") == AuthOutcome::accepted);
  CHECK(desk.auth.hashes() == 5);
}

// The bind that is being hashed when its account changes is checked by the old one, and says so
// (AuthResult::credentials); it must not be remembered for the new one.
TEST_CASE("credentials that change during the hash are not taken for the new ones", "[auth]") {
  Auth* auth = nullptr;
  bool change = true;
  int hashes = 0;
  AuthOptions options;
  options.own_thread = false;
  options.check = [&](const char* password, const std::string& hash) {
    ++hashes;
    if (std::exchange(change, false)) {
      auth->replace({AuthAccount{"shop", "hash of new", {}, 0, 2, false}});
    }
    return "hash of " + std::string(password) == hash;
  };
  Auth made({plain("shop", "old")}, std::move(options));
  auth = &made;
  AuthResult result;
  for (const bool accepted : {true, false}) {
    REQUIRE(auth->submit({0, 1, "shop", "old", fresh_ip()}));
    auth->step();
    REQUIRE(auth->poll_result(0, result));
    CHECK((result.outcome == AuthOutcome::accepted) == accepted);
    if (accepted) CHECK(result.credentials == 1);
  }
  CHECK(hashes == 2);
}

TEST_CASE("an address that is not allowed learns nothing from what is remembered", "[auth]") {
  auto agg = plain("agg", "agg-pw");
  agg.allow = only("10.0.0.0/8");
  Desk desk({agg});
  CHECK(desk.ask("agg", "agg-pw") == AuthOutcome::accepted);
  CHECK(desk.ask("agg", "agg-pw", ip("192.0.2.1")) == AuthOutcome::address_not_allowed);
  CHECK(desk.ask("agg", "wrong", ip("192.0.2.2")) == AuthOutcome::address_not_allowed);
  CHECK(desk.auth.hashes() == 3);
}

TEST_CASE("what was cancelled is not hashed, and gets its one result", "[auth]") {
  Desk desk({plain("shop", "shop-pw")});
  std::vector<std::uint64_t> sent;
  for (int i = 0; i < 20; ++i) sent.push_back(desk.send("shop", "wrong", fresh_ip()));
  for (int i = 0; i < 20; i += 2) desk.auth.cancel(0, sent[static_cast<std::size_t>(i)]);
  desk.auth.cancel(0, 12'345);
  desk.run();
  CHECK(desk.results.size() == 20);
  CHECK(desk.auth.hashes() == 10);
  CHECK(desk.auth.outcomes(AuthOutcome::hung_up) == 10);
  desk.auth.cancel(0, sent[0]);  // too late: answered
  desk.run();
  CHECK(desk.results.size() == 20);
}

TEST_CASE("who bound before in this run goes before strangers", "[auth]") {
  Desk desk({plain("shop", "shop-pw"), plain("agg", "agg-pw")});
  const Ip home = fresh_ip();
  CHECK(desk.ask("shop", "shop-pw", home) == AuthOutcome::accepted);
  for (int i = 0; i < 100; ++i) desk.send("shop", "guess", fresh_ip());
  const std::uint64_t mistyped = desk.send("shop", "mistyped", home);
  const std::uint64_t right = desk.send("shop", "shop-pw", home);
  desk.run(2);
  CHECK(desk.results.at(right).outcome == AuthOutcome::accepted);
  CHECK(desk.results.at(mistyped).outcome == AuthOutcome::wrong_password);
  CHECK(desk.results.size() <= 5);
}

TEST_CASE("a new source waits behind no source's backlog", "[auth]") {
  Desk desk({plain("shop", "shop-pw"), plain("agg", "agg-pw")});
  for (int source = 0; source < 10; ++source) {
    const Ip guesser = fresh_ip();
    for (int i = 0; i < 30; ++i) desk.send("name" + std::to_string(i), "guess", guesser);
  }
  desk.run(15);  // each has failed at least once
  const std::uint64_t legitimate = desk.send("agg", "agg-pw", fresh_ip());
  desk.run(2);
  CHECK(desk.results.at(legitimate).outcome == AuthOutcome::accepted);
}

TEST_CASE("guessing from any number of addresses is held back; who is known is not", "[auth]") {
  auto listed = plain("listed", "listed");
  listed.allow = only("172.16.0.0/12");
  Desk desk({plain("shop", "shop-pw"), listed});
  const Ip home = fresh_ip();
  CHECK(desk.ask("shop", "shop-pw", home) == AuthOutcome::accepted);
  for (const char* name : {"shop", "listed", "nobody"}) {
    const auto before = desk.auth.hashes();
    for (int i = 0; i < 6'000; ++i) desk.ask(name, "guess");
    CHECK(desk.auth.hashes() - before == AuthFailures::kAccountBurst);
    CHECK(desk.ask(name, "guess") == AuthOutcome::account_failures);
  }
  CHECK(desk.ask("shop", "shop-pw") == AuthOutcome::account_failures);  // a stranger, right or not
  CHECK(desk.ask("shop", "shop-pw", home) == AuthOutcome::accepted);
  CHECK(desk.ask("shop", "mistyped", home) == AuthOutcome::wrong_password);
  CHECK(desk.ask("listed", "listed", ip("172.16.0.1")) == AuthOutcome::accepted);
  desk.now_us += AuthFailures::kAccountRefillUs;
  CHECK(desk.ask("shop", "guess") == AuthOutcome::wrong_password);
  CHECK(desk.ask("shop", "guess") == AuthOutcome::account_failures);
}

TEST_CASE("neighbours that guess do not lock out who is known behind their address", "[auth]") {
  Desk desk({plain("shop", "shop-pw"), plain("agg", "agg-pw")});
  const Ip shared = fresh_ip();
  CHECK(desk.ask("shop", "shop-pw", shared) == AuthOutcome::accepted);
  for (int i = 0; i < 2 * AuthFailures::kAddressBurst; ++i) {
    desk.ask("name" + std::to_string(i), "guess", shared);
  }
  CHECK(desk.ask("agg", "agg-pw", shared) == AuthOutcome::too_many_failures);
  CHECK(desk.ask("shop", "shop-pw", shared) == AuthOutcome::accepted);
}

TEST_CASE("when too many wait the noisiest give way, not the newcomer", "[auth]") {
  Desk desk({plain("shop", "shop-pw")}, 50);
  const Ip noisy = fresh_ip();
  std::vector<std::uint64_t> sent;
  for (int i = 0; i < 50; ++i) sent.push_back(desk.send("name" + std::to_string(i), "x", noisy));
  const std::uint64_t newcomer = desk.send("shop", "shop-pw", fresh_ip());
  const std::uint64_t more = desk.send("nobody", "x", noisy);
  desk.run();
  CHECK(desk.results.at(newcomer).outcome == AuthOutcome::accepted);
  CHECK(desk.results.at(sent.back()).outcome == AuthOutcome::queue_full);
  CHECK(desk.results.at(more).outcome == AuthOutcome::queue_full);
  CHECK(desk.results.at(sent.front()).outcome == AuthOutcome::unknown_client);
  CHECK(desk.results.size() == 52);
}

TEST_CASE("a shard with too many binds under way is refused, the others are not", "[auth]") {
  Desk desk({plain("shop", "shop-pw")}, 10);
  const std::size_t most = desk.auth.pending_max();
  for (std::size_t i = 0; i < most; ++i) {
    REQUIRE(desk.auth.submit({0, 1'000 + i, "nobody", "x", fresh_ip()}));
  }
  CHECK_FALSE(desk.auth.submit({0, 99'999, "shop", "shop-pw", fresh_ip()}));
  CHECK(desk.auth.submit({1, 1, "shop", "shop-pw", fresh_ip()}));
  desk.run();
  CHECK(desk.results.size() == most);
  AuthResult other;
  CHECK(desk.auth.poll_result(1, other));
  CHECK(desk.ask("shop", "shop-pw") == AuthOutcome::accepted);
}

TEST_CASE("hashers: as many as configured, or by the cores", "[auth]") {
  CHECK(auth_threads(0, 0) == 2);
  CHECK(auth_threads(0, 2) == 2);
  CHECK(auth_threads(0, 12) == 6);
  CHECK(auth_threads(0, 128) == 16);
  CHECK(auth_threads(1, 128) == 1);
}

TEST_CASE("hashes that cannot be checked are named", "[auth]") {
  CHECK(password_hash_fault(hash_password("x")).empty());
  CHECK(password_hash_fault(
            "$5$rounds=1000$MlhTvty0mWXvd4VC$elKn/Mcv/0A25AgN/7lKBnYbcWUXCrC5mvWhuik.i5B")
            .empty());
  CHECK(password_hash_fault("") == "empty");
  CHECK(password_hash_fault("shop-pw") == "no crypt(5) string: it does not start with $");
  CHECK(password_hash_fault("$nonsense$x") == "a method or setting that this system cannot check");
  CHECK(password_hash_fault("$5$rounds=1000$MlhTvty0mWXvd4VC$elKn/Mcv") == "cut short or too long");
  CHECK(hash_password("x") != hash_password("x"));  // salted
}

TEST_CASE("a hash that costs too much to check is named, and nothing is hashed for it", "[auth]") {
  const std::string tail43(43, 'a'), tail86(86, 'a'), tail53(53, 'a');
  const struct {
    std::string hash, fault;
  } cases[] = {
      {"$6$rounds=999999999$abcdefgh$" + tail86,
       "too dear to check: rounds=999999999, at most 1000000"},
      {"$5$rounds=99999999999999999999999$abcdefgh$" + tail43,
       "too dear to check: rounds=99999999999999999999999, at most 1000000"},
      {"$2b$31$" + tail53, "too dear to check: cost 31, at most 14"},
      {"$2y$15$" + tail53, "too dear to check: cost 15, at most 14"},
      {"$y$jDT$tollgatetollgate$" + tail43, "too dear to check: 256 MiB, at most 64 MiB"},
      {"$y$jzT$tollgatetollgate$" + tail43, "a method or setting that this system cannot check"},
      {"$y$jBT$tollgatetollgate$" + tail43, ""},
      {"$7$CU..../....tollgate$" + tail43, ""},
      {"$7$CU....2....tollgate$" + tail43, "too dear to check: 256 MiB, at most 64 MiB"},
      {"$6$rounds=656000$abcdefgh$" + tail86, ""},
      {"$6$rounds=999$abcdefgh$" + tail86, "a method or setting that this system cannot check"},
      {"$6$abcdefgh$" + tail86, ""},
      {"$6$abcdefghabcdefgha$" + tail86, "cut short or too long"},
      {"$5$rounds=05000$abcdefgh$" + tail43, "a method or setting that this system cannot check"},
      {"$2b$12$" + tail53, ""},
      {"$sha1$40000$abcdefgh$" + tail43, "a method or setting that this system cannot check"},
      {"$y$j9T$tollgatetollgate$" + std::string(43, ':'),
       "a method or setting that this system cannot check"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.hash);
    CHECK(password_hash_fault(each.hash) == each.fault);
  }
}

TEST_CASE("what crypt(5) makes is taken, whole alone", "[auth]") {
  for (const char* method : {"$y$", "$gy$", "$7$", "$6$", "$5$", "$1$", "$2a$", "$2b$", "$2y$"}) {
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const bool made =
        crypt_gensalt_rn(method, method[1] == '7' ? 6 : 0, nullptr, 0, setting, sizeof setting);
    REQUIRE(made);
    const auto data = std::make_unique<crypt_data>();
    const std::string hash = crypt_r("shop-pw", setting, data.get());
    CAPTURE(hash);
    CHECK(password_hash_fault(hash).empty());
    CHECK(matches("shop-pw", hash));
    for (std::size_t cut = 1; cut < hash.size(); ++cut) {
      CHECK_FALSE(password_hash_fault(hash.substr(0, cut)).empty());
    }
    CHECK_FALSE(password_hash_fault(hash + "a").empty());
  }
}
