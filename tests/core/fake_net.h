// A network without sockets: each Wire is the far end of one connection, moved by the test.
#pragma once
#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/net.h"

namespace tollgate::core {

struct Wire {
  std::deque<std::string> incoming;  // one recv gives at most one of them
  bool ended = false;                // after the incoming: end of input
  int recv_error = 0;                // after the incoming: -errno
  int send_error = 0;
  std::size_t allowance = 1'000'000'000;  // octets that the socket still takes
  std::string sent;
  int sends = 0;
  int recvs = 0;
  bool shut = false;
  bool closed = false;
  bool discarded = false;
  int fd = 42;  // what release_fd() gives
  bool read_armed = false;
  bool write_armed = false;
  Socket::Events* events = nullptr;

  bool readable() const { return !incoming.empty() || ended || recv_error != 0; }
};

class FakeSocket final : public Socket {
 public:
  explicit FakeSocket(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}

  void watch(Events* events) noexcept override { wire_->events = events; }
  std::ptrdiff_t recv(Out into) noexcept override {
    ++wire_->recvs;
    if (!wire_->incoming.empty()) {
      std::string& chunk = wire_->incoming.front();
      const std::size_t n = std::min(into.size(), chunk.size());
      std::copy_n(chunk.begin(), n, into.begin());
      chunk.erase(0, n);
      if (chunk.empty()) wire_->incoming.pop_front();
      return static_cast<std::ptrdiff_t>(n);
    }
    if (wire_->recv_error != 0) return -wire_->recv_error;
    return wire_->ended ? 0 : -EAGAIN;
  }
  std::ptrdiff_t send(Octets from) noexcept override {
    ++wire_->sends;
    if (wire_->send_error != 0) return -wire_->send_error;
    const std::size_t n = std::min(from.size(), wire_->allowance);
    if (n == 0) return -EAGAIN;
    wire_->allowance -= n;
    wire_->sent.append(reinterpret_cast<const char*>(from.data()), n);
    return static_cast<std::ptrdiff_t>(n);
  }
  void arm_read() override { wire_->read_armed = true; }
  void arm_write() override { wire_->write_armed = true; }
  void shutdown_write() noexcept override { wire_->shut = true; }
  bool peer_gone() noexcept override {
    return wire_->closed || wire_->ended || wire_->recv_error != 0 || wire_->send_error != 0;
  }
  void close() noexcept override {
    wire_->closed = true;
    wire_->events = nullptr;
  }
  int release_fd() noexcept override {
    close();
    return wire_->fd;
  }
  void discard() noexcept override {
    close();
    wire_->discarded = true;
    delete this;
  }

 private:
  std::shared_ptr<Wire> wire_;
};

class FakeNet : public Net {
 public:
  std::shared_ptr<Wire> wire() {
    wires_.push_back(std::make_shared<Wire>());
    return wires_.back();
  }
  static SocketPtr socket(const std::shared_ptr<Wire>& wire) {
    return SocketPtr(new FakeSocket(wire));
  }

  ListenerPtr listen(const Address&, OnAccept, NetError&) override { return nullptr; }
  ConnectPtr connect(const Address&, OnConnect) override { return nullptr; }
  SocketPtr adopt(int) override { return socket(wire()); }
  void poll(std::int64_t wait_us) override {
    last_wait_us = wait_us;
    for (const auto& wire : wires_) {
      if (wire->events != nullptr && wire->read_armed && wire->readable()) {
        wire->read_armed = false;
        wire->events->on_readable();
      }
      if (wire->events != nullptr && wire->write_armed &&
          (wire->allowance > 0 || wire->send_error != 0)) {
        wire->write_armed = false;
        wire->events->on_writable();
      }
    }
  }
  bool dispatch(const Now&) override { return false; }
  void wake() noexcept override { ++wakes; }
  NetCounts counts() const noexcept override { return {}; }

  std::int64_t last_wait_us = 0;
  int wakes = 0;

 protected:
  std::vector<std::shared_ptr<Wire>> wires_;
};

}  // namespace tollgate::core
