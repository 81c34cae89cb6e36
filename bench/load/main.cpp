// The client program of the benches: submits over many sessions, in a closed loop by window or an
// open one at a rate, and checks that every message id and every receipt came back exactly once.
// SIGUSR1: submits nothing new, waits for what is missing. SIGTERM, SIGINT: ends.
// Exit status: 0 every check holds, 1 a check failed, 2 it could not run.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/load/report.h"
#include "bench/load/run.h"
#include "bench/peers/usage.h"

namespace tollgate::bench {
namespace {

void add_shape(CLI::App& app, Options& o) {
  app.add_option("--host", o.host)->capture_default_str();
  app.add_option("--port", o.port)->capture_default_str();
  app.add_option("--connections", o.connections)
      ->check(CLI::Range(1u, 10'000u))
      ->capture_default_str();
  app.add_flag("--pairs", o.pairs, "a transmitter and a receiver each instead of a transceiver");
  app.add_option("--window", o.window, "unanswered submits a connection")
      ->check(CLI::Range(1u, 1'000'000u))
      ->capture_default_str();
  app.add_option("--count", o.count, "messages; 0 = until --seconds")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{tag_max}));
  app.add_option("--seconds", o.seconds, "stop submitting after this time")
      ->check(CLI::Range(0.0, 86'400.0));
  app.add_option("--rate", o.rate, "open loop at this many messages a second; 0 = closed loop")
      ->check(CLI::Range(0.0, 1e8));
  app.add_option("--tick-us", o.tick_us, "open loop: shortest sleep between sends")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_flag("--one-write", o.one_write, "one write per PDU, as many real peers do");
}

void add_bind(CLI::App& app, Options& o) {
  app.add_option("--system-id", o.system_id)->capture_default_str();
  app.add_option("--accounts", o.accounts,
                 "so many of them, with a number behind the system_id, by turns")
      ->check(CLI::Range(1u, 10'000u))
      ->capture_default_str();
  app.add_option("--password", o.password)->capture_default_str();
  app.add_option("--system-type", o.system_type);
  app.add_option("--interface-version", o.interface_version, "as 52 or 0x34")
      ->check(CLI::Range(0u, 255u))
      ->capture_default_str();
  app.add_option("--bind-wait", o.bind_wait_s, "seconds to keep trying")->capture_default_str();
}

void add_content(CLI::App& app, Options& o) {
  const auto octet = CLI::Range(0u, 255u);
  app.add_option("--source", o.source)->capture_default_str();
  app.add_option("--source-ton", o.source_ton)->check(octet)->capture_default_str();
  app.add_option("--source-npi", o.source_npi)->check(octet)->capture_default_str();
  app.add_option("--dest-ton", o.dest_ton)->check(octet)->capture_default_str();
  app.add_option("--dest-npi", o.dest_npi)->check(octet)->capture_default_str();
  app.add_option("--text-size", o.text_size,
                 "127 makes frames of 180 octets; from 12 on it begins "
                 "with the message's tag")
      ->check(CLI::Range(0u, 254u))
      ->capture_default_str();
  app.add_option("--registered-delivery", o.registered_delivery, "1 asks for every receipt")
      ->check(octet)
      ->capture_default_str();
  app.add_option("--tag-base", o.tag_base, "tag of the first message")
      ->check(CLI::Range(0u, tag_max));
  app.add_option("--numbers", o.numbers_file, "destinations, one a line or a CSV");
  app.add_option("--column", o.column, "heading of the CSV's column");
  app.add_option("--prefixes", o.prefixes, "destinations drawn from these instead")->delimiter(',');
  app.add_option("--seed", o.seed, "of the numbers drawn")->capture_default_str();
}

void add_verdict(CLI::App& app, Options& o, bool& no_progress) {
  app.add_option("--response-timeout", o.response_timeout_s, "seconds; 0 = wait for ever")
      ->capture_default_str();
  app.add_option("--receipt-wait", o.receipt_wait_s, "seconds after the last response")
      ->capture_default_str();
  app.add_option("--retries", o.retries, "of a message answered ESME_RTHROTTLED or ESME_RMSGQFUL")
      ->capture_default_str();
  app.add_option("--retry-ms", o.retry_ms, "first pause before a retry; doubles six times")
      ->capture_default_str();
  app.add_flag("--allow-refused", o.allow_refused, "a refused message does not fail the run");
  app.add_flag("--reconnect", o.reconnect,
               "a lost session binds again, after 50 ms to 1 s, until none was bound for "
               "--bind-wait; what it had unanswered is counted as unknown");
  app.add_flag("--resubmit", o.resubmit, "what is unknown goes again, with the same tag")
      ->needs("--reconnect");
  app.add_option("--log", o.log, "file to which every event is appended, a line each");
  app.add_flag("--no-progress", no_progress);
  app.add_option("--json", o.json, "file for the report; - = standard output instead of text");
}

}  // namespace
}  // namespace tollgate::bench

int main(int argc, char** argv) {
  using namespace tollgate::bench;
  CLI::App app{"Submits messages over SMPP and checks that everything comes back exactly once."};
  Options options;
  bool no_progress = false;
  add_shape(app, options);
  add_bind(app, options);
  add_content(app, options);
  add_verdict(app, options, no_progress);
  CLI11_PARSE(app, argc, argv);
  options.progress = !no_progress;
  if (options.count == 0 && options.seconds <= 0) options.count = 10'000;
  try {
    stop_on_signals();
    finish_on_signal();
    Numbers numbers = options.numbers_file.empty()
                          ? Numbers::from_prefixes(options.prefixes, options.seed)
                          : Numbers::from_file(options.numbers_file, options.column);
    Run run(options, std::move(numbers));
    run.run();
    if (options.json != "-") write_file("-", report_text(run, options));
    if (!options.json.empty()) write_file(options.json, report_json(run, options));
    return holds(run, options) ? 0 : 1;
  } catch (const std::exception& e) {
    fmt::print(stderr, "load: {}\n", e.what());
    return 2;
  }
}
