#include "core/shard.h"

#include <algorithm>
#include <array>
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
      "turns",       "sleeps",        "wakes",       "reads",
      "read_octets", "sends",         "sent_octets", "sends_cut",
      "accepted",    "accept_errors", "connects",    "connect_errors",
      "closed",      "timers_fired",  "connections", "timers_armed"};
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
  turn_us_.observe(clock_().mono_us - now_.mono_us);
  const bool reads_wait = !readable_.empty() && !reads_held_;
  return more || again_ || steps == kTimersPerTurn || reads_wait || !writable_.empty() ||
         !dirty_.empty() || !closed_.empty() || !deferred_.empty();
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
  now_ = clock_();
}

std::int64_t Shard::sleep_us() const noexcept {
  const std::int64_t deadline = timers_.next_deadline();
  if (deadline == Timers::kNever) return kSleepMaxUs;
  return std::clamp<std::int64_t>(deadline - clock_().mono_us, 0, kSleepMaxUs);
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
  List<Connection, ReadHook> batch;
  batch.splice(readable_);
  std::size_t reads = 0;
  std::size_t octets = 0;
  while (!batch.empty() && reads < kReadsPerTurn && octets < kReadOctetsPerTurn) {
    octets += batch.pop_front().read_step(now_);
    ++reads;
  }
  // Those not reached come before those that are ready again.
  batch.splice(readable_);
  readable_.splice(batch);
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
