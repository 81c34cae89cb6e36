// May a message come in? The checks of a submit that need no table and no carrier.
//
// Pure; the caller's thread. Specification: 3.4 sections 4.4.1 and 5.2, with the leniency of real
// SMSCs: a value that only a handset or a carrier can judge is carried through.
#pragma once

#include <cstdint>
#include <optional>

#include "core/clock.h"
#include "proto/pdu.h"

namespace tollgate::gateway {

struct Admission {
  proto::Status status = proto::Status::ESME_ROK;
  std::int64_t validity_us = 0;  // from now; 0 = the client named none
  proto::Octets text;            // short_message, or message_payload
};

// `version`: the session's effective one (0x33, 0x34, 0x50).
Admission admit(const proto::SubmitSm& sm, std::uint8_t version, const core::Now& now);

// A hash that is the same for all segments of one long message (its concatenation reference), so
// that a weighted route is decided alike for them; nothing for a message of one part.
std::optional<std::uint64_t> long_message_hash(const proto::SubmitSm& sm);

// How many SMS its text is, which price and cost are counted by: 1 for a part of a long message.
std::uint16_t segments_of(const proto::SubmitSm& sm, proto::Octets text);

// data_sm says the same in other fields [3.4 section 4.7.1]: as a submit_sm with its text in the
// message_payload TLV. False when an address is longer than a submit_sm's can be.
bool to_submit_sm(const proto::DataSm& data, proto::SubmitSm& out);

}  // namespace tollgate::gateway
