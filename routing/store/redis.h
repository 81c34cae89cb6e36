// A connection to Redis for table sets: one command, one answer, within a time. Used by one thread.
//
// 1. No call blocks longer than its time-out in all (a new connection has another before it),
//    however slowly or quickly the other end talks, or its name is found; a wake-up descriptor ends
//    any wait at once. At most one lookup of the name is under way, on a separate thread, which may
//    outlive the connection.
// 2. After any failure the connection is closed; the next command connects anew.
// 3. Answers are bounded: each has at most kReplyOctetsMax octets, kReplyPartsMax elements, and one
//    level of nesting more than a stream needs. Anything more, anything that is not RESP, and on a
//    subscription anything that is no message, is a failure.
// 4. Arguments are octets; none is ever put together into a command line.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace tollgate::routing {

inline constexpr std::size_t kReplyOctetsMax = 8u << 20;
inline constexpr std::size_t kReplyPartsMax = 100'000;

struct RedisOptions {
  std::string host = "127.0.0.1";  // a name, an address, or with a '/' first the path of a socket
  std::uint16_t port = 6379;
  std::uint32_t database = 0;
  std::string user;
  std::string password;
  std::int64_t connect_us = 2'000'000;
  std::int64_t command_us = 5'000'000;
  int wake_fd = -1;  // readable: give up waiting, as unreachable
};

enum class StoreFault : std::uint8_t {
  unreachable,  // no connection, no answer in time, or what answers is no Redis
  refused,      // Redis says no: out of memory, read-only, wrong password, ...
  damaged,      // a checksum, a missing chunk, an unknown format
  missing,      // no such version or draft, or no tables at all
  conflict,     // somebody was faster: rebase, or look again
  invalid,      // what was asked for cannot be
};

struct StoreError {
  StoreFault fault;
  std::string reason;  // a sentence for people, escaped
};
template <class T>
using StoreResult = tl::expected<T, StoreError>;

struct RedisReply {
  enum class Kind : std::uint8_t { nil, integer, text, status, error, list };
  Kind kind = Kind::nil;
  std::int64_t integer = 0;
  std::string text;
  std::vector<RedisReply> parts;

  bool is_nil() const { return kind == Kind::nil; }
  bool is_list() const { return kind == Kind::list; }
};

class Redis {
 public:
  explicit Redis(RedisOptions options);
  ~Redis();
  Redis(Redis&&) noexcept;
  Redis& operator=(Redis&&) noexcept;

  using Arguments = std::vector<std::string_view>;

  // An error that Redis itself answers is a StoreError too (refused), never a reply.
  StoreResult<RedisReply> command(const Arguments& arguments);
  // WATCHed before: MULTI, the commands, EXEC. Nil = what was watched has changed; nothing was
  // done.
  StoreResult<RedisReply> transaction(const std::vector<std::vector<std::string>>& commands);

  // A message that came on a subscription, waiting at most so long; nullopt = none came.
  StoreResult<std::optional<std::string>> message(std::int64_t longest_us);

  bool connected() const;
  void close();
  std::string address() const;  // "host:port/database", for people

 private:
  struct Link;
  std::unique_ptr<Link> link_;
};

}  // namespace tollgate::routing
