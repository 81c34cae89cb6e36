// One connection of a peer to a simulated carrier: the wire side. What a submit means is the
// Carrier's business.
#pragma once

#include "bench/carrier/world.h"
#include "bench/peers/sequence_ring.h"

namespace tollgate::bench {

// What a deliver_sm in flight carries: a record, or a copy that nobody waits for.
struct InFlight {
  std::uint32_t record = no_record;
};

class Bind final : public Watched {
 public:
  Bind(World& world, Carrier& carrier, int fd, std::uint32_t number);

  void on_ready(std::uint32_t events) override;
  void respond(const Answer& answer, std::string_view id);
  void deliver(const std::uint8_t* body, std::size_t size, std::uint32_t record);
  void send_enquire_link();
  void send_unbind();  // once; the bind drops when it is answered
  void send_plain(std::uint32_t command, std::uint32_t status, std::uint32_t sequence);
  // False when the bind is gone after it.
  bool flush();
  void close() { link.close(); }

  Carrier& carrier() { return carrier_; }
  bool may_submit() const { return (kind & 1) != 0; }
  bool may_receive() const { return (kind & 2) != 0; }
  bool has_room() const { return in_flight.room() != 0 && link.output_size() < output_max; }

  static constexpr std::size_t output_max = 8u << 20;

  Link link;
  SequenceRing<InFlight> in_flight;
  const std::uint32_t number;
  std::uint32_t account = 0;     // of the carrier's accounts; valid while kind != 0
  std::uint8_t kind = 0;         // bit 0 transmits, bit 1 receives; 0 = not bound
  std::uint32_t unanswered = 0;  // submits whose response waits for its time
  bool dirty = false;

 private:
  void on_frame(const Frame& frame);
  void on_bind(const Frame& frame);
  void mark();

  World& world_;
  Carrier& carrier_;
  std::uint32_t enquire_sequence_ = 0x40000000;
  bool closing_ = false;
  bool unbind_sent_ = false;
};

}  // namespace tollgate::bench
