// The door of one shard: accepts connections, has binds checked off the shard, and brings each
// session to its client's home. It owns every session on this shard. The shard's thread.
//
// Invariants
// 1. At most connections_max sessions in the process, counted over all shards. Unbound connections
//    have separate bounds (gateway/clients/sources.h): unbound_max, and what descriptors are left.
//    So a connection that never binds takes no session's place.
// 2. A failed bind gets the same answer whether the system_id is known or not
//    (gateway/clients/auth.h).
// 3. A session changes shards at most once, after its bind was checked and before it is answered.
//    What was read after the bind goes with it, and so do answers that the peer has not taken. If
//    it ends meanwhile, on either side, it is no session: nothing is answered, nothing is counted.
// 4. Once a stop unbinds, no bind is accepted, not even one that was checked or is on its way.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/shard.h"
#include "gateway/clients/auth.h"
#include "gateway/clients/client_home.h"
#include "gateway/clients/session.h"
#include "gateway/clients/shared.h"
#include "gateway/clients/sources.h"
#include "gateway/config/config.h"
#include "gateway/messages/homes.h"
#include "gateway/messages/mail.h"

namespace tollgate::gateway {

// A checked bind on its way to its client's home; owned by the mail that carries it.
struct SessionHandover {
  core::Handover handover;
  core::Address peer;
  BindAsked asked;
  std::uint16_t client = 0;
  std::uint32_t credentials = 0;
};

class Listener final : public Door {
 public:
  Listener(const Config& config, const TablesReader& tables, core::Shard& shard, const Homes& homes,
           Outbox& outbox, ClientHome& client_home, Auth& auth, FlowCounters& counters,
           Shared& shared);
  ~Listener();

  // Starts listening; the reason when an address cannot be had.
  core::NetError listen();
  // The addresses really listened on.
  std::vector<core::Address> addresses() const;
  void stop_listening() { listeners_.clear(); }

  // What the auth thread found. From the drain hook.
  void take_results();
  void on_session(const SessionMail& mail);
  // Nobody will take it: its connection ends.
  void drop(const SessionMail& mail);

  void unbind_all();
  void close_all();

 private:
  bool check_bind(Session& session, const proto::Bind& bind) override;
  void ended(Session& session) override;

  struct Held {
    std::unique_ptr<Session> session;
    Sources::Place place;
  };

  void on_accept(core::SocketPtr socket, const core::Address& peer);
  bool admit(const core::Address& peer, Sources::Place& place);
  void on_result(const AuthResult& result);
  const ClientPeer* peer_of(const AuthResult& result) const;
  void bind_here(Session& session, Client& client, std::uint32_t credentials);
  void refuse(Session& session, std::string_view reason, proto::Status status,
              std::string_view client = {});
  Session::Setup setup();
  std::uint32_t room() const;

  const Config& config_;
  const TablesReader& tables_;
  core::Shard& shard_;
  const Homes& homes_;
  Outbox& outbox_;
  ClientHome& client_home_;
  Auth& auth_;
  FlowCounters& counters_;
  Shared& shared_;
  std::vector<core::ListenerPtr> listeners_;
  Sources sources_;
  std::unordered_map<std::uint64_t, Held> sessions_;
  bool stopping_ = false;
  std::uint64_t next_id_ = 1;
};

}  // namespace tollgate::gateway
