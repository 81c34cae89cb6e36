#include "gateway/cli/record_source.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <unistd.h>

#include "core/clock.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/terminal.h"
#include "gateway/keeping/detail_store.h"
#include "proto/escape.h"
#include "routing/compile/cells.h"

namespace tollgate::gateway::cli {
namespace {

using proto::detail::Detail;

constexpr std::uint32_t kStates = 10;
constexpr std::string_view kSetAside = "records-damaged-";

// "delivered", or "DELIVRD" as receipts have it.
std::optional<std::uint32_t> state_of(std::string text) {
  const std::string upper = [&] {
    std::string all = text;
    std::transform(all.begin(), all.end(), all.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return all;
  }();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (std::uint32_t state = 0; state < kStates; ++state) {
    const auto value = static_cast<proto::MessageState>(state);
    if (text == proto::message_state_name(value) || upper == proto::stat_word(value)) {
      return state;
    }
  }
  return std::nullopt;
}

bool parse_message(const std::string& text, std::uint64_t& id) {
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, id, 16);
  return (text.size() == 16 || text.size() == 8) && result.ec == std::errc() && result.ptr == end;
}

bool is_instant(const char* flag, const std::string& text, std::int64_t& us, std::string& why) {
  if (text.empty()) return true;
  const char* const fault = routing::parse_date(text, us);
  if (fault != nullptr) why = std::string(flag) + " " + routing::printable(text) + ": " + fault;
  return fault == nullptr;
}

}  // namespace

bool parse_span(const std::string& text, std::int64_t& us) {
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, count);
  if (result.ec != std::errc() || result.ptr + 1 != end || count <= 0 || count > 100'000) {
    return false;
  }
  switch (*result.ptr) {
    case 's':
      us = count * 1'000'000;
      return true;
    case 'm':
      us = count * 60'000'000;
      return true;
    case 'h':
      us = count * 3'600'000'000;
      return true;
    case 'd':
      us = count * 86'400'000'000;
      return true;
    default:
      return false;
  }
}

bool RecordSource::read_times(const RecordFilter& filter, const std::string& last,
                              std::string& why) {
  to_us_ = std::numeric_limits<std::int64_t>::max();
  const bool named = !filter.from.empty() || !filter.to.empty();
  if (!filter.last.empty() && named) {
    why = "--last, or --from and --to, not both";
    return false;
  }
  if (!is_instant("--from", filter.from, from_us_, why)) return false;
  if (!is_instant("--to", filter.to, to_us_, why)) return false;
  const std::string span = filter.last.empty() && !named ? last : filter.last;
  if (span.empty()) return true;
  std::int64_t us = 0;
  if (!parse_span(span, us)) {
    why = "--last " + routing::printable(span) + ": such as 90s, 15m, 24h or 7d";
    return false;
  }
  from_us_ = core::read_clock().wall_us - us;
  return true;
}

bool RecordSource::read_filter(const RecordFilter& filter, const std::string& last,
                               std::string& why) {
  filter_ = filter;
  if (!read_times(filter, last, why)) return false;
  if (!filter.message.empty() && !parse_message(filter.message, message_)) {
    why = "--message " + routing::printable(filter.message) +
          ": 16 hexadecimal digits (8 of an SMPP 3.3 session)";
    return false;
  }
  short_id_ = filter.message.size() == 8;
  if (filter_.number.starts_with('+')) filter_.number.erase(0, 1);
  if (filter.state.empty()) return true;
  state_ = state_of(filter.state);
  if (state_) return true;
  why = "--state " + routing::printable(filter.state) +
        ": such as delivered, undeliverable, expired, rejected, unknown, enroute";
  return false;
}

std::optional<RecordSource> RecordSource::open(const RecordFilter& filter, std::string command,
                                               const std::string& last, int& status) {
  RecordSource source;
  source.command_ = std::move(command);
  const auto told = [&](int bad, const std::string& text) {
    print(stderr, "tollgate " + source.command_ + ": " + text + "\n");
    status = bad;
    return std::nullopt;
  };
  std::string why;
  if (!source.read_filter(filter, last, why)) return told(kBadUsage, why);
  source.directory_ = filter.directory;
  if (filter.directory.empty() || !filter.config.empty()) {
    const std::string path = filter.config.empty() ? default_config() : filter.config;
    auto config = load_config(path);
    if (!config) {
      for (const ConfigFault& fault : config.error()) print(stderr, fault.text() + "\n");
      status = kFindings;
      return std::nullopt;
    }
    source.config_ = std::move(*config);
    if (source.directory_.empty()) source.directory_ = source.config_->records.directory;
    if (source.directory_.empty()) {
      return told(kBadUsage, path +
                                 " has no [records]: there are no detail records (--records "
                                 "names a directory that has some)");
    }
  }
  auto storage = core::open_directory(source.directory_, core::StorageUse::read_only);
  if (!storage) return told(kFindings, storage.error());
  source.storage_ = std::move(*storage);
  return source;
}

bool RecordSource::wants(const Detail& detail) const {
  if (detail.settled_us < from_us_ || detail.settled_us >= to_us_) return false;
  if (!filter_.message.empty()) {
    const std::uint64_t mask = short_id_ ? 0xFFFFFFFF : ~std::uint64_t{0};
    if ((detail.message & mask) != message_ && (detail.public_id & mask) != message_) return false;
  }
  if (!filter_.client.empty() && detail.client != filter_.client) return false;
  if (!filter_.destination.empty() && !detail.mccmnc.starts_with(filter_.destination)) return false;
  if (!filter_.number.empty() && !detail.number.starts_with(filter_.number)) return false;
  if (state_ && detail.state != *state_) return false;
  if (filter_.carrier.empty() || detail.carrier == filter_.carrier) return true;
  const auto end = detail.tries.begin() + detail.tries_kept;
  return std::any_of(detail.tries.begin(), end,
                     [&](const auto& one) { return one.carrier == filter_.carrier; });
}

bool RecordSource::for_each(const std::function<void(const Detail&)>& f) {
  Progress progress("reading detail records");
  Detail detail;
  std::uint64_t malformed = 0;
  const auto report = read_details(
      *storage_, from_us_,
      [&](core::Octets octets) {
        ++read_;
        if (!proto::detail::decode(octets, detail)) {
          ++malformed;
        } else if (wants(detail)) {
          f(detail);
        }
      },
      [&](std::uint64_t done, std::uint64_t of) { progress.show(done, of); });
  if (!report) {
    print(stderr, "tollgate " + command_ + ": " + report.error() + "\n");
    return false;
  }
  damaged_ = !report->damage.empty() || malformed != 0;
  for (const core::JournalDamage& damage : report->damage) {
    print(stderr, red("damage", stderr) + " file " + std::to_string(damage.segment) + ", octets " +
                      std::to_string(damage.begin) + " to " + std::to_string(damage.end) + ": " +
                      damage.what + "\n");
  }
  if (malformed != 0) print(stderr, counted(malformed, "record") + " cannot be read\n");
  tell_set_aside();
  return true;
}

// Files that a start found damaged.
void RecordSource::tell_set_aside() {
  std::vector<std::string> names;
  if (storage_->list(names) != 0) return;
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (!name.starts_with(kSetAside)) continue;
    damaged_ = true;
    print(stderr, red("damage", stderr) + " " + proto::escaped(storage_->place(name), 4'096) +
                      ": set aside by a start; what cannot be read there is in no sum\n");
  }
}

Progress::~Progress() {
  if (shown_) print(stderr, "\r\x1b[K");
}

void Progress::show(std::uint64_t done, std::uint64_t of) {
  if (!isatty(fileno(stderr)) || of < 4) return;
  shown_ = true;
  print(stderr, "\r" + std::string(what_) + ": " + std::to_string(done * 100 / of) + " %");
}

}  // namespace tollgate::gateway::cli
