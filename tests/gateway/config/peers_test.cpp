// Carriers and clients that change with the tables, while messages are on their way.
#include "tests/catch_pch.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using proto::MessageState;
using proto::Status;

std::string carrier_file(const std::string& host, const std::string& more = "",
                         const std::string& bind = "") {
  return more + "[[bind]]\nhost = \"" + host +
         "\"\nport = 2775\nsystem_id = \"tollgate\"\npassword = \"secret\"\nwindow = 100\n" + bind;
}

std::string client_file(const std::string& password, const std::string& more = "") {
  return "password = \"" + password + "\"\ninactivity_seconds = 0\n" + more;
}

// Charlie's rate is the lowest as soon as it is a carrier.
routing::Files with_charlie(const std::string& text = carrier_file("charlie")) {
  routing::Files files = world_tables();
  files["rates/charlie.csv"] = "mcc,price,currency\n234,0.001,EUR\n";
  files["carriers/charlie.toml"] = text;
  return files;
}

routing::Files with_newcomer(const std::string& password, const std::string& more = "") {
  routing::Files files = world_tables();
  files["clients.csv"] += "newcomer,retail,GB\n";
  files["clients/newcomer.toml"] = client_file(password, more);
  return files;
}

void takes_all(CarrierEnd& carrier) {
  carrier.on_submit = [&carrier](const CarrierEnd::Submit&) {
    return std::optional(CarrierEnd::Reply{Status::ESME_ROK, carrier.next_id()});
  };
}

void answers_nothing(CarrierEnd& carrier) {
  carrier.on_submit = [](const CarrierEnd::Submit&) { return std::optional<CarrierEnd::Reply>(); };
}

Status bind_status(World& world, const std::string& system_id, const std::string& password) {
  ClientEnd& end = world.connect();
  const auto sequence =
      world.send_bind(end, system_id, proto::Command::bind_transceiver, 0x34, password);
  world.await(end, sequence);
  return end.status(sequence);
}

// Several submits, each to a number of its own; the sequences.
std::vector<std::uint32_t> submit_many(ClientEnd& client, int count) {
  static int next = 0;
  std::vector<std::uint32_t> sequences;
  for (int i = 0; i < count; ++i) {
    const std::string to = "4477009" + std::to_string(10'000 + next++ % 80'000);
    ClientEnd::Submit submit;
    submit.to = to;
    sequences.push_back(client.submit(submit));
  }
  return sequences;
}

}  // namespace

TEST_CASE("a carrier of new tables binds and gets what routes to it", "[peers]") {
  for (const unsigned shards : {1U, 3U}) {
    World world({.shards = shards});
    ClientEnd& shop = world.bind("shop");
    for (std::size_t i = 0; i < 2; ++i) takes_all(world.carrier(i));
    submit_many(shop, 20);
    world.settle();
    REQUIRE(world.carrier(0).submits.size() == 20);
    world.publish(with_charlie(), 2);
    CarrierEnd& charlie = world.carrier("charlie");
    takes_all(charlie);
    charlie.receipts = MessageState::delivered;
    submit_many(shop, 10);  // in the moment of the change: it is not bound yet
    REQUIRE(world.until([&] { return charlie.bound() == 1; }));
    world.settle();
    CHECK(charlie.submits.empty());
    submit_many(shop, 20);
    world.settle();
    CHECK(charlie.submits.size() == 20);
    CHECK(world.carrier(0).submits.size() == 30);
    CHECK(world.carrier("charlie").unbinds == 0);
    CHECK(world.money(2, &CarrierMoneyCounters::sent) == 20);
    REQUIRE(world.until([&] { return shop.told.size() == 20; }));
    for (const auto& submit : world.carrier(0).submits) {
      world.carrier(0).receipt(submit.id, MessageState::delivered);
    }
    world.settle();
    CHECK(shop.told.size() == 50);
    world.finish();
  }
}

TEST_CASE("a carrier that is removed: queued orders go on, its window drains, receipts still count",
          "[peers]") {
  World world({.change = [](Config& config) { config.clients[0].window = 1'000; },
               .tables = with_charlie(
                   carrier_file("charlie", "", "")
                       .replace(carrier_file("charlie").find("window = 100"), 12, "window = 5"))});
  CarrierEnd& charlie = world.carrier("charlie");
  answers_nothing(charlie);
  for (std::size_t i = 0; i < 2; ++i) takes_all(world.carrier(i));
  ClientEnd& shop = world.bind("shop");
  submit_many(shop, 12);
  world.settle();
  REQUIRE(charlie.submits.size() == 5);  // the window; seven are queued
  world.publish(world_tables(), 2);
  world.settle();
  CHECK(world.carrier(0).submits.size() == 7);  // back, and on to the next candidate
  CHECK(charlie.unbinds == 0);                  // five have no response yet
  submit_many(shop, 3);
  world.settle();
  CHECK(charlie.submits.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) charlie.answer(i, {Status::ESME_ROK, charlie.next_id()});
  charlie.answers_unbind = false;
  world.turn(3);
  CHECK(charlie.unbinds == 1);
  // The bind lasts until the unbind is answered: a receipt on it finds its message.
  charlie.receipt("charlie1", MessageState::delivered);
  world.settle();
  CHECK(shop.told.size() == 1);
  CHECK(shop.told[0].state == MessageState::delivered);
  CHECK(charlie.receipt_responses.size() == 1);
  CHECK(world.client(0).in_doubt.get() == 0);
  REQUIRE(world.until([&] { return charlie.bound() == 0; }));
  CHECK(charlie.connects() == 1);
  SECTION("the name that comes back finds its ids") {
    world.publish(with_charlie(), 3);
    REQUIRE(world.until([&] { return charlie.bound() == 1; }));
    for (int id = 2; id <= 5; ++id) {
      charlie.receipt("charlie" + std::to_string(id), MessageState::delivered, 1);
    }
    world.settle();
    CHECK(shop.told.size() == 5);
    CHECK(world.peers().carriers.size() == 3);
    submit_many(shop, 1);
    world.settle();
    CHECK(charlie.submits.size() == 6);
    world.finish(World::Left::something);
  }
  SECTION("without it they end as when a carrier never answers") {
    world.pass(72 * kHour + 60 * kSecond, 600 * kSecond);
    CHECK(shop.told.size() == 15);
    CHECK(std::count_if(shop.told.begin(), shop.told.end(), [](const auto& told) {
            return told.state == MessageState::unknown;
          }) == 14);
    world.finish();
    CHECK(world.homes().state(2).up() == false);
    // Nothing can come for it any more: it is gone, and comes back as a new one.
    world.publish(with_charlie(), 3);
    CHECK(world.peers().carriers.size() == 3);
    REQUIRE(world.until([&] { return charlie.bound() == 1; }));
    world.finish();
  }
}

TEST_CASE("a submit of the removed carrier that stays unanswered is in doubt, not sent twice",
          "[peers]") {
  World world({.tables = with_charlie()});
  CarrierEnd& charlie = world.carrier("charlie");
  answers_nothing(charlie);
  takes_all(world.carrier(0));
  ClientEnd& shop = world.bind("shop");
  submit_many(shop, 4);
  world.settle();
  REQUIRE(charlie.submits.size() == 4);
  world.publish(world_tables(), 2);
  world.pass(10 * kSecond);
  CHECK(charlie.bound() == 0);
  CHECK(world.client(0).in_doubt.get() == 4);
  CHECK(world.carrier(0).submits.empty());
  world.pass(3'700 * kSecond, 10 * kSecond);
  CHECK(shop.told.size() == 4);
  world.finish();
}

TEST_CASE("pace and window of a carrier change in place", "[peers]") {
  World world({.change = [](Config& config) { config.clients[0].window = 1'000; },
               .tables = with_charlie()});
  CarrierEnd& charlie = world.carrier("charlie");
  answers_nothing(charlie);
  ClientEnd& shop = world.bind("shop");
  submit_many(shop, 150);
  world.settle();
  REQUIRE(charlie.submits.size() == 100);
  const auto window = [](int size) {
    std::string text = carrier_file("charlie");
    return text.replace(text.find("= 100"), 5, "= " + std::to_string(size));
  };
  world.publish(with_charlie(window(120)), 2);
  world.settle();
  CHECK(charlie.submits.size() == 120);
  world.publish(with_charlie(window(1)), 3);
  for (std::size_t i = 0; i < 119; ++i) charlie.answer(i, {Status::ESME_ROK, charlie.next_id()});
  world.settle();
  CHECK(charlie.submits.size() == 120);  // one is unanswered: the window is full
  charlie.answer(119, {Status::ESME_ROK, charlie.next_id()});
  world.settle();
  CHECK(charlie.submits.size() == 121);
  world.publish(with_charlie(carrier_file("charlie", "pace = 10\n")), 4);
  world.settle();
  takes_all(charlie);
  charlie.answer(120, {Status::ESME_ROK, charlie.next_id()});
  const std::size_t before = charlie.submits.size();
  world.pass(kSecond);
  CHECK(charlie.submits.size() >= before + 9);
  CHECK(charlie.submits.size() <= before + 12);
  world.publish(with_charlie(), 5);
  world.settle();
  CHECK(charlie.submits.size() == 150);
  CHECK(charlie.connects() == 1);
  CHECK(charlie.unbinds == 0);
  world.finish(World::Left::something);
}

TEST_CASE("a changed password rebinds: the new bind first, nothing lost or doubled", "[peers]") {
  for (const unsigned shards : {1U, 2U}) {
    World world({.shards = shards, .tables = with_charlie()});
    CarrierEnd& charlie = world.carrier("charlie");
    answers_nothing(charlie);
    ClientEnd& shop = world.bind("shop");
    std::string text = carrier_file("charlie");
    text.replace(text.find("\"secret\""), 8, "\"other\"");
    submit_many(shop, 30);
    world.settle();
    REQUIRE(charlie.submits.size() == 30);
    world.publish(with_charlie(text), 2);
    REQUIRE(world.until([&] { return charlie.connects() == 2 && charlie.bound() == 2; }));
    submit_many(shop, 30);
    world.settle();
    CHECK(charlie.unbinds == 0);  // the old one waits for thirty responses
    for (std::size_t i = 0; i < 30; ++i) charlie.answer(i, {Status::ESME_ROK, charlie.next_id()});
    world.settle();
    REQUIRE(charlie.submits.size() == 60);
    CHECK(std::count_if(charlie.submits.begin(), charlie.submits.end(),
                        [](const auto& submit) { return submit.bind == 1; }) == 30);
    for (std::size_t i = 30; i < 60; ++i) charlie.answer(i, {Status::ESME_ROK, charlie.next_id()});
    REQUIRE(world.until([&] { return charlie.bound() == 1; }));
    CHECK(charlie.unbinds == 1);
    for (std::size_t i = 0; i < 60; ++i) {
      charlie.receipt(charlie.submits[i].id, MessageState::delivered, 1);
    }
    world.settle();
    CHECK(shop.told.size() == 60);
    world.finish();
  }
}

TEST_CASE("a wrong new password: the old bind serves on", "[peers]") {
  World world({.tables = with_charlie()});
  CarrierEnd& charlie = world.carrier("charlie");
  takes_all(charlie);
  ClientEnd& shop = world.bind("shop");
  std::string text = carrier_file("charlie");
  text.replace(text.find("\"secret\""), 8, "\"other\"");
  charlie.bind_status = Status::ESME_RINVPASWD;
  world.publish(with_charlie(text), 2);
  world.pass(5 * kSecond);
  CHECK(charlie.connects() == 2);
  CHECK(charlie.unbinds == 0);
  submit_many(shop, 5);
  world.settle();
  CHECK(charlie.submits.size() == 5);
  SECTION("until it is right") {
    charlie.bind_status = Status::ESME_ROK;
    world.publish(with_charlie(), 3);  // and back
    REQUIRE(world.until([&] { return charlie.unbinds == 1; }));
  }
  SECTION("until two binds are one too many: it makes room") {
    charlie.bind_status = Status::ESME_RALYBND;
    text.replace(text.find("\"other\""), 7, "\"third\"");
    world.publish(with_charlie(text), 3);
    REQUIRE(world.until([&] { return charlie.unbinds == 1; }));
    charlie.bind_status = Status::ESME_ROK;
    const std::size_t connects = charlie.connects();
    REQUIRE(world.until([&] { return charlie.connects() > connects; }));
  }
  REQUIRE(world.until([&] { return charlie.bound() == 1 && world.homes().state(2).up(); }));
  submit_many(shop, 5);
  REQUIRE(world.until([&] { return charlie.submits.size() == 10; }));
  world.finish(World::Left::something);
}

TEST_CASE("the number of binds changes", "[peers]") {
  const std::string second =
      "[[bind]]\nhost = \"charlie\"\nport = 2775\nsystem_id = \"tollgate\"\nwindow = 3\n";
  World world({.tables = with_charlie()});
  CarrierEnd& charlie = world.carrier("charlie");
  answers_nothing(charlie);
  ClientEnd& shop = world.bind("shop");
  world.publish(with_charlie(carrier_file("charlie", "", second)), 2);
  REQUIRE(world.until([&] { return charlie.bound() == 2; }));
  submit_many(shop, 6);
  world.settle();
  REQUIRE(charlie.submits.size() == 6);
  CHECK(std::count_if(charlie.submits.begin(), charlie.submits.end(),
                      [](const auto& submit) { return submit.bind == 1; }) == 3);
  CHECK(world.homes().carrier(2).board.counters.binds.size() == 2);
  world.publish(with_charlie(), 3);
  world.settle();
  CHECK(charlie.unbinds == 0);
  for (std::size_t i = 0; i < 6; ++i) charlie.answer(i, {Status::ESME_ROK, charlie.next_id()});
  REQUIRE(world.until([&] { return charlie.bound() == 1; }));
  CHECK(charlie.unbinds == 1);
  for (std::size_t i = 0; i < 6; ++i) {
    charlie.receipt(charlie.submits[i].id, MessageState::delivered);
  }
  world.settle();
  CHECK(shop.told.size() == 6);
  world.finish();
}

TEST_CASE("a client of new tables binds; its new password, limits and end", "[peers]") {
  for (const unsigned shards : {1U, 3U}) {
    World world({.shards = shards});
    for (std::size_t i = 0; i < 2; ++i) takes_all(world.carrier(i));
    CHECK(bind_status(world, "newcomer", "first") == Status::ESME_RINVPASWD);
    world.publish(with_newcomer("first", "window = 50\n"), 2);
    world.settle();
    ClientEnd& old = world.connect();
    const auto bound =
        world.send_bind(old, "newcomer", proto::Command::bind_transceiver, 0x34, "first");
    world.await(old, bound);
    REQUIRE(old.status(bound) == Status::ESME_ROK);
    submit_many(old, 10);
    world.settle();
    CHECK(world.client(2).accepted.get() == 10);
    CHECK(world.client(2).sessions.get() == 1);

    world.publish(with_newcomer("first", "window = 2\n"), 3);
    world.settle();
    for (const auto sequence : submit_many(old, 5)) std::ignore = sequence;
    world.settle();
    CHECK(world.client(2).window_overruns.get() == 3);
    CHECK(old.count(proto::Command::unbind) == 0);  // the password is the same, and its hash too

    world.publish(with_newcomer("second", "window = 50\n"), 4);
    world.settle();
    CHECK(old.count(proto::Command::unbind) == 1);
    CHECK(old.closed());
    CHECK(bind_status(world, "newcomer", "first") == Status::ESME_RINVPASWD);
    ClientEnd& again = world.connect();
    const auto rebound =
        world.send_bind(again, "newcomer", proto::Command::bind_transceiver, 0x34, "second");
    world.await(again, rebound);
    REQUIRE(again.status(rebound) == Status::ESME_ROK);

    submit_many(again, 10);
    world.settle();
    world.publish(world_tables(), 5);
    again.answers_unbind = false;
    world.turn(2);
    CHECK(again.count(proto::Command::unbind) == 1);
    const auto refused = submit_many(again, 1).front();
    world.settle();
    CHECK(again.status(refused) == Status::ESME_RSYSERR);
    world.pass(3 * kSecond);
    CHECK(again.closed());
    CHECK(bind_status(world, "newcomer", "second") == Status::ESME_RINVPASWD);
    // Its messages go on: receipts wait for it, until it comes back.
    for (const auto& submit : world.carrier(0).submits) {
      world.carrier(0).receipt(submit.id, MessageState::delivered);
    }
    world.settle();
    CHECK(world.client(2).receipts_waiting.get() == 22);
    world.publish(with_newcomer("second"), 6);
    world.settle();
    ClientEnd& back = world.connect();
    const auto third =
        world.send_bind(back, "newcomer", proto::Command::bind_transceiver, 0x34, "second");
    world.await(back, third);
    REQUIRE(back.status(third) == Status::ESME_ROK);
    world.settle();
    CHECK(back.told.size() == 22);
    CHECK(world.peers().clients.size() == 3);
    world.finish();
  }
}

TEST_CASE("a bind that was checked before its password changed is refused", "[peers]") {
  const bool gone = GENERATE(false, true);
  for (const unsigned shards : {1U, 3U}) {
    World world({.shards = shards, .tables = with_newcomer("first")});
    ClientEnd& end = world.connect();
    const auto sequence =
        world.send_bind(end, "newcomer", proto::Command::bind_transceiver, 0x34, "first");
    world.turn();  // its password is being checked
    REQUIRE(world.auth().outcomes(AuthOutcome::accepted) == 1);
    world.publish(gone ? world_tables() : with_newcomer("second"), 2);
    world.settle();
    REQUIRE(end.answered(sequence));
    CHECK(end.status(sequence) == Status::ESME_RBINDFAIL);
    CHECK(end.closed());
    world.finish();
  }
}

TEST_CASE("pace and receipts' window of a client change in place", "[peers]") {
  World world({.tables = with_newcomer("pw", "receipts_window = 2\npace = 10\n")});
  takes_all(world.carrier(0));
  ClientEnd& end = world.bind("newcomer");
  end.on_receipt = [](const auto&) { return std::optional<Status>(); };
  submit_many(end, 30);
  world.settle();
  CHECK(world.client(2).over_pace.get() == 19);
  world.publish(with_newcomer("pw", "receipts_window = 8\n"), 2);
  world.settle();
  submit_many(end, 30);
  world.settle();
  CHECK(world.client(2).over_pace.get() == 19);
  for (const auto& submit : world.carrier(0).submits) {
    world.carrier(0).receipt(submit.id, MessageState::delivered);
  }
  world.settle();
  CHECK(end.told.size() == 8);
  CHECK(end.count(proto::Command::unbind) == 0);
  world.finish(World::Left::something);
}

TEST_CASE("a journal brings back what carriers and clients of the tables had", "[peers]") {
  core::testing::FaultyStorage disk;
  routing::Files files = with_charlie();
  files["clients.csv"] += "newcomer,retail,GB\n";
  files["clients/newcomer.toml"] = client_file("pw");
  std::int64_t later_us = 0;
  {
    World world({.disk = &disk});
    world.publish(files, 2);
    CarrierEnd& charlie = world.carrier("charlie");
    takes_all(charlie);
    REQUIRE(world.until([&] { return charlie.bound() == 1; }));
    ClientEnd& newcomer = world.bind("newcomer");
    submit_many(newcomer, 7);
    REQUIRE(world.until([&] { return charlie.submits.size() == 7; }));
    world.settle();
    later_us = 60 * kSecond;
    world.abandon();
  }
  auto survived = disk.survive(core::testing::Survival::keep_all, 1);
  World world({.tables = files, .disk = survived.get(), .later_us = later_us});
  CHECK(world.restored().awaiting == 7);
  CHECK(world.restored().without_client == 0);
  CarrierEnd& charlie = world.carrier("charlie");
  ClientEnd& newcomer = world.bind("newcomer");
  for (int i = 1; i <= 7; ++i) {
    charlie.receipt("charlie" + std::to_string(i), MessageState::delivered);
  }
  REQUIRE(world.until([&] { return newcomer.told.size() == 7; }));
  world.settle();
  world.finish();
}

TEST_CASE("a faulty carrier or client refuses the set", "[peers]") {
  World world;
  routing::Files files = with_charlie(carrier_file("charlie", "pace = -1\n"));
  CHECK(world.faults(files) ==
        std::vector<std::string>{"carriers/charlie.toml:1:8: pace = -1: out of range (right: a "
                                 "number of 0-1000000)"});
  files =
      with_charlie("[[bind]]\nhost = \"x\"\nport = 1\nsystem_id = \"a\"\npasswort = \"geheim\"\n");
  REQUIRE(world.faults(files).size() == 1);
  CHECK(world.faults(files)[0].find("carriers/charlie.toml:5:1: bind[1].passwort: unknown key "
                                    "(right: did you mean \"password\"?)") == 0);
  CHECK(world.faults(files)[0].find("geheim") == std::string::npos);
  files = world_tables();
  files["carriers/alpha.toml"] = carrier_file("alpha");
  CHECK(world.faults(files) ==
        std::vector<std::string>{"carriers/alpha.toml: is in the configuration too: one place for "
                                 "each name"});
  files = with_charlie();
  files.erase("rates/charlie.csv");
  CHECK(world.faults(files) == std::vector<std::string>{"rates/charlie.csv: is missing"});
  files = with_charlie(carrier_file("charlie", "name = \"delta\"\n"));
  REQUIRE(world.faults(files).size() == 1);
  CHECK(world.faults(files)[0].find("is not its file's name") != std::string::npos);
  files = with_newcomer("much too long");
  REQUIRE(world.faults(files).size() == 1);
  CHECK(world.faults(files)[0].find("clients/newcomer.toml:1:12: password = (not shown): 13 octets "
                                    "long") == 0);
  files = with_newcomer("pw");
  files["clients.csv"] = world_tables()["clients.csv"];
  REQUIRE(world.faults(files).size() == 1);
  CHECK(world.faults(files)[0].find("clients.csv, column client, value \"newcomer\"") == 0);
  files = with_newcomer("pw");
  files["clients/.toml.toml"] = "";
  CHECK(world.faults(files).size() == 1);
  world.finish();
}

TEST_CASE("who was removed is nobody's candidate and in no rule", "[peers]") {
  World world({.tables = with_charlie()});
  world.publish(world_tables(), 2);
  routing::Files files = world_tables();
  files["rules.csv"] = "plan,client,destination,allow\n,,,charlie\n";
  CHECK(world.faults(files).size() == 1);
  files = world_tables();
  files["rates/delta.csv"] = "mcc,price,currency\n234,0.001,EUR\n";
  files["carriers/delta.toml"] = carrier_file("delta");
  files["rules.csv"] = world_tables()["rules.csv"];
  world.publish(files, 3);  // not by the other's id
  REQUIRE(world.peers().carriers.size() == 4);
  CHECK(world.peers().carriers[2].gone);
  CHECK(world.peers().carriers[2].config->name == "charlie");
  CHECK(world.peers().carriers[3].config->name == "delta");
  REQUIRE(world.until([&] { return world.carrier("delta").bound() == 1; }));
  takes_all(world.carrier("delta"));
  ClientEnd& shop = world.bind("shop");
  submit_many(shop, 3);
  world.settle();
  CHECK(world.carrier("delta").submits.size() == 3);
  CHECK(world.money(2, &CarrierMoneyCounters::sent) == 0);
  world.finish(World::Left::something);
}

TEST_CASE("ids are kept for names that are gone, up to the bound", "[peers]") {
  World world;
  for (std::uint32_t i = 0; i < 254; ++i) {
    routing::Files files = world_tables();
    const std::string name = "c" + std::to_string(i);
    files["carriers/" + name + ".toml"] = carrier_file(name);
    files["rates/" + name + ".csv"] = "mcc,price,currency\n234,0.001,EUR\n";
    if (i < 252) {
      world.publish(files, i + 2);
      world.turn();
      continue;
    }
    if (i == 252) {
      world.publish(files, i + 2);
      files["carriers/alsohere.toml"] = carrier_file("alsohere");
      files["rates/alsohere.csv"] = "mcc,price,currency\n234,0.001,EUR\n";
      CHECK(world.faults(files).empty());
      world.publish(files, i + 3);
      continue;
    }
    REQUIRE(world.faults(files).size() >= 1);
    CHECK(world.faults(files)[0].find("carriers/c253.toml: is one too many: at most 256, with "
                                      "those that were removed") == 0);
  }
  CHECK(world.peers().carriers.size() == 256);
  world.settle();
  world.finish();
}

}  // namespace tollgate::gateway
