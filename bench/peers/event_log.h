// What a bench program saw, a line an event, in a file of its own: the evidence of a verdict.
//
//   <microseconds of CLOCK_MONOTONIC> <word> <field> <field> ...
//
// One clock for all programs of the machine. Lines are gathered and written once a turn, before
// the turn's octets leave, so what a peer may have seen is in the file whatever ends the program.
// Octets of a field that are not printable, and blanks, become %XX; an empty field is "-".
// Invariants: 1. lines are appended, never changed. 2. a file that cannot be written ends the
// program (std::system_error). Without open() every call does nothing.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::bench {

class EventLog {
 public:
  EventLog() = default;
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  void open(const std::string& path);
  bool is_open() const { return fd_ >= 0; }

  template <class... Fields>
  void line(std::int64_t now_ns, std::string_view word, const Fields&... fields) {
    if (fd_ < 0) return;
    put(now_ns / 1000);
    put(word);
    (put(fields), ...);
    buffer_.back() = '\n';
    if (buffer_.size() >= buffer_max) flush();
  }
  void flush();

 private:
  static constexpr std::size_t buffer_max = 256 * 1024;

  template <std::integral Number>
  void put(Number value) {
    char digits[24];
    buffer_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
    buffer_ += ' ';
  }
  void put(std::string_view octets);

  int fd_ = -1;
  std::string path_;
  std::string buffer_;
};

}  // namespace tollgate::bench
