// Names to socket addresses. A number is read at once; a name is looked up on a separate thread,
// since the C library's resolver blocks. For the network's implementation and the connection to
// Redis.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "core/net.h"

namespace tollgate::core {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

bool parse_numeric(const Address& address, SocketAddress& out) noexcept;
Address to_address(const SocketAddress& address);

// An eventfd whose last user closes it: a lookup may outlive the network that asked for it.
class EventFd {
 public:
  EventFd();
  EventFd(const EventFd&) = delete;
  EventFd& operator=(const EventFd&) = delete;
  ~EventFd();

  int fd() const noexcept { return fd_; }
  void write() const noexcept;
  void read() const noexcept;

 private:
  int fd_;
};

inline constexpr std::size_t kAddressesMax = 16;

// What was found and `reason` are valid once `done` reads true (acquire); then the eventfd was
// written, or will be at once.
struct Lookup {
  std::atomic<bool> done{false};
  SocketAddress found;             // the first; length 0: none
  std::vector<SocketAddress> all;  // at most kAddressesMax, in the resolver's order
  std::string reason;
};

// Blocks as long as the resolver does.
void look_up(const Address& address, Lookup& lookup);
std::shared_ptr<Lookup> look_up_aside(const Address& address, std::shared_ptr<EventFd> wake);

}  // namespace tollgate::core
