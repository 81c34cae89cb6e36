#include "tests/allocations.h"

#include <atomic>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace {

std::atomic<std::uint64_t> count{0};
std::atomic<std::uint64_t> octets{0};

void* counted(std::size_t size, std::size_t alignment) noexcept {
  void* at = alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__
                 ? std::malloc(size)
                 : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (at == nullptr) std::abort();
  count.fetch_add(1, std::memory_order_relaxed);
  octets.fetch_add(malloc_usable_size(at), std::memory_order_relaxed);
  return at;
}

void given_back(void* at) noexcept {
  if (at == nullptr) return;
  octets.fetch_sub(malloc_usable_size(at), std::memory_order_relaxed);
  std::free(at);
}

}  // namespace

void* operator new(std::size_t size) {
  return counted(size, 0);
}
void* operator new[](std::size_t size) {
  return counted(size, 0);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size, 0);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size, 0);
}
void operator delete(void* at) noexcept {
  given_back(at);
}
void operator delete[](void* at) noexcept {
  given_back(at);
}
void operator delete(void* at, std::size_t) noexcept {
  given_back(at);
}
void operator delete[](void* at, std::size_t) noexcept {
  given_back(at);
}
void operator delete(void* at, std::align_val_t) noexcept {
  given_back(at);
}
void operator delete[](void* at, std::align_val_t) noexcept {
  given_back(at);
}
void operator delete(void* at, std::size_t, std::align_val_t) noexcept {
  given_back(at);
}
void operator delete[](void* at, std::size_t, std::align_val_t) noexcept {
  given_back(at);
}

namespace tollgate::tests {

Allocations allocations() {
  return {count.load(std::memory_order_relaxed), octets.load(std::memory_order_relaxed)};
}

}  // namespace tollgate::tests
