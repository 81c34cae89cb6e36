// `tollgate journal`: prints a journal, verifies its octets, audits what it says of the messages.
// It reads only, also under a gateway that runs.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "core/journal/reader.h"
#include "core/journal/storage.h"
#include "gateway/cli/commands.h"
#include "gateway/cli/journal_due.h"
#include "gateway/cli/journal_text.h"
#include "gateway/cli/terminal.h"
#include "gateway/keeping/dead_letters.h"
#include "gateway/keeping/recovery.h"
#include "proto/escape.h"

namespace tollgate::gateway::cli {
namespace {

using Json = nlohmann::ordered_json;

// Which records are asked for: all, or those of one message (or of the several of a submit_multi).
class Choice {
 public:
  // False: not 16 hexadecimal digits, nor the 8 of an SMPP 3.3 session.
  bool read(const std::string& text) {
    all_ = text.empty();
    short_ = text.size() == 8;
    if (all_) return true;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), id_, 16);
    return (text.size() == 16 || short_) && result.ec == std::errc() &&
           result.ptr == text.data() + text.size();
  }

  bool wants(const core::JournalRecord& journal_record) {
    if (all_) return true;
    bool wanted = false;
    proto::record::read(journal_record.type, journal_record.payload,
                        [&](const auto& record) { wanted = this->is(record); });
    return wanted;
  }
  bool wants(std::uint64_t message) const {
    return all_ || same(message) || others_.count(message) != 0;
  }

 private:
  bool same(std::uint64_t id) const { return short_ ? (id & 0xFFFFFFFF) == id_ : id == id_; }
  bool is(const proto::record::Accepted& record) {
    if (same(record.public_id)) others_.insert(record.message);
    return wants(record.message);
  }
  bool is(const proto::record::Carried& record) { return is(record.accepted); }
  template <class Record>
  bool is(const Record& record) {
    if constexpr (requires { record.message; }) return wants(record.message);
    return false;
  }

  bool all_ = true;
  bool short_ = false;
  std::uint64_t id_ = 0;
  std::set<std::uint64_t> others_;
};

// One run of the command, from the options to the exit status.
class Command {
 public:
  explicit Command(const JournalOptions& options)
      : options_(options),
        prints_(!options.verify && !options.audit && !options.dead),
        recovery_([this](const Found& found) { on_found(found); }),
        due_(options.directory) {}

  int run();

 private:
  int complain(int status, const std::string& text) const {
    print(stderr, "tollgate journal: " + text + "\n");
    return status;
  }
  bool limited(std::uint64_t shown) const { return options_.limit != 0 && shown >= options_.limit; }
  void on_record(const core::JournalRecord& record);
  void on_found(const Found& found);
  void print_damage(const core::JournalReport& report, std::FILE* to) const;
  void print_verified(const core::JournalReport& report) const;
  void print_audit();
  int print_letters(core::Storage& storage);
  Json verified_json(const core::JournalReport& report) const;
  Json audit_json();
  void print_due(bool audited) const;
  Json due_json() const;

  const JournalOptions& options_;
  const bool prints_;
  Choice choice_;
  Recovery recovery_;
  DueLook due_;
  std::vector<Found> found_;  // as many as are shown
  std::uint64_t findings_ = 0;
  std::uint64_t chosen_ = 0;  // records that are asked for
  std::uint64_t malformed_ = 0;
  std::string unread_;  // a sentence: why a start would refuse
};

std::string found_text(const Found& found) {
  std::string text;
  if (found.segment != 0) {
    text = std::to_string(found.segment) + ":" + std::to_string(found.offset) + " ";
  }
  if (found.message != 0) text += "message " + message_text(found.message) + " ";
  return text + std::string(finding_name(found.finding)) + ": " +
         std::string(finding_text(found.finding));
}

Json found_json(const Found& found) {
  Json json;
  json["finding"] = finding_name(found.finding);
  json["text"] = finding_text(found.finding);
  if (found.message != 0) json["message"] = message_text(found.message);
  if (found.segment != 0) {
    json["segment"] = found.segment;
    json["offset"] = found.offset;
  }
  return json;
}

void Command::on_found(const Found& found) {
  if (!choice_.wants(found.message)) return;
  if (!limited(findings_++)) found_.push_back(found);
}

void Command::on_record(const core::JournalRecord& record) {
  if (options_.audit) recovery_.apply(record);
  if (!prints_ && !options_.verify) {
    if (!options_.message.empty()) choice_.wants(record);  // learns the ids of a submit_multi
    return;
  }
  const auto reading = proto::record::read(record.type, record.payload, [](const auto&) {});
  if (reading != proto::record::Reading::good) ++malformed_;
  if (!prints_ || !choice_.wants(record)) return;
  if (limited(chosen_++)) return;
  print(stdout, (options_.json ? record_json(record) : record_line(record)) + "\n");
}

void Command::print_damage(const core::JournalReport& report, std::FILE* to) const {
  for (const core::JournalDamage& damage : report.damage) {
    print(to, red("damage", to) + " segment " + std::to_string(damage.segment) + ", octets " +
                  std::to_string(damage.begin) + " to " + std::to_string(damage.end) + ": " +
                  damage.what + "\n");
  }
  if (malformed_ != 0) {
    print(to, red("malformed", to) + " " + counted(malformed_, "record") +
                  " of an unknown type or layout\n");
  }
}

void Command::print_verified(const core::JournalReport& report) const {
  print_damage(report, stdout);
  if (report.torn_segments != 0) {
    print(stdout, "torn tail: " + counted(report.torn_octets, "octet") + " of " +
                      counted(report.torn_segments, "segment") +
                      " that never were durable (a crash, or a gateway that runs)\n");
  }
  print(stdout, counted(report.records, "record") + " in " + counted(report.segments, "segment") +
                    ", " + counted(report.octets, "octet") + "\n");
  const bool fine = report.damage.empty() && malformed_ == 0;
  print(stdout, fine ? green("no damage", stdout) + "\n"
                     : counted(report.damage.size(), "damaged region") + " of " +
                           counted(report.damaged_octets, "octet") + "\n");
  if (due_.chunks != 0) print_due(false);
}

void Command::print_audit() {
  const Conservation& sum = recovery_.conservation();
  const auto row = [](std::string_view name, std::uint64_t value) {
    std::array<char, 64> line{};
    std::snprintf(line.data(), line.size(), "%-12.*s %12llu\n", static_cast<int>(name.size()),
                  name.data(), static_cast<unsigned long long>(value));
    print(stdout, line.data());
  };
  row("accepted", sum.accepted);
  row("carried in", sum.carried_in);
  row("loaded", sum.loaded);
  row("settled", sum.settled);
  row("spilled", sum.spilled);
  for (std::size_t stage = 0; stage < kLiveStages; ++stage) {
    row(live_stage_name(static_cast<LiveStage>(stage)), sum.live[stage]);
  }
  row("earlier", sum.earlier);
  row("orphans", recovery_.orphans());
  row("parked", recovery_.parked());
  row("dead letters", recovery_.dead_letters());
  row("due on disk", due_.stock.receipts());
  print(stdout, "conservation: " + std::to_string(sum.accepted) + " + " +
                    std::to_string(sum.carried_in) + " + " + std::to_string(sum.loaded) +
                    (sum.holds() ? " = " : " is not ") + std::to_string(sum.settled) + " + " +
                    std::to_string(sum.spilled) + " + " + std::to_string(sum.live_total()) + "\n");
  print_due(true);
  for (const Found& found : found_) print(stdout, red(found_text(found), stdout) + "\n");
  if (!unread_.empty()) print(stdout, red(unread_, stdout) + "\n");
  print(stdout, findings_ == 0 ? green("no findings", stdout) + "\n"
                               : counted(findings_, "finding") + "\n");
}

void Command::print_due(bool audited) const {
  const auto tell = [](const std::vector<std::uint64_t>& numbers, std::string_view what) {
    for (const std::uint64_t number : numbers) {
      print(stdout,
            red("due", stdout) + " " + chunk_name(number) + ": " + std::string(what) + "\n");
    }
  };
  if (!audited) {
    print(stdout, counted(due_.chunks, "chunk") + " of receipts that wait, " +
                      std::to_string(due_.damaged.size()) + " damaged\n");
    return tell(due_.damaged, "records fail their checksums");
  }
  tell(due_.stock.missing, "the journal says that it is there, and it is not");
  tell(due_.stock.damaged, "nothing of it can be read");
}

Json Command::due_json() const {
  Json json;
  json["chunks"] = due_.stock.chunks.size();
  json["receipts"] = due_.stock.receipts();
  json["octets"] = due_.stock.octets();
  json["missing"] = due_.stock.missing;
  json["damaged"] = due_.stock.damaged;
  return json;
}

int Command::print_letters(core::Storage& storage) {
  const auto report = read_dead_letters(storage, [this](const proto::record::DeadLetter& letter) {
    if (letter.message == 0 ? !options_.message.empty() : !choice_.wants(letter.message)) return;
    if (limited(chosen_++)) return;
    print(stdout, (options_.json ? letter_json(letter) : letter_line(letter)) + "\n");
  });
  if (!report) return complain(kFindings, report.error());
  if (options_.limit != 0 && chosen_ > options_.limit) {
    print(stderr, "tollgate journal: " + counted(chosen_ - options_.limit, "dead letter") +
                      " more (--limit)\n");
  }
  print_damage(*report, stderr);
  return report->damage.empty() ? kFine : kFindings;
}

Json Command::verified_json(const core::JournalReport& report) const {
  Json json;
  json["segments"] = report.segments;
  json["records"] = report.records;
  json["octets"] = report.octets;
  json["torn_segments"] = report.torn_segments;
  json["torn_octets"] = report.torn_octets;
  json["malformed_records"] = malformed_;
  json["damaged_octets"] = report.damaged_octets;
  json["due_chunks"] = due_.chunks;
  json["due_damaged"] = due_.damaged;
  json["damage"] = Json::array();
  for (const core::JournalDamage& damage : report.damage) {
    json["damage"].push_back({{"segment", damage.segment},
                              {"begin", damage.begin},
                              {"end", damage.end},
                              {"what", damage.what}});
  }
  return json;
}

Json Command::audit_json() {
  const Conservation& sum = recovery_.conservation();
  Json json;
  json["accepted"] = sum.accepted;
  json["carried_in"] = sum.carried_in;
  json["loaded"] = sum.loaded;
  json["settled"] = sum.settled;
  json["spilled"] = sum.spilled;
  json["due"] = due_json();
  for (std::size_t stage = 0; stage < kLiveStages; ++stage) {
    json[std::string(live_stage_name(static_cast<LiveStage>(stage)))] = sum.live[stage];
  }
  json["earlier"] = sum.earlier;
  json["orphans"] = recovery_.orphans();
  json["parked"] = recovery_.parked();
  json["dead_letters"] = recovery_.dead_letters();
  json["conservation_holds"] = sum.holds();
  if (!unread_.empty()) json["unread"] = unread_;
  json["findings_total"] = findings_;
  json["findings"] = Json::array();
  for (const Found& found : found_) json["findings"].push_back(found_json(found));
  return json;
}

int Command::run() {
  if (!choice_.read(options_.message)) {
    return complain(kBadUsage, "--message \"" + proto::escaped(options_.message) +
                                   "\": a message's id has 16 hexadecimal digits (8 where it was "
                                   "accepted as SMPP 3.3)");
  }
  const std::string place = proto::escaped(options_.directory, 4'096);
  struct stat status {};
  if (stat(options_.directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return complain(kBadUsage, place + " is no directory");
  }
  auto storage = core::open_directory(options_.directory, core::StorageUse::read_only);
  if (!storage) return complain(kBadUsage, storage.error());
  std::vector<std::string> names;
  if ((*storage)->list(names) == 0 &&
      std::none_of(names.begin(), names.end(),
                   [](const std::string& name) { return name.starts_with("journal-"); })) {
    return complain(kBadUsage, "no journal in " + place + " (no file named journal-...)");
  }
  if (options_.dead) return print_letters(**storage);
  const auto report = core::read_journal(
      **storage, [this](const core::JournalRecord& record) { on_record(record); });
  if (!report) return complain(kFindings, report.error());
  if (options_.audit) {
    recovery_.finish();
    unread_ = unread_sentence(**storage, recovery_.unread());
  }
  std::string trouble;
  if (options_.audit) trouble = due_.audit(recovery_, !report->damage.empty());
  if (trouble.empty() && options_.verify) trouble = due_.verify();
  if (!trouble.empty()) return complain(kFindings, trouble);
  if (prints_) {
    if (options_.limit != 0 && chosen_ > options_.limit) {
      print(stderr, "tollgate journal: " + counted(chosen_ - options_.limit, "record") +
                        " more (--limit)\n");
    }
    if (chosen_ == 0 && !options_.message.empty()) {
      return complain(kFindings, "no record of message " + options_.message);
    }
    print_damage(*report, stderr);
  } else if (options_.json) {
    Json json;
    if (options_.verify) json["verify"] = verified_json(*report);
    if (options_.audit) json["audit"] = audit_json();
    print(stdout, json.dump(2) + "\n");
  } else {
    if (options_.verify) print_verified(*report);
    if (options_.audit) print_audit();
    if (!options_.verify) print_damage(*report, stderr);
  }
  const bool fine = report->damage.empty() && malformed_ == 0 && findings_ == 0 &&
                    due_.stock.fine() && due_.damaged.empty();
  return fine ? kFine : kFindings;
}

}  // namespace

int journal(const JournalOptions& options) {
  return Command(options).run();
}

}  // namespace tollgate::gateway::cli
