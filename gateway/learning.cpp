#include "gateway/learning.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <unistd.h>

#include "core/log.h"
#include "gateway/detail_store.h"
#include "proto/detail.h"
#include "routing/tables.h"

namespace tollgate::gateway {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBegin = "facts-";
constexpr std::string_view kEnd = ".csv";
constexpr std::uint32_t kLatest = 64;  // kept however old

std::optional<std::uint32_t> number_of(const std::string& name) {
  if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) return std::nullopt;
  std::uint32_t number = 0;
  const char* const end = name.data() + name.size() - kEnd.size();
  const auto read = std::from_chars(name.data() + kBegin.size(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

std::vector<std::uint32_t> numbers(const std::string& directory) {
  std::vector<std::uint32_t> all;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (const auto number = number_of(entry.path().filename().string())) all.push_back(*number);
  }
  std::sort(all.begin(), all.end());
  return all;
}

// Whole or not at all, and durable.
bool write_file(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  std::size_t at = 0;
  while (at < text.size()) {
    const ssize_t n = ::write(fd, text.data() + at, text.size() - at);
    if (n <= 0) break;
    at += static_cast<std::size_t>(n);
  }
  const bool good = at == text.size() && ::fdatasync(fd) == 0;
  ::close(fd);
  return good && std::rename(beside.c_str(), path.c_str()) == 0;
}

}  // namespace

std::string facts_file(const std::string& directory, std::uint32_t number) {
  return (fs::path(directory) / (std::string(kBegin) + std::to_string(number) + std::string(kEnd)))
      .string();
}

routing::Facts newest_facts(const std::string& directory) {
  const auto all = numbers(directory);
  for (auto number = all.rbegin(); number != all.rend(); ++number) {
    const std::string path = facts_file(directory, *number);
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (auto facts = routing::read_facts(path, text)) return std::move(*facts);
    core::log::warn("facts_unreadable", {{"file", path}});
  }
  return {};
}

Learning::Learning(LearningOptions options)
    : options_(std::move(options)),
      learner_(options_.learner, options_.start),
      since_us_(options_.start.wall_us) {
  if (!options_.clock) options_.clock = &core::read_clock;
}

std::string Learning::recount(core::Storage& records) {
  const std::int64_t now_us = options_.clock().wall_us;
  // Volumes count from the month's first instant, rates from what is at hand.
  const std::int64_t month_us =
      since_us_ != 0 ? since_us_ : now_us - std::int64_t{31} * 86'400 * 1'000'000;
  std::uint64_t counted = 0;
  const auto report = read_details(records, month_us, [&](core::Octets octets) {
    proto::detail::Detail detail;
    if (!proto::detail::decode(octets, detail) || detail.settled_us <= since_us_) return;
    count(octets);
    ++counted;
  });
  if (!report) return report.error();
  core::log::info("facts_start", {{"number", options_.start.number}, {"recounted", counted}});
  return {};
}

void Learning::thresholds(const routing::Tables& tables) {
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> all;
  for (std::size_t i = 0; i < tables.clients.size(); ++i) {
    if (tables.clients[i].name.empty()) continue;
    all.emplace_back(tables.clients[i].name, tables.thresholds(static_cast<std::uint16_t>(i)));
  }
  const std::lock_guard lock(mutex_);
  thresholds_ = std::move(all);
}

bool Learning::wants(std::uint32_t type) const {
  return type == kDetailType;
}

void Learning::keep(std::uint64_t, std::uint64_t, core::Octets payload) {
  count(payload);
}

void Learning::count(core::Octets record) {
  proto::detail::Detail detail;
  if (!proto::detail::decode(record, detail) || !detail.taken()) return;
  learner_.billed(detail.client, detail.segments, detail.settled_us);
  // Only a carrier's own word teaches: not what nobody asked for, nor what we made of silence.
  if (detail.receipt_us == 0) return;
  learner_.finished(detail.carrier, detail.mccmnc, detail.delivered(), detail.settled_us);
}

void Learning::take_thresholds() {
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(thresholds_);
  }
  for (auto& [client, at] : taken) learner_.thresholds(client, std::move(at));
}

int Learning::step() {
  take_thresholds();
  const std::int64_t wall_us = options_.clock().wall_us;
  routing::Facts facts;
  if (!learner_.changed(wall_us, facts) || !write(facts)) return 0;
  remove_old(wall_us);
  core::log::info(
      "facts",
      {{"number", facts.number}, {"rates", facts.rates.size()}, {"volumes", facts.volumes.size()}});
  if (options_.hand_over) options_.hand_over(std::move(facts));
  return 0;
}

bool Learning::write(const routing::Facts& facts) {
  const std::string path = facts_file(options_.directory, facts.number);
  const bool good = write_file(path, routing::facts_text(facts));
  if (!good) core::log::error("facts_not_written", {{"file", path}});
  return good;
}

void Learning::remove_old(std::int64_t wall_us) {
  const std::int64_t keep_us = std::int64_t{options_.keep_days} * 86'400 * 1'000'000;
  const auto all = numbers(options_.directory);
  for (std::size_t i = 0; i + kLatest < all.size(); ++i) {
    const std::string path = facts_file(options_.directory, all[i]);
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto facts = routing::read_facts(path, text);
    if (facts && facts->wall_us > wall_us - keep_us) return;
    std::error_code error;
    fs::remove(path, error);
  }
}

}  // namespace tollgate::gateway
