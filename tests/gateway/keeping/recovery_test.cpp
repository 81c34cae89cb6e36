#include "gateway/keeping/recovery.h"

#include <algorithm>
#include <ctime>
#include <map>

#include <catch2/catch.hpp>

#include "tests/gateway/keeping/journal_story.h"

using namespace tollgate;
using namespace tollgate::gateway;
using proto::record::Follows;
using proto::record::How;
using proto::record::Type;
using test::Event;
using test::Story;
using test::Teller;
using RecordStage = proto::record::Stage;

namespace {

// A live message as words: what a difference is shown by.
struct Shown {
  std::string stage, carrier, id, status, notice, candidates, body;
  unsigned attempt = 0;
  bool operator==(const Shown&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Shown& shown) {
  return out << shown.stage << " attempt " << shown.attempt << " by " << shown.carrier << " id "
             << shown.id << " status " << shown.status << " notice " << shown.notice << " of "
             << shown.candidates << " body " << shown.body;
}

std::string notice_text(const proto::record::Notice& notice, std::string_view error) {
  return std::string(proto::message_state_name(notice.state)) + (notice.intermediate ? "~" : "") +
         "/" + std::string(error) + "/" + std::to_string(notice.done_wall_us);
}

Shown shown(const Restored& restored) {
  Shown out;
  out.stage = live_stage_name(restored.stage);
  out.attempt = restored.attempt;
  out.carrier = restored.carrier;
  if (restored.stage == LiveStage::awaiting) out.id = restored.carrier_message_id;
  out.status = std::to_string(static_cast<unsigned>(restored.status));
  if (restored.has_notice) out.notice = notice_text(restored.notice, restored.notice.error);
  for (std::size_t i = 0; i < restored.accepted.candidate_count; ++i) {
    out.candidates += std::string(restored.accepted.candidates[i].carrier) + " ";
  }
  out.body = proto::as_text(restored.accepted.body);
  return out;
}

// The obvious model: keeps every record of every message and reads them all for each question.
class Model {
 public:
  void add(const Event& event) { events_[event.message].push_back(event); }

  std::map<std::uint64_t, Shown> live() const {
    std::map<std::uint64_t, Shown> all;
    for (const auto& [id, events] : events_) {
      if (!any(events, Type::settled) &&
          (any(events, Type::accepted) || any(events, Type::carried)))
        all[id] = show(events);
    }
    return all;
  }
  std::uint64_t orphans() const {
    return static_cast<std::uint64_t>(std::count_if(events_.begin(), events_.end(), [](auto& one) {
      return !any(one.second, Type::settled) && !any(one.second, Type::accepted) &&
             !any(one.second, Type::carried);
    }));
  }
  std::uint64_t begun() const {
    return static_cast<std::uint64_t>(std::count_if(events_.begin(), events_.end(), [](auto& one) {
      return any(one.second, Type::accepted) || any(one.second, Type::carried);
    }));
  }

 private:
  static bool any(const Story& events, Type type) {
    return std::any_of(events.begin(), events.end(),
                       [&](const Event& event) { return event.type == type; });
  }
  static const Event* find(const Story& events, Type type, unsigned attempt) {
    for (const Event& event : events) {
      if (event.type == type && event.attempt == attempt) return &event;
    }
    return nullptr;
  }
  static const Event* carried(const Story& events, RecordStage stage, unsigned attempt) {
    for (const Event& event : events) {
      if (event.type == Type::carried && event.stage == stage && event.attempt == attempt)
        return &event;
    }
    return nullptr;
  }

  static unsigned last_attempt(const Story& events) {
    unsigned attempt = 0;
    for (const Event& event : events) {
      const bool counts = event.type == Type::intent || event.type == Type::sent ||
                          event.type == Type::refused || event.type == Type::in_doubt ||
                          event.type == Type::carried;
      if (counts) attempt = std::max<unsigned>(attempt, event.attempt);
    }
    return attempt;
  }

  static const Event* notice(const Story& events) {
    for (const Event& event : events) {
      if (event.type == Type::ended) return &event;
    }
    for (const Event& event : events) {
      if (event.type == Type::carried && event.stage == RecordStage::told) return &event;
    }
    for (const Event& event : events) {
      if (event.type == Type::receipt && !event.notice.intermediate) return &event;
    }
    const Event* newest = nullptr;
    for (const Event& event : events) {
      if (event.type == Type::receipt) newest = &event;
    }
    if (newest != nullptr) return newest;
    for (const Event& event : events) {
      if (event.type == Type::carried && event.notice.done_wall_us != 0) return &event;
    }
    return nullptr;
  }

  static Shown show(const Story& events) {
    Shown out;
    const unsigned a = out.attempt = last_attempt(events);
    const Event* told = notice(events);
    const bool over = told != nullptr && (told->type == Type::ended || !told->notice.intermediate);
    const Event* refused = find(events, Type::refused, a);
    const bool sent = find(events, Type::sent, a) || carried(events, RecordStage::awaiting, a);
    if (over) {
      out.stage = "told";
    } else if (sent) {
      out.stage = "awaiting";
      for (const Event& event : events) {
        const bool named = event.type == Type::sent || event.type == Type::carried;
        if (named && event.attempt == a && out.id.empty()) out.id = event.carrier_message_id;
      }
    } else if (refused != nullptr) {
      out.stage = refused->follows >= Follows::rejected ? "refused" : "queued";
    } else if (a != 0 && carried(events, RecordStage::queued, a)) {
      out.stage = "queued";
    } else if (find(events, Type::in_doubt, a) || carried(events, RecordStage::in_doubt, a)) {
      out.stage = "in_doubt";
    } else {
      out.stage = a == 0 ? "queued" : "in_flight";
    }
    if (told != nullptr) out.notice = notice_text(told->notice, told->error);
    std::vector<std::string> candidates;
    std::vector<std::string> gone;
    unsigned status_attempt = 0;
    proto::Status status = proto::Status::ESME_ROK;
    for (const Event& event : events) {
      if (a != 0 && event.attempt == a && !event.carrier.empty() && event.type != Type::receipt)
        out.carrier = event.carrier;
      if (event.type == Type::accepted || event.type == Type::carried) {
        candidates = event.candidates;
        out.body = event.body;
      }
      if (event.type == Type::refused && event.follows == Follows::next)
        gone.push_back(event.carrier);
      const bool says = event.type == Type::refused ||
                        (event.type == Type::carried && event.status != proto::Status::ESME_ROK);
      if (says && event.attempt >= status_attempt) {
        status_attempt = event.attempt;
        status = event.status;
      }
    }
    out.status = std::to_string(static_cast<unsigned>(status));
    for (const std::string& candidate : candidates) {
      if (std::find(gone.begin(), gone.end(), candidate) == gone.end())
        out.candidates += candidate + " ";
    }
    if (over || sent) out.body.clear();
    return out;
  }

  std::map<std::uint64_t, Story> events_;
};

std::map<std::uint64_t, Shown> drained(Recovery& recovery) {
  std::map<std::uint64_t, Shown> all;
  recovery.drain([&](const Restored& restored) { all[restored.id] = shown(restored); });
  return all;
}

void apply(Recovery& recovery, const Event& event) {
  const auto payload = event.payload();
  recovery.apply(test::journal_record(event, payload));
}

std::uint64_t id_at(std::uint64_t counter) {
  return (counter % 3) << kMessageCounterBits | (0x1000 + counter);
}

std::vector<Story> stories(Teller& teller, std::uint64_t count) {
  std::vector<Story> all;
  for (std::uint64_t i = 0; i < count; ++i) all.push_back(teller.tell(id_at(i)));
  return all;
}

// What is left of the first `length` events, by both; the findings too when there may be none.
void check_prefix(const std::vector<Event>& events, std::size_t length, bool clean) {
  std::vector<Found> found;
  Recovery recovery([&](const Found& one) { found.push_back(one); });
  Model model;
  for (std::size_t i = 0; i < length; ++i) {
    apply(recovery, events[i]);
    model.add(events[i]);
  }
  recovery.finish();
  CAPTURE(length);
  const Conservation& sum = recovery.conservation();
  const auto expected = model.live();
  REQUIRE(sum.holds());
  REQUIRE(sum.accepted + sum.carried_in == model.begun());
  REQUIRE(sum.live_total() == expected.size());
  REQUIRE(recovery.orphans() == model.orphans());
  std::map<std::string, std::uint64_t> by_stage;
  for (const auto& [id, one] : expected) ++by_stage[one.stage];
  for (std::size_t stage = 0; stage < kLiveStages; ++stage) {
    REQUIRE(sum.live[stage] ==
            by_stage[std::string(live_stage_name(static_cast<LiveStage>(stage)))]);
  }
  const auto left = drained(recovery);
  for (const auto& [id, one] : expected) {
    CAPTURE(id);
    REQUIRE(left.count(id) == 1);
    REQUIRE(left.at(id) == one);
  }
  REQUIRE(left.size() == expected.size());
  if (!clean) return;
  for (const Found& one : found) {
    CAPTURE(one.message, finding_name(one.finding));
    REQUIRE(one.finding == Finding::none);
  }
}

}  // namespace

TEST_CASE("recovery agrees with the obvious model at every cut of woven streams") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Teller teller(seed);
    const auto events = teller.weave(teller.merge(stories(teller, 40)));
    for (std::size_t length = 0; length <= events.size(); ++length) {
      check_prefix(events, length, false);
    }
  }
}

TEST_CASE("a legal journal has no finding at any cut, its streams a little out of step") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Teller teller(1'000 + seed);
    auto all = stories(teller, 30);
    for (Story& story : all) story = teller.jostled(std::move(story));
    const auto events = teller.merge(std::move(all));
    // At the journal's end a receipt may lack what settled it: whole stories only.
    check_prefix(events, events.size(), false);
    Recovery recovery;
    for (const Event& event : events) apply(recovery, event);
    CHECK(recovery.findings() == 0);
  }
  Teller teller(77);
  const auto events = teller.merge(stories(teller, 60));
  for (std::size_t length = 0; length <= events.size(); ++length) {
    check_prefix(events, length, true);
  }
}

TEST_CASE("thousands of messages in one journal") {
  Teller teller(5);
  const auto events = teller.weave(teller.merge(stories(teller, 6'000)));
  CAPTURE(events.size());
  for (const std::size_t part : {1, 2, 3, 4}) check_prefix(events, events.size() * part / 4, false);
}

TEST_CASE("records that come again change nothing") {
  Teller teller(9);
  const auto events = teller.weave(teller.merge(stories(teller, 300)));
  Recovery once;
  Recovery again;
  for (std::size_t i = 0; i < events.size(); ++i) {
    apply(once, events[i]);
    apply(again, events[i]);
    apply(again, events[i]);
    apply(again, events[teller.below(i + 1)]);
  }
  for (const Event& event : events) apply(again, event);
  once.finish();
  again.finish();
  CHECK(drained(once) == drained(again));
}

TEST_CASE("live messages come out by home and id, and the highest ids are known") {
  Teller teller(3);
  Recovery recovery;
  for (const Event& event : teller.merge(stories(teller, 200))) apply(recovery, event);
  recovery.finish();
  CHECK(recovery.highest_id(0) == id_at(198));
  CHECK(recovery.highest_id(1) == id_at(199));
  CHECK(recovery.highest_id(2) == id_at(197));
  CHECK(recovery.highest_id(3) == 0);
  MessageId before = 0;
  recovery.drain([&](const Restored& restored) {
    REQUIRE(restored.id > before);
    before = restored.id;
  });
  CHECK(before != 0);
  CHECK(recovery.live() == 0);
}

TEST_CASE("a message keeps its body until a carrier has it, and no longer") {
  Teller teller(4);
  Event event;
  event.message = 1;
  event.type = Type::accepted;
  event.candidates = {"alpha", "beta"};
  event.body = std::string(5'000, 'x');
  Recovery recovery;
  apply(recovery, event);
  REQUIRE(recovery.find(1) != nullptr);
  CHECK(recovery.find(1)->accepted.size() > 5'000);
  event.attempt = 1;
  event.carrier = "alpha";
  event.type = Type::intent;
  apply(recovery, event);
  event.type = Type::in_doubt;
  apply(recovery, event);
  CHECK(recovery.find(1)->accepted.size() > 5'000);
  event.type = Type::sent;
  apply(recovery, event);
  CHECK(recovery.find(1)->accepted.capacity() < 300);
}

TEST_CASE("an IdSet remembers exactly what was added") {
  IdSet ids;
  std::mt19937_64 random(1);
  std::map<std::uint64_t, bool> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t id = (random() % 4) << 58 | (random() % 5'000);
    const bool fresh = model.emplace(id, true).second;
    REQUIRE(ids.add(id) == fresh);
    REQUIRE(ids.contains(id));
    const std::uint64_t other = (random() % 4) << 58 | (random() % 5'000);
    REQUIRE(ids.contains(other) == (model.count(other) != 0));
  }
}

TEST_CASE("parked receipts stay until they are taken out") {
  const auto apply_parked = [](Recovery& recovery, const auto& one, Type type) {
    std::vector<std::uint8_t> payload(proto::record::kHeadMax);
    payload.resize(proto::record::encode(one, payload));
    if constexpr (requires { one.pdu; }) {
      payload.insert(payload.end(), one.pdu.begin(), one.pdu.end());
    }
    recovery.apply({static_cast<std::uint32_t>(type), 1, payload, 1, 64});
  };
  Recovery recovery;
  const std::uint8_t pdu[] = {1, 2, 3};
  for (const std::uint64_t number : {1, 2, 3}) {
    for (const char* carrier : {"alpha", "beta"}) {
      const proto::record::Parked parked{number, 9, carrier, "ab", pdu};
      apply_parked(recovery, parked, Type::parked);
      apply_parked(recovery, parked, Type::parked);  // carried forward
    }
  }
  CHECK(recovery.parked() == 6);
  const proto::record::Unparked out{2, 10, proto::record::Unpark::matched, "alpha"};
  apply_parked(recovery, out, Type::unparked);
  apply_parked(recovery, out, Type::unparked);
  CHECK(recovery.findings() == 0);
  apply_parked(recovery, proto::record::Parked{2, 9, "alpha", "ab", pdu}, Type::parked);
  std::string left;
  recovery.now_is({5, 100, 10});
  recovery.for_each_parked([&](const ParkedReceipt& parked) {
    left += std::string(parked.carrier) + std::to_string(parked.number) + " ";
    CHECK(proto::same_octets(parked.pdu, pdu));
    CHECK(parked.carrier_message_id == "ab");
    CHECK(parked.since_us == 100 - 1);  // it was parked at 9
  });
  CHECK(left == "alpha1 alpha3 beta1 beta2 beta3 ");
  apply_parked(recovery, proto::record::Unparked{7, 10, {}, "alpha"}, Type::unparked);
  CHECK(recovery.findings(Finding::unparked_unknown) == 1);
  const proto::record::DeadLetter letter{
      1, 0, proto::record::Dead::unmatched, proto::MessageState::delivered, "alpha", "zz", pdu};
  apply_parked(recovery, letter, Type::dead_letter);
  CHECK(recovery.dead_letters() == 1);
}

TEST_CASE("payloads that are none, and types of another version, are findings and nothing else") {
  Teller teller(6);
  Recovery recovery;
  std::uint64_t malformed = 0;
  for (const Event& event : teller.merge(stories(teller, 50))) {
    const auto payload = event.payload();
    const auto cut = proto::Octets(payload).first(teller.below(17));
    recovery.apply(test::journal_record(event, cut));
    ++malformed;
  }
  recovery.apply({0xFEFF, 0, {}, 1, 0});
  recovery.finish();
  CHECK(recovery.findings(Finding::malformed) == malformed);
  CHECK(recovery.findings(Finding::unknown_type) == 1);
  CHECK(recovery.findings() == malformed + 1);
  CHECK(recovery.live() == 0);
  // A start must not go on without them.
  CHECK(recovery.unread().count == malformed + 1);
}

// Of this thread: what others do on the machine does not count.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

TEST_CASE("recovery reads half a million records a second and more") {
  Teller teller(8);
  const auto events = teller.merge(stories(teller, 60'000));
  std::vector<std::vector<std::uint8_t>> payloads;
  payloads.reserve(events.size());
  for (const Event& event : events) payloads.push_back(event.payload());
  Recovery recovery;
  const double begin = cpu_seconds();
  for (std::size_t i = 0; i < events.size(); ++i) {
    recovery.apply(test::journal_record(events[i], payloads[i]));
  }
  recovery.finish();
  const double rate = static_cast<double>(events.size()) / (cpu_seconds() - begin);
  std::printf("recovery: %.2f million records/s of %zu\n", rate / 1e6, events.size());
  CHECK(recovery.conservation().holds());
  CHECK(rate > 50'000);  // with sanitizers; the figure that counts is printed
}
