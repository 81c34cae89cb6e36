// Which warnings and errors were written lately, so that each distinct one is written once.
// Any thread; a call holds the lock for a look-up. Private to log.cpp and its test.
//   1 Each event has separate room: kFaultsMax distinct faults, and for each of these kPeersMax
//     peers. Any more are counted, for that event or that fault alone.
//   2 Events are literals of ours, so there are as many as the source has.
//   3 take_sums() reports every fault counted since its last call, and forgets those that did not
//     come again: they are new the next time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/log.h"

namespace tollgate::core::log {

class Faults {
 public:
  static constexpr std::size_t kFaultsMax = 1024;
  static constexpr std::size_t kPeersMax = 32;

  struct Sum {
    Level level;
    std::string body;  // a line without time and level
  };

  // True: write it now. False: it is counted.
  bool first(Level level, std::string_view event, Fields fields);

  std::vector<Sum> take_sums();
  void clear();

 private:
  struct Fault {
    Level level = Level::warn;
    std::uint64_t again = 0;
    std::unordered_map<std::string, std::uint64_t> peers;  // by their fields: how often again
    std::uint64_t others = 0;                              // from peers beyond kPeersMax
  };
  struct Event {
    std::unordered_map<std::string, Fault> faults;  // by event and fields
    std::uint64_t others = 0;                       // beyond kFaultsMax
    Level level = Level::warn;
  };
  static bool sum(const std::string& key, Fault& fault, std::vector<Sum>& into);

  std::mutex mutex_;
  std::unordered_map<std::string, Event> events_;
};

}  // namespace tollgate::core::log
