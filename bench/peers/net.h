// Raw non-blocking sockets on one epoll, one thread a program.
//
// A Link is one TCP connection. It reads all that the socket has (up to one scratch buffer a turn),
// gives whole frames to its owner and keeps the cut one; what the owner writes is kept until
// flush(), which makes one send a turn, or one send per frame when `one_write` is set, as many
// real peers do.
// Invariants: 1. a frame is given once, whole, in order. 2. flush() never splits a frame over two
// sends in one-write mode unless the socket is full. 3. After close() nothing is read or written.
// Bounds: a frame is at most frame_max octets; output grows as the owner lets it (output_size()).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <sys/epoll.h>
#include <vector>

#include "bench/peers/wire.h"

namespace tollgate::bench {

std::int64_t now_ns();  // CLOCK_MONOTONIC

// What epoll wakes.
class Watched {
 public:
  virtual void on_ready(std::uint32_t events) = 0;

 protected:
  ~Watched() = default;
};

class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void add(int fd, Watched& who, std::uint32_t events);
  void modify(int fd, Watched& who, std::uint32_t events);
  // The descriptor must still be open. Events of this turn not yet given are dropped.
  void remove(int fd, Watched& who);
  // Waits up to timeout_ns (0 = not at all).
  void wait(std::int64_t timeout_ns);
  // Calls on_ready of each that wait() found.
  void dispatch();

 private:
  int fd_;
  int ready_ = 0;
  std::vector<epoll_event> events_;
};

// Both throw std::system_error with the address in it. Port 0 = any; the port taken is returned.
int listen_on(const std::string& host, std::uint16_t port, std::uint16_t& port_taken);
int connect_to(const std::string& host, std::uint16_t port);
// -1 when there is none waiting. Non-blocking, TCP_NODELAY.
int accept_from(int listener);

// Bytes in, bytes out, no zeroing, one memmove when the front has grown stale.
class ByteQueue {
 public:
  std::uint8_t* reserve(std::size_t n) {
    if (capacity_ - tail_ < n) grow(n);
    return data_.get() + tail_;
  }
  void commit(std::size_t n) { tail_ += n; }
  void consume(std::size_t n) {
    head_ += n;
    if (head_ == tail_) head_ = tail_ = 0;
  }
  const std::uint8_t* data() const { return data_.get() + head_; }
  std::size_t size() const { return tail_ - head_; }
  void clear() { head_ = tail_ = 0; }

 private:
  void grow(std::size_t n);

  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::size_t capacity_ = 0;
};

enum class ReadEnd : std::uint8_t { more, closed, bad_frame };

class Link {
 public:
  Link(Poller& poller, Watched& owner, int fd, bool one_write);
  ~Link() { close(); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  bool is_open() const { return fd_ >= 0; }
  // on_frame(const std::uint8_t* frame, std::uint32_t length); it may close this link.
  template <class OnFrame>
  ReadEnd read(OnFrame&& on_frame);

  std::uint8_t* reserve(std::size_t n) { return out_.reserve(n); }
  void commit(std::size_t n) { out_.commit(n); }
  std::size_t output_size() const { return out_.size(); }
  // False: the peer is gone. Asks for EPOLLOUT when the socket took less than everything.
  bool flush();
  void pause_reading(bool paused);
  void close();

 private:
  std::size_t fill_scratch(ReadEnd& end);
  void keep_tail(const std::uint8_t* at, const std::uint8_t* end);
  bool send_some(std::size_t n, std::size_t& sent);
  void set_events();

  Poller& poller_;
  Watched& owner_;
  int fd_;
  bool one_write_;
  bool want_write_ = false;
  bool paused_ = false;
  std::size_t frame_left_ = 0;  // octets of a frame that the socket has taken in part
  std::vector<std::uint8_t> tail_;
  ByteQueue out_;
};

// One scratch buffer a program: reads pass through it.
inline constexpr std::size_t scratch_size = 512 * 1024;
std::uint8_t* scratch();

template <class OnFrame>
ReadEnd Link::read(OnFrame&& on_frame) {
  ReadEnd result = ReadEnd::more;
  const std::size_t have = fill_scratch(result);
  const std::uint8_t* at = scratch();
  const std::uint8_t* const end = at + have;
  while (end - at >= 4) {
    const std::uint32_t length = get32(at);
    if (length < header_size || length > frame_max) return ReadEnd::bad_frame;
    if (static_cast<std::size_t>(end - at) < length) break;
    on_frame(at, length);
    if (!is_open()) return ReadEnd::closed;
    at += length;
  }
  keep_tail(at, end);
  return result;
}

}  // namespace tollgate::bench
