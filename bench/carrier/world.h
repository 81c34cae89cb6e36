// What all simulated carriers of the process share: sockets, one calendar, one seeded source of
// chance, and one clock reading a turn.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/carrier/spec.h"
#include "bench/peers/event_log.h"
#include "bench/peers/net.h"
#include "bench/peers/wheel.h"

namespace tollgate::bench {

class Bind;
class Carrier;

inline constexpr std::uint32_t no_record = 0xFFFFFFFF;

// One submit on its way to its response. 32 octets: millions may wait.
struct Answer {
  std::uint64_t id = 0;
  std::uint32_t bind = 0;
  std::uint32_t sequence = 0;
  std::uint32_t status = 0;
  std::uint32_t record = no_record;
  std::uint32_t tag = no_tag;
  bool receipt_sent = false;
};

struct Event {
  enum class Kind : std::uint8_t { answer, receipt_due, die, drain, come_back, enquire };
  Kind kind = Kind::answer;
  std::uint16_t carrier = 0;
  Answer answer;  // for receipt_due only its record, for enquire only its bind
};

struct World {
  explicit World(std::uint64_t seed) : now_ns(bench::now_ns()), wheel(now_ns), state_(seed) {}

  Poller poller;
  std::int64_t now_ns;  // read once a turn
  Wheel<Event> wheel;
  EventLog log;
  std::vector<Bind*> dirty;  // binds with output to flush at the end of the turn

  std::uint64_t random() {  // splitmix64
    std::uint64_t x = (state_ += 0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  }
  double share() { return static_cast<double>(random() >> 11) * 0x1p-53; }
  bool chance(double share_wanted) { return share_wanted > 0 && share() < share_wanted; }
  std::int64_t within(const Range& range) {
    if (range.high_ns <= range.low_ns) return range.low_ns;
    const double span = static_cast<double>(range.high_ns - range.low_ns);
    return range.low_ns + static_cast<std::int64_t>(share() * span);
  }

 private:
  std::uint64_t state_;
};

}  // namespace tollgate::bench
