// TOML that somebody else wrote, bounded and checked before toml++ sees it
// (docs/decisions/0029-toml-is-checked-before-it-is-parsed.md). The only door to toml++: it
// recurses over what a text nests, in its parser and in its destructors.
//
// The check knows where strings and comments begin and end, by the same rules as toml++, which
// stops at the first fault: whatever toml++ reads, the check has read the same way.
//
// Invariants: toml++ is given
// 1. valid UTF-8 without a control (tab, LF and CR LF apart), at most TomlBounds::octets of it;
// 2. outside strings and comments only octets that TOML has a meaning for, all of them ASCII;
// 3. keys of at most kTomlKeyPartsMax parts, brackets at most kTomlNestingMax deep;
// 4. at most TomlBounds::items keys, values, parts of keys and tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace toml {
inline namespace v3 {
class table;  // routing/toml.inc has it whole
}
}  // namespace toml

namespace tollgate::routing {

inline constexpr std::uint32_t kTomlKeyPartsMax = 16;
inline constexpr std::uint32_t kTomlNestingMax = 16;

struct TomlBounds {
  std::size_t octets = 0;
  std::uint32_t items = 0;
};
// One carrier or client: written by whoever may publish tables.
inline constexpr TomlBounds kTomlOfTables{256 * 1024, 10'000};

struct TomlFault {
  std::uint32_t line = 0;  // 1-based, as toml++ counts: characters, not octets
  std::uint32_t column = 0;
  std::string reason;  // escaped; says nothing of the value of a key that names a password
};

// Nothing: toml++ may have it.
std::optional<TomlFault> toml_fault(std::string_view text, TomlBounds bounds);

tl::expected<toml::table, TomlFault> parse_toml(std::string_view text, TomlBounds bounds);

}  // namespace tollgate::routing
