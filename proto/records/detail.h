// Detail records: one for each message that ended. proto/records/detail.proto has the fields, as
// protobuf writes them; this is that encoding without its classes, for the shard that ends the
// message and for commands that read millions.
//
// Thread: any; pure functions, no allocation.
//
// 1. encode() writes what protobuf's own classes would read as the same values; decode() takes
//    whatever protobuf writes of a DetailRecord, unknown fields too.
// 2. decode() takes any octets: false for what is no protobuf message, or says a field twice as
//    long as is left. It never reads past the end. Lists longer than ours are cut.
// 3. message_of() finds the id in constant time in what encode() wrote.
//
// Bounds: kCandidatesMax candidates, kTriesMax tries, kStatesMax names; texts of 255 octets.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proto/octets.h"
#include "proto/receipt.h"
#include "proto/records/record.h"

namespace tollgate::proto::detail {

inline constexpr std::size_t kCandidatesMax = record::kCandidatesMax;
inline constexpr std::size_t kTriesMax = record::kTriesMax;
inline constexpr std::size_t kStatesMax = 32;
inline constexpr std::size_t kDetailMax = 10'240;  // octets of a record

struct Candidate {
  std::string_view carrier;
  std::int64_t cost_nano = 0;
};

struct Try {
  std::string_view carrier;
  std::uint32_t attempt = 0;
  record::TryEnd end = record::TryEnd::sent;
  Status status = Status::ESME_ROK;
  std::uint32_t after_ms = 0;
  std::int64_t cost_nano = 0;
  bool billed = false;
};

// A few names; more are left out.
struct Names {
  std::uint8_t count = 0;
  std::array<std::string_view, kStatesMax> names;
  void add(std::string_view name) {
    if (count < kStatesMax) names[count++] = name;
  }
  const std::string_view* begin() const { return names.data(); }
  const std::string_view* end() const { return names.data() + count; }
};

// The fields of DetailRecord, by their names there.
struct Detail {
  std::uint64_t message = 0;
  std::uint64_t public_id = 0;
  std::string_view client;
  record::Address source;
  record::Address destination;
  std::string_view number;
  record::Address sender;
  std::string_view mccmnc;
  std::uint32_t tables_version = 0;
  std::uint32_t facts = 0;
  std::uint64_t draw = 0;
  Names down;
  Names full;
  bool states_cut = false;
  std::int64_t price_nano = 0;
  std::string_view currency;
  std::uint32_t segments = 0;
  std::uint8_t candidate_count = 0;
  std::array<Candidate, kCandidatesMax> candidates;
  std::uint8_t tries_kept = 0;
  std::array<Try, kTriesMax> tries;
  std::uint32_t try_count = 0;
  std::string_view carrier;
  std::string_view carrier_message_id;
  std::uint32_t registered_delivery = 0;
  std::uint32_t data_coding = 0;
  std::uint32_t esm_class = 0;
  std::uint32_t text_octets = 0;
  std::int64_t accepted_us = 0;
  std::int64_t sent_us = 0;
  std::int64_t receipt_us = 0;
  std::int64_t settled_us = 0;
  std::uint32_t state = 0;
  std::string_view error;
  Octets network_error;
  record::How how = record::How::told;
  bool by_gateway = false;
  bool relayed = false;
  bool in_doubt = false;
  std::uint32_t resends = 0;
  bool recovered = false;
  std::int64_t revenue_nano = 0;
  std::int64_t cost_nano = 0;
  std::int64_t margin_nano = 0;

  bool taken() const { return sent_us != 0; }  // a carrier has it, or had it
  bool delivered() const { return state == static_cast<std::uint32_t>(MessageState::delivered); }
};

// Fills revenue, cost, margin and each try's cost: the price once when a carrier took the message,
// the decision's cost for each try that was billed, both for every segment.
void charge(Detail& detail);

// The octets written; 0 when `out` has no room (kDetailMax always has). A text is cut behind its
// bound.
std::size_t encode(const Detail& detail, Out out);
// Views point into `octets`.
bool decode(Octets octets, Detail& detail);
// 0: these are no octets of encode().
std::uint64_t message_of(Octets octets);
// What makes a record of encode() one with `recovered`, put behind it.
inline constexpr std::array<std::uint8_t, 3> kRecovered = {0xB8, 0x02, 0x01};

std::string_view try_end_name(record::TryEnd end);
std::string_view how_name(record::How how);

}  // namespace tollgate::proto::detail
