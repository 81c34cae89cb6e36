#include "gateway/cli/tables_json.h"

#include <nlohmann/json.hpp>

#include "gateway/cli/desk.h"

namespace tollgate::gateway::cli {
namespace {

using Json = nlohmann::ordered_json;

Json files_json(const std::vector<routing::TableFile>& files) {
  Json json = Json::array();
  for (const routing::TableFile& file : files) {
    json.push_back({{"file", file.name},
                    {"rows", file.rows},
                    {"octets", file.octets},
                    {"sha256", routing::hex(file.sha256)}});
  }
  return json;
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

Json to_json(const routing::TableVersion& version) {
  return {{"version", version.number},
          {"based_on", version.based_on},
          {"when", moment_text(version.when_us)},
          {"who", version.who},
          {"kind", routing::origin_name(version.origin)},
          {"rolled_back_to", version.rolled_back_to},
          {"draft", version.draft},
          {"note", version.note},
          {"files", files_json(version.files)}};
}

Json to_json(const routing::TableDraft& draft) {
  return {{"draft", draft.id},
          {"base", draft.base},
          {"revision", draft.revision},
          {"state", routing::state_name(draft.state)},
          {"who", draft.who},
          {"when", moment_text(draft.when_us)},
          {"note", draft.note},
          {"summary", draft.summary},
          {"changed", files_json(draft.changed)},
          {"removed", draft.removed},
          {"approved_by", draft.approved_by},
          {"scheduled_by", draft.scheduled_by},
          {"publish_at", moment_text(draft.publish_at_us)},
          {"published_as", draft.published_as},
          {"reason", draft.reason}};
}

Json to_json(const routing::TableAct& act) {
  return {{"id", act.id},
          {"when", moment_text(act.when_us)},
          {"who", act.who},
          {"what", act.what},
          {"draft", act.draft},
          {"version", act.version},
          {"based_on", act.based_on},
          {"note", act.note},
          {"detail", act.detail}};
}

Json to_json(const routing::GatewayReport& report) {
  return {{"gateway", report.gateway},
          {"version", report.version},
          {"since", moment_text(report.since_us)},
          {"told", moment_text(report.when_us)},
          {"refused_version", report.refused_version},
          {"reason", report.reason}};
}

}  // namespace

template <class T>
std::string json_text(const T& record) {
  return dump(to_json(record));
}

template <class T>
std::string json_text(const std::vector<T>& records) {
  Json json = Json::array();
  for (const T& each : records) json.push_back(to_json(each));
  return dump(json);
}

template std::string json_text(const routing::TableVersion&);
template std::string json_text(const routing::TableDraft&);
template std::string json_text(const std::vector<routing::TableVersion>&);
template std::string json_text(const std::vector<routing::TableDraft>&);
template std::string json_text(const std::vector<routing::TableAct>&);
template std::string json_text(const std::vector<routing::GatewayReport>&);

}  // namespace tollgate::gateway::cli
