#include "core/check.h"

#include <array>
#include <cstdio>
#include <cstdlib>

#include "core/log.h"

namespace tollgate::core {

void check_failed(const char* condition, const char* file, int line, const char* context) noexcept {
  std::array<char, 1024> text{};
  std::snprintf(text.data(), text.size() - 1, "tollgate: check failed: %s (%s) at %s:%d\n", context,
                condition, file, line);
  log::say(text.data());
  std::abort();
}

}  // namespace tollgate::core
