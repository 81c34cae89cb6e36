// How a process adapts the environment that it was started in. Called in main(), before any other
// thread.
#pragma once
#include <cstdint>

namespace tollgate::core {

// Descriptors 0, 1 and 2 that are closed become /dev/null. Else the first socket or journal would
// get their number, and words meant for stderr would go into it.
void open_standard_descriptors();

// Raises the soft limit of open descriptors to the hard one; the limit then.
std::uint64_t raise_descriptor_limit();

// No core dump, and no look into our memory by other processes of this user: passwords are in it.
void forbid_dumps();

// What we make from here on is for our user alone, whatever umask we were started with: messages,
// numbers and passwords are in it.
void keep_files_private();

// log::say() reports an exception that nobody caught, waiting for no reader; then it aborts.
void tell_when_terminated();

// SIGHUP waits until there are Signals (core/signals.h), and what means nothing to us is ignored
// (SIGUSR1, which scripts that rotate logs send, and others), instead of ending the process.
void hold_signals();

}  // namespace tollgate::core
