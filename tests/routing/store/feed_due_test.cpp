// Scheduled drafts whose time has come, and gateways that publish them.
#include <atomic>

#include "tests/routing/store/feed_world.h"

using namespace tollgate::routing;
using Catch::Contains;

TEST_CASE("a scheduled draft is published at its time by one gateway, and rebased", "[feed]") {
  World world;
  Followed one(world.options("one")), two(world.options("two"));
  REQUIRE((one.started() && two.started()));
  const std::string alpha = priced(world.tables.read("rates/alpha.csv"), 5);
  const auto scheduled = [&](const Changes& changes) {
    const TableDraft draft = good(world.store.create_draft(World::by("ann"), changes, ""));
    Actor bob = World::by("bob");
    return good(world.store.schedule(draft.id, bob, bob.now_us + 400'000));
  };
  const TableDraft fine = scheduled({{"rates/alpha.csv", alpha}});
  // Published in between: another file.
  world.publish({{"rates/bravo.csv", priced(world.tables.read("rates/bravo.csv"), 6)}});
  CHECK(good(world.store.draft(fine.id)).state == DraftState::scheduled);
  REQUIRE(within(3, [&] { return one.version() == 3 && two.version() == 3; }));
  CHECK(one.cost() == 5);
  const TableVersion version = good(world.store.version(3));
  CHECK(version.origin == Origin::schedule);
  CHECK(version.who == "bob");
  CHECK(version.draft == fine.id);
  CHECK(version.when_us >= fine.publish_at_us);
  CHECK(version.when_us < fine.publish_at_us + 3'000'000);
  CHECK(one.counters().scheduled_published.get() + two.counters().scheduled_published.get() == 1);

  // One that both change, and one that has faults: not published, with the reason.
  const TableDraft both = scheduled({{"rates/alpha.csv", priced(alpha, 7)}});
  const TableDraft wrong = scheduled({{"rates/bravo.csv", "mccmnc,price\n1,x\n"}});
  world.publish({{"rates/alpha.csv", priced(alpha, 8)}});
  const auto state = [&](const TableDraft& draft) {
    return good(world.store.draft(draft.id)).state;
  };
  CHECK(within(
      3, [&] { return state(both) == DraftState::failed && state(wrong) == DraftState::failed; }));
  CHECK_THAT(good(world.store.draft(both.id)).reason, Contains("both change rates/alpha.csv"));
  CHECK_THAT(good(world.store.draft(wrong.id)).reason, Contains("rates/bravo.csv, row"));
  CHECK(good(world.store.current()) == 4);
  CHECK(within(3, [&] {
    return one.counters().scheduled_failed.get() + two.counters().scheduled_failed.get() == 2;
  }));
  bool audited = false;
  for (const TableAct& act : good(world.store.audit(10)))
    audited |= act.what == "fail" && act.draft == wrong.id && !act.detail.empty();
  CHECK(audited);
}

TEST_CASE("while a gateway has the turn, no other publishes what is due", "[feed]") {
  World world;
  REQUIRE(good(world.store.take_turn("other", 60'000'000)));
  const TableDraft draft = good(world.store.create_draft(
      World::by("ann"),
      Changes{{"rates/alpha.csv", priced(world.tables.read("rates/alpha.csv"), 5)}}, ""));
  Actor bob = World::by("bob");
  good(world.store.schedule(draft.id, bob, bob.now_us + 1'000));
  const std::uint64_t before = world.server.calls("set");
  Followed followed(world.options());
  REQUIRE(followed.started());
  REQUIRE(within(3, [&] { return world.server.calls("set") >= before + 3; }));  // it asked
  CHECK(good(world.store.current()) == 1);
  REQUIRE(world.store.end_turn("other"));
  CHECK(within(3, [&] { return followed.cost() == 5; }));
}

TEST_CASE("a due draft that cannot be published is tried again, later each time", "[feed]") {
  constexpr std::int64_t kPollUs = 50'000;
  World world;
  // It may do all but publish.
  world.server.say({"ACL", "SETUSER", "feeder", "on", ">pw", "~*", "&*", "+@all", "-multi"});
  std::atomic<std::int64_t> mono_us{1'000'000};
  FeedOptions options = world.options("cache", kPollUs);
  options.store.redis.user = "feeder";
  options.store.redis.password = "pw";
  options.store.redis.connect_us = options.store.redis.command_us = 5'000'000;
  options.clock = [&mono_us] {
    return tollgate::core::Now{mono_us, tollgate::core::read_clock().wall_us + 3'600'000'000};
  };
  const TableDraft draft = good(world.store.create_draft(
      World::by("ann"),
      Changes{{"rates/alpha.csv", priced(world.tables.read("rates/alpha.csv"), 5)}}, ""));
  Actor bob = World::by("bob");
  good(world.store.schedule(draft.id, bob, bob.now_us + 60'000'000));
  Followed followed(options);
  REQUIRE(followed.started());
  const auto tries = [&] { return world.server.calls("del"); };  // each ends its turn
  const auto polls = [&](std::uint64_t count) {
    for (; count > 0; --count) {
      const std::uint64_t before = world.server.calls("zrange");
      mono_us += kPollUs;
      world.server.say({"PUBLISH", world.store.channel(), "look"});
      REQUIRE(within(3, [&] { return world.server.calls("zrange") > before; }));
    }
  };
  REQUIRE(within(3, [&] { return tries() == 1; }));
  polls(18);
  CHECK(tries() == 1);
  polls(3);  // a second is over
  REQUIRE(within(3, [&] { return tries() == 2; }));
  polls(36);
  CHECK(tries() == 2);
  polls(5);
  REQUIRE(within(3, [&] { return tries() == 3; }));
  CHECK(followed.counters().scheduled_failed.get() == 0);
  world.server.say({"ACL", "SETUSER", "feeder", "+multi"});
  followed.reload();
  CHECK(within(3, [&] { return followed.cost() == 5; }));
}
