// Simulated carriers: any number of SMSCs from one process. See --help for what each can do.
//
// The first line on standard output is JSON and says where each listens:
//   {"listening":[{"name":"alpha","port":34567}, ...]}
// On SIGTERM, SIGINT or after --seconds the last line is the report, also JSON (--json FILE too).
#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/carrier/carrier.h"
#include "bench/peers/usage.h"

namespace tollgate::bench {
namespace {

using Json = nlohmann::ordered_json;
using Carriers = std::vector<std::unique_ptr<Carrier>>;

Json by_status(const std::map<std::uint32_t, std::uint64_t>& counts) {
  Json all = Json::object();
  for (const auto& [status, n] : counts) all[fmt::format("0x{:08x}", status)] = n;
  return all;
}

Json report(const Carrier& carrier) {
  const Counts& c = carrier.counts();
  Json j;
  j["name"] = carrier.spec().name;
  j["submits"] = c.submits;
  j["submit_seconds"] = static_cast<double>(c.last_submit_ns - c.first_submit_ns) / 1e9;
  j["distinct"] = c.distinct;
  j["repeated"] = c.repeated;
  j["untagged"] = c.untagged;
  j["malformed"] = c.malformed;
  j["accepted"] = c.accepted;
  j["refused"] = by_status(c.refused);
  j["ids_repeated"] = c.ids_repeated;
  j["throttled"] = c.throttled;
  j["lost"] = c.lost;
  j["silent"] = c.silent;
  j["forgotten"] = c.forgotten;
  j["kept"] = c.kept;
  j["receipts"] = Json{{"made", c.receipts_made},
                       {"withheld", c.receipts_withheld},
                       {"sent", c.receipts_sent},
                       {"resent", c.receipts_resent},
                       {"early", c.receipts_early},
                       {"duplicated", c.receipts_duplicated},
                       {"acked", c.receipts_acked},
                       {"refused", by_status(c.receipts_refused)},
                       {"waiting", carrier.receipts_waiting()},
                       {"by_state", c.receipts_by_state}};
  j["binds"] = c.binds;
  j["binds_refused"] = c.binds_refused;
  j["unbinds"] = c.unbinds;
  j["deaths"] = c.deaths;
  j["enquire_links"] = c.enquire_links;
  j["bad_frames"] = c.bad_frames;
  j["unmatched_responses"] = c.unmatched_responses;
  return j;
}

// Over all carriers: a tag accepted by two of them is a message sent twice.
Json report_tags(const Carriers& carriers) {
  std::size_t size = 0;
  for (const auto& carrier : carriers) size = std::max(size, carrier->tags().size());
  std::uint64_t distinct = 0, once = 0, more = 0;
  std::map<unsigned, std::uint64_t> never;  // accepted; by how often it was submitted
  for (std::size_t tag = 0; tag < size; ++tag) {
    unsigned submits = 0, accepted = 0;
    for (const auto& carrier : carriers) {
      submits += carrier->tags().submits(tag);
      accepted += carrier->tags().accepted(tag);
    }
    distinct += submits != 0 ? 1 : 0;
    once += accepted == 1 ? 1 : 0;
    more += accepted > 1 ? 1 : 0;
    if (submits != 0 && accepted == 0) ++never[submits];
  }
  Json j{{"submitted", distinct}, {"accepted_once", once}, {"accepted_more_than_once", more}};
  j["never_accepted_by_submits"] = Json::object();
  for (const auto& [submits, n] : never)
    j["never_accepted_by_submits"][std::to_string(submits)] = n;
  return j;
}

std::string whole_report(const Carriers& carriers) {
  Json j;
  j["carriers"] = Json::array();
  for (const auto& carrier : carriers) j["carriers"].push_back(report(*carrier));
  j["messages"] = report_tags(carriers);
  const Usage used = usage();
  j["cpu_seconds"] = used.cpu_seconds;
  j["peak_memory_kib"] = used.peak_memory_kib;
  return j.dump() + "\n";
}

void announce(const Carriers& carriers) {
  Json j;
  for (const auto& carrier : carriers)
    j["listening"].push_back({{"name", carrier->spec().name}, {"port", carrier->port()}});
  fmt::print("{}\n", j.dump());
  std::fflush(stdout);
}

void flush_all(World& world, Carriers& carriers, std::vector<Bind*>& round) {
  round.swap(world.dirty);
  world.dirty.clear();
  for (Bind* bind : round) {
    bind->dirty = false;
    if (!bind->flush()) bind->carrier().drop(*bind);
  }
  for (const auto& carrier : carriers) carrier->free_dropped();
}

void run(World& world, Carriers& carriers, double seconds) {
  const std::int64_t end_ns =
      seconds > 0 ? now_ns() + static_cast<std::int64_t>(seconds * 1e9) : INT64_MAX;
  std::vector<Bind*> round;
  while (stop_asked == 0 && world.now_ns < end_ns) {
    const std::int64_t wait = world.wheel.wait_ns(now_ns());
    world.poller.wait(wait < 0 ? 100'000'000 : std::min<std::int64_t>(wait, 100'000'000));
    world.now_ns = now_ns();
    world.poller.dispatch();
    world.wheel.run(world.now_ns,
                    [&](const Event& event) { carriers[event.carrier]->on_event(event); });
    for (const auto& carrier : carriers) carrier->pump();
    world.log.flush();
    flush_all(world, carriers, round);
  }
}

struct Options {
  std::vector<std::string> each;
  std::string all;
  unsigned count = 0;
  std::uint16_t port_base = 0;
  bool one_write = false;
  double die_at_s = 0, down_s = 1, seconds = 0;
  std::uint64_t seed = 1;
  std::string json, log;
};

std::vector<Spec> specs_of(const Options& options) {
  Spec base;
  base.one_write = options.one_write;
  base.die_at_s = options.die_at_s;
  base.down_s = options.down_s;
  parse_spec(options.all, base);
  std::vector<Spec> specs;
  const std::size_t plain = options.count != 0 ? options.count : options.each.empty() ? 1 : 0;
  specs.resize(plain, base);
  for (const std::string& list : options.each) {
    specs.push_back(base);
    parse_spec(list, specs.back());
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name.empty()) specs[i].name = fmt::format("carrier{}", i + 1);
    if (specs[i].port == 0 && options.port_base != 0)
      specs[i].port = static_cast<std::uint16_t>(options.port_base + i);
  }
  return specs;
}

}  // namespace
}  // namespace tollgate::bench

int main(int argc, char** argv) {
  using namespace tollgate::bench;
  CLI::App app{"Simulated carriers (SMSCs) for benches and tests."};
  Options options;
  app.footer("A carrier is a list KEY=VALUE,...; the keys:\n" + spec_help());
  app.add_option("--carrier", options.each, "one carrier's list; may be repeated")
      ->take_all()
      ->delimiter('\0');
  app.add_option("--carriers", options.count, "this many carriers by --all alone")
      ->check(CLI::Range(0u, 1000u));
  app.add_option("--all", options.all, "list that holds for every carrier");
  app.add_option("--port-base", options.port_base, "port of the first carrier; 0 = any");
  app.add_flag("--one-write", options.one_write, "one write per PDU, as many real peers do");
  app.add_option("--die-at", options.die_at_s, "die-at of every carrier, seconds");
  app.add_option("--down", options.down_s, "down of every carrier, seconds");
  app.add_option("--seconds", options.seconds, "end after this time; 0 = on SIGTERM");
  app.add_option("--seed", options.seed, "of all chances")->capture_default_str();
  app.add_option("--json", options.json, "file for the report");
  app.add_option("--log", options.log, "file to which every event is appended, a line each");
  CLI11_PARSE(app, argc, argv);
  try {
    stop_on_signals();
    World world(options.seed);
    if (!options.log.empty()) world.log.open(options.log);
    Carriers carriers;
    for (Spec& spec : specs_of(options)) {
      const auto index = static_cast<std::uint16_t>(carriers.size());
      carriers.push_back(std::make_unique<Carrier>(world, std::move(spec), index));
      carriers.back()->listen();
    }
    announce(carriers);
    run(world, carriers, options.seconds);
    const std::string text = whole_report(carriers);
    write_file("-", text);
    if (!options.json.empty()) write_file(options.json, text);
  } catch (const std::exception& e) {
    fmt::print(stderr, "carrier: {}\n", e.what());
    return 1;
  }
  return 0;
}
