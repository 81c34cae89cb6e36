#include "gateway/auth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include <catch2/catch.hpp>

#include "gateway/auth_failures.h"

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

// An Auth with a clock of its own, asked one question at a time.
struct Desk {
  explicit Desk(const std::vector<ClientConfig>& clients, unsigned shards = 1)
      : auth(clients, {shards, [this](unsigned shard) { woken[shard].fetch_add(1); },
                       [this] { return now_us.load(); }}) {}

  AuthResult result(unsigned shard = 0) {
    AuthResult out;
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!auth.poll_result(shard, out)) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      std::this_thread::sleep_for(50us);
    }
    return out;
  }

  AuthOutcome ask(std::string_view system_id, std::string_view password, Ip peer = fresh_ip()) {
    REQUIRE(auth.submit({0, 1, system_id, password, peer}));
    return result().outcome;
  }

  std::atomic<std::int64_t> now_us{1'000'000};
  std::array<std::atomic<int>, 4> woken{};
  Auth auth;
};

double median_us(Desk& desk, std::string_view system_id) {
  std::vector<double> times;
  for (int i = 0; i < 21; ++i) {
    const auto start = std::chrono::steady_clock::now();
    desk.ask(system_id, "wrong");
    times.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
            .count());
  }
  std::nth_element(times.begin(), times.begin() + 10, times.end());
  return times[10];
}

}  // namespace

TEST_CASE("the right password opens, everything else is one answer", "[auth]") {
  auto shop = client("shop", "shop-pw");
  auto agg = client("agg", "agg-pw");
  std::string why;
  agg.allow = {parse_network("10.0.0.0/8", why).value()};
  Desk desk({shop, agg});

  REQUIRE(desk.auth.submit({0, 77, "agg", "agg-pw", ip("10.200.0.1")}));
  const AuthResult result = desk.result();
  CHECK(result.outcome == AuthOutcome::accepted);
  CHECK(result.session == 77);
  CHECK(result.client == 1);

  CHECK(desk.ask("shop", "shop-pw") == AuthOutcome::accepted);
  CHECK(desk.ask("shop", "agg-pw") == AuthOutcome::wrong_password);
  CHECK(desk.ask("shop", "") == AuthOutcome::wrong_password);
  CHECK(desk.ask("SHOP", "shop-pw") == AuthOutcome::unknown_client);
  CHECK(desk.ask("nobody", "shop-pw") == AuthOutcome::unknown_client);
  CHECK(desk.ask("agg", "agg-pw", ip("192.0.2.1")) == AuthOutcome::address_not_allowed);
  CHECK(desk.ask("agg", "wrong", ip("192.0.2.1")) == AuthOutcome::address_not_allowed);

  CHECK(auth_status(AuthOutcome::accepted) == Status::ESME_ROK);
  for (const auto outcome : {AuthOutcome::unknown_client, AuthOutcome::wrong_password,
                             AuthOutcome::address_not_allowed}) {
    CHECK(auth_status(outcome) == Status::ESME_RINVPASWD);
  }
  CHECK(auth_status(AuthOutcome::too_many_failures) == Status::ESME_RBINDFAIL);
}

TEST_CASE("every checked bind costs exactly one hash", "[auth]") {
  Desk desk({client("shop", "shop-pw")});
  std::uint64_t hashes = 0;
  for (const auto& [id, password] : std::vector<std::pair<const char*, const char*>>{
           {"shop", "shop-pw"}, {"shop", "wrong"}, {"nobody", "shop-pw"}, {"", ""}}) {
    desk.ask(id, password);
    CHECK(desk.auth.hashes() == ++hashes);
  }
  CHECK(desk.auth.outcomes(AuthOutcome::accepted) == 1);
  CHECK(desk.auth.outcomes(AuthOutcome::wrong_password) == 1);
  CHECK(desk.auth.outcomes(AuthOutcome::unknown_client) == 2);
}

TEST_CASE("a wrong password takes as long as an unknown system_id", "[auth]") {
  Desk desk({client("shop", "shop-pw")});
  const double known = median_us(desk, "shop");
  const double unknown = median_us(desk, "nobody");
  INFO("known " << known << " us, unknown " << unknown << " us");
  // A hash takes 1,600 us; without one the unknown would be answered in some 100.
  CHECK(unknown > known / 3);
  CHECK(unknown < known * 3);
}

TEST_CASE("with hashes of different cost an unknown system_id takes one of those times", "[auth]") {
  auto cheap = client("cheap", "x");
  auto dear = client("dear", "x");
  // Both of "x": SHA-256 at 1,000 rounds (0.3 ms) and yescrypt at cost 5 (13 ms).
  cheap.password_hash =
      "$5$rounds=1000$MlhTvty0mWXvd4VC$FzUTPpQjQRxYrIlfuQG2eBC8h9FHhZvMk7Hj5F5tZv3";
  dear.password_hash = "$y$j9T$vOzM6mcBWNuPBjd7o9KRr0$awSdHD6sGmdJ4XBF/lTUsXJRmojvb66M72O6NT1nK2C";
  Desk desk({cheap, dear});
  const auto least_us = [&](const std::string& id) {
    double least = 1e9;
    for (int i = 0; i < 3; ++i) {
      const auto start = std::chrono::steady_clock::now();
      desk.ask(id, "wrong");
      const auto took = std::chrono::steady_clock::now() - start;
      least = std::min(least, std::chrono::duration<double, std::micro>(took).count());
    }
    return least;
  };
  int slow = 0;
  constexpr int kIds = 24;
  for (int i = 0; i < kIds; ++i) slow += least_us("nobody" + std::to_string(i)) > 6'000;
  // Half of them at random; all or none alike has a chance of 1 in 8 million.
  CHECK(slow > 0);
  CHECK(slow < kIds);
}

TEST_CASE("passwords longer than the field allows never fit", "[auth]") {
  auto brief = client("brief", "12345678");
  auto nine = client("nine", "123456789");
  auto roomy = client("roomy", std::string(64, 'p').c_str());
  roomy.long_password = true;
  Desk desk({brief, nine, roomy});
  CHECK(desk.ask("brief", "12345678") == AuthOutcome::accepted);
  CHECK(desk.ask("nine", "123456789") == AuthOutcome::wrong_password);
  CHECK(desk.ask("roomy", std::string(64, 'p')) == AuthOutcome::accepted);
  CHECK(desk.ask("roomy", std::string(65, 'p')) == AuthOutcome::wrong_password);
  CHECK(desk.ask("brief", std::string_view("12345678\0", 9)) == AuthOutcome::wrong_password);
  CHECK(desk.ask("brief" + std::string(20, 'x'), "12345678") == AuthOutcome::unknown_client);
}

TEST_CASE("results come to the shard that asked, in order, and wake it", "[auth]") {
  Desk desk({client("shop", "shop-pw")}, 3);
  for (std::uint64_t session = 0; session < 10; ++session) {
    REQUIRE(desk.auth.submit({1, session, "shop", "shop-pw", fresh_ip()}));
    REQUIRE(desk.auth.submit({2, 100 + session, "shop", "wrong", fresh_ip()}));
  }
  for (std::uint64_t session = 0; session < 10; ++session) {
    const AuthResult one = desk.result(1);
    CHECK(one.session == session);
    CHECK(one.outcome == AuthOutcome::accepted);
    const AuthResult two = desk.result(2);
    CHECK(two.session == 100 + session);
    CHECK(two.outcome == AuthOutcome::wrong_password);
  }
  AuthResult none;
  CHECK_FALSE(desk.auth.poll_result(0, none));
  CHECK(desk.woken[0] == 0);
  CHECK(desk.woken[1] == 10);
  CHECK(desk.woken[2] == 10);
}

TEST_CASE("a shard with too many binds under way is refused, the others are not", "[auth]") {
  Desk desk({client("shop", "shop-pw")}, 2);
  const Ip peer = fresh_ip();
  for (std::size_t i = 0; i < kAuthPending; ++i) {
    REQUIRE(desk.auth.submit({0, i, "nobody", "x", peer}));
  }
  CHECK_FALSE(desk.auth.submit({0, 9999, "shop", "shop-pw", fresh_ip()}));
  CHECK(desk.auth.submit({1, 1, "shop", "shop-pw", fresh_ip()}));
  CHECK(desk.result(1).outcome == AuthOutcome::accepted);
  CHECK(desk.result(0).session == 0);
  CHECK(desk.auth.submit({0, 9999, "shop", "shop-pw", fresh_ip()}));
}

TEST_CASE("repeated failures are answered without a hash until time has passed", "[auth]") {
  Desk desk({client("shop", "shop-pw"), client("agg", "agg-pw")});
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
  desk.now_us += AuthFailures::kPairRefillUs;
  CHECK(desk.ask("shop", "shop-pw", peer) == AuthOutcome::accepted);
}

TEST_CASE("without any client every bind is checked and refused", "[auth]") {
  Desk desk({});
  CHECK(desk.ask("", "") == AuthOutcome::unknown_client);
  CHECK(desk.ask("shop", "") == AuthOutcome::unknown_client);
  CHECK(desk.auth.hashes() == 2);
}

TEST_CASE("the table of failures", "[auth]") {
  AuthFailures failures(64, 7);
  const Ip peer = ip("192.0.2.1");
  std::int64_t now = 1'000'000;

  SECTION("an address that guesses names is held back as a whole") {
    for (int i = 0; i < AuthFailures::kAddressBurst; ++i) {
      const std::string id = "guess" + std::to_string(i);
      REQUIRE(failures.may_try(peer, id, now));
      failures.failed(peer, id, now);
    }
    CHECK_FALSE(failures.may_try(peer, "another", now));
    CHECK(failures.may_try(ip("192.0.2.2"), "another", now));
    CHECK(failures.may_try(peer, "another", now + AuthFailures::kAddressRefillUs));
  }
  SECTION("allowances come back one by one") {
    for (int i = 0; i < AuthFailures::kPairBurst; ++i) failures.failed(peer, "shop", now);
    CHECK_FALSE(failures.may_try(peer, "shop", now));
    now += AuthFailures::kPairRefillUs;
    CHECK(failures.may_try(peer, "shop", now));
    failures.failed(peer, "shop", now);
    CHECK_FALSE(failures.may_try(peer, "shop", now));
  }
  SECTION("an IPv6 host counts by its /64") {
    for (int i = 0; i < AuthFailures::kPairBurst; ++i) {
      failures.failed(ip("2001:db8::" + std::to_string(i + 1)), "shop", now);
    }
    CHECK_FALSE(failures.may_try(ip("2001:db8::99"), "shop", now));
    CHECK(failures.may_try(ip("2001:db8:0:1::99"), "shop", now));
  }
  SECTION("the memory is fixed and the oldest is forgotten") {
    const std::size_t slots = failures.slots();
    for (int i = 0; i < AuthFailures::kPairBurst; ++i) failures.failed(peer, "shop", now);
    for (int i = 0; i < 4'000; ++i) {
      failures.failed(ip("10.9." + std::to_string(i / 250) + "." + std::to_string(i % 250)), "x",
                      ++now);
    }
    CHECK(failures.slots() == slots);
    CHECK(failures.may_try(peer, "shop", now));
  }
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

TEST_CASE("the keyed hash is SipHash's shape: every octet and the key count", "[auth]") {
  CHECK(keyed_hash(1, "abcdefgh") != keyed_hash(2, "abcdefgh"));
  CHECK(keyed_hash(1, "abcdefgh") != keyed_hash(1, "abcdefgi"));
  CHECK(keyed_hash(1, "abcdefgh") != keyed_hash(1, std::string_view("abcdefgh\0", 9)));
  CHECK(keyed_hash(1, "") != keyed_hash(1, std::string_view("\0", 1)));
}
