// Following the versions in Redis, and publishing the drafts whose time has come.
#include <algorithm>

#include "core/clock.h"
#include "core/log.h"
#include "routing/store/feed.h"
#include "routing/store/store_parts.h"

namespace tollgate::routing {
namespace {

constexpr std::int64_t kReportEvery = 10'000'000;
constexpr std::int64_t kTurn = 60'000'000;  // of a gateway that publishes what is due
constexpr std::int64_t kDamagedAgain = 10'000'000;
constexpr int kToldMost = 1'000;  // messages that one look covers
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

std::string first_fault(const std::vector<TableFault>& faults) {
  std::string text = fault_text(faults.front());
  if (faults.size() > 1) text += "; and " + std::to_string(faults.size() - 1) + " more";
  return text;
}

Refusal refusal_of(StoreFault fault) {
  return fault == StoreFault::refused ? Refusal::cache : Refusal::damaged;
}

}  // namespace

void Feed::unreachable(const StoreError& error) {
  if (stopping_) return;  // the wait was ended
  counters_.redis_up.set(0);
  counters_.redis_errors.add();
  verify_current_ = true;
  subscription_.close();
  core::log::warn("tables_redis_failed", {{"reason", error.reason}, {"version_kept", version_}});
}

// Told once for each version and reason; the counters tell it as long as it lasts.
void Feed::refuse(std::uint32_t version, Refusal why, const std::string& reason) {
  for (core::Cell& cell : counters_.refused) cell.set(0);
  counters_.refused[static_cast<std::size_t>(why)].set(1);
  counters_.refused_version.set(version);
  if (refused_ == why && refused_version_ == version && refused_reason_ == reason) return;
  refused_ = why;
  refused_version_ = version;
  refused_reason_ = reason;
  next_report_us_ = 0;
  counters_.reload_failures.add();
  // The version as text: the log sums what has the same texts.
  core::log::error("tables_refused", {{"version", std::to_string(version)},
                                      {"why", refusal_name(why)},
                                      {"reason", reason},
                                      {"version_kept", version_}});
}

void Feed::refuse_for(const TableVersion& version, std::int64_t for_us, Refusal why,
                      const std::string& reason) {
  refused_checksum_ = version.checksum;
  refused_until_us_ = for_us == kNever ? kNever : options_.clock().mono_us + for_us;
  refuse(version.number, why, reason);
}

void Feed::accept() {
  for (core::Cell& cell : counters_.refused) cell.set(0);
  counters_.refused_version.set(0);
  if (refused_) next_report_us_ = 0;
  refused_.reset();
  refused_version_ = 0;
  refused_reason_.clear();
}

// The channel tells of new versions at once; without it polling does, a little later.
void Feed::listen() {
  if (subscription_.connected()) return;
  const std::string channel = store_.channel();
  std::ignore = subscription_.command({"SUBSCRIBE", channel});
}

void Feed::poll() {
  if (version_ != 0) cache_is(false);
  polled_us_ = options_.clock().mono_us;
  next_poll_us_ = polled_us_ + options_.poll_us;
  // What came until now this look covers.
  for (int i = 0; told_ && i < kToldMost; ++i) {
    const auto message = subscription_.message(0);
    told_ = message && *message;
  }
  told_ = false;
  if (!store_.redis().connected()) verify_current_ = true;
  const auto number = store_.current();
  if (!number && number.error().fault == StoreFault::damaged)
    return refuse(0, Refusal::damaged, number.error().reason);
  if (!number) return unreachable(number.error());
  listen();
  counters_.redis_up.set(1);
  counters_.redis_version.set(*number);
  follow(*number);
  if (!store_.redis().connected()) return;
  const auto due = store_.next_due_us();
  next_due_us_ = due ? *due : kNever;
  report();
}

void Feed::follow(std::uint32_t number) {
  if (number < newest_) {
    const std::string holds =
        number == 0 ? "holds no tables" : "went back to version " + std::to_string(number);
    return refuse(number, Refusal::backwards,
                  "Redis " + holds + " after " + std::to_string(newest_) +
                      " was in force: it was emptied or restored; push the tables again, with "
                      "--after " +
                      std::to_string(newest_) + " when it is empty");
  }
  if (number == 0) return core::log::warn("tables_none", {{"redis", store_.address()}});
  if (number == version_ && !verify_current_ && !refused_) return;
  const auto version = store_.version(number);
  if (!version) {
    if (version.error().fault == StoreFault::unreachable) return unreachable(version.error());
    return refuse(number, Refusal::damaged, version.error().reason);
  }
  verify_current_ = false;
  if (number == version_ && version->checksum == taken_.checksum && !cache_spoilt_) {
    if (again_mono_us_ == kNever) accept();
    return;
  }
  const bool again = refused_ && refused_checksum_ == version->checksum;
  if (!again || options_.clock().mono_us >= refused_until_us_) take(*version);
}

void Feed::take(const TableVersion& version) {
  const std::int64_t begin = options_.clock().mono_us;
  const auto directory = cache_.write(
      version, [&](const TableFile& file, const auto& keep) { return store_.fetch(file, keep); });
  if (!directory) {
    const StoreError& error = directory.error();
    if (error.fault == StoreFault::unreachable) return unreachable(error);
    return refuse_for(version, kDamagedAgain, refusal_of(error.fault), error.reason);
  }
  const std::int64_t fetch_us = options_.clock().mono_us - begin;
  std::vector<TableFault> faults;
  auto tables = compile({*directory, version.number}, faults);
  // Compiled was what was published, and not what others did to it meanwhile.
  if (const auto whole = cache_.checked(version); !whole) {
    cache_.drop(version);
    return refuse_for(version, kDamagedAgain, Refusal::cache, whole.error());
  }
  if (tables == nullptr) {
    tell_faults(faults);
    cache_.drop(version);
    return refuse_for(version, kNever, Refusal::faults, first_fault(faults));
  }
  // In force all the same: only a start without Redis would miss it.
  if (const auto kept = cache_.keep(version); !kept)
    core::log::error("tables_cache_failed", {{"reason", kept.error()}});
  taken_ = version;
  cache_spoilt_ = false;
  accept();
  counters_.fetch_us.set(static_cast<std::uint64_t>(fetch_us));
  counters_.published_wall_us.set(static_cast<std::uint64_t>(version.when_us));
  next_report_us_ = 0;
  take_over(std::move(tables));
}

// Whether the files of the version in force are those that were published: by what is in them, or
// by their names and lengths. Else they are fetched again, as soon as Redis answers.
bool Feed::cache_is(bool by_content) {
  if (cache_spoilt_) return false;
  std::string reason;
  if (by_content) {
    if (const auto good = cache_.checked(taken_); !good) reason = good.error();
  } else if (const auto good = cache_.seen(taken_); !good) {
    reason = good.error();
  }
  if (reason.empty()) return true;
  core::log::error("tables_cache_damaged", {{"reason", reason}});
  counters_.cache_damaged.add();
  cache_spoilt_ = verify_current_ = true;
  next_poll_us_ = 0;
  return false;
}

// At the start, when Redis gave nothing that could be used.
bool Feed::from_cache() {
  const std::vector<TableVersion> good = cache_.good();
  for (const TableVersion& version : good) {
    const auto directory = cache_.checked(version);
    if (!directory) {
      core::log::error("tables_cache_damaged", {{"reason", directory.error()}});
      counters_.cache_damaged.add();
      continue;
    }
    std::vector<TableFault> faults;
    auto tables = compile({*directory, version.number}, faults);
    if (tables == nullptr) {
      tell_faults(faults);
      continue;
    }
    taken_ = version;
    counters_.published_wall_us.set(static_cast<std::uint64_t>(version.when_us));
    core::log::warn("tables_from_cache", {{"version", version.number}, {"directory", *directory}});
    take_over(std::move(tables));
    return true;
  }
  return false;
}

void Feed::report() {
  const core::Now now = options_.clock();
  if (now.mono_us < next_report_us_ || version_ == 0) return;
  next_report_us_ = now.mono_us + kReportEvery;
  const auto told = store_.report(
      {options_.gateway, version_, since_us_, refused_version_, refused_reason_, now.wall_us});
  // A Redis that we may only read, or that is full: people see less, traffic the same.
  if (!told) core::log::warn("tables_report_failed", {{"reason", told.error().reason}});
}

void Feed::publish_due() {
  const core::Now now = options_.clock();
  if (now.wall_us < next_due_us_) return;
  next_due_us_ = kNever;  // until the next poll
  auto ids = store_.due(now.wall_us);
  if (!ids) return unreachable(ids.error());
  std::erase_if(overdue_, [&](const auto& each) {
    return std::find(ids->begin(), ids->end(), each.first) == ids->end();
  });
  std::erase_if(*ids, [&](std::uint32_t id) {
    const auto tried = overdue_.find(id);
    return tried != overdue_.end() && now.mono_us < tried->second.again_us;
  });
  if (ids->empty()) return;
  const auto turn = store_.take_turn(options_.gateway, kTurn);
  if (!turn) {
    return core::log::warn("tables_schedule_failed", {{"reason", turn.error().reason}});
  }
  if (!*turn) return;  // another gateway does
  for (const std::uint32_t id : *ids) {
    if (publish_draft(id)) next_poll_us_ = 0;
  }
  std::ignore = store_.end_turn(options_.gateway);
}

// Always false, for its callers: the draft is still to be published.
bool Feed::due_later(std::uint32_t id, const std::string& reason) {
  Overdue& overdue = overdue_[id];
  overdue.delay_us = std::clamp<std::int64_t>(2 * overdue.delay_us, kDueAgainUs, kDueAgainMaxUs);
  overdue.again_us = options_.clock().mono_us + overdue.delay_us;
  if (std::exchange(overdue.reason, reason) != reason) {
    core::log::error("tables_schedule_failed", {{"draft", id}, {"reason", reason}});
  }
  return false;
}

// A scheduled draft compiles with this gateway's carriers and clients, or is not published.
StoreResult<void> Feed::try_draft(const TableDraft& draft) {
  TableVersion trial;
  auto files = store_.files_of(draft);
  if (!files) return tl::unexpected(files.error());
  trial.number = draft.base + 1;
  trial.files = std::move(*files);
  const auto directory = cache_.write(
      trial, [&](const TableFile& file, const auto& keep) { return store_.fetch(file, keep); });
  if (!directory) return tl::unexpected(directory.error());
  std::vector<TableFault> faults;
  const auto tables = compile({*directory, trial.number}, faults);
  cache_.drop(trial);
  if (tables != nullptr) return {};
  return store_error(StoreFault::invalid, first_fault(faults));
}

// False: it is to be tried again.
bool Feed::publish_draft(std::uint32_t id) {
  auto draft = store_.draft(id);
  if (!draft) return due_later(id, draft.error().reason);
  const Actor actor{draft->scheduled_by, {}, options_.clock().wall_us};
  bool overtaken = false;
  const auto publish = [&]() -> StoreResult<TableVersion> {
    const auto current = store_.current();
    if (!current) return tl::unexpected(current.error());
    if (draft->base != *current) {
      auto rebased = store_.rebase(id, actor);
      if (!rebased) return tl::unexpected(rebased.error());
      draft = std::move(rebased);
    }
    if (const auto fine = try_draft(*draft); !fine) return tl::unexpected(fine.error());
    auto done = store_.publish(*draft, actor, Origin::schedule);
    overtaken = !done && done.error().fault == StoreFault::conflict;
    return done;
  };
  const auto published = publish();
  if (published) {
    counters_.scheduled_published.add();
    core::log::info("tables_published", {{"version", published->number}, {"draft", id}});
    return true;
  }
  const StoreError& error = published.error();
  // It may go better the next time; else people must decide.
  if (overtaken || error.fault == StoreFault::unreachable || error.fault == StoreFault::refused)
    return due_later(id, error.reason);
  if (const auto failed = store_.fail_draft(*draft, actor, error.reason); !failed)
    return due_later(id, error.reason + "; and that cannot be noted: " + failed.error().reason);
  core::log::error("tables_schedule_failed", {{"draft", id}, {"reason", error.reason}});
  counters_.scheduled_failed.add();
  return true;
}

}  // namespace tollgate::routing
