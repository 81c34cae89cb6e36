// Dead letters: copied before their segment goes, once each, whatever the disk does.
#include "gateway/keeping/dead_letters.h"

#include <array>
#include <cerrno>

#include <catch2/catch.hpp>

#include "core/journal/format.h"
#include "gateway/keeping/recovery.h"
#include "tests/core/journal/faulty_storage.h"

using namespace tollgate;
using namespace tollgate::gateway;
using core::testing::FaultyStorage;
using core::testing::Op;
using core::testing::Survival;
using proto::record::Dead;
using proto::record::DeadLetter;

namespace {

constexpr std::size_t kSegment = 32'768;
constexpr std::size_t kRing = 4'096;

// A journal with one shard that writes dead letters, and other records that fill its segments.
class Writer {
 public:
  explicit Writer(FaultyStorage& disk, std::uint32_t files = 16, std::size_t batch = kRing)
      : disk_(disk) {
    DeadLettersOptions letters;
    letters.storage = &disk;
    letters.file_octets = kSegment;
    letters.ring_octets = kRing;
    letters.files = files;
    letters.clock = [this] { return now_; };
    letters.salt = 7;
    auto opened = DeadLetters::open(std::move(letters));
    REQUIRE(opened);
    letters_ = std::move(*opened);
    Recovery recovery;
    RecoveryOptions read;
    read.dead_letters = letters_.get();
    const auto report = recover(disk, recovery, read);
    REQUIRE(report);
    core::JournalOptions options;
    options.storage = &disk;
    options.segment_octets = batch / kRing * kSegment;
    options.ring_octets = batch;
    options.batch_octets = batch;
    options.tail = report->tail;
    options.apart = letters_.get();
    options.clock = [this] { return now_; };
    options.salt = 9;
    options.own_thread = false;
    auto journal = core::Journal::open(std::move(options));
    REQUIRE(journal);
    journal_ = std::move(*journal);
  }

  void letter(std::uint64_t number, std::size_t pdu = 0) {
    const std::string id = std::to_string(number);
    const std::string text = pdu == 0 ? id : std::string(pdu, 'x');
    const auto octets = proto::as_octets(text);
    const DeadLetter letter{static_cast<std::int64_t>(number),
                            0,
                            Dead::unmatched,
                            proto::MessageState::delivered,
                            "alpha",
                            id,
                            octets};
    append(letter, octets);
  }
  // Other records, more than a segment of them, none of them needed any more.
  void fill() {
    for (int i = 0; i < 20; ++i) {
      std::array<std::uint8_t, 2'000> body{};
      stream().append(static_cast<std::uint32_t>(proto::record::Type::settled), body);
      turn();
    }
    stream().set_oldest_needed(stream().current_segment());
    for (int i = 0; i < 20; ++i) turn();
  }
  void round() {
    now_.mono_us += 200'000;
    stream().publish();
    journal_->step();
  }
  void turn() {
    now_.mono_us += 200'000;
    stream().publish();
    while (journal_->step()) {
    }
  }
  core::Journal::Stream& stream() { return journal_->stream(0); }
  std::string failure() { return journal_->failure(); }

 private:
  template <class Record>
  void append(const Record& record, proto::Octets rest) {
    std::array<std::uint8_t, proto::record::kHeadMax> head;
    const std::size_t length = proto::record::encode(record, head);
    stream().append(static_cast<std::uint32_t>(Record::kType), proto::Octets(head).first(length),
                    rest);
  }

  core::Now now_{1'000'000'000, 1'700'000'000'000'000};
  FaultyStorage& disk_;
  std::unique_ptr<DeadLetters> letters_;
  std::unique_ptr<core::Journal> journal_;
};

std::vector<std::string> ids(FaultyStorage& disk) {
  std::vector<std::string> result;
  const auto report = read_dead_letters(disk, [&](const DeadLetter& letter) {
    CHECK(proto::as_text(letter.pdu) == letter.carrier_message_id);
    result.emplace_back(letter.carrier_message_id);
  });
  REQUIRE(report);
  CHECK(report->damage.empty());
  return result;
}

std::size_t files(const FaultyStorage& disk, std::string_view prefix) {
  return static_cast<std::size_t>(
      std::count_if(disk.names.begin(), disk.names.end(),
                    [&](const auto& name) { return name.first.starts_with(prefix); }));
}

std::vector<std::string> numbers(std::uint64_t to) {
  std::vector<std::string> result;
  for (std::uint64_t i = 1; i <= to; ++i) result.push_back(std::to_string(i));
  return result;
}

}  // namespace

TEST_CASE("dead letters outlive their segments, and none makes no file") {
  FaultyStorage disk;
  Writer writer(disk);
  writer.fill();
  CHECK(files(disk, "dead-") == 0);
  for (std::uint64_t i = 1; i <= 5; ++i) {
    writer.letter(i);
    writer.turn();
    writer.fill();
  }
  CHECK(files(disk, "journal-") <= 4);
  CHECK(ids(disk) == numbers(5));
}

TEST_CASE("after a crash each dead letter is there once, wherever it was cut") {
  for (const Survival how : core::testing::kSurvivals) {
    if (how == Survival::bit_flip) continue;
    for (std::uint64_t at = 1; at < 60; ++at) {
      FaultyStorage disk;
      std::uint64_t durable = 0;
      {
        Writer writer(disk);
        disk.crash_at = disk.operations + at;
        for (std::uint64_t i = 1; i <= 12 && !disk.crashed; ++i) {
          writer.letter(i);
          writer.turn();
          if (writer.stream().durable() >= i) durable = i;
        }
        disk.crashed = true;
      }
      const auto after = disk.survive(how, static_cast<std::uint32_t>(at));
      { Writer again(*after); }
      const auto found = ids(*after);
      INFO("survival " << static_cast<int>(how) << ", crash at " << at);
      CHECK(found.size() >= durable);
      CHECK(found == numbers(found.size()));
    }
  }
}

TEST_CASE("no segment goes before its dead letters are kept, and a disk with room mends it") {
  FaultyStorage disk;
  Writer writer(disk);
  writer.fill();
  const std::string segment =
      std::find_if(disk.names.begin(), disk.names.end(), [](const auto& name) {
        return name.first.starts_with("journal-");
      })->first;
  disk.capacity = disk.used();
  writer.letter(1);
  writer.turn();
  CHECK(ids(disk).empty());
  writer.fill();  // the letter's segment is closed, and nobody needs it but the letter
  CHECK(disk.names.contains(segment));
  disk.capacity = std::uint64_t{1} << 30;
  for (int i = 0; i < 5; ++i) writer.turn();
  CHECK(ids(disk) == numbers(1));
  CHECK(writer.failure().empty());
}

TEST_CASE("a letter that the disk had no room for is kept by the next start") {
  FaultyStorage disk;
  {
    Writer writer(disk);
    writer.fill();
    disk.capacity = disk.used();
    writer.letter(1);
    writer.turn();
    CHECK(writer.stream().durable() == writer.stream().appended());
  }
  CHECK(ids(disk).empty());
  const auto after = disk.survive(Survival::keep_all, 1);
  after->capacity = std::uint64_t{1} << 30;
  { Writer again(*after); }
  CHECK(ids(*after) == numbers(1));
}

TEST_CASE("a sync of the dead letters that fails ends the journal") {
  FaultyStorage disk;
  Writer writer(disk);
  writer.letter(1);
  writer.turn();
  disk.fails[Op::datasync] = {2, EIO};  // the journal's own, then theirs
  writer.letter(2);
  writer.turn();
  CHECK(writer.failure() != "");
  CHECK(writer.stream().failed());
}

TEST_CASE("letters come in batches: each round keeps all of its own, and the files' number holds") {
  FaultyStorage disk;
  Writer writer(disk, 2, 4 * kRing);
  for (std::uint64_t i = 1; i <= 900; ++i) {
    writer.letter(i, 1'000);
    if (i % 9 != 0) continue;
    writer.round();
    CHECK(writer.stream().apart_settled());
    CHECK(files(disk, "dead-") <= 4);  // one is being removed
    // As the shards say that they need no segment any more.
    writer.stream().set_oldest_needed(writer.stream().current_segment());
  }
  writer.turn();
  CHECK(files(disk, "dead-") <= 3);
  CHECK(files(disk, "journal-") <= 4);
}

TEST_CASE("letters that the disk has no room for are told of") {
  FaultyStorage disk;
  Writer writer(disk, 16, 4 * kRing);
  writer.letter(1);
  writer.turn();
  CHECK(writer.stream().apart_settled());
  disk.capacity = disk.used();
  for (std::uint64_t i = 2; i <= 200 && writer.stream().apart_settled(); ++i) {
    writer.letter(i, 1'000);
    writer.turn();
  }
  CHECK_FALSE(writer.stream().apart_settled());
  disk.capacity = std::uint64_t{1} << 30;
  for (int i = 0; i < 5; ++i) writer.turn();
  CHECK(writer.stream().apart_settled());
  CHECK(writer.failure().empty());
}

TEST_CASE("the files are bounded: the oldest goes") {
  FaultyStorage disk;
  Writer writer(disk, 2);
  for (std::uint64_t i = 1; i <= 2'000; ++i) {
    writer.letter(i);
    writer.turn();
    if (i % 100 == 0) writer.fill();
  }
  CHECK(files(disk, "dead-") <= 3);  // with the one made ready
  const auto left = ids(disk);
  REQUIRE_FALSE(left.empty());
  CHECK(left.size() < 1'500);
  CHECK(left.back() == "2000");
}
