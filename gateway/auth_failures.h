// Who failed to bind lately: a fixed table of allowances, refilled by time.
//
// Thread: the auth thread alone.
//
// A failure costs one unit twice: of the pair (address, system_id) and of the address. The pair
// holds few, so that one account with a wrong password that retries for ever never takes down its
// neighbours behind the same address; the address holds more, so that guessing names is slow too.
// Known and unknown system_ids are treated alike, so the limit itself tells nothing.
//
// Invariants
// 1. The memory is kFailureSlots slots, taken at construction. A new source takes the slot of its
//    set that was touched longest ago.
// 2. may_try() changes nothing; only failed() takes an allowance.
// 3. IPv6 sources count by /64: one host owns that many addresses.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "gateway/ip.h"

namespace tollgate::gateway {

class AuthFailures {
 public:
  static constexpr std::int64_t kPairBurst = 5;
  static constexpr std::int64_t kPairRefillUs = 5'000'000;  // one more try each 5 s
  static constexpr std::int64_t kAddressBurst = 50;
  static constexpr std::int64_t kAddressRefillUs = 1'000'000;
  static constexpr std::size_t kWays = 8;

  // `slots` is rounded up to a whole number of sets; `seed` keys the hashing.
  AuthFailures(std::size_t slots, std::uint64_t seed);

  bool may_try(const Ip& ip, std::string_view system_id, std::int64_t now_us) const;
  void failed(const Ip& ip, std::string_view system_id, std::int64_t now_us);

  std::size_t slots() const { return slots_.size(); }

 private:
  struct Slot {
    std::uint64_t key = 0;     // 0 = free
    std::int64_t full_us = 0;  // when all allowances will be back
    std::int64_t touched_us = 0;
  };
  struct Keys {
    std::uint64_t pair;
    std::uint64_t address;
  };

  Keys keys(const Ip& ip, std::string_view system_id) const;
  const Slot* find(std::uint64_t key) const;
  Slot& take(std::uint64_t key);

  std::vector<Slot> slots_;
  std::uint64_t seed_;
};

// A keyed 64-bit hash (SipHash-2-4) of octets that a peer chose.
std::uint64_t keyed_hash(std::uint64_t seed, std::string_view octets);

}  // namespace tollgate::gateway
