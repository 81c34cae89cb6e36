// A start on directories as anything may have left them: the journal, the dead-letter files, the
// detail records' files and the chunks of due receipts, each damaged as the input says. Then what
// gateway/keeping/keeping.cpp does: read all of it, mend it, write on; the disk may end anywhere in
// that, and a second start goes on with what was durable.
//
// What must hold, whatever the damage: of what could be read in front of the start all is there
// behind it, in order. A dead letter of the journal that the files lacked is in them, once; a
// detail record that no file had is written, once, and nothing else is. What is read of a chunk are
// its receipts. A second start finds nothing left to do.
#include <array>
#include <optional>
#include <set>

#include "core/journal/reader.h"
#include "gateway/keeping/dead_letters.h"
#include "gateway/keeping/detail_store.h"
#include "gateway/keeping/due_chunk.h"
#include "gateway/keeping/due_stock.h"
#include "gateway/keeping/learning.h"
#include "gateway/keeping/prefixed_storage.h"
#include "gateway/keeping/recovery.h"
#include "proto/records/detail.h"
#include "tests/fuzz/disk.h"
#include "tests/fuzz/log.h"

using namespace tollgate;
using namespace tollgate::gateway;
using core::testing::FaultyStorage;
using core::testing::Survival;
using fuzz::Input;
using fuzz::must;
using fuzz::Octets;
using fuzz::Place;
using fuzz::Record;
namespace record = proto::record;

namespace {

constexpr std::size_t kRing = 4'096;
constexpr std::size_t kStepsMax = 10'000;

Octets detail_of(std::uint64_t message) {
  proto::detail::Detail detail;
  detail.message = message;
  detail.client = "shop";
  std::array<std::uint8_t, proto::detail::kDetailMax> octets;
  const std::size_t length = proto::detail::encode(detail, octets);
  return {octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(length)};
}

// A journal's records as they can be read, by their places.
std::map<Place, Octets> readable(FaultyStorage& disk, std::string_view prefix,
                                 std::optional<record::Type> type = std::nullopt) {
  std::map<Place, Octets> all;
  PrefixedStorage names(disk, prefix);
  (void)core::read_journal(names, [&](const core::JournalRecord& at) {
    if (type && at.type != static_cast<std::uint32_t>(*type)) return;
    all[{at.segment, at.offset}] = {at.payload.begin(), at.payload.end()};
  });
  return all;
}

// Where in the journal a letter of the files comes from.
Place origin_of(const Octets& payload) {
  Place origin;
  std::memcpy(&origin.first, payload.data(), 8);
  std::memcpy(&origin.second, payload.data() + 8, 8);
  return origin;
}
std::vector<Place> origins(const std::map<Place, Octets>& letters) {
  std::vector<Place> all;
  for (const auto& [place, payload] : letters) {
    if (payload.size() >= 16) all.push_back(origin_of(payload));
  }
  return all;
}

std::vector<std::uint64_t> messages_of(const std::map<Place, Octets>& details) {
  std::vector<std::uint64_t> all;
  for (const auto& [place, payload] : details) all.push_back(proto::detail::message_of(payload));
  return all;
}

// What the files hold, or will hold.
struct Holdings {
  std::vector<Place> letters;
  std::vector<std::uint64_t> details;  // messages, one behind the other
  std::set<std::uint64_t> settled;     // the journal has their details
  bool all_wanted = true;              // it does not say that some are in the files
  bool next_file_named = false;        // it says of one that is not there yet that it is
};

class Start {
 public:
  explicit Start(FaultyStorage& disk) : disk_(disk) {}

  // False: the disk ended, or something is of a format that nobody knows.
  bool run() {
    DeadLettersOptions options;
    options.storage = &disk_;
    options.file_octets = 2 * fuzz::kSegmentOctets;
    options.ring_octets = kRing;
    options.clock = clock();
    options.salt = 7;
    auto letters = DeadLetters::open(std::move(options));
    if (!letters) return false;
    RecoveryOptions reading;
    reading.quarantine = true;
    reading.dead_letters = letters->get();
    reading.details = &unwritten_;
    const auto report = recover(disk_, recovery_, reading);
    if (!report) return false;
    must(recovery_.conservation().holds() || recovery_.findings() != 0);
    for (std::size_t i = 0; !(*letters)->settled(); ++i) {
      if ((*letters)->step() != 0) return false;
      must(i < kStepsMax);
    }
    return mend_chunks(!report->damage.empty()) && write_details();
  }

  std::size_t missing() const { return missing_; }
  const DueStock& stock() const { return stock_; }

 private:
  core::Clock clock() {
    return [this] { return core::Now{now_us_ += 1'000, 1'700'000'000'000'000}; };
  }
  bool mend_chunks(bool journal_damaged) {
    auto stock = take_stock(disk_, recovery_, journal_damaged);
    if (!stock) return false;
    stock_ = std::move(*stock);
    return mend(disk_, stock_).has_value();
  }
  bool write_details() {
    LearningOptions learning;
    learning.clock = clock();
    Learning learned(std::move(learning));
    if (!learned.recount(disk_).empty()) return false;
    DetailStoreOptions options;
    options.storage = &disk_;
    options.segment_octets = 2 * fuzz::kSegmentOctets;
    options.ring_octets = options.batch_octets = kRing;
    options.observer = &learned;
    options.clock = clock();
    options.salt = 9;
    options.own_thread = false;
    auto opened = open_details(options, unwritten_);
    if (!opened) return false;
    missing_ = opened->missing.size();
    core::Journal::Stream& stream = opened->journal->stream(0);
    for (const Octets& each : opened->missing) stream.append(kDetailType, each);
    for (std::size_t i = 0; stream.durable() != stream.appended(); ++i) {
      stream.publish();
      opened->journal->step();
      if (stream.failed()) return false;
      must(i < kStepsMax);
    }
    return true;
  }

  FaultyStorage& disk_;
  std::int64_t now_us_ = 1'000'000;
  Recovery recovery_;
  UnwrittenDetails unwritten_;
  DueStock stock_;
  std::size_t missing_ = 0;
};

class Play {
 public:
  explicit Play(Input& in) : in_(in), records_(in) {
    disk_.keep_log = false;
    for (unsigned i = 1 + in_.below(3); i > 0; --i) journal_.add(in_, [this] { return word(); });
    for (unsigned i = in_.below(3); i > 0; --i) letters_.add(in_, [this] { return letter(); });
    for (unsigned i = in_.below(3); i > 0; --i) details_.add(in_, [this] { return detail(); });
    for (unsigned i = in_.below(4); i > 0; --i) add_chunk();
    for (std::size_t i = in_.below(fuzz::kDamagesMax); i > 0; --i) {
      const auto file = std::next(disk_.names.begin(), in_.octet() % disk_.names.size());
      fuzz::damage(file->second->now, in_);
      file->second->durable = file->second->now;
    }
    disk_.durable_names = disk_.names;
  }

  void run() {
    const Holdings will = expected();
    disk_.crash_at = in_.flag() ? 1 + in_.octet() : 0;
    Start first(disk_);
    const bool whole = first.run();
    std::unique_ptr<FaultyStorage> survived;
    if (disk_.crashed) {
      constexpr Survival kHow[] = {Survival::keep_all, Survival::drop_all, Survival::random,
                                   Survival::torn};
      survived = disk_.survive(kHow[in_.below(std::size(kHow))], in_.octet());
      survived->keep_log = false;
    } else {
      // What nobody can read is told to the operator: the gateway does not start.
      if (!whole) return;
      check(disk_, will);
    }
    FaultyStorage& disk = survived ? *survived : disk_;
    Start second(disk);
    if (!second.run()) return;
    check(disk, will);
    if (survived) return;
    if (!will.next_file_named) must(second.missing() == 0);
    must(second.stock().removable.empty() && second.stock().damaged.empty());
    must(second.stock().chunks.size() == first.stock().chunks.size());
  }

 private:
  // ---- what is written ----
  Record word() {
    const unsigned what = in_.below(8);
    if (what >= 5) return records_.next();
    if (what >= 2) return records_.of(record::DeadLetter{});
    if (what == 1) return detailed();
    record::Settled settled;
    settled.message = ++number_;
    Octets numbered(8);
    numbered[0] = number_;
    const Octets octets = detail_of(settled.message);
    numbered.insert(numbered.end(), octets.begin(), octets.end());
    settled.detail = numbered;
    return {static_cast<std::uint32_t>(record::Type::settled_detailed),
            record::test::payload_of(settled)};
  }
  Record detailed() {
    record::Detailed made;
    made.upto = in_.below(8);
    made.segment = in_.below(4) == 0 ? in_.eight() : in_.below(4);
    made.earlier_runs = in_.flag();
    return {static_cast<std::uint32_t>(record::Type::detailed), record::test::payload_of(made)};
  }
  // As the gateway writes them: places of the journal, each behind the last.
  Record letter() {
    Record one = records_.of(record::DeadLetter{});
    if (in_.flag()) {
      origin_ = {origin_.first + in_.flag(), 1'024};
    } else {
      origin_.second += 8 * (1 + in_.octet());
    }
    Octets payload(16);
    std::memcpy(payload.data(), &origin_.first, 8);
    std::memcpy(payload.data() + 8, &origin_.second, 8);
    if (in_.below(16) == 0)
      payload.resize(in_.below(16));
    else
      payload.insert(payload.end(), one.payload.begin(), one.payload.end());
    return {one.type, payload};
  }
  Record detail() {
    if (in_.below(8) != 0) return {kDetailType, detail_of(1 + in_.below(32))};
    const auto raw = in_.counted();
    return {kDetailType, {raw.begin(), raw.end()}};
  }
  void add_chunk() {
    DueChunk due;
    due.number = 1 + in_.below(4);
    due.receipts = in_.below(4);
    Octets listed, file;
    for (std::uint32_t i = 0; i < due.receipts; ++i) {
      const Octets one = records_.carried(in_.below(6));
      for (unsigned shift = 0; shift < 32; shift += 8) {
        listed.push_back(static_cast<std::uint8_t>(one.size() >> shift));
      }
      listed.insert(listed.end(), one.begin(), one.end());
    }
    ChunkSeal seal;
    seal.salt = in_.four();
    seal.now.wall_us = in_.two();
    write_chunk(due, "shop", listed, seal, file);
    const auto inode = std::make_shared<core::testing::Inode>();
    inode->now = inode->durable = std::move(file);
    disk_.names[chunk_name(due.number)] = inode;
  }

  // ---- what must be there behind the start ----
  Holdings expected() {
    Holdings will;
    will.letters = origins(readable(disk_, "dead-"));
    will.details = messages_of(readable(disk_, "records-"));
    const Place last = will.letters.empty()
                           ? Place{}
                           : *std::max_element(will.letters.begin(), will.letters.end());
    for (const auto& [place, payload] : readable(disk_, "journal-", record::Type::dead_letter)) {
      if (place > last) will.letters.push_back(place);
    }
    for (const auto& [place, payload] :
         readable(disk_, "journal-", record::Type::settled_detailed)) {
      record::Settled settled;
      if (!record::decode(payload, settled) || settled.detail.size() <= 8) continue;
      will.settled.insert(proto::detail::message_of(settled.detail.subspan(8)));
    }
    will.settled.erase(0);
    for (const auto& [place, payload] : readable(disk_, "journal-", record::Type::detailed)) {
      record::Detailed detailed;
      if (!record::decode(payload, detailed)) continue;
      will.all_wanted = false;
      will.next_file_named |= detailed.segment > details_.count() && detailed.segment < 100;
    }
    return will;
  }
  static void check(FaultyStorage& disk, const Holdings& will) {
    must(origins(readable(disk, "dead-")) == will.letters);
    const auto details = messages_of(readable(disk, "records-"));
    must(details.size() >= will.details.size());
    must(std::equal(will.details.begin(), will.details.end(), details.begin()));
    std::set<std::uint64_t> there(will.details.begin(), will.details.end());
    for (std::size_t i = will.details.size(); i < details.size(); ++i) {
      if (details[i] == 0) continue;  // no detail record at all
      must(will.settled.contains(details[i]));
      must(there.insert(details[i]).second || !will.all_wanted);
    }
    if (will.all_wanted) {
      must(std::includes(there.begin(), there.end(), will.settled.begin(), will.settled.end()));
    }
    check_readers(disk, will.letters.size(), details.size());
  }
  // As the commands read them.
  static void check_readers(FaultyStorage& disk, std::size_t letters, std::size_t details) {
    std::size_t found = 0;
    must(read_dead_letters(disk, [&](const record::DeadLetter&) { ++found; }).has_value());
    must(found <= letters);
    found = 0;
    must(read_details(disk, -1, [&](core::Octets) { ++found; }).has_value());
    must(found == details);
  }

  Input& in_;
  fuzz::Records records_;
  FaultyStorage disk_;
  fuzz::Segments journal_{disk_, "journal-"}, letters_{disk_, "dead-"}, details_{disk_, "records-"};
  Place origin_;
  std::uint8_t number_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::log_nowhere();
  Input in(data, size);
  Play(in).run();
  return 0;
}
