// The two functions of gateway/auth.h that need no thread: making and judging crypt(5) strings.
#include <crypt.h>
#include <memory>
#include <string.h>

#include "gateway/auth.h"

namespace tollgate::gateway {
namespace {

// yescrypt at cost 2 takes some 1.6 ms and 2 MiB here: dear enough for a guesser, who is also held
// back by AuthFailures, and cheap enough for a thousand clients that all bind again at once.
constexpr const char* kMethod = "$y$";
constexpr unsigned long kCost = 2;

}  // namespace

std::string hash_password(std::string_view password) {
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  if (!crypt_gensalt_rn(kMethod, kCost, nullptr, 0, setting, sizeof setting)) return {};
  std::string text(password);
  const auto data = std::make_unique<crypt_data>();
  const char* hash = crypt_r(text.c_str(), setting, data.get());
  std::string result = hash && hash[0] != '*' ? hash : "";
  explicit_bzero(text.data(), text.size());
  explicit_bzero(data.get(), sizeof *data);
  return result;
}

bool matches(std::string_view password, const std::string& hash) {
  std::string text(password);
  const auto data = std::make_unique<crypt_data>();
  const char* found = hash.empty() ? nullptr : crypt_r(text.c_str(), hash.c_str(), data.get());
  const bool same = found && found[0] != '*' && hash == found;
  explicit_bzero(text.data(), text.size());
  explicit_bzero(data.get(), sizeof *data);
  return same;
}

std::string password_hash_fault(const std::string& hash) {
  if (hash.empty()) return "empty";
  if (hash[0] != '$') return "no crypt(5) string: it does not start with $";
  const auto data = std::make_unique<crypt_data>();
  const char* result = crypt_r("", hash.c_str(), data.get());
  if (!result || result[0] == '*') return "a method or setting that this system cannot check";
  // A setting without its hash would let any password in that hashes to nothing longer.
  if (std::string_view(result).size() != hash.size()) return "cut short or too long";
  return {};
}

}  // namespace tollgate::gateway
