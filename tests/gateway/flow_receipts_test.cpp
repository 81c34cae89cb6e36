// Receipts on their way to the client: which, to whom, in which order, and how often.
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::Command;
using proto::MessageState;
using proto::Status;

using States = std::vector<MessageState>;

States states_told(const ClientEnd& client) {
  States result;
  for (const auto& told : client.told) result.push_back(told.state);
  return result;
}

// Lets `client` accept what was held back.
void answer(ClientEnd& client, const ClientEnd::Told& told, Status status = Status::ESME_ROK) {
  client.send(octets_of(proto::DeliverSmResp{}, told.sequence_number, status));
}

TEST_CASE("registered_delivery: what each value tells of a success and of a failure",
          "[receipts]") {
  constexpr auto kDelivered = MessageState::delivered;
  constexpr auto kUndelivered = MessageState::undeliverable;
  constexpr auto kEnroute = MessageState::enroute;
  struct Row {
    std::uint8_t asked;
    std::uint8_t version;
    States success;
    States failure;
    std::uint8_t sent;  // to the carrier
  };
  const Row rows[] = {
      {0x00, 0x34, {}, {}, 0x00},
      {0x01, 0x34, {kDelivered}, {kUndelivered}, 0x01},
      {0x02, 0x34, {}, {kUndelivered}, 0x01},
      {0x03, 0x50, {kDelivered}, {}, 0x01},
      {0x11, 0x34, {kEnroute, kDelivered}, {kEnroute, kUndelivered}, 0x11},
      {0x12, 0x34, {kEnroute}, {kEnroute, kUndelivered}, 0x11},
  };
  for (const Row& row : rows) {
    for (const auto final_state : {kDelivered, kUndelivered}) {
      INFO("registered_delivery " << int{row.asked} << " state " << static_cast<int>(final_state));
      World world;
      ClientEnd& client = world.bind("shop", Command::bind_transceiver, row.version);
      const std::uint32_t one = client.submit({.registered_delivery = row.asked});
      world.settle();
      REQUIRE(client.status(one) == Status::ESME_ROK);
      const auto& submit = world.carrier(0).submits.at(0);
      CHECK(submit.registered_delivery == row.sent);
      world.carrier(0).receipt(submit.id, kEnroute, 0, true);
      world.settle();
      world.carrier(0).receipt(submit.id, final_state);
      world.settle();
      CHECK(states_told(client) == (final_state == kDelivered ? row.success : row.failure));
      if (!client.told.empty()) CHECK(client.told[0].intermediate == (row.asked > 0x10));
      world.finish();
    }
  }
}

TEST_CASE("success only is refused before 5.0", "[receipts]") {
  World world;
  ClientEnd& client = world.bind("shop");
  const std::uint32_t one = client.submit({.registered_delivery = 3});
  world.settle();
  CHECK(client.status(one) == Status::ESME_RINVREGDLVFLG);
  world.finish();
}

TEST_CASE("a final that is not wanted does not take an unanswered notice's place", "[receipts]") {
  World world;
  ClientEnd& client = world.bind("shop");
  client.on_receipt = [](const auto&) { return std::nullopt; };
  client.submit({.registered_delivery = 0x12});
  world.settle();
  world.carrier(0).receipt("alpha1", MessageState::enroute, 0, true);
  world.settle();
  REQUIRE(client.told.size() == 1);
  world.carrier(0).receipt("alpha1", MessageState::delivered);
  world.settle();
  client.hang_up();
  world.settle();
  ClientEnd& next = world.bind("shop");
  world.settle();
  CHECK(states_told(next) == States{MessageState::enroute});
  world.finish();
}

TEST_CASE("receipts wait while no session receives, and go to any that does", "[receipts]") {
  World world;
  ClientEnd& sender = world.bind("shop", Command::bind_transmitter);
  for (int i = 0; i < 30; ++i) sender.submit({.to = "44770090" + std::to_string(1000 + i)});
  world.settle();
  for (const auto& submit : std::vector(world.carrier(0).submits)) {
    world.carrier(0).receipt(submit.id, MessageState::delivered);
  }
  world.settle();
  CHECK(sender.told.empty());
  CHECK(world.client(0).receipts_waiting.get() == 30);
  CHECK(world.stage(Stage::told) == 30);
  world.check_conserved();
  world.pass(kSecond);
  ClientEnd& other = world.bind("depot");
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
  ClientEnd& both = world.bind("shop", Command::bind_transceiver);
  world.settle();
  CHECK(receiver.told.size() + both.told.size() == 30);
  CHECK(sender.told.empty());
  CHECK(other.told.empty());
  // From now on both take part.
  const std::size_t before = both.told.size();
  for (int i = 0; i < 20; ++i) both.submit({.to = "44770090" + std::to_string(2000 + i)});
  world.settle();
  for (std::size_t i = 30; i < 50; ++i) {
    world.carrier(0).receipt(world.carrier(0).submits[i].id, MessageState::delivered);
  }
  world.settle();
  CHECK(receiver.told.size() + both.told.size() == 50);
  CHECK(both.told.size() > before);
  world.finish();
}

TEST_CASE("receipts of one number are told in order, over several small windows", "[receipts]") {
  World world({.change = [](Config& config) { config.clients[0].receipts_window = 2; }});
  ClientEnd& sender = world.bind("shop", Command::bind_transmitter);
  std::vector<ClientEnd*> receivers;
  // All that was told, over all sessions, in the order of the answers.
  std::map<std::string, std::vector<std::string>> told;
  std::vector<std::pair<ClientEnd*, ClientEnd::Told>> open;
  for (int i = 0; i < 3; ++i) {
    receivers.push_back(&world.bind("shop", Command::bind_receiver));
    ClientEnd* end = receivers.back();
    end->on_receipt = [&open, end](const ClientEnd::Told& one) -> std::optional<Status> {
      for (const auto& [other, told_there] : open) {
        if (told_there.from == one.from) CHECK(other == end);  // one number, one session at a time
      }
      open.emplace_back(end, one);
      return std::nullopt;
    };
  }
  std::map<std::string, std::vector<std::string>> sent;  // number -> ids in order
  std::vector<std::pair<std::string, std::uint32_t>> submits;
  for (int i = 0; i < 90; ++i) {
    const std::string to = "44770090" + std::to_string(1000 + i * 7 % 5);
    submits.emplace_back(to, sender.submit({.to = to}));
  }
  world.settle();
  for (const auto& [to, sequence] : submits) sent[to].push_back(sender.id(sequence));
  for (const auto& submit : std::vector(world.carrier(0).submits)) {
    world.carrier(0).receipt(submit.id, MessageState::delivered);
  }
  std::size_t at = 0;
  for (int round = 0; round < 1'000 && told.size() < 1'000; ++round) {
    world.turn();
    CHECK(open.size() <= 6);  // three windows of two
    if (open.empty()) continue;
    // Answered in any order across sessions: pick one by a fixed stride.
    at = (at * 5 + 3) % open.size();
    const auto [end, one] = open[at];
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
    told[one.from].push_back(one.id);
    answer(*end, one);
  }
  world.settle();
  // Each number's receipts were sent in order; within a session the client sees them so.
  std::map<std::string, std::size_t> seen;
  for (ClientEnd* end : receivers) {
    CHECK(end->told.size() > 5);
    std::map<std::string, std::vector<std::string>> here;
    for (const auto& one : end->told) {
      here[one.from].push_back(one.id);
      ++seen[one.from];
    }
    for (const auto& [number, ids] : here) CHECK(std::is_sorted(ids.begin(), ids.end()));
  }
  for (const auto& [number, ids] : sent) CHECK(seen[number] == ids.size());
  world.finish();
}

TEST_CASE("a session that answers nothing holds up only the numbers it has open", "[receipts]") {
  World world({.change = [](Config& config) {
    config.clients[0].receipts_window = 2;
    config.clients[0].response_timeout_us = 30 * kSecond;
  }});
  ClientEnd& sender = world.bind("shop", Command::bind_transmitter);
  ClientEnd& stuck = world.bind("shop", Command::bind_receiver);
  stuck.on_receipt = [](const auto&) { return std::nullopt; };
  std::vector<std::uint32_t> sent;
  const auto number = [](int i) { return "4477009000" + std::to_string(10 + i % 10); };
  for (int i = 0; i < 100; ++i) sent.push_back(sender.submit({.to = number(i)}));
  world.settle();
  for (const auto& submit : std::vector(world.carrier(0).submits)) {
    world.carrier(0).receipt(submit.id, MessageState::delivered);
  }
  world.settle();
  REQUIRE(stuck.told.size() == 2);
  ClientEnd& good = world.bind("shop", Command::bind_receiver);
  world.pass(kSecond);
  CHECK(good.told.size() == 80);  // all of the eight other numbers
  CHECK(world.client(0).receipts_waiting.get() == 18);
  // One answer lets that number's next one go, to the same session.
  answer(stuck, stuck.told[0]);
  world.settle();
  REQUIRE(stuck.told.size() == 3);
  CHECK(stuck.told[2].from == stuck.told[0].from);
  CHECK(good.told.size() == 80);
  // Its end frees them all, in order.
  world.pass(40 * kSecond);
  CHECK(stuck.closed());
  std::map<std::string, std::vector<std::string>> told;
  for (const auto& one : good.told) told[one.from].push_back(one.id);
  std::map<std::string, std::vector<std::string>> expected;
  for (int i = 0; i < 100; ++i) expected[number(i)].push_back(sender.id(sent[i]));
  auto& first = expected[stuck.told[0].from];
  first.erase(first.begin());  // the one that the stuck session took
  CHECK(told == expected);
  world.finish();
}

TEST_CASE("a held receipt is not overtaken when its session has room again", "[receipts]") {
  World world({.change = [](Config& config) { config.clients[0].receipts_window = 2; }});
  ClientEnd& sender = world.bind("shop", Command::bind_transmitter);
  ClientEnd& slow = world.bind("shop", Command::bind_receiver);
  slow.on_receipt = [](const auto&) { return std::nullopt; };
  const auto receipt_of = [&](const char* number) {
    const std::uint32_t one = sender.submit({.to = number});
    world.settle();
    world.carrier(0).receipt(world.carrier(0).submits.back().id, MessageState::delivered);
    world.settle();
    return sender.id(one);
  };
  const std::string first = receipt_of("447700900001");
  const std::string other = receipt_of("447700900002");
  REQUIRE(slow.told.size() == 2);
  world.bind("shop", Command::bind_receiver);
  const std::string second = receipt_of("447700900001");  // held: the slow one's window is full
  answer(slow, slow.told[1]);
  world.settle();
  const std::string third = receipt_of("447700900001");
  REQUIRE(slow.told.size() == 3);
  CHECK(slow.told[2].id == second);
  answer(slow, slow.told[0]);
  world.settle();
  REQUIRE(slow.told.size() == 4);
  CHECK(slow.told[3].id == third);
  answer(slow, slow.told[2]);
  answer(slow, slow.told[3]);
  world.finish();
}

TEST_CASE("held receipts are put aside once, however many responses let one of them go",
          "[receipts]") {
  constexpr std::size_t kReceipts = 500;
  World world({.change = [](Config& config) {
    config.clients[0].window = 1'000;
    config.clients[0].receipts_window = 2;
    config.clients[0].response_timeout_us = kHour;
    config.carriers[0].binds[0].window = 1'000;
    config.carriers[0].number_window = 1'000;
  }});
  ClientEnd& sender = world.bind("shop", Command::bind_transmitter);
  ClientEnd& slow = world.bind("shop", Command::bind_receiver);
  slow.on_receipt = [](const auto&) { return std::nullopt; };
  std::vector<std::uint32_t> sent;
  for (std::size_t i = 0; i < kReceipts; ++i) sent.push_back(sender.submit());
  world.settle();
  for (const auto& submit : std::vector(world.carrier(0).submits)) {
    world.carrier(0).receipt(submit.id, MessageState::delivered);
  }
  world.settle();
  REQUIRE(slow.told.size() == 2);
  ClientEnd& good = world.bind("shop", Command::bind_receiver);
  world.settle();
  CHECK(world.client(0).receipts_held.get() == kReceipts - 2);
  for (std::size_t i = 0; i < 200; ++i) {
    REQUIRE(slow.told.size() == i + 2);
    CHECK(slow.told[i].id == sender.id(sent[i]));
    answer(slow, slow.told[i]);
    world.turn(2);
  }
  CHECK(world.client(0).receipts_held.get() == kReceipts - 2);
  CHECK(good.told.empty());
  // Refused for now: those behind it go on.
  answer(slow, slow.told[200], Status::ESME_RX_T_APPN);
  world.turn(2);
  REQUIRE(slow.told.size() == 203);
  slow.hang_up();
  REQUIRE(world.until([&] { return world.messages() == 0; }, 60'000));
  CHECK(good.told.size() == kReceipts - 200);
  CHECK(good.told[0].id == sender.id(sent[201]));
  CHECK(good.told.back().id == sender.id(sent[200]));
  CHECK(world.client(0).receipts_held.get() == kReceipts - 2);
  world.finish();
}

TEST_CASE("held receipts that nobody takes for long are given up, and are no reason not to stop",
          "[receipts]") {
  World world({.change = [](Config& config) {
    config.clients[0].receipts_window = 1;
    config.clients[0].response_timeout_us = 30 * kSecond;
    config.clients[0].receipt_keep_us = 60 * kSecond;
  }});
  ClientEnd& sender = world.bind("shop", Command::bind_transmitter);
  ClientEnd& one = world.bind("shop", Command::bind_receiver);
  ClientEnd& two = world.bind("shop", Command::bind_receiver);
  one.on_receipt = two.on_receipt = [](const auto&) { return std::nullopt; };
  for (int i = 0; i < 20; ++i) sender.submit();
  world.settle();
  for (const auto& submit : std::vector(world.carrier(0).submits)) {
    world.carrier(0).receipt(submit.id, MessageState::delivered);
  }
  world.settle();
  CHECK(one.told.size() + two.told.size() == 1);
  CHECK(world.client(0).receipts_held.get() == 19);
  one.wire().allowance = two.wire().allowance = 0;
  world.pass(70 * kSecond, 100 * kMs);
  CHECK(world.messages() == 0);
  CHECK(world.client(0).receipts_expired.get() > 15);
  world.finish();
}

TEST_CASE("each status that is for now is told again, each for good is not", "[receipts]") {
  struct Row {
    Status status;
    bool again;
  };
  const Row rows[] = {
      {Status::ESME_RX_T_APPN, true},    // temporary
      {Status::ESME_RMSGQFUL, true},     // temporary
      {Status::ESME_RTHROTTLED, true},   // throttle
      {Status::ESME_RSYSERR, true},      // failover: it could not, for reasons of its own
      {Status{0x00000412}, true},        // without a name: failover
      {Status::ESME_RX_P_APPN, false},   // permanent
      {Status::ESME_RINVDSTADR, false},  // permanent
      {Status::ESME_RINVPASWD, false},   // configuration
  };
  for (const Row& row : rows) {
    INFO("status " << static_cast<std::uint32_t>(row.status));
    World world;
    world.carrier(0).receipts = MessageState::delivered;
    ClientEnd& client = world.bind("shop");
    int times = 0;
    client.on_receipt = [&](const auto&) {
      return std::optional(++times == 1 ? row.status : Status::ESME_ROK);
    };
    client.submit();
    world.settle();
    CHECK(times == 1);
    world.pass(Delivery::kRetryUs + 300 * kMs);
    CHECK(times == (row.again ? 2 : 1));
    CHECK(world.messages() == 0);
    world.finish();
  }
}

TEST_CASE("refused for now: told again later; refused for good: not again", "[receipts]") {
  World world;
  ClientEnd& client = world.bind("shop");
  int times = 0;
  client.on_receipt = [&](const auto&) {
    return std::optional(++times < 3 ? Status::ESME_RX_T_APPN : Status::ESME_ROK);
  };
  client.submit();
  world.settle();
  world.carrier(0).receipt("alpha1", MessageState::delivered);
  world.settle();
  CHECK(times == 1);
  world.pass(Delivery::kRetryUs - 100 * kMs);
  CHECK(times == 1);
  world.pass(300 * kMs);
  CHECK(times == 2);
  CHECK(world.client(0).receipts_waiting.get() == 1);
  world.pass(Delivery::kRetryUs + 300 * kMs);
  CHECK(times == 3);
  CHECK(client.told[2].id == client.told[0].id);
  CHECK(world.client(0).receipts_retried.get() == 2);

  times = -100;
  client.on_receipt = [&](const auto&) {
    ++times;
    return std::optional(Status::ESME_RX_P_APPN);
  };
  client.submit();
  world.settle();
  world.carrier(0).receipt("alpha2", MessageState::delivered);
  world.settle();
  world.pass(30 * kSecond);
  CHECK(times == -99);
  world.finish();
}

TEST_CASE("a session is lost with deliver_sm open: told again first, in order", "[receipts]") {
  World world({.change = [](Config& config) { config.clients[0].receipts_window = 4; }});
  ClientEnd& client = world.bind("shop");
  client.on_receipt = [](const auto&) { return std::nullopt; };
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) {
    const std::uint32_t one = client.submit();
    world.settle();
    ids.push_back(client.id(one));
  }
  for (int i = 1; i <= 10; ++i) {
    world.carrier(0).receipt("alpha" + std::to_string(i), MessageState::delivered);
  }
  world.settle();
  REQUIRE(client.told.size() == 4);
  CHECK(world.client(0).receipts_in_flight.get() == 4);
  CHECK(world.client(0).receipts_waiting.get() == 6);
  answer(client, client.told[1]);  // one of the middle is done
  world.settle();
  REQUIRE(client.told.size() == 5);
  client.hang_up();
  world.settle();
  CHECK(world.client(0).receipts_in_flight.get() == 0);
  CHECK(world.client(0).receipts_waiting.get() == 9);
  ClientEnd& next = world.bind("shop");
  REQUIRE(world.until([&] { return next.told.size() == 9; }));
  std::vector<std::string> expected = ids;
  expected.erase(expected.begin() + 1);
  for (std::size_t i = 0; i < 9; ++i) CHECK(next.told[i].id == expected[i]);
  world.finish();
}

TEST_CASE("a deliver_sm without a response: the session is closed, the receipt told again",
          "[receipts]") {
  World world(
      {.change = [](Config& config) { config.clients[0].response_timeout_us = 10 * kSecond; }});
  ClientEnd& client = world.bind("shop");
  client.on_receipt = [](const auto&) { return std::nullopt; };
  client.submit();
  world.settle();
  world.carrier(0).receipt("alpha1", MessageState::delivered);
  world.settle();
  REQUIRE(client.told.size() == 1);
  world.pass(9 * kSecond);
  CHECK_FALSE(client.closed());
  world.pass(12 * kSecond);
  CHECK(client.closed());
  ClientEnd& next = world.bind("shop");
  world.settle();
  CHECK(next.told.size() == 1);
  world.finish();
}

TEST_CASE("nobody comes for a receipt: given up after receipt_keep, without any traffic",
          "[receipts]") {
  World world({.change = [](Config& config) { config.clients[0].receipt_keep_us = 60 * kSecond; }});
  ClientEnd& client = world.bind("shop", Command::bind_transmitter);
  client.submit();
  world.settle();
  world.carrier(0).receipt("alpha1", MessageState::delivered);
  world.settle();
  client.hang_up();
  world.pass(58 * kSecond, 100 * kMs);
  CHECK(world.messages() == 1);
  world.pass(5 * kSecond, 100 * kMs);
  CHECK(world.messages() == 0);
  CHECK(world.client(0).receipts_expired.get() == 1);
  world.finish();
}

TEST_CASE("receipts_max bounds the receipts to come: reading stops, then ESME_RMSGQFUL",
          "[receipts]") {
  World world({.change = [](Config& config) { config.clients[0].receipts_max = 3; }});
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 3; ++i) client.submit();
  world.settle();
  const std::uint32_t beyond = client.submit();
  const std::uint32_t unasked = client.submit({.registered_delivery = 0});
  world.settle();
  CHECK_FALSE(client.answered(beyond));
  world.pass(1'100 * kMs);
  CHECK(client.status(beyond) == Status::ESME_RMSGQFUL);
  CHECK(client.status(unasked) == Status::ESME_ROK);
  for (int i = 1; i <= 3; ++i) {
    world.carrier(0).receipt("alpha" + std::to_string(i), MessageState::delivered);
  }
  world.settle();
  CHECK(client.told.size() == 3);
  const std::uint32_t again = client.submit({.registered_delivery = 0});
  world.settle();
  CHECK(client.status(again) == Status::ESME_ROK);
  world.finish();
}

TEST_CASE("receipts_max bounds the receipts nobody takes: ESME_RMSGQFUL at once", "[receipts]") {
  World world({.change = [](Config& config) { config.clients[0].receipts_max = 3; }});
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop", Command::bind_transmitter);
  ClientEnd& other = world.bind("depot");
  for (int i = 0; i < 3; ++i) client.submit();
  world.settle();
  CHECK(world.client(0).receipts_owing.get() == 0);
  const std::uint32_t still = client.submit();
  const std::uint32_t unasked = client.submit({.registered_delivery = 0});
  const std::uint32_t theirs = other.submit();
  world.settle();
  CHECK(client.status(still) == Status::ESME_RMSGQFUL);
  CHECK(client.status(unasked) == Status::ESME_ROK);
  CHECK(other.status(theirs) == Status::ESME_ROK);
  CHECK(world.client(0).queue_full.get() == 1);
  ClientEnd& receiver = world.bind("shop", Command::bind_receiver);
  world.settle();
  CHECK(receiver.told.size() == 3);
  const std::uint32_t again = client.submit();
  world.settle();
  CHECK(client.status(again) == Status::ESME_ROK);
  world.finish();
}

TEST_CASE("at receipts_max a transceiver that takes its receipts is never refused", "[receipts]") {
  World world({.change = [](Config& config) { config.clients[0].receipts_max = 64; }});
  ClientEnd& client = world.bind("shop");
  std::size_t sent = 0;
  std::size_t done = 0;
  const auto step = [&] {
    // Eight submits in flight, and receipts that come in bursts when the bound is reached. The
    // responses to them lie behind submits that are not read yet: that must not take a second.
    for (; sent < 300 && sent + 1 < client.responses.size() + 8; ++sent) client.submit();
    const auto& submits = world.carrier(0).submits;
    if (submits.size() - done >= 64 || submits.size() == 300) {
      for (; done < submits.size(); ++done) {
        world.carrier(0).receipt(submits[done].id, MessageState::delivered);
      }
    }
    return client.told.size() == 300;
  };
  CHECK(world.until(step, 900));
  CHECK(world.client(0).queue_full.get() == 0);
  CHECK(world.client(0).reading_pauses.get() > 0);
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
