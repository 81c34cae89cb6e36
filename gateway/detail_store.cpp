#include "gateway/detail_store.h"

#include <algorithm>
#include <limits>

#include <absl/container/flat_hash_set.h>

#include "core/log.h"
#include "gateway/prefixed_storage.h"
#include "proto/detail.h"
#include "proto/record.h"

namespace tollgate::gateway {

namespace record = proto::record;

namespace {

constexpr std::string_view kPrefix = "records-";
constexpr std::size_t kNumberOctets = 8;

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

tl::expected<DetailStore, std::string> open_details(const DetailStoreOptions& options,
                                                    const UnwrittenDetails& unwritten) {
  DetailStore store;
  store.names = std::make_unique<PrefixedStorage>(*options.storage, kPrefix);
  const auto segments = core::list_journal(*store.names);
  if (!segments) return tl::unexpected(segments.error());
  for (const core::JournalSegment& each : *segments) {
    store.files.push_back({each.number, each.begun_wall_us});
  }
  // At least the last one, for its tail.
  core::JournalReadOptions reading;
  reading.quarantine = true;
  if (!segments->empty()) reading.from = std::min(segments->back().number, unwritten.files_from());
  absl::flat_hash_set<std::uint64_t> wanted, written;
  unwritten.for_each([&](std::uint64_t message) { wanted.insert(message); });
  const auto look = [&](const core::JournalRecord& at) {
    const std::uint64_t message = proto::detail::message_of(at.payload);
    if (wanted.contains(message)) written.insert(message);
  };
  auto report = core::read_journal(*store.names, look, reading);
  if (!report) return tl::unexpected(report.error());
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
  journal.apart = options.observer;
  journal.clock = options.clock;
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
  for (const core::JournalSegment& each : *segments) {
    if (each.begun_wall_us <= from_us) reading.from = each.number;
  }
  return core::read_journal(
      names, [&](const core::JournalRecord& at) { f(at.payload); }, reading);
}

}  // namespace tollgate::gateway
