// What a carrier may send that is too long, broken or senseless, with a journal: everything that is
// kept of it has a bound, all of it is answered, and what was written can be read back.
#include "core/journal/reader.h"
#include "proto/tlv.h"
#include "tests/core/journal/faulty_storage.h"
#include "tests/gateway/world.h"

namespace tollgate::gateway {
namespace {

using core::testing::FaultyStorage;
using proto::MessageState;
using proto::Status;

constexpr std::size_t kLengths[] = {64, 65, 254, 255, 256, 257, 300, 1'000, 1'500};

WorldOptions on_disk(FaultyStorage& disk) {
  WorldOptions options;
  options.disk = &disk;
  options.records = &disk;
  options.change = [](Config& config) {
    config.journal.segment_octets = config.records.rotate_octets = std::size_t{4} << 20;
  };
  return options;
}

struct Letter {
  proto::record::Dead why{};
  std::string id;
  std::size_t octets = 0;  // of the PDU
};
std::vector<Letter> letters(FaultyStorage& disk) {
  std::vector<Letter> all;
  const auto report = core::read_journal(disk, [&](const core::JournalRecord& record) {
    proto::record::DeadLetter letter;
    if (record.type != static_cast<std::uint32_t>(proto::record::Type::dead_letter)) return;
    REQUIRE(proto::record::decode(record.payload, letter));
    all.push_back({letter.why, std::string(letter.carrier_message_id), letter.pdu.size()});
  });
  REQUIRE(report.has_value());
  return all;
}

struct Words {
  std::string text_id = "12345";
  std::string tlv_id = {};  // empty: none
  std::string other = {};   // each of the other words of the text, and its addresses' TLVs
};

// A receipt; what is too long for short_message goes in message_payload.
std::string receipt_octets(const Words& words, std::uint32_t sequence) {
  // Six of them fit the rings of the World, which are short.
  const std::string other = words.other.empty() ? "001" : words.other.substr(0, 300);
  const std::string text = "id:" + words.text_id + " sub:" + other + " dlvrd:" + other +
                           " submit date:" + other + " done date:" + other +
                           " stat:DELIVRD err:" + other + " text:" + other;
  std::vector<std::uint8_t> block(30'000);
  std::size_t at = 0;
  if (!words.tlv_id.empty()) {
    at = proto::append_tlv_text(block, at, proto::Tag::receipted_message_id, words.tlv_id);
  }
  proto::DeliverSm sm;
  sm.source_addr = "447700900001";
  sm.destination_addr = "SHOP";
  sm.esm_class = 0x04;
  if (text.size() <= proto::kShortMessageMax34) {
    sm.short_message = proto::as_octets(text);
  } else {
    at = proto::append_tlv(block, at, proto::Tag::message_payload, proto::as_octets(text));
  }
  sm.tlvs = proto::Octets(block).first(at);
  return octets_of(sm, sequence);
}

TEST_CASE("no word of a receipt is too long to be kept, parked, matched or told",
          "[flow][hostile]") {
  FaultyStorage disk;
  std::uint32_t sequence = 1'000;
  std::size_t sent = 0;
  {
    World world(on_disk(disk));
    ClientEnd& client = world.bind("shop");
    client.submit();
    world.settle();
    CarrierEnd& carrier = world.carrier(0);
    for (const std::size_t length : kLengths) {
      const std::string word(length, 'A');
      for (const Words& words :
           {Words{.tlv_id = word}, Words{.text_id = word}, Words{.text_id = word, .tlv_id = word},
            Words{.text_id = "7" + std::to_string(length), .other = word}}) {
        INFO(length << " octets");
        carrier.send(receipt_octets(words, ++sequence));
        ++sent;
        world.settle();
        REQUIRE(carrier.receipt_responses.count(sequence) == 1);
        CHECK(carrier.receipt_responses[sequence] == Status::ESME_ROK);
      }
      // For the message that is there: told with the error that has room.
      const std::uint32_t one = client.submit();
      world.settle();
      REQUIRE(client.status(one) == Status::ESME_ROK);
      const std::size_t told = client.told.size();
      const std::string id = carrier.submits.back().id;
      carrier.send(receipt_octets({.text_id = id, .tlv_id = word, .other = word}, ++sequence));
      world.settle();
      REQUIRE(client.told.size() == told + 1);
      CHECK(client.told.back().state == MessageState::delivered);
    }
    world.abandon();
  }
  // A crash, and the start behind it: all that was written is read, and ends as a dead letter.
  {
    auto options = on_disk(disk);
    options.later_us = kHour;
    const auto after = disk.survive(core::testing::Survival::keep_all, 1);
    options.disk = options.records = after.get();
    World world(options);
    CHECK(world.findings() == 0);
    world.pass(70 * kSecond, 100 * kMs);
    world.finish(World::Left::something);
    for (const Letter& letter : letters(*after)) {
      CHECK(letter.id.size() <= proto::record::kTextMax);
      CHECK(letter.octets > proto::kHeaderLength);
    }
    CHECK(letters(*after).size() >= std::size(kLengths));  // the others' segments are gone
  }
  CHECK(sent == std::size(kLengths) * 4);
}

TEST_CASE("a deliver_sm that cannot be decoded is kept whole and refused for good",
          "[flow][hostile]") {
  FaultyStorage disk;
  World world(on_disk(disk));
  CarrierEnd& carrier = world.carrier(0);
  const std::string good = receipt_octets({}, 77);
  // No body; cut in each place; an address without an end.
  std::size_t kept = 0;
  for (std::size_t length = proto::kHeaderLength; length + 1 < good.size(); length += 3) {
    std::string cut = good.substr(0, length);
    proto::store_u32(reinterpret_cast<std::uint8_t*>(cut.data()),
                     static_cast<std::uint32_t>(length));
    carrier.receipt_responses.clear();
    carrier.send(cut);
    world.settle();
    REQUIRE(carrier.receipt_responses.count(77) == 1);
    if (carrier.receipt_responses[77] == Status::ESME_ROK) continue;  // what is left says enough
    CHECK(carrier.receipt_responses[77] == Status::ESME_RX_P_APPN);
    ++kept;
  }
  CHECK(kept > 10);
  world.settle();
  const auto all = letters(disk);
  CHECK(static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const Letter& letter) {
          return letter.why == proto::record::Dead::unreadable;
        })) >= kept);
  world.finish(World::Left::something);
}

// A receipt without an id, of so many octets.
std::string without_id(std::size_t octets, std::uint32_t sequence) {
  const std::string text(octets, 'g');
  std::vector<std::uint8_t> block(octets + 4);
  proto::DeliverSm sm;
  sm.source_addr = "447700900001";
  sm.esm_class = 0x04;
  const std::size_t end =
      proto::append_tlv(block, 0, proto::Tag::message_payload, proto::as_octets(text));
  sm.tlvs = proto::Octets(block).first(end);
  return octets_of(sm, sequence);
}

std::size_t refused_for_now(const CarrierEnd& carrier) {
  return static_cast<std::size_t>(
      std::count_if(carrier.receipt_responses.begin(), carrier.receipt_responses.end(),
                    [](const auto& answer) { return answer.second == Status::ESME_RX_T_APPN; }));
}

TEST_CASE("dead letters as fast as they come: most are refused for now, others go on",
          "[flow][hostile]") {
  FaultyStorage disk;
  World world(on_disk(disk));
  ClientEnd& client = world.bind("shop");
  CarrierEnd& carrier = world.carrier(1);
  std::uint32_t sequence = 0;
  for (int i = 0; i < 100; ++i) {
    for (int k = 0; k < 6; ++k) carrier.send(without_id(3'000, ++sequence));
    const std::uint32_t one = client.submit();
    world.pass(10 * kMs, 10 * kMs);
    world.settle();
    CHECK(client.status(one) == Status::ESME_ROK);
  }
  world.settle();
  CHECK(carrier.receipt_responses.size() == sequence);
  // A second at a MiB a second, and a quarter of one at once.
  const std::size_t kept = sequence - refused_for_now(carrier);
  CHECK(kept * 3'000 > (1U << 20));
  CHECK(kept * 3'000 < (3U << 19));
  // Another carrier's are its own.
  carrier.receipt_responses.clear();
  world.carrier(0).send(without_id(3'000, 7));
  carrier.send(without_id(3'000, ++sequence));
  world.settle();
  CHECK(world.carrier(0).receipt_responses[7] == Status::ESME_ROK);
  // It has paused, and is heard again.
  world.pass(kSecond, 100 * kMs);
  carrier.send(without_id(3'000, ++sequence));
  world.settle();
  CHECK(carrier.receipt_responses[sequence] == Status::ESME_ROK);
  world.finish(World::Left::something);
}

TEST_CASE("dead letters while the disk is slow: a bound for all carriers, none that was taken lost",
          "[flow][hostile]") {
  constexpr std::size_t kOctets = 3'000;
  constexpr std::uint32_t kEach = 80;
  FaultyStorage disk;
  WorldOptions options = on_disk(disk);
  options.carriers = 3;
  options.ring_octets = std::size_t{512} << 10;
  options.change = [change = options.change](Config& config) {
    change(config);
    config.journal.segment_octets = std::size_t{16} << 20;
  };
  World world(std::move(options));
  const auto wave = [&](std::uint32_t from) {
    for (std::size_t c = 0; c < 3; ++c) {
      world.carrier(c).receipt_responses.clear();
      for (std::uint32_t i = 0; i < kEach; ++i) {
        world.carrier(c).send(without_id(kOctets, from + i));
      }
    }
    // The journal's thread takes no step: nothing becomes durable. Each carrier has a burst that
    // takes all of its own; together they are more than the ring.
    for (int i = 0; i < 40; ++i) world.shard(0).turn();
    CHECK_FALSE(world.journal()->stream(0).spilled());
    world.settle();
    std::size_t kept = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      CarrierEnd& carrier = world.carrier(c);
      CHECK(carrier.receipt_responses.size() == kEach);
      kept += kEach - refused_for_now(carrier);
      for (const auto& [sequence, status] : carrier.receipt_responses) {
        CHECK((status == Status::ESME_ROK || status == Status::ESME_RX_T_APPN));
      }
    }
    CHECK(kept * kOctets > (200U << 10));
    CHECK(kept * kOctets < (260U << 10));
    return kept;
  };
  std::size_t kept = wave(1);
  CHECK(letters(disk).size() == kept);
  // It is on the disk: the next are taken.
  world.pass(kSecond, 100 * kMs);
  kept += wave(1'000);
  CHECK(letters(disk).size() == kept);
  world.finish(World::Left::something);
}

TEST_CASE("the longest dead letter goes through the smallest ring that may be configured",
          "[flow][hostile]") {
  FaultyStorage disk;
  WorldOptions options = on_disk(disk);
  options.ring_octets = kMailboxLeast;
  World world(std::move(options));
  const std::size_t most = proto::kMessagePayloadMax;
  world.carrier(0).send(without_id(most, 1));
  world.pass(10 * kMs);
  world.settle();
  CHECK(world.carrier(0).receipt_responses[1] == Status::ESME_ROK);
  REQUIRE(letters(disk).size() == 1);
  CHECK(letters(disk)[0].octets > most);
  world.finish(World::Left::something);
}

}  // namespace
}  // namespace tollgate::gateway
