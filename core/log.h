// Structured one-line logging on stderr: `time level event key=value ...`.
// Any thread may call it. A shard is never blocked: lines go through a bounded queue to one
// writing thread; on overrun the oldest is dropped and counted (lines_dropped).
//   1 Values are escaped: anything but printable ASCII is written \xNN, and a value with a space,
//     quote or '=' is quoted. Keys and events are literals of ours.
//   2 A distinct warning or error (its event and text values) is written once, then summed: once a
//     minute one line tells how often it came again. At most 1,024 distinct ones are told apart;
//     the others are counted together in one line, `log_other`.
//   3 Before start() and after stop(), lines are written by the calling thread, none is summed.
//   4 start() and stop() are called while no other thread logs: at the process's two ends.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tollgate::core::log {

enum class Level : std::uint8_t { debug, info, warn, error };

struct Field {
  enum class Kind : std::uint8_t { text, integer, unsigned_integer, real, boolean };

  Field(std::string_view k, std::string_view v) : key(k), kind(Kind::text), text(v) {}
  Field(std::string_view k, const char* v) : key(k), kind(Kind::text), text(v) {}
  Field(std::string_view k, const std::string& v) : key(k), kind(Kind::text), text(v) {}
  Field(std::string_view k, bool v) : key(k), kind(Kind::boolean), unsigned_integer(v) {}
  Field(std::string_view k, std::signed_integral auto v)
      : key(k), kind(Kind::integer), integer(v) {}
  Field(std::string_view k, std::unsigned_integral auto v)
      : key(k), kind(Kind::unsigned_integer), unsigned_integer(v) {}
  Field(std::string_view k, std::floating_point auto v)
      : key(k), kind(Kind::real), real(static_cast<double>(v)) {}

  std::string_view key;
  Kind kind;
  std::string_view text;
  std::int64_t integer = 0;
  std::uint64_t unsigned_integer = 0;
  double real = 0;
};

using Fields = std::initializer_list<Field>;

void debug(std::string_view event, Fields fields = {});
void info(std::string_view event, Fields fields = {});
void warn(std::string_view event, Fields fields = {});
void error(std::string_view event, Fields fields = {});

struct Options {
  Level least = Level::info;
  std::size_t queue_lines = 8192;
  std::int64_t sum_every_ms = 60'000;
  std::string file;  // empty: stderr
};

// Starts and stops the writing thread; stop() writes what is queued and the open sums.
void start(const Options& options = {});
void stop();

std::uint64_t lines_dropped();

// One line without its time, as it would be written; for tests and for other printers.
std::string format_line(Level level, std::string_view event, Fields fields);

}  // namespace tollgate::core::log
