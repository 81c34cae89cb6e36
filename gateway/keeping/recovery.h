// What a journal leaves to be done: the messages that are not settled, each with all it needs to
// go on, and the early receipts that wait for their message. For the gateway's start, and for
// `tollgate journal --audit`, which reports the findings.
//
//   Recovery recovery;                       // or with a place for findings
//   recover(storage, recovery, options);     // reads the journal into it
//   recovery.drain([](const Restored&) {});  // every live message, oldest id first
//
// Thread: any, one at a time; before the shards start.
//
// Invariants
// 1. A message is live from its accepted (or carried) record until its settled record, whatever
//    order the streams are woven in; settled ids are remembered exactly (two bits an id).
// 2. Records of a message that has no accepted record make no live message: they are orphans,
//    counted. (It was never acknowledged: the response waits for the accepted record.)
// 3. P2: begun = ended + live, counted from three sides: the records that begin a message, those
//    that end one, and a walk over what is left. A spilled message ends here and begins again when
//    its chunk is loaded; in between the due store has it (gateway/keeping/due_store.h).
// 4. What a crash cut from one stream is no finding in another: a settled record can be durable
//    while the receipt that caused it, in the carrier's stream, is not. So a missing cause counts
//    only where the other streams of the run go on after it.
// 5. Memory: the live messages, without their bodies once a carrier has them; the ids.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "core/journal/reader.h"
#include "gateway/keeping/live_message.h"
#include "gateway/keeping/timeline.h"
#include "gateway/messages/message.h"

namespace tollgate::gateway {

// A set of ids that grow by one: a bit each, in pages of 1,024.
class IdSet {
 public:
  bool contains(std::uint64_t id) const;
  bool add(std::uint64_t id);     // false: it was there
  bool remove(std::uint64_t id);  // false: it was not there

 private:
  using Page = std::array<std::uint64_t, 16>;
  absl::flat_hash_map<std::uint64_t, Page> pages_;
};

struct Found {
  Finding finding = Finding::none;
  std::uint64_t message = 0;  // 0: of none
  std::uint64_t segment = 0;  // of the record that showed it; 0: only the end of the journal did
  std::uint64_t offset = 0;
};

// A live message; the views are valid during the call.
struct Restored {
  MessageId id = 0;
  LiveStage stage = LiveStage::queued;
  proto::record::Accepted accepted;  // candidates that refused are `gone`; body empty once sent
  std::uint16_t attempt = 0;         // the last one; the next intent has a higher number
  std::string_view carrier;          // of the last attempt
  std::string_view carrier_message_id;
  proto::Status status = proto::Status::ESME_ROK;                 // of the last refusal
  proto::record::Follows follows = proto::record::Follows::next;  // stage refused
  bool has_notice = false;                                        // told, or intermediate
  bool carried_told = false;  // told, and carried so: accepted.deadline_wall_us ends its time
  proto::record::Notice notice;
  proto::record::Course course;
  bool carried_awaiting = false;  // awaiting, and carried so: likewise
  // In the monotonic clock of now_is().
  std::int64_t accepted_us = 0;
  std::int64_t deadline_us = 0;  // accepted.deadline_wall_us
  std::int64_t since_us = 0;     // of the record that made the stage
};

struct ParkedReceipt {
  std::string_view carrier;
  std::uint64_t number = 0;
  std::string_view carrier_message_id;
  proto::Octets pdu;
  std::int64_t since_us = 0;  // in the monotonic clock of now_is()
};

struct Conservation {
  std::uint64_t accepted = 0;    // accepted records
  std::uint64_t carried_in = 0;  // messages that begin with a carried record
  std::uint64_t settled = 0;     // settled records of those
  std::uint64_t loaded = 0;      // messages that came back from the due store
  std::uint64_t spilled = 0;     // messages that went to it
  std::uint64_t earlier = 0;     // settled or spilled, and their beginning is reclaimed
  std::array<std::uint64_t, kLiveStages> live{};

  std::uint64_t live_total() const;
  bool holds() const { return accepted + carried_in + loaded == settled + spilled + live_total(); }
};

class Recovery {
 public:
  explicit Recovery(std::function<void(const Found&)> found = {}) : found_(std::move(found)) {}

  // In the order of the journal.
  void apply(const core::JournalRecord& record);
  // Once, after the last record: what only the end can show.
  void finish();

  std::uint64_t records() const { return records_; }
  std::uint64_t live() const { return messages_.size(); }  // orphans among them, until finish()
  std::uint64_t orphans() const { return orphans_; }       // after finish()
  std::uint64_t dead_letters() const { return dead_letters_; }
  std::uint64_t findings(Finding finding) const {
    return counts_[static_cast<std::size_t>(finding)];
  }
  std::uint64_t findings() const;
  // Records that this program cannot read, though their octets are whole: a later version wrote
  // them. A start must not go on without them.
  struct Unread {
    std::uint64_t count = 0;
    std::uint32_t type = 0;  // of the first one
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;
  };
  const Unread& unread() const { return unread_; }
  const Conservation& conservation() const { return conservation_; }  // whole after finish()
  // The highest id of a home that any record names; 0: none. New ids begin above it, also when
  // the wall clock has gone back.
  MessageId highest_id(unsigned home) const { return highest_[home]; }
  // The highest chunk of due receipts that any record names; 0: none.
  std::uint64_t highest_chunk() const { return highest_chunk_; }
  // The chunk's messages are the journal's, or over: its file is of no use.
  bool chunk_loaded(std::uint64_t chunk) const { return loaded_chunks_.contains(chunk); }
  // Chunks that must be in the due store, and how many receipts each has.
  const std::map<std::uint64_t, std::uint32_t>& spilled_chunks() const { return spilled_chunks_; }
  // Nothing live has a record in an older segment.
  std::uint64_t first_segment() const { return first_segment_; }

  // Null when it is not live. For tests and questions.
  const LiveMessage* find(MessageId id) const;

  // After finish(): the present, by which times are told from here on.
  void now_is(const core::ClockPair& now) { timeline_.ends(now); }
  // When that was in the present's monotonic clock. `written`: with the time, in the same place.
  std::int64_t mono_less_wall_us(const core::ClockPair& written) const;
  // After now_is(): every live message in the order of the ids, home by home; frees as it goes.
  void drain(const std::function<void(const Restored&)>& f);
  void for_each_parked(const std::function<void(const ParkedReceipt&)>& f) const;
  std::uint64_t parked() const;

 private:
  struct Parked {
    std::string carrier_message_id;
    std::vector<std::uint8_t> pdu;
    std::int64_t line_us = 0;
  };
  struct Park {
    std::map<std::uint64_t, Parked> receipts;
    IdSet gone;
  };

  template <class Record>
  void on(const Record& record);
  void on(const proto::record::Parked& record);
  void on(const proto::record::Unparked& record);
  void on(const proto::record::DeadLetter&) { ++dead_letters_; }
  void on(const proto::record::Settled& record);
  void on(const proto::record::Detailed&) {}
  void on(const proto::record::Clock& record);
  void on(const proto::record::Ids& record);
  void on(const proto::record::Chunk& record);
  void on(const proto::record::Spilled& record);
  void on(const proto::record::Loaded& record);
  void spill(MessageId id);
  void load(const proto::record::Carried& record, std::int64_t shift_us);
  template <class Record>
  void on_settled_id(MessageId id, const Record& record, std::int64_t shift_us);
  struct Unproven {
    LiveMessage message;
    unsigned stream = 0;  // of its settled record
    std::int64_t line_us = 0;
  };
  static bool wants_cause(const LiveMessage& message);
  void settle(MessageId id, LiveMessage& message, std::int64_t line_us);
  void over(MessageId id, LiveMessage& message, Unproven unproven);
  void judge_end(MessageId id, const LiveMessage& message);
  void report(Finding finding, MessageId message);
  bool ended_after(MessageId id, std::int64_t line_us) const;
  void note_time(std::int64_t line_us);
  bool may_be_cut(unsigned stream, std::int64_t line_us) const;
  void note_overtaken(MessageId id, const LiveMessage& message, std::int64_t line_us);
  void run_ends();

  std::function<void(const Found&)> found_;
  core::JournalRecord at_;
  bool whole_ = false;  // the journal begins with its first segment
  std::uint64_t records_ = 0;
  std::uint64_t first_segment_ = 0;
  std::uint64_t orphans_ = 0;
  std::uint64_t dead_letters_ = 0;
  absl::flat_hash_map<MessageId, LiveMessage> messages_;
  // Settled, but what settles them is yet to come from the other stream.
  absl::flat_hash_map<MessageId, Unproven> unproven_;
  // The latest that were settled because we ended them, and when: an attempt from before that may
  // lie further on, in the carrier's stream.
  std::deque<std::pair<MessageId, std::int64_t>> ended_;
  static constexpr std::size_t kEnded = 4096;
  // Live, with an earlier attempt whose outcome is yet to come; when the later one began.
  absl::flat_hash_map<MessageId, std::int64_t> overtaken_;
  std::uint64_t run_ = 0;
  Timeline timeline_;
  std::uint64_t segment_ = 0;        // that it knows
  std::vector<std::int64_t> lines_;  // of the run: the time of each stream's last record
  bool clock_back_ = false;          // in the run: its times say nothing
  IdSet settled_;                    // spilled ones too
  std::map<std::uint64_t, std::uint32_t> spilled_chunks_;
  IdSet loaded_chunks_;
  std::uint64_t highest_chunk_ = 0;
  std::map<std::string, Park, std::less<>> parks_;
  std::array<MessageId, 1u << (64 - kMessageCounterBits)> highest_{};
  std::array<std::uint64_t, kFindings> counts_{};
  Unread unread_;
  Conservation conservation_;
};

struct RecoveryProgress {
  std::uint64_t segments = 0;
  std::uint64_t of = 0;
  std::uint64_t records = 0;
  std::uint64_t live = 0;
};

// A sentence that names the first one's file, type and place, and what to do; empty: there is none.
std::string unread_sentence(const core::Storage& storage, const Recovery::Unread& unread);

class DeadLetters;
class UnwrittenDetails;

struct RecoveryOptions {
  bool quarantine = false;  // keep damaged segments aside (core/journal/reader.h)
  std::function<void(const RecoveryProgress&)> progress;  // after each segment
  DeadLetters* dead_letters = nullptr;                    // gets those that it lacks
  UnwrittenDetails* details = nullptr;                    // likewise
};

// Reads the whole journal into `recovery`, finish() included. The error is a sentence.
tl::expected<core::JournalReport, std::string> recover(core::Storage& storage, Recovery& recovery,
                                                       const RecoveryOptions& options = {});

}  // namespace tollgate::gateway
