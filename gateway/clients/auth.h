// Checks bind passwords on separate threads: a slow hash never holds up a shard.
//
// Threads: one auth thread, which owns all that is decided here, and `threads` hashers, which do
// nothing but crypt. Every shard submits requests and polls its own results; nothing else crosses.
// Per shard there are two rings of fixed capacity with one writer and one reader each:
//
//     shard --requests--> auth thread --results--> the same shard, then wake(shard)
//                          |       ^
//                          +hashers+  one request at a time each
//
// The auth thread sleeps on one atomic counter that a submit and a finished hash advance, so a
// submit costs a copy and, when the thread sleeps, one futex call.
//
// Invariants
// 1. The results' ring is never full: a shard has at most pending_max() requests between submit()
//    and poll_result(), submit() refuses the next one, and each gets exactly one result.
// 2. An unknown system_id, a wrong password and an address that is not allowed get the same
//    status, and each costs exactly one crypt. The unknown one is checked against the hash of a
//    known client chosen by a keyed hash of the system_id, so that the time taken tells nothing,
//    even where the clients' hashes differ in cost.
// 3. After too many failures the answer is ESME_RBINDFAIL, without a crypt. Peers retry on it:
//    ESME_RINVPASWD makes some give up until somebody restarts them.
// 4. A password is wiped from the rings and the queue as soon as it has been checked.
// 5. replace() never waits: the thread takes the new accounts before its next request.
// 6. A password that was verified in this run is recognised without a crypt, if it may bind at all
//    (gateway/clients/auth_memory.h). The failure allowances are checked first, so that nobody can
//    guess faster by it.
// 7. Hashers get the requests in the order of gateway/clients/auth_queue.h: those of known-good
//    sources first. A cancelled request is not hashed. Allowances are checked when a request comes
//    and again when its turn comes.
// 8. A source is known as good for an account if it bound it in this run, or if the account's
//    `allow` list names it.
//
// Bounds: waiting_max requests wait, the last in order gives way; kFailureSlots and kAccountSlots
// entries of failures, the oldest is forgotten; one digest and some sources per account.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/clients/auth_queue.h"
#include "gateway/config/config.h"
#include "gateway/config/ip.h"
#include "proto/status.h"

namespace tollgate::gateway {

struct Peers;

inline constexpr std::size_t kFailureSlots = 4096;   // of sources and their pairs with accounts
inline constexpr std::size_t kAccountSlots = 16384;  // of system_ids, known or not

enum class AuthOutcome : std::uint8_t {
  accepted,
  unknown_client,
  wrong_password,
  address_not_allowed,  // password right or wrong: nobody learns which
  too_many_failures,    // from this address; not checked
  account_failures,     // for this system_id, and the source is not known as good; not checked
  queue_full,           // it was the last in order when one more came; not checked
  hung_up,              // cancel(); not checked
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

// Those of the clients that exist now.
std::vector<AuthAccount> accounts_of(const Peers& peers);

struct AuthOptions {
  unsigned shards = 1;
  std::function<void(unsigned shard)> wake;  // called on the auth thread after a batch of results
  std::function<std::int64_t()> clock_us;    // monotonic; empty = the system's
  bool own_thread = true;                    // false: the owner calls step()
  unsigned threads = 2;                      // hashers
  std::size_t waiting_max = 12'000;          // binds that wait, over all shards
  // Whether a password has a hash; on the hashers' threads. Empty = by crypt(5).
  std::function<bool(const char* password, const std::string& hash)> check;
};

// How many hashers: `configured`, or by the cores when that is 0.
unsigned auth_threads(unsigned configured, unsigned cores);

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

  // The shard's thread. False: its ring is full; answer ESME_RBINDFAIL. A text that is longer
  // than the field allows is checked and refused like any other wrong one.
  [[nodiscard]] bool submit(const AuthRequest& request);

  // The shard's thread: nobody waits for the answer any more. The result comes all the same.
  void cancel(unsigned shard, std::uint64_t session);

  // The shard's thread. One result in the order they were finished; false when there is none.
  [[nodiscard]] bool poll_result(unsigned shard, AuthResult& out);

  // Without a separate thread: takes what was submitted, and computes at most one hash.
  void step();

  // Any thread: results by outcome so far, hashes computed, binds accepted without one, and binds
  // that wait for one now.
  std::uint64_t outcomes(AuthOutcome outcome) const;
  std::uint64_t hashes() const;
  std::uint64_t remembered() const;
  std::uint64_t waiting() const;

  std::size_t pending_max() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tollgate::gateway
