// tests/sim/run's program: worlds by their seeds. See usage().
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

#include "core/log.h"
#include "tests/sim/world.h"

namespace {

using tollgate::sim::Verdict;
using tollgate::sim::World;

volatile std::uint64_t current_seed = 0;

void usage(std::FILE* out) {
  std::fputs(
      "usage: sim --seeds A..B | --list FILE [--minutes M] [--twice] [--trace] [--keep-on]\n"
      "\n"
      "Runs one world for each seed: the gateway on simulated time, network and disk, among\n"
      "simulated clients and carriers; and judges what those saw. The same seed gives the same\n"
      "trace. A failing seed is told with the message's story, and its trace is written to\n"
      "sim-seed-N.trace.\n"
      "\n"
      "  --list FILE   the seeds that its lines begin with\n"
      "  --minutes M   simulated, before the world goes quiet; default 10\n"
      "  --twice       each seed twice: the trace hashes must be equal\n"
      "  --trace       print everything that crosses a wire, and every fault\n"
      "  --keep-on     go on behind a failing seed\n"
      "\n"
      "Exit status: 0 every seed held, 1 one did not, 2 wrong usage.\n"
      "Example: sim --seeds 1..200\n",
      out);
}

void on_abort(int) {
  char text[64];
  const int n = std::snprintf(text, sizeof text, "seed %llu aborted\n",
                              static_cast<unsigned long long>(current_seed));
  if (::write(2, text, static_cast<std::size_t>(n)) < 0) ::_exit(3);
  ::_exit(1);
}

struct Options {
  std::vector<std::uint64_t> seeds;
  long minutes = 10;
  bool twice = false;
  bool trace = false;
  bool keep_on = false;
};

// False: wrong.
bool read_range(const char* text, std::vector<std::uint64_t>& seeds) {
  char* end = nullptr;
  const std::uint64_t first = std::strtoull(text, &end, 10);
  std::uint64_t last = first;
  if (std::strncmp(end, "..", 2) == 0) last = std::strtoull(end + 2, &end, 10);
  if (*end != '\0' || end == text || last - first > 100'000'000) return false;
  for (std::uint64_t seed = first; seed <= last; ++seed) seeds.push_back(seed);
  return true;
}

bool read_list(const char* name, std::vector<std::uint64_t>& seeds) {
  std::ifstream file(name);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    seeds.push_back(std::strtoull(line.c_str(), nullptr, 10));
  }
  return file.eof();
}

bool read(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--seeds" && i + 1 < argc) {
      if (!read_range(argv[++i], options.seeds)) return false;
    } else if (word == "--list" && i + 1 < argc) {
      if (!read_list(argv[++i], options.seeds)) return false;
    } else if (word == "--minutes" && i + 1 < argc) {
      options.minutes = std::atol(argv[++i]);
      if (options.minutes < 1) return false;
    } else if (word == "--twice") {
      options.twice = true;
    } else if (word == "--trace") {
      options.trace = true;
    } else if (word == "--keep-on") {
      options.keep_on = true;
    } else {
      return false;
    }
  }
  return !options.seeds.empty();
}

bool run(std::uint64_t seed, const Options& options, Verdict& sum) {
  current_seed = seed;
  Verdict verdict = World(seed, options.minutes, options.trace ? stdout : nullptr).run();
  if (verdict.fault.empty() && options.twice) {
    if (World(seed, options.minutes, nullptr).run().hash != verdict.hash) {
      verdict.fault = "the second run's trace differs";
    }
  }
  sum.messages += verdict.messages;
  sum.accepted += verdict.accepted;
  sum.receipts += verdict.receipts;
  sum.doubtful += verdict.doubtful;
  sum.told_by_us += verdict.told_by_us;
  sum.crashes += verdict.crashes;
  sum.stops += verdict.stops;
  sum.chunks += verdict.chunks;
  if (verdict.fault.empty()) return true;
  const std::string name = "sim-seed-" + std::to_string(seed) + ".trace";
  std::printf("seed %llu failed: %s\n", static_cast<unsigned long long>(seed),
              verdict.fault.c_str());
  std::fflush(stdout);
  if (options.trace) return false;
  if (std::FILE* file = std::fopen(name.c_str(), "w")) {
    World(seed, options.minutes, file).run();
    std::fclose(file);
    std::printf("its trace: %s\n", name.c_str());
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    usage(stdout);
    return 0;
  }
  if (!read(argc, argv, options)) {
    usage(stderr);
    return 2;
  }
  std::signal(SIGABRT, on_abort);
  std::signal(SIGSEGV, on_abort);
  tollgate::core::log::Options quiet;
  quiet.least = tollgate::core::log::Level::error;
  quiet.fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  tollgate::core::log::start(quiet);
  const auto begin = std::chrono::steady_clock::now();
  Verdict sum;
  std::uint64_t failed = 0;
  std::uint64_t done = 0;
  const auto told = [&](const char* what) {
    const double s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf(
        "%s %llu seeds, %llu failed: %llu messages, %llu accepted, %llu receipts, "
        "%llu in doubt, %llu crashes, %llu stops, %llu chunks read; %.1f s\n",
        what, static_cast<unsigned long long>(done), static_cast<unsigned long long>(failed),
        static_cast<unsigned long long>(sum.messages),
        static_cast<unsigned long long>(sum.accepted),
        static_cast<unsigned long long>(sum.receipts),
        static_cast<unsigned long long>(sum.doubtful), static_cast<unsigned long long>(sum.crashes),
        static_cast<unsigned long long>(sum.stops), static_cast<unsigned long long>(sum.chunks), s);
    std::fflush(stdout);
  };
  for (const std::uint64_t seed : options.seeds) {
    if (!run(seed, options, sum)) {
      ++failed;
      if (!options.keep_on) break;
    }
    if (++done % 100 == 0) told("so far");
  }
  tollgate::core::log::stop();
  told(failed == 0 ? "passed" : "FAILED");
  return failed == 0 ? 0 : 1;
}
