// The log: its lines, what is summed, and descriptors that nobody reads.
#include "core/log.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <termios.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "core/check.h"
#include "core/environment.h"
#include "core/log_faults.h"
#include "core/log_writer.h"

using namespace tollgate::core;

namespace {

using Lines = std::vector<std::string>;

// Lines without their times.
Lines lines_of(const std::string& content) {
  std::istringstream text(content);
  Lines lines;
  for (std::string line; std::getline(text, line);) {
    CHECK(line.substr(10, 1) == "T");
    CHECK(line.substr(23, 2) == "Z ");
    lines.push_back(line.substr(25));
  }
  return lines;
}

class File {
 public:
  File() {
    char name[] = "/tmp/tollgate_log_XXXXXX";
    fd = ::mkstemp(name);
    ::unlink(name);
  }
  ~File() { ::close(fd); }
  Lines lines() const {
    std::string content(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), ' ');
    CHECK(::pread(fd, content.data(), content.size(), 0) == std::ssize(content));
    return lines_of(content);
  }
  int fd;
};

// A pipe of one page, full of lines of ours when asked.
struct Pipe {
  Pipe() {
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
  }
  ~Pipe() {
    close_reader();
    ::close(ends[1]);
  }
  void close_reader() {
    if (ends[0] >= 0) ::close(std::exchange(ends[0], -1));
  }
  void fill() {
    const int flags = ::fcntl(ends[1], F_GETFL);
    ::fcntl(ends[1], F_SETFL, flags | O_NONBLOCK);
    while (::write(ends[1], "x", 1) == 1) ++filled;
    ::fcntl(ends[1], F_SETFL, flags);
  }
  // Reads until a text was seen.
  std::string read_until(const std::string& text) {
    std::string content;
    char some[4096];
    while (content.find(text) == content.npos) {
      const ssize_t got = ::read(ends[0], some, sizeof some);
      REQUIRE(got > 0);
      content.append(some, static_cast<std::size_t>(got));
    }
    return content.substr(filled);
  }
  int ends[2];
  std::size_t filled = 0;
};

log::Options to(int fd) {
  log::Options options;
  options.fd = fd;
  options.sum_every_ms = 3'600'000;
  options.stop_wait_ms = 30'000;
  return options;
}

std::size_t count(const Lines& lines, const std::string& start) {
  return static_cast<std::size_t>(std::count_if(
      lines.begin(), lines.end(), [&](const auto& line) { return line.starts_with(start); }));
}

}  // namespace

TEST_CASE("a log line escapes and quotes its values", "[log]") {
  using namespace log;
  CHECK(format_line(Level::warn, "bind_refused",
                    {{"client", "shop"},
                     {"why", "no such id"},
                     {"n", 5},
                     {"big", ~0ULL},
                     {"neg", -3},
                     {"ok", true},
                     {"x", 0.25},
                     {"empty", ""}}) ==
        "warn bind_refused client=shop why=\"no such id\" n=5 big=18446744073709551615 neg=-3 "
        "ok=true x=0.25 empty=\"\"");
  CHECK(format_line(Level::info, "e", {{"v", std::string("a\nb\x7f\xff\0", 6)}}) ==
        "info e v=a\\x0Ab\\x7F\\xFF\\x00");
  CHECK(format_line(Level::info, "e", {{"v", "say \"x\" \\"}}) ==
        "info e v=\"say \\\"x\\\" \\\\\"");
}

TEST_CASE("a line has at most 4,096 octets, whatever its values", "[log]") {
  const File file;
  log::start(to(file.fd));
  log::info("long", {{"v", std::string(10'000, 'a')}});
  log::stop();
  const Lines lines = file.lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].size() + 25 + 1 == log::kLineMax);
  CHECK(lines[0].ends_with("aaa..."));
}

TEST_CASE("a distinct fault is written once, then summed", "[log]") {
  const File file;
  log::start(to(file.fd));
  for (int i = 0; i < 10; ++i) {
    log::error("carrier_down", {{"carrier", "a"}, log::Field::amount("attempt", i)});
  }
  log::error("carrier_down", {{"carrier", "b"}});
  for (int i = 0; i < 3; ++i) log::info("started", {{"n", i}});
  log::debug("not_this");
  log::stop();
  CHECK(file.lines() == Lines{"error carrier_down carrier=a attempt=0",
                              "error carrier_down carrier=b", "info started n=0",
                              "info started n=1", "info started n=2",
                              "error carrier_down carrier=a repeated=9"});
}

TEST_CASE("damage in seven places is seven lines", "[log]") {
  const File file;
  log::start(to(file.fd));
  for (int i = 0; i < 7; ++i) log::error("damage", {{"chunk", i}, {"what", "checksum"}});
  log::stop();
  CHECK(count(file.lines(), "error damage chunk=") == 7);
}

// Whoever can make many distinct faults of one event must not silence another one.
TEST_CASE("no event's faults, however many, hide those of another", "[log]") {
  const File file;
  log::start(to(file.fd));
  constexpr int kPeers = 5'000;
  for (int i = 0; i < kPeers; ++i) {
    const std::string peer = "2001:db8::" + std::to_string(i);
    log::warn("bind_refused", {log::Field::from_peer("peer", peer), {"reason", "wrong_password"}});
    log::warn("odd", {{"value", i}});
  }
  log::warn("bind_refused", {log::Field::from_peer("peer", "a"), {"reason", "too_many"}});
  log::error("carrier_link_lost", {{"carrier", "alpha"}});
  log::error("tables_refused", {{"faults", 1}});
  log::stop();
  const Lines lines = file.lines();
  CHECK(count(lines, "error carrier_link_lost carrier=alpha") == 1);
  CHECK(count(lines, "error tables_refused") == 1);
  CHECK(count(lines, "warn bind_refused peer=a reason=too_many") == 1);
  CHECK(count(lines, "warn bind_refused peer=2001:db8::") == log::Faults::kPeersMax);
  CHECK(count(lines, "warn odd value=") == log::Faults::kFaultsMax);
  CHECK(count(lines, "warn bind_refused reason=wrong_password from_others=" +
                         std::to_string(kPeers - log::Faults::kPeersMax)) == 1);
  CHECK(count(lines, "warn odd others=" + std::to_string(kPeers - log::Faults::kFaultsMax)) == 1);
}

TEST_CASE("what came again is told, what did not is new the next time", "[log]") {
  log::Faults faults;
  const auto peer = [&](const char* name) {
    return faults.first(log::Level::warn, "refused", {log::Field::from_peer("peer", name)});
  };
  CHECK(peer("a"));
  CHECK(peer("b"));
  CHECK_FALSE(peer("a"));
  auto sums = faults.take_sums();
  REQUIRE(sums.size() == 1);
  CHECK(sums[0].body == "refused peer=a repeated=1");
  CHECK(peer("b"));
  CHECK_FALSE(peer("a"));
  CHECK(faults.take_sums().size() == 1);
  CHECK(faults.take_sums().empty());
  CHECK(peer("a"));
}

TEST_CASE("a pipe that nobody reads holds up neither who logs nor the stop", "[log]") {
  Pipe pipe;
  pipe.fill();
  log::Options options = to(pipe.ends[1]);
  options.queue_lines = 100;
  options.stop_wait_ms = 10;
  const std::uint64_t before = log::lines_dropped();
  log::start(options);
  for (int i = 0; i < 20'000; ++i) log::info("flood", {{"n", i}});
  CHECK(log::lines_dropped() >= before + 20'000 - 101);
  log::stop();
  CHECK(log::lines_dropped() == before + 20'000);
}

TEST_CASE("lines lost are told when they can be written again, and errors outlive them", "[log]") {
  Pipe pipe;
  pipe.fill();
  log::Options options = to(pipe.ends[1]);
  options.queue_lines = 100;
  const std::uint64_t before = log::lines_dropped();
  log::start(options);
  for (int i = 0; i < 50; ++i) log::error("carrier_link_lost", {{"carrier", i}});
  for (int i = 0; i < 5'000; ++i) log::info("flood", {{"n", i}});
  log::error("last");
  const std::uint64_t lost = log::lines_dropped() - before;
  std::thread stopper([] { log::stop(); });
  const Lines lines = lines_of(pipe.read_until("last\n"));
  stopper.join();
  CHECK(count(lines, "error carrier_link_lost carrier=") == 50);
  CHECK(count(lines, "info flood") + lost == 5'000);
  std::uint64_t told = 0;
  const std::string words = "warn log_dropped lines=";
  for (const std::string& line : lines) {
    if (line.starts_with(words)) told += std::stoull(line.substr(words.size()));
  }
  CHECK(told == lost);
  CHECK(lines.back() == "error last");
  CHECK(log::lines_dropped() == before + lost);
}

TEST_CASE("a reader that is gone, or a full disk, costs lines and nothing else", "[log]") {
  Pipe pipe;
  pipe.close_reader();
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  for (const int fd : {pipe.ends[1], full, -1}) {
    const std::uint64_t before = log::lines_dropped();
    log::start(to(fd));
    for (int i = 0; i < 10; ++i) log::info("lost", {{"n", i}});
    log::stop();  // without a SIGPIPE, and without its 30 s
    CHECK(log::lines_dropped() == before + 10);
  }
  ::close(full);
}

TEST_CASE("a terminal that is stopped holds up nothing", "[log]") {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(terminal >= 0);
  REQUIRE(::grantpt(terminal) == 0);
  REQUIRE(::unlockpt(terminal) == 0);
  const int fd = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  REQUIRE(::tcflow(fd, TCOOFF) == 0);
  log::Options options = to(fd);
  options.stop_wait_ms = 10;
  const std::uint64_t before = log::lines_dropped();
  log::start(options);
  for (int i = 0; i < 10; ++i) log::info("stopped", {{"n", i}});
  log::stop();
  CHECK(log::lines_dropped() == before + 10);
  REQUIRE(::tcflow(fd, TCOON) == 0);
  log::start(to(fd));
  log::info("goes_on");
  log::stop();
  char some[256] = {};
  CHECK(::read(terminal, some, sizeof some - 1) > 0);
  CHECK(std::string(some).find("goes_on") != std::string::npos);
  ::close(fd);
  ::close(terminal);
}

// As it would in a write to a dead file server.
TEST_CASE("a writing thread that hangs is left behind", "[log]") {
  const File file;
  std::atomic<bool> hangs{false}, go_on{false}, ended{false};
  log::Options options = to(file.fd);
  options.sum_every_ms = 0;
  options.stop_wait_ms = 10;
  {
    const std::shared_ptr<int> held(new int, [&ended](const int* value) {
      delete value;
      ended = true;
      ended.notify_all();
    });
    const auto sum = [&hangs, &go_on, held] {
      hangs = true;
      hangs.notify_all();
      go_on.wait(false);
    };
    const auto writer = log::Writer::start(options, {sum, [](std::uint64_t) { return ""; }});
    hangs.wait(false);
    writer->push(log::Level::info, "line\n");
    writer->stop();
  }
  CHECK_FALSE(ended);  // what it holds lives on for it
  go_on = true;
  go_on.notify_all();
  ended.wait(false);
}

TEST_CASE("last words end the process though nobody reads them", "[log]") {
  Pipe pipe;
  pipe.fill();
  const bool check = GENERATE(true, false);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe.ends[1], STDERR_FILENO);
    ::signal(SIGABRT, SIG_DFL);
    if (check) check_failed("condition", "file", 1, "context");
    tell_when_terminated();
    std::terminate();
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
}

// A use of what stop() has freed shows under the thread and address sanitizers.
TEST_CASE("threads log while the log starts and stops", "[log]") {
  const File file;
  std::atomic<bool> enough{false};
  std::vector<std::thread> threads;
  const int stderr_kept = ::dup(STDERR_FILENO);
  ::dup2(file.fd, STDERR_FILENO);  // what they say while nothing is started
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !enough; ++i) log::error("fault", {{"thread", t}, {"n", i % 50}});
    });
  }
  for (int i = 0; i < 20; ++i) {
    log::start(to(file.fd));
    log::info("started", {{"n", i}});
    log::stop();
  }
  enough = true;
  for (auto& thread : threads) thread.join();
  ::dup2(stderr_kept, STDERR_FILENO);
  ::close(stderr_kept);
  CHECK(count(file.lines(), "info started") == 20);
}
