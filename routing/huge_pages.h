// Memory for arrays that are read at random: on huge pages if the kernel has them (transparent
// huge pages "madvise" or "always"), since on small pages each read also waits for the page's
// address. Any thread.
//
// 1. An array smaller than a huge page is allocated as any other.
// 2. Without huge pages it is ordinary memory; nothing else changes.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <new>
#include <sys/mman.h>
#include <vector>

namespace tollgate::routing {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

template <class T>
struct HugePages {
  using value_type = T;
  HugePages() = default;
  template <class U>
  HugePages(const HugePages<U>&) {}  // NOLINT: converts, as allocators do

  T* allocate(std::size_t count) {
    const std::size_t octets = count * sizeof(T);
    if (octets < kHugePage) return static_cast<T*>(::operator new(octets));
    const std::size_t whole = (octets + kHugePage - 1) / kHugePage * kHugePage;
    void* const memory = std::aligned_alloc(kHugePage, whole);
    if (memory == nullptr) throw std::bad_alloc();
    ::madvise(memory, whole, MADV_HUGEPAGE);  // a wish
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) {
    if (count * sizeof(T) < kHugePage)
      ::operator delete(memory);
    else
      std::free(memory);
  }
  template <class U>
  bool operator==(const HugePages<U>&) const {
    return true;
  }
};

template <class T>
using HugeVector = std::vector<T, HugePages<T>>;

}  // namespace tollgate::routing
