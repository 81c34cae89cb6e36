#include "core/resolve.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <unistd.h>

#include "core/check.h"

namespace tollgate::core {

std::string Address::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool parse_numeric(const Address& address, SocketAddress& out) noexcept {
  out = SocketAddress{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (::inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    out.length = sizeof(sockaddr_in);
    return true;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (::inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    out.length = sizeof(sockaddr_in6);
    return true;
  }
  return false;
}

Address to_address(const SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return {text.data(), ntohs(v4->sin_port)};
  }
  if (address.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
    return {text.data(), ntohs(v6->sin6_port)};
  }
  return {};
}

EventFd::EventFd() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

EventFd::~EventFd() {
  ::close(fd_);
}

// A full counter (EAGAIN) still wakes; nothing else can fail here.
void EventFd::write() const noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof one);
}

void EventFd::read() const noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(fd_, &count, sizeof count);
}

void look_up(const Address& address, Lookup& lookup) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const std::string port = std::to_string(address.port);
  const int error = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &list);
  if (error == 0 && list != nullptr) {
    for (const addrinfo* at = list; at != nullptr && lookup.all.size() < kAddressesMax;
         at = at->ai_next) {
      SocketAddress& found = lookup.all.emplace_back();
      std::memcpy(&found.storage, at->ai_addr, at->ai_addrlen);
      found.length = at->ai_addrlen;
    }
    lookup.found = lookup.all.front();
  } else {
    lookup.reason = error == EAI_SYSTEM ? std::generic_category().message(errno)
                                        : std::string(::gai_strerror(error));
  }
  if (list != nullptr) ::freeaddrinfo(list);
  lookup.done.store(true, std::memory_order_release);
}

std::shared_ptr<Lookup> look_up_aside(const Address& address, std::shared_ptr<EventFd> wake) {
  auto lookup = std::make_shared<Lookup>();
  try {
    std::thread([address, lookup, wake = std::move(wake)] {
      look_up(address, *lookup);
      wake->write();
    }).detach();
  } catch (const std::system_error& error) {
    lookup->reason = error.what();
    lookup->done.store(true, std::memory_order_release);
  }
  return lookup;
}

}  // namespace tollgate::core
