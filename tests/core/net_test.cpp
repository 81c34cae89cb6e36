// The real network over loopback, shards on this thread (turn by turn) or their own.
#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "core/connection.h"
#include "core/shard.h"
#include "core/signals.h"

namespace tollgate::core {
namespace {

using namespace std::chrono_literals;

Octets octets(const std::string& s) {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

// Echoes what it gets; keeps what it got if told to.
struct Echo final : Connection::Owner {
  std::unique_ptr<Connection> connection;
  std::string got;
  bool echo = true;
  bool keep = true;
  int closed = 0;
  int writable = 0;
  CloseReason reason = CloseReason::by_us;

  void open(Shard& shard, SocketPtr socket, const ConnectionLimits& limits = {}) {
    connection = std::make_unique<Connection>(shard, std::move(socket), *this, limits);
  }
  std::size_t on_input(Connection& c, Octets input, const Now&) override {
    if (keep) got.append(input.begin(), input.end());
    if (echo) return c.write(input) ? input.size() : 0;
    return input.size();
  }
  void on_closed(Connection&, CloseReason why, const Now&) override {
    ++closed;
    reason = why;
  }
  void on_writable(Connection&, const Now&) override { ++writable; }
};

template <class Done>
bool turn_until(Shard& shard, Done done) {
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    if (!shard.turn()) std::this_thread::sleep_for(200us);
  }
  return true;
}

struct Loop {
  Shard shard{0, nullptr, {}};
  NetError error;
  Echo server;
  Echo client;
  Address peer_seen;
  ListenerPtr listener;
  ConnectPtr connecting;

  Loop() {
    listener = shard.net().listen(
        {"127.0.0.1", 0},
        [this](SocketPtr socket, const Address& peer) {
          peer_seen = peer;
          server.open(shard, std::move(socket));
        },
        error);
  }
  bool join(const ConnectionLimits& limits = {}) {
    client.echo = false;
    connecting =
        shard.net().connect(listener->local(), [this, limits](SocketPtr socket, const NetError& e) {
          error = e;
          if (!e) client.open(shard, std::move(socket), limits);
        });
    return turn_until(shard, [&] { return client.connection && server.connection; });
  }
};

TEST_CASE("connect, accept, echo and close over loopback", "[net]") {
  Loop loop;
  REQUIRE(loop.listener != nullptr);
  REQUIRE(loop.listener->local().port != 0);
  REQUIRE(loop.join());
  CHECK(loop.peer_seen.host == "127.0.0.1");
  CHECK(loop.client.connection->write(octets("hello")));
  CHECK(turn_until(loop.shard, [&] { return loop.client.got == "hello"; }));
  loop.client.connection->close();
  CHECK(turn_until(loop.shard, [&] { return loop.server.closed == 1; }));
  CHECK(loop.server.reason == CloseReason::by_peer);
  CHECK(loop.client.closed == 1);
}

TEST_CASE("more than the socket buffers hold arrives whole", "[net]") {
  Loop loop;
  REQUIRE(loop.join({.output_max = std::size_t{32} << 20}));
  loop.server.echo = false;
  std::string sent;
  for (int i = 0; i < 16'000'000; ++i) sent += static_cast<char>(i * 31 + i / 251);
  CHECK(loop.client.connection->write(octets(sent)));
  CHECK(turn_until(loop.shard, [&] { return loop.server.got.size() >= sent.size(); }));
  CHECK((loop.server.got == sent));
  CHECK(loop.shard.counts()[ShardCount::sends_cut].get() > 0);
}

TEST_CASE("a peer that never reads leaves the output bounded and the socket alive", "[net]") {
  Loop loop;
  REQUIRE(loop.join({.output_max = 1 << 20}));
  loop.server.connection->pause_reading();
  const std::string part(10'000, 'z');
  std::size_t taken = 0;
  for (int turn = 0; turn < 2'000; ++turn) {
    if (loop.client.connection->write(octets(part))) taken += part.size();
    loop.shard.turn();
    REQUIRE(loop.client.connection->output_size() <= 1 << 20);
  }
  CHECK(loop.client.connection->above_high_water());
  CHECK(loop.client.connection->reserve(part.size()).empty());
  loop.server.echo = false;
  loop.server.connection->resume_reading();
  CHECK(turn_until(loop.shard, [&] { return loop.server.got.size() == taken; }));
  CHECK(turn_until(loop.shard, [&] { return loop.client.writable == 1; }));
}

TEST_CASE("a failed connect says why; a given-up one says nothing", "[net]") {
  Shard shard(0, nullptr, {});
  NetError error;
  auto listener = shard.net().listen(
      {"127.0.0.1", 0}, [](SocketPtr, const Address&) {}, error);
  const Address nobody = listener->local();
  listener.reset();
  int calls = 0;
  ConnectPtr connecting = shard.net().connect(nobody, [&](SocketPtr socket, const NetError& e) {
    ++calls;
    CHECK(socket == nullptr);
    error = e;
    connecting.reset();  // may end its own handle
  });
  CHECK(calls == 0);
  CHECK(turn_until(shard, [&] { return calls == 1; }));
  CHECK(error.code == ECONNREFUSED);
  CHECK(error.reason == "connect " + nobody.text() + ": Connection refused");
  auto given_up = shard.net().connect(nobody, [&](SocketPtr, const NetError&) { ++calls; });
  given_up.reset();
  for (int i = 0; i < 50; ++i) shard.turn();
  CHECK(calls == 1);
}

TEST_CASE("names resolve off the shard, and a name that does not is an error", "[net]") {
  Loop loop;
  loop.connecting = loop.shard.net().connect({"localhost", loop.listener->local().port},
                                             [&](SocketPtr socket, const NetError& e) {
                                               INFO(e.reason);
                                               if (!e)
                                                 loop.client.open(loop.shard, std::move(socket));
                                               loop.error = e;
                                               loop.error.code = e.code == 0 ? -1 : e.code;
                                             });
  // localhost may name ::1 first, where nobody listens: an answer of either kind is an answer.
  CHECK(turn_until(loop.shard, [&] { return loop.error.code != 0; }));
  NetError error;
  auto connecting = loop.shard.net().connect({"no such host.invalid", 1},
                                             [&](SocketPtr, const NetError& e) { error = e; });
  CHECK(turn_until(loop.shard, [&] { return error.code != 0; }));
  CHECK(error.code == EHOSTUNREACH);
  CHECK(error.reason.find("no such host.invalid") != std::string::npos);
}

TEST_CASE("listening twice on one port is an error with its reason", "[net]") {
  Loop loop;
  NetError error;
  auto second = loop.shard.net().listen(
      loop.listener->local(), [](SocketPtr, const Address&) {}, error);
  CHECK(second == nullptr);
  CHECK(error.code == EADDRINUSE);
  CHECK(error.reason.find("Address already in use") != std::string::npos);
}

int connect_plain(const Address& to) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(to.port);
  ::inet_pton(AF_INET, to.host.c_str(), &at.sin_addr);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

TEST_CASE("out of descriptors: accepting pauses, counts, and goes on", "[net]") {
  Loop loop;
  const int plain = connect_plain(loop.listener->local());
  REQUIRE(plain >= 0);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const int next = ::dup(0);
  ::close(next);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next);
  ::setrlimit(RLIMIT_NOFILE, &none);
  const auto until = std::chrono::steady_clock::now() + 250ms;
  while (std::chrono::steady_clock::now() < until) loop.shard.turn();
  ::setrlimit(RLIMIT_NOFILE, &before);
  const auto errors = loop.shard.counts()[ShardCount::accept_errors].get();
  CHECK(errors >= 1);
  CHECK(errors <= 4);  // once in 100 ms, not once a turn
  CHECK(loop.server.connection == nullptr);
  CHECK(turn_until(loop.shard, [&] { return loop.server.connection != nullptr; }));
  ::close(plain);
}

TEST_CASE("accepted sockets are non-blocking, without delay, closed on exec", "[net]") {
  Loop loop;
  REQUIRE(loop.join());
  const Handover handover = loop.server.connection->release_for_handover();
  int on = 0;
  socklen_t length = sizeof on;
  CHECK(::getsockopt(handover.fd, IPPROTO_TCP, TCP_NODELAY, &on, &length) == 0);
  CHECK(on == 1);
  CHECK((::fcntl(handover.fd, F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(handover.fd, F_GETFD) & FD_CLOEXEC) != 0);
  ::close(handover.fd);
}

TEST_CASE("a write to a closed peer is an error, not a signal", "[net]") {
  ::signal(SIGPIPE, SIG_DFL);
  Shard shard(0, nullptr, {});
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  Echo near;
  near.open(shard, shard.net().adopt(pair[0]));
  near.connection->pause_reading();
  ::close(pair[1]);
  CHECK(near.connection->write(octets("x")));
  CHECK(turn_until(shard, [&] { return near.closed == 1; }));
  CHECK(near.reason == CloseReason::write_error);
  CHECK(near.connection->error() == EPIPE);
}

TEST_CASE("a descriptor that the reactor refuses closes with its error", "[net]") {
  Shard shard(0, nullptr, {});
  const int gone = ::dup(0);
  ::close(gone);
  Echo near;
  near.open(shard, shard.net().adopt(gone));
  CHECK(turn_until(shard, [&] { return near.closed == 1; }));
  CHECK(near.reason == CloseReason::read_error);
  CHECK(near.connection->error() == EBADF);
}

TEST_CASE("a handover carries a live socket to another shard", "[net]") {
  Loop loop;
  Shard home(1, nullptr, {});
  REQUIRE(loop.join());
  loop.server.connection->pause_reading();
  CHECK(loop.client.connection->write(octets("early")));
  for (int i = 0; i < 20; ++i) loop.shard.turn();
  const Handover handover = loop.server.connection->release_for_handover();
  loop.server.connection.reset();
  Echo moved;
  moved.open(home, home.net().adopt(handover.fd));
  CHECK(turn_until(loop.shard, [&] {
    home.turn();
    return loop.client.got == "early";
  }));
  CHECK(loop.client.connection->write(octets(" and late")));
  CHECK(turn_until(loop.shard, [&] {
    home.turn();
    return loop.client.got == "early and late";
  }));
}

TEST_CASE("many connects in one go are all accepted, bounded per turn", "[net]") {
  Shard shard(0, nullptr, {});
  NetError error;
  std::vector<std::unique_ptr<Echo>> accepted;
  std::vector<int> plain;
  auto listener = shard.net().listen(
      {"127.0.0.1", 0},
      [&](SocketPtr socket, const Address&) {
        accepted.push_back(std::make_unique<Echo>());
        accepted.back()->open(shard, std::move(socket));
      },
      error);
  for (int i = 0; i < 150; ++i) plain.push_back(connect_plain(listener->local()));
  CHECK(shard.turn());
  CHECK(accepted.size() == 64);
  CHECK(turn_until(shard, [&] { return accepted.size() == 150; }));
  for (const int fd : plain) ::close(fd);
  CHECK(turn_until(shard, [&] {
    return std::all_of(accepted.begin(), accepted.end(), [](auto& e) { return e->closed == 1; });
  }));
}

TEST_CASE("signals arrive as calls on their own thread", "[signals]") {
  std::atomic<int> stops{0};
  std::atomic<int> reloads{0};
  {
    Signals signals({[&] { ++stops; }, [&] { ++reloads; }});
    ::kill(::getpid(), SIGHUP);
    ::kill(::getpid(), SIGINT);
    const auto end = std::chrono::steady_clock::now() + 60s;
    while ((stops < 1 || reloads < 1) && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(1ms);
    }
  }
  CHECK(stops == 1);
  CHECK(reloads == 1);
}

}  // namespace
}  // namespace tollgate::core
