// Legal histories of messages, as their homes would write them into a journal.
//
// A Story is what happened to one message, in the order of cause and effect; weave() puts many
// together in one of the orders in which a journal may hold them.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "core/journal/reader.h"
#include "gateway/keeping/live_message.h"

namespace tollgate::gateway::test {

// A record with its own texts.
struct Event {
  proto::record::Type type{};
  unsigned stream = 0;  // 0: the client's home, 1: the carrier's
  std::uint64_t message = 0;
  std::int64_t wall_us = 0;
  std::uint16_t attempt = 0;
  std::string carrier;
  std::string carrier_message_id;
  proto::Status status = proto::Status::ESME_ROK;
  proto::record::Follows follows{};
  proto::record::How how{};
  proto::record::Stage stage{};
  proto::record::Notice notice;  // its error is `error`
  std::string error;
  std::vector<std::string> candidates;
  std::string body;

  std::vector<std::uint8_t> payload() const;
};

using Story = std::vector<Event>;

core::JournalRecord journal_record(const Event& event, proto::Octets payload);

class Teller {
 public:
  explicit Teller(std::uint64_t seed) : random_(seed) {}

  // Complete, or broken off somewhere; with carried records here and there.
  Story tell(std::uint64_t message);
  // One journal of many stories, each in its own order.
  std::vector<Event> merge(std::vector<Story> stories);
  // Each stream in its order, and no order between the two.
  std::vector<Event> weave(const std::vector<Event>& events);
  // A story in which neighbours of different streams may have changed places.
  Story jostled(Story story);

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  struct Scene;  // a message as its client's home sees it
  Event event(Scene& scene, proto::record::Type type, unsigned stream);
  void carry(Scene& scene);
  bool attempt(Scene& scene);
  void receipts(Scene& scene);
  void end(Scene& scene, proto::MessageState state);
  void settle(Scene& scene, proto::record::How how);

  std::mt19937_64 random_;
};

}  // namespace tollgate::gateway::test
