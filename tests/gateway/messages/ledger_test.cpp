// The ledger, its index and its lists against a model.
#include "gateway/messages/ledger.h"

#include <deque>
#include <random>

#include "tests/catch_pch.h"

namespace tollgate::gateway {
namespace {

constexpr core::Now kNow{5'000'000, 1'800'000'000'000'000};

TEST_CASE("the index finds what a map finds, over three million ids", "[ledger]") {
  constexpr std::uint64_t kFirst = (std::uint64_t{1} << 40) - 77;  // begins inside a region
  MessageIndex index(kFirst);
  std::map<std::uint64_t, std::uint32_t> model;
  std::mt19937_64 random(11);
  std::uint64_t next = kFirst;
  const std::uint64_t straggler = kFirst + 5;
  while (next < kFirst + 3'300'000) {
    const std::uint64_t burst = random() % 3'000;
    for (std::uint64_t i = 0; i < burst; ++i) {
      const auto place = static_cast<std::uint32_t>(random() % 1'000'000);
      index.add(next, place);
      model[next++] = place;
    }
    // Settles some at random, mostly old ones, so that pages and regions empty behind.
    for (std::uint64_t i = 0; i < burst + 20 && model.size() > 2'000; ++i) {
      auto at = random() % 4 == 0 ? model.lower_bound(next - random() % 2'000) : model.begin();
      if (at == model.end()) at = model.begin();
      if (at->first == straggler && ++at == model.end()) break;
      index.remove(at->first);
      model.erase(at);
    }
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t asked = kFirst + random() % (next - kFirst + 1'000);
      const auto found = model.find(asked);
      const std::uint32_t expected = found == model.end() ? kNoPlace : found->second;
      if (index.find(asked) != expected) FAIL("id " << asked);
    }
  }
  CHECK(index.find(straggler) == model.at(straggler));
  CHECK(index.find(kFirst - 1) == kNoPlace);
  CHECK(index.find(0) == kNoPlace);
  CHECK(index.find(next) == kNoPlace);
  for (const auto& [id, place] : model) {
    if (index.find(id) != place) FAIL("id " << id);
    index.remove(id);
  }
  for (const auto& [id, place] : model) {
    if (index.find(id) != kNoPlace) FAIL("id " << id);
  }
  // And goes on behind all that.
  index.add(next, 3);
  CHECK(index.find(next) == 3);
}

TEST_CASE("ids of processes whose clocks were decades apart", "[ledger]") {
  // Each table that lies between them would be millions of empty places.
  constexpr std::uint64_t kYear = (std::uint64_t{31'557'600'000'000} << kIdsPerMicrosecondBits);
  std::mt19937_64 random(5);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t now = 57 * kYear + random() % kYear;
    MessageIndex index(now);
    std::map<std::uint64_t, std::uint32_t> model;
    for (int i = 0; i < 300; ++i) {
      const std::uint64_t years = random() % 12 == 0 ? random() % 200 : 57;
      const std::uint64_t id = years * kYear + random() % (3 << 20);
      if (model.contains(id)) continue;
      model[id] = static_cast<std::uint32_t>(i);
      index.add(id, static_cast<std::uint32_t>(i));
      if (random() % 3 == 0) {
        const auto at = std::next(model.begin(), static_cast<long>(random() % model.size()));
        index.remove(at->first);
        if (index.find(at->first) != kNoPlace) FAIL("still there");
        model.erase(at);
      }
    }
    for (const auto& [id, place] : model) {
      if (index.find(id) != place) FAIL("id " << id);
      if (!model.contains(id + 1) && index.find(id + 1) != kNoPlace) FAIL("behind " << id);
    }
  }
}

TEST_CASE("the ledger against a model: accepted, found, settled at random", "[ledger]") {
  core::BufferPool buffers;
  Ledger ledger(5, 4'000, kNow.wall_us, buffers);
  std::map<MessageId, std::uint32_t> model;  // id -> place
  std::mt19937_64 random(23);
  MessageId expected = ledger.next_id();
  CHECK(home_of(expected) == 5);
  for (int i = 0; i < 400'000; ++i) {
    const bool accept = random() % 1'000 < (i % 20'000 < 12'000 ? 550 : 440);
    if (accept) {
      Message* message = ledger.accept(100 + random() % 400, kNow);
      if (model.size() == 4'000) {
        if (message != nullptr) FAIL("beyond capacity");
        continue;
      }
      if (message == nullptr) FAIL("refused below capacity");
      if (message->id != expected) FAIL("ids are not dense");
      if (message->stage != Stage::placed || message->queued != 0) FAIL("a used message");
      expected = ledger.next_id();
      message->price_nano = static_cast<routing::Nano>(message->id);
      model[message->id] = ledger.place_of(*message);
    } else if (!model.empty()) {
      auto at = model.lower_bound(ledger.next_id() - random() % 6'000);
      if (at == model.end()) at = model.begin();
      Message* message = ledger.find(at->first);
      if (message == nullptr) FAIL("lost");
      if (message->price_nano != static_cast<routing::Nano>(at->first)) FAIL("mixed up");
      if (&ledger.at(at->second) != message || !ledger.live(at->second)) FAIL("moved");
      const MessageId id = at->first;
      ledger.settle(*message);
      if (ledger.find(id) != nullptr || ledger.live(at->second)) FAIL("still there");
      model.erase(at);
    }
    if (ledger.size() != model.size()) FAIL("size");
  }
  CHECK(ledger.places() == 4'000);
  for (const auto& [id, place] : model) {
    Message* message = ledger.find(id);
    REQUIRE(message != nullptr);
    ledger.settle(*message);
  }
  CHECK(ledger.size() == 0);
  CHECK(buffers.in_use() == 0);
}

TEST_CASE("ids: another home's are not found, a restart's later ones are new", "[ledger]") {
  core::BufferPool buffers;
  Ledger first(3, 10, kNow.wall_us, buffers);
  Ledger other(4, 10, kNow.wall_us, buffers);
  const Message* mine = first.accept(1, kNow);
  const Message* theirs = other.accept(1, kNow);
  CHECK(mine->id != theirs->id);
  CHECK(first.find(theirs->id) == nullptr);
  CHECK(home_of(mine->id) == 3);
  CHECK(home_of(theirs->id) == 4);
  // Four ids a microsecond: a process that lived for a second at 3 M/s is behind its heir.
  Ledger heir(3, 10, kNow.wall_us + 1'000'000, buffers);
  CHECK(heir.next_id() > mine->id + 3'000'000);
  CHECK(heir.find(mine->id) == nullptr);
}

TEST_CASE("a 3.3 client's short id finds its message across the low 32 bits' turn", "[ledger]") {
  core::BufferPool buffers;
  // The counter starts 40 ids before its low half turns over.
  constexpr std::uint64_t kTurn = std::uint64_t{0x654321} << 32;
  Ledger ledger(2, 200, static_cast<std::int64_t>((kTurn - 48) >> kIdsPerMicrosecondBits), buffers);
  std::vector<Message*> messages;
  for (int i = 0; i < 100; ++i) messages.push_back(ledger.accept(1, kNow));
  CHECK((messages.front()->id & 0xffffffff) > (messages.back()->id & 0xffffffff));
  for (Message* message : messages) {
    REQUIRE(ledger.find_short(static_cast<std::uint32_t>(message->id)) == message);
  }
  CHECK(ledger.find_short(static_cast<std::uint32_t>(ledger.next_id())) == nullptr);
  CHECK(ledger.find_short(static_cast<std::uint32_t>(messages.front()->id) - 1) == nullptr);
  ledger.settle(*messages[7]);
  CHECK(ledger.find_short(static_cast<std::uint32_t>(messages[6]->id)) == messages[6]);
  CHECK(ledger.find_short(static_cast<std::uint32_t>(messages[6]->id) + 1) == nullptr);
}

TEST_CASE("a list keeps its order at both ends", "[ledger]") {
  core::BufferPool buffers;
  Ledger ledger(0, 300, kNow.wall_us, buffers);
  std::vector<std::uint32_t> places;
  for (int i = 0; i < 300; ++i) places.push_back(ledger.place_of(*ledger.accept(1, kNow)));
  MessageList list;
  MessageList other;
  std::deque<std::uint32_t> model;
  std::vector<std::uint32_t> spare = places;
  std::mt19937_64 random(5);
  for (int i = 0; i < 50'000; ++i) {
    const auto dice = random() % 4;
    if (dice < 2 && !spare.empty()) {
      const std::uint32_t place = spare.back();
      spare.pop_back();
      dice == 0 ? list.push_back(ledger, place) : list.push_front(ledger, place);
      dice == 0 ? model.push_back(place) : model.push_front(place);
    } else if (!model.empty()) {
      if (list.head() != model.front()) FAIL("head");
      const std::uint32_t place = list.pop_front(ledger);
      if (place != model.front()) FAIL("order");
      model.pop_front();
      other.push_back(ledger, place);  // one list at a time, but any
      if (other.pop_front(ledger) != place) FAIL("other list");
      spare.push_back(place);
    }
    if (list.size() != model.size() || list.empty() != model.empty()) FAIL("size");
  }
}

TEST_CASE("an id's text: sixteen digits, eight of the low half for 3.3", "[ledger]") {
  CHECK(MessageIdText(0x0123456789abcdef, false).view() == "0123456789abcdef");
  CHECK(MessageIdText(0x0123456789abcdef, true).view() == "89abcdef");
  CHECK(MessageIdText(0xA, false).view() == "000000000000000a");
  CHECK(MessageIdText(0xA, true).view() == "0000000a");
  CHECK(MessageIdText(~MessageId{0}, false).view() == "ffffffffffffffff");
}

TEST_CASE("what a client asked to be told", "[ledger]") {
  using proto::MessageState;
  CHECK_FALSE(wants_receipt(0));
  CHECK_FALSE(wants_receipt(0x10));
  for (const int asked : {1, 2, 3, 0x11}) CHECK(wants_receipt(static_cast<std::uint8_t>(asked)));
  CHECK(wants_intermediate(0x11));
  CHECK_FALSE(wants_intermediate(1));
  CHECK(wants_final(1, MessageState::delivered));
  CHECK(wants_final(1, MessageState::expired));
  CHECK_FALSE(wants_final(2, MessageState::delivered));
  CHECK(wants_final(2, MessageState::undeliverable));
  CHECK(wants_final(3, MessageState::delivered));
  CHECK_FALSE(wants_final(3, MessageState::unknown));
  CHECK_FALSE(wants_final(0, MessageState::delivered));
}

}  // namespace
}  // namespace tollgate::gateway
