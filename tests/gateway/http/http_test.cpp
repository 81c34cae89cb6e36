// The door of /metrics: what it answers, and peers that are silent, slow or many.
#include <arpa/inet.h>
#include <atomic>
#include <fcntl.h>
#include <netinet/in.h>
#include <optional>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "gateway/http/door.h"

using namespace tollgate;
using namespace tollgate::gateway::http;
using namespace std::chrono_literals;

namespace {

const std::string kGet = "GET /page HTTP/1.1\r\nHost: h\r\n\r\n";

class Peer {
 public:
  Peer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) { REQUIRE(fd_ >= 0); }
  explicit Peer(const Door& door, const char* from = nullptr) : Peer() {
    if (from != nullptr) bind(from);
    connect(door);
  }
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Peer() {
    if (fd_ >= 0) ::close(fd_);
  }
  void connect(const Door& door) {
    const sockaddr_in address = at("127.0.0.1", door.port());
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  void say(const std::string& text) {
    CHECK(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == std::ssize(text));
  }
  // An answer with the body that its head announces; empty: the connection ended before.
  std::string answer(bool with_body = true) {
    while (text_.find("\r\n\r\n") == text_.npos) {
      if (!read()) return {};
    }
    std::size_t size = text_.find("\r\n\r\n") + 4;
    const std::string name = "Content-Length: ";
    if (with_body) size += std::stoul(text_.substr(text_.find(name) + name.size()));
    while (text_.size() < size) {
      if (!read()) return {};
    }
    const std::string answer = text_.substr(0, size);
    text_.erase(0, size);
    return answer;
  }
  std::string ask(const std::string& text) {
    say(text);
    return answer();
  }
  bool ended() {
    while (read()) {
    }
    return true;
  }
  void shrink() {
    const int octets = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
  }

 private:
  static sockaddr_in at(const char* host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, host, &address.sin_addr);
    return address;
  }
  void bind(const char* host) {
    const sockaddr_in address = at(host, 0);
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  bool read() {
    std::array<char, 65536> some;
    const ssize_t got = ::recv(fd_, some.data(), some.size(), 0);
    if (got > 0) text_.append(some.data(), static_cast<std::size_t>(got));
    return got > 0;
  }
  int fd_;
  std::string text_;
};

// Times so long that none of them can be what helps.
DoorLimits patient() {
  DoorLimits limits;
  limits.connections_max = 8;
  limits.source_max = 4;
  limits.bodies_max = 2;
  limits.request = limits.answer = limits.idle = limits.linger = 1h;
  return limits;
}

std::vector<Page> pages(std::size_t octets = 5) {
  return {{"/page", "text/plain", [octets] { return std::string(octets, 'x'); }}};
}

Door door(const DoorLimits& limits = patient(), std::vector<Page> shown = pages()) {
  return Door({"127.0.0.1", 0}, std::move(shown), limits);
}

// What cannot be in a socket's buffers as a whole.
constexpr std::size_t kLarge = 16 << 20;

}  // namespace

TEST_CASE("a head is whole, partial, bad or too large", "[http]") {
  Head head;
  CHECK(read_head(kGet, head) == HeadState::whole);
  CHECK(head.method == Method::get);
  CHECK(head.path == "/page");
  CHECK(head.keep_alive);
  CHECK(head.size == kGet.size());
  for (std::size_t size = 0; size < kGet.size(); ++size) {
    CHECK(read_head(kGet.substr(0, size), head) == HeadState::partial);
  }
  CHECK(read_head("HEAD /a/../b?c=/d HTTP/1.0\r\n\r\nmore", head) == HeadState::whole);
  CHECK(head.method == Method::head);
  CHECK(head.path == "/a/../b");
  CHECK_FALSE(head.keep_alive);
  CHECK(head.size == 30);
  CHECK(read_head("POST /page HTTP/1.1\r\nContent-Length: 5\r\n\r\n", head) == HeadState::whole);
  CHECK(head.method == Method::other);
  CHECK_FALSE(head.keep_alive);
  for (const std::string bad :
       {"\n", "GET\r\n\r\n", "GET /page\r\n\r\n", "GET /page HTTP/9.1\r\n\r\n",
        "GET /page HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /page HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "GET /pa\x01ge HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00"}) {
    INFO(bad);
    CHECK(read_head(bad, head) == HeadState::bad);
  }
  CHECK(read_head("GET /page HTTP/1.1\r\nA: " + std::string(kHeadMax, 'a'), head) ==
        HeadState::too_large);
  CHECK(read_head(std::string(kHeadMax, 'G'), head) != HeadState::partial);
}

TEST_CASE("GET and HEAD of a page, and what is neither", "[http]") {
  const Door door = ::door();
  Peer peer(door);
  const std::string whole = peer.ask(kGet);
  CHECK(whole ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
        "Connection: keep-alive\r\n\r\nxxxxx");
  peer.say("HEAD /page HTTP/1.1\r\n\r\n");
  CHECK(peer.answer(false) == whole.substr(0, whole.size() - 5));
  CHECK(peer.ask("GET /page?name=a HTTP/1.1\r\n\r\n").ends_with("xxxxx"));
  for (const char* path : {"/", "/pages", "/page/", "//page", "/../page", "/%70age", "*"}) {
    INFO(path);
    const std::string target(path);
    CHECK(peer.ask("GET " + target + " HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 Not Found"));
  }
  for (const std::string method : {"DELETE", "PUT", "OPTIONS", "BREW"}) {
    const std::string answer = peer.ask(method + " /page HTTP/1.1\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 405 Method Not Allowed"));
    CHECK(answer.find("Allow: GET, HEAD\r\n") != answer.npos);
  }
  CHECK(
      peer.ask("POST /page HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").starts_with("HTTP/1.1 405"));
  CHECK(peer.ended());
  CHECK(Peer(door).ask("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 Bad Request"));
  CHECK(Peer(door)
            .ask("GET /page HTTP/1.1\r\nA: " + std::string(kHeadMax, 'a'))
            .starts_with("HTTP/1.1 431"));
  Peer old(door);
  CHECK(old.ask("GET /page HTTP/1.0\r\n\r\n").ends_with("xxxxx"));
  CHECK(old.ended());
}

TEST_CASE("requests sent ahead are answered one after the other", "[http]") {
  const Door door = ::door();
  Peer peer(door);
  peer.say(kGet + "GET /other HTTP/1.1\r\n\r\n" + kGet + kGet.substr(0, 10));
  CHECK(peer.answer().ends_with("xxxxx"));
  CHECK(peer.answer().starts_with("HTTP/1.1 404"));
  CHECK(peer.answer().ends_with("xxxxx"));
  CHECK(peer.ask(kGet.substr(10)).ends_with("xxxxx"));
}

TEST_CASE("silent and half connections stop no scrape, however many they are", "[http]") {
  const Door door = ::door();
  Peer idle(door, "127.0.0.9");
  CHECK(idle.ask(kGet).ends_with("xxxxx"));
  std::vector<Peer> silent;
  for (int i = 0; i < 60; ++i) {
    silent.emplace_back(door);
    if (i % 3 == 1) silent.back().say("G");
    if (i % 3 == 2) silent.back().say("GET /page HTTP/1.1\r\nHost: ");
    if (i % 10 == 0) CHECK(Peer(door).ask(kGet).ends_with("xxxxx"));
  }
  CHECK(Peer(door).ask(kGet).ends_with("xxxxx"));
  CHECK(silent[0].ended());  // who has waited longest makes room
  CHECK(door.counts().crowded_out.get() >= 50);
  CHECK(idle.ask(kGet).ends_with("xxxxx"));  // one source does not push out another
  for (int i = 0; i < 40; ++i) {             // many sources do, but not who asks at once
    const std::string from = "127.0.1." + std::to_string(i + 1);
    silent.emplace_back(door, from.c_str());
  }
  CHECK(Peer(door).ask(kGet).ends_with("xxxxx"));
}

TEST_CASE("who is slow to ask, to read or to leave is ended", "[http]") {
  DoorLimits limits = patient();
  SECTION("to ask") {
    limits.request = 20ms;
    const Door door = ::door(limits);
    Peer peer(door);
    peer.say("GET /page");
    CHECK(peer.ended());
    CHECK(door.counts().too_slow.get() == 1);
  }
  SECTION("to ask again") {
    limits.request = 20ms;
    const Door door = ::door(limits);
    Peer peer(door);
    peer.say(kGet + "GET /page");
    CHECK(peer.answer().ends_with("xxxxx"));
    CHECK(peer.ended());
  }
  SECTION("to read") {
    limits.answer = 20ms;
    const Door door = ::door(limits, pages(kLarge));
    Peer peer(door);
    peer.shrink();
    peer.say(kGet);
    while (door.counts().too_slow.get() == 0) std::this_thread::sleep_for(1ms);
  }
  SECTION("between two requests") {
    limits.idle = 20ms;
    const Door door = ::door(limits);
    Peer peer(door);
    CHECK(peer.ask(kGet).ends_with("xxxxx"));
    CHECK(peer.ended());
    CHECK(door.counts().too_slow.get() == 0);
  }
  SECTION("to leave") {
    limits.linger = 20ms;
    const Door door = ::door(limits);
    Peer peer(door);
    CHECK(peer.ask("nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
    CHECK(peer.ended());
  }
}

TEST_CASE("pages that nobody reads do not pile up", "[http]") {
  const Door door = ::door(patient(), pages(kLarge));
  std::vector<Peer> slow;
  for (int i = 0; i < 3; ++i) {
    slow.emplace_back(door);
    slow.back().shrink();
    slow.back().say(kGet);
    while (door.counts().answered.get() == static_cast<std::uint64_t>(i)) {
      std::this_thread::sleep_for(1ms);
    }
  }
  CHECK(door.counts().crowded_out.get() == 1);
  Peer peer(door);
  CHECK(peer.ask(kGet).size() > kLarge);
  CHECK(door.counts().crowded_out.get() == 2);
}

TEST_CASE("whoever asks first in line ends those that stand next", "[http]") {
  const Door door = ::door(patient(), pages(kLarge));
  Peer first(door);
  std::vector<Peer> slow;
  for (int i = 0; i < 2; ++i) slow.emplace_back(door).shrink();
  for (std::uint64_t i = 0; i < 2; ++i) {
    slow[i].say(kGet);
    while (door.counts().answered.get() == i) std::this_thread::sleep_for(1ms);
  }
  CHECK(first.ask(kGet).size() > kLarge);
  CHECK(door.counts().crowded_out.get() == 1);
}

TEST_CASE("a page is rendered once for all that asked meanwhile", "[http]") {
  std::atomic<int> renders{0};
  std::atomic<bool> go_on{false};
  const Door door = ::door(patient(), {{"/page", "text/plain", [&] {
                                          if (++renders == 1) {
                                            renders.notify_all();
                                            go_on.wait(false);
                                          }
                                          return std::string("x");
                                        }}});
  Peer first(door);
  first.say(kGet);
  renders.wait(0);
  std::vector<Peer> others;
  for (int i = 0; i < 3; ++i) {
    others.emplace_back(door);
    others.back().say(kGet);
  }
  go_on = true;
  go_on.notify_all();
  CHECK(first.answer().ends_with("\r\n\r\nx"));
  for (Peer& other : others) CHECK(other.answer().ends_with("\r\n\r\nx"));
  CHECK(renders == 2);
}

TEST_CASE("the door opens when the process has no descriptor left", "[http]") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit small{128, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &small) == 0);
  {
    const Door door = ::door();
    std::vector<Peer> silent(8), asking(20);
    std::vector<int> taken;
    for (int fd; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken.push_back(fd);
    std::size_t answered = 0;
    for (std::size_t i = 0; i < asking.size(); ++i) {
      if (i < silent.size()) silent[i].connect(door);
      asking[i].connect(door);
      answered += asking[i].ask(kGet).ends_with("xxxxx");
    }
    for (const int fd : taken) ::close(fd);
    CHECK(answered == asking.size());
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("an address that cannot be had", "[http]") {
  const Door first = door();
  CHECK_THROWS_WITH(Door({"127.0.0.1", first.port()}, pages(), {}), "Address already in use");
  CHECK_THROWS(Door({"192.0.2.1", 0}, pages(), {}));
}
