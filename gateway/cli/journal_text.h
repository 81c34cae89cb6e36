// A record of the journal for people and programs: one line, or one JSON object.
#pragma once

#include <string>

#include "core/journal/reader.h"
#include "proto/records/record.h"

namespace tollgate::gateway::cli {

// The record's place, stream, time, type and fields; texts escaped. Of a payload that is no record:
// "malformed" or "unknown", and its octets in hexadecimal. One line, without its end.
//   3:4096 0 2026-11-20T11:15:01.123456Z intent message=0123456789abcdef attempt=1 carrier=alpha
std::string record_line(const core::JournalRecord& record);
// The same as a JSON object.
std::string record_json(const core::JournalRecord& record);

// A dead letter: when, whose, why, and what stands in it.
//   2026-11-20T11:15:01.123456Z carrier=alpha why=unmatched carrier_message_id=77 ... text="id:77
//   ..."
std::string letter_line(const proto::record::DeadLetter& letter);
std::string letter_json(const proto::record::DeadLetter& letter);

// As a client sees it: 16 hexadecimal digits.
std::string message_text(std::uint64_t id);

}  // namespace tollgate::gateway::cli
