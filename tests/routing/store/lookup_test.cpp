// A name server that says nothing, and one that has two addresses for a name: the C library's
// resolver is the test's for names of ".silent" and ".two".
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "routing/store/redis.h"

namespace {

struct Resolver {
  std::mutex mutex;
  std::condition_variable changed;
  int asked = 0;
  bool answers = false;
} resolver;

void answer() {
  const std::lock_guard lock(resolver.mutex);
  resolver.answers = true;
  resolver.changed.notify_all();
}

}  // namespace

extern "C" int getaddrinfo(const char* host, const char* port, const addrinfo* hints,
                           addrinfo** found) {
  static const auto real =
      reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (std::string_view(host).ends_with(".two")) {
    if (const int error = real("127.0.0.2", port, hints, found)) return error;
    addrinfo** last = found;
    while (*last != nullptr) last = &(*last)->ai_next;
    return real("127.0.0.1", port, hints, last);
  }
  if (!std::string_view(host).ends_with(".silent")) return real(host, port, hints, found);
  std::unique_lock lock(resolver.mutex);
  ++resolver.asked;
  resolver.changed.notify_all();
  resolver.changed.wait(lock, [] { return resolver.answers; });
  return EAI_NONAME;
}

namespace tollgate::routing {
namespace {

sockaddr_in at(const char* host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  REQUIRE(inet_pton(AF_INET, host, &address.sin_addr) == 1);
  return address;
}

// A listener that nobody attends to, with `waiting` connections in front of it.
struct Unattended {
  Unattended(const char* host, std::uint16_t wanted, int waiting) {
    sockaddr_in address = at(host, wanted);
    socklen_t length = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(listen(listener, 0) == 0);
    REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port = ntohs(address.sin_port);
    for (int i = 0; i < waiting; ++i) {
      peers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      (void)!connect(peers.back(), reinterpret_cast<sockaddr*>(&address), length);
    }
  }
  Unattended(const Unattended&) = delete;
  Unattended& operator=(const Unattended&) = delete;
  ~Unattended() {
    for (const int each : peers) ::close(each);
    ::close(listener);
  }

  int listener = -1;
  std::uint16_t port = 0;
  std::vector<int> peers;
};

}  // namespace

TEST_CASE("an address that is silent leaves time for the next, and is named", "[store]") {
  const Unattended silent("127.0.0.2", 0, 4);  // more than its queue holds
  RedisOptions options;
  options.host = "redis.two";
  options.port = silent.port;
  options.connect_us = 600'000;
  Redis redis(options);
  const std::string where = ":" + std::to_string(silent.port);
  const auto none = redis.command({"PING"});
  REQUIRE_FALSE(none);
  CHECK(none.error().reason == "Redis at redis.two" + where + "/0: cannot connect to 127.0.0.2" +
                                   where + ": no answer in time; nor to 127.0.0.1" + where + ": " +
                                   std::strerror(ECONNREFUSED));
  const Unattended there("127.0.0.1", silent.port, 0);
  std::thread serves([&] {
    const int peer = accept(there.listener, nullptr, nullptr);
    char asked[256];
    for (const std::string_view answer : {"+OK\r\n", "+PONG\r\n"}) {
      if (recv(peer, asked, sizeof asked, 0) <= 0) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      (void)!send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    ::close(peer);
  });
  options.connect_us = 4'000'000;
  options.database = 1;  // its word is a part of connecting: the silent one has left time for it
  options.command_us = 60'000'000;
  Redis patient(options);
  const auto answer = patient.command({"PING"});
  if (!answer) ::shutdown(there.listener, SHUT_RDWR);
  serves.join();
  REQUIRE(answer);
  CHECK(answer->text == "PONG");
}

TEST_CASE("a name server that is silent costs a time-out, one thread and no stop", "[store]") {
  RedisOptions options;
  options.host = "redis.silent";
  options.connect_us = 20'000;
  options.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  Redis redis(options);
  for (int i = 0; i < 3; ++i) {
    const auto reply = redis.command({"PING"});
    REQUIRE_FALSE(reply);
    CHECK(reply.error().fault == StoreFault::unreachable);
    CHECK(reply.error().reason ==
          "Redis at redis.silent:6379/0: its name was not found: no answer in time");
  }
  {
    std::unique_lock lock(resolver.mutex);
    resolver.changed.wait(lock, [] { return resolver.asked > 0; });
    CHECK(resolver.asked == 1);
  }
  // A time-out that no test would wait for: the wake-up ends it.
  options.connect_us = 3'600'000'000;
  Redis patient(options);
  std::thread stop([&] {
    std::unique_lock lock(resolver.mutex);
    resolver.changed.wait(lock, [] { return resolver.asked == 2; });
    eventfd_write(options.wake_fd, 1);
  });
  const auto woken = patient.command({"PING"});
  stop.join();
  REQUIRE_FALSE(woken);
  CHECK(woken.error().reason ==
        "Redis at redis.silent:6379/0: its name was not found: the wait was ended");
  eventfd_t count = 0;
  eventfd_read(options.wake_fd, &count);
  answer();
  const auto none = patient.command({"PING"});
  REQUIRE_FALSE(none);
  CHECK(none.error().reason ==
        "Redis at redis.silent:6379/0: " + std::string(gai_strerror(EAI_NONAME)));
  ::close(options.wake_fd);
}

}  // namespace tollgate::routing
