// A bind: one SMPP connection to a carrier, from the connect to the unbind, again and again.
//
// Owned by its Carrier, on the home shard's thread. It knows the session and the window; its owner
// decides what an answer means for a message.
//
//   down --time--> connecting --TCP--> binding --bind_resp--> bound --stop or retire--> draining
//     ^                |                  |                     |                          |
//     +----------------+---- failure -----+------ loss ---------+     window empty or time-out
//     |                                   |                                                v
//   alarm <---- refused as configuration -+            down, alarm or stopped <------- unbinding
//
// 1. Submits leave only in `bound`, within the window, below the connection's high-water mark.
// 2. Every order that was sent comes back once: answered() or lost().
// 3. Every request of the carrier is answered as the session matrix says for an ESME.
// 4. One connection at a time; a new attempt starts only after the last one is closed.
// 5. A refusal while the older bind that this one replaces still exists may mean that two are too
//    many: unless the account is refused, the older one makes room, and there is no alarm.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "carriers/config.h"
#include "carriers/counters.h"
#include "carriers/dialect.h"
#include "carriers/orders.h"
#include "carriers/pace.h"
#include "carriers/window.h"
#include "core/clock.h"
#include "core/connection.h"
#include "core/net.h"
#include "proto/framer.h"
#include "proto/pdu.h"
#include "proto/session.h"

namespace tollgate::core {
class Shard;
}

namespace tollgate::carriers {

class Bind final : private core::Connection::Owner {
 public:
  enum class Lost : std::uint8_t { link, response_time_out };
  // What follows the end of a connection.
  enum class Then : std::uint8_t { reconnect, alarm, stop };

  struct Answer {
    std::uint32_t order = kNoOrder;
    proto::Status status = proto::Status::ESME_ROK;
    std::string_view message_id;
  };

  class Owner {
   public:
    // It may transmit now, or no longer may.
    virtual void bind_changed() = 0;
    // The order is out of the window and belongs to the owner again.
    virtual void answered(Bind& bind, const Answer& answer) = 0;
    virtual void lost(std::uint32_t order, Lost how) = 0;
    // A deliver_sm or data_sm; returns the status to answer with.
    virtual proto::Status delivered(proto::Octets pdu) = 0;
    // There may be room again.
    virtual void attend() = 0;
    // It takes the place of an older bind of ours that is still there; and that one is to go now.
    virtual bool replaces(const Bind& bind) const = 0;
    virtual void make_room(const Bind& bind) = 0;

   protected:
    ~Owner() = default;
  };

  // What all binds of a carrier share; outlives them.
  struct Shared {
    const CarrierConfig& config;
    const Dialect& dialect;
    core::Shard& shard;
    Orders& orders;
    CarrierCounters& counters;
    Random& random;
    Owner& owner;
  };

  Bind(const Shared& shared, std::size_t index);
  ~Bind() = default;

  BindState state() const { return state_; }
  // Bound, and allowed to submit.
  bool transmits() const { return state_ == BindState::bound && proto::can_submit(session_); }
  bool can_send(std::int64_t now_us) const {
    return transmits() && !window_.full() && throttle_.ready(now_us) && busy_.ready(now_us) &&
           !connection_->above_high_water();
  }
  std::uint32_t in_use() const { return window_.in_use(); }
  const Window& window() const { return window_; }
  // When its oldest submit without a response left; INT64_MAX: there is none.
  std::int64_t since_us() const;
  // While can_send() is false for a throttle alone: when that ends. 0 when it is not the throttle.
  std::int64_t throttled_until_us(std::int64_t now_us) const;

  // can_send() is true. False when the output has no room after all.
  bool send(std::uint32_t order);
  // How the answer to this order moves the pauses of this bind. True: it was the one submit that
  // goes alone after a pause, and was throttled.
  bool note(proto::StatusClass status_class, const HeldOrder& order);
  // The last pause for ESME_RTHROTTLED: its end; and whether nothing got through since it began.
  std::int64_t pause_end_us() const { return throttle_.until_us(); }
  bool probing() const { return throttle_.probing(); }

  void start();
  void halt();  // the connection closes now; what has no response is lost
  void stop();
  // Its place belongs to another: it sends on until stop(), does not come back when it ends, and no
  // longer shows its state.
  void leave();
  // The configuration has changed, the session serves on.
  void change(std::uint32_t window);
  const BindConfig& config() const { return config_; }
  // Takes the bind down politely: the responses that are missing get up to wait_ms.
  void retire(Then then, std::uint32_t wait_ms);
  // Deadlines: attempts, time-outs, enquire_link.
  void tick();
  std::int64_t next_tick_us() const;
  // Stopped and closed.
  bool idle() const { return state_ == BindState::stopped && connection_ == nullptr; }

 private:
  std::size_t on_input(core::Connection& connection, core::Octets input,
                       const core::Now& now) override;
  void on_closed(core::Connection& connection, core::CloseReason reason,
                 const core::Now& now) override;
  void on_writable(core::Connection& connection, const core::Now& now) override;

  void connect();
  void connected(core::SocketPtr socket, const core::NetError& error);
  void send_bind();
  void on_pdu(const proto::Frame& frame);
  void accept(const proto::Frame& frame);
  void on_bind_response(proto::Status status);
  void on_submit_response(const proto::Frame& frame);
  void on_nack(const proto::Header& header);
  void on_unbind(const proto::Header& header);
  void on_bad_length(const proto::Header& header);
  void give_back(const Answer& answer);
  void answer(proto::Command command, std::uint32_t sequence, proto::Status status);
  void request(proto::Command command);
  void watch_link();
  void expire_responses();
  void drained();
  void tell_end();
  void end(Then then, bool polite);
  void set_state(BindState state);
  void set_window_gauge();
  std::int64_t now_us() const;
  void log_refusal(proto::Status status) const;

  const Shared shared_;
  BindConfig config_;
  const CarrierTimers& timers_;
  BindCounters& counters_;
  const std::size_t index_;
  const std::uint8_t version_;
  Window window_;
  Throttle throttle_;
  Throttle busy_;
  Backoff backoff_;
  BindState state_ = BindState::stopped;
  proto::State session_ = proto::State::closed;
  Then then_ = Then::reconnect;
  bool left_ = false;
  bool unbind_asked_ = false;  // by the carrier, not answered yet
  std::uint32_t unbind_sequence_ = 0;
  std::uint32_t unanswered_ = 0;  // enquire_link
  std::int64_t deadline_us_ = 0;  // of the state, except bound
  std::int64_t bound_us_ = 0;
  std::int64_t quiet_us_ = 0;  // the last input, or enquire_link
  core::ConnectPtr connect_;
  std::unique_ptr<core::Connection> connection_;
};

}  // namespace tollgate::carriers
