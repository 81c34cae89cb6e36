#include "gateway/clients/admission.h"

#include <algorithm>

#include "gateway/messages/message.h"
#include "proto/session.h"
#include "proto/text.h"
#include "proto/time.h"
#include "proto/tlv.h"

namespace tollgate::gateway {

using proto::Status;

namespace {

// The message types that an ESME may send: plain, delivery and manual acknowledgement.
bool esm_type_allowed(std::uint8_t esm_class) {
  const int type = esm_class & proto::kEsmTypeMask;
  return type == 0 || type == 0x08 || type == 0x10;
}

Status check_flags(const proto::SubmitSm& sm, std::uint8_t version) {
  if (!esm_type_allowed(sm.esm_class)) return Status::ESME_RINVESMCLASS;
  if (sm.replace_if_present_flag > 1) return Status::ESME_RINVREPFLAG;
  const bool success_only = (sm.registered_delivery & 0x03) == 0x03;
  if (success_only && version < proto::kVersion50) return Status::ESME_RINVREGDLVFLG;
  if (sm.destination_addr.empty()) return Status::ESME_RINVDSTADR;
  return Status::ESME_ROK;
}

Status check_text(const proto::SubmitSm& sm, proto::Octets text) {
  const bool payload = proto::find(sm.tlvs, proto::Tag::message_payload).has_value();
  if (payload && !sm.short_message.empty()) return Status::ESME_RINVMSGLEN;
  if (proto::split_user_data(sm.esm_class, text).malformed) return Status::ESME_RINVESMCLASS;
  return Status::ESME_ROK;
}

}  // namespace

Admission admit(const proto::SubmitSm& sm, std::uint8_t version, const core::Now& now) {
  Admission result;
  result.text = proto::message_octets(sm.short_message, sm.tlvs);
  result.status = check_flags(sm, version);
  if (result.status == Status::ESME_ROK) result.status = check_text(sm, result.text);
  if (result.status != Status::ESME_ROK) return result;
  const std::int64_t now_s = now.wall_us / 1'000'000;
  if (!sm.schedule_delivery_time.empty() &&
      proto::parse_time(sm.schedule_delivery_time, now_s).kind == proto::TimeKind::bad) {
    result.status = Status::ESME_RINVSCHED;
  } else if (!sm.validity_period.empty()) {
    const proto::Time validity = proto::parse_time(sm.validity_period, now_s);
    if (validity.kind == proto::TimeKind::bad || validity.unix_s <= now_s) {
      result.status = Status::ESME_RINVEXPIRY;
    } else {
      result.validity_us = (validity.unix_s - now_s) * 1'000'000;
    }
  }
  return result;
}

std::optional<std::uint64_t> long_message_hash(const proto::SubmitSm& sm) {
  if ((sm.esm_class & proto::kEsmUdhi) == 0 && sm.tlvs.empty()) return std::nullopt;
  const auto text = proto::message_octets(sm.short_message, sm.tlvs);
  const auto part = proto::concatenation_of(sm.esm_class, text, sm.tlvs);
  if (!part) return std::nullopt;
  const std::hash<std::string_view> hash;
  return hash(sm.destination_addr) * 31 + hash(sm.source_addr) * 7 + part->reference;
}

std::uint16_t segments_of(const proto::SubmitSm& sm, proto::Octets text) {
  constexpr std::size_t kAlwaysOne = 140;  // octets of an SMS, in whatever alphabet
  if (text.size() <= kAlwaysOne) return 1;
  if (proto::concatenation_of(sm.esm_class, text, sm.tlvs)) return 1;
  const proto::Octets shown = proto::split_user_data(sm.esm_class, text).text;
  return static_cast<std::uint16_t>(proto::segments_needed(proto::alphabet_of(sm.data_coding),
                                                           shown, proto::Segmentation::segment));
}

bool to_submit_sm(const proto::DataSm& data, proto::SubmitSm& out) {
  if (data.destination_addr.size() >= proto::kAddressMax ||
      data.source_addr.size() >= proto::kAddressMax) {
    return false;
  }
  out.service_type = data.service_type;
  out.source_addr_ton = data.source_addr_ton;
  out.source_addr_npi = data.source_addr_npi;
  out.source_addr = data.source_addr;
  out.dest_addr_ton = data.dest_addr_ton;
  out.dest_addr_npi = data.dest_addr_npi;
  out.destination_addr = data.destination_addr;
  out.esm_class = data.esm_class;
  out.registered_delivery = data.registered_delivery;
  out.data_coding = data.data_coding;
  out.tlvs = data.tlvs;
  return true;
}

}  // namespace tollgate::gateway
