// The process's signals as plain calls on one separate thread (sigwait), so that no code ever runs
// in a signal's context.
//   1 Construct it before any other thread starts: it blocks the signals for all of them.
//   2 Callbacks run one after the other on the signal thread; they hand over and return at once.
//   3 SIGPIPE and SIGXFSZ (a file beyond `ulimit -f`) are ignored for the whole process: they are
//     errors of the call.
#pragma once
#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

namespace tollgate::core {

struct SignalCalls {
  std::function<void()> on_stop;    // SIGTERM, SIGINT, SIGQUIT, SIGXCPU (`ulimit -t`)
  std::function<void()> on_reload;  // SIGHUP
};

class Signals {
 public:
  explicit Signals(SignalCalls calls);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  void run();

  SignalCalls calls_;
  sigset_t set_{};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace tollgate::core
