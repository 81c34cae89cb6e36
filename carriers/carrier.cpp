#include "carriers/carrier.h"

#include <algorithm>
#include <vector>

#include "carriers/binds.h"
#include "carriers/dialect.h"
#include "carriers/gone_back.h"
#include "carriers/numbers.h"
#include "carriers/orders.h"
#include "carriers/pace.h"
#include "carriers/queue.h"
#include "carriers/receipts.h"
#include "core/check.h"
#include "core/log.h"
#include "core/shard.h"
#include "proto/text.h"

namespace tollgate::carriers {

namespace {

using proto::Status;
using proto::StatusClass;

constexpr std::int64_t kTickUs = 1'000'000;   // at least so often everything is looked at
constexpr std::int64_t kOverdueUs = 100'000;  // between looks at the deadlines of held orders
constexpr std::size_t kQueuedPerTurn = 4096;
constexpr std::uint64_t kPressedLeast = 1'024;
constexpr std::size_t kBodyMax = proto::kPduLengthMax - proto::kHeaderLength;
static_assert(CarrierState::kFreeOctets == HeldOrder::kInline);
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

class Carrier::Self final : private Bind::Owner, private Outstanding {
 public:
  Self(const CarrierConfig& config, core::Shard& shard, Events& events, std::uint64_t seed,
       CarrierBoard* board);

  void start();
  void change(const CarrierConfig& config);
  Taken take(const Order& order);
  void known_back(std::uint64_t message) { gone_back_.known(message); }
  void restore_awaiting(std::string_view id, std::uint64_t message, std::string_view number) {
    const std::uint64_t to = number.empty() ? 0 : hash_of_number(number, number_seed_);
    receipts_.id_known(id, {message, to}, now_us());
  }
  void restore_parked(proto::Octets pdu, std::int64_t came_us, std::uint64_t number) {
    receipts_.restore(pdu, came_us, number);
  }
  void tell_again();
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
  std::int64_t since_us() const override { return binds_.since_us(); }
  bool to(std::uint64_t number) const override { return numbers_.open(number); }

  void refused(Bind& bind, const Bind::Answer& answer, StatusClass status_class, bool alone);
  void throttled(const Bind& bind, const Bind::Answer& answer, bool alone);
  bool retry(const Bind::Answer& answer, const Retry& policy);
  std::uint32_t waiting() const { return queue_.size() + numbers_.held(); }
  void finish(std::uint32_t order, Status status, StatusClass status_class, bool try_next);
  void over(std::uint32_t order);
  void hand_back_behind(std::uint32_t order, Status status, StatusClass status_class);
  void wakes();
  bool may_wake() const { return queue_.empty() || !binds_.probing(); }
  void queue(std::uint32_t order);
  void queue_again(std::uint32_t order);
  void put_back(const Bind::Answer& answer);
  bool send_queued();
  enum class Step : std::uint8_t { done, stuck };
  Step send_next(std::uint32_t order);
  bool send(std::uint32_t order, Bind& bind);
  void plan_next_turn(bool more);
  void publish();
  void wake(const core::Now&) { attention_ = true; }
  std::int64_t now_us() const { return shard_.now().mono_us; }

  core::Shard& shard_;
  Events& events_;
  Dialect dialect_;
  Random random_;
  const std::uint64_t number_seed_;
  Orders orders_;
  Queue queue_;
  Numbers numbers_;
  GoneBack gone_back_;
  Pace pace_;
  Receipts receipts_;
  Binds binds_;
  core::Timer timer_;
  std::vector<std::uint8_t> scratch_;  // rewritten bodies
  std::vector<std::uint32_t> behind_;  // orders that are being handed back
  std::uint64_t taken_ = 0;
  std::uint64_t queue_octets_ = 0;
  std::int64_t next_turn_us_ = 0;
  std::int64_t looked_us_ = 0;  // at deadlines of held orders
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
      number_seed_(random_.next()),
      orders_(orders_max(config_), config_.queue_octets_max),
      queue_(orders_),
      numbers_(orders_),
      pace_(config_.pace_per_s, config_.pace_burst_ms),
      receipts_({config_, dialect_, events, counters_, *this, number_seed_}, random_.next()),
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
  if (index == kNoOrder) return publish(), Taken::no_room;
  HeldOrder& held = orders_[index];
  held.message = order.message;
  held.attempt = order.attempt;
  held.number = ++taken_;
  held.deadline_us = static_cast<std::int64_t>(order.deadline_us);
  held.asks_receipt = (sm.registered_delivery & kAsksReceipt) != 0;
  held.to = hash_of_number(sm.destination_addr, number_seed_);
  held.source = order.source;
  if (gone_back_.holds(held)) {
    gone_back_.add(held);
    orders_.release(index);
    return Taken::behind;
  }
  counters_.taken.add();
  queue_octets_ += held.length;
  if (!numbers_.begin(index, config_.number_window)) {
    publish();
    return Taken::taken;
  }
  const bool expired = held.deadline_us != 0 && held.deadline_us < now_us();
  if (queue_.empty() && !expired && pace_.ready(now_us())) {
    Bind* bind = binds_.pick(numbers_.bind_of(index), now_us());
    if (bind != nullptr && send(index, *bind)) return Taken::taken;
  }
  queue(index);
  return Taken::taken;
}

bool Carrier::Self::send(std::uint32_t order, Bind& bind) {
  if (!bind.send(order)) return false;
  events_.sending(orders_[order].message, orders_[order].attempt);
  numbers_.sent(order, bind);
  queue_octets_ -= orders_[order].length;
  pace_.take(now_us());
  counters_.submits.add();
  return true;
}

void Carrier::Self::queue(std::uint32_t order) {
  attention_ = true;
  // The turn-end hook may be behind us in this turn.
  if (queue_.push(order)) shard_.timers().arm(timer_, 0);
  publish();
}

void Carrier::Self::queue_again(std::uint32_t order) {
  queue_.push_again(order);
  attention_ = true;
}

void Carrier::Self::put_back(const Bind::Answer& answer) {
  HeldOrder& order = orders_[answer.order];
  events_.put_back(order.message, order.attempt, answer.status);
  ++order.attempt;
  queue_octets_ += order.length;
}

// True: more than this turn's share.
bool Carrier::Self::send_queued() {
  if (stopping_ || binds_.transmitting() == 0) handing_back_ = true;
  wakes();
  for (std::size_t i = 0; i < kQueuedPerTurn; ++i) {
    const std::uint32_t order = queue_.first();
    if (order == kNoOrder) {
      handing_back_ = false;
      return false;
    }
    if (send_next(order) == Step::stuck) return false;
  }
  return true;
}

Carrier::Self::Step Carrier::Self::send_next(std::uint32_t index) {
  const HeldOrder& order = orders_[index];
  const bool expired = order.deadline_us != 0 && order.deadline_us < now_us();
  if (expired || handing_back_) {
    queue_.pop_first();
    queue_octets_ -= order.length;
    (expired ? counters_.expired : counters_.handed_back).add();
    finish(index, Status::ESME_ROK, expired ? StatusClass::permanent : StatusClass::failover,
           !expired);
    return Step::done;
  }
  const bool overtakes = numbers_.overtakes(index);
  if (!overtakes && !pace_.ready(now_us())) return Step::stuck;
  Bind* const same = numbers_.bind_of(index);
  Bind* const bind = overtakes ? nullptr : binds_.pick(same, now_us());
  // It waits for its number, or for the bind that its number is on: others can go on another one.
  const bool alone =
      bind == nullptr && same != nullptr && binds_.pick(nullptr, now_us()) != nullptr;
  if (overtakes || alone) {
    queue_.pop_first();
    numbers_.hold(index);
    return Step::done;
  }
  if (bind == nullptr) return Step::stuck;
  queue_.pop_first();
  if (send(index, *bind)) return Step::done;
  queue_again(index);
  return Step::stuck;
}

void Carrier::Self::bind_changed() {
  binds_.changed();
  attention_ = true;
  publish();
}

void Carrier::Self::answered(Bind& bind, const Bind::Answer& answer) {
  const HeldOrder& order = orders_[answer.order];
  numbers_.answered(answer.order);
  const StatusClass status_class =
      answer.status == Status::ESME_ROK ? StatusClass::ok : dialect_.classify(answer.status);
  const std::int64_t submit_us = now_us() - order.sent_us;
  counters_.responses[static_cast<std::size_t>(status_class)].add();
  counters_.response_us.observe(submit_us);
  const bool alone = bind.note(status_class, order);
  if (status_class != StatusClass::ok) {
    refused(bind, answer, status_class, alone);
    return;
  }
  const std::uint64_t message = order.message;
  const std::uint16_t attempt = order.attempt;
  const std::uint64_t to = order.to;
  const bool asks_receipt = order.asks_receipt;
  over(answer.order);
  counters_.sent.add();
  events_.sent(message, attempt, answer.message_id, static_cast<std::uint32_t>(submit_us));
  if (answer.message_id.empty()) {
    counters_.without_id.add();
  } else if (asks_receipt) {
    receipts_.id_known(answer.message_id, {message, to}, now_us());
  }
}

void Carrier::Self::refused(Bind& bind, const Bind::Answer& answer, StatusClass status_class,
                            bool alone) {
  HeldOrder& order = orders_[answer.order];
  switch (status_class) {
    case StatusClass::throttle:
      counters_.throttles.add();
      if (order.throttles >= config_.retry.throttle_attempts) break;
      ++order.throttles;
      return throttled(bind, answer, alone);
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
  if (status_class == StatusClass::throttle || status_class == StatusClass::temporary) {
    return hand_back_behind(answer.order, answer.status, status_class);
  }
  finish(answer.order, answer.status, status_class, true);
}

// Back to its place. But one that was throttled alone may be all that is throttled: it rests, with
// its number, so that the next that goes alone is to another one.
void Carrier::Self::throttled(const Bind& bind, const Bind::Answer& answer, bool alone) {
  HeldOrder& order = orders_[answer.order];
  put_back(answer);
  if (!alone && order.probes == 0) return queue_again(answer.order);
  const unsigned doublings = std::min<unsigned>(order.probes, 20);
  order.probes = static_cast<std::uint8_t>(doublings + 1);
  const std::uint64_t rest_ms = std::min<std::uint64_t>(
      std::uint64_t{config_.timers.throttle_first_ms} << doublings, config_.timers.throttle_max_ms);
  const std::int64_t due_us = now_us() + static_cast<std::int64_t>(rest_ms * 1000);
  numbers_.rest(answer.order, std::max(due_us, bind.pause_end_us()));
  attention_ = true;
}

// It may come again, from its home: those behind it go there too, so that they come behind it.
void Carrier::Self::hand_back_behind(std::uint32_t index, Status status, StatusClass status_class) {
  std::vector<std::uint32_t> behind;
  behind.swap(behind_);
  gone_back_.add(orders_[index]);
  numbers_.release(index, [&](std::uint32_t order) {
    gone_back_.add(orders_[order]);
    behind.push_back(order);
  });
  finish(index, status, status_class, true);
  for (const std::uint32_t order : behind) {
    queue_octets_ -= orders_[order].length;
    counters_.handed_back.add();
    finish(order, Status::ESME_ROK, StatusClass::temporary, true);
  }
  behind.clear();
  behind_.swap(behind);
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
  numbers_.rest(answer.order, due_us);
  attention_ = true;
  return true;
}

// Whose rest is over; all of them when everything is handed back. What rested does not go alone
// after a pause while others can.
void Carrier::Self::wakes() {
  const auto begins = [this](std::uint32_t order) { queue_again(order); };
  if (handing_back_) return numbers_.release_all(begins);
  while (numbers_.next_us() <= now_us() && may_wake()) numbers_.wake(config_.number_window, begins);
  if (numbers_.held() == 0 || now_us() - looked_us_ < kOverdueUs) return;
  looked_us_ = now_us();
  numbers_.overdue(now_us(), begins);  // and end in the queue
}

// The order has ended here: the next to its number begins.
void Carrier::Self::over(std::uint32_t index) {
  numbers_.ended(index, config_.number_window, [this](std::uint32_t order) { queue_again(order); });
  orders_.release(index);
}

void Carrier::Self::finish(std::uint32_t index, Status status, StatusClass status_class,
                           bool try_next) {
  const std::uint64_t message = orders_[index].message;
  const std::uint16_t attempt = orders_[index].attempt;
  over(index);
  counters_.refused.add();
  events_.refused(message, attempt, status, status_class, try_next);
}

void Carrier::Self::lost(std::uint32_t index, Bind::Lost how) {
  numbers_.answered(index);
  const std::uint64_t message = orders_[index].message;
  const std::uint16_t attempt = orders_[index].attempt;
  over(index);
  counters_.in_doubt.add();
  if (how == Bind::Lost::response_time_out) counters_.response_timeouts.add();
  events_.in_doubt(message, attempt);
}

Status Carrier::Self::delivered(proto::Octets pdu) {
  return receipts_.deliver(pdu, now_us());
}

void Carrier::Self::tell_again() {
  binds_.for_each_sent(
      [this](const HeldOrder& order) { events_.sending(order.message, order.attempt); });
  receipts_.tell_parked();
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
  if (numbers_.held() != 0) next = std::min(next, looked_us_ + kOverdueUs);
  next = std::min({next, binds_.next_tick_us(), receipts_.next_tick_us()});
  if (may_wake()) next = std::min(next, numbers_.next_us());
  if (const std::uint32_t order = queue_.first(); order != kNoOrder) {
    if (!pace_.ready(now_us())) {
      next = std::min(next, pace_.ready_at_us());
    } else {
      next = std::min(next, binds_.throttled_until_us(now_us()));
    }
    const HeldOrder& first = orders_[order];
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
  pressed_ = up && queue_.size() >= (pressed_ ? high / 2 + 1 : high);
  const auto bits = static_cast<std::uint8_t>((up ? 1 : 0) | (has_room ? 2 : 0) |
                                              (pressed_ ? CarrierState::kPressed : 0));
  if (state_.bits.load(std::memory_order_relaxed) != bits) {
    state_.bits.store(bits, std::memory_order_relaxed);
    counters_.up.set(up ? 1 : 0);
    counters_.has_room.set(has_room ? 1 : 0);
  }
  // In the queue; while it is empty, what may leave at once too.
  const std::uint64_t at_once =
      queue_.empty() ? std::min(binds_.windows_free(now_us()), pace_.room(now_us())) : 0;
  state_.tell(has_room ? config_.queue_max - waiting() + at_once : 0, orders_.octets_left());
  counters_.queue.set(waiting());
  counters_.resting.set(numbers_.held());
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
void Carrier::restore_awaiting(std::string_view carrier_message_id, std::uint64_t message,
                               std::string_view number) {
  self_->restore_awaiting(carrier_message_id, message, number);
}
void Carrier::restore_parked(proto::Octets pdu, std::int64_t came_us, std::uint64_t number) {
  self_->restore_parked(pdu, came_us, number);
}
void Carrier::tell_again() {
  self_->tell_again();
}
void Carrier::halt() {
  self_->halt();
}
Taken Carrier::take(const Order& order) {
  return self_->take(order);
}
void Carrier::known_back(std::uint64_t message) {
  self_->known_back(message);
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
