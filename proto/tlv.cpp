#include "proto/tlv.h"

namespace tollgate::proto {

std::string_view tag_name(Tag tag) {
  switch (tag) {
#define TLV(name, tag_value, least, most, form) \
  case Tag::name:                               \
    return #name;
#include "proto/tlv_table.inc"
#undef TLV
  }
  return "";
}

TlvRule tlv_rule(Tag tag) {
  switch (tag) {
#define TLV(name, tag_value, least, most, form) \
  case Tag::name:                               \
    return {least, most, TlvForm::form};
#include "proto/tlv_table.inc"
#undef TLV
  }
  return {};
}

std::size_t good_length(Octets block) {
  std::size_t good = 0;
  for (Tlv tlv : Tlvs(block)) good += kTlvHeaderLength + tlv.value.size();
  return good;
}

std::optional<Octets> find(Octets block, Tag tag) {
  for (Tlv tlv : Tlvs(block)) {
    if (tlv.tag == tag) return tlv.value;
  }
  return std::nullopt;
}

std::optional<std::uint8_t> find_u8(Octets block, Tag tag) {
  const auto value = find(block, tag);
  if (!value || value->size() != 1) return std::nullopt;
  return value->front();
}

std::optional<std::uint16_t> find_u16(Octets block, Tag tag) {
  const auto value = find(block, tag);
  if (!value || value->size() != 2) return std::nullopt;
  return load_u16(value->data());
}

std::optional<std::string_view> find_text(Octets block, Tag tag) {
  const auto value = find(block, tag);
  if (!value) return std::nullopt;
  const std::string_view text = as_text(*value);
  return text.substr(0, text.find('\0'));
}

namespace {

// Writes the header and says where the value goes; empty when it does not fit.
Out tlv_room(Out out, std::size_t at, Tag tag, std::size_t length) {
  if (length > kTlvValueMax || at > out.size()) return {};
  if (out.size() - at < kTlvHeaderLength + length) return {};
  store_u16(&out[at], static_cast<std::uint16_t>(tag));
  store_u16(&out[at + 2], static_cast<std::uint16_t>(length));
  return out.subspan(at);
}

}  // namespace

std::size_t append_tlv(Out out, std::size_t at, Tag tag, Octets value) {
  const Out room = tlv_room(out, at, tag, value.size());
  if (room.empty()) return 0;
  if (!value.empty()) std::memcpy(&room[kTlvHeaderLength], value.data(), value.size());
  return at + kTlvHeaderLength + value.size();
}

std::size_t append_tlv_u8(Out out, std::size_t at, Tag tag, std::uint8_t value) {
  return append_tlv(out, at, tag, Octets(&value, 1));
}

std::size_t append_tlv_u16(Out out, std::size_t at, Tag tag, std::uint16_t value) {
  std::uint8_t octets[2];
  store_u16(octets, value);
  return append_tlv(out, at, tag, octets);
}

std::size_t append_tlv_text(Out out, std::size_t at, Tag tag, std::string_view value) {
  const Out room = tlv_room(out, at, tag, value.size() + 1);
  if (room.empty()) return 0;
  if (!value.empty()) std::memcpy(&room[kTlvHeaderLength], value.data(), value.size());
  room[kTlvHeaderLength + value.size()] = 0;
  return at + kTlvHeaderLength + value.size() + 1;
}

}  // namespace tollgate::proto
