#include "gateway/keeping/recorder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/boot.h"
#include "core/check.h"
#include "core/log.h"

namespace tollgate::gateway {

namespace record = proto::record;

namespace {

// Half of the smallest ring takes the longest record with a PDU or a body in it.
static_assert(core::Mailbox::record_size(record::kHeadMax + proto::kPduLengthMax) <=
              kMailboxLeast / 2);

record::Address address_of(const Party& party) {
  return {party.ton, party.npi, party.address.view()};
}

record::Notice notice_of(const Notice& notice) {
  return {notice.state,         notice.intermediate, notice.has_network_error,
          notice.network_error, notice.error.view(), notice.done_wall_us};
}

record::Stage stage_of(const Message& message) {
  switch (message.stage) {
    case Stage::in_doubt:
      return record::Stage::in_doubt;
    case Stage::awaiting:
      return record::Stage::awaiting;
    case Stage::told:
      return record::Stage::told;
    case Stage::placed:
    case Stage::waiting:
      break;
  }
  return record::Stage::queued;
}

}  // namespace

Recorder::Recorder(const Config& config, const TablesReader& tables, core::Shard& shard,
                   const Streams& streams)
    : config_(config),
      tables_(tables),
      shard_(shard),
      stream_(streams.journal),
      details_(config, shard, streams.details, streams.detail_files) {
  if (stream_ == nullptr) return;
  first_ = stream_->current_segment();
}

core::ClockPair Recorder::clocks() const {
  core::ClockPair clocks = core::pair_of(shard_.now());
  clocks.mono_us += shard_.left_out_us();
  return clocks;
}

void Recorder::note_clock() {
  const core::ClockPair at = clocks();
  wall_less_mono_us_ = at.wall_us - at.mono_us;
  clock_segment_ = stream_->current_segment();
  put(record::Clock{at.wall_us, at.mono_us, at.boot}, {});
}

std::string_view Recorder::carrier_name(std::uint16_t carrier) const {
  if (carrier == kNoCarrier) return {};
  return peers_of(*tables_).carriers[carrier].config->name;
}

record::Accepted Recorder::accepted_record(const Message& message) {
  record::Accepted result;
  result.message = message.id;
  result.public_id = message.public_id;
  result.wall_us = message.accepted_wall_us;
  result.deadline_wall_us = shard_.now().wall_us + (message.deadline_us - shard_.now().mono_us);
  result.price_nano = message.price_nano;
  result.tables_version = message.tables_version;
  result.destination_id = message.destination_id;
  result.registered_delivery = message.registered_delivery;
  result.short_id = message.short_id != 0;
  result.client = peers_of(*tables_).clients[message.client].config->system_id;
  result.source = address_of(message.source);
  result.destination = address_of(message.destination);
  result.text = message.text.view();
  result.candidate_count = message.candidates;
  for (std::size_t i = 0; i < message.candidates; ++i) {
    result.candidates[i] = {message.cost_nano[i], carrier_name(message.carriers[i])};
  }
  if (message.particulars != nullptr) fill_decision(message, result);
  if (message.body) result.body = message.body_octets();
  return result;
}

void Recorder::accepted(Message& message) {
  if (stream_ == nullptr) return;
  message.segment = hold();
  last_id_ = message.id;
  append(accepted_record(message), message.body_octets());
}

void Recorder::relays(Message& message) {
  if (stream_ != nullptr) message.segment = hold();
}

void Recorder::relayed(Message& message) {
  if (stream_ == nullptr) return;
  last_id_ = message.id;
  append_carried(message);
}

void Recorder::relay_over(const Message& message) {
  if (stream_ != nullptr) release(message.segment);
}

void Recorder::ended(const Message& message, const Notice& notice) {
  if (stream_ == nullptr) return;
  append(record::Ended{message.id, shard_.now().wall_us, notice_of(notice)});
}

void Recorder::settled(const Message& message, record::How how) {
  const record::Settled record{message.id, shard_.now().wall_us, how, {}};
  if (message.particulars != nullptr) {
    append_settled(record, carried_record(message));
  } else {
    append(record);
  }
  if (stream_ != nullptr) release(message.segment);
}

void Recorder::goes_on_elsewhere(MessageId message) {
  append(record::Settled{message, shard_.now().wall_us, record::How::given_up, {}});
}

bool Recorder::old(const Message& message) const {
  if (stream_ == nullptr) return false;
  const bool lost = message.segment <= lost_upto_;
  if (message.stage == Stage::placed) {
    return lost && message.relay == 0 && shard_.now().mono_us - lost_us_ >= kAgainUs;
  }
  return lost || message.segment + carry_behind() < stream_->current_segment();
}

void Recorder::carried(Message& message) {
  if (stream_ == nullptr) return;
  const std::uint64_t old = message.segment;
  if (message.stage == Stage::placed && old <= lost_upto_) {
    // What its carrier's home has recorded since the loss may lie anywhere behind it.
    hold_from(lost_upto_ + 1);
    message.segment = lost_upto_ + 1;
    record::Carried before = carried_record(message);
    --before.attempt;
    append(before, before.accepted.body);
  } else {
    message.segment = hold();
    append_carried(message);
  }
  release(old);
}

void Recorder::append_carried(const Message& message) {
  const record::Carried result = carried_record(message);
  append(result, result.accepted.body);
}

record::Carried Recorder::carried_record(const Message& message) {
  record::Carried result;
  result.accepted = accepted_record(message);
  result.wall_us = shard_.now().wall_us;
  result.stage = stage_of(message);
  result.attempt = message.attempt;
  if (message.attempt != 0) result.carrier = carrier_name(message.carrier);
  result.carrier_message_id = message.carrier_message_id.view();
  result.status = message.status;
  result.notice = notice_of(message.notice);
  if (message.particulars != nullptr) fill_course(message, result.course);
  return result;
}

void Recorder::restored(Message& message, std::uint64_t segment) {
  if (stream_ == nullptr) return;
  hold_from(segment);
  message.segment = segment;
}

void Recorder::hold_from(std::uint64_t segment) {
  while (segment < first_) {
    live_.push_front(0);
    --first_;
  }
  while (live_.size() <= segment - first_) live_.push_back(0);
  ++live_[segment - first_];
  ++held_;
  stream_->set_oldest_needed(first_);
}

// What told messages need no more is left out.
std::size_t Recorder::encode_due(const Message& message, proto::Out out) {
  record::Carried carried = carried_record(message);
  if (message.particulars == nullptr) {
    carried.accepted.candidate_count = 0;
    carried.carrier_message_id = {};
  }
  carried.stage = record::Stage::told;
  return record::encode(carried, out);
}

void Recorder::spilled(std::uint64_t chunk, std::uint16_t client, proto::Octets ids) {
  chunks_go_on_behind(chunk);
  append(record::Spilled{chunk, shard_.now().wall_us,
                         peers_of(*tables_).clients[client].config->system_id, ids},
         ids);
}

void Recorder::came_back(Message& message) {
  message.segment = hold();
  last_id_ = std::max(last_id_, message.id);
}

Recorder::Kept Recorder::loaded(const record::Loaded& record) {
  const std::uint64_t segment = hold();
  append(record, record.messages);
  return {segment, stream_->appended()};
}

void Recorder::intent(MessageId message, std::uint16_t attempt, std::uint16_t carrier) {
  append(record::Intent{message, shard_.now().wall_us, attempt, carrier_name(carrier)});
}

void Recorder::sent(MessageId message, std::uint16_t attempt, std::uint16_t carrier,
                    std::string_view id) {
  append(record::Sent{message, shard_.now().wall_us, attempt, carrier_name(carrier), id});
}

void Recorder::refused(MessageId message, std::uint16_t attempt, std::uint16_t carrier,
                       proto::Status status, record::Follows follows) {
  append(record::Refused{message, shard_.now().wall_us, attempt, status, follows,
                         carrier_name(carrier)});
}

void Recorder::in_doubt(MessageId message, std::uint16_t attempt, std::uint16_t carrier) {
  append(record::InDoubt{message, shard_.now().wall_us, attempt, carrier_name(carrier)});
}

void Recorder::receipt(MessageId message, std::uint16_t carrier, const Notice& notice) {
  append(record::Receipt{message, shard_.now().wall_us, carrier_name(carrier), notice_of(notice)});
}

std::uint64_t Recorder::parked(std::uint16_t carrier, std::string_view id, proto::Octets pdu) {
  if (stream_ == nullptr || failed_) return 0;
  // Numbers do not repeat across restarts: the clock moves faster than receipts are parked, and
  // where it was put back they go on behind those that are still parked.
  parked_number_ = std::max(parked_number_ + 1, static_cast<std::uint64_t>(shard_.now().wall_us));
  keep_parked({parked_number_, shard_.now().wall_us, carrier_name(carrier), id, pdu}, carrier);
  return parked_number_;
}

void Recorder::unparked(std::uint64_t number, std::uint16_t carrier, record::Unpark how) {
  unparked(number, carrier_name(carrier), how);
  const auto held = parked_.find({carrier, number});
  if (held == parked_.end()) return;
  release(held->second);
  parked_.erase(held);
}

void Recorder::unparked(std::uint64_t number, std::string_view carrier, record::Unpark how) {
  append(record::Unparked{number, shard_.now().wall_us, how, carrier});
}

bool Recorder::takes_letters() const {
  if (stream_ == nullptr) return true;
  return !failed_ && stream_->accepting() && stream_->apart_settled() &&
         (letters_octets_ < kLettersUnwrittenMax || stream_->durable() >= letters_end_);
}

void Recorder::dead_letter(record::DeadLetter letter) {
  if (failed_) return;
  core::log::warn("dead_letter",
                  {{"carrier", letter.carrier}, {"why", record::dead_name(letter.why)}});
  letter.wall_us = shard_.now().wall_us;
  append(letter, letter.pdu);
  if (stream_ == nullptr) return;
  if (stream_->durable() >= letters_end_) letters_octets_ = 0;
  letters_octets_ += kLetterOctets + letter.pdu.size();
  letters_end_ = stream_->appended();
}

void Recorder::restored_parked(std::uint16_t carrier, record::Parked parked, std::int64_t age_us) {
  if (stream_ == nullptr || failed_) return;
  parked_number_ = std::max(parked_number_, parked.number);
  parked.wall_us = shard_.now().wall_us - age_us;
  keep_parked(parked, carrier);
}

void Recorder::keep_parked(const record::Parked& parked, std::uint16_t carrier) {
  const std::uint64_t segment = hold();
  const auto [held, is_new] = parked_.emplace(std::pair{carrier, parked.number}, segment);
  if (!is_new) release(std::exchange(held->second, segment));
  append(parked, parked.pdu);
}

// All shards write what they carry into the same segments. Were it more than half of what lies
// between two turns of a message, carrying would be the reason to carry again.
std::uint64_t Recorder::carry_behind() const {
  const std::uint64_t live = held_ * shard_.shard_count();
  return kCarryBehind + 2 * live * kCarriedOctets / config_.journal.segment_octets;
}

std::uint64_t Recorder::hold() {
  ++held_;
  const std::uint64_t current = stream_->current_segment();
  while (first_ + live_.size() <= current) live_.push_back(0);
  ++live_.back();
  return first_ + live_.size() - 1;
}

// In each segment before an older one may go.
void Recorder::note_ids() {
  const std::uint64_t current = stream_->current_segment();
  if (last_id_ == 0 || ids_segment_ == current) return;
  ids_segment_ = current;
  append(record::Ids{last_id_, shard_.now().wall_us});
  if (last_chunk_ != 0) append(record::Spilled{last_chunk_, shard_.now().wall_us, {}, {}});
  if (details_.on()) note_detailed();
}

void Recorder::release(std::uint64_t segment) {
  --held_;
  --live_[segment - first_];
  bool moved = false;
  while (live_.size() > 1 && live_.front() == 0) {
    live_.pop_front();
    ++first_;
    moved = true;
  }
  if (!moved) return;
  note_ids();
  stream_->set_oldest_needed(first_);
}

bool Recorder::turn_start() {
  if (stream_ == nullptr || failed_) return false;
  const core::Mark durable = stream_->durable();
  shard_.open_gate(durable);
  if (details_.on() && stream_->begun()) details_written(durable);
  // While the lost one is still written to, what is written anew would go there too.
  if (lost_upto_ != stream_->lost_upto() && stream_->lost_upto() < stream_->current_segment()) {
    lost_upto_ = stream_->lost_upto();
    lost_us_ = shard_.now().mono_us;
  }
  if (!stream_->failed()) return false;
  failed_ = true;
  core::log::error("journal_failed", {{"shard", shard_.index()}});
  shard_.abandon_gate();
  return true;
}

// Not before the first segment, as details_written(): a note would shut the gate until the disk has
// room for one.
void Recorder::let_go() {
  note_ids();
  // Nothing held: every closed segment may go, also when no message ever held one of them.
  if (held_ == 0 && stream_->current_segment() > first_) {
    first_ = stream_->current_segment();
    stream_->set_oldest_needed(first_);
  }
}

void Recorder::turn_end() {
  details_.turn_end();
  if (stream_ == nullptr || failed_) return;
  if (stream_->begun()) let_go();
  stream_->publish();
}

}  // namespace tollgate::gateway
