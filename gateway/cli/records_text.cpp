// One detail record as text and as JSON.
#include <nlohmann/json.hpp>

#include "gateway/cli/desk.h"
#include "gateway/cli/journal_text.h"
#include "gateway/cli/records.h"
#include "proto/escape.h"
#include "proto/status.h"
#include "routing/money.h"

namespace tollgate::gateway::cli {
namespace {

using Json = nlohmann::ordered_json;
using proto::detail::Detail;

std::string state_text(const Detail& detail) {
  return std::string(proto::message_state_name(static_cast<proto::MessageState>(detail.state)));
}

std::string status_text(proto::Status status) {
  const std::string_view name = proto::status_name(status);
  if (!name.empty()) return std::string(name);
  std::array<char, 11> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", static_cast<unsigned>(status));
  return text.data();
}

void put(Json& json, const char* key, std::string_view text) {
  if (!text.empty()) json[key] = proto::escaped(text);
}
void put_time(Json& json, const char* key, std::int64_t us) {
  if (us != 0) json[key] = moment_text(us);
}

Json address_json(const proto::record::Address& address) {
  return {{"ton", address.ton}, {"npi", address.npi}, {"address", proto::escaped(address.digits)}};
}

Json names_json(const proto::detail::Names& names) {
  Json list = Json::array();
  for (const std::string_view name : names) list.push_back(proto::escaped(name));
  return list;
}

Json tries_json(const Detail& detail) {
  Json tries = Json::array();
  for (std::size_t i = 0; i < detail.tries_kept; ++i) {
    const auto& one = detail.tries[i];
    Json json{{"carrier", proto::escaped(one.carrier)},
              {"attempt", one.attempt},
              {"end", proto::detail::try_end_name(one.end)},
              {"after_ms", one.after_ms},
              {"cost_nano", one.cost_nano},
              {"billed", one.billed}};
    if (one.status != proto::Status::ESME_ROK) json["status"] = status_text(one.status);
    tries.push_back(std::move(json));
  }
  return tries;
}

void put_decision(Json& json, const Detail& detail) {
  json["tables_version"] = detail.tables_version;
  json["facts"] = detail.facts;
  json["draw"] = detail.draw;
  if (detail.down.count != 0) json["down"] = names_json(detail.down);
  if (detail.full.count != 0) json["full"] = names_json(detail.full);
  if (detail.states_cut) json["states_cut"] = true;
  json["price_nano"] = detail.price_nano;
  put(json, "currency", detail.currency);
  json["segments"] = detail.segments;
  Json candidates = Json::array();
  for (std::size_t i = 0; i < detail.candidate_count; ++i) {
    candidates.push_back({{"carrier", proto::escaped(detail.candidates[i].carrier)},
                          {"cost_nano", detail.candidates[i].cost_nano}});
  }
  json["candidates"] = std::move(candidates);
}

}  // namespace

std::string record_json_line(const Detail& detail) {
  Json json;
  json["message"] = message_text(detail.message);
  if (detail.public_id != detail.message) json["id"] = message_text(detail.public_id);
  json["client"] = proto::escaped(detail.client);
  json["source"] = address_json(detail.source);
  json["destination"] = address_json(detail.destination);
  put(json, "number", detail.number);
  if (!detail.sender.digits.empty()) json["sender"] = address_json(detail.sender);
  put(json, "mccmnc", detail.mccmnc);
  put_decision(json, detail);
  json["tries"] = tries_json(detail);
  json["try_count"] = detail.try_count;
  put(json, "carrier", detail.carrier);
  put(json, "carrier_message_id", detail.carrier_message_id);
  json["registered_delivery"] = detail.registered_delivery;
  json["data_coding"] = detail.data_coding;
  json["esm_class"] = detail.esm_class;
  json["text_octets"] = detail.text_octets;
  json["accepted_us"] = detail.accepted_us;
  put_time(json, "accepted", detail.accepted_us);
  put_time(json, "sent", detail.sent_us);
  put_time(json, "receipt", detail.receipt_us);
  put_time(json, "settled", detail.settled_us);
  json["state"] = state_text(detail);
  put(json, "error", detail.error);
  if (!detail.network_error.empty()) {
    json["network_error"] =
        std::vector<unsigned>(detail.network_error.begin(), detail.network_error.end());
  }
  json["how"] = proto::detail::how_name(detail.how);
  json["by_gateway"] = detail.by_gateway;
  json["relayed"] = detail.relayed;
  json["in_doubt"] = detail.in_doubt;
  json["resends"] = detail.resends;
  if (detail.recovered) json["recovered"] = true;
  json["revenue_nano"] = detail.revenue_nano;
  json["cost_nano"] = detail.cost_nano;
  json["margin_nano"] = detail.margin_nano;
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

// Columns of a fixed width: a line can be printed before the next is read.
std::string record_text(const Detail& detail) {
  std::array<char, 512> line{};
  const auto cut = [](std::string_view text) { return proto::escaped(text).substr(0, 40); };
  const std::string client = cut(detail.client);
  const std::string number = cut(detail.number.empty() ? detail.destination.digits : detail.number);
  const std::string mccmnc = cut(detail.mccmnc);
  const std::string carrier = detail.taken() ? cut(detail.carrier) : "-";
  const std::string state = state_text(detail) + (detail.by_gateway ? "*" : "");
  std::snprintf(line.data(), line.size(),
                "%-20s  %s  %-12s  %-15s  %-6s  %-12s  %-14s  %3u  %s  %s\n",
                moment_text(detail.settled_us).c_str(), message_text(detail.message).c_str(),
                client.c_str(), number.c_str(), mccmnc.c_str(), carrier.c_str(), state.c_str(),
                detail.segments, routing::format_nano(detail.revenue_nano).c_str(),
                routing::format_nano(detail.margin_nano).c_str());
  return line.data();
}

}  // namespace tollgate::gateway::cli
