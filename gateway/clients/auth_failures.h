// Recent failures to bind: fixed tables of allowances, refilled by time.
//
// Thread: the auth thread alone.
//
// A failure takes one unit from each of three: the pair (source, system_id), the source, the
// system_id. The pair has few, so that one account which retries a wrong password for ever never
// locks out others at its address. The source has more, so that guessing names is slow too. The
// system_id has the most, so that guessing from any number of sources is slow.
// Known and unknown system_ids are treated alike, so the limits reveal nothing.
//
// Invariants
// 1. The memory is taken at construction. A new key takes the slot of its set that was touched
//    longest ago.
// 2. may_try() and account_may_try() change nothing; only failed() takes an allowance.
// 3. A source is an IPv4 address or the /64 of an IPv6 one: one host owns that many addresses.
// 4. For a source that the account knows as good only the pair counts (known_good): strangers who
//    use up the source's or the account's allowance do not lock it out, nor does it use up theirs.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "gateway/clients/keyed_hash.h"
#include "gateway/config/ip.h"

namespace tollgate::gateway {

class AuthFailures {
 public:
  static constexpr std::int64_t kPairBurst = 5;
  static constexpr std::int64_t kPairRefillUs = 5'000'000;  // one more try each 5 s
  static constexpr std::int64_t kAddressBurst = 50;
  static constexpr std::int64_t kAddressRefillUs = 1'000'000;
  static constexpr std::int64_t kAccountBurst = 300;
  static constexpr std::int64_t kAccountRefillUs = 1'000'000;
  static constexpr std::size_t kWays = 8;

  // `slots` of sources and pairs and `account_slots` of system_ids, each rounded up to a whole
  // number of sets; `seed` keys the hashing.
  AuthFailures(std::size_t slots, std::size_t account_slots, std::uint64_t seed);

  bool may_try(const Ip& ip, std::string_view system_id, std::int64_t now_us,
               bool known_good = false) const;
  bool account_may_try(std::string_view system_id, std::int64_t now_us) const;
  void failed(const Ip& ip, std::string_view system_id, std::int64_t now_us,
              bool known_good = false);
  // The source owes nothing: it has not failed, or long ago.
  bool clean(const Ip& ip, std::int64_t now_us) const;

  std::size_t slots() const { return sources_.slots(); }

 private:
  // Keys and the instant at which each owes nothing any more.
  class Table {
   public:
    explicit Table(std::size_t slots) : slots_((slots + kWays - 1) / kWays * kWays) {}
    std::int64_t full_us(std::uint64_t key) const;
    void charge(std::uint64_t key, std::int64_t refill_us, std::int64_t now_us);
    std::size_t slots() const { return slots_.size(); }

   private:
    struct Slot {
      std::uint64_t key = 0;     // 0 = free
      std::int64_t full_us = 0;  // when all allowances will be back
      std::int64_t touched_us = 0;
    };
    const Slot* find(std::uint64_t key) const;
    Slot& take(std::uint64_t key);

    std::vector<Slot> slots_;
  };

  std::uint64_t pair_key(const Ip& ip, std::string_view system_id) const;
  std::uint64_t source_key(const Ip& ip) const;
  std::uint64_t account_key(std::string_view system_id) const;

  Table sources_;
  Table accounts_;
  std::uint64_t seed_;
};

}  // namespace tollgate::gateway
