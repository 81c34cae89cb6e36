// Checks bind passwords on a thread of its own: a slow hash never holds up a shard.
//
// Threads: one auth thread. Every shard submits requests and polls its own results; nothing else
// crosses. Per shard there are two rings of fixed capacity with one writer and one reader each:
//
//     shard --requests--> auth thread --results--> the same shard, then wake(shard)
//
// The auth thread sleeps on one atomic counter that a submit advances, so a submit costs a copy
// and, when the thread sleeps, one futex call.
//
// Invariants
// 1. The results' ring is never full: a shard has at most kAuthPending requests between submit()
//    and poll_result(), and submit() refuses the next one.
// 2. An unknown system_id, a wrong password and an address that is not allowed get the same
//    status, and each costs exactly one crypt. The unknown one is checked against the hash of a
//    known client chosen by a keyed hash of the system_id, so that the time taken tells nothing,
//    even where the clients' hashes differ in cost.
// 3. Too many failures are answered without a crypt and with ESME_RBINDFAIL, which peers retry:
//    ESME_RINVPASWD makes some give up until somebody restarts them.
// 4. A password is wiped from the rings as soon as it was checked.
//
// 5. replace() never waits: the thread takes the new accounts before its next request.
//
// Bounds: kAuthPending requests a shard; kFailureSlots sources of failures, the oldest forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config.h"
#include "gateway/ip.h"
#include "proto/status.h"

namespace tollgate::gateway {

inline constexpr std::size_t kAuthPending = 1024;
inline constexpr std::size_t kPasswordMax = 64;  // with long_password; 8 by the specification
inline constexpr std::size_t kFailureSlots = 4096;

enum class AuthOutcome : std::uint8_t {
  accepted,
  unknown_client,
  wrong_password,
  address_not_allowed,  // password right or wrong: nobody learns which
  too_many_failures,    // from this address; not checked
  count,
};
std::string_view auth_outcome_name(AuthOutcome outcome);

// What the bind is answered with: ESME_ROK, ESME_RINVPASWD or ESME_RBINDFAIL.
proto::Status auth_status(AuthOutcome outcome);

struct AuthRequest {
  unsigned shard = 0;         // who asks, and gets the result
  std::uint64_t session = 0;  // given back with the result
  std::string_view system_id;
  std::string_view password;
  Ip peer;
};

struct AuthResult {
  std::uint64_t session = 0;
  AuthOutcome outcome = AuthOutcome::unknown_client;
  std::uint16_t client = 0;       // its id; only when accepted
  std::uint32_t credentials = 0;  // what it was checked by (ClientPeer::credentials)
};

struct AuthAccount {
  std::string system_id;
  std::string hash;
  std::vector<IpNetwork> allow;
  std::uint16_t client = 0;
  std::uint32_t credentials = 1;
  bool long_password = false;
};

struct AuthOptions {
  unsigned shards = 1;
  std::function<void(unsigned shard)> wake;  // called on the auth thread after a batch of results
  std::function<std::int64_t()> clock_us;    // monotonic; empty = the system's
  bool own_thread = true;                    // false: the owner calls step()
};

class Auth {
 public:
  // The thread, if any, starts here. Of ClientConfigs: their places are the ids.
  Auth(std::vector<AuthAccount> accounts, AuthOptions options);
  Auth(const std::vector<ClientConfig>& clients, AuthOptions options);
  ~Auth();  // joins the thread; what is still queued is dropped
  Auth(const Auth&) = delete;
  Auth& operator=(const Auth&) = delete;

  // One thread: from the next request on these are the accounts.
  void replace(std::vector<AuthAccount> accounts);

  // The shard's thread. False: the queue is full; answer ESME_RBINDFAIL. A text that is longer
  // than the field allows is checked and refused like any other wrong one.
  [[nodiscard]] bool submit(const AuthRequest& request);

  // The shard's thread. One result in the order they were finished; false when there is none.
  [[nodiscard]] bool poll_result(unsigned shard, AuthResult& out);

  // Without a thread of its own: checks what waits, one request of each shard.
  void step();

  // Any thread: results by outcome so far, and hashes computed.
  std::uint64_t outcomes(AuthOutcome outcome) const;
  std::uint64_t hashes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A crypt(5) string for `password` by the method and cost of this build; "" if the system refuses.
std::string hash_password(std::string_view password);

// Whether this password has this hash; for one's own secrets, not for what a peer sends.
bool matches(std::string_view password, const std::string& hash);

// "" when `hash` is a crypt(5) string that this system can check; else what is wrong with it.
std::string password_hash_fault(const std::string& hash);

}  // namespace tollgate::gateway
