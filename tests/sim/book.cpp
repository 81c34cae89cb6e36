#include "tests/sim/book.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "tests/sim/plan.h"

namespace tollgate::sim {

using proto::Status;

std::string error_of(Tag tag) {
  static constexpr char kDigits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return {kDigits[10 + tag / 1296 % 26], kDigits[tag / 36 % 36], kDigits[tag % 36]};
}

Tag Book::asked(unsigned client, std::string number, std::uint8_t registered_delivery) {
  Story story;
  story.client = client;
  story.first = static_cast<Tag>(stories_.size());
  story.number = std::move(number);
  story.registered_delivery = registered_delivery;
  story.life = ground_.life;
  story.at_us = ground_.us();
  stories_.push_back(std::move(story));
  return static_cast<Tag>(stories_.size() - 1);
}

Tag Book::asked_too(Tag first, std::string number) {
  const Tag tag =
      asked(stories_[first].client, std::move(number), stories_[first].registered_delivery);
  stories_[tag].first = first;
  return tag;
}

Tag Book::last_of(Tag first) const {
  Tag last = first;
  while (known(last + 1) && stories_[last + 1].first == first) ++last;
  return last;
}

Tag Book::of(Tag first, std::string_view number) const {
  for (Tag tag = first; tag <= last_of(first); ++tag) {
    if (stories_[tag].number == number) return tag;
  }
  return first;
}

void Book::answered(Tag tag, Status status, std::string_view id, unsigned place) {
  Story& story = stories_[tag];
  if (story.answered) return wrong("a submit_sm has two responses", tag);
  story.answered = true;
  story.status = status;
  if (status != Status::ESME_ROK) return;
  ++accepted;
  story.id = id;
  const std::size_t digits = story.id.size();
  const std::uint64_t own = std::stoull(story.id, nullptr, 16) + place;
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(own));
  story.own_id = std::string_view(text).substr(16 - std::min<std::size_t>(digits, 16));
  const auto [named, is_new] = ids_.emplace(Id(story.client, story.id), story.first);
  if (!is_new && named->second != story.first) wrong("two messages have one id", tag);
}

std::size_t Book::submitted(Tag tag, unsigned carrier, std::string_view number) {
  Story& story = stories_[tag];
  if (story.number != number) wrong("submitted to another number", tag);
  if (story.answered && story.status != Status::ESME_ROK) {
    wrong("submitted although its client was refused", tag);
  }
  for (const Submitted& one : story.submits) {
    if (one.answered && one.status != Status::ESME_ROK) continue;
    if (!resends[one.carrier]) wrong("P3: submitted a second time", tag);
    if (!may_resend(one)) wrong("P3: submitted again, and the first was not in doubt", tag);
  }
  if (story.submits.empty() && !one_carrier) {
    lanes_[{story.client, story.number, carrier, story.life}].push_back(tag);
  }
  Submitted submit;
  submit.carrier = carrier;
  submit.life = ground_.life;
  submit.at_us = ground_.us();
  story.submits.push_back(submit);
  return story.submits.size() - 1;
}

void Book::taken(Tag tag, unsigned carrier) {
  Story& story = stories_[tag];
  if (!one_carrier || std::exchange(story.taken, true)) return;
  // A refusal that was not read leaves it in doubt: it may go again whenever that ends.
  const bool in_doubt =
      std::any_of(story.submits.begin(), story.submits.end() - 1,
                  [](const Submitted& submit) { return submit.consumed_us == kNever; });
  if (!in_doubt) lanes_[{story.client, story.number, carrier, 0}].push_back(tag);
}

void Book::responded(Tag tag, std::size_t submit, Status status) {
  stories_[tag].submits[submit].answered = true;
  stories_[tag].submits[submit].status = status;
}

void Book::consumed(Tag tag, std::size_t submit) {
  stories_[tag].submits[submit].consumed_us = ground_.us();
  stories_[tag].submits[submit].consumed_life = ground_.life;
}

void Book::state_is(Tag tag, proto::MessageState state) {
  if (stories_[tag].state == proto::MessageState::unknown) stories_[tag].state = state;
}

void Book::acknowledged(Tag tag, std::size_t submit, std::int64_t read_us) {
  ++receipts;
  stories_[tag].acknowledged.push_back({submit, ground_.us(), read_us, ground_.life});
}

void Book::told(unsigned client, std::string_view id, std::string_view from,
                proto::MessageState state, std::string_view error, bool intermediate, bool taken) {
  Unnamed one;
  one.client = client;
  one.id = id;
  one.from = from;
  one.error = error;
  one.told = {ground_.us(), state, !error.empty() && error[0] >= 'A' && error[0] <= 'Z',
              !intermediate, taken};
  const auto found = ids_.find({client, one.id});
  if (found == ids_.end()) {
    unnamed_.push_back(std::move(one));
  } else {
    tell(of(found->second, one.from), one);
  }
}

void Book::tell(Tag tag, const Unnamed& one) {
  Story& story = stories_[tag];
  if (one.from != story.number) wrong("P4: told of another number", tag);
  const bool state_wrong = one.told.last && one.told.from_carrier && one.told.state != story.state;
  if (one.told.from_carrier && (one.error != error_of(tag) || state_wrong)) {
    wrong("P4: told what the carrier said of another message, " + one.error, tag);
  }
  if (one.told.last && !one.told.from_carrier && story.told.empty()) ++told_by_us;
  story.told.push_back(one.told);
}

// The gateway knew this submit's id when it read the receipt, or knew it for long enough
// afterwards. A receipt that it read first is parked, which is durable before it is acknowledged;
// whose it is dies with the gateway as long as the response's record is not durable.
bool Book::safe(const Submitted& submit, const Acknowledged& acknowledged) const {
  if (!in_time(submit)) return false;
  if (acknowledged.life == submit.life && acknowledged.read_us > submit.consumed_us) return true;
  return kept(submit);
}

// The gateway has surely read the response before its time-out, in the same life.
bool Book::in_time(const Submitted& submit) const {
  return submit.consumed_us != kNever && submit.consumed_us - submit.at_us <= kSurelyInTimeUs &&
         submit.consumed_life == submit.life;
}

// And what it read has surely become durable, or has it in its memory.
bool Book::kept(const Submitted& submit) const {
  const std::int64_t life_us =
      submit.life <= lives_end_us_.size() ? lives_end_us_[submit.life - 1] : kNever;
  return life_us == kNever || life_us - submit.consumed_us > kDurableUs;
}

bool Book::may_resend(const Submitted& submit) const {
  return !in_time(submit) || !kept(submit);
}

void Book::check_receipts(Tag tag) {
  const Story& story = stories_[tag];
  const unsigned wants = story.registered_delivery & 3U;
  const auto last = std::find_if(story.told.begin(), story.told.end(),
                                 [](const Told& one) { return one.last && one.taken; });
  const bool told = last != story.told.end();
  if (wants == 1 && !told) return wrong("P4: never told how it ended", tag);
  if (story.acknowledged.empty()) return;
  const bool wanted = wants == 1 || (wants == 2 && story.state != proto::MessageState::delivered);
  if (!wanted) return;
  const bool by_carrier = std::any_of(story.told.begin(), story.told.end(), [](const Told& one) {
    return one.last && one.taken && one.from_carrier;
  });
  if (by_carrier) return;
  for (const Acknowledged& one : story.acknowledged) {
    const Submitted& submit = story.submits[one.submit];
    const bool answered = submit.answered && submit.status == Status::ESME_ROK;
    if (answered && safe(submit, one)) {
      return wrong("P4: its receipt was acknowledged and never told", tag);
    }
  }
  ++doubtful;
  const bool parked = std::all_of(story.acknowledged.begin(), story.acknowledged.end(),
                                  [&](const auto& one) { return one.at_us >= unparked_us; });
  if (letters && !parked && !dead_.contains(error_of(tag)) && !dead_.contains(story.own_id)) {
    wrong("P4: its receipt was acknowledged, never told, and is no dead letter", tag);
  }
}

// What its client was told is what a carrier said, if that was read in time.
void Book::check_relayed(Tag tag) {
  const Story& story = stories_[tag];
  if (!story.answered) return;
  const auto taken = [&](const Submitted& one) {
    return one.answered && one.status == Status::ESME_ROK;
  };
  const auto surely = [&](const Submitted& one) {
    return taken(one) && one.consumed_us != kNever && one.consumed_life == one.life &&
           one.consumed_us - one.at_us <= kSurelyInTimeUs;
  };
  const auto& all = story.submits;
  if (story.accepted() && std::none_of(all.begin(), all.end(), taken)) {
    return wrong("relay: accepted, and no carrier has it", tag);
  }
  if (!story.accepted() && std::any_of(all.begin(), all.end(), surely)) {
    wrong("relay: refused, and a carrier has it", tag);
  }
}

void Book::check(Tag tag) {
  const Story& story = stories_[tag];
  if (relayed[story.client]) check_relayed(tag);
  if (story.answered && !story.accepted() && !story.submits.empty() && !relayed[story.client]) {
    return wrong("submitted although its client was refused", tag);
  }
  if (!story.accepted()) return;
  check_receipts(tag);
  if (!story.submits.empty() || !story.told.empty()) return;
  // Without a receipt only a submit shows that it was not lost. One whose intent was durable when
  // the gateway died, or whose octets were on a link that broke, is in doubt and silent.
  const bool may_be_in_doubt = (story.registered_delivery & 1U) == 0 &&
                               std::any_of(losses_us_.begin(), losses_us_.end(),
                                           [&](std::int64_t us) { return us >= story.at_us; });
  if (!may_be_in_doubt) wrong("P1: accepted and never seen again", tag);
}

bool Book::changed_between(std::int64_t from_us, std::int64_t to_us) const {
  const auto at = std::lower_bound(changes_us_.begin(), changes_us_.end(), from_us);
  return at != changes_us_.end() && *at <= to_us;
}

// Accepted before it. The ids of 3.3 sessions are the low half of the others': they turn over in 18
// minutes of the clock where the ids begin, and less is known of messages further apart.
bool Book::older(const Story& story, const Story& other) const {
  if (story.id.size() == 16 && other.id.size() == 16) return story.id < other.id;
  if (std::abs(story.at_us - other.at_us) > 2 * kMinute || story.life != other.life) return false;
  const auto low = [](const std::string& id) {
    return static_cast<std::uint32_t>(std::stoull(id, nullptr, 16));
  };
  return static_cast<std::int32_t>(low(story.id) - low(other.id)) < 0;
}

void Book::check_order() {
  for (const auto& [lane, tags] : lanes_) {
    Tag before = 0;
    const Story* last = nullptr;
    for (const Tag tag : tags) {
      const Story& story = stories_[tag];
      if (!story.accepted()) continue;
      if (last != nullptr && older(story, *last) &&
          (one_carrier || !changed_between(story.at_us, story.submits.front().at_us))) {
        return wrong("P5: came to carrier " + std::to_string(lane.carrier) + " behind message " +
                         std::to_string(before) + ", which was accepted later",
                     tag);
      }
      before = tag;
      last = &story;
    }
  }
}

void Book::dead(std::string_view error, std::string_view id) {
  if (!error.empty()) dead_.emplace(error);
  if (id.empty()) return;
  dead_.emplace(id);
  dead_.emplace(id.substr(8));  // of a 3.3 session
}

void Book::check_end() {
  for (const Unnamed& one : unnamed_) {
    const auto found = ids_.find({one.client, one.id});
    if (found != ids_.end()) tell(of(found->second, one.from), one);
  }
  for (Tag tag = 0; tag < stories_.size(); ++tag) check(tag);
  if (ordered) check_order();
}

void Book::wrong(std::string sentence, Tag tag) {
  if (!fault_.empty()) return;
  fault_ = std::move(sentence);
  fault_of_ = tag;
  if (known(tag)) fault_ += "\n" + tell(tag);
  ground_.note("WRONG", tag, 0, fault_);
}

std::string Book::tell(Tag tag) const {
  const Story& story = stories_[tag];
  std::ostringstream out;
  const auto time = [&](std::int64_t us) {
    if (us == kNever) return std::string("never");
    return std::to_string(static_cast<double>(us) * 1e-6);
  };
  out << "  message " << tag << " of client " << story.client << " to " << story.number
      << " registered_delivery " << unsigned{story.registered_delivery} << " life " << story.life
      << " at " << time(story.at_us) << ": "
      << (story.answered ? std::string(proto::status_name(story.status)) : "no response") << " "
      << story.id << "\n";
  for (const Submitted& one : story.submits) {
    out << "    submit_sm to carrier " << one.carrier << " life " << one.life << " at "
        << time(one.at_us) << ": "
        << (one.answered ? std::string(proto::status_name(one.status)) : "no response")
        << ", read at " << time(one.consumed_us) << " in life " << one.consumed_life << "\n";
  }
  for (const Acknowledged& one : story.acknowledged) {
    out << "    receipt acknowledged life " << one.life << " at " << time(one.at_us) << "\n";
  }
  for (const Told& one : story.told) {
    out << "    told " << proto::message_state_name(one.state) << (one.last ? " last" : "")
        << (one.from_carrier ? " by the carrier" : " by us") << (one.taken ? " taken" : "")
        << " at " << time(one.at_us) << "\n";
  }
  return out.str();
}

}  // namespace tollgate::sim
