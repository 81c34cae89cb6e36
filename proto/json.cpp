#include "proto/json.h"

#include <algorithm>
#include <type_traits>

#include "proto/escape.h"
#include "proto/framer.h"
#include "proto/pdu_visit.h"
#include "proto/receipt.h"
#include "proto/text.h"
#include "proto/tlv.h"

namespace tollgate::proto {
namespace {

std::string hex_of(Octets octets) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(octets.size() * 2);
  for (std::uint8_t octet : octets) {
    out += kHex[octet >> 4];
    out += kHex[octet & 15];
  }
  return out;
}

std::string hex_number(std::uint32_t value, int digits) {
  std::string out = "0x";
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
    out += "0123456789ABCDEF"[value >> shift & 15];
  }
  return out;
}

// A code unit that JSON wants escaped, or that is not ASCII.
void put_unit(std::string& out, unsigned unit) {
  constexpr char kHex[] = "0123456789abcdef";
  if (unit == '"' || unit == '\\') {
    out += '\\';
    out += static_cast<char>(unit);
  } else if (unit == '\n') {
    out += "\\n";
  } else if (unit >= 0x20 && unit < 0x7F) {
    out += static_cast<char>(unit);
  } else {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kHex[unit >> shift & 15];
  }
}

// Indented JSON, written front to back.
class JsonWriter {
 public:
  void open(char bracket) {
    separate();
    out_ += bracket;
    ++depth_;
    first_ = true;
  }
  void close(char bracket) {
    --depth_;
    if (!first_) indent();
    out_ += bracket;
    first_ = false;
  }
  void key(std::string_view name) {
    separate();
    out_ += '"';
    out_ += name;
    out_ += "\": ";
    after_key_ = true;
  }
  void number(std::uint64_t value) { raw(std::to_string(value)); }
  void boolean(bool value) { raw(value ? "true" : "false"); }
  void latin1(std::string_view text) {
    std::string quoted = "\"";
    for (char c : text) put_unit(quoted, static_cast<unsigned char>(c));
    raw(quoted + '"');
  }
  // Valid UTF-8 becomes UTF-16 escapes; anything else is printed as Latin-1.
  void utf8(std::string_view text) {
    std::vector<std::uint8_t> units(text.size() * 2);
    const auto length = utf8_to_ucs2(text, units);
    if (!length) return latin1(text);
    std::string quoted = "\"";
    for (std::size_t i = 0; i < *length; i += 2) put_unit(quoted, load_u16(&units[i]));
    raw(quoted + '"');
  }
  std::string take() { return std::move(out_); }

 private:
  void raw(std::string_view text) {
    separate();
    out_ += text;
  }
  void separate() {
    if (after_key_) {
      after_key_ = false;
      return;
    }
    if (depth_ == 0) return;
    if (!first_) out_ += ',';
    first_ = false;
    indent();
  }
  void indent() {
    out_ += '\n';
    out_.append(static_cast<std::size_t>(depth_) * 2, ' ');
  }
  std::string out_;
  int depth_ = 0;
  bool first_ = true;
  bool after_key_ = false;
};

void put_text(JsonWriter& json, Alphabet alphabet, Octets octets) {
  std::string text(octets.size() * 3 + 4, '\0');
  const auto length = text_to_utf8(alphabet, octets, text);
  if (!length) return;
  json.key("text");
  json.utf8(std::string_view(text).substr(0, *length));
}

// The header's elements and the text behind it.
void put_user_data(JsonWriter& json, std::uint8_t esm_class, std::uint8_t data_coding,
                   Octets message) {
  const UserData data = split_user_data(esm_class, message);
  json.key("alphabet");
  json.latin1(alphabet_name(alphabet_of(data_coding)));
  put_text(json, alphabet_of(data_coding), data.text);
  if (data.header.empty()) return;
  json.key("user_data_header");
  json.latin1(hex_of(data.header));
  if (const auto c = udh_concatenation(data.header)) {
    json.key("concatenation");
    json.open('{');
    json.key("reference");
    json.number(c->reference);
    json.key("total");
    json.number(c->total);
    json.key("sequence");
    json.number(c->sequence);
    json.close('}');
  }
  if (const auto ports = udh_ports(data.header)) {
    json.key("ports");
    json.open('{');
    json.key("destination");
    json.number(ports->destination);
    json.key("source");
    json.number(ports->source);
    json.close('}');
  }
}

void put_receipt(JsonWriter& json, const Receipt& receipt) {
  json.key("receipt");
  json.open('{');
  const auto text = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    json.key(name);
    json.latin1(value);
  };
  json.key("id");
  json.latin1(receipt.id);
  text("id_in_text", receipt.text_id);
  json.key("message_state");
  json.latin1(message_state_name(receipt.state));
  json.key("final");
  json.boolean(is_final(receipt.state));
  text("stat", receipt.stat_text);
  text("err", receipt.err);
  text("sub", receipt.sub);
  text("dlvrd", receipt.dlvrd);
  text("submit date", receipt.submit_date);
  text("done date", receipt.done_date);
  text("text", receipt.text);
  if (receipt.has_network_error) text("network_error_code", hex_of(receipt.network_error));
  json.close('}');
}

void put_tlv_value(JsonWriter& json, const Tlv& tlv) {
  const TlvRule rule = tlv_rule(tlv.tag);
  const std::size_t size = tlv.value.size();
  if (rule.form == TlvForm::number && size >= 1 && size <= 4) {
    std::uint32_t value = 0;
    for (std::uint8_t octet : tlv.value) value = value << 8 | octet;
    return json.number(value);
  }
  if (rule.form == TlvForm::c_string) {
    const std::string_view text = as_text(tlv.value);
    return json.latin1(text.substr(0, text.find('\0')));
  }
  json.latin1(hex_of(tlv.value));
}

// Prints the mandatory fields; keeps what the text and the receipt need.
struct Printer {
  bool u8(const FieldSpec& spec, std::uint8_t field) {
    json.key(spec.name);
    json.number(field);
    return true;
  }
  bool c_string(const FieldSpec& spec, std::string_view field) {
    json.key(spec.name);
    const bool secret = std::string_view(spec.name) == "password";
    json.latin1(secret ? "(" + std::to_string(field.size()) + " octets)" : std::string(field));
    return true;
  }
  bool short_message(Octets field) {
    json.key("sm_length");
    json.number(field.size());
    json.key("short_message");
    json.latin1(hex_of(field));
    return true;
  }
  bool destinations(const Destinations& list) {
    json.key("number_of_dests");
    json.number(list.count);
    json.key("dest_address");
    json.open('[');
    for (const Destination& d : list) {
      json.open('{');
      u8({"dest_flag", 1, {}}, d.dest_flag);
      if (d.dest_flag == 1) {
        u8({"dest_addr_ton", 1, {}}, d.dest_addr_ton);
        u8({"dest_addr_npi", 1, {}}, d.dest_addr_npi);
      }
      c_string({d.dest_flag == 1 ? "destination_addr" : "dl_name", 0, {}}, d.destination_addr);
      json.close('}');
    }
    json.close(']');
    return true;
  }
  bool unsuccess_smes(const UnsuccessSmes& list) {
    json.key("no_unsuccess");
    json.number(list.count);
    json.key("unsuccess_sme");
    json.open('[');
    for (const UnsuccessSme& u : list) {
      json.open('{');
      u8({"dest_addr_ton", 1, {}}, u.dest_addr_ton);
      u8({"dest_addr_npi", 1, {}}, u.dest_addr_npi);
      c_string({"destination_addr", 0, {}}, u.destination_addr);
      json.key("error_status_code");
      json.latin1(hex_number(static_cast<std::uint32_t>(u.error_status_code), 8));
      json.close('}');
    }
    json.close(']');
    return true;
  }
  JsonWriter& json;
};

void put_header(JsonWriter& json, const Header& header) {
  json.key("command_length");
  json.number(header.command_length);
  json.key("command_id");
  json.latin1(hex_number(static_cast<std::uint32_t>(header.command_id), 8));
  json.key("command_name");
  json.latin1(command_name(header.command_id));
  json.key("command_status");
  json.latin1(hex_number(static_cast<std::uint32_t>(header.command_status), 8));
  json.key("command_status_name");
  const std::string_view name = status_name(header.command_status);
  json.latin1(name.empty() ? "unknown" : name);
  json.key("sequence_number");
  json.number(header.sequence_number);
}

void put_tlvs(JsonWriter& json, Octets tlvs, std::uint8_t data_coding) {
  if (tlvs.empty()) return;
  json.key("tlvs");
  json.open('[');
  for (Tlv tlv : Tlvs(tlvs)) {
    json.open('{');
    json.key("tag");
    json.latin1(hex_number(static_cast<std::uint16_t>(tlv.tag), 4));
    const std::string_view name = tag_name(tlv.tag);
    json.key("name");
    json.latin1(name.empty() ? "unknown" : name);
    json.key("length");
    json.number(tlv.value.size());
    json.key("value");
    put_tlv_value(json, tlv);
    if (tlv.tag == Tag::message_payload) put_text(json, alphabet_of(data_coding), tlv.value);
    json.close('}');
  }
  json.close(']');
}

template <class T>
void put_notes(JsonWriter& json, const T& pdu, std::size_t size) {
  std::vector<std::string> notes;
  const std::size_t shown = encoded_length(pdu);
  if (shown < size) {
    notes.push_back(std::to_string(size - shown) + " octets at the end are no whole TLV");
  } else if (shown > size && size > kHeaderLength) {
    notes.push_back("the body is cut short: what is missing reads as empty");
  }
  for (Tlv tlv : Tlvs(pdu.tlvs)) {
    const TlvRule rule = tlv_rule(tlv.tag);
    if (tlv.value.size() >= rule.length_min && tlv.value.size() <= rule.length_max) continue;
    notes.push_back(
        std::string(tag_name(tlv.tag)) + " has " + std::to_string(tlv.value.size()) +
        " octets, not " + std::to_string(rule.length_min) +
        (rule.length_min == rule.length_max ? "" : "-" + std::to_string(rule.length_max)));
  }
  if (notes.empty()) return;
  json.key("notes");
  json.open('[');
  for (const std::string& note : notes) json.latin1(note);
  json.close(']');
}

template <class T>
Fault put_pdu(JsonWriter& json, const Frame& frame, T pdu) {
  if (const Fault fault = decode(frame.body, pdu)) return fault;
  json.open('{');
  put_header(json, frame.header);
  Printer printer{json};
  visit_fields(pdu, printer);
  std::uint8_t data_coding = 0;
  if constexpr (requires { pdu.data_coding; }) data_coding = pdu.data_coding;
  if constexpr (requires { pdu.data_coding, pdu.esm_class, pdu.short_message; }) {
    put_user_data(json, pdu.esm_class, pdu.data_coding, pdu.short_message);
  }
  put_tlvs(json, pdu.tlvs, data_coding);
  if constexpr (std::is_same_v<T, DeliverSm> || std::is_same_v<T, DataSm>) {
    char scratch[kReceiptScratch];
    Receipt receipt;
    if (is_receipt(pdu) && parse_receipt(pdu, receipt, scratch)) put_receipt(json, receipt);
  }
  put_notes(json, pdu, frame.whole.size());
  json.close('}');
  return {};
}

// Frames one PDU; a fault says what is wrong with its length.
Fault cut(Octets rest, Frame& frame, std::string& detail) {
  const std::string left = std::to_string(rest.size());
  if (rest.size() < kHeaderLength) {
    detail = left + " octets are no PDU: the header alone has 16";
    return {Status::ESME_RINVCMDLEN, 0, "command_length", "no whole header"};
  }
  const FrameResult result = next_frame(rest, kPduLengthMax, frame);
  if (result == FrameResult::frame) return {};
  const std::string length = std::to_string(load_u32(rest.data()));
  if (result == FrameResult::need_more) {
    detail = "says " + length + " octets, but " + left + " are there";
    return {Status::ESME_RINVCMDLEN, 0, "command_length", "more than there is"};
  }
  detail = "says " + length + " octets; a PDU has 16 to " + std::to_string(kPduLengthMax);
  return {Status::ESME_RINVCMDLEN, 0, "command_length", "out of bounds"};
}

}  // namespace

PduJson pdu_to_json(Octets pdus) {
  JsonWriter json;
  PduJson out;
  std::size_t count = 0;
  Octets rest = pdus;
  Frame frame;
  // A look ahead decides between an object and an array.
  const bool several = next_frame(pdus, kPduLengthMax, frame) == FrameResult::frame &&
                       frame.whole.size() < pdus.size();
  if (several) json.open('[');
  do {
    ++count;
    std::string detail;
    out.fault = cut(rest, frame, detail);
    if (!out.fault) {
      const bool known = with_pdu(frame.header.command_id,
                                  [&](auto pdu) { out.fault = put_pdu(json, frame, pdu); });
      if (!known) {
        out.fault = {Status::ESME_RINVCMDID, 4, "command_id", "is not a command"};
        detail = hex_number(static_cast<std::uint32_t>(frame.header.command_id), 8) +
                 " is no command of SMPP 3.4 or 5.0";
      }
    }
    if (out.fault) {
      out.error = "PDU " + std::to_string(count) + ", octet " + std::to_string(out.fault.offset) +
                  ", " + out.fault.field + ": " +
                  (detail.empty() ? std::string(out.fault.what) : detail) + " (" +
                  std::string(status_name(out.fault.status)) + ")";
      return out;
    }
    rest = rest.subspan(frame.whole.size());
  } while (!rest.empty());
  if (several) json.close(']');
  out.json = json.take();
  return out;
}

HexOctets parse_hex(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  HexOctets out;
  const auto fail = [&](std::size_t at, std::string why) {
    out.octets.clear();
    out.error = "character " + std::to_string(at + 1) + ": " + std::move(why);
    return out;
  };
  constexpr std::string_view kBetween = " \t\r\n:,-";
  std::size_t i = 0;
  while (i < text.size()) {
    if (kBetween.find(text[i]) != std::string_view::npos) {
      ++i;
      continue;
    }
    if (text[i] == '0' && i + 1 < text.size() && (text[i + 1] == 'x' || text[i + 1] == 'X')) {
      i += 2;
      if (i == text.size()) return fail(i - 1, "nothing behind 0x");
    }
    const int high = digit(text[i]);
    if (high < 0) {
      return fail(i, "'" + escaped(text.substr(i, 1)) + "' is no hexadecimal digit");
    }
    if (i + 1 == text.size() || kBetween.find(text[i + 1]) != std::string_view::npos) {
      return fail(i, "half an octet: the second digit is missing");
    }
    const int low = digit(text[i + 1]);
    if (low < 0) {
      return fail(i + 1, "'" + escaped(text.substr(i + 1, 1)) + "' is no hexadecimal digit");
    }
    out.octets.push_back(static_cast<std::uint8_t>(high * 16 + low));
    i += 2;
  }
  if (out.octets.empty()) out.error = "no hexadecimal digits";
  return out;
}

PduJson hex_to_json(const std::vector<std::string>& arguments) {
  std::string all;
  for (const std::string& argument : arguments) all += argument + ' ';
  const HexOctets hex = parse_hex(all);
  if (!hex) return {{}, hex.error, {Status::ESME_RINVCMDLEN, 0, "", "not hexadecimal"}};
  return pdu_to_json(hex.octets);
}

}  // namespace tollgate::proto
