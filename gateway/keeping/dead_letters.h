// The dead-letter files: receipts that belong to no message, kept longer than the journal's
// segments (`dead-` and 20 digits, beside them; docs/journal-format.md). They are a journal of
// the same format and code, with one stream and no thread: the journal's thread copies each
// dead_letter record here as it writes it.
//
// Invariants
// 1. A segment of the journal is not removed before its dead letters are durable here (KeptApart).
// 2. Each letter is here once, even after a crash: a copy knows the place of its record, and the
//    start copies those records that are not here yet.
// 3. At most `files` of them: then a new one removes the oldest. None is made before the first
//    letter.
// 4. A round's letters are written in that round if the disk has room. If it has none, settled()
//    says so, and the shards refuse what they may (Recorder::dead_letter). So only two kinds wait
//    here: what they appended before they saw it, and letters of receipts acknowledged earlier.
//
// Thread: the journal's; open() and note() before it starts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "core/counters.h"
#include "core/journal/journal.h"
#include "core/journal/reader.h"
#include "core/journal/storage.h"
#include "proto/records/record.h"

namespace tollgate::gateway {

struct DeadLettersOptions {
  core::Storage* storage = nullptr;  // the journal's; outlives this
  std::size_t file_octets = std::size_t{4} << 20;
  std::size_t ring_octets = std::size_t{256} << 10;
  std::uint32_t files = 16;
  core::Clock clock;
  std::uint64_t salt = 0;
};

class DeadLetters final : public core::KeptApart {
 public:
  // Reads how far the files reach. The error is a sentence.
  static tl::expected<std::unique_ptr<DeadLetters>, std::string> open(DeadLettersOptions options);
  ~DeadLetters() override;

  // A record of the journal that is being read at the start; other types mean nothing here.
  void note(const core::JournalRecord& record);

  bool wants(std::uint32_t type) const override {
    return type == static_cast<std::uint32_t>(proto::record::Type::dead_letter);
  }
  void keep(std::uint64_t segment, std::uint64_t offset, proto::Octets payload) override;
  int step() override;
  bool settled() const override { return !pending_; }

  // Copied in this life; any thread.
  const core::Cell& kept() const { return kept_; }

 private:
  struct Place {
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;
    auto operator<=>(const Place&) const = default;
  };
  explicit DeadLetters(DeadLettersOptions options);
  std::string read();
  bool begin();

  DeadLettersOptions options_;
  std::unique_ptr<core::Storage> names_;
  core::JournalTail tail_;
  Place last_;  // of the newest letter here
  std::unique_ptr<core::Journal> files_;
  core::Mark appended_ = 0;
  bool pending_ = false;  // appended, and not durable yet
  int error_ = 0;
  core::Cell kept_;
};

// Every letter of the files beside a journal, oldest first. The error is a sentence.
tl::expected<core::JournalReport, std::string> read_dead_letters(
    core::Storage& storage, const std::function<void(const proto::record::DeadLetter&)>& f);

}  // namespace tollgate::gateway
