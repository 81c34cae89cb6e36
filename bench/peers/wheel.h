// A calendar of plain events: buckets of a quarter millisecond, any number of events, O(1) each.
//
// An event further away than one turn of the wheel (4 s) stays in its bucket and is looked at once
// a turn. Order inside a bucket is not kept. Single thread; memory = the events that wait.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace tollgate::bench {

template <class Event>
class Wheel {
 public:
  explicit Wheel(std::int64_t now_ns) : tick_(now_ns / tick_ns), buckets_(bucket_count) {}

  std::size_t size() const { return size_; }

  void add(std::int64_t due_ns, const Event& event) {
    // Never early: an event is due in the tick after the one that its time falls into.
    const std::int64_t tick = std::max(due_ns / tick_ns + 1, tick_ + 1);
    buckets_[static_cast<std::size_t>(tick) % bucket_count].push_back({tick, event});
    ++size_;
  }

  // Calls fire(event) of everything due; fire may add.
  template <class Fire>
  void run(std::int64_t now_ns, Fire&& fire) {
    const std::int64_t until = now_ns / tick_ns;
    if (size_ == 0) tick_ = std::max(tick_, until);
    while (tick_ < until) {
      ++tick_;
      auto& bucket = buckets_[static_cast<std::size_t>(tick_) % bucket_count];
      if (bucket.empty()) continue;
      due_.clear();
      due_.swap(bucket);
      for (const auto& held : due_) {
        if (held.tick > tick_) {
          bucket.push_back(held);
        } else {
          --size_;
          fire(held.event);
        }
      }
    }
  }

  // Nanoseconds until the next tick that could hold something; negative = nothing waits.
  std::int64_t wait_ns(std::int64_t now_ns) const {
    if (size_ == 0) return -1;
    for (std::int64_t tick = tick_ + 1; tick < tick_ + 40; ++tick)
      if (!buckets_[static_cast<std::size_t>(tick) % bucket_count].empty())
        return std::max<std::int64_t>(0, tick * tick_ns - now_ns);
    return std::max<std::int64_t>(0, (tick_ + 40) * tick_ns - now_ns);
  }

 private:
  static constexpr std::int64_t tick_ns = 250'000;
  static constexpr std::size_t bucket_count = 16'384;

  struct Held {
    std::int64_t tick;
    Event event;
  };

  std::int64_t tick_;
  std::size_t size_ = 0;
  std::vector<std::vector<Held>> buckets_;
  std::vector<Held> due_;
};

}  // namespace tollgate::bench
