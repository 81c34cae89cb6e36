// What /metrics shows of the process, its shards and its clients.
#include <array>
#include <cinttypes>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <optional>
#include <sys/resource.h>
#include <unistd.h>

#include "core/log.h"
#include "gateway/clients/auth.h"
#include "gateway/config/config.h"
#include "gateway/keeping/due_store.h"
#include "gateway/messages/counters.h"
#include "gateway/messages/homes.h"
#include "gateway/metrics/page.h"
#include "proto/receipt.h"
#include "proto/status.h"
#include "routing/router.h"

namespace tollgate::gateway {
namespace {

constexpr CellRow<ClientCounters> kClientRows[] = {
    {{"client_sessions", "Sessions bound now", Kind::gauge}, &ClientCounters::sessions},
    {{"client_binds_total", "Binds accepted"}, &ClientCounters::binds},
    {{"client_submits_total", "Submits read; submit_multi counts each destination"},
     &ClientCounters::submits},
    {{"client_accepted_total", "Messages accepted"}, &ClientCounters::accepted},
    {{"client_window_in_use", "Submits whose response has not left yet", Kind::gauge},
     &ClientCounters::window_in_use},
    {{"client_window_overruns_total", "Submits beyond the client's window"},
     &ClientCounters::window_overruns},
    {{"client_over_pace_total", "Submits beyond the client's pace"}, &ClientCounters::over_pace},
    {{"client_queue_full_total", "Submits refused because the client's queue was full"},
     &ClientCounters::queue_full},
    {{"client_reading_pauses_total", "Times a session was not read because the queue was full"},
     &ClientCounters::reading_pauses},
    {{"client_queue", "Messages accepted that no carrier has yet", Kind::gauge},
     &ClientCounters::unsent},
    {{"client_queue_bytes", "Their memory", Kind::gauge}, &ClientCounters::unsent_octets},
    {{"client_resent_total", "Messages in doubt that were sent again"}, &ClientCounters::resent},
    {{"client_in_doubt", "Messages sent whose response never came", Kind::gauge},
     &ClientCounters::in_doubt},
    {{"client_relay_refused_total", "Relayed messages that no carrier took"},
     &ClientCounters::relay_refused},
    {{"client_relay_in_doubt_total", "Of the refused: messages whose carrier never answered"},
     &ClientCounters::relay_in_doubt},
    {{"client_receipts_owing", "Messages that may still bring a receipt", Kind::gauge},
     &ClientCounters::receipts_owing},
    {{"client_receipts_queue", "Receipts that no session has taken yet", Kind::gauge},
     &ClientCounters::receipts_waiting},
    {{"client_receipts_spilled", "Receipts that wait on the disk, of the queue", Kind::gauge},
     &ClientCounters::receipts_spilled},
    {{"client_receipts_window_in_use", "deliver_sm without a response", Kind::gauge},
     &ClientCounters::receipts_in_flight},
    {{"client_receipts_sent_total", "deliver_sm sent, repeats included"},
     &ClientCounters::receipts_sent},
    {{"client_receipts_delivered_total", "Receipts that the client acknowledged"},
     &ClientCounters::receipts_delivered},
    {{"client_receipts_retried_total", "Receipts refused or timed out, to be sent again"},
     &ClientCounters::receipts_retried},
    {{"client_receipts_held_total", "Receipts put aside for a session that takes no more for now"},
     &ClientCounters::receipts_held},
    {{"client_receipts_expired_total", "Receipts given up after receipt_keep_seconds"},
     &ClientCounters::receipts_expired},
    {{"client_settled_total", "Messages that ended"}, &ClientCounters::settled},
    {{"client_failed_total", "Messages that no carrier took"}, &ClientCounters::failed},
    {{"client_expired_total", "Messages whose validity ended before they were sent"},
     &ClientCounters::expired},
    {{"client_revenue_base_total", "Price of what carriers took, in base currency"},
     &ClientCounters::revenue_nano,
     kNano},
    {{"client_margin_base", "Price less cost of what carriers took, in base currency", Kind::gauge},
     &ClientCounters::margin_nano,
     kNano,
     true},
};

constexpr CellRow<DoorCounters> kDoorRows[] = {
    {{"door_connections_total", "Connections from clients"}, &DoorCounters::accepted},
    {{"door_waiting", "Connections that are not bound yet", Kind::gauge}, &DoorCounters::waiting},
    {{"door_over_limit_total", "Connections closed at once: unbound_max, all waiting for us"},
     &DoorCounters::over_limit},
    {{"door_source_full_total", "Connections closed at once: unbound_per_source, all waiting"},
     &DoorCounters::source_full},
    {{"door_gave_way_total", "Connections without a bind closed to let newer ones in"},
     &DoorCounters::gave_way},
    {{"door_talkative_total", "Connections closed for too many requests before the bind"},
     &DoorCounters::talkative},
    {{"door_hung_up_total", "Connections that ended while their password waited for its check"},
     &DoorCounters::hung_up},
    {{"door_sessions_full_total", "Binds refused: connections_max"}, &DoorCounters::sessions_full},
    {{"door_auth_queue_full_total", "Binds refused: too many wait for their password's check"},
     &DoorCounters::auth_queue_full},
    {{"door_binds_refused_total", "Binds refused, for any reason"}, &DoorCounters::bind_refused},
    {{"door_init_timeouts_total", "Connections closed without a bind in time"},
     &DoorCounters::init_timeouts},
    {{"door_bad_lengths_total", "Sessions ended by a command_length that cannot be"},
     &DoorCounters::bad_lengths},
    {{"door_unknown_commands_total", "Commands answered with generic_nack"},
     &DoorCounters::unknown_commands},
    {{"door_wrong_state_total", "Commands that the session's state does not allow"},
     &DoorCounters::wrong_state},
    {{"door_ignored_responses_total", "Responses that nobody asked for"},
     &DoorCounters::ignored_responses},
    {{"door_inactive_total", "Sessions closed for inactivity"}, &DoorCounters::inactive},
    {{"door_enquire_misses_total", "Sessions closed because enquire_link had no answer"},
     &DoorCounters::enquire_misses},
};

constexpr CellRow<LedgerCounters> kLedgerRows[] = {
    {{"ledger_accepted_total", "Messages accepted"}, &LedgerCounters::accepted},
    {{"ledger_settled_total", "Messages that ended"}, &LedgerCounters::settled},
    {{"ledger_spilled", "Messages whose receipt waits on the disk", Kind::gauge},
     &LedgerCounters::spilled},
    {{"ledger_messages", "Messages kept: accepted less settled and spilled", Kind::gauge},
     &LedgerCounters::messages},
    {{"ledger_capacity", "Messages there is room for", Kind::gauge}, &LedgerCounters::capacity},
    {{"ledger_full_total", "Submits refused because the ledger was full"}, &LedgerCounters::full},
    {{"ledger_unsent_bytes", "Memory of messages accepted that no carrier has yet", Kind::gauge},
     &LedgerCounters::unsent_octets},
    {{"ledger_holds_total", "Turns that read no client: a carrier's queue came first"},
     &LedgerCounters::holds},
    {{"ledger_waiting", "Messages whose every carrier was down or full, or refused for now",
      Kind::gauge},
     &LedgerCounters::waiting},
    {{"ledger_back_offs_total", "Times that every carrier refused a message for now"},
     &LedgerCounters::back_offs},
    {{"ledger_late_outcomes_total", "Outcomes and receipts for messages that had ended"},
     &LedgerCounters::late_outcomes},
    {{"ledger_mail_spilled_total", "Times that mail did not fit its ring"},
     &LedgerCounters::mail_spilled},
};

constexpr CellRow<TablesCounters> kTablesRows[] = {
    {{"tables_version", "Version of the tables in use", Kind::gauge}, &TablesCounters::version},
    {{"tables_loaded_timestamp_seconds", "When the tables in use were loaded", Kind::gauge},
     &TablesCounters::loaded_wall_us,
     kMicro},
    {{"tables_compile_seconds", "How long compiling them took", Kind::gauge},
     &TablesCounters::compile_us,
     kMicro},
    {{"tables_prefixes", "Prefixes of the numbering plan", Kind::gauge}, &TablesCounters::prefixes},
    {{"tables_rates", "Rows of all rate books in force", Kind::gauge}, &TablesCounters::rates},
    {{"tables_prices", "Rows of all price plans in force", Kind::gauge}, &TablesCounters::prices},
    {{"tables_rules", "Rules", Kind::gauge}, &TablesCounters::rules},
    {{"tables_bytes", "Memory of the tables, about", Kind::gauge}, &TablesCounters::octets},
    {{"tables_reloads_total", "Tables taken over"}, &TablesCounters::reloads},
    {{"tables_reload_failures_total", "Tables refused whole; the old ones stayed"},
     &TablesCounters::reload_failures},
    {{"tables_refused_version", "The version refused now; 0 = none", Kind::gauge},
     &TablesCounters::refused_version},
};

// When the tables come from Redis.
constexpr CellRow<TablesCounters> kTablesRedisRows[] = {
    {{"tables_redis_up", "Whether Redis answers: 1 or 0", Kind::gauge}, &TablesCounters::redis_up},
    {{"tables_redis_errors_total", "Failed attempts to read Redis"}, &TablesCounters::redis_errors},
    {{"tables_cache_damaged_total", "Times that the cache on disk was not what was written to it"},
     &TablesCounters::cache_damaged},
    {{"tables_redis_version", "The current version in Redis, as last seen", Kind::gauge},
     &TablesCounters::redis_version},
    {{"tables_published_timestamp_seconds", "When the version in use was published", Kind::gauge},
     &TablesCounters::published_wall_us,
     kMicro},
    {{"tables_fetch_seconds", "How long getting the version in use took", Kind::gauge},
     &TablesCounters::fetch_us,
     kMicro},
    {{"tables_scheduled_published_total", "Scheduled drafts that this gateway published"},
     &TablesCounters::scheduled_published},
    {{"tables_scheduled_failed_total", "Scheduled drafts that could not be published"},
     &TablesCounters::scheduled_failed},
};

bool is_gauge(core::ShardCount count) {
  return count == core::ShardCount::connections || count == core::ShardCount::timers_armed;
}

template <class T>
using Parts = std::vector<const T*>;

// Open from the first page on, so that a page can be made when descriptors have run out.
class OwnFiles {
 public:
  std::optional<std::uint64_t> resident_pages() const {
    std::array<char, 128> text{};
    if (::pread(statm_, text.data(), text.size() - 1, 0) <= 0) return {};
    std::uint64_t pages = 0, resident = 0;
    if (std::sscanf(text.data(), "%" SCNu64 " %" SCNu64, &pages, &resident) != 2) return {};
    return resident;
  }
  std::optional<std::uint64_t> descriptors() const {
    if (fds_ == nullptr) return {};
    ::rewinddir(fds_);
    std::uint64_t count = 0;
    while (const dirent* entry = ::readdir(fds_)) count += entry->d_name[0] != '.';
    return count;
  }

 private:
  const int statm_ = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  DIR* const fds_ = ::opendir("/proc/self/fd");
};

// The standard names, which every dashboard knows.
void add_standard(Page& page) {
  static const OwnFiles files;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * kMicro;
  };
  page.add({"process_cpu_seconds_total", "CPU time, user and system"}, {},
           seconds(usage.ru_utime) + seconds(usage.ru_stime));
  if (const auto resident = files.resident_pages()) {
    page.add({"process_resident_memory_bytes", "Memory in use", Kind::gauge}, {},
             static_cast<double>(*resident) * static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  if (const auto count = files.descriptors()) {
    page.add({"process_open_fds", "Open file descriptors", Kind::gauge}, {},
             static_cast<double>(*count));
  }
}

constexpr std::string_view kDueHelp[kDueCounts] = {
    "Chunks of receipts that wait on the disk",
    "Octets of these chunks",
    "Chunks written",
    "Chunks read back",
    "Chunks removed",
    "Writes, reads and removals of chunks that failed and are tried again",
    "Of them: the disk was full",
    "Chunks with damage, set aside",
    "Chunks that others removed",
    "Receipts that could not be read from damaged chunks",
};

void add_client(Page& page, const std::string& name, const Parts<ClientCounters>& parts) {
  const Labels labels{{"client", name}};
  const auto with = [&](const char* label, std::string_view value) {
    Labels both = labels;
    both.push_back({label, std::string(value)});
    return both;
  };
  page.add<ClientCounters>(kClientRows, labels, parts);
  const auto sum = [&](auto member, std::size_t i) {
    std::uint64_t total = 0;
    for (const ClientCounters* part : parts) total += (part->*member)[i].get();
    return static_cast<double>(total);
  };
  for (std::size_t i = 0; i < kStatusClasses; ++i) {
    page.add({"client_responses_total", "Responses to submits, by the class of their status"},
             with("class", proto::status_class_name(static_cast<proto::StatusClass>(i))),
             sum(&ClientCounters::responses, i));
  }
  for (std::size_t i = 0; i < kMessageStates; ++i) {
    page.add({"client_receipts_total", "Receipts that came for the client's messages, by state"},
             with("state", proto::message_state_name(static_cast<proto::MessageState>(i))),
             sum(&ClientCounters::receipts, i));
  }
  for (std::size_t i = 0; i < routing::kReasons; ++i) {
    page.add({"client_routed_total", "Routing decisions, by reason"},
             with("reason", routing::reason_name(static_cast<routing::Reason>(i))),
             sum(&ClientCounters::routed, i));
  }
  const auto histogram = [&](const Family& family, core::Histogram ClientCounters::*member) {
    Parts<core::Histogram> histograms;
    for (const ClientCounters* part : parts) histograms.push_back(&(part->*member));
    page.add(family, labels, histograms);
  };
  histogram({"client_submit_seconds", "submit_sm read to its response written"},
            &ClientCounters::response_us);
  histogram({"client_receipt_seconds", "submit_sm accepted to its final receipt"},
            &ClientCounters::receipt_us);
}

}  // namespace

void add_process(Page& page, const MetricsSources& sources) {
  add_standard(page);
  page.add({"info", "The version that runs; always 1", Kind::gauge},
           {{"version", TOLLGATE_VERSION}}, 1);
  page.add({"log_lines_dropped_total", "Log lines lost because they could not be written in time"},
           {}, static_cast<double>(core::log::lines_dropped()));
  if (sources.tables) {
    const Parts<TablesCounters> tables{sources.tables};
    page.add<TablesCounters>(kTablesRows, {}, tables);
    if (sources.tables->redis.get()) page.add<TablesCounters>(kTablesRedisRows, {}, tables);
    for (std::size_t i = 0; i < routing::kRefusals; ++i) {
      page.add({"tables_refused", "Whether a version is refused, and why: 1 or 0", Kind::gauge},
               {{"reason", routing::refusal_name(static_cast<routing::Refusal>(i))}},
               static_cast<double>(sources.tables->refused[i].get()));
    }
  }
  if (!sources.auth) return;
  page.add({"auth_hashes_total", "Password hashes computed"}, {},
           static_cast<double>(sources.auth->hashes()));
  page.add({"auth_remembered_total", "Binds accepted without a hash: verified before in this run"},
           {}, static_cast<double>(sources.auth->remembered()));
  page.add({"auth_waiting", "Binds that wait for their password's check", Kind::gauge}, {},
           static_cast<double>(sources.auth->waiting()));
  for (std::size_t i = 0; i < static_cast<std::size_t>(AuthOutcome::count); ++i) {
    const auto outcome = static_cast<AuthOutcome>(i);
    page.add({"auth_checks_total", "Binds whose password was asked about, by outcome"},
             {{"outcome", std::string(auth_outcome_name(outcome))}},
             static_cast<double>(sources.auth->outcomes(outcome)));
  }
}

namespace {

// What a journal's thread counts, under the family's name of that journal.
void add_counts(Page& page, std::string_view family, std::string_view help,
                const core::Cells<core::JournalCount, core::kJournalCounts>& counts) {
  const auto gauge = [](core::JournalCount count) {
    return count == core::JournalCount::segments || count == core::JournalCount::free_octets ||
           count == core::JournalCount::accepting || count == core::JournalCount::directory_gone ||
           count == core::JournalCount::damaged_octets || count == core::JournalCount::failed;
  };
  for (std::size_t i = 0; i < core::kJournalCounts; ++i) {
    const auto count = static_cast<core::JournalCount>(i);
    const std::string name = std::string(family) + std::string(core::journal_count_name(count)) +
                             (gauge(count) ? "" : "_total");
    page.add({name, help, gauge(count) ? Kind::gauge : Kind::counter}, {},
             static_cast<double>(counts[count].get()));
  }
}

}  // namespace

void add_records(Page& page, const MetricsSources& sources) {
  if (sources.records == nullptr) return;
  add_counts(page, "records_", "What the detail records' thread did, and its disk",
             *sources.records);
  const Parts<core::Histogram> sync{sources.records_sync_us};
  page.add({"records_sync_seconds", "Write and fdatasync of a batch of detail records"}, {}, sync);
  if (sources.stream == nullptr) return;
  page.add({"records_stream_added_total", "Detail records added to the Redis Stream"}, {},
           static_cast<double>(sources.stream->added.get()));
  page.add({"records_stream_failures_total", "Batches that Redis did not take"}, {},
           static_cast<double>(sources.stream->failures.get()));
  page.add({"records_stream_up", "Whether Redis took the last batch: 1 or 0", Kind::gauge}, {},
           static_cast<double>(sources.stream->up.get()));
}

void add_journal(Page& page, const MetricsSources& sources) {
  if (sources.journal == nullptr) return;
  add_counts(page, "journal_", "What the journal's thread did, and its disk", *sources.journal);
  if (sources.dead_letters != nullptr) {
    page.add({"journal_dead_letters_total", "Receipts that could be told to nobody"}, {},
             static_cast<double>(sources.dead_letters->get()));
  }
  const Parts<core::Histogram> sync{sources.journal_sync_us};
  page.add({"journal_sync_seconds", "Write and fdatasync of a batch"}, {}, sync);
  if (sources.due == nullptr) return;
  for (std::size_t i = 0; i < kDueCounts; ++i) {
    const auto count = static_cast<DueCount>(i);
    const bool is_now = count == DueCount::chunks || count == DueCount::octets;
    const std::string name = "due_" + std::string(due_count_name(count)) + (is_now ? "" : "_total");
    page.add({name, kDueHelp[i], is_now ? Kind::gauge : Kind::counter}, {},
             static_cast<double>((*sources.due)[count].get()));
  }
}

void add_shards(Page& page, const MetricsSources& sources) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < core::kShardCounts; ++i) {
    const auto count = static_cast<core::ShardCount>(i);
    names.push_back("shard_" + std::string(core::shard_count_name(count)) +
                    (is_gauge(count) ? "" : "_total"));
  }
  for (std::size_t shard = 0; shard < sources.shards.size(); ++shard) {
    const Labels labels{{"shard", std::to_string(shard)}};
    for (std::size_t i = 0; i < core::kShardCounts; ++i) {
      const auto count = static_cast<core::ShardCount>(i);
      page.add({names[i], "What the shard's event loop did",
                is_gauge(count) ? Kind::gauge : Kind::counter},
               labels, static_cast<double>((*sources.shards[shard])[count].get()));
    }
    page.add({"shard_turn_seconds", "How long turns took, sleep apart"}, labels,
             std::span(&sources.turn_us[shard], 1));
  }
  for (std::size_t shard = 0; shard < sources.flow.size(); ++shard) {
    const Labels labels{{"shard", std::to_string(shard)}};
    page.add<DoorCounters>(kDoorRows, labels, Parts<DoorCounters>{&sources.flow[shard]->door});
    page.add<LedgerCounters>(kLedgerRows, labels,
                             Parts<LedgerCounters>{&sources.flow[shard]->ledger});
  }
}

void add_clients(Page& page, const MetricsSources& sources) {
  Parts<ClientCounters> parts(sources.flow.size());
  for (std::size_t client = 0; client < sources.homes->clients(); ++client) {
    for (std::size_t shard = 0; shard < parts.size(); ++shard) {
      parts[shard] = &sources.flow[shard]->clients[client];
    }
    add_client(page, sources.homes->client_name(client), parts);
  }
}

}  // namespace tollgate::gateway
