// What verified binds taught in this run: each account's password, as a digest, and the sources
// that it binds from.
//
// Thread: the auth thread alone.
//
// A crypt(5) hash costs 2 to 60 ms. A password that passed it once is recognised by
// HMAC-SHA256(key, hash, password). The key is drawn at the start and never leaves the process. So
// a reconnect costs microseconds, and without the key what is kept reveals nothing.
//
// Invariants
// 1. Only verified() adds. A digest is bound to the account's hash: other credentials never match
//    it, and keep() drops it.
// 2. knows() takes the same time whatever it knows.
// 3. An account's good sources never displace another account's.
//
// Bounds: one digest and kSourcesMax sources an account.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace tollgate::gateway {

class AuthMemory {
 public:
  using Digest = std::array<std::uint8_t, 32>;
  static constexpr std::size_t kSourcesMax = 32;

  AuthMemory();  // draws the key
  ~AuthMemory();
  AuthMemory(const AuthMemory&) = delete;
  AuthMemory& operator=(const AuthMemory&) = delete;

  Digest digest(std::string_view hash, std::string_view password) const;

  bool knows(std::uint16_t client, const Digest& digest) const;
  // The account has bound from there with the credentials that it has now.
  bool good(std::uint16_t client, std::uint64_t source) const;

  struct Verified {
    std::uint16_t client = 0;
    std::uint32_t credentials = 0;
    std::uint64_t source = 0;
  };
  void verified(const Verified& what, const Digest& digest);

  // Drops the accounts for which `holds(client, credentials)` is false.
  template <class Holds>
  void keep(Holds&& holds) {
    for (auto at = accounts_.begin(); at != accounts_.end();) {
      at = holds(at->first, at->second.credentials) ? std::next(at) : accounts_.erase(at);
    }
  }
  std::size_t size() const { return accounts_.size(); }

 private:
  struct Account {
    Digest digest{};
    std::uint32_t credentials = 0;
    std::array<std::uint64_t, kSourcesMax> sources{};
    std::size_t next = 0;  // the place that the next new source takes
    ~Account();
  };

  std::array<std::uint8_t, 32> key_;
  std::unordered_map<std::uint16_t, Account> accounts_;
};

}  // namespace tollgate::gateway
