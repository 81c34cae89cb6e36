// Who may have how much: of a client's queue one carrier, of a turn one account, of memory one
// client; and what is read first when there is too much of everything.
#include "proto/text.h"
#include "proto/tlv.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::Command;
using proto::MessageState;
using proto::Status;

// Alpha alone carries to 44..., bravo alone to 33...
routing::Files parted_tables() {
  routing::Files files = world_tables();
  files["plans/retail.csv"] = "mcc,mccmnc,price,currency\n234,,0.05,EUR\n208,,0.05,EUR\n";
  files["rates/alpha.csv"] = "mcc,price,currency\n234,0.01,EUR\n";
  files["rates/bravo.csv"] = "mcc,price,currency\n208,0.01,EUR\n";
  return files;
}

constexpr std::string_view kToAlpha = "447700900001";
constexpr std::string_view kToBravo = "33600000001";

const auto kSilent = [](const CarrierEnd::Submit&) { return std::optional<CarrierEnd::Reply>(); };

std::string octets_of_text(std::size_t octets) {
  return std::string(octets, 'x');
}

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

// What a silent carrier holds is answered, in the end.
void let_go(World& world, std::size_t carrier) {
  CarrierEnd& end = world.carrier(carrier);
  std::size_t done = 0;
  end.on_submit = nullptr;
  REQUIRE(world.until(
      [&] {
        for (; done < end.submits.size(); ++done) {
          if (end.submits[done].id.empty()) {
            end.answer(done, {Status::ESME_ROK, end.next_id()});
          }
        }
        return world.messages() == 0;
      },
      60'000));
  world.pass(100 * kMs);  // and what was not read before
}

TEST_CASE("a slow carrier does not own its client's queue", "[limits]") {
  World world({.change =
                   [](Config& config) {
                     config.clients[0].queue_max = 400;
                     config.clients[0].window = 10'000;
                     config.carriers[0].binds[0].window = 1;
                     config.carriers[0].timers.response_ms = 600'000;
                   },
               .tables = parted_tables()});
  CarrierEnd& slow = world.carrier(0);
  slow.on_submit = kSilent;
  ClientEnd& client = world.bind("shop");
  std::size_t answered = 0;  // by alpha, one each 100 ms
  std::vector<std::uint32_t> to_bravo;
  std::vector<std::uint32_t> all;
  std::size_t bravo_taken = 0;
  for (int ms = 0; ms < 4'000; ++ms) {
    for (int i = 0; i < 2; ++i) {
      all.push_back(client.submit({.to = kToAlpha, .registered_delivery = 0}));
      to_bravo.push_back(client.submit({.to = kToBravo, .registered_delivery = 0}));
      all.push_back(to_bravo.back());
    }
    if (ms % 100 == 0 && answered < slow.submits.size()) {
      slow.answer(answered++, {Status::ESME_ROK, slow.next_id()});
    }
    world.pass(kMs, kMs);
    if (ms >= 1'500) REQUIRE(client.answered(all[4 * static_cast<std::size_t>(ms - 1'500)]));
  }
  world.settle();
  for (const std::uint32_t one : to_bravo) bravo_taken += client.status(one) == Status::ESME_ROK;
  CHECK(bravo_taken == to_bravo.size());
  CHECK(world.carrier(1).submits.size() == to_bravo.size());
  CHECK(world.client(0).unsent.get() == 400);
  CHECK(count_status(client, Status::ESME_RMSGQFUL) == world.client(0).queue_full.get());
  CHECK(world.client(0).queue_full.get() > 7'000);
  world.check_conserved();
  let_go(world, 0);
  world.finish();
}

TEST_CASE("a full queue that is all one carrier's: one to another is taken at once", "[limits]") {
  World world({.change =
                   [](Config& config) {
                     config.clients[0].queue_max = 40;
                     config.carriers[0].timers.response_ms = 600'000;
                   },
               .tables = parted_tables()});
  world.carrier(0).on_submit = kSilent;
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 40; ++i) client.submit({.to = kToAlpha, .registered_delivery = 0});
  world.settle();
  CHECK(count_status(client, Status::ESME_ROK) == 40);
  // Nothing tells that it sends elsewhere too: it is held back for a moment, as ever.
  const std::uint32_t first = client.submit({.to = kToBravo, .registered_delivery = 0});
  world.pass(1'200 * kMs);
  CHECK(client.status(first) == Status::ESME_ROK);
  const std::uint32_t other = client.submit({.to = kToBravo, .registered_delivery = 0});
  const std::uint32_t more = client.submit({.to = kToAlpha, .registered_delivery = 0});
  world.settle();
  CHECK(client.status(other) == Status::ESME_ROK);
  CHECK(client.status(more) == Status::ESME_RMSGQFUL);
  let_go(world, 0);
  world.finish();
}

TEST_CASE("a carrier that has its share is passed over for the next of the route", "[limits]") {
  World world({.change = [](Config& config) {
    config.clients[0].queue_max = 400;
    config.carriers[0].timers.response_ms = 600'000;
  }});
  world.carrier(0).on_submit = kSilent;
  ClientEnd& client = world.bind("shop");
  for (int i = 0; i < 1'000; ++i) {
    client.submit({.registered_delivery = 0});
    world.pass(kMs, kMs);
  }
  CHECK(count_status(client, Status::ESME_ROK) == 1'000);
  CHECK(world.carrier(0).submits.size() == 100);  // its window
  const std::uint64_t unsent = world.client(0).unsent.get();
  CHECK(unsent > 100 + 100);  // and up to a quarter of what is left waits behind
  CHECK(unsent < 400);
  CHECK(world.carrier(1).submits.size() == 1'000 - unsent);
  let_go(world, 0);
  world.finish();
}

TEST_CASE("an account's junk on eight sessions takes its share of a turn, no more", "[limits]") {
  World world({.change = [](Config& config) { config.clients[0].window = 1; }});
  std::vector<ClientEnd*> junk;
  for (int i = 0; i < 8; ++i) junk.push_back(&world.bind("shop"));
  ClientEnd& other = world.bind("depot");
  std::string enquiries;
  for (std::uint32_t i = 1; i <= 3'000; ++i) {
    enquiries += header_octets(Command::enquire_link, 100'000 + i);
  }
  const auto all_seen = [&junk] {
    std::size_t all = 0;
    for (const ClientEnd* one : junk) all += one->seen.size();
    return all;
  };
  std::size_t answered = all_seen();
  for (int turn = 0; turn < 40; ++turn) {
    for (ClientEnd* one : junk) {
      if (one->wire().incoming.empty()) one->send(enquiries);
      for (int i = 0; i < 20; ++i) one->submit({.registered_delivery = 0});  // over its window
    }
    const std::uint32_t theirs = other.submit({.registered_delivery = 0});
    world.turn();
    CHECK(other.answered(theirs));  // in the turn in which it came
    CHECK(all_seen() - answered <= core::Shard::kUnitsPerTurn / 2);
    answered = all_seen();
  }
  CHECK(answered > 30 * core::Shard::kUnitsPerTurn / 2);
  world.turn(100);
  world.finish();
}

TEST_CASE("connections that are not bound share one account's part of a turn", "[limits]") {
  World world;
  ClientEnd& client = world.bind("shop");
  std::vector<ClientEnd*> strangers;
  std::string enquiries;
  for (std::uint32_t i = 1; i <= 500; ++i) {
    enquiries += header_octets(Command::enquire_link, 100'000 + i);
  }
  for (int i = 0; i < 50; ++i) strangers.push_back(&world.connect());
  world.settle();
  std::size_t answered = 0;
  for (int turn = 0; turn < 10; ++turn) {
    for (ClientEnd* one : strangers) {
      if (one->wire().incoming.empty()) one->send(enquiries);
    }
    const std::uint32_t one = client.submit({.registered_delivery = 0});
    world.turn();
    CHECK(client.answered(one));
    std::size_t now_answered = 0;
    for (ClientEnd* each : strangers) now_answered += each->seen.size();
    CHECK(now_answered - answered <= core::Shard::kUnitsPerTurn / 2);
    answered = now_answered;
  }
  for (ClientEnd* one : strangers) one->hang_up();
  world.pass(20 * kSecond, 100 * kMs);
  world.finish();
}

// A carrier that answers all it has each millisecond, and a client that has ever more.
TEST_CASE("a busy shard reads no client while a quick carrier has too much to send", "[limits]") {
  World world({.carriers = 1, .change = [](Config& config) {
                 config.clients[0].window = 10'000;
                 config.clients[1].window = 10'000;
               }});
  ClientEnd& client = world.bind("shop");
  ClientEnd& other = world.bind("depot");
  world.pass(100 * kMs, kMs);
  const auto& queue = world.homes().carrier(0).board.counters.queue;
  std::uint64_t most = 0;
  std::uint64_t number = 0;  // each message to its own
  for (int ms = 0; ms < 200; ++ms) {
    for (ClientEnd* one : {&client, &other}) {
      if (!one->wire().incoming.empty()) continue;
      for (int i = 0; i < 1'000; ++i) {
        one->submit({.to = std::to_string(447'700'000'000 + ++number), .registered_delivery = 0});
      }
    }
    world.turn();
    world.advance(kMs);
    most = std::max(most, queue.get());
  }
  CHECK(most > 1'024);
  CHECK(most < 1'024 + core::Shard::kUnitsPerTurn);
  CHECK(world.sum(&LedgerCounters::holds) > 20);
  CHECK(world.carrier(0).submits.size() > 195 * 100);  // its window was never empty for that
  REQUIRE(world.until([&] { return world.messages() == 0; }, 10'000));
  world.finish();
}

TEST_CASE("nobody is held up by a carrier that is slow itself, nor by one that is down",
          "[limits]") {
  World world({.change =
                   [](Config& config) {
                     config.gateway.limits.messages_per_shard = 20'000;
                     for (ClientConfig& each : config.clients) each.window = 10'000;
                     config.clients[0].queue_max = 6'000;
                     config.carriers[0].timers.response_ms = 600'000;
                     config.carriers[1].binds[0].window = 5'000;  // never pressed itself
                   },
               .tables = parted_tables()});
  world.carrier(0).on_submit = kSilent;
  ClientEnd& client = world.bind("shop");
  ClientEnd& other = world.bind("depot");
  world.pass(100 * kMs, kMs);
  std::vector<std::uint32_t> theirs;
  const auto submit_thousand = [](ClientEnd& from, std::uint64_t& to) {
    std::vector<std::uint32_t> sent;
    if (!from.wire().incoming.empty()) return sent;
    for (int i = 0; i < 1'000; ++i) {
      sent.push_back(from.submit({.to = std::to_string(++to), .registered_delivery = 0}));
    }
    return sent;
  };
  std::uint64_t to_alpha = 447'700'000'000;
  std::uint64_t to_bravo = 33'600'000'000;
  for (int ms = 0; ms < 400; ++ms) {  // the shard is busy with both
    submit_thousand(client, to_alpha);
    const auto sent = submit_thousand(other, to_bravo);
    theirs.insert(theirs.end(), sent.begin(), sent.end());
    world.turn();
    world.advance(kMs);
  }
  world.settle();
  CHECK(world.client(0).unsent.get() == 6'000);  // as many as ever may wait
  CHECK(world.sum(&LedgerCounters::holds) > 20);
  CHECK(world.sum(&LedgerCounters::holds) <= 51);
  CHECK(count_status(other, Status::ESME_ROK) == theirs.size());
  let_go(world, 0);
  world.finish();
}

// Less leaves than comes: each place that a response frees is taken in the turn in which it is
// told.
TEST_CASE("what waits for a carrier goes before what comes later, whoever sent it", "[limits]") {
  const unsigned shards = GENERATE(1U, 2U);
  World world({.shards = shards, .carriers = 1, .change = [](Config& config) {
                 for (ClientConfig& each : config.clients) each.window = 10'000;
                 config.carriers[0].pace_per_s = 200;
                 config.carriers[0].queue_max = 10;
               }});
  ClientEnd& client = world.bind("shop");
  ClientEnd& other = world.bind("depot");
  std::uint64_t number = 447'700'000'000;
  const auto submit = [&](ClientEnd& from, std::string_view text) {
    from.submit({.to = std::to_string(++number), .text = text, .registered_delivery = 0});
  };
  for (int i = 0; i < 300; ++i) submit(client, "early");
  world.pass(50 * kMs, kMs);
  REQUIRE(world.stage(Stage::waiting) > 200);
  world.advance(kMs / 10);  // no turn is at a whole millisecond
  for (int ms = 0; ms < 2'500; ++ms) {
    submit(other, "late");
    for (int turn = 0; turn < 4; ++turn) {  // quicker than a timer's step
      world.turn();
      world.advance(kMs / 4);
    }
  }
  const auto& submits = world.carrier(0).submits;
  REQUIRE(submits.size() > 400);
  const auto early = std::count_if(submits.begin(), submits.begin() + 400,
                                   [](const auto& each) { return each.text == "early"; });
  // On two shards, places are shared with a home where none of these wait.
  CHECK(early >= (shards == 1 ? 300 : 150));
  REQUIRE(world.until([&] { return world.messages() == 0; }, 60'000));
  world.finish();
}

TEST_CASE("memory of waiting messages is bounded: a client's, and what is left on the shard",
          "[limits]") {
  constexpr std::uint32_t kMost = 256 * 1024;
  constexpr std::size_t kBody = 240;  // takes 512 octets with its fields
  World world({.change = [](Config& config) {
    config.gateway.limits.queue_octets_per_shard = 2 * kMost + kMost / 2;
    for (ClientConfig& each : config.clients) {
      each.window = 10'000;
      each.queue_octets_max = kMost;
    }
    config.clients[1].queue_octets_max = 8 * kMost;
  }});
  world.carrier(0).die();
  world.carrier(1).die();
  REQUIRE(world.until([&] { return !world.homes().state(1).up(); }));
  ClientEnd& client = world.bind("shop");
  ClientEnd& other = world.bind("depot");
  const std::string text = octets_of_text(kBody);
  for (int i = 0; i < 700; ++i) client.submit({.text = text, .registered_delivery = 0});
  world.settle();
  CHECK(world.client(0).unsent_octets.get() == kMost);
  CHECK(count_status(client, Status::ESME_ROK) == 512);
  CHECK(count_status(client, Status::ESME_RMSGQFUL) == 0);  // not read, for a second
  world.pass(1'200 * kMs);
  CHECK(count_status(client, Status::ESME_RMSGQFUL) == 188);
  CHECK(world.client(0).unsent_octets.get() == kMost);
  // The other may have more, but no more than it leaves free.
  for (int i = 0; i < 2'000; ++i) other.submit({.text = text, .registered_delivery = 0});
  world.pass(1'200 * kMs);
  CHECK(world.client(1).unsent_octets.get() == 3 * kMost / 4);
  CHECK(world.sum(&LedgerCounters::unsent_octets) == kMost + 3 * kMost / 4);
  CHECK(count_status(other, Status::ESME_RMSGQFUL) ==
        2'000 - count_status(other, Status::ESME_ROK));
  // Both are above what is left now; it is there for whoever has less.
  world.check_conserved();
  world.carrier(0).listens = true;
  REQUIRE(world.until([&] { return world.messages() == 0; }, 60'000));
  CHECK(world.sum(&LedgerCounters::unsent_octets) == 0);
  const std::uint32_t again = client.submit({.text = text, .registered_delivery = 0});
  world.settle();
  CHECK(client.status(again) == Status::ESME_ROK);
  world.finish();
}

TEST_CASE("a start loads what was accepted, also beyond bounds that are smaller now", "[limits]") {
  core::testing::FaultyStorage disk;
  {
    World world({.disk = &disk});
    world.carrier(0).die();
    world.carrier(1).die();
    REQUIRE(world.until([&] { return !world.homes().state(1).up(); }));
    ClientEnd& client = world.bind("shop");
    for (int i = 0; i < 90; ++i) client.submit({.registered_delivery = 0});
    REQUIRE(world.until([&] { return count_status(client, Status::ESME_ROK) == 90; }));
    world.abandon();
  }
  const auto survived = disk.survive(core::testing::Survival::keep_all, 1);
  World world({.change =
                   [](Config& config) {
                     config.clients[0].queue_max = 10;
                     config.clients[0].queue_octets_max = 1'024;
                     config.gateway.limits.queue_octets_per_shard = 2'048;
                     config.gateway.limits.messages_per_shard = 20;
                   },
               .carriers_bound = false,
               .disk = survived.get(),
               .later_us = kSecond});
  world.carrier(0).listens = world.carrier(1).listens = false;
  CHECK(world.messages() == 90);
  ClientEnd& client = world.bind("shop");
  const std::uint32_t more = client.submit();
  world.pass(1'200 * kMs);
  CHECK(client.status(more) == Status::ESME_RMSGQFUL);
  world.carrier(0).listens = true;
  REQUIRE(world.until([&] { return world.messages() == 0; }, 60'000));
  CHECK(world.carrier(0).submits.size() == 90);
  world.finish();
}

TEST_CASE("a long submit_multi to very many makes bodies up to a bound, and mail none beyond it",
          "[limits]") {
  constexpr std::size_t kTaken = 17;  // of 60,000 octets, in a MiB
  WorldOptions options;
  options.carriers = 1;
  options.mailbox_octets = kMailboxLeast;
  World world(std::move(options));
  ClientEnd& client = world.bind("shop");
  const std::string text(60'000, 't');
  std::vector<std::uint8_t> block(text.size() + proto::kTlvHeaderLength);
  REQUIRE(proto::append_tlv(block, 0, proto::Tag::message_payload, proto::as_octets(text)) != 0);
  std::vector<std::uint8_t> octets(8'192);
  std::size_t length = 0;
  proto::SubmitMulti multi;
  for (std::uint32_t i = 0; i < 254; ++i) {
    const std::string number = std::to_string(447700900100 + i);
    length = proto::append(octets, length, proto::Destination{1, 1, 1, number});
    REQUIRE(length != 0);
  }
  multi.source_addr = "SHOP";
  multi.tlvs = block;
  multi.dest_addresses = {254, proto::Octets(octets).first(length)};
  const std::uint32_t sequence = client.send(multi);
  // The mailbox holds four of them and one is spilled; the others wait where they are counted.
  std::uint64_t most = 0;
  for (int i = 0; i < 6; ++i) {
    world.turn();
    most = std::max<std::uint64_t>(most, world.stage(Stage::waiting));
  }
  CHECK(most == kTaken - 5);
  CHECK(world.client(0).accepted.get() == kTaken);
  REQUIRE(client.status(sequence) == Status::ESME_ROK);
  const auto response = client.responses.at(sequence).as<proto::SubmitMultiResp>();
  std::size_t refused = 0;
  for (const proto::UnsuccessSme& one : response.unsuccess_smes) {
    refused += one.error_status_code == Status::ESME_RMSGQFUL;
  }
  CHECK(refused == 254 - kTaken);
  CHECK(world.client(0).queue_full.get() == refused);
  REQUIRE(world.until([&] { return world.messages() == 0; }));
  CHECK(world.carrier(0).submits.size() == kTaken);
  world.finish();
}

TEST_CASE("each body of a submit_multi counts for its client's share before the next is made",
          "[limits]") {
  constexpr std::uint32_t kMost = 256 * 1024;
  World world({.carriers = 1,
               .change = [](Config& config) { config.clients[0].queue_octets_max = kMost; }});
  world.carrier(0).die();
  REQUIRE(world.until([&] { return !world.homes().state(0).up(); }));
  ClientEnd& client = world.bind("shop");
  const std::string text(30'000, 't');
  std::vector<std::uint8_t> block(text.size() + proto::kTlvHeaderLength);
  REQUIRE(proto::append_tlv(block, 0, proto::Tag::message_payload, proto::as_octets(text)) != 0);
  std::array<std::uint8_t, 512> octets;
  std::size_t length = 0;
  proto::SubmitMulti multi;
  for (int i = 0; i < 20; ++i) {
    length = proto::append(octets, length, proto::Destination{1, 1, 1, "447700900001"});
  }
  multi.tlvs = block;
  multi.dest_addresses = {20, proto::Octets(octets).first(length)};
  client.send(multi);
  world.settle();
  CHECK(world.client(0).unsent_octets.get() == kMost);
  CHECK(world.client(0).accepted.get() == 8);
  CHECK(world.client(0).queue_full.get() == 12);
  world.carrier(0).listens = true;
  REQUIRE(world.until([&] { return world.messages() == 0; }, 60'000));
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
