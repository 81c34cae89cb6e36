#include "gateway/keeping/details.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "gateway/messages/message.h"

namespace tollgate::gateway {

namespace record = proto::record;
using proto::detail::Detail;

namespace {

constexpr std::int64_t kLookUs = 1'000'000;
constexpr std::int64_t kDayUs = 86'400'000'000;
constexpr std::size_t kKeptOctets = std::size_t{1} << 20;  // of the staging, when it is empty

void add_names(proto::detail::Names& names, std::string_view list) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    names.add(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

void fill_decision(Detail& detail, const record::Accepted& accepted) {
  const record::Decision& decision = accepted.decision;
  detail.message = decision.known ? decision.origin : accepted.message;
  detail.public_id = accepted.public_id;
  detail.client = accepted.client;
  detail.source = accepted.source;
  detail.destination = accepted.destination;
  detail.number = decision.number;
  detail.sender = decision.sender;
  detail.mccmnc = decision.mccmnc;
  detail.tables_version = accepted.tables_version;
  detail.facts = decision.facts;
  detail.draw = decision.draw;
  add_names(detail.down, decision.down);
  add_names(detail.full, decision.full);
  detail.states_cut = decision.states_cut;
  detail.price_nano = accepted.price_nano;
  detail.currency = decision.currency;
  detail.segments = decision.segments;
  for (unsigned rank = 0; rank < record::kCandidatesMax; ++rank) {
    for (std::size_t i = 0; i < accepted.candidate_count; ++i) {
      const record::Candidate& candidate = accepted.candidates[i];
      if (candidate.rank != rank) continue;
      detail.candidates[detail.candidate_count++] = {candidate.carrier, candidate.cost_nano};
      break;
    }
  }
  detail.registered_delivery = accepted.registered_delivery;
  detail.data_coding = decision.data_coding;
  detail.esm_class = decision.esm_class;
  detail.text_octets = decision.text_octets;
  detail.accepted_us = accepted.wall_us;
}

void fill_course(Detail& detail, const record::Carried& carried) {
  const record::Course& course = carried.course;
  constexpr std::uint16_t kBits = kRelayed | kUnrecorded;
  for (std::size_t i = 0; i < course.tries_kept; ++i) {
    const record::Try& one = course.tries[i];
    detail.tries[i] = {one.carrier, static_cast<std::uint32_t>(one.attempt & ~kBits), one.end,
                       one.status, one.after_ms};
  }
  detail.tries_kept = course.tries_kept;
  detail.try_count = course.try_count;
  detail.carrier = carried.carrier;
  detail.carrier_message_id = carried.carrier_message_id;
  detail.sent_us = course.sent_wall_us;
  detail.receipt_us = course.receipt_wall_us;
  // A carrier that knows how it ended had it, though it never answered.
  if (detail.receipt_us != 0 && detail.sent_us == 0 && detail.tries_kept != 0) {
    detail.sent_us = detail.receipt_us;
    detail.tries[detail.tries_kept - 1U].end = record::TryEnd::sent;
  }
  const bool ended = course.last.done_wall_us != 0;
  detail.state =
      static_cast<std::uint32_t>(ended ? course.last.state : proto::MessageState::enroute);
  detail.error = course.last.error;
  if (course.last.has_network_error) detail.network_error = course.last.network_error;
  detail.by_gateway = ended && detail.receipt_us == 0;
  detail.relayed = (carried.attempt & kRelayed) != 0;
  detail.in_doubt = course.in_doubt;
  detail.resends = course.resends;
}

}  // namespace

Detail detail_of(const record::Carried& carried, record::How how, std::int64_t settled_wall_us) {
  Detail detail;
  fill_decision(detail, carried.accepted);
  fill_course(detail, carried);
  detail.how = how == record::How::relayed ? record::How::no_receipt : how;
  detail.settled_us = settled_wall_us;
  charge(detail);
  return detail;
}

Details::Details(const Config& config, core::Shard& shard, core::Journal::Stream* stream,
                 const DetailFiles* files)
    : shard_(shard),
      stream_(stream),
      backlog_max_(config.records.backlog_max),
      keep_us_(config.records.keep_days * kDayUs) {
  constexpr std::size_t kFilesAhead = 1'024;
  if (!on()) return;
  places_.reserve(64);
  files_.reserve((files != nullptr ? files->files.size() : 0) + kFilesAhead);
  if (files == nullptr) return;
  files_.assign(files->files.begin(), files->files.end());
  kept_less_mono_us_ = files->kept_less_mono_us;
}

proto::Octets Details::write(const record::Carried& carried, record::How how) {
  const std::size_t length = encode(detail_of(carried, how, shard_.now().wall_us), octets_);
  TOLLGATE_CHECK(length != 0, "a detail record fits its bound");
  return proto::Octets(octets_).first(length);
}

std::uint64_t Details::push(proto::Octets record, core::Mark after) {
  ++pushed_;
  if (after == 0 && !staged()) {
    append(record);
    return pushed_;
  }
  const Staged head{after, record.size()};
  const std::size_t at = staged_.size();
  staged_.resize(at + sizeof head + record.size());
  std::memcpy(staged_.data() + at, &head, sizeof head);
  std::memcpy(staged_.data() + at + sizeof head, record.data(), record.size());
  return pushed_;
}

void Details::append(proto::Octets record) {
  const std::uint64_t segment = stream_->current_segment();
  if (places_.empty() || places_.back().segment != segment) {
    places_.push_back({appended_ + 1, segment});
  }
  ++appended_;
  stream_->append(kDetailType, record);
}

void Details::journal_is_at(core::Mark durable) {
  while (staged()) {
    Staged head;
    std::memcpy(&head, staged_.data() + head_, sizeof head);
    if (head.after > durable) break;
    append({staged_.data() + head_ + sizeof head, head.length});
    head_ += sizeof head + head.length;
  }
  if (head_ == 0) return;
  if (!staged()) {
    staged_.clear();
    if (staged_.capacity() > 4 * kKeptOctets) staged_.shrink_to_fit();
    head_ = 0;
  } else if (head_ >= kKeptOctets && head_ > staged_.size() / 2) {
    staged_.erase(staged_.begin(), staged_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

std::uint64_t Details::segment() {
  const std::uint64_t next = durable() + 1;
  while (places_.size() > 1 && places_[1].first <= next) places_.erase(places_.begin());
  return places_.empty() ? stream_->current_segment() : places_.front().segment;
}

void Details::turn_end() {
  if (!on()) return;
  const core::Now& now = shard_.now();
  if (now.mono_us - looked_us_ >= kLookUs) {
    looked_us_ = now.mono_us;
    let_go(now.mono_us + kept_less_mono_us_);
  }
  stream_->publish();
}

// A file is old when the one behind it was begun so long ago.
void Details::let_go(std::int64_t kept_us) {
  const std::uint64_t current = stream_->current_segment();
  if (files_.empty() || files_.back().segment < current) files_.push_back({current, kept_us});
  bool any = false;
  while (files_.size() > 1 && files_[1].begun_kept_us <= kept_us - keep_us_) {
    files_.erase(files_.begin());
    any = true;
  }
  if (any || files_.size() == 1) stream_->set_oldest_needed(files_.front().segment);
}

}  // namespace tollgate::gateway
