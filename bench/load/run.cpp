#include "bench/load/run.h"

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "bench/peers/usage.h"

namespace tollgate::bench {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t check_ns = second_ns / 10;
constexpr std::int64_t pause_first_ns = second_ns / 20;
constexpr std::int64_t pause_longest_ns = second_ns;
constexpr std::int64_t bind_longest_ns = 5 * second_ns;

std::int64_t to_ns(double seconds) {
  return static_cast<std::int64_t>(seconds * 1e9);
}

// The value of "name:" in a receipt's text, up to the next blank.
std::string_view field(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + name.size());
  return text.substr(0, text.find(' '));
}

std::string_view without_nul(std::string_view s) {
  if (!s.empty() && s.back() == '\0') s.remove_suffix(1);
  return s;
}

}  // namespace

Run::Run(const Options& options, Numbers numbers)
    : options_(options), numbers_(std::move(numbers)), now_ns_(now_ns()), retries_(now_ns_) {
  if (!options_.log.empty()) log_.open(options_.log);
  for (unsigned i = 0; i < options_.connections; ++i) {
    const auto add = [&](std::uint32_t command) {
      const Session::Kind kind{command, static_cast<unsigned>(sessions_.size()),
                               i % options_.accounts};
      sessions_.push_back(std::make_unique<Session>(*this, poller_, options_, kind));
    };
    if (!options_.pairs) {
      add(bind_transceiver);
    } else {
      add(bind_transmitter);
      add(bind_receiver);
    }
  }
}

void Run::run() {
  bind_all();
  cpu_at_start_ = usage().cpu_seconds;
  submit_all();
  wait_for_receipts();
  unbind_all();
  show_progress(true);
}

void Run::turn(std::int64_t timeout_ns) {
  poller_.wait(timeout_ns);
  now_ns_ = now_ns();
  poller_.dispatch();
  retries_.run(now_ns_, [&](const Sent& sent) { again_.push_back(sent); });
  if (phase_ == Phase::submitting) {
    if (options_.rate > 0) {
      fill_open();
    } else if (!again_.empty()) {
      for (const auto& session : sessions_) fill(*session);
    }
  }
  come_back();
  log_.flush();
  for (std::size_t i = 0; i < dirty.size(); ++i) dirty[i]->flush();
  dirty.clear();
  if (now_ns_ >= next_check_ns_) {
    next_check_ns_ = now_ns_ + check_ns;
    expire_unanswered();
    show_progress(false);
  }
}

void Run::bind_all() {
  const std::int64_t deadline = now_ns() + to_ns(options_.bind_wait_s);
  std::string why = "no answer";
  while (bound_ < sessions_.size()) {
    for (const auto& session : sessions_) {
      if (session->state != Session::State::closed) continue;
      try {
        session->connect();
      } catch (const std::system_error& e) {
        why = e.what();
      }
    }
    turn(check_ns / 2);
    if (now_ns_ > deadline || stop_asked != 0)
      throw std::runtime_error(fmt::format("{} of {} sessions bound to {}:{} after {} s ({})",
                                           bound_, sessions_.size(), options_.host, options_.port,
                                           options_.bind_wait_s, why));
  }
}

void Run::submit_all() {
  phase_ = Phase::submitting;
  start_ns_ = now_ns_ = last_bound_ns_ = now_ns();
  if (options_.seconds > 0) end_ns_ = start_ns_ + to_ns(options_.seconds);
  count_ = options_.count != 0 ? options_.count : UINT64_MAX;
  if (options_.rate > 0 && options_.seconds > 0)
    count_ = std::min(count_, static_cast<std::uint64_t>(options_.rate * options_.seconds));
  if (options_.rate == 0)
    for (const auto& session : sessions_) fill(*session);
  turn(0);  // the first windows leave now
  const auto outstanding = [&] {
    std::uint64_t n = again_.size() + retries_.size();
    for (const auto& session : sessions_) n += session->ring.outstanding();
    return n;
  };
  while (stop_asked == 0 && (more_to_send() || outstanding() != 0)) {
    if (deserted()) break;
    turn(options_.rate > 0 && more_to_send() ? open_wait_ns() : retry_wait_ns());
  }
  counts.unanswered += outstanding();
  seconds = static_cast<double>(last_response_ns_ - start_ns_) / 1e9;
}

std::int64_t Run::retry_wait_ns() const {
  const std::int64_t wait = retries_.wait_ns(now_ns());
  return wait < 0 ? check_ns : std::min(wait, check_ns);
}

bool Run::more_to_send() const {
  return finish_asked == 0 && counts.messages < count_ && (options_.rate > 0 || now_ns_ < end_ns_);
}

// Until the next message is due, but not less than a tick: several may then leave together.
std::int64_t Run::open_wait_ns() const {
  const double due_s = static_cast<double>(counts.messages) / options_.rate;
  const std::int64_t wait = start_ns_ + to_ns(due_s) - now_ns();
  return std::clamp<std::int64_t>(wait, options_.tick_us * 1000, check_ns);
}

void Run::start_message(Session& session, std::int64_t intended_ns) {
  Sent sent;
  if (!again_.empty()) {
    sent = again_.front();
    again_.pop_front();
  } else {
    sent.intended_ns = intended_ns;
    sent.number = static_cast<std::uint32_t>(counts.messages++);
  }
  ++sent.attempts;
  sent.sent_us = static_cast<std::uint32_t>((now_ns_ - start_ns_) / 1000);
  ++counts.submits;
  log_.line(now_ns_, "submit", options_.tag_base + sent.number);
  session.submit(sent, numbers_.at(sent.number));
}

void Run::fill(Session& session) {
  if (phase_ != Phase::submitting) return;
  while (session.may_submit() && (!again_.empty() || more_to_send()))
    start_message(session, now_ns_);
}

void Run::fill_open() {
  const double passed = static_cast<double>(now_ns_ - start_ns_) / 1e9;
  // Message i is due at i / rate, the first one at once.
  auto due = std::min(count_, static_cast<std::uint64_t>(passed * options_.rate) + 1);
  if (finish_asked != 0) due = 0;
  std::size_t full = 0;
  while ((counts.messages < due || !again_.empty()) && full < sessions_.size()) {
    Session& session = *sessions_[next_session_++ % sessions_.size()];
    if (!session.may_submit()) {
      ++full;
      continue;
    }
    full = 0;
    const double at = static_cast<double>(counts.messages) / options_.rate;
    start_message(session, start_ns_ + to_ns(at));
  }
}

void Run::on_response(const Sent& sent, std::uint32_t status, std::string_view id) {
  last_response_ns_ = now_ns_;
  const std::uint32_t tag = options_.tag_base + sent.number;
  if (status == ESME_ROK)
    log_.line(now_ns_, "accepted", tag, id);
  else
    log_.line(now_ns_, "refused", tag, status);
  const bool busy = status == ESME_RTHROTTLED || status == ESME_RMSGQFUL;
  if (status != ESME_ROK) ++counts.responses[status];
  if (busy && sent.attempts <= options_.retries) {
    ++counts.retried;
    const unsigned doublings = std::min(sent.attempts - 1, 6u);
    retries_.add(now_ns_ + (to_ns(options_.retry_ms / 1000) << doublings), sent);
    return;
  }
  latency.add(now_ns_ - sent.intended_ns);
  if (status != ESME_ROK) {
    ++counts.refused;
    return;
  }
  ++counts.accepted;
  if (id.empty())
    ++counts.ids_empty;
  else
    matching_.accepted(id, tag, sent.sent_us);
}

std::string Run::note_state(const Message& message) {
  const std::string_view word = field(message.text, "stat:");
  const std::string_view tlv = find_tlv(message.tlvs, message_state);
  std::string name = escaped(word.substr(0, 16));
  if (word.empty()) name = tlv.size() == 1 ? fmt::format("state {}", int{tlv[0]}) : "none";
  ++counts.receipts_by_state[name];
  return name;
}

void Run::on_deliver(const Message& message) {
  const unsigned type = message.esm_class & 0x3Cu;
  if (type == 0x20) {
    ++counts.receipts_intermediate;
    return;
  }
  if (type != 0x04) {
    ++counts.mobile_originated;
    return;
  }
  ++counts.receipts;
  last_receipt_ns_ = now_ns_;
  const std::string state = note_state(message);
  const std::string_view text_id = field(message.text, "id:");
  const std::string_view tlv_id = without_nul(find_tlv(message.tlvs, receipted_message_id));
  const std::string_view id = tlv_id.empty() ? text_id : tlv_id;
  if (id.empty()) {
    ++counts.receipts_without_id;
    return;
  }
  if (!text_id.empty() && !tlv_id.empty() && text_id != tlv_id) ++counts.receipts_two_ids;
  const std::size_t text = message.text.find("ext:");
  const std::uint32_t tag =
      text == std::string_view::npos ? no_tag : read_tag(message.text.substr(text + 4));
  log_.line(now_ns_, "receipt", id, state, std::int64_t{tag == no_tag ? -1 : int(tag)});
  matching_.receipt(id, tag, static_cast<std::uint32_t>((now_ns_ - start_ns_) / 1000));
}

void Run::expire_unanswered() {
  const auto now_us = static_cast<std::uint32_t>((now_ns_ - start_ns_) / 1000);
  const auto limit_us = static_cast<std::int64_t>(options_.response_timeout_s * 1e6);
  if (phase_ != Phase::submitting || options_.response_timeout_s <= 0) return;
  for (const auto& session : sessions_) {
    session->ring.remove_if([&](const Sent& sent) {
      if (std::int64_t{now_us - sent.sent_us} < limit_us) return false;
      log_.line(now_ns_, "unknown", options_.tag_base + sent.number);
      ++counts.unanswered;
      return true;
    });
    if (options_.rate == 0) fill(*session);
  }
}

void Run::on_lost(Session& session, Session::State before) {
  if (before == Session::State::closed || before == Session::State::unbinding) return;
  if (phase_ == Phase::binding) {
    if (before == Session::State::bound) --bound_;
    return;
  }
  if (before != Session::State::bound && before != Session::State::unbound) return;
  ++counts.sessions_lost;
  log_.line(now_ns_, "lost", session.place);
  session.ring.remove_if([&](const Sent& sent) {
    const std::uint32_t tag = options_.tag_base + sent.number;
    log_.line(now_ns_, "unknown", tag);
    ++(options_.reconnect ? counts.unknown : counts.unanswered);
    matching_.unknown(tag);
    if (options_.resubmit) again_.push_back(sent);
    return true;
  });
}

void Run::on_bound(Session& session) {
  ++bound_;
  session.pause_ns = 0;
  log_.line(now_ns_, "bound", session.place);
  if (phase_ != Phase::binding) ++counts.rebinds;
}

void Run::on_unbind(Session& session) {
  ++counts.unbinds_by_peer;
  log_.line(now_ns_, "unbound", session.place);
}

// With --reconnect: sessions that fell, or that nobody answers, try again, each in its own time.
void Run::come_back() {
  if (!options_.reconnect || (phase_ != Phase::submitting && phase_ != Phase::waiting)) return;
  for (const auto& each : sessions_) {
    Session& session = *each;
    using State = Session::State;
    if (session.state == State::bound) last_bound_ns_ = now_ns_;
    if (session.state == State::binding && now_ns_ >= session.connect_at_ns + bind_longest_ns)
      session.lose();
    if (session.state != State::closed || now_ns_ < session.connect_at_ns) continue;
    session.pause_ns = std::clamp(2 * session.pause_ns, pause_first_ns, pause_longest_ns);
    session.connect_at_ns = now_ns_ + session.pause_ns;
    try {
      session.connect();
    } catch (const std::system_error&) {  // nobody listens
    }
  }
}

// Nobody is there to submit to, and nobody will come back.
bool Run::deserted() const {
  if (options_.reconnect) return now_ns_ - last_bound_ns_ > to_ns(options_.bind_wait_s);
  return std::all_of(sessions_.begin(), sessions_.end(),
                     [](const auto& s) { return s->state == Session::State::closed; });
}

void Run::on_bind_refused(std::uint32_t status) {
  ++counts.binds_refused;
  if (options_.reconnect && phase_ != Phase::binding) return;
  throw std::runtime_error(fmt::format("the bind of '{}' was refused with status 0x{:08x}",
                                       escaped(options_.system_id), status));
}

// Until every accepted message has its receipt, then a little longer for those too many.
void Run::wait_for_receipts() {
  phase_ = Phase::waiting;
  const unsigned asked = options_.registered_delivery & 3u;
  const bool all_expected = asked == 1;
  const std::int64_t deadline = now_ns() + (asked == 0 ? 0 : to_ns(options_.receipt_wait_s));
  std::uint64_t wanted = all_expected ? counts.accepted : UINT64_MAX;
  while (true) {
    while (stop_asked == 0 && now_ns_ < deadline && matching_.receipt_count() < wanted &&
           !(options_.reconnect && deserted()))
      turn(check_ns);
    const std::int64_t linger = std::min(deadline, now_ns_ + 3 * check_ns);
    while (stop_asked == 0 && now_ns_ < linger) turn(check_ns);
    if (cpu_seconds == 0) cpu_seconds = usage().cpu_seconds - cpu_at_start_;
    match = matching_.settle();
    if (last_receipt_ns_ != 0)
      receipt_seconds = static_cast<double>(last_receipt_ns_ - start_ns_) / 1e9;
    if (!all_expected || match.lost == 0 || now_ns_ >= deadline || stop_asked != 0 ||
        (options_.reconnect && deserted()))
      return;
    wanted = matching_.receipt_count() + match.lost;
  }
}

void Run::unbind_all() {
  phase_ = Phase::unbinding;
  for (const auto& session : sessions_) session->send_unbind();
  const std::int64_t deadline = now_ns() + 2 * second_ns;
  const auto open = [](const auto& s) { return s->state != Session::State::closed; };
  while (now_ns_ < deadline && std::any_of(sessions_.begin(), sessions_.end(), open))
    turn(check_ns);
}

void Run::show_progress(bool last) {
  if (!options_.progress || isatty(STDERR_FILENO) == 0 || phase_ == Phase::binding) return;
  const auto passed = static_cast<double>(now_ns_ - start_ns_) / 1e9;
  double share = options_.seconds > 0 ? passed / options_.seconds : 0;
  if (count_ != UINT64_MAX) {
    const bool receipts = (options_.registered_delivery & 3u) == 1;
    const auto done = counts.accepted + counts.refused + (receipts ? counts.receipts : 0);
    share = static_cast<double>(done) / static_cast<double>(count_) / (receipts ? 2 : 1);
  }
  share = std::min(share, 1.0);
  const auto filled = static_cast<std::size_t>(share * 30);
  fmt::print(stderr, "\r[{}{}] {:3.0f} %  {} accepted  {} receipts  {:.0f} s {}",
             std::string(filled, '#'), std::string(30 - filled, '.'), share * 100, counts.accepted,
             counts.receipts, passed, last ? "\n" : "");
}

}  // namespace tollgate::bench
