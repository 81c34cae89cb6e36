// The store when Redis fails: each failure is an error that says what to do, within its time, and
// nothing is half done.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "routing/store/store.h"
#include "tests/routing/store/redis_server.h"

using namespace tollgate::routing;
using Catch::Contains;

namespace {

using Changes = std::vector<FileChange>;

Actor by(const std::string& who) {
  return {who, "why", 1'800'000'000'000'000};
}

template <class T>
T good(StoreResult<T> result) {
  if (!result) FAIL(result.error().reason);
  return std::move(*result);
}

template <class T>
std::string bad(const StoreResult<T>& result, StoreFault fault) {
  REQUIRE_FALSE(result);
  INFO(result.error().reason);
  CHECK(static_cast<int>(result.error().fault) == static_cast<int>(fault));
  return result.error().reason;
}

TableVersion publish(Store& store, const Changes& changes) {
  const TableDraft draft = good(store.create_draft(by("ann"), changes, ""));
  return good(store.publish(draft, by("ann")));
}

StoreOptions hasty(StoreOptions options) {
  options.redis.connect_us = 300'000;
  options.redis.command_us = 300'000;
  return options;
}

std::int64_t ms_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               begin)
      .count();
}

// Answers whatever comes with the same octets (after others, once), again and again, as fast as
// `pause_ms` lets it.
class FakeServer {
 public:
  FakeServer(std::string path, std::string answer, int pause_ms, std::string first = "")
      : path_(std::move(path)),
        answer_(std::move(answer)),
        first_(std::move(first)),
        pause_ms_(pause_ms) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    unlink(path_.c_str());
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(listener_, 8) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeServer() {
    stop_ = true;
    thread_.join();
    close(listener_);
    unlink(path_.c_str());
  }

 private:
  bool readable(int fd) const {
    pollfd polled{fd, POLLIN, 0};
    while (!stop_) {
      if (poll(&polled, 1, 10) > 0) return true;
    }
    return false;
  }
  void serve() {
    while (readable(listener_)) {
      const int fd = accept(listener_, nullptr, nullptr);
      char octets[4096];
      if (readable(fd) && recv(fd, octets, sizeof octets, 0) > 0) answer(fd);
      close(fd);
    }
  }
  void answer(int fd) const {
    std::size_t said = 0;
    if (send(fd, first_.data(), first_.size(), MSG_NOSIGNAL) < 0) return;
    while (!stop_ && said < kMost) {
      said += answer_.size();
      if (send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL) < 0) return;
      if (pause_ms_ < 0) return;
      if (pause_ms_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms_));
    }
  }

  static constexpr std::size_t kMost = 8 * kReplyOctetsMax;

  std::string path_, answer_, first_;
  int pause_ms_;
  int listener_ = -1;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("contents that are damaged or missing are named, and can be mended", "[store]") {
  RedisServer server;
  Store store(server.options());
  std::string text(3 * kChunkOctets - 7, 'x');
  text[kChunkOctets] = 'y';
  publish(store, {{"rates/a.csv", text}});
  const TableFile file = good(store.version(0)).files.at(0);
  const std::string key = "tollgate:tables:blob:" + hex(file.sha256) + ":";
  const std::string second = server.say({"GET", key + "1"}).text;
  const auto why = [&] { return bad(store.get(file), StoreFault::damaged); };

  server.say({"DEL", key + "1"});
  CHECK_THAT(why(), Contains("rates/a.csv") && Contains("is missing: chunk 2 of 3"));
  const TableDraft draft = good(store.create_draft(by("ann"), Changes{{"b.csv", "1"}}, ""));
  CHECK_THAT(bad(store.publish(draft, by("ann")), StoreFault::damaged),
             Contains("1 chunks of its files are missing"));
  CHECK(good(store.current()) == 1);

  server.say({"SET", key + "1", "garbage"});
  CHECK_THAT(why(), Contains("is no chunk"));
  server.say({"SET", key + "1", server.say({"GET", key + "0"}).text});
  CHECK_THAT(why(), Contains("is chunk 1 of 3, not 2 of 3"));
  std::string flipped = second;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 1);
  server.say({"SET", key + "1", flipped});
  CHECK_THAT(why(), Contains("SHA-256"));
  server.say({"SET", key + "1", second.substr(0, second.size() - 1)});
  CHECK_THAT(why(), Contains("rates/a.csv"));
  server.say({"DEL", key + "1"});
  server.say({"RPUSH", key + "1", "x"});
  CHECK_THAT(bad(store.get(file), StoreFault::refused), Contains("WRONGTYPE"));
  server.say({"DEL", key + "1"});

  CHECK(good(store.put("rates/a.csv", text)) == file);
  CHECK(good(store.get(file)) == text);
  CHECK(good(store.publish(draft, by("ann"))).number == 2);
}

TEST_CASE("records that are damaged, of another format or number are named", "[store]") {
  RedisServer server;
  Store store(server.options());
  publish(store, {{"a.csv", "1"}});
  publish(store, {{"a.csv", "2"}});
  const std::string one = server.say({"GET", "tollgate:tables:version:1"}).text;
  std::string two = server.say({"GET", "tollgate:tables:version:2"}).text;
  server.say({"SET", "tollgate:tables:version:2", one});
  CHECK_THAT(bad(store.version(0), StoreFault::damaged), Contains("version:2 holds version 1"));
  two[two.size() / 2] = static_cast<char>(two[two.size() / 2] ^ 1);
  server.say({"SET", "tollgate:tables:version:2", two});
  CHECK_THAT(bad(store.version(2), StoreFault::damaged), Contains("tollgate:tables:version:2"));
  // The envelope's first field is its format.
  std::string future = one;
  REQUIRE(future.substr(0, 2) == "\x08\x01");
  future[1] = 9;
  server.say({"SET", "tollgate:tables:version:2", future});
  CHECK_THAT(bad(store.version(2), StoreFault::damaged), Contains("is of format 9"));
  // Nothing can be based on it, but it can be undone.
  CHECK_THAT(bad(store.create_draft(by("ann"), Changes{{"a.csv", "3"}}, ""), StoreFault::damaged),
             Contains("roll back to a version that can be read"));
  CHECK_THAT(good(store.history(10)).versions.at(0).note, Contains("cannot be read"));
  CHECK(good(store.rollback(1, by("ann"))).number == 3);
  CHECK(good(store.history(10)).versions.size() == 3);
  server.say({"SET", "tollgate:tables:current", "2"});
  server.say({"DEL", "tollgate:tables:version:2"});
  bad(store.version(0), StoreFault::missing);
  server.say({"SET", "tollgate:tables:current", "-1"});
  CHECK_THAT(bad(store.current(), StoreFault::damaged), Contains("holds no number"));
  server.say({"SET", "tollgate:tables:current", "99999999999"});
  bad(store.current(), StoreFault::damaged);
  server.say({"SET", "tollgate:tables:draft:7", "x"});
  CHECK_THAT(bad(store.draft(7), StoreFault::damaged), Contains("draft:7 is no record"));
  server.say({"XADD", "tollgate:tables:audit", "*", "other", "x"});
  bad(store.audit(10), StoreFault::damaged);
}

TEST_CASE("a Redis that is out of memory or read-only refuses, and nothing is half done",
          "[store]") {
  RedisServer server;
  Store store(server.options());
  publish(store, {{"a.csv", "1"}});
  const TableDraft draft = good(store.create_draft(by("ann"), Changes{{"a.csv", "2"}}, ""));

  server.say({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  server.say({"CONFIG", "SET", "maxmemory", "1"});
  CHECK_THAT(bad(store.publish(draft, by("ann")), StoreFault::refused),
             Contains("OOM") && Contains("raise its maxmemory"));
  bad(store.create_draft(by("ann"), Changes{{"a.csv", std::string(100'000, '3')}}, ""),
      StoreFault::refused);
  CHECK(good(store.current()) == 1);
  CHECK(good(store.draft(draft.id)).state == DraftState::draft);
  CHECK(good(store.get(good(store.version(0)).files[0])) == "1");
  server.say({"CONFIG", "SET", "maxmemory", "0"});

  server.say({"REPLICAOF", "127.0.0.1", "1"});
  CHECK_THAT(bad(store.publish(draft, by("ann")), StoreFault::refused),
             Contains("READONLY") && Contains("connect to its master"));
  CHECK(good(store.version(0)).number == 1);
  server.say({"REPLICAOF", "NO", "ONE"});

  server.say({"ACL", "SETUSER", "viewer", "on", ">pw", "~*", "+@read", "+@connection"});
  StoreOptions viewer = server.options();
  viewer.redis.user = "viewer";
  viewer.redis.password = "pw";
  Store seen(viewer);
  CHECK(good(seen.version(0)).number == 1);
  CHECK_THAT(bad(seen.report({"g", 1, 1, 0, "", 1}), StoreFault::refused), Contains("NOPERM"));
  viewer.redis.password = "wrong";
  CHECK_THAT(bad(Store(viewer).current(), StoreFault::refused),
             Contains("WRONGPASS") && Contains("password_file"));

  CHECK(good(store.publish(draft, by("ann"))).number == 2);
}

TEST_CASE("a Redis that is killed or stands still costs its time-out, and is found again",
          "[store]") {
  RedisServer server({"--appendonly", "yes", "--appendfsync", "always"});
  Store store(hasty(server.options()));
  publish(store, {{"a.csv", "1"}});
  server.stop_still();
  auto begin = std::chrono::steady_clock::now();
  CHECK_THAT(bad(store.current(), StoreFault::unreachable), Contains("no answer in time"));
  CHECK(ms_since(begin) >= 250);
  CHECK(ms_since(begin) < 2'000);
  bad(store.current(), StoreFault::unreachable);
  server.go_on();
  CHECK(good(store.current()) == 1);

  server.kill();
  bad(store.current(), StoreFault::unreachable);
  CHECK_THAT(bad(store.current(), StoreFault::unreachable), Contains(server.socket()));
  server.start();
  CHECK(good(store.version(0)).number == 1);
  CHECK(publish(store, {{"a.csv", "2"}}).number == 2);
}

TEST_CASE("a transaction whose answer never came says that it may be done", "[store]") {
  RedisServer server;
  Redis redis(hasty(server.options()).redis);
  REQUIRE(redis.command({"SET", "a", "1"}));
  REQUIRE(redis.command({"WATCH", "a"}));
  server.say({"SET", "a", "2"});
  const auto overtaken = redis.transaction({{"SET", "a", "3"}});
  REQUIRE(overtaken);
  CHECK(overtaken->is_nil());
  const auto refused = redis.transaction({{"SET", "a", "4"}, {"NO-SUCH-COMMAND"}});
  bad(refused, StoreFault::refused);
  CHECK(server.say({"GET", "a"}).text == "2");
  const auto half = redis.transaction({{"SET", "a", "5"}, {"INCR", "a"}, {"LPUSH", "a", "x"}});
  CHECK_THAT(bad(half, StoreFault::refused), Contains("WRONGTYPE"));
}

TEST_CASE("whatever answers garbage is no Redis, within the time and in little memory", "[store]") {
  RedisServer server;
  const std::string path = (server.folder() / "fake.sock").string();
  struct Case {
    std::string answer;
    int pause_ms;  // between two; -1: once, then the connection is closed
  };
  std::string nested;
  for (int i = 0; i < 50; ++i) nested += "*1\r\n";
  for (const Case& each :
       std::initializer_list<Case>{{"HTTP/1.1 400 Bad Request\r\n\r\n", -1},
                                   {"\n\n\n", 0},
                                   {std::string(4096, '\0'), 0},
                                   {"$999999999999\r\n", 0},
                                   {"$2147483647\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0},
                                   {"*2147483647\r\n", 0},
                                   {"*1000000\r\n", 0},
                                   {"*-7\r\n", -1},
                                   {"$-9\r\n", -1},
                                   {":notanumber\r\n", -1},
                                   {nested, 0},
                                   {"*3\r\n$1\r\na\r\n", 1},
                                   {"+", 1},
                                   {"", -1},
                                   {":1\r\n:1\r\n:1\r\n", 1}}) {
    INFO(each.answer.substr(0, 20));
    FakeServer fake(path, each.answer, each.pause_ms);
    StoreOptions options = hasty(server.options());
    options.redis.host = path;
    Store store(options);
    const auto begin = std::chrono::steady_clock::now();
    CHECK_FALSE(store.version(0));
    const auto listed = store.drafts();
    CHECK((!listed || listed->empty()));
    CHECK(ms_since(begin) < 6'000);
  }
}

TEST_CASE("an answer that is too long is not waited for", "[store]") {
  RedisServer server;
  const std::string path = (server.folder() / "fake.sock").string();
  // More than any answer may have, and all of it comes.
  const std::size_t size = 4 * kReplyOctetsMax;
  const FakeServer fake(path, "$" + std::to_string(size) + "\r\n" + std::string(size, 'x') + "\r\n",
                        -1);
  StoreOptions options = server.options();
  options.redis.host = path;
  options.redis.command_us = 60'000'000;
  CHECK_THAT(bad(Store(options).current(), StoreFault::unreachable), Contains("too long"));
}

TEST_CASE("an answer of many parts is bounded as a whole", "[store]") {
  RedisServer server;
  const std::string path = (server.folder() / "fake.sock").string();
  const std::string part(std::size_t{1} << 20, 'x');
  const FakeServer fake(path, "$" + std::to_string(part.size()) + "\r\n" + part + "\r\n", 0,
                        "*1000\r\n");
  RedisOptions options;
  options.host = path;
  options.command_us = 60'000'000;
  Redis redis(options);
  CHECK_THAT(bad(redis.command({"GET", "a"}), StoreFault::unreachable), Contains("too long"));
}

TEST_CASE("whoever always has an octet more is heard until the deadline, or a wake-up", "[store]") {
  RedisServer server;
  const std::string path = (server.folder() / "fake.sock").string();
  const FakeServer fake(path, "+", 0);
  RedisOptions options;
  options.host = path;
  options.command_us = 300'000;
  Redis hasty(options);
  CHECK_THAT(bad(hasty.command({"PING"}), StoreFault::unreachable), Contains("no answer in time"));
  options.command_us = 3'600'000'000;
  options.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  Redis patient(options);
  std::thread waker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    eventfd_write(options.wake_fd, 1);
  });
  CHECK_THAT(bad(patient.command({"PING"}), StoreFault::unreachable), Contains("was ended"));
  waker.join();
  close(options.wake_fd);
}

// What answers a subscription at once, with a message of more than two reads; all of it lies in the
// socket when this returns.
Redis with_a_long_message(const std::string& path, RedisOptions options) {
  const std::string told(150'000, 'x');
  FakeServer fake(path, "", -1,
                  "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$" +
                      std::to_string(told.size()) + "\r\n" + told + "\r\n");
  options.host = path;
  Redis redis(options);
  REQUIRE(redis.command({"SUBSCRIBE", "a"}));
  return redis;  // the server ends when it has said all
}

TEST_CASE("the deadline and the wake-up come before what can be read", "[store]") {
  RedisServer server;
  const std::string path = (server.folder() / "fake.sock").string();
  Redis late = with_a_long_message(path, {});
  const auto cut = late.message(0);
  REQUIRE(cut);
  CHECK_FALSE(*cut);
  const auto whole = late.message(60'000'000);
  REQUIRE(whole);
  CHECK(whole->value_or("").size() == 150'000);
  RedisOptions options;
  options.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  Redis woken = with_a_long_message(path, options);
  eventfd_write(options.wake_fd, 1);
  const auto none = woken.message(3'600'000'000);
  REQUIRE(none);
  CHECK_FALSE(*none);
  close(options.wake_fd);
}

TEST_CASE("a transaction has one time-out, however many commands it is of", "[store]") {
  RedisServer server;
  const std::string path = (server.folder() / "fake.sock").string();
  const FakeServer fake(path, "+OK\r\n", 100);
  RedisOptions options;
  options.host = path;
  options.command_us = 300'000;
  Redis redis(options);
  const std::vector<std::vector<std::string>> commands(200, {"SET", "a", "1"});
  const auto begin = std::chrono::steady_clock::now();
  CHECK_THAT(bad(redis.transaction(commands), StoreFault::unreachable),
             Contains("no answer in time") && Contains("whether it was done is not known"));
  CHECK(ms_since(begin) < 15'000);  // all answers take 20 s
}

TEST_CASE("what is no message ends a subscription", "[store]") {
  RedisServer server;
  const std::string path = (server.folder() / "fake.sock").string();
  const FakeServer fake(path, "*1\r\n:1\r\n", 0);
  RedisOptions options;
  options.host = path;
  Redis redis(options);
  REQUIRE(redis.command({"SUBSCRIBE", "a"}));
  const auto message = redis.message(3'600'000'000);
  REQUIRE_FALSE(message);
  CHECK_THAT(message.error().reason, Contains("is no Redis"));
}

TEST_CASE("a socket that takes no more connections is told by its own reason", "[store]") {
  RedisServer server;
  const std::string path = (server.folder() / "full.sock").string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(listener, 0) == 0);
  std::vector<int> waiting;
  for (bool room = true; room;) {
    waiting.push_back(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    room = connect(waiting.back(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  RedisOptions options;
  options.host = path;
  Redis redis(options);
  CHECK_THAT(bad(redis.command({"PING"}), StoreFault::unreachable),
             Contains(std::string("cannot connect: ") + std::strerror(EAGAIN)));
  for (const int each : waiting) close(each);
  close(listener);
}

TEST_CASE("a wake-up ends any wait", "[store]") {
  RedisServer server;
  const int wake = eventfd(0, EFD_NONBLOCK);
  StoreOptions options = server.options();
  options.redis.wake_fd = wake;
  Store store(options);
  REQUIRE(store.current());
  server.stop_still();
  std::thread waker([wake] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    eventfd_write(wake, 1);
  });
  const auto begin = std::chrono::steady_clock::now();
  CHECK_THAT(bad(store.current(), StoreFault::unreachable), Contains("was ended"));
  CHECK(ms_since(begin) < 2'000);
  waker.join();
  server.go_on();
  close(wake);
}

TEST_CASE("messages of a subscription come one by one", "[store]") {
  RedisServer server;
  Store store(server.options());
  Redis subscription(server.options().redis);
  REQUIRE_FALSE(subscription.message(0));
  REQUIRE(subscription.command({"SUBSCRIBE", store.channel()}));
  CHECK_FALSE(good(subscription.message(1'000)));
  publish(store, {{"a.csv", "1"}});
  publish(store, {{"a.csv", "2"}});
  CHECK(good(subscription.message(2'000'000)) == "1");
  CHECK(good(subscription.message(2'000'000)) == "2");
  CHECK_FALSE(good(subscription.message(1'000)));
  server.kill();
  CHECK_FALSE(subscription.message(2'000'000));
}
