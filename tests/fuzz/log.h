// For a target whose code logs: nothing of it is shown.
#pragma once
#include <fcntl.h>

#include "core/log.h"
#include "tests/fuzz/input.h"

namespace tollgate::fuzz {

inline void log_nowhere() {
  static const int fd = [] {
    core::log::Options nowhere;
    nowhere.least = core::log::Level::error;
    nowhere.fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    core::log::start(nowhere);
    return nowhere.fd;
  }();
  must(fd >= 0);
}

}  // namespace tollgate::fuzz
