#include "core/clock.h"

#include <ctime>

namespace tollgate::core {
namespace {

std::int64_t microseconds(clockid_t id) noexcept {
  timespec at{};
  ::clock_gettime(id, &at);
  return std::int64_t{at.tv_sec} * 1'000'000 + at.tv_nsec / 1'000;
}

}  // namespace

Now read_clock() noexcept {
  return Now{microseconds(CLOCK_MONOTONIC), microseconds(CLOCK_REALTIME)};
}

}  // namespace tollgate::core
