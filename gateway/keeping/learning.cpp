#include "gateway/keeping/learning.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <sstream>

#include "core/file.h"
#include "core/log.h"
#include "core/replace_file.h"
#include "gateway/keeping/detail_store.h"
#include "proto/records/detail.h"
#include "routing/csv.h"
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

// "" when it is no file that can be read: a pipe of that name is not waited for.
std::string text_of(const std::string& path) {
  auto text = core::read_file(path, routing::kTableFileBytesMax);
  return text ? std::move(*text) : std::string();
}

constexpr std::int64_t kDayUs = std::int64_t{86'400} * 1'000'000;

std::string days_file(const std::string& directory) {
  return (fs::path(directory) / "facts-days").string();
}

std::map<std::int64_t, std::uint32_t> read_days(const std::string& directory) {
  std::map<std::int64_t, std::uint32_t> days;
  std::istringstream in(text_of(days_file(directory)));
  std::int64_t day = 0;
  std::uint32_t number = 0;
  while (in >> day >> number) days.emplace(day, number);
  return days;
}

std::string places_file(const std::string& directory) {
  return (fs::path(directory) / "facts-places").string();
}

core::Clock clock_of(const LearningOptions& options) {
  return options.clock ? options.clock : core::Clock(&core::read_clock);
}

// What an earlier process saw last: its own word, or that of the facts.
std::optional<core::ClockPair> past_of(const LearningOptions& options) {
  std::optional<core::ClockPair> past = options.past;
  const std::int64_t told_us = options.start.wall_us;
  if (!past && told_us != 0) past = core::ClockPair{0, 0, told_us};
  return past;
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
    if (auto facts = routing::read_facts(path, text_of(path))) return std::move(*facts);
    core::log::warn("facts_unreadable", {{"file", path}});
  }
  return {};
}

std::string newer_facts(const std::string& directory) {
  const auto all = numbers(directory);
  if (all.empty()) return {};
  const std::string path = facts_file(directory, all.back());
  const std::string text = text_of(path);
  if (routing::read_facts(path, text) || !routing::facts_of_later_layout(text)) return {};
  return "facts: " + path + core::newer_layout("rows or columns");
}

Learning::Learning(LearningOptions options)
    : options_(std::move(options)),
      wall_(past_of(options_), core::pair_of(clock_of(options_)())),
      kept_(options_.directory, options_.kept_less_mono_us),
      learner_(options_.learner, options_.start),
      since_us_(options_.start.wall_us),
      days_(read_days(options_.directory)),
      places_(read_places(options_.directory)) {
  options_.clock = clock_of(options_);
  const auto place = places_.find(options_.start.number);
  if (place != places_.end() && place->second.wall_us == since_us_) upto_ = place->second.upto;
}

std::map<std::uint32_t, Learning::Told> Learning::read_places(const std::string& directory) {
  std::map<std::uint32_t, Told> places;
  std::istringstream in(text_of(places_file(directory)));
  std::uint32_t number = 0;
  Told told;
  while (in >> number >> told.wall_us >> told.upto.segment >> told.upto.offset >>
         told.upto.kept_us) {
    places.insert_or_assign(number, told);
  }
  return places;
}

// A record has the wall clock of when it ended. Where that cannot be, it is taken to be as old as
// the one in front of it.
std::string Learning::recount(core::Storage& records) {
  const std::int64_t now_us = wall_.at(options_.clock());
  // Volumes count from the month's first instant, rates from what is at hand.
  const std::int64_t month_us =
      since_us_ != 0 ? since_us_ : now_us - std::int64_t{31} * 86'400 * 1'000'000;
  std::int64_t time_us = month_us;
  std::uint64_t counted = 0;
  const auto each = [&](core::Octets octets) {
    proto::detail::Detail detail;
    if (!proto::detail::decode(octets, detail)) return;
    if (!upto_ && detail.settled_us <= since_us_) return;
    if (detail.settled_us <= now_us) time_us = std::max(time_us, detail.settled_us);
    count(octets, time_us);
    ++counted;
  };
  const auto report =
      upto_ ? read_details_behind(records, *upto_, each) : read_details(records, month_us, each);
  if (!report) return report.error();
  // All that there is was seen; what comes is in a file of its own.
  if (report->tail.next != 0) upto_ = DetailPlace{report->tail.next, 0, 0};
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

void Learning::keep(std::uint64_t segment, std::uint64_t offset, core::Octets payload) {
  upto_ = DetailPlace{segment, offset, 0};
  count(payload, wall_.at(options_.clock()));
}

void Learning::count(core::Octets record, std::int64_t steady_us) {
  proto::detail::Detail detail;
  if (!proto::detail::decode(record, detail) || !detail.taken()) return;
  learner_.billed(detail.client, detail.segments, steady_us);
  // Only a carrier's own word teaches: not what nobody asked for, nor what we made of silence.
  if (detail.receipt_us == 0) return;
  learner_.finished(detail.carrier, detail.mccmnc, detail.delivered(), steady_us);
}

void Learning::take_thresholds() {
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(thresholds_);
  }
  for (auto& [client, at] : taken) learner_.thresholds(client, std::move(at));
}

// What was kept is durable now.
int Learning::step() {
  if (options_.directory.empty()) return 0;
  take_thresholds();
  const core::Now now = options_.clock();
  const std::int64_t steady_us = wall_.at(now);
  const std::int64_t kept_us = now.mono_us + options_.kept_less_mono_us;
  kept_.look({core::boot_id(), now.mono_us, steady_us});
  routing::Facts facts;
  if (!learner_.changed(steady_us, facts) || !write(facts, kept_us)) return 0;
  const std::int64_t day = kept_us / kDayUs;
  note_day(day, facts.number);
  remove_old(day);
  core::log::info(
      "facts",
      {{"number", facts.number}, {"rates", facts.rates.size()}, {"volumes", facts.volumes.size()}});
  if (options_.hand_over) options_.hand_over(std::move(facts));
  return 0;
}

// In front of the facts: a start finds the place of those that it begins with.
int Learning::write_place(const routing::Facts& facts, std::int64_t kept_us) {
  DetailPlace upto = upto_.value_or(DetailPlace{});
  upto.kept_us = kept_us;
  places_.erase(places_.lower_bound(facts.number), places_.end());  // of facts that are gone
  places_.emplace(facts.number, Told{facts.wall_us, upto});
  while (places_.size() > kLatest) places_.erase(places_.begin());
  std::string text;
  for (const auto& [number, told] : places_) {
    text += std::to_string(number) + ' ' + std::to_string(told.wall_us) + ' ' +
            std::to_string(told.upto.segment) + ' ' + std::to_string(told.upto.offset) + ' ' +
            std::to_string(told.upto.kept_us) + '\n';
  }
  return core::replace_file(places_file(options_.directory), text);
}

bool Learning::write(const routing::Facts& facts, std::int64_t kept_us) {
  std::string path = places_file(options_.directory);
  int error = write_place(facts, kept_us);
  if (error == 0) {
    path = facts_file(options_.directory, facts.number);
    error = core::replace_file(path, routing::facts_text(facts), 0644);
  }
  if (error != 0) {
    core::log::error("facts_not_written", {{"file", path}, {"reason", std::strerror(error)}});
  }
  return error == 0;
}

void Learning::note_day(std::int64_t day, std::uint32_t number) {
  if (!days_.emplace(day, number).second) return;
  std::string text;
  for (const auto& [each, first] : days_) {
    text += std::to_string(each) + ' ' + std::to_string(first) + '\n';
  }
  // Without it the next start counts these days again.
  if (const int error = core::replace_file(days_file(options_.directory), text)) {
    core::log::warn("facts_days_not_written", {{"reason", std::strerror(error)}});
  }
}

// A day is over when the next one begins: what was told before `keep_days` whole ones.
void Learning::remove_old(std::int64_t day) {
  auto kept = days_.upper_bound(day - options_.keep_days);
  if (kept == days_.begin()) return;
  --kept;
  const std::uint32_t first = kept->second;
  days_.erase(days_.begin(), kept);
  const auto all = numbers(options_.directory);
  for (std::size_t i = 0; i + kLatest < all.size() && all[i] < first; ++i) {
    std::error_code error;
    fs::remove(facts_file(options_.directory, all[i]), error);
  }
}

}  // namespace tollgate::gateway
