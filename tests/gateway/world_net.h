// The network of a gateway without sockets: who listens, who is called, sockets between shards.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "tests/core/fake_net.h"

namespace tollgate::gateway {

// Whom the gateway may call.
class Host {
 public:
  // False: refused.
  virtual bool accept(const std::shared_ptr<core::Wire>& wire) = 0;

 protected:
  ~Host() = default;
};

// What all shards' networks share: who listens, who connects, sockets between two shards.
struct Internet {
  std::map<std::string, Host*> hosts;
  std::map<int, std::shared_ptr<core::Wire>> moving;
  int next_fd = 1000;
};

class WorldNet final : public core::FakeNet {
 public:
  explicit WorldNet(Internet& internet) : internet_(internet) {}

  core::ListenerPtr listen(const core::Address& at, core::OnAccept on_accept,
                           core::NetError& error) override;
  core::ConnectPtr connect(const core::Address& to, core::OnConnect on_done) override;
  core::SocketPtr adopt(int fd) override;
  void poll(std::int64_t wait_us) override;
  bool dispatch(const core::Now& now) override;
  void wake() noexcept override {}

  bool listening() const { return listener_ != nullptr && !listener_->gone; }
  // A client connects; accepted in the next turn.
  std::shared_ptr<core::Wire> call(const core::Address& peer);

  struct Attempt {
    core::Address to;
    core::OnConnect on_done;
    bool gone = false;
  };
  struct Listening {
    core::Address at;
    core::OnAccept on_accept;
    bool gone = false;
  };

 private:
  Internet& internet_;
  std::shared_ptr<Listening> listener_;
  std::deque<std::pair<std::shared_ptr<core::Wire>, core::Address>> calls_;
  std::deque<std::shared_ptr<Attempt>> attempts_;
};

}  // namespace tollgate::gateway
