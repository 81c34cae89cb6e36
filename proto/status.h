// command_status: the names of SMPP 3.4 and 5.0, and what a carrier's answer means for routing.
//
// Thread: any; pure functions. Specification: 3.4 section 5.1.3, 5.0 section 4.7.6.
// 1. Any 32-bit value is legal in a Status and is carried through unchanged; vendors use many.
// 2. A value without a name has the class failover: another carrier may well take the message.
#pragma once
#include <cstdint>
#include <string_view>

namespace tollgate::proto {

enum class Status : std::uint32_t {
#define STATUS(name, value, klass) ESME_##name = value,
#include "proto/status_table.inc"
#undef STATUS
};

enum class StatusClass : std::uint8_t {
  ok,             // taken
  temporary,      // later, same carrier
  failover,       // next carrier
  permanent,      // no carrier will take it
  configuration,  // our set-up with this carrier is wrong: alarm, take the bind or route down
  throttle,       // slow this bind down; the message keeps its place
};

// "ESME_RTHROTTLED", or "" when the value has no name in 3.4 or 5.0.
std::string_view status_name(Status status);
StatusClass status_class(Status status);
std::string_view status_class_name(StatusClass status_class);

}  // namespace tollgate::proto
