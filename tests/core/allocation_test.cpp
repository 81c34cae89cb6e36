// What a steady turn and an idle connection cost in memory: every operator new is counted.
#include <memory>
#include <sys/socket.h>
#include <unistd.h>

#include "core/connection.h"
#include "core/shard.h"
#include "tests/allocations.h"

namespace tollgate::core {
namespace {

using tests::allocations;

struct Echo final : Connection::Owner {
  std::unique_ptr<Connection> connection;
  std::uint64_t octets = 0;
  Timer timer{[](void*, const Now&) {}, nullptr};
  std::size_t on_input(Connection& c, Octets input, const Now& now) override {
    octets += input.size();
    c.shard().timers().arm(timer, now.mono_us + 50'000);
    // An odd octet stays behind, so that the rest's buffer is at work too.
    const std::size_t n = input.size() & ~std::size_t{1};
    if (!c.write(input.first(n))) return 0;
    return n;
  }
  void on_closed(Connection&, CloseReason, const Now&) override {}
};

struct Pair {
  Pair(Shard& shard, Echo& a, Echo& b) {
    NetError error;
    auto listener = shard.net().listen(
        {"127.0.0.1", 0},
        [&](SocketPtr s, const Address&) {
          b.connection = std::make_unique<Connection>(shard, std::move(s), b);
        },
        error);
    auto connecting = shard.net().connect(listener->local(), [&](SocketPtr s, const NetError& e) {
      if (!e) a.connection = std::make_unique<Connection>(shard, std::move(s), a);
    });
    for (int i = 0; i < 100'000 && !(a.connection && b.connection); ++i) shard.turn();
  }
};

TEST_CASE("a steady turn allocates nothing", "[allocation]") {
  Shards shards(1, 1 << 16);
  Shard& shard = shards[0];
  Echo a;
  Echo b;
  Pair pair(shard, a, b);
  REQUIRE(a.connection);
  REQUIRE(b.connection);
  std::uint64_t mails = 0;
  shard.on_drain([&](const Now&) {
    shard.from(0).drain(100, [&](std::uint32_t, Octets) { ++mails; });
    return false;
  });
  shard.on_turn_end([&](const Now&) {
    const std::uint64_t number = mails;
    if (!shard.to(0).try_push(1, number, {})) std::abort();
    shard.defer([&mails] { ++mails; });
  });
  const std::string ping(1001, 'p');
  REQUIRE(a.connection->write({reinterpret_cast<const std::uint8_t*>(ping.data()), ping.size()}));
  for (int i = 0; i < 2'000; ++i) shard.turn();
  const std::uint64_t before = allocations().count;
  const std::uint64_t octets = a.octets;
  for (int i = 0; i < 20'000; ++i) shard.turn();
  const std::uint64_t after = allocations().count;
  CHECK(after - before == 0);
  CHECK(a.octets - octets > 1'000'000);
  CHECK(mails > 20'000);
}

TEST_CASE("an idle connection costs at most 1 KiB, its reactor's part included", "[allocation]") {
  Shards shards(1, 1 << 16);
  Echo warm_a;
  Echo warm_b;
  Pair warm(shards[0], warm_a, warm_b);
  Echo near;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  const std::uint64_t before = allocations().octets;
  near.connection = std::make_unique<Connection>(shards[0], shards[0].net().adopt(fds[0]), near);
  shards[0].turn();
  const std::uint64_t cost = allocations().octets - before;
  WARN("an idle connection takes " << cost << " octets");
  CHECK(cost <= 1024);
  CHECK(shards[0].buffers().in_use() == 0);
  ::close(fds[1]);
}

}  // namespace
}  // namespace tollgate::core
