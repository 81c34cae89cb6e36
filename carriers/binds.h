// The binds of one carrier: which one a submit takes, and how they change while others work.
//
// Owned by its carrier, on the home shard's thread.
//
// 1. While a submit to a number is unanswered, the next one to that number takes the same bind.
//    Others take the bind with the fewest outstanding, in turn.
// 2. A bind whose session has to change gets a successor at once, and keeps sending until that one
//    is bound; then its window drains and it unbinds. A bind that is removed drains at once. No
//    order crosses from one bind to another.
// 3. A bind is destroyed only when it is closed and its window empty.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "carriers/bind.h"

namespace tollgate::carriers {

class Binds {
 public:
  // None until configure().
  explicit Binds(const Bind::Shared& shared) : shared_(shared) {}

  // As the configuration says now; `start`: new ones connect.
  void configure(bool start);
  void start();
  void stop();
  void halt();
  bool idle() const;

  void tick();
  std::int64_t next_tick_us() const;
  // When the first one that is held up by a throttle alone may send; INT64_MAX: none is.
  std::int64_t throttled_until_us(std::int64_t now_us) const;

  // Each that transmits has been throttled, and nothing has got through since.
  bool probing() const;

  // Some bind's state has changed.
  void changed();
  std::size_t transmitting() const { return transmitting_; }
  // The windows of those that transmit, and what is free in those that may send now.
  std::uint64_t windows() const { return windows_; }
  std::uint64_t windows_free(std::int64_t now_us) const;
  bool replaces(const Bind& bind) const;
  void make_room(const Bind& bind);

  // `same`: the one it has to be; null: any. Null: it, or all of them, cannot send now.
  Bind* pick(Bind* same, std::int64_t now_us);
  // When the oldest submit without a response left; INT64_MAX: there is none.
  std::int64_t since_us() const;

  // f(order), of each that has no response yet.
  template <class F>
  void for_each_sent(F&& f) const {
    for (std::size_t i = 0; i < count(); ++i) at(i).window().for_each(f);
  }

  // Submits that those may have outstanding whose places belong to others.
  std::uint64_t windows_left() const;

 private:
  static constexpr std::size_t kNone = SIZE_MAX;

  struct Leaving {
    std::unique_ptr<Bind> bind;
    std::size_t successor = kNone;  // its place in binds_
  };

  void leave(std::unique_ptr<Bind> bind, std::size_t place, std::size_t successor);
  std::size_t count() const { return binds_.size() + leaving_.size(); }
  Bind& at(std::size_t i) const {
    return i < binds_.size() ? *binds_[i] : *leaving_[i - binds_.size()].bind;
  }

  const Bind::Shared shared_;
  std::vector<std::unique_ptr<Bind>> binds_;  // by their place in the configuration
  std::vector<Leaving> leaving_;
  std::size_t transmitting_ = 0;
  std::uint64_t windows_ = 0;
  std::size_t next_ = 0;
};

}  // namespace tollgate::carriers
