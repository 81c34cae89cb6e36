// A carrier in a world of its own: a shard that the test turns, a clock that the test moves, and a
// scripted SMSC on real loopback sockets.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "carriers/carrier.h"
#include "core/clock.h"
#include "core/shard.h"
#include "proto/pdu.h"

namespace tollgate::tests {

// One PDU that the carrier sent, with its octets.
struct Pdu {
  proto::Header header;
  std::vector<std::uint8_t> whole;
  proto::Octets body() const { return proto::Octets(whole).subspan(16); }
};

// One connection of the carrier to the SMSC.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() { close(); }

  void poll();
  // The next PDU, in order; none when there is none yet.
  std::optional<Pdu> next();
  std::size_t waiting() const { return pdus_.size(); }
  bool ended() const { return ended_; }  // the other side closed
  void reading(bool on) { reading_ = on; }

  void send(proto::Octets octets);
  std::size_t try_send(proto::Octets octets);  // octets that the system took
  template <class T>
  void send(const T& pdu, std::uint32_t sequence, proto::Status status = proto::Status::ESME_ROK) {
    std::vector<std::uint8_t> out(70'000);
    send(proto::Octets(out).first(proto::encode(pdu, sequence, status, out)));
  }
  void send_header(proto::Command command, std::uint32_t sequence,
                   proto::Status status = proto::Status::ESME_ROK);
  void respond(std::uint32_t sequence, std::string_view id);
  void refuse(std::uint32_t sequence, proto::Status status);
  void receipt(std::string_view id, std::uint32_t sequence, std::string_view stat = "DELIVRD");
  void close();
  void reset();  // closes with RST

 private:
  int fd_;
  bool ended_ = false;
  bool reading_ = true;
  std::vector<std::uint8_t> input_;
  std::deque<Pdu> pdus_;
};

class Smsc {
 public:
  Smsc();
  ~Smsc();
  std::uint16_t port() const { return port_; }
  void poll();
  // Connections in the order in which they came.
  std::vector<std::unique_ptr<Peer>> peers;
  int receive_buffer = 0;  // of accepted sockets; 0 = the system's

 private:
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

// What the flow was told.
struct Told final : carriers::Events {
  enum class What { sent, refused, in_doubt };
  struct Outcome {
    What what{};
    std::uint64_t message = 0;
    std::uint16_t attempt = 0;
    std::string id;
    proto::Status status{};
    proto::StatusClass status_class{};
    bool try_next = false;
  };
  struct Delivery {
    std::uint64_t message = 0;
    std::string id;
    std::string stat;
    bool final = false;
    std::string error_text;
  };

  void sent(std::uint64_t message, std::uint16_t attempt, std::string_view id,
            std::uint32_t submit_us) override;
  void refused(std::uint64_t message, std::uint16_t attempt, proto::Status status,
               proto::StatusClass status_class, bool try_next) override;
  void in_doubt(std::uint64_t message, std::uint16_t attempt) override;
  bool receipt(std::uint64_t message, const proto::Receipt& receipt,
               const carriers::ReceiptFacts& facts) override;
  std::uint64_t parked(std::string_view id, proto::Octets pdu) override;
  void unparked(std::uint64_t number, proto::record::Unpark how) override;
  bool dead(const carriers::DeadReceipt& receipt) override;

  std::size_t count(What what) const;
  const Outcome* of(std::uint64_t message) const;  // null: none yet

  bool recording = true;  // false: counts alone, allocating nothing
  bool keeps_receipts = true;
  bool keeps_dead = true;
  std::uint64_t total = 0;
  std::uint64_t receipts_total = 0;
  std::vector<Outcome> outcomes;
  std::vector<Delivery> deliveries;
  struct Dead {
    proto::record::Dead why{};
    proto::MessageState state{};
    std::string id;
    std::vector<std::uint8_t> pdu;
  };
  std::vector<Dead> dead_letters;
  std::uint64_t last_parked = 0;
  std::vector<std::pair<std::uint64_t, proto::record::Unpark>> unparks;
  std::function<void(std::uint64_t)> on_refused;
};

class World {
 public:
  // config() before build() may still be changed.
  World();
  carriers::CarrierConfig& config() { return config_; }
  carriers::BindConfig& add_bind(proto::Command kind = proto::Command::bind_transceiver);
  void build();

  // A bind that the SMSC answers: returns its peer once the carrier counts it as bound.
  Peer& accept(proto::Status status = proto::Status::ESME_ROK);
  // build() and accept() of every bind, in their order.
  void bring_up();

  void step();
  void turn() { shard_->turn(); }
  void steps(int count);
  // Steps until `condition`; false when it does not come about.
  bool until(const std::function<bool()>& condition);
  void advance_ms(std::int64_t ms) { now_.mono_us += ms * 1000, now_.wall_us += ms * 1000; }
  // Moves the clock in small steps, turning in each.
  void pass_ms(std::int64_t ms, std::int64_t step_ms = 10);

  // A message to a number of its own.
  carriers::Taken take(std::uint64_t message, std::uint16_t attempt = 0);
  carriers::Taken take(std::uint64_t message, const proto::SubmitSm& sm);
  // The next submit_sm on this peer; fails the test when none comes.
  Pdu submit(Peer& peer);
  std::optional<Pdu> next(Peer& peer, proto::Command command);
  bool quiet(Peer& peer);  // nothing more comes

  carriers::Carrier& carrier() { return *carrier_; }
  const carriers::CarrierCounters& counters() { return carrier_->counters(); }
  carriers::BindState bind_state(std::size_t bind = 0);
  // What the system took of our output, in octets.
  std::uint64_t sent_octets() { return shard_->counts()[core::ShardCount::sent_octets].get(); }
  // taken = outcomes + queue + windows.
  bool balanced();

  core::Now now_{1'000'000'000, 1'700'000'000'000'000};
  Smsc smsc;
  Told told;

 private:
  carriers::CarrierConfig config_;
  std::unique_ptr<core::Shard> shard_;
  std::unique_ptr<carriers::Carrier> carrier_;
  std::size_t accepted_ = 0;
};

proto::SubmitSm a_submit(std::string_view text = "hello");
// The message number that take(message) wrote into the text.
std::uint64_t message_in(const Pdu& pdu);

}  // namespace tollgate::tests
