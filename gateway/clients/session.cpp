#include "gateway/clients/session.h"

#include <algorithm>
#include <utility>

#include "core/log.h"
#include "core/wipe.h"
#include "gateway/clients/client.h"
#include "gateway/clients/client_home.h"
#include "gateway/clients/receipt_pdu.h"
#include "proto/tlv.h"

namespace tollgate::gateway {

using proto::Command;
using proto::Status;

namespace {

// With its share of the reactor and the rest that it keeps, a connection before its bind takes at
// most 4 KiB.
static_assert(sizeof(Session) <= 2048);

constexpr std::uint8_t kEnquiriesMax = 2;
constexpr std::int64_t kLookAgainUs = 1'000;
constexpr std::int64_t kUnbindUs = 2'000'000;  // our unbind without a response
// Looks for a peer that hung up while its password waits: the first soon, then less often.
constexpr std::int64_t kLookFirstUs = 10'000;
constexpr std::int64_t kLookMaxUs = 320'000;

bool binds(Command command) {
  return command == Command::bind_receiver || command == Command::bind_transmitter ||
         command == Command::bind_transceiver;
}

}  // namespace

Session::Session(core::Shard& shard, core::SocketPtr socket, const core::Address& peer, Setup setup)
    : Session(shard, std::move(socket), peer, setup, BindAsked{}, {}) {}

Session::Session(core::Shard& shard, core::SocketPtr socket, const core::Address& peer, Setup setup,
                 const BindAsked& asked, const core::Brought& brought)
    : shard_(shard),
      setup_(setup),
      connection_(shard, std::move(socket), *this, setup.limits, brought),
      timer_(core::Timer::calling<&Session::on_timer>(*this)),
      asked_(asked),
      told_(0),
      opened_us_(shard.now().mono_us),
      heard_us_(opened_us_),
      active_us_(opened_us_) {
  connection_.peer = peer;
  connection_.input_is_secret(true);
  if (asked.sequence_number != 0 || asked.command != Command{}) checking_ = true;
  if (checking_) connection_.pause_reading();
  arm(shard.now());
}

std::size_t Session::on_input(core::Connection&, core::Octets input, const core::Now& now) {
  std::size_t consumed = 0;
  while (connection_.is_open() && !connection_.is_closing() && !connection_.reading_paused() &&
         connection_.may_go_on()) {
    const std::uint32_t longest =
        client_ == nullptr ? proto::kPduLengthMaxUnbound : proto::kPduLengthMax;
    proto::Frame frame;
    const auto result = proto::next_frame(input.subspan(consumed), longest, frame);
    if (result == proto::FrameResult::need_more) {
      if (!connection_.read_was_full()) held_since_us_ = 0;
      break;
    }
    if (result == proto::FrameResult::bad_length) {
      on_bad_length(frame);
      return input.size();
    }
    if (!on_pdu(frame, now)) break;
    connection_.spend();
    consumed += frame.whole.size();
    if (connection_.above_high_water()) connection_.pause_reading();
  }
  return connection_.is_closing() ? input.size() : consumed;
}

bool Session::on_pdu(const proto::Frame& frame, const core::Now& now) {
  const Command command = frame.header.command_id;
  heard_us_ = now.mono_us;
  enquiries_ = 0;
  if (command != Command::enquire_link && command != Command::enquire_link_resp) {
    active_us_ = now.mono_us;
  }
  if (client_ == nullptr && !binds(command) && too_talkative()) return true;
  const std::uint32_t sequence_number = frame.header.sequence_number;
  switch (proto::receive_verdict(proto::Role::mc, state_, command, version_)) {
    case proto::Verdict::accept:
      return on_accepted_pdu(frame, now);
    case proto::Verdict::wrong_state:
      setup_.counters->wrong_state.add();
      answer(command, sequence_number, Status::ESME_RINVBNDSTS);
      return true;
    case proto::Verdict::already_bound:
      setup_.counters->wrong_state.add();
      answer(command, sequence_number, Status::ESME_RALYBND);
      return true;
    case proto::Verdict::unknown_command:
      setup_.counters->unknown_commands.add();
      answer(Command::generic_nack, sequence_number, Status::ESME_RINVCMDID);
      return true;
    case proto::Verdict::ignore:
      setup_.counters->ignored_responses.add();
      return true;
  }
  return true;
}

bool Session::on_accepted_pdu(const proto::Frame& frame, const core::Now& now) {
  const std::uint32_t sequence_number = frame.header.sequence_number;
  switch (frame.header.command_id) {
    case Command::submit_sm:
      return answered(on_submit_sm(frame, now));
    case Command::data_sm:
      return answered(on_data_sm(frame, now));
    case Command::submit_multi:
      return answered(on_submit_multi(frame, now));
    case Command::deliver_sm_resp:
    case Command::data_sm_resp:
    case Command::generic_nack:
    case Command::enquire_link_resp:
    case Command::unbind_resp:
      on_response(frame, now);
      break;
    case Command::enquire_link:
      answer(Command::enquire_link, sequence_number, Status::ESME_ROK);
      break;
    case Command::bind_receiver:
    case Command::bind_transmitter:
    case Command::bind_transceiver:
      on_bind(frame);
      break;
    case Command::unbind:
      on_unbind(frame);
      break;
    case Command::query_sm:
      on_query_sm(frame);
      break;
    case Command::cancel_sm:
      on_cancel_sm(frame);
      break;
    case Command::replace_sm:
      on_replace_sm(frame);
      break;
    // Cell broadcast is not a gateway's to route.
    case Command::broadcast_sm:
      answer(Command::broadcast_sm, sequence_number, Status::ESME_RBCASTFAIL);
      break;
    case Command::query_broadcast_sm:
      answer(Command::query_broadcast_sm, sequence_number, Status::ESME_RBCASTQUERYFAIL);
      break;
    case Command::cancel_broadcast_sm:
      answer(Command::cancel_broadcast_sm, sequence_number, Status::ESME_RBCASTCANCELFAIL);
      break;
    default:
      setup_.counters->ignored_responses.add();
  }
  return true;
}

// A submit was answered in our output, unless reading stopped before it.
bool Session::answered(bool done) {
  if (std::exchange(deferred_, false)) {
    ++relayed_;
  } else if (done) {
    unanswered_.add(connection_.committed(), heard_us_);
  }
  return done;
}

bool Session::over_window() {
  if (unanswered() < client_->config().window) return false;
  client_->counters().window_overruns.add();
  return true;
}

// False: not now; reading stops until the client's queue has room again.
bool Session::may_submit(const core::Now& now) {
  if (!home_->holds(*client_, held_longer_than(client_->held_max_us(), now), now)) return true;
  if (held_since_us_ == 0) held_since_us_ = now.mono_us;
  connection_.pause_reading();
  home_->pause(*client_, *this);
  return false;
}

bool Session::on_submit_sm(const proto::Frame& frame, const core::Now& now) {
  if (!may_submit(now)) return false;
  const std::uint32_t sequence_number = frame.header.sequence_number;
  proto::SubmitSm sm;
  if (over_window()) {
    refuse(Command::submit_sm, sequence_number, Status::ESME_RTHROTTLED);
  } else if (const proto::Fault fault = proto::decode(frame.body, sm)) {
    setup_.counters->bad_pdus.add();
    refuse(Command::submit_sm, sequence_number, fault.status);
  } else {
    if (version_ < proto::kVersion34) sm.tlvs = {};
    submit(Command::submit_sm, sequence_number, sm);
  }
  return true;
}

bool Session::on_data_sm(const proto::Frame& frame, const core::Now& now) {
  if (!may_submit(now)) return false;
  const std::uint32_t sequence_number = frame.header.sequence_number;
  proto::DataSm data;
  proto::SubmitSm sm;
  if (over_window()) {
    refuse(Command::data_sm, sequence_number, Status::ESME_RTHROTTLED);
  } else if (const proto::Fault fault = proto::decode(frame.body, data)) {
    setup_.counters->bad_pdus.add();
    refuse(Command::data_sm, sequence_number, fault.status);
  } else if (!to_submit_sm(data, sm)) {
    refuse(Command::data_sm, sequence_number, Status::ESME_RINVDSTADR);
  } else {
    submit(Command::data_sm, sequence_number, sm);
  }
  return true;
}

void Session::refuse(Command command, std::uint32_t sequence_number, Status status) {
  home_->refused(*client_, status);
  answer(command, sequence_number, status);
}

void Session::submit(Command command, std::uint32_t sequence_number, const proto::SubmitSm& sm) {
  const Asker asker{id(), sequence_number, command};
  const auto submitted = home_->submit(*client_, sm, version_, 0, &asker);
  deferred_ = submitted.relayed;
  if (!deferred_) tell_submitted(asker, submitted.status, submitted.id);
}

void Session::tell_submitted(const Asker& asker, Status status, MessageId id) {
  if (status == Status::ESME_ROK) {
    answer_id(asker.command, asker.sequence_number, id);
  } else {
    answer(asker.command, asker.sequence_number, status);
  }
}

void Session::relay_answer(const Asker& asker, Status status, MessageId id) {
  --relayed_;
  tell_submitted(asker, status, id);
  unanswered_.add(connection_.committed(), shard_.now().mono_us);
}

// Each destination is a message of its own, priced and routed by itself; all carry the first one's
// id, the only one that submit_multi_resp can tell [3.4 section 4.5].
bool Session::on_submit_multi(const proto::Frame& frame, const core::Now& now) {
  if (!may_submit(now)) return false;
  const std::uint32_t sequence_number = frame.header.sequence_number;
  proto::SubmitMulti multi;
  if (over_window()) {
    refuse(Command::submit_multi, sequence_number, Status::ESME_RTHROTTLED);
    return true;
  }
  if (const proto::Fault fault = proto::decode(frame.body, multi)) {
    setup_.counters->bad_pdus.add();
    refuse(Command::submit_multi, sequence_number, fault.status);
    return true;
  }
  const auto done = home_->submit_multi(*client_, multi, version_);
  connection_.spend(multi.dest_addresses.count * (1 + frame.body.size() / 512));  // all copied
  if (done.status != Status::ESME_ROK) {
    answer(Command::submit_multi, sequence_number, done.status);
    return true;
  }
  const MessageIdText id(done.id, version_ < proto::kVersion34);
  proto::SubmitMultiResp response;
  response.message_id = id.view();
  response.unsuccess_smes = done.unsuccess;
  send(response, sequence_number, Status::ESME_ROK);
  return true;
}

bool Session::too_talkative() {
  if (++before_bind_ <= kBeforeBindMax) return false;
  setup_.counters->talkative.add();
  core::log::warn("closed_before_bind", {core::log::Field::from_peer("peer", connection_.peer.host),
                                         {"reason", "too many requests"}});
  connection_.close();
  return true;
}

void Session::on_bind(const proto::Frame& frame) {
  const core::Wiped wiped(frame.body);  // there is a password in it
  proto::Bind bind;
  asked_ = {frame.header.command_id, frame.header.sequence_number, 0};
  if (const proto::Fault fault = proto::decode(frame.body, bind)) {
    setup_.counters->bad_pdus.add();
    // A field that is too long for an account that exists is a wrong one, and told no better.
    const bool secret =
        fault.status == Status::ESME_RINVPASWD || fault.status == Status::ESME_RINVSYSID;
    return bind_refused(secret ? Status::ESME_RINVPASWD : fault.status);
  }
  asked_.interface_version = bind.interface_version;
  if (!setup_.door->check_bind(*this, bind)) {
    setup_.counters->auth_queue_full.add();
    return bind_refused(Status::ESME_RBINDFAIL);
  }
  checking_ = true;
  connection_.pause_reading();
  arm(shard_.now());
}

void Session::bind_refused(Status status) {
  checking_ = false;
  answer(asked_.command, asked_.sequence_number, status);
  finish();
}

void Session::bound(Client& client, ClientHome& home, std::uint32_t credentials) {
  checking_ = false;
  credentials_ = credentials;
  client_ = &client;
  home_ = &home;
  state_ = proto::after_bind(asked_.command);
  version_ = proto::effective_version(asked_.interface_version);
  told_ = Window<Told>(client.config().receipts_window);
  connection_.input_is_secret(false);
  connection_.set_input_max(proto::kPduLengthMax);
  connection_.set_read_max(core::ConnectionLimits{}.read_max);
  connection_.read_with(client.reading());
  connection_.set_output_max(setup_.config->limits.connection_output_octets);
  client.join(*this);

  std::array<std::uint8_t, 8> tlv;
  proto::BindTransceiverResp response;
  response.system_id = setup_.config->system_id;
  if (version_ >= proto::kVersion34) {
    const std::size_t length =
        proto::append_tlv_u8(tlv, 0, proto::Tag::sc_interface_version, version_);
    response.tlvs = {tlv.data(), length};
  }
  const proto::Header header{0, proto::response_of(asked_.command), Status::ESME_ROK,
                             asked_.sequence_number};
  const std::size_t length = proto::encoded_length(response);
  if (const proto::Out out = connection_.reserve(length); !out.empty()) {
    connection_.commit(proto::encode_with(header, response, out));
  }
  connection_.resume_reading();
  arm(shard_.now());
}

MessageId Session::parse_id(std::string_view text) const {
  MessageId id = 0;
  if (text.empty() || text.size() > 16) return 0;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return 0;
    id = id << 4 | static_cast<unsigned>(digit);
  }
  return id;
}

void Session::on_query_sm(const proto::Frame& frame) {
  const std::uint32_t sequence_number = frame.header.sequence_number;
  proto::QuerySm query;
  if (const proto::Fault fault = proto::decode(frame.body, query)) {
    return answer(Command::query_sm, sequence_number, fault.status);
  }
  const Message* message =
      home_->find(*client_, parse_id(query.message_id), version_ < proto::kVersion34);
  if (message == nullptr)
    return answer(Command::query_sm, sequence_number, Status::ESME_RQUERYFAIL);
  if (query.source_addr != message->source.address.view()) {
    return answer(Command::query_sm, sequence_number, Status::ESME_RINVSRCADR);
  }
  proto::QuerySmResp response;
  const QueryAnswer found = home_->query(*message);
  response.message_id = query.message_id;
  response.final_date = found.final_date.view();
  response.message_state = static_cast<std::uint8_t>(found.state);
  response.error_code = found.error_code;
  send(response, sequence_number, Status::ESME_ROK);
}

// A message is with its carrier from the moment it is accepted; none can be called back.
void Session::on_cancel_sm(const proto::Frame& frame) {
  proto::CancelSm cancel;
  const proto::Fault fault = proto::decode(frame.body, cancel);
  answer(Command::cancel_sm, frame.header.sequence_number,
         fault ? fault.status : Status::ESME_RCANCELFAIL);
}

void Session::on_replace_sm(const proto::Frame& frame) {
  proto::ReplaceSm replace;
  const proto::Fault fault = proto::decode(frame.body, replace);
  answer(Command::replace_sm, frame.header.sequence_number,
         fault ? fault.status : Status::ESME_RREPLACEFAIL);
}

void Session::on_response(const proto::Frame& frame, const core::Now& now) {
  const Command command = frame.header.command_id;
  if (command == Command::enquire_link_resp) return;
  if (command == Command::unbind_resp) {
    if (unbinding_) return finish();
    return setup_.counters->ignored_responses.add();
  }
  const std::uint32_t sequence_number = frame.header.sequence_number;
  const Told* open = told_.find(sequence_number);
  if (open == nullptr) return setup_.counters->ignored_responses.add();
  const Told told = *open;
  told_.end(sequence_number);
  auto answer = Delivery::Answer::taken;
  const Status status = frame.header.command_status;
  if (command == Command::generic_nack) {
    answer = Delivery::Answer::refused;
  } else if (status != Status::ESME_ROK) {
    const auto status_class = proto::status_class(status);
    const bool later = status_class == proto::StatusClass::temporary ||
                       status_class == proto::StatusClass::throttle ||
                       status_class == proto::StatusClass::failover;
    answer = later ? Delivery::Answer::later : Delivery::Answer::refused;
  }
  client_->delivery().answered(told, answer, now);
  home_->touch(*client_);
}

void Session::on_unbind(const proto::Frame& frame) {
  answer(Command::unbind, frame.header.sequence_number, Status::ESME_ROK);
  leave(shard_.now());
  state_ = proto::after_unbind();
  finish();
}

// What is written still leaves; the connection sees to the end by itself.
void Session::finish() {
  shard_.timers().cancel(timer_);
  connection_.close_after_flush();
}

void Session::on_bad_length(const proto::Frame& frame) {
  setup_.counters->bad_lengths.add();
  // [3.4 section 5.1.3] The stream cannot be read on.
  const std::uint32_t length = frame.header.command_length;
  const bool usable = length > proto::kPduLengthMaxUnbound || length < proto::kHeaderLength;
  answer(Command::generic_nack, usable ? frame.header.sequence_number : 0, Status::ESME_RINVCMDLEN);
  finish();
}

bool Session::can_tell() const {
  return !unbinding_ && !told_.full() && !connection_.above_high_water() && connection_.is_open() &&
         !connection_.is_closing();
}

bool Session::tell(const Message& message, Told told) {
  ReceiptPdu receipt(message, version_);
  const std::size_t length = proto::encoded_length(receipt.pdu());
  const proto::Out out = connection_.reserve(length);
  if (out.empty()) return false;
  const std::uint32_t sequence_number = told_.begin(told);
  connection_.commit(proto::encode(receipt.pdu(), sequence_number, Status::ESME_ROK, out));
  return true;
}

void Session::limits_changed(const core::Now& now) {
  told_.set_max(client_->config().receipts_window);
  if (!unbinding_) arm(now);
}

void Session::resume() {
  connection_.resume_reading();
}

void Session::unbind() {
  if (client_ == nullptr) return connection_.close();
  if (unbinding_) return;
  unbinding_ = true;
  unbind_us_ = shard_.now().mono_us;
  request(Command::unbind);
  shard_.timers().arm(timer_, unbind_us_ + kUnbindUs);
}

void Session::close() {
  connection_.close();
}

template <class Pdu>
void Session::send(const Pdu& pdu, std::uint32_t sequence_number, Status status) {
  const proto::Out out = connection_.reserve(proto::encoded_length(pdu));
  if (out.empty()) return;
  connection_.commit(proto::encode(pdu, sequence_number, status, out));
}

void Session::answer(Command request, std::uint32_t sequence_number, Status status) {
  if (const proto::Out out = connection_.reserve(proto::kHeaderLength); !out.empty()) {
    connection_.commit(
        proto::encode_header(proto::response_of(request), sequence_number, status, out));
  }
}

void Session::answer_id(Command request, std::uint32_t sequence_number, MessageId id) {
  const MessageIdText text(id, version_ < proto::kVersion34);
  const std::size_t length = proto::kHeaderLength + text.length + 1;
  const proto::Out out = connection_.reserve(length);
  if (out.empty()) return;
  proto::write_header(out.data(), {static_cast<std::uint32_t>(length), proto::response_of(request),
                                   Status::ESME_ROK, sequence_number});
  std::copy_n(text.digits.data(), text.length, out.data() + proto::kHeaderLength);
  out[length - 1] = 0;
  connection_.commit(length);
}

void Session::request(Command command) {
  if (const proto::Out out = connection_.reserve(proto::kHeaderLength); !out.empty()) {
    connection_.commit(proto::encode_header(command, told_.pass_sequence(), Status::ESME_ROK, out));
  }
}

void Session::arm(const core::Now& now) {
  std::int64_t due = opened_us_ + setup_.config->session_init_us;
  if (checking_) {
    look_us_ = std::clamp(look_us_ * 2, kLookFirstUs, kLookMaxUs);
    due = now.mono_us + look_us_;
  }
  if (client_ != nullptr) {
    const ClientConfig& config = client_->config();
    const Told* oldest = told_.oldest();
    due = (oldest != nullptr ? oldest->sent_us : now.mono_us) + config.response_timeout_us;
    if (config.enquire_link_us != 0) {
      due = std::min(due, heard_us_ + config.enquire_link_us * (enquiries_ + 1));
    }
    if (config.inactivity_us != 0) due = std::min(due, active_us_ + config.inactivity_us);
  }
  shard_.timers().arm(timer_, std::max(due, now.mono_us + 1'000));
}

void Session::on_timer(const core::Now& now) {
  if (checking_) {
    if (!connection_.peer_gone()) return arm(now);
    setup_.counters->hung_up.add();
    return connection_.close();
  }
  // What is missed may lie in what was not read yet.
  if (connection_.input_waits()) {
    return shard_.timers().arm(timer_, now.mono_us + kLookAgainUs);
  }
  if (client_ == nullptr) {
    setup_.counters->init_timeouts.add();
    return connection_.close();
  }
  const ClientConfig& config = client_->config();
  // A full queue is our reason not to read. A full output is the peer's: it may well be gone.
  const bool unread = connection_.reading_paused() && !connection_.was_high();
  if (const Told* oldest = told_.oldest();
      oldest != nullptr && !unread && now.mono_us - oldest->sent_us >= config.response_timeout_us) {
    core::log::warn("response_timeout", {{"client", config.system_id}});
    return connection_.close();
  }
  if (unbinding_ && now.mono_us - unbind_us_ >= kUnbindUs) return connection_.close();
  if (unread) heard_us_ = active_us_ = now.mono_us;
  if (config.inactivity_us != 0 && now.mono_us - active_us_ >= config.inactivity_us) {
    setup_.counters->inactive.add();
    return unbind();
  }
  if (config.enquire_link_us != 0 &&
      now.mono_us - heard_us_ >= config.enquire_link_us * (enquiries_ + 1)) {
    if (enquiries_ == kEnquiriesMax) {
      setup_.counters->enquire_misses.add();
      return connection_.close();
    }
    ++enquiries_;
    request(Command::enquire_link);
  }
  arm(now);
}

void Session::on_writable(core::Connection&, const core::Now&) {
  connection_.resume_reading();
  if (client_ != nullptr) home_->touch(*client_);
}

void Session::leave(const core::Now& now) {
  if (client_ == nullptr) return;
  Client& client = *std::exchange(client_, nullptr);
  client.leave(*this);
  home_->left(client, told_, now);
}

void Session::on_closed(core::Connection&, core::CloseReason reason, const core::Now& now) {
  shard_.timers().cancel(timer_);
  if (client_ != nullptr && reason != core::CloseReason::by_us) {
    core::log::info("session_closed", {{"client", client_->config().system_id},
                                       {"peer", connection_.peer.text()},
                                       {"reason", core::close_reason_name(reason)}});
  }
  leave(now);
  state_ = proto::State::closed;
  setup_.door->ended(*this);
}

}  // namespace tollgate::gateway
