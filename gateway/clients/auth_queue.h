// Binds that wait for their password check, in the order in which they get it.
//
// Thread: the auth thread alone. Keys are keyed hashes (gateway/clients/keyed_hash.h).
//
// Invariants
// 1. Requests from known-good sources come first. Of strangers, sources without a recent failure
//    come before sources with one; but every kShare-th take is one of the latter.
// 2. Within a class sources take turns: a request's turn is one after the last waiting one of its
//    source, and never before the one served last. So a source that sends many delays only itself.
//    Within a turn accounts take turns likewise, then the first come is first.
// 3. At most `max` wait. When one more comes, the last in order gives way, which may be itself.
// 4. A request leaves exactly once: by take(), cancel() or by giving way.
//
// Bounds: `max` requests, and for each of them one entry by session, source and account.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string.h>
#include <unordered_map>

#include "gateway/config/ip.h"
#include "gateway/config/password.h"

namespace tollgate::gateway {

inline constexpr std::size_t kSystemIdMax = 15;

// A bind to be checked, or the word that it need not be any more. No copy outlives its password.
struct AuthPending {
  AuthPending() = default;
  AuthPending(const AuthPending&) = default;
  AuthPending& operator=(const AuthPending&) = default;
  ~AuthPending() { explicit_bzero(password, sizeof password); }

  std::uint64_t session = 0;
  unsigned shard = 0;
  bool cancels = false;
  bool fits = false;  // both texts are within their bounds and hold no NUL
  Ip peer;
  char system_id[kSystemIdMax + 1] = "";
  char password[kPasswordMax + 1] = "";
};

enum class AuthClass : std::uint8_t { known_good, clean, failed_lately };

class AuthQueue {
 public:
  static constexpr unsigned kShare = 4;

  struct Keys {
    std::uint64_t source = 0;
    std::uint64_t account = 0;
    AuthClass in = AuthClass::clean;
  };

  explicit AuthQueue(std::size_t max) : max_(max) {}

  // The one that gave way for it, if any.
  std::optional<AuthPending> add(const AuthPending& request, const Keys& keys);
  std::optional<AuthPending> take();
  // The source has failed: what waits of it is clean no more.
  void demote(std::uint64_t source);
  std::optional<AuthPending> cancel(unsigned shard, std::uint64_t session);
  std::size_t size() const { return order_.size(); }

 private:
  struct Place {
    AuthClass in;
    std::uint64_t turn;
    std::uint64_t account_turn;
    std::uint64_t number;
    auto operator<=>(const Place&) const = default;
  };
  struct Waiting {
    AuthPending request;
    std::uint64_t source;
    std::uint64_t account;
  };
  struct Line {  // what waits of a source or an account
    std::set<Place> places;
    std::uint64_t last_turn = 0;
  };
  using Order = std::map<Place, Waiting>;
  using Lines = std::unordered_map<std::uint64_t, Line>;

  AuthPending leave(Order::iterator at);
  static void leave(Lines& lines, std::uint64_t key, const Place& place);
  static std::uint64_t join(Lines& lines, std::uint64_t key, std::uint64_t served);

  std::size_t max_;
  Order order_;
  std::map<std::pair<unsigned, std::uint64_t>, Place> places_;  // by shard and session
  Lines sources_;
  Lines accounts_;
  std::uint64_t served_ = 0;          // the turn that was served last
  std::uint64_t served_account_ = 0;  // likewise, within it
  std::uint64_t numbers_ = 0;
  unsigned takes_ = 0;
};

}  // namespace tollgate::gateway
