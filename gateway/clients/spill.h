// Moves receipts that memory has no room for to the due store and back: for all clients whose home
// is this shard. Owned by the shard's thread, which never waits for the disk. Without a channel
// (no journal) it does nothing, and everything stays in memory.
//
// Out: as soon as the tail of a client's overflow fills a chunk the store writes one. When it is
// durable a spilled record ends its messages in the journal and they leave the ledger.
// Back: when a client with a receiver has less than half of its memory's bound at hand, the store
// reads its oldest chunk. A loaded record begins all of its messages in the journal at once; they
// are in the ledger again and due. When it is durable the chunk is removed. Messages beyond what
// one record holds (another configuration wrote the chunk) have carried records before it; after a
// crash in between the client gets these twice.
//
// Invariants
// 1. At every moment a receipt is in the journal or in a durable chunk: the record that ends it in
//    the journal is appended once the chunk is durable, and the chunk is removed once the record
//    that begins it again is. A crash in between leaves both; due_stock.h knows which one counts.
// 2. A client's receipts leave the overflow in the order in which they came.
// 3. At most one job of a client is out; clients that wait for a job take turns.
// 4. A failure is retried after kRetryUs. A chunk that cannot be read kReadTries times is damaged:
//    it is kept aside, counted and logged (due_store.h), and the receipts after it go on.
// 5. Memory: for a receipt on the disk its share of a DueChunk, less than an octet; kJobs chunks.
//    While the ledger is more than half full each client has its share of a quarter of it for
//    receipts, and chunks that are not full are written too: absent clients leave room for others.
// 6. Receipts whose time (receipt_keep) is over are given up and counted, chunks as a whole by
//    their newest receipt; with [records] they are read back first. A jump of the wall clock does
//    not change when.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "gateway/clients/client.h"
#include "gateway/keeping/due_store.h"
#include "gateway/keeping/recorder.h"

namespace tollgate::gateway {

class ClientHome;

class Spill {
 public:
  static constexpr std::int64_t kRetryUs = 5'000'000;
  static constexpr std::uint32_t kReadTries = 12;
  // Of a chunk for each receipt: more than most have, also when they come back with [records].
  static constexpr std::size_t kOctetsOfOne = 256;

  Spill(ClientHome& home, core::Shard& shard, Ledger& ledger, Recorder& recorder,
        FlowCounters& counters, DueStore::Channel* channel);

  bool on() const { return channel_ != nullptr; }
  // A client of this home, before its first message; one of so many.
  void add(Client& client, std::uint32_t clients);
  // A chunk that was there at the start, in the order of their numbers.
  void found(Client& client, const DueChunk& chunk);

  // Takes the store's answers.
  void drain(const core::Now& now);
  // Starts what the client's overflow needs now.
  void work(Client& client, const core::Now& now);
  // From now on no chunk is loaded.
  void stop() { stopped_ = true; }

  std::uint64_t spilled() const { return spilled_; }

 private:
  struct Removal {
    DueChunk chunk;
    Recorder::Kept kept;
    std::uint16_t client = 0;
  };

  void write(Client& client);
  void read(Client& client, bool last_try);
  void written(Client& client, DueJob& job, const core::Now& now);
  void was_read(Client& client, DueJob& job, const core::Now& now);
  std::uint32_t bring_back(Client& client, const DueJob& job, const core::Now& now);
  static bool too_old(const Overflow& overflow, const core::Now& now);
  void give_up_old(Client& client, const core::Now& now);
  void ended(Client& client, const DueChunk& chunk, proto::record::How how, std::uint32_t lost);
  void remove_next(const core::Now& now);
  void removed(const DueJob& job, const core::Now& now);
  DueJob* take_job(Client& client);
  void give_back(DueJob& job);
  void count(Client& client);
  std::uint32_t enough() const;  // of a tail, for a chunk

  ClientHome& home_;
  core::Shard& shard_;
  Ledger& ledger_;
  Recorder& recorder_;
  FlowCounters& counters_;
  DueStore::Channel* channel_;
  std::size_t listed_max_ = 0;  // octets of a chunk's messages
  std::uint32_t chunk_of_ = 0;  // receipts fill a chunk
  std::uint64_t spilled_ = 0;
  std::deque<Client*> waiting_;  // for a job
  std::deque<Removal> removals_;
  std::int64_t remove_again_us_ = 0;
  bool removing_ = false;
  bool stopped_ = false;
  std::vector<std::uint8_t> list_;  // ids, or messages, of a record
};

}  // namespace tollgate::gateway
