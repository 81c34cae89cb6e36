#include "gateway/clients/auth_failures.h"

#include <algorithm>
#include <limits>
#include <string>

namespace tollgate::gateway {
namespace {

// A slot's state is one instant: the time at which nothing is owed any more. Owing `burst` units
// or more means no further try.
bool exhausted(std::int64_t full_us, std::int64_t now_us, std::int64_t burst,
               std::int64_t refill_us) {
  return full_us - now_us > (burst - 1) * refill_us;
}

}  // namespace

const AuthFailures::Table::Slot* AuthFailures::Table::find(std::uint64_t key) const {
  const Slot* set = &slots_[(key >> 1) % (slots_.size() / kWays) * kWays];
  const Slot* end = set + kWays;
  const Slot* found = std::find_if(set, end, [&](const Slot& slot) { return slot.key == key; });
  return found == end ? nullptr : found;
}

AuthFailures::Table::Slot& AuthFailures::Table::take(std::uint64_t key) {
  if (const Slot* known = find(key)) return slots_[static_cast<std::size_t>(known - &slots_[0])];
  Slot* set = &slots_[(key >> 1) % (slots_.size() / kWays) * kWays];
  Slot& oldest = *std::min_element(set, set + kWays, [](const Slot& left, const Slot& right) {
    return left.touched_us < right.touched_us;
  });
  oldest = Slot{key, 0, 0};
  return oldest;
}

std::int64_t AuthFailures::Table::full_us(std::uint64_t key) const {
  const Slot* slot = find(key);
  return slot == nullptr ? std::numeric_limits<std::int64_t>::min() / 2 : slot->full_us;
}

void AuthFailures::Table::charge(std::uint64_t key, std::int64_t refill_us, std::int64_t now_us) {
  Slot& slot = take(key);
  slot.full_us = std::max(slot.full_us, now_us) + refill_us;
  slot.touched_us = now_us;
}

AuthFailures::AuthFailures(std::size_t slots, std::size_t account_slots, std::uint64_t seed)
    : sources_(slots), accounts_(account_slots), seed_(seed) {}

// Never 0, which is a free slot.
std::uint64_t AuthFailures::pair_key(const Ip& ip, std::string_view system_id) const {
  return keyed_hash(~seed_, std::string(source_octets(ip)) + std::string(system_id)) | 1;
}

std::uint64_t AuthFailures::source_key(const Ip& ip) const {
  return keyed_hash(seed_, source_octets(ip)) | 1;
}

std::uint64_t AuthFailures::account_key(std::string_view system_id) const {
  return keyed_hash(seed_, system_id) | 1;
}

bool AuthFailures::may_try(const Ip& ip, std::string_view system_id, std::int64_t now_us,
                           bool known_good) const {
  const std::int64_t pair_us = sources_.full_us(pair_key(ip, system_id));
  if (exhausted(pair_us, now_us, kPairBurst, kPairRefillUs)) return false;
  const std::int64_t source_us = sources_.full_us(source_key(ip));
  return known_good || !exhausted(source_us, now_us, kAddressBurst, kAddressRefillUs);
}

bool AuthFailures::account_may_try(std::string_view system_id, std::int64_t now_us) const {
  const std::int64_t full_us = accounts_.full_us(account_key(system_id));
  return !exhausted(full_us, now_us, kAccountBurst, kAccountRefillUs);
}

void AuthFailures::failed(const Ip& ip, std::string_view system_id, std::int64_t now_us,
                          bool known_good) {
  sources_.charge(pair_key(ip, system_id), kPairRefillUs, now_us);
  if (known_good) return;
  sources_.charge(source_key(ip), kAddressRefillUs, now_us);
  accounts_.charge(account_key(system_id), kAccountRefillUs, now_us);
}

bool AuthFailures::clean(const Ip& ip, std::int64_t now_us) const {
  return sources_.full_us(source_key(ip)) <= now_us;
}

}  // namespace tollgate::gateway
