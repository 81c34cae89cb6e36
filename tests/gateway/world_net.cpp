#include "tests/gateway/world_net.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace tollgate::gateway {

namespace {

struct FakeListener final : core::Listener {
  explicit FakeListener(std::shared_ptr<WorldNet::Listening> on) : state(std::move(on)) {}
  core::Address local() const override { return state->at; }
  void discard() noexcept override {
    state->gone = true;
    delete this;
  }
  std::shared_ptr<WorldNet::Listening> state;
};

struct FakeConnect final : core::Connect {
  explicit FakeConnect(std::shared_ptr<WorldNet::Attempt> of) : state(std::move(of)) {}
  void discard() noexcept override {
    state->gone = true;
    delete this;
  }
  std::shared_ptr<WorldNet::Attempt> state;
};

}  // namespace

core::ListenerPtr WorldNet::listen(const core::Address& at, core::OnAccept on_accept,
                                   core::NetError&) {
  listener_ = std::make_shared<Listening>(Listening{at, std::move(on_accept)});
  return core::ListenerPtr(new FakeListener(listener_));
}

core::ConnectPtr WorldNet::connect(const core::Address& to, core::OnConnect on_done) {
  attempts_.push_back(std::make_shared<Attempt>(Attempt{to, std::move(on_done)}));
  return core::ConnectPtr(new FakeConnect(attempts_.back()));
}

core::SocketPtr WorldNet::adopt(int fd) {
  const auto found = internet_.moving.find(fd);
  if (found == internet_.moving.end()) std::abort();
  const auto wire = found->second;
  internet_.moving.erase(found);
  wire->closed = false;
  wires_.push_back(wire);
  return socket(wire);
}

void WorldNet::poll(std::int64_t wait_us) {
  std::erase_if(wires_, [](const auto& wire) { return wire->closed; });
  FakeNet::poll(wait_us);
}

std::shared_ptr<core::Wire> WorldNet::call(const core::Address& peer) {
  auto one = wire();
  one->fd = internet_.next_fd++;
  internet_.moving[one->fd] = one;
  calls_.emplace_back(one, peer);
  return one;
}

bool WorldNet::dispatch(const core::Now&) {
  while (!calls_.empty()) {
    const auto [wire, peer] = calls_.front();
    calls_.pop_front();
    if (listening()) {
      listener_->on_accept(socket(wire), peer);
    } else {
      wire->closed = true;
    }
  }
  for (std::size_t left = attempts_.size(); left > 0; --left) {
    const auto attempt = attempts_.front();
    attempts_.pop_front();
    if (attempt->gone) continue;
    const auto found = internet_.hosts.find(attempt->to.host);
    const auto on_done = std::move(attempt->on_done);
    const auto made = std::make_shared<core::Wire>();
    if (found != internet_.hosts.end() && found->second->accept(made)) {
      wires_.push_back(made);
      on_done(socket(made), {});
    } else {
      on_done(nullptr, {ECONNREFUSED, "refused"});
    }
  }
  return false;
}

}  // namespace tollgate::gateway
