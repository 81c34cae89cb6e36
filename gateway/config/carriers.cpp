// The carriers' part of the file: carriers/config.h key by key.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "gateway/config/rules.h"
#include "proto/escape.h"

namespace tollgate::gateway {
namespace {

struct NamedStatus {
  std::string_view name;
  std::uint32_t value;
};
constexpr NamedStatus kStatuses[] = {
#define STATUS(name, value, klass) {"ESME_" #name, value},
#include "proto/status_table.inc"
#undef STATUS
};

constexpr std::string_view kStatusRight = "a status such as ESME_RMSGQFUL or 0x0450";

// A name of the specification, or any number: vendors use many.
std::optional<proto::Status> parse_status(std::string_view text) {
  for (const NamedStatus& each : kStatuses) {
    if (each.name == text) return static_cast<proto::Status>(each.value);
  }
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex) text.remove_prefix(2);
  std::uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return static_cast<proto::Status>(value);
}

void read_ms(Section& section, std::string_view key, std::uint32_t& out_ms, Range<double> range_s) {
  std::int64_t value_us = std::int64_t{out_ms} * 1'000;
  section.seconds(key, value_us, range_s);
  out_ms = static_cast<std::uint32_t>(value_us / 1'000);
}

void read_timers(Section& section, carriers::CarrierTimers& timers) {
  constexpr Range<double> kRange{0.001, 3600};
  read_ms(section, "reconnect_first_seconds", timers.reconnect_first_ms, kRange);
  read_ms(section, "reconnect_max_seconds", timers.reconnect_max_ms, kRange);
  read_ms(section, "stable_seconds", timers.stable_ms, kRange);
  read_ms(section, "alarm_seconds", timers.alarm_ms, kRange);
  read_ms(section, "connect_seconds", timers.connect_ms, kRange);
  read_ms(section, "bind_response_seconds", timers.bind_response_ms, kRange);
  read_ms(section, "response_seconds", timers.response_ms, kRange);
  read_ms(section, "enquire_link_seconds", timers.enquire_link_ms, kRange);
  section.integer("enquire_misses", timers.enquire_misses, {1, 100});
  read_ms(section, "drain_seconds", timers.drain_ms, kRange);
  read_ms(section, "unbind_seconds", timers.unbind_ms, kRange);
  read_ms(section, "throttle_first_seconds", timers.throttle_first_ms, kRange);
  read_ms(section, "throttle_max_seconds", timers.throttle_max_ms, kRange);
  read_ms(section, "busy_first_seconds", timers.busy_first_ms, kRange);
  read_ms(section, "busy_max_seconds", timers.busy_max_ms, kRange);
  read_ms(section, "early_receipt_seconds", timers.early_receipt_ms, kRange);
  const auto ordered = [&](std::string_view first, std::uint32_t first_ms, std::string_view last,
                           std::uint32_t last_ms) {
    if (first_ms <= last_ms) return;
    section.fault(section.has(last) ? last : first, "the maximum is below the first",
                  std::string(last) + " of at least " + std::string(first));
  };
  ordered("reconnect_first_seconds", timers.reconnect_first_ms, "reconnect_max_seconds",
          timers.reconnect_max_ms);
  ordered("throttle_first_seconds", timers.throttle_first_ms, "throttle_max_seconds",
          timers.throttle_max_ms);
  ordered("busy_first_seconds", timers.busy_first_ms, "busy_max_seconds", timers.busy_max_ms);
}

void read_retry(Section& section, const std::string& name, carriers::Retry& retry) {
  constexpr Range<double> kRange{0.001, 3600};
  section.integer(name + "_attempts", retry.attempts, {0, 1'000});
  read_ms(section, name + "_first_seconds", retry.first_ms, kRange);
  read_ms(section, name + "_max_seconds", retry.max_ms, kRange);
  if (retry.first_ms <= retry.max_ms) return;
  const std::string first = name + "_first_seconds";
  const std::string last = name + "_max_seconds";
  section.fault(section.has(last) ? last : first, "the maximum is below the first",
                last + " of at least " + first);
}

void read_retries(Section& section, carriers::RetryConfig& retry) {
  read_retry(section, "temporary", retry.temporary);
  read_retry(section, "failover", retry.failover);
  section.integer("throttle_attempts", retry.throttle_attempts, {0, 10'000});
}

void read_id_form(Section& section, std::string_view key, carriers::IdForm& out) {
  section.word(key, {"text", "hex", "decimal"},
               [&](std::size_t at) { out = static_cast<carriers::IdForm>(at); });
}

void read_address_octet(Section& section, std::string_view key, int& out) {
  if (!section.has(key)) return;
  std::uint8_t octet = 0;
  section.octet(key, octet);
  out = octet;
}

void read_status_classes(Section& section, carriers::DialectConfig& dialect) {
  static constexpr std::string_view kClasses[] = {"ok",        "temporary",     "failover",
                                                  "permanent", "configuration", "throttle"};
  const std::string right =
      "a status, and one of temporary, failover, permanent, configuration, "
      "throttle";
  for (const auto& [name, value] : section.pairs("status_classes", right)) {
    const auto status = parse_status(name.text);
    const auto* klass = std::find(std::begin(kClasses) + 1, std::end(kClasses), value.text);
    if (!status) {
      section.faults().add(
          {name.place, name.key, "", "no command_status", std::string(kStatusRight)});
    } else if (*status == proto::Status::ESME_ROK) {
      section.faults().add({name.place, name.key, "", "ESME_ROK always means taken", right});
    } else if (klass == std::end(kClasses)) {
      section.faults().add({value.place, value.key, "\"" + proto::escaped(value.text) + "\"",
                            "no status class that a refusal can have", right});
    } else {
      dialect.status_classes.emplace_back(
          *status, static_cast<proto::StatusClass>(klass - std::begin(kClasses)));
    }
  }
}

void read_dialect(Section& section, carriers::DialectConfig& dialect) {
  read_id_form(section, "id_response", dialect.id_response);
  read_id_form(section, "id_receipt_text", dialect.id_receipt_text);
  read_id_form(section, "id_receipt_tlv", dialect.id_receipt_tlv);
  section.boolean("id_strip_leading_zeros", dialect.id_strip_leading_zeros);
  section.boolean("id_fold_case", dialect.id_fold_case);
  section.boolean("tlvs", dialect.tlvs);
  section.word("destination_prefix", {"as_given", "none", "plus", "double_zero"},
               [&](std::size_t at) {
                 dialect.destination_prefix = static_cast<carriers::DestinationPrefix>(at);
               });
  dialect.has_service_type = section.has("service_type");
  read_ascii(section, "service_type", dialect.service_type, 0, 5);
  read_address_octet(section, "source_ton", dialect.source_ton);
  read_address_octet(section, "source_npi", dialect.source_npi);
  read_address_octet(section, "destination_ton", dialect.destination_ton);
  read_address_octet(section, "destination_npi", dialect.destination_npi);
  read_status_classes(section, dialect);
  section.boolean("accepted_is_final", dialect.accepted_is_final);
  section.boolean("unknown_is_final", dialect.unknown_is_final);
  for (const auto& [word, text] :
       section.pairs("error_texts", "the receipts' err word, and a text for people")) {
    dialect.error_texts.emplace_back(word.text, text.text);
  }
}

void read_bind(Section& section, PeerPlace& place, carriers::BindConfig& bind) {
  static constexpr proto::Command kKinds[] = {proto::Command::bind_transceiver,
                                              proto::Command::bind_transmitter,
                                              proto::Command::bind_receiver};
  static constexpr std::uint8_t kVersions[] = {0x33, 0x34, 0x50};
  section.require("host", "the carrier's host name or address");
  read_ascii(section, "host", bind.address.host, 1, 253);
  section.require("port", "an integer of 1-65535");
  std::uint32_t port = 0;
  section.integer("port", port, {1, 65'535});
  bind.address.port = static_cast<std::uint16_t>(port);
  section.word("kind", {"transceiver", "transmitter", "receiver"},
               [&](std::size_t at) { bind.kind = kKinds[at]; });
  section.require("system_id", "1-15 characters, what the carrier gave us");
  read_ascii(section, "system_id", bind.system_id, 1, 15);
  section.text("password", bind.password, {0, 64});
  if (section.has("password") && section.has("password_file")) {
    section.fault("password_file", "password is given too", "one of them");
  }
  read_password_file(section, place, &bind.address, bind.password);
  read_ascii(section, "system_type", bind.system_type, 0, 12);
  section.word("interface_version", {"3.3", "3.4", "5.0"},
               [&](std::size_t at) { bind.interface_version = kVersions[at]; });
  if (bind.interface_version < 0x34 && bind.kind == proto::Command::bind_transceiver) {
    section.fault("interface_version", "3.3 has no transceiver bind",
                  "kind = \"transmitter\" and a second bind with kind = \"receiver\"");
  }
  section.octet("addr_ton", bind.addr_ton);
  section.octet("addr_npi", bind.addr_npi);
  read_ascii(section, "address_range", bind.address_range, 0, 40);
  section.integer("window", bind.window, {1, 10'000});
}

}  // namespace

void read_carrier(Section& section, PeerPlace& place, carriers::CarrierConfig& carrier) {
  const std::size_t faults_before = section.faults().size();
  carrier.name = place.name;
  if (place.name.empty() || section.has("name")) read_name(section, "name", carrier.name);
  if (!place.name.empty() && carrier.name != place.name) {
    section.fault("name", "is not its file's name", "\"" + place.name + "\", or no name");
  }
  read_pace(section, "pace", carrier.pace_per_s);
  read_ms(section, "pace_burst_seconds", carrier.pace_burst_ms, {0.001, 1});
  section.integer("number_window", carrier.number_window, {1, 10'000});
  section.integer("queue_max", carrier.queue_max, {1, 10'000'000});
  section.integer("queue_octets_max", carrier.queue_octets_max, {128 * 1024, 1u << 30});
  section.word("in_doubt", {"hold", "resend", "fail"},
               [&](std::size_t at) { carrier.in_doubt = static_cast<carriers::InDoubt>(at); });
  section.integer("awaiting_max", carrier.awaiting_max, {1'000, 100'000'000});
  section.integer("awaiting_hours", carrier.awaiting_hours, {1, 720});
  section.integer("early_receipts_max", carrier.early_receipts_max, {1, 10'000'000});
  section.integer("early_octets_max", carrier.early_octets_max, {128 * 1024, 1u << 30});
  std::string mo_status;
  section.text("mo_status", mo_status, {1, 32});
  if (!mo_status.empty()) {
    const auto status = parse_status(mo_status);
    if (status) {
      carrier.mo_status = *status;
    } else {
      section.fault("mo_status", "no command_status", std::string(kStatusRight));
    }
  }
  section.section("retry", [&](Section& below) { read_retries(below, carrier.retry); });
  section.section("timers", [&](Section& below) { read_timers(below, carrier.timers); });
  section.section("dialect", [&](Section& below) { read_dialect(below, carrier.dialect); });
  section.require("bind", "[[carrier.bind]], once for each connection to the carrier");
  section.sections("bind", kBindsMax,
                   [&](Section& below) { read_bind(below, place, carrier.binds.emplace_back()); });
  const bool transmits = std::any_of(carrier.binds.begin(), carrier.binds.end(), [](auto& bind) {
    return bind.kind != proto::Command::bind_receiver;
  });
  if (!carrier.binds.empty() && !transmits) {
    section.fault("bind", "no bind can transmit: nothing can ever be sent to this carrier",
                  "kind = \"transceiver\" or \"transmitter\" on at least one");
  }
  // What the carrier itself would refuse and nothing above has named.
  if (section.faults().size() != faults_before) return;
  for (const std::string& sentence : carriers::faults(carrier)) section.fault("", sentence, "");
}

}  // namespace tollgate::gateway
