#include "gateway/process.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

#include "core/log.h"
#include "core/shard.h"
#include "core/signals.h"
#include "gateway/flow.h"
#include "gateway/keeping.h"
#include "gateway/metrics.h"
#include "gateway/restore.h"
#include "routing/compile.h"

namespace tollgate::gateway {
namespace {

// What the signal thread asks of the main thread.
class Requests {
 public:
  void stop() { set(stop_); }
  void reload() { set(reload_); }
  bool stopping() {
    const std::lock_guard lock(mutex_);
    return stop_;
  }
  // Waits for a request, at most so long. True: reload.
  bool wait_reload(std::chrono::microseconds longest) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, longest, [this] { return stop_ || reload_; });
    return std::exchange(reload_, false);
  }

 private:
  void set(bool& flag) {
    {
      const std::lock_guard lock(mutex_);
      flag = true;
    }
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  bool reload_ = false;
};

// Compiles the tables' directory beside the traffic and publishes the result.
class Feed {
 public:
  explicit Feed(const Config& config) : config_(config) {
    options_.carriers = config.carrier_names();
    options_.clients = config.client_names();
  }

  // Null, and the faults told, when the directory is refused; what is in force stays.
  std::unique_ptr<const routing::Tables> load() {
    options_.now_us = core::read_clock().wall_us;
    options_.version = version_ + 1;
    auto result = routing::compile_directory(config_.gateway.tables, options_);
    if (!result) {
      counters_.reload_failures.add();
      for (const routing::TableFault& fault : result.error()) {
        core::log::error("table_fault", {{"fault", routing::fault_text(fault)}});
      }
      core::log::error("tables_refused", {{"directory", config_.gateway.tables},
                                          {"faults", result.error().size()},
                                          {"version_kept", version_}});
      return nullptr;
    }
    const routing::Tables& tables = **result;
    version_ = tables.version;
    valid_until_us_ = tables.valid_until_us;
    counters_.reloads.add();
    counters_.version.set(tables.version);
    counters_.loaded_wall_us.set(static_cast<std::uint64_t>(options_.now_us));
    counters_.compile_us.set(static_cast<std::uint64_t>(tables.compile_us));
    counters_.prefixes.set(tables.counts.prefixes);
    counters_.rates.set(tables.counts.rates);
    counters_.prices.set(tables.counts.prices);
    counters_.rules.set(tables.counts.rules);
    counters_.octets.set(tables.bytes());
    core::log::info("tables_loaded", {{"version", tables.version},
                                      {"directory", tables.source},
                                      {"prefixes", tables.counts.prefixes},
                                      {"rates", tables.counts.rates},
                                      {"compile_ms", tables.compile_us / 1000}});
    return std::move(*result);
  }

  // Until rows in force change by themselves; at most a second, so that nothing is late for long.
  std::chrono::microseconds until_stale() const {
    const std::int64_t left = valid_until_us_ - core::read_clock().wall_us;
    return std::chrono::microseconds(std::clamp<std::int64_t>(left, 0, 1'000'000));
  }
  bool stale() const { return core::read_clock().wall_us >= valid_until_us_; }
  // A refused reload is not tried again before the next signal.
  void give_up_until_asked() { valid_until_us_ = std::numeric_limits<std::int64_t>::max(); }
  TablesCounters& counters() { return counters_; }

 private:
  const Config& config_;
  routing::CompileOptions options_;
  TablesCounters counters_;
  std::uint32_t version_ = 0;
  std::int64_t valid_until_us_ = std::numeric_limits<std::int64_t>::max();
};

core::log::Level log_level(LogLevel level) {
  return static_cast<core::log::Level>(level);
}

// Everything that lives while the gateway serves, in the order in which it is made.
class Process {
 public:
  Process(const Config& config, Feed& feed, std::unique_ptr<const routing::Tables> tables)
      : config_(config),
        feed_(feed),
        tables_(std::move(tables)),
        shards_(config.gateway.shards, config.gateway.limits.mailbox_octets),
        homes_(config.gateway.shards, config.carriers.size()),
        auth_(config.clients, auth_options()) {}

  // False: the journal cannot be used, or holds more than there is room for; the reason was told.
  bool make_flows() {
    auto keeping = open_journal(config_, [this](unsigned shard) { shards_[shard].wake(); });
    if (!keeping) {
      core::log::error("journal_refused", {{"reason", keeping.error()}});
      return false;
    }
    keeping_ = std::move(*keeping);
    std::random_device random;
    const std::uint64_t seed = std::uint64_t{random()} << 32 | random();
    for (unsigned i = 0; i < shards_.size(); ++i) {
      counters_.push_back(
          std::make_unique<FlowCounters>(config_.clients.size(), config_.carriers.size()));
      core::Journal::Stream* stream = keeping_.journal ? &keeping_.journal->stream(i) : nullptr;
      flows_.push_back(
          std::make_unique<Flow>(Flow::Setup{config_, shards_[i], homes_, tables_, *counters_[i],
                                             auth_, shared_, seed + i * 0x10000, stream}));
    }
    return keeping_.journal == nullptr || restore_messages();
  }

  // False: an address cannot be had; the reason was told.
  bool start() {
    for (auto& flow : flows_) {
      if (const core::NetError error = flow->start()) {
        core::log::error("listen_failed", {{"reason", error.reason}});
        return false;
      }
    }
    if (!config_.gateway.metrics.empty() && !start_metrics()) return false;
    shards_.start();
    for (const core::Address& address : flows_[0]->listener().addresses()) {
      core::log::info("listening", {{"smpp", address.text()}});
    }
    core::log::info("ready", {{"shards", config_.gateway.shards},
                              {"clients", config_.clients.size()},
                              {"carriers", config_.carriers.size()}});
    return true;
  }

  void reload() {
    if (auto next = feed_.load()) {
      tables_.publish(std::move(next));
    } else {
      feed_.give_up_until_asked();
    }
  }
  void reclaim() { tables_.reclaim(); }

  void stop() {
    core::log::info("stopping", {{"drain_s", config_.gateway.drain_us / 1'000'000}});
    shared_.stopping = true;
    for (unsigned i = 0; i < shards_.size(); ++i) shards_[i].wake();
    for (auto seen = shared_.finished.load(); seen < shards_.size();
         seen = shared_.finished.load()) {
      shared_.finished.wait(seen);
    }
    shards_.stop();
    shards_.join();
    metrics_.reset();
    std::uint64_t left = 0;
    for (const auto& flow : flows_) left += flow->messages();
    core::log::info("stopped", {{"messages_left", left}});
  }

 private:
  bool restore_messages() {
    const RestoreCounts counts =
        restore(config_, homes_, *keeping_.recovery, flows_, core::read_clock());
    keeping_.recovery.reset();
    if (counts.without_room != 0) {
      core::log::error("journal_refused",
                       {{"reason", "it holds more messages than messages_per_shard"},
                        {"beyond", counts.without_room}});
      return false;
    }
    core::log::info("restored", {{"queued", counts.queued},
                                 {"in_doubt", counts.in_doubt},
                                 {"awaiting", counts.awaiting},
                                 {"told", counts.told},
                                 {"parked", counts.parked},
                                 {"without_client", counts.without_client}});
    return true;
  }

  AuthOptions auth_options() {
    AuthOptions options;
    options.shards = config_.gateway.shards;
    options.wake = [this](unsigned shard) { shards_[shard].wake(); };
    return options;
  }

  bool start_metrics() {
    MetricsSources sources;
    sources.config = &config_;
    for (unsigned i = 0; i < shards_.size(); ++i) {
      sources.flow.push_back(counters_[i].get());
      sources.shards.push_back(&shards_[i].counts());
    }
    for (std::size_t i = 0; i < config_.carriers.size(); ++i) {
      sources.carriers.push_back(&flows_[homes_.of_carrier(i)]->carriers().carrier(i)->counters());
    }
    sources.tables = &feed_.counters();
    sources.auth = &auth_;
    if (keeping_.journal) {
      sources.journal = &keeping_.journal->counts();
      sources.journal_sync_us = &keeping_.journal->sync_us();
      sources.dead_letters = &keeping_.dead_letters->kept();
    }
    try {
      metrics_ = std::make_unique<Metrics>(std::move(sources));
    } catch (const std::exception& error) {
      core::log::error("metrics_failed", {{"reason", error.what()}});
      return false;
    }
    core::log::info("listening", {{"metrics_port", metrics_->port()}});
    return true;
  }

  const Config& config_;
  Feed& feed_;
  core::Published<routing::Tables> tables_;
  core::Shards shards_;
  Homes homes_;
  Auth auth_;
  Shared shared_;
  Keeping keeping_;
  std::vector<std::unique_ptr<FlowCounters>> counters_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::unique_ptr<Metrics> metrics_;
};

}  // namespace

int run_process(const Config& config) {
  Requests requests;
  const core::Signals signals(
      {[&requests] { requests.stop(); }, [&requests] { requests.reload(); }});
  core::log::Options log_options;
  log_options.least = log_level(config.gateway.log_level);
  core::log::start(log_options);
  int status = 1;
  Feed feed(config);
  if (auto tables = feed.load()) {
    Process process(config, feed, std::move(tables));
    if (process.make_flows() && process.start()) {
      while (!requests.stopping()) {
        if (requests.wait_reload(feed.until_stale()) || feed.stale()) process.reload();
        process.reclaim();
      }
      process.stop();
      status = 0;
    }
  }
  core::log::stop();
  return status;
}

}  // namespace tollgate::gateway
