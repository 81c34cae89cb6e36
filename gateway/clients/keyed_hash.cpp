#include "gateway/clients/keyed_hash.h"

#include <bit>
#include <cstring>
#include <random>

namespace tollgate::gateway {
namespace {

struct Sip {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
  }
};

}  // namespace

std::uint64_t siphash(std::uint64_t k0, std::uint64_t k1, std::string_view octets) {
  Sip sip{k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
          k1 ^ 0x7465646279746573u};
  const auto take = [&sip](std::uint64_t word) {
    sip.v3 ^= word;
    sip.round();
    sip.round();
    sip.v0 ^= word;
  };
  std::size_t at = 0;
  for (; at + 8 <= octets.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, octets.data() + at, 8);
    take(word);
  }
  std::uint64_t last = static_cast<std::uint64_t>(octets.size()) << 56;
  std::memcpy(&last, octets.data() + at, octets.size() - at);
  take(last);
  sip.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) sip.round();
  return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

std::uint64_t keyed_hash(std::uint64_t seed, std::string_view octets) {
  return siphash(seed, ~seed * 0x9e3779b97f4a7c15u, octets);
}

std::uint64_t random_seed() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

}  // namespace tollgate::gateway
