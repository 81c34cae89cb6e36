// What compiling tables and one routing decision cost: routing_micro [--tables DIR] [--prefixes N
// ...]
//
// Decisions are timed in batches of 100 over numbers that were made before, each a random prefix of
// the numbering plan continued at random, for random clients. Beside them, in the same run, stands
// what this machine needs for one dependent load from 64 MiB of memory: a decision is a chain of a
// few of these.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <CLI/CLI.hpp>

#include "bench/micro/synthetic.h"
#include "routing/compile/compile.h"
#include "routing/router.h"

namespace {

namespace fs = std::filesystem;
using tollgate::bench::SyntheticSize;
using namespace tollgate::routing;

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<std::string> plan_prefixes(const std::string& directory) {
  std::ifstream in(directory + "/numbering_plan.csv");
  std::vector<std::string> all;
  std::string line;
  std::getline(in, line);
  if (!line.starts_with("prefix,")) return all;
  while (std::getline(in, line)) all.push_back(line.substr(0, line.find(',')));
  return all;
}

// A possible number that begins with the prefix; "" when there is none.
std::string number_under(const Dialling& dialling, std::string number, std::mt19937_64& random) {
  for (; number.size() <= kNumberDigitsMax; number += static_cast<char>('0' + random() % 10)) {
    if (number.size() >= 8 && dialling.possible(number)) return number;
  }
  return "";
}

double dependent_load_ns() {
  std::vector<std::uint32_t> next(16 << 20);  // 64 MiB: one cycle through all (Sattolo)
  std::iota(next.begin(), next.end(), 0u);
  std::mt19937_64 random(3);
  for (std::size_t i = next.size() - 1; i > 0; --i) std::swap(next[i], next[random() % i]);
  constexpr int kBatches = 2'000, kLoads = 1'000;
  std::vector<double> batches;
  std::uint32_t at = 0;
  for (int batch = 0; batch < kBatches; ++batch) {
    const double begin = seconds();
    for (int i = 0; i < kLoads; ++i) at = next[at];
    batches.push_back((seconds() - begin) * 1e9 / kLoads);
  }
  std::nth_element(batches.begin(), batches.begin() + kBatches / 2, batches.end());
  return at == 0xffffffff ? 0 : batches[kBatches / 2];
}

struct Measured {
  double median_ns, p99_ns;
  double chosen_share, candidates_mean;
};

Measured measure(const Tables& tables, const std::vector<std::string>& prefixes,
                 std::size_t decisions) {
  constexpr std::size_t kBatch = 100;
  std::mt19937_64 random(2);
  std::vector<std::string> numbers;
  while (numbers.size() < decisions) {
    std::string number =
        number_under(tables.dialling, prefixes[random() % prefixes.size()], random);
    if (!number.empty()) numbers.push_back(std::move(number));
  }
  const std::vector<CarrierState> states(tables.carriers.size());
  std::vector<double> batches;
  std::size_t chosen = 0, candidates = 0;
  Query query;
  query.ton = 1;
  query.source = "Tollgate";
  query.source_ton = 5;
  Route route;
  for (std::size_t at = 0; at + kBatch <= decisions; at += kBatch) {
    const double begin = seconds();
    for (std::size_t i = at; i < at + kBatch; ++i) {
      query.client = static_cast<std::uint16_t>(i % tables.clients.size());
      query.destination = numbers[i];
      query.message = i;
      decide(tables, query, states, route);
      chosen += route.reason == Reason::chosen;
      candidates += route.count;
    }
    batches.push_back((seconds() - begin) * 1e9 / kBatch);
  }
  std::sort(batches.begin(), batches.end());
  const auto made = static_cast<double>(batches.size() * kBatch);
  return {batches[batches.size() / 2], batches[batches.size() * 99 / 100],
          static_cast<double>(chosen) / made, static_cast<double>(candidates) / made};
}

int run(const std::string& directory, std::size_t decisions) {
  CompileOptions options;
  options.now_us = std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const CompileResult compiled = compile_directory(directory, options);
  if (!compiled) {
    for (const TableFault& fault : compiled.error())
      std::fprintf(stderr, "%s\n", fault_text(fault).c_str());
    return 1;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const Tables& tables = **compiled;
  std::printf("%zu prefixes, %zu networks, %zu carriers, %zu plans, %zu rates, %zu prices\n",
              tables.counts.prefixes, tables.destinations.size() - 1, tables.carriers.size(),
              tables.plans.size(), tables.counts.rates, tables.counts.prices);
  std::printf("compiled in %.2f s to %.1f MiB (peak of the process %.0f MiB)\n",
              static_cast<double>(tables.compile_us) / 1e6,
              static_cast<double>(tables.bytes()) / (1 << 20),
              static_cast<double>(usage.ru_maxrss) / 1024);
  const std::vector<std::string> prefixes = plan_prefixes(directory);
  if (prefixes.empty()) {
    std::fprintf(stderr, "numbering_plan.csv: its first column must be prefix\n");
    return 1;
  }
  const Measured measured = measure(tables, prefixes, decisions);
  std::printf(
      "decision: median %.0f ns, p99 %.0f ns (batches of 100 of %zu); %.1f %% routed, "
      "%.1f candidates each\n",
      measured.median_ns, measured.p99_ns, decisions, measured.chosen_share * 100,
      measured.candidates_mean);
  std::printf("one dependent load from 64 MiB: median %.0f ns\n", dependent_load_ns());
  return measured.chosen_share > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "What compiling tables and one routing decision cost.\n"
      "Example: routing_micro --prefixes 1000000 --books 50 --plans 200");
  std::string tables, write;
  SyntheticSize size;
  std::size_t decisions = 1'000'000;
  app.add_option("--tables", tables, "measure this directory; else synthetic tables are made");
  app.add_option("--write", write, "make synthetic tables in this directory, and no more");
  app.add_option("--prefixes", size.prefixes, "synthetic: prefixes of the numbering plan");
  app.add_option("--networks", size.networks, "synthetic: networks (up to 30000)");
  app.add_option("--books", size.books, "synthetic: rate books (up to 256)");
  app.add_option("--plans", size.plans, "synthetic: price plans, one client each");
  app.add_option("--prefix-rates", size.prefix_rates, "synthetic: rates by prefix of each book");
  app.add_option("--decisions", decisions, "how many to time")->check(CLI::Range(100, 10'000'000));
  CLI11_PARSE(app, argc, argv);
  if (!tables.empty()) return run(tables, decisions);
  if (!write.empty()) {
    fs::create_directories(write);
    tollgate::bench::write_synthetic(write, size);
    return 0;
  }
  std::string made = (fs::temp_directory_path() / "routing_micro-XXXXXX").string();
  if (mkdtemp(made.data()) == nullptr) {
    std::perror(made.c_str());
    return 1;
  }
  tollgate::bench::write_synthetic(made, size);
  const int status = run(made, decisions);
  fs::remove_all(made);
  return status;
}
