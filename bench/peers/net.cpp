#include "bench/peers/net.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <system_error>
#include <time.h>
#include <unistd.h>

namespace tollgate::bench {
namespace {

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    throw std::system_error(EINVAL, std::generic_category(), "not an IPv4 address: " + host);
  return address;
}

[[noreturn]] void fail(int fd, const std::string& what) {
  const int error = errno;
  if (fd >= 0) ::close(fd);
  throw std::system_error(error, std::generic_category(), what);
}

void set_no_delay(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

std::string printed(const std::string& host, std::uint16_t port) {
  return host + ":" + std::to_string(port);
}

}  // namespace

std::int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

std::uint8_t* scratch() {
  static const std::unique_ptr<std::uint8_t[]> buffer(new std::uint8_t[scratch_size]);
  return buffer.get();
}

Poller::Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)), events_(256) {
  if (fd_ < 0) fail(-1, "epoll_create1");
  prctl(PR_SET_TIMERSLACK, 1UL);  // short sleeps end when asked, not 50 µs later
}

Poller::~Poller() {
  ::close(fd_);
}

void Poller::add(int fd, Watched& who, std::uint32_t events) {
  epoll_event e{};
  e.events = events;
  e.data.ptr = &who;
  if (epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &e) != 0) fail(-1, "epoll_ctl add");
}

void Poller::modify(int fd, Watched& who, std::uint32_t events) {
  epoll_event e{};
  e.events = events;
  e.data.ptr = &who;
  if (epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &e) != 0) fail(-1, "epoll_ctl mod");
}

void Poller::remove(int fd, Watched& who) {
  epoll_ctl(fd_, EPOLL_CTL_DEL, fd, nullptr);
  for (int i = 0; i < ready_; ++i)
    if (events_[i].data.ptr == &who) events_[i].data.ptr = nullptr;
}

void Poller::wait(std::int64_t timeout_ns) {
  const timespec t{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  ready_ = epoll_pwait2(fd_, events_.data(), static_cast<int>(events_.size()), &t, nullptr);
}

void Poller::dispatch() {
  for (int i = 0; i < ready_; ++i) {
    auto* who = static_cast<Watched*>(events_[i].data.ptr);
    if (who != nullptr) who->on_ready(events_[i].events);
  }
  ready_ = 0;
}

int listen_on(const std::string& host, std::uint16_t port, std::uint16_t& port_taken) {
  sockaddr_in address = address_of(host, port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail(fd, "socket");
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 1024) != 0)
    fail(fd, "cannot listen on " + printed(host, port));
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  port_taken = ntohs(address.sin_port);
  return fd;
}

int connect_to(const std::string& host, std::uint16_t port) {
  const sockaddr_in address = address_of(host, port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail(fd, "socket");
  set_no_delay(fd);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS)
    fail(fd, "cannot connect to " + printed(host, port));
  return fd;
}

int accept_from(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) set_no_delay(fd);
  return fd;
}

void ByteQueue::grow(std::size_t n) {
  const std::size_t used = size();
  if (used + n <= capacity_ && head_ >= capacity_ / 2) {
    std::memmove(data_.get(), data(), used);
  } else {
    capacity_ = std::max<std::size_t>({4096, 2 * capacity_, used + n});
    std::unique_ptr<std::uint8_t[]> bigger(new std::uint8_t[capacity_]);
    if (used != 0) std::memcpy(bigger.get(), data(), used);
    data_ = std::move(bigger);
  }
  head_ = 0;
  tail_ = used;
}

Link::Link(Poller& poller, Watched& owner, int fd, bool one_write)
    : poller_(poller), owner_(owner), fd_(fd), one_write_(one_write) {
  poller_.add(fd_, owner_, EPOLLIN);
}

std::size_t Link::fill_scratch(ReadEnd& end) {
  const std::size_t kept = tail_.size();
  if (kept != 0) std::memcpy(scratch(), tail_.data(), kept);
  const ssize_t n = recv(fd_, scratch() + kept, scratch_size - kept, 0);
  if (n > 0) return kept + static_cast<std::size_t>(n);
  if (n == 0 || (errno != EAGAIN && errno != EINTR)) end = ReadEnd::closed;
  return kept;
}

void Link::keep_tail(const std::uint8_t* at, const std::uint8_t* end) {
  tail_.assign(at, end);
}

// False: the peer is gone. `sent` < n: the socket is full.
bool Link::send_some(std::size_t n, std::size_t& sent) {
  const ssize_t done = send(fd_, out_.data(), n, MSG_NOSIGNAL);
  sent = done > 0 ? static_cast<std::size_t>(done) : 0;
  if (done < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN) return false;
  out_.consume(sent);
  return true;
}

bool Link::flush() {
  bool full = false;
  while (is_open() && out_.size() != 0 && !full) {
    std::size_t n = out_.size();
    if (one_write_) n = frame_left_ != 0 ? frame_left_ : get32(out_.data());
    std::size_t sent = 0;
    if (!send_some(n, sent)) return false;
    full = sent < n;
    frame_left_ = full && one_write_ && (sent != 0 || frame_left_ != 0) ? n - sent : 0;
  }
  if (is_open() && full != want_write_) {
    want_write_ = full;
    set_events();
  }
  return true;
}

void Link::pause_reading(bool paused) {
  if (!is_open() || paused == paused_) return;
  paused_ = paused;
  set_events();
}

void Link::set_events() {
  const std::uint32_t events = (paused_ ? 0u : EPOLLIN) | (want_write_ ? EPOLLOUT : 0u);
  poller_.modify(fd_, owner_, events);
}

void Link::close() {
  if (fd_ < 0) return;
  poller_.remove(fd_, owner_);
  ::close(fd_);
  fd_ = -1;
}

}  // namespace tollgate::bench
