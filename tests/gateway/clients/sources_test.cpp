#include "gateway/clients/sources.h"

#include <deque>
#include <memory>
#include <random>

#include <catch2/catch.hpp>

using namespace tollgate::gateway;
using Verdict = Sources::Verdict;

namespace {

Ip ip(const std::string& text) {
  return parse_ip(text).value();
}

// Connections by session id, from 1.
struct Lobby {
  explicit Lobby(std::uint32_t per_source) : sources(per_source, 5) {}

  Sources::Admission come(const std::string& from, std::uint32_t room = 1'000) {
    auto& place = places.emplace_back(std::make_unique<Sources::Place>());
    place->session = places.size();
    return sources.admit(ip(from), *place, room);
  }
  Sources::Place& place(std::uint64_t session) { return *places[session - 1]; }

  Sources sources;
  std::deque<std::unique_ptr<Sources::Place>> places;
};

}  // namespace

TEST_CASE("a source's oldest gives way to its newcomer, nobody else's", "[sources]") {
  Lobby lobby(3);
  CHECK(lobby.come("192.0.2.9").gives_way == 0);
  for (int i = 0; i < 3; ++i) CHECK(lobby.come("192.0.2.1").gives_way == 0);
  auto admission = lobby.come("192.0.2.1");
  CHECK(admission.verdict == Verdict::admitted);
  CHECK(admission.gives_way == 2);
  CHECK(admission.of_source);
  CHECK(lobby.come("192.0.2.2").gives_way == 0);
  lobby.sources.leave(lobby.place(3));
  CHECK(lobby.come("192.0.2.1").gives_way == 0);
  CHECK(lobby.sources.count() == 5);
}

TEST_CASE("without room the oldest of all gives way", "[sources]") {
  Lobby lobby(100);
  for (const char* from : {"192.0.2.1", "192.0.2.2", "192.0.2.3"}) lobby.come(from, 3);
  const auto admission = lobby.come("192.0.2.4", 3);
  CHECK(admission.gives_way == 1);
  CHECK_FALSE(admission.of_source);
  CHECK(lobby.sources.count() == 3);
  CHECK(lobby.come("192.0.2.1", 0).verdict == Verdict::admitted);  // as many as there were
  CHECK(lobby.sources.count() == 3);
}

TEST_CASE("whose bind has been read does not give way; whose bind was refused does first",
          "[sources]") {
  Lobby lobby(3);
  for (int i = 0; i < 3; ++i) lobby.come("192.0.2.1");
  lobby.sources.busy(lobby.place(1));
  CHECK(lobby.come("192.0.2.1").gives_way == 2);
  lobby.sources.busy(lobby.place(3));
  lobby.sources.busy(lobby.place(4));
  CHECK(lobby.come("192.0.2.1").verdict == Verdict::source_full);
  CHECK(lobby.come("192.0.2.2", 3).verdict == Verdict::all_full);
  CHECK(lobby.come("192.0.2.2", 4).verdict == Verdict::admitted);
  lobby.sources.refused(lobby.place(3));
  CHECK(lobby.come("192.0.2.3", 4).gives_way == 3);
  lobby.sources.refused(lobby.place(3));  // it is gone already
  CHECK(lobby.sources.count() == 4);
}

TEST_CASE("an IPv6 source is a /64, and no IPv4 address is its neighbour", "[sources]") {
  Lobby lobby(2);
  lobby.come("2001:db8::1");
  lobby.come("2001:db8::2");
  CHECK(lobby.come("2001:db8:0:1::1").gives_way == 0);
  CHECK(lobby.come("::ffff:192.0.2.1").gives_way == 0);
  CHECK(lobby.come("192.0.2.1").gives_way == 0);
  CHECK(lobby.come("192.0.2.1").gives_way == 4);  // the same in both forms
  CHECK(lobby.come("2001:db8::ffff:1").gives_way == 1);
}

TEST_CASE("counts hold whoever comes, waits, gives way and leaves", "[sources]") {
  Lobby lobby(20);
  std::mt19937 random(3);
  std::vector<std::uint64_t> inside;
  for (int i = 0; i < 20'000; ++i) {
    const auto admission = lobby.come("10.0.0." + std::to_string(random() % 8), 100);
    if (admission.verdict == Verdict::admitted) inside.push_back(lobby.places.size());
    if (admission.gives_way != 0) std::erase(inside, admission.gives_way);
    REQUIRE(lobby.sources.count() == inside.size());
    REQUIRE(inside.size() <= 100);
    if (inside.empty()) continue;
    const std::size_t at = random() % inside.size();
    switch (random() % 4) {
      case 0:
        lobby.sources.busy(lobby.place(inside[at]));
        break;
      case 1:
        lobby.sources.refused(lobby.place(inside[at]));
        break;
      case 2:
        lobby.sources.leave(lobby.place(inside[at]));
        inside.erase(inside.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      default:
        break;
    }
  }
  while (!inside.empty()) {
    lobby.sources.leave(lobby.place(inside.back()));
    inside.pop_back();
  }
  CHECK(lobby.sources.count() == 0);
}
