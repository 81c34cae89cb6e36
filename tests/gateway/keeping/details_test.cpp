// Detail records in the World: one for each way in which a message can end, with the right money
// and tries, and exactly one over crashes at any operation of the disk.
#include <map>

#include "gateway/cli/journal_text.h"
#include "proto/records/detail.h"
#include "tests/catch_pch.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using core::testing::FaultyStorage;
using core::testing::Survival;
using proto::MessageState;
using proto::Status;
using proto::detail::Detail;
using proto::record::How;
using proto::record::TryEnd;

constexpr routing::Nano kPrice = 50'000'000;
constexpr routing::Nano kAlpha = 10'000'000;
constexpr routing::Nano kBravo = 20'000'000;

std::uint64_t number_of(const std::string& id) {
  return std::stoull(id, nullptr, 16);
}
auto refuses(Status status) {
  return [status](const auto&) { return CarrierEnd::Reply{status}; };
}
const auto kMute = [](const auto&) { return std::nullopt; };

// A world with detail records; with a journal too when `journal`.
struct Scene {
  explicit Scene(bool journal, std::function<void(Config&)> change = {}, std::size_t carriers = 2) {
    WorldOptions options;
    options.carriers = carriers;
    options.records = &disk;
    if (journal) options.disk = &disk;
    options.change = [change](Config& config) {
      config.journal.segment_octets = config.records.rotate_octets = 65'536;
      for (auto& carrier : config.carriers) carrier.retry.temporary.attempts = 0;
      if (change) change(config);
    };
    world = std::make_unique<World>(options);
  }
  // The only record there is.
  const Detail& only() {
    world->pass(50 * kMs);
    written = written_details(disk);
    REQUIRE(written.size() == 1);
    return written.front()->detail;
  }

  FaultyStorage disk;
  std::unique_ptr<World> world;
  std::vector<std::unique_ptr<Written>> written;
};

TEST_CASE("a delivered message's record tells the decision, the try and the money", "[details]") {
  for (const bool journal : {false, true}) {
    INFO("journal " << journal);
    Scene scene(journal);
    World& world = *scene.world;
    world.carrier(0).receipts = MessageState::delivered;
    ClientEnd& client = world.bind("shop");
    const std::uint32_t sent = client.submit({.to = "07700900001", .from = "ACME"});
    REQUIRE(world.until([&] { return client.told.size() == 1; }));
    const Detail& detail = scene.only();
    CHECK(detail.message == number_of(client.id(sent)));
    CHECK(detail.public_id == detail.message);
    CHECK(detail.client == "shop");
    CHECK(detail.source.digits == "ACME");
    CHECK(detail.destination.digits == "07700900001");
    CHECK(detail.number == "447700900001");
    CHECK(detail.mccmnc == "23415");
    CHECK(detail.tables_version == 1);
    CHECK(detail.draw != 0);
    CHECK(detail.price_nano == kPrice);
    CHECK(detail.currency == "EUR");
    CHECK(detail.segments == 1);
    CHECK(detail.text_octets == 5);
    REQUIRE(detail.candidate_count == 2);
    CHECK(detail.candidates[0].carrier == "alpha");
    CHECK(detail.candidates[0].cost_nano == kAlpha);
    CHECK(detail.candidates[1].carrier == "bravo");
    REQUIRE(detail.tries_kept == 1);
    CHECK(detail.tries[0].carrier == "alpha");
    CHECK(detail.tries[0].end == TryEnd::sent);
    CHECK(detail.tries[0].billed);
    CHECK(detail.carrier == "alpha");
    CHECK(detail.carrier_message_id == "alpha1");
    CHECK(detail.how == How::told);
    CHECK(detail.delivered());
    CHECK_FALSE(detail.by_gateway);
    CHECK(detail.revenue_nano == kPrice);
    CHECK(detail.cost_nano == kAlpha);
    CHECK(detail.margin_nano == kPrice - kAlpha);
    CHECK(detail.accepted_us > 0);
    CHECK(detail.sent_us >= detail.accepted_us);
    CHECK(detail.receipt_us >= detail.sent_us);
    CHECK(detail.settled_us >= detail.receipt_us);
    CHECK_FALSE(detail.recovered);
    world.finish();
  }
}

TEST_CASE("the price counts once, the cost at each carrier that took it, both for each segment",
          "[details]") {
  Scene scene(false);
  World& world = *scene.world;
  ClientEnd& client = world.bind("shop");
  const std::string text(161, 'a');  // GSM 7-bit: 160 fit, so two of 153
  client.submit({.text = text, .registered_delivery = 0});
  world.settle();
  const Detail& detail = scene.only();
  CHECK(detail.segments == 2);
  CHECK(detail.text_octets == 161);
  CHECK(detail.revenue_nano == 2 * kPrice);
  CHECK(detail.cost_nano == 2 * kAlpha);
  CHECK(world.money(0, &CarrierMoneyCounters::revenue_nano) == 2 * kPrice);
  CHECK(world.money(0, &CarrierMoneyCounters::cost_nano) == 2 * kAlpha);
  CHECK(detail.how == How::no_receipt);
  CHECK(detail.state == static_cast<std::uint32_t>(MessageState::enroute));
  CHECK(detail.taken());
  CHECK(detail.receipt_us == 0);
  world.finish();
}

TEST_CASE("a record tells each try: refused by one carrier, taken by the next", "[details]") {
  for (const bool journal : {false, true}) {
    Scene scene(journal);
    World& world = *scene.world;
    world.carrier(0).on_submit = refuses(Status::ESME_RSUBMITFAIL);
    world.carrier(1).receipts = MessageState::undeliverable;
    ClientEnd& client = world.bind("shop");
    client.submit();
    REQUIRE(world.until([&] { return client.told.size() == 1; }));
    const Detail& detail = scene.only();
    REQUIRE(detail.tries_kept == 2);
    CHECK(detail.try_count == 2);
    CHECK(detail.tries[0].carrier == "alpha");
    CHECK(detail.tries[0].end == TryEnd::next);
    CHECK(detail.tries[0].status == Status::ESME_RSUBMITFAIL);
    CHECK_FALSE(detail.tries[0].billed);
    CHECK(detail.tries[1].carrier == "bravo");
    CHECK(detail.tries[1].attempt == 2);
    REQUIRE(detail.candidate_count == 2);  // the one that refused too, in its place
    CHECK(detail.candidates[0].carrier == "alpha");
    CHECK(detail.cost_nano == kBravo);
    CHECK(detail.revenue_nano == kPrice);
    CHECK(detail.state == static_cast<std::uint32_t>(MessageState::undeliverable));
    CHECK_FALSE(detail.by_gateway);
    world.finish();
  }
}

TEST_CASE("what no carrier took has a record without money", "[details]") {
  Scene scene(true);
  World& world = *scene.world;
  for (std::size_t i = 0; i < 2; ++i) {
    world.carrier(i).on_submit = refuses(Status::ESME_RINVDSTADR);
  }
  ClientEnd& client = world.bind("shop");
  client.submit();
  REQUIRE(world.until([&] { return client.told.size() == 1; }));
  const Detail& detail = scene.only();
  CHECK(detail.by_gateway);
  CHECK(detail.state == static_cast<std::uint32_t>(MessageState::rejected));
  CHECK(detail.error == "00b");
  CHECK(detail.tries[0].end == TryEnd::refused);
  CHECK(detail.revenue_nano == 0);
  CHECK(detail.cost_nano == 0);
  CHECK(detail.margin_nano == 0);
  CHECK_FALSE(detail.taken());
  world.finish();
}

TEST_CASE("expired, in doubt, given up and relayed messages have their records", "[details]") {
  SECTION("expired while every carrier was down") {
    Scene scene(true);
    World& world = *scene.world;
    world.carrier(0).die();
    world.carrier(1).die();
    world.pass(100 * kMs);
    ClientEnd& client = world.bind("shop");
    client.submit({.validity_period = "000000000005000R"});
    world.pass(8 * kSecond, 100 * kMs);
    const Detail& detail = scene.only();
    CHECK(detail.state == static_cast<std::uint32_t>(MessageState::expired));
    CHECK(detail.by_gateway);
    CHECK(detail.tries_kept == 0);
    CHECK(detail.how == How::told);
    world.finish();
  }
  SECTION("in doubt, and nobody knows") {
    Scene scene(true, [](Config& config) { config.gateway.in_doubt_hold_us = 5 * kSecond; });
    World& world = *scene.world;
    world.carrier(0).on_submit = kMute;
    ClientEnd& client = world.bind("shop");
    client.submit();
    world.pass(100 * kSecond, kSecond);
    const Detail& detail = scene.only();
    CHECK(detail.in_doubt);
    CHECK(detail.state == static_cast<std::uint32_t>(MessageState::unknown));
    CHECK(detail.tries[0].end == TryEnd::in_doubt);
    CHECK(detail.revenue_nano == 0);
    world.finish();
  }
  SECTION("its client does not come for the receipt") {
    Scene scene(true, [](Config& config) { config.clients[0].receipt_keep_us = 10 * kSecond; });
    World& world = *scene.world;
    world.carrier(0).receipts = MessageState::delivered;
    ClientEnd& client = world.bind("shop", proto::Command::bind_transmitter);
    client.submit();
    world.pass(20 * kSecond, kSecond);
    const Detail& detail = scene.only();
    CHECK(detail.how == How::given_up);
    CHECK(detail.delivered());
    CHECK(detail.revenue_nano == kPrice);
    world.finish();
  }
  SECTION("relayed, with and without a receipt") {
    Scene scene(true, [](Config& config) { config.clients[0].accept = Accept::relay; });
    World& world = *scene.world;
    world.carrier(0).receipts = MessageState::delivered;
    ClientEnd& client = world.bind("shop");
    client.submit();
    client.submit({.registered_delivery = 0});
    REQUIRE(world.until([&] { return client.told.size() == 1; }));
    world.pass(50 * kMs);
    scene.written = written_details(scene.disk);
    REQUIRE(scene.written.size() == 2);
    for (const auto& one : scene.written) {
      CHECK(one->detail.relayed);
      CHECK(one->detail.revenue_nano == kPrice);
      CHECK(one->detail.tries[0].attempt == 1);
    }
    // Refused ones were never accepted.
    world.carrier(0).on_submit = world.carrier(1).on_submit = refuses(Status::ESME_RINVDSTADR);
    client.submit();
    world.settle();
    CHECK(written_details(scene.disk).size() == 2);
    world.finish();
  }
}

TEST_CASE("a receipt that the client did not ask for is in the record", "[details]") {
  Scene scene(true);
  World& world = *scene.world;
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  client.submit({.registered_delivery = 2});  // failures only
  world.settle();
  const Detail& detail = scene.only();
  CHECK(detail.delivered());
  CHECK(detail.how == How::no_receipt);
  CHECK(client.told.empty());
  world.finish();
}

TEST_CASE("a full disk of the records refuses submits, loses nothing and mends by itself",
          "[details]") {
  FaultyStorage journal;
  FaultyStorage records;
  WorldOptions options;
  options.disk = &journal;
  options.records = &records;
  options.change = [](Config& config) {
    config.journal.segment_octets = config.records.rotate_octets = 65'536;
    config.records.backlog_max = 20;
  };
  World world(options);
  world.carrier(0).receipts = MessageState::delivered;
  ClientEnd& client = world.bind("shop");
  records.capacity = records.used();
  std::size_t taken = 0;
  std::uint32_t last = 0;
  for (int i = 0; i < 2'000; ++i) {
    last = client.submit();
    world.turn(3);
    world.advance(kMs);
    if (client.status(last) != Status::ESME_ROK) break;
    ++taken;
  }
  CHECK(client.status(last) == Status::ESME_RMSGQFUL);
  world.pass(2 * kSecond, 50 * kMs);
  CHECK(client.told.size() == taken);
  records.capacity = std::size_t{1} << 30;
  world.pass(2 * kSecond, 50 * kMs);
  CHECK(written_details(records).size() == taken);
  last = client.submit();
  world.pass(100 * kMs);
  CHECK(client.status(last) == Status::ESME_ROK);
  world.finish();
}

TEST_CASE("a records' disk that fails stops submits; the next start has all that ended",
          "[details]") {
  auto journal = std::make_unique<FaultyStorage>();
  auto records = std::make_unique<FaultyStorage>();
  WorldOptions options;
  options.disk = journal.get();
  options.records = records.get();
  options.change = [](Config& config) {
    config.journal.segment_octets = config.records.rotate_octets = 65'536;
    config.records.backlog_max = 20;
  };
  std::size_t taken = 0;
  {
    World world(options);
    world.carrier(0).receipts = MessageState::delivered;
    ClientEnd& client = world.bind("shop");
    records->fails[core::testing::Op::datasync] = {5, EIO};
    for (int i = 0; i < 200; ++i) {
      const std::uint32_t sent = client.submit();
      world.turn(3);
      world.advance(kMs);
      taken += client.status(sent) == Status::ESME_ROK ? 1 : 0;
    }
    CHECK(taken >= 5);
    CHECK(taken < 100);
    CHECK(client.told.size() == taken);  // what was accepted goes on
    CHECK(written_details(*records).size() < taken);
    world.abandon();
  }
  journal = journal->survive(Survival::keep_all, 1);
  records = records->survive(Survival::drop_all, 1);
  options.disk = journal.get();
  options.records = records.get();
  options.later_us = kSecond;
  World world(options);
  CHECK(world.recovered_details() > 0);
  world.pass(kSecond, 50 * kMs);
  CHECK(written_details(*records).size() == taken);
  world.finish();
}

TEST_CASE("the journal keeps what ended until its record is in a file", "[details]") {
  auto journal = std::make_unique<FaultyStorage>();
  auto records = std::make_unique<FaultyStorage>();
  WorldOptions options;
  options.disk = journal.get();
  options.records = records.get();
  options.change = [](Config& config) {
    config.journal.segment_octets = config.records.rotate_octets = 65'536;
  };
  constexpr std::size_t kMessages = 600;  // some segments of settled records
  {
    World world(options);
    ClientEnd& client = world.bind("shop");
    for (std::size_t i = 0; i < kMessages; ++i) {
      client.submit();
      if (i % 20 == 0) world.pass(5 * kMs, kMs);
    }
    REQUIRE(world.until([&] { return world.carrier(0).submits.size() == kMessages; }));
    records->fails[core::testing::Op::datasync] = {1, EIO};
    for (std::size_t i = 1; i <= kMessages; ++i) {
      world.carrier(0).receipt("alpha" + std::to_string(i), MessageState::delivered);
      if (i % 20 == 0) world.pass(5 * kMs, kMs);
    }
    REQUIRE(world.until([&] { return world.messages() == 0; }));
    world.pass(kSecond, 10 * kMs);
    CHECK(written_details(*records).size() < kMessages / 2);
    world.abandon();
  }
  journal = journal->survive(Survival::keep_all, 1);
  records = records->survive(Survival::drop_all, 1);
  options.disk = journal.get();
  options.records = records.get();
  options.later_us = kSecond;
  World world(options);
  world.pass(kSecond, 10 * kMs);
  CHECK(written_details(*records).size() == kMessages);
  world.finish();
}

// A run that ends at the n-th operation of the disk, and the next one that finds what is left. The
// records' disk is another one, which keeps something else of what was not synced.
struct Crash {
  std::uint64_t at = 0;
  Survival how = Survival::keep_all;
  bool other_disk = false;
};

void one_crash(const Crash& crash, std::map<std::uint64_t, int>& records, std::size_t& accepted) {
  const auto change = [](Config& config) {
    config.journal.segment_octets = config.records.rotate_octets = 65'536;
    config.clients[1].accept = Accept::relay;
    config.gateway.in_doubt_hold_us = 5 * kSecond;
  };
  auto disk = std::make_unique<FaultyStorage>();
  auto other = std::make_unique<FaultyStorage>();
  std::vector<std::uint64_t> ids;
  const auto load = [&](World& world) {
    world.carrier(0).receipts = MessageState::delivered;
    ClientEnd& shop = world.bind("shop");
    ClientEnd& depot = world.bind("depot");
    std::vector<std::pair<ClientEnd*, std::uint32_t>> sent;
    for (std::uint8_t i = 0; i < 12; ++i) {
      const auto wants = static_cast<std::uint8_t>(i % 3 == 0 ? 0 : 1);
      ClientEnd& client = i % 4 == 3 ? depot : shop;
      sent.emplace_back(&client, client.submit({.registered_delivery = wants}));
      world.turn(2);
      world.advance(100 * kMs);
    }
    world.settle();
    for (const auto& [client, sequence] : sent) {
      if (client->answered(sequence) && client->status(sequence) == Status::ESME_ROK) {
        ids.push_back(number_of(client->id(sequence)));
      }
    }
  };
  WorldOptions options;
  options.change = change;
  options.disk = disk.get();
  options.records = crash.other_disk ? other.get() : disk.get();
  {
    World world(options);
    disk->crash_at = disk->operations + crash.at;
    load(world);
    world.abandon();
  }
  disk = disk->survive(crash.how, 5);
  other = other->survive(crash.how, 9);
  options.disk = disk.get();
  options.records = crash.other_disk ? other.get() : disk.get();
  options.later_us = 60 * kSecond;
  {
    World world(options);
    load(world);
    world.pass(20 * kSecond, 500 * kMs);  // longer than what is in doubt is held
    world.finish();
  }
  accepted = ids.size();
  for (const std::uint64_t id : ids) records[id] = 0;
  for (const auto& one : written_details(*options.records)) ++records[one->detail.message];
}

TEST_CASE("exactly one record for each message, whichever operation of the disk is the last",
          "[details]") {
  std::size_t recovered_runs = 0;
  for (std::uint64_t at = 1; at < 120; ++at) {
    for (const Survival how : {Survival::keep_all, Survival::drop_all, Survival::torn}) {
      const Crash crash{at, how, at % 3 == 0};
      INFO("operation " << at << ", survival " << static_cast<int>(how));
      std::map<std::uint64_t, int> records;
      std::size_t accepted = 0;
      one_crash(crash, records, accepted);
      CHECK(accepted >= 12);
      for (const auto& [id, count] : records) {
        INFO("message " << cli::message_text(id));
        CHECK(count == 1);
      }
      recovered_runs += accepted > 12 ? 1 : 0;
    }
  }
  CHECK(recovered_runs > 0);
}

TEST_CASE("records that the files lack come from the journal, marked, with the same content",
          "[details]") {
  FaultyStorage journal;
  auto records = std::make_unique<FaultyStorage>();
  WorldOptions options;
  options.disk = &journal;
  options.records = records.get();
  options.change = [](Config& config) {
    config.journal.segment_octets = config.records.rotate_octets = 65'536;
  };
  std::vector<std::unique_ptr<Written>> before;
  {
    World world(options);
    world.carrier(0).receipts = MessageState::delivered;
    ClientEnd& client = world.bind("shop");
    client.submit();
    world.pass(50 * kMs);
    before = written_details(*records);
    REQUIRE(before.size() == 1);
    world.abandon();
  }
  // The files are gone; the journal has no word yet that the record was in them.
  auto survived = journal.survive(Survival::keep_all, 1);
  FaultyStorage empty;
  options.disk = survived.get();
  options.records = &empty;
  options.later_us = kSecond;
  {
    World world(options);
    CHECK(world.recovered_details() == 1);
    world.pass(100 * kMs);
    const auto after = written_details(empty);
    REQUIRE(after.size() == 1);
    CHECK(after[0]->detail.recovered);
    CHECK(after[0]->detail.message == before[0]->detail.message);
    CHECK(std::equal(before[0]->octets.begin(), before[0]->octets.end(), after[0]->octets.begin()));
    world.finish();
  }
}

TEST_CASE("tries and the decision live on over a restart", "[details]") {
  FaultyStorage disk;
  WorldOptions options;
  options.disk = options.records = &disk;
  options.change = [](Config& config) {
    config.journal.segment_octets = config.records.rotate_octets = 65'536;
  };
  std::uint64_t draw = 0;
  {
    World world(options);
    world.carrier(0).on_submit = refuses(Status::ESME_RSUBMITFAIL);
    ClientEnd& client = world.bind("shop");
    const std::uint32_t sent = client.submit();
    world.pass(50 * kMs);
    draw = world.message(client.id(sent)).particulars->draw;
    REQUIRE(world.carrier(1).submits.size() == 1);
    world.abandon();
  }
  auto survived = disk.survive(Survival::keep_all, 1);
  options.disk = options.records = survived.get();
  options.later_us = kSecond;
  World world(options);
  ClientEnd& client = world.bind("shop");
  world.carrier(1).receipt("bravo1", MessageState::delivered);
  REQUIRE(world.until([&] { return client.told.size() == 1; }));
  world.pass(50 * kMs);
  const auto written = written_details(*survived);
  REQUIRE(written.size() == 1);
  const Detail& detail = written[0]->detail;
  CHECK(detail.draw == draw);
  CHECK(detail.number == "447700900001");
  CHECK(detail.mccmnc == "23415");
  REQUIRE(detail.tries_kept == 2);
  CHECK(detail.tries[0].carrier == "alpha");
  CHECK(detail.tries[0].end == TryEnd::next);
  CHECK(detail.tries[1].carrier == "bravo");
  CHECK(detail.tries[1].end == TryEnd::sent);
  REQUIRE(detail.candidate_count == 2);
  CHECK(detail.candidates[0].carrier == "alpha");
  CHECK(detail.cost_nano == kBravo);
  CHECK(detail.revenue_nano == kPrice);
  world.finish();
}

}  // namespace
}  // namespace tollgate::gateway
