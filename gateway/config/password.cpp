#include "gateway/config/password.h"

#include <algorithm>
#include <charconv>
#include <crypt.h>
#include <limits>
#include <memory>
#include <string.h>
#include <vector>

namespace tollgate::gateway {
namespace {

// yescrypt at cost 2 takes some 1.6 ms and 2 MiB here: dear enough for a guesser, who is also held
// back by AuthFailures, and cheap enough for a thousand clients that all bind again at once.
constexpr const char* kMethod = "$y$";
constexpr unsigned long kCost = 2;

// What one check may cost: each bind of the account takes as much, on one of few threads.
constexpr std::uint64_t kMemoryMaxMiB = 64;      // yescrypt with "jBT", scrypt as mkpasswd makes it
constexpr std::uint64_t kRoundsMax = 1'000'000;  // of SHA-crypt: half a second
constexpr std::uint64_t kBcryptMax = 14;         // a second

constexpr const char* kUnknown = "a method or setting that this system cannot check";
constexpr const char* kCut = "cut short or too long";

constexpr unsigned kNoValue = 64;
// Of crypt(5)'s digits, ./0-9A-Za-z.
unsigned value_of(char c) {
  if (c == '.' || c == '/') return c == '.' ? 0 : 1;
  if (c >= '0' && c <= '9') return 2U + static_cast<unsigned>(c - '0');
  if (c >= 'A' && c <= 'Z') return 12U + static_cast<unsigned>(c - 'A');
  if (c >= 'a' && c <= 'z') return 38U + static_cast<unsigned>(c - 'a');
  return kNoValue;
}

using Parts = std::vector<std::string_view>;

// What stands between the dollars, without the nothing in front of the first.
Parts parts_of(std::string_view hash) {
  Parts parts;
  for (std::size_t at = 0; at != std::string_view::npos;) {
    const std::size_t end = hash.find('$', at + 1);
    parts.push_back(hash.substr(at + 1, end == std::string_view::npos ? end : end - at - 1));
    at = end;
  }
  return parts;
}

std::string too_dear(const std::string& what, std::uint64_t most, const char* unit) {
  return "too dear to check: " + what + ", at most " + std::to_string(most) + unit;
}

// 2^log_n blocks of 128 r octets.
std::string memory_fault(unsigned log_n, std::uint64_t r, std::uint64_t p) {
  if (log_n > 30 || r == 0 || r > 1024 || p == 0 || p > 16) return kUnknown;
  const std::uint64_t mib = ((std::uint64_t{128} << log_n) * r * p) >> 20;
  return mib <= kMemoryMaxMiB ? "" : too_dear(std::to_string(mib) + " MiB", kMemoryMaxMiB, " MiB");
}

// Salts are octets in these digits, the lowest bits first: none may be left over.
bool good_salt(std::string_view salt) {
  if (salt.size() > 86 || salt.size() % 4 == 1) return false;
  if (std::any_of(salt.begin(), salt.end(), [](char c) { return value_of(c) == kNoValue; })) {
    return false;
  }
  const unsigned last = salt.empty() ? 0 : value_of(salt.back());
  return salt.size() % 4 == 0 || last < (salt.size() % 4 == 2 ? 4U : 16U);
}

// $y$jNr$salt$hash: "j", then N and r with a digit each.
std::string yescrypt_fault(const Parts& parts) {
  if (parts.size() != 4) return kCut;
  const std::string_view setting = parts[1];
  if (setting.size() != 3 || setting[0] != 'j' || !good_salt(parts[2])) return kUnknown;
  const unsigned log_n = value_of(setting[1]) + 1, r = value_of(setting[2]) + 1;
  return r > 47 ? kUnknown : memory_fault(log_n, r, 1);
}

// $7$NrrrrrpppppSalt$hash
std::string scrypt_fault(const Parts& parts) {
  if (parts.size() != 3) return kCut;
  const std::string_view setting = parts[1];
  if (setting.size() < 11) return kUnknown;
  std::uint64_t numbers[2] = {0, 0};
  for (std::size_t i = 0; i < 10; ++i) {
    const std::uint64_t value = value_of(setting[i + 1]);
    if (value == kNoValue) return kUnknown;
    numbers[i / 5] |= value << (6 * (i % 5));
  }
  return memory_fault(value_of(setting[0]), numbers[0], numbers[1]);
}

std::uint64_t number_of(std::string_view digits) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
  return error == std::errc() && end == digits.end() ? number
                                                     : std::numeric_limits<std::uint64_t>::max();
}

// $6$salt$hash, $6$rounds=N$salt$hash
std::string sha_fault(const Parts& parts) {
  constexpr std::string_view kRounds = "rounds=";
  if (parts.size() < 3 || parts.size() > 4) return kCut;
  if (parts[parts.size() - 2].size() > 16) return kCut;  // crypt() would write the salt shorter
  if (parts.size() == 3) return parts[1].starts_with(kRounds) ? kCut : "";
  if (!parts[1].starts_with(kRounds)) return kCut;
  const std::uint64_t rounds = number_of(parts[1].substr(kRounds.size()));
  if (rounds < 1000 || parts[1][kRounds.size()] == '0') return kUnknown;
  return rounds <= kRoundsMax ? "" : too_dear(std::string(parts[1]), kRoundsMax, "");
}

std::string md5_fault(const Parts& parts) {
  return parts.size() == 3 && parts[1].size() <= 8 ? "" : kCut;
}

// $2b$cost$salt and hash
std::string bcrypt_fault(const Parts& parts) {
  if (parts.size() != 3) return kCut;
  const std::uint64_t cost = number_of(parts[1]);
  if (parts[1].size() != 2 || cost < 4) return kUnknown;
  return cost <= kBcryptMax ? "" : too_dear("cost " + std::string(parts[1]), kBcryptMax, "");
}

struct Method {
  std::string_view name;
  std::string (*fault)(const Parts&);
  std::size_t length;  // of what stands behind the last dollar
};
constexpr Method kMethods[] = {
    {"y", yescrypt_fault, 43}, {"gy", yescrypt_fault, 43}, {"7", scrypt_fault, 43},
    {"6", sha_fault, 86},      {"5", sha_fault, 43},       {"1", md5_fault, 22},
    {"2a", bcrypt_fault, 53},  {"2b", bcrypt_fault, 53},   {"2y", bcrypt_fault, 53}};

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

// Nothing is hashed here: whoever publishes a client chooses what that would cost.
std::string password_hash_fault(const std::string& hash) {
  if (hash.empty()) return "empty";
  if (hash[0] != '$') return "no crypt(5) string: it does not start with $";
  const int known = crypt_checksalt(hash.c_str());
  const std::vector<std::string_view> parts = parts_of(hash);
  const auto* method = std::find_if(std::begin(kMethods), std::end(kMethods),
                                    [&](const auto& each) { return each.name == parts[0]; });
  if (known == CRYPT_SALT_INVALID || known == CRYPT_SALT_METHOD_DISABLED ||
      method == std::end(kMethods)) {
    return kUnknown;
  }
  if (std::string fault = method->fault(parts); !fault.empty()) return fault;
  // A setting without its hash would let any password in that hashes to nothing longer.
  const std::string_view result = parts.back();
  if (result.size() != method->length) return kCut;
  if (std::any_of(result.begin(), result.end(), [](char c) { return value_of(c) == kNoValue; })) {
    return kUnknown;
  }
  return {};
}

}  // namespace tollgate::gateway
