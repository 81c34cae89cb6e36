#include "gateway/listener.h"

#include <utility>

#include "core/log.h"
#include "proto/session.h"

namespace tollgate::gateway {

using proto::Status;

Listener::Listener(const Config& config, const TablesReader& tables, core::Shard& shard,
                   const Homes& homes, Outbox& outbox, ClientHome& client_home, Auth& auth,
                   FlowCounters& counters, std::atomic<std::uint32_t>& connections)
    : config_(config),
      tables_(tables),
      shard_(shard),
      homes_(homes),
      outbox_(outbox),
      client_home_(client_home),
      auth_(auth),
      counters_(counters),
      connections_(connections) {}

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
  setup.limits.output_max = config_.gateway.limits.connection_output_octets;
  return setup;
}

void Listener::on_accept(core::SocketPtr socket, const core::Address& peer) {
  counters_.door.accepted.add();
  if (connections_.load(std::memory_order_relaxed) >= config_.gateway.limits.connections_max) {
    counters_.door.over_limit.add();
    core::log::warn("connections_max", {{"limit", config_.gateway.limits.connections_max}});
    return;
  }
  connections_.fetch_add(1, std::memory_order_relaxed);
  const Session::Setup made = setup();
  sessions_.emplace(made.id, std::make_unique<Session>(shard_, std::move(socket), peer, made));
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
  return auth_.submit(request);
}

void Listener::take_results() {
  AuthResult result;
  while (auth_.poll_result(shard_.index(), result)) on_result(result);
}

void Listener::refuse(Session& session, std::string_view reason, Status status) {
  counters_.door.bind_refused.add();
  core::log::warn("bind_refused",
                  {core::log::Field::from_peer("peer", session.peer().host), {"reason", reason}});
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
  if (found == sessions_.end() || !found->second->awaits_answer()) return;
  Session& session = *found->second;
  if (result.outcome != AuthOutcome::accepted) {
    return refuse(session, auth_outcome_name(result.outcome), auth_status(result.outcome));
  }
  if (stopping_) return refuse(session, "stopping", Status::ESME_RBINDFAIL);
  const ClientPeer* peer = peer_of(result);
  if (peer == nullptr) return refuse(session, "tables_changed", Status::ESME_RBINDFAIL);
  const std::uint8_t version = proto::effective_version(session.asked().interface_version);
  if (!peer->config->versions.allows(version)) {
    counters_.door.bind_refused.add();
    core::log::warn("bind_refused",
                    {{"client", peer->config->system_id}, {"reason", "interface_version"}});
    return session.bind_refused(Status::ESME_RBINDFAIL);
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
  sessions_.emplace(made.id, std::move(session));
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
    counters_.door.bind_refused.add();
    core::log::warn("bind_refused",
                    {{"client", client.config().system_id}, {"reason", "sessions_max"}});
    return session.bind_refused(Status::ESME_RBINDFAIL);
  }
  counters_.door.waiting.sub();
  session.bound(client, client_home_, credentials);
  client_home_.touch(client);
  core::log::info("session_bound", {{"client", client.config().system_id},
                                    {"peer", session.peer().text()},
                                    {"as", proto::command_name(session.asked().command)},
                                    {"sessions", client.sessions().size()}});
}

void Listener::ended(Session& session) {
  if (!session.was_bound()) counters_.door.waiting.sub();
  connections_.fetch_sub(1, std::memory_order_relaxed);
  sessions_.erase(session.id());
}

void Listener::unbind_all() {
  stopping_ = true;
  for (auto& [id, session] : sessions_) session->unbind();
}

void Listener::close_all() {
  for (auto& [id, session] : sessions_) session->close();
}

}  // namespace tollgate::gateway
