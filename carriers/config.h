// What the configuration says of a carrier: its binds, its limits, its timers and its dialect row.
//
// Plain values, filled by the gateway's configuration; a change is a new configuration
// (Carrier::change). faults() names every value that cannot work; a Carrier is only built from a
// configuration without faults.
//
// Times are milliseconds. Every bound of the carriers' memory is here.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/net.h"
#include "proto/pdu.h"
#include "proto/status.h"

namespace tollgate::carriers {

// How an id is written in one place. text: octets as they are; hex and decimal: a number of any
// length, so leading zeros and case mean nothing. An id that is not a number of that kind (a UUID
// in a "decimal" place) is compared as text.
enum class IdForm : std::uint8_t { text, hex, decimal };

enum class DestinationPrefix : std::uint8_t {
  as_given,    // untouched
  none,        // 4479...
  plus,        // +4479...
  double_zero  // 004479...
};

// One row of the dialect table: a carrier's oddities. The default row is neutral.
struct DialectConfig {
  // Message ids: what stands in submit_sm_resp, in the text of a receipt, and in its
  // receipted_message_id. Two ids are one message when their canonical keys are equal.
  IdForm id_response = IdForm::text;
  IdForm id_receipt_text = IdForm::text;
  IdForm id_receipt_tlv = IdForm::text;
  bool id_strip_leading_zeros = false;  // of ids compared as text
  bool id_fold_case = false;            // of ids compared as text

  bool tlvs = true;  // false: none is sent; message_payload becomes short_message where it fits
  DestinationPrefix destination_prefix = DestinationPrefix::as_given;
  bool has_service_type = false;
  std::string service_type;  // sent instead of the client's when has_service_type
  // -1: as the client sent it.
  int source_ton = -1;
  int source_npi = -1;
  int destination_ton = -1;
  int destination_npi = -1;

  // Statuses that this carrier means differently from proto::status_class.
  std::vector<std::pair<proto::Status, proto::StatusClass>> status_classes;
  // Whether a receipt with these states is the last one (it is at most carriers; an unknown stat
  // word reads as unknown).
  bool accepted_is_final = true;
  bool unknown_is_final = true;
  // The receipts' err word to what a human should read.
  std::vector<std::pair<std::string, std::string>> error_texts;
  bool operator==(const DialectConfig&) const = default;
};

// What becomes of a submit that left and was never answered: it may have been sent.
enum class InDoubt : std::uint8_t {
  hold,    // wait for a receipt, then tell the client UNKNOWN
  resend,  // send it again, here or to the next candidate: it may arrive twice
  fail     // tell the client UNKNOWN at once
};

// How often a message that was refused for now is tried here again. Before each attempt it rests
// twice as long as the time before, less a random part of up to a half. After the last one it goes
// to the next candidate.
struct Retry {
  std::uint32_t attempts = 0;
  std::uint32_t first_ms = 500;
  std::uint32_t max_ms = 30'000;
  bool operator==(const Retry&) const = default;
};

// What becomes of a refusal, by its class. Permanent ends the message; configuration goes on to the
// next candidate at once. Where all candidates refused for now, see the gateway's retry.
struct RetryConfig {
  Retry temporary{3, 500, 30'000};
  Retry failover{0, 500, 30'000};
  std::uint32_t throttle_attempts = 10'000;  // the bind rests, not the message
  bool operator==(const RetryConfig&) const = default;
};

struct BindConfig {
  proto::Command kind = proto::Command::bind_transceiver;
  core::Address address;
  std::string system_id;
  std::string password;
  std::string system_type;
  std::uint8_t interface_version = 0x34;
  std::uint8_t addr_ton = 0;
  std::uint8_t addr_npi = 0;
  std::string address_range;
  std::uint32_t window = 10;  // 1 to 10,000 submits without a response

  // Nothing but the window differs: the same session serves both.
  bool same_session(const BindConfig& other) const {
    BindConfig same = other;
    same.window = window;
    return *this == same;
  }
  bool operator==(const BindConfig&) const = default;
};

struct CarrierTimers {
  std::uint32_t reconnect_first_ms = 500;  // doubles for each failure, with jitter
  std::uint32_t reconnect_max_ms = 30'000;
  std::uint32_t stable_ms = 10'000;   // bound for this long: the next failure is a first one
  std::uint32_t alarm_ms = 60'000;    // between attempts after a wrong password and the like
  std::uint32_t connect_ms = 10'000;  // TCP
  std::uint32_t bind_response_ms = 10'000;
  std::uint32_t response_ms = 60'000;  // submit_sm_resp; later the message is in doubt
  std::uint32_t enquire_link_ms = 30'000;
  std::uint32_t enquire_misses = 2;  // unanswered enquire_link that close the bind
  std::uint32_t drain_ms = 5'000;    // how long a polite stop waits for the window
  std::uint32_t unbind_ms = 2'000;   // and then for unbind_resp
  std::uint32_t throttle_first_ms = 100;
  std::uint32_t throttle_max_ms = 60'000;
  std::uint32_t busy_first_ms = 20;  // after a temporary refusal such as ESME_RMSGQFUL
  std::uint32_t busy_max_ms = 1'000;
  std::uint32_t early_receipt_ms = 60'000;  // how long a receipt with an unknown id is kept
  bool operator==(const CarrierTimers&) const = default;
};

struct CarrierConfig {
  std::string name;
  std::vector<BindConfig> binds;
  double pace_per_s = 0;             // submits per second over all binds; 0 = no limit
  std::uint32_t pace_burst_ms = 10;  // this much of the pace may leave at once after a silence
  std::uint32_t queue_max = 10'000;  // orders that wait for window or pace
  // Submits to one number without a response. With 1 no message to a number overtakes another,
  // whatever is refused for now; with more one that is refused may be overtaken by those that were
  // out with it.
  std::uint32_t number_window = 1;
  std::uint32_t queue_octets_max = 8 * 1024 * 1024;  // what long bodies take beyond 260 octets
  InDoubt in_doubt = InDoubt::hold;
  RetryConfig retry;
  std::uint32_t awaiting_max = 10'000'000;  // ids that wait for a receipt
  std::uint32_t awaiting_hours = 72;
  std::uint32_t early_receipts_max = 16'384;
  std::uint32_t early_octets_max = 8 * 1024 * 1024;
  // The answer to a deliver_sm that is no receipt. Until MO messages are routed the carrier is
  // asked to keep them and try again.
  proto::Status mo_status = proto::Status::ESME_RX_T_APPN;
  CarrierTimers timers;
  DialectConfig dialect;
  bool operator==(const CarrierConfig&) const = default;
};

// Every value of `config` that cannot work, one sentence each, naming the key and the value;
// empty when all is well.
std::vector<std::string> faults(const CarrierConfig& config);

}  // namespace tollgate::carriers
