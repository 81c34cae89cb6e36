// Counts what the program allocates through operator new. Linked into a test program, it counts
// from the start; a test takes differences.
#pragma once

#include <cstdint>

namespace tollgate::tests {

struct Allocations {
  std::uint64_t count = 0;
  std::uint64_t octets = 0;  // asked for and not given back
};
Allocations allocations();

}  // namespace tollgate::tests
