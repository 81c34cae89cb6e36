#include "bench/load/report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/peers/usage.h"

namespace tollgate::bench {
namespace {

using Json = nlohmann::ordered_json;

struct Check {
  const char* name;
  bool holds;
};

std::vector<Check> checks_of(const Run& run, const Options& options) {
  const RunCounts& c = run.counts;
  const unsigned asked = options.registered_delivery & 3u;
  std::vector<Check> checks{
      {"something_was_accepted", c.accepted != 0},
      {"every_submit_answered", c.unanswered == 0},
      {"every_message_id_unique", run.match.ids_duplicated == 0 && c.ids_empty == 0},
      {"no_unmatched_response", c.unmatched_responses == 0 && c.generic_nacks == 0},
      {"frames_sound", c.bad_frames == 0 && c.malformed == 0},
  };
  if (!options.reconnect) checks.push_back({"sessions_kept", c.sessions_lost == 0});
  if (!options.allow_refused) checks.push_back({"no_refusal", c.refused == 0});
  if (asked == 1) checks.push_back({"no_receipt_lost", run.match.lost == 0});
  // At least once: a link that fell may have carried the answer to one.
  if (!options.reconnect) checks.push_back({"no_receipt_duplicated", run.match.duplicated == 0});
  checks.push_back(
      {"no_receipt_unmatched", run.match.unmatched == 0 && c.receipts_without_id == 0 &&
                                   run.match.wrong_message == 0 && c.receipts_two_ids == 0});
  if (asked == 0) checks.push_back({"no_receipt_unasked", c.receipts == 0});
  return checks;
}

Json latency_json(const Histogram& h) {
  return Json{
      {"count", h.count()},         {"p50", h.quantile_us(0.5)},     {"p90", h.quantile_us(0.9)},
      {"p99", h.quantile_us(0.99)}, {"p99_9", h.quantile_us(0.999)}, {"max", h.max_us()},
      {"mean", h.mean_us()}};
}

std::string latency_text(const char* name, const Histogram& h) {
  if (h.count() == 0) return {};
  return fmt::format("{:<20}p50 {:.0f}  p90 {:.0f}  p99 {:.0f}  p99.9 {:.0f}  max {:.0f} us\n",
                     name, h.quantile_us(0.5), h.quantile_us(0.9), h.quantile_us(0.99),
                     h.quantile_us(0.999), h.max_us());
}

double rate_of(const Run& run) {
  const auto done = static_cast<double>(run.counts.accepted + run.counts.refused);
  return run.seconds > 0 ? done / run.seconds : 0;
}

Json receipts_json(const Run& run) {
  const RunCounts& c = run.counts;
  return Json{{"received", c.receipts},
              {"matched", run.match.matched},
              {"lost", run.match.lost},
              {"duplicated", run.match.duplicated},
              {"unmatched", run.match.unmatched},
              {"of_unknown", run.match.of_unknown},
              {"wrong_message", run.match.wrong_message},
              {"without_id", c.receipts_without_id},
              {"two_ids", c.receipts_two_ids},
              {"intermediate", c.receipts_intermediate},
              {"by_state", c.receipts_by_state},
              {"lost_tags", run.match.lost_tags},
              {"latency_us", latency_json(run.match.latency)}};
}

}  // namespace

bool holds(const Run& run, const Options& options) {
  for (const Check& check : checks_of(run, options))
    if (!check.holds) return false;
  return true;
}

std::string report_json(const Run& run, const Options& options) {
  const RunCounts& c = run.counts;
  const Usage used = usage();
  Json j;
  j["messages"] = c.messages;
  j["submits"] = c.submits;
  j["accepted"] = c.accepted;
  j["refused"] = c.refused;
  j["unanswered"] = c.unanswered;
  j["unknown"] = c.unknown;
  j["retried"] = c.retried;
  j["responses"] = Json{{"0x00000000", c.accepted}};
  for (const auto& [status, n] : c.responses) j["responses"][fmt::format("0x{:08x}", status)] = n;
  j["ids"] = Json{{"duplicated", run.match.ids_duplicated}, {"empty", c.ids_empty}};
  j["seconds"] = run.seconds;
  j["receipt_seconds"] = run.receipt_seconds;
  j["per_second"] = rate_of(run);
  j["latency_us"] = latency_json(run.latency);
  j["receipts"] = receipts_json(run);
  j["mobile_originated"] = c.mobile_originated;
  j["sessions_lost"] = c.sessions_lost;
  j["rebinds"] = c.rebinds;
  j["binds_refused"] = c.binds_refused;
  j["unbinds_by_peer"] = c.unbinds_by_peer;
  j["unmatched_responses"] = c.unmatched_responses;
  j["generic_nacks"] = c.generic_nacks;
  j["bad_frames"] = c.bad_frames;
  j["malformed"] = c.malformed;
  j["cpu_seconds"] = run.cpu_seconds;
  j["peak_memory_kib"] = used.peak_memory_kib;
  for (const Check& check : checks_of(run, options)) j["checks"][check.name] = check.holds;
  j["holds"] = holds(run, options);
  return j.dump(2) + "\n";
}

std::string report_text(const Run& run, const Options& options) {
  const RunCounts& c = run.counts;
  std::string t = fmt::format(
      "{:<20}{} messages in {:.3f} s, {:.0f} a second\n{:<20}{} accepted, {} refused, {} "
      "unanswered, {} unknown, {} retried\n",
      "submits", c.messages, run.seconds, rate_of(run), "", c.accepted, c.refused, c.unanswered,
      c.unknown, c.retried);
  for (const auto& [status, n] : c.responses)
    t += fmt::format("{:<20}0x{:08x}: {}\n", "", status, n);
  t += fmt::format("{:<20}{} duplicated, {} empty\n", "message ids", run.match.ids_duplicated,
                   c.ids_empty);
  t += latency_text("submit to response", run.latency);
  if (options.registered_delivery != 0 || c.receipts != 0) {
    t += fmt::format("{:<20}{} received, {} matched, {} lost, {} duplicated, {} unmatched\n",
                     "receipts", c.receipts, run.match.matched, run.match.lost,
                     run.match.duplicated, run.match.unmatched);
    for (const auto& [state, n] : c.receipts_by_state)
      t += fmt::format("{:<20}{}: {}\n", "", state, n);
    t += latency_text("submit to receipt", run.match.latency);
  }
  for (const Check& check : checks_of(run, options))
    if (!check.holds) t += fmt::format("{:<20}{}\n", "CHECK FAILED", check.name);
  t += fmt::format("{:<20}{}\n", "verdict", holds(run, options) ? "every check holds" : "FAILED");
  return t;
}

}  // namespace tollgate::bench
