// A feed against a real redis-server, and what it publishes.
#pragma once
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "core/clock.h"
#include "routing/store/feed.h"
#include "tests/routing/store/redis_server.h"

namespace tollgate::routing {

namespace fs = std::filesystem;
using Changes = std::vector<FileChange>;

template <class T>
T good(StoreResult<T> result) {
  if (!result) FAIL(result.error().reason);
  return std::move(*result);
}

// On an idle machine; a busy one gets ten times as long.
inline bool within(double seconds, const std::function<bool()>& is_so) {
  const auto end = std::chrono::steady_clock::now() + 10 * std::chrono::duration<double>(seconds);
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// A feed and what it publishes.
class Followed {
 public:
  explicit Followed(FeedOptions options) : feed_(std::move(options)) {
    if ((tables_ = feed_.first()) == nullptr) return;
    feed_.start([this](std::unique_ptr<const Tables> next) {
      const std::lock_guard lock(mutex_);
      tables_ = std::move(next);
      ++published_;
    });
  }
  bool started() const { return tables_ != nullptr; }
  std::uint32_t version() {
    const std::lock_guard lock(mutex_);
    return tables_->version;
  }
  int published() {
    const std::lock_guard lock(mutex_);
    return published_;
  }
  // What alpha charges for Vodafone GB, in thousandths.
  Nano cost() {
    const std::lock_guard lock(mutex_);
    const Tables& t = *tables_;
    for (std::size_t d = 0; d < t.destinations.size(); ++d) {
      if (t.destinations[d].mccmnc != "23415") continue;
      for (std::uint32_t i = t.places[d].offers_begin; i < t.places[d].offers_end; ++i) {
        if (t.carriers[t.offers[i].carrier()].name == "alpha")
          return t.offers[i].cost() / (kNanoPerUnit / 1'000);
      }
    }
    return -1;
  }
  bool refused(Refusal why) {
    return feed_.counters().refused[static_cast<std::size_t>(why)].get() == 1;
  }
  TablesCounters& counters() { return feed_.counters(); }
  void reload() { feed_.reload(); }
  void facts(std::uint32_t number) {
    Facts facts;
    facts.number = number;
    feed_.facts(facts);
  }
  std::uint32_t facts() {
    const std::lock_guard lock(mutex_);
    return tables_->facts;
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<const Tables> tables_;
  int published_ = 0;
  Feed feed_;
};

// A Redis with the sample tables as version 1, alpha's every price 0.001, and a place for caches.
struct World {
  World() : World(std::vector<std::string>{}) {}
  explicit World(std::vector<std::string> arguments)
      : server(std::move(arguments)), store(server.options()) {
    tables.price("alpha", 1);
    const TableDraft draft = good(store.create_draft(by("ann"), tables.changes(), ""));
    good(store.publish(draft, by("ann")));
  }
  static Actor by(const std::string& who) {
    return {who, "why", tollgate::core::read_clock().wall_us};
  }
  FeedOptions options(const std::string& cache = "cache", std::int64_t poll_us = 50'000) const {
    FeedOptions options;
    options.store = server.options();
    options.store.redis.connect_us = 300'000;
    options.store.redis.command_us = 300'000;
    options.cache = (server.folder() / cache).string();
    options.poll_us = poll_us;
    options.gateway = "g-" + cache;
    return options;
  }
  TableVersion publish(const Changes& changes) {
    const TableDraft draft = good(store.create_draft(by("ann"), changes, ""));
    return good(store.publish(draft, by("ann")));
  }
  TableVersion price(int thousandths) {
    return publish({{"rates/alpha.csv", priced(tables.read("rates/alpha.csv"), thousandths)}});
  }
  TableVersion faulty() { return publish({{"rates/alpha.csv", "mccmnc,price\n1,x\n"}}); }
  std::vector<std::string> cached(const std::string& cache = "cache") const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(server.folder() / cache)) {
      if (entry.is_directory()) names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  RedisServer server;
  SampleTables tables;
  Store store;
};

}  // namespace tollgate::routing
