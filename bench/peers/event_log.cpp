#include "bench/peers/event_log.h"

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace tollgate::bench {

EventLog::~EventLog() {
  if (fd_ < 0) return;
  try {
    flush();
  } catch (const std::system_error&) {  // told by the flush of the last turn
  }
  ::close(fd_);
}

void EventLog::open(const std::string& path) {
  path_ = path;
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "cannot write " + path_);
  buffer_.reserve(2 * buffer_max);
}

void EventLog::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw std::system_error(errno, std::generic_category(), "cannot write " + path_);
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  buffer_.clear();
}

void EventLog::put(std::string_view octets) {
  static constexpr const char* hex = "0123456789ABCDEF";
  if (octets.empty()) buffer_ += '-';
  for (const char c : octets) {
    const auto octet = static_cast<std::uint8_t>(c);
    if (octet > 0x20 && octet < 0x7F && c != '%') {
      buffer_ += c;
    } else {
      buffer_ += '%';
      buffer_ += hex[octet >> 4];
      buffer_ += hex[octet & 15];
    }
  }
  buffer_ += ' ';
}

}  // namespace tollgate::bench
