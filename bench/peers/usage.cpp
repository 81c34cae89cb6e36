#include "bench/peers/usage.h"

#include <cerrno>
#include <cstdio>
#include <sys/resource.h>
#include <system_error>

namespace tollgate::bench {

volatile std::sig_atomic_t stop_asked = 0;
volatile std::sig_atomic_t finish_asked = 0;

Usage usage() {
  rusage r{};
  getrusage(RUSAGE_SELF, &r);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return {seconds(r.ru_utime) + seconds(r.ru_stime), r.ru_maxrss};
}

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_asked = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
}

void finish_on_signal() {
  struct sigaction action {};
  action.sa_handler = [](int) { finish_asked = 1; };
  sigaction(SIGUSR1, &action, nullptr);
}

void write_file(const std::string& path, const std::string& text) {
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "w");
  if (file == nullptr)
    throw std::system_error(errno, std::generic_category(), "cannot write " + path);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = (file == stdout ? std::fflush(file) : std::fclose(file)) == 0;
  if (!written || !closed)
    throw std::system_error(errno, std::generic_category(), "cannot write " + path);
}

std::string escaped(std::string_view octets) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : octets) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u < 0x7f && c != '\\') {
      out += c;
    } else {
      out += {'\\', 'x', digits[u >> 4], digits[u & 15]};
    }
  }
  return out;
}

}  // namespace tollgate::bench
