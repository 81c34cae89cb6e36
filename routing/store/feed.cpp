// The loop, and what a directory needs; what Redis needs is in feed_redis.cpp.
#include "routing/store/feed.h"

#include <algorithm>
#include <filesystem>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "core/log.h"

namespace tollgate::routing {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kAdjustedUs = 2'000'000;  // so far back the wall clock was not put
constexpr int kNiceness = 10;
constexpr std::int64_t kWaitMax = 60'000'000;
constexpr std::int64_t kAgainUs = 60'000'000;

// Names, sizes and times of the directory's files: it changes when any of them was edited.
std::string stamp_of(const std::string& directory) {
  std::vector<std::string> lines;
  std::error_code error;
  fs::recursive_directory_iterator entries(directory, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    struct stat status {};
    const fs::path ending = entries->path().extension();
    if (ending != ".csv" && ending != ".toml") continue;
    if (::stat(entries->path().c_str(), &status) != 0) continue;
    lines.push_back(entries->path().string() + " " + std::to_string(status.st_ino) + " " +
                    std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) +
                    "." + std::to_string(status.st_mtim.tv_nsec));
  }
  std::sort(lines.begin(), lines.end());
  std::string stamp;
  for (const std::string& line : lines) stamp += line + "\n";
  return stamp;
}

RedisOptions with_wake(RedisOptions options, int wake_fd) {
  options.wake_fd = wake_fd;
  return options;
}

}  // namespace

Feed::Feed(FeedOptions options)
    : options_(std::move(options)),
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      stop_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      store_({with_wake(options_.store.redis, stop_fd_), options_.store.prefix}),
      subscription_(with_wake(options_.store.redis, wake_fd_)),
      cache_(options_.cache) {
  counters_.redis.set(from_redis());
}

void Feed::stop() {
  stopping_ = true;
  eventfd_write(stop_fd_, 1);
  eventfd_write(wake_fd_, 1);
  if (thread_.joinable()) thread_.join();
}

Feed::~Feed() {
  stop();
  ::close(stop_fd_);
  ::close(wake_fd_);
}

void Feed::reload() {
  reload_ = true;
  eventfd_write(wake_fd_, 1);
}

void Feed::facts(Facts facts) {
  {
    const std::lock_guard lock(facts_mutex_);
    new_facts_ = std::move(facts);
  }
  eventfd_write(wake_fd_, 1);
}

std::unique_ptr<const Tables> Feed::first() {
  publish_ = [this](std::unique_ptr<const Tables> tables) { first_ = std::move(tables); };
  if (!from_redis()) {
    load_directory();
    return std::move(first_);
  }
  if (const auto opened = cache_.open(); !opened) {
    core::log::error("tables_cache_refused", {{"reason", opened.error()}});
    return nullptr;
  }
  if (!cache_.good().empty()) newest_ = cache_.good().front().number;
  poll();
  if (first_ == nullptr && !from_cache()) {
    core::log::error("tables_missing", {{"redis", store_.address()}, {"cache", options_.cache}});
  }
  return std::move(first_);
}

void Feed::start(Publish publish) {
  publish_ = std::move(publish);
  thread_ = std::thread([this] { run(); });
}

void Feed::run() {
  // Compiling takes what time the shards leave (of this thread alone).
  ::setpriority(PRIO_PROCESS, 0, kNiceness);
  while (!stopping_) {
    turn();
    if (!stopping_) wait();
  }
}

void Feed::turn() {
  const bool asked = reload_.exchange(false);
  take_facts();
  if (from_redis()) {
    if (asked) {
      refused_until_us_ = 0;
      overdue_.clear();
      next_poll_us_ = 0;
      verify_current_ = true;
      // What the companions read may lie beside the set.
      if (options_.companions != nullptr && version_ != 0) valid_until_us_ = 0;
    }
    if (options_.clock().mono_us >= next_poll_us_) poll();
  } else if (asked) {
    load_directory();
  }
  const core::Now now = options_.clock();
  const bool by_date = now.wall_us >= valid_until_us_ || now.wall_us < valid_from_us_;
  if (by_date || now.mono_us >= again_mono_us_) compile_again();
  if (facts_wait_) compile_with_facts();
  if (from_redis()) publish_due();
}

// Until something is to be done: a message of Redis, the next poll, rows that change by themselves,
// a scheduled draft, or a word of our owner. The wall clock may jump: never for long.
void Feed::wait() {
  const core::Now now = options_.clock();
  std::int64_t longest = std::min(kWaitMax, valid_until_us_ - now.wall_us);
  longest = std::min(longest, again_mono_us_ - now.mono_us);
  if (from_redis()) {
    longest = std::min({longest, next_poll_us_ - now.mono_us, next_due_us_ - now.wall_us});
  }
  longest = std::max<std::int64_t>(longest, 0);
  if (from_redis() && subscription_.connected() && !told_) {
    const auto message = subscription_.message(longest);
    told_ = message && *message;
    if (told_) next_poll_us_ = std::min(next_poll_us_, polled_us_ + kToldLeastUs);
  } else {
    pollfd polled{wake_fd_, POLLIN, 0};
    ::poll(&polled, 1, static_cast<int>((longest + 999) / 1'000));
  }
  eventfd_t count = 0;
  eventfd_read(wake_fd_, &count);
}

// With the load, as below: each refusal names its faults, though they were told a moment ago.
void Feed::tell_faults(const std::vector<TableFault>& faults) const {
  const std::uint64_t load = counters_.reload_failures.get();
  for (const TableFault& fault : faults)
    core::log::error("table_fault", {{"fault", fault_text(fault)}, {"load", load}});
}

std::unique_ptr<const Tables> Feed::compile(const Compiling& what,
                                            std::vector<TableFault>& faults) {
  CompileOptions options;
  options.from = what.from;
  options.keep = what.keep;
  options.carriers = options_.carriers;
  options.clients = options_.clients;
  options.companions = options_.companions;
  options.now_us = options_.clock().wall_us;
  options.version = what.version;
  options.facts = &options_.facts;
  auto result = compile_directory(what.directory, options);
  if (result) return std::move(*result);
  faults = std::move(result.error());
  return nullptr;
}

void Feed::take_over(std::unique_ptr<const Tables> tables) {
  facts_wait_ = false;
  const bool again = std::exchange(again_mono_us_, kNever) != kNever;
  if (again && refused_version_ == tables->version) accept();
  version_ = newest_ = tables->version;
  directory_ = tables->source;
  valid_until_us_ = tables->valid_until_us;
  since_us_ = tables->as_of_us;
  valid_from_us_ = since_us_ - kAdjustedUs;
  counters_.reloads.add();
  counters_.version.set(version_);
  counters_.loaded_wall_us.set(static_cast<std::uint64_t>(since_us_));
  counters_.compile_us.set(static_cast<std::uint64_t>(tables->compile_us));
  counters_.prefixes.set(tables->counts.prefixes);
  counters_.rates.set(tables->counts.rates);
  counters_.prices.set(tables->counts.prices);
  counters_.rules.set(tables->counts.rules);
  counters_.octets.set(tables->bytes());
  core::log::info("tables_loaded", {{"version", version_},
                                    {"facts", tables->facts},
                                    {"directory", directory_},
                                    {"prefixes", tables->counts.prefixes},
                                    {"rates", tables->counts.rates},
                                    {"compile_ms", tables->compile_us / 1'000}});
  if (options_.companions != nullptr) options_.companions->taken(tables->companion);
  publish_(std::move(tables));
}

void Feed::load_directory() {
  std::vector<TableFault> faults;
  std::string stamp = stamp_of(options_.directory);
  auto from = std::make_unique<CompiledFrom>();
  if (auto tables = compile({options_.directory, version_ + 1, nullptr, from.get()}, faults)) {
    accept();
    stamp_ = std::move(stamp);
    if (tables->valid_until_us == kNever) from.reset();
    from_ = std::move(from);
    return take_over(std::move(tables));
  }
  counters_.reload_failures.add();
  counters_.refused[static_cast<std::size_t>(Refusal::faults)].set(1);
  counters_.refused_version.set(version_ + 1);
  tell_faults(faults);
  // Numbered, since who asks again wants an answer at once, also when it is the same.
  core::log::error("tables_refused", {{"directory", options_.directory},
                                      core::log::Field::amount("faults", faults.size()),
                                      {"version_kept", version_},
                                      {"load", counters_.reload_failures.get()}});
}

void Feed::take_facts() {
  const std::lock_guard lock(facts_mutex_);
  if (!new_facts_) return;
  options_.facts = std::move(*new_facts_);
  new_facts_.reset();
  facts_wait_ = version_ != 0;
}

// Its files are not those that are in force.
bool Feed::edited() const {
  return !from_redis() && stamp_of(directory_) != stamp_;
}

// The same files and the same version, seen with what traffic has taught since.
void Feed::compile_with_facts() {
  facts_wait_ = false;
  if (edited()) {
    core::log::warn("tables_facts_wait", {{"directory", directory_},
                                          {"reason", "its files were edited, and not reloaded"},
                                          {"facts", options_.facts.number}});
    return;
  }
  if (from_redis() && !cache_is(true)) return;  // the files that are fetched bring them in force
  std::vector<TableFault> faults;
  if (auto tables = compile({directory_, version_}, faults)) return take_over(std::move(tables));
  tell_faults(faults);
  core::log::error("tables_facts_refused",
                   {{"facts", options_.facts.number}, {"version_kept", version_}});
}

// Rows in force change. What they are taken from never does: a version, or what a directory held.
void Feed::compile_again() {
  valid_from_us_ = kAlways;
  valid_until_us_ = again_mono_us_ = kNever;
  // No date changes its rows: it is volumes that begin anew, or a wall clock that was put back.
  if (from_redis() && !cache_is(true)) return;
  // Until now it is what is in force, and take_over() forgets a refusal of it.
  again_mono_us_ = options_.clock().mono_us + kAgainUs;
  if (from_ == nullptr && edited()) {
    core::log::warn("tables_wait", {{"directory", directory_},
                                    {"reason", "its files were edited, and not reloaded"}});
    return;
  }
  std::vector<TableFault> faults;
  if (auto tables = compile({directory_, version_, from_.get()}, faults))
    return take_over(std::move(tables));
  tell_faults(faults);
  refuse(version_, Refusal::faults, "its rows of today have faults");
}

}  // namespace tollgate::routing
