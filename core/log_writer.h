// The one thread that writes the log's lines to a descriptor, and their bounded queue.
// push() may be called by any thread; it takes a lock for as long as a list's operation lasts, and
// never waits for the descriptor. Private to log.cpp.
//   1 The queue holds at most queue_lines lines. Beyond that the oldest of the lowest level is
//     dropped, or the new one if all others are above it.
//   2 Lines of the queue are written in the order of push().
//   3 A descriptor that takes nothing (a full pipe, a stopped terminal) or fails (no space, no
//     reader) is tried again as long as the writer lives; its line is kept, and finished.
//   4 stop() returns soon after stop_wait_ms, even when the thread hangs inside a write: then the
//     thread is left alone with what it holds, which lives on for it.
#pragma once
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/log.h"

namespace tollgate::core::log {

class Writer : public std::enable_shared_from_this<Writer> {
 public:
  // Called on the writing thread.
  struct Calls {
    std::function<void()> sum;                            // each sum_every_ms
    std::function<std::string(std::uint64_t lost)> lost;  // the line that tells of lost ones
  };
  static std::shared_ptr<Writer> start(const Options& options, Calls calls);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void push(Level level, std::string line);  // with its line end
  void stop();                               // once
  std::uint64_t dropped();

 private:
  using Clock = std::chrono::steady_clock;

  Writer(const Options& options, Calls calls);
  void run();
  bool next(std::string& line);
  bool write_out(std::string_view line);
  bool pause();
  bool late();
  // With the lock:
  bool make_room(Level level);
  bool take(std::string& line);
  std::size_t queued() const;

  struct Line {
    std::uint64_t number;
    std::string text;
  };

  const Options options_;
  const Calls calls_;
  const int fd_;  // -1: there is none; every line is lost

  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<std::deque<Line>, 4> lines_;  // by level, each in the order of number
  std::uint64_t number_ = 0;
  std::uint64_t dropped_ = 0, told_ = 0;
  bool stopping_ = false, ended_ = false;
  Clock::time_point until_{};  // when stopping_

  // The thread's:
  Clock::time_point sum_at_;
  bool telling_ = false;  // its line is one of lost()
  std::thread thread_;
};

// Writes as much as goes without waiting: octets written, or -errno (-EAGAIN: nothing now). Waits
// at most wait_ms before. Never raises SIGPIPE on a socket; a pipe's is the caller's to block.
std::ptrdiff_t write_some(int fd, std::string_view text, int wait_ms) noexcept;

}  // namespace tollgate::core::log
