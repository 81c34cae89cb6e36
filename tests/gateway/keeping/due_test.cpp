// The due store apart from the world: the octets of a chunk, and its files on a disk that fails.
#include <algorithm>
#include <chrono>
#include <string>

#include "gateway/keeping/due_stock.h"
#include "gateway/keeping/due_store.h"
#include "proto/records/record.h"
#include "tests/catch_pch.h"
#include "tests/core/journal/faulty_storage.h"
#include "tests/gateway/world_net.h"

namespace tollgate::gateway {
namespace {

namespace record = proto::record;
using core::testing::FaultyStorage;
using core::testing::Op;
using core::testing::Survival;

std::vector<std::uint8_t> carried_octets(MessageId id) {
  const std::string text = "text " + std::to_string(id);
  record::Carried carried;
  carried.accepted.message = carried.accepted.public_id = id;
  carried.accepted.deadline_wall_us = 1'000 + static_cast<std::int64_t>(id);
  carried.accepted.client = "shop";
  carried.accepted.destination = {1, 1, "447700900001"};
  carried.accepted.text = text;
  carried.stage = record::Stage::told;
  carried.notice.state = proto::MessageState::delivered;
  carried.notice.done_wall_us = 77;
  std::vector<std::uint8_t> octets(record::kHeadMax);
  octets.resize(record::encode(carried, octets));
  return octets;
}

void list(std::vector<std::uint8_t>& listed, MessageId id) {
  const auto octets = carried_octets(id);
  for (unsigned i = 0; i < 4; ++i) {
    listed.push_back(static_cast<std::uint8_t>(octets.size() >> 8 * i));
  }
  listed.insert(listed.end(), octets.begin(), octets.end());
}

std::vector<MessageId> ids_of(const std::vector<std::uint8_t>& listed) {
  std::vector<MessageId> ids;
  CHECK(record::for_each_loaded(listed, [&](proto::Octets octets) {
    record::Carried carried;
    REQUIRE(record::decode(octets, carried));
    ids.push_back(carried.accepted.message);
    REQUIRE(std::equal(octets.begin(), octets.end(), carried_octets(ids.back()).begin()));
  }));
  return ids;
}

DueChunk chunk_of(MessageId first, std::uint32_t count, std::vector<std::uint8_t>& listed) {
  DueChunk chunk;
  chunk.first = first;
  chunk.receipts = count;
  chunk.first_deadline_wall_us = 1'000 + static_cast<std::int64_t>(first);
  chunk.newest_deadline_wall_us = chunk.first_deadline_wall_us + count - 1;
  for (std::uint32_t i = 0; i < count; ++i) list(listed, first + i);
  return chunk;
}

std::vector<std::uint8_t> file_of(DueChunk& chunk, std::uint64_t number, std::uint32_t count) {
  std::vector<std::uint8_t> listed, file;
  chunk = chunk_of(500, count, listed);
  chunk.number = number;
  write_chunk(chunk, "shop", listed, {9, {1, 2, 8}}, file);
  return file;
}

TEST_CASE("a chunk's name says its number", "[due]") {
  CHECK(chunk_name(17) == "due-00000000000000000017");
  CHECK(chunk_number(chunk_name(17)) == 17);
  CHECK(chunk_number(chunk_name(~std::uint64_t{0})) == ~std::uint64_t{0});
  for (const char* name : {"due-17", "journal-00000000000000000017", "due-0000000000000000001x",
                           "damaged-due-00000000000000000017", ""}) {
    CHECK(chunk_number(name) == 0);
  }
}

TEST_CASE("a chunk is read as it was written", "[due]") {
  DueChunk chunk;
  const auto file = file_of(chunk, 7, 5);
  ChunkContent head, content;
  REQUIRE(
      read_chunk_head(proto::Octets(file).first(std::min(file.size(), kChunkHeadMax)), 7, head));
  std::vector<std::uint8_t> listed;
  const ChunkReading reading = read_chunk(file, 7, listed, &content);
  CHECK(reading.found == 5);
  CHECK_FALSE(reading.damaged);
  CHECK(ids_of(listed) == std::vector<MessageId>{500, 501, 502, 503, 504});
  for (const ChunkContent* each : {&head, &content}) {
    CHECK(each->client == "shop");
    CHECK(each->chunk.number == 7);
    CHECK(each->chunk.receipts == 5);
    CHECK(each->chunk.first == 500);
    CHECK(each->chunk.first_deadline_wall_us == 1'500);
    CHECK(each->chunk.newest_deadline_wall_us == 1'504);
    CHECK(each->chunk.octets == file.size());
  }
  // Under another's name it is not that one.
  listed.clear();
  CHECK(read_chunk(file, 8, listed).damaged);
  CHECK(listed.empty());
  CHECK_FALSE(read_chunk_head(file, 8, head));
}

TEST_CASE("every flipped bit of a chunk is seen, and what is whole is given", "[due]") {
  DueChunk chunk;
  const auto whole = file_of(chunk, 7, 4);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    auto file = whole;
    file[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    std::vector<std::uint8_t> listed;
    const ChunkReading reading = read_chunk(file, 7, listed);
    if (!reading.damaged) FAIL("bit " << bit);
    const auto ids = ids_of(listed);
    REQUIRE(ids.size() == reading.found);
    REQUIRE(ids.size() >= 3);
  }
}

TEST_CASE("a chunk that is cut anywhere is seen, and what is left is given", "[due]") {
  DueChunk chunk;
  const auto whole = file_of(chunk, 7, 4);
  std::size_t most = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::vector<std::uint8_t> listed;
    const ChunkReading reading = read_chunk(proto::Octets(whole).first(size), 7, listed);
    if (!reading.damaged) FAIL("cut at " << size);
    const auto ids = ids_of(listed);
    for (std::size_t i = 0; i < ids.size(); ++i) REQUIRE(ids[i] == 500 + i);
    REQUIRE(ids.size() >= most);
    most = ids.size();
  }
  CHECK(most == 3);
}

TEST_CASE("a chunk without its own record is told by its receipts", "[due]") {
  DueChunk chunk;
  auto file = file_of(chunk, 7, 4);
  file[1024 + 20] ^= 1;
  ChunkContent content;
  CHECK_FALSE(read_chunk_head(file, 7, content));
  std::vector<std::uint8_t> listed;
  CHECK(read_chunk(file, 7, listed, &content).damaged);
  CHECK(content.client == "shop");
  CHECK(content.chunk.first == 500);
  CHECK(content.chunk.receipts == 4);
}

// A store without a thread, and one shard's channel.
struct Place {
  explicit Place(core::Storage& storage, std::uint64_t numbers_behind = 0,
                 std::uint64_t reserve = 0, bool own_thread = false)
      : own(own_thread), shards(options()) {
    DueOptions due;
    due.storage = &storage;
    due.numbers_behind = numbers_behind;
    due.reserve_octets = reserve;
    due.clock = [] { return core::Now{1, 1'000'000}; };
    due.salt = 5;
    due.own_thread = own;
    store = std::make_unique<DueStore>(std::move(due));
    channel = &store->add(shards[0]);
    store->start();
  }

  core::ShardsOptions options() {
    core::ShardsOptions result;
    result.make_net = [this](unsigned) { return std::make_unique<WorldNet>(internet); };
    return result;
  }

  DueJob& done(DueJob& job) {
    channel->ask(job);
    while (!own && store->step()) {
    }
    DueJob* answer = nullptr;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    do {
      channel->drain([&](DueJob& each) { answer = &each; });
    } while (own && answer == nullptr && std::chrono::steady_clock::now() < deadline);
    REQUIRE(answer == &job);
    return job;
  }

  // The chunk as it was answered; its number is 0 when that was an error.
  DueChunk write(MessageId first, std::uint32_t count) {
    DueJob& job = *channel->take();
    job.deed = DueDeed::write;
    job.client_name = "shop";
    job.chunk = chunk_of(first, count, job.listed);
    done(job);
    const DueChunk chunk = job.error == 0 ? job.chunk : DueChunk{};
    error = job.error;
    channel->give_back(job);
    return chunk;
  }
  std::vector<MessageId> read(const DueChunk& chunk) {
    DueJob& job = *channel->take();
    job.deed = DueDeed::read;
    job.chunk = chunk;
    done(job);
    error = job.error;
    damaged = job.damaged;
    auto ids = ids_of(job.listed);
    channel->give_back(job);
    return ids;
  }
  int remove(const DueChunk& chunk) {
    DueJob& job = *channel->take();
    job.deed = DueDeed::remove;
    job.chunk = chunk;
    done(job);
    error = job.error;
    channel->give_back(job);
    return error;
  }

  const bool own;
  Internet internet;
  core::Shards shards;
  std::unique_ptr<DueStore> store;
  DueStore::Channel* channel = nullptr;
  int error = 0;
  bool damaged = false;
};

TEST_CASE("numbers are given once, behind all that were ever given and the clock", "[due]") {
  FaultyStorage disk;
  Place early(disk);
  CHECK(early.write(1, 1).number == 1'000'000);
  CHECK(early.write(2, 1).number == 1'000'001);
  Place late(disk, 5'000'000);
  CHECK(late.write(3, 1).number == 5'000'001);
}

TEST_CASE("what is answered is durable, whatever the disk makes of the rest", "[due]") {
  std::uint64_t operations = 0;
  {
    FaultyStorage disk;
    Place place(disk);
    const DueChunk first = place.write(10, 3);
    place.write(20, 3);
    place.remove(first);
    operations = disk.operations;
  }
  REQUIRE(operations == 2 * 4 + 2);
  for (std::uint64_t at = 1; at <= operations + 1; ++at) {
    for (const Survival how : core::testing::kSurvivals) {
      if (how == Survival::bit_flip) continue;
      INFO("crash at " << at << ", survival " << static_cast<int>(how));
      FaultyStorage disk;
      disk.crash_at = at;
      Place place(disk);
      const DueChunk first = place.write(10, 3);
      const DueChunk second = place.write(20, 3);
      const bool removed = first.number != 0 && place.remove(first) == 0;
      const auto after = disk.survive(how, static_cast<std::uint32_t>(at));
      Place next(*after, 2'000'000);
      if (first.number != 0 && at <= 8) {
        CHECK(next.read(first) == std::vector<MessageId>{10, 11, 12});
        CHECK_FALSE(next.damaged);
      }
      if (second.number != 0) CHECK(next.read(second) == std::vector<MessageId>{20, 21, 22});
      if (removed) CHECK(after->names.count(chunk_name(first.number)) == 0);
    }
  }
}

TEST_CASE("a write that fails leaves nothing, and no other succeeds while it does", "[due]") {
  for (const Op op : {Op::write, Op::datasync, Op::sync_directory}) {
    FaultyStorage disk;
    Place place(disk);
    disk.fails[op] = {1, EIO};
    CHECK(place.write(10, 3).number == 0);
    CHECK(place.error == EIO);
    CHECK(disk.names.empty());
    disk.fails[op] = {1, EIO};
    disk.fails[Op::remove] = {1, EIO};
    CHECK(place.write(10, 3).number == 0);
    CHECK(disk.names.size() == 1);
    disk.fails[Op::remove] = {1, EIO};
    CHECK(place.write(10, 3).number == 0);
    CHECK(disk.names.size() == 1);
    disk.fails.clear();
    const DueChunk chunk = place.write(10, 3);
    CHECK(chunk.number != 0);
    CHECK(disk.names.size() == 1);
    CHECK(disk.durable_names.size() == 1);
    CHECK(place.read(chunk).size() == 3);
    CHECK(place.store->counts()[DueCount::errors].get() == 3);
  }
}

TEST_CASE("the reserve of the disk is not the store's to fill", "[due]") {
  FaultyStorage disk;
  disk.capacity = 20'000;
  Place place(disk, 0, 15'000);
  std::uint32_t written = 0;
  while (place.write(written + 1, 1).number != 0) ++written;
  CHECK(place.error == ENOSPC);
  CHECK(written > 1);
  CHECK(disk.used() <= 5'000);
  CHECK(place.store->counts()[DueCount::no_space].get() == 1);
}

TEST_CASE("a chunk that cannot be read is tried again, and damage at the last try", "[due]") {
  FaultyStorage disk;
  Place place(disk);
  const DueChunk chunk = place.write(10, 3);
  auto& octets = disk.names.begin()->second->now;
  octets[octets.size() - 20] ^= 1;
  CHECK(place.read(chunk).size() == 2);
  CHECK(place.damaged);
  CHECK(disk.names.count(damaged_chunk_name(chunk.number)) == 1);
  CHECK(place.remove(chunk) == 0);
  CHECK(disk.names.size() == 1);
  CHECK(place.read(chunk).empty());  // missing
  CHECK(place.damaged);
  CHECK(place.store->counts()[DueCount::receipts_lost].get() == 1 + 3);
}

// A job that the store's thread reads or writes while ours does too is a race: TSan sees it; a
// wake-up that is lost would be an answer that never comes.
TEST_CASE("the store's own thread sleeps and wakes for each job", "[due]") {
  FaultyStorage disk;
  Place place(disk, 0, 0, true);
  std::vector<DueChunk> chunks;
  for (MessageId id = 1; id <= 300; ++id) chunks.push_back(place.write(id * 10, 2));
  for (const DueChunk& chunk : chunks) {
    REQUIRE(place.read(chunk) == std::vector<MessageId>{chunk.first, chunk.first + 1});
    REQUIRE(place.remove(chunk) == 0);
  }
  CHECK(place.store->counts()[DueCount::removed].get() == 300);
}

core::JournalRecord journal_record(std::uint32_t type, proto::Octets payload) {
  core::JournalRecord result;
  result.type = type;
  result.payload = payload;
  result.segment = 1;
  return result;
}
template <class Record>
void tell(Recovery& recovery, const Record& record, proto::Octets rest = {}) {
  std::vector<std::uint8_t> octets(record::kHeadMax);
  octets.resize(record::encode(record, octets));
  octets.insert(octets.end(), rest.begin(), rest.end());
  recovery.apply(journal_record(static_cast<std::uint32_t>(Record::kType), octets));
}

TEST_CASE("the journal decides which chunks count", "[due]") {
  FaultyStorage disk;
  Place place(disk);
  const DueChunk loaded = place.write(10, 2);
  const DueChunk due = place.write(20, 2);
  const DueChunk unconfirmed = place.write(30, 2);
  Recovery recovery;
  record::Accepted accepted;
  accepted.client = "shop";
  for (const MessageId id : {10, 11, 20, 21, 30, 31}) {
    accepted.message = accepted.public_id = id;
    tell(recovery, accepted);
    record::Ended ended;
    ended.message = id;
    tell(recovery, ended);
  }
  const auto spilled = [&](const DueChunk& chunk, MessageId first) {
    std::vector<std::uint8_t> ids(16);
    ids[0] = static_cast<std::uint8_t>(first);
    ids[8] = static_cast<std::uint8_t>(first + 1);
    tell(recovery, record::Spilled{chunk.number, 1, "shop", ids}, ids);
  };
  spilled(loaded, 10);
  spilled(due, 20);
  std::vector<std::uint8_t> listed;
  chunk_of(10, 2, listed);
  tell(recovery, record::Loaded{loaded.number, 1, 2, record::How::told, "shop", listed}, listed);
  recovery.finish();
  CHECK(recovery.findings() == 0);
  CHECK(recovery.conservation().holds());
  CHECK(recovery.conservation().spilled == 4);
  CHECK(recovery.conservation().loaded == 2);
  CHECK(recovery.live() == 4);

  const std::string cut = chunk_name(unconfirmed.number + 1);
  disk.names.emplace(cut, std::make_shared<core::testing::Inode>());
  const std::string rotten = chunk_name(due.number - 500);
  disk.names.emplace(rotten, std::make_shared<core::testing::Inode>());
  auto stock = take_stock(disk, recovery, false);
  REQUIRE(stock.has_value());
  REQUIRE(stock->chunks.size() == 1);
  CHECK(stock->chunks[0].chunk.number == due.number);
  CHECK(stock->receipts() == 2);
  CHECK(stock->damaged == std::vector<std::uint64_t>{due.number - 500});
  CHECK(stock->missing.empty());
  CHECK(stock->removable ==
        std::vector<std::string>{chunk_name(loaded.number), chunk_name(unconfirmed.number), cut});
  REQUIRE(mend(disk, *stock).has_value());
  CHECK(disk.durable_names.size() == 2);
  CHECK(disk.durable_names.count(chunk_name(due.number)) == 1);
  CHECK(disk.durable_names.count(damaged_chunk_name(due.number - 500)) == 1);
  disk.names.erase(chunk_name(due.number));
  CHECK(take_stock(disk, recovery, false)->missing == std::vector<std::uint64_t>{due.number});
  // Where the journal is damaged it may have lost what it said: then nothing is thrown away for it.
  Place again(disk, 9'000'000);
  const DueChunk maybe = again.write(30, 2);
  CHECK(take_stock(disk, recovery, true)->chunks.at(0).chunk.number == maybe.number);
}

}  // namespace
}  // namespace tollgate::gateway
