// What the codec's tests share: a seeded generator of PDUs of every type, and every field of a
// PDU as text, so that two PDUs can be compared and a difference be named.
//
// The generator owns what the views of its PDUs point to; a PDU lives until the next clear().
#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "proto/pdu_visit.h"
#include "proto/tlv.h"

namespace tollgate::proto::test {

enum class Wildness {
  wild,    // anything the codec carries: any octet, any TON, unknown and senseless TLVs
  modest,  // what a strict 3.4 implementation accepts too
};

class Generator {
 public:
  Generator(std::uint64_t seed, Wildness wildness) : random_(seed), wildness_(wildness) {}

  template <class T>
  T make() {
    T pdu;
    command_ = static_cast<std::uint32_t>(command_of<T>);
    udhi_ = false;
    visit_fields(pdu, *this);
    pdu.tlvs = tlvs();
    return pdu;
  }
  void clear() { stored_.clear(); }

  std::uint32_t below(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
  }
  bool wild() const { return wildness_ == Wildness::wild; }

  // The visitor's side.
  bool u8(const FieldSpec& spec, std::uint8_t& field) {
    const std::string_view name = spec.name;
    field = static_cast<std::uint8_t>(below(256));
    if (wild()) return true;
    if (name.ends_with("_ton")) field %= 7;
    if (name.ends_with("_npi")) field = below(2) == 0 ? 1 : 8;
    if (name == "replace_if_present_flag") field %= 2;
    if (name == "interface_version") field = 0x34;
    if (name == "esm_class") udhi_ = (field & 0x40) != 0;
    return true;
  }
  bool c_string(const FieldSpec& spec, std::string_view& field) {
    const std::string_view name = spec.name;
    std::size_t most = spec.octets_max - 1;
    if (!wild() && name == "password") most = 8;
    if (!wild() && (name.ends_with("_time") || name.ends_with("_period") || name == "final_date")) {
      field = time();
      return true;
    }
    field = text(below(3) == 0 ? 0 : below(static_cast<std::uint32_t>(most) + 1));
    return true;
  }
  bool short_message(Octets& field) {
    if (wild() || !udhi_) {
      field = octets(below(wild() ? 256 : 254));
      return true;
    }
    // esm_class promised a user data header: a concatenation.
    std::vector<std::uint8_t> made = {5, 0, 3, 0, 2, 1};
    made[3] = static_cast<std::uint8_t>(below(256));
    const Octets text = octets(below(240));
    made.insert(made.end(), text.begin(), text.end());
    field = keep(std::move(made));
    return true;
  }
  bool destinations(Destinations& list) {
    std::vector<std::uint8_t> raw(kDestinationsMax * 24);
    std::size_t length = 0;
    list.count = static_cast<std::uint8_t>(1 + below(wild() && below(20) == 0 ? 254 : 8));
    for (unsigned i = 0; i < list.count; ++i) {
      Destination d;
      d.dest_flag = below(4) == 0 ? 2 : 1;
      if (d.dest_flag == 1) {
        u8({"dest_addr_ton", 1, {}}, d.dest_addr_ton);
        u8({"dest_addr_npi", 1, {}}, d.dest_addr_npi);
      }
      d.destination_addr = text(1 + below(20));
      length = append(raw, length, d);
    }
    list.raw = keep({raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(length)});
    return length != 0;
  }
  bool unsuccess_smes(UnsuccessSmes& list) {
    std::vector<std::uint8_t> raw(kDestinationsMax * 28);
    std::size_t length = 0;
    list.count = static_cast<std::uint8_t>(below(6));
    for (unsigned i = 0; i < list.count; ++i) {
      UnsuccessSme u;
      u8({"dest_addr_ton", 1, {}}, u.dest_addr_ton);
      u8({"dest_addr_npi", 1, {}}, u.dest_addr_npi);
      u.destination_addr = text(wild() ? below(21) : 1 + below(20));
      u.error_status_code = Status{wild() ? below(0xFFFFFFFF) : 0x0B};
      length = append(raw, length, u);
    }
    list.raw = keep({raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(length)});
    return true;
  }

  std::string_view text(std::size_t length) {
    std::string made(length, ' ');
    for (char& c : made) {
      c = static_cast<char>(wild() ? 1 + below(255) : '0' + below(10));
      if (!wild() && below(4) == 0) c = static_cast<char>('A' + below(26));
    }
    return as_text(keep({made.begin(), made.end()}));
  }
  Octets octets(std::size_t length) {
    std::vector<std::uint8_t> made(length);
    for (std::uint8_t& octet : made) octet = static_cast<std::uint8_t>(below(256));
    return keep(std::move(made));
  }

 private:
  Octets keep(std::vector<std::uint8_t> octets) { return stored_.emplace_back(std::move(octets)); }

  // Empty or a moment that exists.
  std::string_view time() {
    static constexpr std::string_view kTimes[] = {"", "260101000000000+", "251231235959900-",
                                                  "000001000000000R"};
    return kTimes[below(4)];
  }
  Octets tlvs();

  std::mt19937_64 random_;
  Wildness wildness_;
  std::uint32_t command_ = 0;
  bool udhi_ = false;
  std::deque<std::vector<std::uint8_t>> stored_;
};

inline Octets Generator::tlvs() {
  static constexpr Tag kTags[] = {Tag::user_message_reference, Tag::source_port,
                                  Tag::message_payload,        Tag::receipted_message_id,
                                  Tag::network_error_code,     Tag::message_state,
                                  Tag::sar_msg_ref_num,        Tag::additional_status_info_text};
  const auto command = Command{command_};
  const bool carries = command == Command::submit_sm || command == Command::deliver_sm ||
                       command == Command::data_sm || command == Command::submit_multi;
  if (!wild() && !carries) return {};
  std::vector<std::uint8_t> block(8'192);
  std::size_t length = 0;
  for (std::uint32_t left = below(5); left > 0; --left) {
    if (wild()) {
      const Tag tag = below(3) == 0 ? Tag{static_cast<std::uint16_t>(below(0x10000))}
                                    : kTags[below(std::size(kTags))];
      length = append_tlv(block, length, tag, octets(below(below(10) == 0 ? 1'500 : 40)));
    } else if (command == Command::deliver_sm) {
      static constexpr Tag kOfDeliver[] = {Tag::receipted_message_id, Tag::network_error_code,
                                           Tag::message_state, Tag::user_message_reference};
      const Tag tag = kOfDeliver[left - 1];
      const TlvRule rule = tlv_rule(tag);
      length = rule.form == TlvForm::c_string
                   ? append_tlv_text(block, length, tag, text(1 + below(64)))
                   : append_tlv(block, length, tag, octets(rule.length_min));
    } else {
      static constexpr Tag kOfSubmit[] = {Tag::user_message_reference, Tag::source_port,
                                          Tag::sar_msg_ref_num, Tag::payload_type};
      const Tag tag = kOfSubmit[left - 1];
      length = append_tlv(block, length, tag, octets(tlv_rule(tag).length_min));
    }
  }
  block.resize(length);
  return keep(std::move(block));
}

// Every field as "name=value", in wire order.
struct Fields {
  std::vector<std::string> all;
  bool u8(const FieldSpec& spec, std::uint8_t field) {
    return add(spec.name, std::to_string(field));
  }
  bool c_string(const FieldSpec& spec, std::string_view field) {
    return add(spec.name, std::string(field));
  }
  bool short_message(Octets field) { return add("short_message", std::string(as_text(field))); }
  bool destinations(const Destinations& list) {
    add("number_of_dests", std::to_string(list.count));
    for (const Destination& d : list) {
      add("dest", std::to_string(d.dest_flag) + ' ' + std::to_string(d.dest_addr_ton) + ' ' +
                      std::to_string(d.dest_addr_npi) + ' ' + std::string(d.destination_addr));
    }
    return true;
  }
  bool unsuccess_smes(const UnsuccessSmes& list) {
    add("no_unsuccess", std::to_string(list.count));
    for (const UnsuccessSme& u : list) {
      add("unsuccess", std::to_string(u.dest_addr_ton) + ' ' + std::to_string(u.dest_addr_npi) +
                           ' ' + std::string(u.destination_addr) + ' ' +
                           std::to_string(static_cast<std::uint32_t>(u.error_status_code)));
    }
    return true;
  }
  bool add(std::string_view name, std::string value) {
    all.push_back(std::string(name) + '=' + std::move(value));
    return true;
  }
};

template <class T>
std::vector<std::string> fields_of(const T& pdu) {
  Fields fields;
  visit_fields(pdu, fields);
  fields.add("tlvs", std::string(as_text(pdu.tlvs)));
  return fields.all;
}

// "00 1f:2a" as octets; for vectors in tests, so anything unreadable is the test's own fault.
inline std::vector<std::uint8_t> unhex(std::string_view text) {
  std::string digits;
  for (char c : text) {
    if (c != ' ' && c != ':') digits += c;
  }
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return out;
}

}  // namespace tollgate::proto::test
