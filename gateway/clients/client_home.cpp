#include "gateway/clients/client_home.h"

#include <algorithm>
#include <functional>

#include "core/check.h"
#include "gateway/clients/session.h"
#include "proto/tlv.h"

namespace tollgate::gateway {

using proto::Status;

namespace {

constexpr std::int64_t kValidityUs = 24LL * 3600 * 1'000'000;  // of a message that names none
constexpr std::int64_t kPausedUs = 100'000;
constexpr std::int64_t kPressUs = 50'000;
constexpr std::int64_t kWantedUs = 5'000;  // between passes, while there are places that are wanted
constexpr std::uint8_t kTonInternational = 1;
constexpr std::uint8_t kNpiE164 = 1;

// What the client is told when routing finds no way [reference section 6].
Status status_of(routing::Reason reason) {
  switch (reason) {
    case routing::Reason::bad_number:
      return Status::ESME_RINVDSTADR;
    case routing::Reason::sender_denied:
    case routing::Reason::sender_not_supported:
      return Status::ESME_RINVSRCADR;
    default:
      return Status::ESME_RSUBMITFAIL;
  }
}

}  // namespace

ClientHome::ClientHome(const Config& config, core::Shard& shard, const Homes& homes, Outbox& outbox,
                       const TablesReader& tables, Recorder& recorder, FlowCounters& counters,
                       DueStore::Channel* due)
    : config_(config),
      shard_(shard),
      homes_(homes),
      outbox_(outbox),
      tables_(tables),
      recorder_(recorder),
      counters_(counters),
      ledger_(shard.index(), config.gateway.limits.messages_per_shard, shard.time().wall_us,
              shard.buffers(), recorder.keeps_details()),
      spill_(*this, shard, ledger_, recorder, counters, due),
      hold_timer_([](void*, const core::Now&) {}, nullptr),
      waiting_timer_(core::Timer::calling<&ClientHome::retry_waiting>(*this)),
      sweep_timer_(core::Timer::calling<&ClientHome::sweep>(*this)),
      paused_timer_(core::Timer::calling<&ClientHome::look_at_paused>(*this)) {
  unsent_octets_.most = config.gateway.limits.queue_octets_per_shard;
  apply();
  counters_.ledger.capacity.set(ledger_.capacity());
  shard_.timers().arm(sweep_timer_, 0);
}

void ClientHome::make(std::size_t id, const ClientPeer& peer) {
  clients_[id] = std::make_unique<Client>(static_cast<std::uint16_t>(id), peer, ledger_,
                                          counters_.clients[id], *this, unsent_octets_);
}

void ClientHome::apply() {
  const std::vector<ClientPeer>& wanted = peers().clients;
  clients_.resize(wanted.size());
  applied_.resize(wanted.size());
  touched_.reserve(wanted.size());
  const auto count = static_cast<std::uint32_t>(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (homes_.of_client(i) != shard_.index()) continue;
    Applied& applied = applied_[i];  // and not the client: thousands of cold lines
    const ClientPeer& peer = wanted[i];
    if (applied == Applied{peer.config.get(), peer.credentials, peer.gone}) continue;
    applied = {peer.config.get(), peer.credentials, peer.gone};
    clients_[i] ? clients_[i]->change(peer, shard_.now()) : make(i, peer);
    spill_.add(*clients_[i], count);
    touch(*clients_[i]);
  }
  const std::size_t carriers = peers().carriers.size();
  carriers_.resize(carriers);
  fenced_.resize(carriers);
  pass_carriers_.resize(carriers);
  pressed_us_.resize(carriers);
  left_.resize(carriers);
  wanted_.resize(carriers);
  wanted_in_pass_.resize(carriers);
  windows_.assign(carriers, 0);
  for (std::size_t i = 0; i < carriers; ++i) {
    for (const carriers::BindConfig& bind : peers().carriers[i].config->binds) {
      windows_[i] += bind.window;
    }
  }
}

void ClientHome::turn_start() {
  const std::int64_t now_us = shard_.now().mono_us;
  std::int64_t until_us = 0;
  bool wanted = false;
  for (std::size_t i = 0; i < carriers_.size(); ++i) {
    const carriers::CarrierState& state = homes_.state(i);
    const std::uint8_t bits = state.bits.load(std::memory_order_relaxed);
    left_[i] = {state.places.load(std::memory_order_relaxed),
                state.octets.load(std::memory_order_relaxed)};
    carriers_[i] = {(bits & 1) != 0, (bits & 2) != 0 && !fenced_[i] && left_[i].places != 0};
    wanted |= wanted_[i] != 0 && carriers_[i].up && carriers_[i].has_room;
    // For the rest of a pass: what was passed over is not overtaken in it.
    if (left_[i].places == 0) pass_carriers_[i].has_room = false;
    if ((bits & carriers::CarrierState::kPressed) == 0) {
      if (pressed_us_[i] != 0) pressed_us_[i] = 0;
      continue;
    }
    if (pressed_us_[i] == 0) pressed_us_[i] = now_us;
    until_us = std::max(until_us, pressed_us_[i] + kPressUs);
  }
  if (wanted && !waiting_.empty() && !passing_ && !passes_soon_ && now_us - pass_us_ >= kWantedUs) {
    passes_soon_ = true;  // or the timer would be put off by each turn
    shard_.timers().arm(waiting_timer_, now_us);
  }
  // One that stays pressed for longer is slow itself: its queue has its own bounds.
  const bool hold = until_us > now_us && shard_.busy();
  shard_.hold_groups(hold);
  if (!hold) return;
  counters_.ledger.holds.add();
  shard_.timers().arm(hold_timer_, until_us);
}

void ClientHome::touch(Client& client) {
  if (!client.touch()) return;
  touched_.push_back(&client);
}

void ClientHome::pause(Client& client, Session& session) {
  client.pause(session, shard_.now());
  if (!paused_timer_.armed()) {
    shard_.timers().arm(paused_timer_, shard_.now().mono_us + kPausedUs);
  }
}

void ClientHome::look_at_paused(const core::Now& now) {
  if (touch_paused()) shard_.timers().arm(paused_timer_, now.mono_us + kPausedUs);
}

bool ClientHome::touch_paused() {
  bool any = false;
  for (const auto& client : clients_) {
    if (client == nullptr || !client->has_paused()) continue;
    touch(*client);
    any = true;
  }
  return any;
}

void ClientHome::turn_end(const core::Now& now) {
  std::int64_t end_us = 0;
  for (Client* client : touched_) {
    client->untouch();
    // After a failure what is told now could be contradicted by the next start.
    if (!recorder_.failed()) {
      spill_.work(*client, now);
      client->delivery().pump(now);
    }
    if (outbox_.empty()) client->resume_paused(now);
    if (const std::uint32_t submits = client->take_turn_submits()) {
      if (end_us == 0) end_us = shard_.time().mono_us;
      client->counters().response_us.observe(end_us - now.mono_us, submits);
    }
  }
  touched_.clear();
}

void ClientHome::refused(Client& client, Status status) {
  client.counters().submits.add();
  client.counters().responses[static_cast<std::size_t>(proto::status_class(status))].add();
}

Submitted ClientHome::refuse(Client& client, Status status) {
  client.counters().responses[static_cast<std::size_t>(proto::status_class(status))].add();
  return {status, 0};
}

bool ClientHome::decide(const Client& client, const proto::SubmitSm& sm, Decided& decided) {
  routing::Route& route = decided.route;
  routing::Query query;
  query.client = client.id();
  query.destination = sm.destination_addr;
  query.ton = sm.dest_addr_ton;
  query.npi = sm.dest_addr_npi;
  query.source = sm.source_addr;
  query.source_ton = sm.source_addr_ton;
  query.wall_us = shard_.now().wall_us;
  query.message = long_message_hash(sm).value_or(ledger_.next_id());
  decided.draw = query.message;
  routing::decide(*tables_, query, carriers_, route);
  decided.now_possible = route.reason == routing::Reason::chosen;
  if (route.reason == routing::Reason::no_route) {
    // Down or full carriers drop out of a route; a message that has only those waits for them.
    routing::decide(*tables_, query, {}, route);
  }
  return route.reason == routing::Reason::chosen;
}

Submitted ClientHome::submit(Client& client, const proto::SubmitSm& sm, std::uint8_t version,
                             MessageId public_id, const Asker* asker) {
  const core::Now& now = shard_.now();
  ClientCounters& counters = client.counters();
  counters.submits.add();
  client.add_turn_submit();
  touch(client);
  if (!accepting_ || recorder_.failed() || client.gone()) {
    return refuse(client, Status::ESME_RSYSERR);
  }
  if (!recorder_.accepting() || !recorder_.details_accepted()) {
    counters.queue_full.add();
    return refuse(client, Status::ESME_RMSGQFUL);
  }
  const Admission admission = admit(sm, version, now);
  if (admission.status != Status::ESME_ROK) return refuse(client, admission.status);
  if (!client.pace().ready(now.mono_us)) {
    counters.over_pace.add();
    return refuse(client, Status::ESME_RTHROTTLED);
  }
  if (wants_receipt(sm.registered_delivery) && (client.receipts_full() || client.untaken_full())) {
    counters.queue_full.add();
    return refuse(client, Status::ESME_RMSGQFUL);
  }
  Decided decided;
  const bool routed = decide(client, sm, decided);
  const routing::Route& route = decided.route;
  counters.routed[static_cast<std::size_t>(route.reason)].add();
  if (!routed) return refuse(client, status_of(route.reason));
  if (client.queue_full() && !takes_one_more(client, route)) {
    counters.queue_full.add();
    return refuse(client, Status::ESME_RMSGQFUL);
  }
  const bool relays = asker != nullptr && client.config().accept == Accept::relay;
  if (relays && !decided.now_possible) return refuse(client, nobody_now(route));
  Message* message = keep(client, sm, decided, admission, version);
  if (message == nullptr) {
    counters_.ledger.full.add();
    return refuse(client, Status::ESME_RMSGQFUL);
  }
  client.pace().take(now.mono_us);
  if (relays) return relay(client, *message, *asker);
  counters.accepted.add();
  if (public_id != 0) message->public_id = public_id;
  recorder_.accepted(*message);  // the gate holds the response until it is durable
  if (decided.now_possible && !number_waits(*message)) {
    place(*message, 0, now);
  } else {
    wait(*message, now);
  }
  counters.responses[static_cast<std::size_t>(proto::StatusClass::ok)].add();
  return {Status::ESME_ROK, message->public_id};
}

// Though its queue is full: a carrier that could have it now has little of that queue.
bool ClientHome::takes_one_more(const Client& client, const routing::Route& route) const {
  for (std::size_t i = 0; i < route.count; ++i) {
    const std::uint16_t carrier = route.candidates[i].carrier;
    if (carriers_[carrier].up && carriers_[carrier].has_room && client.little_for(carrier)) {
      return true;
    }
  }
  return false;
}

// The message in the ledger, its body ready for any carrier: the number in its international form,
// and receipts asked for exactly when the client wants one.
Message* ClientHome::keep(Client& client, const proto::SubmitSm& sm, const Decided& decided,
                          const Admission& admission, std::uint8_t version) {
  const core::Now& now = shard_.now();
  const routing::Route& route = decided.route;
  proto::SubmitSm out = sm;
  out.destination_addr = route.number_view();
  out.dest_addr_ton = kTonInternational;
  out.dest_addr_npi = kNpiE164;
  if (!route.sender.empty()) {  // the client's own stays in Message::source, for its receipt
    out.source_addr = route.sender;
    out.source_addr_ton = route.sender_ton;
    out.source_addr_npi = route.sender_npi;
  }
  out.replace_if_present_flag = 0;
  out.registered_delivery = static_cast<std::uint8_t>(
      (wants_receipt(sm.registered_delivery) ? 0x01 : 0) | (sm.registered_delivery & 0x10));
  const std::size_t length = proto::encoded_length(out) - proto::kHeaderLength;
  Message* message = ledger_.accept(length, now);
  if (message == nullptr) return nullptr;
  const std::size_t written = proto::encode_body(out, message->body_out());
  TOLLGATE_CHECK(written == length, "what was decoded can be encoded");

  message->client = client.id();
  message->deadline_us =
      now.mono_us + (admission.validity_us != 0 ? admission.validity_us : kValidityUs);
  message->segments = segments_of(sm, admission.text);
  message->price_nano = route.price_nano;
  message->candidates = route.count;
  for (std::size_t i = 0; i < route.count; ++i) {
    message->carriers[i] = route.candidates[i].carrier;
    message->cost_nano[i] = route.candidates[i].cost_nano;
  }
  message->tables_version = route.tables_version;
  message->destination_id = route.destination;
  message->registered_delivery = sm.registered_delivery;
  message->short_id = version < proto::kVersion34 ? 1 : 0;
  message->source = {sm.source_addr_ton, sm.source_addr_npi, {}};
  message->source.address = sm.source_addr;
  message->destination = {sm.dest_addr_ton, sm.dest_addr_npi, {}};
  message->destination.address = sm.destination_addr;
  if (sm.data_coding <= 1 && (sm.esm_class & 0x40) == 0) {
    message->text =
        proto::as_text(admission.text.first(std::min<std::size_t>(admission.text.size(), 20)));
  }
  if (message->particulars != nullptr) {
    keep_particulars(*message->particulars, sm, decided, admission);
  }
  counters_.ledger.accepted.add();
  counters_.ledger.messages.set(ledger_.size());
  now_unsent(*message, now);
  if (wants_receipt(sm.registered_delivery)) client.add_owing(now);
  return message;
}

// Each body counts for the client's and the shard's share before the next is made; those of one PDU
// have a bound too, for what they take until they are on the disk and with their carriers.
MultiSubmitted ClientHome::submit_multi(Client& client, const proto::SubmitMulti& multi,
                                        std::uint8_t version) {
  proto::SubmitSm sm;
  sm.service_type = multi.service_type;
  sm.source_addr_ton = multi.source_addr_ton;
  sm.source_addr_npi = multi.source_addr_npi;
  sm.source_addr = multi.source_addr;
  sm.esm_class = multi.esm_class;
  sm.protocol_id = multi.protocol_id;
  sm.priority_flag = multi.priority_flag;
  sm.schedule_delivery_time = multi.schedule_delivery_time;
  sm.validity_period = multi.validity_period;
  sm.registered_delivery = multi.registered_delivery;
  sm.replace_if_present_flag = multi.replace_if_present_flag;
  sm.data_coding = multi.data_coding;
  sm.sm_default_msg_id = multi.sm_default_msg_id;
  sm.short_message = multi.short_message;
  sm.tlvs = multi.tlvs;

  MultiSubmitted done;
  std::size_t made = 0;  // octets of bodies
  unsuccess_.resize(proto::kDestinationsMax * (proto::kAddressMax + 6));
  std::size_t length = 0;
  bool any = false;
  for (const proto::Destination& destination : multi.dest_addresses) {
    Submitted one{Status::ESME_RINVDLNAME, 0};  // we keep no distribution lists
    if (destination.dest_flag == 1) {
      sm.dest_addr_ton = destination.dest_addr_ton;
      sm.dest_addr_npi = destination.dest_addr_npi;
      sm.destination_addr = destination.destination_addr;
      const std::size_t body = proto::encoded_length(sm);
      if (made != 0 && made + body > kMultiOctetsMax) {
        client.counters().queue_full.add();
        refused(client, one.status = Status::ESME_RMSGQFUL);
      } else {
        one = submit(client, sm, version, done.id);
        if (one.status == Status::ESME_ROK) made += body;
      }
    }
    if (one.status == Status::ESME_ROK) {
      if (!any) done.id = one.id;
      any = true;
      continue;
    }
    done.status = one.status;
    proto::UnsuccessSme unsuccess;
    unsuccess.dest_addr_ton = destination.dest_addr_ton;
    unsuccess.dest_addr_npi = destination.dest_addr_npi;
    unsuccess.destination_addr = destination.destination_addr;
    unsuccess.error_status_code = one.status;
    if (const std::size_t next = proto::append(unsuccess_, length, unsuccess)) {
      length = next;
      ++done.unsuccess.count;
    }
  }
  if (any) done.status = Status::ESME_ROK;
  if (!any && done.status == Status::ESME_ROK) done.status = Status::ESME_RINVNUMDESTS;
  done.unsuccess.raw = proto::Octets(unsuccess_.data(), length);
  return done;
}

const Message* ClientHome::find(const Client& client, MessageId id, bool short_id) {
  const Message* message =
      short_id ? ledger_.find_short(static_cast<std::uint32_t>(id)) : ledger_.find(id);
  return message != nullptr && message->client == client.id() ? message : nullptr;
}

void ClientHome::left(Client& client, Window<Told>& told, const core::Now&) {
  std::vector<Told> lost;
  lost.reserve(told.open());
  told.drain([&](const Told& one) { lost.push_back(one); });
  for (auto one = lost.rbegin(); one != lost.rend(); ++one) client.delivery().lost(*one);
  touch(client);
}

std::array<std::uint32_t, kStages> ClientHome::stages() const {
  std::array<std::uint32_t, kStages> counts{};
  for (std::uint32_t place = 0; place < ledger_.places(); ++place) {
    if (ledger_.live(place)) ++counts[static_cast<std::size_t>(ledger_.at(place).stage)];
  }
  return counts;
}

bool ClientHome::receipts_idle() const {
  return std::all_of(clients_.begin(), clients_.end(), [](const auto& client) {
    return !client || client->sessions().empty() || client->delivery().idle();
  });
}

}  // namespace tollgate::gateway
