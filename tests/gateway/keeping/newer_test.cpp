// Files of a later version: a start is refused with a sentence, and nothing of them is touched.
#include <filesystem>
#include <fstream>
#include <memory>

#include "core/journal/format.h"
#include "gateway/keeping/dead_letters.h"
#include "gateway/keeping/detail_store.h"
#include "gateway/keeping/due_stock.h"
#include "gateway/keeping/learning.h"
#include "gateway/keeping/prefixed_storage.h"
#include "gateway/keeping/recovery.h"
#include "proto/records/record.h"
#include "tests/catch_pch.h"
#include "tests/core/journal/faulty_storage.h"
#include "tests/core/temporary_directory.h"

namespace tollgate::gateway {
namespace {

namespace journal = core::journal;
namespace record = proto::record;
using core::testing::FaultyStorage;

// A journal with one record of that type, under the names of `prefix`.
void write_one(FaultyStorage& disk, std::string_view prefix, std::uint32_t type,
               const std::vector<std::uint8_t>& payload) {
  PrefixedStorage names(disk, prefix);
  core::JournalOptions options;
  options.storage = &names;
  options.segment_octets = 65'536;
  options.ring_octets = options.batch_octets = 8'192;
  options.own_thread = false;
  auto made = core::Journal::open(std::move(options));
  REQUIRE(made.has_value());
  (*made)->stream(0).append(type, payload);
  (*made)->stream(0).publish();
  while ((*made)->step()) {
  }
}

bool names(const std::string& sentence, std::string_view file) {
  return sentence.find(file) != sentence.npos &&
         sentence.find("a newer version wrote it") != sentence.npos;
}

TEST_CASE("a record of the journal that is not known is told with its place", "[newer]") {
  FaultyStorage disk;
  write_one(disk, "journal-", 0x0301, std::vector<std::uint8_t>(40, 7));
  const auto before = disk.names.size();
  Recovery recovery;
  REQUIRE(recover(disk, recovery).has_value());
  const std::string sentence = unread_sentence(disk, recovery.unread());
  CHECK(names(sentence, "journal-00000000000000000001"));
  CHECK(sentence.find("0x0301") != sentence.npos);
  CHECK(sentence.find("octet 1024") != sentence.npos);
  CHECK(disk.names.size() == before);
}

TEST_CASE("so is one of the journal's own, or with octets that its layout has not", "[newer]") {
  FaultyStorage disk;
  std::array<std::uint8_t, record::kHeadMax> head;
  const std::size_t length = record::encode(record::Ids{7, 9}, head);
  std::vector<std::uint8_t> longer(head.begin(), head.begin() + static_cast<long>(length));
  longer.push_back(1);
  write_one(disk, "journal-", static_cast<std::uint32_t>(record::Type::ids), longer);
  Recovery recovery;
  REQUIRE(recover(disk, recovery).has_value());
  CHECK(recovery.unread().count == 1);
  CHECK(names(unread_sentence(disk, recovery.unread()), "(ids) with a layout"));
  // 0xFFFE: none that this version's journal writes.
  auto& octets = disk.names["journal-00000000000000000001"]->now;
  journal::SegmentHeader header;
  REQUIRE(journal::get_segment_header(core::Octets(octets).first(512), header) ==
          journal::HeaderFault::none);
  journal::put_record(octets.data() + journal::kRecordsBegin,
                      {0xFFFE, 0, 0, journal::seed_of(header)}, longer);
  Recovery other;
  REQUIRE(recover(disk, other).has_value());
  CHECK(other.unread().type == 0xFFFE);
}

TEST_CASE("a segment of another version of the format is told, not read", "[newer]") {
  FaultyStorage disk;
  write_one(disk, "journal-", 1, {1});
  auto& octets = disk.names["journal-00000000000000000001"]->now;
  for (const std::size_t at : {0, 512}) {
    octets[at + 12] = 2;
    const std::uint32_t crc = core::crc32c(core::Octets(octets).subspan(at + 12, 500));
    std::memcpy(octets.data() + at + 8, &crc, 4);
  }
  Recovery recovery;
  const auto report = recover(disk, recovery);
  REQUIRE_FALSE(report.has_value());
  CHECK(names(report.error(), "journal-00000000000000000001"));
}

TEST_CASE("dead letters and detail records of a later layout stop the start", "[newer]") {
  FaultyStorage disk;
  write_one(disk, "dead-", 0x030C, std::vector<std::uint8_t>(60, 0));
  DeadLettersOptions letters;
  letters.storage = &disk;
  const auto opened = DeadLetters::open(std::move(letters));
  REQUIRE_FALSE(opened.has_value());
  CHECK(names(opened.error(), "dead-00000000000000000001"));
  CHECK_FALSE(read_dead_letters(disk, [](const auto&) {}).has_value());

  FaultyStorage other;
  write_one(other, "records-", kDetailType + 1, {1, 2, 3});
  DetailStoreOptions details;
  details.storage = &other;
  details.segment_octets = 65'536;
  details.ring_octets = details.batch_octets = 8'192;
  details.own_thread = false;
  const auto store = open_details(details, {});
  REQUIRE_FALSE(store.has_value());
  CHECK(names(store.error(), "records-00000000000000000001"));
  CHECK_FALSE(read_details(other, 0, [](core::Octets) {}).has_value());
}

TEST_CASE("a chunk of a later layout is neither damage nor removed", "[newer]") {
  std::vector<std::uint8_t> listed;
  record::Carried carried;
  carried.accepted.message = carried.accepted.public_id = 5;
  carried.accepted.client = "shop";
  carried.stage = record::Stage::told;
  std::array<std::uint8_t, record::kHeadMax> head;
  const auto length = static_cast<std::uint32_t>(record::encode(carried, head));
  for (unsigned i = 0; i < 4; ++i) listed.push_back(static_cast<std::uint8_t>(length >> 8 * i));
  listed.insert(listed.end(), head.begin(), head.begin() + length);
  DueChunk chunk;
  chunk.number = 3;
  chunk.first = 5;
  chunk.receipts = 1;
  std::vector<std::uint8_t> octets;
  write_chunk(chunk, "shop", listed, {77, {1, 2, 3}}, octets);
  ChunkContent content;
  REQUIRE(read_chunk_head(octets, 3, content));
  CHECK(content.written == core::ClockPair{1, 2, 3});
  // Its receipt as a later version would write it.
  journal::SegmentHeader header;
  journal::get_segment_header(core::Octets(octets).first(512), header);
  const std::uint32_t seed = journal::seed_of(header);
  const auto first = journal::get_record(octets, journal::kRecordsBegin, header, seed);
  REQUIRE(first.has_value());
  const std::size_t at = journal::kRecordsBegin + journal::padded(first->length);
  journal::put_record(octets.data() + at, {0x0309, 0, 0, seed}, core::Octets(head).first(length));
  FaultyStorage disk;
  auto inode = std::make_shared<core::testing::Inode>();
  inode->now = octets;
  disk.names[chunk_name(3)] = inode;
  const Recovery recovery;
  const auto stock = take_stock(disk, recovery, false);
  REQUIRE_FALSE(stock.has_value());
  CHECK(names(stock.error(), chunk_name(3)));
  CHECK(disk.names.contains(chunk_name(3)));
}

TEST_CASE("facts with rows or columns of a later layout are told; damaged ones are not",
          "[newer]") {
  const core::testing::TemporaryDirectory folder;
  const auto write = [&](std::uint32_t number, std::string_view text) {
    std::ofstream(facts_file(folder.path(), number)) << text;
  };
  const std::string head = "what,name,destination,value,of\nnumber,,,3,\ntime,,,4,\nmonth,,,0,\n";
  write(3, head);
  CHECK(newer_facts(folder.path()).empty());
  write(4, head + "weight,alpha,234,5,6\n");
  CHECK(names(newer_facts(folder.path()), "facts-4.csv"));
  write(4, "what,name,destination,value,of,since\nnumber,,,4,,\n");
  CHECK(names(newer_facts(folder.path()), "facts-4.csv"));
  write(4, head + "rate,alpha,2\xff\xff\n");
  CHECK(newer_facts(folder.path()).empty());
  write(4, "");
  CHECK(newer_facts(folder.path()).empty());
}

}  // namespace
}  // namespace tollgate::gateway
