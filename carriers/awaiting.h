// Which message a carrier's id means, until its final receipt has come.
//
// One a carrier, owned by its home shard's thread. The ids are canonical keys (carriers/dialect.h).
//
// Invariants
// 1. find(key) is the message of the latest add(key), until settle, expiry or eviction.
// 2. No operation stops for a rehash: the table is a linear hash that splits one bucket for each
//    entry it grows by, its directory grows by segments; add, find and settle are O(1).
//    No chain grows beyond kChainMax, whatever ids a carrier gives: its oldest entry then goes.
// 3. An entry takes 56, 72 or 100 octets in all (ids of up to 20, 36 and 64 octets).
// 4. At most `max` entries: a new one then evicts the oldest.
// 5. settled(hash) remembers for the latest settled ids what the settling receipt said (a bounded,
//    direct-mapped memory that newer ones overwrite), even if the carrier has used the id again.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "carriers/id_key.h"
#include "core/pool.h"

namespace tollgate::carriers {

class Awaiting {
 public:
  using Key = std::span<const std::uint8_t>;
  enum class Added : std::uint8_t { added, replaced, evicted_another };
  struct Meant {
    std::uint64_t message = 0;
    std::uint32_t number = 0;  // a hash of the number it went to; 0: not known
  };
  static constexpr std::uint32_t kChainMax = 64;

  // `max`: 1 to 2^28. `seed`: of the hash.
  Awaiting(std::uint32_t max, std::uint64_t seed);

  // Another maximum; what is beyond a lower one goes as new ones come.
  void set_max(std::uint32_t max);

  std::uint64_t hash(Key key) const { return hash_of(key, seed_); }

  // `key`: 1 to kIdMax octets; `hash` = hash(key). `now_us` never goes back.
  Added add(Key key, std::uint64_t hash, Meant meant, std::int64_t now_us);
  std::optional<Meant> find(Key key, std::uint64_t hash) const;
  // Erases and remembers as settled by a receipt of these contents (a hash); false when it was not
  // there.
  bool settle(Key key, std::uint64_t hash, std::uint64_t contents);
  struct Settled {
    std::uint64_t contents = 0;
    std::uint32_t number = 0;  // of the message, as in Meant
  };
  std::optional<Settled> settled(std::uint64_t hash) const {
    const Mark& mark = marks_[mark_of(hash)];
    return mark.hash == (hash | 1) ? std::optional(mark.settled) : std::nullopt;
  }

  // Erases up to `max` entries older than `age_us`, oldest first; returns how many.
  std::size_t expire(std::int64_t now_us, std::int64_t age_us, std::size_t max);

  std::uint32_t size() const { return size_; }

 private:
  struct Head {
    std::uint32_t message[2];
    std::uint32_t number;
    std::uint32_t next;   // in the bucket, or kNone
    std::uint32_t older;  // in the order of add()
    std::uint32_t newer;
    std::uint32_t time_and_length;  // 24 bits of ticks, 8 of key length
  };
  template <std::size_t N>
  struct Entry {
    Entry() {}  // value-initialisation would clear the key
    Head head;
    std::uint8_t key[N];
  };
  using Small = Entry<20>;
  using Medium = Entry<36>;
  using Large = Entry<kIdMax>;
  struct Mark {
    std::uint64_t hash;  // its lowest bit is set; 0: none
    Settled settled;
  };
  struct Free {
    void operator()(void* at) const { std::free(at); }
  };

  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  static constexpr std::uint32_t kIndexBits = 30;  // of a handle; the two above say which slab
  static constexpr std::uint32_t kSegment = 4096;
  static constexpr unsigned kTickShift = 22;  // a tick is 4.2 s; 24 bits of them are 814 days
  static constexpr std::uint32_t kTickMask = 0xFFFFFF;

  Head& head_of(std::uint32_t handle);
  const Head& head_of(std::uint32_t handle) const;
  const std::uint8_t* key_of(std::uint32_t handle) const;
  std::uint8_t* key_of(std::uint32_t handle);
  std::uint32_t take(std::size_t key_length);
  void release(std::uint32_t handle);

  std::uint32_t bucket_of(std::uint64_t hash) const;
  std::uint32_t& bucket(std::uint32_t at) { return segments_[at / kSegment][at % kSegment]; }
  std::uint32_t bucket(std::uint32_t at) const { return segments_[at / kSegment][at % kSegment]; }
  bool is(std::uint32_t handle, Key key) const;
  std::uint32_t find_handle(Key key, std::uint64_t hash) const;
  void grow();
  void link_newest(std::uint32_t handle, std::int64_t now_us);
  void unlink_age(std::uint32_t handle);
  void unlink_bucket(std::uint32_t handle, std::uint64_t hash);
  void erase(std::uint32_t handle, std::uint64_t hash);
  void erase_oldest();
  bool shorten(std::uint64_t hash);
  std::size_t mark_of(std::uint64_t hash) const { return (hash >> 32) & mark_mask_; }

  std::uint32_t max_;
  std::uint64_t seed_;
  std::uint32_t size_ = 0;
  std::uint32_t buckets_ = 0;  // in use
  std::uint32_t base_ = 0;     // the power of two not above buckets_
  std::uint32_t oldest_ = kNone;
  std::uint32_t newest_ = kNone;
  std::vector<std::unique_ptr<std::uint32_t[]>> segments_;
  core::Slab<Small> small_;
  core::Slab<Medium> medium_;
  core::Slab<Large> large_;
  std::size_t mark_mask_;
  std::unique_ptr<Mark[], Free> marks_;  // zero pages until they are used
};

}  // namespace tollgate::carriers
