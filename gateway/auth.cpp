#include "gateway/auth.h"

#include <atomic>
#include <crypt.h>
#include <map>
#include <pthread.h>
#include <random>
#include <string.h>
#include <thread>
#include <time.h>

#include <boost/lockfree/spsc_queue.hpp>

#include "core/published.h"
#include "gateway/auth_failures.h"

namespace tollgate::gateway {
namespace {

constexpr std::size_t kSystemIdMax = 15;
constexpr std::size_t kPasswordMaxOfSpecification = 8;

struct Pending {
  std::uint64_t session = 0;
  Ip peer;
  bool fits = false;  // both texts are within their bounds and hold no NUL
  char system_id[kSystemIdMax + 1] = "";
  char password[kPasswordMax + 1] = "";
};

bool copy_text(std::string_view text, char* out, std::size_t max) {
  const std::size_t length = std::min(text.size(), max);
  text.copy(out, length);
  out[length] = '\0';
  return text.size() <= max && text.find('\0') == text.npos;
}

bool equal_in_constant_time(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  unsigned different = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    different |= static_cast<unsigned char>(left[i]) ^ static_cast<unsigned char>(right[i]);
  }
  return different == 0;
}

std::int64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1'000;
}

std::uint64_t random_seed() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

// Who may bind; immutable.
struct Accounts {
  explicit Accounts(std::vector<AuthAccount> all);

  std::map<std::string, AuthAccount, std::less<>> by_name;
  std::vector<const AuthAccount*> decoys;  // whose hash an unknown system_id is checked against
  AuthAccount decoy;                       // when there is no client at all
};

Accounts::Accounts(std::vector<AuthAccount> all) {
  for (AuthAccount& each : all) by_name.insert_or_assign(each.system_id, std::move(each));
  for (const auto& [name, account] : by_name) decoys.push_back(&account);
  if (!decoys.empty()) return;
  decoy.hash = hash_password("");
  decoys.push_back(&decoy);
}

std::vector<AuthAccount> accounts_of(const std::vector<ClientConfig>& clients) {
  std::vector<AuthAccount> accounts;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const ClientConfig& client = clients[i];
    accounts.push_back({client.system_id, client.password_hash, client.allow,
                        static_cast<std::uint16_t>(i), 1, client.long_password});
  }
  return accounts;
}

}  // namespace

struct Auth::State {
  explicit State(std::vector<AuthAccount> accounts)
      : published(std::make_unique<const Accounts>(std::move(accounts))) {}

  struct Lane {  // one shard's two rings
    boost::lockfree::spsc_queue<Pending, boost::lockfree::capacity<kAuthPending>> requests;
    boost::lockfree::spsc_queue<AuthResult, boost::lockfree::capacity<kAuthPending>> results;
    std::size_t pending = 0;  // the shard's: submitted and not polled yet
  };

  AuthOptions options;
  core::Published<Accounts> published;
  core::Published<Accounts>::Reader reader{published};
  std::vector<std::unique_ptr<Lane>> lanes;
  std::uint64_t seed = random_seed();
  AuthFailures failures{kFailureSlots, random_seed()};
  std::unique_ptr<crypt_data> crypt = std::make_unique<crypt_data>();

  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(AuthOutcome::count)> outcomes{};
  std::atomic<std::uint64_t> hashes{0};
  std::atomic<std::uint32_t> bell{0};
  std::atomic<bool> stopping{false};
  std::thread thread;

  void run();
  bool serve(unsigned shard);
  AuthResult decide(const Pending& request);
  bool password_is_right(const AuthAccount& account, const Pending& request);
};

void Auth::State::run() {
  while (!stopping.load(std::memory_order_acquire)) {
    // Read before the rings: a submit after this line changes the bell, and wait() returns.
    const std::uint32_t seen = bell.load(std::memory_order_acquire);
    bool worked = false;
    for (unsigned shard = 0; shard < lanes.size(); ++shard) worked |= serve(shard);
    if (!worked) bell.wait(seen, std::memory_order_acquire);
  }
}

// One request of one shard, so that a shard with many never starves the others.
bool Auth::State::serve(unsigned shard) {
  Lane& lane = *lanes[shard];
  AuthResult result;
  const bool found = lane.requests.consume_one([&](Pending& request) {
    result = decide(request);
    explicit_bzero(request.password, sizeof request.password);
  });
  if (!found) return false;
  outcomes[static_cast<std::size_t>(result.outcome)].fetch_add(1, std::memory_order_relaxed);
  lane.results.push(result);  // never full: invariant 1
  if (options.wake) options.wake(shard);
  return true;
}

AuthResult Auth::State::decide(const Pending& request) {
  AuthResult result{request.session, AuthOutcome::accepted, 0};
  const std::int64_t now_us = options.clock_us ? options.clock_us() : monotonic_us();
  const std::string_view system_id = request.system_id;
  if (!failures.may_try(request.peer, system_id, now_us)) {
    result.outcome = AuthOutcome::too_many_failures;
    return result;
  }
  reader.refresh();
  const Accounts& accounts = *reader;
  const auto known = accounts.by_name.find(system_id);
  const AuthAccount& account =
      known != accounts.by_name.end()
          ? known->second
          : *accounts.decoys[keyed_hash(seed, system_id) % accounts.decoys.size()];
  const bool right = password_is_right(account, request);
  if (known == accounts.by_name.end()) {
    result.outcome = AuthOutcome::unknown_client;
  } else if (!matching(account.allow, request.peer)) {
    result.outcome = AuthOutcome::address_not_allowed;
  } else if (!right) {
    result.outcome = AuthOutcome::wrong_password;
  } else {
    result.client = account.client;
    result.credentials = account.credentials;
  }
  if (result.outcome != AuthOutcome::accepted) failures.failed(request.peer, system_id, now_us);
  return result;
}

bool Auth::State::password_is_right(const AuthAccount& account, const Pending& request) {
  hashes.fetch_add(1, std::memory_order_relaxed);
  const char* hash = crypt_r(request.password, account.hash.c_str(), crypt.get());
  const bool same = hash && hash[0] != '*' && equal_in_constant_time(hash, account.hash);
  explicit_bzero(crypt.get(), sizeof *crypt);
  const bool length_is_right =
      account.long_password || std::strlen(request.password) <= kPasswordMaxOfSpecification;
  return same && request.fits && length_is_right;
}

Auth::Auth(const std::vector<ClientConfig>& clients, AuthOptions options)
    : Auth(accounts_of(clients), std::move(options)) {}

Auth::Auth(std::vector<AuthAccount> accounts, AuthOptions options)
    : state_(std::make_unique<State>(std::move(accounts))) {
  State& state = *state_;
  state.options = std::move(options);
  for (unsigned i = 0; i < state.options.shards; ++i) {
    state.lanes.push_back(std::make_unique<State::Lane>());
  }
  if (!state.options.own_thread) return;
  state.thread = std::thread([&state] { state.run(); });
  pthread_setname_np(state.thread.native_handle(), "auth");
}

Auth::~Auth() {
  state_->stopping.store(true, std::memory_order_release);
  state_->bell.fetch_add(1, std::memory_order_release);
  state_->bell.notify_one();
  if (state_->thread.joinable()) state_->thread.join();
}

void Auth::replace(std::vector<AuthAccount> accounts) {
  state_->published.publish(std::make_unique<const Accounts>(std::move(accounts)));
}

void Auth::step() {
  for (unsigned shard = 0; shard < state_->lanes.size(); ++shard) state_->serve(shard);
}

bool Auth::submit(const AuthRequest& request) {
  State::Lane& lane = *state_->lanes[request.shard];
  if (lane.pending >= kAuthPending) return false;
  Pending pending;
  pending.session = request.session;
  pending.peer = request.peer;
  const bool id_fits = copy_text(request.system_id, pending.system_id, kSystemIdMax);
  const bool password_fits = copy_text(request.password, pending.password, kPasswordMax);
  pending.fits = id_fits && password_fits;
  const bool queued = lane.requests.push(pending);
  explicit_bzero(pending.password, sizeof pending.password);
  if (!queued) return false;
  ++lane.pending;
  state_->bell.fetch_add(1, std::memory_order_release);
  state_->bell.notify_one();
  return true;
}

bool Auth::poll_result(unsigned shard, AuthResult& out) {
  State::Lane& lane = *state_->lanes[shard];
  if (!lane.results.pop(out)) return false;
  --lane.pending;
  return true;
}

std::uint64_t Auth::outcomes(AuthOutcome outcome) const {
  return state_->outcomes[static_cast<std::size_t>(outcome)].load(std::memory_order_relaxed);
}

std::uint64_t Auth::hashes() const {
  return state_->hashes.load(std::memory_order_relaxed);
}

std::string_view auth_outcome_name(AuthOutcome outcome) {
  switch (outcome) {
    case AuthOutcome::accepted:
      return "accepted";
    case AuthOutcome::unknown_client:
      return "unknown_client";
    case AuthOutcome::wrong_password:
      return "wrong_password";
    case AuthOutcome::address_not_allowed:
      return "address_not_allowed";
    case AuthOutcome::too_many_failures:
      return "too_many_failures";
    case AuthOutcome::count:
      break;
  }
  return "";
}

proto::Status auth_status(AuthOutcome outcome) {
  switch (outcome) {
    case AuthOutcome::accepted:
      return proto::Status::ESME_ROK;
    case AuthOutcome::too_many_failures:
      return proto::Status::ESME_RBINDFAIL;
    default:
      return proto::Status::ESME_RINVPASWD;
  }
}

}  // namespace tollgate::gateway
