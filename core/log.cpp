#include "core/log.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>
#include <string>
#include <unistd.h>

#include "core/log_faults.h"
#include "core/log_writer.h"

namespace tollgate::core::log {
namespace {

constexpr int kSayWaitMs = 100;

std::string_view level_name(Level level) {
  static constexpr std::array<std::string_view, 4> names{"debug", "info", "warn", "error"};
  return names[static_cast<std::size_t>(level)];
}

void append_text(std::string& line, std::string_view text) {
  const bool quote = text.empty() || text.find_first_of(" \"=") != std::string_view::npos;
  if (quote) line += '"';
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet > 0x7E) {
      static constexpr char digits[] = "0123456789ABCDEF";
      line += {'\\', 'x', digits[octet >> 4], digits[octet & 15]};
    } else {
      if (c == '"' || c == '\\') line += '\\';
      line += c;
    }
  }
  if (quote) line += '"';
}

std::string time_text() {
  timespec at{};
  ::clock_gettime(CLOCK_REALTIME, &at);
  std::tm utc{};
  ::gmtime_r(&at.tv_sec, &utc);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + length, text.size() - length, ".%03ldZ ", at.tv_nsec / 1'000'000);
  return text.data();
}

// Never freed: whoever logs after stop(), or while it runs, finds it.
struct Log {
  std::atomic<Level> least{Level::info};
  Faults faults;
  std::mutex mutex;                // of those below; held for a copy
  std::shared_ptr<Writer> writer;  // null: nothing is started
  std::uint64_t dropped_before = 0;
};

Log& the_log() {
  static Log& log = *new Log;
  return log;
}

std::shared_ptr<Writer> writer_now() {
  const std::lock_guard lock(the_log().mutex);
  return the_log().writer;
}

std::string whole_line(Level level, std::string_view body) {
  constexpr std::string_view cut = "...";
  std::string line = time_text();
  line += level_name(level);
  line += ' ';
  line += body;
  if (line.size() >= kLineMax) line.replace(kLineMax - 1 - cut.size(), line.npos, cut);
  line += '\n';
  return line;
}

void write_sums(Writer& writer) {
  for (const Faults::Sum& sum : the_log().faults.take_sums()) {
    writer.push(sum.level, whole_line(sum.level, sum.body));
  }
}

std::string lost_line(std::uint64_t lost) {
  std::string body = "log_dropped";
  append_field(body, {"lines", lost});
  return whole_line(Level::warn, body);
}

void write(Level level, std::string_view event, Fields fields) {
  if (level < the_log().least.load(std::memory_order_relaxed)) return;
  const std::shared_ptr<Writer> writer = writer_now();
  if (writer && level >= Level::warn && !the_log().faults.first(level, event, fields)) return;
  std::string body(event);
  for (const Field& field : fields) append_field(body, field);
  std::string line = whole_line(level, body);
  if (writer) {
    writer->push(level, std::move(line));
  } else {
    say(line);
  }
}

}  // namespace

void debug(std::string_view event, Fields fields) {
  write(Level::debug, event, fields);
}
void info(std::string_view event, Fields fields) {
  write(Level::info, event, fields);
}
void warn(std::string_view event, Fields fields) {
  write(Level::warn, event, fields);
}
void error(std::string_view event, Fields fields) {
  write(Level::error, event, fields);
}

void start(const Options& options) {
  stop();
  Log& log = the_log();
  log.least = options.least;
  const auto sum = [] {
    if (const auto writer = writer_now()) write_sums(*writer);
  };
  auto writer = Writer::start(options, {sum, lost_line});
  const std::lock_guard lock(log.mutex);
  log.writer = std::move(writer);
}

void stop() {
  Log& log = the_log();
  std::shared_ptr<Writer> writer;
  {
    const std::lock_guard lock(log.mutex);
    writer.swap(log.writer);
  }
  if (!writer) return;
  write_sums(*writer);
  log.faults.clear();
  writer->stop();
  const std::lock_guard lock(log.mutex);
  log.dropped_before += writer->dropped();
}

std::uint64_t lines_dropped() {
  const std::lock_guard lock(the_log().mutex);
  return the_log().dropped_before + (the_log().writer ? the_log().writer->dropped() : 0);
}

void say(std::string_view text) noexcept {
  if (text.size() > kLineMax) text = text.substr(0, kLineMax);
  write_some(STDERR_FILENO, text, kSayWaitMs);
}

void append_field(std::string& line, const Field& field) {
  line += ' ';
  line += field.key;
  line += '=';
  switch (field.kind) {
    case Field::Kind::text:
      return append_text(line, field.text);
    case Field::Kind::integer:
      line += std::to_string(field.integer);
      return;
    case Field::Kind::unsigned_integer:
      line += std::to_string(field.unsigned_integer);
      return;
    case Field::Kind::boolean:
      line += field.unsigned_integer != 0 ? "true" : "false";
      return;
    case Field::Kind::real: {
      std::array<char, 32> text{};
      std::snprintf(text.data(), text.size(), "%.6g", field.real);
      line += text.data();
    }
  }
}

std::string format_line(Level level, std::string_view event, Fields fields) {
  std::string line(level_name(level));
  line += ' ';
  line += event;
  for (const Field& field : fields) append_field(line, field);
  return line;
}

}  // namespace tollgate::core::log
