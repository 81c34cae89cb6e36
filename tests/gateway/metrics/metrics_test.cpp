// /metrics as Prometheus gets it: over a socket, from cells that we set.
#include "gateway/metrics/metrics.h"

#include <arpa/inet.h>
#include <atomic>
#include <fstream>
#include <limits>
#include <netinet/in.h>
#include <set>
#include <sstream>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "carriers/counters.h"
#include "gateway/clients/auth.h"
#include "gateway/config/config.h"
#include "gateway/config/peers.h"
#include "gateway/messages/counters.h"
#include "gateway/messages/homes.h"
#include "proto/receipt.h"

using namespace tollgate;
using namespace tollgate::gateway;

namespace {

std::string http_get(std::uint16_t port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0);
  const timeval patience{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  REQUIRE(send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[16384];
  for (ssize_t got; (got = recv(fd, buffer, sizeof buffer, 0)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  close(fd);
  return answer;
}

// A gateway of two shards, two clients and two carriers, without a gateway around it.
struct World {
  World() {
    config.gateway.metrics = "127.0.0.1:0";
    config.clients.resize(2);
    config.clients[0].system_id = "shop";
    config.clients[1].system_id = "a\"b\\c";  // printable, and awkward in a label
    config.carriers.resize(2);
    config.carriers[0].name = "alpha";
    config.carriers[1].name = "bravo";
    for (int i = 0; i < 2; ++i) {
      flow.push_back(std::make_unique<FlowCounters>(2, 2));
    }
    homes = std::make_unique<Homes>(2, *configured_peers(config));
    for (std::size_t i = 0; i < 2; ++i) {
      carriers.push_back(&homes->board(i).counters);
      carriers.back()->binds.grow_to(2);
    }
  }

  MetricsSources sources() {
    return {&config,
            homes.get(),
            {flow[0].get(), flow[1].get()},
            {&shards[0], &shards[1]},
            {&turn_us[0], &turn_us[1]},
            &tables,
            auth.get(),
            &journal,
            &journal_sync_us,
            &dead_letters,
            &due,
            &records,
            &records_sync_us,
            &stream};
  }

  // The page's lines, comments apart.
  void scrape() {
    const Metrics metrics(sources());
    const std::string answer = http_get(metrics.port(), "/metrics");
    REQUIRE(answer.starts_with("HTTP/1.1 200 OK"));
    std::istringstream text(answer.substr(answer.find("\r\n\r\n") + 4));
    for (std::string line; std::getline(text, line);) {
      (line.starts_with("#") ? comments : lines).push_back(line);
    }
  }

  // The value of the one series with that name and those labels.
  double value(const std::string& series) const {
    const auto found = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.starts_with(series + " ");
    });
    INFO(series);
    REQUIRE(found != lines.end());
    return std::stod(found->substr(series.size() + 1));
  }

  bool has(const std::string& start) const {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.starts_with(start); });
  }

  Config config;
  std::vector<std::unique_ptr<FlowCounters>> flow;
  std::array<core::Cells<core::ShardCount, core::kShardCounts>, 2> shards;
  std::array<core::Histogram, 2> turn_us;
  std::unique_ptr<Homes> homes;
  std::vector<carriers::CarrierCounters*> carriers;
  TablesCounters tables;
  core::Cells<core::JournalCount, core::kJournalCounts> journal;
  core::Histogram journal_sync_us;
  core::Cells<core::JournalCount, core::kJournalCounts> records;
  core::Histogram records_sync_us;
  DetailStreamCounters stream;
  core::Cell dead_letters;
  core::Cells<DueCount, kDueCounts> due;
  std::unique_ptr<Auth> auth;
  std::vector<std::string> lines, comments;
};

}  // namespace

TEST_CASE("a client's counters, wherever its home is", "[metrics]") {
  World world;
  ClientCounters& shop = world.flow[1]->clients[0];
  shop.sessions.set(3);
  shop.submits.add(7);
  shop.responses[static_cast<std::size_t>(proto::StatusClass::throttle)].add(2);
  shop.receipts[static_cast<std::size_t>(proto::MessageState::delivered)].add(5);
  shop.routed[static_cast<std::size_t>(routing::Reason::below_margin)].add(4);
  shop.revenue_nano.add(1'500'000'000);
  add_signed(shop.margin_nano, 250'000'000);
  add_signed(shop.margin_nano, -750'000'000);
  world.scrape();
  CHECK(world.value("tollgate_client_sessions{client=\"shop\"}") == 3);
  CHECK(world.value("tollgate_client_submits_total{client=\"shop\"}") == 7);
  CHECK(world.value("tollgate_client_responses_total{client=\"shop\",class=\"throttle\"}") == 2);
  CHECK(world.value("tollgate_client_receipts_total{client=\"shop\",state=\"delivered\"}") == 5);
  CHECK(world.value("tollgate_client_routed_total{client=\"shop\",reason=\"below_margin\"}") == 4);
  CHECK(world.value("tollgate_client_revenue_base_total{client=\"shop\"}") == 1.5);
  CHECK(world.value("tollgate_client_margin_base{client=\"shop\"}") == -0.5);
  CHECK(world.value("tollgate_client_submits_total{client=\"a\\\"b\\\\c\"}") == 0);
}

TEST_CASE("a carrier's counters, its binds and its money over all shards", "[metrics]") {
  World world;
  carriers::CarrierCounters& bravo = *world.carriers[1];
  bravo.queue.set(11);
  bravo.submits.add(12);
  bravo.responses[static_cast<std::size_t>(proto::StatusClass::failover)].add(13);
  bravo.receipts[static_cast<std::size_t>(proto::MessageState::rejected)].add(14);
  bravo.binds[1].state.set(static_cast<std::uint64_t>(carriers::BindState::bound));
  bravo.binds[1].window_in_use.set(15);
  world.flow[0]->carriers[1].sent.add(1);
  world.flow[1]->carriers[1].sent.add(2);
  add_signed(world.flow[0]->carriers[1].margin_nano, 3'000'000'000);
  add_signed(world.flow[1]->carriers[1].margin_nano, -4'000'000'000);
  world.scrape();
  CHECK(world.value("tollgate_carrier_queue{carrier=\"bravo\"}") == 11);
  CHECK(world.value("tollgate_carrier_submits_total{carrier=\"bravo\"}") == 12);
  CHECK(world.value("tollgate_carrier_responses_total{carrier=\"bravo\",class=\"failover\"}") ==
        13);
  CHECK(world.value("tollgate_carrier_receipts_total{carrier=\"bravo\",state=\"rejected\"}") == 14);
  CHECK(world.value("tollgate_bind_state{carrier=\"bravo\",bind=\"1\",state=\"bound\"}") == 1);
  CHECK(world.value("tollgate_bind_state{carrier=\"bravo\",bind=\"1\",state=\"down\"}") == 0);
  CHECK(world.value("tollgate_bind_state{carrier=\"bravo\",bind=\"0\",state=\"down\"}") == 1);
  CHECK(world.value("tollgate_bind_window_in_use{carrier=\"bravo\",bind=\"1\"}") == 15);
  CHECK(world.value("tollgate_carrier_messages_total{carrier=\"bravo\"}") == 3);
  CHECK(world.value("tollgate_carrier_margin_base{carrier=\"bravo\"}") == -1);
}

TEST_CASE("sums of money stay at the end of what is counted, on a shard and over all",
          "[metrics]") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  World world;
  for (CarrierMoneyCounters* money : {&world.flow[0]->carriers[1], &world.flow[1]->carriers[1]}) {
    for (int i = 0; i < 3; ++i) {
      add_signed(money->revenue_nano, kMost / 2);
      add_signed(money->margin_nano, -(kMost / 2));
    }
    CHECK(margin_of(money->revenue_nano) == kMost);
    CHECK(margin_of(money->margin_nano) == -kMost - 1);
  }
  world.scrape();
  CHECK(world.value("tollgate_carrier_revenue_base_total{carrier=\"bravo\"}") > 1.8e10);
  CHECK(world.value("tollgate_carrier_margin_base{carrier=\"bravo\"}") < -1.8e10);
}

TEST_CASE("histograms are cumulative, in seconds, and appear with their first value", "[metrics]") {
  World world;
  // Kept on two shards: 20 us and 33 us on one, 40 minutes on the other.
  world.flow[0]->carriers[0].receipt_us.observe(20);
  world.flow[0]->carriers[0].receipt_us.observe(33);
  world.flow[1]->carriers[0].receipt_us.observe(2'400'000'000);
  world.scrape();
  const std::string name = "tollgate_carrier_receipt_seconds";
  const auto bucket = [&](const std::string& bound) {
    return world.value(name + "_bucket{carrier=\"alpha\",le=\"" + bound + "\"}");
  };
  CHECK(bucket("1.6e-05") == 0);
  CHECK(bucket("3.2e-05") == 1);
  CHECK(bucket("6.4e-05") == 2);
  CHECK(bucket("2147.483648") == 2);
  CHECK(bucket("+Inf") == 3);
  CHECK(world.value(name + "_count{carrier=\"alpha\"}") == 3);
  CHECK(world.value(name + "_sum{carrier=\"alpha\"}") == Approx(2400.000053));
  CHECK_FALSE(world.has(name + "_count{carrier=\"bravo\"}"));
  CHECK_FALSE(world.has("tollgate_client_submit_seconds"));
}

TEST_CASE("the shards', the tables' and the password checks' counters", "[metrics]") {
  World world;
  world.auth = std::make_unique<Auth>(world.config.clients, AuthOptions{});
  world.shards[1][core::ShardCount::turns].add(21);
  world.shards[1][core::ShardCount::connections].set(22);
  world.turn_us[1].observe(1'000, 5);
  world.flow[1]->door.init_timeouts.add(23);
  world.flow[1]->ledger.waiting.set(24);
  world.tables.version.set(25);
  world.tables.compile_us.set(26'000);
  world.tables.refused[0].set(1);
  world.tables.refused_version.set(28);
  world.journal[core::JournalCount::records].add(27);
  world.journal[core::JournalCount::accepting].set(1);
  world.journal_sync_us.observe(100);
  world.dead_letters.add(28);
  world.records[core::JournalCount::records].add(31);
  world.records[core::JournalCount::failed].set(1);
  world.due[DueCount::chunks].set(28);
  world.due[DueCount::errors].add(29);
  world.flow[1]->ledger.spilled.set(30);
  world.scrape();
  CHECK(world.value("tollgate_shard_turns_total{shard=\"1\"}") == 21);
  CHECK(world.value("tollgate_shard_turns_total{shard=\"0\"}") == 0);
  CHECK(world.value("tollgate_shard_connections{shard=\"1\"}") == 22);
  CHECK(world.value("tollgate_shard_turn_seconds_count{shard=\"1\"}") == 5);
  CHECK(world.value("tollgate_shard_turn_seconds_bucket{shard=\"1\",le=\"0.001024\"}") == 5);
  CHECK_FALSE(world.has("tollgate_shard_turn_seconds_count{shard=\"0\"}"));
  CHECK(world.value("tollgate_door_init_timeouts_total{shard=\"1\"}") == 23);
  CHECK(world.value("tollgate_ledger_waiting{shard=\"1\"}") == 24);
  CHECK(world.value("tollgate_tables_version") == 25);
  CHECK(world.value("tollgate_tables_compile_seconds") == Approx(0.026));
  CHECK(world.value("tollgate_tables_refused{reason=\"faults\"}") == 1);
  CHECK(world.value("tollgate_tables_refused{reason=\"backwards\"}") == 0);
  CHECK(world.value("tollgate_tables_refused_version") == 28);
  CHECK_FALSE(world.has("tollgate_tables_redis_up"));
  CHECK(world.value("tollgate_auth_checks_total{outcome=\"wrong_password\"}") == 0);
  CHECK(world.value("tollgate_journal_records_total") == 27);
  CHECK(world.value("tollgate_journal_accepting") == 1);
  CHECK(world.value("tollgate_due_chunks") == 28);
  CHECK(world.value("tollgate_due_errors_total") == 29);
  CHECK(world.value("tollgate_ledger_spilled{shard=\"1\"}") == 30);
  CHECK(world.value("tollgate_journal_sync_seconds_count") == 1);
  CHECK(world.value("tollgate_journal_dead_letters_total") == 28);
  CHECK(world.value("tollgate_records_records_total") == 31);
  CHECK(world.value("tollgate_records_failed") == 1);
  CHECK(world.value("tollgate_journal_failed") == 0);
  CHECK(world.value("tollgate_info{version=\"" TOLLGATE_VERSION "\"}") == 1);
  CHECK(world.value("process_cpu_seconds_total") > 0);
  CHECK(world.value("process_resident_memory_bytes") > 1'000'000);
  CHECK(world.value("process_open_fds") > 2);
}

TEST_CASE("docs/operations.md lists every metric and no other", "[metrics]") {
  World world;
  world.tables.redis.set(1);
  world.auth = std::make_unique<Auth>(world.config.clients, AuthOptions{});
  world.flow[0]->clients[0].response_us.observe(1);
  world.flow[0]->clients[0].receipt_us.observe(1);
  world.flow[0]->carriers[0].receipt_us.observe(1);
  world.carriers[0]->response_us.observe(1);
  world.journal_sync_us.observe(1);
  world.records_sync_us.observe(1);
  world.scrape();
  std::set<std::string> shown;
  for (const std::string& comment : world.comments) {
    std::istringstream words(comment);
    std::string hash, kind, name;
    words >> hash >> kind >> name;
    if (kind == "TYPE") shown.insert(name);
    CHECK((kind != "HELP" || !words.eof()));
  }
  std::set<std::string> told;
  std::ifstream file(TOLLGATE_SOURCE_DIR "/docs/operations.md");
  bool listing = false;
  for (std::string line; std::getline(file, line);) {
    listing |= line == "## Metrics";
    if (!listing) continue;
    // | `tollgate_name{labels}` | type | meaning |
    if (!line.starts_with("| `tollgate_") && !line.starts_with("| `process_")) continue;
    const auto end = line.find_first_of("`{", 3);
    told.insert(line.substr(3, end - 3));
  }
  CHECK(shown.size() > 100);
  for (const std::string& name : shown) {
    INFO("not in docs/operations.md: " << name);
    CHECK(told.count(name) == 1);
  }
  for (const std::string& name : told) {
    INFO("in docs/operations.md but not on the page: " << name);
    CHECK(shown.count(name) == 1);
  }
}

TEST_CASE("a scrape while the cells move sees counts that agree with each other", "[metrics]") {
  World world;
  const Metrics metrics(world.sources());
  std::atomic<bool> stop{false};
  std::thread shard([&] {
    while (!stop) world.flow[0]->carriers[0].receipt_us.observe(100);
  });
  for (int i = 0; i < 20; ++i) {
    const std::string page = http_get(metrics.port(), "/metrics");
    const auto read = [&](const std::string& series) {
      const auto at = page.find(series);
      return at == page.npos ? 0 : std::stod(page.substr(at + series.size()));
    };
    const double count = read("tollgate_carrier_receipt_seconds_count{carrier=\"alpha\"} ");
    CHECK(read("tollgate_carrier_receipt_seconds_bucket{carrier=\"alpha\",le=\"+Inf\"} ") == count);
  }
  stop = true;
  shard.join();
}

TEST_CASE("an address that is taken is an error that names it", "[metrics]") {
  World world;
  const Metrics metrics(world.sources());
  world.config.gateway.metrics = "127.0.0.1:" + std::to_string(metrics.port());
  CHECK_THROWS_WITH(Metrics(world.sources()),
                    Catch::StartsWith("cannot serve /metrics on " + world.config.gateway.metrics));
}
