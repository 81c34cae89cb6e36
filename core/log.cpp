#include "core/log.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace tollgate::core::log {
namespace {

constexpr std::size_t kDistinctMax = 1024;

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

// The distinct faults since the last sum. Guarded by a mutex that nobody holds for longer than a
// look-up; who finds it taken counts the fault in `others` instead of waiting.
class Distinct {
 public:
  // True: write it now. False: it is summed.
  bool first(Level level, std::string_view event, Fields fields) {
    std::string key(event);
    for (const Field& field : fields) {
      if (field.kind == Field::Kind::text) append_field(key, field);
    }
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) {
      others_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    const auto found = faults_.find(key);
    if (found != faults_.end()) {
      ++found->second.again;
      return false;
    }
    if (faults_.size() >= kDistinctMax) {
      others_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    faults_.emplace(std::move(key), Fault{level, 0});
    return true;
  }

  // Tells what came again; what did not is forgotten and counts as new next time.
  template <class Write>
  void sum(Write&& write) {
    const std::lock_guard lock(mutex_);
    for (auto at = faults_.begin(); at != faults_.end();) {
      if (at->second.again == 0) {
        at = faults_.erase(at);
        continue;
      }
      write(at->second.level, at->first + " repeated=" + std::to_string(at->second.again));
      at->second.again = 0;
      ++at;
    }
    const std::uint64_t others = others_.exchange(0, std::memory_order_relaxed);
    if (others != 0) write(Level::warn, "log_other repeated=" + std::to_string(others));
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    faults_.clear();
    others_ = 0;
  }

 private:
  struct Fault {
    Level level;
    std::uint64_t again;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Fault> faults_;
  std::atomic<std::uint64_t> others_{0};
};

// What start() made. Writers hold no lock: they see a Running that stop() frees only after the
// process's shards have ended, which is the rule of stop().
struct Running {
  explicit Running(const Options& options);
  ~Running();
  void sum_loop(std::chrono::milliseconds every);

  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
  std::mutex mutex;
  std::condition_variable ended;
  bool ending = false;
  std::thread summer;
};

std::atomic<Running*> running{nullptr};
std::atomic<Level> least{Level::info};
std::atomic<std::uint64_t> dropped_before{0};

Distinct& distinct() {
  static Distinct table;
  return table;
}

void emit(Level level, std::string_view body) {
  std::string line = time_text();
  line += level_name(level);
  line += ' ';
  line += body;
  if (Running* r = running.load(std::memory_order_acquire)) {
    r->logger->log(spdlog::level::critical, spdlog::string_view_t(line.data(), line.size()));
  } else {
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
  }
}

Running::Running(const Options& options)
    : pool(std::make_shared<spdlog::details::thread_pool>(options.queue_lines, 1)) {
  spdlog::sink_ptr sink;
  if (options.file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
  }
  logger = std::make_shared<spdlog::async_logger>("tollgate", std::move(sink), pool,
                                                  spdlog::async_overflow_policy::overrun_oldest);
  logger->set_pattern("%v");
  logger->flush_on(spdlog::level::critical);
  summer = std::thread(
      [this, every = std::chrono::milliseconds(options.sum_every_ms)] { sum_loop(every); });
}

Running::~Running() {
  {
    const std::lock_guard lock(mutex);
    ending = true;
  }
  ended.notify_all();
  summer.join();
  dropped_before += pool->overrun_counter();
}

void Running::sum_loop(std::chrono::milliseconds every) {
  std::unique_lock lock(mutex);
  while (!ended.wait_for(lock, every, [this] { return ending; })) distinct().sum(emit);
}

void write(Level level, std::string_view event, Fields fields) {
  if (level < least.load(std::memory_order_relaxed)) return;
  if (level >= Level::warn && running.load(std::memory_order_relaxed) != nullptr &&
      !distinct().first(level, event, fields)) {
    return;
  }
  std::string body(event);
  for (const Field& field : fields) append_field(body, field);
  emit(level, body);
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
  least = options.least;
  running.store(new Running(options), std::memory_order_release);
}

void stop() {
  Running* r = running.load(std::memory_order_acquire);
  if (r == nullptr) return;
  distinct().sum(emit);
  distinct().clear();
  running.store(nullptr, std::memory_order_release);
  delete r;
}

std::uint64_t lines_dropped() {
  Running* r = running.load(std::memory_order_acquire);
  return dropped_before + (r == nullptr ? 0 : r->pool->overrun_counter());
}

std::string format_line(Level level, std::string_view event, Fields fields) {
  std::string line(level_name(level));
  line += ' ';
  line += event;
  for (const Field& field : fields) append_field(line, field);
  return line;
}

}  // namespace tollgate::core::log
