// The ledger: every message of the clients whose home is this shard, from acceptance until it is
// settled. Owned by the shard's thread.
//
// A message has a place (an index of a slab) and an id. Ids are dense, so id -> place is a radix
// walk over tables, not a hash: no rehash ever stops a turn. Ids of another process may lie decades
// from ours (its clock was wrong); they cost no more. The body of an unsent message lies in a
// pooled buffer, which is freed as soon as a carrier has the message.
//
// Invariants
// 1. find(id) is the message with that id, or null when it is settled or never was.
// 2. Places, buffers and index pages are recycled: accepting and settling in the steady state
//    allocate nothing.
// 3. accept() refuses beyond `capacity` messages. restore() does not: a message that an earlier
//    process accepted is never left out, even if the bound is smaller now. Memory is at most
//    capacity x (sizeof(Message) + body) + index (4 octets an id, in pages of 256 ids, and 32 KiB a
//    million ids; each lives while one of its ids does, and none is kept for gaps).
// 4. Everything here is in memory. The accepted record of the journal belongs between accept()
//    and the response that Flow gives.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/clock.h"
#include "core/pool.h"
#include "gateway/messages/message.h"
#include "proto/octets.h"

namespace tollgate::gateway {

inline constexpr std::uint32_t kNoPlace = core::Slab<Message>::kNone;

// id counter -> place, for ids that grow by one, with gaps where no process was there.
class MessageIndex {
 public:
  explicit MessageIndex(std::uint64_t first);

  void add(std::uint64_t counter, std::uint32_t place);
  void remove(std::uint64_t counter);
  std::uint32_t find(std::uint64_t counter) const;

 private:
  static constexpr unsigned kPageBits = 8;
  static constexpr unsigned kRegionBits = 20;
  struct Page {
    std::array<std::uint32_t, 1u << kPageBits> places;
    std::uint32_t live = 0;
  };
  struct Region {
    std::array<std::unique_ptr<Page>, 1u << (kRegionBits - kPageBits)> pages;
    std::uint32_t live = 0;
  };
  static constexpr std::size_t kSparePages = 4096;

  struct Numbered {
    std::uint64_t number;
    std::unique_ptr<Region> region;
  };
  using Regions = std::vector<Numbered>;

  Region& region(std::uint64_t number);  // made when it is not there
  // Where the region is, or would be.
  Regions::const_iterator at(std::uint64_t number) const;
  void drop(Regions::const_iterator at);

  Regions regions_;  // by number, few: a live id in each, or it is the newest
  std::vector<std::unique_ptr<Page>> spare_pages_;
  std::unique_ptr<Region> spare_region_;
};

class Ledger {
 public:
  // `shard`: the home in every id. `start_wall_us`: where the ids begin. `buffers` outlive it.
  // `particulars`: each message has some.
  Ledger(unsigned shard, std::uint32_t capacity, std::int64_t start_wall_us,
         core::BufferPool& buffers, bool particulars = false);

  // A message that was accepted earlier: of an earlier process under its own id, or under
  // next_id(). And where the ids go on, if that is later than they would begin.
  Message& restore(MessageId id, std::size_t body_length);
  void begin_behind(MessageId id);

  // A new message with an id and room for a body of `body_length` octets; null when it is full.
  Message* accept(std::size_t body_length, const core::Now& now);
  void settle(Message& message);

  Message* find(MessageId id);
  // The message with these low 32 bits among the last four billion ids.
  Message* find_short(std::uint32_t low);

  Message& at(std::uint32_t place) { return messages_[place]; }
  const Message& at(std::uint32_t place) const { return messages_[place]; }
  bool live(std::uint32_t place) const { return messages_.live(place); }
  std::uint32_t place_of(const Message& message) const;

  // What accept() will give next.
  MessageId next_id() const { return home_bits_ | next_counter_; }

  std::uint32_t size() const { return messages_.size(); }
  std::uint32_t capacity() const { return capacity_; }
  bool full() const { return size() >= capacity_; }
  std::uint32_t places() const { return places_; }  // ever used: they are 0 .. places() - 1

 private:
  Message& made(std::uint32_t place, MessageId id);

  const std::uint64_t home_bits_;
  const std::uint32_t capacity_;
  std::uint64_t next_counter_;
  core::BufferPool& buffers_;
  MessageIndex index_;
  core::Slab<Message> messages_;
  core::Slab<Particulars> particulars_;  // at the places of their messages; or without any
  std::uint32_t places_ = 0;
};

// Messages in the order they came, linked by Message::next: each is in one such list at most.
class MessageList {
 public:
  bool empty() const { return head_ == kNoPlace; }
  std::uint32_t head() const { return head_; }
  std::uint32_t size() const { return size_; }
  void push_back(Ledger& ledger, std::uint32_t place);
  void push_front(Ledger& ledger, std::uint32_t place);
  std::uint32_t pop_front(Ledger& ledger);
  // All of `other` in front of this one's; `other` is empty then.
  void prepend(Ledger& ledger, MessageList& other);

 private:
  std::uint32_t head_ = kNoPlace;
  std::uint32_t tail_ = kNoPlace;
  std::uint32_t size_ = 0;
};

}  // namespace tollgate::gateway
