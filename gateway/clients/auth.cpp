#include "gateway/clients/auth.h"

#include <algorithm>
#include <atomic>
#include <crypt.h>
#include <map>
#include <optional>
#include <pthread.h>
#include <string.h>
#include <thread>
#include <time.h>
#include <unordered_map>
#include <utility>

#include <boost/lockfree/spsc_queue.hpp>

#include "core/published.h"
#include "gateway/clients/auth_failures.h"
#include "gateway/clients/auth_memory.h"
#include "gateway/config/password.h"
#include "gateway/config/peers.h"

namespace tollgate::gateway {
namespace {

constexpr std::size_t kPasswordMaxOfSpecification = 8;
constexpr std::size_t kTakenAtATime = 256;  // requests of a shard, between two looks at the hashers
constexpr std::size_t kSpare = 1024;        // requests that a full queue may still choose among

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

// A request whose turn has come, with all that its answer depends on.
struct Job {
  AuthPending request;
  std::string hash = {};  // the account's, or the decoy's
  std::uint64_t source = 0;
  std::uint16_t client = 0;
  std::uint32_t credentials = 0;
  bool known = false;
  bool allowed = false;
  bool good = false;
  bool length_is_right = false;
  bool same = false;  // what the hasher found
};

bool has_hash(const char* password, const std::string& hash, crypt_data& data) {
  const char* made = crypt_r(password, hash.c_str(), &data);
  const bool same = made != nullptr && made[0] != '*' && equal_in_constant_time(made, hash);
  explicit_bzero(&data, sizeof data);
  return same;
}

// A thread that hashes one job at a time. Who gives it one looks for it when the bell has rung.
class Hasher {
 public:
  Hasher(const AuthOptions& options, std::atomic<std::uint32_t>& bell)
      : options_(options), bell_(bell) {
    if (!options.own_thread) return;
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), "auth-hash");
  }
  ~Hasher() {
    state_.wait(kGiven, std::memory_order_acquire);
    state_.store(kStop, std::memory_order_release);
    state_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  bool idle() const { return state_.load(std::memory_order_acquire) == kIdle; }
  bool done() const { return state_.load(std::memory_order_acquire) == kDone; }
  void give(Job job) {
    job_ = std::move(job);
    state_.store(kGiven, std::memory_order_release);
    state_.notify_all();
    if (!thread_.joinable()) work();
  }
  Job take() {
    Job job = std::move(job_);
    job_ = {};
    state_.store(kIdle, std::memory_order_release);
    return job;
  }

 private:
  enum : std::uint32_t { kIdle, kGiven, kDone, kStop };

  void run() {
    for (;;) {
      const std::uint32_t state = state_.load(std::memory_order_acquire);
      if (state == kStop) return;
      if (state == kGiven) {
        work();
      } else {
        state_.wait(state, std::memory_order_acquire);
      }
    }
  }
  void work() {
    const char* password = job_.request.password;
    job_.same = options_.check ? options_.check(password, job_.hash)
                               : has_hash(password, job_.hash, *data_);
    state_.store(kDone, std::memory_order_release);
    state_.notify_all();
    bell_.fetch_add(1, std::memory_order_release);
    bell_.notify_one();
  }

  const AuthOptions& options_;
  std::atomic<std::uint32_t>& bell_;
  std::atomic<std::uint32_t> state_{kIdle};
  Job job_;
  std::unique_ptr<crypt_data> data_ = std::make_unique<crypt_data>();
  std::thread thread_;
};

}  // namespace

struct Auth::State {
  State(std::vector<AuthAccount> accounts, AuthOptions asked)
      : options(std::move(asked)),
        published(std::make_unique<const Accounts>(std::move(accounts))),
        queue(options.waiting_max),
        lanes(options.shards) {
    for (auto& lane : lanes) lane = std::make_unique<Lane>(options.waiting_max + kSpare);
    const unsigned hashing = options.own_thread ? std::max(options.threads, 1U) : 1;
    for (unsigned i = 0; i < hashing; ++i) {
      hashers.push_back(std::make_unique<Hasher>(options, bell));
    }
  }

  struct Lane {  // one shard's two rings
    explicit Lane(std::size_t max) : pending_max(max), requests(2 * max), results(max) {}
    const std::size_t pending_max;
    boost::lockfree::spsc_queue<AuthPending> requests;  // and as many cancels
    boost::lockfree::spsc_queue<AuthResult> results;
    std::size_t pending = 0;  // the shard's: submitted and not polled yet
    bool answered = false;    // since its shard was woken last
  };

  AuthOptions options;
  core::Published<Accounts> published;
  core::Published<Accounts>::Reader reader{published};
  const std::uint64_t seed = random_seed();
  AuthFailures failures{kFailureSlots, kAccountSlots, random_seed()};
  AuthMemory memory;
  AuthQueue queue;
  std::vector<std::unique_ptr<Lane>> lanes;

  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(AuthOutcome::count)> outcomes{};
  std::atomic<std::uint64_t> hashes{0};
  std::atomic<std::uint64_t> known_again{0};
  std::atomic<std::uint64_t> waiting{0};
  std::atomic<std::uint32_t> bell{0};
  std::atomic<bool> stopping{false};
  std::vector<std::unique_ptr<Hasher>> hashers;
  std::thread thread;

  void run();
  bool work();
  bool take_requests(Lane& lane);
  void take(const AuthPending& request);
  std::optional<AuthOutcome> judge(Job& job, std::int64_t now_us);
  void read_accounts();
  bool give(Hasher& hasher);
  void finish(const Job& job);
  void answer(const Job& job, AuthOutcome outcome);
  std::int64_t now_us() const { return options.clock_us ? options.clock_us() : monotonic_us(); }
};

void Auth::State::run() {
  while (!stopping.load(std::memory_order_acquire)) {
    // Read before the rings: a submit after this line changes the bell, and wait() returns.
    const std::uint32_t seen = bell.load(std::memory_order_acquire);
    if (!work()) bell.wait(seen, std::memory_order_acquire);
  }
}

// What was submitted first, so that the best of all that waits is hashed next.
bool Auth::State::work() {
  bool worked = false;
  for (const auto& lane : lanes) worked |= take_requests(*lane);
  for (const auto& hasher : hashers) {
    if (hasher->done()) finish(hasher->take());
    if (hasher->idle()) worked |= give(*hasher);
    if (!options.own_thread && hasher->done()) finish(hasher->take());
  }
  waiting.store(queue.size(), std::memory_order_relaxed);
  for (unsigned shard = 0; shard < lanes.size(); ++shard) {
    if (std::exchange(lanes[shard]->answered, false) && options.wake) options.wake(shard);
  }
  return worked;
}

bool Auth::State::take_requests(Lane& lane) {
  std::size_t taken = 0;
  while (taken < kTakenAtATime &&
         lane.requests.consume_one([&](const AuthPending& request) { take(request); })) {
    ++taken;
  }
  return taken != 0;
}

void Auth::State::take(const AuthPending& request) {
  if (request.cancels) {
    const auto left = queue.cancel(request.shard, request.session);
    if (left) answer({.request = *left}, AuthOutcome::hung_up);
    return;
  }
  Job job{.request = request};
  const std::int64_t now = now_us();
  if (const auto outcome = judge(job, now)) return answer(job, *outcome);
  AuthQueue::Keys keys{job.source, keyed_hash(seed, request.system_id), AuthClass::known_good};
  if (!job.good) {
    const bool clean = failures.clean(request.peer, now);
    keys.in = clean ? AuthClass::clean : AuthClass::failed_lately;
  }
  const auto last = queue.add(request, keys);
  if (last) answer({.request = *last}, AuthOutcome::queue_full);
}

void Auth::State::read_accounts() {
  const Accounts* before = reader.current();
  reader.refresh();
  if (reader.current() == before) return;
  std::unordered_map<std::uint16_t, std::uint32_t> now;
  for (const auto& [name, account] : reader->by_name) now[account.client] = account.credentials;
  memory.keep([&](std::uint16_t client, std::uint32_t credentials) {
    const auto found = now.find(client);
    return found != now.end() && found->second == credentials;
  });
}

// What can be said of a request without a crypt; none: it takes one. The same work for all.
std::optional<AuthOutcome> Auth::State::judge(Job& job, std::int64_t now) {
  read_accounts();
  const AuthPending& request = job.request;
  const std::string_view system_id = request.system_id;
  const auto found = reader->by_name.find(system_id);
  job.known = found != reader->by_name.end();
  const auto& decoys = reader->decoys;
  const AuthAccount& account =
      job.known ? found->second : *decoys[keyed_hash(seed, system_id) % decoys.size()];
  job.hash = account.hash;
  job.client = account.client;
  job.credentials = account.credentials;
  job.source = keyed_hash(seed, source_octets(request.peer));
  job.allowed = matching(account.allow, request.peer);
  const bool vouched = !account.allow.empty() && job.allowed;
  job.good = job.known && (vouched || memory.good(account.client, job.source));
  job.length_is_right =
      account.long_password || std::strlen(request.password) <= kPasswordMaxOfSpecification;
  const bool remembered = memory.knows(account.client, memory.digest(job.hash, request.password));
  if (!failures.may_try(request.peer, system_id, now, job.good)) {
    return AuthOutcome::too_many_failures;
  }
  if (!job.good && !failures.account_may_try(system_id, now)) {
    return AuthOutcome::account_failures;
  }
  job.same = remembered;
  if (!remembered || !job.known || !job.allowed || !request.fits || !job.length_is_right) {
    return std::nullopt;
  }
  known_again.fetch_add(1, std::memory_order_relaxed);
  return AuthOutcome::accepted;
}

// Whatever was learnt while it waited counts: others of its source may have failed meanwhile, or
// another session of its account been verified.
bool Auth::State::give(Hasher& hasher) {
  while (const auto request = queue.take()) {
    Job job{.request = *request};
    if (const auto outcome = judge(job, now_us())) {
      answer(job, *outcome);
      continue;
    }
    hashes.fetch_add(1, std::memory_order_relaxed);
    hasher.give(std::move(job));
    return true;
  }
  return false;
}

void Auth::State::finish(const Job& job) {
  AuthOutcome outcome = AuthOutcome::accepted;
  if (!job.known) {
    outcome = AuthOutcome::unknown_client;
  } else if (!job.allowed) {
    outcome = AuthOutcome::address_not_allowed;
  } else if (!job.same || !job.request.fits || !job.length_is_right) {
    outcome = AuthOutcome::wrong_password;
  }
  if (outcome != AuthOutcome::accepted) {
    failures.failed(job.request.peer, job.request.system_id, now_us(), job.good);
    if (!job.good) queue.demote(job.source);
  }
  answer(job, outcome);
}

void Auth::State::answer(const Job& job, AuthOutcome outcome) {
  if (outcome == AuthOutcome::accepted) {
    memory.verified({job.client, job.credentials, job.source},
                    memory.digest(job.hash, job.request.password));
  }
  outcomes[static_cast<std::size_t>(outcome)].fetch_add(1, std::memory_order_relaxed);
  Lane& lane = *lanes[job.request.shard];
  lane.results.push({job.request.session, outcome, job.client, job.credentials});  // invariant 1
  lane.answered = true;
}

std::vector<AuthAccount> accounts_of(const Peers& peers) {
  std::vector<AuthAccount> accounts;
  for (std::size_t i = 0; i < peers.clients.size(); ++i) {
    const ClientPeer& peer = peers.clients[i];
    if (peer.gone) continue;
    accounts.push_back({peer.config->system_id, peer.config->password_hash, peer.config->allow,
                        static_cast<std::uint16_t>(i), peer.credentials,
                        peer.config->long_password});
  }
  return accounts;
}

Auth::Auth(const std::vector<ClientConfig>& clients, AuthOptions options)
    : Auth(accounts_of(clients), std::move(options)) {}

Auth::Auth(std::vector<AuthAccount> accounts, AuthOptions options)
    : state_(std::make_unique<State>(std::move(accounts), std::move(options))) {
  State& state = *state_;
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
  state_->work();
}

bool Auth::submit(const AuthRequest& request) {
  State::Lane& lane = *state_->lanes[request.shard];
  if (lane.pending >= lane.pending_max) return false;
  AuthPending pending;
  pending.shard = request.shard;
  pending.session = request.session;
  pending.peer = request.peer;
  const bool id_fits = copy_text(request.system_id, pending.system_id, kSystemIdMax);
  const bool password_fits = copy_text(request.password, pending.password, kPasswordMax);
  pending.fits = id_fits && password_fits;
  if (!lane.requests.push(pending)) return false;
  ++lane.pending;
  state_->bell.fetch_add(1, std::memory_order_release);
  state_->bell.notify_one();
  return true;
}

void Auth::cancel(unsigned shard, std::uint64_t session) {
  AuthPending pending;
  pending.shard = shard;
  pending.session = session;
  pending.cancels = true;
  // Without room it is hashed for nobody.
  if (!state_->lanes[shard]->requests.push(pending)) return;
  state_->bell.fetch_add(1, std::memory_order_release);
  state_->bell.notify_one();
}

bool Auth::poll_result(unsigned shard, AuthResult& out) {
  State::Lane& lane = *state_->lanes[shard];
  if (!lane.results.pop(out)) return false;
  --lane.pending;
  return true;
}

std::size_t Auth::pending_max() const {
  return state_->options.waiting_max + kSpare;
}

std::uint64_t Auth::outcomes(AuthOutcome outcome) const {
  return state_->outcomes[static_cast<std::size_t>(outcome)].load(std::memory_order_relaxed);
}

std::uint64_t Auth::hashes() const {
  return state_->hashes.load(std::memory_order_relaxed);
}

std::uint64_t Auth::remembered() const {
  return state_->known_again.load(std::memory_order_relaxed);
}

std::uint64_t Auth::waiting() const {
  return state_->waiting.load(std::memory_order_relaxed);
}

unsigned auth_threads(unsigned configured, unsigned cores) {
  constexpr unsigned kLeast = 2;
  constexpr unsigned kMost = 16;
  return configured != 0 ? configured : std::clamp(cores / 2, kLeast, kMost);
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
    case AuthOutcome::account_failures:
      return "account_failures";
    case AuthOutcome::queue_full:
      return "queue_full";
    case AuthOutcome::hung_up:
      return "hung_up";
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
    case AuthOutcome::account_failures:
    case AuthOutcome::queue_full:
    case AuthOutcome::hung_up:
      return proto::Status::ESME_RBINDFAIL;
    default:
      return proto::Status::ESME_RINVPASWD;
  }
}

}  // namespace tollgate::gateway
