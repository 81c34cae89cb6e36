#include "carriers/dialect.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "proto/limits.h"
#include "proto/pdu.h"
#include "proto/tlv.h"

namespace tollgate::carriers {

namespace {

constexpr std::uint8_t kNumber = 0;  // the first octet of a number's key; no text id has it

int digit_of(char c, IdForm form) {
  if (c >= '0' && c <= '9') return c - '0';
  if (form != IdForm::hex) return -1;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_number(std::string_view id, IdForm form) {
  return std::all_of(id.begin(), id.end(), [form](char c) { return digit_of(c, form) >= 0; });
}

// An unsigned number of up to 64 hexadecimal digits, least significant limb first.
class Number {
 public:
  void append(std::uint32_t base, std::uint32_t digit) {
    std::uint64_t carry = digit;
    for (std::size_t i = 0; i < used_; ++i) {
      carry += std::uint64_t{limbs_[i]} * base;
      limbs_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) limbs_[used_++] = static_cast<std::uint32_t>(carry);
  }

  // Most significant octet first, without leading zeros.
  IdKey key() const {
    IdKey out;
    out.octets[0] = kNumber;
    out.length = 1;
    for (std::size_t octet = used_ * 4; octet-- > 0;) {
      const auto value = static_cast<std::uint8_t>(limbs_[octet / 4] >> (octet % 4 * 8));
      if (value != 0 || out.length > 1) out.octets[out.length++] = value;
    }
    return out;
  }

 private:
  std::array<std::uint32_t, 8> limbs_{};
  std::size_t used_ = 0;
};

IdKey number_key(std::string_view id, IdForm form) {
  const std::uint32_t base = form == IdForm::hex ? 16 : 10;
  Number number;
  // Several digits at a time: a limb holds seven in base 16, nine in base 10.
  const std::size_t group = form == IdForm::hex ? 7 : 9;
  for (std::size_t at = 0; at < id.size(); at += group) {
    std::uint32_t value = 0;
    std::uint32_t scale = 1;
    for (char c : id.substr(at, group)) {
      value = value * base + static_cast<std::uint32_t>(digit_of(c, form));
      scale *= base;
    }
    number.append(scale, value);
  }
  return number.key();
}

IdKey text_key(std::string_view id, const DialectConfig& config) {
  if (config.id_strip_leading_zeros) {
    id.remove_prefix(std::min(id.find_first_not_of('0'), id.size() - 1));
  }
  IdKey out;
  out.length = static_cast<std::uint8_t>(id.size());
  std::memcpy(out.octets.data(), id.data(), id.size());
  if (config.id_fold_case) {
    for (std::uint8_t& c : std::span(out.octets).first(out.length)) {
      if (c >= 'A' && c <= 'Z') c = static_cast<std::uint8_t>(c + ('a' - 'A'));
    }
  }
  return out;
}

std::string_view without_prefix(std::string_view number) {
  if (number.starts_with("+")) return number.substr(1);
  if (number.starts_with("00")) return number.substr(2);
  return number;
}

std::string_view prefix_of(DestinationPrefix prefix) {
  switch (prefix) {
    case DestinationPrefix::plus:
      return "+";
    case DestinationPrefix::double_zero:
      return "00";
    case DestinationPrefix::as_given:
    case DestinationPrefix::none:
      return "";
  }
  return "";
}

void override_with(int configured, std::uint8_t& field) {
  if (configured >= 0) field = static_cast<std::uint8_t>(configured);
}

}  // namespace

Dialect::Dialect(const DialectConfig& config) : config_(config) {
  changed();
}

void Dialect::changed() {
  rewrites_ = !config_.tlvs || config_.destination_prefix != DestinationPrefix::as_given ||
              config_.has_service_type || config_.source_ton >= 0 || config_.source_npi >= 0 ||
              config_.destination_ton >= 0 || config_.destination_npi >= 0;
}

IdKey Dialect::key(std::string_view id, IdPlace place) const {
  if (id.empty() || id.size() > kIdMax) return {};
  const IdForm form = place == IdPlace::response       ? config_.id_response
                      : place == IdPlace::receipt_text ? config_.id_receipt_text
                                                       : config_.id_receipt_tlv;
  if (form != IdForm::text && is_number(id, form)) return number_key(id, form);
  return text_key(id, config_);
}

proto::StatusClass Dialect::classify(proto::Status status) const {
  for (const auto& [from, to] : config_.status_classes) {
    if (from == status) return to;
  }
  return proto::status_class(status);
}

bool Dialect::is_final(const proto::Receipt& receipt) const {
  if (receipt.intermediate) return false;
  if (receipt.state == proto::MessageState::accepted) return config_.accepted_is_final;
  if (receipt.state == proto::MessageState::unknown) return config_.unknown_is_final;
  return proto::is_final(receipt.state);
}

std::string_view Dialect::error_text(std::string_view err) const {
  for (const auto& [from, to] : config_.error_texts) {
    if (from == err) return to;
  }
  return {};
}

std::size_t Dialect::rewrite(proto::SubmitSm sm, proto::Out out) const {
  if (config_.has_service_type) sm.service_type = config_.service_type;
  override_with(config_.source_ton, sm.source_addr_ton);
  override_with(config_.source_npi, sm.source_addr_npi);
  override_with(config_.destination_ton, sm.dest_addr_ton);
  override_with(config_.destination_npi, sm.dest_addr_npi);
  std::array<char, proto::kAddressMax + 2> number;
  if (config_.destination_prefix != DestinationPrefix::as_given) {
    const std::string_view prefix = prefix_of(config_.destination_prefix);
    const std::string_view digits = without_prefix(sm.destination_addr);
    const auto end = std::copy(prefix.begin(), prefix.end(), number.begin());
    std::copy(digits.begin(), digits.end(), end);
    sm.destination_addr = {number.data(), prefix.size() + digits.size()};
  }
  if (!config_.tlvs) {
    if (const auto payload = proto::find(sm.tlvs, proto::Tag::message_payload)) {
      if (!sm.short_message.empty() || payload->size() > proto::kShortMessageMax34) return 0;
      sm.short_message = *payload;
    }
    sm.tlvs = {};
  }
  return proto::encode_body(sm, out);
}

}  // namespace tollgate::carriers
