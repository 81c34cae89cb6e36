#include "tests/sim/world.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "gateway/cli/journal_text.h"

namespace tollgate::sim {

using core::testing::FaultyStorage;
using core::testing::Op;
using core::testing::Survival;

World::World(std::uint64_t seed, std::int64_t minutes, std::FILE* trace)
    : ground_(seed, trace),
      plan_(make_plan(ground_.random, seed)),
      config_(make_config(plan_, seed)),
      people_(plan_, config_, seed),
      end_us_(ground_.us() + minutes * kMinute),
      book_(ground_),
      disk_(std::make_unique<FaultyStorage>()) {
  disk_->keep_log = false;
  // A carrier without room is passed over, and the message may come back from another to one that
  // has taken later ones; nobody outside sees when.
  // What is sent again after it was lost on its way comes behind later ones.
  for (const CarrierPlan& carrier : plan_.carrier) {
    book_.resends.push_back(carrier.in_doubt == carriers::InDoubt::resend);
  }
  book_.one_carrier = plan_.carriers == 1 && !book_.resends[0];
  book_.ordered = book_.one_carrier || plan_.limits.carrier_queue == 0;
  for (unsigned i = 0; i < plan_.carriers; ++i) {
    carriers_.push_back(std::make_unique<Carrier>(ground_, plan_, i, book_));
  }
  for (const auto& client : config_.clients) {
    book_.relayed.push_back(client.accept == gateway::Accept::relay);
  }
  for (unsigned i = 0; i < std::size(plan_.clients); ++i) {
    clients_.push_back(std::make_unique<Client>(ground_, plan_, i, book_));
  }
}

World::~World() {
  disk_->crashed = true;
  life_.reset();
}

Verdict World::run() {
  start();
  second();
  run_until(end_us_, false);
  ground_.quiet = true;
  ground_.note("quiet");
  people_.gather();
  if (life_ != nullptr) publish();
  // In doubt, then not told; or awaited, then not told.
  run_until(ground_.us() + kInDoubtHoldUs + 2 * kReceiptKeepUs, true);
  run_until(ground_.us() + kMinute, false);
  read_letters();
  if (book_.fault().empty()) book_.check_end();
  if (book_.fault().empty() && (life_ == nullptr || life_->messages() != 0)) {
    book_.wrong("messages are left when everything is over", 0xFFFFFFFF);
  }
  end_life();
  if (book_.fault().empty()) check_disk(*disk_);
  Verdict verdict;
  verdict.fault = book_.fault();
  if (book_.known(book_.fault_of()) && !book_.story(book_.fault_of()).id.empty()) {
    tell_records(*disk_, {book_.story(book_.fault_of()).id}, verdict.fault);
  }
  verdict.hash = ground_.trace.hash();
  verdict.messages = book_.messages();
  verdict.accepted = book_.accepted;
  verdict.receipts = book_.receipts;
  verdict.doubtful = book_.doubtful;
  verdict.told_by_us = book_.told_by_us;
  verdict.crashes = crashes_;
  verdict.stops = stops_;
  verdict.chunks = chunks_;
  return verdict;
}

bool World::idle() const {
  return life_ != nullptr && stop_by_us_ == 0 && life_->messages() == 0 &&
         std::all_of(carriers_.begin(), carriers_.end(),
                     [](const auto& carrier) { return carrier->receipts_left() == 0; });
}

// From event to event; while nothing happens, a turn each quantum.
void World::run_until(std::int64_t end_us, bool until_idle) {
  int busy = 0;
  while (ground_.us() < end_us && book_.fault().empty()) {
    const std::int64_t idle_us = until_idle ? kSecond : plan_.quantum_us;
    std::int64_t step_us = idle_us;
    if (busy > 0) step_us = ground_.random.between(50, 1000);
    const std::int64_t next = std::min(ground_.us() + step_us, ground_.agenda.next());
    const std::int64_t passed = std::max<std::int64_t>(next - ground_.us(), 0);
    ground_.now.mono_us += passed;
    ground_.now.wall_us += passed;
    ground_.active = false;
    ground_.agenda.run(ground_.us());
    step();
    busy = ground_.active ? 3 : busy - 1;
    if (until_idle && busy <= 0 && idle()) return;
  }
}

void World::step_ends() {
  for (const auto& carrier : carriers_) carrier->step();
  for (const auto& client : clients_) client->step();
}

void World::step() {
  for (unsigned s = 0; life_ != nullptr && s < life_->shards(); ++s) {
    life_->turn(s);
    if (!step_journal(s + 1 < life_->shards())) return;
  }
  step_ends();
  if (life_ == nullptr) return;
  if (stop_by_us_ != 0 && (life_->stopped() || ground_.us() >= stop_by_us_)) {
    ++stops_;
    ground_.note("stopped", life_->messages(), life_->stopped() ? 1 : 0);
    end_life();
    ground_.after(ground_.random.between(0, 5 * kSecond), [this] { start(); });
  }
}

// False: the gateway has died.
bool World::step_journal(bool between_shards) {
  if (ground_.us() < journal_us_ || (between_shards && ground_.random.chance(0.5))) return true;
  bool worked = false;
  // Their thread is another one: now in front of the journal's, now behind it.
  const bool details_first = plan_.details && ground_.us() % 2 == 0;
  bool failed = details_first && life_->step_details();
  while (life_->journal().step() && !disk_->crashed) worked = true;
  if (!details_first) failed = life_->step_details();
  if (disk_->crashed) {
    crash("in an operation of the disk");
    return false;
  }
  if ((failed || !life_->journal().failure().empty()) && journal_off_us_ == 0) journal_fails();
  if (!worked) return true;
  ground_.active = true;
  const bool slow = !ground_.quiet && ground_.random.chance(plan_.slow_sync);
  journal_us_ = ground_.us() + ground_.random.between(0, slow ? kSlowSyncMaxUs : plan_.sync_us);
  return true;
}

// Or the detail records' files do: either way its operator starts it again.
void World::journal_fails() {
  ground_.note("journal failed");
  journal_off_us_ = ground_.us();
  const std::uint32_t life = ground_.life;
  ground_.after(ground_.random.between(0, 10 * kSecond), [this, life] {
    if (ground_.life == life && life_ != nullptr) crash("after a failed sync");
  });
}

// What may happen each second.
void World::second() {
  ground_.after(kSecond, [this] { second(); });
  for (const auto& carrier : carriers_) carrier->second();
  for (const auto& client : clients_) client->second();
  if (ground_.quiet || life_ == nullptr) return;
  Random& random = ground_.random;
  if (random.chance(plan_.no_space)) no_space();
  if (random.chance(plan_.clock_jump)) jump();
  if (random.chance(plan_.reload)) {
    ground_.note("reload", ++tables_);
    publish();
  }
  if (const std::string what = people_.second(); !what.empty()) {
    ground_.note("peers", ++peers_, 0, what);
    publish();
  }
  if (random.chance(plan_.sync_error)) disk_->fails[Op::datasync] = {1 + random.below(3), EIO};
  if (random.chance(plan_.stop) && stop_by_us_ == 0) stop();
  if (random.chance(plan_.crash)) crash_soon();
}

void World::publish() {
  if (plan_.carriers > 1) book_.route_changes();
  life_->publish(tables_);
}

void World::stop() {
  ground_.note("stop");
  life_->stop();
  stop_by_us_ = ground_.us() + 60 * kSecond;
}

void World::no_space() {
  disk_->capacity = disk_->used() + ground_.random.below(40'000);
  ground_.note("disk full", disk_->capacity);
  ground_.after(ground_.random.between(kSecond, kNoSpaceMaxUs), [this] {
    ground_.note("disk has room");
    disk_->capacity = std::uint64_t{1} << 30;
  });
}

void World::jump() {
  // Back no further than this life's start: ids begin at the clock, and those of an earlier life
  // that the journal no longer names would come again.
  const std::int64_t back_us = std::min(ground_.us() - started_us_, 2 * kMinute);
  const std::int64_t by_us = ground_.random.between(-back_us, 5 * kMinute);
  ground_.note("clock jumps", static_cast<std::uint64_t>(by_us));
  ground_.now.wall_us += by_us;
}

// At one of the next operations of the disk, or at any moment.
void World::crash_soon() {
  if (ground_.random.chance(0.5)) {
    disk_->crash_at = disk_->operations + 1 + ground_.random.below(20);
    return;
  }
  const std::uint32_t life = ground_.life;
  ground_.after(ground_.random.between(0, kSecond), [this, life] {
    if (ground_.life == life && life_ != nullptr) crash("at a moment");
  });
}

void World::crash(const char* how) {
  ++crashes_;
  ground_.note("crash", crashes_, 0, how);
  end_life();
  ground_.after(ground_.random.between(0, 20 * kSecond), [this] { start(); });
}

// A stopped gateway has closed its journal; any other is gone in the middle of what it did.
void World::end_life() {
  if (life_ == nullptr) return;
  const bool stopped = stop_by_us_ != 0 && life_->stopped();
  if (!stopped) disk_->crashed = true;
  for (const auto& carrier : carriers_) carrier->gateway_crashed();
  for (const auto& client : clients_) client->gateway_crashed();
  chunks_ += life_->chunks_read();
  life_.reset();
  book_.loss();
  book_.life_ends();
  // A process that was killed leaves all it wrote to the system; a machine without power may not.
  const Survival how = stopped || ground_.random.chance(0.3)
                           ? Survival::keep_all
                           : core::testing::kSurvivals[ground_.random.below(5)];
  ground_.note("disk survives", static_cast<std::uint64_t>(how));
  flipped_ = flipped_ || how == Survival::bit_flip;
  const std::uint64_t capacity = disk_->capacity;
  disk_ = disk_->survive(how, static_cast<std::uint32_t>(ground_.random.next()));
  disk_->keep_log = false;
  disk_->capacity = capacity;
  stop_by_us_ = 0;
  journal_off_us_ = 0;
}

void World::start() {
  ++ground_.life;
  started_us_ = ground_.us();
  ground_.note("start", ground_.life);
  if (!ground_.quiet && ground_.random.chance(plan_.crash * 5)) {
    disk_->crash_at = 1 + ground_.random.below(12);
  }
  std::map<std::string, gateway::Host*> hosts;
  for (std::size_t i = 0; i < carriers_.size(); ++i) {
    hosts[config_.carriers[i].name] = carriers_[i].get();
  }
  // What nobody is known for any more ends with a restart (gateway/restore.h): not a fault here.
  people_.gather();
  life_ = std::make_unique<Life>(Life::Setup{ground_, config_, people_, hosts, *disk_, tables_,
                                             ground_.random.next(), plan_.details});
  const std::string error = life_->start();
  if (!flipped_ && !life_->findings().empty()) book_.wrong(life_->findings(), 0xFFFFFFFF);
  if (!error.empty()) {
    if (!disk_->crashed) book_.wrong("does not start: " + error, 0xFFFFFFFF);
    return crash("while starting");
  }
  journal_us_ = ground_.us();
  for (const auto& client : clients_) client->door(&life_->door());
}

void World::read_letters() {
  // Of an id that was used before, a receipt may repeat what was told already.
  book_.letters = !flipped_ && std::none_of(std::begin(plan_.carrier), std::end(plan_.carrier),
                                            [](const auto& one) { return one.ids_repeat; });
  const std::int64_t parked_ms = carriers::CarrierTimers{}.early_receipt_ms;
  book_.unparked_us = ground_.us() - (parked_ms + 5'000) * 1000;
  std::array<char, 1024> scratch;
  const auto report =
      gateway::read_dead_letters(*disk_, [&](const proto::record::DeadLetter& letter) {
        proto::DeliverSm sm;
        proto::Receipt receipt;
        if (!letter.pdu.empty() && !proto::decode(letter.pdu.subspan(proto::kHeaderLength), sm)) {
          proto::parse_receipt(sm, receipt, scratch);
        }
        const std::string id =
            letter.message == 0 ? "" : gateway::cli::message_text(letter.message);
        book_.dead(receipt.err, id);
      });
  if (!report && !flipped_) book_.wrong("the dead letters cannot be read", 0xFFFFFFFF);
}

void World::check_disk(core::Storage& disk) {
  std::string findings;
  std::unique_ptr<gateway::Recovery> recovery;
  core::JournalReport report;
  findings += read_disk(disk, recovery, report, findings);
  if (recovery->live() != 0) {
    findings += "P2: " + std::to_string(recovery->live()) + " messages live in the journal alone\n";
  }
  const auto stock = gateway::take_stock(disk, *recovery, !report.damage.empty());
  if (!stock || !stock->fine() || stock->receipts() != 0) {
    findings += "P2: receipts are left on the disk, or missing there\n";
  }
  if (plan_.details) findings += judge_details(disk);
  if (!flipped_ && !findings.empty()) book_.wrong(findings, 0xFFFFFFFF);
}

// Every accepted message has one detail record, over all crashes; none has two.
std::string World::judge_details(core::Storage& disk) {
  std::map<std::string, unsigned> full, low;
  std::string findings;
  const auto judge = [&](core::Octets octets) {
    proto::detail::Detail detail;
    if (!proto::detail::decode(octets, detail)) findings += "a detail record is none\n";
    const std::string id = gateway::cli::message_text(detail.message);
    if (++full[id] == 2) findings += "two detail records of message " + id + "\n";
    ++low[id.substr(8)];
    const bool known = detail.segments == 1 && !detail.number.empty() && detail.try_count != 0;
    const bool never_sent = detail.by_gateway && detail.tries_kept == 0;
    if (!known && !never_sent)
      findings += "a detail record lacks what it should tell: " + id + "\n";
    if (detail.taken() != (detail.revenue_nano == 50'000'000)) {
      findings += "a detail record's revenue is wrong: " + id + "\n";
    }
  };
  if (!gateway::read_details(disk, 0, judge)) return "the detail records cannot be read\n";
  for (Tag tag = 0; book_.known(tag); ++tag) {
    const Story& story = book_.story(tag);
    if (!story.accepted()) continue;
    const auto& ids = story.own_id.size() == 16 ? full : low;
    if (ids.contains(story.own_id)) continue;
    findings += "message " + story.own_id + " has no detail record\n" + book_.tell(tag);
    break;
  }
  return findings;
}

}  // namespace tollgate::sim
