#include "core/check.h"

#include <cstdio>
#include <cstdlib>

namespace tollgate::core {

void check_failed(const char* condition, const char* file, int line, const char* context) noexcept {
  std::fprintf(stderr, "tollgate: check failed: %s (%s) at %s:%d\n", context, condition, file,
               line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace tollgate::core
