#include "tests/gateway/world.h"

#include <algorithm>
#include <crypt.h>

#include "tests/catch_pch.h"

namespace tollgate::gateway {

using proto::Command;
using proto::Status;

namespace {

// The cheapest hash that crypt checks: these tests are not about passwords.
const std::string& password_hash() {
  static const std::string hash = ::crypt("pw", "$5$rounds=1000$tollgate");
  return hash;
}

}  // namespace

routing::Files world_tables() {
  routing::Files files{
      {"currencies.csv", "currency,rate\nEUR,1\n"},
      {"numbering_plan.csv",
       "prefix,mccmnc,country,network\n44,234,GB,\n4477,23415,GB,Vodafone\n33,208,FR,\n"},
      {"plans/retail.csv", "mcc,mccmnc,price,currency\n234,,0.05,EUR\n"},
      {"clients.csv", "client,plan,default_country\nshop,retail,GB\ndepot,retail,GB\n"},
      {"rules.csv", "plan,client,destination,max_attempts\n"},
  };
  const char* costs[] = {"0.01", "0.02", "0.03"};
  const char* names[] = {"alpha", "bravo", "charlie"};
  for (std::size_t i = 0; i < 3; ++i) {
    files[std::string("rates/") + names[i] + ".csv"] =
        std::string("mcc,price,currency\n234,") + costs[i] + ",EUR\n";
  }
  return files;
}

Config World::make_config(const WorldOptions& options) {
  Config config;
  config.gateway.shards = options.shards;
  config.gateway.listen = {{"192.0.2.1", 2775}};
  config.gateway.limits.messages_per_shard = 20'000;
  for (const char* name : {"shop", "depot"}) {
    ClientConfig client;
    client.system_id = name;
    client.password_hash = password_hash();
    client.inactivity_us = 0;
    config.clients.push_back(client);
  }
  const char* names[] = {"alpha", "bravo", "charlie"};
  for (std::size_t i = 0; i < options.carriers; ++i) {
    carriers::CarrierConfig carrier;
    carrier.name = names[i];
    carriers::BindConfig bind;
    bind.address = {names[i], 2775};
    bind.system_id = "tollgate";
    bind.password = "secret";
    bind.window = 100;
    carrier.binds.push_back(bind);
    carrier.awaiting_max = 100'000;
    carrier.number_window = bind.window;  // most tests send to one number
    config.carriers.push_back(carrier);
  }
  if (options.change) options.change(config);
  return config;
}

namespace {

// Without the rate books of carriers that are nowhere.
routing::Files of_known(const routing::Files& files, const Config& config) {
  routing::Files known = files;
  const auto names = config.carrier_names();
  std::erase_if(known, [&](const auto& file) {
    if (!file.first.starts_with("rates/")) return false;
    const std::string name = file.first.substr(6, file.first.size() - 10);
    return std::find(names.begin(), names.end(), name) == names.end() &&
           !files.contains("carriers/" + name + ".toml");
  });
  return known;
}

}  // namespace

std::unique_ptr<const routing::Tables> World::compile(const routing::Files& files,
                                                      std::uint32_t version) {
  routing::CompileOptions options;
  options.companions = {std::shared_ptr<void>(), &reader_};
  options.version = version;
  auto result = routing::compile_files(of_known(files, config_), options);
  if (!result) {
    for (const auto& fault : result.error()) WARN(routing::fault_text(fault));
    REQUIRE(result.has_value());
  }
  reader_.taken((*result)->companion);
  return std::move(*result);
}

std::vector<std::string> World::faults(const routing::Files& files) {
  routing::CompileOptions options;
  options.companions = {std::shared_ptr<void>(), &reader_};
  const auto result = routing::compile_files(of_known(files, config_), options);
  std::vector<std::string> texts;
  if (result) return texts;
  for (const auto& fault : result.error()) texts.push_back(routing::fault_text(fault));
  return texts;
}

void World::make_ends() {
  for (std::size_t i = carriers_.size(); i < peers().carriers.size(); ++i) {
    const std::string& name = peers().carriers[i].config->name;
    carriers_.push_back(std::make_unique<CarrierEnd>(name));
    internet_.hosts[name] = carriers_.back().get();
  }
}

CarrierEnd& World::carrier(const std::string& name) {
  for (std::size_t i = 0; i < carriers_.size(); ++i) {
    if (peers().carriers[i].config->name == name) return *carriers_[i];
  }
  std::abort();
}

core::ShardsOptions World::shards_options(const WorldOptions& options) {
  core::ShardsOptions result;
  result.count = options.shards;
  result.mailbox_octets = options.mailbox_octets;
  result.clock = [this] { return now_; };
  result.make_net = [this](unsigned) {
    auto net = std::make_unique<WorldNet>(internet_);
    nets_.push_back(net.get());
    return net;
  };
  return result;
}

World::World(WorldOptions options)
    : now_{1'000'000'000 + options.later_us,
           routing::kNow + options.later_us + options.wall_ahead_us},
      config_(make_config(options)),
      reader_(config_),
      tables_(compile(options.tables, 1)),
      shards_(shards_options(options)),
      homes_(options.shards, peers()),
      auth_(accounts_of(peers()), auth_options(options.shards)),
      disk_(options.disk),
      records_disk_(options.records) {
  if (disk_ != nullptr) open_disk(options);
  if (records_disk_ != nullptr) open_records();
  jump_wall(options.wall_steps_us);
  make_ends();
  for (unsigned i = 0; i < shards_.size(); ++i) {
    counters_.push_back(std::make_unique<FlowCounters>(homes_.clients(), homes_.carriers()));
    flows_.push_back(std::make_unique<Flow>(Flow::Setup{
        config_, shards_[i], homes_, tables_, *counters_[i], auth_, shared_, 7 + i * 0x10000,
        journal_ ? &journal_->stream(i) : nullptr, due_ ? &due_->channel(i) : nullptr,
        details_.journal ? &details_.journal->stream(i) : nullptr, &details_.files}));
  }
  if (details_.journal) {
    flows_[0]->recorder().recovered_details(details_.missing, recovery_.first_segment());
  }
  if (disk_ != nullptr) restored_ = restore(peers(), homes_, {recovery_, stock_}, flows_, now_);
  for (auto& flow : flows_) REQUIRE_FALSE(flow->start());
  if (options.carriers_bound) {
    REQUIRE(until([this] {
      return std::all_of(carriers_.begin(), carriers_.end(),
                         [](const auto& carrier) { return carrier->bound() > 0; });
    }));
    turn(5);
  }
}

AuthOptions World::auth_options(unsigned shards) {
  AuthOptions options;
  options.shards = shards;
  options.clock_us = [this] { return now_.mono_us; };
  options.own_thread = false;
  return options;
}

// As gateway/keeping/keeping.cpp does.
void World::open_disk(const WorldOptions& world) {
  RecoveryOptions reading;
  reading.quarantine = true;
  reading.details = &unwritten_;
  const auto report = recover(*disk_, recovery_, reading);
  REQUIRE(report.has_value());
  findings_ = recovery_.findings();
  core::JournalOptions options;
  options.storage = disk_;
  options.streams = config_.gateway.shards;
  options.segment_octets = config_.journal.segment_octets;
  options.ring_octets = options.batch_octets = world.ring_octets;
  options.reserve_octets = world.reserve_octets;
  options.tail = report->tail;
  options.clock = [this] { return now_; };
  options.salt = 11;
  options.own_thread = false;
  auto journal = core::Journal::open(std::move(options));
  REQUIRE(journal.has_value());
  journal_ = std::move(*journal);
  auto stock = take_stock(*disk_, recovery_, !report->damage.empty());
  REQUIRE(stock.has_value());
  REQUIRE(mend(*disk_, *stock).has_value());
  stock_ = std::move(*stock);
  DueOptions due;
  due.storage = disk_;
  due.numbers_behind = stock_.highest;
  due.chunks = stock_.chunks.size();
  due.octets = stock_.octets();
  due.clock = [this] { return now_; };
  due.salt = 13;
  due.own_thread = false;
  due_ = std::make_unique<DueStore>(std::move(due));
  for (unsigned i = 0; i < shards_.size(); ++i) due_->add(shards_[i]);
}

void World::open_records() {
  DetailStoreOptions options;
  options.storage = records_disk_;
  options.streams = config_.gateway.shards;
  options.segment_octets = config_.records.rotate_octets;
  options.ring_octets = options.batch_octets = 8192;
  options.clock = [this] { return now_; };
  options.salt = 17;
  options.own_thread = false;
  auto opened = open_details(options, unwritten_);
  REQUIRE(opened.has_value());
  CHECK(opened->report.damage.empty());
  details_ = std::move(*opened);
  recovered_details_ = details_.missing.size();
}

void World::step_records() {
  while (details_.journal && !records_disk_->crashed && details_.journal->step()) {
  }
}

std::vector<std::unique_ptr<Written>> written_details(core::Storage& disk) {
  std::vector<std::unique_ptr<Written>> all;
  const auto report = read_details(disk, 0, [&](core::Octets octets) {
    auto& one = all.emplace_back(std::make_unique<Written>());
    one->octets.assign(octets.begin(), octets.end());
    REQUIRE(proto::detail::decode(one->octets, one->detail));
  });
  REQUIRE(report.has_value());
  return all;
}

void World::abandon() {
  disk_->crashed = true;
  if (records_disk_ != nullptr) records_disk_->crashed = true;
  finished_ = true;
}

std::uint64_t World::spilled() const {
  std::uint64_t total = 0;
  for (const auto& flow : flows_) total += flow->spilled();
  return total;
}

World::~World() {
  flows_.clear();
  if (!finished_ && std::uncaught_exceptions() == 0) std::abort();
}

void World::turn(int times) {
  for (int i = 0; i < times; ++i) {
    for (unsigned s = 0; s < shards_.size(); ++s) shards_[s].turn();
    if (auth_runs) auth_.step();
    due_first_ = !due_first_;
    if (due_first_) step_due();
    while (journal_ && !disk_->crashed && journal_->step()) {
    }
    if (!due_first_) step_due();
    step();
  }
}

void World::step_due() {
  if (due_ == nullptr) return;
  if (around_due) around_due(true);
  while (!disk_->crashed && due_->step()) {
  }
  if (around_due) around_due(false);
}

void World::step() {
  step_records();
  for (std::size_t c = 0; c < carriers_.size(); ++c) carriers_[c]->step();
  for (std::size_t c = 0; c < clients_.size(); ++c) clients_[c]->step();
}

void World::pass(std::int64_t us, std::int64_t step_us) {
  while (us > 0) {
    const std::int64_t step = std::min(us, step_us);
    now_.mono_us += step;
    now_.wall_us += step;
    us -= step;
    turn(2);
  }
}

ClientEnd& World::connect(const std::string& host) {
  clients_.push_back(std::make_unique<ClientEnd>(nets_[0]->call({host, 40'000})));
  turn(2);
  return *clients_.back();
}

std::uint32_t World::send_bind(ClientEnd& end, const std::string& system_id, Command kind,
                               std::uint8_t version, const std::string& password) {
  proto::BindTransceiver bind;
  bind.system_id = system_id;
  bind.password = password;
  bind.interface_version = version;
  const std::uint32_t sequence_number = end.next_sequence();
  std::string octets = octets_of(bind, sequence_number);
  proto::store_u32(reinterpret_cast<std::uint8_t*>(octets.data()) + 4,
                   static_cast<std::uint32_t>(kind));
  end.send(std::move(octets));
  return sequence_number;
}

void World::await(ClientEnd& end, std::uint32_t sequence_number) {
  int turns = 0;
  while (!end.answered(sequence_number) && !end.closed() && ++turns < 5'000) turn();
  REQUIRE(turns < 5'000);
  turn(2);
}

ClientEnd& World::bind(const std::string& system_id, Command kind, std::uint8_t version) {
  ClientEnd& end = connect();
  const std::uint32_t sequence_number = send_bind(end, system_id, kind, version);
  await(end, sequence_number);
  REQUIRE(end.answered(sequence_number));
  REQUIRE(end.status(sequence_number) == Status::ESME_ROK);
  return end;
}

ClientCounters& World::client(std::size_t i) {
  return counters_[homes_.of_client(i)]->clients[i];
}

std::uint64_t World::sum(core::Cell LedgerCounters::*cell) const {
  std::uint64_t total = 0;
  for (const auto& counters : counters_) total += (counters->ledger.*cell).get();
  return total;
}

std::uint64_t World::sum(core::Cell DoorCounters::*cell) const {
  std::uint64_t total = 0;
  for (const auto& counters : counters_) total += (counters->door.*cell).get();
  return total;
}

std::int64_t World::money(std::size_t carrier, core::Cell CarrierMoneyCounters::*cell) const {
  std::int64_t total = 0;
  for (const auto& counters : counters_) total += margin_of(counters->carriers[carrier].*cell);
  return total;
}

std::uint32_t World::messages() const {
  std::uint32_t total = 0;
  for (const auto& flow : flows_) total += flow->messages();
  return total;
}

std::uint32_t World::stage(Stage stage) const {
  std::uint32_t total = 0;
  for (const auto& flow : flows_) total += flow->stages()[static_cast<std::size_t>(stage)];
  return total;
}

const Message& World::message(const std::string& id) const {
  const MessageId number = std::stoull(id, nullptr, 16);
  const Message* found = flows_[home_of(number)]->find(number);
  REQUIRE(found != nullptr);
  return *found;
}

void World::publish(const routing::Files& files, std::uint32_t version) {
  auto next = compile(files, version);
  const Peers& now = peers_of(*next);
  for (const auto& counters : counters_) counters->grow(now.clients.size(), now.carriers.size());
  homes_.grow(now);
  auth_.replace(accounts_of(now));
  tables_.publish(std::move(next));
  make_ends();
}

void World::check_conserved() const {
  const std::uint32_t placed = stage(Stage::placed);
  const std::uint32_t waiting = stage(Stage::waiting);
  const std::uint32_t in_doubt = stage(Stage::in_doubt);
  const std::uint32_t awaiting = stage(Stage::awaiting);
  const std::uint32_t told = stage(Stage::told);
  CHECK(sum(&LedgerCounters::accepted) ==
        sum(&LedgerCounters::settled) + placed + waiting + in_doubt + awaiting + told + spilled());
  CHECK(sum(&LedgerCounters::spilled) == spilled());
  CHECK(sum(&LedgerCounters::messages) == messages());
  CHECK(sum(&LedgerCounters::waiting) == waiting);
  std::uint64_t accepted = 0;
  std::uint64_t now_accepted = 0;
  std::uint64_t settled = 0;
  std::uint64_t unsent = 0;
  std::uint64_t doubtful = 0;
  std::int64_t revenue = 0;
  std::int64_t margin = 0;
  for (std::size_t i = 0; i < homes_.clients(); ++i) {
    const ClientCounters& counters = counters_[homes_.of_client(i)]->clients[i];
    accepted += counters.accepted.get() + counters.relay_refused.get();
    settled += counters.settled.get() + counters.relay_refused.get();
    unsent += counters.unsent.get();
    doubtful += counters.in_doubt.get();
    revenue += margin_of(counters.revenue_nano);
    margin += margin_of(counters.margin_nano);
    std::uint64_t answered = 0;
    for (const core::Cell& cell : counters.responses) answered += cell.get();
    CHECK(counters.submits.get() == answered);
    CHECK((counters.responses[0].get() == counters.accepted.get() || disk_ != nullptr));
    now_accepted += counters.responses[0].get() + counters.relay_refused.get();
  }
  const std::uint64_t restored = restored_.queued + restored_.in_doubt + restored_.awaiting +
                                 restored_.told + restored_.spilled;
  CHECK(accepted == now_accepted + restored);
  CHECK(accepted == sum(&LedgerCounters::accepted));
  CHECK(settled == sum(&LedgerCounters::settled));
  CHECK(unsent == placed + waiting);
  CHECK(doubtful == in_doubt);
  for (std::size_t i = 0; i < carriers_.size(); ++i) {
    revenue -= money(i, &CarrierMoneyCounters::revenue_nano);
    margin -= money(i, &CarrierMoneyCounters::margin_nano);
    CHECK(money(i, &CarrierMoneyCounters::revenue_nano) ==
          money(i, &CarrierMoneyCounters::cost_nano) +
              money(i, &CarrierMoneyCounters::margin_nano));
  }
  CHECK(revenue == 0);
  CHECK(margin == 0);
}

void World::check_idle() {
  CHECK(messages() == 0);
  for (std::size_t i = 0; i < homes_.clients(); ++i) {
    const ClientCounters& counters = client(i);
    CHECK(counters.unsent.get() == 0);
    CHECK(counters.in_doubt.get() == 0);
    CHECK(counters.receipts_owing.get() == 0);
    CHECK(counters.receipts_waiting.get() == 0);
    CHECK(counters.receipts_in_flight.get() == 0);
  }
  for (unsigned i = 0; i < shards_.size(); ++i) CHECK(shards_[i].buffers().in_use() == 0);
}

void World::finish(Left left) {
  settle();
  check_conserved();
  if (left == Left::nothing) check_idle();
  finished_ = true;
}

}  // namespace tollgate::gateway
