#include "gateway/config/ip.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>

namespace tollgate::gateway {
namespace {

constexpr std::uint8_t kMappedBits = 96;

bool is_mapped_v4(const Ip& ip) {
  static constexpr std::array<std::uint8_t, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(kPrefix.begin(), kPrefix.end(), ip.octets.begin());
}

// True when every bit of `ip` behind the first `length` is zero.
bool host_bits_are_zero(const Ip& ip, unsigned length) {
  for (unsigned bit = length; bit < 128; ++bit) {
    if ((ip.octets[bit / 8] >> (7 - bit % 8)) & 1) return false;
  }
  return true;
}

}  // namespace

bool IpNetwork::contains(const Ip& ip) const {
  const unsigned whole = prefix_length / 8;
  if (std::memcmp(base.octets.data(), ip.octets.data(), whole) != 0) return false;
  const unsigned rest = prefix_length % 8;
  if (rest == 0) return true;
  return ((base.octets[whole] ^ ip.octets[whole]) >> (8 - rest)) == 0;
}

std::optional<Ip> parse_ip(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof buffer) return std::nullopt;
  if (text.find('\0') != text.npos) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  Ip ip;
  if (inet_pton(AF_INET6, buffer, ip.octets.data()) == 1) return ip;
  ip.octets = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (inet_pton(AF_INET, buffer, ip.octets.data() + 12) == 1) return ip;
  return std::nullopt;
}

std::optional<IpNetwork> parse_network(std::string_view text, std::string& why) {
  const std::size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  const auto ip = parse_ip(address);
  if (!ip) {
    why = "no IPv4 or IPv6 address";
    return std::nullopt;
  }
  IpNetwork network{*ip, 128};
  if (slash == text.npos) return network;
  const bool v4 = address.find(':') == address.npos;
  const unsigned bits = v4 ? 32 : 128;
  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
      length > bits) {
    why = "the length behind the slash is not 0-" + std::to_string(bits);
    return std::nullopt;
  }
  network.prefix_length = static_cast<std::uint8_t>(v4 ? kMappedBits + length : length);
  if (!host_bits_are_zero(*ip, network.prefix_length)) {
    why = "bits are set behind the network's length";
    return std::nullopt;
  }
  return network;
}

std::string format_ip(const Ip& ip) {
  char buffer[INET6_ADDRSTRLEN] = "";
  if (is_mapped_v4(ip)) {
    inet_ntop(AF_INET, ip.octets.data() + 12, buffer, sizeof buffer);
  } else {
    inet_ntop(AF_INET6, ip.octets.data(), buffer, sizeof buffer);
  }
  return buffer;
}

bool matching(std::span<const IpNetwork> networks, const Ip& ip) {
  return networks.empty() || std::any_of(networks.begin(), networks.end(),
                                         [&](const IpNetwork& each) { return each.contains(ip); });
}

std::string_view source_octets(const Ip& ip) {
  constexpr std::size_t kIpv6Network = 8;
  const auto* octets = reinterpret_cast<const char*>(ip.octets.data());
  return {octets, is_mapped_v4(ip) ? ip.octets.size() : kIpv6Network};
}

}  // namespace tollgate::gateway
