// Exact money: int64 nano-units (10^-9 of a currency unit), never a float. Pure functions, any
// thread.
//
// 1. parse_nano is exact: a text with more than nine decimals or out of int64's range is refused,
//    not rounded. Digits, an optional leading '-', one '.'; no blanks, exponent or thousands mark.
// 2. format_nano(parse_nano(x)) denotes the same amount as x.
// 3. convert works on 128 bits in between; what does not fit in int64 is refused. A cost is rounded
//    up and a price down, so that rounding never makes a loss look like a gain (by 1 nano-unit at
//    most).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::routing {

using Nano = std::int64_t;
inline constexpr Nano kNanoPerUnit = 1'000'000'000;

// nullptr when the text was parsed; else why not, as a constant English text.
const char* parse_nano(std::string_view text, Nano& out);

// Plain decimal with at least `decimals_min` decimals and otherwise no zeros at the end: "0.0075".
std::string format_nano(Nano amount, unsigned decimals_min = 2);

enum class Rounding : std::uint8_t { up, down };
// amount (in a currency) x rate (nano-units of the base currency for one unit of it); false = too
// large.
bool convert(Nano amount, Nano rate, Rounding rounding, Nano& out);

// `ppm` parts of a million of an amount >= 0, rounded up at the ninth decimal.
Nano share_up(Nano amount, std::uint32_t ppm);

}  // namespace tollgate::routing
