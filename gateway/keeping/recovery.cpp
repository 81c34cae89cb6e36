#include "gateway/keeping/recovery.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>

#include "core/journal/format.h"
#include "gateway/keeping/dead_letters.h"
#include "gateway/keeping/detail_store.h"

namespace tollgate::gateway {

namespace record = proto::record;

namespace {

constexpr unsigned kPageBits = 10;
constexpr std::int64_t kNoTime = std::numeric_limits<std::int64_t>::min();
constexpr unsigned kNoStream = ~0U;

MessageId id_of(const record::Carried& record) {
  return record.accepted.message;
}
template <class Record>
MessageId id_of(const Record& record) {
  return record.message;
}

template <class Record>
constexpr bool kBegins =
    std::is_same_v<Record, record::Accepted> || std::is_same_v<Record, record::Carried>;
// What only a carrier that was sent the message can say.
template <class Record>
constexpr bool kFromCarrier =
    std::is_same_v<Record, record::Sent> || std::is_same_v<Record, record::Refused> ||
    std::is_same_v<Record, record::InDoubt> || std::is_same_v<Record, record::Receipt>;

}  // namespace

bool IdSet::contains(std::uint64_t id) const {
  const auto page = pages_.find(id >> kPageBits);
  return page != pages_.end() && (page->second[(id >> 6) & 15] >> (id & 63) & 1) != 0;
}

bool IdSet::add(std::uint64_t id) {
  std::uint64_t& word = pages_[id >> kPageBits][(id >> 6) & 15];
  const std::uint64_t bit = std::uint64_t{1} << (id & 63);
  const bool added = (word & bit) == 0;
  word |= bit;
  return added;
}

bool IdSet::remove(std::uint64_t id) {
  const auto page = pages_.find(id >> kPageBits);
  if (page == pages_.end()) return false;
  std::uint64_t& word = page->second[(id >> 6) & 15];
  const std::uint64_t bit = std::uint64_t{1} << (id & 63);
  const bool was = (word & bit) != 0;
  word &= ~bit;
  return was;
}

std::uint64_t Conservation::live_total() const {
  return std::accumulate(live.begin(), live.end(), std::uint64_t{0});
}

std::uint64_t Recovery::findings() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

void Recovery::report(Finding finding, MessageId message) {
  if (finding == Finding::none) return;
  if (finding == Finding::unknown_type || finding == Finding::malformed) {
    if (unread_.count++ == 0) unread_ = {1, at_.type, at_.segment, at_.offset};
  }
  ++counts_[static_cast<std::size_t>(finding)];
  if (found_) found_({finding, message, at_.segment, at_.offset});
}

void Recovery::apply(const core::JournalRecord& journal_record) {
  at_ = journal_record;
  if (records_++ == 0) {
    whole_ = at_.segment == 1;
    first_segment_ = at_.segment;
  }
  const bool new_run = at_.run != run_;
  if (new_run) run_ends();
  if (new_run || at_.segment != segment_) timeline_.segment(at_.begun, new_run);
  run_ = at_.run;
  segment_ = at_.segment;
  lines_.resize(std::max<std::size_t>({lines_.size(), at_.streams, at_.stream + 1U}), kNoTime);
  switch (record::read(at_.type, at_.payload, [&](const auto& record) { on(record); })) {
    case record::Reading::good:
      return;
    case record::Reading::malformed:
      return report(Finding::malformed, 0);
    case record::Reading::unknown:
      return report(Finding::unknown_type, 0);
  }
}

template <class Record>
void Recovery::on(const Record& record) {
  const MessageId id = id_of(record);
  MessageId& highest = highest_[home_of(id)];
  highest = std::max(highest, id);
  const std::int64_t shift_us = timeline_.shift_us(at_.stream, record.wall_us);
  const std::int64_t line_us = saturated_sum(record.wall_us, shift_us);
  note_time(line_us);
  if constexpr (std::is_same_v<Record, record::Accepted>) ++conservation_.accepted;
  if (settled_.contains(id)) return on_settled_id(id, record, shift_us);
  LiveMessage& message = messages_[id];
  message.line_less_wall_us = shift_us;
  const bool known = message.known();
  if (std::is_same_v<Record, record::Carried> && !known) ++conservation_.carried_in;
  const bool overtaken = message.overtaken != 0;
  Finding finding = gateway::apply(message, record);
  if (overtaken != (message.overtaken != 0)) note_overtaken(id, message, line_us);
  if (finding == Finding::intent_after_end && clock_back_) finding = Finding::none;
  // Of a message whose beginning is reclaimed, its intents may be too.
  if (kFromCarrier<Record> && !known && !whole_) finding = Finding::none;
  if (kBegins<Record> && !known) message.cut = !whole_ && at_.segment == first_segment_;
  if (message.cut && finding == Finding::outcome_without_intent) finding = Finding::none;
  report(finding, id);
  if constexpr (std::is_same_v<Record, record::Settled>) settle(id, message, line_us);
}

template <class Record>
void Recovery::on_settled_id(MessageId id, const Record& record, std::int64_t shift_us) {
  const auto open = unproven_.find(id);
  if (open != unproven_.end()) {
    LiveMessage& message = open->second.message;
    message.line_less_wall_us = shift_us;
    const Finding finding = gateway::apply(message, record);
    const bool cut = message.cut && finding == Finding::outcome_without_intent;
    report(cut ? Finding::none : finding, id);
    if (message.settled_with_cause()) unproven_.erase(open);
    if constexpr (std::is_same_v<Record, record::Settled>) ++conservation_.settled;
    return;
  }
  if constexpr (std::is_same_v<Record, record::Settled>) {
    ++conservation_.settled;
    report(Finding::settled_twice, id);
  } else if constexpr (!kFromCarrier<Record>) {
    const bool late = std::is_same_v<Record, record::Intent> &&
                      ended_after(id, saturated_sum(record.wall_us, shift_us));
    if (!late) report(Finding::after_settled, id);
  }
}

// Settled, and nothing here says why. The receipt of a relayed message may lie before what begins
// it, in a segment that went once it was settled.
bool Recovery::wants_cause(const LiveMessage& message) {
  const bool relayed = (message.attempt & record::kRelayed) != 0;
  return message.known() && !message.settled_with_cause() && !(message.cut && relayed);
}

void Recovery::settle(MessageId id, LiveMessage& message, std::int64_t line_us) {
  settled_.add(id);
  const bool known = message.known();
  ++(known ? conservation_.settled : conservation_.earlier);
  if (!known && whole_) report(Finding::settled_unknown, id);
  over(id, message, {{}, at_.stream, line_us});
}

// `unproven`: all but the message.
void Recovery::over(MessageId id, LiveMessage& message, Unproven unproven) {
  if (message.notice_from == LiveMessage::Source::ended) {
    if (ended_.size() == kEnded) ended_.pop_front();
    ended_.emplace_back(id, message.notice_line_us);
  }
  if (wants_cause(message)) {
    unproven.message = std::move(message);
    unproven_.emplace(id, std::move(unproven));
  }
  overtaken_.erase(id);
  messages_.erase(id);
}

// A relayed message that nothing is due of has no other record: it is nobody's but its detail
// record's.
void Recovery::on(const record::Settled& record) {
  if (record.how != record::How::relayed) return on<record::Settled>(record);
  MessageId& highest = highest_[home_of(record.message)];
  highest = std::max(highest, record.message);
}

void Recovery::on(const record::Ids& record) {
  MessageId& highest = highest_[home_of(record.message)];
  highest = std::max(highest, record.message);
}

void Recovery::on(const record::Clock& record) {
  timeline_.clock(at_.stream, {record.boot, record.mono_us, record.wall_us});
}

// A journal holds none.
void Recovery::on(const record::Chunk&) {
  report(Finding::malformed, 0);
}

void Recovery::on(const record::Spilled& record) {
  highest_chunk_ = std::max(highest_chunk_, record.chunk);
  if (record.messages.empty()) return;  // says how far the chunks' numbers are
  if (!loaded_chunks_.contains(record.chunk)) {
    spilled_chunks_[record.chunk] = static_cast<std::uint32_t>(record.messages.size() / 8);
  }
  for (std::size_t at = 0; at < record.messages.size(); at += 8) {
    MessageId id = 0;
    for (std::size_t i = 8; i-- > 0;) id = id << 8 | record.messages[at + i];
    spill(id);
  }
}

// As settled: what the carrier's home says of it may be yet to come.
void Recovery::spill(MessageId id) {
  MessageId& highest = highest_[home_of(id)];
  highest = std::max(highest, id);
  if (!settled_.add(id)) return report(Finding::settled_twice, id);
  const auto at = messages_.find(id);
  const bool known = at != messages_.end() && at->second.known();
  ++(known ? conservation_.spilled : conservation_.earlier);
  if (!known && whole_) report(Finding::settled_unknown, id);
  if (at == messages_.end()) return;
  LiveMessage& message = at->second;
  gateway::apply(message, record::Settled{id, 0, record::How::told, {}});
  over(id, message, {});
}

void Recovery::on(const record::Loaded& record) {
  highest_chunk_ = std::max(highest_chunk_, record.chunk);
  spilled_chunks_.erase(record.chunk);
  if (!loaded_chunks_.add(record.chunk)) return;
  const std::int64_t shift_us = timeline_.shift_us(at_.stream, record.wall_us);
  record::for_each_loaded(record.messages, [&](proto::Octets octets) {
    record::Carried carried;
    if (!record::decode_either(octets, carried)) return report(Finding::malformed, 0);
    load(carried, shift_us);
  });
}

void Recovery::load(const record::Carried& record, std::int64_t shift_us) {
  const MessageId id = record.accepted.message;
  MessageId& highest = highest_[home_of(id)];
  highest = std::max(highest, id);
  settled_.remove(id);
  unproven_.erase(id);
  LiveMessage& message = messages_[id];
  if (!message.known()) ++conservation_.loaded;
  message.line_less_wall_us = shift_us;
  report(gateway::apply(message, record), id);
}

void Recovery::on(const record::Parked& record) {
  auto park = parks_.find(record.carrier);
  if (park == parks_.end()) park = parks_.emplace(record.carrier, Park{}).first;
  if (park->second.gone.contains(record.number)) return;
  Parked& parked = park->second.receipts[record.number];
  parked.carrier_message_id = record.carrier_message_id;
  parked.pdu.assign(record.pdu.begin(), record.pdu.end());
  parked.line_us = saturated_sum(record.wall_us, timeline_.shift_us(at_.stream, record.wall_us));
}

void Recovery::on(const record::Unparked& record) {
  const auto park = parks_.find(record.carrier);
  const bool there = park != parks_.end() && park->second.receipts.erase(record.number) != 0;
  if (there) {
    park->second.gone.add(record.number);
    return;
  }
  const bool again = park != parks_.end() && park->second.gone.contains(record.number);
  if (!again && whole_) report(Finding::unparked_unknown, 0);
}

void Recovery::judge_end(MessageId id, const LiveMessage& message) {
  const bool moved_on = message.fate != LiveMessage::Fate::in_flight || message.told();
  if (message.overtaken != 0 && (moved_on || message.settled)) {
    report(Finding::second_submit, id);
  } else if (message.settled && !message.settled_with_cause()) {
    report(Finding::settled_without_cause, id);
  }
}

bool Recovery::ended_after(MessageId id, std::int64_t line_us) const {
  return std::any_of(ended_.begin(), ended_.end(),
                     [=](const auto& one) { return one.first == id && line_us <= one.second; });
}

void Recovery::note_time(std::int64_t line_us) {
  std::int64_t& last = lines_[at_.stream];
  clock_back_ = clock_back_ || line_us < last;
  last = line_us;
}

void Recovery::note_overtaken(MessageId id, const LiveMessage& message, std::int64_t line_us) {
  if (message.overtaken == 0) {
    overtaken_.erase(id);
  } else {
    overtaken_.emplace(id, line_us);
  }
}

// What another stream said before this time may have been cut from it by the end of the run: it
// has nothing that is later.
bool Recovery::may_be_cut(unsigned stream, std::int64_t line_us) const {
  if (lines_.size() < 2) return false;
  if (clock_back_) return true;
  for (unsigned s = 0; s < lines_.size(); ++s) {
    if (s != stream && lines_[s] <= line_us) return true;
  }
  return false;
}

void Recovery::run_ends() {
  absl::erase_if(unproven_, [this](const auto& one) {
    return may_be_cut(one.second.stream, one.second.line_us);
  });
  for (const auto& [id, line_us] : overtaken_) {
    const auto message = messages_.find(id);
    if (message != messages_.end() && may_be_cut(kNoStream, line_us)) message->second.overtaken = 0;
  }
  overtaken_.clear();
  lines_.clear();
  clock_back_ = false;
}

void Recovery::finish() {
  at_ = {};
  run_ends();
  for (const auto& [id, one] : unproven_) judge_end(id, one.message);
  unproven_.clear();
  for (auto it = messages_.begin(); it != messages_.end();) {
    const auto at = it++;
    const LiveMessage& message = at->second;
    judge_end(at->first, message);
    if (message.known()) {
      ++conservation_.live[static_cast<std::size_t>(message.stage())];
      continue;
    }
    ++orphans_;
    // An accepted record is durable before a carrier can have answered.
    const bool answered =
        message.fate == LiveMessage::Fate::sent || message.notice_from != LiveMessage::Source::none;
    const bool relayed = (message.attempt & record::kRelayed) != 0;
    if (answered && whole_ && !relayed) report(Finding::unknown_message, at->first);
    messages_.erase(at);
  }
  if (!conservation_.holds()) report(Finding::conservation, 0);
}

const LiveMessage* Recovery::find(MessageId id) const {
  const auto message = messages_.find(id);
  return message == messages_.end() || !message->second.known() ? nullptr : &message->second;
}

std::int64_t Recovery::mono_less_wall_us(const core::ClockPair& written) const {
  return timeline_.mono_less_wall_us(written);
}

void Recovery::drain(const std::function<void(const Restored&)>& f) {
  std::vector<MessageId> ids;
  ids.reserve(messages_.size());
  for (const auto& [id, message] : messages_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const MessageId id : ids) {
    const auto at = messages_.find(id);
    const LiveMessage& message = at->second;
    Restored restored;
    if (message.accepted_record(restored.accepted)) {
      restored.id = id;
      restored.stage = message.stage();
      restored.attempt = message.attempt;
      restored.carrier = message.carrier;
      restored.carrier_message_id = message.carrier_message_id;
      restored.status = message.status;
      restored.follows = message.follows;
      restored.carried_told = message.notice_from == LiveMessage::Source::carried;
      restored.has_notice = message.notice_from != LiveMessage::Source::none;
      restored.notice = message.notice;
      restored.notice.error = message.notice_error;
      message.course(restored.course);
      restored.carried_awaiting = message.carried_awaiting;
      const auto mono_us = [&](std::int64_t wall_us) {
        return timeline_.mono_us(saturated_sum(wall_us, message.begun_line_less_us));
      };
      restored.accepted_us = mono_us(restored.accepted.wall_us);
      restored.deadline_us = mono_us(restored.accepted.deadline_wall_us);
      restored.since_us = timeline_.mono_us(message.since_line_us);
      f(restored);
    }
    messages_.erase(at);
  }
}

void Recovery::for_each_parked(const std::function<void(const ParkedReceipt&)>& f) const {
  for (const auto& [carrier, park] : parks_) {
    for (const auto& [number, parked] : park.receipts) {
      f({carrier, number, parked.carrier_message_id, parked.pdu,
         timeline_.mono_us(parked.line_us)});
    }
  }
}

std::uint64_t Recovery::parked() const {
  std::uint64_t count = 0;
  for (const auto& [carrier, park] : parks_) count += park.receipts.size();
  return count;
}

std::string unread_sentence(const core::Storage& storage, const Recovery::Unread& unread) {
  if (unread.count == 0) return {};
  std::array<char, 16> type{};
  std::snprintf(type.data(), type.size(), "0x%04x", static_cast<unsigned>(unread.type));
  const std::string_view name = record::type_name(unread.type);
  std::string what = "at octet " + std::to_string(unread.offset) + " a record of type " +
                     type.data() + (name.empty() ? "" : " (" + std::string(name) + ")") +
                     (name.empty() ? "" : " with a layout");
  if (unread.count > 1) what += ", and " + std::to_string(unread.count - 1) + " more like it,";
  return "journal: " + storage.place(core::journal::segment_name(unread.segment)) +
         core::newer_layout(what);
}

tl::expected<core::JournalReport, std::string> recover(core::Storage& storage, Recovery& recovery,
                                                       const RecoveryOptions& options) {
  core::JournalReadOptions reading;
  reading.quarantine = options.quarantine;
  if (options.progress) {
    reading.progress = [&](std::uint64_t read, std::uint64_t of) {
      options.progress({read, of, recovery.records(), recovery.live()});
    };
  }
  auto report = core::read_journal(
      storage,
      [&](const core::JournalRecord& record) {
        recovery.apply(record);
        if (options.dead_letters != nullptr) options.dead_letters->note(record);
        if (options.details != nullptr) options.details->note(record);
      },
      reading);
  if (report) recovery.finish();
  return report;
}

}  // namespace tollgate::gateway
