// Writes what happens to messages into this shard's stream of the journal, and keeps the segments
// that live messages still need. Owned by the shard's thread. Without a journal it does nothing.
//
// Invariants
// 1. Each call appends one record before it returns, and shuts the shard's gate for it: nothing
//    that the turn writes to any connection leaves before the record is durable. So a
//    submit_sm_resp follows its accepted record, a submit_sm its intent, a deliver_sm_resp its
//    receipt, and no other code has to see to it.
// 2. hold() names a segment; all later records of a message lie in it or in later ones. Until
//    release() no segment from there on is removed.
// 3. accepting() is false while the disk is full, and for good after an fsync error (failed()):
//    then output that waits for records that may not be durable never leaves, and its connections
//    are closed.
// 4. The records' times survive a wall clock that jumps (timeline.h): a clock record comes before
//    the first record that was written by another wall clock, and before the first one that is
//    appended while a segment is the current one. So older segments can go.
// 5. With [records] a message's settled record contains its detail record, and its segment stays
//    until that is durable in its file too (details.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "core/boot.h"
#include "core/check.h"
#include "core/journal/journal.h"
#include "core/shard.h"
#include "gateway/config/config.h"
#include "gateway/config/peers.h"
#include "gateway/keeping/details.h"
#include "gateway/messages/message.h"
#include "proto/records/record.h"

namespace tollgate::gateway {

class Recorder {
 public:
  struct Streams {
    core::Journal::Stream* journal = nullptr;  // null: no journal
    core::Journal::Stream* details = nullptr;  // null: no detail records
    const DetailFiles* detail_files = nullptr;
  };
  Recorder(const Config& config, const TablesReader& tables, core::Shard& shard,
           const Streams& streams);

  bool on() const { return stream_ != nullptr; }
  bool keeps_details() const { return details_.on(); }
  // The detail records' disk keeps up with what ends.
  bool details_accepted() const { return details_.accepting(); }
  // When the shard stands, at the end: moves records on. True: all of them are on their way.
  bool flush_details();
  bool accepting() const { return stream_ == nullptr || stream_->accepting(); }
  bool failed() const { return failed_; }
  // It waits for its journal; for one that failed there is nothing to wait for.
  bool spilled() const { return stream_ != nullptr && !failed_ && stream_->spilled(); }
  // Segments up to this one may have lost records.
  std::uint64_t lost_upto() const { return lost_upto_; }

  // From the client's home.
  void accepted(Message& message);  // holds its segment
  // A message goes to a carrier to be relayed: what its carrier's home will record of it lies in
  // its segment or behind. Then either a carrier has it, and it is recorded whole, as if carried
  // forward; or it is over.
  void relays(Message& message);
  void relayed(Message& message);
  void relay_over(const Message& message);
  void relay_settled(const Message& message);  // a carrier has it, and that is all
  void ended(const Message& message, const Notice& notice);
  void settled(const Message& message, proto::record::How how);  // releases its segment
  // True when the message lies in a segment so old that it should be carried forward, or in one
  // that others have removed; then carried() writes it whole and moves its hold. One that an order
  // is out for has its intent in the keeping of its carrier's home: it is carried after a loss
  // alone, kAgainUs later, when that home has recorded the intent again, as before that intent.
  bool old(const Message& message) const;
  void carried(Message& message);
  // The home's ids continue after this one.
  void ids_go_on_behind(MessageId id) { last_id_ = std::max(last_id_, id); }
  // A recovered message that will not go on under this id; and one that will not go on at all.
  void goes_on_elsewhere(MessageId message);
  void given_up(const proto::record::Carried& message);
  // Of an earlier process, in settled records from `segment` on, and not in the files.
  void recovered_details(const std::vector<std::vector<std::uint8_t>>& records,
                         std::uint64_t segment);
  // A recovered message whose records begin in `segment`.
  void restored(Message& message, std::uint64_t segment);

  std::string_view carrier_name(std::uint16_t carrier) const;  // of kNoCarrier: empty
  // Receipts on their way to the due store and back (gateway/clients/spill.h).
  std::size_t longest() const { return stream_->longest(); }  // octets of a record's payload
  core::Mark durable() const { return stream_->durable(); }
  // The wall clock of this turn, by which records' times are, with the machine's own: what another
  // process can compare.
  core::ClockPair clocks() const;
  // A told message as a carried record, for a chunk.
  std::size_t encode_due(const Message& message, proto::Out out);
  // The chunk is durable, with the messages of these ids (record::Spilled).
  void spilled(std::uint64_t chunk, std::uint16_t client, proto::Octets ids);
  void let_go(const Message& message) { release(message.segment); }
  void chunks_go_on_behind(std::uint64_t chunk) { last_chunk_ = std::max(last_chunk_, chunk); }
  // Before loaded(), each message that came back: it holds the record's segment.
  void came_back(Message& message);
  // Holds the record until let_go(): as long as the chunk may still be there.
  struct Kept {
    std::uint64_t segment = 0;
    core::Mark mark = 0;
  };
  Kept loaded(const proto::record::Loaded& record);
  void let_go(const Kept& kept) { release(kept.segment); }

  // From the carrier's home.
  void intent(MessageId message, std::uint16_t attempt, std::uint16_t carrier);
  void sent(MessageId message, std::uint16_t attempt, std::uint16_t carrier, std::string_view id);
  void refused(MessageId message, std::uint16_t attempt, std::uint16_t carrier,
               proto::Status status, proto::record::Follows follows);
  void in_doubt(MessageId message, std::uint16_t attempt, std::uint16_t carrier);
  void receipt(MessageId message, std::uint16_t carrier, const Notice& notice);
  // Holds its segment until it is unparked. The number names it.
  std::uint64_t parked(std::uint16_t carrier, std::string_view id, proto::Octets pdu);
  void unparked(std::uint64_t number, std::uint16_t carrier, proto::record::Unpark how);
  // Of a carrier that is gone, before the start.
  void unparked(std::uint64_t number, std::string_view carrier, proto::record::Unpark how);
  // A recovered one of this age, again under its number: its old segment can go.
  void restored_parked(std::uint16_t carrier, proto::record::Parked parked, std::int64_t age_us);
  // Told to nobody (its wall_us is set here); kept also while the disk is full, as the other
  // records of what was accepted are. Without a journal the log has it alone.
  void dead_letter(proto::record::DeadLetter letter);
  // One more may come of a receipt that is not acknowledged yet: it can still be refused.
  bool takes_letters() const;

  // Opens the gate as far as records are durable. True: the journal has just failed.
  bool turn_start();
  void turn_end();  // publishes what the turn appended, lets go of segments

 private:
  template <class Record>
  void append(const Record& record, proto::Octets rest = {});
  template <class Record>
  void put(const Record& record, proto::Octets rest);
  void note_clock();
  void keep_parked(const proto::record::Parked& parked, std::uint16_t carrier);

  struct DetailHold {
    std::uint64_t segment;
    std::uint64_t number;  // of the last detail record in it
  };
  void let_go();
  void note_ids();
  std::uint64_t hold();
  void hold_from(std::uint64_t segment);
  void release(std::uint64_t segment);
  proto::record::Accepted accepted_record(const Message& message);
  proto::record::Carried carried_record(const Message& message);
  void fill_decision(const Message& message, proto::record::Accepted& record);
  void fill_course(const Message& message, proto::record::Course& course) const;
  std::string_view names_of(const routing::CarrierSet& carriers, std::array<char, 255>& out,
                            bool& cut) const;
  void append_carried(const Message& message);
  void append_settled(proto::record::Settled settled, const proto::record::Carried& message);
  void hold_detail(std::uint64_t number);
  void details_written(core::Mark durable);
  void note_detailed();

  std::uint64_t carry_behind() const;

  static constexpr std::size_t kLetterOctets = 128;  // beside its PDU, about
  // Of letters that are not durable yet; one that may be refused comes only below it.
  static constexpr std::size_t kLettersUnwrittenMax = std::size_t{256} << 10;
  static constexpr std::int64_t kClockSlackUs = 50'000;  // beyond: the wall clock was put elsewhere
  static constexpr std::int64_t kAgainUs = 2'500'000;    // each shard has had a turn
  static constexpr std::uint64_t kCarryBehind = 16;      // segments, with nothing live
  static constexpr std::uint64_t kCarriedOctets = 512;   // of a carried record, about

  const Config& config_;
  const TablesReader& tables_;
  core::Shard& shard_;
  core::Journal::Stream* stream_;
  std::uint64_t held_ = 0;          // sum of live_
  std::deque<std::uint32_t> live_;  // messages that hold each segment from first_ on
  std::uint64_t first_ = 0;
  // The segments held for parked receipts, by carrier and number: as many as the parks have.
  absl::flat_hash_map<std::pair<std::uint16_t, std::uint64_t>, std::uint64_t> parked_;
  Details details_;
  std::vector<DetailHold> detail_holds_;  // one a segment
  std::uint64_t recovered_details_ = 0;   // the first numbers: of an earlier process
  std::uint64_t detailed_ = 0;            // noted as durable
  bool earlier_noted_ = false;
  std::int64_t detailed_us_ = 0;
  std::array<char, 255> down_;
  std::array<char, 255> full_;
  std::vector<std::uint8_t> settled_;  // a settled record's rest
  std::uint64_t parked_number_ = 0;
  core::Mark letters_end_ = 0;      // of the newest letter
  std::size_t letters_octets_ = 0;  // of all since there was none that was not durable
  MessageId last_id_ = 0;
  std::uint64_t last_chunk_ = 0;
  std::uint64_t ids_segment_ = 0;       // that both were noted in
  std::int64_t wall_less_mono_us_ = 0;  // as the journal has it
  std::uint64_t clock_segment_ = 0;     // current when it was noted; 0: it is not yet
  std::uint64_t lost_upto_ = 0;
  std::int64_t lost_us_ = 0;  // since when
  bool failed_ = false;
};

template <class Record>
void Recorder::append(const Record& record, proto::Octets rest) {
  if (stream_ == nullptr || failed_) return;
  const core::Now& now = shard_.now();
  const std::int64_t mono_us = now.mono_us + shard_.left_out_us();
  const bool jumped = std::abs(now.wall_us - mono_us - wall_less_mono_us_) > kClockSlackUs;
  if (jumped || clock_segment_ != stream_->current_segment()) note_clock();
  put(record, rest);
}

template <class Record>
void Recorder::put(const Record& record, proto::Octets rest) {
  const auto type = static_cast<std::uint32_t>(proto::record::type_of(record));
  shard_.shut_gate(
      stream_->append(type, proto::record::kHeadMax + rest.size(), [&](proto::Out out) {
        const std::size_t length =
            proto::record::encode(record, out.first(proto::record::kHeadMax));
        TOLLGATE_CHECK(length != 0, "a record of ours fits its head");
        if (!rest.empty()) std::memcpy(out.data() + length, rest.data(), rest.size());
        return length + rest.size();
      }));
}

}  // namespace tollgate::gateway
