// Refused for now: how often, how long until the next time, and who waits behind.
#include <algorithm>
#include <map>
#include <random>

#include "tests/carriers/world.h"

using namespace tollgate;
using namespace tollgate::tests;
using carriers::Taken;
using proto::Command;
using proto::Status;
using proto::StatusClass;

namespace {

proto::SubmitSm to(std::string_view number, std::string_view text) {
  proto::SubmitSm sm = a_submit(text);
  sm.destination_addr = number;
  return sm;
}

std::string text_of(const Pdu& pdu) {
  proto::SubmitSm sm;
  REQUIRE_FALSE(proto::decode(pdu.body(), sm));
  return std::string(proto::as_text(sm.short_message));
}

// Milliseconds until the next submit_sm comes.
std::int64_t wait_for(World& world, Peer& peer, Pdu& pdu) {
  for (std::int64_t ms = 0; ms < 200'000; ms += 5) {
    while (const auto next = peer.next()) {
      if (next->header.command_id != Command::submit_sm) continue;
      pdu = *next;
      return ms;
    }
    world.pass_ms(5, 5);
  }
  FAIL("no submit_sm comes");
  return 0;
}

// For `ms`, a carrier that throttles some messages and takes all others, each at once.
template <class F>
void serve(World& world, std::int64_t ms, F&& throttles) {
  const auto answer = [&](Peer& peer) {
    while (const auto pdu = peer.next()) {
      if (pdu->header.command_id != Command::submit_sm) continue;
      const std::uint64_t message = message_in(*pdu);
      const std::uint32_t sequence = pdu->header.sequence_number;
      throttles(message) ? peer.refuse(sequence, Status::ESME_RTHROTTLED)
                         : peer.respond(sequence, std::to_string(message));
    }
  };
  const auto all_answered = [&] {
    std::uint64_t open = 0;
    for (std::size_t i = 0; i < world.counters().binds.size(); ++i) {
      open += world.counters().binds[i].window_in_use.get();
    }
    for (const auto& peer : world.smsc.peers) answer(*peer);
    return open == 0;
  };
  for (std::int64_t passed = 0; passed < ms; passed += 20) {
    REQUIRE(world.until(all_answered));
    world.pass_ms(20, 20);
  }
  REQUIRE(world.until(all_answered));
}

}  // namespace

TEST_CASE("numbers that are throttled for ever do not keep the others back") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  std::uint64_t bad = 1;
  SECTION("one") {}
  SECTION("one, two at a time to each number") {
    world.config().number_window = 2;
  }
  SECTION("one, on three binds") {
    for (int i = 0; i < 3; ++i) world.add_bind();
  }
  SECTION("five") {
    bad = 5;
  }
  world.bring_up();
  const auto throttles = [bad](std::uint64_t message) { return message % 1'000'000 <= bad; };
  for (std::uint64_t i = 1; i <= 100; ++i) REQUIRE(world.take(i) == Taken::taken);
  // The same numbers again: they do not overtake.
  for (std::uint64_t i = 1; i <= bad; ++i) REQUIRE(world.take(1'000'000 + i) == Taken::taken);
  serve(world, 10'000, throttles);
  CHECK(world.told.count(Told::What::sent) == 100 - bad);
  // And now they hardly cost anything: what comes leaves at once.
  std::uint64_t message = 100;
  for (int i = 0; i < 50; ++i) {
    for (int j = 0; j < 10; ++j) REQUIRE(world.take(++message) == Taken::taken);
    serve(world, 100, throttles);
  }
  serve(world, 1'000, throttles);
  CHECK(world.told.count(Told::What::sent) == 600 - bad);
  CHECK(world.counters().throttles.get() < 30 * bad);
  // When the carrier takes them, they leave in their order; none was lost.
  serve(world, 65'000, [](std::uint64_t) { return false; });
  CHECK(world.told.count(Told::What::sent) == 600 + bad);
  for (std::uint64_t i = 1; i <= bad; ++i) {
    REQUIRE(world.told.of(i) != nullptr);
    CHECK(world.told.of(i) < world.told.of(1'000'000 + i));
  }
  CHECK(world.balanced());
}

TEST_CASE("a carrier that throttles all is probed ever more seldom, and nothing is lost") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.config().timers.throttle_max_ms = 5'000;
  std::uint64_t count = 1;
  SECTION("one waits") {}
  SECTION("three wait") {
    count = 3;
  }
  SECTION("many wait") {
    count = 100;
  }
  world.bring_up();
  for (std::uint64_t i = 1; i <= count; ++i) REQUIRE(world.take(i) == Taken::taken);
  Peer& peer = *world.smsc.peers[0];
  std::uint64_t throttles = std::min<std::uint64_t>(count, 10);
  for (std::uint64_t i = 0; i < throttles; ++i) {
    peer.refuse(world.submit(peer).header.sequence_number, Status::ESME_RTHROTTLED);
  }
  for (const std::int64_t pause_ms : {100, 200, 400, 800, 1'600, 3'200, 5'000, 5'000}) {
    REQUIRE(world.until([&] { return world.counters().throttles.get() == throttles; }));
    world.pass_ms(pause_ms - 20, pause_ms / 5 - 4);
    CHECK(world.quiet(peer));
    world.pass_ms(20);
    const Pdu probe = world.submit(peer);
    CHECK(world.quiet(peer));  // one alone
    peer.refuse(probe.header.sequence_number, Status::ESME_RTHROTTLED);
    ++throttles;
  }
  REQUIRE(world.until([&] { return world.counters().throttles.get() == throttles; }));
  SECTION("it recovers") {
    serve(world, 16'000, [](std::uint64_t) { return false; });
    CHECK(world.told.count(Told::What::sent) == count);
  }
  SECTION("the link is lost") {
    world.smsc.peers[0]->reset();
    REQUIRE(world.until([&] { return world.told.outcomes.size() == count; }));
    CHECK(world.counters().handed_back.get() == count);
  }
  SECTION("it is stopped") {
    world.carrier().drain_and_unbind();
    REQUIRE(world.until([&] { return world.told.outcomes.size() == count; }));
    CHECK(world.counters().handed_back.get() == count);
  }
  CHECK(world.balanced());
}

TEST_CASE("messages refused for now are tried again a bounded number of times, then elsewhere") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.config().retry.temporary = {4, 1'000, 3'000};
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  Pdu pdu;
  const std::int64_t full_ms[] = {0, 1'000, 2'000, 3'000, 3'000};
  for (int i = 0; i < 5; ++i) {
    const std::int64_t waited_ms = wait_for(world, peer, pdu);
    CHECK(waited_ms >= full_ms[i] / 2 - 5);
    CHECK(waited_ms <= full_ms[i] + 1'050);  // the bind's own pause may come on top
    CHECK(world.counters().resting.get() == 0);
    peer.refuse(pdu.header.sequence_number, Status::ESME_RX_T_APPN);
    world.steps(3);
    CHECK((world.told.of(1) != nullptr) == (i == 4));
  }
  CHECK(world.told.of(1)->status == Status::ESME_RX_T_APPN);
  CHECK(world.told.of(1)->status_class == StatusClass::temporary);
  CHECK(world.told.of(1)->try_next);
  CHECK(world.told.of(1)->attempt == 4);
  CHECK(world.quiet(peer));
  CHECK(world.counters().submits.get() == 5);
  CHECK(world.counters().retries.get() == 4);
  CHECK(world.balanced());
}

TEST_CASE("while one rests, those to its number rest behind it, and no other does") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.config().number_window = 3;
  world.config().retry.temporary = {3, 10'000, 10'000};
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1, to("447700900001", "a1")) == Taken::taken);
  REQUIRE(world.take(2, to("447700900001", "a2")) == Taken::taken);
  const Pdu first = world.submit(peer);
  const Pdu second = world.submit(peer);
  REQUIRE(world.take(3, to("447700900001", "a3")) == Taken::taken);
  const Pdu third = world.submit(peer);
  // The second, then the first: both have left already, and come again in their order.
  peer.refuse(second.header.sequence_number, Status::ESME_RX_T_APPN);
  REQUIRE(world.until([&] { return world.counters().resting.get() == 1; }));
  peer.refuse(first.header.sequence_number, Status::ESME_RX_T_APPN);
  peer.respond(third.header.sequence_number, "3");
  REQUIRE(world.until([&] { return world.counters().resting.get() == 2; }));
  REQUIRE(world.take(4, to("447700900001", "a4")) == Taken::taken);
  REQUIRE(world.take(5, to("447700900002", "b1")) == Taken::taken);
  Pdu pdu;
  CHECK(wait_for(world, peer, pdu) < 1'000);
  CHECK(text_of(pdu) == "b1");
  peer.respond(pdu.header.sequence_number, "5");
  CHECK(world.counters().resting.get() == 3);
  for (const char* text : {"a1", "a2", "a4"}) {
    CHECK(wait_for(world, peer, pdu) < 10'100);
    CHECK(text_of(pdu) == text);
    const std::size_t before = world.told.outcomes.size();
    peer.respond(pdu.header.sequence_number, text);
    REQUIRE(world.until([&] { return world.told.outcomes.size() > before; }));
  }
  CHECK(world.counters().resting.get() == 0);
  CHECK(world.told.count(Told::What::sent) == 5);
  CHECK(world.balanced());
}

TEST_CASE("no message overtakes one to its number, whatever is refused for now") {
  // The carrier answers up to ten at a time in any order, refuses some for now, throttles others.
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.config().timers.busy_max_ms = 20;
  world.config().timers.throttle_first_ms = world.config().timers.throttle_max_ms = 1;
  world.config().retry.temporary = {3, 10, 50};
  world.add_bind();
  world.add_bind();
  world.bring_up();
  constexpr int kNumbers = 7;
  std::mt19937 random(5);
  std::map<std::string, std::vector<std::uint64_t>> taken;
  std::vector<std::pair<Peer*, Pdu>> open;
  std::uint64_t message = 0;
  const auto submit = [&](std::uint64_t number) {
    const std::string text = "m" + std::to_string(number);
    REQUIRE(world.take(number, to("44770090000" + std::to_string(number % kNumbers), text)) ==
            Taken::taken);
  };
  // What comes back from the carrier for now goes again, as its home would order it.
  std::vector<std::uint64_t> back;
  world.told.on_refused = [&](std::uint64_t number) { back.push_back(number); };
  while (message < 1'500 || world.told.count(Told::What::sent) < 1'500) {
    for (int i = 0; i < 5 && message < 1'500; ++i) submit(++message);
    world.pass_ms(5, 5);
    for (const auto& peer : world.smsc.peers) {
      while (const auto pdu = peer->next()) open.emplace_back(peer.get(), *pdu);
    }
    std::shuffle(open.begin(), open.end(), random);
    for (const auto& [peer, pdu] : open) {
      const std::uint32_t sequence = pdu.header.sequence_number;
      const auto dice = random() % 100;
      if (dice < 6) {
        peer->refuse(sequence, Status::ESME_RX_T_APPN);
      } else if (dice < 12) {
        peer->refuse(sequence, Status::ESME_RTHROTTLED);
      } else {
        const std::uint64_t number = message_in(pdu);
        taken[std::to_string(number % kNumbers)].push_back(number);
        peer->respond(sequence, std::to_string(number));
      }
    }
    open.clear();
    world.steps(2);
    std::sort(back.begin(), back.end());
    for (const std::uint64_t number : back) world.carrier().known_back(number);
    for (const std::uint64_t number : back) submit(number);
    back.clear();
  }
  for (const auto& [number, messages] : taken) {
    CHECK(std::is_sorted(messages.begin(), messages.end()));
  }
  CHECK(taken.size() == kNumbers);
  CHECK(world.counters().retries.get() > 50);
  CHECK(world.counters().throttles.get() > 50);
  CHECK(world.balanced());
}

TEST_CASE("one that is refused for now for the last time takes those behind it along") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.config().retry.temporary.attempts = 0;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (std::uint64_t i = 1; i <= 4; ++i) {
    REQUIRE(world.take(i, to("447700900001", "m" + std::to_string(i))) == Taken::taken);
  }
  REQUIRE(world.take(5, to("447700900002", "m5")) == Taken::taken);
  const Pdu first = world.submit(peer);
  const Pdu other = world.submit(peer);
  CHECK(message_in(other) == 5);
  CHECK(world.quiet(peer));
  peer.refuse(first.header.sequence_number, Status::ESME_RX_T_APPN);
  REQUIRE(world.until([&] { return world.told.outcomes.size() == 4; }));
  for (std::uint64_t i = 1; i <= 4; ++i) {
    CHECK(world.told.outcomes[i - 1].message == i);
    CHECK(world.told.outcomes[i - 1].status ==
          (i == 1 ? Status::ESME_RX_T_APPN : Status::ESME_ROK));
    CHECK(world.told.outcomes[i - 1].status_class == StatusClass::temporary);
    CHECK(world.told.outcomes[i - 1].try_next);
  }
  CHECK(world.quiet(peer));
  CHECK(world.balanced());
  // What was sent to that number before its source knew of all four comes back; no other does.
  CHECK(world.take(6, to("447700900001", "m6")) == Taken::behind);
  peer.respond(other.header.sequence_number, "a");
  CHECK(world.take(7, to("447700900002", "m7")) == Taken::taken);
  for (const std::uint64_t known : {3U, 1U, 6U, 2U}) {
    world.carrier().known_back(known);
    CHECK(world.take(6, to("+447700900001", "m6")) == Taken::behind);
  }
  world.carrier().known_back(6);
  world.carrier().known_back(6);  // once is enough
  CHECK(world.take(6, to("447700900001", "m6")) == Taken::behind);
  world.carrier().known_back(6);
  world.carrier().known_back(4);
  REQUIRE(world.until([&] { return world.told.of(5) != nullptr; }));
  world.pass_ms(50);
  REQUIRE(world.take(1, to("447700900001", "m1")) == Taken::taken);
  const Pdu seventh = world.submit(peer);
  CHECK(message_in(seventh) == 7);
  peer.respond(seventh.header.sequence_number, "b");
  CHECK(message_in(world.submit(peer)) == 1);
  CHECK(world.balanced());
}

TEST_CASE("what a number's last refusal sends back is that of one source alone") {
  World world;
  world.config().retry.temporary.attempts = 0;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1) == Taken::taken);
  peer.refuse(world.submit(peer).header.sequence_number, Status::ESME_RX_T_APPN);
  REQUIRE(world.until([&] { return world.told.outcomes.size() == 1; }));
  CHECK(world.take(1) == Taken::behind);
  std::array<std::uint8_t, 512> body;
  const std::size_t length = proto::encode_body(to("447946000001", "m2"), body);
  carriers::Order order{2, 0, proto::Octets(body).first(length), 0, 1};
  CHECK(world.carrier().take(order) == Taken::taken);
}

// Four may be out to a number, all on one bind.
TEST_CASE("a number whose bind is full holds up no other number") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.config().number_window = 4;
  world.add_bind().window = 1;
  world.add_bind().window = 1;
  world.bring_up();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    REQUIRE(world.take(i, to("447700900001", "m" + std::to_string(i))) == Taken::taken);
  }
  REQUIRE(world.take(4, to("447700900002", "m4")) == Taken::taken);
  std::vector<std::pair<Peer*, Pdu>> open;
  const auto some_open = [&](std::size_t count) {
    for (const auto& peer : world.smsc.peers) {
      while (const auto pdu = peer->next()) open.emplace_back(peer.get(), *pdu);
    }
    return open.size() >= count;
  };
  REQUIRE(world.until([&] { return some_open(2); }));
  CHECK(message_in(open[0].second) + message_in(open[1].second) == 1 + 4);
  std::vector<std::uint64_t> came;
  while (came.size() < 4) {
    REQUIRE(world.until([&] { return some_open(1); }));
    const auto [peer, pdu] = open.front();
    open.erase(open.begin());
    came.push_back(message_in(pdu));
    peer->respond(pdu.header.sequence_number, std::to_string(came.back()));
  }
  std::erase(came, 4);
  CHECK(came == std::vector<std::uint64_t>{1, 2, 3});
  REQUIRE(world.until([&] { return world.told.count(Told::What::sent) == 4; }));
  CHECK(world.balanced());
}

TEST_CASE("a lost link hands back what rests, in its order") {
  World world;
  world.config().retry.temporary = {3, 10'000, 10'000};
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  REQUIRE(world.take(1, to("447700900001", "a1")) == Taken::taken);
  peer.refuse(world.submit(peer).header.sequence_number, Status::ESME_RX_T_APPN);
  world.steps(3);
  world.pass_ms(1'100);
  REQUIRE(world.take(2, to("447700900001", "a2")) == Taken::taken);
  world.steps(3);
  CHECK(world.counters().resting.get() == 2);
  peer.reset();
  REQUIRE(world.until([&] { return world.told.outcomes.size() == 2; }));
  CHECK(world.told.outcomes[0].message == 1);
  CHECK(world.told.outcomes[0].status == Status::ESME_ROK);
  CHECK(world.told.outcomes[1].message == 2);
  CHECK(world.counters().handed_back.get() == 2);
  CHECK(world.balanced());
}

TEST_CASE("what rests is bounded by the queue, and ends when its validity does") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.config().retry.temporary = {3, 10'000, 10'000};
  world.config().queue_max = 1;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  std::array<std::uint8_t, 300> body;
  const proto::SubmitSm sm = to("447700900001", "a1");
  carriers::Order order{1, 1, proto::Octets(body).first(proto::encode_body(sm, body)),
                        static_cast<std::uint64_t>(world.now_.mono_us + 2'000'000)};
  REQUIRE(world.carrier().take(order) == Taken::taken);
  peer.refuse(world.submit(peer).header.sequence_number, Status::ESME_RX_T_APPN);
  world.steps(3);
  CHECK(world.take(2) == Taken::no_room);
  world.pass_ms(2'100);
  REQUIRE(world.told.of(1) != nullptr);
  CHECK_FALSE(world.told.of(1)->try_next);
  CHECK(world.counters().expired.get() == 1);
  CHECK(world.quiet(peer));
}

TEST_CASE("failover statuses and throttling are tried here as often as configured") {
  World world;
  world.config().timers.enquire_link_ms = 0;
  world.config().retry.failover = {1, 100, 100};
  world.config().retry.throttle_attempts = 1;
  world.bring_up();
  Peer& peer = *world.smsc.peers[0];
  for (const Status status : {Status::ESME_RSUBMITFAIL, Status::ESME_RTHROTTLED}) {
    const std::uint64_t message = world.told.outcomes.size() + 1;
    REQUIRE(world.take(message) == Taken::taken);
    Pdu pdu;
    for (int i = 0; i < 2; ++i) {
      CHECK(world.told.of(message) == nullptr);
      wait_for(world, peer, pdu);
      peer.refuse(pdu.header.sequence_number, status);
      world.steps(3);
    }
    REQUIRE(world.told.of(message) != nullptr);
    CHECK(world.told.of(message)->status == status);
    CHECK(world.told.of(message)->try_next);
  }
}
