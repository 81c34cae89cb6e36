#include "core/signals.h"

#include <pthread.h>
#include <utility>

#include "core/check.h"

namespace tollgate::core {

Signals::Signals(SignalCalls calls) : calls_(std::move(calls)) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  ::sigemptyset(&set_);
  for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGXCPU, SIGHUP}) ::sigaddset(&set_, number);
  TOLLGATE_CHECK(::pthread_sigmask(SIG_BLOCK, &set_, nullptr) == 0, "signals can be blocked");
  thread_ = std::thread([this] { run(); });
}

Signals::~Signals() {
  stopping_.store(true, std::memory_order_relaxed);
  ::pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
}

void Signals::run() {
  ::pthread_setname_np(::pthread_self(), "signals");
  for (;;) {
    int number = 0;
    if (::sigwait(&set_, &number) != 0) continue;
    if (stopping_.load(std::memory_order_relaxed)) return;
    const auto& call = number == SIGHUP ? calls_.on_reload : calls_.on_stop;
    if (call) call();
  }
}

}  // namespace tollgate::core
