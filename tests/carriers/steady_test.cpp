// The whole carrier under random treatment, and in the steady state.
#include <algorithm>
#include <random>
#include <set>

#include "tests/allocations.h"
#include "tests/carriers/world.h"

using namespace tollgate;
using namespace tollgate::tests;
using carriers::Taken;
using proto::Command;
using proto::Status;

namespace {

struct Open {
  std::uint64_t message = 0;
  std::uint32_t sequence = 0;
};

// A carrier that answers out of order, refuses, throttles, forgets, nonsense in between.
class Moody {
 public:
  Moody(World& world, std::mt19937_64& random) : world_(world), random_(random) {}

  void act() {
    for (std::size_t i = 0; i < world_.smsc.peers.size(); ++i) {
      Peer& peer = *world_.smsc.peers[i];
      for (auto pdu = peer.next(); pdu; pdu = peer.next()) took(i, *pdu, peer);
      std::vector<Open>& open = open_[i];
      while (!open.empty() && random_() % 3 != 0) {
        std::swap(open[random_() % open.size()], open.back());
        answer(peer, open.back());
        open.pop_back();
      }
      if (random_() % 400 == 0) {
        peer.reset();
        open.clear();
      }
    }
  }

  std::map<std::uint64_t, int> accepted;  // message -> how often it was told ESME_ROK
  std::set<std::uint64_t> seen;

 private:
  void took(std::size_t index, const Pdu& pdu, Peer& peer) {
    if (proto::is_bind(pdu.header.command_id)) {
      peer.send_header(proto::response_of(pdu.header.command_id), pdu.header.sequence_number);
    } else if (pdu.header.command_id == Command::submit_sm) {
      open_[index].push_back({message_in(pdu), pdu.header.sequence_number});
      seen.insert(open_[index].back().message);
    } else if (pdu.header.command_id == Command::enquire_link) {
      peer.send_header(Command::enquire_link_resp, pdu.header.sequence_number);
    }
  }

  void answer(Peer& peer, const Open& open) {
    switch (random_() % 16) {
      case 0:
        peer.refuse(open.sequence, Status::ESME_RTHROTTLED);
        return;
      case 1:
        peer.refuse(open.sequence, Status::ESME_RMSGQFUL);
        return;
      case 2:
        peer.refuse(open.sequence, Status::ESME_RSUBMITFAIL);
        return;
      case 3:
        peer.refuse(open.sequence, Status::ESME_RINVDSTADR);
        return;
      case 4:
        return;  // forgotten
      case 5:
        peer.send_header(Command::generic_nack, open.sequence, Status::ESME_RSYSERR);
        return;
      case 6:
        peer.respond(open.sequence + 5000, "nobody");
        break;
      case 7:
        peer.receipt(std::to_string(open.message), 1);
        break;  // early
      default:
        break;
    }
    ++accepted[open.message];
    peer.respond(open.sequence, std::to_string(open.message));
    if (random_() % 2 == 0) peer.receipt(std::to_string(open.message), 2);
  }

  World& world_;
  std::mt19937_64& random_;
  std::map<std::size_t, std::vector<Open>> open_;
};

}  // namespace

TEST_CASE("whatever the carrier does, each order has one outcome and the books balance") {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    World world;
    world.config().queue_max = 200;
    world.config().timers.response_ms = 2000;
    world.config().timers.throttle_first_ms = 5;
    world.config().timers.throttle_max_ms = 40;
    world.config().timers.reconnect_first_ms = 50;
    world.config().timers.reconnect_max_ms = 200;
    for (int i = 0; i < 3; ++i) world.add_bind().window = 8;
    world.build();
    Moody carrier(world, random);
    std::uint64_t taken = 0;
    for (int round = 0; round < 2500; ++round) {
      for (std::uint64_t n = random() % 8; n != 0; --n) {
        if (world.take(taken + 1) == Taken::taken) ++taken;
      }
      world.advance_ms(static_cast<std::int64_t>(random() % 40));
      world.step();
      carrier.act();
      REQUIRE(world.balanced());
      for (std::size_t i = 0; i < 3; ++i) {
        REQUIRE(world.counters().binds[i].window_in_use.get() <= 8);
      }
    }
    world.carrier().drain_and_unbind();
    for (int i = 0; i < 1000 && !world.carrier().idle(); ++i) {
      world.advance_ms(20);
      world.steps(2);
    }
    REQUIRE(world.carrier().idle());
    REQUIRE(taken > 1000);
    REQUIRE(world.told.outcomes.size() == taken);
    std::set<std::uint64_t> messages;
    for (const Told::Outcome& told : world.told.outcomes) {
      REQUIRE(messages.insert(told.message).second);
      if (told.what == Told::What::sent) REQUIRE(carrier.accepted[told.message] == 1);
      // Handed back as never sent means that no carrier ever saw it, or had it throttled.
      if (carrier.accepted[told.message] > 0) REQUIRE(told.what != Told::What::refused);
    }
    CHECK(world.told.count(Told::What::sent) > 100);
    CHECK(world.told.count(Told::What::in_doubt) > 10);
    CHECK(world.told.count(Told::What::refused) > 100);
    CHECK(world.counters().binds[0].losses.get() > 0);
    std::set<std::uint64_t> receipted;
    for (const Told::Delivery& told : world.told.deliveries) {
      REQUIRE(receipted.insert(told.message).second);
      REQUIRE(told.id == std::to_string(told.message));
    }
    CHECK(receipted.size() > 50);
  }
}

TEST_CASE("a steady turn allocates nothing: submits, responses, receipts, throttling, queue") {
  World world;
  world.add_bind().window = 50;
  world.add_bind().window = 50;
  world.config().queue_max = 1000;
  world.config().timers.throttle_first_ms = 1;
  world.config().timers.throttle_max_ms = 2;
  world.bring_up();
  world.told.recording = false;

  // Everything that the test itself needs is made before the count.
  std::array<std::uint8_t, 512> body;
  proto::SubmitSm sm = a_submit();
  const std::size_t body_length = proto::encode_body(sm, body);
  // The last digits of destination_addr, in the body: 1,000 numbers.
  const auto at = std::search(body.begin(), body.end(), sm.destination_addr.begin(),
                              sm.destination_addr.end()) +
                  static_cast<std::ptrdiff_t>(sm.destination_addr.size() - 3);
  std::uint64_t message = 0;
  std::uint64_t refusals = 0;
  std::uint64_t allocated = 0;
  const auto round = [&] {
    const std::uint64_t before = allocations().count;
    for (int i = 0; i < 150; ++i) {
      for (int digit = 0; digit < 3; ++digit) {
        at[2 - digit] = static_cast<std::uint8_t>('0' + message /
                                                            (digit == 0   ? 1
                                                             : digit == 1 ? 10
                                                                          : 100) %
                                                            10);
      }
      world.carrier().take({++message, 0, proto::Octets(body).first(body_length), 0});
    }
    allocated += allocations().count - before;
    for (int i = 0; i < 6; ++i) {
      const std::uint64_t turn_before = allocations().count;
      world.turn();
      allocated += allocations().count - turn_before;
      world.smsc.poll();
      for (const auto& peer : world.smsc.peers) {
        for (auto pdu = peer->next(); pdu; pdu = peer->next()) {
          if (pdu->header.command_id != Command::submit_sm) continue;
          const std::string id = std::to_string(pdu->header.sequence_number) +
                                 (peer == world.smsc.peers[0] ? "a" : "b");
          if (pdu->header.sequence_number % 50 == 0) {
            ++refusals;
            peer->refuse(pdu->header.sequence_number, Status::ESME_RTHROTTLED);
            continue;
          }
          const bool early = pdu->header.sequence_number % 3 == 0;
          if (early) peer->receipt(id, 1);
          peer->respond(pdu->header.sequence_number, id);
          if (!early) peer->receipt(id, 2);
        }
      }
    }
    world.advance_ms(5);
  };
  for (int i = 0; i < 200; ++i) round();
  const std::uint64_t sent = world.counters().sent.get();
  const std::uint64_t receipts = world.told.receipts_total;
  allocated = 0;
  refusals = 0;
  for (int i = 0; i < 300; ++i) round();
  CHECK(allocated == 0);
  CHECK(world.counters().sent.get() - sent > 10'000);
  CHECK(world.told.receipts_total - receipts > 10'000);
  CHECK(world.counters().receipts_early.get() > 3'000);
  CHECK(refusals > 100);
}
