#include "routing/store/redis.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <tuple>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "core/resolve.h"
#include "routing/fault.h"

namespace tollgate::routing {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kReadOctets = 64 * 1024;

// hiredis parses; what it parsed is put together here, within bounds. The functions are called by C
// code: they throw nothing, and a null pointer ends the parsing.
struct Building {
  std::size_t parts_left = kReplyPartsMax;
};

void* placed(const redisReadTask* task, RedisReply&& reply) noexcept {
  auto* building = static_cast<Building*>(task->privdata);
  if (building->parts_left == 0) return nullptr;
  --building->parts_left;
  try {
    if (task->parent == nullptr) return new RedisReply(std::move(reply));
    auto& parts = static_cast<RedisReply*>(task->parent->obj)->parts;
    return &(parts.at(static_cast<std::size_t>(task->idx)) = std::move(reply));
  } catch (...) {
    return nullptr;
  }
}

void* create_string(const redisReadTask* task, char* octets, std::size_t length) noexcept {
  using Kind = RedisReply::Kind;
  try {
    RedisReply reply;
    reply.kind = task->type == REDIS_REPLY_ERROR    ? Kind::error
                 : task->type == REDIS_REPLY_STATUS ? Kind::status
                                                    : Kind::text;
    reply.text.assign(octets, length);
    return placed(task, std::move(reply));
  } catch (...) {
    return nullptr;
  }
}

void* create_array(const redisReadTask* task, int elements) noexcept {
  const auto* building = static_cast<Building*>(task->privdata);
  if (elements < 0 || static_cast<std::size_t>(elements) > building->parts_left) return nullptr;
  try {
    RedisReply reply;
    reply.kind = RedisReply::Kind::list;
    reply.parts.resize(static_cast<std::size_t>(elements));
    return placed(task, std::move(reply));
  } catch (...) {
    return nullptr;
  }
}

void* create_integer(const redisReadTask* task, long long value) noexcept {
  RedisReply reply;
  reply.kind = RedisReply::Kind::integer;
  reply.integer = value;
  return placed(task, std::move(reply));
}

void* create_nil(const redisReadTask* task) noexcept {
  return placed(task, RedisReply{});
}

void free_reply(void* reply) noexcept {
  delete static_cast<RedisReply*>(reply);
}

redisReplyObjectFunctions kFunctions{create_string, create_array, create_integer, create_nil,
                                     free_reply};

// What a person can do about an error of Redis.
std::string advice(std::string_view error) {
  if (error.starts_with("OOM")) return ": raise its maxmemory, or free some";
  if (error.starts_with("READONLY")) return ": it is a replica, connect to its master";
  if (error.starts_with("NOAUTH") || error.starts_with("WRONGPASS"))
    return ": see [tables] password_file";
  if (error.starts_with("NOPERM")) return ": its user needs the rights of docs/pricing.md";
  if (error.starts_with("MISCONF")) return ": its disk fails";
  if (error.starts_with("LOADING")) return ": it is starting, try again";
  return "";
}

}  // namespace

struct Redis::Link {
  explicit Link(RedisOptions with) : options(std::move(with)) {}
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { close(); }

  void close() {
    if (fd >= 0) ::close(fd);
    if (reader != nullptr) redisReaderFree(reader);
    fd = -1;
    reader = nullptr;
  }

  // In words of ours: what others said goes through printable() before.
  tl::unexpected<StoreError> failed(const std::string& why) {
    close();
    return tl::unexpected<StoreError>(
        {StoreFault::unreachable, "Redis at " + address() + ": " + why});
  }

  std::string address() const {
    const bool path = options.host.starts_with('/');
    std::string text = printable(options.host);
    if (!path) text += ":" + std::to_string(options.port);
    return text + (path ? ":" : "/") + std::to_string(options.database);
  }

  // Until the socket is ready; the reason when it will not be. Who calls it in a loop looks at the
  // deadline as well: a peer that always has a little more is always ready.
  enum class Ready : std::uint8_t { yes, late, woken, failed };
  Ready wait(short events, Clock::time_point deadline) const { return wait(fd, events, deadline); }
  Ready wait(int what, short events, Clock::time_point deadline) const {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      pollfd polled[] = {{what, events, 0}, {options.wake_fd, POLLIN, 0}};
      const int timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
      const int count = poll(polled, 2, timeout);
      if (count < 0 && errno != EINTR) return Ready::failed;
      // The wake-up first, whatever comes.
      if (count > 0) return polled[1].revents != 0 ? Ready::woken : Ready::yes;
      if (count == 0 && Clock::now() >= deadline) return Ready::late;
    }
  }
  static const char* why(Ready ready) {
    return ready == Ready::late ? "no answer in time" : "the wait was ended";
  }

  StoreResult<void> open();
  StoreResult<std::vector<core::SocketAddress>> resolve(Clock::time_point deadline);
  StoreResult<void> connect_path(Clock::time_point deadline);
  StoreResult<void> connect_number(Clock::time_point deadline);
  bool connect_to(const core::SocketAddress& at, Clock::time_point until, std::string& reason);
  StoreResult<void> send(const Arguments& arguments, Clock::time_point deadline);
  // Null without an error: nothing came until the deadline, or a wake-up.
  StoreResult<std::unique_ptr<RedisReply>> receive(Clock::time_point deadline, Ready& ended);
  StoreResult<RedisReply> answer(std::string_view command, Clock::time_point deadline);
  StoreResult<RedisReply> exchange(const Arguments& arguments, Clock::time_point deadline);
  StoreResult<RedisReply> finish(const std::vector<std::vector<std::string>>& commands,
                                 Clock::time_point deadline, bool& may_be_done);
  Clock::time_point command_deadline() const {
    return Clock::now() + std::chrono::microseconds(options.command_us);
  }

  RedisOptions options;
  int fd = -1;
  // A lookup that has not come back: the next attempt waits for the same one, so that a silent name
  // server has one thread of ours and no more.
  std::shared_ptr<core::EventFd> looked_up = std::make_shared<core::EventFd>();
  std::shared_ptr<core::Lookup> lookup;
  redisReader* reader = nullptr;
  Building building;
  std::vector<char> buffer = std::vector<char>(kReadOctets);
};

// The C library's resolver blocks as long as it likes: on a thread of its own.
StoreResult<std::vector<core::SocketAddress>> Redis::Link::resolve(Clock::time_point deadline) {
  const core::Address address{options.host, options.port};
  core::SocketAddress number;
  if (core::parse_numeric(address, number)) return std::vector{number};
  if (!lookup) lookup = core::look_up_aside(address, looked_up);
  while (!lookup->done.load(std::memory_order_acquire)) {
    const Ready ready = wait(looked_up->fd(), POLLIN, deadline);
    if (ready != Ready::yes) return failed(std::string("its name was not found: ") + why(ready));
    looked_up->read();
  }
  const auto done = std::exchange(lookup, nullptr);
  if (done->all.empty()) return failed(printable(done->reason));
  return std::move(done->all);
}

// False: not connected, the reason says why.
bool Redis::Link::connect_to(const core::SocketAddress& at, Clock::time_point until,
                             std::string& reason) {
  fd = socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int error = fd < 0 || connect(fd, at.get(), at.length) != 0 ? errno : 0;
  Ready ready = Ready::yes;
  if (fd >= 0 && error == EINPROGRESS) {
    ready = wait(POLLOUT, until);
    socklen_t length = sizeof error;
    if (ready == Ready::yes) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error == 0) return true;
  reason = ready == Ready::yes ? std::strerror(error) : why(ready);
  close();
  return false;
}

StoreResult<void> Redis::Link::connect_path(Clock::time_point deadline) {
  core::SocketAddress at;
  auto& path = reinterpret_cast<sockaddr_un&>(at.storage);
  path.sun_family = AF_UNIX;
  if (options.host.size() >= sizeof path.sun_path) return failed("its path is too long");
  std::memcpy(path.sun_path, options.host.data(), options.host.size());
  at.length = sizeof path;
  std::string reason;
  if (!connect_to(at, deadline, reason)) return failed("cannot connect: " + reason);
  return {};
}

// Each of a name's addresses has its share of the time that is left: one that is silent does not
// take that of the next.
StoreResult<void> Redis::Link::connect_number(Clock::time_point deadline) {
  const auto found = resolve(deadline);
  if (!found) return tl::unexpected(found.error());
  std::string reasons;
  for (std::size_t i = 0; i < found->size(); ++i) {
    const auto begin = Clock::now();
    const auto share = (deadline - begin) / static_cast<std::int64_t>(found->size() - i);
    std::string reason;
    if (connect_to((*found)[i], begin + share, reason)) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      return {};
    }
    const core::Address number = core::to_address((*found)[i]);
    reasons += reasons.empty() ? "cannot connect" : "; nor";
    if (number.host != options.host) reasons += " to " + number.text();
    reasons += ": " + reason;
  }
  return failed(reasons);
}

// With its names and words, by one deadline.
StoreResult<void> Redis::Link::open() {
  close();
  const auto deadline = Clock::now() + std::chrono::microseconds(options.connect_us);
  const bool path = options.host.starts_with('/');
  if (const auto done = path ? connect_path(deadline) : connect_number(deadline); !done) {
    return done;
  }
  reader = redisReaderCreateWithFunctions(&kFunctions);
  if (reader == nullptr) return failed("out of memory");
  building = {};
  reader->privdata = &building;
  const auto say = [&](const Arguments& arguments) -> StoreResult<void> {
    if (const auto reply = exchange(arguments, deadline); !reply) {
      close();
      return tl::unexpected(reply.error());
    }
    return {};
  };
  if (!options.password.empty()) {
    Arguments auth{"AUTH"};
    if (!options.user.empty()) auth.push_back(options.user);
    auth.push_back(options.password);
    if (const auto said = say(auth); !said) return said;
  }
  if (options.database == 0) return {};
  return say({"SELECT", std::to_string(options.database)});
}

StoreResult<void> Redis::Link::send(const Arguments& arguments, Clock::time_point deadline) {
  std::vector<const char*> pointers;
  std::vector<std::size_t> lengths;
  for (const std::string_view each : arguments) {
    pointers.push_back(each.data());
    lengths.push_back(each.size());
  }
  char* formatted = nullptr;
  const int length = redisFormatCommandArgv(&formatted, static_cast<int>(arguments.size()),
                                            pointers.data(), lengths.data());
  if (length < 0) return failed("out of memory");
  const std::unique_ptr<char, void (*)(char*)> freed(formatted,
                                                     [](char* c) { redisFreeCommand(c); });
  std::string_view left(formatted, static_cast<std::size_t>(length));
  while (!left.empty()) {
    const ssize_t sent = ::send(fd, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      left.remove_prefix(static_cast<std::size_t>(sent));
    } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      return failed(std::strerror(errno));
    } else if (const Ready ready = wait(POLLOUT, deadline); ready != Ready::yes) {
      return failed(why(ready));
    }
    if (!left.empty() && Clock::now() >= deadline) return failed(why(Ready::late));
  }
  return {};
}

StoreResult<std::unique_ptr<RedisReply>> Redis::Link::receive(Clock::time_point deadline,
                                                              Ready& ended) {
  std::size_t octets_left = kReplyOctetsMax;
  bool late = false;
  for (;;) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader, &reply) != REDIS_OK)
      return failed("what answers is no Redis, or answers too much: " + printable(reader->errstr));
    if (reply != nullptr) {
      building.parts_left = kReplyPartsMax;
      return std::unique_ptr<RedisReply>(static_cast<RedisReply*>(reply));
    }
    if (octets_left == 0) return failed("an answer is too long");
    ended = late ? Ready::late : wait(POLLIN, deadline);
    if (ended != Ready::yes) return std::unique_ptr<RedisReply>();
    const ssize_t got = recv(fd, buffer.data(), std::min(buffer.size(), octets_left), 0);
    if (got == 0) return failed("the connection was closed");
    if (got < 0 && errno != EAGAIN && errno != EINTR) return failed(std::strerror(errno));
    if (got > 0 &&
        redisReaderFeed(reader, buffer.data(), static_cast<std::size_t>(got)) != REDIS_OK)
      return failed("out of memory");
    if (got > 0) octets_left -= static_cast<std::size_t>(got);
    late = Clock::now() >= deadline;
  }
}

StoreResult<RedisReply> Redis::Link::answer(std::string_view command, Clock::time_point deadline) {
  Ready ended = Ready::yes;
  auto reply = receive(deadline, ended);
  if (!reply) return tl::unexpected(reply.error());
  if (*reply == nullptr) return failed(why(ended));
  RedisReply& answer = **reply;
  if (answer.kind == RedisReply::Kind::error) {
    return tl::unexpected<StoreError>(
        {StoreFault::refused, "Redis at " + address() + " refused " + std::string(command) + " (" +
                                  printable(answer.text) + ")" + advice(answer.text)});
  }
  return std::move(answer);
}

StoreResult<RedisReply> Redis::Link::exchange(const Arguments& arguments,
                                              Clock::time_point deadline) {
  if (const auto sent = send(arguments, deadline); !sent) return tl::unexpected(sent.error());
  return answer(arguments.front(), deadline);
}

// After MULTI: all of it is sent, then all answers are read, so that a transaction of many commands
// takes one way there and back.
StoreResult<RedisReply> Redis::Link::finish(const std::vector<std::vector<std::string>>& commands,
                                            Clock::time_point deadline, bool& may_be_done) {
  for (const auto& each : commands) {
    if (const auto sent = send({each.begin(), each.end()}, deadline); !sent)
      return tl::unexpected(sent.error());
  }
  may_be_done = true;
  if (const auto sent = send({"EXEC"}, deadline); !sent) return tl::unexpected(sent.error());
  std::optional<StoreError> refused;  // then EXEC does nothing
  for (const auto& each : commands) {
    const auto queued = answer(each.front(), deadline);
    if (queued) continue;
    if (fd < 0) return queued;
    if (!refused) refused = queued.error();
  }
  auto done = answer("EXEC", deadline);
  if (done || fd < 0) return done;
  if (refused) return tl::unexpected(*refused);
  close();  // whoever may not do EXEC is still in the transaction
  return done;
}

Redis::Redis(RedisOptions options) : link_(std::make_unique<Link>(std::move(options))) {}
Redis::~Redis() = default;
Redis::Redis(Redis&&) noexcept = default;
Redis& Redis::operator=(Redis&&) noexcept = default;

bool Redis::connected() const {
  return link_->fd >= 0;
}

void Redis::close() {
  link_->close();
}

std::string Redis::address() const {
  return link_->address();
}

StoreResult<RedisReply> Redis::command(const Arguments& arguments) {
  if (!connected()) {
    if (const auto opened = link_->open(); !opened) return tl::unexpected(opened.error());
  }
  return link_->exchange(arguments, link_->command_deadline());
}

StoreResult<RedisReply> Redis::transaction(const std::vector<std::vector<std::string>>& commands) {
  if (!connected()) {
    if (const auto opened = link_->open(); !opened) return tl::unexpected(opened.error());
  }
  const auto deadline = link_->command_deadline();
  if (const auto begun = link_->exchange({"MULTI"}, deadline); !begun) return begun;
  bool may_be_done = false;
  auto done = link_->finish(commands, deadline, may_be_done);
  if (!done && may_be_done && done.error().fault == StoreFault::unreachable)
    done.error().reason += "; whether it was done is not known, look before trying again";
  if (!done || !done->is_list()) return done;
  for (const RedisReply& part : done->parts) {
    if (part.kind != RedisReply::Kind::error) continue;
    return tl::unexpected<StoreError>(
        {StoreFault::refused, "Redis at " + address() + " refused a part of a transaction (" +
                                  printable(part.text) + ")" + advice(part.text)});
  }
  return done;
}

StoreResult<std::optional<std::string>> Redis::message(std::int64_t longest_us) {
  if (!connected())
    return tl::unexpected<StoreError>({StoreFault::unreachable, "there is no subscription"});
  Link::Ready ended = Link::Ready::yes;
  auto reply = link_->receive(Clock::now() + std::chrono::microseconds(longest_us), ended);
  if (!reply) return tl::unexpected(reply.error());
  if (*reply == nullptr) return std::nullopt;
  RedisReply& answer = **reply;
  if (answer.parts.size() != 3 || answer.parts[0].text != "message")
    return link_->failed("what answers is no Redis");
  return std::move(answer.parts[2].text);
}

}  // namespace tollgate::routing
