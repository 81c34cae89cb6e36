// IP addresses and networks as 16 octets, for the clients' allow lists and the failed-bind table.
//
// Plain values: no thread owns them. IPv4 is kept in its mapped form ::ffff:a.b.c.d, so a client
// that arrives over a dual-stack socket matches the same list.
//
// Invariants
// 1. parse_ip() and parse_network() accept what inet_pton accepts (and "a.b.c.d/n", "x::y/n");
//    a network whose host bits are not zero is refused, since it hides a typing error.
// 2. matching() on an empty list is true: no list means any address.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::gateway {

struct Ip {
  std::array<std::uint8_t, 16> octets{};

  friend bool operator==(const Ip&, const Ip&) = default;
};

struct IpNetwork {
  Ip base;
  std::uint8_t prefix_length = 128;  // of the 128-bit form: 10.0.0.0/8 is 104

  bool contains(const Ip& ip) const;
  friend bool operator==(const IpNetwork&, const IpNetwork&) = default;
};

// "192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"; nothing when the text is no address.
std::optional<Ip> parse_ip(std::string_view text);

// An address or "address/length"; on failure `why` says what is wrong.
std::optional<IpNetwork> parse_network(std::string_view text, std::string& why);

std::string format_ip(const Ip& ip);

bool matching(std::span<const IpNetwork> networks, const Ip& ip);

// The octets by which a source is limited: the whole IPv4 address, or the /64 of an IPv6 one, since
// one host owns that many addresses. A view of `ip`.
std::string_view source_octets(const Ip& ip);

}  // namespace tollgate::gateway
