#include "carriers/bind.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/log.h"
#include "core/shard.h"
#include "proto/limits.h"

namespace tollgate::carriers {

namespace {

using proto::Command;
using proto::Status;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t us(std::uint32_t ms) {
  return std::int64_t{ms} * 1000;
}

bool is_of_account(Status status) {
  return status == Status::ESME_RINVPASWD || status == Status::ESME_RINVSYSID ||
         status == Status::ESME_RINVSYSTYP;
}

}  // namespace

Bind::Bind(const Shared& shared, std::size_t index)
    : shared_(shared),
      config_(shared.config.binds[index]),
      timers_(shared.config.timers),
      counters_(shared.counters.binds[index]),
      index_(index),
      version_(proto::effective_version(config_.interface_version)),
      window_(config_.window, shared.orders),
      throttle_(timers_.throttle_first_ms, timers_.throttle_max_ms),
      busy_(timers_.busy_first_ms, timers_.busy_max_ms),
      backoff_(timers_.reconnect_first_ms, timers_.reconnect_max_ms) {
  counters_.window_max.set(config_.window);
  set_state(BindState::stopped);
}

std::int64_t Bind::now_us() const {
  return shared_.shard.now().mono_us;
}

void Bind::set_state(BindState state) {
  state_ = state;
  if (!left_) counters_.state.set(static_cast<std::uint64_t>(state));
}

void Bind::set_window_gauge() {
  if (!left_) counters_.window_in_use.set(window_.in_use());
}

void Bind::start() {
  then_ = Then::reconnect;
  if (state_ != BindState::stopped) return;
  set_state(BindState::down);
  deadline_us_ = 0;
}

void Bind::stop() {
  then_ = Then::stop;
  switch (state_) {
    case BindState::bound:
      retire(Then::stop, timers_.drain_ms);
      return;
    case BindState::draining:
    case BindState::unbinding:
    case BindState::stopped:
      return;
    case BindState::down:
    case BindState::alarm:
    case BindState::connecting:
    case BindState::binding:
      end(Then::stop, false);
      return;
  }
}

void Bind::leave() {
  counters_.window_in_use.set(0);
  left_ = true;
  then_ = Then::stop;
  if (state_ != BindState::bound) stop();
}

void Bind::change(std::uint32_t window) {
  config_.window = window;
  window_.set_max(window);
  counters_.window_max.set(window);
  throttle_.change(timers_.throttle_first_ms, timers_.throttle_max_ms);
  busy_.change(timers_.busy_first_ms, timers_.busy_max_ms);
  backoff_.change(timers_.reconnect_first_ms, timers_.reconnect_max_ms);
}

void Bind::halt() {
  then_ = Then::stop;
  if (state_ != BindState::stopped) end(Then::stop, false);
}

void Bind::retire(Then then, std::uint32_t wait_ms) {
  if (state_ != BindState::bound) return;
  if (then_ != Then::stop) then_ = then;
  set_state(BindState::draining);
  deadline_us_ = now_us() + us(wait_ms);
  shared_.owner.bind_changed();
}

void Bind::connect() {
  set_state(BindState::connecting);
  counters_.connects.add();
  deadline_us_ = now_us() + us(timers_.connect_ms);
  connect_ = shared_.shard.net().connect(
      config_.address, [this](core::SocketPtr socket, const core::NetError& error) {
        connected(std::move(socket), error);
      });
}

void Bind::connected(core::SocketPtr socket, const core::NetError& error) {
  connect_.reset();
  if (error) {
    core::log::warn("carrier_unreachable", {{"carrier", shared_.config.name},
                                            {"bind", index_},
                                            {"address", config_.address.text()},
                                            {"reason", error.reason}});
    end(Then::reconnect, false);
    return;
  }
  core::ConnectionLimits limits;
  limits.input_max = proto::kPduLengthMaxUnbound;
  limits.read_max = core::Shard::kScratch;  // a turn with less of it makes more turns
  connection_.reset(new core::Connection(shared_.shard, std::move(socket), *this, limits));
  connection_->peer = config_.address;
  connection_->read_first();  // its answers make room for what clients send
  session_ = proto::State::open;
  unbind_asked_ = false;
  window_.restart();
  throttle_.reset();
  busy_.reset();
  send_bind();
}

void Bind::send_bind() {
  set_state(BindState::binding);
  deadline_us_ = now_us() + us(timers_.bind_response_ms);
  proto::Bind bind;
  bind.system_id = config_.system_id;
  bind.password = config_.password;
  bind.system_type = config_.system_type;
  bind.interface_version = config_.interface_version;
  bind.addr_ton = config_.addr_ton;
  bind.addr_npi = config_.addr_npi;
  bind.address_range = config_.address_range;
  const core::Out out = connection_->reserve(proto::kPduLengthMaxUnbound);
  const std::size_t length =
      proto::encode_with({0, config_.kind, Status::ESME_ROK, window_.next_sequence()}, bind, out);
  connection_->commit(length);
}

std::size_t Bind::on_input(core::Connection& connection, core::Octets input, const core::Now&) {
  quiet_us_ = now_us();
  unanswered_ = 0;
  std::size_t consumed = 0;
  proto::Frame frame;
  while (true) {
    if (connection.above_high_water()) {
      connection.pause_reading();  // the carrier does not read our answers
      return consumed;
    }
    const std::uint32_t length_max =
        proto::is_bound(session_) ? proto::kPduLengthMax : proto::kPduLengthMaxUnbound;
    switch (proto::next_frame(input.subspan(consumed), length_max, frame)) {
      case proto::FrameResult::need_more:
        return consumed;
      case proto::FrameResult::bad_length:
        on_bad_length(frame.header);
        return input.size();
      case proto::FrameResult::frame:
        break;
    }
    consumed += frame.whole.size();
    on_pdu(frame);
    if (session_ == proto::State::closed) return input.size();
  }
}

void Bind::on_bad_length(const proto::Header& header) {
  shared_.counters.bad_lengths.add();
  core::log::warn("carrier_bad_length",
                  {{"carrier", shared_.config.name},
                   {"bind", index_},
                   core::log::Field::amount("command_length", header.command_length)});
  answer(Command::generic_nack, header.sequence_number, Status::ESME_RINVCMDLEN);
  end(Then::reconnect, true);
}

void Bind::on_writable(core::Connection& connection, const core::Now&) {
  connection.resume_reading();
  shared_.owner.attend();
}

void Bind::on_pdu(const proto::Frame& frame) {
  const proto::Header& header = frame.header;
  CarrierCounters& counters = shared_.counters;
  switch (proto::receive_verdict(proto::Role::esme, session_, header.command_id, version_)) {
    case proto::Verdict::accept:
      accept(frame);
      return;
    case proto::Verdict::wrong_state:
      counters.wrong_state.add();
      answer(proto::response_of(header.command_id), header.sequence_number,
             Status::ESME_RINVBNDSTS);
      return;
    case proto::Verdict::already_bound:
      counters.wrong_state.add();
      answer(proto::response_of(header.command_id), header.sequence_number, Status::ESME_RALYBND);
      return;
    case proto::Verdict::unknown_command:
      counters.unknown_commands.add();
      answer(Command::generic_nack, header.sequence_number, Status::ESME_RINVCMDID);
      return;
    case proto::Verdict::ignore:
      counters.wrong_state.add();
      return;
  }
}

void Bind::accept(const proto::Frame& frame) {
  const proto::Header& header = frame.header;
  switch (header.command_id) {
    case Command::submit_sm_resp:
      on_submit_response(frame);
      return;
    case Command::deliver_sm:
    case Command::data_sm:
      answer(proto::response_of(header.command_id), header.sequence_number,
             shared_.owner.delivered(frame.whole));
      return;
    case Command::enquire_link:
      answer(Command::enquire_link_resp, header.sequence_number, Status::ESME_ROK);
      return;
    case Command::enquire_link_resp:
    case Command::alert_notification:
      return;
    case Command::bind_receiver_resp:
    case Command::bind_transmitter_resp:
    case Command::bind_transceiver_resp:
      if (header.command_id == proto::response_of(config_.kind) && state_ == BindState::binding) {
        on_bind_response(header.command_status);
      } else {
        shared_.counters.unexpected_responses.add();
      }
      return;
    case Command::generic_nack:
      on_nack(header);
      return;
    case Command::unbind:
      on_unbind(header);
      return;
    case Command::unbind_resp:
      if (state_ == BindState::unbinding) end(then_, false);
      return;
    case Command::outbind:
      shared_.counters.outbinds.add();
      return;
    default:
      shared_.counters.unexpected_responses.add();
      return;
  }
}

// Already bound counts as bound, as other ESMEs take it: if the carrier means something else, it
// refuses the first submit with ESME_RINVBNDSTS, and that leads to a new bind.
void Bind::on_bind_response(Status status) {
  const bool replaces = shared_.owner.replaces(*this);
  if (status != Status::ESME_ROK && (status != Status::ESME_RALYBND || replaces)) {
    counters_.bind_refusals.add();
    const bool for_two = replaces && !is_of_account(status);
    if (for_two) shared_.owner.make_room(*this);
    const bool alarm =
        !for_two && shared_.dialect.classify(status) == proto::StatusClass::configuration;
    if (alarm) shared_.counters.alarms.add();
    log_refusal(status);
    end(alarm ? Then::alarm : Then::reconnect, false);
    return;
  }
  session_ = proto::after_bind(config_.kind);
  connection_->set_input_max(proto::kPduLengthMax);
  bound_us_ = now_us();
  quiet_us_ = bound_us_;
  counters_.binds.add();
  set_state(BindState::bound);
  core::log::info(
      "carrier_bound",
      {{"carrier", shared_.config.name}, {"bind", index_}, {"address", config_.address.text()}});
  shared_.owner.bind_changed();
}

void Bind::log_refusal(Status status) const {
  core::log::error("carrier_bind_refused", {{"carrier", shared_.config.name},
                                            {"bind", index_},
                                            {"address", config_.address.text()},
                                            {"status", static_cast<std::uint32_t>(status)},
                                            {"name", proto::status_name(status)}});
}

void Bind::on_submit_response(const proto::Frame& frame) {
  const std::uint32_t order = window_.take(frame.header.sequence_number);
  if (order == kNoOrder) {
    shared_.counters.unexpected_responses.add();
    return;
  }
  proto::MessageResp response;
  if (proto::decode(frame.body, response)) response.message_id = {};
  give_back({order, frame.header.command_status, response.message_id});
}

void Bind::on_nack(const proto::Header& header) {
  shared_.counters.generic_nacks.add();
  if (state_ == BindState::binding) {
    // Nothing else of ours was sent on this session.
    const bool ok = header.command_status == Status::ESME_ROK;
    on_bind_response(ok ? Status::ESME_RBINDFAIL : header.command_status);
    return;
  }
  const std::uint32_t order = window_.take(header.sequence_number);
  if (order == kNoOrder) return;
  const bool ok = header.command_status == Status::ESME_ROK;
  give_back({order, ok ? Status::ESME_RUNKNOWNERR : header.command_status, {}});
}

void Bind::give_back(const Answer& given) {
  set_window_gauge();
  shared_.owner.answered(*this, given);
  shared_.owner.attend();
}

// The carrier waits a little for our unbind_resp: responses that are on their way come first.
void Bind::on_unbind(const proto::Header& header) {
  core::log::info("carrier_unbinds", {{"carrier", shared_.config.name}, {"bind", index_}});
  unbind_asked_ = true;
  unbind_sequence_ = header.sequence_number;
  if (state_ == BindState::bound) retire(Then::reconnect, timers_.unbind_ms);
  if (state_ == BindState::unbinding) {
    answer(Command::unbind_resp, unbind_sequence_, Status::ESME_ROK);
    end(then_, true);
    return;
  }
  drained();
}

void Bind::answer(Command command, std::uint32_t sequence, Status status) {
  proto::MessageResp empty;
  const bool with_body = status == Status::ESME_ROK &&
                         (command == Command::deliver_sm_resp || command == Command::data_sm_resp);
  const core::Out out = connection_->reserve(proto::kHeaderLength + 1);
  if (out.empty()) return;  // closed in the meantime, or it never reads
  connection_->commit(with_body ? proto::encode_with({0, command, status, sequence}, empty, out)
                                : proto::encode_header(command, sequence, status, out));
}

void Bind::request(Command command) {
  const core::Out out = connection_->reserve(proto::kHeaderLength);
  if (out.empty()) return;
  connection_->commit(
      proto::encode_header(command, window_.next_sequence(), Status::ESME_ROK, out));
}

bool Bind::send(std::uint32_t index) {
  HeldOrder& order = shared_.orders[index];
  const std::size_t length = proto::kHeaderLength + order.length;
  const core::Out out = connection_->reserve(length);
  if (out.empty()) return false;
  const std::uint32_t sequence = window_.next_sequence();
  proto::write_header(out.data(), {static_cast<std::uint32_t>(length), Command::submit_sm,
                                   Status::ESME_ROK, sequence});
  shared_.orders.copy_body(order, out.data() + proto::kHeaderLength);
  connection_->commit(length);
  order.sent_us = now_us();
  window_.put(sequence, index);
  throttle_.sent();
  busy_.sent();
  set_window_gauge();
  return true;
}

std::int64_t Bind::since_us() const {
  return window_.oldest() == kNoOrder ? kNever : shared_.orders[window_.oldest()].sent_us;
}

std::int64_t Bind::throttled_until_us(std::int64_t now_us) const {
  if (!transmits() || window_.full()) return 0;
  std::int64_t until_us = 0;
  for (const Throttle* throttle : {&throttle_, &busy_}) {
    if (!throttle->ready(now_us)) until_us = std::max(until_us, throttle->until_us());
  }
  return until_us > now_us ? until_us : 0;
}

bool Bind::note(proto::StatusClass status_class, const HeldOrder& order) {
  const std::int64_t now = now_us();
  const std::int64_t sent_us = order.sent_us;
  if (status_class == proto::StatusClass::throttle) {
    busy_.answered(sent_us);
    return throttle_.refused(now, sent_us, order.probes != 0);
  }
  if (status_class == proto::StatusClass::temporary) {
    busy_.refused(now, sent_us);
    throttle_.answered(sent_us);
  } else {
    throttle_.succeeded(sent_us);
    busy_.succeeded(sent_us);
  }
  return false;
}

void Bind::tick() {
  // Its answer may lie in what was not read yet.
  if (connection_ != nullptr && connection_->input_waits()) return;
  switch (state_) {
    case BindState::down:
    case BindState::alarm:
      if (now_us() >= deadline_us_ && connection_ == nullptr) connect();
      return;
    case BindState::connecting:
    case BindState::binding:
      if (now_us() < deadline_us_) return;
      core::log::warn("carrier_bind_time_out", {{"carrier", shared_.config.name},
                                                {"bind", index_},
                                                {"step", bind_state_name(state_)},
                                                {"address", config_.address.text()}});
      end(Then::reconnect, false);
      return;
    case BindState::bound:
      expire_responses();
      watch_link();
      return;
    case BindState::draining:
      expire_responses();
      drained();
      return;
    case BindState::unbinding:
      if (now_us() >= deadline_us_) end(then_, false);
      return;
    case BindState::stopped:
      return;
  }
}

std::int64_t Bind::next_tick_us() const {
  switch (state_) {
    case BindState::stopped:
      return kNever;
    case BindState::down:
    case BindState::alarm:
      return connection_ == nullptr ? deadline_us_ : kNever;
    case BindState::bound:
      break;
    default:
      return deadline_us_;
  }
  std::int64_t next = kNever;
  if (timers_.enquire_link_ms != 0) next = quiet_us_ + us(timers_.enquire_link_ms);
  if (window_.oldest() != kNoOrder) {
    next = std::min(next, shared_.orders[window_.oldest()].sent_us + us(timers_.response_ms));
  }
  return next;
}

void Bind::expire_responses() {
  const std::int64_t sent_before = now_us() - us(timers_.response_ms);
  while (window_.oldest() != kNoOrder) {
    const std::int64_t sent_us = shared_.orders[window_.oldest()].sent_us;
    if (sent_us > sent_before) return;
    const std::uint32_t order = window_.take_oldest();
    throttle_.answered(sent_us);
    busy_.answered(sent_us);
    set_window_gauge();
    shared_.owner.lost(order, Lost::response_time_out);
    shared_.owner.attend();
  }
}

void Bind::watch_link() {
  if (state_ != BindState::bound || timers_.enquire_link_ms == 0) return;
  if (now_us() - quiet_us_ < us(timers_.enquire_link_ms)) return;
  if (unanswered_ != 0) shared_.counters.enquire_misses.add();
  if (unanswered_ >= timers_.enquire_misses) {
    core::log::warn("carrier_silent", {{"carrier", shared_.config.name}, {"bind", index_}});
    end(Then::reconnect, false);
    return;
  }
  ++unanswered_;
  quiet_us_ = now_us();
  request(Command::enquire_link);
}

// In `draining`: goes on once the window is empty, or its time is over.
void Bind::drained() {
  if (state_ != BindState::draining) return;
  if (window_.in_use() != 0 && now_us() < deadline_us_) return;
  if (unbind_asked_) {
    answer(Command::unbind_resp, unbind_sequence_, Status::ESME_ROK);
    end(then_, true);
    return;
  }
  request(Command::unbind);
  set_state(BindState::unbinding);
  deadline_us_ = now_us() + us(timers_.unbind_ms);
}

// However it ends, a log tells of it. `was`: the carrier ended what was bound or draining, we what
// was unbinding.
void Bind::tell_end() {
  if (state_ != BindState::unbinding) counters_.losses.add();
  core::log::info("carrier_bind_ended", {{"carrier", shared_.config.name},
                                         {"bind", index_},
                                         {"was", bind_state_name(state_)},
                                         {"without_response", window_.in_use()}});
}

// The end of a connection or of an attempt. `polite`: what was written still leaves.
void Bind::end(Then then, bool polite) {
  if (then_ == Then::stop) then = Then::stop;
  if (proto::is_bound(session_)) tell_end();
  if (bound_us_ != 0 && now_us() - bound_us_ >= us(timers_.stable_ms)) backoff_.reset();
  bound_us_ = 0;
  unanswered_ = 0;
  session_ = proto::State::closed;
  connect_.reset();
  if (then == Then::stop) {
    set_state(BindState::stopped);
  } else if (then == Then::alarm) {
    set_state(BindState::alarm);
    deadline_us_ = now_us() + Backoff::jittered_us(us(timers_.alarm_ms), shared_.random);
  } else {
    set_state(BindState::down);
    deadline_us_ = now_us() + backoff_.next_us(shared_.random);
  }
  if (connection_ != nullptr) polite ? connection_->close_after_flush() : connection_->close();
  while (window_.in_use() != 0) {
    const std::uint32_t order = window_.take_oldest();
    set_window_gauge();
    shared_.owner.lost(order, Lost::link);
  }
  shared_.owner.bind_changed();
}

void Bind::on_closed(core::Connection& connection, core::CloseReason reason, const core::Now&) {
  if (session_ != proto::State::closed) {
    core::log::warn("carrier_link_lost", {{"carrier", shared_.config.name},
                                          {"bind", index_},
                                          {"address", config_.address.text()},
                                          {"reason", core::close_reason_name(reason)},
                                          {"errno", connection.error()}});
    end(state_ == BindState::draining || state_ == BindState::unbinding ? then_ : Then::reconnect,
        false);
  }
  connection_.reset();
  shared_.owner.attend();
  shared_.shard.again();
}

}  // namespace tollgate::carriers
