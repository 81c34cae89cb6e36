// The network's face: what a shard and its connections need of sockets, and nothing else. The real
// one (asio_net.h) stands on Asio's reactor; a simulated one can take its place.
// One Net a shard; everything here is called on that shard's thread, except Net::wake().
//   1 No call blocks, except poll() for as long as it is asked to. All sockets are non-blocking,
//     TCP_NODELAY and close-on-exec; a write to a closed peer is an error code, never a signal.
//   2 poll() only marks sockets ready (Socket::Events); accept and connect calls come from
//     dispatch(), bounded per turn.
//   3 arm_read/arm_write ask for one event each; asking again while one is pending changes nothing.
//   4 After close(), release_fd() or the end of its pointer, a socket raises no event any more.
//   5 An address names an IPv4 or IPv6 host by number (resolved at once) or by name (resolved off
//     the shard).
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/octets.h"

namespace tollgate::core {

struct Address {
  std::string host;
  std::uint16_t port = 0;

  std::string text() const;  // host:port, or [host]:port for IPv6
  bool operator==(const Address&) const = default;
};

// Ends a network object that its own pending events may outlive.
struct Discard {
  template <class T>
  void operator()(T* object) const noexcept {
    object->discard();
  }
};

class Socket {
 public:
  struct Events {
    virtual void on_readable() = 0;
    virtual void on_writable() = 0;

   protected:
    ~Events() = default;
  };

  virtual void watch(Events* events) noexcept = 0;
  // Octets moved; recv: 0 = the peer closed its side; -EAGAIN = nothing now; else -errno.
  virtual std::ptrdiff_t recv(Out into) noexcept = 0;
  virtual std::ptrdiff_t send(Octets from) noexcept = 0;
  virtual void arm_read() = 0;
  virtual void arm_write() = 0;
  virtual void shutdown_write() noexcept = 0;
  // The peer has closed its side, or the connection is broken; also while octets wait to be read.
  virtual bool peer_gone() noexcept = 0;
  virtual void close() noexcept = 0;
  virtual int release_fd() noexcept = 0;  // the caller owns the descriptor now; -1 if it has none
  virtual void discard() noexcept = 0;    // closes and frees; called by SocketPtr

 protected:
  ~Socket() = default;
};
using SocketPtr = std::unique_ptr<Socket, Discard>;

class Listener {
 public:
  virtual Address local() const = 0;  // with the port that was really bound
  virtual void discard() noexcept = 0;

 protected:
  ~Listener() = default;
};
using ListenerPtr = std::unique_ptr<Listener, Discard>;

// A connect under way. Ending the pointer gives it up; the time-out is the caller's timer.
class Connect {
 public:
  virtual void discard() noexcept = 0;

 protected:
  ~Connect() = default;
};
using ConnectPtr = std::unique_ptr<Connect, Discard>;

struct NetError {
  int code = 0;        // errno; 0 = no error; EHOSTUNREACH when a name does not resolve
  std::string reason;  // what was tried and why it failed, printable
  explicit operator bool() const noexcept { return code != 0; }
};

using OnAccept = std::function<void(SocketPtr socket, const Address& peer)>;
// Exactly once, never inside connect(): a socket, or none and the error.
using OnConnect = std::function<void(SocketPtr socket, const NetError& error)>;

struct NetCounts {
  std::uint64_t accepted = 0;
  std::uint64_t accept_errors = 0;  // EMFILE and its like: accepting pauses for 100 ms
  std::uint64_t connects = 0;
  std::uint64_t connect_errors = 0;
};

class Net {
 public:
  virtual ~Net() = default;

  // null and `error` set when the address cannot be listened on.
  virtual ListenerPtr listen(const Address& at, OnAccept on_accept, NetError& error) = 0;
  virtual ConnectPtr connect(const Address& to, OnConnect on_done) = 0;
  virtual SocketPtr adopt(int fd) = 0;  // a connected stream socket; owned by the result

  // Waits up to wait_us (0 = not at all) for an event or wake(), then marks all that is ready.
  virtual void poll(std::int64_t wait_us) = 0;
  // Runs accept and connect calls that are ready; true = more are waiting.
  virtual bool dispatch(const Now& now) = 0;
  // Ends the current or the next waiting poll(). Any thread.
  virtual void wake() noexcept = 0;

  virtual NetCounts counts() const noexcept = 0;
};

}  // namespace tollgate::core
