// The feed against a real redis-server: what is in force stays in force, whatever Redis does.
#include <atomic>
#include <fstream>
#include <sys/stat.h>

#include "tests/routing/store/feed_world.h"

using namespace tollgate::routing;
using Catch::Contains;

TEST_CASE("a version is in force soon after it is published, by notification and by polling",
          "[feed]") {
  World world;
  const bool told = GENERATE(true, false);
  Followed followed(world.options("cache", told ? 60'000'000 : 50'000));
  REQUIRE(followed.started());
  CHECK(followed.version() == 1);
  CHECK(followed.cost() == 1);
  CHECK(followed.counters().redis_up.get() == 1);
  if (told) {
    world.price(2);
  } else {
    // As if the message was lost: a client that nobody hears.
    world.server.say({"CLIENT", "KILL", "TYPE", "pubsub"});
    world.price(2);
  }
  CHECK(within(2, [&] { return followed.version() == 2; }));
  CHECK(followed.cost() == 2);
  CHECK(followed.counters().version.get() == 2);
  CHECK(followed.counters().redis_version.get() == 2);
  good(world.store.rollback(1, World::by("ann")));
  CHECK(within(2, [&] { return followed.version() == 3; }));
  CHECK(followed.cost() == 1);
  CHECK(within(2, [&] {
    const auto reports = good(world.store.reports());
    return reports.size() == 1 && reports[0].version == 3;
  }));
}

TEST_CASE("a version with faults is refused whole; the next good one is taken", "[feed]") {
  World world;
  Followed followed(world.options());
  REQUIRE(followed.started());
  world.faulty();
  CHECK(within(2, [&] { return followed.refused(Refusal::faults); }));
  CHECK(followed.version() == 1);
  CHECK(followed.cost() == 1);
  CHECK(followed.counters().refused_version.get() == 2);
  CHECK(followed.counters().reload_failures.get() == 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(followed.counters().reload_failures.get() == 1);  // not tried again and again
  CHECK(world.cached().size() == 1);
  CHECK(within(2, [&] {
    const auto reports = good(world.store.reports());
    return !reports.empty() && reports[0].refused_version == 2 &&
           reports[0].reason.find("rates/alpha.csv, row 1") != std::string::npos;
  }));
  world.price(3);
  CHECK(within(2, [&] { return followed.version() == 3; }));
  CHECK_FALSE(followed.refused(Refusal::faults));
  CHECK(followed.counters().refused_version.get() == 0);
}

TEST_CASE("a version whose contents are damaged is refused until they are mended", "[feed]") {
  World world;
  Followed followed(world.options("cache", 60'000'000));
  REQUIRE(followed.started());
  // Nobody hears of the version before it is spoilt.
  world.server.say({"CLIENT", "KILL", "TYPE", "pubsub"});
  const std::string text = priced(world.tables.read("rates/alpha.csv"), 4);
  world.publish({{"rates/alpha.csv", text}});
  const std::string chunk = "tollgate:tables:blob:" + hex(sha256_of(text)) + ":0";
  const std::string record = "tollgate:tables:version:2";
  const std::string whole_record = world.server.say({"GET", record}).text;
  const std::string spoilt =
      GENERATE(as<std::string>{}, "checksum", "missing", "format", "record", "number");
  if (spoilt == "checksum") {
    std::string octets = world.server.say({"GET", chunk}).text;
    octets[octets.size() / 2] = static_cast<char>(octets[octets.size() / 2] ^ 1);
    world.server.say({"SET", chunk, octets});
  }
  if (spoilt == "missing") world.server.say({"DEL", chunk});
  if (spoilt == "format") world.server.say({"SETRANGE", record, "1", "\x09"});
  if (spoilt == "record") world.server.say({"DEL", record});
  if (spoilt == "number") world.server.say({"SET", "tollgate:tables:current", "x"});
  followed.reload();
  REQUIRE(within(2, [&] { return followed.refused(Refusal::damaged); }));
  CHECK(followed.version() == 1);
  CHECK(followed.cost() == 1);
  CHECK(followed.counters().refused_version.get() == (spoilt == "number" ? 0 : 2));
  world.server.say({"SET", "tollgate:tables:current", "2"});
  world.server.say({"SET", record, whole_record});
  good(world.store.put("rates/alpha.csv", text));
  followed.reload();
  CHECK(within(2, [&] { return followed.version() == 2; }));
  CHECK(followed.cost() == 4);
  CHECK_FALSE(followed.refused(Refusal::damaged));
}

TEST_CASE("killed, still, full: what is in force stays; found again, it is followed", "[feed]") {
  World world({"--appendonly", "yes", "--appendfsync", "always"});
  Followed followed(world.options());
  REQUIRE(followed.started());
  world.server.kill();
  CHECK(within(2, [&] { return followed.counters().redis_up.get() == 0; }));
  CHECK(followed.cost() == 1);
  world.server.start();
  world.store = Store(world.server.options());
  world.price(2);
  CHECK(within(3, [&] { return followed.version() == 2; }));
  CHECK(followed.counters().redis_up.get() == 1);
  CHECK(followed.counters().redis_errors.get() > 0);

  world.server.stop_still();
  CHECK(within(3, [&] { return followed.counters().redis_up.get() == 0; }));
  CHECK(followed.version() == 2);
  world.server.go_on();
  CHECK(within(3, [&] { return followed.counters().redis_up.get() == 1; }));

  world.server.say({"CONFIG", "SET", "maxmemory", "1"});
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(followed.counters().redis_up.get() == 1);
  CHECK(followed.cost() == 2);
  world.server.say({"CONFIG", "SET", "maxmemory", "0"});
  world.price(3);
  CHECK(within(3, [&] { return followed.version() == 3; }));
}

TEST_CASE("an emptied Redis is not followed backwards", "[feed]") {
  World world;
  world.price(2);
  Followed followed(world.options());
  REQUIRE(followed.started());
  world.server.say({"FLUSHALL"});
  CHECK(within(2, [&] { return followed.refused(Refusal::backwards); }));
  CHECK(followed.version() == 2);
  // From its first number again: an old price must not come back by a slip.
  world.tables.price("alpha", 9);
  CHECK(world.publish(world.tables.changes()).number == 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(followed.refused(Refusal::backwards));
  CHECK(followed.version() == 2);
  CHECK(followed.cost() == 2);
  {
    // Nor when a gateway starts on what it has.
    fs::copy(world.server.folder() / "cache", world.server.folder() / "other",
             fs::copy_options::recursive);
    Followed other(world.options("other"));
    REQUIRE(other.started());
    CHECK(other.version() == 2);
    CHECK(other.refused(Refusal::backwards));
  }
  world.server.say({"FLUSHALL"});
  world.tables.price("alpha", 1);
  REQUIRE(world.store.begin_after(2, World::by("ann")));
  good(world.store.publish(
      good(world.store.create_draft(World::by("ann"), world.tables.changes(), "")),
      World::by("ann")));
  CHECK(within(2, [&] { return followed.version() == 3; }));
  CHECK_FALSE(followed.refused(Refusal::backwards));
  CHECK(followed.cost() == 1);
}

TEST_CASE("a gateway starts without Redis from its last good tables", "[feed]") {
  World world;
  {
    Followed followed(world.options());
    REQUIRE(followed.started());
    world.price(2);
    REQUIRE(within(2, [&] { return followed.version() == 2; }));
    world.faulty();
    REQUIRE(within(2, [&] { return followed.refused(Refusal::faults); }));
  }
  world.server.kill();
  {
    Followed followed(world.options());
    REQUIRE(followed.started());
    CHECK(followed.version() == 2);
    CHECK(followed.cost() == 2);
    CHECK(followed.counters().redis_up.get() == 0);
  }
  // Changed on disk: not used; the one before is.
  const fs::path newer = world.server.folder() / "cache" / world.cached().at(1);
  REQUIRE(newer.filename().string().starts_with("2-"));
  fs::remove(newer / "rates/alpha.csv");
  std::ofstream(newer / "rates/alpha.csv") << "mccmnc,mcc,prefix,price,currency\n";
  {
    Followed followed(world.options());
    REQUIRE(followed.started());
    CHECK(followed.version() == 1);
    CHECK(followed.cost() == 1);
  }
  fs::remove_all(world.server.folder() / "cache");
  CHECK_FALSE(Followed(world.options()).started());
}

TEST_CASE("what others do to the cache of a running gateway comes never in force", "[feed]") {
  World world({"--appendonly", "yes", "--appendfsync", "always"});
  Followed followed(world.options());
  REQUIRE(followed.started());
  const fs::path rates = world.server.folder() / "cache" / world.cached().at(0) / "rates/alpha.csv";
  const auto read = [&] {
    std::ifstream in(rates, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string written = read();
  const auto damaged = [&] { return followed.counters().cache_damaged.get(); };
  fs::remove(rates);
  REQUIRE(within(2, [&] { return followed.published() == 1; }));  // fetched again
  CHECK(damaged() == 1);
  CHECK(read() == written);
  fs::resize_file(rates, written.size() / 2);
  REQUIRE(within(2, [&] { return followed.published() == 2; }));
  CHECK(damaged() == 2);
  CHECK(read() == written);
  // Of the same length: seen when the files are used.
  std::string dearer = written;
  std::replace(dearer.begin(), dearer.end(), '1', '9');
  std::ofstream(rates, std::ios::binary) << dearer;
  followed.facts(5);
  CHECK(within(2, [&] { return followed.facts() == 5; }));
  CHECK(followed.cost() == 1);
  CHECK(damaged() == 3);
  CHECK(read() == written);
  // Without Redis: what is in force stays. With it: mended.
  world.server.kill();
  fs::remove_all(rates.parent_path().parent_path());
  followed.facts(6);
  CHECK(within(2, [&] { return damaged() == 4; }));
  CHECK(followed.cost() == 1);
  CHECK(followed.facts() == 5);
  world.server.start();
  CHECK(within(5, [&] { return followed.facts() == 6 && read() == written; }));
  CHECK(followed.version() == 1);
  CHECK(damaged() == 4);
}

TEST_CASE("the cache keeps a few versions, shares their files, and has one user", "[feed]") {
  World world;
  Followed followed(world.options());
  REQUIRE(followed.started());
  CHECK_FALSE(Followed(world.options()).started());
  for (int i = 2; i <= 9; ++i) {
    world.price(i);
    REQUIRE(within(2, [&] { return followed.version() == static_cast<std::uint32_t>(i); }));
  }
  REQUIRE(within(1, [&] { return world.cached().size() == kCachedVersionsMax; }));
  const auto names = world.cached();
  CHECK(names.front().starts_with("5-"));
  const auto inode = [&](const std::string& folder, const char* file) {
    struct stat status {};
    REQUIRE(stat((world.server.folder() / "cache" / folder / file).c_str(), &status) == 0);
    return status.st_ino;
  };
  CHECK(inode(names[0], "clients.csv") == inode(names[4], "clients.csv"));
  CHECK(inode(names[0], "rates/alpha.csv") != inode(names[4], "rates/alpha.csv"));
  // A disk that cannot be written: refused, and what is in force stays.
  fs::permissions(world.server.folder() / "cache", fs::perms::owner_read | fs::perms::owner_exec);
  if (geteuid() == 0) return;  // may write everywhere
  world.price(10);
  CHECK(within(2, [&] { return followed.refused(Refusal::cache); }));
  CHECK(followed.version() == 9);
  fs::permissions(world.server.folder() / "cache", fs::perms::owner_all);
}

TEST_CASE("the cache is for its owner alone, whatever the umask; others' things are left",
          "[feed]") {
  World world;
  const fs::path cache = world.server.folder() / "cache";
  const auto open_to_others = [&] {
    std::vector<std::string> open;
    for (const auto& entry : fs::recursive_directory_iterator(cache)) {
      if ((entry.status().permissions() & fs::perms(077)) != fs::perms::none)
        open.push_back(entry.path().string());
    }
    if ((fs::status(cache).permissions() & fs::perms(077)) != fs::perms::none)
      open.push_back(cache.string());
    return open;
  };
  for (const mode_t mask : {mode_t{0}, mode_t{077}, mode_t{022}}) {
    INFO(mask);
    const mode_t before = umask(mask);
    { Followed followed(world.options()); }
    umask(before);
    CHECK(open_to_others().empty());
    // As an older gateway left it, and read by nobody but those who may.
    for (const auto& entry : fs::recursive_directory_iterator(cache))
      fs::permissions(entry.path(), fs::perms(0755));
    fs::permissions(cache, fs::perms(0755));
    { Followed followed(world.options()); }
    CHECK(open_to_others().empty());
    fs::remove_all(cache);
  }
  // An operator who names the wrong directory loses nothing by it.
  fs::create_directories(cache / "journal");
  std::ofstream(cache / "journal/0000000000000001.seg") << "messages";
  fs::permissions(cache, fs::perms(0755));
  fs::create_directories(cache / "new-7-0123456789ab");
  { Followed followed(world.options()); }
  CHECK(fs::exists(cache / "journal/0000000000000001.seg"));
  CHECK_FALSE(fs::exists(cache / "new-7-0123456789ab"));
  CHECK((fs::status(cache).permissions() & fs::perms(077)) == fs::perms(055));
}

TEST_CASE("messages of new versions, however many, cost few looks", "[feed]") {
  World world;
  Followed followed(world.options("cache", 60'000'000));
  REQUIRE(followed.started());
  const auto begin = std::chrono::steady_clock::now();
  const std::string channel = world.store.channel();
  for (int i = 0; i < 500; ++i) world.server.say({"PUBLISH", channel, "x"});
  world.price(2);
  REQUIRE(within(5, [&] { return followed.version() == 2; }));
  const std::uint64_t looks = world.server.calls("zrange");
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(looks <= 4 + static_cast<std::uint64_t>(took / std::chrono::milliseconds(50)));
}

TEST_CASE("a pipe where the cache says what is in force is not waited for", "[feed]") {
  World world;
  { Followed followed(world.options()); }
  const fs::path in_force = world.server.folder() / "cache/in_force";
  REQUIRE(fs::remove(in_force));
  REQUIRE(mkfifo(in_force.c_str(), 0600) == 0);
  world.server.kill();
  Followed followed(world.options());
  CHECK(followed.started());
}

TEST_CASE("a directory is loaded anew when it is asked for, and refused whole", "[feed]") {
  const SampleTables tables;
  tables.price("alpha", 1);
  FeedOptions options;
  options.directory = tables.path();
  Followed followed(options);
  REQUIRE(followed.started());
  CHECK(followed.version() == 1);
  tables.price("alpha", 2);
  followed.reload();
  CHECK(within(2, [&] { return followed.version() == 2; }));
  CHECK(followed.cost() == 2);
  tables.write("rates/alpha.csv", "nonsense\n");
  followed.reload();
  CHECK(within(2, [&] { return followed.refused(Refusal::faults); }));
  CHECK(followed.cost() == 2);
  tables.write("rates/alpha.csv", "mccmnc,mcc,prefix,price,currency\n23415,,,0.009,EUR\n");
  followed.reload();
  CHECK(within(2, [&] { return followed.cost() == 9; }));
  CHECK_FALSE(followed.refused(Refusal::faults));
  CHECK(followed.version() == 3);
}

TEST_CASE("new facts are compiled with what is in force, under its number", "[feed]") {
  World world;
  FeedOptions options = world.options("cache", 60'000'000);
  options.facts.number = 4;
  Followed followed(options);
  REQUIRE(followed.started());
  CHECK(followed.facts() == 4);
  followed.facts(5);
  CHECK(within(2, [&] { return followed.facts() == 5; }));
  CHECK(followed.version() == 1);
  world.price(2);
  CHECK(within(2, [&] { return followed.version() == 2; }));
  CHECK(followed.facts() == 5);
  world.server.kill();
  followed.facts(6);
  CHECK(within(2, [&] { return followed.facts() == 6; }));
  CHECK(followed.version() == 2);
  CHECK(followed.cost() == 2);
}

TEST_CASE("new facts never put in force what was edited in a directory", "[feed]") {
  const SampleTables tables;
  tables.price("alpha", 1);
  FeedOptions options;
  options.directory = tables.path();
  Followed followed(options);
  REQUIRE(followed.started());
  followed.facts(1);
  CHECK(within(2, [&] { return followed.facts() == 1; }));
  CHECK(followed.version() == 1);
  tables.price("alpha", 2);
  followed.facts(2);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(followed.facts() == 1);
  CHECK(followed.cost() == 1);
  followed.reload();
  CHECK(within(2, [&] { return followed.facts() == 2; }));
  CHECK(followed.version() == 2);
  CHECK(followed.cost() == 2);
}
