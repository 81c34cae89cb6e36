// A door for those who watch the gateway: GET and HEAD of a few pages, served by one thread.
// It is made to be scraped while somebody plays with its port.
//
// Invariants
// 1. Memory and descriptors are bounded: connections_max connections, source_max of them from one
//    IPv4 address or IPv6 /64, one head of kHeadMax octets each, bodies_max pages being sent. One
//    more ends the connection that has waited longest, never the newest: a client that asks at once
//    is served however many others are silent.
// 2. Nobody takes longer than `limits` allows: to send a head from its first octet (from the
//    accept, for the first one), to read an answer, to be idle between two requests.
// 3. A turn looks at one request of a connection; those sent ahead wait.
// 4. A page is rendered once for all that asked for it in one turn.
// 5. Without free descriptors it still accepts: kSpares are kept, and a released descriptor becomes
//    a spare in one step.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/counters.h"
#include "core/net.h"
#include "gateway/config/ip.h"
#include "gateway/http/wire.h"

struct pollfd;

namespace tollgate::gateway::http {

struct Page {
  std::string path;
  std::string_view type;
  std::function<std::string()> render;  // on the door's thread
};

struct DoorLimits {
  std::size_t connections_max = 64;
  std::size_t source_max = 16;
  std::size_t bodies_max = 4;
  std::chrono::milliseconds request{5'000};
  std::chrono::milliseconds answer{15'000};
  std::chrono::milliseconds idle{120'000};
  std::chrono::milliseconds linger{1'000};  // for what a peer sends after our last word
};

struct DoorCounts {
  core::Cell answered;     // 200
  core::Cell refused;      // any other status
  core::Cell too_slow;     // ended by one of the times
  core::Cell crowded_out;  // ended to make room
};

class Door {
 public:
  // Listens on the address, an IP and a port (0 = any free). Throws std::runtime_error.
  Door(const core::Address& at, std::vector<Page> pages, const DoorLimits& limits = {});
  ~Door();  // waits for a page being rendered, for no peer
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  std::uint16_t port() const { return port_; }  // the one really bound
  const DoorCounts& counts() const { return counts_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Body = std::shared_ptr<const std::string>;
  static constexpr std::size_t kSpares = 4;

  enum class Step : std::uint8_t {
    asking,   // its head is awaited or partial; between two requests too
    wanting,  // a page that is rendered in this turn
    taking,   // our answer
    leaving   // has our last word; what it still sends is thrown away
  };
  struct Peer {
    int fd = -1;
    Ip source;  // with the host's bits of IPv6 zero
    Step step = Step::asking;
    Clock::time_point since;  // this step, or the first octet of this head
    bool asked = false;       // it has had an answer
    bool ahead = false;       // octets after the head that was answered last: to be looked at
    std::string in;
    const Page* page = nullptr;
    Head head;
    std::string answer;
    Body body;
    std::size_t sent = 0;  // of answer and body
  };
  using Peers = std::list<Peer>;

  void listen(const core::Address& at);
  void run();
  void turn(std::vector<pollfd>& polled);
  int wait_ms() const;
  Clock::time_point until(const Peer& peer) const;
  bool serve(Peer& peer);  // false: it is over
  bool read(Peer& peer);
  bool ask(Peer& peer);
  void refuse(Peer& peer, std::uint16_t status);
  void give(Peer& peer, std::uint16_t status, std::string_view type, Body body);
  bool send(Peer& peer);
  bool answered(Peer& peer);
  void render();
  void bound_bodies();
  void accept();
  int accept_one(Ip& source);
  void end(Peers::iterator peer);
  bool end_longest(const Ip* source);
  void expire();
  void keep_spares();

  const std::vector<Page> pages_;
  const DoorLimits limits_;
  DoorCounts counts_;
  std::uint16_t port_ = 0;
  int listener_ = -1, wake_ = -1;
  std::vector<int> spares_;
  Peers peers_;
  Clock::time_point now_, accept_from_;
  std::thread thread_;
};

}  // namespace tollgate::gateway::http
