#include "routing/compile/facts.h"

#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <set>

#include "routing/compile/cells.h"
#include "routing/csv.h"

namespace tollgate::routing {
namespace {

enum FactColumn : std::size_t { kWhat, kName, kDestination, kValue, kOf };
constexpr std::array<Column, 5> kColumns = {
    {{"what"}, {"name"}, {"destination"}, {"value"}, {"of"}}};

std::chrono::year_month_day day_of(std::int64_t wall_us) {
  const std::chrono::sys_time<std::chrono::microseconds> time{std::chrono::microseconds(wall_us)};
  return std::chrono::floor<std::chrono::days>(time);
}

class FactsReader {
 public:
  explicit FactsReader(Sheet& sheet) : sheet_(sheet) {}

  Facts run() {
    while (sheet_.next()) read_row();
    return std::move(facts_);
  }

 private:
  std::uint64_t read_count(std::size_t column, std::uint64_t max) {
    const std::string_view text = sheet_[column];
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error == std::errc::invalid_argument || end != text.data() + text.size())
      sheet_.fault(column, "is not a whole number");
    else if (error != std::errc{} || value > max)
      sheet_.fault(column, "is too large");
    return value;
  }

  void expect_empty(std::initializer_list<std::size_t> columns) {
    for (std::size_t column : columns) {
      if (!sheet_[column].empty()) sheet_.fault(column, "is not empty: this row has no such thing");
    }
  }

  void read_row() {
    const std::string_view what = sheet_[kWhat];
    constexpr std::uint64_t kAny = std::numeric_limits<std::int64_t>::max();
    if (what == "number" || what == "time" || what == "month") {
      expect_empty({kName, kDestination, kOf});
      if (!once_.insert(std::string(what)).second) return sheet_.fault(kWhat, "is there twice");
      if (what == "number")
        facts_.number = static_cast<std::uint32_t>(read_count(kValue, 0xffff'ffff));
      else if (what == "time")
        facts_.wall_us = static_cast<std::int64_t>(read_count(kValue, kAny));
      else
        read_month();
    } else if (what == "rate") {
      read_rate();
    } else if (what == "volume") {
      expect_empty({kDestination, kOf});
      check_name();
      facts_.volumes.push_back({std::string(sheet_[kName]), read_count(kValue, kAny)});
      check_known(facts_.volumes.size(), kVolumesMax);
    } else {
      sheet_.fault(kWhat, "is not number, time, month, rate or volume");
    }
  }

  void read_month() {
    facts_.month = static_cast<std::uint32_t>(read_count(kValue, 999'912));
    const std::uint32_t month = facts_.month % 100;
    if (facts_.month != 0 && (month < 1 || month > 12))
      sheet_.fault(kValue, "is not a month such as 202611");
  }

  void read_rate() {
    check_name();
    if (const char* why = bad_destination(sheet_[kDestination])) sheet_.fault(kDestination, why);
    LearnedRate rate{std::string(sheet_[kName]), std::string(sheet_[kDestination]), 0, 0};
    rate.delivered_ppm = static_cast<std::uint32_t>(read_count(kValue, kRateWhole));
    rate.of = read_count(kOf, std::numeric_limits<std::int64_t>::max());
    facts_.rates.push_back(std::move(rate));
    check_known(facts_.rates.size(), kLearnedRatesMax);
  }

  void check_name() {
    if (const char* why = bad_name(sheet_[kName])) sheet_.fault(kName, why);
  }

  void check_known(std::size_t count, std::size_t max) {
    if (count == max + 1) sheet_.fault_row("is one too many: at most " + std::to_string(max));
    std::string key(sheet_[kWhat]);
    for (std::size_t column : {kName, kDestination}) key.append(1, ' ').append(sheet_[column]);
    if (!once_.insert(std::move(key)).second) sheet_.fault(kName, "is there twice");
  }

  Sheet& sheet_;
  Facts facts_;
  std::set<std::string> once_;
};

}  // namespace

std::uint32_t month_of(std::int64_t wall_us) {
  const auto day = day_of(wall_us);
  return static_cast<std::uint32_t>(static_cast<int>(day.year()) * 100) +
         static_cast<unsigned>(day.month());
}

std::int64_t month_end_us(std::int64_t wall_us) {
  const auto day = day_of(wall_us);
  const std::chrono::year_month next =
      std::chrono::year_month(day.year(), day.month()) + std::chrono::months(1);
  return std::chrono::sys_time<std::chrono::microseconds>(std::chrono::sys_days(next / 1))
      .time_since_epoch()
      .count();
}

std::string facts_text(const Facts& facts) {
  std::string text = "what,name,destination,value,of\n";
  text += "number,,," + std::to_string(facts.number) + ",\n";
  text += "time,,," + std::to_string(facts.wall_us) + ",\n";
  text += "month,,," + std::to_string(facts.month) + ",\n";
  for (const LearnedRate& rate : facts.rates) {
    text += "rate," + rate.carrier + "," + rate.destination + "," +
            std::to_string(rate.delivered_ppm) + "," + std::to_string(rate.of) + "\n";
  }
  for (const Volume& volume : facts.volumes)
    text += "volume," + volume.client + ",," + std::to_string(volume.segments) + ",\n";
  return text;
}

bool facts_of_later_layout(std::string_view text) {
  constexpr std::string_view kHead = "what,name,destination,value,of";
  const auto is_word = [](std::string_view word) {
    return !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == word.npos;
  };
  if (!text.starts_with(kHead)) return text.starts_with("what,");
  if (text.size() > kHead.size() && text[kHead.size()] == ',') return true;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view what = line.substr(0, line.find(','));
    const bool ours = what == "what" || what == "number" || what == "time" || what == "month" ||
                      what == "rate" || what == "volume";
    if (is_word(what) && what.size() < line.size() && !ours) return true;
  }
  return false;
}

tl::expected<Facts, std::vector<TableFault>> read_facts(const std::string& file,
                                                        std::string_view text) {
  FaultList faults;
  Sheet sheet(file, text, kColumns, faults);
  Facts facts = FactsReader(sheet).run();
  if (!faults.empty()) return tl::unexpected(faults.take());
  return facts;
}

}  // namespace tollgate::routing
