// Which ids came back: responses and receipts are written down as they come (16 octets each) and
// joined when asked, so that exactness costs the run nothing.
//
// An id is kept as 64 bits of hash: of 2,000,000 ids two collide with a chance of 1 in 10^7.
// Invariant: the counts of settle() depend only on what was written down, never on its order.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "bench/peers/histogram.h"
#include "bench/peers/wire.h"

namespace tollgate::bench {

// Grows by whole chunks: no copy, no stall.
template <class T>
class Log {
 public:
  void push(const T& value) {
    if (size_ % chunk == 0) chunks_.emplace_back(new T[chunk]);
    chunks_.back()[size_++ % chunk] = value;
  }
  const T& operator[](std::size_t i) const { return chunks_[i / chunk][i % chunk]; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t chunk = 65'536;
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::size_t size_ = 0;
};

struct Match {
  std::uint64_t ids_duplicated = 0;      // an id given to two messages
  std::uint64_t matched = 0;             // accepted messages with a receipt
  std::uint64_t lost = 0;                // accepted messages without one
  std::uint64_t duplicated = 0;          // receipts beyond the first of a message
  std::uint64_t unmatched = 0;           // receipts whose id nobody was given
  std::uint64_t of_unknown = 0;          // receipts of messages whose answer never came
  std::uint64_t wrong_message = 0;       // receipts whose text carries another message's tag
  std::vector<std::uint32_t> lost_tags;  // the first few
  Histogram latency;                     // submit to receipt
};

class Matching {
 public:
  void accepted(std::string_view id, std::uint32_t tag, std::uint32_t sent_us) {
    accepted_.push({hash_of(id), tag, sent_us});
  }
  // tag: no_tag when the receipt's text carries none.
  void receipt(std::string_view id, std::uint32_t tag, std::uint32_t at_us) {
    receipts_.push({hash_of(id), tag, at_us});
  }

  // The answer of this message was lost: a receipt may come with an id nobody was told.
  void unknown(std::uint32_t tag) { unknown_.push(tag); }

  std::size_t accepted_count() const { return accepted_.size(); }
  std::size_t receipt_count() const { return receipts_.size(); }
  Match settle() const;

  static std::uint64_t hash_of(std::string_view id);

 private:
  struct Entry {
    std::uint64_t hash;
    std::uint32_t tag;
    std::uint32_t at_us;  // since the run's start; wraps after 71 minutes, differences hold
  };
  Log<Entry> accepted_;
  Log<Entry> receipts_;
  Log<std::uint32_t> unknown_;
};

}  // namespace tollgate::bench
