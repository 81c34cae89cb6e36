// TOLLGATE_CHECK: an invariant of ours, always on. A failure prints the condition, the place and
// the context on stderr and aborts. It never judges what a peer or a user sent.
#pragma once

namespace tollgate::core {

[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const char* context) noexcept;

}  // namespace tollgate::core

#define TOLLGATE_CHECK(condition, context)                                     \
  do {                                                                         \
    if (!(condition)) [[unlikely]]                                             \
      ::tollgate::core::check_failed(#condition, __FILE__, __LINE__, context); \
  } while (false)
