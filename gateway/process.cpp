#include "gateway/process.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "core/log.h"
#include "core/shard.h"
#include "core/signals.h"
#include "gateway/config/machine.h"
#include "gateway/config/peer_reader.h"
#include "gateway/config/tables_place.h"
#include "gateway/flow.h"
#include "gateway/keeping/keeping.h"
#include "gateway/metrics/metrics.h"
#include "gateway/restore.h"
#include "routing/store/feed.h"

namespace tollgate::gateway {
namespace {

// What the signal thread and the feed ask of the main thread.
class Requests {
 public:
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
  }
  // New tables; those that were offered before and not taken yet are dropped.
  void offer(std::unique_ptr<const routing::Tables> tables) {
    {
      const std::lock_guard lock(mutex_);
      tables_.swap(tables);
    }
    changed_.notify_all();
  }
  bool stopping() {
    const std::lock_guard lock(mutex_);
    return stop_;
  }
  // Waits for something, at most so long. Null: no new tables.
  std::unique_ptr<const routing::Tables> wait(std::chrono::microseconds longest) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, longest, [this] { return stop_ || tables_; });
    return std::move(tables_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::unique_ptr<const routing::Tables> tables_;
};

// How often tables that nobody reads any more are freed.
constexpr std::chrono::seconds kReclaimEvery(1);
constexpr std::int64_t kLateUs = 1'000'000;  // a turn; then its shard's clock leaves the time out

routing::FeedOptions feed_options(const Config& config) {
  routing::FeedOptions options;
  options.companions = std::make_shared<PeerReader>(config);
  options.directory = config.gateway.tables;
  options.store = store_options(config.tables);
  options.cache = config.tables.cache;
  options.poll_us = config.tables.poll_us;
  options.gateway = gateway_name(config);
  if (!config.records.directory.empty()) options.facts = newest_facts(config.records.directory);
  return options;
}

// Says in the log that a disk takes nothing more, each time that this begins and while it lasts,
// and that it does again. Main thread, once each kReclaimEvery.
class DiskWatch {
 public:
  struct Words {
    const char *full, *failed, *again;
  };
  DiskWatch(Words words, std::string directory, std::uint64_t needed)
      : words_(words), directory_(std::move(directory)), needed_(needed) {}

  void look(const core::Journal& journal) {
    using core::JournalCount;
    const auto& counts = journal.counts();
    if (counts[JournalCount::failed].get() != 0) {
      return core::log::error(words_.failed, {{"reason", journal.failure()}});
    }
    if (counts[JournalCount::directory_gone].get() != 0) return;  // the journal has said so
    if (counts[JournalCount::accepting].get() != 0) {
      if (looks_ > 1) core::log::info(words_.again, {{"directory", directory_}, {"time", times_}});
      looks_ = 0;
      return;
    }
    if (++looks_ == 1) return;  // it may just have been opened
    if (looks_ == 2) ++times_;
    const auto free = counts[JournalCount::free_octets].get();
    // Numbered: the log sums what is the same, and this time is not the last one.
    core::log::error(words_.full, {{"directory", directory_},
                                   core::log::Field::amount("free_octets", free),
                                   {"needed_octets", needed_},
                                   {"time", times_}});
  }

 private:
  const Words words_;
  const std::string directory_;
  const std::uint64_t needed_;  // for one more file
  unsigned looks_ = 0;          // that found it so, one after the other
  std::uint64_t times_ = 0;
};

void fit_to_machine(Config& config, const Peers& peers) {
  const Machine machine = read_machine(config);
  for (const Shortage& shortage : shortages(config, peers, machine)) {
    core::log::warn("machine_too_small", {{"what", shortage.what},
                                          {"has", shortage.has},
                                          {"needs", shortage.needs},
                                          {"right", shortage.right}});
  }
  config.gateway.limits.connections_max = connections_granted(config, peers, machine);
}

core::log::Level log_level(LogLevel level) {
  return static_cast<core::log::Level>(level);
}

// Everything that lives while the gateway serves, in the order in which it is made.
class Process {
 public:
  // `facts`: what the first tables were compiled with.
  Process(const Config& config, routing::Feed& feed, std::unique_ptr<const routing::Tables> tables,
          routing::Facts facts)
      : config_(config),
        feed_(feed),
        facts_(std::move(facts)),
        tables_(std::move(tables)),
        shards_(core::ShardsOptions{
            config.gateway.shards, config.gateway.limits.mailbox_octets, {}, {}, kLateUs}),
        homes_(config.gateway.shards, peers()),
        auth_(accounts_of(peers()), auth_options()) {}

  // False: the journal cannot be used; the reason was told.
  bool make_flows() {
    KeepingOptions asked;
    asked.wake = [this](unsigned shard) { shards_[shard].wake(); };
    asked.teach = [this](routing::Facts facts) { feed_.facts(std::move(facts)); };
    asked.facts = std::move(facts_);
    auto keeping = open_keeping(config_, std::move(asked));
    if (!keeping) {
      core::log::error("journal_refused", {{"reason", keeping.error()}});
      return false;
    }
    keeping_ = std::move(*keeping);
    if (keeping_.learning) keeping_.learning->thresholds(*tables_.current());
    std::random_device random;
    const std::uint64_t seed = std::uint64_t{random()} << 32 | random();
    for (unsigned i = 0; i < shards_.size(); ++i) {
      counters_.push_back(std::make_unique<FlowCounters>(homes_.clients(), homes_.carriers()));
      core::Journal::Stream* stream = keeping_.journal ? &keeping_.journal->stream(i) : nullptr;
      DueStore::Channel* due = keeping_.due ? &keeping_.due->add(shards_[i]) : nullptr;
      core::Journal* const details = keeping_.details.journal.get();
      flows_.push_back(std::make_unique<Flow>(Flow::Setup{
          config_, shards_[i], homes_, tables_, *counters_[i], auth_, shared_, seed + i * 0x10000,
          stream, due, details != nullptr ? &details->stream(i) : nullptr,
          &keeping_.details.files}));
    }
    if (keeping_.due) keeping_.due->start();
    if (keeping_.journal) restore_messages();
    return true;
  }

  // False: an address cannot be had; the reason was told.
  bool start() {
    shared_.room = connections_room(config_, peers(), read_machine(config_));
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
                              {"clients", peers().clients_here()},
                              {"carriers", peers().carriers_here()}});
    return true;
  }

  // Room to count in before anybody is known by it, and who may bind before anybody does.
  void publish(std::unique_ptr<const routing::Tables> next) {
    const Peers& now = peers_of(*next);
    if (&now != &peers()) {
      for (const auto& counters : counters_) {
        counters->grow(now.clients.size(), now.carriers.size());
      }
      homes_.grow(now);
      auth_.replace(accounts_of(now));
    }
    if (keeping_.learning) keeping_.learning->thresholds(*next);
    tables_.publish(std::move(next));
  }
  void reclaim() { tables_.reclaim(); }
  void watch_disks() {
    if (keeping_.journal) journal_watch_.look(*keeping_.journal);
    if (keeping_.details.journal) records_watch_.look(*keeping_.details.journal);
  }

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
    flush_details();
    metrics_.reset();
    std::uint64_t left = 0;
    for (const auto& flow : flows_) left += flow->messages() + flow->spilled();
    core::log::info("stopped", {{"messages_left", left}});
  }

 private:
  const Peers& peers() const { return peers_of(*tables_.current()); }

  // What ended last: its detail record waits for the journal. Else the next start would write it.
  void flush_details() {
    constexpr int kTriesMax = 500;
    for (int i = 0; i < kTriesMax; ++i) {
      const bool all = std::all_of(flows_.begin(), flows_.end(), [](const auto& flow) {
        return flow->recorder().flush_details();
      });
      if (all) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  void restore_messages() {
    flows_[0]->recorder().recovered_details(keeping_.details.missing,
                                            keeping_.recovery->first_segment());
    keeping_.details.missing = {};
    const RestoreCounts counts =
        restore(peers(), homes_, {*keeping_.recovery, keeping_.stock}, flows_, core::read_clock());
    keeping_.recovery.reset();
    keeping_.stock = {};
    core::log::info("restored", {{"queued", counts.queued},
                                 {"in_doubt", counts.in_doubt},
                                 {"awaiting", counts.awaiting},
                                 {"told", counts.told},
                                 {"spilled", counts.spilled},
                                 {"parked", counts.parked},
                                 {"without_client", counts.without_client}});
  }

  AuthOptions auth_options() {
    AuthOptions options;
    options.shards = config_.gateway.shards;
    options.wake = [this](unsigned shard) { shards_[shard].wake(); };
    options.threads =
        auth_threads(config_.gateway.auth_threads, std::thread::hardware_concurrency());
    // The rest of the unbound may send its bind meanwhile, or give way.
    options.waiting_max = config_.gateway.limits.unbound_max / 4 * 3;
    return options;
  }

  bool start_metrics() {
    MetricsSources sources;
    sources.config = &config_;
    sources.homes = &homes_;
    for (unsigned i = 0; i < shards_.size(); ++i) {
      sources.flow.push_back(counters_[i].get());
      sources.shards.push_back(&shards_[i].counts());
      sources.turn_us.push_back(&shards_[i].turn_us());
    }
    sources.tables = &feed_.counters();
    sources.auth = &auth_;
    if (keeping_.journal) {
      sources.journal = &keeping_.journal->counts();
      sources.journal_sync_us = &keeping_.journal->sync_us();
      sources.dead_letters = &keeping_.dead_letters->kept();
      sources.due = &keeping_.due->counts();
    }
    if (keeping_.details.journal) {
      sources.records = &keeping_.details.journal->counts();
      sources.records_sync_us = &keeping_.details.journal->sync_us();
      if (keeping_.stream) sources.stream = &keeping_.stream->counters();
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
  routing::Feed& feed_;
  routing::Facts facts_;
  core::Published<routing::Tables> tables_;
  core::Shards shards_;
  Homes homes_;
  Auth auth_;
  Shared shared_;
  Keeping keeping_;
  std::vector<std::unique_ptr<FlowCounters>> counters_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::unique_ptr<Metrics> metrics_;
  DiskWatch journal_watch_{{"journal_no_room", "journal_failed", "journal_accepts_again"},
                           config_.journal.directory,
                           config_.journal.reserve_octets + config_.journal.segment_octets};
  DiskWatch records_watch_{{"records_no_room", "records_failed", "records_accept_again"},
                           config_.records.directory,
                           config_.records.reserve_octets + config_.records.rotate_octets};
};

}  // namespace

int run_process(Config config) {
  Requests requests;
  routing::FeedOptions options = feed_options(config);
  const routing::Facts facts = options.facts;
  routing::Feed feed(std::move(options));
  const core::Signals signals({[&requests] { requests.stop(); }, [&feed] { feed.reload(); }});
  core::log::Options log_options;
  log_options.least = log_level(config.gateway.log_level);
  core::log::start(log_options);
  int status = 1;
  if (auto tables = feed.first()) {
    fit_to_machine(config, peers_of(*tables));
    Process process(config, feed, std::move(tables), facts);
    if (process.make_flows() && process.start()) {
      feed.start([&requests](auto next) { requests.offer(std::move(next)); });
      while (!requests.stopping()) {
        if (auto next = requests.wait(kReclaimEvery)) process.publish(std::move(next));
        process.reclaim();
        process.watch_disks();
      }
      process.stop();
      status = 0;
    }
  }
  feed.stop();
  core::log::stop();
  return status;
}

}  // namespace tollgate::gateway
