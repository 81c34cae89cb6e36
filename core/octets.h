// Views of octets, read-only and writable. The same types as proto's, so that a span passes
// between the modules without a word.
#pragma once
#include <cstdint>
#include <span>

namespace tollgate::core {

using Octets = std::span<const std::uint8_t>;
using Out = std::span<std::uint8_t>;

}  // namespace tollgate::core
