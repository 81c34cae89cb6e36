// What a single cell of a table file may hold. Pure functions: nullptr = fine, else why not.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "routing/dialling.h"
#include "routing/money.h"
#include "routing/tables.h"

namespace tollgate::routing {

// An amount beyond this (a million units of the base currency a segment) is a mistake, and it keeps
// all sums far from int64's end.
inline constexpr Nano kAmountMax = 1'000'000 * kNanoPerUnit;

const char* bad_name(std::string_view name);
const char* bad_digits(std::string_view text, std::size_t length_max);
const char* bad_prefix(const Dialling& dialling, std::string_view prefix);
const char* bad_destination(std::string_view text);  // 3, 5 or 6 digits
const char* bad_iso(std::string_view text);
const char* parse_date(std::string_view text, std::int64_t& out_us);
const char* parse_ppm(std::string_view percent, std::int64_t& out);
const char* parse_hours(std::string_view text, std::pair<std::uint16_t, std::uint16_t>& out);
const char* parse_sender(std::string_view text, Sender& out);  // a type
const char* parse_volume(std::string_view text, std::uint64_t& out);
const char* bad_tags(std::string_view text);  // words like names; "" is fine
const char* parse_count(std::string_view text, std::uint32_t max, std::uint32_t& out);
std::vector<std::string_view> words(std::string_view text);  // parted by blanks

}  // namespace tollgate::routing
