// Making and judging crypt(5) strings. Plain functions of any thread; making one and matching one
// take a whole hash.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tollgate::gateway {

inline constexpr std::size_t kPasswordMax = 64;  // with long_password; 8 by the specification

// A crypt(5) string for `password` by the method and cost of this build; "" if the system refuses.
std::string hash_password(std::string_view password);

// Whether this password has this hash; for one's own secrets, not for what a peer sends.
bool matches(std::string_view password, const std::string& hash);

// "" when `hash` is a crypt(5) string that this system can check, for what one check may cost; else
// what is wrong with it. Takes microseconds, whatever the string says.
std::string password_hash_fault(const std::string& hash);

}  // namespace tollgate::gateway
