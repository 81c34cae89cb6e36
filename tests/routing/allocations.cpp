#include "tests/routing/allocations.h"

#include <cstdlib>
#include <new>

namespace tollgate::routing {

std::atomic<std::size_t> allocations{0};

}  // namespace tollgate::routing

void* operator new(std::size_t size) {
  ++tollgate::routing::allocations;
  if (void* at = std::malloc(size)) return at;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++tollgate::routing::allocations;
  return std::malloc(size);
}
void operator delete(void* at) noexcept {
  std::free(at);
}
void operator delete(void* at, std::size_t) noexcept {
  std::free(at);
}
