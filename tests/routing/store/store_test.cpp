// The store against a real redis-server: publishes, drafts, history, and what two do at once.
#include "routing/store/store.h"

#include <atomic>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/routing/store/redis_server.h"

using namespace tollgate::routing;
using Catch::Contains;

namespace {

constexpr std::int64_t kNow = 1'800'000'000'000'000;

Actor by(const std::string& who, const std::string& note = {}) {
  return {who, note, kNow};
}

template <class T>
T good(StoreResult<T> result) {
  if (!result) FAIL(result.error().reason);
  return std::move(*result);
}

template <class T>
StoreError bad(const StoreResult<T>& result, StoreFault fault) {
  REQUIRE_FALSE(result);
  INFO(result.error().reason);
  CHECK(static_cast<int>(result.error().fault) == static_cast<int>(fault));
  return result.error();
}

using Changes = std::vector<FileChange>;

TableVersion publish(Store& store, const Changes& changes, const std::string& who = "ann",
                     const std::string& note = "why") {
  const TableDraft draft = good(store.create_draft(by(who, note), changes, ""));
  return good(store.publish(draft, by(who, note)));
}

std::set<std::string> keys(RedisServer& server, const std::string& pattern) {
  std::set<std::string> names;
  for (const RedisReply& part : server.say({"KEYS", pattern}).parts) names.insert(part.text);
  return names;
}

}  // namespace

TEST_CASE("a publish is a numbered version with its history and its audit trail", "[store]") {
  RedisServer server;
  Store store(server.options());
  CHECK(good(store.current()) == 0);
  CHECK_THAT(bad(store.version(0), StoreFault::missing).reason, Contains("holds no tables"));
  CHECK(good(store.history(10)).versions.empty());

  const TableVersion first =
      publish(store, {{"a.csv", "h\n1\n"}, {"r/b.csv", "h\n"}}, "ann", "one");
  CHECK(first.number == 1);
  CHECK(first.based_on == 0);
  const TableVersion second = publish(store, {{"a.csv", "h\n2\n3\n"}}, "bob", "two");
  CHECK(second.number == 2);
  CHECK(second.based_on == 1);

  const TableVersion read = good(store.version(0));
  CHECK(read.number == 2);
  CHECK(read.who == "bob");
  CHECK(read.note == "two");
  CHECK(read.when_us == kNow);
  CHECK(read.checksum == second.checksum);
  CHECK(read.files ==
        std::vector<TableFile>{describe("a.csv", "h\n2\n3\n"), describe("r/b.csv", "h\n")});
  CHECK(good(store.get(read.files[0])) == "h\n2\n3\n");
  CHECK(good(store.get(good(store.version(1)).files[0])) == "h\n1\n");

  const HistoryPage page = good(store.history(1));
  REQUIRE(page.versions.size() == 1);
  CHECK(page.versions[0].number == 2);
  CHECK(page.more);
  CHECK(good(store.history(10, 2)).versions.at(0).number == 1);

  const auto acts = good(store.audit(10));
  REQUIRE(acts.size() == 4);
  CHECK((acts[0].what == "publish" && acts[0].who == "bob" && acts[0].note == "two"));
  CHECK((acts[0].version == 2 && acts[0].based_on == 1 && acts[0].draft == 2));
  CHECK((acts[1].what == "draft" && acts[2].version == 1 && acts[3].draft == 1));
  // What did not change is stored once.
  CHECK(keys(server, "*blob*").size() == 3);
}

TEST_CASE("of two analysts on one version the second is told to rebase, and by whom", "[store]") {
  RedisServer server;
  Store ann(server.options()), bob(server.options());
  publish(ann, {{"a.csv", "1"}, {"b.csv", "1"}, {"c.csv", "1"}});
  const TableDraft hers = good(ann.create_draft(by("ann", "a up"), Changes{{"a.csv", "2"}}, ""));
  const TableDraft his = good(bob.create_draft(
      by("bob", "b up"), Changes{{"b.csv", "2"}, {"c.csv", std::nullopt}, {"n.csv", "1"}}, ""));
  CHECK(good(ann.publish(hers, by("ann", "a up"))).number == 2);
  const std::string why = bad(bob.publish(his, by("bob")), StoreFault::conflict).reason;
  CHECK_THAT(why, Contains("based on version 1") && Contains("2 by ann (a up)"));
  CHECK(good(bob.current()) == 2);

  const TableDraft rebased = good(bob.rebase(his.id, by("bob")));
  CHECK(rebased.base == 2);
  const TableVersion third = good(bob.publish(rebased, by("bob")));
  CHECK(third.number == 3);
  CHECK(third.note == "b up");
  CHECK(third.files == std::vector<TableFile>{describe("a.csv", "2"), describe("b.csv", "2"),
                                              describe("n.csv", "1")});
  CHECK_THAT(bad(bob.publish(rebased, by("bob")), StoreFault::conflict).reason,
             Contains("was changed meanwhile"));
  CHECK_THAT(bad(bob.rebase(his.id, by("bob")), StoreFault::invalid).reason,
             Contains("was published as version 3"));
}

TEST_CASE("a rebase names the files that both changed", "[store]") {
  RedisServer server;
  Store store(server.options());
  publish(store, {{"a.csv", "1"}, {"b.csv", "1"}});
  const TableDraft draft =
      good(store.create_draft(by("bob"), Changes{{"a.csv", "3"}, {"b.csv", "3"}}, ""));
  const TableDraft same = good(store.create_draft(by("cy"), Changes{{"a.csv", "2"}}, ""));
  CHECK_THAT(bad(store.rebase(draft.id, by("bob")), StoreFault::invalid).reason,
             Contains("based on version 1, the current one, already"));
  publish(store, {{"a.csv", "2"}});
  const std::string why = bad(store.rebase(draft.id, by("bob")), StoreFault::conflict).reason;
  CHECK_THAT(why, Contains("both change a.csv:"));
  CHECK(good(store.draft(draft.id)).base == 1);
  // What was made from an older version is a draft of that one, not of what was published since.
  const TableDraft late = good(store.create_draft(by("dan"), Changes{{"a.csv", "5"}}, "", 1));
  CHECK(late.base == 1);
  bad(store.publish(late, by("dan")), StoreFault::conflict);
  CHECK_THAT(bad(store.rebase(late.id, by("dan")), StoreFault::conflict).reason,
             Contains("both change a.csv:"));
  CHECK_THAT(bad(store.rebase(same.id, by("cy")), StoreFault::invalid).reason,
             Contains("holds the same changes already"));
}

TEST_CASE("many who publish at once: each version has one, and none is lost", "[store]") {
  RedisServer server;
  Store first(server.options());
  publish(first, {{"a.csv", "0"}});
  constexpr int kThreads = 4, kEach = 25;
  std::atomic<int> conflicts{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Store store(server.options());
      const std::string name = "f" + std::to_string(t) + ".csv";
      for (int i = 0; i < kEach; ++i) {
        auto draft =
            store.create_draft(by("t" + std::to_string(t)), Changes{{name, std::to_string(i)}}, "");
        while (draft) {
          if (store.publish(*draft, by(draft->who))) break;
          ++conflicts;
          if (auto rebased = store.rebase(draft->id, by(draft->who))) draft = std::move(rebased);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(conflicts > 0);
  const HistoryPage page = good(first.history(1'000));
  REQUIRE(page.versions.size() == 1 + kThreads * kEach);
  for (std::size_t i = 0; i + 1 < page.versions.size(); ++i) {
    CHECK(page.versions[i].based_on == page.versions[i + 1].number);
    CHECK(differences(page.versions[i + 1].files, page.versions[i].files).size() == 1);
  }
  for (int t = 0; t < kThreads; ++t) {
    const TableFile* last = find_file(page.versions[0].files, "f" + std::to_string(t) + ".csv");
    REQUIRE(last != nullptr);
    CHECK(good(first.get(*last)) == std::to_string(kEach - 1));
  }
}

TEST_CASE("a rollback publishes an older version's files under a new number", "[store]") {
  RedisServer server;
  Store store(server.options());
  publish(store, {{"a.csv", "1"}});
  publish(store, {{"a.csv", "2"}, {"b.csv", "2"}});
  const TableVersion back = good(store.rollback(1, by("ann", "wrong")));
  CHECK(back.number == 3);
  CHECK(back.based_on == 2);
  CHECK(back.rolled_back_to == 1);
  CHECK(back.origin == Origin::rollback);
  CHECK(good(store.version(0)).files == good(store.version(1)).files);
  CHECK_THAT(bad(store.rollback(3, by("ann")), StoreFault::invalid).reason, Contains("not older"));
  CHECK_THAT(bad(store.rollback(1, by("ann")), StoreFault::invalid).reason,
             Contains("changes nothing"));
  CHECK(good(store.audit(1)).at(0).what == "rollback");
}

TEST_CASE("the life of a draft", "[store]") {
  RedisServer server;
  Store store(server.options());
  publish(store, {{"a.csv", "1"}, {"b.csv", "1"}});
  CHECK_THAT(
      bad(store.create_draft(by("ann"), Changes{{"a.csv", "1"}}, ""), StoreFault::invalid).reason,
      Contains("nothing in it differs from version 1"));
  TableDraft draft = good(store.create_draft(by("ann", "up"), Changes{{"a.csv", "2"}}, "sum"));
  CHECK(draft.id == 2);
  CHECK(draft.summary == "sum");
  CHECK(good(store.drafts()).size() == 1);
  draft = good(store.approve(draft.id, by("bob")));
  CHECK(draft.state == DraftState::approved);
  CHECK(draft.approved_by == "bob");
  // What was approved is what was seen.
  draft = good(store.change_draft(draft.id, by("ann"), Changes{{"b.csv", std::nullopt}}, "sum 2"));
  CHECK(draft.state == DraftState::draft);
  CHECK(draft.approved_by.empty());
  CHECK(draft.changed == std::vector<TableFile>{describe("a.csv", "2")});
  CHECK(draft.removed == std::vector<std::string>{"b.csv"});
  CHECK(good(store.files_of(draft)) == draft.changed);
  // Taken back: the file is as in the base.
  draft = good(store.change_draft(draft.id, by("ann"), Changes{{"b.csv", "1"}}, ""));
  CHECK(draft.removed.empty());

  CHECK_THAT(bad(store.schedule(draft.id, by("ann"), kNow), StoreFault::invalid).reason,
             Contains("the time is over"));
  draft = good(store.schedule(draft.id, by("ann"), kNow + 5));
  CHECK(good(store.next_due_us()) == kNow + 5);
  CHECK(good(store.due(kNow + 4)).empty());
  CHECK(good(store.due(kNow + 5)) == std::vector<std::uint32_t>{draft.id});
  const TableDraft stale = draft;
  draft = good(store.change_draft(draft.id, by("ann"), Changes{{"a.csv", "3"}}, ""));
  CHECK(good(store.due(kNow + 5)).empty());
  CHECK_THAT(bad(store.publish(stale, by("ann")), StoreFault::conflict).reason,
             Contains("was changed meanwhile"));
  bad(store.fail_draft(stale, by("ann"), "x"), StoreFault::conflict);
  const Changes late{{"a.csv", "9"}};
  CHECK_THAT(
      bad(store.change_draft(draft.id, by("bob"), late, "", stale.revision), StoreFault::conflict)
          .reason,
      Contains("was changed meanwhile"));
  draft =
      good(store.change_draft(draft.id, by("ann"), Changes{{"a.csv", "4"}}, "", draft.revision));
  good(store.schedule(draft.id, by("ann"), kNow + 5));
  draft = good(store.draft(draft.id));
  REQUIRE(store.fail_draft(draft, by("ann"), "because"));
  CHECK(good(store.draft(draft.id)).reason == "because");
  CHECK(good(store.due(kNow + 5)).empty());
  CHECK(good(store.drafts()).at(0).state == DraftState::failed);
  CHECK(good(store.discard(draft.id, by("ann"))).state == DraftState::discarded);
  CHECK(good(store.drafts()).empty());
  CHECK_THAT(bad(store.approve(draft.id, by("ann")), StoreFault::invalid).reason,
             Contains("was discarded"));
  bad(store.draft(99), StoreFault::missing);
  std::vector<std::string> whats;
  for (const TableAct& act : good(store.audit(100))) whats.insert(whats.begin(), act.what);
  CHECK(whats == std::vector<std::string>{"draft", "publish", "draft", "approve", "change",
                                          "change", "schedule", "change", "change", "schedule",
                                          "fail", "discard"});
}

TEST_CASE("who and why are bounded text", "[store]") {
  RedisServer server;
  Store store(server.options());
  const Changes changes{{"a.csv", "1"}};
  const auto refused = [&](const Actor& actor) {
    return bad(store.create_draft(actor, changes, ""), StoreFault::invalid).reason;
  };
  CHECK_THAT(refused(by("")), Contains("who"));
  CHECK_THAT(refused(by(std::string(101, 'a'))), Contains("longer than 100"));
  CHECK_THAT(refused(by("a\x1b[31m")), Contains("controls"));
  CHECK_THAT(refused(by("ann", std::string(1001, 'a'))), Contains("longer than 1000"));
  CHECK_THAT(refused(by("ann", "\xff")), Contains("UTF-8"));
  CHECK_THAT(bad(store.create_draft(by("ann"), Changes{{"../a.csv", "1"}}, ""), StoreFault::invalid)
                 .reason,
             Contains("begins with a dot"));
  CHECK(keys(server, "*").empty());
}

TEST_CASE("an emptied store can begin after the number it had", "[store]") {
  RedisServer server;
  Store store(server.options());
  REQUIRE(store.begin_after(41, by("ann")));
  CHECK(publish(store, {{"a.csv", "1"}}).number == 42);
  CHECK(publish(store, {{"a.csv", "2"}}).number == 43);
  CHECK(good(store.history(10)).versions.size() == 2);
  bad(store.begin_after(50, by("ann")), StoreFault::invalid);
}

TEST_CASE("one gateway at a time publishes what is due", "[store]") {
  RedisServer server;
  Store store(server.options());
  CHECK(good(store.take_turn("g1", 60'000'000)));
  CHECK_FALSE(good(store.take_turn("g2", 60'000'000)));
  REQUIRE(store.end_turn("g2"));
  CHECK_FALSE(good(store.take_turn("g2", 60'000'000)));
  REQUIRE(store.end_turn("g1"));
  CHECK(good(store.take_turn("g2", 1'000)));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(good(store.take_turn("g1", 60'000'000)));
  REQUIRE(store.report({"g1", 3, 4, 5, "why", 6}));
  REQUIRE(store.report({"g1", 4, 4, 0, "", 7}));
  const auto reports = good(store.reports());
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].version == 4);
}

TEST_CASE("files of any size come back, in chunks of 1 MiB", "[store]") {
  RedisServer server;
  Store store(server.options());
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kChunkOctets - 1, kChunkOctets,
                                 kChunkOctets + 1, 3 * kChunkOctets + 5}) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 4096);
    const TableFile file = good(store.put("a.csv", text));
    CHECK(good(store.get(file)) == text);
    const auto chunks = keys(server, "*blob:" + hex(file.sha256) + "*").size();
    CHECK(chunks == std::max<std::size_t>(1, (size + kChunkOctets - 1) / kChunkOctets));
  }
}
