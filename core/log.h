// Structured one-line logging on stderr: `time level event key=value ...`.
// Any thread may call it. Lines go through a bounded queue to one writing thread, which alone waits
// for whoever reads them (core/log_writer.h): a full pipe, a stopped terminal or a full disk holds
// up neither a caller nor stop().
//   1 Values are escaped: anything but printable ASCII is written \xNN, and a value with a space,
//     quote or '=' is quoted. Keys and events are literals of ours. A line has at most kLineMax
//     octets.
//   2 A distinct warning or error is written once, then summed: once a minute one line says how
//     often it came again. Its event and values distinguish it, except amount()s; faults that
//     differ only in from_peer() are one fault from several peers. Each event has its own bound on
//     what is remembered (core/log_faults.h), so no event hides another.
//   3 When the queue is full the oldest line of the lowest level is dropped: an error outlives any
//     number of infos. Lost lines are counted, and reported as `log_dropped` when lines flow again.
//   4 Before start() and after stop() the calling thread writes its lines, and none is summed.
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

  // What tells how much, not what or where: two faults that differ in it are one.
  static Field amount(std::string_view k, std::integral auto v) {
    Field field(k, v);
    field.role = Role::amount;
    return field;
  }
  // What a stranger chooses, like an address.
  static Field from_peer(std::string_view k, std::string_view v) {
    Field field(k, v);
    field.role = Role::from_peer;
    return field;
  }

  enum class Role : std::uint8_t { distinguishes, amount, from_peer };

  std::string_view key;
  Kind kind;
  Role role = Role::distinguishes;
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

constexpr std::size_t kLineMax = 4096;  // with its time and line end; a pipe takes it whole

struct Options {
  Level least = Level::info;
  std::size_t queue_lines = 8192;
  std::int64_t sum_every_ms = 60'000;
  std::int64_t stop_wait_ms = 1'000;  // what cannot be written in this time at the end is lost
  int fd = 2;                         // a copy of it is written to
};

// Starts and stops the writing thread; stop() writes the open sums and what is queued, and waits
// for that at most stop_wait_ms.
void start(const Options& options = {});
void stop();

std::uint64_t lines_dropped();

// The calling thread writes a text to stderr, whole or not at all; waits at most 100 ms for a
// reader. For last words, and while there is no writing thread.
void say(std::string_view text) noexcept;

// One line without its time, as it would be written; for tests and for other printers.
std::string format_line(Level level, std::string_view event, Fields fields);

// " key=value", escaped.
void append_field(std::string& line, const Field& field);

}  // namespace tollgate::core::log
