// SipHash-2-4: a hash of octets that a peer chose, which it cannot steer without the key.
//
// Pure functions. The tables of the door (auth_failures.h, auth_queue.h, sources.h) are keyed by it
// with a seed of this run, so that no peer can make two entries meet.
#pragma once

#include <cstdint>
#include <string_view>

namespace tollgate::gateway {

// The algorithm itself; k0 and k1 are the key's halves, read as little-endian words.
std::uint64_t siphash(std::uint64_t k0, std::uint64_t k1, std::string_view octets);

// Keyed by a seed of 64 bits, from which both halves are made.
std::uint64_t keyed_hash(std::uint64_t seed, std::string_view octets);

std::uint64_t random_seed();

}  // namespace tollgate::gateway
