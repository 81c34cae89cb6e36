// A name server that says nothing: the C library's resolver is the test's for names of ".silent".
#include <condition_variable>
#include <dlfcn.h>
#include <mutex>
#include <netdb.h>
#include <string_view>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "routing/redis.h"

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
  if (!std::string_view(host).ends_with(".silent")) return real(host, port, hints, found);
  std::unique_lock lock(resolver.mutex);
  ++resolver.asked;
  resolver.changed.notify_all();
  resolver.changed.wait(lock, [] { return resolver.answers; });
  return EAI_NONAME;
}

namespace tollgate::routing {

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
