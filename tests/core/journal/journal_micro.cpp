// journal_micro [seconds [directory]]: what the journal costs on a real directory (default: a
// temporary one, removed at the end), each figure for about `seconds` (default 0.5). Run it from a
// release build on the disk in question; ctest runs it briefly, so that it cannot rot.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "core/journal/journal.h"
#include "core/journal/reader.h"
#include "core/journal/storage.h"
#include "tests/core/temporary_directory.h"

namespace tollgate::core {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kPayload = 234;  // 250 octets with the journal's framing

double seconds = 0.5;

double since(Steady::time_point begin) {
  return std::chrono::duration<double>(Steady::now() - begin).count();
}
double cpu_of(clockid_t clock) {
  timespec at{};
  ::clock_gettime(clock, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
}

class Bell final : public Waker {
 public:
  Bell() : fd_(::eventfd(0, EFD_NONBLOCK)) {}
  ~Bell() { ::close(fd_); }
  void wake() noexcept override {
    const std::uint64_t one = 1;
    if (::write(fd_, &one, 8) != 8) std::abort();
  }
  void wait(int ms) noexcept {
    pollfd wanted{fd_, POLLIN, 0};
    ::poll(&wanted, 1, ms);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto n = ::read(fd_, &count, 8);
  }

 private:
  int fd_;
};

// A journal in a fresh directory below `place`, and this thread as its one shard.
struct Rig {
  std::string path;
  std::unique_ptr<Storage> storage;
  Bell bell;
  Sleeper sleeper{&bell};
  std::unique_ptr<Journal> journal;

  explicit Rig(const std::string& place) : path(place + "/journal_micro") {
    auto opened = open_directory(path, StorageUse::exclusive);
    if (!opened) stop(opened.error());
    storage = std::move(*opened);
    JournalOptions options;
    options.storage = storage.get();
    options.wake = [this](unsigned) { sleeper.notify(); };
    auto journal_opened = Journal::open(options);
    if (!journal_opened) stop(journal_opened.error());
    journal = std::move(*journal_opened);
  }
  ~Rig() {
    journal.reset();
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  [[noreturn]] static void stop(const std::string& why) {
    std::fprintf(stderr, "journal_micro: %s\n", why.c_str());
    std::exit(1);
  }
  void sleep_until_marked(Mark old) {
    sleeper.fall_asleep();
    if (journal->stream(0).durable() == old) bell.wait(1'000);
    sleeper.awake();
  }
};

// As fast as it goes: appends while not spilled, then sleeps until a mark moves.
void throughput(const std::string& place, std::size_t turn_records) {
  Rig rig(place);
  Journal::Stream& stream = rig.journal->stream(0);
  const std::vector<std::uint8_t> payload(kPayload, 'x');
  const double process = cpu_of(CLOCK_PROCESS_CPUTIME_ID);
  const double thread = cpu_of(CLOCK_THREAD_CPUTIME_ID);
  const auto begin = Steady::now();
  double appending = 0;
  do {
    const double turn = cpu_of(CLOCK_THREAD_CPUTIME_ID);
    for (std::size_t i = 0; i < turn_records && !stream.spilled(); ++i) {
      stream.append(1, payload);
    }
    appending += cpu_of(CLOCK_THREAD_CPUTIME_ID) - turn;
    stream.set_oldest_needed(stream.current_segment());
    stream.publish();
    if (stream.appended() - stream.durable() > 8 * turn_records || stream.spilled()) {
      rig.sleep_until_marked(stream.durable());
    }
  } while (since(begin) < seconds);
  while (stream.durable() != stream.appended() && !stream.failed()) {
    stream.publish();
    rig.sleep_until_marked(stream.durable());
  }
  const double wall = since(begin);
  const double shard = cpu_of(CLOCK_THREAD_CPUTIME_ID) - thread;
  const double journal = cpu_of(CLOCK_PROCESS_CPUTIME_ID) - process - shard;
  const auto records = static_cast<double>(stream.durable());
  const auto batches = static_cast<double>(rig.journal->counts()[JournalCount::batches].get());
  std::printf(
      "turns of %5zu records of %zu octets: %7.0f k records/s, journal %.3f CPU-s a million, "
      "append %3.0f ns, batch %6.0f\n",
      turn_records, kPayload, records / wall / 1e3, journal / records * 1e6,
      appending / records * 1e9, records / batches);
}

// Open loop: `rate` records a second, one at a time when it is due; how long until durable.
void latency(const std::string& place, double rate) {
  Rig rig(place);
  Journal::Stream& stream = rig.journal->stream(0);
  const std::vector<std::uint8_t> payload(kPayload, 'x');
  std::vector<double> due;
  std::vector<double> waited;
  due.reserve(static_cast<std::size_t>(rate * seconds) + 1);
  const double thread = cpu_of(CLOCK_THREAD_CPUTIME_ID);
  const double process = cpu_of(CLOCK_PROCESS_CPUTIME_ID);
  const auto begin = Steady::now();
  for (double now = 0; now < seconds || waited.size() < due.size();) {
    now = since(begin);
    while (now < seconds && static_cast<double>(due.size()) / rate <= now) {
      due.push_back(static_cast<double>(due.size()) / rate);
      stream.append(1, payload);
    }
    stream.publish();
    const Mark durable = stream.durable();
    now = since(begin);
    while (waited.size() < durable) waited.push_back(now - due[waited.size()]);
    if (stream.failed()) Rig::stop(rig.journal->failure());
  }
  const double shard = cpu_of(CLOCK_THREAD_CPUTIME_ID) - thread;
  const double journal = cpu_of(CLOCK_PROCESS_CPUTIME_ID) - process - shard;
  std::sort(waited.begin(), waited.end());
  const auto at = [&](double q) {
    return waited[static_cast<std::size_t>(q * static_cast<double>(waited.size() - 1))] * 1e6;
  };
  std::printf(
      "open loop %6.0f/s, append to durable: p50 %.0f, p99 %.0f, max %.0f us; journal "
      "%.2f CPU-s a million, batch %.1f\n",
      rate, at(0.5), at(0.99), at(1), journal / static_cast<double>(waited.size()) * 1e6,
      static_cast<double>(waited.size()) /
          static_cast<double>(rig.journal->counts()[JournalCount::batches].get()));
}

// Recovery's side: how fast the records come back.
void reading(const std::string& place) {
  Rig rig(place);
  Journal::Stream& stream = rig.journal->stream(0);
  const std::vector<std::uint8_t> payload(kPayload, 'x');
  const auto writing = Steady::now();
  while (since(writing) < seconds) {
    for (int i = 0; i < 1'000 && !stream.spilled(); ++i) stream.append(1, payload);
    stream.publish();
    if (stream.spilled()) rig.sleep_until_marked(stream.durable());
  }
  const Mark appended = stream.appended();
  while (stream.spilled()) {
    stream.publish();
    rig.sleep_until_marked(stream.durable());
  }
  rig.journal.reset();
  std::uint64_t octets = 0;
  const auto begin = Steady::now();
  const auto report = read_journal(
      *rig.storage, [&](const JournalRecord& record) { octets += record.payload.size(); });
  if (!report) Rig::stop(report.error());
  if (report->records != appended || octets != appended * kPayload) Rig::stop("records are lost");
  std::printf("reading: %.0f k records/s (%llu records, %llu segments)\n",
              static_cast<double>(report->records) / since(begin) / 1e3,
              static_cast<unsigned long long>(report->records),
              static_cast<unsigned long long>(report->segments));
}

}  // namespace
}  // namespace tollgate::core

int main(int argc, char** argv) {
  using namespace tollgate::core;
  if (argc > 1) seconds = std::atof(argv[1]);
  const testing::TemporaryDirectory temporary;
  const std::string place = argc > 2 ? argv[2] : temporary.path();
  for (const std::size_t records : {100, 1'000, 4'000}) throughput(place, records);
  latency(place, 50'000);
  latency(place, 200'000);
  reading(place);
}
