// Table sets in Redis: blobs, versions, drafts, the audit trail (docs/pricing.md). Used by one
// thread at a time; any number of stores, in any number of processes, may use one Redis.
//
// 1. One transaction publishes a version, and only on top of the version that its draft was based
//    on: whoever comes second has to rebase (StoreFault::conflict), and learns who came first.
// 2. Everything that is read is checked: format, checksum, count and length of chunks. What does
//    not fit is StoreFault::damaged, and names the key.
// 3. Blobs first, then what points to them: a reader never sees a version without its content.
// 4. Every act is one entry of the audit stream, in the same transaction as the act.
// 5. Keys are never searched by pattern: the cost of a call does not depend on what else Redis
//    holds.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "routing/store/redis.h"
#include "routing/store/table_set.h"

namespace tollgate::routing {

inline constexpr std::size_t kChunkOctets = 1u << 20;
inline constexpr const char* kTablesPrefix = "tollgate:tables:";

struct StoreOptions {
  RedisOptions redis;
  std::string prefix = kTablesPrefix;
};

// Who does something, and why. Both come from people: they are checked for length and controls.
struct Actor {
  std::string who;
  std::string note;
  std::int64_t now_us = 0;
};

// Published so long ago as one wants to know; the newest first.
struct HistoryPage {
  std::vector<TableVersion> versions;
  bool more = false;
};

class Store {
 public:
  explicit Store(StoreOptions options) : options_(std::move(options)), redis_(options_.redis) {}

  // --- blobs
  // Stores the content unless it is there already.
  StoreResult<TableFile> put(std::string_view name, std::string_view text);
  StoreResult<std::string> get(const TableFile& file);
  // The same, by chunks, each handed to `take` (false = stop: it could not be kept).
  StoreResult<void> fetch(const TableFile& file,
                          const std::function<bool(std::string_view part)>& take);

  // --- versions
  StoreResult<std::uint32_t> current();                     // 0 = nothing was published yet
  StoreResult<TableVersion> version(std::uint32_t number);  // 0 = the current one
  // The newest first, below `before` (0 = from the current one on).
  StoreResult<HistoryPage> history(std::size_t count, std::uint32_t before = 0);
  StoreResult<TableVersion> rollback(std::uint32_t to, const Actor& actor);
  // An empty store's first version will be `number` + 1. For a Redis that lost its data.
  StoreResult<void> begin_after(std::uint32_t number, const Actor& actor);

  // --- drafts
  // On top of `base`, the version that the changes were made from; none: the current one. Changes
  // that change nothing are left out; none left: invalid.
  StoreResult<TableDraft> create_draft(const Actor& actor, std::span<const FileChange> changes,
                                       std::string summary,
                                       std::optional<std::uint32_t> base = std::nullopt);
  // Changes to an open draft; an approval or a schedule ends with it. `revision`: of the draft that
  // the changes were made from; changed since, it is a conflict; 0: whatever it is now.
  StoreResult<TableDraft> change_draft(std::uint32_t id, const Actor& actor,
                                       std::span<const FileChange> changes, std::string summary,
                                       std::uint32_t revision = 0);
  StoreResult<TableDraft> draft(std::uint32_t id);
  StoreResult<std::vector<TableDraft>> drafts();  // the open ones, by id
  StoreResult<TableDraft> approve(std::uint32_t id, const Actor& actor);
  StoreResult<TableDraft> discard(std::uint32_t id, const Actor& actor);
  StoreResult<TableDraft> rebase(std::uint32_t id, const Actor& actor);
  StoreResult<TableDraft> schedule(std::uint32_t id, const Actor& actor, std::int64_t at_us);
  // All the files of the draft, as they would be published.
  StoreResult<std::vector<TableFile>> files_of(const TableDraft& draft);
  // As the draft was read: changed since, it is a conflict.
  StoreResult<TableVersion> publish(const TableDraft& draft, const Actor& actor,
                                    Origin origin = Origin::publish);

  // --- scheduled drafts, for gateways
  StoreResult<std::vector<std::uint32_t>> due(std::int64_t now_us);
  StoreResult<std::int64_t> next_due_us();  // int64 max = none
  // True: this gateway shall publish what is due, for so long.
  StoreResult<bool> take_turn(std::string_view gateway, std::int64_t for_us);
  StoreResult<void> end_turn(std::string_view gateway);
  StoreResult<void> fail_draft(const TableDraft& draft, const Actor& actor, std::string reason);

  // --- audit trail and reports
  StoreResult<std::vector<TableAct>> audit(std::size_t count);  // the newest first
  StoreResult<void> report(const GatewayReport& report);
  StoreResult<std::vector<GatewayReport>> reports();

  std::string channel() const { return key("published"); }  // a message when a version is new
  std::string address() const { return redis_.address(); }
  Redis& redis() { return redis_; }

 private:
  using Commands = std::vector<std::vector<std::string>>;
  std::string key(std::string_view rest) const { return options_.prefix + std::string(rest); }
  std::string version_key(std::uint32_t number) const;
  std::string draft_key(std::uint32_t id) const;
  std::string chunk_key(const Sha256& blob, std::uint32_t index) const;
  StoreResult<std::uint32_t> number_at(const std::string& key);
  StoreResult<std::string> chunk(const TableFile& file, std::uint32_t index);
  StoreResult<bool> has_blob(const TableFile& file);
  StoreResult<void> check_blobs(const std::vector<TableFile>& files);
  StoreResult<void> watch(const std::vector<std::string>& keys);
  std::vector<std::string> audit_command(const TableAct& act) const;
  Commands save_commands(const TableDraft& draft) const;
  StoreResult<void> commit(Commands commands);
  StoreResult<std::uint32_t> next_number(std::uint32_t current);
  StoreResult<TableVersion> publish_files(TableVersion version, const TableDraft* draft,
                                          const Actor& actor);
  StoreResult<std::vector<TableFile>> base_files(std::uint32_t base);
  StoreResult<void> apply(TableDraft& draft, std::span<const FileChange> changes);
  using Change = std::function<StoreResult<void>(TableDraft&)>;
  StoreResult<TableDraft> change(std::uint32_t id, const Actor& actor, const char* what,
                                 const Change& apply);
  StoreError overtaken(const TableDraft& draft, std::uint32_t current);

  StoreOptions options_;
  Redis redis_;
};

}  // namespace tollgate::routing
