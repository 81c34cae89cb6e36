#include "gateway/clients/listener.h"

#include <algorithm>
#include <utility>

#include "core/log.h"
#include "proto/session.h"

namespace tollgate::gateway {

using proto::Status;

Listener::Listener(const Config& config, const TablesReader& tables, core::Shard& shard,
                   const Homes& homes, Outbox& outbox, ClientHome& client_home, Auth& auth,
                   FlowCounters& counters, Shared& shared)
    : config_(config),
      tables_(tables),
      shard_(shard),
      homes_(homes),
      outbox_(outbox),
      client_home_(client_home),
      auth_(auth),
      counters_(counters),
      shared_(shared),
      sources_(config.gateway.limits.unbound_per_source) {}

Listener::~Listener() = default;

core::NetError Listener::listen() {
  for (const core::Address& at : config_.gateway.listen) {
    core::NetError error;
    auto listener = shard_.net().listen(
        at,
        [this](core::SocketPtr socket, const core::Address& peer) {
          on_accept(std::move(socket), peer);
        },
        error);
    if (error) return error;
    listeners_.push_back(std::move(listener));
  }
  return {};
}

std::vector<core::Address> Listener::addresses() const {
  std::vector<core::Address> result;
  for (const auto& listener : listeners_) result.push_back(listener->local());
  return result;
}

Session::Setup Listener::setup() {
  Session::Setup setup;
  setup.id = next_id_++;
  setup.door = this;
  setup.counters = &counters_.door;
  setup.config = &config_.gateway;
  // Before the bind: one short PDU, and no more read than that needs.
  setup.limits.input_max = proto::kPduLengthMaxUnbound;
  setup.limits.read_max = 2 * proto::kPduLengthMaxUnbound;
  setup.limits.output_max = kUnboundOutputMax;
  return setup;
}

std::uint32_t Listener::room() const {
  const std::uint32_t bound = shared_.bound.load(std::memory_order_relaxed);
  const std::uint32_t left = shared_.room - std::min(bound, shared_.room);
  return std::min(left, config_.gateway.limits.unbound_max);
}

bool Listener::admit(const core::Address& peer, Sources::Place& place) {
  const auto admission = sources_.admit(parse_ip(peer.host).value_or(Ip{}), place, room());
  if (admission.verdict != Sources::Verdict::admitted) {
    const bool source = admission.verdict == Sources::Verdict::source_full;
    (source ? counters_.door.source_full : counters_.door.over_limit).add();
    const bool few = room() < config_.gateway.limits.unbound_max;
    core::log::warn("door_full", {core::log::Field::from_peer("peer", peer.host),
                                  {"reason", source ? "unbound_per_source"
                                             : few  ? "descriptors"
                                                    : "unbound_max"}});
    return false;
  }
  if (admission.gives_way == 0) return true;
  counters_.door.gave_way.add();
  Session& oldest = *sessions_.at(admission.gives_way).session;
  core::log::warn("gave_way",
                  {core::log::Field::from_peer("peer", oldest.peer().host),
                   {"reason", admission.of_source ? "unbound_per_source" : "unbound_max"}});
  oldest.close();
  return true;
}

void Listener::on_accept(core::SocketPtr socket, const core::Address& peer) {
  counters_.door.accepted.add();
  const Session::Setup made = setup();
  Held& held = sessions_[made.id];
  held.place.session = made.id;
  if (!admit(peer, held.place)) {
    sessions_.erase(made.id);
    return;
  }
  shared_.connections.fetch_add(1, std::memory_order_relaxed);
  held.session = std::make_unique<Session>(shard_, std::move(socket), peer, made);
  counters_.door.waiting.add();
}

bool Listener::check_bind(Session& session, const proto::Bind& bind) {
  AuthRequest request;
  request.shard = shard_.index();
  request.session = session.id();
  request.system_id = bind.system_id;
  request.password = bind.password;
  const auto ip = parse_ip(session.peer().host);
  if (ip) request.peer = *ip;
  if (!auth_.submit(request)) return false;
  sources_.busy(sessions_.at(session.id()).place);
  return true;
}

void Listener::take_results() {
  AuthResult result;
  while (auth_.poll_result(shard_.index(), result)) on_result(result);
}

void Listener::refuse(Session& session, std::string_view reason, Status status,
                      std::string_view client) {
  counters_.door.bind_refused.add();
  if (client.empty()) {
    core::log::warn("bind_refused",
                    {core::log::Field::from_peer("peer", session.peer().host), {"reason", reason}});
  } else {
    core::log::warn("bind_refused", {{"client", client}, {"reason", reason}});
  }
  sources_.refused(sessions_.at(session.id()).place);
  session.bind_refused(status);
}

// Null: by our tables it may not bind. The accounts of auth may be older, or a moment newer.
const ClientPeer* Listener::peer_of(const AuthResult& result) const {
  const std::vector<ClientPeer>& clients = peers_of(*tables_).clients;
  if (result.client >= clients.size() || clients[result.client].gone) return nullptr;
  const ClientPeer& peer = clients[result.client];
  return result.credentials < peer.credentials ? nullptr : &peer;
}

void Listener::on_result(const AuthResult& result) {
  const auto found = sessions_.find(result.session);
  // It hung up meanwhile, or the end of its connection is yet to be told to us.
  if (found == sessions_.end() || !found->second.session->awaits_answer()) return;
  Session& session = *found->second.session;
  if (result.outcome != AuthOutcome::accepted) {
    return refuse(session, auth_outcome_name(result.outcome), auth_status(result.outcome));
  }
  if (stopping_) return refuse(session, "stopping", Status::ESME_RBINDFAIL);
  const ClientPeer* peer = peer_of(result);
  if (peer == nullptr) return refuse(session, "tables_changed", Status::ESME_RBINDFAIL);
  const std::uint8_t version = proto::effective_version(session.asked().interface_version);
  if (!peer->config->versions.allows(version)) {
    return refuse(session, "interface_version", Status::ESME_RBINDFAIL, peer->config->system_id);
  }
  if (Client* client = client_home_.client(result.client)) {
    return bind_here(session, *client, result.credentials);
  }
  auto moved = std::make_unique<SessionHandover>();
  moved->handover = session.hand_over();
  moved->peer = session.peer();
  moved->asked = session.asked();
  moved->client = result.client;
  moved->credentials = result.credentials;
  sources_.leave(found->second.place);
  sessions_.erase(found);
  counters_.door.waiting.sub();
  const SessionMail mail{moved.release()};
  outbox_.post(homes_.of_client(result.client), MailType::session, mail);
}

void Listener::on_session(const SessionMail& mail) {
  const std::unique_ptr<SessionHandover> moved(mail.handover);
  const Session::Setup made = setup();
  const core::Brought brought{moved->handover.leftover, moved->handover.unsent};
  auto session = std::make_unique<Session>(shard_, shard_.net().adopt(moved->handover.fd),
                                           moved->peer, made, moved->asked, brought);
  Session& here = *session;
  sessions_[made.id].session = std::move(session);
  counters_.door.waiting.add();
  if (stopping_) return refuse(here, "stopping", Status::ESME_RBINDFAIL);
  Client* client = client_home_.client(moved->client);
  if (client == nullptr) return refuse(here, "tables_changed", Status::ESME_RBINDFAIL);
  bind_here(here, *client, moved->credentials);
}

void Listener::drop(const SessionMail& mail) {
  const std::unique_ptr<SessionHandover> moved(mail.handover);
  shard_.net().adopt(moved->handover.fd).reset();
}

void Listener::bind_here(Session& session, Client& client, std::uint32_t credentials) {
  if (client.gone() || credentials < client.credentials()) {
    return refuse(session, "tables_changed", Status::ESME_RBINDFAIL);
  }
  if (client.sessions().size() >= client.config().sessions_max) {
    return refuse(session, "sessions_max", Status::ESME_RBINDFAIL, client.config().system_id);
  }
  if (shared_.bound.fetch_add(1, std::memory_order_relaxed) >=
      config_.gateway.limits.connections_max) {
    shared_.bound.fetch_sub(1, std::memory_order_relaxed);
    counters_.door.sessions_full.add();
    return refuse(session, "connections_max", Status::ESME_RBINDFAIL);
  }
  counters_.door.waiting.sub();
  sources_.leave(sessions_.at(session.id()).place);
  session.bound(client, client_home_, credentials);
  client_home_.touch(client);
  core::log::info("session_bound", {{"client", client.config().system_id},
                                    {"peer", session.peer().text()},
                                    {"as", proto::command_name(session.asked().command)},
                                    {"sessions", client.sessions().size()}});
}

void Listener::ended(Session& session) {
  if (session.was_bound()) {
    shared_.bound.fetch_sub(1, std::memory_order_relaxed);
  } else {
    counters_.door.waiting.sub();
  }
  if (session.checking()) auth_.cancel(shard_.index(), session.id());
  shared_.connections.fetch_sub(1, std::memory_order_relaxed);
  const auto found = sessions_.find(session.id());
  sources_.leave(found->second.place);
  sessions_.erase(found);
}

void Listener::unbind_all() {
  stopping_ = true;
  for (auto& [id, held] : sessions_) held.session->unbind();
}

void Listener::close_all() {
  for (auto& [id, held] : sessions_) held.session->close();
}

}  // namespace tollgate::gateway
