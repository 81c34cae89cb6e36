// How numbers are dialled: which calling codes exist, how long their numbers may be, and a number's
// one international form. Compiled from libphonenumber's metadata when tables are compiled; plain
// arrays afterwards, read by any thread.
//
// 1. normalise() calls no library and allocates nothing.
// 2. What it gives has a calling code that exists, a possible length for it and at most 15 digits.
// 3. Calling codes are prefix-free (E.164), so a number has at most one.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tollgate::routing {

inline constexpr std::size_t kNumberDigitsMax = 15;  // E.164, without '+'
inline constexpr std::size_t kTrunkDigitsMax = 4;

// What national form means for a client: its default country's calling code and trunk prefix.
struct HomeCountry {
  std::array<char, 2> iso{};  // "" (zeros) = the client has none: national form is refused
  std::uint16_t calling_code = 0;
  std::array<char, kTrunkDigitsMax> trunk{};
  std::uint8_t trunk_length = 0;
};

struct Number {
  std::array<char, 16> digits;  // not terminated
  std::uint8_t length = 0;      // 0 = none
  std::string_view view() const { return {digits.data(), length}; }
};

struct Dialling {
  // By calling code: bit n = a national number of n digits is possible. 0 = no such code.
  std::array<std::uint32_t, 1000> lengths{};

  // The calling code that `digits` begin with, or 0.
  unsigned calling_code(std::string_view digits) const;
  // A whole international number (no '+') that could exist.
  bool possible(std::string_view digits) const;

  // The international digits of what a client sent, tried in this order:
  //   "+..." or "00...": international, or refused;
  //   TON 2 (national): national, then international;
  //   TON 5 (alphanumeric): refused;
  //   else: international, then national.
  // National: the calling code, then the digits without the trunk prefix if that has a possible
  // length, else all digits. False = no form of it is a possible number (Reason::bad_number).
  bool normalise(std::string_view raw, std::uint8_t ton, const HomeCountry& home,
                 Number& out) const;
};

// Both from libphonenumber; slow at first (milliseconds), for the compiler of tables alone.
Dialling load_dialling();
std::optional<HomeCountry> load_home_country(std::string_view iso);  // nullopt = no such region

}  // namespace tollgate::routing
