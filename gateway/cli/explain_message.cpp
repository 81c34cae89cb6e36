// `tollgate explain --message`: the decision that was taken of a message, from its detail record;
// and, as far as its tables are at hand, why each carrier was or was not in it.
#include <filesystem>

#include <nlohmann/json.hpp>

#include "core/file.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/desk.h"
#include "gateway/cli/journal_text.h"
#include "gateway/cli/records.h"
#include "gateway/cli/redecide.h"
#include "gateway/cli/terminal.h"
#include "proto/escape.h"
#include "proto/saturated.h"
#include "routing/compile/compile.h"
#include "routing/csv.h"
#include "routing/money.h"
#include "routing/store/table_cache.h"

namespace tollgate::gateway::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using proto::detail::Detail;

int complain(int status, const std::string& text) {
  print(stderr, "tollgate explain: " + text + "\n");
  return status;
}

// The folder of a version in the gateway's cache: "41-9f86d081884c".
std::string cached(const Config& config, std::uint32_t version) {
  const std::string begin = std::to_string(version) + "-";
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(config.tables.cache, error)) {
    if (entry.path().filename().string().starts_with(begin)) return entry.path().string();
  }
  return {};
}

struct AtHand {
  std::string directory;
  std::string place;  // for people
  bool same = true;   // it is that version, not merely what is there now
};

std::optional<AtHand> tables_of(const Config& config, const ExplainOptions& options,
                                std::uint32_t version, const TemporaryFolder& folder) {
  if (!options.tables.empty() || config.tables.redis.empty()) {
    const auto chosen = choose_tables(config, options.tables, folder);
    if (!chosen) return std::nullopt;
    return AtHand{chosen->directory, chosen->place, false};
  }
  if (std::string found = cached(config, version); !found.empty()) {
    return AtHand{found, "the cache", true};
  }
  const auto chosen = choose_tables(config, std::to_string(version), folder);
  if (!chosen) return std::nullopt;
  return AtHand{chosen->directory, chosen->place, true};
}

std::string text_of(const Detail& detail) {
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    text += std::string(name) + std::string(13 - std::min<std::size_t>(name.size(), 12), ' ') +
            value + "\n";
  };
  const auto money = [&](std::int64_t nano) {
    return routing::format_nano(nano) + " " + proto::escaped(detail.currency);
  };
  line("message", message_text(detail.message));
  line("client", proto::escaped(detail.client));
  line("from", proto::escaped(detail.source.digits));
  if (!detail.sender.digits.empty()) {
    line("sent as", proto::escaped(detail.sender.digits));
  }
  line("number", proto::escaped(detail.number));
  line("destination", proto::escaped(detail.mccmnc));
  line("accepted", moment_text(detail.accepted_us));
  line("tables", "version " + std::to_string(detail.tables_version) +
                     (detail.facts != 0 ? ", facts " + std::to_string(detail.facts) : ""));
  line("price", money(detail.price_nano) + " a segment, " + std::to_string(detail.segments) +
                    (detail.segments == 1 ? " segment" : " segments"));
  const auto states = [&](std::string_view name, const proto::detail::Names& names) {
    std::string list;
    for (const std::string_view each : names) {
      list += (list.empty() ? "" : ", ") + proto::escaped(each);
    }
    line(name, list);
  };
  states("down then", detail.down);
  states("full then", detail.full);
  std::vector<std::vector<std::string>> rows{{"rank", "carrier", "cost", "margin"}};
  for (std::size_t i = 0; i < detail.candidate_count; ++i) {
    const auto& candidate = detail.candidates[i];
    rows.push_back(
        {std::to_string(i + 1), proto::escaped(candidate.carrier),
         routing::format_nano(candidate.cost_nano),
         routing::format_nano(proto::difference(detail.price_nano, candidate.cost_nano))});
  }
  text += "\n" + aligned(rows);
  if (detail.tries_kept != 0) {
    rows = {{"attempt", "carrier", "after s", "end", "status", "billed"}};
    for (std::size_t i = 0; i < detail.tries_kept; ++i) {
      const auto& one = detail.tries[i];
      std::array<char, 32> after{};
      std::snprintf(after.data(), after.size(), "%.3f", one.after_ms / 1000.0);
      rows.push_back({std::to_string(one.attempt), proto::escaped(one.carrier), after.data(),
                      std::string(proto::detail::try_end_name(one.end)),
                      std::string(proto::status_name(one.status)), one.billed ? "yes" : "no"});
    }
    text += "\n" + aligned(rows);
  }
  text += "\n";
  line("state",
       std::string(proto::message_state_name(static_cast<proto::MessageState>(detail.state))) +
           (detail.by_gateway ? ", the gateway's own word" : "") +
           (detail.error.empty() ? "" : ", error " + proto::escaped(detail.error)));
  line("ended",
       moment_text(detail.settled_us) + ", " + std::string(proto::detail::how_name(detail.how)));
  line("carrier's id", proto::escaped(detail.carrier_message_id));
  line("revenue", money(detail.revenue_nano));
  line("cost", money(detail.cost_nano));
  line("margin", money(detail.margin_nano));
  return text;
}

std::optional<routing::Facts> facts_of(const std::string& records, std::uint32_t number) {
  if (number == 0) return std::nullopt;
  const fs::path path = fs::path(records) / ("facts-" + std::to_string(number) + ".csv");
  const auto text = core::read_file(path.string(), routing::kTableFileBytesMax);
  if (!text) return std::nullopt;
  auto facts = routing::read_facts(path.string(), *text);
  if (!facts) return std::nullopt;
  return std::move(*facts);
}

// Adds to the text or the JSON; the exit status.
int add_derived(const ExplainOptions& options, const RecordSource& source, const Detail& detail,
                std::string& text, Json& json) {
  const Config& config = *source.config();
  const TemporaryFolder folder;
  const auto at_hand = tables_of(config, options, detail.tables_version, folder);
  if (!at_hand) {
    text += "\nVersion " + std::to_string(detail.tables_version) +
            " of the tables is not at hand any more: no more can be said.\n";
    json["derived"] = nullptr;
    return kFine;
  }
  const auto facts = facts_of(source.directory(), detail.facts);
  const auto tables = compile_as_gateway(
      config,
      {at_hand->directory, detail.accepted_us, detail.tables_version, facts ? &*facts : nullptr});
  if (!tables) {
    text += "\nThe tables of " + at_hand->place + " have faults: no more can be said.\n";
    json["derived"] = nullptr;
    return kFine;
  }
  Redecide redecide(**tables);
  routing::Route route;
  routing::Explanation explanation;
  if (!redecide(detail, route, &explanation)) {
    text += "\nThe tables of " + at_hand->place + " do not have this client any more.\n";
    json["derived"] = nullptr;
    return kFine;
  }
  const auto found = differences(detail, **tables, route);
  text += "\n" +
          std::string(at_hand->same
                          ? "By version " + std::to_string(detail.tables_version) + " of the tables"
                          : "By the tables as they are now") +
          ", from " + at_hand->place + ":\n" + routing::explain_text(**tables, explanation);
  for (const std::string& each : found) text += red("differs", stdout) + "  " + each + "\n";
  json["derived"] = Json::parse(routing::explain_json(**tables, explanation));
  json["derived_from"] = at_hand->place;
  json["same_version"] = at_hand->same;
  json["differences"] = found;
  return found.empty() ? kFine : kFindings;
}

}  // namespace

int explain_message(const ExplainOptions& options) {
  RecordFilter filter;
  filter.config = options.config;
  filter.directory = options.records;
  filter.message = options.message;
  int status = kFine;
  auto source = RecordSource::open(filter, "explain", "", status);
  if (!source) return status;
  std::vector<std::string> texts;
  bool any = false;
  const bool read = source->for_each([&](const Detail& detail) {
    any = true;
    std::string text = text_of(detail);
    Json json = Json::parse(record_json_line(detail));
    status = std::max(status, add_derived(options, *source, detail, text, json));
    texts.push_back(options.json ? json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n"
                                 : text);
  });
  if (!read) return kFindings;
  if (!any) {
    return complain(kFindings,
                    "no message with the id " + options.message +
                        " has ended, as far as detail records are kept (`tollgate journal` knows "
                        "those that have not)");
  }
  for (const std::string& text : texts) print(stdout, text);
  return status;
}

}  // namespace tollgate::gateway::cli
