#include "gateway/keeping/keeping.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/clock.h"
#include "core/log.h"
#include "gateway/config/tables_place.h"

namespace tollgate::gateway {
namespace {

constexpr std::int64_t kProgressUs = 1'000'000;  // between two lines

// As the mailboxes', but all rings together are at most a quarter of a segment: the journal must be
// able to write what they hold when the disk is full.
std::size_t ring_octets(const Config& config) {
  const std::size_t most = config.journal.segment_octets / 4 / config.gateway.shards;
  return std::min<std::size_t>(config.gateway.limits.mailbox_octets, std::bit_floor(most));
}

void tell(const core::JournalReport& report, const Recovery& recovery, std::int64_t took_us) {
  for (const core::JournalDamage& damage : report.damage) {
    core::log::error("journal_damage", {{"segment", damage.segment},
                                        {"begin", damage.begin},
                                        {"end", damage.end},
                                        {"what", damage.what}});
  }
  for (const std::string& name : report.quarantined) {
    core::log::error("journal_quarantined", {{"file", name}});
  }
  core::log::info("journal_read", {{"records", report.records},
                                   {"segments", report.segments},
                                   {"octets", report.octets},
                                   {"torn_octets", report.torn_octets},
                                   {"live", recovery.live()},
                                   {"orphans", recovery.orphans()},
                                   {"findings", recovery.findings()},
                                   {"took_ms", took_us / 1000}});
}

// After Journal::open(), see due_stock.h.
std::string open_due(const Config& config, const core::JournalReport& report, Keeping& keeping) {
  const std::string directory = config.journal.directory + "/due";
  auto storage = core::open_directory(directory, core::StorageUse::exclusive);
  if (!storage) return storage.error();
  keeping.due_storage = std::move(*storage);
  auto stock = take_stock(*keeping.due_storage, *keeping.recovery, !report.damage.empty());
  if (!stock) return stock.error();
  if (const auto mended = mend(*keeping.due_storage, *stock); !mended) return mended.error();
  for (const std::uint64_t chunk : stock->damaged) {
    core::log::error("due_chunk_damaged",
                     {{"chunk", chunk}, {"what", "nothing of it can be read"}});
  }
  for (const std::uint64_t chunk : stock->missing) {
    core::log::error("due_chunk_missing", {{"chunk", chunk}});
  }
  core::log::info("due_read", {{"chunks", stock->chunks.size()},
                               {"receipts", stock->receipts()},
                               {"removed", stock->removable.size()}});
  DueOptions options;
  options.storage = keeping.due_storage.get();
  options.reserve_octets =
      std::uint64_t{config.journal.reserve_octets} + config.journal.segment_octets;
  options.numbers_behind = stock->highest;
  options.chunks = stock->chunks.size();
  options.octets = stock->octets();
  for (const ChunkContent& each : stock->chunks) options.numbers.push_back(each.chunk.number);
  keeping.due = std::make_unique<DueStore>(std::move(options));
  keeping.stock = std::move(*stock);
  return {};
}

// Gathers so long: they wait for nobody. What comes meanwhile, at the highest rates too, fits a
// batch.
constexpr std::int64_t kDetailLingerUs = 20'000;
constexpr std::size_t kDetailBatch = std::size_t{4} << 20;

std::string open_records(const Config& config, KeepingOptions& asked,
                         const UnwrittenDetails& unwritten, Keeping& keeping) {
  const RecordsConfig& records = config.records;
  if (records.directory.empty()) return {};
  auto storage = core::open_directory(records.directory, core::StorageUse::exclusive);
  if (!storage) return storage.error();
  keeping.detail_storage = std::move(*storage);
  if (std::string newer = newer_facts(records.directory); !newer.empty()) return newer;
  const std::optional<KeptAt> kept = load_kept(records.directory);
  const core::Now now = core::read_clock();
  const auto files = list_details(*keeping.detail_storage, kept, now);
  if (!files) return files.error();
  LearningOptions learning;
  learning.kept_less_mono_us = files->kept_less_mono_us;
  if (kept) learning.past = kept->at;
  learning.directory = records.directory;
  learning.start = std::move(asked.facts);
  learning.keep_days = records.keep_days;
  learning.hand_over = std::move(asked.teach);
  keeping.learning = std::make_unique<Learning>(std::move(learning));
  if (std::string error = keeping.learning->recount(*keeping.detail_storage); !error.empty()) {
    return error;
  }
  DetailStoreOptions options;
  options.observer = keeping.learning.get();
  options.kept = kept;
  options.storage = keeping.detail_storage.get();
  options.streams = config.gateway.shards;
  options.segment_octets = records.rotate_octets;
  const std::size_t most = records.rotate_octets / 4 / config.gateway.shards;
  options.ring_octets =
      std::min<std::size_t>(config.gateway.limits.mailbox_octets, std::bit_floor(most));
  options.batch_octets = std::min<std::size_t>(kDetailBatch, records.rotate_octets / 4);
  options.reserve_octets = records.reserve_octets;
  options.linger_us = kDetailLingerUs;
  auto opened = open_details(options, unwritten);
  if (!opened) return opened.error();
  keeping.details = std::move(*opened);
  if (!records.stream.empty()) {
    DetailStreamOptions stream;
    stream.directory = records.directory;
    stream.redis = store_options(config.tables).redis;
    stream.key = records.stream;
    stream.most = records.stream_max;
    auto made = DetailStream::open(std::move(stream));
    if (!made) return made.error();
    keeping.stream = std::move(*made);
  }
  for (const core::JournalDamage& damage : keeping.details.report.damage) {
    core::log::error("records_damage", {{"file", damage.segment},
                                        {"begin", damage.begin},
                                        {"end", damage.end},
                                        {"what", damage.what}});
  }
  core::log::info("records_opened", {{"files", keeping.details.files.files.size()},
                                     {"looked_at", keeping.details.report.records},
                                     {"recovered", keeping.details.missing.size()}});
  return {};
}

tl::expected<Keeping, std::string> open_journal(const Config& config,
                                                std::function<void(unsigned)> wake,
                                                UnwrittenDetails& unwritten) {
  Keeping keeping;
  if (config.journal.directory.empty()) return keeping;
  auto storage = core::open_directory(config.journal.directory, core::StorageUse::exclusive);
  if (!storage) return tl::make_unexpected(storage.error());
  keeping.storage = std::move(*storage);
  keeping.recovery = std::make_unique<Recovery>();

  const std::int64_t began_us = core::read_clock().mono_us;
  std::int64_t told_us = began_us;
  DeadLettersOptions letters;
  letters.storage = keeping.storage.get();
  letters.files = config.journal.dead_letter_files;
  auto dead_letters = DeadLetters::open(std::move(letters));
  if (!dead_letters) return tl::make_unexpected(dead_letters.error());
  keeping.dead_letters = std::move(*dead_letters);

  RecoveryOptions read;
  read.dead_letters = keeping.dead_letters.get();
  read.details = &unwritten;
  read.quarantine = true;
  read.progress = [&](const RecoveryProgress& progress) {
    const std::int64_t now_us = core::read_clock().mono_us;
    if (now_us - told_us < kProgressUs) return;
    told_us = now_us;
    core::log::info("journal_reading", {{"segments", progress.segments},
                                        {"of", progress.of},
                                        {"records", progress.records},
                                        {"live", progress.live}});
  };
  const auto report = recover(*keeping.storage, *keeping.recovery, read);
  if (!report) return tl::make_unexpected(report.error());
  if (std::string unread = unread_sentence(*keeping.storage, keeping.recovery->unread());
      !unread.empty()) {
    return tl::make_unexpected(std::move(unread));
  }
  tell(*report, *keeping.recovery, core::read_clock().mono_us - began_us);

  core::JournalOptions options;
  options.storage = keeping.storage.get();
  options.streams = config.gateway.shards;
  options.segment_octets = config.journal.segment_octets;
  options.reserve_octets = config.journal.reserve_octets;
  options.ring_octets = ring_octets(config);
  options.tail = report->tail;
  options.damaged_octets = report->damaged_octets;
  options.apart = keeping.dead_letters.get();
  options.wake = std::move(wake);
  auto journal = core::Journal::open(std::move(options));
  if (!journal) return tl::make_unexpected(journal.error());
  keeping.journal = std::move(*journal);
  if (std::string error = open_due(config, *report, keeping); !error.empty()) {
    return tl::make_unexpected(std::move(error));
  }
  return keeping;
}

}  // namespace

tl::expected<Keeping, std::string> open_keeping(const Config& config, KeepingOptions options) {
  UnwrittenDetails unwritten;
  auto keeping = open_journal(config, std::move(options.wake), unwritten);
  if (!keeping) return keeping;
  if (std::string error = open_records(config, options, unwritten, *keeping); !error.empty()) {
    return tl::make_unexpected(std::move(error));
  }
  return keeping;
}

}  // namespace tollgate::gateway
