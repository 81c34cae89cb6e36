#include "core/shard.h"

#include <algorithm>
#include <array>
#include <limits>
#include <pthread.h>
#include <string>
#include <utility>

#include "core/asio_net.h"
#include "core/check.h"

namespace tollgate::core {
namespace {

constexpr std::int64_t kSleepMaxUs = 60'000'000;

}  // namespace

std::string_view shard_count_name(ShardCount count) noexcept {
  static constexpr std::array<std::string_view, kShardCounts> names{
      "turns",       "sleeps",       "wakes",      "reads",         "read_octets", "sends",
      "sent_octets", "sends_cut",    "accepted",   "accept_errors", "connects",    "connect_errors",
      "closed",      "timers_fired", "late_turns", "connections",   "timers_armed"};
  return names[static_cast<std::size_t>(count)];
}

Shard::Shard(unsigned index, std::unique_ptr<Net> net, Clock clock)
    : index_(index),
      net_(net != nullptr ? std::move(net) : make_asio_net()),
      clock_(clock ? std::move(clock) : Clock(&read_clock)),
      now_(clock_()),
      sleeper_(this),
      scratch_(new std::uint8_t[kScratch]),
      timers_(now_.mono_us) {}

Shard::~Shard() {
  TOLLGATE_CHECK(counts_[ShardCount::connections].get() == 0, "connections end before their shard");
}

bool Shard::turn() {
  return turn_waiting(false);
}

void Shard::run() {
  now_ = time();  // what was done before it is no late turn
  bool more = true;
  while (!stopping_.load(std::memory_order_relaxed)) more = turn_waiting(!more);
}

void Shard::stop() noexcept {
  stopping_.store(true, std::memory_order_relaxed);
  net_->wake();
}

void Shard::wake() noexcept {
  net_->wake();
}

bool Shard::turn_waiting(bool may_sleep) {
  again_ = false;
  poll(may_sleep);
  for (TurnStart* call : start_calls_) call->turn_starts(now_);
  bool more = net_->dispatch(now_);
  read_ready();
  for (auto& hook : drain_hooks_) more = hook(now_) || more;
  const std::size_t steps = timers_.expire(now_, kTimersPerTurn);
  for (auto& hook : end_hooks_) hook(now_);
  publish_mail();
  flush();
  finish();
  publish_mail();
  count();
  counts_[ShardCount::timers_fired].add(steps);
  turn_end_us_ = time().mono_us;
  turn_us_.observe(turn_end_us_ - now_.mono_us);
  more_ = more || again_ || steps == kTimersPerTurn || reads_wait() || !writable_.empty() ||
          !dirty_.empty() || !closed_.empty() || !deferred_.empty();
  return more_;
}

// Mail from other shards needs no part in turn()'s answer: it is looked at before a sleep.
void Shard::poll(bool may_sleep) {
  std::int64_t wait_us = may_sleep ? sleep_us() : 0;
  if (wait_us > 0) {
    sleeper_.fall_asleep();
    if (mail_waits()) wait_us = 0;
  }
  if (wait_us > 0) counts_[ShardCount::sleeps].add();
  net_->poll(wait_us);
  sleeper_.awake();
  set_now(wait_us > 0);
}

void Shard::set_now(bool slept) {
  Now now = time();
  const std::int64_t due_us =
      more_ ? now_.mono_us : std::max(now_.mono_us, timers_.next_deadline());
  if (now.mono_us - due_us > late_us_) {
    left_out_us_ += now.mono_us - due_us;
    now.mono_us = due_us;
    counts_[ShardCount::late_turns].add();
  }
  if (slept && !groups_held_) slept_us_ += std::max<std::int64_t>(now.mono_us - turn_end_us_, 0);
  if (now.mono_us - busy_from_us_ >= kBusyUs) {
    busy_ = slept_us_ * 4 < now.mono_us - busy_from_us_;
    slept_us_ = 0;
    busy_from_us_ = now.mono_us;
  }
  now_ = now;
}

std::int64_t Shard::sleep_us() const noexcept {
  const std::int64_t deadline = timers_.next_deadline();
  if (deadline == Timers::kNever) return kSleepMaxUs;
  return std::clamp<std::int64_t>(deadline - time().mono_us, 0, kSleepMaxUs);
}

bool Shard::mail_waits() noexcept {
  for (const auto& inbox : inboxes_) {
    if (!inbox->empty()) return true;
  }
  return false;
}

void Shard::read_ready() {
  List<Connection, WriteHook> writable;
  writable.splice(writable_);
  while (!writable.empty()) writable.pop_front().write_step(now_);

  if (reads_held_) return;
  Share first{kReadsPerTurn, kReadOctetsPerTurn, std::numeric_limits<std::int64_t>::max()};
  read_group(first_, first);
  if (!groups_held_) read_groups();
}

void Shard::read_groups() {
  Share left{kReadsPerTurn, kReadOctetsPerTurn, kUnitsPerTurn};
  const std::size_t groups =
      std::max<std::size_t>(groups_.count_up_to(kUnitsPerTurn / kUnitsLeast), 1);
  const Share part{std::max(left.reads / groups, kReadsLeast),
                   std::max(left.octets / groups, kReadOctetsLeast),
                   std::max(left.units / static_cast<std::int64_t>(groups), kUnitsLeast)};
  List<ReadGroup, GroupHook> batch;
  batch.splice(groups_);
  while (!batch.empty() && left.any()) {
    ReadGroup& group = batch.pop_front();
    const Share given{std::min(left.reads, part.reads), std::min(left.octets, part.octets),
                      std::min(left.units, part.units)};
    Share share = given;
    read_group(group, share);
    left.reads -= given.reads - share.reads;
    left.octets -= given.octets - share.octets;
    left.units -= given.units - share.units;
    if (!group.ready_.empty()) groups_.push_back(group);
  }
  // Those not reached come before those that are ready again.
  batch.splice(groups_);
  groups_.splice(batch);
}

// Each of its connections that is ready, once, as far as the share reaches.
void Shard::read_group(ReadGroup& group, Share& share) {
  List<Connection, ReadHook> batch;
  batch.splice(group.ready_);
  std::size_t reads = 0;
  std::size_t octets = 0;
  share_left_ = share.units;
  while (!batch.empty() && reads < share.reads && octets < share.octets && share_left_ > 0) {
    octets += batch.pop_front().read_step(now_);
    ++reads;
  }
  batch.splice(group.ready_);
  group.ready_.splice(batch);
  share = {share.reads - reads, share.octets - std::min(octets, share.octets), share_left_};
  counts_[ShardCount::reads].add(reads);
  counts_[ShardCount::read_octets].add(octets);
}

void Shard::publish_mail() noexcept {
  std::uint64_t wakes = 0;
  for (Mailbox* mailbox : to_) wakes += mailbox->publish() ? 1 : 0;
  if (wakes != 0) counts_[ShardCount::wakes].add(wakes);
}

void Shard::open_gate(std::uint64_t mark) noexcept {
  if (mark == gate_open_) return;
  gate_open_ = mark;
  while (!held_.empty()) dirty_.push_back(held_.pop_front());
}

void Shard::abandon_gate() {
  while (!held_.empty()) held_.pop_front().close();
  gate_mark_ = gate_open_ = 0;
}

void Shard::flush() {
  while (!dirty_.empty()) dirty_.pop_front().flush_step();
}

void Shard::finish() {
  List<Connection, ClosedHook> closed;
  closed.splice(closed_);
  while (!closed.empty()) closed.pop_front().closed_step(now_);
  if (deferred_.empty()) return;
  deferred_running_.swap(deferred_);
  for (auto& fn : deferred_running_) fn();
  deferred_running_.clear();
}

void Shard::count() {
  const NetCounts net = net_->counts();
  counts_[ShardCount::turns].add();
  counts_[ShardCount::accepted].set(net.accepted);
  counts_[ShardCount::accept_errors].set(net.accept_errors);
  counts_[ShardCount::connects].set(net.connects);
  counts_[ShardCount::connect_errors].set(net.connect_errors);
  counts_[ShardCount::timers_armed].set(timers_.size());
}

void Shard::on_drain(std::function<bool(const Now&)> hook) {
  drain_hooks_.push_back(std::move(hook));
}

void Shard::on_turn_end(std::function<void(const Now&)> hook) {
  end_hooks_.push_back(std::move(hook));
}

void Shard::at_turn_start(TurnStart& call) {
  start_calls_.push_back(&call);
}

void Shard::forget(TurnStart& call) noexcept {
  std::erase(start_calls_, &call);
}

void Shard::defer(std::function<void()> fn) {
  deferred_.push_back(std::move(fn));
}

Mailbox& Shard::open_inbox(std::size_t octets) {
  inboxes_.push_back(std::make_unique<Mailbox>(octets, &sleeper_));
  return *inboxes_.back();
}

Shards::Shards(ShardsOptions options) {
  TOLLGATE_CHECK(options.count > 0, "there is at least one shard");
  for (unsigned i = 0; i < options.count; ++i) {
    auto net = options.make_net ? options.make_net(i) : make_asio_net();
    shards_.push_back(std::make_unique<Shard>(i, std::move(net), options.clock));
    shards_.back()->leave_out_after(options.late_us);
  }
  for (auto& consumer : shards_) {
    for (auto& producer : shards_) {
      Mailbox& mailbox = consumer->open_inbox(options.mailbox_octets);
      consumer->from_.push_back(&mailbox);
      producer->to_.push_back(&mailbox);
    }
  }
}

Shards::~Shards() {
  stop();
  join();
}

void Shards::start() {
  TOLLGATE_CHECK(threads_.empty(), "shards start once");
  for (auto& shard : shards_) {
    threads_.emplace_back([&shard = *shard] {
      const std::string name = "shard-" + std::to_string(shard.index());
      ::pthread_setname_np(::pthread_self(), name.c_str());
      shard.run();
    });
  }
}

void Shards::stop() noexcept {
  for (auto& shard : shards_) shard->stop();
}

void Shards::join() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace tollgate::core
