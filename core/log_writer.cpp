#include "core/log_writer.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace tollgate::core::log {
namespace {

// How often the thread looks whether it shall end, while the descriptor takes nothing.
constexpr int kLookMs = 50;
// Between two tries of a descriptor that fails.
constexpr std::chrono::milliseconds kFailedPause(500);
// For the thread to see that its time is over.
constexpr std::chrono::milliseconds kGrace(4 * kLookMs);

}  // namespace

// A blocking descriptor is never made non-blocking: others hold the same open file. A pipe and a
// terminal that are ready take one line of at most PIPE_BUF octets without waiting.
std::ptrdiff_t write_some(int fd, std::string_view text, int wait_ms) noexcept {
  pollfd ready{fd, POLLOUT, 0};
  const int found = ::poll(&ready, 1, wait_ms);
  if (found == 0) return -EAGAIN;
  if (found < 0) return errno == EINTR ? -EAGAIN : -errno;
  ssize_t written = ::send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (written < 0 && errno == ENOTSOCK) written = ::write(fd, text.data(), text.size());
  if (written >= 0) return written;
  return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

std::shared_ptr<Writer> Writer::start(const Options& options, Calls calls) {
  std::shared_ptr<Writer> writer(new Writer(options, std::move(calls)));
  // Its thread takes no signal: those of the process have a thread, and SIGPIPE becomes EPIPE.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  writer->thread_ = std::thread([writer] { writer->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return writer;
}

Writer::Writer(const Options& options, Calls calls)
    : options_(options), calls_(std::move(calls)), fd_(::fcntl(options.fd, F_DUPFD_CLOEXEC, 3)) {}

Writer::~Writer() {
  if (fd_ >= 0) ::close(fd_);
}

void Writer::push(Level level, std::string line) {
  {
    const std::lock_guard lock(mutex_);
    if (queued() >= options_.queue_lines) {
      ++dropped_;
      if (!make_room(level)) return;
    }
    lines_[static_cast<std::size_t>(level)].push_back({number_++, std::move(line)});
  }
  changed_.notify_all();
}

std::uint64_t Writer::dropped() {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

std::size_t Writer::queued() const {
  std::size_t count = 0;
  for (const auto& lines : lines_) count += lines.size();
  return count;
}

// False: all that waits is above this level.
bool Writer::make_room(Level level) {
  for (std::size_t i = 0; i <= static_cast<std::size_t>(level); ++i) {
    if (lines_[i].empty()) continue;
    lines_[i].pop_front();
    return true;
  }
  return false;
}

bool Writer::take(std::string& line) {
  telling_ = dropped_ != told_;
  if (telling_) {
    line = calls_.lost(dropped_ - std::exchange(told_, dropped_));
    return true;
  }
  std::deque<Line>* oldest = nullptr;
  for (auto& lines : lines_) {
    if (lines.empty()) continue;
    if (oldest == nullptr || lines.front().number < oldest->front().number) oldest = &lines;
  }
  if (oldest == nullptr) return false;
  line = std::move(oldest->front().text);
  oldest->pop_front();
  return true;
}

// The next line, waited for; false: the end.
bool Writer::next(std::string& line) {
  for (;;) {
    if (Clock::now() >= sum_at_) {
      sum_at_ = Clock::now() + std::chrono::milliseconds(options_.sum_every_ms);
      calls_.sum();
    }
    std::unique_lock lock(mutex_);
    if (take(line)) return true;
    if (stopping_) return false;
    changed_.wait_until(lock, sum_at_);
  }
}

bool Writer::late() {
  const std::lock_guard lock(mutex_);
  return stopping_ && Clock::now() >= until_;
}

// False: it is time to end, and what fails now is not waited for.
bool Writer::pause() {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, kFailedPause, [this] { return stopping_; });
}

// False: the line could not be written in the time that stop() gives.
bool Writer::write_out(std::string_view line) {
  while (!line.empty()) {
    const std::ptrdiff_t written = write_some(fd_, line, kLookMs);
    if (written >= 0) {
      line.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == -EAGAIN ? late() : !pause()) {
      return false;
    }
  }
  return true;
}

void Writer::run() {
  ::pthread_setname_np(::pthread_self(), "log");
  sum_at_ = Clock::now() + std::chrono::milliseconds(options_.sum_every_ms);
  bool lost = false;
  for (std::string line; !lost && next(line);) lost = !write_out(line);
  const std::lock_guard lock(mutex_);
  dropped_ += queued() + (lost && !telling_ ? 1 : 0);
  ended_ = true;
  changed_.notify_all();
}

void Writer::stop() {
  bool ended = false;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    until_ = Clock::now() + std::chrono::milliseconds(options_.stop_wait_ms);
    changed_.notify_all();
    ended = changed_.wait_until(lock, until_ + kGrace, [this] { return ended_; });
  }
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

}  // namespace tollgate::core::log
