#include "gateway/config/ip.h"

#include <catch2/catch.hpp>

using namespace tollgate::gateway;

namespace {

IpNetwork network(const char* text) {
  std::string why;
  const auto parsed = parse_network(text, why);
  INFO(text << ": " << why);
  REQUIRE(parsed);
  return *parsed;
}

std::string refusal(const char* text) {
  std::string why;
  REQUIRE_FALSE(parse_network(text, why));
  return why;
}

}  // namespace

TEST_CASE("addresses of both families are read and written", "[ip]") {
  for (const char* text : {"192.0.2.7", "::1", "2001:db8::7", "0.0.0.0"}) {
    REQUIRE(parse_ip(text));
    CHECK(format_ip(*parse_ip(text)) == text);
  }
  CHECK(parse_ip("::ffff:192.0.2.7") == parse_ip("192.0.2.7"));
  using namespace std::literals;
  for (const auto text :
       {""sv, "192.0.2"sv, "192.0.2.256"sv, "localhost"sv, "::1\0"sv, "1.2.3.4 "sv,
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"sv}) {
    CHECK_FALSE(parse_ip(text));
  }
}

TEST_CASE("a network holds its own addresses and no others", "[ip]") {
  CHECK(network("10.0.0.0/8").contains(*parse_ip("10.255.0.1")));
  CHECK_FALSE(network("10.0.0.0/8").contains(*parse_ip("11.0.0.1")));
  CHECK(network("192.0.2.128/25").contains(*parse_ip("192.0.2.128")));
  CHECK_FALSE(network("192.0.2.128/25").contains(*parse_ip("192.0.2.127")));
  CHECK(network("192.0.2.7").contains(*parse_ip("192.0.2.7")));
  CHECK_FALSE(network("192.0.2.7").contains(*parse_ip("192.0.2.6")));
  CHECK(network("2001:db8::/33").contains(*parse_ip("2001:db8:7fff::1")));
  CHECK_FALSE(network("2001:db8::/33").contains(*parse_ip("2001:db8:8000::1")));
  CHECK(network("0.0.0.0/0").contains(*parse_ip("203.0.113.9")));
  CHECK_FALSE(network("0.0.0.0/0").contains(*parse_ip("2001:db8::1")));
  CHECK(network("::/0").contains(*parse_ip("203.0.113.9")));
}

TEST_CASE("a network that is none is refused with its reason", "[ip]") {
  CHECK(refusal("ten") == "no IPv4 or IPv6 address");
  CHECK(refusal("10.0.0.0/33") == "the length behind the slash is not 0-32");
  CHECK(refusal("10.0.0.0/") == "the length behind the slash is not 0-32");
  CHECK(refusal("10.0.0.0/8x") == "the length behind the slash is not 0-32");
  CHECK(refusal("::1/129") == "the length behind the slash is not 0-128");
  CHECK(refusal("10.0.0.1/8") == "bits are set behind the network's length");
}

TEST_CASE("an empty list lets any address in", "[ip]") {
  CHECK(matching({}, *parse_ip("203.0.113.9")));
  const std::vector<IpNetwork> list{network("10.0.0.0/8"), network("::1")};
  CHECK(matching(list, *parse_ip("::1")));
  CHECK(matching(list, *parse_ip("10.1.2.3")));
  CHECK_FALSE(matching(list, *parse_ip("203.0.113.9")));
}
