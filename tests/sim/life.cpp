#include "tests/sim/life.h"

#include <algorithm>
#include <cstdlib>

#include "gateway/cli/journal_text.h"
#include "gateway/restore.h"
#include "tests/routing/compile/directory.h"

namespace tollgate::sim {

using gateway::Recovery;

namespace {

constexpr std::size_t kRing = 4096;
constexpr std::size_t kLetterFile = 65'536;

// Two sets of tables whose cheapest carriers differ.
// Their peers are made, not read.
class Made final : public routing::Companions {
 public:
  explicit Made(std::shared_ptr<const gateway::Peers> peers) : peers_(std::move(peers)) {}
  std::shared_ptr<const routing::Companion> read(const std::string&,
                                                 routing::CompileOptions& options,
                                                 std::vector<routing::TableFault>&) override {
    options.carriers = peers_->carrier_names();
    options.clients = peers_->client_names();
    options.all_named = true;
    return peers_;
  }
  void taken(const std::shared_ptr<const routing::Companion>&) override {}

 private:
  std::shared_ptr<const gateway::Peers> peers_;
};

std::unique_ptr<const routing::Tables> tables(std::uint32_t which,
                                              std::shared_ptr<const gateway::Peers> peers,
                                              std::uint32_t version) {
  const char* costs[2][3] = {{"0.01", "0.02", "0.03"}, {"0.03", "0.01", "0.02"}};
  routing::Files files{
      {"currencies.csv", "currency,rate\nEUR,1\n"},
      {"numbering_plan.csv",
       "prefix,mccmnc,country,network\n44,234,GB,\n4477,23415,GB,Vodafone\n33,208,FR,\n"},
      {"plans/retail.csv", "mcc,mccmnc,price,currency\n234,,0.05,EUR\n"},
      {"clients.csv", "client,plan,default_country\nshop,retail,GB\ndepot,retail,GB\n"},
      {"rules.csv", "plan,client,destination,max_attempts\n"},
  };
  for (const std::string& name : peers->carrier_names()) {
    if (name.empty()) continue;
    const char* cost = costs[which % 2][name.front() - 'a'];
    files["rates/" + name + ".csv"] = std::string("mcc,price,currency\n234,") + cost + ",EUR\n";
  }
  routing::CompileOptions options;
  options.companions = std::make_shared<Made>(peers);
  options.version = version;
  auto result = routing::compile_files(files, options);
  if (!result) std::abort();
  return std::move(*result);
}

}  // namespace

void tell_records(core::Storage& disk, const std::set<std::string>& messages, std::string& out) {
  const auto tell = [&](const core::JournalRecord& record) {
    const std::string line = gateway::cli::record_line(record);
    const auto named = [&](const auto& message) { return line.find(message) != line.npos; };
    if (std::any_of(messages.begin(), messages.end(), named)) out += "    " + line + "\n";
  };
  if (!core::read_journal(disk, tell)) out += "    and cannot be read again\n";
}

std::string read_disk(core::Storage& disk, std::unique_ptr<Recovery>& recovery,
                      core::JournalReport& report, std::string& findings,
                      gateway::DeadLetters* dead_letters, gateway::UnwrittenDetails* details) {
  std::set<std::string> messages;
  recovery = std::make_unique<Recovery>([&](const gateway::Found& found) {
    findings += "finding: " + std::string(gateway::finding_name(found.finding)) + "\n";
    if (messages.size() < 3) messages.insert(gateway::cli::message_text(found.message));
  });
  gateway::RecoveryOptions options;
  options.quarantine = true;
  options.dead_letters = dead_letters;
  options.details = details;
  auto read = gateway::recover(disk, *recovery, options);
  if (!read) return read.error();
  report = std::move(*read);
  for (const auto& damage : report.damage) findings += "damage: " + damage.what + "\n";
  if (!recovery->conservation().holds()) findings += "P2: conservation does not hold\n";
  if (!messages.empty()) tell_records(disk, messages, findings);
  return {};
}

Life::Life(const Setup& setup)
    : setup_(setup),
      internet_{setup.hosts, {}, 1000},
      tables_(tables(setup.tables, next_peers(nullptr, setup.people), 1)),
      shards_(shards_options()),
      homes_(setup.config.gateway.shards, peers()),
      auth_(gateway::accounts_of(peers()), auth_options()) {}

gateway::AuthOptions Life::auth_options() {
  gateway::AuthOptions options;
  options.shards = setup_.config.gateway.shards;
  options.clock_us = [this] { return setup_.ground.us(); };
  options.own_thread = false;
  return options;
}

Life::~Life() {
  flows_.clear();
}

core::ShardsOptions Life::shards_options() {
  core::ShardsOptions result;
  result.count = setup_.config.gateway.shards;
  result.mailbox_octets = setup_.config.gateway.limits.mailbox_octets;
  result.clock = [this] { return setup_.ground.now; };
  result.make_net = [this](unsigned) {
    auto net = std::make_unique<gateway::WorldNet>(internet_);
    nets_.push_back(net.get());
    return net;
  };
  return result;
}

std::string Life::recover() {
  gateway::DeadLettersOptions letters;
  letters.storage = &setup_.disk;
  letters.file_octets = kLetterFile;
  letters.ring_octets = kRing;
  letters.clock = [this] { return setup_.ground.now; };
  letters.salt = setup_.seed | 1;
  auto dead_letters = gateway::DeadLetters::open(std::move(letters));
  if (!dead_letters) return dead_letters.error();
  dead_letters_ = std::move(*dead_letters);
  gateway::UnwrittenDetails unwritten;
  std::string error =
      read_disk(setup_.disk, recovery_, report_, findings_, dead_letters_.get(), &unwritten);
  if (!error.empty()) return error;
  core::JournalOptions options;
  options.storage = &setup_.disk;
  options.streams = setup_.config.gateway.shards;
  options.segment_octets = setup_.config.journal.segment_octets;
  options.ring_octets = kRing;
  options.batch_octets = kRing;
  options.tail = report_.tail;
  options.apart = dead_letters_.get();
  options.clock = [this] { return setup_.ground.now; };
  options.salt = setup_.seed | 1;
  options.own_thread = false;
  auto journal = core::Journal::open(std::move(options));
  if (!journal) return journal.error();
  journal_ = std::move(*journal);
  error = open_due(!report_.damage.empty());
  return error.empty() && setup_.details ? open_details(unwritten) : error;
}

std::string Life::open_details(const gateway::UnwrittenDetails& unwritten) {
  gateway::DetailStoreOptions options;
  options.storage = &setup_.disk;
  options.streams = setup_.config.gateway.shards;
  options.segment_octets = setup_.config.journal.segment_octets;
  options.ring_octets = kRing;
  options.batch_octets = kRing;
  options.clock = [this] { return setup_.ground.now; };
  options.salt = setup_.seed | 1;
  options.own_thread = false;
  auto opened = gateway::open_details(options, unwritten);
  if (!opened) return opened.error();
  details_ = std::move(*opened);
  for (const auto& damage : details_.report.damage) {
    findings_ += "detail records, damage: " + damage.what + "\n";
  }
  return {};
}

bool Life::step_details() {
  if (details_.journal == nullptr) return false;
  while (details_.journal->step()) {
  }
  return !details_.journal->failure().empty();
}

// On the journal's disk: what ends one ends both.
std::string Life::open_due(bool damaged) {
  auto stock = gateway::take_stock(setup_.disk, *recovery_, damaged);
  if (!stock) return stock.error();
  if (!stock->fine()) findings_ += "due: chunks are missing or damaged\n";
  if (const auto mended = gateway::mend(setup_.disk, *stock); !mended) return mended.error();
  stock_ = std::move(*stock);
  gateway::DueOptions options;
  options.storage = &setup_.disk;
  options.numbers_behind = stock_.highest;
  options.clock = [this] { return setup_.ground.now; };
  options.salt = setup_.seed | 1;
  options.own_thread = false;
  due_ = std::make_unique<gateway::DueStore>(std::move(options));
  for (unsigned i = 0; i < shards_.size(); ++i) due_->add(shards_[i]);
  return {};
}

std::string Life::start() {
  if (std::string error = recover(); !error.empty()) return error;
  const gateway::Config& config = setup_.config;
  for (unsigned i = 0; i < shards_.size(); ++i) {
    counters_.push_back(
        std::make_unique<gateway::FlowCounters>(homes_.clients(), homes_.carriers()));
    flows_.push_back(std::make_unique<gateway::Flow>(gateway::Flow::Setup{
        config, shards_[i], homes_, tables_, *counters_[i], auth_, shared_,
        setup_.seed + i * 0x10000, &journal_->stream(i), &due_->channel(i),
        details_.journal ? &details_.journal->stream(i) : nullptr, &details_.files}));
  }
  flows_[0]->recorder().recovered_details(details_.missing, recovery_->first_segment());
  const gateway::RestoreCounts counts =
      gateway::restore(peers(), homes_, {*recovery_, stock_}, flows_, setup_.ground.now);
  recovery_.reset();
  if (counts.without_client != 0) {
    return std::to_string(counts.without_client) + " messages without a client";
  }
  setup_.ground.note("restored", counts.queued + counts.told + counts.spilled,
                     counts.in_doubt * 1000 + counts.awaiting);
  for (auto& flow : flows_) {
    if (flow->start()) return "an address cannot be had";
  }
  return {};
}

bool Life::turn(unsigned shard) {
  const bool more = shards_[shard].turn();
  auth_.step();
  due_->step();
  return more;
}

void Life::publish(std::uint32_t which) {
  auto next = tables(which, next_peers(&peers(), setup_.people), which + 1);
  const gateway::Peers& now = gateway::peers_of(*next);
  for (const auto& counters : counters_) counters->grow(now.clients.size(), now.carriers.size());
  homes_.grow(now);
  auth_.replace(gateway::accounts_of(now));
  tables_.publish(std::move(next));
}

std::uint64_t Life::messages() const {
  std::uint64_t total = 0;
  for (const auto& flow : flows_) total += flow->messages() + flow->spilled();
  return total;
}

}  // namespace tollgate::sim
