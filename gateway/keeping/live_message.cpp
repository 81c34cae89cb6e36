#include "gateway/keeping/live_message.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "core/check.h"
#include "gateway/keeping/timeline.h"

namespace tollgate::gateway {

namespace record = proto::record;
using Fate = LiveMessage::Fate;
using Source = LiveMessage::Source;

namespace {

struct FindingWords {
  std::string_view name;
  std::string_view text;
};
constexpr std::array<FindingWords, kFindings> kWords = {{
    {"none", "nothing"},
    {"malformed", "the payload is no record of its type"},
    {"unknown_type", "no record of this version has this type number"},
    {"accepted_twice", "the message is accepted a second time"},
    {"settled_twice", "the message is settled a second time"},
    {"settled_unknown", "the message is settled and was never accepted"},
    {"settled_without_cause", "the message is settled and nothing says why"},
    {"after_settled", "the message goes on after it was settled"},
    {"intent_after_end", "the message is sent after its client was to be told that it is over"},
    {"second_submit", "the message is sent again while an earlier attempt could still succeed"},
    {"outcome_without_intent", "an attempt has an outcome and no intent"},
    {"two_outcomes", "one attempt has two outcomes"},
    {"receipt_without_submit", "a receipt for a message that was never sent"},
    {"unknown_message", "a carrier speaks of a message that was never accepted"},
    {"unparked_unknown", "a receipt is taken out of the park that was never put in"},
    {"conservation", "accepted is not settled + live"},
}};

std::int64_t line_us(const LiveMessage& message, std::int64_t wall_us) {
  return saturated_sum(wall_us, message.line_less_wall_us);
}

void drop_body(LiveMessage& message) {
  if (message.accepted.size() <= message.head_length) return;
  message.accepted.resize(message.head_length);
  message.accepted.shrink_to_fit();
}

void keep(LiveMessage& message, const record::Accepted& accepted) {
  std::array<std::uint8_t, record::kHeadMax> head;
  const std::size_t length = record::encode(accepted, head);
  TOLLGATE_CHECK(length != 0, "what was decoded can be encoded");
  const bool needed = message.fate != Fate::sent && !message.told() && !message.settled;
  const proto::Octets body = needed ? accepted.body : proto::Octets();
  std::vector<std::uint8_t> kept;
  kept.reserve(length + body.size());
  kept.assign(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(length));
  kept.insert(kept.end(), body.begin(), body.end());
  message.accepted = std::move(kept);
  message.head_length = static_cast<std::uint16_t>(length);
  message.decided = accepted.decision.known;
  message.accepted_wall_us = accepted.wall_us;
  message.begun_line_less_us = message.line_less_wall_us;
}

constexpr std::size_t kTriedMax = 16;

// sent says more than a refusal, that more than in doubt.
int weight(record::TryEnd end) {
  return end == record::TryEnd::sent ? 2 : end == record::TryEnd::in_doubt ? 0 : 1;
}

void tried(LiveMessage& message, LiveMessage::Tried one) {
  auto& tries = message.tries;
  const auto at = std::lower_bound(
      tries.begin(), tries.end(), one.attempt,
      [](const LiveMessage::Tried& a, std::uint16_t attempt) { return a.attempt < attempt; });
  if (at != tries.end() && at->attempt == one.attempt) {
    if (weight(one.end) > weight(at->end)) *at = std::move(one);
    return;
  }
  ++message.try_count;
  message.doubted = message.doubted || one.end == record::TryEnd::in_doubt;
  tries.insert(at, std::move(one));
  if (tries.size() > kTriedMax) tries.erase(tries.begin() + record::kTriesMax);
}

record::TryEnd end_of(const record::Refused& record) {
  const bool handed_back = record.status == proto::Status::ESME_ROK;
  switch (record.follows) {
    case record::Follows::next:
      return record::TryEnd::next;
    case record::Follows::again:
      return handed_back ? record::TryEnd::down : record::TryEnd::later;
    case record::Follows::rejected:
      return record::TryEnd::refused;
    case record::Follows::expired:
      break;
  }
  return record::TryEnd::expired;
}

// What a carried record tells of attempts whose own records may be gone.
void merge(LiveMessage& message, const record::Course& course) {
  const std::size_t known = message.tries.size();
  for (std::size_t i = 0; i < course.tries_kept; ++i) {
    const record::Try& one = course.tries[i];
    tried(message,
          {one.attempt, one.end, one.status,
           message.accepted_wall_us + std::int64_t{one.after_ms} * 1000, std::string(one.carrier)});
  }
  if (known == 0) message.try_count = std::max(message.try_count, course.try_count);
  message.resends = std::max(message.resends, course.resends);
  message.doubted = message.doubted || course.in_doubt;
  if (message.sent_wall_us == 0) message.sent_wall_us = course.sent_wall_us;
  if (message.receipt_wall_us == 0) message.receipt_wall_us = course.receipt_wall_us;
}

struct Attempt {
  std::uint16_t number;
  std::int64_t wall_us;
  std::string_view carrier;
};
template <class Record>
Attempt attempt_of(const Record& record) {
  return {record.attempt, record.wall_us, record.carrier};
}

void set(LiveMessage& message, const Attempt& attempt, Fate fate) {
  if (attempt.number != message.attempt) {
    message.carrier_message_id.clear();
    message.carried_awaiting = false;
  }
  message.attempt = attempt.number;
  message.fate = fate;
  message.carrier = attempt.carrier;
  if (!message.told()) message.since_line_us = line_us(message, attempt.wall_us);
  if (fate == Fate::sent) drop_body(message);
}

// A later attempt has come while this one is open. Its outcome may only lie further on.
void overtake(LiveMessage& message) {
  if (message.fate == Fate::in_flight && message.overtaken == 0) {
    message.overtaken = message.attempt;
  }
}

// `taken`: the outcome is that of the message's last attempt now.
struct Outcome {
  Finding finding = Finding::none;
  bool taken = false;
};

Outcome outcome(LiveMessage& message, const Attempt& attempt, Fate fate, bool never_left) {
  if (attempt.number == 0) return {Finding::outcome_without_intent, false};
  if (attempt.number < message.attempt) {
    if (attempt.number != message.overtaken) return {};
    message.overtaken = 0;
    return {fate == Fate::sent ? Finding::second_submit : Finding::none, false};
  }
  if (attempt.number > message.attempt) {
    const Finding finding = never_left ? Finding::none : Finding::outcome_without_intent;
    if (message.fate == Fate::sent) return {finding, false};
    overtake(message);
    set(message, attempt, fate);
    return {finding, true};
  }
  if (message.fate == fate) return {Finding::none, true};
  const bool open = message.fate == Fate::in_flight || message.fate == Fate::in_doubt ||
                    message.fate == Fate::none;
  const bool better = open || fate == Fate::sent;
  if (better) set(message, attempt, fate);
  return {open ? Finding::none : Finding::two_outcomes, better};
}

// The best word wins, of intermediate ones the newest.
void notice(LiveMessage& message, const record::Notice& notice, Source from, std::int64_t line_us) {
  const bool newer =
      from > message.notice_from || (from == message.notice_from && from == Source::intermediate &&
                                     line_us >= message.notice_line_us);
  if (!newer) return;
  message.notice = notice;
  message.notice.error = {};
  message.notice_error = notice.error;
  message.notice_line_us = line_us;
  message.notice_from = from;
  if (!message.told()) return;
  message.since_line_us = line_us;
  drop_body(message);
}

}  // namespace

std::string_view live_stage_name(LiveStage stage) {
  constexpr std::array<std::string_view, kLiveStages> kNames = {"queued",   "refused",  "in_flight",
                                                                "in_doubt", "awaiting", "told"};
  return kNames[static_cast<std::size_t>(stage)];
}

std::string_view finding_name(Finding finding) {
  return kWords[static_cast<std::size_t>(finding)].name;
}

std::string_view finding_text(Finding finding) {
  return kWords[static_cast<std::size_t>(finding)].text;
}

LiveStage LiveMessage::stage() const {
  if (told()) return LiveStage::told;
  switch (fate) {
    case Fate::none:
      return LiveStage::queued;
    case Fate::in_flight:
      return LiveStage::in_flight;
    case Fate::in_doubt:
      return LiveStage::in_doubt;
    case Fate::sent:
      return LiveStage::awaiting;
    case Fate::refused:
      break;
  }
  return follows == record::Follows::rejected || follows == record::Follows::expired
             ? LiveStage::refused
             : LiveStage::queued;
}

bool LiveMessage::accepted_record(record::Accepted& out) const {
  if (!known()) return false;
  if (!(decided ? record::decode_decided(accepted, out) : record::decode(accepted, out))) {
    return false;
  }
  for (std::size_t i = 0; i < out.candidate_count; ++i) {
    record::Candidate& candidate = out.candidates[i];
    const auto at = std::find(refused_by.begin(), refused_by.end(), candidate.carrier);
    candidate.gone = candidate.gone || at != refused_by.end();
  }
  const auto begin = out.candidates.begin();
  const auto end =
      std::stable_partition(begin, begin + out.candidate_count,
                            [](const record::Candidate& candidate) { return !candidate.gone; });
  if (!decided) out.candidate_count = static_cast<std::uint8_t>(end - begin);
  return true;
}

// Two at one carrier, the first of which it did not take, are one (Particulars::add).
void LiveMessage::course(record::Course& out) const {
  out = record::Course{};
  for (const Tried& one : tries) {
    if (out.tries_kept != 0 && out.tries[out.tries_kept - 1U].end == record::TryEnd::in_doubt) {
      ++out.resends;
    }
    if (out.tries_kept != 0) {
      const record::Try& last = out.tries[out.tries_kept - 1U];
      const bool open = last.end == record::TryEnd::later || last.end == record::TryEnd::down;
      if (open && last.carrier == one.carrier) --out.tries_kept;
    }
    if (out.tries_kept == out.tries.size()) --out.tries_kept;
    const std::int64_t after_ms = std::max<std::int64_t>(one.wall_us - accepted_wall_us, 0) / 1000;
    out.tries[out.tries_kept++] = {one.attempt, one.end, one.status,
                                   static_cast<std::uint32_t>(after_ms), one.carrier};
  }
  out.try_count = try_count;
  out.resends = std::max(out.resends, resends);
  out.in_doubt = doubted;
  out.sent_wall_us = sent_wall_us;
  out.receipt_wall_us = notice_from == Source::ended ? 0 : receipt_wall_us;
  if (told()) {
    out.last = notice;
    out.last.error = notice_error;
  }
}

bool LiveMessage::settled_with_cause() const {
  if (!settled || overtaken != 0) return false;
  return told() || (how == record::How::no_receipt && fate == Fate::sent);
}

Finding apply(LiveMessage& message, const record::Accepted& record) {
  if (message.settled) return Finding::after_settled;
  if (message.known()) return Finding::accepted_twice;
  keep(message, record);
  if (message.fate == Fate::none && !message.told()) {
    message.since_line_us = line_us(message, record.wall_us);
  }
  return Finding::none;
}

Finding apply(LiveMessage& message, const record::Intent& record) {
  if (record.attempt == 0) return Finding::malformed;
  if (record.attempt <= message.attempt) return Finding::none;
  // The carrier's stream may lie behind the client's: what it did before the end is read after it.
  const bool before_end =
      message.told() && line_us(message, record.wall_us) <= message.notice_line_us;
  if (message.settled_with_cause()) return before_end ? Finding::none : Finding::after_settled;
  if (message.fate == Fate::sent) return Finding::second_submit;
  const bool ended = message.notice_from == Source::ended && !before_end;
  overtake(message);
  set(message, attempt_of(record), Fate::in_flight);
  return ended ? Finding::intent_after_end : Finding::none;
}

Finding apply(LiveMessage& message, const record::Sent& record) {
  tried(message, {record.attempt, record::TryEnd::sent, proto::Status::ESME_ROK, record.wall_us,
                  std::string(record.carrier)});
  if (message.sent_wall_us == 0) message.sent_wall_us = record.wall_us;
  const bool relayed = (record.attempt & record::kRelayed) != 0;
  const Outcome result = outcome(message, attempt_of(record), Fate::sent, relayed);
  if (!result.taken || record.carrier_message_id.empty()) return result.finding;
  if (message.carrier_message_id.empty()) message.carrier_message_id = record.carrier_message_id;
  return message.carrier_message_id == record.carrier_message_id ? result.finding
                                                                 : Finding::two_outcomes;
}

Finding apply(LiveMessage& message, const record::Refused& record) {
  tried(message, {record.attempt, end_of(record), record.status, record.wall_us,
                  std::string(record.carrier)});
  if (record.follows == record::Follows::next &&
      std::find(message.refused_by.begin(), message.refused_by.end(), record.carrier) ==
          message.refused_by.end()) {
    message.refused_by.emplace_back(record.carrier);
  }
  if (record.attempt >= message.status_attempt) {
    message.status_attempt = record.attempt;
    message.status = record.status;
  }
  // Handed back before it had an intent: nothing left.
  const bool never_left = record.status == proto::Status::ESME_ROK;
  const Outcome result = outcome(message, attempt_of(record), Fate::refused, never_left);
  if (result.taken) message.follows = record.follows;
  return result.finding;
}

Finding apply(LiveMessage& message, const record::InDoubt& record) {
  tried(message, {record.attempt, record::TryEnd::in_doubt, proto::Status::ESME_ROK, record.wall_us,
                  std::string(record.carrier)});
  return outcome(message, attempt_of(record), Fate::in_doubt, false).finding;
}

Finding apply(LiveMessage& message, const record::Receipt& record) {
  const Source from = record.notice.intermediate ? Source::intermediate : Source::receipt;
  notice(message, record.notice, from, line_us(message, record.wall_us));
  if (!record.notice.intermediate && message.receipt_wall_us == 0) {
    message.receipt_wall_us = record.wall_us;
  }
  return message.attempt == 0 ? Finding::receipt_without_submit : Finding::none;
}

Finding apply(LiveMessage& message, const record::Ended& record) {
  if (message.settled) return Finding::after_settled;
  notice(message, record.notice, Source::ended, line_us(message, record.wall_us));
  return Finding::none;
}

Finding apply(LiveMessage& message, const record::Settled& record) {
  if (message.settled) return Finding::settled_twice;
  message.settled = true;
  message.how = record.how;
  drop_body(message);
  return Finding::none;
}

Finding apply(LiveMessage& message, const record::Carried& record) {
  if (message.settled) return Finding::after_settled;
  if (record.stage == record::Stage::told) {
    notice(message, record.notice, Source::carried, line_us(message, record.wall_us));
  } else if (record.notice.done_wall_us != 0 && message.notice_from == Source::none) {
    // Any receipt's own record is newer.
    notice(message, record.notice, Source::intermediate, std::numeric_limits<std::int64_t>::min());
  }
  Fate fate = Fate::none;
  if (record.stage == record::Stage::awaiting) fate = Fate::sent;
  if (record.stage == record::Stage::in_doubt) fate = Fate::in_doubt;
  if (record.stage == record::Stage::queued && record.attempt != 0) fate = Fate::refused;
  const bool newer = record.attempt > message.attempt ||
                     (record.attempt == message.attempt && fate > message.fate);
  if (newer) {
    set(message, attempt_of(record), fate);
    if (fate == Fate::refused) message.follows = record::Follows::again;
  }
  if (record.attempt >= message.status_attempt && record.status != proto::Status::ESME_ROK) {
    message.status_attempt = record.attempt;
    message.status = record.status;
  }
  const bool same = record.attempt == message.attempt && message.fate == Fate::sent;
  if (same && message.carrier_message_id.empty()) {
    message.carrier_message_id = record.carrier_message_id;
  }
  message.carried_awaiting = same && record.stage == record::Stage::awaiting;
  keep(message, record.accepted);
  merge(message, record.course);
  return Finding::none;
}

}  // namespace tollgate::gateway
