// One connection of the load program: binds, submits within its window, answers what it gets.
// What the answers mean is the Run's business.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "bench/load/numbers.h"
#include "bench/load/options.h"
#include "bench/peers/net.h"
#include "bench/peers/sequence_ring.h"

namespace tollgate::bench {

class Run;

// One submit on its way.
struct Sent {
  std::int64_t intended_ns = 0;  // when it should have left: latency counts from here
  std::uint32_t sent_us = 0;     // when it left, since the run's start
  std::uint32_t number = 0;      // of the message, from 0
  std::uint32_t attempts = 0;
};

class Session final : public Watched {
 public:
  // unbound: by the peer; nothing more is submitted, it will close.
  enum class State : std::uint8_t { connecting, binding, bound, unbinding, unbound, closed };

  struct Kind {
    std::uint32_t bind_command;
    unsigned place;
    unsigned account;  // of options.accounts
  };
  Session(Run& run, Poller& poller, const Options& options, Kind kind);

  void connect();
  void on_ready(std::uint32_t events) override;
  void submit(const Sent& message, const Numbers::Slot& number);
  void send_unbind();
  void flush();
  void lose();  // closed by the peer or by a fault: what is outstanding is unanswered

  bool may_submit() const {
    return state == State::bound && bind_command != bind_receiver && ring.room() != 0 &&
           link->output_size() < output_max;
  }

  State state = State::closed;
  const std::uint32_t bind_command;
  SequenceRing<Sent> ring;
  std::optional<Link> link;
  bool dirty = false;
  const unsigned place;            // of the run's sessions
  std::int64_t connect_at_ns = 0;  // when a closed one may come back
  std::int64_t pause_ns = 0;       // before the try after the next failure

 private:
  static constexpr std::size_t output_max = 4u << 20;

  void send_bind();
  void on_frame(const std::uint8_t* at);
  void on_bind_response(const Frame& frame);
  void on_deliver(const Frame& frame);
  void send_plain(std::uint32_t command, std::uint32_t status, std::uint32_t sequence);
  void mark();

  Run& run_;
  Poller& poller_;
  const Options& options_;
  const std::string system_id_;
  std::string front_;  // of a submit_sm: header to the destination
  std::string back_;   // what follows the destination
};

}  // namespace tollgate::bench
