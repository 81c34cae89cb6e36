#include "core/asio_net.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>  // Boost 1.74's Asio needs it first under g++ 12

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "core/check.h"
#include "core/list.h"
#include "core/log.h"
#include "core/resolve.h"

namespace tollgate::core {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

constexpr std::size_t kAcceptsPerTurn = 64;
constexpr std::int64_t kAcceptPauseUs = 100'000;
// A storm of reconnects waits here: who finds it full is told nothing, and tries again in 1 s.
constexpr int kBacklog = 4096;

// Room for one pending wait, inside its socket: waiting allocates nothing.
class WaitMemory {
 public:
  void* take(std::size_t size) {
    TOLLGATE_CHECK(!used_ && size <= sizeof room_, "one wait at a time, and it has room");
    used_ = true;
    return room_;
  }
  void give_back() noexcept { used_ = false; }

 private:
  alignas(std::max_align_t) std::byte room_[96];
  bool used_ = false;
};

template <class T>
struct WaitAllocator {
  using value_type = T;
  explicit WaitAllocator(WaitMemory* m) noexcept : memory(m) {}
  template <class U>
  WaitAllocator(const WaitAllocator<U>& other) noexcept : memory(other.memory) {}
  T* allocate(std::size_t n) { return static_cast<T*>(memory->take(n * sizeof(T))); }
  void deallocate(T*, std::size_t) noexcept { memory->give_back(); }
  template <class U>
  bool operator==(const WaitAllocator<U>& other) const noexcept {
    return memory == other.memory;
  }
  WaitMemory* memory;
};

// A descriptor in the reactor. Its pending waits may outlive discard(): it frees itself after them.
class AsioSocket final : public Socket {
 public:
  AsioSocket(asio::io_context& io, int fd, std::size_t& alive)
      : descriptor_(io.get_executor()), fd_(fd), alive_(alive) {
    ++alive_;
    enroll();
  }

  int fd() const noexcept { return fd_; }
  int broken() const noexcept { return broken_; }  // errno: the reactor refused it

  void watch(Events* events) noexcept override { events_ = events; }

  std::ptrdiff_t recv(Out into) noexcept override {
    if (broken_ != 0) return -broken_;
    if (into.empty()) return -EAGAIN;
    return result([&] { return ::recv(fd_, into.data(), into.size(), MSG_DONTWAIT); });
  }
  std::ptrdiff_t send(Octets from) noexcept override {
    return result(
        [&] { return ::send(fd_, from.data(), from.size(), MSG_DONTWAIT | MSG_NOSIGNAL); });
  }

  void arm_read() override {
    if (waited_write_) forget_write();
    arm(read_, Descriptor::wait_read, &AsioSocket::readable);
  }
  void arm_write() override {
    waited_write_ = true;
    arm(write_, Descriptor::wait_write, &AsioSocket::writable);
  }

  void shutdown_write() noexcept override {
    if (fd_ >= 0) ::shutdown(fd_, SHUT_WR);
  }
  bool peer_gone() noexcept override {
    pollfd asked{fd_, POLLRDHUP, 0};
    return fd_ < 0 || (::poll(&asked, 1, 0) > 0 && asked.revents != 0);
  }
  void close() noexcept override {
    const int fd = release_fd();
    if (fd >= 0) ::close(fd);
  }
  int release_fd() noexcept override {
    if (fd_ < 0) return -1;
    events_ = nullptr;
    if (broken_ == 0) descriptor_.release();
    return std::exchange(fd_, -1);
  }
  void discard() noexcept override {
    close();
    discarded_ = true;
    free_if_done();
  }

 private:
  using Ready = void (AsioSocket::*)();

  struct Wait {
    WaitMemory memory;
    bool pending = false;
  };

  struct OnWait {
    using allocator_type = WaitAllocator<void>;
    allocator_type get_allocator() const noexcept { return allocator_type(&wait->memory); }
    void operator()(const boost::system::error_code&) const { socket->waited(*wait, ready); }

    AsioSocket* socket;
    Wait* wait;
    Ready ready;
  };

  template <class Call>
  static std::ptrdiff_t result(Call call) noexcept {
    for (;;) {
      const ssize_t n = call();
      if (n >= 0) return n;
      if (errno == EWOULDBLOCK) return -EAGAIN;
      if (errno != EINTR) return -errno;
    }
  }

  void arm(Wait& wait, Descriptor::wait_type type, Ready ready) {
    if (wait.pending || fd_ < 0) return;
    wait.pending = true;
    descriptor_.async_wait(type, OnWait{this, &wait, ready});
  }

  // An error of the wait is no event of its own: the next recv or send tells it.
  void waited(Wait& wait, Ready ready) {
    wait.pending = false;
    if (discarded_) return free_if_done();
    if (events_ != nullptr) (this->*ready)();
  }
  // Asio keeps a descriptor that was once waited on for writing registered for it, and each new
  // wait for reading then reports at once that it can be written: a needless wake-up for every
  // read. Registering it anew ends that.
  void forget_write() {
    if (fd_ < 0 || broken_ != 0 || read_.pending || write_.pending) return;
    waited_write_ = false;
    descriptor_.release();
    enroll();
  }

  // A refusal (no memory, no more watches) shows as the error of the next recv: a wait on what is
  // not enrolled ends at once.
  void enroll() {
    boost::system::error_code error;
    descriptor_.assign(fd_, error);
    broken_ = error.value();
  }

  void readable() { events_->on_readable(); }
  void writable() { events_->on_writable(); }

  void free_if_done() noexcept {
    if (read_.pending || write_.pending) return;
    --alive_;
    delete this;
  }

  Descriptor descriptor_;
  int fd_;
  int broken_ = 0;
  Events* events_ = nullptr;
  Wait read_;
  Wait write_;
  bool waited_write_ = false;
  bool discarded_ = false;
  std::size_t& alive_;
};

using AsioSocketPtr = std::unique_ptr<AsioSocket, Discard>;

struct AcceptHook;
struct ConnectHook;
class AsioNet;

class AsioListener final : public Listener, public Hook<AcceptHook>, private Socket::Events {
 public:
  AsioListener(AsioNet& net, AsioSocketPtr socket, OnAccept on_accept);

  Address local() const override;
  void discard() noexcept override;

  void arm() { socket_->arm_read(); }
  // Accepts what waits, bounded; frees itself if it was discarded inside.
  void accept_ready(const Now& now);
  std::int64_t paused_until_us = 0;

 private:
  void on_readable() override;
  void on_writable() override {}
  bool accept_one(const Now& now);

  AsioNet& net_;
  AsioSocketPtr socket_;
  OnAccept on_accept_;
  bool accepting_ = false;
  bool discarded_ = false;
};

class AsioConnect final : public Connect, public Hook<ConnectHook>, private Socket::Events {
 public:
  AsioConnect(AsioNet& net, Address to, OnConnect on_done);

  void begin();
  void begin_found();
  void discard() noexcept override { delete this; }
  void finish();  // calls on_done; may destroy this

 private:
  void on_readable() override {}
  void on_writable() override;
  void start(const SocketAddress& to);
  void fail(int code, const std::string& what);

  AsioNet& net_;
  Address to_;
  OnConnect on_done_;
  std::shared_ptr<Lookup> lookup_;
  AsioSocketPtr socket_;
  NetError error_;
};

class AsioNet final : public Net, private Socket::Events {
 public:
  AsioNet();
  ~AsioNet() override;

  ListenerPtr listen(const Address& at, OnAccept on_accept, NetError& error) override;
  ConnectPtr connect(const Address& to, OnConnect on_done) override;
  SocketPtr adopt(int fd) override;
  void poll(std::int64_t wait_us) override;
  bool dispatch(const Now& now) override;
  void wake() noexcept override { wake_->write(); }
  NetCounts counts() const noexcept override { return counts_; }

  AsioSocketPtr watch_fd(int fd) { return AsioSocketPtr(new AsioSocket(io_, fd, alive_)); }
  const std::shared_ptr<EventFd>& wake_event() const noexcept { return wake_; }

  List<AsioListener, AcceptHook> accepting;
  List<AsioListener, AcceptHook> accept_paused;
  List<AsioConnect, ConnectHook> looking_up;
  List<AsioConnect, ConnectHook> connected;
  NetCounts counts_;

 private:
  void on_readable() override;
  void on_writable() override {}

  asio::io_context io_;
  std::size_t alive_ = 0;
  std::shared_ptr<EventFd> wake_;
  AsioSocketPtr wake_socket_;
};

void set_options(int fd) noexcept {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // a socketpair refuses: no harm
}

NetError net_error(int code, const Address& at, const std::string& what) {
  return {code, what + " " + at.text() + ": " + std::generic_category().message(code)};
}

// ---- AsioListener ----

AsioListener::AsioListener(AsioNet& net, AsioSocketPtr socket, OnAccept on_accept)
    : net_(net), socket_(std::move(socket)), on_accept_(std::move(on_accept)) {
  socket_->watch(this);
  socket_->arm_read();
}

Address AsioListener::local() const {
  SocketAddress at;
  at.length = sizeof at.storage;
  ::getsockname(socket_->fd(), reinterpret_cast<sockaddr*>(&at.storage), &at.length);
  return to_address(at);
}

void AsioListener::discard() noexcept {
  discarded_ = true;
  if (!accepting_) delete this;
}

void AsioListener::on_readable() {
  net_.accepting.push_back(*this);
}

void AsioListener::accept_ready(const Now& now) {
  accepting_ = true;
  std::size_t accepted = 0;
  while (accepted < kAcceptsPerTurn && !discarded_ && accept_one(now)) ++accepted;
  accepting_ = false;
  if (discarded_) {
    delete this;
  } else if (accepted == kAcceptsPerTurn) {
    net_.accepting.push_back(*this);
  }
}

// False = none waits; then the listener is armed, or paused when the process has no descriptor
// or memory left (epoll would report it ready for ever).
bool AsioListener::accept_one(const Now& now) {
  SocketAddress peer;
  peer.length = sizeof peer.storage;
  const int fd = ::accept4(socket_->fd(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.length,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    ++net_.counts_.accepted;
    on_accept_(net_.adopt(fd), to_address(peer));
    return true;
  }
  const int error = errno;
  switch (error) {
    case EAGAIN:
      arm();
      return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      ++net_.counts_.accept_errors;
      log::error("accept_failed", {{"at", local().text()}, {"error", std::strerror(error)}});
      paused_until_us = now.mono_us + kAcceptPauseUs;
      net_.accept_paused.push_back(*this);
      return false;
    default:  // the peer gave up before we came (ECONNABORTED and the errors of its path)
      ++net_.counts_.accept_errors;
      return true;
  }
}

// ---- AsioConnect ----

AsioConnect::AsioConnect(AsioNet& net, Address to, OnConnect on_done)
    : net_(net), to_(std::move(to)), on_done_(std::move(on_done)) {}

void AsioConnect::begin() {
  SocketAddress address;
  if (parse_numeric(to_, address)) return start(address);
  lookup_ = look_up_aside(to_, net_.wake_event());
  net_.looking_up.push_back(*this);
}

// Called each turn while the name is being looked up.
void AsioConnect::begin_found() {
  if (!lookup_->done.load(std::memory_order_acquire)) return net_.looking_up.push_back(*this);
  if (lookup_->found.length != 0) return start(lookup_->found);
  error_ = {EHOSTUNREACH, "name lookup " + to_.text() + ": " + lookup_->reason};
  net_.connected.push_back(*this);
}

void AsioConnect::start(const SocketAddress& to) {
  const int fd = ::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(errno, "connect");
  set_options(fd);
  if (::connect(fd, to.get(), to.length) != 0 && errno != EINPROGRESS) {
    const int code = errno;
    ::close(fd);
    return fail(code, "connect");
  }
  socket_ = net_.watch_fd(fd);
  socket_->watch(this);
  socket_->arm_write();
}

void AsioConnect::fail(int code, const std::string& what) {
  error_ = net_error(code, to_, what);
  net_.connected.push_back(*this);
}

void AsioConnect::on_writable() {
  int code = socket_->broken();
  socklen_t length = sizeof code;
  if (code == 0 && ::getsockopt(socket_->fd(), SOL_SOCKET, SO_ERROR, &code, &length) != 0) {
    code = errno;
  }
  if (code != 0) return fail(code, "connect");
  net_.connected.push_back(*this);
}

void AsioConnect::finish() {
  ++(error_ ? net_.counts_.connect_errors : net_.counts_.connects);
  const OnConnect on_done = std::move(on_done_);
  const NetError error = std::move(error_);
  SocketPtr socket;
  if (error) {
    socket_.reset();
  } else {
    socket_->watch(nullptr);
    socket.reset(socket_.release());
  }
  on_done(std::move(socket), error);
}

// ---- AsioNet ----

// No other thread ever calls into the io_context: wake() only writes the eventfd.
AsioNet::AsioNet() : io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE), wake_(std::make_shared<EventFd>()) {
  const int fd = ::dup(wake_->fd());
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "dup of an eventfd");
  wake_socket_ = watch_fd(fd);
  if (wake_socket_->broken() != 0) {
    throw std::system_error(wake_socket_->broken(), std::generic_category(), "epoll of an eventfd");
  }
  wake_socket_->watch(this);
  wake_socket_->arm_read();
}

AsioNet::~AsioNet() {
  wake_socket_.reset();
  io_.restart();
  io_.poll();  // ends the waits of discarded sockets, which then free themselves
  TOLLGATE_CHECK(alive_ == 0, "sockets, listeners and connects end before their network");
}

SocketPtr AsioNet::adopt(int fd) {
  set_options(fd);
  return SocketPtr(new AsioSocket(io_, fd, alive_));
}

void AsioNet::on_readable() {
  wake_->read();
  wake_socket_->arm_read();
}

void AsioNet::poll(std::int64_t wait_us) {
  if (!accept_paused.empty() && wait_us > kAcceptPauseUs) wait_us = kAcceptPauseUs;
  if (wait_us > 0) io_.run_one_for(std::chrono::microseconds(wait_us));
  io_.poll();
}

bool AsioNet::dispatch(const Now& now) {
  if (!accept_paused.empty()) {
    List<AsioListener, AcceptHook> paused;
    paused.splice(accept_paused);
    while (!paused.empty()) {
      AsioListener& listener = paused.pop_front();
      (listener.paused_until_us <= now.mono_us ? accepting : accept_paused).push_back(listener);
    }
  }
  if (!accepting.empty()) {
    List<AsioListener, AcceptHook> batch;
    batch.splice(accepting);
    while (!batch.empty()) batch.pop_front().accept_ready(now);
  }
  if (!looking_up.empty()) {
    List<AsioConnect, ConnectHook> batch;
    batch.splice(looking_up);
    while (!batch.empty()) batch.pop_front().begin_found();
  }
  if (!connected.empty()) {
    List<AsioConnect, ConnectHook> batch;
    batch.splice(connected);
    while (!batch.empty()) batch.pop_front().finish();
  }
  return !accepting.empty() || !connected.empty();
}

ListenerPtr AsioNet::listen(const Address& at, OnAccept on_accept, NetError& error) {
  error = {};
  SocketAddress address;
  if (!parse_numeric(at, address)) {
    Lookup lookup;
    look_up(at, lookup);
    if (lookup.found.length == 0) {
      error = {EADDRNOTAVAIL, "name lookup " + at.text() + ": " + lookup.reason};
      return nullptr;
    }
    address = lookup.found;
  }
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    error = net_error(errno, at, "listen");
    return nullptr;
  }
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, address.get(), address.length) != 0 || ::listen(fd, kBacklog) != 0) {
    error = net_error(errno, at, "listen");
    ::close(fd);
    return nullptr;
  }
  auto socket = watch_fd(fd);
  if (socket->broken() != 0) {
    error = net_error(socket->broken(), at, "listen");
    return nullptr;
  }
  return ListenerPtr(new AsioListener(*this, std::move(socket), std::move(on_accept)));
}

ConnectPtr AsioNet::connect(const Address& to, OnConnect on_done) {
  auto* connect = new AsioConnect(*this, to, std::move(on_done));
  ConnectPtr owned(connect);
  connect->begin();
  return owned;
}

}  // namespace

std::unique_ptr<Net> make_asio_net() {
  return std::make_unique<AsioNet>();
}

}  // namespace tollgate::core
