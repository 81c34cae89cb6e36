// What bounds a client: window, pace, queue, ledger, output; and that it harms nobody else.
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::Command;
using proto::MessageState;
using proto::Status;

std::size_t count_status(const ClientEnd& client, Status status) {
  std::size_t count = 0;
  for (const auto& [sequence, response] : client.responses) {
    if (response.header.command_id == Command::submit_sm_resp &&
        response.header.command_status == status) {
      ++count;
    }
  }
  return count;
}

// Answers what a carrier held back, with receipts.
void release(World& world, std::size_t carrier, std::size_t& from, std::size_t count) {
  CarrierEnd& end = world.carrier(carrier);
  for (; count > 0 && from < end.submits.size(); --count, ++from) {
    end.answer(from, {Status::ESME_ROK, end.next_id()});
    end.receipt(end.submits[from].id, MessageState::delivered, end.submits[from].bind);
  }
}

TEST_CASE("more submits in one flight than the window: ESME_RTHROTTLED", "[limits]") {
  World world({.change = [](Config& config) { config.clients[0].window = 10; }});
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 25; ++i) client.submit();
  world.settle();
  CHECK(client.responses.size() == 26);  // the bind's too
  CHECK(count_status(client, Status::ESME_ROK) == 10);
  CHECK(count_status(client, Status::ESME_RTHROTTLED) == 15);
  CHECK(world.client(0).window_overruns.get() == 15);
  for (int i = 0; i < 10; ++i) client.submit();
  world.settle();
  CHECK(count_status(client, Status::ESME_ROK) == 20);
  world.finish();
}

TEST_CASE("pace: a second's worth at once, then so many a second, over all sessions", "[limits]") {
  World world({.change = [](Config& config) { config.clients[0].pace_per_s = 20; }});
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& one = world.bind("shop");
  ClientEnd& two = world.bind("shop");
  for (int i = 0; i < 30; ++i) {
    one.submit();
    two.submit();
  }
  world.settle();
  const auto accepted = [&] {
    return count_status(one, Status::ESME_ROK) + count_status(two, Status::ESME_ROK);
  };
  CHECK(accepted() == 21);  // 1 + 20 * 1 s
  CHECK(world.client(0).over_pace.get() == 39);
  world.pass(500 * kMs);
  for (int i = 0; i < 30; ++i) two.submit();
  world.settle();
  CHECK(accepted() == 31);
  CHECK(count_status(two, Status::ESME_RTHROTTLED) > 0);
  world.finish();
}

TEST_CASE("queue_max: reading stops, goes on with some room, and nobody else notices", "[limits]") {
  World world({.change = [](Config& config) {
    config.clients[0].queue_max = 20;
    config.carriers[0].timers.response_ms = 600'000;
  }});
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  ClientEnd& client = world.bind("shop");
  ClientEnd& other = world.bind("depot");
  for (int i = 0; i < 50; ++i) client.submit();
  world.settle();
  CHECK(client.responses.size() == 1 + 20);
  CHECK(world.client(0).unsent.get() == 20);
  CHECK(world.client(0).reading_pauses.get() == 1);
  const std::uint32_t theirs = other.submit({.registered_delivery = 0});
  world.settle();
  CHECK(other.status(theirs) == Status::ESME_ROK);
  const std::size_t held = world.carrier(0).submits.size();
  REQUIRE(held == 21);
  std::size_t done = 0;
  release(world, 0, done, 1);
  world.settle();
  CHECK(client.responses.size() == 1 + 20);  // an eighth has to be free
  release(world, 0, done, 1);
  world.settle();
  CHECK(client.responses.size() == 1 + 22);  // read until it is full again
  CHECK(world.client(0).unsent.get() == 20);
  CHECK(count_status(client, Status::ESME_RMSGQFUL) == 0);
  world.check_conserved();
  while (world.messages() > 0) {
    release(world, 0, done, 1'000);
    world.pass(kMs, kMs);
  }
  CHECK(count_status(client, Status::ESME_ROK) == 50);
  CHECK(client.told.size() == 50);
  world.finish();
}

TEST_CASE("a queue that stays full for a second: ESME_RMSGQFUL, with no carrier to be had",
          "[limits]") {
  World world({.change = [](Config& config) { config.clients[0].queue_max = 5; }});
  world.carrier(0).die();
  world.carrier(1).die();
  REQUIRE(world.until([&] { return !world.homes().state(1).up(); }));
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 12; ++i) client.submit();
  world.settle();
  CHECK(count_status(client, Status::ESME_ROK) == 5);
  CHECK(client.responses.size() == 1 + 5);
  world.pass(900 * kMs);
  CHECK(client.responses.size() == 1 + 5);
  world.pass(400 * kMs);
  CHECK(count_status(client, Status::ESME_RMSGQFUL) == 7);
  // It stays a client: what it asks is answered.
  const std::uint32_t enquiry = client.send_empty(Command::enquire_link);
  const std::uint32_t another = client.submit();
  world.settle();
  CHECK(client.answered(enquiry));
  CHECK(client.status(another) == Status::ESME_RMSGQFUL);
  world.carrier(0).listens = true;
  world.carrier(0).receipts = MessageState::delivered;
  REQUIRE(world.until([&] { return client.told.size() == 5; }, 60'000));
  world.finish();
}

TEST_CASE("a queue that empties too slowly: every PDU is answered within queue_full_seconds",
          "[limits]") {
  World world({.carriers = 1, .change = [](Config& config) {
                 config.clients[0].queue_max = 80;
                 config.carriers[0].timers.response_ms = 600'000;
               }});
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 80; ++i) client.submit();
  world.settle();
  REQUIRE(count_status(client, Status::ESME_ROK) == 80);
  // It takes one each 100 ms: an eighth is free only after a second, and what was read filled it.
  std::size_t done = 0;
  for (int tenth = 0; tenth < 100; ++tenth) {
    const std::uint32_t enquiry = client.send_empty(Command::enquire_link);
    const std::uint32_t one = client.submit();
    const std::uint32_t two = client.submit();
    const std::uint32_t last = client.send_empty(Command::enquire_link);
    for (int part = 0; part < 11; ++part) {
      release(world, 0, done, 1);
      world.pass(100 * kMs);
    }
    REQUIRE(client.answered(enquiry));
    REQUIRE(client.answered(one));
    REQUIRE(client.answered(two));
    REQUIRE(client.answered(last));
  }
  CHECK(world.client(0).queue_full.get() == count_status(client, Status::ESME_RMSGQFUL));
  while (world.messages() > 0) {
    release(world, 0, done, 1'000);
    world.pass(kMs, kMs);
  }
  world.finish();
}

TEST_CASE("an enquire_link behind waiting submits is answered, though there is room now and then",
          "[limits]") {
  World world({.carriers = 1, .change = [](Config& config) {
                 config.clients[0].queue_max = 8;
                 config.carriers[0].timers.response_ms = 600'000;
               }});
  world.carrier(0).on_submit = [](const auto&) { return std::nullopt; };
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 60; ++i) client.submit();
  const std::uint32_t enquiry = client.send_empty(Command::enquire_link);
  world.settle();
  std::size_t done = 0;
  for (int drops = 0; drops < 4;
       ++drops) {  // each makes room, before patience with a full queue ends
    CHECK_FALSE(client.answered(enquiry));
    world.pass(800 * kMs, 100 * kMs);
    release(world, 0, done, 1);
    world.settle();
  }
  CHECK(client.answered(enquiry));
  CHECK(count_status(client, Status::ESME_ROK) + count_status(client, Status::ESME_RMSGQFUL) == 60);
  // All was read, so that what comes now waits for room again.
  client.submit();
  const std::uint32_t waits = client.submit();
  world.pass(500 * kMs, 100 * kMs);
  CHECK_FALSE(client.answered(waits));
  release(world, 0, done, 1'000);
  world.settle();
  CHECK(client.status(waits) == Status::ESME_ROK);
  while (world.messages() > 0) {
    release(world, 0, done, 1'000);
    world.pass(kMs, kMs);
  }
  world.finish();
}

TEST_CASE("the ledger is full: ESME_RMSGQFUL until something is settled", "[limits]") {
  World world({.change = [](Config& config) { config.gateway.limits.messages_per_shard = 8; }});
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 12; ++i) client.submit();
  world.settle();
  CHECK(count_status(client, Status::ESME_ROK) == 8);
  CHECK(count_status(client, Status::ESME_RMSGQFUL) == 4);
  CHECK(world.sum(&LedgerCounters::full) == 4);
  world.check_conserved();
  world.carrier(0).receipt("alpha1", MessageState::delivered);
  world.settle();
  const std::uint32_t more = client.submit();
  world.settle();
  CHECK(client.status(more) == Status::ESME_ROK);
  for (const auto& submit : std::vector(world.carrier(0).submits)) {
    world.carrier(0).receipt(submit.id, MessageState::delivered);
  }
  world.settle();
  CHECK(client.told.size() == 9);
  world.finish();
}

TEST_CASE("a client that never reads costs its cap; others go on", "[limits]") {
  constexpr std::uint32_t kCap = 512 * 1024;
  World world({.change = [](Config& config) {
    config.gateway.limits.connection_output_octets = kCap;
    config.clients[0].window = 10'000;
    config.clients[0].receipts_window = 10'000;
  }});
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  ClientEnd& other = world.bind("depot");
  client.wire().allowance = 0;  // its socket takes nothing from now on
  client.reads = false;
  const std::string enquiries = [] {
    std::string octets;
    for (std::uint32_t i = 1; i <= 2'000; ++i) {
      octets += header_octets(Command::enquire_link, 100'000 + i);
    }
    return octets;
  }();
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 20; ++i) client.submit();
    client.send(enquiries);
    const std::uint32_t theirs = other.submit();
    world.settle();
    REQUIRE(other.status(theirs) == Status::ESME_ROK);
  }
  CHECK(other.told.size() == 40);
  std::size_t waiting = 0;
  for (const auto& chunk : client.wire().incoming) waiting += chunk.size();
  CHECK(waiting > 20 * enquiries.size());  // its socket is not read any more
  CHECK(world.shard(0).buffers().in_use() < 3 * kCap);
  CHECK(world.client(0).receipts_in_flight.get() <= 10'000);
  world.check_conserved();
  // It is asked whether it lives, and closed; its receipts wait for another session.
  world.pass(200 * kSecond, 100 * kMs);
  CHECK(client.closed());
  ClientEnd& next = world.bind("shop");
  REQUIRE(world.until([&] { return world.messages() == 0; }));
  CHECK(next.told.size() == world.client(0).accepted.get());
  world.finish();
}

TEST_CASE("a client that stops reading half way is closed too", "[limits]") {
  World world({.change = [](Config& config) { config.clients[0].window = 10'000; }});
  ClientEnd& client = world.bind("shop");
  client.wire().allowance = 0;
  client.reads = false;
  std::string enquiries;
  for (std::uint32_t i = 1; i <= 20'000; ++i) {  // answers of 320 KB: above the mark
    enquiries += header_octets(Command::enquire_link, 100'000 + i);
  }
  client.send(enquiries);
  world.settle();
  client.wire().allowance = 128 * 1024;  // it takes some, and is between the marks for ever
  world.settle();
  REQUIRE_FALSE(client.closed());
  world.pass(200 * kSecond, 100 * kMs);
  CHECK(client.closed());
  world.finish();
}

TEST_CASE("a journal that fails while records wait for it holds up nobody", "[limits]") {
  core::testing::FaultyStorage disk;
  World world({.change = [](Config& config) { config.clients[0].window = 1'000; }, .disk = &disk});
  ClientEnd& client = world.bind("shop");
  disk.fails[core::testing::Op::datasync] = {1, EIO};
  for (int i = 0; i < 200; ++i) client.submit();  // many times what its ring holds
  world.pass(kSecond, 10 * kMs);
  ClientEnd& other = world.bind("depot");
  const std::uint32_t theirs = other.submit();
  world.settle();
  CHECK(other.status(theirs) == Status::ESME_RSYSERR);
  world.abandon();
}

TEST_CASE("a slow reader: reading pauses with its output, and goes on with it", "[limits]") {
  World world({.change = [](Config& config) { config.clients[0].window = 10'000; }});
  ClientEnd& client = world.bind("shop");
  client.wire().allowance = 0;
  for (std::uint32_t i = 0; i < 40'000; ++i) client.send_empty(Command::enquire_link);
  world.settle();
  const std::uint32_t one = client.submit({.registered_delivery = 0});
  world.settle();
  CHECK_FALSE(client.answered(one));
  client.wire().allowance = 1'000'000'000;
  REQUIRE(world.until([&] { return client.answered(one); }));
  CHECK(client.count(Command::enquire_link_resp) == 40'000);
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
