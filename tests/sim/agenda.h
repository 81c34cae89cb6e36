// What the seeded world stands on: simulated time with its events, chance, and the trace.
//
// 1. Events run in the order of their times, those of one time in the order they were made.
// 2. Everything that a world decides comes from its one Random; so equal seeds give equal traces.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <queue>
#include <string_view>
#include <vector>

#include "core/clock.h"

namespace tollgate::sim {

inline constexpr std::int64_t kMs = 1'000;
inline constexpr std::int64_t kSecond = 1'000'000;
inline constexpr std::int64_t kMinute = 60 * kSecond;
inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// splitmix64
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U + 1) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  std::int64_t between(std::int64_t a, std::int64_t b) {
    return a + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(b - a) + 1));
  }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  bool chance(double p) { return unit() < p; }
  std::int64_t exponential(std::int64_t mean) {
    return static_cast<std::int64_t>(-std::log(1.0 - unit()) * static_cast<double>(mean));
  }

 private:
  std::uint64_t state_;
};

class Agenda {
 public:
  void at(std::int64_t us, std::function<void()> call) {
    events_.push({us, ++number_, std::move(call)});
  }
  std::int64_t next() const { return events_.empty() ? kNever : events_.top().us; }
  // Runs what is due at now_us, and what that makes due.
  void run(std::int64_t now_us) {
    while (!events_.empty() && events_.top().us <= now_us) {
      const auto call = std::move(events_.top().call);
      events_.pop();
      call();
    }
  }

 private:
  struct Event {
    std::int64_t us;
    std::uint64_t number;
    mutable std::function<void()> call;
    bool operator<(const Event& other) const {
      return us != other.us ? us > other.us : number > other.number;
    }
  };
  std::priority_queue<Event> events_;
  std::uint64_t number_ = 0;
};

// Everything that crossed a wire and every fault, as a hash; as lines too when `out` is given.
class Trace {
 public:
  explicit Trace(std::FILE* out) : out_(out) {}

  void note(std::int64_t us, std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0,
            std::string_view text = {}) {
    mix(static_cast<std::uint64_t>(us));
    for (const char c : what) mix(static_cast<unsigned char>(c));
    mix(a);
    mix(b);
    for (const char c : text) mix(static_cast<unsigned char>(c));
    if (out_ == nullptr) return;
    std::fprintf(out_, "%12.6f  %-22.*s %8llu %8llu  %.*s\n", static_cast<double>(us) * 1e-6,
                 static_cast<int>(what.size()), what.data(), static_cast<unsigned long long>(a),
                 static_cast<unsigned long long>(b), static_cast<int>(text.size()),
                 text.empty() ? "" : text.data());
  }
  std::uint64_t hash() const { return hash_; }

 private:
  void mix(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001B3U; }
  std::FILE* out_;
  std::uint64_t hash_ = 0xCBF29CE484222325U;
};

// What every part of a world shares.
struct Ground {
  Ground(std::uint64_t seed, std::FILE* out) : random(seed), trace(out) {}

  Random random;
  Trace trace;
  Agenda agenda;
  core::Now now{1'000'000'000, 1'800'000'000'000'000};
  std::uint32_t life = 0;  // of the gateway; 0: before the first
  bool alive = false;
  bool active = false;  // something moved since the last look
  bool quiet = false;   // no more faults

  std::int64_t us() const { return now.mono_us; }
  void after(std::int64_t us, std::function<void()> call) {
    agenda.at(now.mono_us + us, std::move(call));
  }
  void note(std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0,
            std::string_view text = {}) {
    active = true;
    trace.note(now.mono_us, what, a, b, text);
  }
};

}  // namespace tollgate::sim
