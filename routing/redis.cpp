#include "routing/redis.h"

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

bool connect_to(int fd, const sockaddr* address, socklen_t length) {
  return connect(fd, address, length) == 0 || errno == EINPROGRESS || errno == EAGAIN;
}

int open_socket(int family) {
  return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
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

  tl::unexpected<StoreError> failed(const std::string& why) {
    close();
    return tl::unexpected<StoreError>(
        {StoreFault::unreachable, "Redis at " + address() + ": " + printable(why)});
  }

  std::string address() const {
    const bool path = options.host.starts_with('/');
    std::string text = printable(options.host);
    if (!path) text += ":" + std::to_string(options.port);
    return text + (path ? ":" : "/") + std::to_string(options.database);
  }

  // Until the socket is ready; the reason when it will not be.
  enum class Ready : std::uint8_t { yes, late, woken, failed };
  Ready wait(short events, Clock::time_point deadline) const { return wait(fd, events, deadline); }
  Ready wait(int what, short events, Clock::time_point deadline) const {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      pollfd polled[] = {{what, events, 0}, {options.wake_fd, POLLIN, 0}};
      const int timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
      const int count = poll(polled, options.wake_fd >= 0 ? 2 : 1, timeout);
      if (count < 0 && errno != EINTR) return Ready::failed;
      if (count > 0) return polled[0].revents != 0 ? Ready::yes : Ready::woken;
      if (count == 0 && Clock::now() >= deadline) return Ready::late;
    }
  }
  static const char* why(Ready ready) {
    return ready == Ready::late ? "no answer in time" : "the wait was ended";
  }

  StoreResult<void> open(Clock::time_point deadline);
  StoreResult<std::vector<core::SocketAddress>> resolve(Clock::time_point deadline);
  StoreResult<void> begin_connection(Clock::time_point deadline);
  StoreResult<void> send(const Arguments& arguments, Clock::time_point deadline);
  // Null without an error: nothing came until the deadline, or a wake-up.
  StoreResult<std::unique_ptr<RedisReply>> receive(Clock::time_point deadline, Ready& ended);
  StoreResult<RedisReply> exchange(const Arguments& arguments, Clock::time_point deadline);

  RedisOptions options;
  int fd = -1;
  // A lookup that has not come back: the next attempt waits for the same one, so that a silent name
  // server has one thread of ours and no more.
  std::shared_ptr<core::EventFd> looked_up = std::make_shared<core::EventFd>();
  std::shared_ptr<core::Lookup> lookup;
  redisReader* reader = nullptr;
  Building building;
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
  if (done->all.empty()) return failed(done->reason);
  return std::move(done->all);
}

StoreResult<void> Redis::Link::begin_connection(Clock::time_point deadline) {
  if (options.host.starts_with('/')) {
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    if (options.host.size() >= sizeof path.sun_path) return failed("its path is too long");
    std::memcpy(path.sun_path, options.host.data(), options.host.size());
    fd = open_socket(AF_UNIX);
    if (fd < 0 || !connect_to(fd, reinterpret_cast<sockaddr*>(&path), sizeof path))
      return failed(std::strerror(errno));
    return {};
  }
  const auto found = resolve(deadline);
  if (!found) return tl::unexpected(found.error());
  int last = 0;
  for (const core::SocketAddress& at : *found) {
    fd = open_socket(at.storage.ss_family);
    if (fd >= 0 && connect_to(fd, at.get(), at.length)) break;
    last = errno;
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  if (fd < 0) return failed(std::strerror(last));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  return {};
}

StoreResult<void> Redis::Link::open(Clock::time_point deadline) {
  close();
  if (const auto begun = begin_connection(deadline); !begun) return begun;
  const Ready ready = wait(POLLOUT, deadline);
  if (ready != Ready::yes) return failed(std::string("cannot connect: ") + why(ready));
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return failed(std::string("cannot connect: ") + std::strerror(error));
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
  }
  return {};
}

StoreResult<std::unique_ptr<RedisReply>> Redis::Link::receive(Clock::time_point deadline,
                                                              Ready& ended) {
  std::vector<char> buffer(kReadOctets);
  for (;;) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader, &reply) != REDIS_OK)
      return failed("what answers is no Redis, or answers too much: " +
                    std::string(reader->errstr));
    if (reply != nullptr) {
      building.parts_left = kReplyPartsMax;
      return std::unique_ptr<RedisReply>(static_cast<RedisReply*>(reply));
    }
    if (reader->len - reader->pos > kReplyOctetsMax) return failed("an answer is too long");
    ended = wait(POLLIN, deadline);
    if (ended != Ready::yes) return std::unique_ptr<RedisReply>();
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got == 0) return failed("the connection was closed");
    if (got < 0 && errno != EAGAIN && errno != EINTR) return failed(std::strerror(errno));
    if (got > 0 &&
        redisReaderFeed(reader, buffer.data(), static_cast<std::size_t>(got)) != REDIS_OK)
      return failed("out of memory");
  }
}

StoreResult<RedisReply> Redis::Link::exchange(const Arguments& arguments,
                                              Clock::time_point deadline) {
  if (const auto sent = send(arguments, deadline); !sent) return tl::unexpected(sent.error());
  Ready ended = Ready::yes;
  auto reply = receive(deadline, ended);
  if (!reply) return tl::unexpected(reply.error());
  if (*reply == nullptr) return failed(why(ended));
  RedisReply& answer = **reply;
  if (answer.kind == RedisReply::Kind::error) {
    return tl::unexpected<StoreError>({StoreFault::refused, "Redis at " + address() + " refused " +
                                                                std::string(arguments.front()) +
                                                                " (" + printable(answer.text) +
                                                                ")" + advice(answer.text)});
  }
  return std::move(answer);
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
    const auto opened =
        link_->open(Clock::now() + std::chrono::microseconds(link_->options.connect_us));
    if (!opened) return tl::unexpected(opened.error());
  }
  return link_->exchange(arguments,
                         Clock::now() + std::chrono::microseconds(link_->options.command_us));
}

StoreResult<RedisReply> Redis::transaction(const std::vector<std::vector<std::string>>& commands) {
  if (const auto begun = command({"MULTI"}); !begun) return begun;
  for (const auto& each : commands) {
    const auto queued = command({each.begin(), each.end()});
    if (!queued) {
      if (connected()) std::ignore = command({"DISCARD"});
      return queued;
    }
  }
  auto done = command({"EXEC"});
  if (!done && done.error().fault == StoreFault::unreachable)
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
  const auto deadline = Clock::now() + std::chrono::microseconds(longest_us);
  for (;;) {
    Link::Ready ended = Link::Ready::yes;
    auto reply = link_->receive(deadline, ended);
    if (!reply) return tl::unexpected(reply.error());
    if (*reply == nullptr) return std::nullopt;
    RedisReply& answer = **reply;
    if (answer.parts.size() == 3 && answer.parts[0].text == "message")
      return std::move(answer.parts[2].text);
    if (!answer.is_list()) return link_->failed("what answers is no Redis");
  }
}

}  // namespace tollgate::routing
