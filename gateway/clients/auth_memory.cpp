#include "gateway/clients/auth_memory.h"

#include <algorithm>
#include <string.h>
#include <string>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "core/check.h"

namespace tollgate::gateway {

AuthMemory::Account::~Account() {
  explicit_bzero(digest.data(), digest.size());
}

AuthMemory::AuthMemory() {
  TOLLGATE_CHECK(RAND_bytes(key_.data(), static_cast<int>(key_.size())) == 1,
                 "the system gives random octets");
}

AuthMemory::~AuthMemory() {
  explicit_bzero(key_.data(), key_.size());
}

// A crypt string holds no NUL, so that the two texts cannot be taken for two others.
AuthMemory::Digest AuthMemory::digest(std::string_view hash, std::string_view password) const {
  std::string text;
  text.reserve(hash.size() + 1 + password.size());
  text.append(hash).push_back('\0');
  text.append(password);
  Digest out{};
  unsigned length = 0;
  const auto* made =
      HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &length);
  explicit_bzero(text.data(), text.size());
  TOLLGATE_CHECK(made != nullptr && length == out.size(), "HMAC-SHA256 gives 32 octets");
  return out;
}

bool AuthMemory::knows(std::uint16_t client, const Digest& digest) const {
  static constexpr Digest kNothing{};
  const auto found = accounts_.find(client);
  const Digest& known = found == accounts_.end() ? kNothing : found->second.digest;
  const bool same = CRYPTO_memcmp(known.data(), digest.data(), digest.size()) == 0;
  return same && found != accounts_.end();
}

bool AuthMemory::good(std::uint16_t client, std::uint64_t source) const {
  const auto found = accounts_.find(client);
  if (found == accounts_.end()) return false;
  const auto& sources = found->second.sources;
  return std::find(sources.begin(), sources.end(), source) != sources.end();
}

void AuthMemory::verified(const Verified& what, const Digest& digest) {
  Account& account = accounts_[what.client];
  if (account.credentials != what.credentials) account.sources = {};
  account.credentials = what.credentials;
  account.digest = digest;
  if (good(what.client, what.source)) return;
  account.sources[account.next] = what.source;
  account.next = (account.next + 1) % kSourcesMax;
}

}  // namespace tollgate::gateway
