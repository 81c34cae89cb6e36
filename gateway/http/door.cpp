#include "gateway/http/door.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <new>
#include <poll.h>
#include <pthread.h>
#include <set>
#include <stdexcept>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace tollgate::gateway::http {
namespace {

constexpr int kAcceptsATurn = 64;
constexpr std::chrono::milliseconds kAcceptPause(100);  // when no descriptor is to be had
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

// The address without its port; of IPv6 the network of one host.
Ip source_of(const sockaddr_storage& storage) {
  Ip ip;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof v4);
    ip.octets[10] = ip.octets[11] = 0xFF;
    std::memcpy(&ip.octets[12], &v4.sin_addr, 4);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &storage, sizeof v6);
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
    std::memcpy(ip.octets.data(), &v6.sin6_addr, mapped ? 16 : 8);
  }
  return ip;
}

}  // namespace

Door::Door(const core::Address& at, std::vector<Page> pages, const DoorLimits& limits)
    : pages_(std::move(pages)), limits_(limits) {
  listen(at);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) throw std::runtime_error(std::strerror(errno));
  keep_spares();
  thread_ = std::thread([this] { run(); });
}

Door::~Door() {
  ::eventfd_write(wake_, 1);
  thread_.join();
  for (const Peer& peer : peers_) ::close(peer.fd);
  for (const int fd : spares_) ::close(fd);
  ::close(listener_);
  ::close(wake_);
}

void Door::listen(const core::Address& at) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  const std::string port = std::to_string(at.port);
  if (const int error = ::getaddrinfo(at.host.c_str(), port.c_str(), &hints, &found)) {
    throw std::runtime_error(::gai_strerror(error));
  }
  listener_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  const bool good = listener_ >= 0 &&
                    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                    ::bind(listener_, found->ai_addr, found->ai_addrlen) == 0 &&
                    ::listen(listener_, SOMAXCONN) == 0 &&
                    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &length) == 0;
  const int error = errno;
  ::freeaddrinfo(found);
  if (!good) {
    if (listener_ >= 0) ::close(listener_);
    throw std::runtime_error(std::strerror(error));
  }
  in_port_t bound_port;  // at the same place in both families
  std::memcpy(&bound_port, reinterpret_cast<const char*>(&bound) + offsetof(sockaddr_in, sin_port),
              sizeof bound_port);
  port_ = ntohs(bound_port);
}

void Door::run() {
  ::pthread_setname_np(::pthread_self(), "http");
  std::vector<pollfd> polled;
  for (;;) {
    now_ = Clock::now();
    polled.clear();
    polled.push_back({wake_, POLLIN, 0});
    polled.push_back({listener_, static_cast<short>(now_ >= accept_from_ ? POLLIN : 0), 0});
    for (const Peer& peer : peers_) {
      polled.push_back(
          {peer.fd, static_cast<short>(peer.step == Step::taking ? POLLOUT : POLLIN), 0});
    }
    ::poll(polled.data(), polled.size(), wait_ms());
    if (polled[0].revents != 0) return;
    now_ = Clock::now();
    try {
      turn(polled);
    } catch (const std::bad_alloc&) {  // there is room again when these are gone
      while (!peers_.empty()) end(peers_.begin());
    }
  }
}

void Door::turn(std::vector<pollfd>& polled) {
  std::size_t at = 2;
  for (auto peer = peers_.begin(); peer != peers_.end();) {
    const auto next = std::next(peer);
    if ((polled[at++].revents != 0 || peer->ahead) && !serve(*peer)) end(peer);
    peer = next;
  }
  if (polled[1].revents != 0) accept();
  render();
  expire();
  keep_spares();
}

// Until the first time runs out; not at all when a request is there already.
int Door::wait_ms() const {
  auto first = accept_from_ > now_ ? accept_from_ : Clock::time_point::max();
  for (const Peer& peer : peers_) first = std::min(first, until(peer));
  if (first == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(first - now_).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

Door::Clock::time_point Door::until(const Peer& peer) const {
  switch (peer.step) {
    case Step::asking:
      if (peer.ahead) return now_;
      return peer.since + (peer.asked && peer.in.empty() ? limits_.idle : limits_.request);
    case Step::wanting:
      return now_;
    case Step::taking:
      return peer.since + limits_.answer;
    case Step::leaving:
      return peer.since + limits_.linger;
  }
  return now_;
}

bool Door::serve(Peer& peer) {
  if (peer.step == Step::taking) return send(peer);
  return std::exchange(peer.ahead, false) ? ask(peer) : read(peer);
}

bool Door::read(Peer& peer) {
  std::array<char, kHeadMax> some;
  const ssize_t got = ::recv(peer.fd, some.data(), some.size() - peer.in.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  if (peer.step == Step::leaving) return true;
  if (peer.in.empty()) {
    if (peer.asked) peer.since = now_;
    peer.in.reserve(512);
  }
  const std::string_view read(some.data(), static_cast<std::size_t>(got));
  peer.in.append(read);
  // A head is looked at when a line of it has ended: octets that drip are not parsed one by one.
  if (read.find('\n') == read.npos && peer.in.size() < kHeadMax) return true;
  return ask(peer);
}

// What it asks for, when that is known.
bool Door::ask(Peer& peer) {
  switch (read_head(peer.in, peer.head)) {
    case HeadState::partial:
      return true;
    case HeadState::bad:
      refuse(peer, 400);
      return send(peer);
    case HeadState::too_large:
      refuse(peer, 431);
      return send(peer);
    case HeadState::whole:
      break;
  }
  peer.in.erase(0, peer.head.size);
  const auto page = std::find_if(pages_.begin(), pages_.end(),
                                 [&](const Page& one) { return one.path == peer.head.path; });
  if (page == pages_.end()) {
    give(peer, 404, kPlain, nullptr);
  } else if (peer.head.method == Method::other) {
    give(peer, 405, kPlain, nullptr);
  } else {
    peer.page = &*page;
    peer.step = Step::wanting;
    return true;
  }
  return send(peer);
}

// Its octets cannot be told apart any more.
void Door::refuse(Peer& peer, std::uint16_t status) {
  peer.head = {};
  peer.in.clear();
  give(peer, status, kPlain, nullptr);
}

void Door::give(Peer& peer, std::uint16_t status, std::string_view type, Body body) {
  (status == 200 ? counts_.answered : counts_.refused).add();
  if (body == nullptr)
    body = std::make_shared<std::string>(std::string(status_text(status)) + "\n");
  peer.answer = answer_head({status, type, body->size(), peer.head.keep_alive});
  peer.body = peer.head.method == Method::head ? nullptr : std::move(body);
  peer.sent = 0;
  peer.step = Step::taking;
  peer.since = now_;
}

bool Door::send(Peer& peer) {
  const std::size_t size = peer.answer.size() + (peer.body ? peer.body->size() : 0);
  while (peer.sent < size) {
    const std::size_t head_sent = std::min(peer.sent, peer.answer.size());
    const std::size_t body_sent = peer.sent - head_sent;
    std::array<iovec, 2> parts{};
    parts[0] = {peer.answer.data() + head_sent, peer.answer.size() - head_sent};
    if (peer.body) {
      parts[1] = {const_cast<char*>(peer.body->data()) + body_sent, peer.body->size() - body_sent};
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = ::sendmsg(peer.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    peer.sent += static_cast<std::size_t>(sent);
  }
  return answered(peer);
}

bool Door::answered(Peer& peer) {
  peer.body.reset();
  peer.since = now_;
  peer.asked = true;
  if (!peer.head.keep_alive) {
    peer.step = Step::leaving;
    peer.in.clear();
    return ::shutdown(peer.fd, SHUT_WR) == 0;
  }
  peer.step = Step::asking;
  peer.ahead = !peer.in.empty();
  return true;
}

void Door::render() {
  for (const Page& page : pages_) {
    const auto wants = [&page](const Peer& peer) {
      return peer.step == Step::wanting && peer.page == &page;
    };
    if (std::none_of(peers_.begin(), peers_.end(), wants)) continue;
    bound_bodies();  // ends peers, any of them
    const auto body = std::make_shared<const std::string>(page.render());
    for (auto peer = peers_.begin(); peer != peers_.end();) {
      const auto at = peer++;
      if (!wants(*at)) continue;
      give(*at, 200, page.type, body);
      if (!send(*at)) end(at);
    }
  }
}

// Peers that read slowly hold pages of different ages: the oldest go.
void Door::bound_bodies() {
  for (;;) {
    std::set<const std::string*> bodies;
    auto longest = peers_.end();
    for (auto peer = peers_.begin(); peer != peers_.end(); ++peer) {
      if (peer->body == nullptr || !bodies.insert(peer->body.get()).second) continue;
      if (longest == peers_.end() || peer->since < longest->since) longest = peer;
    }
    if (bodies.size() < limits_.bodies_max) return;
    const Body body = longest->body;
    for (auto peer = peers_.begin(); peer != peers_.end();) {
      const auto at = peer++;
      if (at->body != body) continue;
      counts_.crowded_out.add();
      end(at);
    }
  }
}

void Door::accept() {
  for (int i = 0; i < kAcceptsATurn; ++i) {
    Ip source;
    const int fd = accept_one(source);
    if (fd < 0) return;
    const auto from_there = std::count_if(peers_.begin(), peers_.end(),
                                          [&](const Peer& peer) { return peer.source == source; });
    if (static_cast<std::size_t>(from_there) >= limits_.source_max) {
      end_longest(&source);
    } else if (peers_.size() >= limits_.connections_max) {
      end_longest(nullptr);
    }
    Peer& peer = peers_.emplace_back();
    peer.fd = fd;
    peer.source = source;
    peer.since = now_;
    if (!read(peer)) end(std::prev(peers_.end()));
  }
}

// -1: none is waiting, or none can be had for now.
int Door::accept_one(Ip& source) {
  for (;;) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const int fd = ::accept4(listener_, reinterpret_cast<sockaddr*>(&from), &length,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      source = source_of(from);
      return fd;
    }
    if (errno == EAGAIN) return -1;
    if (errno == EMFILE || errno == ENFILE) {
      if (spares_.empty()) end_longest(nullptr);
      if (!spares_.empty()) {
        ::close(spares_.back());
        spares_.pop_back();
        continue;
      }
    } else if (errno != ENOBUFS && errno != ENOMEM) {
      continue;  // the peer gave up before we came
    }
    accept_from_ = now_ + kAcceptPause;
    return -1;
  }
}

// Its descriptor becomes a spare when one is missing, before another thread can take it.
void Door::end(Peers::iterator peer) {
  if (spares_.size() < kSpares && ::dup3(wake_, peer->fd, O_CLOEXEC) >= 0) {
    spares_.push_back(peer->fd);
  } else {
    ::close(peer->fd);
  }
  peers_.erase(peer);
}

// Of this source, or of all. Who is being answered goes last.
bool Door::end_longest(const Ip* source) {
  auto longest = peers_.end();
  const auto rank = [](const Peer& peer) {
    return std::tuple(peer.step == Step::wanting || peer.step == Step::taking, peer.since);
  };
  for (auto peer = peers_.begin(); peer != peers_.end(); ++peer) {
    if (source != nullptr && peer->source != *source) continue;
    if (longest == peers_.end() || rank(*peer) < rank(*longest)) longest = peer;
  }
  if (longest == peers_.end()) return false;
  counts_.crowded_out.add();
  end(longest);
  return true;
}

void Door::expire() {
  for (auto peer = peers_.begin(); peer != peers_.end();) {
    const auto at = peer++;
    if (at->ahead || until(*at) > now_) continue;
    if (at->step != Step::leaving && !(at->asked && at->in.empty())) counts_.too_slow.add();
    end(at);
  }
}

void Door::keep_spares() {
  while (spares_.size() < kSpares) {
    const int fd = ::fcntl(wake_, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) return;
    spares_.push_back(fd);
  }
}

}  // namespace tollgate::gateway::http
