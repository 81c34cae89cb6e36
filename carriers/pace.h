// How fast, and how soon again: the pace of a carrier, the wait before a reconnect, and the pause
// that a throttling carrier asks for. Pure: time and randomness are arguments; one owning thread.
//
// Pace invariant: over any span of t seconds at most 1 + pace * (t + burst) submits. The burst also
// makes up for what late turns would lose.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tollgate::carriers {

// splitmix64: good enough for jitter, one word of state.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

// A token bucket in its virtual-scheduling form (GCRA): one time instead of a count of tokens, so
// that spans below a millisecond are exact and nothing has to be refilled.
class Pace {
 public:
  // per_s = 0: no limit.
  Pace(double per_s, std::uint32_t burst_ms) { set(per_s, burst_ms); }

  // From now on. What a slower pace had put off waits no longer than this one asks for.
  void change(double per_s, std::uint32_t burst_ms, std::int64_t now_us) {
    set(per_s, burst_ms);
    due_ns_ = std::min(due_ns_, now_us * 1000 + burst_ns_ + interval_ns_);
  }

  bool ready(std::int64_t now_us) const { return now_us * 1000 + burst_ns_ >= due_ns_; }
  // Submits that may leave now.
  std::uint64_t room(std::int64_t now_us) const {
    if (interval_ns_ == 0) return std::numeric_limits<std::uint32_t>::max();
    if (!ready(now_us)) return 0;
    const std::int64_t end_ns = now_us * 1000 + burst_ns_;
    return static_cast<std::uint64_t>((end_ns - std::max(due_ns_, now_us * 1000)) / interval_ns_) +
           1;
  }
  // One submit leaves now; ready() was true.
  void take(std::int64_t now_us) {
    if (interval_ns_ != 0) due_ns_ = std::max(due_ns_, now_us * 1000) + interval_ns_;
  }
  // The first microsecond at which ready() is true.
  std::int64_t ready_at_us() const { return (due_ns_ - burst_ns_ + 999) / 1000; }

 private:
  void set(double per_s, std::uint32_t burst_ms) {
    interval_ns_ = per_s <= 0 ? 0 : static_cast<std::int64_t>(std::ceil(1e9 / per_s));
    burst_ns_ = per_s <= 0 ? 0 : std::int64_t{burst_ms} * 1'000'000;
  }

  std::int64_t interval_ns_ = 0;
  std::int64_t burst_ns_ = 0;
  std::int64_t due_ns_ = 0;
};

// Waits that double from first to max; each is shortened by a random part of up to a half, so that
// the binds of a restarted carrier do not come back in one moment.
class Backoff {
 public:
  Backoff(std::uint32_t first_ms, std::uint32_t max_ms)
      : first_us_(std::int64_t{first_ms} * 1000), max_us_(std::int64_t{max_ms} * 1000) {}

  std::int64_t next_us(Random& random) {
    const std::int64_t full = step_us_ == 0 ? first_us_ : step_us_;
    step_us_ = std::min(full * 2, max_us_);
    return jittered_us(std::min(full, max_us_), random);
  }
  void reset() { step_us_ = 0; }
  void change(std::uint32_t first_ms, std::uint32_t max_ms) {
    first_us_ = std::int64_t{first_ms} * 1000;
    max_us_ = std::int64_t{max_ms} * 1000;
  }

  static std::int64_t jittered_us(std::int64_t full_us, Random& random) {
    const auto half = static_cast<std::uint64_t>(full_us / 2);
    return full_us - static_cast<std::int64_t>(random.next() % (half + 1));
  }

 private:
  std::int64_t first_us_;
  std::int64_t max_us_;
  std::int64_t step_us_ = 0;  // 0: the next wait is the first
};

// The pauses of one bind that was told ESME_RTHROTTLED (or, with shorter ones, ESME_RMSGQFUL).
// 1. Refusals of submits that left before the last pause belong to that pause: it does not double.
// 2. After a pause one submit goes alone; its success opens the window again.
// 3. Each success after the pause halves the next one, down to the first: a carrier that takes
//    some and throttles the rest is sent what it takes, one that takes none is left alone.
// 4. A submit that was throttled as the one of a pause already tells nothing by being throttled
//    among others: its number may be limited, and no one else's.
class Throttle {
 public:
  Throttle(std::uint32_t first_ms, std::uint32_t max_ms)
      : first_us_(std::int64_t{first_ms} * 1000), max_us_(std::int64_t{max_ms} * 1000) {}

  // True: it was the one that goes alone. `known`: an earlier attempt was that.
  bool refused(std::int64_t now_us, std::int64_t sent_us, bool known = false) {
    if (length_us_ != 0 && sent_us < until_us_) return false;
    const bool alone = probe_ == Probe::sent;
    if (known && !alone) return false;
    length_us_ = length_us_ == 0 ? first_us_ : std::min(length_us_ * 2, max_us_);
    until_us_ = now_us + length_us_;
    probe_ = Probe::waiting;
    return alone;
  }

  void succeeded(std::int64_t sent_us) {
    if (length_us_ == 0 || sent_us < until_us_) return;
    probe_ = Probe::none;
    length_us_ /= 2;
    if (length_us_ < first_us_) length_us_ = 0;
  }

  // Any other answer to a submit, or its loss: the probe, if it was one, told nothing.
  void answered(std::int64_t sent_us) {
    if (probe_ == Probe::sent && sent_us >= until_us_) probe_ = Probe::waiting;
  }

  bool ready(std::int64_t now_us) const {
    return length_us_ == 0 || (now_us >= until_us_ && probe_ != Probe::sent);
  }
  // A submit leaves now; ready() was true.
  void sent() {
    if (probe_ == Probe::waiting) probe_ = Probe::sent;
  }
  // Nothing that left since the last pause began has got through.
  bool probing() const { return probe_ != Probe::none; }
  // When ready() may become true by time alone.
  std::int64_t until_us() const { return until_us_; }
  std::int64_t length_us() const { return length_us_; }

  void reset() { *this = Throttle(first_us_, max_us_, 0); }
  // Of the pauses to come.
  void change(std::uint32_t first_ms, std::uint32_t max_ms) {
    first_us_ = std::int64_t{first_ms} * 1000;
    max_us_ = std::int64_t{max_ms} * 1000;
  }

 private:
  enum class Probe : std::uint8_t { none, waiting, sent };
  Throttle(std::int64_t first_us, std::int64_t max_us, int)
      : first_us_(first_us), max_us_(max_us) {}

  std::int64_t first_us_;
  std::int64_t max_us_;
  std::int64_t length_us_ = 0;  // 0: not throttled
  std::int64_t until_us_ = 0;
  Probe probe_ = Probe::none;
};

}  // namespace tollgate::carriers
