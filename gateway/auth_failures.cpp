#include "gateway/auth_failures.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

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

// A slot's state is one instant: the time at which nothing is owed any more. Owing `burst` units
// or more means no further try.
bool exhausted(std::int64_t full_us, std::int64_t now_us, std::int64_t burst,
               std::int64_t refill_us) {
  return full_us - now_us > (burst - 1) * refill_us;
}

}  // namespace

std::uint64_t keyed_hash(std::uint64_t seed, std::string_view octets) {
  const std::uint64_t k1 = ~seed * 0x9e3779b97f4a7c15u;
  Sip sip{seed ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, seed ^ 0x6c7967656e657261u,
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

AuthFailures::AuthFailures(std::size_t slots, std::uint64_t seed)
    : slots_((slots + kWays - 1) / kWays * kWays), seed_(seed) {}

AuthFailures::Keys AuthFailures::keys(const Ip& ip, std::string_view system_id) const {
  static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const bool v4 = std::equal(kMapped.begin(), kMapped.end(), ip.octets.begin());
  std::string text(v4 ? 16 : 8, '\0');
  std::memcpy(text.data(), ip.octets.data(), text.size());
  const std::uint64_t address = keyed_hash(seed_, text);
  text += system_id;
  const std::uint64_t pair = keyed_hash(~seed_, text);
  return {pair | 1, address | 1};  // never 0, which is a free slot
}

const AuthFailures::Slot* AuthFailures::find(std::uint64_t key) const {
  const Slot* set = &slots_[(key >> 1) % (slots_.size() / kWays) * kWays];
  const Slot* end = set + kWays;
  const Slot* found = std::find_if(set, end, [&](const Slot& slot) { return slot.key == key; });
  return found == end ? nullptr : found;
}

AuthFailures::Slot& AuthFailures::take(std::uint64_t key) {
  if (const Slot* known = find(key)) return slots_[static_cast<std::size_t>(known - &slots_[0])];
  Slot* set = &slots_[(key >> 1) % (slots_.size() / kWays) * kWays];
  Slot& oldest = *std::min_element(set, set + kWays, [](const Slot& left, const Slot& right) {
    return left.touched_us < right.touched_us;
  });
  oldest = Slot{key, 0, 0};
  return oldest;
}

bool AuthFailures::may_try(const Ip& ip, std::string_view system_id, std::int64_t now_us) const {
  const Keys at = keys(ip, system_id);
  const Slot* pair = find(at.pair);
  const Slot* address = find(at.address);
  return !(pair && exhausted(pair->full_us, now_us, kPairBurst, kPairRefillUs)) &&
         !(address && exhausted(address->full_us, now_us, kAddressBurst, kAddressRefillUs));
}

void AuthFailures::failed(const Ip& ip, std::string_view system_id, std::int64_t now_us) {
  const Keys at = keys(ip, system_id);
  const auto charge = [&](std::uint64_t key, std::int64_t refill_us) {
    Slot& slot = take(key);
    slot.full_us = std::max(slot.full_us, now_us) + refill_us;
    slot.touched_us = now_us;
  };
  charge(at.address, kAddressRefillUs);
  charge(at.pair, kPairRefillUs);
}

}  // namespace tollgate::gateway
