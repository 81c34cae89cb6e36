#include "core/mailbox.h"

#include <deque>
#include <random>

namespace tollgate::core {
namespace {

std::vector<std::pair<std::uint32_t, std::string>> take(Mailbox& mailbox, std::size_t max = 1000) {
  std::vector<std::pair<std::uint32_t, std::string>> got;
  mailbox.drain(max, [&](std::uint32_t type, Octets payload) {
    CHECK(reinterpret_cast<std::uintptr_t>(payload.data()) % 8 == 0);
    got.emplace_back(type, std::string(payload.begin(), payload.end()));
  });
  return got;
}
Octets octets(const std::string& s) {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

TEST_CASE("records become visible by publish, once, in order", "[mailbox]") {
  Mailbox mailbox(1024);
  CHECK(mailbox.try_push(1, octets("one")));
  CHECK(mailbox.try_push(2, {}));
  CHECK(mailbox.empty());
  CHECK(take(mailbox).empty());
  mailbox.publish();
  CHECK_FALSE(mailbox.empty());
  CHECK(take(mailbox, 1) == decltype(take(mailbox)){{1, "one"}});
  CHECK(take(mailbox) == decltype(take(mailbox)){{2, ""}});
  CHECK(mailbox.empty());
}

TEST_CASE("a reservation that is not committed is no record", "[mailbox]") {
  Mailbox mailbox(1024);
  CHECK(mailbox.try_reserve(9, 100).size() == 100);
  CHECK(mailbox.try_push(1, octets("a")));
  mailbox.publish();
  CHECK(take(mailbox).size() == 1);
}

TEST_CASE("a record may turn out shorter than what was reserved for it", "[mailbox]") {
  Mailbox mailbox(1024);
  std::minstd_rand random(1);
  std::size_t most_kept = 0;
  for (int lap = 0; lap < 2'000; ++lap) {
    std::vector<std::pair<std::uint32_t, std::string>> sent;
    while (random() % 8 != 0) {
      const std::size_t size = random() % 100;
      const Out out = mailbox.try_reserve(static_cast<std::uint32_t>(lap), size + random() % 300);
      if (out.data() == nullptr) break;
      std::memset(out.data(), lap, out.size());
      mailbox.commit(size);
      sent.emplace_back(lap, std::string(size, static_cast<char>(lap)));
    }
    mailbox.publish();
    most_kept = std::max(most_kept, sent.size());
    REQUIRE((take(mailbox) == sent));
  }
  CHECK(most_kept > 1024 / 400);  // what was not taken was free again
}

TEST_CASE("a full ring refuses and its content survives", "[mailbox]") {
  Mailbox mailbox(1024);
  int pushed = 0;
  while (pushed < 1000 && mailbox.try_push(7, octets("0123456789abcdef"))) ++pushed;
  CHECK(pushed == 1024 / 24);
  CHECK(mailbox.try_reserve(7, 16).data() == nullptr);
  mailbox.publish();
  CHECK(take(mailbox, 2).size() == 2);
  CHECK(mailbox.try_push(8, octets("0123456789abcdef")));
  mailbox.publish();
  const auto rest = take(mailbox);
  CHECK(rest.size() == static_cast<std::size_t>(pushed) - 1);
  CHECK(rest.back().first == 8);
}

TEST_CASE("f may leave a record for later", "[mailbox]") {
  Mailbox mailbox(1024);
  for (std::uint32_t i = 0; i < 5; ++i) CHECK(mailbox.try_push(i, {}));
  mailbox.publish();
  CHECK(mailbox.drain(10, [](std::uint32_t type, Octets) { return type < 3; }) == 3);
  CHECK(take(mailbox).front().first == 3);
}

TEST_CASE("a struct and what follows it arrive as one record", "[mailbox]") {
  struct Pod {
    std::uint64_t a;
    std::uint16_t b;
  };
  Mailbox mailbox(1024);
  CHECK(mailbox.try_push(3, Pod{5, 6}, octets("tail")));
  mailbox.publish();
  mailbox.drain(1, [](std::uint32_t, Octets payload) {
    REQUIRE(payload.size() == sizeof(Pod) + 4);
    CHECK(reinterpret_cast<const Pod*>(payload.data())->a == 5);
    CHECK(reinterpret_cast<const Pod*>(payload.data())->b == 6);
    CHECK(std::string(payload.begin() + sizeof(Pod), payload.end()) == "tail");
  });
}

TEST_CASE("random pushes and drains agree with a queue, and room() keeps its word", "[mailbox]") {
  std::mt19937 random(3);
  Mailbox mailbox(4096);
  std::deque<std::pair<std::uint32_t, std::string>> model;
  std::uint32_t next = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0) {
      std::size_t promised = mailbox.room();
      for (std::size_t n = random() % 8; n > 0; --n) {
        const std::string payload(random() % 600, static_cast<char>('a' + next % 26));
        const std::size_t size = Mailbox::record_size(payload.size());
        const bool pushed = mailbox.try_push(next, octets(payload));
        if (size <= promised) {
          REQUIRE(pushed);
          promised -= size;
        } else {
          promised = 0;
        }
        if (!pushed) break;
        model.emplace_back(next++, payload);
      }
      mailbox.publish();
    } else {
      const std::size_t max = random() % 10;
      const auto got = take(mailbox, max);
      REQUIRE(got.size() == std::min(max, model.size()));
      for (const auto& record : got) {
        REQUIRE(record == model.front());
        model.pop_front();
      }
    }
  }
}

struct CountingWaker final : Waker {
  int wakes = 0;
  void wake() noexcept override { ++wakes; }
};

TEST_CASE("publishing wakes a sleeping consumer once, a waking one never", "[mailbox]") {
  CountingWaker waker;
  Sleeper sleeper(&waker);
  Mailbox a(1024, &sleeper);
  Mailbox b(1024, &sleeper);
  CHECK(a.try_push(1, {}));
  CHECK_FALSE(a.publish());
  sleeper.fall_asleep();
  CHECK_FALSE(a.publish());  // nothing new
  CHECK(a.try_push(1, {}));
  CHECK(b.try_push(1, {}));
  CHECK(a.publish());
  CHECK_FALSE(b.publish());
  CHECK(waker.wakes == 1);
  sleeper.fall_asleep();
  sleeper.awake();
  CHECK(a.try_push(1, {}));
  CHECK_FALSE(a.publish());
  CHECK(waker.wakes == 1);
}

}  // namespace
}  // namespace tollgate::core
