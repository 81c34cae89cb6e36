#include "gateway/keeping/detail_store.h"

#include <algorithm>
#include <limits>

#include <absl/container/flat_hash_set.h>

#include "core/journal/format.h"
#include "core/log.h"
#include "gateway/keeping/prefixed_storage.h"
#include "proto/records/detail.h"
#include "proto/records/record.h"

namespace tollgate::gateway {

namespace record = proto::record;

namespace {

constexpr std::string_view kPrefix = "records-";
constexpr std::size_t kNumberOctets = 8;

// A sentence, when the record is none that this program knows.
std::string newer_record(const core::Storage& names, const core::JournalRecord& at) {
  if (at.type == kDetailType) return {};
  return "detail records: " + names.place(core::journal::segment_name(at.segment)) +
         core::newer_layout("at octet " + std::to_string(at.offset) + " a record of type " +
                            std::to_string(at.type));
}

tl::expected<core::JournalReport, std::string> read_whole(
    core::Storage& names, const core::JournalReadOptions& reading,
    const std::function<void(const core::JournalRecord&)>& f) {
  std::string newer;
  auto report = core::read_journal(
      names,
      [&](const core::JournalRecord& at) {
        if (newer.empty()) newer = newer_record(names, at);
        if (at.type == kDetailType) f(at);
      },
      reading);
  if (report && !newer.empty()) return tl::unexpected(std::move(newer));
  return report;
}

}  // namespace

void UnwrittenDetails::note(const core::JournalRecord& at) {
  if (at.type == static_cast<std::uint32_t>(record::Type::settled_detailed)) {
    record::Settled settled;
    if (!record::decode(at.payload, settled) || settled.detail.size() <= kNumberOctets) return;
    std::uint64_t number = 0;
    for (std::size_t i = kNumberOctets; i-- > 0;) number = number << 8 | settled.detail[i];
    Stream& stream = streams_[{at.run, at.stream}];
    const proto::Octets octets = settled.detail.subspan(kNumberOctets);
    if (number > stream.upto) stream.waiting.push_back({number, {octets.begin(), octets.end()}});
  } else if (at.type == static_cast<std::uint32_t>(record::Type::detailed)) {
    record::Detailed detailed;
    if (!record::decode(at.payload, detailed)) return;
    Stream& stream = streams_[{at.run, at.stream}];
    stream.upto = std::max(stream.upto, detailed.upto);
    stream.segment = detailed.segment;
    while (!stream.waiting.empty() && stream.waiting.front().number <= stream.upto) {
      stream.waiting.pop_front();
    }
    if (detailed.earlier_runs) {
      std::erase_if(streams_, [&](const auto& each) { return each.first.first < at.run; });
    }
  }
}

bool UnwrittenDetails::empty() const {
  return std::all_of(streams_.begin(), streams_.end(),
                     [](const auto& each) { return each.second.waiting.empty(); });
}

std::uint64_t UnwrittenDetails::files_from() const {
  std::uint64_t from = std::numeric_limits<std::uint64_t>::max();
  for (const auto& [key, stream] : streams_) {
    if (!stream.waiting.empty()) from = std::min(from, stream.segment);
  }
  return from;
}

void UnwrittenDetails::for_each(const std::function<void(std::uint64_t)>& f) const {
  for (const auto& [key, stream] : streams_) {
    for (const One& one : stream.waiting) f(proto::detail::message_of(one.octets));
  }
}

std::vector<std::vector<std::uint8_t>> UnwrittenDetails::without(
    const std::function<bool(std::uint64_t)>& written) const {
  std::vector<std::vector<std::uint8_t>> left;
  for (const auto& [key, stream] : streams_) {
    for (const One& one : stream.waiting) {
      if (written(proto::detail::message_of(one.octets))) continue;
      std::vector<std::uint8_t>& octets = left.emplace_back(one.octets);
      octets.insert(octets.end(), proto::detail::kRecovered.begin(),
                    proto::detail::kRecovered.end());
    }
  }
  return left;
}

tl::expected<DetailFiles, std::string> list_details(core::Storage& storage,
                                                    const std::optional<KeptAt>& kept,
                                                    const core::Now& now) {
  PrefixedStorage names(storage, kPrefix);
  const auto segments = core::list_journal(names);
  if (!segments) return tl::unexpected(segments.error());
  const KeptFiles times = kept_files(*segments, kept, core::pair_of(now));
  DetailFiles files;
  files.kept_less_mono_us = times.kept_less_mono_us;
  for (std::size_t i = 0; i < segments->size(); ++i) {
    files.files.push_back({(*segments)[i].number, times.begun_kept_us[i]});
  }
  return files;
}

tl::expected<DetailStore, std::string> open_details(const DetailStoreOptions& options,
                                                    const UnwrittenDetails& unwritten) {
  DetailStore store;
  store.names = std::make_unique<PrefixedStorage>(*options.storage, kPrefix);
  const core::Now now = options.clock ? options.clock() : core::read_clock();
  auto files = list_details(*options.storage, options.kept, now);
  if (!files) return tl::unexpected(files.error());
  store.files = std::move(*files);
  // At least the last one, for its tail.
  core::JournalReadOptions reading;
  reading.quarantine = true;
  if (!store.files.files.empty()) reading.from = store.files.files.back().segment;
  if (!unwritten.empty()) {
    // A file that is not there yet is one of other files, that are gone.
    const std::uint64_t from = unwritten.files_from();
    reading.from = from <= reading.from ? from : 0;
  }
  absl::flat_hash_set<std::uint64_t> wanted, written;
  unwritten.for_each([&](std::uint64_t message) { wanted.insert(message); });
  std::string newer;
  const auto look = [&](const core::JournalRecord& at) {
    if (newer.empty()) newer = newer_record(*store.names, at);
    const std::uint64_t message = proto::detail::message_of(at.payload);
    if (wanted.contains(message)) written.insert(message);
  };
  auto report = core::read_journal(*store.names, look, reading);
  if (!report) return tl::unexpected(report.error());
  if (!newer.empty()) return tl::unexpected(std::move(newer));
  store.missing =
      unwritten.without([&](std::uint64_t message) { return written.contains(message); });

  core::JournalOptions journal;
  journal.storage = store.names.get();
  journal.streams = options.streams;
  journal.segment_octets = options.segment_octets;
  journal.ring_octets = options.ring_octets;
  journal.batch_octets = options.batch_octets;
  journal.reserve_octets = options.reserve_octets;
  journal.linger_us = options.linger_us;
  journal.tail = report->tail;
  journal.damaged_octets = report->damaged_octets;
  journal.apart = options.observer;
  journal.clock = options.clock;
  journal.kept_less_mono_us = store.files.kept_less_mono_us;
  journal.salt = options.salt;
  journal.own_thread = options.own_thread;
  auto opened = core::Journal::open(std::move(journal));
  if (!opened) return tl::unexpected(opened.error());
  store.journal = std::move(*opened);
  store.report = std::move(*report);
  return store;
}

tl::expected<core::JournalReport, std::string> read_details(
    core::Storage& storage, std::int64_t from_us, const std::function<void(core::Octets)>& f,
    const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  PrefixedStorage names(storage, kPrefix);
  const auto segments = core::list_journal(names);
  if (!segments) return tl::unexpected(segments.error());
  core::JournalReadOptions reading;
  reading.progress = progress;
  // The wall clock may have jumped: what was begun earlier than a file in front of it says nothing.
  std::int64_t newest_us = std::numeric_limits<std::int64_t>::min();
  for (const core::JournalSegment& each : *segments) {
    if (each.begun.wall_us > from_us) break;
    if (each.begun.wall_us < newest_us) continue;
    newest_us = each.begun.wall_us;
    reading.from = each.number;
  }
  return read_whole(names, reading, [&](const core::JournalRecord& at) { f(at.payload); });
}

tl::expected<core::JournalReport, std::string> read_details_behind(
    core::Storage& storage, const DetailPlace& place, const std::function<void(core::Octets)>& f) {
  PrefixedStorage names(storage, kPrefix);
  const auto segments = core::list_journal(names);
  if (!segments) return tl::unexpected(segments.error());
  absl::flat_hash_set<std::uint64_t> later;
  core::JournalReadOptions reading;
  for (auto each = segments->rbegin(); each != segments->rend(); ++each) {
    const bool is_later = each->number > place.segment || each->kept_us > place.kept_us;
    if (is_later) later.insert(each->number);
    // The last one at least, for its tail.
    if (is_later || each->number == place.segment || reading.from == 0) reading.from = each->number;
  }
  return read_whole(names, reading, [&](const core::JournalRecord& at) {
    const bool same = at.segment == place.segment && at.offset > place.offset;
    if (same || later.contains(at.segment)) f(at.payload);
  });
}

}  // namespace tollgate::gateway
