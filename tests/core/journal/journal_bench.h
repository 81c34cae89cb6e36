// A journal of one stream on a faulty disk, stepped by hand, with a clock of its own.
#pragma once
#include <memory>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "core/journal/journal.h"
#include "tests/core/journal/faulty_storage.h"
#include "tests/core/journal/journal_world.h"

namespace tollgate::core::testing {

inline constexpr std::size_t kSegment = 16'384;

struct Bench {
  FaultyStorage& disk;
  Now now{1'000'000, 5'000'000};
  std::vector<StreamState> states{1};
  int wakes = 0;
  std::unique_ptr<Journal> journal;

  explicit Bench(FaultyStorage& d, JournalTail tail = {}) : disk(d) {
    JournalOptions options;
    options.storage = &disk;
    options.segment_octets = kSegment;
    options.ring_octets = 2'048;
    options.batch_octets = 4'096;
    options.own_thread = false;
    options.tail = tail;
    options.clock = [this] { return now; };
    options.wake = [this](unsigned) { ++wakes; };
    auto opened = Journal::open(std::move(options));
    if (!opened) FAIL(opened.error());
    journal = std::move(*opened);
  }
  Journal::Stream& stream() { return journal->stream(0); }
  std::uint64_t count(JournalCount c) const { return journal->counts()[c].get(); }
  void append(int n = 1) {
    for (; n > 0; --n) append_next(stream(), 0, states[0]);
    stream().publish();
  }
  // All that can be done now.
  void settle() {
    do {
      while (journal->step()) {
      }
      stream().publish();
    } while (journal->step());
    states[0].durable = stream().durable();
  }
};

}  // namespace tollgate::core::testing
