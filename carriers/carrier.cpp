#include "carriers/carrier.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "carriers/binds.h"
#include "carriers/dialect.h"
#include "carriers/orders.h"
#include "carriers/pace.h"
#include "carriers/receipts.h"
#include "carriers/rests.h"
#include "core/check.h"
#include "core/log.h"
#include "core/shard.h"
#include "proto/text.h"

namespace tollgate::carriers {

namespace {

using proto::Status;
using proto::StatusClass;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kTickUs = 1'000'000;  // at least so often everything is looked at
constexpr std::size_t kQueuedPerTurn = 4096;
constexpr std::uint64_t kPressedLeast = 1'024;
constexpr std::size_t kBodyMax = proto::kPduLengthMax - proto::kHeaderLength;
// Bits of registered_delivery that ask for a receipt: final, SME acknowledgement, intermediate.
constexpr std::uint8_t kAsksReceipt = 0x1F;

// `more`: windows beyond those of the configuration.
std::uint32_t orders_max(const CarrierConfig& config, std::uint64_t more = 0) {
  std::uint64_t count = config.queue_max + more;
  for (const BindConfig& bind : config.binds) count += bind.window;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, 1U << 28));
}

// These say that the session or the account is wrong, not the message.
bool ends_bind(Status status) {
  switch (status) {
    case Status::ESME_RINVBNDSTS:
    case Status::ESME_RALYBND:
    case Status::ESME_RBINDFAIL:
    case Status::ESME_RINVPASWD:
    case Status::ESME_RINVSYSID:
    case Status::ESME_RINVSYSTYP:
      return true;
    default:
      return false;
  }
}

}  // namespace

class Carrier::Self final : private Bind::Owner {
 public:
  Self(const CarrierConfig& config, core::Shard& shard, Events& events, std::uint64_t seed,
       CarrierBoard* board);

  void start();
  void change(const CarrierConfig& config);
  Taken take(const Order& order);
  void restore_awaiting(std::string_view id, std::uint64_t message) {
    receipts_.id_known(id, message, now_us());
  }
  void restore_parked(proto::Octets pdu, std::int64_t came_us, std::uint64_t number) {
    receipts_.restore(pdu, came_us, number);
  }
  bool turn();
  void drain_and_unbind();
  void halt();
  bool idle() const { return waiting() == 0 && binds_.idle(); }
  bool done() const { return stopping_ && idle() && receipts_.empty(); }

  CarrierConfig config_;
  const std::unique_ptr<CarrierBoard> own_board_;
  CarrierState& state_;
  CarrierCounters& counters_;

 private:
  void bind_changed() override;
  void answered(Bind& bind, const Bind::Answer& answer) override;
  void lost(std::uint32_t order, Bind::Lost how) override;
  Status delivered(proto::Octets pdu) override;
  void attend() override { attention_ = true; }
  bool replaces(const Bind& bind) const override { return binds_.replaces(bind); }
  void make_room(const Bind& bind) override { binds_.make_room(bind); }

  void refused(Bind& bind, const Bind::Answer& answer, StatusClass status_class);
  bool retry(const Bind::Answer& answer, const Retry& policy);
  void release_rests(std::int64_t until_us);
  std::uint32_t waiting() const { return queue_.size() + rests_.size(); }
  void finish(std::uint32_t order, Status status, StatusClass status_class, bool try_next);
  void queue(std::uint32_t order);
  void requeue(std::uint32_t order);
  void put_back(const Bind::Answer& answer);
  void unqueue(std::uint32_t order);
  bool send_queued();
  bool send(std::uint32_t order, Bind& bind);
  void plan_next_turn(bool more);
  void publish();
  void wake(const core::Now&) { attention_ = true; }
  std::int64_t now_us() const { return shard_.now().mono_us; }

  core::Shard& shard_;
  Events& events_;
  Dialect dialect_;
  Random random_;
  const std::uint64_t lane_seed_;
  Orders orders_;
  OrderList queue_;
  Rests rests_;
  Pace pace_;
  Receipts receipts_;
  Binds binds_;
  core::Timer timer_;
  std::vector<std::uint8_t> scratch_;  // rewritten bodies
  std::uint64_t taken_ = 0;
  std::uint64_t queue_octets_ = 0;
  std::uint32_t last_requeued_ = kNoOrder;  // still in the queue
  std::int64_t next_turn_us_ = 0;
  bool attention_ = true;
  bool pressed_ = false;
  bool stopping_ = false;
  bool handing_back_ = false;  // all that is queued, also when a bind is there again
};

Carrier::Self::Self(const CarrierConfig& config, core::Shard& shard, Events& events,
                    std::uint64_t seed, CarrierBoard* board)
    : config_(config),
      own_board_(board == nullptr ? std::make_unique<CarrierBoard>() : nullptr),
      state_((board == nullptr ? own_board_.get() : board)->state),
      counters_((board == nullptr ? own_board_.get() : board)->counters),
      shard_(shard),
      events_(events),
      dialect_(config_.dialect),
      random_(seed),
      lane_seed_(random_.next()),
      orders_(orders_max(config_), config_.queue_octets_max),
      queue_(orders_),
      rests_(orders_),
      pace_(config_.pace_per_s, config_.pace_burst_ms),
      receipts_(config_, dialect_, events, counters_, random_.next()),
      binds_({config_, dialect_, shard_, orders_, counters_, random_, *this}),
      timer_(core::Timer::calling<&Self::wake>(*this)) {
  const std::vector<std::string> wrong = faults(config_);
  TOLLGATE_CHECK(wrong.empty(), wrong.empty() ? "" : wrong.front().c_str());
  if (dialect_.rewrites()) scratch_.resize(kBodyMax);
  binds_.configure(false);
}

void Carrier::Self::start() {
  stopping_ = false;
  binds_.start();
  attention_ = true;
  shard_.timers().arm(timer_, 0);
}

void Carrier::Self::change(const CarrierConfig& config) {
  const std::vector<std::string> wrong = faults(config);
  TOLLGATE_CHECK(wrong.empty(), wrong.empty() ? "" : wrong.front().c_str());
  config_ = config;
  dialect_.changed();
  if (dialect_.rewrites()) scratch_.resize(kBodyMax);
  pace_.change(config_.pace_per_s, config_.pace_burst_ms, now_us());
  receipts_.changed();
  binds_.configure(!stopping_);
  orders_.bound(orders_max(config_, binds_.windows_left()), config_.queue_octets_max);
  attention_ = true;
  shard_.timers().arm(timer_, 0);
  publish();
}

Taken Carrier::Self::take(const Order& order) {
  // Behind what is to be handed back it comes back in its turn.
  if (stopping_ || (binds_.transmitting() == 0 && waiting() == 0)) return Taken::down;
  if (waiting() >= config_.queue_max) return Taken::no_room;
  proto::SubmitSm sm;
  if (proto::decode(order.body, sm)) return Taken::unfit;
  proto::Octets body = order.body;
  if (dialect_.rewrites()) {
    const std::size_t length = dialect_.rewrite(sm, scratch_);
    if (length == 0) return Taken::unfit;
    body = proto::Octets(scratch_).first(length);
  }
  if (body.size() > kBodyMax) return Taken::unfit;
  const std::uint32_t index = orders_.take(body);
  if (index == kNoOrder) return Taken::no_room;
  HeldOrder& held = orders_[index];
  held.message = order.message;
  held.attempt = order.attempt;
  held.number = ++taken_;
  held.deadline_us = static_cast<std::int64_t>(order.deadline_us);
  held.asks_receipt = (sm.registered_delivery & kAsksReceipt) != 0;
  held.to = hash_of(proto::as_octets(sm.destination_addr), lane_seed_);
  held.lane = static_cast<std::uint16_t>(held.to % Binds::kLanes);
  counters_.taken.add();
  const bool expired = held.deadline_us != 0 && held.deadline_us < now_us();
  if (queue_.empty() && !expired && pace_.ready(now_us()) && !rests_.holds(held.to)) {
    Bind* bind = binds_.pick(held.lane, now_us());
    if (bind != nullptr && send(index, *bind)) return Taken::taken;
  }
  queue(index);
  return Taken::taken;
}

bool Carrier::Self::send(std::uint32_t order, Bind& bind) {
  if (!bind.send(order)) return false;
  events_.sending(orders_[order].message, orders_[order].attempt);
  binds_.sent(orders_[order].lane, bind);
  pace_.take(now_us());
  counters_.submits.add();
  return true;
}

void Carrier::Self::queue(std::uint32_t order) {
  queue_.push_back(order);
  queue_octets_ += orders_[order].length;
  attention_ = true;
  // The turn-end hook may be behind us in this turn.
  if (queue_.size() == 1) shard_.timers().arm(timer_, 0);
  publish();
}

// Back to its place before all that were taken later.
void Carrier::Self::requeue(std::uint32_t order) {
  const std::uint64_t number = orders_[order].number;
  std::uint32_t after = kNoOrder;
  std::uint32_t at = queue_.first();
  if (last_requeued_ != kNoOrder && orders_[last_requeued_].number < number) {
    after = last_requeued_;
    at = orders_[after].next;
  }
  while (at != kNoOrder && orders_[at].number < number) {
    after = at;
    at = orders_[at].next;
  }
  queue_.insert_after(after, order);
  queue_octets_ += orders_[order].length;
  last_requeued_ = order;
  attention_ = true;
}

void Carrier::Self::put_back(const Bind::Answer& answer) {
  HeldOrder& order = orders_[answer.order];
  events_.put_back(order.message, order.attempt, answer.status);
  ++order.attempt;
}

void Carrier::Self::unqueue(std::uint32_t order) {
  if (order == last_requeued_) last_requeued_ = kNoOrder;
  queue_.remove(order);
  queue_octets_ -= orders_[order].length;
}

// True: more than this turn's share.
bool Carrier::Self::send_queued() {
  if (stopping_ || binds_.transmitting() == 0) handing_back_ = true;
  release_rests(handing_back_ ? kNever : now_us());
  for (std::size_t i = 0; i < kQueuedPerTurn; ++i) {
    const std::uint32_t index = queue_.first();
    if (index == kNoOrder) {
      handing_back_ = false;
      return false;
    }
    HeldOrder& order = orders_[index];
    if (order.deadline_us != 0 && order.deadline_us < now_us()) {
      unqueue(index);
      counters_.expired.add();
      finish(index, Status::ESME_ROK, StatusClass::permanent, false);
      continue;
    }
    if (handing_back_) {
      unqueue(index);
      counters_.handed_back.add();
      finish(index, Status::ESME_ROK, StatusClass::failover, true);
      continue;
    }
    if (rests_.holds(order.to)) {
      unqueue(index);
      queue_octets_ += order.length;
      rests_.add(index, kNever);
      continue;
    }
    if (!pace_.ready(now_us())) return false;
    Bind* bind = binds_.pick(order.lane, now_us());
    if (bind == nullptr) return false;
    unqueue(index);
    if (!send(index, *bind)) {
      requeue(index);
      return false;
    }
  }
  return true;
}

void Carrier::Self::bind_changed() {
  binds_.changed();
  attention_ = true;
  publish();
}

void Carrier::Self::answered(Bind& bind, const Bind::Answer& answer) {
  const HeldOrder& order = orders_[answer.order];
  binds_.answered(order.lane);
  const StatusClass status_class =
      answer.status == Status::ESME_ROK ? StatusClass::ok : dialect_.classify(answer.status);
  const std::int64_t submit_us = now_us() - order.sent_us;
  counters_.responses[static_cast<std::size_t>(status_class)].add();
  counters_.response_us.observe(submit_us);
  bind.note(status_class, order.sent_us);
  if (status_class != StatusClass::ok) {
    refused(bind, answer, status_class);
    return;
  }
  const std::uint64_t message = order.message;
  const std::uint16_t attempt = order.attempt;
  const bool asks_receipt = order.asks_receipt;
  orders_.release(answer.order);
  counters_.sent.add();
  events_.sent(message, attempt, answer.message_id, static_cast<std::uint32_t>(submit_us));
  if (answer.message_id.empty()) {
    counters_.without_id.add();
  } else if (asks_receipt) {
    receipts_.id_known(answer.message_id, message, now_us());
  }
}

void Carrier::Self::refused(Bind& bind, const Bind::Answer& answer, StatusClass status_class) {
  HeldOrder& order = orders_[answer.order];
  switch (status_class) {
    case StatusClass::throttle:
      counters_.throttles.add();
      if (order.throttles >= config_.retry.throttle_attempts) break;
      ++order.throttles;
      put_back(answer);
      requeue(answer.order);
      return;
    case StatusClass::temporary:
      if (retry(answer, config_.retry.temporary)) return;
      break;
    case StatusClass::permanent:
      finish(answer.order, answer.status, status_class, false);
      return;
    case StatusClass::configuration:
      counters_.alarms.add();
      core::log::error("carrier_refuses_configuration",
                       {{"carrier", config_.name},
                        {"status", static_cast<std::uint32_t>(answer.status)},
                        {"name", proto::status_name(answer.status)}});
      if (answer.status == Status::ESME_RINVBNDSTS) {
        bind.retire(Bind::Then::reconnect, config_.timers.drain_ms);
      } else if (ends_bind(answer.status)) {
        bind.retire(Bind::Then::alarm, config_.timers.drain_ms);
      }
      break;
    case StatusClass::failover:
      if (retry(answer, config_.retry.failover)) return;
      break;
    case StatusClass::ok:
      break;
  }
  finish(answer.order, answer.status, status_class, true);
}

// False: it has been tried here often enough.
bool Carrier::Self::retry(const Bind::Answer& answer, const Retry& policy) {
  HeldOrder& order = orders_[answer.order];
  if (order.retries >= policy.attempts) return false;
  const unsigned doublings = std::min<unsigned>(order.retries++, 20);
  const std::uint64_t full_ms =
      std::min<std::uint64_t>(std::uint64_t{policy.first_ms} << doublings, policy.max_ms);
  const auto full_us = static_cast<std::int64_t>(full_ms * 1000);
  put_back(answer);
  counters_.retries.add();
  std::int64_t due_us = now_us() + Backoff::jittered_us(full_us, random_);
  if (order.deadline_us != 0) due_us = std::min(due_us, order.deadline_us + 1);
  rests_.add(answer.order, due_us);
  queue_octets_ += order.length;
  attention_ = true;
  return true;
}

void Carrier::Self::release_rests(std::int64_t until_us) {
  while (rests_.size() != 0 && rests_.next_us() <= until_us) {
    rests_.release([this](std::uint32_t order) {
      queue_octets_ -= orders_[order].length;
      requeue(order);
    });
  }
}

void Carrier::Self::finish(std::uint32_t index, Status status, StatusClass status_class,
                           bool try_next) {
  const std::uint64_t message = orders_[index].message;
  const std::uint16_t attempt = orders_[index].attempt;
  orders_.release(index);
  counters_.refused.add();
  events_.refused(message, attempt, status, status_class, try_next);
}

void Carrier::Self::lost(std::uint32_t index, Bind::Lost how) {
  binds_.answered(orders_[index].lane);
  const std::uint64_t message = orders_[index].message;
  const std::uint16_t attempt = orders_[index].attempt;
  orders_.release(index);
  counters_.in_doubt.add();
  if (how == Bind::Lost::response_time_out) counters_.response_timeouts.add();
  events_.in_doubt(message, attempt);
}

Status Carrier::Self::delivered(proto::Octets pdu) {
  return receipts_.deliver(pdu, now_us());
}

bool Carrier::Self::turn() {
  if (!attention_ && now_us() < next_turn_us_) return false;
  attention_ = false;
  binds_.tick();
  bool more = receipts_.tick(now_us());
  more = send_queued() || more;
  publish();
  plan_next_turn(more);
  return more;
}

void Carrier::Self::plan_next_turn(bool more) {
  std::int64_t next = now_us() + kTickUs;
  next = std::min({next, binds_.next_tick_us(), receipts_.next_tick_us(), rests_.next_us()});
  if (!queue_.empty()) {
    if (!pace_.ready(now_us())) {
      next = std::min(next, pace_.ready_at_us());
    } else {
      next = std::min(next, binds_.throttled_until_us(now_us()));
    }
    const HeldOrder& first = orders_[queue_.first()];
    if (first.deadline_us != 0) next = std::min(next, first.deadline_us + 1);
  }
  next_turn_us_ = next;
  if (more) attention_ = true;
  if (!timer_.armed() || timer_.deadline_us() > next) shard_.timers().arm(timer_, next);
}

void Carrier::Self::publish() {
  const bool up = binds_.transmitting() != 0 && !stopping_ && !handing_back_;
  const bool has_room = up && waiting() < config_.queue_max && orders_.fits(kBodyMax);
  // From twice the windows on, until no more waits than fills them once. A small queue is bound
  // enough.
  const std::uint64_t high =
      std::max(std::min<std::uint64_t>(2 * binds_.windows(), config_.queue_max), kPressedLeast);
  pressed_ = up && waiting() >= (pressed_ ? high / 2 + 1 : high);
  const auto bits = static_cast<std::uint8_t>((up ? 1 : 0) | (has_room ? 2 : 0) |
                                              (pressed_ ? CarrierState::kPressed : 0));
  if (state_.bits.load(std::memory_order_relaxed) != bits) {
    state_.bits.store(bits, std::memory_order_relaxed);
    counters_.up.set(up ? 1 : 0);
    counters_.has_room.set(has_room ? 1 : 0);
  }
  counters_.queue.set(waiting());
  counters_.resting.set(rests_.size());
  counters_.queue_octets.set(queue_octets_);
}

void Carrier::Self::drain_and_unbind() {
  stopping_ = true;
  attention_ = true;
  binds_.stop();
  publish();
  shard_.timers().arm(timer_, 0);
}

void Carrier::Self::halt() {
  stopping_ = true;
  attention_ = true;
  binds_.halt();
  publish();
}

Carrier::Carrier(const CarrierConfig& config, core::Shard& shard, Events& events,
                 std::uint64_t seed, CarrierBoard* board)
    : self_(std::make_unique<Self>(config, shard, events, seed, board)) {}
Carrier::~Carrier() = default;

void Carrier::start() {
  self_->start();
}
void Carrier::change(const CarrierConfig& config) {
  self_->change(config);
}
void Carrier::restore_awaiting(std::string_view carrier_message_id, std::uint64_t message) {
  self_->restore_awaiting(carrier_message_id, message);
}
void Carrier::restore_parked(proto::Octets pdu, std::int64_t came_us, std::uint64_t number) {
  self_->restore_parked(pdu, came_us, number);
}
void Carrier::halt() {
  self_->halt();
}
Taken Carrier::take(const Order& order) {
  return self_->take(order);
}
bool Carrier::turn(const core::Now&) {
  return self_->turn();
}
void Carrier::drain_and_unbind() {
  self_->drain_and_unbind();
}
bool Carrier::idle() const {
  return self_->idle();
}
bool Carrier::done() const {
  return self_->done();
}
const CarrierConfig& Carrier::config() const {
  return self_->config_;
}
const CarrierState& Carrier::state() const {
  return self_->state_;
}
const CarrierCounters& Carrier::counters() const {
  return self_->counters_;
}

}  // namespace tollgate::carriers
