// What a program used, and when it should stop: for the reports that every bench program ends with.
#pragma once

#include <csignal>
#include <cstdint>
#include <string>

namespace tollgate::bench {

struct Usage {
  double cpu_seconds = 0;            // user + system, every thread
  std::int64_t peak_memory_kib = 0;  // VmHWM
};
Usage usage();

// SIGTERM and SIGINT set it; the loops look at it once a turn.
extern volatile std::sig_atomic_t stop_asked;
void stop_on_signals();
// SIGUSR1 sets it: load submits nothing new and waits for what is missing.
extern volatile std::sig_atomic_t finish_asked;
void finish_on_signal();

// Writes the file whole or throws std::system_error with its name; "-" is standard output.
void write_file(const std::string& path, const std::string& text);

// Printable ASCII or \xNN.
std::string escaped(std::string_view octets);

}  // namespace tollgate::bench
