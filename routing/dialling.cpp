#include "routing/dialling.h"

#include <algorithm>

namespace tollgate::routing {
namespace {

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool set_international(const Dialling& dialling, std::string_view digits, Number& out) {
  if (!dialling.possible(digits)) return false;
  std::copy(digits.begin(), digits.end(), out.digits.begin());
  out.length = static_cast<std::uint8_t>(digits.size());
  return true;
}

bool set_national(const Dialling& dialling, std::string_view digits, const HomeCountry& home,
                  Number& out) {
  if (home.calling_code == 0) return false;
  std::array<char, 3> code{};
  std::size_t code_length = 0;
  if (home.calling_code >= 100)
    code[code_length++] = static_cast<char>('0' + home.calling_code / 100);
  if (home.calling_code >= 10)
    code[code_length++] = static_cast<char>('0' + home.calling_code / 10 % 10);
  code[code_length++] = static_cast<char>('0' + home.calling_code % 10);

  const std::uint32_t lengths = dialling.lengths[home.calling_code];
  const auto fits = [&](std::string_view national) {
    return code_length + national.size() <= kNumberDigitsMax && (lengths >> national.size() & 1);
  };
  const std::string_view trunk(home.trunk.data(), home.trunk_length);
  if (!trunk.empty() && digits.starts_with(trunk) && fits(digits.substr(trunk.size())))
    digits.remove_prefix(trunk.size());
  else if (!fits(digits))
    return false;
  auto end = std::copy_n(code.begin(), code_length, out.digits.begin());
  std::copy(digits.begin(), digits.end(), end);
  out.length = static_cast<std::uint8_t>(code_length + digits.size());
  return true;
}

}  // namespace

unsigned Dialling::calling_code(std::string_view digits) const {
  unsigned code = 0;
  for (std::size_t i = 0; i < 3 && i < digits.size(); ++i) {
    code = code * 10 + static_cast<unsigned>(digits[i] - '0');
    if (code == 0) return 0;
    if (lengths[code] != 0) return code;
  }
  return 0;
}

bool Dialling::possible(std::string_view digits) const {
  if (digits.size() > kNumberDigitsMax) return false;
  const unsigned code = calling_code(digits);
  if (code == 0) return false;
  const std::size_t code_length = code >= 100 ? 3 : code >= 10 ? 2 : 1;
  return lengths[code] >> (digits.size() - code_length) & 1;
}

bool Dialling::normalise(std::string_view raw, std::uint8_t ton, const HomeCountry& home,
                         Number& out) const {
  constexpr std::uint8_t kTonNational = 2, kTonAlphanumeric = 5;
  out.length = 0;
  const bool plus = raw.starts_with('+');
  if (plus) raw.remove_prefix(1);
  // 2 for "00", and no possible national number with its trunk prefix is longer than 15 + 4.
  if (raw.empty() || raw.size() > kNumberDigitsMax + kTrunkDigitsMax || !all_digits(raw) ||
      ton == kTonAlphanumeric)
    return false;
  if (plus) return set_international(*this, raw, out);
  if (raw.starts_with("00")) return set_international(*this, raw.substr(2), out);
  if (ton == kTonNational)
    return set_national(*this, raw, home, out) || set_international(*this, raw, out);
  return set_international(*this, raw, out) || set_national(*this, raw, home, out);
}

}  // namespace tollgate::routing
