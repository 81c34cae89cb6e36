#include "gateway/flow.h"

#include <cstring>

#include "core/log.h"

namespace tollgate::gateway {
namespace {

constexpr std::int64_t kSpillUs = 1'000;  // between looks at a full mailbox
constexpr std::int64_t kStopStepUs = 10'000;
constexpr std::int64_t kUnbindUs = 3'000'000;  // after it, connections are just closed

template <class Record>
Record read(core::Octets record) {
  Record result;
  std::memcpy(&result, record.data(), sizeof result);
  return result;
}

}  // namespace

Flow::Flow(const Setup& setup)
    : config_(setup.config),
      shard_(setup.shard),
      shared_(setup.shared),
      counters_(setup.counters),
      tables_(setup.tables, &setup.shard),
      outbox_(setup.shard),
      recorder_(setup.config, tables_, setup.shard,
                {setup.stream, setup.details, setup.detail_files}),
      carrier_home_(peers_of(*tables_), setup.shard, setup.homes, outbox_, recorder_, setup.seed),
      client_home_(setup.config, setup.shard, setup.homes, outbox_, tables_, recorder_,
                   setup.counters, setup.due),
      listener_(setup.config, tables_, setup.shard, setup.homes, outbox_, client_home_, setup.auth,
                setup.counters, setup.shared),
      peers_(tables_->companion.get()),
      spill_timer_([](void*, const core::Now&) {}, nullptr),
      stop_timer_(core::Timer::calling<&Flow::on_stop_step>(*this)) {
  shard_.at_turn_start(*this);
  shard_.on_drain([this](const core::Now& now) { return drain(now); });
  shard_.on_turn_end([this](const core::Now& now) { turn_end(now); });
}

Flow::~Flow() {
  shard_.forget(*this);
  for (unsigned from = 0; from < shard_.shard_count(); ++from) {
    shard_.from(from).drain(SIZE_MAX, [&](std::uint32_t type, core::Octets record) {
      if (static_cast<MailType>(type) != MailType::session) return;
      listener_.drop(read<SessionMail>(record));
    });
  }
}

core::NetError Flow::start() {
  carrier_home_.start();
  return shard_.index() == 0 ? listener_.listen() : core::NetError{};
}

void Flow::turn_starts(const core::Now& now) {
  // A record that may not be durable must not be followed by its deed, nor a deed go unrecorded.
  if (recorder_.turn_start()) carrier_home_.halt();
  if (peers_ != tables_->companion.get()) apply_peers();
  client_home_.turn_start();
  if (stop_ != Stop::none || !shared_.stopping.load(std::memory_order_relaxed)) return;
  stop_ = Stop::draining;
  stop_deadline_us_ = now.mono_us + config_.gateway.drain_us;
  listener_.stop_listening();
  client_home_.stop_accepting();
  on_stop_step(now);
}

// New tables whose carriers or clients are others. A stop takes no new ones.
void Flow::apply_peers() {
  peers_ = tables_->companion.get();
  client_home_.apply();
  if (stop_ == Stop::none) carrier_home_.apply(peers_of(*tables_));
}

bool Flow::drain(const core::Now& now) {
  listener_.take_results();
  // Mail to ourselves that this turn wrote is read in this turn.
  shard_.to(shard_.index()).publish();
  bool more = false;
  for (unsigned from = 0; from < shard_.shard_count(); ++from) {
    const std::size_t taken = shard_.from(from).drain(
        kMailPerTurn, [&](std::uint32_t type, core::Octets record) { on_mail(type, record, now); });
    more |= taken == kMailPerTurn;
  }
  client_home_.spill().drain(now);
  if (!outbox_.empty()) {
    counters_.ledger.mail_spilled.add();
    if (outbox_.clear()) {
      client_home_.mail_cleared();
    } else {
      shard_.timers().arm(spill_timer_, now.mono_us + kSpillUs);
    }
  }
  shard_.hold_reads(!outbox_.empty() || recorder_.spilled());
  return more;
}

void Flow::on_mail(std::uint32_t type, core::Octets record, const core::Now& now) {
  switch (static_cast<MailType>(type)) {
    case MailType::order:
      return carrier_home_.on_order(read<OrderMail>(record), record.subspan(sizeof(OrderMail)));
    case MailType::outcome:
      return client_home_.on_outcome(read<OutcomeMail>(record),
                                     proto::as_text(record.subspan(sizeof(OutcomeMail))), now);
    case MailType::receipt:
      return client_home_.on_receipt(read<ReceiptMail>(record), now);
    case MailType::fence:
      return carrier_home_.on_fence(read<FenceMail>(record));
    case MailType::fence_passed:
      return client_home_.on_fence_passed(read<FenceMail>(record));
    case MailType::session:
      return listener_.on_session(read<SessionMail>(record));
  }
}

void Flow::turn_end(const core::Now& now) {
  carrier_home_.turn_end(now);
  client_home_.turn_end(now);
  recorder_.turn_end();
}

// SIGTERM: what was accepted gets its carrier, receipts that are here their client, everyone an
// unbind. Each step waits until every shard has done the one before.
void Flow::on_stop_step(const core::Now& now) {
  const std::uint32_t shards = shard_.shard_count();
  const bool late = now.mono_us >= stop_deadline_us_;
  if (stop_ == Stop::draining &&
      (late || (client_home_.unsent() == 0 && client_home_.receipts_idle()))) {
    stop_ = Stop::quiet;
    shared_.quiet.fetch_add(1);
  }
  if (stop_ == Stop::quiet && (late || shared_.quiet.load() == shards)) {
    stop_ = Stop::unbinding;
    stop_deadline_us_ = now.mono_us + kUnbindUs;
    listener_.unbind_all();
    carrier_home_.drain();
  } else if (stop_ == Stop::unbinding) {
    if (late) listener_.close_all();
    // Those of all shards: one may be on its way from one to another.
    if (late || (shared_.connections.load() == 0 && carrier_home_.idle())) {
      stop_ = Stop::finished;
      shared_.finished.fetch_add(1);
      shared_.finished.notify_all();
      return;
    }
  }
  shard_.timers().arm(stop_timer_, now.mono_us + kStopStepUs);
}

}  // namespace tollgate::gateway
