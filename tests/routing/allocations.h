// Counts every allocation of the program it is linked into.
#pragma once
#include <atomic>
#include <cstddef>

namespace tollgate::routing {

extern std::atomic<std::size_t> allocations;

}  // namespace tollgate::routing
