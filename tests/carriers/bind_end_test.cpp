// How binds end: what the log and the counter say of it.
#include <sys/mman.h>
#include <unistd.h>

#include "tests/carriers/world.h"

using namespace tollgate;
using namespace tollgate::tests;
using carriers::BindState;
using proto::Command;

namespace {

// What the log writes while this lives.
class Lines {
 public:
  Lines() { REQUIRE(::dup2(fd_, STDERR_FILENO) == STDERR_FILENO); }
  ~Lines() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::close(fd_);
  }
  std::size_t count(const std::string& words) const {
    std::string all(static_cast<std::size_t>(::lseek(fd_, 0, SEEK_END)), '\0');
    REQUIRE(::pread(fd_, all.data(), all.size(), 0) == static_cast<ssize_t>(all.size()));
    std::size_t found = 0;
    for (std::size_t at = 0; (at = all.find(words, at)) != std::string::npos; ++at) ++found;
    return found;
  }

 private:
  int fd_ = ::memfd_create("lines", MFD_CLOEXEC);
  int before_ = ::dup(STDERR_FILENO);
};

constexpr std::array<std::uint8_t, 16> kTooShort{0, 0, 0, 15, 0, 0, 0, 0x15,
                                                 0, 0, 0, 0,  0, 0, 0, 7};

}  // namespace

TEST_CASE("however a bind ends, the log says so, and it is a loss unless we unbound") {
  struct End {
    const char* what;
    std::uint64_t losses;
    std::function<void(World&, Peer&)> happens;
  };
  const End ends[] = {
      {"bound", 1, [](World&, Peer& peer) { peer.reset(); }},
      {"draining", 1, [](World&, Peer& peer) { peer.send_header(Command::unbind, 7); }},
      {"bound", 1, [](World&, Peer& peer) { peer.send(proto::Octets(kTooShort)); }},
      {"unbinding", 0,
       [](World& world, Peer& peer) {
         world.carrier().drain_and_unbind();
         const auto unbind = world.next(peer, Command::unbind);
         REQUIRE(unbind);
         peer.send_header(Command::unbind_resp, unbind->header.sequence_number);
       }},
      {"draining", 1,
       [](World& world, Peer& peer) {
         REQUIRE(world.take(1) == carriers::Taken::taken);
         world.submit(peer);
         peer.send_header(Command::unbind, 7);
         world.steps(20);
         peer.close();
       }},
      {"bound", 1, [](World& world, Peer&) { world.carrier().halt(); }},
  };
  for (const End& end : ends) {
    World world;
    world.bring_up();
    const Lines lines;
    end.happens(world, *world.smsc.peers[0]);
    REQUIRE(world.until([&] {
      return world.bind_state() == BindState::down || world.bind_state() == BindState::stopped;
    }));
    CHECK(lines.count("carrier_bind_ended carrier=alpha bind=0 was=" + std::string(end.what)) == 1);
    CHECK(lines.count("carrier_bind_ended") == 1);
    CHECK(world.counters().binds[0].losses.get() == end.losses);
  }
}
