#include "tests/gateway/keeping/journal_story.h"

#include <algorithm>
#include <utility>

namespace tollgate::gateway::test {

namespace record = proto::record;
using record::Type;

namespace {

template <class Record>
std::vector<std::uint8_t> encoded(const Record& one, proto::Octets rest = {}) {
  std::vector<std::uint8_t> out(record::kHeadMax);
  out.resize(record::encode(one, out));
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

record::Accepted accepted_of(const Event& event) {
  record::Accepted accepted;
  accepted.message = accepted.public_id = event.message;
  accepted.wall_us = event.wall_us;
  accepted.client = "shop";
  accepted.registered_delivery = 1;
  accepted.destination = {1, 1, "447700900123"};
  accepted.candidate_count = static_cast<std::uint8_t>(event.candidates.size());
  for (std::size_t i = 0; i < event.candidates.size(); ++i) {
    accepted.candidates[i] = {static_cast<std::int64_t>(i), event.candidates[i]};
  }
  return accepted;
}

}  // namespace

std::vector<std::uint8_t> Event::payload() const {
  record::Notice told = notice;
  told.error = error;
  switch (type) {
    case Type::accepted:
      return encoded(accepted_of(*this), proto::as_octets(body));
    case Type::intent:
      return encoded(record::Intent{message, wall_us, attempt, carrier});
    case Type::sent:
      return encoded(record::Sent{message, wall_us, attempt, carrier, carrier_message_id});
    case Type::refused:
      return encoded(record::Refused{message, wall_us, attempt, status, follows, carrier});
    case Type::in_doubt:
      return encoded(record::InDoubt{message, wall_us, attempt, carrier});
    case Type::receipt:
      return encoded(record::Receipt{message, wall_us, carrier, told});
    case Type::ended:
      return encoded(record::Ended{message, wall_us, told});
    case Type::settled:
      return encoded(record::Settled{message, wall_us, how});
    case Type::carried:
      return encoded(record::Carried{accepted_of(*this), wall_us, stage, attempt, carrier,
                                     carrier_message_id, status, told},
                     proto::as_octets(body));
    default:
      return {};
  }
}

core::JournalRecord journal_record(const Event& event, proto::Octets payload) {
  return {static_cast<std::uint32_t>(event.type), event.stream, payload, 1, 0};
}

struct Teller::Scene {
  Story story;
  std::uint64_t message = 0;
  std::int64_t wall_us = 0;
  std::uint16_t attempt = 0;  // of the last order
  std::uint16_t known = 0;    // the last with an outcome
  record::Stage stage = record::Stage::queued;
  std::vector<std::string> candidates;
  std::string carrier;
  std::string known_carrier;
  std::string carrier_message_id;
  proto::Status status = proto::Status::ESME_ROK;
  record::Notice notice;
  std::string error;
};

Event Teller::event(Scene& scene, Type type, unsigned stream) {
  Event made;
  made.type = type;
  made.stream = stream;
  made.message = scene.message;
  made.wall_us = ++scene.wall_us;
  made.attempt = scene.attempt;
  made.carrier = scene.carrier;
  return made;
}

void Teller::carry(Scene& scene) {
  if (!chance(12)) return;
  Event made = event(scene, Type::carried, 0);
  made.attempt = scene.known;
  made.carrier = scene.known_carrier;
  if (scene.stage == record::Stage::awaiting && chance(70)) {
    made.carrier_message_id = scene.carrier_message_id;
  }
  made.stage = scene.stage;
  made.status = scene.status;
  made.notice = scene.notice;
  made.error = scene.error;
  made.candidates = scene.candidates;
  const bool unsent =
      scene.stage == record::Stage::queued || scene.stage == record::Stage::in_doubt;
  if (unsent) made.body = "body of " + std::to_string(scene.message);
  scene.story.push_back(made);
}

// One order to a carrier. True: another may follow.
bool Teller::attempt(Scene& scene) {
  ++scene.attempt;
  scene.carrier = scene.candidates[below(scene.candidates.size())];
  scene.story.push_back(event(scene, Type::intent, 1));
  carry(scene);
  const std::uint64_t fate = below(100);
  if (fate < 50) {
    Event sent = event(scene, Type::sent, 1);
    sent.carrier_message_id = "id" + std::to_string(below(1'000'000));
    scene.carrier_message_id = sent.carrier_message_id;
    scene.story.push_back(sent);
    scene.stage = record::Stage::awaiting;
  } else if (fate < 65) {
    scene.story.push_back(event(scene, Type::in_doubt, 1));
    scene.stage = record::Stage::in_doubt;
  } else {
    Event refused = event(scene, Type::refused, 1);
    refused.follows = static_cast<record::Follows>(below(4));
    if (refused.follows == record::Follows::next && scene.candidates.size() == 1) {
      refused.follows = record::Follows::rejected;
    }
    const bool handed_back = refused.follows == record::Follows::again && chance(50);
    refused.status =
        handed_back ? proto::Status::ESME_ROK : static_cast<proto::Status>(1 + below(100));
    scene.story.push_back(refused);
    scene.status = refused.status;
    scene.stage = record::Stage::queued;
    if (refused.follows == record::Follows::next) std::erase(scene.candidates, scene.carrier);
    if (refused.follows >= record::Follows::rejected) {
      scene.known = scene.attempt;
      scene.known_carrier = scene.carrier;
      end(scene, proto::MessageState::rejected);
      return false;
    }
  }
  scene.known = scene.attempt;
  scene.known_carrier = scene.carrier;
  carry(scene);
  return scene.stage == record::Stage::queued ||
         (scene.stage == record::Stage::in_doubt && chance(30));
}

void Teller::end(Scene& scene, proto::MessageState state) {
  Event ended = event(scene, Type::ended, 0);
  ended.notice.state = state;
  ended.notice.done_wall_us = scene.wall_us;
  ended.error = "e" + std::to_string(below(100));
  scene.notice = ended.notice;
  scene.error = ended.error;
  scene.story.push_back(ended);
  scene.stage = record::Stage::told;
  carry(scene);
}

void Teller::receipts(Scene& scene) {
  for (std::uint64_t left = below(3); left > 0; --left) {
    const bool final = left == 1 && chance(70);
    Event receipt = event(scene, Type::receipt, 1);
    receipt.notice.state = final ? proto::MessageState::delivered : proto::MessageState::accepted;
    receipt.notice.intermediate = !final;
    receipt.notice.done_wall_us = scene.wall_us;
    receipt.error = std::to_string(below(1000));
    scene.notice = receipt.notice;
    scene.error = receipt.error;
    scene.story.push_back(receipt);
    if (final) scene.stage = record::Stage::told;
    carry(scene);
  }
}

void Teller::settle(Scene& scene, record::How how) {
  Event settled = event(scene, Type::settled, 0);
  settled.how = how;
  scene.story.push_back(settled);
}

Story Teller::tell(std::uint64_t message) {
  Scene scene;
  scene.message = message;
  scene.wall_us = static_cast<std::int64_t>(1'000'000 + 100 * (message & 0xFFFFFF));
  for (std::uint64_t i = 0, count = 1 + below(4); i < count; ++i) {
    scene.candidates.push_back("carrier-" + std::to_string(i));
  }
  Event accepted = event(scene, Type::accepted, 0);
  accepted.candidates = scene.candidates;
  accepted.body = "body of " + std::to_string(message);
  scene.story.push_back(accepted);
  carry(scene);
  for (int orders = 0; orders < 6 && attempt(scene); ++orders) {
  }
  const bool no_receipt = scene.stage == record::Stage::awaiting && chance(25);
  if (no_receipt) {
    settle(scene, record::How::no_receipt);
  } else {
    const bool sent =
        scene.stage == record::Stage::awaiting || scene.stage == record::Stage::in_doubt;
    if (sent) receipts(scene);
    if (scene.stage != record::Stage::told) end(scene, proto::MessageState::expired);
    settle(scene, chance(80) ? record::How::told : record::How::given_up);
  }
  if (chance(60)) scene.story.resize(1 + below(scene.story.size()));
  return scene.story;
}

std::vector<Event> Teller::merge(std::vector<Story> stories) {
  std::vector<Event> merged;
  std::vector<std::size_t> at(stories.size(), 0);
  std::vector<std::size_t> open(stories.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  while (!open.empty()) {
    const std::size_t pick = below(open.size());
    const std::size_t story = open[pick];
    merged.push_back(std::move(stories[story][at[story]++]));
    if (at[story] < stories[story].size()) continue;
    open[pick] = open.back();
    open.pop_back();
  }
  return merged;
}

std::vector<Event> Teller::weave(const std::vector<Event>& events) {
  std::vector<Event> streams[2];
  for (const Event& event : events) streams[event.stream].push_back(event);
  std::vector<Event> woven;
  std::size_t at[2] = {0, 0};
  while (woven.size() < events.size()) {
    const std::size_t from = below(2);
    for (std::uint64_t run = 1 + below(20); run > 0 && at[from] < streams[from].size(); --run) {
      woven.push_back(streams[from][at[from]++]);
    }
  }
  return woven;
}

Story Teller::jostled(Story story) {
  for (std::size_t i = 1; i < story.size(); ++i) {
    if (story[i - 1].stream == story[i].stream || !chance(40)) continue;
    std::swap(story[i - 1], story[i]);
    ++i;
  }
  return story;
}

}  // namespace tollgate::gateway::test
