// `tollgate journal`, the real binary on journals that the real writer wrote.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdlib.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/journal/journal.h"
#include "core/journal/storage.h"
#include "gateway/keeping/dead_letters.h"
#include "gateway/keeping/recovery.h"
#include "proto/pdu.h"
#include "tests/gateway/keeping/journal_story.h"

using namespace tollgate;
using namespace tollgate::gateway;
using Json = nlohmann::ordered_json;
using proto::record::Type;
using test::Event;
using test::Teller;

namespace {

class Place {
 public:
  Place() {
    std::string name = (std::filesystem::temp_directory_path() / "tollgate_journal_XXXXXX");
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Place() { std::filesystem::remove_all(path_); }
  Place(const Place&) = delete;

  std::string directory() const { return path_ / "journal"; }

  void write(const std::vector<Event>& events) const {
    auto storage = core::open_directory(directory(), core::StorageUse::exclusive);
    REQUIRE(storage);
    core::JournalOptions options;
    options.storage = storage->get();
    options.streams = 2;
    options.segment_octets = 1 << 20;
    options.ring_octets = 64 << 10;
    options.batch_octets = 128 << 10;
    options.own_thread = false;
    auto journal = core::Journal::open(options);
    CAPTURE(journal ? std::string() : journal.error());
    REQUIRE(journal.has_value());
    for (const Event& event : events) {
      auto& stream = (*journal)->stream(event.stream);
      stream.append(static_cast<std::uint32_t>(event.type), event.payload());
      // One at a time: the file has the order of `events`.
      while (stream.durable() != stream.appended()) {
        stream.publish();
        (*journal)->step();
      }
    }
  }

  struct Result {
    int status;
    std::string out;
    std::string err;
    std::vector<std::string> lines() const {
      std::vector<std::string> all;
      std::size_t at = 0;
      for (std::size_t end; (end = out.find('\n', at)) != std::string::npos; at = end + 1) {
        all.push_back(out.substr(at, end - at));
      }
      return all;
    }
  };
  Result run(const std::string& arguments) const {
    const std::string out = path_ / "out";
    const std::string err = path_ / "err";
    const std::string command =
        std::string(TOLLGATE_BINARY) + " journal " + arguments + " >" + out + " 2>" + err;
    const int status = std::system(command.c_str());
    REQUIRE(WIFEXITED(status));
    return {WEXITSTATUS(status), text_of(out), text_of(err)};
  }
  Result of_journal(const std::string& arguments) const {
    return run(directory() + " " + arguments);
  }

  static std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<std::string> segments() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(directory())) {
      if (entry.path().filename().string().starts_with("journal-")) all.push_back(entry.path());
    }
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  std::filesystem::path path_;
};

Event event(Type type, std::uint64_t message, std::uint16_t attempt = 0) {
  Event made;
  made.type = type;
  made.stream = type == Type::accepted || type == Type::settled ? 0 : 1;
  made.message = message;
  made.attempt = attempt;
  made.carrier = "alpha";
  made.wall_us = 1'795'000'000'000'001;
  return made;
}

constexpr std::uint64_t kMessage = 0x018f3a5b9c2d4e60;

// Accepted, sent, told of, settled.
std::vector<Event> one_message() {
  std::vector<Event> events;
  Event accepted = event(Type::accepted, kMessage);
  accepted.candidates = {"alpha", "be\"ta"};
  accepted.body = "0123456789";
  events.push_back(accepted);
  events.push_back(event(Type::intent, kMessage, 1));
  Event sent = event(Type::sent, kMessage, 1);
  sent.carrier_message_id = "a\x1b[31m b";
  events.push_back(sent);
  Event receipt = event(Type::receipt, kMessage);
  receipt.notice.state = proto::MessageState::delivered;
  receipt.notice.done_wall_us = 1'795'000'001'000'000;
  receipt.error = "000";
  events.push_back(receipt);
  events.push_back(event(Type::settled, kMessage));
  return events;
}

}  // namespace

TEST_CASE("records are printed one a line, escaped") {
  const Place place;
  place.write(one_message());
  const auto result = place.of_journal("");
  CHECK(result.err.empty());
  CHECK(result.status == 0);
  const auto lines = result.lines();
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] ==
        "1:1024 0 2026-11-18T11:06:40.000001Z accepted message=018f3a5b9c2d4e60 client=shop "
        "from=0/0/ to=1/1/447700900123 registered_delivery=1 deadline=1970-01-01T00:00:00.000000Z "
        "tables_version=0 destination=0 price_nano=0 candidates=alpha:0,be\\\"ta:1 body_octets=10");
  CHECK(
      lines[2].ends_with(" sent message=018f3a5b9c2d4e60 attempt=1 carrier=alpha "
                         "carrier_message_id=\"a\\x1b[31m b\""));
  CHECK(
      lines[3].ends_with(" receipt message=018f3a5b9c2d4e60 carrier=alpha state=delivered "
                         "error=000 done=2026-11-18T11:06:41.000000Z"));
  CHECK(lines[4].ends_with(" settled message=018f3a5b9c2d4e60 how=told"));
}

TEST_CASE("JSON has an object a record, with the same words") {
  const Place place;
  place.write(one_message());
  const auto lines = place.of_journal("--json").lines();
  REQUIRE(lines.size() == 5);
  const Json accepted = Json::parse(lines[0]);
  CHECK(accepted["type"] == "accepted");
  CHECK(accepted["segment"] == 1);
  CHECK(accepted["candidates"][1]["carrier"] == "be\\\"ta");
  CHECK(Json::parse(lines[1])["attempt"] == 1);
  CHECK(Json::parse(lines[2])["carrier_message_id"] == "a\\x1b[31m b");
}

TEST_CASE("--message and --limit choose records") {
  const Place place;
  Teller teller(1);
  std::vector<test::Story> stories;
  std::size_t of_three = 0;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    stories.push_back(teller.tell(0xABC0000 + id));
    if (id == 3) of_three = stories.back().size();
  }
  const auto events = teller.merge(std::move(stories));
  place.write(events);
  CHECK(place.of_journal("").lines().size() == events.size());
  const auto lines = place.of_journal("--message 000000000abc0003").lines();
  CHECK(lines.size() == of_three);
  for (const auto& line : lines) CHECK(line.find("message=000000000abc0003") != std::string::npos);
  CHECK(place.of_journal("--message 0abc0003").lines() == lines);
  const auto limited = place.of_journal("--limit 7");
  CHECK(limited.lines().size() == 7);
  CHECK(limited.err ==
        "tollgate journal: " + std::to_string(events.size() - 7) + " records more (--limit)\n");
  CHECK(limited.status == 0);
  const auto none = place.of_journal("--message 00000000ffffffff");
  CHECK(none.status == 1);
  CHECK(none.err == "tollgate journal: no record of message 00000000ffffffff\n");
}

TEST_CASE("a lawful journal is verified and audited without a finding") {
  const Place place;
  Teller teller(2);
  std::vector<test::Story> stories;
  for (std::uint64_t id = 1; id <= 300; ++id) stories.push_back(teller.tell(id));
  place.write(teller.merge(std::move(stories)));
  const auto result = place.of_journal("--verify --audit --json");
  CHECK(result.status == 0);
  const Json json = Json::parse(result.out);
  CHECK(json["verify"]["damage"].empty());
  CHECK(json["verify"]["records"].get<int>() > 1'000);
  const Json& audit = json["audit"];
  CHECK(audit["accepted"] == 300);
  CHECK(audit["conservation_holds"] == true);
  CHECK(audit["findings"].empty());
  int live = 0;
  for (const char* stage : {"queued", "refused", "in_flight", "in_doubt", "awaiting", "told"}) {
    live += audit[stage].get<int>();
  }
  CHECK(audit["settled"].get<int>() + live == 300);
  CHECK(live > 50);
  const auto text = place.of_journal("--verify --audit");
  CHECK(text.status == 0);
  CHECK(text.out.find("\nno damage\n") != std::string::npos);
  CHECK(text.out.find("conservation: 300 + 0 + 0 = ") != std::string::npos);
  CHECK(text.out.ends_with("no findings\n"));
}

TEST_CASE("an audit names what is wrong, and where") {
  const Place place;
  auto events = one_message();
  events.push_back(event(Type::settled, kMessage));
  place.write(events);
  CHECK(place.of_journal("").status == 0);
  const auto result = place.of_journal("--audit");
  CHECK(result.status == 1);
  CHECK(result.out.find("message 018f3a5b9c2d4e60 settled_twice: the message is settled a second "
                        "time\n") != std::string::npos);
  CHECK(result.out.find("conservation: 1 + 0 + 0 is not 2 + 0 + 0\n") != std::string::npos);
  CHECK(result.out.ends_with("2 findings\n"));
  const auto lines = place.of_journal("").lines();
  const std::string at = lines.back().substr(0, lines.back().find(' '));
  CHECK(result.out.find("\n" + at + " message ") != std::string::npos);
  const Json json = Json::parse(place.of_journal("--audit --json --limit 1").out)["audit"];
  CHECK(json["findings_total"] == 2);
  REQUIRE(json["findings"].size() == 1);
  CHECK(json["findings"][0]["finding"] == "settled_twice");
  CHECK(place.of_journal("--audit --message 0000000000000001").status == 0);
}

TEST_CASE("a flipped bit is damage with its file and octets") {
  const Place place;
  place.write(one_message());
  const auto segments = place.segments();
  REQUIRE(!segments.empty());
  {
    std::fstream file(segments[0], std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(1'024 + 20);
    const int octet = file.get();
    file.seekp(1'024 + 20);
    file.put(static_cast<char>(octet ^ 4));
  }
  const auto verified = place.of_journal("--verify");
  CHECK(verified.status == 1);
  CHECK(verified.out.find("damage segment 1, octets 1024 to ") != std::string::npos);
  const auto printed = place.of_journal("");
  CHECK(printed.status == 1);
  CHECK(printed.lines().size() == 4);
  CHECK(printed.err.find("damage segment 1, octets 1024 to ") != std::string::npos);
  CHECK(place.of_journal("--audit").status == 1);
}

TEST_CASE("recovery from the files: what the writer wrote, told of as it goes") {
  const Place place;
  Teller teller(3);
  std::vector<test::Story> stories;
  for (std::uint64_t id = 1; id <= 100; ++id) stories.push_back(teller.tell(id));
  const auto events = teller.merge(std::move(stories));
  place.write(events);
  Recovery expected;
  for (const Event& one : events) expected.apply(test::journal_record(one, one.payload()));
  expected.finish();
  auto storage = core::open_directory(place.directory(), core::StorageUse::exclusive);
  REQUIRE(storage.has_value());
  Recovery recovery;
  std::vector<RecoveryProgress> told;
  RecoveryOptions options;
  options.progress = [&](const RecoveryProgress& progress) { told.push_back(progress); };
  const auto report = recover(**storage, recovery, options);
  REQUIRE(report.has_value());
  CHECK(report->damage.empty());
  CHECK(report->records == events.size());
  CHECK(recovery.records() == events.size());
  CHECK(recovery.findings() == 0);
  CHECK(recovery.conservation().accepted == 100);
  CHECK(recovery.conservation().live == expected.conservation().live);
  CHECK(recovery.conservation().holds());
  REQUIRE(!told.empty());
  CHECK(told.back().segments == told.back().of);
  CHECK(told.back().records == events.size());
  CHECK(told.back().live == recovery.live() + recovery.orphans());
}

TEST_CASE("records of another version are shown and said") {
  const Place place;
  Event odd = event(Type::intent, 1, 1);
  auto events = one_message();
  odd.type = static_cast<Type>(0x0901);  // payload() has nothing for it
  events.push_back(odd);
  place.write(events);
  const auto printed = place.of_journal("");
  CHECK(printed.status == 1);
  REQUIRE(printed.lines().size() == 6);
  CHECK(printed.lines()[5].ends_with(" - unknown number=2305 octets=\"\""));
  CHECK(place.of_journal("--verify").status == 1);
}

TEST_CASE("bad usage says what is wrong") {
  const Place place;
  std::filesystem::create_directory(place.directory());
  CHECK(place.run("").status == 2);
  const auto absent = place.run(place.directory() + "x");
  CHECK(absent.status == 2);
  CHECK(absent.err == "tollgate journal: " + place.directory() + "x is no directory\n");
  const auto empty = place.of_journal("");
  CHECK(empty.status == 2);
  CHECK(empty.err ==
        "tollgate journal: no journal in " + place.directory() + " (no file named journal-...)\n");
  for (const char* id : {"12", "018f3a5b9c2d4e6x", "0x8f3a5b9c2d4e60", "018f3a5b9c2d4e601"}) {
    CHECK(place.of_journal(std::string("--message ") + id).status == 2);
  }
}

TEST_CASE("dead letters are printed with their text, escaped") {
  const Place place;
  place.write(one_message());
  {
    auto storage = core::open_directory(place.directory(), core::StorageUse::exclusive);
    REQUIRE(storage);
    DeadLettersOptions options;
    options.storage = storage->get();
    auto letters = DeadLetters::open(std::move(options));
    REQUIRE(letters);
    proto::DeliverSm sm;
    sm.esm_class = 4;
    sm.short_message = proto::as_octets("id:7\x1b[31m stat:DELIVRD");
    std::vector<std::uint8_t> pdu(200);
    pdu.resize(proto::encode(sm, 1, proto::Status::ESME_ROK, pdu));
    proto::record::DeadLetter letter{1'795'000'000'000'001,
                                     0,
                                     proto::record::Dead::unmatched,
                                     proto::MessageState::delivered,
                                     "alpha",
                                     "7 =",
                                     pdu};
    std::vector<std::uint8_t> head(proto::record::kHeadMax);
    for (const std::uint64_t offset : {1'024U, 2'048U}) {
      head.resize(proto::record::kHeadMax);
      head.resize(proto::record::encode(letter, head));
      head.insert(head.end(), letter.pdu.begin(), letter.pdu.end());
      (*letters)->keep(1, offset, head);
      CHECK((*letters)->step() == 0);
      CHECK((*letters)->settled());
      letter.why = proto::record::Dead::late;
      letter.message = kMessage;
      letter.pdu = {};
    }
  }
  const auto lines = place.of_journal("--dead").lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] ==
        "2026-11-18T11:06:40.000001Z carrier=alpha why=unmatched carrier_message_id="
        "\"7 =\" state=delivered text=\"id:7\\x1b[31m stat:DELIVRD\"");
  CHECK(lines[1] ==
        "2026-11-18T11:06:40.000001Z carrier=alpha why=late carrier_message_id="
        "\"7 =\" message=018f3a5b9c2d4e60 state=delivered");
  CHECK(place.of_journal("--dead --message 018f3a5b9c2d4e60").lines().size() == 1);
  CHECK(place.of_journal("--dead --limit 1").lines().size() == 1);
  CHECK(place.of_journal("--dead --json").lines()[0].find("\"pdu\":\"000000") != std::string::npos);
  CHECK(place.of_journal("--verify").status == 0);
}
