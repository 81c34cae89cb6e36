// Where the gateway's tables come from: a directory, or the versions in Redis. Compiles them beside
// the traffic and hands each snapshot to its owner.
//
// Threads: first() on the caller's, before start(); then one separate thread does everything, and
// calls `publish` there. reload() and facts() from any thread. Ends with the object.
//
// 1. Compiled whole or refused whole: a refused version changes nothing, and the log and the
//    counters say which version and why.
// 2. Whatever Redis does, what is in force stays in force: it is copied to disk (table_cache.h)
//    before it is published, and never asked for again.
// 3. Numbers only go up: a Redis that holds an older version than the one in force was emptied or
//    restored, and is not followed until it holds a newer one.
// 4. Rows with dates switch at their instant: then the same files are compiled again, and also when
//    the wall clock is set back to before what is in force was compiled. Nothing that others did to
//    the cache or the directory meanwhile comes into force: a changed cache is logged, counted and
//    fetched again; a changed directory waits for reload(). For this the texts of a directory whose
//    rows will change are kept in memory. What could not be compiled is tried again each minute,
//    and counts as refused until then.
// 5. One gateway publishes a scheduled draft, checked like a version. A draft that cannot be
//    published yet is logged once for each reason and tried again after kDueAgainUs, then after
//    twice as long each time, at most kDueAgainMaxUs; it delays no other draft.
// 6. New facts never put other changes of a directory in force: files that were edited since they
//    were loaded wait for reload(), and the facts with them.
// 7. No wait is longer than Redis' time-outs; the end and reload() cut any wait short. However many
//    messages announce new versions, it looks at most once per kToldLeastUs.
#pragma once
#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "routing/compile/compile.h"
#include "routing/store/feed_counters.h"
#include "routing/store/store.h"
#include "routing/store/table_cache.h"

namespace tollgate::routing {

struct FeedOptions {
  std::vector<std::string> carriers, clients;  // of the configuration: CompileOptions
  std::shared_ptr<Companions> companions;      // instead of these; used on the feed's thread
  std::string directory;                       // "" = Redis
  StoreOptions store;
  std::string cache;                 // of what came from Redis
  std::int64_t poll_us = 2'000'000;  // how often Redis is asked, if it told nothing
  std::string gateway;               // our name in reports
  Facts facts;                       // those to start with; number 0 = none
  core::Clock clock = core::read_clock;
};

class Feed {
 public:
  explicit Feed(FeedOptions options);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // The first tables: from Redis, else the last good ones from disk. Null: there are none, the log
  // says why.
  std::unique_ptr<const Tables> first();

  using Publish = std::function<void(std::unique_ptr<const Tables>)>;
  void start(Publish publish);
  void reload();  // now, and also what was refused
  // From any thread: what is in force is compiled again with these, and published like new tables.
  void facts(Facts facts);
  void stop();  // ends the thread; the counters stay

  TablesCounters& counters() { return counters_; }

 private:
  static constexpr std::int64_t kToldLeastUs = 50'000;
  static constexpr std::int64_t kDueAgainUs = 1'000'000;
  static constexpr std::int64_t kDueAgainMaxUs = 60'000'000;
  // A draft whose time has come, and that could not be published.
  struct Overdue {
    std::string reason;
    std::int64_t delay_us = 0;
    std::int64_t again_us = 0;
  };

  bool from_redis() const { return options_.directory.empty(); }
  void run();
  void turn();
  void wait();

  struct Compiling {
    const std::string& directory;
    std::uint32_t version;
    const CompiledFrom* from = nullptr;  // the texts to take, instead of the directory's
    CompiledFrom* keep = nullptr;        // where the texts that were taken are kept
  };

  // Null when it has faults.
  std::unique_ptr<const Tables> compile(const Compiling& what, std::vector<TableFault>& faults);
  void load_directory();
  bool edited() const;
  void compile_again();
  void take_facts();
  void compile_with_facts();
  void take_over(std::unique_ptr<const Tables> tables);
  void tell_faults(const std::vector<TableFault>& faults) const;

  bool from_cache();
  bool cache_is(bool by_content);
  void poll();
  void follow(std::uint32_t number);
  void take(const TableVersion& version);
  void listen();
  void unreachable(const StoreError& error);
  void refuse(std::uint32_t version, Refusal why, const std::string& reason);
  void refuse_for(const TableVersion& version, std::int64_t for_us, Refusal why,
                  const std::string& reason);
  void accept();  // nothing is refused any more
  void publish_due();
  bool publish_draft(std::uint32_t id);
  bool due_later(std::uint32_t id, const std::string& reason);
  StoreResult<void> try_draft(const TableDraft& draft);
  void report();

  FeedOptions options_;
  TablesCounters counters_;
  Publish publish_;
  std::unique_ptr<const Tables> first_;
  int wake_fd_;  // ends a wait between two turns
  int stop_fd_;  // ends any wait
  std::atomic<bool> stopping_{false};
  std::atomic<bool> reload_{false};
  std::mutex facts_mutex_;
  std::optional<Facts> new_facts_;  // guarded by facts_mutex_
  bool facts_wait_ = false;         // options_.facts are not in force yet

  // What is in force.
  std::uint32_t version_ = 0;
  TableVersion taken_;  // from Redis or the cache
  std::string directory_;
  std::string stamp_;                   // of the directory's files when they were loaded
  std::unique_ptr<CompiledFrom> from_;  // of a directory whose rows in force will change
  std::int64_t since_us_ = 0;
  std::int64_t valid_from_us_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t valid_until_us_ = std::numeric_limits<std::int64_t>::max();
  // When it is compiled again since it could not be: by then its rows are not those of today.
  std::int64_t again_mono_us_ = std::numeric_limits<std::int64_t>::max();

  // Redis.
  Store store_;
  Redis subscription_;
  TableCache cache_;
  bool verify_current_ = true;  // look at the current version's checksum: the connection is new
  bool cache_spoilt_ = false;   // by others; until it is written anew
  std::int64_t next_poll_us_ = 0;
  std::int64_t polled_us_ = std::numeric_limits<std::int64_t>::min() / 2;
  bool told_ = false;  // since then: of a new version
  std::int64_t next_due_us_ = std::numeric_limits<std::int64_t>::max();
  std::map<std::uint32_t, Overdue> overdue_;  // by the drafts' numbers
  std::int64_t next_report_us_ = 0;
  std::uint32_t newest_ = 0;  // that was in force, in an earlier run too
  std::optional<Refusal> refused_;
  std::uint32_t refused_version_ = 0;
  std::string refused_reason_;
  Sha256 refused_checksum_{};  // not tried again
  std::int64_t refused_until_us_ = 0;

  std::thread thread_;
};

}  // namespace tollgate::routing
