#include "bench/carrier/carrier.h"

#include <algorithm>
#include <time.h>
#include <unistd.h>

namespace tollgate::bench {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t drain_ns = 2 * second_ns;  // beyond the longest latency
constexpr std::int64_t drain_step_ns = second_ns / 200;

template <std::size_t N>
std::uint8_t keep(std::string_view from, std::array<char, N>& to) {
  const std::size_t n = std::min(from.size(), N);
  std::memcpy(to.data(), from.data(), n);
  return static_cast<std::uint8_t>(n);
}

// YYMMDDhhmm in UTC.
std::uint8_t* put_date(std::uint8_t* p, std::int64_t seconds) {
  static std::int64_t minute_cached = -1;
  static char text[16];
  if (seconds / 60 != minute_cached) {
    minute_cached = seconds / 60;
    const time_t t = seconds;
    tm parts{};
    gmtime_r(&t, &parts);
    strftime(text, sizeof text, "%y%m%d%H%M", &parts);
  }
  return put_octets(p, {text, 10});
}

}  // namespace

bool TagTable::add_submit(std::uint32_t tag) {
  if (tag >= cells_.size()) cells_.resize(std::max<std::size_t>(tag + 1, 2 * cells_.size()));
  const unsigned seen = cells_[tag] & 15u;
  if (seen < 15) ++cells_[tag];
  return seen == 0;
}

void TagTable::add_accepted(std::uint32_t tag) {
  if (tag >= cells_.size()) return;
  if (accepted(tag) < 15) cells_[tag] = static_cast<std::uint8_t>(cells_[tag] + 16);
}

Carrier::Carrier(World& world, Spec spec, std::uint16_t index)
    : world_(world), spec_(std::move(spec)), index_(index) {
  next_id_ = spec_.id_start != 0 ? spec_.id_start : (index + 1u) * 1'000'000'000'000ull;
  if (spec_.receipt_mix.empty()) spec_.receipt_mix.push_back({"DELIVRD", 2, 0});
  double rest = 1;
  for (const ReceiptShare& part : spec_.receipt_mix) rest -= part.share;
  if (rest > 1e-9) spec_.receipt_mix.push_back({"DELIVRD", 2, rest});
}

Carrier::~Carrier() {
  if (listener_ >= 0) ::close(listener_);
}

void Carrier::listen() {
  listener_ = listen_on("127.0.0.1", port_ != 0 ? port_ : spec_.port, port_);
  world_.poller.add(listener_, *this, EPOLLIN);
}

void Carrier::on_ready(std::uint32_t) {
  for (int fd = accept_from(listener_); fd >= 0; fd = accept_from(listener_)) {
    const auto number = static_cast<std::uint32_t>(binds_.size());
    binds_.push_back(std::make_unique<Bind>(world_, *this, fd, number));
  }
}

void Carrier::on_bound(Bind& bind, std::string_view system_id) {
  ++counts_.binds;
  const auto same = [&](const Account& a) { return a.system_id == system_id; };
  auto it = std::find_if(accounts_.begin(), accounts_.end(), same);
  if (it == accounts_.end()) {
    accounts_.push_back({std::string(system_id), {}, {}, 0});
    it = accounts_.end() - 1;
  }
  bind.account = static_cast<std::uint32_t>(it - accounts_.begin());
  if (bind.may_receive()) it->receivers.push_back(&bind);
  if (spec_.enquire_s <= 0) return;
  Event event{Event::Kind::enquire, index_, {}};
  event.answer.bind = bind.number;
  world_.wheel.add(world_.now_ns + static_cast<std::int64_t>(spec_.enquire_s * second_ns), event);
}

std::uint32_t Carrier::decide_status() {
  if (spec_.throttle > 0) {
    const double burst = std::max(1.0, spec_.throttle / 20);
    const auto passed = static_cast<double>(world_.now_ns - tokens_at_ns_) / 1e9;
    tokens_ = std::min(burst, tokens_ + passed * spec_.throttle);
    tokens_at_ns_ = world_.now_ns;
    if (tokens_ < 1) {
      ++counts_.throttled;
      return ESME_RTHROTTLED;
    }
    tokens_ -= 1;
  }
  if (spec_.statuses.empty()) return ESME_ROK;
  double point = world_.share();
  for (const StatusShare& part : spec_.statuses) {
    if (point < part.share) return part.status;
    point -= part.share;
  }
  return ESME_ROK;
}

void Carrier::on_submit(Bind& bind, const Frame& frame) {
  ++counts_.submits;
  Message message;
  if (!read_message(frame, message)) {
    ++counts_.malformed;
    return bind.send_plain(submit_sm_resp, 0x01, frame.header.sequence);
  }
  Answer what;
  what.tag = read_tag(message.text);
  what.bind = bind.number;
  what.sequence = frame.header.sequence;
  if (what.tag == no_tag) {
    ++counts_.untagged;
  } else {
    if (counts_.first_submit_ns == 0) on_first_tag();
    counts_.last_submit_ns = world_.now_ns;
    ++(tags_.add_submit(what.tag) ? counts_.distinct : counts_.repeated);
    world_.log.line(world_.now_ns, "submit", spec_.name, bind.number, what.tag);
  }
  if (world_.chance(spec_.loss)) {
    ++counts_.lost;
    return;
  }
  what.status = draining_ ? ESME_RSYSERR : decide_status();
  if (what.status == ESME_ROK) {
    const bool repeat = counts_.accepted != 0 && world_.chance(spec_.id_repeat);
    what.id = repeat ? next_id_ - 1 : next_id_++;
    counts_.ids_repeated += repeat ? 1 : 0;
    what.record = make_record(bind, message, what.id);
    if (world_.chance(spec_.silent)) {
      ++counts_.silent;
      accept(what.tag);
      return schedule_receipt(what.record);
    }
    if (what.record != no_record && world_.chance(spec_.receipt_early)) {
      const Record& record = records_[what.record];
      if (Bind* to = pick_receiver(accounts_[bind.account], record, true); to != nullptr) {
        ++counts_.receipts_early;
        send_receipt(*to, what.record);
        what.receipt_sent = true;
      }
    }
  }
  const std::int64_t delay = draining_ ? 0 : world_.within(spec_.latency);
  if (delay == 0) return answer(what);
  ++bind.unanswered;
  world_.wheel.add(world_.now_ns + delay, {Event::Kind::answer, index_, what});
}

void Carrier::on_first_tag() {
  counts_.first_submit_ns = world_.now_ns;
  if (spec_.die_at_s <= 0) return;
  world_.wheel.add(world_.now_ns + static_cast<std::int64_t>(spec_.die_at_s * second_ns),
                   {Event::Kind::die, index_, {}});
}

std::uint32_t Carrier::make_record(const Bind& bind, const Message& message, std::uint64_t id) {
  const unsigned asked = message.registered_delivery & 3u;
  if (asked == 0) return no_record;
  std::uint16_t state = 0;
  if (spec_.receipt_mix.size() > 1) {
    double point = world_.share();
    while (state + 1u < spec_.receipt_mix.size() && point >= spec_.receipt_mix[state].share)
      point -= spec_.receipt_mix[state++].share;
  }
  const ReceiptShare& outcome = spec_.receipt_mix[state];
  if (asked == 2 && outcome.message_state == 2) return no_record;
  ++counts_.receipts_made;
  ++counts_.receipts_by_state[outcome.word];
  if (world_.chance(spec_.receipt_loss)) {
    ++counts_.receipts_withheld;
    return no_record;
  }
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(records_.size()));
    records_.emplace_back();
  }
  const std::uint32_t number = free_.back();
  free_.pop_back();
  Record& record = records_[number];
  record.id = id;
  record.submitted = time(nullptr);
  record.account = bind.account;
  record.bind = bind.number;
  record.state = state;
  record.sent_before = false;
  record.source_size = keep(message.source, record.source);
  record.destination_size = keep(message.destination, record.destination);
  record.text_size = keep(message.text, record.text);
  return number;
}

void Carrier::accept(std::uint32_t tag) {
  ++counts_.accepted;
  if (tag != no_tag) tags_.add_accepted(tag);
}

void Carrier::log_answer(std::string_view word, const Answer& what) {
  if (what.tag == no_tag || !world_.log.is_open()) return;
  char id[id_size_max];
  const std::size_t size = what.status == ESME_ROK ? format_id(spec_.ids, what.id, id) : 0;
  world_.log.line(world_.now_ns, word, spec_.name, what.bind, what.tag, what.status,
                  std::string_view(id, size));
}

void Carrier::answer(const Answer& what) {
  Bind* const bind = binds_[what.bind].get();
  if (bind == nullptr || !bind->link.is_open()) {
    if (what.status == ESME_ROK && world_.chance(spec_.keep)) {
      ++counts_.kept;
      log_answer("kept", what);
      accept(what.tag);
      if (!what.receipt_sent) schedule_receipt(what.record);
      return;
    }
    ++counts_.forgotten;
    log_answer("forgotten", what);
    if (what.record != no_record && !what.receipt_sent) free_record(what.record);
    return;
  }
  log_answer("response", what);
  if (what.status != ESME_ROK) {
    ++counts_.refused[what.status];
    return bind->respond(what, {});
  }
  char id[id_size_max];
  bind->respond(what, {id, format_id(spec_.ids, what.id, id)});
  accept(what.tag);
  if (!what.receipt_sent) schedule_receipt(what.record);
}

void Carrier::schedule_receipt(std::uint32_t number) {
  if (number == no_record) return;
  const std::int64_t delay = world_.within(spec_.receipt_delay);
  if (delay == 0) {
    accounts_[records_[number].account].ready.push_back(number);
    return;
  }
  Event event{Event::Kind::receipt_due, index_, {}};
  event.answer.record = number;
  world_.wheel.add(world_.now_ns + delay, event);
}

void Carrier::on_event(const Event& event) {
  switch (event.kind) {
    case Event::Kind::answer:
      if (Bind* bind = binds_[event.answer.bind].get(); bind != nullptr) --bind->unanswered;
      return answer(event.answer);
    case Event::Kind::receipt_due: {
      const std::uint32_t number = event.answer.record;
      accounts_[records_[number].account].ready.push_back(number);
      return;
    }
    case Event::Kind::die:
      return begin_to_die();
    case Event::Kind::drain:
      return drain();
    case Event::Kind::come_back:
      return listen();
    case Event::Kind::enquire: {
      Bind* const bind = binds_[event.answer.bind].get();
      if (bind == nullptr || !bind->link.is_open() || bind->kind == 0) return;
      bind->send_enquire_link();
      const auto interval = static_cast<std::int64_t>(spec_.enquire_s * second_ns);
      world_.wheel.add(world_.now_ns + interval, event);
      return;
    }
  }
}

Bind* Carrier::pick_receiver(Account& account, const Record& record, bool early) {
  const std::size_t n = account.receivers.size();
  Bind* own = nullptr;
  Bind* first_other = nullptr;
  for (std::size_t i = 0; i < n; ++i) {
    Bind* const bind = account.receivers[(account.next + i) % n];
    if (!bind->may_receive() || bind->in_flight.room() == 0) continue;
    if (!early && !bind->has_room()) continue;
    const bool is_own = bind->number == record.bind;
    if (spec_.receipt_bind == ReceiptBind::any ||
        is_own == (spec_.receipt_bind == ReceiptBind::same)) {
      account.next = (account.next + i + 1) % n;
      return bind;
    }
    (is_own ? own : first_other) = bind;
  }
  return own != nullptr ? own : first_other;
}

void Carrier::pump() {
  for (Account& account : accounts_) {
    while (!account.ready.empty()) {
      const std::uint32_t number = account.ready.front();
      Bind* const bind = pick_receiver(account, records_[number], false);
      if (bind == nullptr) break;
      account.ready.pop_front();
      send_receipt(*bind, number);
    }
  }
}

void Carrier::send_receipt(Bind& bind, std::uint32_t number) {
  std::uint8_t body[320];
  Record& record = records_[number];
  const std::size_t size = write_receipt(record, body);
  counts_.receipts_resent += record.sent_before ? 1 : 0;
  record.sent_before = true;
  bind.deliver(body, size, number);
  ++counts_.receipts_sent;
  log_receipt("receipt", record, ESME_ROK);
  if (world_.chance(spec_.receipt_duplicate) && bind.in_flight.room() != 0) {
    bind.deliver(body, size, no_record);
    ++counts_.receipts_duplicated;
  }
}

std::size_t Carrier::write_receipt(const Record& record, std::uint8_t* out) const {
  const ReceiptShare& outcome = spec_.receipt_mix[record.state];
  const bool delivered = outcome.message_state == 2;
  char id_text[id_size_max];
  const std::string_view id(id_text, format_id(spec_.receipt_ids, record.id, id_text));
  std::uint8_t* p = put8(out, 0);  // service_type
  p = put_cstring(put8(put8(p, 1), 1), {record.destination.data(), record.destination_size});
  p = put_cstring(put8(put8(p, 1), 1), {record.source.data(), record.source_size});
  p = put_octets(p, {"\x04\0\0\0\0\0\0\0\0", 9});  // esm_class: receipt
  std::uint8_t* const size_at = p++;
  if (spec_.receipt_form != ReceiptForm::tlv) {
    p = put_octets(put_octets(p, "id:"), id);
    p = put_octets(
        p, delivered ? " sub:001 dlvrd:001 submit date:" : " sub:001 dlvrd:000 submit date:");
    p = put_date(p, record.submitted);
    p = put_date(put_octets(p, " done date:"), record.submitted);
    p = put_octets(put_octets(p, " stat:"), outcome.word);
    p = put_octets(p, delivered ? " err:000 text:" : " err:034 text:");
    p = put_octets(p, {record.text.data(), record.text_size});
  }
  *size_at = static_cast<std::uint8_t>(p - size_at - 1);
  if (spec_.receipt_form != ReceiptForm::text) {
    p = put16(put16(p, receipted_message_id), static_cast<std::uint16_t>(id.size() + 1));
    p = put_cstring(p, id);
    p = put8(put16(put16(p, message_state), 1), outcome.message_state);
  }
  return static_cast<std::size_t>(p - out);
}

void Carrier::log_receipt(std::string_view word, const Record& record, std::uint32_t status) {
  const std::uint32_t tag = read_tag({record.text.data(), record.text_size});
  if (tag == no_tag || !world_.log.is_open()) return;
  char id[id_size_max];
  const std::size_t size = format_id(spec_.receipt_ids, record.id, id);
  world_.log.line(world_.now_ns, word, spec_.name, tag, std::string_view(id, size),
                  spec_.receipt_mix[record.state].word, status);
}

void Carrier::on_receipt_answer(const InFlight& sent, std::uint32_t status) {
  if (sent.record == no_record) return;
  log_receipt("answered", records_[sent.record], status);
  if (status == ESME_ROK) {
    ++counts_.receipts_acked;
    return free_record(sent.record);
  }
  ++counts_.receipts_refused[status];
  Event event{Event::Kind::receipt_due, index_, {}};
  event.answer.record = sent.record;
  world_.wheel.add(world_.now_ns + second_ns, event);
}

void Carrier::free_record(std::uint32_t number) {
  free_.push_back(number);
}

void Carrier::drop(Bind& bind) {
  bind.close();
  world_.log.line(world_.now_ns, "dropped", spec_.name, bind.number);
  if (bind.dirty) std::erase(world_.dirty, &bind);
  if (bind.account < accounts_.size()) {
    Account& account = accounts_[bind.account];
    std::erase(account.receivers, &bind);
    account.next = 0;
    bind.in_flight.remove_if([&](const InFlight& sent) {
      if (sent.record != no_record) account.ready.push_front(sent.record);
      return true;
    });
  }
  if (binds_[bind.number] != nullptr) dropped_.push_back(std::move(binds_[bind.number]));
}

void Carrier::begin_to_die() {
  ++counts_.deaths;
  world_.poller.remove(listener_, *this);
  ::close(listener_);
  listener_ = -1;
  if (!spec_.polite) return die();
  draining_ = true;
  drain_until_ns_ = world_.now_ns + spec_.latency.high_ns + drain_ns;
  drain();
}

// Unbinds what owes no response; ends when every bind is gone, or in its own time.
void Carrier::drain() {
  bool any = false;
  for (const auto& bind : binds_) {
    if (bind == nullptr) continue;
    any = true;
    if (bind->unanswered == 0) bind->send_unbind();
  }
  if (!any || world_.now_ns >= drain_until_ns_) return die();
  world_.wheel.add(world_.now_ns + drain_step_ns, {Event::Kind::drain, index_, {}});
}

void Carrier::die() {
  draining_ = false;
  for (std::size_t i = 0; i < binds_.size(); ++i)
    if (binds_[i] != nullptr) drop(*binds_[i]);
  world_.wheel.add(world_.now_ns + static_cast<std::int64_t>(spec_.down_s * second_ns),
                   {Event::Kind::come_back, index_, {}});
}

}  // namespace tollgate::bench
