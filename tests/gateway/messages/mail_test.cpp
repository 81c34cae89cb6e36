// The way between shards: what does not fit its ring waits, in order, and nothing is lost.
#include "gateway/messages/mail.h"

#include <random>

#include "core/shard.h"
#include "tests/catch_pch.h"
#include "tests/core/fake_net.h"

namespace tollgate::gateway {
namespace {

struct Got {
  std::uint32_t type = 0;
  std::uint64_t number = 0;
  std::size_t length = 0;
};

struct Two {
  Two() {
    core::ShardsOptions options;
    options.count = 2;
    options.mailbox_octets = 1024;
    options.make_net = [](unsigned) { return std::make_unique<core::FakeNet>(); };
    options.clock = [] { return core::Now{}; };
    shards = std::make_unique<core::Shards>(options);
    outbox = std::make_unique<Outbox>((*shards)[0]);
  }
  std::size_t take(unsigned shard, std::size_t max) {
    (*shards)[0].to(shard).publish();
    return (*shards)[shard].from(0).drain(max, [&](std::uint32_t type, core::Octets record) {
      Got one{type, 0, record.size()};
      std::memcpy(&one.number, record.data(), sizeof one.number);
      for (std::size_t i = 8; i < record.size(); ++i) {
        if (record[i] != static_cast<std::uint8_t>(one.number + i)) FAIL("octets");
      }
      got[shard].push_back(one);
    });
  }
  void post(unsigned shard, std::uint64_t number, std::size_t rest) {
    std::vector<std::uint8_t> octets(rest);
    for (std::size_t i = 0; i < rest; ++i) octets[i] = static_cast<std::uint8_t>(number + 8 + i);
    outbox->post(shard, number % 2 == 0 ? MailType::order : MailType::outcome, number, octets);
  }

  std::unique_ptr<core::Shards> shards;
  std::unique_ptr<Outbox> outbox;
  std::array<std::vector<Got>, 2> got;
};

TEST_CASE("a ring too small: mail spills, leaves in order, none is lost", "[mail]") {
  Two two;
  std::mt19937_64 random(3);
  std::array<std::uint64_t, 2> posted{};
  std::size_t spills = 0;
  for (int round = 0; round < 3'000; ++round) {
    for (std::uint64_t n = random() % 12; n > 0; --n) {
      const auto to = static_cast<unsigned>(random() % 2);
      two.post(to, posted[to]++, random() % 300);
    }
    if (!two.outbox->empty()) ++spills;
    const auto reader = static_cast<unsigned>(random() % 2);
    two.take(reader, random() % 20);
    two.outbox->clear();
  }
  CHECK(spills > 100);
  for (int i = 0; i < 100'000 && !two.outbox->clear(); ++i) {
    two.take(0, 100);
    two.take(1, 100);
  }
  two.take(0, 100);
  two.take(1, 100);
  CHECK(two.outbox->empty());
  for (unsigned shard = 0; shard < 2; ++shard) {
    REQUIRE(two.got[shard].size() == posted[shard]);
    for (std::uint64_t i = 0; i < posted[shard]; ++i) {
      if (two.got[shard][i].number != i) FAIL("order at " << i);
      if (two.got[shard][i].type != (i % 2 == 0 ? 1u : 2u)) FAIL("type at " << i);
    }
  }
}

TEST_CASE("one full ring holds up no other; the spilled waits behind the spilled", "[mail]") {
  Two two;
  for (std::uint64_t i = 0; i < 50; ++i) two.post(1, i, 100);
  CHECK_FALSE(two.outbox->empty());
  two.post(0, 0, 10);
  CHECK(two.take(0, 10) == 1);  // went straight to its ring
  CHECK_FALSE(two.outbox->clear());
  // Room in the ring, but older mail waits: a new one must not overtake it.
  two.take(1, 1'000);
  two.post(1, 50, 4);
  while (!two.outbox->clear()) two.take(1, 1'000);
  two.take(1, 1'000);
  REQUIRE(two.got[1].size() == 51);
  for (std::uint64_t i = 0; i < 51; ++i) CHECK(two.got[1][i].number == i);
}

}  // namespace
}  // namespace tollgate::gateway
