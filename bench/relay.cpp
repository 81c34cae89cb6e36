// The physical limit: forwards length-prefixed frames between two sockets and understands nothing.
//
// One connection upstream for each that is accepted. Each turn it reads all that a socket has,
// splits on the length prefix, and writes once a turn a connection (--one-write: once a frame).
// What it costs is what any program between the same two peers must pay.
// Bounds: a side whose other side holds more than output_max octets is not read until it drained.
#include <memory>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/peers/net.h"
#include "bench/peers/usage.h"

namespace tollgate::bench {
namespace {

constexpr std::size_t output_max = 4u << 20;

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string upstream_host = "127.0.0.1";
  std::uint16_t upstream_port = 0;
  bool one_write = false;
  int gather_us = 0;
};

class Relay;

class Side final : public Watched {
 public:
  Side(Relay& relay, Poller& poller, int fd, bool one_write)
      : link(poller, *this, fd, one_write), relay_(relay) {}
  void on_ready(std::uint32_t events) override;

  Link link;
  Side* other = nullptr;
  bool dirty = false;

 private:
  Relay& relay_;
};

class Relay final : public Watched {
 public:
  explicit Relay(const Options& options) : options_(options) {
    listener_ = listen_on(options.host, options.port, port_);
    poller_.add(listener_, *this, EPOLLIN);
  }

  std::uint16_t port() const { return port_; }
  std::uint64_t frames() const { return frames_; }

  void run() {
    while (stop_asked == 0) {
      poller_.wait(dirty_.empty() ? 100'000'000 : 0);
      poller_.dispatch();
      if (options_.gather_us == 0 || now_ns() >= flush_at_) flush();
      sides_to_free_.clear();
    }
  }

  void on_ready(std::uint32_t) override {
    for (int fd = accept_from(listener_); fd >= 0; fd = accept_from(listener_)) accept(fd);
  }

  void read(Side& side) {
    Link& to = side.other->link;
    const ReadEnd end = side.link.read([&](const std::uint8_t* frame, std::uint32_t length) {
      std::memcpy(to.reserve(length), frame, length);
      to.commit(length);
      ++frames_;
    });
    if (to.output_size() > output_max) side.link.pause_reading(true);
    mark(*side.other);
    if (end != ReadEnd::more) drop(side);
  }

  void mark(Side& side) {
    if (side.dirty) return;
    side.dirty = true;
    if (dirty_.empty() && options_.gather_us != 0) flush_at_ = now_ns() + options_.gather_us * 1000;
    dirty_.push_back(&side);
  }

 private:
  void accept(int fd) {
    int up = -1;
    try {
      up = connect_to(options_.upstream_host, options_.upstream_port);
    } catch (const std::system_error& e) {
      fmt::print(stderr, "relay: {}\n", e.what());
      ::close(fd);
      return;
    }
    auto a = std::make_unique<Side>(*this, poller_, fd, options_.one_write);
    auto b = std::make_unique<Side>(*this, poller_, up, options_.one_write);
    a->other = b.get();
    b->other = a.get();
    sides_.push_back(std::move(a));
    sides_.push_back(std::move(b));
  }

  void flush() {
    std::vector<Side*> round;
    round.swap(dirty_);
    for (Side* side : round) {
      side->dirty = false;
      if (!side->link.is_open()) continue;
      if (!side->link.flush()) {
        drop(*side);
      } else if (side->link.output_size() <= output_max / 2) {
        side->other->link.pause_reading(false);
      }
    }
    round.clear();
    if (dirty_.empty()) dirty_.swap(round);  // keeps the capacity
  }

  // What one side sent last still reaches the other before both close.
  void drop(Side& side) {
    if (side.other->link.is_open()) side.other->link.flush();
    for (Side* gone : {&side, side.other}) {
      gone->link.close();
      std::erase(dirty_, gone);
      const auto it = std::find_if(sides_.begin(), sides_.end(),
                                   [&](const auto& held) { return held.get() == gone; });
      if (it == sides_.end()) continue;
      sides_to_free_.push_back(std::move(*it));
      sides_.erase(it);
    }
  }

  Options options_;
  Poller poller_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::uint64_t frames_ = 0;
  std::int64_t flush_at_ = 0;
  std::vector<std::unique_ptr<Side>> sides_;
  std::vector<std::unique_ptr<Side>> sides_to_free_;
  std::vector<Side*> dirty_;
};

void Side::on_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) relay_.mark(*this);
  if ((events & ~EPOLLOUT) != 0 && link.is_open()) relay_.read(*this);
}

}  // namespace
}  // namespace tollgate::bench

int main(int argc, char** argv) {
  using namespace tollgate::bench;
  CLI::App app{"Forwards length-prefixed frames between two sockets: the physical limit."};
  Options options;
  app.add_option("--host", options.host, "address to listen on")->capture_default_str();
  app.add_option("--port", options.port, "port to listen on; 0 = any, printed")
      ->capture_default_str();
  app.add_option("--upstream-host", options.upstream_host)->capture_default_str();
  app.add_option("--upstream-port", options.upstream_port)->required();
  app.add_flag("--one-write", options.one_write, "one write per frame");
  app.add_option("--gather-us", options.gather_us, "wait for more before writing, microseconds")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    stop_on_signals();
    Relay relay(options);
    fmt::print("{{\"listening\":[{{\"name\":\"relay\",\"port\":{}}}]}}\n", relay.port());
    std::fflush(stdout);
    relay.run();
    const Usage used = usage();
    fmt::print("{{\"frames\":{},\"cpu_seconds\":{},\"peak_memory_kib\":{}}}\n", relay.frames(),
               used.cpu_seconds, used.peak_memory_kib);
  } catch (const std::exception& e) {
    fmt::print(stderr, "relay: {}\n", e.what());
    return 1;
  }
  return 0;
}
