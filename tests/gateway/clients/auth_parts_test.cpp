// What the auth thread owns: failures, the queue, what is remembered, and the hash that keys them.
#include <map>
#include <random>
#include <set>

#include <catch2/catch.hpp>

#include "gateway/clients/auth_failures.h"
#include "gateway/clients/auth_memory.h"
#include "gateway/clients/auth_queue.h"

using namespace tollgate::gateway;

namespace {

Ip ip(const std::string& text) {
  return parse_ip(text).value();
}

AuthPending request(std::uint64_t session, unsigned shard = 0) {
  AuthPending made;
  made.session = session;
  made.shard = shard;
  return made;
}

std::vector<std::uint64_t> take_all(AuthQueue& queue) {
  std::vector<std::uint64_t> order;
  while (const auto taken = queue.take()) order.push_back(taken->session);
  return order;
}

}  // namespace

TEST_CASE("the table of failures", "[auth]") {
  AuthFailures failures(64, 64, 7);
  const Ip peer = ip("192.0.2.1");
  std::int64_t now = 1'000'000;

  SECTION("an address that guesses names is held back as a whole") {
    for (int i = 0; i < AuthFailures::kAddressBurst; ++i) {
      const std::string id = "guess" + std::to_string(i);
      REQUIRE(failures.may_try(peer, id, now));
      failures.failed(peer, id, now);
    }
    CHECK_FALSE(failures.may_try(peer, "another", now));
    CHECK(failures.may_try(peer, "another", now, true));
    CHECK(failures.may_try(ip("192.0.2.2"), "another", now));
    CHECK(failures.may_try(peer, "another", now + AuthFailures::kAddressRefillUs));
  }
  SECTION("allowances come back one by one") {
    for (int i = 0; i < AuthFailures::kPairBurst; ++i) failures.failed(peer, "shop", now);
    CHECK_FALSE(failures.may_try(peer, "shop", now));
    CHECK_FALSE(failures.may_try(peer, "shop", now, true));
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
  SECTION("a system_id is held back, from wherever it is guessed") {
    for (int i = 0; i < AuthFailures::kAccountBurst; ++i) {
      REQUIRE(failures.account_may_try("shop", now));
      failures.failed(ip("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)), "shop",
                      now);
    }
    CHECK_FALSE(failures.account_may_try("shop", now));
    CHECK(failures.account_may_try("agg", now));
    CHECK(failures.account_may_try("shop", now + AuthFailures::kAccountRefillUs));
  }
  SECTION("who is known as good uses up its pair alone") {
    for (int i = 0; i < 400; ++i) failures.failed(peer, "shop", now, true);
    CHECK(failures.account_may_try("shop", now));
    CHECK(failures.may_try(peer, "agg", now));
    CHECK(failures.clean(peer, now));
    CHECK_FALSE(failures.may_try(peer, "shop", now, true));
  }
  SECTION("clean is who owes nothing") {
    CHECK(failures.clean(peer, now));
    failures.failed(peer, "shop", now);
    CHECK_FALSE(failures.clean(peer, now));
    CHECK(failures.clean(peer, now + AuthFailures::kAddressRefillUs));
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

TEST_CASE("the queue: sources take turns, then accounts, then who came first", "[auth]") {
  AuthQueue queue(100);
  const auto add = [&](std::uint64_t session, std::uint64_t source, std::uint64_t account) {
    CHECK_FALSE(queue.add(request(session), {source, account, AuthClass::clean}));
  };
  SECTION("a source with many waiting delays itself alone") {
    for (std::uint64_t i = 1; i <= 5; ++i) add(i, 7, 100 + i);
    add(6, 8, 200);
    add(7, 9, 201);
    CHECK(take_all(queue) == std::vector<std::uint64_t>{1, 6, 7, 2, 3, 4, 5});
  }
  SECTION("among sources of one turn, an account with many waiting delays itself alone") {
    for (std::uint64_t i = 1; i <= 5; ++i) add(i, 10 + i, 100);
    add(6, 20, 200);
    CHECK(take_all(queue) == std::vector<std::uint64_t>{1, 6, 2, 3, 4, 5});
  }
  SECTION("who waits long is not passed for ever") {
    for (std::uint64_t i = 1; i <= 3; ++i) add(i, 7, 100);
    std::uint64_t next = 1'000;
    int taken = 0;
    for (bool seen = false; !seen; ++taken) {
      REQUIRE(taken < 20);
      add(next, next, next);
      ++next;
      seen = queue.take()->session == 3;
    }
  }
}

TEST_CASE("the queue: known as good first, failed lately last but for its share", "[auth]") {
  AuthQueue queue(100);
  for (std::uint64_t i = 0; i < 12; ++i) {
    CHECK_FALSE(queue.add(request(100 + i), {100 + i, i, AuthClass::failed_lately}));
    CHECK_FALSE(queue.add(request(200 + i), {200 + i, i, AuthClass::clean}));
  }
  for (std::uint64_t i = 0; i < 3; ++i) {
    CHECK_FALSE(queue.add(request(300 + i), {300 + i, i, AuthClass::known_good}));
  }
  const auto order = take_all(queue);
  REQUIRE(order.size() == 27);
  for (std::size_t i = 0; i < 3; ++i) CHECK(order[i] / 100 == 3);
  int clean = 0;
  for (std::size_t i = 3; i < 3 + 12; ++i) clean += order[i] / 100 == 2;
  CHECK(clean == 9);  // three in four
}

TEST_CASE("the queue: what waits of a source that has failed goes behind clean ones", "[auth]") {
  AuthQueue queue(100);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    CHECK_FALSE(queue.add(request(i), {7, i, AuthClass::clean}));
    CHECK_FALSE(queue.add(request(10 + i), {8, i, AuthClass::clean}));
  }
  queue.demote(7);
  queue.demote(7);
  queue.demote(9);  // nobody
  CHECK(take_all(queue) == std::vector<std::uint64_t>{11, 12, 13, 1, 2, 3});
}

TEST_CASE("the queue: the last in order gives way, and each leaves once", "[auth]") {
  AuthQueue queue(40);
  std::mt19937 random(5);
  std::set<std::pair<unsigned, std::uint64_t>> inside;
  const auto left = [&](const std::optional<AuthPending>& gone) {
    if (gone) REQUIRE(inside.erase({gone->shard, gone->session}) == 1);
  };
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const unsigned shard = random() % 2;
    const auto in = static_cast<AuthClass>(random() % 3);
    inside.insert({shard, i});
    left(queue.add(request(i, shard), {random() % 9, random() % 5, in}));
    CHECK(queue.size() <= 40);
    if (random() % 3 == 0) left(queue.take());
    if (random() % 20 == 0) queue.demote(random() % 9);
    if (random() % 3 == 0 && !inside.empty()) {
      const auto [from, session] = *inside.begin();
      const auto gone = queue.cancel(from, session);
      REQUIRE(gone.has_value());
      left(gone);
      CHECK_FALSE(queue.cancel(from, session).has_value());
    }
    REQUIRE(queue.size() == inside.size());
  }
  while (const auto taken = queue.take()) left(taken);
  CHECK(inside.empty());
}

TEST_CASE("what is remembered: by account, hash and password, with sources of its own", "[auth]") {
  AuthMemory memory;
  const auto right = memory.digest("$y$hash", "secret");
  CHECK(right == memory.digest("$y$hash", "secret"));
  CHECK(right != memory.digest("$y$hash", "secreu"));
  CHECK(right != memory.digest("$y$other", "secret"));
  CHECK(memory.digest("ab", "c") != memory.digest("a", "bc"));
  CHECK(right != AuthMemory().digest("$y$hash", "secret"));  // keyed by the run

  CHECK_FALSE(memory.knows(3, right));
  CHECK_FALSE(memory.knows(3, AuthMemory::Digest{}));
  memory.verified({3, 1, 77}, right);
  CHECK(memory.knows(3, right));
  CHECK_FALSE(memory.knows(4, right));
  for (std::size_t octet : {0U, 15U, 31U}) {
    auto wrong = right;
    wrong[octet] ^= 1;
    CHECK_FALSE(memory.knows(3, wrong));
  }
  CHECK(memory.good(3, 77));
  CHECK_FALSE(memory.good(4, 77));
  memory.verified({4, 1, 99}, right);
  for (std::uint64_t i = 0; i < 10 * AuthMemory::kSourcesMax; ++i)
    memory.verified({3, 1, i + 1'000}, right);
  CHECK_FALSE(memory.good(3, 77));  // the oldest of its own
  CHECK(memory.good(3, 10 * AuthMemory::kSourcesMax + 999));
  CHECK(memory.good(4, 99));  // nobody else's

  memory.verified({3, 2, 5}, memory.digest("$y$new", "secret"));
  CHECK_FALSE(memory.knows(3, right));
  CHECK_FALSE(memory.good(3, 10 * AuthMemory::kSourcesMax + 999));
  memory.keep([](std::uint16_t client, std::uint32_t) { return client == 4; });
  CHECK(memory.size() == 1);
  CHECK_FALSE(memory.good(3, 5));
}

// The vectors of SipHash's authors: key 00 01 ... 0f, octets 00 01 ..., results little-endian.
TEST_CASE("SipHash-2-4 gives the reference vectors", "[auth]") {
  constexpr std::uint64_t k0 = 0x0706050403020100u;
  constexpr std::uint64_t k1 = 0x0f0e0d0c0b0a0908u;
  constexpr std::uint64_t kVectors[] = {
      0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au, 0x85676696d7fb7e2du,
      0xcf2794e0277187b7u, 0x18765564cd99a68du, 0xcbc9466e58fee3ceu, 0xab0200f58b01d137u,
      0x93f5f5799a932462u, 0x9e0082df0ba9e4b0u, 0x7a5dbbc594ddb9f3u, 0xf4b32f46226bada7u,
      0x751e8fbc860ee5fbu, 0x14ea5627c0843d90u, 0xf723ca908e7af2eeu, 0xa129ca6149be45e5u};
  std::string octets;
  for (const std::uint64_t vector : kVectors) {
    CHECK(siphash(k0, k1, octets) == vector);
    octets += static_cast<char>(octets.size());
  }
}

TEST_CASE("the keyed hash: every octet and the seed count", "[auth]") {
  CHECK(keyed_hash(1, "abcdefgh") != keyed_hash(2, "abcdefgh"));
  CHECK(keyed_hash(1, "abcdefgh") != keyed_hash(1, "abcdefgi"));
  CHECK(keyed_hash(1, "abcdefgh") != keyed_hash(1, std::string_view("abcdefgh\0", 9)));
  CHECK(keyed_hash(1, "") != keyed_hash(1, std::string_view("\0", 1)));
}
