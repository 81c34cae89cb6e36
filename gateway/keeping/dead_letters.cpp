#include "gateway/keeping/dead_letters.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "core/journal/format.h"
#include "core/log.h"
#include "gateway/keeping/prefixed_storage.h"

namespace tollgate::gateway {

namespace {

constexpr std::string_view kPrefix = "dead-";
constexpr std::size_t kPlaceOctets = 16;  // of the record that a letter is copied from
constexpr auto kType = static_cast<std::uint32_t>(proto::record::Type::dead_letter);

// A sentence, when the record is none that this program knows.
std::string newer_letter(const core::Storage& names, const core::JournalRecord& record) {
  proto::record::DeadLetter letter;
  const bool known = record.type == kType && record.payload.size() >= kPlaceOctets &&
                     proto::record::decode(record.payload.subspan(kPlaceOctets), letter);
  if (known) return {};
  return "dead letters: " + names.place(core::journal::segment_name(record.segment)) +
         core::newer_layout("at octet " + std::to_string(record.offset) + " a record of type " +
                            std::to_string(record.type));
}

}  // namespace

DeadLetters::DeadLetters(DeadLettersOptions options)
    : options_(std::move(options)),
      names_(std::make_unique<PrefixedStorage>(*options_.storage, kPrefix)) {}

DeadLetters::~DeadLetters() = default;

tl::expected<std::unique_ptr<DeadLetters>, std::string> DeadLetters::open(
    DeadLettersOptions options) {
  std::unique_ptr<DeadLetters> made(new DeadLetters(std::move(options)));
  if (std::string error = made->read(); !error.empty()) return tl::unexpected(std::move(error));
  return made;
}

std::string DeadLetters::read() {
  core::JournalReadOptions options;
  options.quarantine = true;
  std::string newer;
  const auto report = core::read_journal(
      *names_,
      [&](const core::JournalRecord& record) {
        if (newer.empty()) newer = newer_letter(*names_, record);
        if (record.payload.size() < kPlaceOctets) return;
        Place place;
        std::memcpy(&place.segment, record.payload.data(), 8);
        std::memcpy(&place.offset, record.payload.data() + 8, 8);
        last_ = std::max(last_, place);
      },
      options);
  if (!report) return report.error();
  if (!newer.empty()) return newer;
  for (const core::JournalDamage& damage : report->damage) {
    core::log::error("dead_letters_damage", {{"file", damage.segment},
                                             {"begin", damage.begin},
                                             {"end", damage.end},
                                             {"what", damage.what}});
  }
  tail_ = report->tail;
  return {};
}

void DeadLetters::note(const core::JournalRecord& record) {
  if (!wants(record.type) || Place{record.segment, record.offset} <= last_) return;
  keep(record.segment, record.offset, record.payload);
  step();  // an error is met again by the journal's first step
}

bool DeadLetters::begin() {
  if (files_ != nullptr) return true;
  if (error_ != 0) return false;
  core::JournalOptions options;
  options.storage = names_.get();
  options.segment_octets = options_.file_octets;
  options.ring_octets = options_.ring_octets;
  options.batch_octets = options_.ring_octets;
  options.tail = tail_;
  options.clock = options_.clock;
  options.salt = options_.salt;
  options.own_thread = false;
  auto journal = core::Journal::open(std::move(options));
  if (!journal) {
    core::log::error("dead_letters_refused", {{"reason", journal.error()}, {"prefix", kPrefix}});
    error_ = EIO;
    return false;
  }
  files_ = std::move(*journal);
  return true;
}

void DeadLetters::keep(std::uint64_t segment, std::uint64_t offset, proto::Octets payload) {
  pending_ = true;
  if (!begin()) return;
  std::array<std::uint8_t, kPlaceOctets> place;
  std::memcpy(place.data(), &segment, 8);
  std::memcpy(place.data() + 8, &offset, 8);
  core::Journal::Stream& stream = files_->stream(0);
  appended_ = stream.append(kType, place, payload);
  kept_.add();
}

int DeadLetters::step() {
  if (error_ != 0) return error_;
  if (files_ == nullptr) return 0;
  core::Journal::Stream& stream = files_->stream(0);
  bool moved = true;
  do {
    const std::uint64_t newest = stream.current_segment();
    if (newest >= options_.files) stream.set_oldest_needed(newest - options_.files + 1);
    stream.publish();
    moved = files_->step();
    if (stream.failed()) {
      core::log::error("dead_letters_failed", {{"reason", files_->failure()}});
      return error_ = EIO;
    }
    pending_ = stream.durable() != appended_;
  } while (pending_ && moved);
  return 0;
}

tl::expected<core::JournalReport, std::string> read_dead_letters(
    core::Storage& storage, const std::function<void(const proto::record::DeadLetter&)>& f) {
  PrefixedStorage names(storage, kPrefix);
  std::string newer;
  auto report = core::read_journal(names, [&](const core::JournalRecord& record) {
    proto::record::DeadLetter letter;
    if (newer.empty()) newer = newer_letter(names, record);
    if (record.type != kType || record.payload.size() < kPlaceOctets) return;
    if (proto::record::decode(record.payload.subspan(kPlaceOctets), letter)) f(letter);
  });
  if (report && !newer.empty()) return tl::unexpected(std::move(newer));
  return report;
}

}  // namespace tollgate::gateway
