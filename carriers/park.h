// Receipts that came before their id: on another bind, or ahead of the submit_sm_resp.
//
// Each is kept as the PDU it came in, under the hash of one or two keys (the id of its text and
// that of its TLV may differ), until an id matches or its time is over. One per carrier, owned by
// its home shard's thread. Whoever takes a receipt out compares the whole key.
//
// A receipt whose id was settled before waits in a separate queue: it can only belong to a message
// that was in flight when it came, so it waits no longer than those are unanswered.
//
// Invariants
// 1. Bounded by `items_max` and `octets_max`; a full park refuses, and the carrier is asked to
//    send the receipt again: an acknowledged receipt is never pushed out.
// 2. At most kOfOneKey receipts have a key in common, so the work for one receipt does not grow
//    with the others, whatever ids a carrier writes.
// 3. Receipts of one key come out in the order they went in.
// 4. due() gives each receipt once its deadline has passed, in the order of the deadlines; the
//    deadlines of one queue never go back.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "carriers/id_key.h"
#include "core/pool.h"

namespace tollgate::carriers {

struct ParkLimits {
  std::uint32_t items_max = 0;
  std::uint32_t octets_max = 0;
};

class Park {
 public:
  using Item = std::uint32_t;
  static constexpr Item kNone = 0xFFFFFFFF;
  static constexpr std::uint32_t kOfOneKey = 8;
  // first_wait: for an id; reused: for an id that was settled before, to come again; again: its id
  // is known, but the flow could not keep it.
  enum class Queue : std::uint8_t { first_wait, reused, again };

  explicit Park(const ParkLimits& limits);
  // What is there stays, also beyond lower ones.
  void set_limits(const ParkLimits& limits) {
    items_.bound(limits.items_max);
    blocks_.bound(static_cast<std::uint32_t>(limits.octets_max / sizeof(Block)));
  }

  struct Receipt {
    std::uint64_t keys[2] = {};  // the second one is the first when there is but one
    std::uint64_t contents = 0;  // a hash of all that a repeat has in common with it
    std::int64_t came_us = 0;
    std::int64_t deadline_us = 0;
    Queue queue = Queue::first_wait;
  };
  // kNone when it does not fit; room_for() its keys is there.
  Item add(const Receipt& receipt, std::span<const std::uint8_t> pdu);
  // One more receipt may have this key.
  bool room_for(std::uint64_t key) const;
  // What its owner calls it.
  void set_number(Item item, std::uint64_t number) { items_[item].number = number; }
  std::uint64_t number(Item item) const { return items_[item].number; }
  std::uint64_t contents(Item item) const { return items_[item].contents; }
  std::int64_t came_us(Item item) const { return items_[item].came_us; }
  // The oldest receipt of a key, and the next older than `after`; kNone at the end.
  Item first_of(std::uint64_t hash) const;
  Item next_of(Item after, std::uint64_t hash) const;
  // The receipt's PDU, copied to `scratch` (of at least kPduMax octets).
  std::span<const std::uint8_t> pdu(Item item, std::span<std::uint8_t> scratch) const;
  void remove(Item item);
  void wait(Item item, Queue queue, std::int64_t deadline_us);
  // The receipt with the earliest deadline that has passed, still in the park; or one of `reused`
  // that came before `since_us`; or kNone.
  Item due(std::int64_t now_us, std::int64_t since_us) const;
  std::int64_t next_deadline() const;  // INT64_MAX when empty

  // f(item).
  template <class F>
  void for_each(F&& f) const {
    for (const Ends& ages : ages_) {
      for (Item item = ages.first; item != kNone; item = items_[item].newer) f(item);
    }
  }

  std::uint32_t size() const { return items_.size(); }

 private:
  static constexpr std::size_t kBlockOctets = 252;
  struct Block {
    Block() {}
    std::uint32_t next;
    std::uint8_t octets[kBlockOctets];
  };
  struct Entry {
    std::uint64_t hash[2];
    std::int64_t deadline_us;
    std::uint64_t number;
    std::uint64_t contents;
    std::int64_t came_us;
    std::uint32_t chain_next[2];  // nodes: item * 2 + which key
    std::uint32_t chain_prev[2];
    std::uint32_t older;
    std::uint32_t newer;
    std::uint32_t block;
    std::uint32_t length;
    std::uint8_t keys;
    Queue queue;
  };
  struct Ends {
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
  };

  Ends& chain(std::uint64_t hash) { return chains_[(hash >> 20) & chain_mask_]; }
  const Ends& chain(std::uint64_t hash) const { return chains_[(hash >> 20) & chain_mask_]; }
  std::uint32_t find_from(std::uint32_t node, std::uint64_t hash) const;
  void link_chain(std::uint32_t node);
  void unlink_chain(std::uint32_t node);
  void link_age(Item item);
  void unlink_age(Item item);
  bool store(Entry& entry, std::span<const std::uint8_t> pdu);
  void free_blocks(std::uint32_t block);

  core::Slab<Entry> items_;
  core::Slab<Block> blocks_;
  Ends ages_[3];
  std::size_t chain_mask_;
  std::vector<Ends> chains_;
};

}  // namespace tollgate::carriers
