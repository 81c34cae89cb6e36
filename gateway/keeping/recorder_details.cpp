// Recorder: what it keeps of a message for its detail record, and when that is safe.
#include <algorithm>
#include <bit>
#include <cstring>

#include "gateway/keeping/recorder.h"

namespace tollgate::gateway {

namespace record = proto::record;

namespace {

constexpr std::int64_t kNoteUs = 1'000'000;
constexpr std::size_t kNumberOctets = 8;

}  // namespace

// Blanks part them: no name has one.
std::string_view Recorder::names_of(const routing::CarrierSet& carriers, std::array<char, 255>& out,
                                    bool& cut) const {
  std::size_t length = 0;
  std::size_t count = 0;
  for (std::size_t word = 0; word < carriers.words.size(); ++word) {
    for (std::uint64_t bits = carriers.words[word]; bits != 0; bits &= bits - 1) {
      const auto carrier =
          static_cast<std::uint16_t>(word * 64 + static_cast<unsigned>(std::countr_zero(bits)));
      const std::string_view name = carrier_name(carrier);
      if (++count > proto::detail::kStatesMax || length + 1 + name.size() > out.size()) {
        cut = true;
        return {out.data(), length};
      }
      if (length != 0) out[length++] = ' ';
      std::memcpy(out.data() + length, name.data(), name.size());
      length += name.size();
    }
  }
  return {out.data(), length};
}

void Recorder::fill_decision(const Message& message, record::Accepted& record) {
  const Particulars& particulars = *message.particulars;
  record::Decision& decision = record.decision;
  decision.known = true;
  decision.origin = particulars.origin;
  decision.draw = particulars.draw;
  decision.facts = particulars.facts;
  decision.segments = message.segments;
  decision.text_octets = particulars.text_octets;
  decision.data_coding = particulars.data_coding;
  decision.esm_class = particulars.esm_class;
  decision.mccmnc = particulars.mccmnc.view();
  decision.number = particulars.number.view();
  decision.currency = particulars.currency.view();
  decision.states_cut = particulars.states_cut != 0;
  decision.down = names_of(particulars.down, down_, decision.states_cut);
  decision.full = names_of(particulars.full, full_, decision.states_cut);
  decision.sender = {particulars.sender.ton, particulars.sender.npi,
                     particulars.sender.address.view()};
  record.candidate_count = particulars.candidates;
  for (std::size_t i = 0; i < particulars.candidates; ++i) {
    record.candidates[i] = {message.cost_nano[i], carrier_name(message.carriers[i]),
                            particulars.ranks[i], i >= message.candidates};
  }
}

void Recorder::fill_course(const Message& message, record::Course& course) const {
  const Particulars& particulars = *message.particulars;
  course.sent_wall_us = particulars.sent_wall_us;
  course.receipt_wall_us = particulars.receipt_wall_us;
  const Notice& last = particulars.last;
  course.last = {last.state,         last.intermediate, last.has_network_error,
                 last.network_error, last.error.view(), last.done_wall_us};
  course.in_doubt = particulars.in_doubt != 0;
  course.resends = message.resends;
  course.try_count = particulars.try_count;
  course.tries_kept = particulars.tries_kept;
  for (std::size_t i = 0; i < particulars.tries_kept; ++i) {
    const Particulars::Try& one = particulars.tries[i];
    course.tries[i] = {one.attempt, one.end, one.status, one.after_ms, carrier_name(one.carrier)};
  }
}

// The detail record is a part of it, so that both are durable or neither is.
void Recorder::append_settled(record::Settled settled, const record::Carried& message) {
  if (failed_) return;  // with the next start it goes on
  const proto::Octets octets = details_.write(message, settled.how);
  if (stream_ == nullptr) {
    details_.push(octets, 0);
    return;
  }
  const std::uint64_t number = details_.next_number();
  settled_.resize(kNumberOctets + octets.size());
  for (unsigned i = 0; i < kNumberOctets; ++i) {
    settled_[i] = static_cast<std::uint8_t>(number >> 8 * i);
  }
  std::memcpy(settled_.data() + kNumberOctets, octets.data(), octets.size());
  settled.detail = settled_;
  append(settled, settled_);
  details_.push(octets, stream_->appended());
  hold_detail(number);
}

void Recorder::relay_settled(const Message& message) {
  if (message.particulars != nullptr) {
    last_id_ = std::max(last_id_, message.id);
    append_settled({message.id, shard_.now().wall_us, record::How::relayed, {}},
                   carried_record(message));
  }
  relay_over(message);
}

void Recorder::given_up(const record::Carried& message) {
  const record::Settled settled{
      message.accepted.message, shard_.now().wall_us, record::How::given_up, {}};
  details_.on() ? append_settled(settled, message) : append(settled);
}

void Recorder::hold_detail(std::uint64_t number) {
  const std::uint64_t segment = stream_->current_segment();
  if (detail_holds_.empty() || detail_holds_.back().segment < segment) {
    detail_holds_.push_back({hold(), number});
  }
  detail_holds_.back().number = number;
}

void Recorder::recovered_details(const std::vector<std::vector<std::uint8_t>>& records,
                                 std::uint64_t segment) {
  for (const auto& octets : records) details_.push(octets, 0);
  recovered_details_ = records.size();
  if (records.empty() || stream_ == nullptr) return;
  hold_from(segment);
  detail_holds_.push_back({segment, recovered_details_});
}

bool Recorder::flush_details() {
  if (!details_.on()) return true;
  if (stream_ != nullptr) details_.journal_is_at(stream_->durable());
  details_.turn_end();
  return !details_.staged() || failed_;
}

void Recorder::details_written(core::Mark durable) {
  details_.journal_is_at(durable);
  const std::uint64_t written = details_.durable();
  while (!detail_holds_.empty() && detail_holds_.front().number <= written) {
    const std::uint64_t segment = detail_holds_.front().segment;
    detail_holds_.erase(detail_holds_.begin());
    release(segment);
  }
  const bool first = !earlier_noted_ && written >= recovered_details_;
  const bool due = written != detailed_ && shard_.now().mono_us - detailed_us_ >= kNoteUs;
  if (first || due) note_detailed();
}

void Recorder::note_detailed() {
  detailed_us_ = shard_.now().mono_us;
  detailed_ = details_.durable();
  record::Detailed detailed;
  detailed.wall_us = shard_.now().wall_us;
  detailed.upto = detailed_;
  detailed.segment = details_.segment();
  // The first shard has got what earlier runs left.
  detailed.earlier_runs = shard_.index() == 0 && detailed_ >= recovered_details_;
  earlier_noted_ = earlier_noted_ || detailed_ >= recovered_details_;
  append(detailed);
}

}  // namespace tollgate::gateway
