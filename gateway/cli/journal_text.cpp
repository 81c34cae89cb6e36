#include "gateway/cli/journal_text.h"

#include <algorithm>
#include <array>
#include <ctime>

#include <nlohmann/json.hpp>

#include "gateway/messages/message.h"
#include "proto/escape.h"
#include "proto/pdu.h"
#include "proto/records/record.h"
#include "proto/tlv.h"

namespace tollgate::gateway::cli {

namespace record = proto::record;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t kOctetsShown = 4'096;
constexpr std::string_view kLineHead[] = {"segment", "offset", "stream", "time", "type"};

std::string time_text(std::int64_t wall_us) {
  std::int64_t us = wall_us % 1'000'000;
  std::time_t seconds = wall_us / 1'000'000;
  if (us < 0) {
    us += 1'000'000;
    --seconds;
  }
  std::tm utc{};
  std::array<char, 40> text{};
  std::array<char, 12> fraction{};
  if (gmtime_r(&seconds, &utc) == nullptr) return std::to_string(wall_us);
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(fraction.data(), fraction.size(), ".%06dZ", static_cast<int>(us));
  return std::string(text.data(), length) + fraction.data();
}

std::string hex(proto::Octets octets) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t octet : octets.first(std::min(octets.size(), kOctetsShown))) {
    text += kDigits[octet >> 4];
    text += kDigits[octet & 15];
  }
  if (octets.size() > kOctetsShown) text += "...";
  return text;
}

std::string status_text(proto::Status status) {
  const std::string_view name = proto::status_name(status);
  if (!name.empty()) return std::string(name);
  std::array<char, 11> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", static_cast<unsigned>(status));
  return text.data();
}

template <class Enum, std::size_t N>
std::string_view word(Enum value, const std::array<std::string_view, N>& words) {
  return words[static_cast<std::size_t>(value)];
}
constexpr std::array<std::string_view, 4> kFollows = {"next", "again", "rejected", "expired"};
constexpr std::array<std::string_view, 4> kHow = {"told", "no_receipt", "given_up", "relayed"};
constexpr std::array<std::string_view, 4> kStages = {"queued", "in_doubt", "awaiting", "told"};
constexpr std::array<std::string_view, 3> kUnpark = {"matched", "duplicate", "unmatched"};

void put(Json& json, const char* key, std::string_view text) {
  if (!text.empty()) json[key] = proto::escaped(text);
}

void put(Json& json, const record::Decision& decision) {
  if (!decision.known) return;
  if (decision.facts != 0) json["facts"] = decision.facts;
  if (decision.segments != 1) json["segments"] = decision.segments;
  put(json, "mccmnc", decision.mccmnc);
  put(json, "down", decision.down);
  put(json, "full", decision.full);
  put(json, "sender", decision.sender.digits);
}

void put(Json& json, const record::Notice& notice) {
  json["state"] = proto::message_state_name(notice.state);
  if (notice.intermediate) json["intermediate"] = true;
  put(json, "error", notice.error);
  if (notice.has_network_error) json["network_error"] = hex(notice.network_error);
  json["done"] = time_text(notice.done_wall_us);
}

std::string party(const record::Address& address) {
  return std::to_string(address.ton) + "/" + std::to_string(address.npi) + "/" +
         proto::escaped(address.digits);
}

void put_accepted(Json& json, const record::Accepted& accepted) {
  json["message"] = message_text(accepted.message);
  if (accepted.public_id != accepted.message) json["id"] = message_text(accepted.public_id);
  if (accepted.short_id) json["short_id"] = true;
  json["client"] = proto::escaped(accepted.client);
  json["from"] = party(accepted.source);
  json["to"] = party(accepted.destination);
  put(json, "text", accepted.text);
  json["registered_delivery"] = accepted.registered_delivery;
  json["deadline"] = time_text(accepted.deadline_wall_us);
  json["tables_version"] = accepted.tables_version;
  json["destination"] = accepted.destination_id;
  json["price_nano"] = accepted.price_nano;
  Json candidates = Json::array();
  for (std::size_t i = 0; i < accepted.candidate_count; ++i) {
    const record::Candidate& candidate = accepted.candidates[i];
    candidates.push_back(
        {{"carrier", proto::escaped(candidate.carrier)}, {"cost_nano", candidate.cost_nano}});
  }
  json["candidates"] = std::move(candidates);
  put(json, accepted.decision);
  json["body_octets"] = accepted.body.size();
}

void put_number(Json& json, std::uint16_t attempt) {
  if ((attempt & record::kRelayed) != 0) json["relayed"] = true;
  json["attempt"] = attempt & ~record::kRelayed;
}

template <class Record>
void put_attempt(Json& json, const Record& record) {
  json["message"] = message_text(record.message);
  put_number(json, record.attempt);
  json["carrier"] = proto::escaped(record.carrier);
}

void fill(Json& json, const record::Accepted& record) {
  put_accepted(json, record);
}
void fill(Json& json, const record::Intent& record) {
  put_attempt(json, record);
}
void fill(Json& json, const record::InDoubt& record) {
  put_attempt(json, record);
}
void fill(Json& json, const record::Sent& record) {
  put_attempt(json, record);
  json["carrier_message_id"] = proto::escaped(record.carrier_message_id);
}
void fill(Json& json, const record::Refused& record) {
  put_attempt(json, record);
  json["status"] = status_text(record.status);
  json["follows"] = word(record.follows, kFollows);
}
void fill(Json& json, const record::Receipt& record) {
  json["message"] = message_text(record.message);
  json["carrier"] = proto::escaped(record.carrier);
  put(json, record.notice);
}
void fill(Json& json, const record::Ended& record) {
  json["message"] = message_text(record.message);
  put(json, record.notice);
}
void fill(Json& json, const record::Settled& record) {
  json["message"] = message_text(record.message);
  json["how"] = word(record.how, kHow);
  if (!record.detail.empty()) json["detail_octets"] = record.detail.size() - 8;
}
void fill(Json& json, const record::Detailed& record) {
  json["upto"] = record.upto;
  json["file"] = record.segment;
  if (record.earlier_runs) json["earlier_runs"] = true;
}
void fill(Json& json, const record::Clock& record) {
  json["boot"] = message_text(record.boot);
  json["monotonic_us"] = record.mono_us;
}
void fill(Json& json, const record::Carried& record) {
  put_accepted(json, record.accepted);
  json["accepted"] = time_text(record.accepted.wall_us);
  json["stage"] = word(record.stage, kStages);
  put_number(json, record.attempt);
  put(json, "carrier", record.carrier);
  put(json, "carrier_message_id", record.carrier_message_id);
  if (record.status != proto::Status::ESME_ROK) json["status"] = status_text(record.status);
  if (record.notice.done_wall_us != 0) put(json, record.notice);
}
void fill(Json& json, const record::Parked& record) {
  json["number"] = record.number;
  json["carrier"] = proto::escaped(record.carrier);
  json["carrier_message_id"] = proto::escaped(record.carrier_message_id);
  json["pdu"] = hex(record.pdu);
}
void fill(Json& json, const record::Unparked& record) {
  json["number"] = record.number;
  json["carrier"] = proto::escaped(record.carrier);
  json["how"] = word(record.how, kUnpark);
}
// What stands in the receipt, as far as it can be read.
std::string receipt_text(proto::Octets pdu) {
  if (pdu.size() < proto::kHeaderLength) return {};
  const proto::Octets body = pdu.subspan(proto::kHeaderLength);
  proto::DeliverSm deliver;
  proto::DataSm data;
  proto::Octets text;
  proto::Octets tlvs;
  if (proto::read_header(pdu.data()).command_id == proto::Command::data_sm) {
    if (!proto::decode(body, data)) tlvs = data.tlvs;
  } else if (!proto::decode(body, deliver)) {
    text = deliver.short_message;
    tlvs = deliver.tlvs;
  }
  if (text.empty()) text = proto::find(tlvs, proto::Tag::message_payload).value_or(text);
  return proto::escaped(proto::as_text(text), kOctetsShown);
}
void fill(Json& json, const record::DeadLetter& record) {
  json["carrier"] = proto::escaped(record.carrier);
  json["why"] = record::dead_name(record.why);
  put(json, "carrier_message_id", record.carrier_message_id);
  if (record.message != 0) json["message"] = message_text(record.message);
  json["state"] = proto::message_state_name(record.state);
  if (std::string text = receipt_text(record.pdu); !text.empty()) json["text"] = std::move(text);
  json["pdu"] = hex(record.pdu);
}
void fill(Json& json, const record::Ids& record) {
  json["message"] = message_text(record.message);
}

void fill(Json& json, const record::Chunk& record) {
  json["client"] = proto::escaped(record.client);
  json["receipts"] = record.receipts;
  json["message"] = message_text(record.first_message);
  json["deadline"] = time_text(record.newest_deadline_wall_us);
}
void fill(Json& json, const record::Spilled& record) {
  json["chunk"] = record.chunk;
  put(json, "client", record.client);
  json["receipts"] = record.messages.size() / 8;
}
void fill(Json& json, const record::Loaded& record) {
  json["chunk"] = record.chunk;
  json["client"] = proto::escaped(record.client);
  json["receipts"] = record.receipts;
  if (record.how == record::How::given_up) json["how"] = word(record.how, kHow);
}

std::int64_t wall_us_of(const auto& record) {
  return record.wall_us;
}

// {"carrier": "alpha", "cost_nano": 7} as alpha:7
std::string listed_candidates(const Json& candidates) {
  std::string text;
  for (const Json& one : candidates) {
    if (!text.empty()) text += ',';
    text += one["carrier"].get<std::string>() + ":" + one["cost_nano"].dump();
  }
  return text.empty() ? "none" : text;
}

std::string value_text(const Json& value) {
  if (value.is_array()) return listed_candidates(value);
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  const bool quoted = text.empty() || text.find_first_of(" \\\"=") != std::string::npos;
  return quoted ? "\"" + text + "\"" : text;
}

Json described(const core::JournalRecord& journal_record) {
  Json json;
  json["segment"] = journal_record.segment;
  json["offset"] = journal_record.offset;
  json["stream"] = journal_record.stream;
  const auto reading =
      record::read(journal_record.type, journal_record.payload, [&](const auto& record) {
        json["time"] = time_text(wall_us_of(record));
        json["type"] = record::type_name(journal_record.type);
        fill(json, record);
      });
  if (reading == record::Reading::good) return json;
  json["time"] = "-";
  json["type"] = reading == record::Reading::malformed ? "malformed" : "unknown";
  json["number"] = journal_record.type;
  json["octets"] = hex(journal_record.payload);
  return json;
}

}  // namespace

std::string message_text(std::uint64_t id) {
  return std::string(MessageIdText(id, false).view());
}

std::string letter_json(const record::DeadLetter& letter) {
  Json json;
  json["time"] = time_text(letter.wall_us);
  fill(json, letter);
  return json.dump();
}

std::string letter_line(const record::DeadLetter& letter) {
  Json json;
  fill(json, letter);
  json.erase("pdu");
  std::string line = time_text(letter.wall_us);
  for (const auto& [key, value] : json.items()) line += " " + key + "=" + value_text(value);
  return line;
}

std::string record_line(const core::JournalRecord& journal_record) {
  const Json record = described(journal_record);
  std::string line = record["segment"].dump() + ":" + record["offset"].dump() + " " +
                     record["stream"].dump() + " " + record["time"].get<std::string>() + " " +
                     record["type"].get<std::string>();
  for (const auto& [key, value] : record.items()) {
    if (std::find(std::begin(kLineHead), std::end(kLineHead), key) != std::end(kLineHead)) continue;
    line += " " + key + "=" + value_text(value);
  }
  return line;
}

std::string record_json(const core::JournalRecord& record) {
  return described(record).dump();
}

}  // namespace tollgate::gateway::cli
