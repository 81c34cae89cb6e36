#include "carriers/config.h"

#include <cmath>

#include "carriers/counters.h"
#include "proto/limits.h"
#include "proto/session.h"

namespace tollgate::carriers {

namespace {

class Faults {
 public:
  explicit Faults(std::string prefix) : prefix_(std::move(prefix)) {}

  void range(const char* key, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    if (value >= least && value <= most) return;
    add(key, std::to_string(value) + " is not within " + std::to_string(least) + " and " +
                 std::to_string(most));
  }
  void length(const char* key, const std::string& value, std::size_t most_with_nul) {
    if (value.size() >= most_with_nul) {
      add(key, "has " + std::to_string(value.size()) + " octets, at most " +
                   std::to_string(most_with_nul - 1) + " are possible");
    }
    if (value.find('\0') != std::string::npos) add(key, "has a NUL inside");
  }
  void ton_npi(const char* key, int value) {
    if (value < -1 || value > 255) add(key, std::to_string(value) + " is not within -1 and 255");
  }
  void add(const std::string& key, const std::string& what) {
    found.push_back(prefix_ + key + ": " + what);
  }

  std::vector<std::string> found;

 private:
  std::string prefix_;
};

void check_bind(const BindConfig& bind, std::size_t index, std::vector<std::string>& found) {
  Faults faults("binds[" + std::to_string(index) + "].");
  if (!proto::is_bind(bind.kind)) faults.add("kind", "is no bind command");
  if (bind.address.host.empty()) faults.add("address", "has no host");
  if (bind.address.port == 0) faults.add("address", "has no port");
  faults.length("system_id", bind.system_id, proto::kSystemIdMax);
  faults.length("password", bind.password, proto::kPasswordMax);
  faults.length("system_type", bind.system_type, proto::kSystemTypeMax);
  faults.length("address_range", bind.address_range, proto::kAddressRangeMax);
  faults.range("window", bind.window, 1, 10'000);
  if (bind.kind == proto::Command::bind_transceiver &&
      proto::effective_version(bind.interface_version) == proto::kVersion33) {
    faults.add("interface_version", "SMPP 3.3 has no transceiver");
  }
  found.insert(found.end(), faults.found.begin(), faults.found.end());
}

void check_timers(const CarrierTimers& timers, Faults& faults) {
  constexpr std::uint64_t kDay = 86'400'000;
  faults.range("reconnect_first_ms", timers.reconnect_first_ms, 1, timers.reconnect_max_ms);
  faults.range("reconnect_max_ms", timers.reconnect_max_ms, 1, kDay);
  faults.range("alarm_ms", timers.alarm_ms, 1, kDay);
  faults.range("connect_ms", timers.connect_ms, 1, kDay);
  faults.range("bind_response_ms", timers.bind_response_ms, 1, kDay);
  faults.range("response_ms", timers.response_ms, 1, kDay);
  faults.range("enquire_link_ms", timers.enquire_link_ms, 0, kDay);
  faults.range("enquire_misses", timers.enquire_misses, 1, 1000);
  faults.range("drain_ms", timers.drain_ms, 0, kDay);
  faults.range("unbind_ms", timers.unbind_ms, 0, kDay);
  faults.range("throttle_first_ms", timers.throttle_first_ms, 1, timers.throttle_max_ms);
  faults.range("throttle_max_ms", timers.throttle_max_ms, 1, kDay);
  faults.range("busy_first_ms", timers.busy_first_ms, 1, timers.busy_max_ms);
  faults.range("busy_max_ms", timers.busy_max_ms, 1, kDay);
  faults.range("early_receipt_ms", timers.early_receipt_ms, 1000, kDay);
}

void check_retry(const std::string& key, const Retry& retry, Faults& faults) {
  faults.range((key + "_attempts").c_str(), retry.attempts, 0, 1000);
  faults.range((key + "_first_ms").c_str(), retry.first_ms, 1, retry.max_ms);
  faults.range((key + "_max_ms").c_str(), retry.max_ms, 1, 86'400'000);
}

void check_dialect(const DialectConfig& dialect, Faults& faults) {
  if (dialect.has_service_type) {
    faults.length("service_type", dialect.service_type, proto::kServiceTypeMax);
  }
  faults.ton_npi("source_ton", dialect.source_ton);
  faults.ton_npi("source_npi", dialect.source_npi);
  faults.ton_npi("destination_ton", dialect.destination_ton);
  faults.ton_npi("destination_npi", dialect.destination_npi);
  for (const auto& [status, status_class] : dialect.status_classes) {
    if (status == proto::Status::ESME_ROK) {
      faults.add("status_classes", "ESME_ROK (0) is always a success");
    }
  }
}

}  // namespace

std::vector<std::string> faults(const CarrierConfig& config) {
  Faults faults("");
  if (config.name.empty()) faults.add("name", "is empty");
  faults.range("binds", config.binds.size(), 1, 1000);
  if (!std::isfinite(config.pace_per_s) || config.pace_per_s < 0 || config.pace_per_s > 1e9) {
    faults.add("pace_per_s", std::to_string(config.pace_per_s) + " is not within 0 and 1e9");
  }
  faults.range("pace_burst_ms", config.pace_burst_ms, 1, 1000);
  faults.range("number_window", config.number_window, 1, 10'000);
  faults.range("queue_max", config.queue_max, 1, 10'000'000);
  faults.range("queue_octets_max", config.queue_octets_max, 1 << 17, 0xFFFFFFFF);
  check_retry("retry.temporary", config.retry.temporary, faults);
  check_retry("retry.failover", config.retry.failover, faults);
  faults.range("retry.throttle_attempts", config.retry.throttle_attempts, 0, 10'000);
  faults.range("awaiting_max", config.awaiting_max, 1, 1U << 28);
  faults.range("awaiting_hours", config.awaiting_hours, 1, 24 * 365);
  faults.range("early_receipts_max", config.early_receipts_max, 1, 1U << 24);
  faults.range("early_octets_max", config.early_octets_max, 1 << 17, 0xFFFFFFFF);
  check_timers(config.timers, faults);
  check_dialect(config.dialect, faults);
  for (std::size_t i = 0; i < config.binds.size(); ++i) {
    check_bind(config.binds[i], i, faults.found);
  }
  return faults.found;
}

std::string_view bind_state_name(BindState state) {
  switch (state) {
    case BindState::down:
      return "down";
    case BindState::alarm:
      return "alarm";
    case BindState::connecting:
      return "connecting";
    case BindState::binding:
      return "binding";
    case BindState::bound:
      return "bound";
    case BindState::draining:
      return "draining";
    case BindState::unbinding:
      return "unbinding";
    case BindState::stopped:
      return "stopped";
  }
  return "";
}

}  // namespace tollgate::carriers
